r"""A linear cross-entropy in unknowns in which its Hessian is about the identity.

With M = L Lᵀ for the Hessian at some point and its parameters as the origin, ``params = origin +
L⁻ᵀ u``. Near the origin the objective is as round a bowl as M is a good picture of the Hessian, so
that a method which knows only gradients gets on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.base import Curvature
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.base import Objective
from softmax_regression._objectives.evaluation import Certifiable, Evaluation
from softmax_regression._objectives.linear.coordinates import pushed_covariance
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy


class Whitening:
    """The change of unknowns: ``params = origin + L⁻ᵀ u``.

    Parameters
    ----------
    origin : ndarray of shape (n_params,)
        Where u is 0.
    curvature : Curvature
        M = L Lᵀ.
    """

    def __init__(self, origin: Array, curvature: Curvature):
        self.origin = origin
        self.curvature = curvature

    def to_model(self, unknowns: Array) -> Array:
        """Return the parameters for u."""
        return self.origin + self.curvature.solve_upper(unknowns)

    def push_direction(self, direction: Array) -> Array:
        """Return a direction in the parameters for one in u."""
        return self.curvature.solve_upper(direction)

    def pull_gradient(self, gradient: Array) -> Array:
        """Return a gradient in u for one in the parameters."""
        return self.curvature.solve_lower(gradient)

    def push_covariance(self, covariance: Array) -> Array:
        """Return the covariance of the parameters for one of u."""
        return pushed_covariance(covariance, self.push_direction)


class WhitenedObjective(Certifiable, Objective):
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
        self.whitening = Whitening(origin, curvature)
        self.n_params = curvature.n_unknowns
        self._last: Evaluation | None = None

    @property
    def rows(self) -> NDArray[np.intp]:
        return self.base.rows

    @property
    def convex(self) -> bool:
        return True

    @property
    def has_dual(self) -> bool:
        return self.base.has_dual

    def params(self, unknowns: Array) -> Array:
        """Parameters of the objective for u."""
        return self.whitening.to_model(unknowns)

    def evaluate(self, params: Array) -> Evaluation:
        inner = self.base.evaluate(self.params(params))
        gradient = self.whitening.pull_gradient(inner.gradient)
        self._last = Evaluation(params, inner.value, gradient, inner=inner)
        return self._last

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        at = self.evaluate(params.copy())
        return at.value, at.gradient

    def batch_value_and_gradient(
        self, params: Array, rows: NDArray[np.intp], gradient: Array
    ) -> float:
        raise TypeError("Minibatches need coordinates that do not move.")

    def hessian_product(self, at: Array | Evaluation, direction: Array) -> Array:
        pushed = self.whitening.push_direction(direction)
        inner = at.inner if isinstance(at, Evaluation) else None
        there = inner or self.params(at.params if isinstance(at, Evaluation) else at)
        return self.whitening.pull_gradient(self.base.hessian_product(there, pushed))

    def certify(self, at: Evaluation, enough: float, sharp: bool) -> float:
        # The gradient in the parameters is not to be had from that in u: where rounding has it so,
        # M is singular.
        inner = at.inner
        if (
            inner is None
            and self._last is not None
            and np.array_equal(self._last.params, at.params)
        ):
            inner = self._last.inner
        return self.base.certify(inner or self.base.evaluate(self.params(at.params)), enough, sharp)

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        pushed = self.whitening.push_direction(step)
        return self.base.gap_by_newton(self.params(params), pushed, decrement)

    def separates(self, params: Array) -> bool:
        return self.base.separates(self.params(params))
