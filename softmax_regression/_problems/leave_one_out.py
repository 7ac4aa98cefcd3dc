r"""What a model would say of each row had it not seen that row, from a single fit.

F is the sum of a_i CE_i, with a_i = s_i / S, and of what it is without row i. One step of Newton's
method from the minimum of F to that of F without the row changes the scores of the row, ζ_i, by

    ζ_i^{(−i)} − ζ_i = G_i (I − a_i A_i G_i)⁻¹ a_i (p_i − y_i),    G_i = Z_i H⁻¹ Z_iᵀ

Here Z_i = I ⊗ z_iᵀ takes parameters to the scores of the row, A_i = diag(p_i) − p_i p_iᵀ is the
Hessian of CE_i in them, and H that of F. Taking a_i Z_iᵀ A_i Z_i from H is a change of low rank: by
Woodbury's identity it needs no more than the blocks G_i, the leverages of the rows (Rad and Maleki,
"A scalable estimate of the out-of-sample prediction error via approximate leave-one-out
cross-validation", JRSS B 82, 2020; for one step of Newton's method see Beirami, Razaviyayn,
Shahrampour and Tarokh, "On optimal generalization in parametric learning", NeurIPS 2017).

A row by which much changes leaves another Hessian behind, and one step does not get there: where
classes hardly overlap, as with few rows and many columns, a few such rows make up most of the loss.
These are left out in earnest, in a fit that begins where the step leads.

As in `full_hessian.py` the last class is left out of H: scores are relative to its.
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

_LARGEST_ORDER = 5000  # of the Hessian: 200 MB
_VALUES = 1 << 21  # of the leverages of some rows that are worked on together
_MUCH = 0.1  # nats: by so much the loss of a row may change, and one step still be near enough
_MOST_ROWS_REFITTED = 50  # Rows that are left out in earnest, for each C.


def leave_one_out_scores(
    design: Design, targets: Targets, solution: Solution, specification: Specification
) -> Array:
    """Return the scores of all rows, each by a model without it, class-major.

    Parameters
    ----------
    design : Design
        X.
    targets : Targets
        Its labels and weights.
    solution : Solution
        The model of all rows.
    specification : Specification
        How it was fitted.

    Returns
    -------
    ndarray of shape (n_outputs, n_rows)
        The scores, of more than two classes up to a number that all classes of a row share.
    """
    classes = solution.classes
    if solution.problem is None:  # a single class has weight, whichever row is left out
        return classes.expand_scores(np.zeros((1, design.n_rows)))
    return classes.expand_scores(
        _of_fitted_classes(design, classes.targets, solution, specification)
    )


def _of_fitted_classes(
    design: Design, targets: Targets, solution: Solution, specification: Specification
) -> Array:
    assert solution.problem is not None
    objective = solution.problem.objective
    assert isinstance(objective, LinearCrossEntropy)  # the closed form is the smooth penalty's
    step = NewtonStep(objective, solution.result.params)
    before, scores = step.scores()
    change = np.abs(log_losses(scores, targets) - log_losses(before, targets))
    change[targets.row_weights() == 0] = 0.0
    doubtful = np.argsort(-change, kind="stable")[:_MOST_ROWS_REFITTED]
    kept = np.ones(design.n_rows, dtype=bool)
    for row in doubtful[change[doubtful] > _MUCH]:
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


_LEAST_REST = 1e-13  # Of 1 less a leverage, which rounding may take away.


class NewtonStep:
    """The step to the minimum without a row, for each row.

    Parameters
    ----------
    objective : LinearCrossEntropy
        F, in float64.
    params : ndarray of shape (n_params,)
        Its minimum.
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
        """Return the scores of all rows before and after the step, class-major, with offsets."""
        n_rows = self.objective.design.n_rows
        before = np.zeros((self.objective.width, n_rows))
        after = np.zeros_like(before)
        length = max(1, _VALUES // (self._n_scores**2 + self.objective.n_columns))
        for start in range(0, n_rows, length):
            rows = slice(start, min(start + length, n_rows))
            _, before[:, rows], leverages, pushed = self._push(rows)
            after[:, rows] = before[:, rows]
            after[: self._n_scores, rows] += np.einsum("nkj,nj->kn", leverages, pushed)
        return before, after

    def params_without(self, row: int) -> Array:
        """Return the parameters after the step of a row."""
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
        # A row of leverage 1 alone keeps some scores finite: without it they go very far.
        np.einsum("nkk->nk", curved)[...] += 1.0 + _LEAST_REST
        return z, scores, leverages, np.linalg.solve(curved, slope[:, :, None])[:, :, 0]

    def _leverages(self, z: Array) -> Array:
        """Return G, of shape (n_rows, n_scores, n_scores)."""
        leverages = np.empty((z.shape[1], self._n_scores, self._n_scores))
        for k in range(self._n_scores):
            for j in range(k + 1):
                block = np.einsum("cn,cn->n", z, self._inverse[k, :, j] @ z)
                leverages[:, k, j] = leverages[:, j, k] = block
        return leverages
