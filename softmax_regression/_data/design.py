"""The base class of designs.

A design is the matrix X of a linear model, n_rows × n_columns, with the two products that
cross-entropy needs:

    scores(coef)             = coef Xᵀ       one row of scores for each output
    weighted_sum(residuals)  = residuals X   for each output, the rows of X summed with weights

Both are *class-major*: outputs along the first axis, rows of X along the last, contiguous axis. A
maximum or sum over classes then takes a few long passes over memory rather than a short loop for
each row of X, and softmax takes hardly longer than its exponentials.

A design can be indexed like an array of rows, which returns another design: a view for a slice, a
copy for an array of positions. So objectives read X in blocks that fit into the cache, minibatch
solvers draw rows, and both use the same two products. Code above this folder does not distinguish
dense from sparse X.

A design may compute in a higher precision than that of X (`astype`). Rows are then converted block
by block, without a copy of X.
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

_BLOCK_BYTES = 1 << 21  # Largest size of X, and of scores, in a block, so that they fit the cache.
# Fewest and most rows of a block. Short blocks waste time in calls and waits for the interpreter's
# lock, and long blocks exceed the cache.
_BLOCK_ROWS = (128, 1 << 15)


class Design(ABC):
    """X in row blocks; see the module's text for the contract.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_rows, n_columns)
        The matrix.
    dtype : dtype, default=None
        The precision of products; by default that of X.
    """

    is_scaled = False  # Whether values are about 1, so that sums in float32 are precise.

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
        """Return some of the rows: a view for a slice, a copy for positions."""

    def select(self, columns: NDArray[np.intp]) -> Self:
        """Return a copy of some of the columns."""
        return type(self)(self.X[:, columns], self.dtype)

    def in_rows(self) -> Self:
        """Return a design in which the values of a row are contiguous, a copy if necessary.

        Rows are then drawn in a fraction of the time, which pays off within a single epoch.
        """
        return self

    def in_turn(self) -> Self:
        """Return it for whoever goes through slices of the rows, and is done with one at a time.

        A slice that has to be converted may lie where the one before it did.
        """
        return self

    def room(self, n_rows: int) -> Self | None:
        """Return a design of `n_rows` uninitialised rows for `take`; None if that is impossible."""
        return None

    def take(self, rows: NDArray[np.intp], room: Self | None = None) -> Self:
        """Return a copy of some rows, written to `room` if that is given and possible."""
        return self[rows]

    @abstractmethod
    def masked(self, draw: Callable[[Array], None]) -> Self:
        """Multiply all stored values by numbers that `draw` writes to an array; return the design.

        The values are overwritten, so it must be a copy, as returned by `take`.
        """

    @abstractmethod
    def scores(self, coef: Any, out: Array | None = None) -> Array:
        """Return ``coef @ X.T``, (n_outputs, n_rows); without `out`, coef may be sparse."""

    @abstractmethod
    def times(self, matrix: Array, out: Array | None = None) -> Array:
        """Return ``X @ matrix``, of shape (n_rows, n_outputs)."""

    @abstractmethod
    def transposed_times(self, matrix: Array, out: Array | None = None) -> Array:
        """Return ``X.T @ matrix``, (n_columns, n_outputs)."""

    def laid_out(self, coef: Array) -> Array:
        """Return coefficients in the memory layout that is fastest for `scores`."""
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
        """Return X as a dense array in float64, which may be X itself."""

    def dense(self) -> Array:
        """Return X as a dense array in its own precision, X itself if it is dense."""
        return self.X.toarray() if issparse(self.X) else np.asarray(self.X)

    @property
    @abstractmethod
    def n_values(self) -> int:
        """The number of stored values of X, the multiplications of a product with X."""

    @abstractmethod
    def bytes_per_row(self) -> int:
        """Return the size of a row of X in memory, on average."""

    def least_rows(self) -> int:
        """Return the fewest rows of a block for which its overhead is small."""
        return 0

    def astype(self, dtype: Any) -> Self:
        """Return the same rows with products in another precision."""
        return type(self)(self.X, dtype)

    def blocks(self, n_outputs: int, n_threads: int = 1) -> list[slice]:
        """Return slices of rows that fit into the cache, as do their scores.

        There are at least as many as threads if there are enough rows.
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
        """Apply a function to runs of blocks, in threads if the product with X is large."""
        n_threads = usable_threads(self.n_values * n_outputs)
        return share_out(work, self.blocks(n_outputs, n_threads), n_threads)


def cut(rows: slice, n_rows: int) -> Sequence[slice]:
    """Return consecutive slices of at most `n_rows` rows each that make up a slice of rows."""
    first, last = rows.start, rows.stop
    if last - first <= n_rows:
        return (rows,)
    return [slice(start, min(start + n_rows, last)) for start in range(first, last, n_rows)]
