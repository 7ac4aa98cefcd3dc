"""Convergence tests, which return how far a point is from the minimum and the next direction.

The two are computed together, because a Newton direction also measures the distance: its decrement
estimates how far the objective is above the minimum, and an exact Newton step bounds it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.criteria import Criterion
from softmax_regression._solvers.protocols import DifferentiableObjective
from softmax_regression._solvers.warm_start import Preconditioner

# Near the minimum the bound of an exact step is at most this many decrements.
_PROVING_FACTOR = 2.0
_ROUNDING = 16 * float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Proposal:
    """A direction in which to search.

    Parameters
    ----------
    direction : ndarray of shape (n_params,)
        The direction; its length is that of a whole step.
    decrement : float
        The decrease of the objective that the step is expected to bring; NaN if it is unknown.
    exact : bool
        Whether the direction is Newton's step up to rounding errors.
    """

    direction: Array
    decrement: float
    exact: bool = False


class Descent(Protocol):
    """Proposes a direction at each point.

    Attributes
    ----------
    exact : bool
        Whether its next proposal is likely to be Newton's step up to rounding errors.
    settled : bool
        Whether it minimises the objective itself by now, rather than an approximation of it.
    preconditioner : Preconditioner or None
        The last approximation of the Hessian, for a warm start of another run.
    """

    @property
    def exact(self) -> bool: ...

    @property
    def settled(self) -> bool: ...

    @property
    def preconditioner(self) -> Preconditioner | None: ...

    def __call__(self, evaluation: Evaluation, enough: float) -> Proposal:
        """Return the direction from a point.

        The run is to end when the objective is at most `enough` above the minimum. The smaller that
        is, the more precise must the decrement be; 0 asks for the highest precision.
        """

    def gap(self, evaluation: Evaluation, proposal: Proposal, decrement: float) -> float:
        """Bound F − min F by a proposal of the highest precision; inf if no bound is known."""


class ConvergenceTest(ABC):
    """Returns the criterion at each point of a run, and the direction from there.

    Parameters
    ----------
    objective : DifferentiableObjective
        The objective that is minimised.
    descent : Descent
        It proposes directions.
    criterion : Criterion
        The number that must fall to `tol`.
    tol : float
        The tolerance.
    """

    def __init__(
        self, objective: DifferentiableObjective, descent: Descent, criterion: Criterion, tol: float
    ):
        self.objective = objective
        self.descent = descent
        self.criterion = criterion
        self.tol = tol

    @abstractmethod
    def __call__(
        self, point: Evaluation, may_end: bool, is_last: bool
    ) -> tuple[float, Proposal | None]:
        """Return the criterion, or 1 if it is unknown, and a proposal.

        The proposal is None at the last point, and where the run may end because the criterion is
        at most `tol`.
        """


class CriterionTest(ConvergenceTest):
    """The test for a criterion that is cheap, by it or by exact Newton steps.

    An exact Newton step bounds the minimum from below. The criterion is not evaluated as long as
    steps lower the objective by much, as predicted. Nor is it evaluated if the next direction is
    likely to be exact, whose bound is sharper, unless rounding errors spoil that bound.
    """

    def __init__(
        self, objective: DifferentiableObjective, descent: Descent, criterion: Criterion, tol: float
    ):
        super().__init__(objective, descent, criterion, tol)
        self._least_value = -np.inf  # The objective cannot be below this.
        self._steps_prove = True
        self._promised = np.nan  # The decrement of the last step, relative to the value.
        self._last_value = np.inf
        # A Newton step about squares the relative distance of the value from the minimum. So after
        # a step with a relative decrement above the root of tol, the distance exceeds tol.
        self._near = max(tol, _ROUNDING) ** 0.5

    def __call__(
        self, point: Evaluation, may_end: bool, is_last: bool
    ) -> tuple[float, Proposal | None]:
        descent, value = self.descent, point.value
        remaining = _relative(value - self._least_value, value)
        brought, self._last_value = self._last_value - value, value
        # Rounding errors may keep the decrease that a step promises large even at a minimum. So the
        # minimum counts as far only if the last step also lowered the value by a large share.
        is_far = self._promised > self._near and brought / max(value, _TINY) > self._near
        waits = not may_end or is_far or (descent.exact and self._steps_prove)
        if remaining > self.tol and (is_last or (descent.settled and not waits)):
            remaining = self.criterion(self.objective, point, self.tol, sharp=False)
        if (remaining <= self.tol and may_end) or is_last:
            return remaining, None
        proposal = descent(point, self.tol * value)
        self._promised = _relative(proposal.decrement, value)
        if proposal.exact and self._promised <= self._near:
            decrement = self._promised * value
            left = descent.gap(point, proposal, decrement)
            self._least_value = max(self._least_value, value - left)
            self._steps_prove = left <= _PROVING_FACTOR * decrement
            remaining = min(remaining, _relative(left, value))
        return remaining, proposal


class DecrementTest(ConvergenceTest):
    """The test for a costly criterion: by the Newton decrement, and at the end by a bound.

    The decrement is the decrease of the quadratic model of the objective. It may be far too small
    if the Hessian is singular up to rounding errors, or if F falls along a direction without end.
    """

    def __call__(
        self, point: Evaluation, may_end: bool, is_last: bool
    ) -> tuple[float, Proposal | None]:
        proposal = self.descent(point, self.tol * point.value)
        promised = _relative(proposal.decrement, point.value)
        if promised > self.tol:
            return promised, proposal
        proposal = self.descent(point, 0.0)
        decrement = _relative(proposal.decrement, point.value) * point.value
        gap = self.descent.gap(point, proposal, decrement)
        return _relative(gap, point.value), proposal


def convergence_test(
    objective: DifferentiableObjective, descent: Descent, criterion: Criterion, tol: float
) -> ConvergenceTest:
    """Return the test for a criterion, by whether that is costly."""
    kind = DecrementTest if criterion.costly(objective) else CriterionTest
    return kind(objective, descent, criterion, tol)


def _relative(decrement: float, value: float) -> float:
    return min(max(decrement, 0.0) / max(value, _TINY), 1.0)
