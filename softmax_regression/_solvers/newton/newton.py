"""Newton's method for convex objectives, with the Hessian factored or with conjugate gradients.

Each iteration asks for a direction, −H⁻¹ g or an approximation of it, and searches along it. Two
kinds of directions: `FactoredDirections` solve with the Cholesky factor of the Hessian itself;
`TruncatedDirections` solve the Newton equations by conjugate gradients, as far as the distance from
the minimum makes it worth while, with a cheaper matrix as preconditioner (Nocedal and Wright,
*Numerical Optimization*, section 7.1). How that is made does not matter here.

The line search needs no values to tell better from worse: along a line a convex function has an
increasing slope, and its minimum is where that changes sign. So it works to the last digit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from softmax_regression._objectives.base import Objective
from softmax_regression._solvers.criteria import SEPARATED, Criterion, Point, certify, evaluate
from softmax_regression._solvers.newton.equations import NewtonEquations
from softmax_regression._solvers.protocols import Solve
from softmax_regression._solvers.result import Report, SolverResult, StopReason, Watch

Array = NDArray[Any]

_SLOPE_LEFT = 0.3  # of the slope at the start of a line: below, the next direction does better
_TRIALS = 40  # of a line search; it halves or doubles, so that none of the common needs them all
_STILL_GOOD = 0.03  # of the decrement is left, at most, if a factor is to be used again
_PATIENCE = 5  # iterations that change nothing but rounding errors: one may be lucky
_FALLEN = 10.0  # times less is then the square of the gradient: quicker to see
_TINY = float(np.finfo(np.float64).tiny)
_SURE = 1e-3  # of the value: if a step along a path promises no more, it leads to the minimum
_PROVING = 2.0  # times the decrement: what an exact step proves near the minimum
_CAUTIOUS_CHANGE = 4.0  # nats: of the scores of a row in an iteration
_ROUNDING = 16 * float(np.finfo(np.float64).eps)


class Factor(Solve, Protocol):
    """A factor of the Hessian, or of what stands for it."""

    @property
    def exact(self) -> bool:
        """Whether it is that of the Hessian, but for rounding."""


class Directions(ABC):
    """Where to go from a point.

    Attributes
    ----------
    exact : bool
        Whether the last direction was Newton's but for rounding.
    """

    exact = False

    @abstractmethod
    def __call__(self, point: Point, enough: float) -> tuple[Array, float]:
        """Return the direction, and half of −g·direction, an estimate of what is left to gain.

        The smaller `enough`, what would do as the latter, the more precise.
        """


class FactoredDirections(Directions):
    """Newton directions by the Cholesky factor of the Hessian.

    Where a factor takes far more time than a step, one that has made the decrement fall to a small
    part is used again. Where what is left is to be known as precisely as can be, a new one is made.

    Parameters
    ----------
    factor : callable
        Returns a factor of the Hessian at some parameters. Its second argument is what share of the
        value the last direction promised: the less, the more precise it must be.
    costly : bool, default=True
        Whether that takes far more time than a step.
    """

    def __init__(self, factor: Callable[[Array, float], Factor], costly: bool = True):
        self.factor = factor
        self.costly = costly
        self.exact = not costly
        self._left = 1.0  # of the value, as the last direction promised
        self._current: Solve | None = None
        self._before = 0.0  # the last decrement, by the current factor
        self._square = 0.0  # of the gradient where that was made

    @property
    def matrix(self) -> Solve | None:
        """The factor in use."""
        return self._current

    def take(self, matrix: Solve) -> None:
        """Begin with a factor that was made elsewhere: for a step at least."""
        self._current, self._before, self._square = matrix, np.inf, np.inf

    def __call__(self, point: Point, enough: float) -> tuple[Array, float]:
        square = float(point.gradient @ point.gradient)
        fallen = square * _FALLEN <= self._square
        if self._current is not None and self.costly and fallen and enough > 0:
            direction, decrement = self._direction(self._current, point)
            if 0 < decrement <= _STILL_GOOD * self._before:
                self._before, self.exact = decrement, False
                # A step that leaves so much is off by the root of it: so may the decrement be.
                return direction, decrement * (1 + 2 * _STILL_GOOD**0.5)
        made = self.factor(point.params, self._left if enough > 0 else 0.0)
        self._current, self._square, self.exact = made, square, made.exact
        direction, self._before = self._direction(self._current, point)
        self._left = _relative(self._before, point.value)
        return direction, self._before

    @staticmethod
    def _direction(matrix: Solve, point: Point) -> tuple[Array, float]:
        direction = -matrix.solve(point.gradient)
        return direction, -0.5 * float(point.gradient @ direction)


class Preconditioner(Protocol):
    """What approximates the Hessian, in stages: the better after the cheaper."""

    n_stages: int
    objective: Any  # whose Hessian that is

    def make(self, stage: int, params: Array) -> Solve:
        """Make that of a stage at some parameters."""

    def n_products(self, stage: int) -> float:
        """Products, and solutions with what a stage makes, in the time that the next takes.

        Of the last, the time that itself takes.
        """


class TruncatedDirections(Directions):
    """Newton directions by preconditioned conjugate gradients.

    A preconditioner is kept until as much has been spent on its age as a new one costs: the
    products beyond those that the first direction would have taken to get as far. Before the best
    come cheaper ones, each until as much has been spent on it: on data that are no trouble, they do
    to the end.

    Parameters
    ----------
    objective : Objective
        Multiplies by the Hessian; may compute in a lower precision than the gradients have.
    preconditioner : Preconditioner
        Makes the preconditioners.
    max_products : int
        When a direction has to do, whatever its precision.
    """

    def __init__(
        self, objective: Objective, preconditioner: Preconditioner, max_products: int = 500
    ):
        self.objective = objective
        self.preconditioner = preconditioner
        self.max_products = max_products
        self._current: Solve | None = None
        self._stage = -1
        self._spent = 0.0
        self._when_new: float | None = None  # products for each factor of e in the residual
        self._along_a_path = False

    def go_on(self, objective: Objective) -> None:
        """Turn to another objective whose minimum is near the last, as along a path.

        One preconditioner may then do for several.
        """
        self.objective = self.preconditioner.objective = objective
        self._along_a_path = True

    @property
    def matrix(self) -> Solve | None:
        """The preconditioner in use."""
        return self._current

    def take(self, matrix: Solve) -> None:
        """Use a preconditioner that was made elsewhere, while it serves."""
        self._current, self._stage = matrix, self.preconditioner.n_stages - 1
        self._spent, self._when_new = 0.0, None
        self._along_a_path = True

    def __call__(self, point: Point, enough: float) -> tuple[Array, float]:
        if self._is_spent(enough):
            self._renew(point, enough)
        # Along a path one step gets to the minimum: it is to be proved by that.
        sure = _SURE * point.value if self._along_a_path else 0.1 * enough
        run = NewtonEquations(self.objective, point, sure)
        while not self._solve(run, enough) and not self._is_best:
            self._renew(point, enough)
        return run.step, run.decrement

    @property
    def _is_best(self) -> bool:
        return self._stage == self.preconditioner.n_stages - 1

    @property
    def _left(self) -> float:
        """What may still be spent on the current one."""
        return self.preconditioner.n_products(self._stage) - self._spent

    def _is_spent(self, enough: float) -> bool:
        # A cheap one is no judge of what is left, when that is to be known as precisely as can be.
        return self._current is None or (enough == 0 and not self._is_best) or self._left <= 0

    def _renew(self, point: Point, enough: float) -> None:
        best = self.preconditioner.n_stages - 1
        self._stage = best if enough == 0 else min(self._stage + 1, best)
        self._current, self._spent = self.preconditioner.make(self._stage, point.params), 0.0
        self._when_new = None

    def _solve(self, run: NewtonEquations, enough: float) -> bool:
        assert self._current is not None
        limit = self.max_products
        if not self._is_best:
            limit = min(limit, max(1, round(self._left)))
        before = run.n_products
        done = run.solve(self._current, enough, limit)
        n_products = run.n_products - before
        if not self._is_best:
            self._spent += n_products
            return done
        if self._when_new is None:
            self._when_new = n_products / max(run.progress, _TINY)
        self._spent += max(n_products - self._when_new * run.progress, 0.0)
        return done


@np.errstate(over="ignore", invalid="ignore")  # a step too far is not taken
def minimize_newton(
    objective: Objective,
    start: Array,
    directions: Directions,
    *,
    criterion: Criterion,
    tol: float,
    max_iter: int,
    n_before: int = 0,
    report: Report | None = None,
    watch: Watch | None = None,
) -> SolverResult:
    """Minimise a convex objective.

    Parameters
    ----------
    objective : Objective
        What to minimise.
    start : ndarray of float64
        Where to begin.
    directions : Directions
        Where to go from a point.
    criterion : Criterion
        What must fall to `tol`. Where it is costly, the Newton decrement relative to the value
        stands for it.
    tol : float
        When to stop.
    max_iter : int
        When to give up.
    n_before : int
        Iterations that earlier runs took, for the report.
    report : callable, default=None
        Called with a line of text after each iteration.
    watch : callable, default=None
        Called with the parameters after each iteration; ends the run by returning True.
    """
    how: dict[str, Any] = {"criterion": criterion, "tol": tol, "report": report, "watch": watch}
    result = _minimize(objective, start, directions, max_iter, n_before, np.inf, **how)
    stuck = result.reason is StopReason.ROUNDING and not objective.has_dual
    if not stuck or result.n_iter >= max_iter:
        return result
    # Without a penalty nothing brings back rows whose scores a long step has taken so far that
    # their loss has no curvature left. Shorter steps do not take them there.
    n_left, n_before = max_iter - result.n_iter, n_before + result.n_iter
    again = _minimize(objective, start, directions, n_left, n_before, _CAUTIOUS_CHANGE, **how)
    loss_curve = result.loss_curve + again.loss_curve
    better = again if again.value <= result.value else result
    return replace(better, loss_curve=loss_curve, n_iter=len(loss_curve))


def _minimize(
    objective: Objective,
    start: Array,
    directions: Directions,
    max_iter: int,
    n_before: int,
    longest: float,
    *,
    criterion: Criterion,
    tol: float,
    report: Report | None,
    watch: Watch | None,
) -> SolverResult:
    """Run Newton's method once, with steps that change scores by no more than `longest`."""
    point = evaluate(objective, start)
    if not (np.isfinite(point.value) and np.isfinite(point.gradient).all()):
        return SolverResult(start, np.inf, 0, StopReason.DIVERGED)
    costly = criterion.costly(objective)
    survey: _Survey = (_ByDecrement if costly else _ByCriterion)(
        objective, directions, criterion, tol
    )
    best, smallest = point, np.inf
    loss_curve: list[float] = []
    reason, idle = StopReason.MAX_ITER, 0

    def tell(number: int, point: Point, remaining: float) -> None:
        if report is not None:
            report(
                f"iteration {n_before + number}: loss {point.value:.8f}, "
                f"{criterion.name} {remaining:.1e}"
            )

    try:
        for iteration in range(max_iter + 1):
            may_end = iteration > 0 or criterion.takes_a_start
            remaining, direction = survey(point, may_end, last=iteration == max_iter)
            if report is not None and iteration:
                known = remaining < 1 or costly
                tell(iteration, point, remaining if known else criterion(objective, point))
            nearer = _ROUNDING < remaining < 0.5 * smallest  # below, it goes up and down by itself
            idle = 0 if nearer or _fell(loss_curve, point.value) else idle + 1
            if remaining <= smallest or costly:  # a decrement may rise on the way
                best, smallest = point, remaining
            stopped = watch is not None and iteration > 0 and watch(point.params)
            if remaining <= tol and may_end:
                reason = StopReason.CONVERGED
            elif stopped:
                reason = StopReason.STOPPED
            elif costly and point.value <= SEPARATED and objective.separates(point.params):
                reason = StopReason.SEPARABLE
            if reason is not StopReason.MAX_ITER or direction is None or iteration == max_iter:
                break
            following = search(objective, point, direction, longest) if idle < _PATIENCE else None
            if following is None:
                reason = StopReason.ROUNDING
                break
            point = following
            loss_curve.append(point.value)
        if reason is StopReason.ROUNDING and smallest <= tol:  # at the start: it was too soon then
            reason = StopReason.CONVERGED
        at_hand = direction is not None and directions.exact and len(loss_curve) < max_iter
        if at_hand and reason is StopReason.CONVERGED and smallest > tol**2:
            # Another step squares what is left.
            end = evaluate(objective, objective.within(best.params + direction))
            if end.value < best.value:
                best = end
                loss_curve.append(end.value)
                tell(len(loss_curve), end, smallest)
                if watch is not None:
                    watch(end.params)
        if not costly and reason is not StopReason.CONVERGED:
            smallest = certify(criterion, tol, objective, best)
            reason = StopReason.CONVERGED if smallest <= tol else reason
    except KeyboardInterrupt:
        if not loss_curve:
            raise
        reason = StopReason.INTERRUPTED
        if point.value < best.value:  # nothing more is known of it
            best, smallest = point, np.nan
    return SolverResult(best.params, best.value, len(loss_curve), reason, loss_curve, smallest)


