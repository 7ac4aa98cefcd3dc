r"""W and b in the precision of X: how they are rounded, and what that costs.

Features far from 0 make W x and b nearly cancel. Were both rounded to float32 by themselves, each
score would be off by a part in 10⁷ of what cancels. So b is found anew for the rounded W: with
column means μ, ``b + (W − round(W)) μ`` keeps the scores of the mean row, and what is left of
rounding W counts by the deviations of the features alone. The rounding of b itself remains.

What the objective at the rounded model lies above that at the solution, one evaluation tells. In
float64 it is worth that only where W μ, and hence b, is so large that it loses digits that matter.
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
_ROUNDED_SCORE = 1e-7  # Nats by which rounding may change all scores of a class without a word.


@dataclass(frozen=True)
class Rounding:
    """How the models of some X are rounded.

    Parameters
    ----------
    dtype : dtype
        The precision of X.
    means : ndarray of shape (n_columns,)
        μ; zeros for a model without intercept, and in float64, which rounds nothing.
    """

    dtype: np.dtype[Any]
    means: Array

    @classmethod
    def of(cls, objective: LinearCrossEntropy) -> Self:
        """Return how models for an objective, in the coordinates of X, are rounded."""
        if objective.dtype == np.float64 or not objective.fit_intercept:
            return cls(objective.dtype, np.zeros(objective.design.n_columns))
        return cls(objective.dtype, objective.moments().means)

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

        Their gap is that of the solution and the difference between the two objectives.
        """
        lost = _EPS * float(np.abs(intercept).max(initial=0.0))
        if self.dtype == np.float64 and lost < _ROUNDED_SCORE:
            return result
        try:
            value = evaluate(problem.objective, problem.from_model(coef, intercept)).value
        except KeyboardInterrupt:  # The model is kept; what rounding costs stays unknown.
            return replace(result, reason=StopReason.INTERRUPTED, remaining=np.nan)
        left = result.remaining * max(result.value, _TINY) + value - result.value
        # Nor does float64 hold b for this evaluation: a loss near 0 changes as much as its score.
        gap = left / max(value, _TINY) + lost
        reason = result.reason
        if reason is StopReason.CONVERGED and gap > tol:
            reason = StopReason.ROUNDED
        return replace(result, value=value, remaining=float(np.clip(gap, 0, 1)), reason=reason)
