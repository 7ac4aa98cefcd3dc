r"""A change of unknowns after which the Hessian of a linear cross-entropy is near the identity.

Let M = L Lᵀ approximate the Hessian at some point, the origin. The unknowns u are defined by
``params = origin + L⁻ᵀ u``. The Hessian in u is L⁻¹ H L⁻ᵀ, which is the closer to the identity the
better M approximates H, so that a method that uses only gradients converges fast.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._curvature.base import Curvature
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.base import Unconstrained
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.coordinates import pushed_covariance
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy


class Whitening:
    """The change of unknowns ``params = origin + L⁻ᵀ u``.

    Parameters
    ----------
    origin : ndarray of shape (n_params,)
        The parameters for u = 0.
    curvature : Curvature
        The matrix M = L Lᵀ.
    """

    def __init__(self, origin: Array, curvature: Curvature):
        self.origin = origin
        self.curvature = curvature

    def to_model(self, unknowns: Array) -> Array:
        """Return the parameters for unknowns u."""
        return self.origin + self.curvature.solve_upper(unknowns)

    def push_direction(self, direction: Array) -> Array:
        """Return the direction in the parameters for a direction in u."""
        return self.curvature.solve_upper(direction)

    def pull_gradient(self, gradient: Array) -> Array:
        """Return the gradient in u for a gradient in the parameters."""
        return self.curvature.solve_lower(gradient)

    def push_covariance(self, covariance: Array) -> Array:
        """Return the covariance of the parameters for a covariance of u."""
        return pushed_covariance(covariance, self.push_direction)


class WhitenedObjective(Unconstrained):
    """The objective as a function of the unknowns u.

    Parameters
    ----------
    base : LinearCrossEntropy
        The objective as a function of the parameters.
    origin : ndarray of shape (n_params,)
        The parameters for u = 0.
    curvature : Curvature
        The matrix M = L Lᵀ that approximates the Hessian at the origin.
    """

    def __init__(self, base: LinearCrossEntropy, origin: Array, curvature: Curvature):
        self.base = base
        self.whitening = Whitening(origin, curvature)
        self.n_params = curvature.n_unknowns

    @property
    def has_dual(self) -> bool:
        """Whether the objective has a dual, which bounds its minimum from below."""
        return self.base.has_dual

    def params(self, unknowns: Array) -> Array:
        """Return the parameters of the objective for u."""
        return self.whitening.to_model(unknowns)

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate the objective, and its gradient in u."""
        return self._whitened(params, self.base.evaluate(self.params(params)))

    def at_origin(self, inner: Evaluation) -> Evaluation:
        """Return the evaluation at u = 0 that belongs to one of the objective at the origin."""
        return self._whitened(np.zeros(self.n_params), inner)

    def _whitened(self, unknowns: Array, inner: Evaluation) -> Evaluation:
        gradient = self.whitening.pull_gradient(inner.gradient)
        return Evaluation(unknowns, inner.value, gradient, inner=inner)

    def hessian_product(self, at: Evaluation, direction: Array) -> Array:
        """Multiply the Hessian in u by a direction."""
        pushed = self.whitening.push_direction(direction)
        there = at.inner or Evaluation.of(self.params(at.params))
        return self.whitening.pull_gradient(self.base.hessian_product(there, pushed))

    def certify(self, at: Evaluation, enough: float, sharp: bool) -> float:
        """Bound how far the objective is above its minimum."""
        # The objective's own gradient is used, because M may be singular up to rounding errors, and
        # then the gradient in u does not determine that in the parameters.
        inner = at.inner or self.base.evaluate(self.params(at.params))
        return self.base.certify(inner, enough, sharp)

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Bound F − min F by means of the Newton step at a point."""
        pushed = self.whitening.push_direction(step)
        return self.base.gap_by_newton(self.params(params), pushed, decrement)

    def separates(self, params: Array) -> bool:
        """Return whether the parameters for u separate all classes."""
        return self.base.separates(self.params(params))
