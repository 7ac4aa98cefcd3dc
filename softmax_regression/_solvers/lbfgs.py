"""SciPy's limited-memory BFGS, whose iterations are reported to a `Run`.

The method approximates the Hessian by the last few gradients (Liu and Nocedal, "On the limited
memory BFGS method for large scale optimization", Mathematical Programming 45, 1989). Each iteration
takes about one evaluation of value and gradient.

SciPy's stopping rules are switched off. After each iteration the `Run` decides whether to continue,
and `StopIteration` ends SciPy's loop if not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import Bounds, OptimizeResult
from scipy.optimize import minimize as scipy_minimize

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.criteria import evaluate
from softmax_regression._solvers.loop import Run, Stopping
from softmax_regression._solvers.polish import polish
from softmax_regression._solvers.protocols import DifferentiableObjective
from softmax_regression._solvers.result import SolverResult, StopReason

_N_PAIRS = 20  # Differences of gradients that are kept; with SciPy's default 10, more iterations.
_MAX_LINE_SEARCH_STEPS = 50
_LEAST_POLISH_PRODUCTS = 100  # Products with the Hessian that polishing may take in every run.


def minimize_lbfgs(
    objective: DifferentiableObjective,
    start: Evaluation,
    stopping: Stopping,
    *,
    max_fun: int | None = None,
    bounds: Bounds | None = None,
) -> SolverResult:
    """Minimise by ``scipy.optimize.minimize(method="L-BFGS-B")``.

    Parameters
    ----------
    objective : DifferentiableObjective
        The objective, with the methods that the criterion requires.
    start : Evaluation
        The evaluation at the start.
    stopping : Stopping
        When to stop.
    max_fun : int, default=None
        The largest number of evaluations; by default twice the iterations and 100 more.
    bounds : scipy.optimize.Bounds, default=None
        Bounds of the parameters, which must be those of `objective`.
    """
    if not start.finite:
        return SolverResult(start.params, np.inf, 0, StopReason.DIVERGED)
    run = _ScipyRun(objective, start, stopping)
    options = {
        "maxiter": stopping.max_iter,
        "maxfun": 2 * stopping.max_iter + 100 if max_fun is None else max_fun,
        "maxcor": _N_PAIRS,
        "maxls": _MAX_LINE_SEARCH_STEPS,
        "ftol": 0.0,
        "gtol": 0.0,
    }
    try:
        ended = scipy_minimize(
            run.value_and_gradient,
            start.params,
            jac=True,
            callback=run.after_iteration,
            method="L-BFGS-B",
            bounds=bounds,
            options=options,
        )
        return run.finish(ended, stopping.max_iter)
    except KeyboardInterrupt:
        if not run.loss_curve:
            raise  # Nothing has been reached yet.
        return run.interrupted()


class _ScipyRun(Run):
    """The state of a run whose loop is SciPy's; it remembers the last evaluations."""

    def __init__(self, objective: DifferentiableObjective, start: Evaluation, stopping: Stopping):
        super().__init__(objective, start, stopping)
        self.reason: StopReason | None = None
        self._n_evaluations = 1
        self._recent = [start]  # SciPy's callback gets the parameters, but no gradient.
        self._next_check = 0

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Evaluate the objective for SciPy."""
        evaluation = self._recall(params)
        return evaluation.value, evaluation.gradient

    def after_iteration(self, intermediate_result: OptimizeResult) -> None:
        """Record an iteration, and end the loop if the run is to stop."""
        self.reach(self._recall(intermediate_result.x))
        self.reason = self.observe(self._measure(self.reached), is_best=True)
        if self.reason is not None:
            raise StopIteration

    def finish(self, ended: OptimizeResult, max_iter: int) -> SolverResult:
        """Return the result; if rounding errors ended the run, after polishing by Newton steps."""
        self.best = self._recall(ended.x)
        if self.reason is StopReason.CONVERGED:
            return self.result(self.reason)
        reason = self.certify(self.reason or self._explain(ended, max_iter))
        criterion, tol = self.stopping.criterion, self.stopping.tol
        if reason is StopReason.ROUNDING and criterion.is_certificate:
            # Polishing may take half as many products as the run took evaluations.
            budget = max(_LEAST_POLISH_PRODUCTS, self._n_evaluations // 2)
            objective: Any = self.objective
            self.best, self.remaining = polish(
                objective, self.best, self.remaining, criterion, tol, budget
            )
            reason = StopReason.CONVERGED if self.remaining <= tol else reason
        return self.result(reason)

    def _measure(self, point: Evaluation) -> float:
        """Evaluate the criterion, or return inf if it is costly and not likely to be met yet."""
        stopping, n_iter = self.stopping, len(self.loss_curve)
        if self.costly:
            progress = np.inf if n_iter < 2 else self.loss_curve[-2] - point.value
            if progress > stopping.tol * point.value or n_iter < self._next_check:
                return np.inf
            self._next_check = n_iter + 1 + n_iter // 10
        return stopping.criterion(self.objective, point, stopping.tol, sharp=False)

    def _recall(self, params: Array) -> Evaluation:
        for evaluation in reversed(self._recent):
            if np.array_equal(evaluation.params, params):
                return evaluation
        evaluation = evaluate(self.objective, params.copy())
        self._n_evaluations += 1
        self._recent = [*self._recent[-1:], evaluation]
        return evaluation

    @staticmethod
    def _explain(ended: OptimizeResult, max_iter: int) -> StopReason:
        """Return the reason if SciPy ended the loop."""
        if ended.status != 1:
            return StopReason.ROUNDING
        return StopReason.MAX_FUN if ended.nit < max_iter else StopReason.MAX_ITER
