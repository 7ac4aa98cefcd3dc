"""The objective of `SoftmaxRegression` in extended precision, written without the package."""

import numpy as np

from benchmarks.hostile.problems import Extended, Hostile, dense


class Objective:
    """C Σ s CE + penalty of a hostile problem, or Σ s CE for C = ∞, in extended precision.

    Attributes
    ----------
    X, targets, weight : ndarray
        Of the rows that have weight; C is a factor of the weights.
    l1, l2 : longdouble
        Factors of the penalty's parts, 0 for C = ∞.
    lower, upper : ndarray of shape (n_outputs, n_columns)
        Bounds of the coefficients.
    """

    def __init__(self, hostile: Hostile):
        parameters, weight = hostile.parameters, hostile.weights()
        kept = weight > 0
        self.X = dense(hostile.X)[kept].astype(Extended)
        self.targets = hostile.targets()[kept].astype(Extended)
        penalized = np.isfinite(parameters["C"])
        self.weight = weight[kept] * (parameters["C"] if penalized else 1.0)
        ratio = parameters.get("l1_ratio", 0.0)
        self.l1 = Extended(ratio if penalized else 0.0)
        self.l2 = Extended(1.0 - ratio if penalized else 0.0)
        self.grouped = parameters.get("penalty_grouping") == "features"
        self.fit_intercept = parameters["fit_intercept"]
        n_classes = self.targets.shape[1]
        self.n_outputs = 1 if n_classes == 2 else n_classes
        shape = self.n_outputs, self.X.shape[1]
        self.lower, self.upper = (
            np.broadcast_to(most if side is None else side, shape).astype(Extended)
            for side, most in zip(
                parameters.get("bounds", (None, None)), (-np.inf, np.inf), strict=True
            )
        )

    @property
    def bounded(self) -> bool:
        """Whether there are bounds."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    def __call__(self, coef: np.ndarray, intercept: np.ndarray) -> np.longdouble:
        """Return the objective at coefficients of any precision."""
        coef, intercept = np.asarray(coef, Extended), np.asarray(intercept, Extended)
        losses = cross_entropy(self.X @ coef.T + intercept, self.targets)[0]
        sizes = np.sqrt(np.square(coef).sum(axis=0)) if self.grouped else np.abs(coef)
        ridge = np.square(coef).sum() / 2
        return self.weight @ losses + self.l2 * ridge + self.l1 * sizes.sum()


def cross_entropy(
    scores: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return losses, slopes p − y and probabilities, small ones to all their digits.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_outputs)
        Of two classes, those of the second.
    targets : ndarray of shape (n_rows, n_classes)
        Rows whose sum is 1.
    """
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    rows = np.arange(len(scores))
    best = scores.argmax(axis=1)
    behind = scores[rows, best][:, None] - scores
    odds = np.exp(-behind)
    odds[rows, best] = 0
    others = odds.sum(axis=1)
    products = np.where(targets > 0, targets * behind, 0)  # a score of −inf is none of them
    losses = products.sum(axis=1) + np.log1p(others)
    odds[rows, best] = 1
    p = odds / (1 + others)[:, None]
    slopes = p - targets
    slopes[rows, best] = 0
    slopes[rows, best] = -slopes.sum(axis=1)  # rather than 1 − 1
    return losses, slopes, p
