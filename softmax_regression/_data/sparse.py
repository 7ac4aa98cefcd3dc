"""Sparse X in compressed rows (CSR), whose blocks of rows are cheap to slice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array, issparse

from softmax_regression._data.design import Design
from softmax_regression._data.moments import SAFE_SIZES, Moments
from softmax_regression._linalg.arrays import Array, Rows

# Fewest entries of a block for each column; with fewer, looping over all coefficients dominates.
_ENTRIES_PER_COLUMN = 4


class SparseDesign(Design):
    """A CSR matrix. A slice of rows shares its entries; only the row pointers are new."""

    def __getitem__(self, rows: Rows) -> Self:
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            return type(self)(self.X[rows].astype(self.dtype, copy=False))
        start, stop, _ = rows.indices(self.n_rows)
        pointers = self.X.indptr[start : stop + 1]
        entries = slice(pointers[0], pointers[-1])
        # Attributes are set one by one, as SciPy's constructor copies small parts of larger arrays.
        part = csr_array((stop - start, self.n_columns), dtype=self.dtype)
        part.data = self.X.data[entries].astype(self.dtype, copy=False)
        part.indices = self.X.indices[entries]
        part.indptr = pointers - pointers[0]
        return type(self)(part)

    def masked(self, draw: Callable[[Array], None]) -> Self:
        mask = np.empty_like(self.X.data)
        draw(mask)
        self.X.data *= mask
        return self

    def scores(self, coef: Any, out: Array | None = None) -> Array:
        if issparse(coef):
            return np.ascontiguousarray((self.X @ coef.T).toarray().T)
        # SciPy requires contiguous rows of the dense factor, and returns a row-major product.
        product = (self.X @ np.ascontiguousarray(coef.T)).T
        if out is None:
            return np.ascontiguousarray(product)
        out[...] = product
        return out

    def times(self, matrix: Array, out: Array | None = None) -> Array:
        return _into(self.X @ np.ascontiguousarray(matrix), out)

    def transposed_times(self, matrix: Array, out: Array | None = None) -> Array:
        return _into(self.X.T @ np.ascontiguousarray(matrix), out)

    def laid_out(self, coef: Array) -> Array:
        return np.asfortranarray(coef)  # Otherwise every block would copy it.

    def weighted_sum(self, residuals: Array, out: Array | None = None) -> Array:
        product = (self.X.T @ np.ascontiguousarray(residuals.T)).T
        if out is None:
            return np.ascontiguousarray(product)
        out[...] = product
        return out

    def standardized(self, means: Array, scales: Array, dtype: Any) -> Self:
        values = (self.X.data / scales[self.X.indices]).astype(dtype)
        return type(self)(csr_array((values, self.X.indices, self.X.indptr), shape=self.X.shape))

    def weighted_squares(self, weights: Array, scales: Array) -> Array:
        squares = np.square(self.X.data / scales[self.X.indices], dtype=np.float64)
        return np.ascontiguousarray(_transposed_times(self.X, squares, weights.T).T)

    def moments(self, weights: Array) -> Moments:
        X, counted = self.X, weights > 0
        if not counted.all():  # Rows of weight 0 may hold any values.
            X, weights = X[counted], weights[counted]
        sizes = np.abs(X.data)
        low, high = SAFE_SIZES
        # The squares of other dtypes are in the range of float64.
        if X.dtype != np.float64 or not (((sizes < low) & (sizes > 0)) | (sizes > high)).any():
            return _moments(X, X.data, weights)
        largest = np.zeros(self.n_columns)
        np.maximum.at(largest, X.indices, sizes)
        exponents = np.frexp(largest)[1]
        values = np.ldexp(X.data, -exponents[X.indices])
        return _moments(X, values, weights).times_powers_of_two(exponents)

    def toarray(self) -> Array:
        return self.X.toarray().astype(np.float64, copy=False)

    @property
    def n_values(self) -> int:
        return int(self.X.nnz)

    def least_rows(self) -> int:
        # Each block loops over all coefficients, whatever its entries are.
        return int(_ENTRIES_PER_COLUMN * self.n_columns * self.n_rows / max(1, self.X.nnz))

    def bytes_per_row(self) -> int:
        entry = self.dtype.itemsize + self.X.indices.dtype.itemsize
        return int(entry * self.X.nnz / max(1, self.n_rows)) + 8


def _into(product: Array, out: Array | None) -> Array:
    """Return a product of SciPy, copied to `out` if that is given."""
    if out is None:
        return product
    out[...] = product
    return out


def _moments(X: Any, values: Array, weights: Array) -> Moments:
    """Return the moments of the columns of X with its stored values replaced."""
    squares = np.square(values, dtype=np.float64)
    return Moments.of(
        weights, _transposed_times(X, values, weights), _transposed_times(X, squares, weights)
    )


def _transposed_times(X: Any, values: Array, matrix: Array) -> Array:
    """Return the product of the transpose of X, with its stored values replaced, and a matrix."""
    replaced = csr_array((values, X.indices, X.indptr), shape=X.shape)
    return replaced.T @ np.ascontiguousarray(matrix)
