r"""X in blocks of rows with their targets and weights, and sums over the rows.

All that an objective needs from the data are sums over rows (or a maximum, or whether a condition
holds for all of them). They are computed by

    data.map_reduce(kernel, params)

which calls ``kernel(block, params)`` for each `Block` of rows and adds up the results. A kernel is
a function at the top of a module, so that it and its parameters can be pickled. It loops over the
pieces of its block, which fit into the cache, and returns a small tuple of arrays and numbers.
`Dataset` holds all rows in memory, and distributes the blocks over threads. To add a storage
(chunks on disk, workers of a cluster), write a subclass of `RowBlocks` that calls kernels there.

Values that are kept for each row, such as its probabilities, stay with its block: `values_of_rows`
allocates them, and a kernel accesses them as ``block.kept``. Each block draws its own rows of a
sample.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from softmax_regression._data.design import Design, cut
from softmax_regression._data.make import stacked
from softmax_regression._data.moments import Moments
from softmax_regression._data.sums import Sample, add_up
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import share_out, usable_threads
from softmax_regression._losses.pointwise import PointwiseLoss


class Block(NamedTuple):
    """Some rows, as they are passed to a kernel.

    Parameters
    ----------
    design : Design
        The rows of X, perhaps with other rows.
    loss : PointwiseLoss
        Targets and weights of the rows of `design`.
    pieces : sequence of slice
        The rows of `design` that belong to the block, in pieces that fit into the cache.
    first : int
        The position of the first row of `design` in the whole data set.
    kept : ndarray of shape (n_values, design.n_rows) or None
        Values that are kept for each row of `design`.
    """

    design: Design
    loss: PointwiseLoss
    pieces: Sequence[slice]
    first: int = 0
    kept: Array | None = None

    def scratch(self, n_values: int, dtype: Any) -> Array:
        """Return memory for some values of each row, enough for any single piece."""
        longest = max((rows.stop - rows.start for rows in self.pieces), default=0)
        return np.empty(n_values * longest, dtype=dtype)

    def regrouped(self, n_rows: int) -> Sequence[slice]:
        """Return pieces of `n_rows` rows each that make up the same rows."""
        return cut(self.rows, n_rows)

    @property
    def rows(self) -> slice:
        """The rows of `design` that belong to the block."""
        return slice(self.pieces[0].start, self.pieces[-1].stop) if self.pieces else slice(0, 0)


class RowBlocks(ABC):
    """The rows of a data set, as objectives use them, in any storage.

    Attributes
    ----------
    n_rows, n_columns : int
        The shape of X.
    dtype : dtype
        The precision in which products with X are computed.
    n_outputs, n_classes : int
        The number of scores of a row, and the number of classes.
    has_offset : bool
        Whether offsets are added to scores.
    design : Design
        X, or if the rows are not in memory, an object of its shape.
    remembers_rows : bool
        Whether values of each row can be kept; otherwise kernels compute them again.
    """

    design: Any
    n_rows: int
    n_columns: int
    dtype: np.dtype[Any]
    n_outputs: int
    n_classes: int
    remembers_rows: bool = True

    has_offset: bool = False
    _moments: Moments | None = None
    _target_means: Array | None = None

    @property
    @abstractmethod
    def n_values(self) -> int:
        """The number of stored values of X, the multiplications of a product with X."""

    @property
    @abstractmethod
    def stored_dtype(self) -> np.dtype[Any]:
        """The precision in which X is stored."""

    @property
    @abstractmethod
    def class_shares(self) -> Array:
        """The share of each class in the weighted targets, of shape (n_classes,)."""

    @abstractmethod
    def map_reduce(
        self,
        kernel: Callable[[Block, Any], Any],
        params: Any = None,
        *,
        width: int = 1,
        kept: Any = None,
        reduce: Callable[[Sequence[Any]], Any] = add_up,
    ) -> Any:
        """Apply a kernel to all blocks and combine the results.

        Parameters
        ----------
        kernel : callable
            The function of a block and `params`.
        params : object, default=None
            Parameters that are passed for all blocks.
        width : int, default=1
            The number of multiplications for each value of X, as a rule the number of outputs. The
            size of blocks and the use of threads depend on it.
        kept : object, default=None
            What `values_of_rows` has returned; each block gets its part.
        reduce : callable, default=add_up
            Combines the results of the blocks, in any order.
        """

    @abstractmethod
    def values_of_rows(self, n_values: int, dtype: Any) -> Any:
        """Allocate some values of each row, to be passed to `map_reduce`."""

    @abstractmethod
    def take(self, sample: Sample) -> RowBlocks:
        """Return the rows of a sample, with their weights multiplied by its factors."""

    @abstractmethod
    def astype(self, dtype: Any) -> Self:
        """Return the same rows with products in a dtype, or in that of the weights if wider."""

    @abstractmethod
    def select(self, columns: NDArray[np.intp]) -> Self:
        """Return the same rows with some of the columns of X."""

    def offset_means(self) -> Array:
        """Return the weighted mean of the offsets, (n_outputs,)."""
        return np.zeros(self.n_outputs)

    def laid_out(self, coef: Array) -> Array:
        """Return coefficients in the memory layout that is fastest for products with X."""
        return coef

    def moments(self) -> Moments:
        """Return weighted means and deviations of the columns of X, which are computed once."""
        if self._moments is None:
            self._moments = self.map_reduce(column_moments, reduce=Moments.pooled)
        return self._moments

    def target_means(self) -> Array:
        """Return the weighted mean of y xᵀ, (n_outputs, n_columns), which is computed once."""
        if self._target_means is None:
            (total,) = self.map_reduce(target_sums, width=self.n_outputs)
            self._target_means = total / self.n_rows
        return self._target_means

    def target_entropy(self) -> float:
        """Return the weighted mean of the entropies of the rows' targets, which is 0 for labels."""
        (total,) = self.map_reduce(target_entropy_sums)
        return float(total) / self.n_rows


