"""When a full-batch solver may stop: numbers that fall to 0 at the minimum.

`RelativeGap` is the certificate of the convex objectives, an upper bound of how much lower the
objective could still go, relative to its value. It is in the units of what is minimised, so one
tolerance fits all data, which no norm of a gradient does. `GradientNorm` is for the network, whose
minima cannot be certified.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.conjugate_gradients import EndOfCG, conjugate_gradients
from softmax_regression._objectives.base import Objective

Array = NDArray[Any]

_EXACT_STEP = 1e-12  # of the decrement: where conjugate gradients for an exact step end
_NEGLIGIBLE = 1e-12  # Of the square of the gradient: rounding errors.
SEPARATED = 1e-9  # nats a row: far below what an unpenalised model of overlapping classes reaches


@dataclass
class Point:
    """Parameters, and the objective and its gradient there."""

    params: Array
    value: float
    gradient: Array


def evaluate(objective: Objective, params: Array) -> Point:
    """Look at an objective somewhere, however far out: a step too far is taken back."""
    with np.errstate(over="ignore", invalid="ignore"):
        return Point(params, *objective.value_and_gradient(params))


def best_start(objective: Objective, starts: Sequence[Array]) -> Array:
    """Return the start of the smallest value."""
    if len(starts) == 1:
        return starts[0]
    values = [evaluate(objective, start).value for start in starts]
    return starts[int(np.argmin(np.where(np.isfinite(values), values, np.inf)))]


class Criterion(ABC):
    """A number that falls to 0 at the minimum.

    Attributes
    ----------
    name : str
        What a report calls it.
    takes_a_start : bool
        Whether a run may end where it begins.
    """

    name: str
    takes_a_start = True

    @abstractmethod
    def __call__(self, objective: Objective, point: Point, enough: float = np.inf) -> float:
        """Evaluate it. Once it is known to exceed `enough`, any larger number may be returned."""

    def costly(self, objective: Objective) -> bool:
        """Whether evaluating it takes passes over the data."""
        return False


class RelativeGap(Criterion):
    """A bound of ``(F(params) − min F) / F(params)``.

    By the dual of the penalised problem where it has one, else by what a Newton step leads to.
    """

    name = "relative optimality gap"

    def __call__(self, objective: Objective, point: Point, enough: float = np.inf) -> float:
        scale = max(point.value, np.finfo(np.float64).tiny)
        gap = objective.optimality_gap(point.params, point.value, point.gradient, enough * scale)
        if np.isnan(gap):
            gap = gap_by_newton_step(objective, point, enough * scale)
        return min(max(gap, 0.0) / scale, 1.0)  # as F is not negative, no more can be left

    def costly(self, objective: Objective) -> bool:
        return not objective.has_dual


class GradientNorm(Criterion):
    """The largest absolute entry of the gradient."""

    name = "largest entry of the gradient"

    def __call__(self, objective: Objective, point: Point, enough: float = np.inf) -> float:
        return float(np.abs(point.gradient).max(initial=0.0))


def certify(criterion: Criterion, tol: float, objective: Objective, point: Point) -> float:
    """Evaluate a criterion where a solver ended, as sharply as it can be."""
    remaining = criterion(objective, point, tol)
    return remaining if remaining <= tol else criterion(objective, point)


def gap_by_newton_step(objective: Objective, point: Point, enough: float) -> float:
    """Bound F − min F by a Newton step; its decrement, where that alone exceeds `enough`."""
    if enough < np.inf:
        _, decrement, _ = newton_step(objective, point, enough=enough)
        if decrement > enough:
            return decrement
    step, decrement, _ = newton_step(objective, point, precision=_EXACT_STEP)
    return objective.gap_by_newton(point.params, step, decrement)


def newton_step(
    objective: Objective,
    point: Point,
    *,
    enough: float = np.inf,
    precision: float = 1e-3,
    max_products: int = 200,
) -> tuple[Array, float, int]:
    r"""Solve the Newton equations by conjugate gradients; return step, decrement, products taken.

    The decrement :math:`\tfrac12 g^\top H^{-1} g` estimates F − min F. Its approximations only ever
    grow towards it (Golub and Meurant, *Matrices, Moments and Quadrature*, chapter 12), so the sum
    may stop as soon as it exceeds `enough`, which makes the answer "not yet" cheap. It is infinite
    where the gradient is not 0 but the curvature, as rounding has it, is. Parameters that are held
    by a bound stay where they are.
    """
    free = objective.free(point.params, point.gradient)
    rule = _DecrementRule(enough, precision)
    run = conjugate_gradients(
        lambda direction: free * objective.hessian_product(point.params, direction),
        free * -point.gradient,
        rule,
        max_products=min(max_products, len(point.gradient)),
    )
    decrement = rule.decrement
    # Where the gradient has a part left that the curvature cannot see, F falls without end.
    if run.reason is EndOfCG.NO_CURVATURE and run.square > _NEGLIGIBLE * run.first_square:
        decrement = np.inf
    return run.step, decrement, run.n_products


class _DecrementRule:
    """Ends conjugate gradients where the decrement is known, or known to be too large."""

    def __init__(self, enough: float, precision: float):
        self.enough = enough
        self.precision = precision
        self.decrement = 0.0

    def __call__(self, residual: Array, square: float, gain: float) -> bool:
        self.decrement += gain
        return self.decrement > self.enough or gain < self.precision * self.decrement
