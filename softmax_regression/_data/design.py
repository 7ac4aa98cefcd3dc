"""What a design is.

A design is the matrix X of a linear model, n_rows × n_columns, seen through the two products that
cross-entropy needs:

    scores(coef)             = coef Xᵀ       one row of scores for each output
    weighted_sum(residuals)  = residuals X   for each output, the rows of X summed with weights

Both are *class-major*: outputs along the first axis, rows of X along the last, contiguous one. A
maximum or sum over classes is then a few long passes over memory rather than a short loop for each
row of X, and the softmax of a block of rows runs at the speed of its exponentials.

A design can be indexed like an array of rows, and gives another design: a slice is a view, an array
of row numbers a copy. So an objective goes through X in blocks that stay in the cache, a minibatch
solver draws its rows, and both use the same two products. Nobody above this folder asks whether X
is dense or sparse.

A design may compute in a higher precision than X is stored in (`astype`). Its rows are then
converted block by block, so that X never is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from softmax_regression._data.moments import Moments
from softmax_regression._linalg.arrays import Array, Rows
from softmax_regression._linalg.threads import share_out, usable_threads

T = TypeVar("T")

_BLOCK_BYTES = 1 << 21  # Of X, and of scores, in a block: they stay in the cache.
# Fewer rows waste calls, more waste cache; and threads that call often wait for the interpreter.
_BLOCK_ROWS = (128, 1 << 15)


class Design(ABC):
    """X in row blocks; see the module's text for the contract.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_rows, n_columns)
        The matrix.
    dtype : dtype, default=None
        The precision to compute in; by default that of X.
    """

    is_scaled = False  # Whether values are of size 1, so that sums of them keep their digits.

    def __init__(self, X: Any, dtype: Any = None):
        self.X = X
        self.n_rows: int
        self.n_columns: int
        self.n_rows, self.n_columns = X.shape
        self.dtype: np.dtype[Any] = X.dtype if dtype is None else np.dtype(dtype)

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """The precision in which X is stored."""
        return self.X.dtype

    @abstractmethod
    def __getitem__(self, rows: Rows) -> Self:
        """Return some of the rows: a view for a slice, a copy for row numbers."""

    def select(self, columns: NDArray[np.intp]) -> Self:
        """Return a copy of some of the columns."""
        return type(self)(self.X[:, columns], self.dtype)

    def in_rows(self) -> Self:
        """Return it with the values of a row next to each other: a copy unless they are.

        Rows are then drawn in a fraction of the time, which is worth a copy for a single epoch.
        """
        return self

    def in_turn(self) -> Self:
        """Return it for whoever goes through slices of the rows, and is done with one at a time.

        A slice that has to be converted may lie where the one before it did.
        """
        return self

    def room(self, n_rows: int) -> Self | None:
        """Return so many rows without values for `take` to fill, where it can."""
        return None

    def take(self, rows: NDArray[np.intp], room: Self | None = None) -> Self:
        """Return a copy of some rows: `room` with their values, if as many were made for them."""
        return self[rows]

    @abstractmethod
    def masked(self, draw: Callable[[Array], None]) -> Self:
        """Return it with all values that are stored multiplied by what `draw` fills an array with.

        Overwrites them: for what `take` has returned.
        """

    @abstractmethod
    def scores(self, coef: Any, out: Array | None = None) -> Array:
        """Return ``coef @ X.T``, (n_outputs, n_rows); without `out`, coef may be sparse."""

    @abstractmethod
    def times(self, matrix: Array, out: Array | None = None) -> Array:
        """Return ``X @ matrix``, (n_rows, n_outputs), for whoever wants it row by row."""

    @abstractmethod
    def transposed_times(self, matrix: Array, out: Array | None = None) -> Array:
        """Return ``X.T @ matrix``, (n_columns, n_outputs)."""

    def laid_out(self, coef: Array) -> Array:
        """Return coefficients as `scores` reads them fastest."""
        return coef

    @abstractmethod
    def weighted_sum(self, residuals: Array, out: Array | None = None) -> Array:
        """Return ``residuals @ X``, of shape (n_outputs, n_columns)."""

    @abstractmethod
    def standardized(self, means: Array, scales: Array, dtype: Any) -> Self:
        """Return a copy in some precision, columns less their means, divided by their scales.

        Sparse rows stay sparse: their means must be 0.
        """

    @abstractmethod
    def weighted_squares(self, weights: Array, scales: Array) -> Array:
        """Return Σ_i weights_ki (x_ij / scales_j)², of shape (n_outputs, n_columns), in float64."""

    @abstractmethod
    def moments(self, weights: Array) -> Moments:
        """Return means and standard deviations of the columns, in float64."""

    @abstractmethod
    def toarray(self) -> Array:
        """Return X as a dense array in float64; maybe X itself."""

    def dense(self) -> Array:
        """Return X as a dense array in its own precision: X itself where it is one."""
        return self.X.toarray() if issparse(self.X) else np.asarray(self.X)

    @property
    @abstractmethod
    def n_values(self) -> int:
        """How many numbers of X are stored: a product with X costs that many operations."""

    @abstractmethod
    def bytes_per_row(self) -> int:
        """Return the size of a row of X in memory, on average."""

    def least_rows(self) -> int:
        """Return how many rows make up for what a block of any size costs."""
        return 0

    def astype(self, dtype: Any) -> Self:
        """Return the same rows, computed with in another precision."""
        return type(self)(self.X, dtype)

    def blocks(self, n_outputs: int, n_threads: int = 1) -> list[slice]:
        """Cut the rows into blocks that fit the cache, and so do their scores.

        There is one for each thread, if there are rows enough.
        """
        fewest, most = _BLOCK_ROWS
        of_rows = _BLOCK_BYTES // max(1, self.bytes_per_row())
        of_scores = _BLOCK_BYTES // (n_outputs * self.dtype.itemsize)
        of_thread = -(-self.n_rows // n_threads)
        at_least = -(
            -of_thread // max(1, of_thread // max(1, self.least_rows()))
        )  # All blocks of a thread have about the same size.
        step = min(max(min(of_rows, of_scores, of_thread), at_least, fewest), most)
        return [
            slice(start, min(start + step, self.n_rows)) for start in range(0, self.n_rows, step)
        ]

    def map_blocks(self, work: Callable[[Sequence[slice]], T], n_outputs: int) -> list[T]:
        """Apply a function to runs of blocks, on threads where the product with X is worth it."""
        n_threads = usable_threads(self.n_values * n_outputs)
        return share_out(work, self.blocks(n_outputs, n_threads), n_threads)
