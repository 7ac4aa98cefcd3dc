"""What solvers ask of an objective: small protocols, each with what one kind of solver uses.

An objective is a function F of one flat vector of parameters. Which protocols a class meets is
visible from its methods alone; no class has to derive from one of these.
"""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]


class Solve(Protocol):
    """A symmetric positive definite matrix that can be solved with."""

    def solve(self, gradient: Array) -> Array:
        """Return M⁻¹ g."""


class TruncatedNewtonObjective(Protocol):
    """An objective whose Newton equations conjugate gradients solve."""

    def hessian_product(self, params: Array, direction: Array) -> Array:
        """Multiply the Hessian at `params` by a direction."""

    def likely_gap(self, gradient: Array) -> float:
        """Estimate the optimality gap from little but a gradient; 0 where that is unknown."""

    def last_step(self, params: Array, residual: Array) -> Array | None:
        """Return a step that makes the residual of the Newton equations easier to certify, if any.

        It comes on top of theirs, where that is expected to lead to the minimum.
        """