class _Survey(ABC):
    """Says of each point how far it is from the minimum, and where to go from it."""

    def __init__(
        self, objective: Objective, directions: Directions, criterion: Criterion, tol: float
    ):
        self.objective = objective
        self.directions = directions
        self.criterion = criterion
        self.tol = tol
        self._promised = 0.0  # by the last direction: a share of the value
        self._value = np.inf  # at the last point
        # Where a step promises more, the next is worth too much: each squares what is left.
        self._near = max(tol, _ROUNDING) ** 0.5

    @abstractmethod
    def __call__(self, point: Point, may_end: bool, last: bool) -> tuple[float, Array | None]:
        """Return what remains, 1 if that is not known, and the direction, if there is need.

        There is none at the last point, nor where the run may end and no more than `tol` remains.
        """

    def _direction(self, point: Point, enough: float) -> Array:
        direction, decrement = self.directions(point, enough)
        self._promised = _relative(decrement, point.value)
        return direction


class _ByCriterion(_Survey):
    """By the criterion, or by exact Newton steps, which say what the least value can be.

    The criterion is not asked while the last step promised much, and brought it; nor where the
    direction is to be Newton's, which proves more, unless rounding spoils that.
    """

    _least = -np.inf  # the value cannot be below
    _proving = True  # whether exact steps do so

    def __call__(self, point: Point, may_end: bool, last: bool) -> tuple[float, Array | None]:
        remaining = _relative(point.value - self._least, point.value)
        brought, self._value = self._value - point.value, point.value
        # Rounding may make promises that are never kept.
        due = min(self._promised, brought / max(point.value, _TINY)) <= self._near
        proved = self.directions.exact and self._proving
        if remaining > self.tol and (last or (may_end and due and not proved)):
            remaining = self.criterion(self.objective, point, self.tol)
        if (remaining <= self.tol and may_end) or last:
            return remaining, None
        direction = self._direction(point, self.tol * point.value)
        if self.directions.exact and self._promised <= self._near:
            decrement = self._promised * point.value
            left = self.objective.gap_by_newton(point.params, direction, decrement)
            self._least = max(self._least, point.value - left)
            self._proving = left <= _PROVING * decrement
            remaining = min(remaining, _relative(left, point.value))
        return remaining, direction


