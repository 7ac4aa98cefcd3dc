r"""A network trained on standardised features, written as one that takes them as they are.

With column means μ and scales t, the first layer sees z = (x − μ)/t. Once it is trained, the
scaling goes into its parameters, and nothing is left to do when it predicts:

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
    """The scaling of features, and the change of the first layer that undoes it.

    Parameters
    ----------
    means : ndarray of shape (n_columns,)
        μ; zeros where columns are not centred.
    scales : ndarray of shape (n_columns,)
        t, positive.
    """

    def __init__(self, means: Array, scales: Array):
        self.means = means
        self.scales = scales

    @classmethod
    def standardizing(cls, moments: Moments, *, centred: bool) -> Self:
        """Choose it by the moments of the columns; a constant one is left as it is."""
        check_sizes(moments.sizes())
        means, spread = moments.means, moments.deviations
        if not centred:
            means, spread = np.zeros_like(means), np.hypot(spread, means)
        noise = 64 * np.finfo(np.float64).eps * np.abs(moments.means)
        return cls(means, np.where(spread > noise, spread, 1.0))

    @classmethod
    def none(cls, n_columns: int) -> Self:
        """Leave columns as they are."""
        return cls(np.zeros(n_columns), np.ones(n_columns))

    def design(self, design: Design, dtype: Any) -> Design:
        """Return z for all rows, in some precision: X itself where that is the same, in rows."""
        if not self.means.any() and (self.scales == 1).all() and design.dtype == dtype:
            return design.in_rows()
        return design.standardized(self.means, self.scales, dtype)

    def folded(self, layout: Layout, params: Array, dtype: Any) -> Array:
        """Return the parameters, in some precision, of the network that takes x.

        Intercepts belong to the weights as they are rounded: so what units see at the means stays.
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
        """Return the parameters, in float64, of the network that takes z."""
        params = params.astype(np.float64)
        weights, intercepts = layout.views(params)
        intercepts[0][...] += self.means @ weights[0]
        weights[0][...] *= self.scales[:, None]
        return params
