r"""The conversion of a network trained on standardised features to one that takes raw features.

With column means μ and scales t, the first layer receives z = (x − μ)/t in training. Afterwards the
scaling is absorbed into its parameters, so that prediction needs no scaling:

    zᵀ W_1 + b_1 = xᵀ (diag(t)⁻¹ W_1) + (b_1 − μᵀ diag(t)⁻¹ W_1)
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._data.moments import Moments
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.coordinates import check_sizes
from softmax_regression._objectives.network.layers import Layout


class InputScaling:
    """The scaling of features, and the conversion of the first layer between z and x.

    Parameters
    ----------
    means : ndarray of shape (n_columns,)
        The means μ, or zeros if columns are not centred.
    scales : ndarray of shape (n_columns,)
        The positive scales t.
    """

    def __init__(self, means: Array, scales: Array):
        self.means = means
        self.scales = scales

    @classmethod
    def standardizing(cls, moments: Moments, *, centred: bool) -> Self:
        """Return the scaling to unit deviations, which leaves constant columns unscaled."""
        check_sizes(moments.sizes())
        means, spread = moments.means, moments.deviations
        if not centred:
            means, spread = np.zeros_like(means), np.hypot(spread, means)
        noise = 64 * np.finfo(np.float64).eps * np.abs(moments.means)
        return cls(means, np.where(spread > noise, spread, 1.0))

    @classmethod
    def none(cls, n_columns: int) -> Self:
        """Return the scaling that leaves all columns unchanged."""
        return cls(np.zeros(n_columns), np.ones(n_columns))

    def design(self, design: Design, dtype: Any) -> Design:
        """Return z for all rows in a given precision, or X row by row if it is equal to z."""
        if not self.means.any() and (self.scales == 1).all() and design.dtype == dtype:
            return design.in_rows()
        return design.standardized(self.means, self.scales, dtype)

    def folded(self, layout: Layout, params: Array, dtype: Any) -> Array:
        """Return the parameters of the network that takes x, in a given precision.

        Intercepts are computed from the rounded weights, so that the inputs of units at the means
        do not change.
        """
        params = params.astype(np.float64)
        weights, intercepts = layout.views(params)
        with np.errstate(over="ignore"):
            rounded = (weights[0] / self.scales[:, None]).astype(dtype)
        too_large = np.flatnonzero((np.isinf(rounded) & np.isfinite(weights[0])).any(axis=1))
        if len(too_large):
            raise ValueError(
                f"X varies so little in column {too_large[0]} that its weights overflow "
                f"{np.dtype(dtype)}: multiply the column by a power of 10."
            )
        weights[0][...] = rounded
        intercepts[0][...] -= self.means @ rounded
        return params.astype(dtype)

    def unfolded(self, layout: Layout, params: Array) -> Array:
        """Return the parameters of the network that takes z, in float64."""
        params = params.astype(np.float64)
        weights, intercepts = layout.views(params)
        intercepts[0][...] += self.means @ weights[0]
        weights[0][...] *= self.scales[:, None]
        return params
