"""Convergence tests: how far a point is from the minimum, and which direction leads there.

The two questions are asked together, because a Newton direction answers the first one as well: its
decrement estimates what is left to gain, and an exact one proves it.
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

_PROVING_FACTOR = 2.0  # What an exact step proves near the minimum, at most, over its decrement.
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
        How much the step is expected to lower the objective; NaN if that is not known.
    exact : bool
        Whether it is Newton's step but for rounding errors.
    """

    direction: Array
    decrement: float
    exact: bool = False


class Descent(Protocol):
    """Proposes a direction at each point.

    Attributes
    ----------
    exact : bool
        Whether its next proposal is likely to be Newton's step but for rounding errors.
    settled : bool
        Whether it already minimises the objective itself, not one that leads there.
    preconditioner : Preconditioner or None
        What stood for the Hessian last, for a run whose minimum is near.
    """

    @property
    def exact(self) -> bool: ...

    @property
    def settled(self) -> bool: ...

    @property
    def preconditioner(self) -> Preconditioner | None: ...

    def __call__(self, evaluation: Evaluation, enough: float) -> Proposal:
        """Return where to go from a point.

        `enough` is how much of the objective may be left in the end: the smaller, the more precise
        the decrement has to be; 0 for as precise as can be.
        """

    def gap(self, evaluation: Evaluation, proposal: Proposal, decrement: float) -> float:
        """Bound F − min F by a proposal that is exact, or as precise as can be; inf if unknown."""


class ConvergenceTest(ABC):
    """Says of each point of a run how far it is from the minimum, and where to go from it.

    Parameters
    ----------
    objective : DifferentiableObjective
        What is minimised.
    descent : Descent
        Proposes directions.
    criterion : Criterion
        What must fall to `tol`.
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
        """Return what the criterion is, 1 if that is not known, and a proposal, if there is need.

        There is none at the last point, nor where the run may end and the criterion is at most
        `tol`.
        """


class CriterionTest(ConvergenceTest):
    """By the criterion, or by exact Newton steps, which bound the least value.

    The criterion is not evaluated while the last step promised much and brought it, nor where the
    next direction is likely to be exact, which proves more, unless rounding errors spoil that.
    """

    def __init__(
        self, objective: DifferentiableObjective, descent: Descent, criterion: Criterion, tol: float
    ):
        super().__init__(objective, descent, criterion, tol)
        self._least_value = -np.inf  # The objective cannot be below this.
        self._steps_prove = True
        self._promised = np.nan  # By the last step, relative to the value.
        self._last_value = np.inf
        # A Newton step about squares the share of the value that is left to gain. So a step that
        # promises a share above the root of tol leaves more than tol.
        self._near = max(tol, _ROUNDING) ** 0.5

    def __call__(
        self, point: Evaluation, may_end: bool, is_last: bool
    ) -> tuple[float, Proposal | None]:
        descent, value = self.descent, point.value
        remaining = _relative(value - self._least_value, value)
        brought, self._last_value = self._last_value - value, value
        # The point is far from the minimum only if the last step promised much and brought it too:
        # rounding errors may keep promises large for ever.
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
    """By the Newton decrement, which comes with the direction; in the end by all that that proves.

    The decrement is what the quadratic model of the objective promises. Where the Hessian is
    singular but for rounding, or F falls along a direction for ever, it may be far too little.
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
    """Return the test that suits what the criterion costs."""
    kind = DecrementTest if criterion.costly(objective) else CriterionTest
    return kind(objective, descent, criterion, tol)


def _relative(decrement: float, value: float) -> float:
    return min(max(decrement, 0.0) / max(value, _TINY), 1.0)
