"""Protocols of objectives: each lists the methods that one kind of solver uses.

An objective is a function F of one flat vector of parameters. A class meets a protocol if it has
its methods, and need not derive from it.
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
    """A convex objective whose dual problem bounds how far it is above its minimum."""

    @property
    def has_dual(self) -> bool:
        """Whether `certify` returns a bound rather than NaN."""

    def certify(self, at: Evaluation, enough: float, sharp: bool) -> float:
        """Bound ``F − min F`` from above; NaN if no bound is known.

        With ``sharp=False`` a first bound above `enough` is returned unless it is expected that a
        sharper one falls below `enough`.
        """


class CertifiedObjective(DualObjective, Protocol):
    """A convex objective for which a Newton step bounds how far it is above its minimum."""

    def hessian_product(self, at: Evaluation, direction: Array) -> Array:
        """Multiply the Hessian there by a direction."""

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Bound ``F(params) − min F`` by the exact Newton step there; inf if it proves nothing."""

    def separates(self, params: Array) -> bool:
        """Return whether the parameters separate all classes, so that larger ones are better."""

    def within(self, params: Array) -> Array:
        """Return the nearest parameters within the bounds, if there are any."""

    def free(self, params: Array, gradient: Array) -> NDArray[np.bool_]:
        """Return which parameters are free: descent does not press them against their bounds."""


class SearchableObjective(CertifiedObjective, Protocol):
    """A convex objective with limits for the steps of a line search."""

    def max_step(self, params: Array, direction: Array) -> float:
        """Return the largest multiple of a direction that stays within the bounds."""

    def largest_change(self, direction: Array) -> float:
        """Return the largest change by a step of a difference of two scores of a row."""


class TruncatedNewtonObjective(Protocol):
    """An objective whose Newton equations conjugate gradients solve."""

    def hessian_product(self, at: Evaluation, direction: Array) -> Array:
        """Multiply the Hessian there by a direction."""

    def likely_gap(self, gradient: Array) -> float:
        """Estimate the optimality gap from a gradient, without a pass over rows; 0 if unknown."""

    def last_step(self, at: Evaluation, residual: Array) -> Array | None:
        """Return a correction of the last Newton step that lowers the certified gap, or None.

        It removes a part of the residual of the Newton equations, and is added to their solution.
        """


class Pass(Protocol):
    """A pass over rows in batches, whose mean value is known at the end."""

    def gradient(self, params: Array, out: Array) -> None:
        """Write the gradient of F as the next batch estimates it."""

    def value(self) -> float:
        """Return the mean of the estimates of F over all batches, after the last one."""


class MinibatchObjective(Protocol):
    """An objective that is a mean over rows, and is estimated by the mean over a batch."""

    @property
    def rows(self) -> NDArray[np.intp]:
        """Positions of the rows of positive weight, from which minibatches are drawn."""

    def begin_pass(self, batches: Sequence[NDArray[np.intp]]) -> Pass:
        """Begin a pass over the rows of some batches."""


class Solve(Protocol):
    """A symmetric positive definite matrix that can be solved with."""

    def solve(self, gradient: Array) -> Array:
        """Return M⁻¹ g."""


class PreconditionerSource(Protocol):
    """Makes approximations of the Hessian in stages, from the cheapest to the best."""

    n_stages: int

    def make(self, stage: int, at: Evaluation) -> Solve:
        """Make the approximation of a stage at an evaluation of the objective."""

    def n_products(self, stage: int, made: int) -> float:
        """Return how many iterations with a stage's matrix take as long as making another one.

        An iteration is a product with the Hessian and a solution with the matrix.
        """
