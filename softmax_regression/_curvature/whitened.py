r"""A linear cross-entropy in unknowns in which its Hessian is about the identity.

With M = L Lᵀ for the Hessian at some point and its parameters as the origin, ``params = origin +
L⁻ᵀ u``. Near the origin the objective is as round a bowl as M is a good picture of the Hessian, so
that a method which knows only gradients gets on.
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
        self.whitening = Whitening(origin, curvature)
        self.n_params = curvature.n_unknowns

    @property
    def has_dual(self) -> bool:
        """Whether the objective has one."""
        return self.base.has_dual

    def params(self, unknowns: Array) -> Array:
        """Parameters of the objective for u."""
        return self.whitening.to_model(unknowns)

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate the objective, and its gradient in u."""
        return self._whitened(params, self.base.evaluate(self.params(params)))

    def at_origin(self, inner: Evaluation) -> Evaluation:
        """Return what is known at u = 0 by an evaluation of the objective at the origin."""
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
        # The gradient in the parameters is not to be had from that in u: where rounding has it so,
        # M is singular.
        inner = at.inner or self.base.evaluate(self.params(at.params))
        return self.base.certify(inner, enough, sharp)

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Bound F − min F by the Newton step there."""
        pushed = self.whitening.push_direction(step)
        return self.base.gap_by_newton(self.params(params), pushed, decrement)

    def separates(self, params: Array) -> bool:
        """Return whether the parameters tell all classes apart."""
        return self.base.separates(self.params(params))
