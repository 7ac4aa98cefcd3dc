"""What the SciPy solvers share: evaluations remembered, iterations recorded, the decision to stop.

SciPy's own stopping rules are switched off. After each of its iterations the monitor looks at the
point reached, and ends the run by StopIteration when the criterion is met.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

from softmax_regression._objectives.base import Objective
from softmax_regression._solvers.criteria import SEPARATED, Criterion, Point, certify, evaluate
from softmax_regression._solvers.polish import polish
from softmax_regression._solvers.result import Report, SolverResult, StopReason, Watch

Array = NDArray[Any]

_LEAST_POLISH = 100  # products with the Hessian


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
    n_before : int
        Iterations that earlier runs took, for the report.
    watch : callable or None
        Called with the parameters after each iteration; ends the run by returning True.
    """

    def __init__(
        self,
        objective: Objective,
        criterion: Criterion,
        tol: float,
        report: Report | None,
        n_before: int = 0,
        watch: Watch | None = None,
    ):
        self.objective = objective
        self.criterion = criterion
        self.tol = tol
        self.report = report
        self.n_before = n_before
        self.watch = watch
        self.loss_curve: list[float] = []
        self.reason: StopReason | None = None
        self.n_evaluations = 0
        self._recent: list[Point] = []
        self._reached: Point | None = None  # by the last iteration
        self._next_check = 0

    def minimize(self, start: Array, **scipy_arguments: Any) -> SolverResult:
        """Run ``scipy.optimize.minimize`` and say how it ended."""
        value, gradient = self.value_and_gradient(start)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return SolverResult(start, np.inf, 0, StopReason.DIVERGED)
        try:
            return self._run(start, scipy_arguments)
        except KeyboardInterrupt:
            if self._reached is None:
                raise
            end, losses = self._reached, self.loss_curve
            return SolverResult(end.params, end.value, len(losses), StopReason.INTERRUPTED, losses)

    def _run(self, start: Array, scipy_arguments: dict[str, Any]) -> SolverResult:
        result = minimize(
            self.value_and_gradient, start, jac=True, callback=self, **scipy_arguments
        )
        end = self._recall(result.x)
        remaining = certify(self.criterion, self.tol, self.objective, end)
        reason = self.reason
        if remaining <= self.tol:
            reason = StopReason.CONVERGED  # at the start already, or in the last step
        elif reason is None:
            reason = self._explain(result, scipy_arguments["options"])
        if reason is StopReason.ROUNDING and self.objective.convex:
            # for at most half of what has been spent so far
            budget = max(_LEAST_POLISH, self.n_evaluations // 2)
            end, remaining = polish(
                self.objective, end, remaining, self.criterion, self.tol, budget
            )
            reason = StopReason.CONVERGED if remaining <= self.tol else reason
        return SolverResult(
            end.params, end.value, len(self.loss_curve), reason, self.loss_curve, remaining
        )

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Evaluate the objective and keep the result, as SciPy's callbacks tell no gradient."""
        point = self._recall(params)
        return point.value, point.gradient

    def __call__(self, intermediate_result: OptimizeResult) -> None:
        """Look at the point that an iteration reached."""
        point = self._reached = self._recall(intermediate_result.x)
        self.loss_curve.append(point.value)
        size = self._measure(point)
        if self.report is not None:
            known = f", {self.criterion.name} {size:.1e}"
            line = f"iteration {self.n_before + len(self.loss_curve)}: loss {point.value:.8f}"
            self.report(line + (known if np.isfinite(size) else ""))
        stopped = self.watch is not None and self.watch(point.params)
        if size <= self.tol:
            self.reason = StopReason.CONVERGED
        elif stopped:
            self.reason = StopReason.STOPPED
        elif self._is_separated(point):
            self.reason = StopReason.SEPARABLE
        if self.reason is not None:
            raise StopIteration

    def _is_separated(self, point: Point) -> bool:
        objective = self.objective
        small = self.criterion.costly(objective) and point.value <= SEPARATED
        return small and objective.separates(point.params)

    def _measure(self, point: Point) -> float:
        """Evaluate the criterion, or return inf while it is too early for a costly one."""
        n_iter = len(self.loss_curve)
        if self.criterion.costly(self.objective):
            progress = np.inf if n_iter < 2 else self.loss_curve[-2] - point.value
            if progress > self.tol * point.value or n_iter < self._next_check:
                return np.inf
            self._next_check = n_iter + 1 + n_iter // 10
        return self.criterion(self.objective, point, self.tol)

    def _recall(self, params: Array) -> Point:
        for point in reversed(self._recent):
            if np.array_equal(point.params, params):
                return point
        point = evaluate(self.objective, params.copy())
        self.n_evaluations += 1
        self._recent = [*self._recent[-1:], point]
        return point

    def _explain(self, result: OptimizeResult, options: dict[str, Any]) -> StopReason:
        """Name the reason for an end that SciPy brought about."""
        if result.status != 1:
            return StopReason.ROUNDING
        if result.nit < options["maxiter"]:
            return StopReason.MAX_FUN
        return StopReason.MAX_ITER
