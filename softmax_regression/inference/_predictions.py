r"""Predicted probabilities with standard errors and intervals.

The delta method is applied on the scale of the logit, so that intervals of probabilities stay
within (0, 1) (Fox and Hong, "Effect displays in R for multinomial and proportional-odds logit
models", *Journal of Statistical Software* 32, 2009). With scores s_m,

    ∂ logit p_k / ∂ s_m = (δ_km − p_m) / (1 − p_k)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from softmax_regression._linalg.arrays import Array
from softmax_regression.inference._information import Likelihood
from softmax_regression.inference._quantile import quantile


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted probabilities with errors, as `InferenceResults.get_prediction` returns them.

    Parameters
    ----------
    predicted : DataFrame of shape (n_samples, n_classes)
        The probabilities.
    se : DataFrame of shape (n_samples, n_classes)
        The standard errors of the probabilities, by the delta method.
    se_logit : DataFrame of shape (n_samples, n_classes)
        The standard errors of the logits of the probabilities, from which intervals are computed.
    logit : DataFrame of shape (n_samples, n_classes)
        The logits of the probabilities.
    """

    predicted: pd.DataFrame
    se: pd.DataFrame
    se_logit: pd.DataFrame
    logit: pd.DataFrame

    def conf_int(self, alpha: float = 0.05) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return lower and upper ends of intervals, which are symmetric on the scale of the logit.

        Parameters
        ----------
        alpha : float, default=0.05
            One minus the confidence.

        Returns
        -------
        tuple of DataFrame
            The lower and the upper ends, both in the shape of `predicted` and within (0, 1).

        Raises
        ------
        ValueError
            If alpha is not between 0 and 1.
        """
        reach = quantile(alpha) * self.se_logit
        return expit(self.logit - reach), expit(self.logit + reach)

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return a table with a row for each row of X and each class.

        Parameters
        ----------
        alpha : float, default=0.05
            One minus the confidence of the intervals.

        Returns
        -------
        DataFrame
            A table indexed by row and class, with the columns of statsmodels: 'predicted', 'se',
            'ci_lower' and 'ci_upper'.
        """
        lower, upper = self.conf_int(alpha)
        columns = {"predicted": self.predicted, "se": self.se, "ci_lower": lower, "ci_upper": upper}
        index = pd.MultiIndex.from_product(
            [self.predicted.index, self.predicted.columns], names=["row", "class"]
        )
        return pd.DataFrame(
            {name: part.to_numpy().ravel() for name, part in columns.items()}, index=index
        )


def predict(
    likelihood: Likelihood, u: Array, covariance: Array, design: Any, offset: Array, index: Any
) -> Predictions:
    """Return the probabilities of rows; known scores are class-major or the same for all rows."""
    offset = np.broadcast_to(offset, (likelihood.n_classes, design.n_rows))
    k = likelihood.n_classes
    parts = []
    step = max(1, (1 << 19) // (k * k + likelihood.width))
    for start in range(0, design.n_rows, step):
        rows = slice(start, min(start + step, design.n_rows))
        z = likelihood.row_map(design[rows])
        p = likelihood.probabilities(u, z, offset[:, rows])
        gradient = _logit_gradient(p)
        spread = _score_covariances(covariance, z, k - 1)
        variance = np.einsum("kmi,mni,kni->ki", gradient, spread, gradient, optimize=True)
        parts.append((p, variance))
    if not parts:
        parts = [(np.empty((k, 0)), np.empty((k, 0)))]
    p, variance = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return predictions(p, variance, likelihood.classes, index)


def predictions(p: Array, variance: Array, classes: Array, index: Any) -> Predictions:
    """Return tables from class-major probabilities and the variances of their logits."""
    others = _others(p)
    with np.errstate(divide="ignore"):
        logit = np.log(p) - np.log(others)
    error = np.sqrt(np.maximum(variance, 0.0))
    columns = pd.Index(classes, name="class")

    def frame(values: Array) -> pd.DataFrame:
        return pd.DataFrame(values.T, index=index, columns=columns)

    return Predictions(frame(p), frame(p * others * error), frame(error), frame(logit))


def average(
    likelihood: Likelihood, u: Array, covariance: Array, settings: list[dict[int, float]]
) -> Predictions:
    """Return probabilities averaged over all rows, for each setting of some columns."""
    k = likelihood.n_classes
    p_mean = np.zeros((k, len(settings)))
    slopes = np.zeros((len(settings), k, k - 1, likelihood.width))
    total = 0.0
    for rows in likelihood.blocks(k * k + likelihood.width):
        X, weights, offset = likelihood.counted(rows)
        total += float(weights.sum())
        for number, setting in enumerate(settings):
            moved = X.copy()
            moved[:, list(setting)] = list(setting.values())
            z = likelihood.rows(moved)
            p = likelihood.probabilities(u, z, offset)
            share = (np.eye(k)[:, :-1, None] - p[:-1]) * p[:, None] * weights
            p_mean[:, number] += p @ weights
            slopes[number] += share @ z.T
    p_mean /= total
    flat = slopes.reshape(len(settings), k, -1) / total
    variance = np.einsum("ska,ab,skb->ks", flat, covariance, flat, optimize=True)
    variance /= np.square(p_mean * _others(p_mean))
    return predictions(p_mean, variance, likelihood.classes, range(len(settings)))


def _others(p: Array) -> Array:
    """Return 1 − p as the sum of the other probabilities, without cancellation."""
    k = len(p)
    return (np.ones((k, k)) - np.eye(k)) @ p


def _logit_gradient(p: Array) -> Array:
    """Return the derivatives of logit p_k in the scores of all classes but the last."""
    k = len(p)
    gradient = np.broadcast_to(-p[None], (k, *p.shape)) / _others(p)[:, None]
    own = np.arange(k)
    gradient[own, own] = 1.0
    return gradient[:, :-1]


def _score_covariances(covariance: Array, z: Array, n_scores: int) -> Array:
    """Return the score covariance of each row, of shape (n_scores, n_scores, n_rows)."""
    width = len(z)
    blocks = covariance.reshape(n_scores, width, n_scores, width)
    spread = np.empty((n_scores, n_scores, z.shape[1]))
    for m in range(n_scores):
        for n in range(m, n_scores):
            spread[m, n] = spread[n, m] = np.einsum("ai,ai->i", blocks[m, :, n] @ z, z)
    return spread
