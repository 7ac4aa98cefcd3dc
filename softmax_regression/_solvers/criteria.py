"""Stopping criteria of full-batch solvers: numbers that fall to 0 at the minimum.

`RelativeGap` is the certificate of the convex objectives: an upper bound of how far the objective
is above its minimum, relative to its value. Unlike the norm of a gradient it does not depend on
units, so that one tolerance suits all data. `GradientNorm` is for the network, whose minima cannot
be certified.
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

_EXACT_STEP_PRECISION = 1e-12  # Relative precision of the decrement of an exact step.
_NEGLIGIBLE_SQUARE = 1e-12  # Squared residual, relative to that of the gradient: rounding errors.
_SEPARATED_LOSS = 1e-9  # Nats per row; the loss is larger if the classes overlap.


def evaluate(objective: DifferentiableObjective, params: Array) -> Evaluation:
    """Evaluate an objective without warnings of overflow, as a search rejects such points."""
    with np.errstate(over="ignore", invalid="ignore"):
        return objective.evaluate(params)


def best_start(objective: DifferentiableObjective, starts: Sequence[Array]) -> Evaluation:
    """Return the evaluation at the start with the smallest value."""
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
        What reports call the criterion.
    takes_a_start : bool
        Whether a run may end at its start.
    is_certificate : bool
        Whether it bounds how far the objective is above its minimum, as for convex objectives.
    """

    name: str
    takes_a_start = True
    is_certificate = False

    @abstractmethod
    def __call__(
        self, objective: Any, point: Evaluation, enough: float = 0.0, *, sharp: bool = True
    ) -> float:
        """Evaluate the criterion, as sharply as possible.

        With ``sharp=False`` it may return any number above `enough` as soon as it knows that the
        criterion exceeds that.
        """

    def costly(self, objective: Any) -> bool:
        """Return whether an evaluation takes passes over the data."""
        return False

    def is_separated(self, objective: Any, point: Evaluation) -> bool:
        """Return whether the classes are separated perfectly, so that there is no minimum."""
        return False


class RelativeGap(Criterion):
    """A bound of ``(F(params) − min F) / F(params)``.

    It is that of the dual problem if there is a penalty, or else that of a Newton step.
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
        return min(max(gap, 0.0) / scale, 1.0)  # As F is not negative, the gap is at most 1.

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
    """Evaluate a criterion at the end of a run, as sharply as possible if it exceeds `tol`."""
    remaining = criterion(objective, point, tol, sharp=False)
    return remaining if remaining <= tol else criterion(objective, point)


def gap_by_newton_step(
    objective: CertifiedObjective, point: Evaluation, enough: float, sharp: bool
) -> float:
    """Bound F − min F by a Newton step.

    With ``sharp=False`` the decrement is returned in the place of the bound if it exceeds `enough`.
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

    The decrement :math:`\tfrac12 g^\top H^{-1} g` estimates F − min F. Its approximations increase
    towards it (Golub and Meurant, *Matrices, Moments and Quadrature*, chapter 12), so that the
    iterations may stop as soon as they exceed `enough`. The decrement is infinite if the gradient
    is not 0 where the curvature is 0 up to rounding errors. Parameters that are held by a bound do
    not change.
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
    # If the gradient has a component along which there is no curvature, F falls without end.
    if run.reason is EndOfCG.NO_CURVATURE and run.square > _NEGLIGIBLE_SQUARE * run.first_square:
        decrement = np.inf
    return run.step, decrement, run.n_products


class _DecrementRule:
    """Ends conjugate gradients when the decrement is precise enough, or exceeds `enough`."""

    def __init__(self, enough: float, precision: float):
        self.enough = enough
        self.precision = precision
        self.decrement = 0.0

    def __call__(self, residual: Array, square: float, gain: float) -> bool:
        self.decrement += gain
        return self.decrement > self.enough or gain < self.precision * self.decrement
