r"""Approximate leave-one-out cross-validation: scores of each row without that row, from one fit.

F is the sum of a_i CE_i, with a_i = s_i / S, and a penalty. Leaving out row i subtracts a_i CE_i.
One step of Newton's method from the minimum of F towards the minimum without the row changes the
scores of the row, ζ_i, by

    ζ_i^{(−i)} − ζ_i = G_i (I − a_i A_i G_i)⁻¹ a_i (p_i − y_i),    G_i = Z_i H⁻¹ Z_iᵀ

Here Z_i = I ⊗ z_iᵀ maps parameters to the scores of the row, A_i = diag(p_i) − p_i p_iᵀ is the
Hessian of CE_i in the scores, and H is the Hessian of F. Subtracting a_i Z_iᵀ A_i Z_i from H is a
change of low rank: by Woodbury's identity it requires only the blocks G_i, the leverages of the
rows (Rad and Maleki, "A scalable estimate of the out-of-sample prediction error via approximate
leave-one-out cross-validation", JRSS B 82, 2020; for one step of Newton's method see Beirami,
Razaviyayn, Shahrampour and Tarokh, "On optimal generalization in parametric learning", NeurIPS
2017).

A single step is not enough for an influential row, without which the Hessian is another. If classes
hardly overlap, as with few rows and many columns, a few such rows make up most of the loss. For
these a model is fitted without the row, starting from the end of the step.

As in `full_hessian.py` the last class is left out of H, and scores are relative to that class.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.row_scores import log_losses
from softmax_regression._losses.targets import Targets
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.specification import Specification
from softmax_regression._problems.warm_starts import Solution, solutions

_LARGEST_ORDER = 5000  # Largest order of the Hessian, which then takes 200 MB.
_LEVERAGES_AT_A_TIME = 1 << 21  # Numbers in the leverages of rows that are computed together.
_LARGEST_LOSS_CHANGE = 0.1  # Nats by which a step may change the loss of a row without a refit.
_MAX_REFITTED_ROWS = 50  # Rows without which a model is fitted, for each C.
# Added to 1 less the leverage of a row, a difference that rounding errors may make 0.
_LEAST_LEVERAGE_GAP = 1e-13


def leave_one_out_scores(design: Design, solution: Solution, specification: Specification) -> Array:
    """Return class-major scores of all rows, each by a model that was not fitted to the row.

    Parameters
    ----------
    design : Design
        X.
    solution : Solution
        The model of all rows.
    specification : Specification
        The specification of the problem.

    Returns
    -------
    ndarray of shape (n_outputs, n_rows)
        The scores. With more than two classes, those of a row may be shifted by a common number.
    """
    classes = solution.classes
    if solution.problem is None:  # A single class has weight, also without any row.
        return classes.expand_scores(np.zeros((1, design.n_rows)))
    return classes.expand_scores(
        _of_fitted_classes(design, classes.targets, solution, specification)
    )


def _of_fitted_classes(
    design: Design, targets: Targets, solution: Solution, specification: Specification
) -> Array:
    assert solution.problem is not None
    objective = solution.problem.objective
    assert isinstance(objective, LinearCrossEntropy)  # The step requires a smooth penalty.
    step = NewtonStep(objective, solution.result.params)
    before, scores = step.scores()
    change = np.abs(log_losses(scores, targets) - log_losses(before, targets))
    change[targets.row_weights() == 0] = 0.0
    doubtful = np.argsort(-change, kind="stable")[:_MAX_REFITTED_ROWS]
    kept = np.ones(design.n_rows, dtype=bool)
    for row in doubtful[change[doubtful] > _LARGEST_LOSS_CHANGE]:
        kept[row] = False
        others = np.flatnonzero(kept)
        kept[row] = True
        start = solution.problem.to_model(step.params_without(row))
        (refitted,) = solutions(
            design[others], targets.of(others), np.array([solution.C]), specification, start=start
        )
        coef, intercept = refitted.model()
        scores[:, row] = design[np.array([row])].scores(coef)[:, 0]
        if specification.fit_intercept:
            scores[:, row] += intercept
        if targets.offset is not None:
            scores[:, row] += targets.offset[row]
    return scores


class NewtonStep:
    """Newton's step from the minimum of F to that without a row, for each row.

    Parameters
    ----------
    objective : LinearCrossEntropy
        F, in float64.
    params : ndarray of shape (n_params,)
        The minimum of F.
    """

    def __init__(self, objective: LinearCrossEntropy, params: Array):
        order = objective.layout.hessian_order
        if order > _LARGEST_ORDER:
            raise ValueError(
                "cv='loo' needs the inverse of the Hessian, here of order (n_classes − 1) · "
                f"n_features = {order}, and goes no further than {_LARGEST_ORDER}. Pass a number "
                "of folds."
            )
        self.objective = objective
        self.params = params
        self._factor = HessianFactor(objective, params)
        self._inverse = self._factor.inverse()
        self._n_scores = len(self._inverse)

    def scores(self) -> tuple[Array, Array]:
        """Return class-major scores of all rows, with offsets, before and after the step."""
        n_rows = self.objective.design.n_rows
        before = np.zeros((self.objective.width, n_rows))
        after = np.zeros_like(before)
        length = max(1, _LEVERAGES_AT_A_TIME // (self._n_scores**2 + self.objective.n_columns))
        for start in range(0, n_rows, length):
            rows = slice(start, min(start + length, n_rows))
            _, before[:, rows], leverages, pushed = self._push(rows)
            after[:, rows] = before[:, rows]
            after[: self._n_scores, rows] += np.einsum("nkj,nj->kn", leverages, pushed)
        return before, after

    def params_without(self, row: int) -> Array:
        """Return the parameters after the step for a row."""
        z, _, _, pushed = self._push(slice(row, row + 1))
        slope = pushed[0]
        if self.objective.width > 1:
            slope = np.append(slope, -slope.sum())
        return self.params + self._factor.solve(np.outer(slope, z[:, 0]).ravel())

    def _push(self, rows: slice) -> tuple[Array, Array, Array, Array]:
        """Return z, the scores, G, and (I − a A G)⁻¹ a (p − y), the latter two row by row."""
        objective, n_rows, kept = self.objective, self.objective.design.n_rows, self._n_scores
        z = objective.row_map(objective.design[rows])
        scores = objective.matrix(self.params) @ z
        p = scores.copy()
        objective.loss.probabilities(p, rows)
        objective.loss.shift(scores, rows)
        weight = objective.loss.row_weights(rows) / n_rows
        slope = (weight * p - objective.loss.target_rows(rows) / n_rows)[:kept].T
        p = p[:kept].T
        leverages = self._leverages(z)
        curved = p[:, :, None] * leverages
        curved -= p[:, :, None] * np.einsum("nk,nkj->nj", p, leverages)[:, None, :]
        curved *= -weight[:, None, None]
        # If a row has the leverage 1, only this row keeps some parameters finite. The term makes
        # the step large but finite.
        np.einsum("nkk->nk", curved)[...] += 1.0 + _LEAST_LEVERAGE_GAP
        return z, scores, leverages, np.linalg.solve(curved, slope[:, :, None])[:, :, 0]

    def _leverages(self, z: Array) -> Array:
        """Return G, of shape (n_rows, n_scores, n_scores)."""
        leverages = np.empty((z.shape[1], self._n_scores, self._n_scores))
        for k in range(self._n_scores):
            for j in range(k + 1):
                block = np.einsum("cn,cn->n", z, self._inverse[k, :, j] @ z)
                leverages[:, k, j] = leverages[:, j, k] = block
        return leverages
