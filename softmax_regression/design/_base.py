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
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rows = slice | NDArray[np.intp]

_BLOCK_BYTES = 1 << 20  # of X and scores together: about the second-level cache of one core
_BLOCK_ROWS = (128, 8192)  # fewer rows waste calls, more waste cache


class Design(ABC):
    """X in row blocks; see the module's text for the contract."""

    n_rows: int
    n_columns: int
    dtype: np.dtype[Any]

    @abstractmethod
    def __getitem__(self, rows: Rows) -> Self:
        """Return some of the rows: a view for a slice, a copy for row numbers."""

    @abstractmethod
    def scores(self, coef: Any) -> Array:
        """Return ``coef @ X.T``, a new array of shape (n_outputs, n_rows); coef may be sparse."""

    @abstractmethod
    def weighted_sum(self, residuals: Array, out: Array | None = None) -> Array:
        """Return ``residuals @ X``, of shape (n_outputs, n_columns)."""

    @abstractmethod
    def weighted_total(self, weight: Array) -> Array:
        """Return Σ_i weight_i x_ij for each column, in float64."""

    @abstractmethod
    def weighted_squares(self, weight: Array) -> Array:
        """Return Σ_i weight_i x_ij² for each column, in float64."""

    @property
    @abstractmethod
    def n_values(self) -> int:
        """How many numbers of X are stored: a product with X costs that many operations."""

    @abstractmethod
    def bytes_per_row(self) -> int:
        """Return the size of a row of X in memory, on average."""

    def blocks(self, n_outputs: int) -> Iterator[slice]:
        """Cut the rows into blocks that fit the cache beside their scores."""
        per_row = self.bytes_per_row() + 2 * n_outputs * self.dtype.itemsize
        step = int(np.clip(_BLOCK_BYTES // per_row, *_BLOCK_ROWS))
        for start in range(0, self.n_rows, step):
            yield slice(start, min(start + step, self.n_rows))
