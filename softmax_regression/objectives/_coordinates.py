r"""The linear model in coordinates in which all features have the same scale.

On data as it comes, one feature is in millimetres and the next in years, and the level sets of the
objective are needles. Optimisers want circles. Instead of changing X this changes the unknowns:
with column means μ, positive scales t_j for the features and t_0 for the intercept,

    Ṽ = W diag(t),  ṽ_0 = t_0 (b + W μ)        W = Ṽ diag(t)⁻¹,  b = ṽ_0 / t_0 − W μ

so that scores are Ṽ (x − μ)/t + ṽ_0/t_0: the model of centred and scaled features, while X is read
as it lies. The objective is the same function, penalty included; only the path to its minimum gets
shorter. Gradients follow by the chain rule, in operations on arrays of the size of W.

Scales are chosen so that every coordinate has a curvature of about 1. With p (1 − p) ≈ c the
curvature along W_kj is c σ_j² + l2, hence ``t_j² = c σ_j² + l2`` and ``t_0² = c``.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression.objectives._base import Objective
from softmax_regression.objectives._linear import LinearCrossEntropy

Array = NDArray[Any]


Moments = tuple[Array, Array]  # means of the columns and of their squares


class Coordinates:
    """The linear map between the two sets of unknowns.

    Parameters
    ----------
    means : ndarray of shape (n_columns,)
        μ; zeros for a model without intercept, which cannot be centred.
    scales : ndarray of shape (n_columns,)
        t, positive.
    intercept_scale : float
        t_0, positive.
    """

    def __init__(self, means: Array, scales: Array, intercept_scale: float):
        self.means = means
        self.scales = scales
        self.intercept_scale = intercept_scale

    @classmethod
    def standardizing(cls, objective: LinearCrossEntropy, moments: Moments | None = None) -> Self:
        """Choose them from the data, in one pass, or from moments that are known."""
        means, squares = moments or objective.column_moments()
        if not np.isfinite(squares).all():
            column = int(np.flatnonzero(~np.isfinite(squares))[0])
            raise ValueError(
                f"X has values so large that their squares overflow, in column {column}. Divide it "
                "by its largest absolute value."
            )
        variances = squares
        if objective.fit_intercept:
            # What rounding leaves of a constant column is no variance.
            noise = 64 * np.finfo(np.float64).eps * squares
            variances = np.where(squares - means**2 > noise, squares - means**2, 0.0)
        else:
            means = np.zeros_like(means)
        n_classes = objective.loss.n_classes
        curvature = (n_classes - 1) / n_classes**2
        scales = np.sqrt(curvature * variances + objective.l2)
        scales[scales == 0] = 1.0
        return cls(means, scales, float(np.sqrt(curvature)))

    def to_params(self, objective: LinearCrossEntropy, unknowns: Array) -> Array:
        """Return (W, b) for (Ṽ, ṽ_0)."""
        params = np.array(unknowns, dtype=np.float64)
        coef, intercept = objective.unpack(params)
        coef /= self.scales
        if objective.fit_intercept:
            intercept /= self.intercept_scale
            intercept -= coef @ self.means
        return params

    def from_params(self, objective: LinearCrossEntropy, params: Array) -> Array:
        """Return (Ṽ, ṽ_0) for (W, b)."""
        unknowns = np.array(params, dtype=np.float64)
        coef, intercept = objective.unpack(unknowns)
        if objective.fit_intercept:
            intercept += coef @ self.means
            intercept *= self.intercept_scale
        coef *= self.scales
        return unknowns

    def pull_back(self, objective: LinearCrossEntropy, gradient: Array) -> None:
        """Turn a gradient in (W, b) into one in (Ṽ, ṽ_0), in place."""
        coef, intercept = objective.unpack(gradient)
        if objective.fit_intercept:
            coef -= np.outer(intercept, self.means)
            intercept /= self.intercept_scale
        coef /= self.scales

    def push_forward(self, objective: LinearCrossEntropy, gradient: Array) -> Array:
        """Undo `pull_back`, in a new array."""
        gradient = gradient.copy()
        coef, intercept = objective.unpack(gradient)
        coef *= self.scales
        if objective.fit_intercept:
            intercept *= self.intercept_scale
            coef += np.outer(intercept, self.means)
        return gradient


class RescaledObjective(Objective):
    """A linear cross-entropy as a function of other unknowns.

    Parameters
    ----------
    base : LinearCrossEntropy
        The objective in (W, b).
    coordinates : Coordinates
        The map.
    """

    def __init__(self, base: LinearCrossEntropy, coordinates: Coordinates):
        self.base = base
        self.coordinates = coordinates
        self.n_params = base.n_params

    @property
    def rows(self) -> NDArray[np.intp]:
        return self.base.rows

    @property
    def convex(self) -> bool:
        return True

    @property
    def has_dual(self) -> bool:
        return self.base.has_dual

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        value, gradient = self.base.value_and_gradient(self._base_params(params))
        self.coordinates.pull_back(self.base, gradient)
        return value, gradient

    def batch_value_and_gradient(
        self, params: Array, rows: NDArray[np.intp], gradient: Array
    ) -> float:
        value = self.base.batch_value_and_gradient(self._base_params(params), rows, gradient)
        self.coordinates.pull_back(self.base, gradient)
        return value

    def hessian_product(self, params: Array, direction: Array) -> Array:
        # directions go the way of parameters: the map is linear
        product = self.base.hessian_product(self._base_params(params), self._base_params(direction))
        self.coordinates.pull_back(self.base, product)
        return product

    def optimality_gap(
        self, params: Array, value: float, gradient: Array, enough: float = np.inf
    ) -> float:
        gradient = self.coordinates.push_forward(self.base, gradient)
        return self.base.optimality_gap(self._base_params(params), value, gradient, enough)

    def curvature_bound(self) -> float:
        """Bound the curvature of F in these unknowns.

        The Hessian of CE in the scores is at most 1/2 (1/4 for a single score), so that of F is at
        most 1/2 · Σ s_i ‖(x̃_i, 1/t_0)‖² / S plus that of the penalty, in every direction.
        """
        scales = self.coordinates.scales
        curvature = self.coordinates.intercept_scale**2
        # By construction t² − l2 is c times the variance of a column (or its mean square).
        spread = np.maximum(1 - self.base.l2 / scales**2, 0) / curvature
        penalty = float((self.base.l2 / scales**2).max(initial=0))
        intercept = self.base.fit_intercept / curvature
        return 0.5 * float(spread.sum() + intercept) + penalty

    def _base_params(self, unknowns: Array) -> Array:
        return self.coordinates.to_params(self.base, unknowns)
