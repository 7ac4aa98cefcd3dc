"""Dense X, whose products are calls of BLAS for every memory layout that BLAS can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from softmax_regression._data.design import Design, cut
from softmax_regression._data.moments import Moments
from softmax_regression._linalg.arrays import Array, Rows

# BLAS has quicker kernels for products of up to this many multiplications, so that larger ones are
# made of parts, each of some rows. No part has fewer rows than the second number.
_QUICK_MULTIPLICATIONS, _LEAST_PART_ROWS = 1_000_000, 8
_NARROW_COLUMNS = 16  # Up to this number of columns, NumPy is slow along rows.
# Bytes, and fewest rows, that are copied at a time from Fortran to C order.
_COPIED_BYTES, _MIN_COPIED_ROWS = 1 << 18, 16


class DenseDesign(Design):
    """A two-dimensional array, which is copied only if BLAS cannot read its memory layout.

    For such an array NumPy would use no BLAS, or copy it for each product.
    """

    def __init__(self, X: Array, dtype: Any = None):
        Design.__init__(self, X if X.flags.forc or _is_for_blas(X) else _by_rows(X), dtype)

    def __getitem__(self, rows: Rows) -> Self:
        if isinstance(rows, slice) and rows == slice(0, self.n_rows) and self.X.dtype == self.dtype:
            return self
        part = self.X[rows] if isinstance(rows, slice) else self._drawn(rows)
        return type(self)(part.astype(self.dtype, copy=False))

    def in_rows(self) -> Self:
        if self.X.strides[1] == self.X.itemsize:
            return self
        return type(self)(_by_rows(self.X), self.dtype)

    def in_turn(self) -> DenseDesign:
        return self if self.X.dtype == self.dtype else _ConvertedInTurn(self.X, self.dtype)

    def room(self, n_rows: int) -> Self | None:
        if self.X.dtype != self.dtype:
            return None
        return type(self)(np.empty((n_rows, self.n_columns), dtype=self.dtype))

    def take(self, rows: NDArray[np.intp], room: Self | None = None) -> Self:
        if room is None:
            return self[rows]
        if self.X.flags.c_contiguous:
            # The mode spares NumPy a buffer of the same size; row numbers are never out of range.
            self.X.take(rows, axis=0, out=room.X, mode="clip")
        else:
            room.X[...] = self._drawn(rows)
        return room

    def _drawn(self, rows: NDArray[np.intp]) -> Array:
        """Return a copy of some rows.

        NumPy's `take` is quickest for a C-contiguous array, but copies the whole of any other array
        first, such as a Fortran-ordered one, as DataFrames have, or every second row of an array.
        """
        return self.X.take(rows, axis=0) if self.X.flags.c_contiguous else self.X[rows]

    def masked(self, draw: Callable[[Array], None]) -> Self:
        mask = np.empty_like(self.X)
        draw(mask)
        self.X *= mask
        return self

    def scores(self, coef: Any, out: Array | None = None) -> Array:
        if out is None:
            if issparse(coef) or len(coef) * self.X.size <= _QUICK_MULTIPLICATIONS:
                return coef.dot(self.X.T)  # It is coef's method, as coef may be sparse.
            out = np.empty((len(coef), self.n_rows), dtype=np.result_type(coef, self.X))
        if not self._lies_in_rows:
            for rows in self._parts(len(coef)):
                np.matmul(coef, self.X[rows].T, out=out[:, rows])
        elif 1 < len(coef) <= self.n_columns // 2:
            # Only the small result is transposed, and X is not.
            turned = np.ascontiguousarray(coef.T)
            for rows in self._parts(len(coef)):
                out[:, rows] = self.X[rows].dot(turned).T
        else:
            np.matmul(coef, self.X.T, out=out)
        return out

    def times(self, matrix: Array, out: Array | None = None) -> Array:
        if out is None:
            return self.X.dot(matrix)  # For a single row it is much quicker than matmul.
        return np.matmul(self.X, matrix, out=out)

    def transposed_times(self, matrix: Array, out: Array | None = None) -> Array:
        return np.matmul(self.X.T, matrix, out=out)

    def weighted_sum(self, residuals: Array, out: Array | None = None) -> Array:
        if not self._lies_in_rows:
            return np.matmul(residuals, self.X, out=out)
        first, *others = self._parts(len(residuals))
        total: Array = np.matmul(residuals[:, first], self.X[first], out=out)
        for rows in others:
            total += residuals[:, rows].dot(self.X[rows])
        return total

    @property
    def _lies_in_rows(self) -> bool:
        """Whether the values of a row are contiguous."""
        return bool(self.X.strides[1] == self.X.itemsize)

    def _parts(self, n_outputs: int) -> Sequence[slice]:
        """Return slices of rows whose products with so many outputs are quick, or all rows."""
        step = _QUICK_MULTIPLICATIONS // max(1, n_outputs * self.n_columns)
        return cut(slice(0, self.n_rows), step if step >= _LEAST_PART_ROWS else self.n_rows)

    def standardized(self, means: Array, scales: Array, dtype: Any) -> Self:
        out = np.empty(self.X.shape, dtype=dtype)
        for rows in self.blocks(1):  # In float64, as values may nearly equal their mean.
            block = np.subtract(self.X[rows], means, dtype=np.float64)
            np.divide(block, scales, out=out[rows], casting="same_kind")
        return type(self)(out)

    def weighted_squares(self, weights: Array, scales: Array) -> Array:
        return weights @ np.square(np.divide(self.X, scales, dtype=np.float64))

    def moments(self, weights: Array) -> Moments:
        X, counted = self.X, weights > 0
        if not counted.all():  # Rows of weight 0 may hold any values.
            X, weights = X[counted], weights[counted]
        moments = _moments(X, weights)
        if X.dtype != np.float64:  # The squares of other dtypes are in the range of float64.
            return moments
        doubtful = moments.doubtful()
        if not len(doubtful):
            return moments
        varying = doubtful[(X[:, doubtful] != X[:1, doubtful]).any(axis=0)]
        if not len(varying):
            return moments
        values = X[:, varying]
        exponents = np.frexp(np.abs(values).max(axis=0))[1]
        anew = _moments(np.ldexp(values, -exponents), weights)
        return moments.with_columns(varying, anew.times_powers_of_two(exponents))

    def toarray(self) -> Array:
        return self.X.astype(np.float64, copy=False)

    @property
    def n_values(self) -> int:
        return int(self.X.size)

    def bytes_per_row(self) -> int:
        return self.n_columns * self.dtype.itemsize


class _ConvertedInTurn(DenseDesign):
    """Rows whose slices are converted in the same memory, one after the other.

    New memory would take longer than to convert them, above all where a process gives it back.
    """

    _memory: Array | None = None

    def __getitem__(self, rows: Rows) -> DenseDesign:  # type: ignore[override]  # of some rows
        if not isinstance(rows, slice):
            return DenseDesign(self.X, self.dtype)[rows]
        part = self.X[rows]
        if self._memory is None or len(self._memory) < part.size:
            self._memory = np.empty(part.size, dtype=self.dtype)
        by_rows = part.strides[1] <= part.strides[0]
        memory = self._memory[: part.size]
        converted = memory.reshape(part.shape, order="C" if by_rows else "F")
        converted[...] = part
        return DenseDesign(converted)


def _is_for_blas(X: Array) -> bool:
    """Return whether BLAS can read an X that is not contiguous, but whose rows or columns are."""
    (n_rows, n_columns), (by_row, by_column), size = X.shape, X.strides, X.itemsize
    rows = by_column == size and by_row % size == 0 and by_row >= n_columns * size
    columns = by_row == size and by_column % size == 0 and by_column >= n_rows * size
    return bool(rows or columns)


def _by_rows(X: Array) -> Array:
    """Return a copy in C order, made in blocks that fit into the cache."""
    copy = np.empty(X.shape, dtype=X.dtype)
    step = max(_MIN_COPIED_ROWS, _COPIED_BYTES // max(1, X.shape[1] * X.itemsize))
    for start in range(0, len(X), step):
        copy[start : start + step] = X[start : start + step]
    return copy


@np.errstate(over="ignore", invalid="ignore")
def _moments(X: Array, weights: Array) -> Moments:
    """Return the moments of the columns; what overflows is infinite or NaN."""
    origin = X[0] if len(X) else np.zeros(X.shape[1])
    # Deviations from the first row avoid a variance that is a difference of large numbers.
    if X.shape[1] <= _NARROW_COLUMNS:
        moved = np.empty(X.shape[::-1])
        np.subtract(X.T, origin[:, None], out=moved, dtype=np.float64)
    else:
        moved = np.subtract(X, origin, dtype=np.float64).T
    totals = moved @ weights
    np.square(moved, out=moved)  # Allocating memory takes longer than the squares.
    return Moments.of(weights, totals, moved @ weights, origin)
