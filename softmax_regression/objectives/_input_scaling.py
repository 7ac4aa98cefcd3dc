r"""A network trained on standardised features, written as one that takes them as they are.

With column means μ and scales t, the first layer sees z = (x − μ)/t. Once it is trained, the
scaling goes into its parameters, and nothing is left to do when it predicts:

    zᵀ W_1 + b_1 = xᵀ (diag(t)⁻¹ W_1) + (b_1 − μᵀ diag(t)⁻¹ W_1)
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression.design import Design, Moments
from softmax_regression.objectives._layers import Layout

Array = NDArray[Any]


class InputScaling:
    """The scaling, and the way there and back.

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
        """Choose it by the means and variances of columns; a constant one is left as it is."""
        means, squares = moments.means, moments.variances
        if not centred:
            means, squares = np.zeros_like(means), squares + np.square(means)
        noise = np.square(64 * np.finfo(np.float64).eps * moments.means)
        usable = np.isfinite(squares) & (squares > noise)
        return cls(means, np.sqrt(np.where(usable, squares, 1.0)))

    @classmethod
    def none(cls, n_columns: int) -> Self:
        """Leave columns as they are."""
        return cls(np.zeros(n_columns), np.ones(n_columns))

    def design(self, design: Design, dtype: Any) -> Design:
        """Return z for all rows, in some precision: X itself where that is the same."""
        if not self.means.any() and (self.scales == 1).all() and design.dtype == dtype:
            return design
        return design.standardized(self.means, self.scales, dtype)

    def folded(self, layout: Layout, params: Array) -> Array:
        """Return the parameters, in float64, of the network that takes x."""
        params = params.astype(np.float64)
        weights, intercepts = layout.views(params)
        weights[0][...] /= self.scales[:, None]
        intercepts[0][...] -= self.means @ weights[0]
        return params

    def unfolded(self, layout: Layout, params: Array) -> Array:
        """Return the parameters, in float64, of the network that takes z."""
        params = params.astype(np.float64)
        weights, intercepts = layout.views(params)
        intercepts[0][...] += self.means @ weights[0]
        weights[0][...] *= self.scales[:, None]
        return params
