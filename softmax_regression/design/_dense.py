"""Dense X: both products are one BLAS call, in whatever order X lies in memory."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from softmax_regression.design._base import Array, Design, Rows


class DenseDesign(Design):
    """A two-dimensional array, C- or F-ordered, never copied."""

    def __init__(self, X: Array):
        self.X = X
        self.n_rows, self.n_columns = X.shape
        self.dtype = X.dtype

    def __getitem__(self, rows: Rows) -> Self:
        return type(self)(self.X[rows] if isinstance(rows, slice) else self.X.take(rows, axis=0))

    def scores(self, coef: Any) -> Array:
        return coef @ self.X.T  # the operator, as coef may be sparse

    def weighted_sum(self, residuals: Array, out: Array | None = None) -> Array:
        return np.matmul(residuals, self.X, out=out)

    def weighted_total(self, weight: Array) -> Array:
        return np.einsum("n,nd->d", weight, self.X, dtype=np.float64)

    def weighted_squares(self, weight: Array) -> Array:
        return np.einsum("n,nd,nd->d", weight, self.X, self.X, dtype=np.float64)

    @property
    def n_values(self) -> int:
        return int(self.X.size)

    def bytes_per_row(self) -> int:
        return self.n_columns * self.dtype.itemsize
