r"""The linear model in coordinates in which all features have the same scale.

On data as it comes, one feature is in millimetres and the next in years, and the level sets of the
objective are needles. Optimisers want circles. Instead of changing X this changes the unknowns:
with column means μ, positive scales t_j for the features and t_0 for the intercept,

    Ṽ = W diag(t),  ṽ_0 = t_0 (b + W μ)        W = Ṽ diag(t)⁻¹,  b = ṽ_0 / t_0 − W μ

so that scores are Ṽ z + ṽ_0/t_0 with z = (x − μ)/t: the model of centred and scaled features, while
X is read as it lies. The objective is the same function, penalty included; only the path to its
minimum gets shorter. Gradients follow by the chain rule, in operations on arrays of the size of W.

Scales are chosen so that every coordinate has a curvature of about 1. With p (1 − p) ≈ c the
curvature along W_kj is c σ_j² + l2, hence ``t_j² = c σ_j² + l2`` and ``t_0² = c``.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression.design import Moments

Array = NDArray[Any]


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

    def __init__(self, means: Array, scales: Array, intercept_scale: float = 1.0):
        self.means = means
        self.scales = scales
        self.intercept_scale = intercept_scale

    @classmethod
    def standardizing(
        cls, moments: Moments, *, l2: float, n_classes: int, fit_intercept: bool
    ) -> Self:
        """Choose them by the means and variances of the columns."""
        spread = moments.variances
        if not fit_intercept:
            spread = spread + np.square(moments.means)
        if not np.isfinite(spread).all():
            column = int(np.flatnonzero(~np.isfinite(spread))[0])
            raise ValueError(
                f"X has values so large that their squares overflow, in column {column}. Divide it "
                "by its largest absolute value."
            )
        # What rounding leaves of a constant column is no variance.
        noise = 64 * np.finfo(np.float64).eps * np.abs(moments.means)
        spread = np.where(spread > np.square(noise), spread, 0.0)
        curvature = (n_classes - 1) / n_classes**2
        scales = np.sqrt(curvature * spread + l2)
        scales[scales == 0] = 1.0
        means = moments.means if fit_intercept else np.zeros_like(moments.means)
        return cls(means, scales, float(np.sqrt(curvature)))

    def select(self, columns: NDArray[np.intp]) -> Self:
        """Return those of some of the columns."""
        return type(self)(self.means[columns], self.scales[columns], self.intercept_scale)

    def to_model(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Return (W, b) for (Ṽ, ṽ_0)."""
        coef = coef / self.scales
        return coef, intercept / self.intercept_scale - coef @ self.means if len(
            intercept
        ) else intercept

    def from_model(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Return (Ṽ, ṽ_0) for (W, b)."""
        if len(intercept):
            intercept = self.intercept_scale * (intercept + coef @ self.means)
        return coef * self.scales, intercept

    def pull_back(self, coef: Array, intercept: Array) -> None:
        """Turn a gradient in (W, b) into one in (Ṽ, ṽ_0), in place."""
        if len(intercept):
            coef -= np.outer(intercept, self.means)
            intercept /= self.intercept_scale
        coef /= self.scales

    def rows(self, X: Array) -> Array:
        """Return z for rows of X."""
        return (X - self.means) / self.scales

    def moments(self, of_columns: Moments) -> Moments:
        """Return the moments of the columns of z for those of X's."""
        variances = of_columns.variances / np.square(self.scales)
        return Moments(of_columns.weight, self.rows(of_columns.means), variances)

    def columns(self, transposed: Array, out: Array) -> None:
        """Write zᵀ for the transpose of rows of X."""
        np.subtract(transposed, self.means[:, None], out=out)
        out /= self.scales[:, None]
