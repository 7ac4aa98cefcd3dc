"""When a full-batch solver may stop: numbers that fall to 0 at the minimum.

`RelativeGap` is the certificate of the convex objectives, an upper bound of how much lower the
objective could still go, relative to its value. It is in the units of what is minimised, so one
tolerance fits all data, which no norm of a gradient does. `GradientNorm` is for the network, whose
minima cannot be certified.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.conjugate_gradients import EndOfCG, conjugate_gradients
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.protocols import CertifiedObjective, DifferentiableObjective

_EXACT_STEP_PRECISION = 1e-12  # Of the decrement, at which conjugate gradients end.
_NEGLIGIBLE = 1e-12  # Of the square of the gradient: rounding errors.
_SEPARATED_LOSS = 1e-9  # Nats a row: no model of classes that overlap reaches so little.


def evaluate(objective: DifferentiableObjective, params: Array) -> Evaluation:
    """Look at an objective somewhere, however far out: a step too far is taken back."""
    with np.errstate(over="ignore", invalid="ignore"):
        return objective.evaluate(params)


def best_start(objective: DifferentiableObjective, starts: Sequence[Array]) -> Evaluation:
    """Return the objective at the start of the smallest value."""
    evaluations = [evaluate(objective, start) for start in starts]
    if len(evaluations) == 1:
        return evaluations[0]
    values = [evaluation.value for evaluation in evaluations]
    return evaluations[int(np.argmin(np.where(np.isfinite(values), values, np.inf)))]


class Criterion(ABC):
    """A number that falls to 0 at the minimum.

    Attributes
    ----------
    name : str
        What a report calls it.
    takes_a_start : bool
        Whether a run may end where it begins.
    is_certificate : bool
        Whether it bounds how far the minimum is, which only convex objectives have.
    """

    name: str
    takes_a_start = True
    is_certificate = False

    @abstractmethod
    def __call__(
        self, objective: Any, point: Evaluation, enough: float = 0.0, *, sharp: bool = True
    ) -> float:
        """Evaluate it, as sharply as it can be.

        Unless it is to be sharp, any number above `enough` may be returned once it is known to
        exceed that.
        """

    def costly(self, objective: Any) -> bool:
        """Whether evaluating it takes passes over the data."""
        return False

    def is_separated(self, objective: Any, point: Evaluation) -> bool:
        """Whether the classes are told apart perfectly, so that there is no minimum."""
        return False


class RelativeGap(Criterion):
    """A bound of ``(F(params) − min F) / F(params)``.

    By the dual of the penalised problem where it has one, else by what a Newton step leads to.
    """

    name = "relative optimality gap"
    is_certificate = True

    def __call__(
        self,
        objective: CertifiedObjective,
        point: Evaluation,
        enough: float = 0.0,
        *,
        sharp: bool = True,
    ) -> float:
        scale = max(point.value, np.finfo(np.float64).tiny)
        gap = objective.certify(point, enough * scale, sharp)
        if np.isnan(gap):
            gap = gap_by_newton_step(objective, point, enough * scale, sharp)
        return min(max(gap, 0.0) / scale, 1.0)  # as F is not negative, no more can be left

    def costly(self, objective: CertifiedObjective) -> bool:
        return not objective.has_dual

    def is_separated(self, objective: CertifiedObjective, point: Evaluation) -> bool:
        return point.value <= _SEPARATED_LOSS and objective.separates(point.params)


class GradientNorm(Criterion):
    """The largest absolute entry of the gradient."""

    name = "largest entry of the gradient"

    def __call__(
        self, objective: Any, point: Evaluation, enough: float = 0.0, *, sharp: bool = True
    ) -> float:
        return float(np.abs(point.gradient).max(initial=0.0))


def certify(criterion: Criterion, tol: float, objective: Any, point: Evaluation) -> float:
    """Evaluate a criterion where a solver ended, as sharply as it can be."""
    remaining = criterion(objective, point, tol, sharp=False)
    return remaining if remaining <= tol else criterion(objective, point)


def gap_by_newton_step(
    objective: CertifiedObjective, point: Evaluation, enough: float, sharp: bool
) -> float:
    """Bound F − min F by a Newton step.

    Unless the bound is to be sharp, the decrement stands for it where that alone exceeds `enough`.
    """
    if not sharp:
        _, decrement, _ = newton_step(objective, point, enough=enough)
        if decrement > enough:
            return decrement
    step, decrement, _ = newton_step(objective, point, precision=_EXACT_STEP_PRECISION)
    return objective.gap_by_newton(point.params, step, decrement)


def newton_step(
    objective: CertifiedObjective,
    point: Evaluation,
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
        lambda direction: free * objective.hessian_product(point, direction),
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
