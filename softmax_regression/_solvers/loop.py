"""The outer loop of the full-batch solvers.

A solver consists of a *descent*, which proposes a direction, and a *search*, which accepts a point
along it. This file holds what all solvers share: stopping, reports and callbacks, interrupts and
deadlines, the end of runs that only change rounding errors, and the final certificate. `Run` is the
state of a run; `minimize` runs a descent and a search. SciPy's solvers have a loop of their own and
report each iteration to a `Run`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.convergence import Descent, Proposal, convergence_test
from softmax_regression._solvers.criteria import Criterion, certify, evaluate
from softmax_regression._solvers.protocols import DifferentiableObjective
from softmax_regression._solvers.result import (
    Report,
    SolverResult,
    StopReason,
    Watch,
)
from softmax_regression._solvers.time_limit import is_past
from softmax_regression._solvers.warm_start import Preconditioner

_MAX_IDLE_ITERATIONS = 5  # Successive iterations that change no more than rounding errors.
# A run stalls if after so many iterations the value and the least that the criterion was are
# still above these shares of what they were before.
_STALL_ITERATIONS = 50
_STALL_VALUE_SHARE = 0.99
_STALL_REMAINING_SHARE = 0.5
_RELATIVE_ROUNDING = 16 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Stopping:
    """When a run ends, and the functions that are called after each iteration.

    Parameters
    ----------
    criterion : Criterion
        The number that must fall to `tol`.
    tol : float
        The run ends when the criterion is at most this.
    max_iter : int
        The largest number of iterations.
    report : callable, default=None
        Called with a line of text after each iteration.
    watch : callable, default=None
        Called with the parameters after each iteration; ends the run by returning True.
    deadline : float, default=inf
        The time of the clock after which no further iteration begins; see `time_limit`.
    n_before : int, default=0
        Iterations of earlier runs, for the report.
    """

    criterion: Criterion
    tol: float
    max_iter: int
    report: Report | None = None
    watch: Watch | None = None
    deadline: float = np.inf
    n_before: int = 0

    def after(self, n_iter: int) -> Self:
        """Return the rule for another run after some iterations."""
        return replace(self, max_iter=self.max_iter - n_iter, n_before=self.n_before + n_iter)


class Search(Protocol):
    """Accepts a point along the direction that a descent proposes."""

    def __call__(self, evaluation: Evaluation, proposal: Proposal) -> Evaluation | None:
        """Return the evaluation at the next point; None if there is none up to rounding errors."""


class Run:
    """The state of a run: the points reached, the best of them, and why it ends.

    Parameters
    ----------
    objective : DifferentiableObjective
        The objective that is minimised.
    start : Evaluation
        The evaluation at the start.
    stopping : Stopping
        When the run ends.

    Attributes
    ----------
    reached, best : Evaluation
        The last point, and the point that will be the result.
    remaining : float
        The criterion at the best point.
    loss_curve : list of float
        The objective after each iteration.
    """

    def __init__(self, objective: DifferentiableObjective, start: Evaluation, stopping: Stopping):
        self.objective = objective
        self.stopping = stopping
        self.reached = self.best = start
        self.remaining = np.inf
        self.loss_curve: list[float] = []
        self.costly = stopping.criterion.costly(objective)
        self._n_idle = 0
        # Rounding errors move the criterion up and down: the least of many iterations counts.
        self._least = np.inf  # Of the criterion since the last checkpoint.
        self._checkpoint = np.inf, np.inf  # The value, and the least criterion until then.

    @property
    def is_idle(self) -> bool:
        """Whether the last iterations have changed no more than rounding errors."""
        return self._n_idle >= _MAX_IDLE_ITERATIONS

    def be_patient(self) -> None:
        """Reset the count of idle iterations."""
        self._n_idle = 0

    def has_stalled(self) -> bool:
        """Return whether the iterations since the last call made hardly any progress."""
        (value, before), now, least = self._checkpoint, self.reached.value, self._least
        self._checkpoint, self._least = (now, least), np.inf
        stalled = now > _STALL_VALUE_SHARE * value
        return stalled and least > _STALL_REMAINING_SHARE * before

    def reach(self, evaluation: Evaluation) -> None:
        """Record the point that an iteration has reached."""
        self.reached = evaluation
        self.loss_curve.append(evaluation.value)

    def observe(self, remaining: float, is_best: bool) -> StopReason | None:
        """Return the reason if the run ends at the point reached, or None.

        Parameters
        ----------
        remaining : float
            The criterion there; if it is unknown, 1 or more for a cheap criterion, and infinity for
            a costly one.
        is_best : bool
            Whether the point replaces the best point so far.
        """
        stopping, point, curve = self.stopping, self.reached, self.loss_curve
        if stopping.report is not None and curve:
            self._tell(remaining)
        # Changes of the criterion below rounding errors are no progress.
        nearer = _RELATIVE_ROUNDING < remaining < 0.5 * self.remaining
        fell = len(curve) < 2 or curve[-2] - point.value > _RELATIVE_ROUNDING * abs(point.value)
        self._n_idle = 0 if nearer or fell else self._n_idle + 1
        if is_best:
            self.best, self.remaining = point, remaining
        self._least = min(self._least, remaining)
        stopped = stopping.watch is not None and bool(curve) and stopping.watch(point.params)
        if remaining <= stopping.tol and (curve or stopping.criterion.takes_a_start):
            return StopReason.CONVERGED
        if stopped:
            return StopReason.STOPPED
        if curve and is_past(stopping.deadline):
            return StopReason.MAX_TIME
        if self.costly and stopping.criterion.is_separated(self.objective, point):
            return StopReason.SEPARABLE
        return None

    def certify(self, reason: StopReason) -> StopReason:
        """Evaluate the criterion sharply at the best point; return the reason why the run ended."""
        stopping = self.stopping
        self.remaining = certify(stopping.criterion, stopping.tol, self.objective, self.best)
        return StopReason.CONVERGED if self.remaining <= stopping.tol else reason

    def add_exact_step(self, direction: Array) -> None:
        """Take one more Newton step from the best point, which about squares the relative gap."""
        stopping = self.stopping
        if self.remaining <= stopping.tol**2 or len(self.loss_curve) >= stopping.max_iter:
            return
        end = evaluate(self.objective, self.best.params + direction)
        if end.value < self.best.value:
            self.best = end
            self.reach(end)
            if stopping.report is not None:
                self._tell(self.remaining)
            if stopping.watch is not None:
                stopping.watch(end.params)

    def result(
        self, reason: StopReason, preconditioner: Preconditioner | None = None
    ) -> SolverResult:
        """Return the result of the run, with the last approximation of the Hessian."""
        best, curve = self.best, self.loss_curve
        return SolverResult(
            best.params,
            best.value,
            len(curve),
            reason,
            curve,
            self.remaining,
            None,
            best.without_rows(),
            preconditioner,
        )

    def interrupted(self) -> SolverResult:
        """Return the result of a run that was interrupted."""
        if self.costly or self.reached.value < self.best.value:
            self.remaining = np.nan
        if self.reached.value < self.best.value:
            self.best = self.reached
        return self.result(StopReason.INTERRUPTED)

    def _tell(self, remaining: float) -> None:
        criterion, number = self.stopping.criterion, self.stopping.n_before + len(self.loss_curve)
        if remaining >= 1 and not self.costly:
            remaining = criterion(self.objective, self.reached)
        known = f", {criterion.name} {remaining:.1e}" if np.isfinite(remaining) else ""
        assert self.stopping.report is not None
        self.stopping.report(f"iteration {number}: loss {self.reached.value:.8f}{known}")


@np.errstate(over="ignore", invalid="ignore")  # A search rejects points where values overflow.
def minimize(
    objective: DifferentiableObjective,
    descent: Descent,
    search: Search,
    start: Evaluation,
    stopping: Stopping,
) -> SolverResult:
    """Minimise an objective by a descent and a search.

    Parameters
    ----------
    objective : DifferentiableObjective
        The objective.
    descent : Descent
        It proposes a direction at each point.
    search : Search
        It accepts a point along the direction.
    start : Evaluation
        The evaluation at the start.
    stopping : Stopping
        When to stop.
    """
    if not start.finite:
        return SolverResult(start.params, np.inf, 0, StopReason.DIVERGED)
    run = Run(objective, start, stopping)
    try:
        reason, proposal = _iterate(run, descent, search)
        if reason.is_stuck and run.remaining <= stopping.tol:
            reason = StopReason.CONVERGED  # The start met the tolerance, but was not accepted.
        if reason is StopReason.CONVERGED and proposal is not None and proposal.exact:
            run.add_exact_step(proposal.direction)
        if not run.costly and reason is not StopReason.CONVERGED:
            reason = run.certify(reason)
        return run.result(reason, descent.preconditioner)
    except KeyboardInterrupt:
        if not run.loss_curve:
            raise  # Nothing has been reached yet.
        return run.interrupted()


def _iterate(run: Run, descent: Descent, search: Search) -> tuple[StopReason, Proposal | None]:
    """Iterate until the run ends; return the reason, and the last proposal if there is one."""
    stopping = run.stopping
    test = convergence_test(run.objective, descent, stopping.criterion, stopping.tol)
    may_end = stopping.criterion.takes_a_start
    for n_iter in range(stopping.max_iter + 1):
        is_last = n_iter == stopping.max_iter
        point = run.reached
        remaining, proposal = test(point, may_end or n_iter > 0, is_last)
        # A costly criterion is measured by decrements, which may rise: the last point is the best.
        reason = run.observe(remaining, run.costly or remaining <= run.remaining)
        if reason is not None or is_last:
            break
        if n_iter % _STALL_ITERATIONS == 0 and run.has_stalled():
            return StopReason.STALLED, proposal
        assert proposal is not None
        if not descent.settled:
            run.be_patient()
        following = None if run.is_idle else search(point, proposal)
        if following is None:
            return StopReason.ROUNDING, proposal
        run.reach(following)
    return reason or StopReason.MAX_ITER, proposal


def followed_by(first: SolverResult, go_on: Callable[[], SolverResult]) -> SolverResult:
    """Return the result of a second run that continues the first, with the iterations of both.

    If the second run is interrupted before its first iteration, the first result is kept.

    Parameters
    ----------
    first : SolverResult
        The result of the first run.
    go_on : callable
        Runs the second solver and returns its result.
    """
    try:
        rest = go_on()
    except KeyboardInterrupt:
        if not first.loss_curve:
            raise
        return replace(first, reason=StopReason.INTERRUPTED)
    losses = first.loss_curve + rest.loss_curve
    return replace(rest, loss_curve=losses, n_iter=len(losses))
