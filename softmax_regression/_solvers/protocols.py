"""What solvers ask of an objective: small protocols, each with what one kind of solver uses.

An objective is a function F of one flat vector of parameters. Which protocols a class meets is
visible from its methods alone; no class has to derive from one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation


class DifferentiableObjective(Protocol):
    """An objective with a gradient: enough for L-BFGS."""

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate F and its gradient over all rows, in float64; the parameters are not copied."""


class DualObjective(DifferentiableObjective, Protocol):
    """A convex objective whose dual bounds how far the minimum is."""

    @property
    def has_dual(self) -> bool:
        """Whether `certify` knows a bound."""

    def certify(self, at: Evaluation, enough: float, sharp: bool) -> float:
        """Bound ``F − min F`` from above, NaN if unknown.

        Unless the bound is to be as sharp as it can be, a first one above `enough` that is not
        expected to be brought below it is returned as it is.
        """


class CertifiedObjective(DualObjective, Protocol):
    """A convex objective for which a Newton step bounds how far the minimum is."""

    def hessian_product(self, at: Evaluation, direction: Array) -> Array:
        """Multiply the Hessian there by a direction."""

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Bound ``F(params) − min F`` by the exact Newton step there; inf if it proves nothing."""

    def separates(self, params: Array) -> bool:
        """Return whether the parameters tell all classes apart, so that larger ones do better."""

    def within(self, params: Array) -> Array:
        """Return the nearest parameters within the bounds, if there are any."""

    def free(self, params: Array, gradient: Array) -> NDArray[np.bool_]:
        """Return which parameters the gradient does not press against a bound that they are at."""


class SearchableObjective(CertifiedObjective, Protocol):
    """A convex objective along whose directions a line search knows its limits."""

    def max_step(self, params: Array, direction: Array) -> float:
        """Return how many times a direction can be gone within the bounds."""

    def largest_change(self, direction: Array) -> float:
        """Return by how much a step changes the scores of a row, one class against another."""


class TruncatedNewtonObjective(Protocol):
    """An objective whose Newton equations conjugate gradients solve."""

    def hessian_product(self, at: Evaluation, direction: Array) -> Array:
        """Multiply the Hessian there by a direction."""

    def likely_gap(self, gradient: Array) -> float:
        """Estimate the optimality gap from little but a gradient; 0 where that is unknown."""

    def last_step(self, at: Evaluation, residual: Array) -> Array | None:
        """Return a step that makes the residual of the Newton equations easier to certify, if any.

        It comes on top of theirs, where that is expected to lead to the minimum.
        """


class Pass(Protocol):
    """A pass over rows, batch by batch, whose value may wait until its end."""

    def gradient(self, params: Array, out: Array) -> None:
        """Write the gradient of F as the next batch estimates it."""

    def value(self) -> float:
        """Return the mean over the rows of F on the way, when all batches are through."""


class MinibatchObjective(Protocol):
    """An objective that is a mean over rows, of which some estimate it."""

    @property
    def rows(self) -> NDArray[np.intp]:
        """Numbers of the rows of positive weight: those a minibatch may be drawn from."""

    def begin_pass(self, batches: Sequence[NDArray[np.intp]]) -> Pass:
        """Begin a pass over rows, dealt out in batches."""


class Solve(Protocol):
    """A symmetric positive definite matrix that can be solved with."""

    def solve(self, gradient: Array) -> Array:
        """Return M⁻¹ g."""


class PreconditionerSource(Protocol):
    """Makes matrices that approximate the Hessian, in stages: the better after the cheaper."""

    n_stages: int

    def make(self, stage: int, at: Evaluation) -> Solve:
        """Make that of a stage where the objective was evaluated."""

    def n_products(self, stage: int) -> float:
        """Products, and solutions with what a stage makes, in the time that the next takes.

        Of the last stage, the time that making its own matrix takes.
        """
