"""What the SciPy solvers share: evaluations remembered, iterations recorded, the decision to stop.

SciPy's own stopping rules are switched off. After each of its iterations the monitor looks at the
point reached, and ends the run by StopIteration when the criterion is met.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

from softmax_regression.objectives import Objective
from softmax_regression.solvers._criteria import Criterion
from softmax_regression.solvers._result import SolverResult, StopReason

Array = NDArray[Any]
Report = Callable[[str], None]

_SEPARATED = 1e-9  # nats a row: far below what an unpenalised model of overlapping classes reaches


def certify(
    criterion: Criterion,
    tol: float,
    objective: Objective,
    params: Array,
    value: float,
    gradient: Array,
) -> float:
    """Evaluate a criterion where a solver ended, as sharply as it can be."""
    remaining = criterion(objective, params, value, gradient, tol)
    if remaining <= tol:
        return remaining
    return criterion(objective, params, value, gradient, np.inf)


class Monitor:
    """Objective and callback of a SciPy minimiser in one.

    Parameters
    ----------
    objective : Objective
        What is minimised.
    criterion : Criterion
        What must fall to `tol`.
    tol : float
        The run ends when the criterion is at most this.
    report : callable or None
        Called with a line of text after each iteration.
    """

    def __init__(
        self, objective: Objective, criterion: Criterion, tol: float, report: Report | None
    ):
        self.objective = objective
        self.criterion = criterion
        self.tol = tol
        self.report = report
        self.loss_curve: list[float] = []
        self.reason: StopReason | None = None
        self._recent: list[tuple[Array, float, Array]] = []
        self._next_check = 0

    def minimize(self, start: Array, **scipy_arguments: Any) -> SolverResult:
        """Run ``scipy.optimize.minimize`` and say how it ended."""
        value, gradient = self.value_and_gradient(start)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return SolverResult(start, np.inf, 0, StopReason.DIVERGED)
        result = minimize(
            self.value_and_gradient, start, jac=True, callback=self, **scipy_arguments
        )
        value, gradient = self._at(result.x)
        remaining = certify(self.criterion, self.tol, self.objective, result.x, value, gradient)
        reason = self.reason or self._explain(result, remaining)
        return SolverResult(
            result.x, value, len(self.loss_curve), reason, self.loss_curve, remaining
        )

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Evaluate the objective and keep the result, as SciPy's callbacks tell no gradient."""
        with np.errstate(over="ignore", invalid="ignore"):  # a step too far is taken back
            value, gradient = self.objective.value_and_gradient(params)
        self._recent = [*self._recent[-1:], (params.copy(), value, gradient)]
        return value, gradient

    def __call__(self, intermediate_result: OptimizeResult) -> None:
        """Look at the point that an iteration reached."""
        params = intermediate_result.x
        value, gradient = self._at(params)
        self.loss_curve.append(value)
        size = self._criterion(params, value, gradient)
        if self.report is not None:
            known = f", {self.criterion.name} {size:.1e}"
            line = f"iteration {len(self.loss_curve)}: loss {value:.8f}"
            self.report(line + (known if np.isfinite(size) else ""))
        if size <= self.tol:
            self.reason = StopReason.CONVERGED
        elif self.criterion.costly(self.objective) and value <= _SEPARATED:
            self.reason = StopReason.SEPARABLE
        if self.reason is not None:
            raise StopIteration

    def _criterion(self, params: Array, value: float, gradient: Array) -> float:
        """Evaluate the criterion, or return inf while it is too early for a costly one."""
        n_iter = len(self.loss_curve)
        if self.criterion.costly(self.objective):
            progress = np.inf if n_iter < 2 else self.loss_curve[-2] - value
            if progress > self.tol * value or n_iter < self._next_check:
                return np.inf
            self._next_check = n_iter + 1 + n_iter // 10
        return self.criterion(self.objective, params, value, gradient, self.tol)

    def _at(self, params: Array) -> tuple[float, Array]:
        for known, value, gradient in reversed(self._recent):
            if np.array_equal(known, params):
                return value, gradient
        return self.value_and_gradient(params)

    def _explain(self, result: OptimizeResult, remaining: float) -> StopReason:
        """Name the reason for an end that SciPy brought about."""
        if remaining <= self.tol:
            return StopReason.CONVERGED  # at the start already, or in the last step
        return StopReason.MAX_ITER if result.status == 1 else StopReason.ROUNDING
