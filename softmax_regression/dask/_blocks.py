"""`DaskBlocks`: rows in the chunks of Dask collections, as the storage of objectives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import uuid4

import numpy as np
from dask import delayed
from numpy.typing import NDArray
from scipy.sparse import csr_array

from softmax_regression._data.dataset import Block, Dataset, RowBlocks
from softmax_regression._data.make import as_design
from softmax_regression._data.moments import Moments
from softmax_regression._data.sums import Sample, add_up
from softmax_regression._linalg.arrays import Array
from softmax_regression.dask._chunks import Request, View, apply_to_chunks, combine
from softmax_regression.dask._schedulers import Scheduler

_TREE_FAN_IN = 8  # The number of results that one task of the reduction tree combines.


@dataclass
class Facts:
    """The properties of all rows together, which need no further pass.

    Parameters
    ----------
    n_rows, n_columns : int
        The shape of X.
    n_values : int
        The number of stored values of X.
    stored_dtype : dtype
        The precision in which X is stored.
    is_sparse : bool
        Whether X is sparse.
    n_outputs, n_classes : int
        The number of scores of a row, and the number of classes.
    class_shares : ndarray of shape (n_classes,)
        The share of each class in the weighted targets.
    moments : Moments or None
        The moments of the columns, if the first pass has computed them.
    target_means : ndarray of shape (n_outputs, n_columns) or None
        The weighted mean of y xᵀ, if the first pass has computed it.
    target_entropy : float or None
        The weighted mean of the entropies of the targets, if it is known.
    n_passes : int
        The number of passes over all rows so far.
    """

    n_rows: int
    n_columns: int
    n_values: int
    stored_dtype: np.dtype[Any]
    is_sparse: bool
    n_outputs: int
    n_classes: int
    class_shares: Array
    moments: Moments | None = None
    target_means: Array | None = None
    target_entropy: float | None = None
    n_passes: int = field(default=1)


class DaskBlocks(RowBlocks):
    """Rows in chunks, each of which is the result of a Dask task.

    In a pass, one task applies a kernel to each chunk, or to all chunks that a thread of a worker
    keeps. A tree of further tasks combines the results, so that one small result is returned. No
    values of single rows are kept between passes: Dask may repeat a task on another worker, and a
    chunk that is not persisted takes no memory between passes.

    Parameters
    ----------
    chunks : sequence of Delayed
        The tasks whose results are of class `Chunk`.
    facts : Facts
        The properties of all rows, which all views of the same rows share.
    scheduler : Scheduler
        The scheduler that computes the tasks.
    view : View
        The precision of products and the columns that are used.
    """

    remembers_rows = False

    def __init__(self, chunks: Sequence[Any], facts: Facts, scheduler: Scheduler, view: View):
        self.chunks, self.facts, self.scheduler, self.view = chunks, facts, scheduler, view
        self.n_rows = facts.n_rows
        self.n_columns = facts.n_columns if view.columns is None else len(view.columns)
        self.dtype = view.dtype
        self.n_outputs, self.n_classes = facts.n_outputs, facts.n_classes
        self._moments, self._target_means = facts.moments, facts.target_means
        if view.columns is not None:
            if facts.moments is not None:
                self._moments = facts.moments.select(view.columns)
            if facts.target_means is not None:
                self._target_means = facts.target_means[:, view.columns]
        empty = np.empty((0, self.n_columns))
        self._example = as_design(csr_array(empty) if facts.is_sparse else empty)

    @property
    def design(self) -> Self:
        """The object itself, because code that chooses a problem uses only the shape of X."""
        return self

    @property
    def n_values(self) -> int:
        return self.facts.n_values * self.n_columns // max(1, self.facts.n_columns)

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        return self.facts.stored_dtype

    @property
    def class_shares(self) -> Array:
        return self.facts.class_shares

    def map_reduce(
        self,
        kernel: Callable[[Block, Any], Any],
        params: Any = None,
        *,
        width: int = 1,
        kept: Any = None,
        reduce: Callable[[Sequence[Any]], Any] = add_up,
    ) -> Any:
        assert kept is None
        request = Request(kernel, params, width, self.view, np.geterr())
        (result,) = self.scheduler.compute([self._pass(request, reduce)])
        self.facts.n_passes += 1
        return result

    def _pass(self, request: Request, reduce: Callable[[Sequence[Any]], Any]) -> Any:
        """Return the last task of a pass, whose tasks carry the name of the kernel."""
        name, token = task_name(request.kernel), uuid4().hex
        # As a task of its own, the request is sent to each worker only once.
        sent = delayed(request, name=f"softmax-parameters-{token}", traverse=False)
        apply, reduction = delayed(apply_to_chunks), delayed(combine)
        parts = [
            apply(group, sent, reduce, dask_key_name=f"{name}-{token}-{i}")
            for i, group in enumerate(self.scheduler.groups(self.chunks))
        ]
        level = 0
        while len(parts) > 1 or not level:
            groups = [parts[i : i + _TREE_FAN_IN] for i in range(0, len(parts), _TREE_FAN_IN)]
            parts = [
                reduction(group, reduce, dask_key_name=f"softmax-sum-{token}-{level}-{i}")
                for i, group in enumerate(groups)
            ]
            level += 1
        return parts[0]

    def values_of_rows(self, n_values: int, dtype: Any) -> Any:
        raise NotImplementedError("Values of single rows are not kept.")

    def laid_out(self, coef: Array) -> Array:
        return self._example.laid_out(coef)

    def target_entropy(self) -> float:
        if self.facts.target_entropy is None:
            self.facts.target_entropy = super().target_entropy()
        return self.facts.target_entropy

    def moments(self) -> Moments:
        if self._moments is None and self.view.columns is None:
            self.facts.moments = super().moments()
        return super().moments()

    def take(self, sample: Sample) -> Dataset:
        taken: Dataset = self.map_reduce(sampled_rows, sample, reduce=Dataset.joined)
        return taken

    def astype(self, dtype: Any) -> Self:
        return self._with_view(replace(self.view, dtype=np.dtype(dtype)))

    def select(self, columns: NDArray[np.intp]) -> Self:
        known = self.view.columns
        return self._with_view(
            replace(self.view, columns=columns if known is None else known[columns])
        )

    def _with_view(self, view: View) -> Self:
        other = type(self)(self.chunks, self.facts, self.scheduler, view)
        if view.columns is self.view.columns:
            other._moments = other._moments or self._moments
        return other


def task_name(kernel: Callable[..., Any]) -> str:
    """Return the name of the tasks of a kernel, ``softmax-gradient`` for `gradient_sums`."""
    words = kernel.__name__.strip("_").removesuffix("_sums")
    return "softmax-" + words.replace("_", "-")


def sampled_rows(block: Block, sample: Sample) -> Dataset:
    """Return the rows of a block that are in a sample."""
    first = block.first + block.rows.start
    begin, end = np.searchsorted(sample.rows, [first, block.first + block.rows.stop])
    rows = sample.rows[begin:end] - block.first
    return Dataset(block.design[rows], block.loss.take(rows, sample.factor[begin:end]))