class _ByDecrement(_Survey):
    """By the Newton decrement, which comes with the direction; in the end by all that that proves.

    The decrement is what the quadratic model of the objective promises. Where the Hessian is
    singular but for rounding, or F falls along a direction for ever, it may be far too little.
    """

    def __call__(self, point: Point, may_end: bool, last: bool) -> tuple[float, Array | None]:
        direction = self._direction(point, self.tol * point.value)
        if self._promised > self.tol:
            return self._promised, direction
        promised = self._promised
        direction = self._direction(point, 0.0)
        decrement = self._promised * point.value
        gap = self.objective.gap_by_newton(point.params, direction, decrement)
        self._promised = promised
        return _relative(gap, point.value), direction


def _relative(decrement: float, value: float) -> float:
    return min(max(decrement, 0.0) / max(value, _TINY), 1.0)


def _fell(loss_curve: list[float], value: float) -> bool:
    """Whether the last step changed the value by more than rounding."""
    return len(loss_curve) < 2 or loss_curve[-2] - value > _ROUNDING * abs(value)


def search(
    objective: Objective, point: Point, direction: Array, longest: float = np.inf
) -> Point | None:
    """Find a point on the line where the slope is small and the value not above the first.

    Begins with the full step; while the slope is still far below 0 twice as far, and by the zero of
    the straight line through two slopes once it is known between which points it changes sign. It
    ends at the first bound of a parameter, or where the scores of a row have changed by `longest`.
    None if there is no such point, as far as rounding lets one see.
    """
    first = float(point.gradient @ direction)
    if not first < 0:
        return None
    acceptable = point.value + _ROUNDING * abs(point.value)
    below, above = (0.0, first), (np.inf, np.nan)
    room = objective.room(point.params, direction)
    if longest < np.inf:
        room = min(room, longest / max(objective.largest_change(direction), _TINY))
    length, best = min(1.0, room), None
    for _ in range(_TRIALS):
        trial = evaluate(objective, objective.within(point.params + length * direction))
        slope = float(trial.gradient @ direction)
        if trial.value <= acceptable and (best is None or trial.value <= best.value):
            best = trial
        if not (np.isfinite(trial.value) and np.isfinite(slope)):
            above = (length, np.nan)
        elif abs(slope) <= -_SLOPE_LEFT * first and trial.value <= acceptable:
            return trial
        elif slope < 0:
            if length >= room and best is trial:
                return trial  # at a bound
            below = (length, slope)
        else:
            above = (length, slope)
        length = min(_between(below, above), room)
    return best


def _between(below: tuple[float, float], above: tuple[float, float]) -> float:
    """Choose the next length, given two with their slopes of which one is too short."""
    (short, negative), (long, positive) = below, above
    if np.isinf(long):
        return 2 * short
    if np.isnan(positive):
        return short + 0.1 * (long - short)
    zero = short + (long - short) * negative / (negative - positive)
    tenth = 0.1 * (long - short)
    return float(np.clip(zero, short + tenth, long - tenth))
