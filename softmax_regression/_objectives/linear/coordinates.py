r"""The linear model in coordinates in which all features have the same scale.

In raw data one feature is in millimetres and the next in years, so that the level sets of the
objective are thin ellipsoids, whereas optimisers converge fastest if these are spheres. Instead of
X the unknowns are changed: with column means μ, positive scales t_j of the features and t_0 of the
intercept,

    Ṽ = W diag(t),  ṽ_0 = t_0 (b + W μ)        W = Ṽ diag(t)⁻¹,  b = ṽ_0 / t_0 − W μ

so that the scores are Ṽ z + ṽ_0/t_0 with z = (x − μ)/t. This is the model of centred and scaled
features, without a copy of X. The objective is the same function, including the penalty. Gradients
follow by the chain rule, in operations on arrays of the size of W.

The scales are chosen so that every coordinate has a curvature of about 1. With p (1 − p) ≈ c the
curvature along W_kj is c σ_j² + l2, hence ``t_j² = c σ_j² + l2`` and ``t_0² = c``. These are
computed without squares, so that columns may have any size for which sums of their values and
inverses of their scales are within the range of float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression._data.design import Design
from softmax_regression._data.moments import Moments
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.layout import LinearLayout

# The largest size of a column whose sum over rows does not overflow, and the smallest scale by
# which a coefficient can be divided.
_LARGEST_SIZE, _LEAST_SCALE = 1e300, 1e-300


class Coordinates:
    """The linear map between (W, b) and (Ṽ, ṽ_0).

    Parameters
    ----------
    means : ndarray of shape (n_columns,)
        μ; zeros for a model without intercept, whose features cannot be centred.
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
        cls, moments: Moments, *, ridge_roots: Array, n_classes: int, fit_intercept: bool
    ) -> Self:
        """Return coordinates for the moments of the columns, and for the roots of the ridge."""
        check_sizes(moments.sizes())
        spread = spreads(moments, fit_intercept)
        curvature = (n_classes - 1) / n_classes**2
        scales = np.hypot(np.sqrt(curvature) * spread, ridge_roots)
        scales[scales == 0] = 1.0
        if scales.min(initial=np.inf) < _LEAST_SCALE:
            column = int(scales.argmin())
            raise ValueError(
                f"X varies so little in column {column}, by a standard deviation of "
                f"{spread[column]:g}, that its coefficients overflow. Multiply it by a power of "
                "10, or set C to a finite value."
            )
        means = moments.means if fit_intercept else np.zeros_like(moments.means)
        return cls(means, scales, float(np.sqrt(curvature)))

    def select(self, columns: NDArray[np.intp]) -> Self:
        """Return the coordinates of some of the columns."""
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

    def push_covariance(self, covariance: Array, layout: LinearLayout) -> Array:
        """Return the covariance of the flat vector of (W, b) for that of (Ṽ, ṽ_0)."""
        return pushed_covariance(
            covariance, lambda params: layout.pack(*self.to_model(*layout.unpack(params)))
        )

    def pull_gradient(self, coef: Array, intercept: Array) -> None:
        """Convert a gradient in (W, b) to one in (Ṽ, ṽ_0), in place."""
        if len(intercept):
            coef -= np.outer(intercept, self.means)
            intercept /= self.intercept_scale
        coef /= self.scales

    def curvature_bound(self, ridge: Array) -> float:
        """Return an upper bound of the curvature of F in these coordinates, for the ridge there.

        The Hessian of CE in the scores is at most 1/2 (1/4 for a single score), so that the Hessian
        of F is at most 1/2 · Σ s_i ‖(z_i, 1/t_0)‖² / S plus that of the penalty.
        """
        # By construction t² − l2 is c times the variance of a column (or its mean square).
        # For the intercept 1 − ridge is 1.
        spread = np.maximum(1 - ridge, 0) / self.intercept_scale**2
        return 0.5 * float(spread.sum()) + float(ridge.max(initial=0))

    def rows(self, X: Array) -> Array:
        """Return z for rows of X."""
        return (X - self.means) / self.scales

    def moments(self, of_columns: Moments) -> Moments:
        """Return the moments of the columns of z for the moments of the columns of X."""
        deviations = of_columns.deviations / self.scales
        return Moments(of_columns.weight, self.rows(of_columns.means), deviations)

    def columns(self, transposed: Array, out: Array) -> None:
        """Write zᵀ for the transpose of rows of X."""
        np.subtract(transposed, self.means[:, None], out=out)
        out /= self.scales[:, None]


def pushed_covariance(covariance: Array, push: Callable[[Array], Array]) -> Array:
    """Return T Σ Tᵀ for a linear map T that is applied to one vector at a time."""
    half = np.stack([push(column) for column in covariance.T])  # Σ Tᵀ, because Σ is symmetric.
    return np.stack([push(column) for column in half.T])


class RowMap:
    """Maps rows of X to the coordinates of the parameters.

    Parameters
    ----------
    n_columns : int
        The number of columns of the mapped rows; with an intercept, the last is its own.
    coordinates : Coordinates or None
        The coordinates of the parameters; None for those of X.
    intercept_entry : float, default=1.0
        The entries of the column of the intercept.
    """

    def __init__(
        self,
        n_columns: int,
        coordinates: Coordinates | None = None,
        intercept_entry: float = 1.0,
    ):
        self.n_columns = n_columns
        self.coordinates = coordinates
        self.intercept_entry = intercept_entry

    def __call__(self, X: Design, out: Array | None = None) -> Array:
        """Return some rows in these coordinates, transposed, in float64, in `out` if it is given.

        Callers must not change the array, which may be X itself.
        """
        if self.coordinates is None and X.n_columns == self.n_columns:
            return X.toarray().T
        rows = X.dense().T
        memory = np.empty(self.n_columns * X.n_rows) if out is None else out
        columns = memory[: self.n_columns * X.n_rows].reshape(self.n_columns, X.n_rows)
        if self.coordinates is None:
            columns[: len(rows)] = rows
        else:
            self.coordinates.columns(rows, out=columns[: len(rows)])
        columns[len(rows) :] = self.intercept_entry
        return columns

    def select(self, columns: NDArray[np.intp], n_columns: int) -> RowMap:
        """Return the map for rows with some of the columns of X, to `n_columns`."""
        kept = None if self.coordinates is None else self.coordinates.select(columns)
        return RowMap(n_columns, kept, self.intercept_entry)


def spreads(moments: Moments, fit_intercept: bool) -> Array:
    """Return the deviations of columns, or without an intercept their root mean squares.

    They are set to 0 if they are within the rounding errors of a constant column.
    """
    spread = moments.deviations
    if not fit_intercept:
        spread = np.hypot(spread, moments.means)
    noise = 64 * np.finfo(np.float64).eps * np.abs(moments.means)
    return np.where(spread > noise, spread, 0.0)


def check_sizes(sizes: Array) -> None:
    """Raise if a column is so large that sums of its values overflow."""
    too_large = np.flatnonzero(~(sizes <= _LARGEST_SIZE))  # Sizes are NaN after an overflow.
    if len(too_large):
        raise ValueError(
            f"X has values so large that their sums overflow, in column {too_large[0]}. Divide it "
            "by its largest absolute value."
        )