class Dataset(RowBlocks):
    """Rows in memory, whose blocks are distributed over threads.

    Parameters
    ----------
    design : Design
        X.
    loss : PointwiseLoss
        Targets and weights of the same rows.
    """

    def __init__(self, design: Design, loss: PointwiseLoss, moments: Moments | None = None):
        self.design = design
        self.loss = loss
        self.n_rows, self.n_columns = design.n_rows, design.n_columns
        self.dtype = design.dtype
        self.n_outputs, self.n_classes = loss.n_outputs, loss.n_classes
        self.has_offset = loss.has_offset
        self._moments = moments

    @property
    def n_values(self) -> int:
        return self.design.n_values

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        return self.design.stored_dtype

    @property
    def class_shares(self) -> Array:
        return self.loss.class_shares

    def map_reduce(
        self,
        kernel: Callable[[Block, Any], Any],
        params: Any = None,
        *,
        width: int = 1,
        kept: Any = None,
        reduce: Callable[[Sequence[Any]], Any] = add_up,
    ) -> Any:
        n_threads = usable_threads(self.n_values * width)
        pieces = self.design.blocks(width, n_threads)
        work = partial(self._call, kernel, params, kept)
        return reduce(share_out(work, pieces, n_threads))

    def _call(
        self, kernel: Callable[[Block, Any], Any], params: Any, kept: Any, pieces: Sequence[slice]
    ) -> Any:
        return kernel(Block(self.design.in_turn(), self.loss, pieces, 0, kept), params)

    def values_of_rows(self, n_values: int, dtype: Any) -> Array:
        return np.empty((n_values, self.n_rows), dtype=dtype)

    def offset_means(self) -> Array:
        return self.loss.offset_means()

    def laid_out(self, coef: Array) -> Array:
        return self.design.laid_out(coef)

    def take(self, sample: Sample) -> Dataset:
        return Dataset(self.design[sample.rows], self.loss.take(sample.rows, sample.factor))

    @classmethod
    def joined(cls, parts: Sequence[Dataset]) -> Dataset:
        """Return a data set of the rows of several others."""
        first = parts[0]
        design = stacked([part.design for part in parts])
        return Dataset(design, first.loss.joined([part.loss for part in parts]))

    def astype(self, dtype: Any) -> Self:
        if self.loss.weight is not None:
            dtype = np.promote_types(dtype, self.loss.weight.dtype)
        return type(self)(self.design.astype(dtype), self.loss, self._moments)

    def select(self, columns: NDArray[np.intp]) -> Self:
        moments = None if self._moments is None else self._moments.select(columns)
        return type(self)(self.design.select(columns), self.loss, moments)


def target_sums(block: Block, _: None) -> tuple[Array]:
    """Return Σ s_i y_i x_iᵀ over a block, in float64."""
    design, loss = block.design, block.loss
    total = np.zeros((loss.n_outputs, design.n_columns))
    part = np.empty(total.shape, dtype=design.dtype)
    for rows in block.pieces:
        targets = loss.target_rows(rows).astype(design.dtype, copy=False)
        total += design[rows].weighted_sum(targets, out=part)
    return (total,)


def target_entropy_sums(block: Block, _: None) -> tuple[float]:
    """Return the weighted sum of the entropies of the targets of a block."""
    targets = block.loss.targets
    if targets.ndim == 1:
        return (0.0,)
    entropies = entr(targets[:, block.rows].astype(np.float64)).sum(axis=0)
    return (float(entropies @ block.loss.row_weights(block.rows)),)


def column_moments(block: Block, _: None) -> Moments:
    """Return the moments of the columns of a block."""
    return Moments.pooled(
        block.design[rows].moments(block.loss.row_weights(rows)) for rows in block.pieces
    )
