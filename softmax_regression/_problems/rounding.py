r"""Rounding of W and b to the precision of X, and the certificate of the rounded model.

If the features are far from 0, W x and b nearly cancel. If each were rounded to float32 separately,
the scores would have errors of about 1e-7 times the terms that cancel. So b is adjusted to the
rounded W: with column means μ, ``b + (W − round(W)) μ`` keeps the scores of the mean row, and the
error of W counts only in proportion to the deviations of the features. The rounding error of b
itself remains.

One evaluation tells how much the rounding raises the objective. In float64 that evaluation is
made only if W μ, and hence b, is so large that its rounding errors matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.problem import PosedProblem
from softmax_regression._solvers.criteria import evaluate
from softmax_regression._solvers.result import SolverResult, StopReason

_TINY = float(np.finfo(np.float64).tiny)
_EPS = float(np.finfo(np.float64).eps)
_NEGLIGIBLE_SCORE_ERROR = 1e-7  # Nats; a smaller rounding error of an intercept is ignored.


@dataclass(frozen=True)
class Rounding:
    """Rounds the models of an X.

    Parameters
    ----------
    dtype : dtype
        The precision of X.
    means : ndarray of shape (n_columns,)
        μ. It is 0 for a model without intercept, and in float64, to which W is not rounded.
    """

    dtype: np.dtype[Any]
    means: Array

    @classmethod
    def of(cls, objective: LinearCrossEntropy) -> Self:
        """Return the rounding of models for an objective in the coordinates of X."""
        if objective.dtype == np.float64 or not objective.fit_intercept:
            return cls(objective.dtype, np.zeros(objective.design.n_columns))
        return cls(objective.dtype, objective.data.moments().means)

    def model(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Return copies of W and b in the precision of X."""
        with np.errstate(over="ignore"):
            rounded = coef.astype(self.dtype)
        if not np.isfinite(rounded).all():
            column = int(np.isfinite(rounded).all(axis=0).argmin())
            raise ValueError(
                f"The coefficients of column {column} of X, up to "
                f"{np.abs(coef[:, column]).max():.1e}, are too large for {self.dtype}: multiply "
                "the column by a power of 10."
            )
        if self.dtype != np.float64:
            intercept = intercept + (coef - rounded) @ self.means
        return rounded, intercept.astype(self.dtype)

    def certified(
        self,
        problem: PosedProblem,
        result: SolverResult,
        coef: Array,
        intercept: Array,
        tol: float,
    ) -> SolverResult:
        """Return a result with the objective and the gap of the rounded W and b.

        The gap is that of the solution plus the difference between the two objectives.
        """
        lost = _EPS * float(np.abs(intercept).max(initial=0.0))
        if self.dtype == np.float64 and lost < _NEGLIGIBLE_SCORE_ERROR:
            return result
        try:
            value = evaluate(problem.objective, problem.from_model(coef, intercept)).value
        except KeyboardInterrupt:  # The model is kept; its gap is unknown.
            return replace(result, reason=StopReason.INTERRUPTED, remaining=np.nan)
        left = result.remaining * max(result.value, _TINY) + value - result.value
        # The evaluation rounds b to float64 as well; a loss near 0 changes by as much as the score.
        gap = left / max(value, _TINY) + lost
        reason = result.reason
        if reason is StopReason.CONVERGED and gap > tol:
            reason = StopReason.ROUNDED
        return replace(result, value=value, remaining=float(np.clip(gap, 0, 1)), reason=reason)
