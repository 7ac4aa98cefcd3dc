r"""A linear cross-entropy in unknowns in which its Hessian is about the identity.

With M = L Lᵀ for the Hessian at some point and its parameters as the origin, ``params = origin +
L⁻ᵀ u``. Near the origin the objective is as round a bowl as M is a good picture of the Hessian, so
that a method which knows only gradients gets on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.factors import Curvature
from softmax_regression._objectives.base import Unconstrained
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

Array = NDArray[Any]


class WhitenedObjective(Unconstrained):
    """The objective as a function of u.

    Parameters
    ----------
    base : LinearCrossEntropy
        The objective.
    origin : ndarray of shape (n_params,)
        Where u is 0.
    curvature : Curvature
        M.
    """

    def __init__(self, base: LinearCrossEntropy, origin: Array, curvature: Curvature):
        self.base = base
        self.origin = origin
        self.curvature = curvature
        self.n_params = curvature.n_unknowns
        # Where the objective was evaluated last, its value and its gradient there.
        self._last: tuple[Array, float, Array] | None = None

    @property
    def has_dual(self) -> bool:
        """Whether the objective has one."""
        return self.base.has_dual

    def params(self, unknowns: Array) -> Array:
        """Parameters of the objective for u."""
        return self.origin + self.curvature.spread(unknowns)

    def at_origin(self, value: float, gradient: Array) -> tuple[float, Array]:
        """Return value and gradient at u = 0, for those of the objective at the origin."""
        self._last = np.zeros(self.n_params), value, gradient
        return value, self.curvature.gather(gradient)

    def base_value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Return the objective and its gradient in its own parameters; mostly they are known."""
        if self._last is not None and np.array_equal(self._last[0], params):
            return self._last[1:]
        return self.base.value_and_gradient(self.params(params))

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Return the objective, and its gradient in u."""
        value, gradient = self.base.value_and_gradient(self.params(params))
        self._last = params.copy(), value, gradient
        return value, self.curvature.gather(gradient)

    def hessian_product(self, params: Array, direction: Array) -> Array:
        """Multiply the Hessian in u by a direction."""
        return self.curvature.gather(
            self.base.hessian_product(self.params(params), self.curvature.spread(direction))
        )

    def optimality_gap(
        self, params: Array, value: float, gradient: Array, enough: float = np.inf
    ) -> float:
        """Bound how far F is above its minimum, by the objective's gradient in its parameters."""
        if not self.has_dual:
            return np.nan
        # The gradient in the parameters is not to be had from that in u: where rounding has it so,
        # M is singular.
        value, gradient = self.base_value_and_gradient(params)
        return self.base.optimality_gap(self.params(params), value, gradient, enough)

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Bound F − min F by the exact Newton step there."""
        return self.base.gap_by_newton(self.params(params), self.curvature.spread(step), decrement)

    def separates(self, params: Array) -> bool:
        """Return whether the parameters tell all classes apart."""
        return self.base.separates(self.params(params))
