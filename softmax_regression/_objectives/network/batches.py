"""One epoch of training a network, which computes the gradients of its batches in turn.

The rows of a few batches, a *chunk*, are gathered together, so that they are in the cache when
their batches are used. Memory and views of it are prepared once for all chunks of the same batch
sizes. A large batch is divided between *shards*, one for each thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.blas import add_scaled
from softmax_regression._linalg.threads import share_out
from softmax_regression._losses.batch_targets import batch_targets
from softmax_regression._losses.pointwise import PointwiseLoss
from softmax_regression._objectives.base import Pass
from softmax_regression._objectives.network.dropout import Dropout
from softmax_regression._objectives.network.layers import Layout, Workspace
from softmax_regression.functional import Activation

_CHUNK_BYTES = 1 << 20  # The size of X and targets in a chunk, which stay in the cache.


class _RowChunk:
    """A few batches whose rows are gathered together.

    Parameters
    ----------
    design, loss
        All rows, and their targets and weights.
    sizes, whole_sizes : sequence of int
        The numbers of rows of each batch in this shard, and in all shards.
    n_members : int
        The number of networks, for each of which the targets of a batch are repeated.
    """

    def __init__(
        self,
        design: Design,
        loss: PointwiseLoss,
        sizes: Sequence[int],
        whole_sizes: Sequence[int],
        n_members: int,
    ):
        self.design = design
        self._parts = [slice(a, b) for a, b in pairwise(accumulate(sizes, initial=0))]
        self._n_members = n_members
        of_all = [n_members * size for size in sizes]
        self.targets = batch_targets(loss, of_all, whole_sizes, design.dtype)
        self.batches: list[tuple[Design, Callable[[Array], None]]] = []
        self._room = design.room(sum(sizes))
        self._gathered: Design | None = None

    def fill(self, rows: NDArray[np.intp], share: float) -> None:
        """Gather the given rows, with `share` times their weights."""
        gathered = self.design.take(rows, self._room)
        if gathered is not self._gathered:  # Dense rows are gathered into the same memory.
            self._gathered = gathered
            self.batches = [
                (gathered[part], partial(self.targets.residual, i))
                for i, part in enumerate(self._parts)
            ]
        if self._n_members > 1:
            rows = np.concatenate([np.tile(rows[part], self._n_members) for part in self._parts])
        self.targets.fill(rows, share)


class Shard:
    """The part of every batch that one thread works on.

    Parameters
    ----------
    design : Design
        The rows of X.
    loss : PointwiseLoss
        Targets and weights of the same rows.
    layout : Layout
        The sizes of the layers.
    activation : Activation
        The activation f of the hidden layers.
    dropout : Dropout or None
        The masks of dropout, if there is any.
    """

    def __init__(
        self,
        design: Design,
        loss: PointwiseLoss,
        layout: Layout,
        activation: Activation,
        dropout: Dropout | None,
    ):
        self.design = design
        self.loss = loss
        self.layout = layout
        self.activation = activation
        self.dropout = None if dropout is None else dropout.spawn()
        row_bytes = design.bytes_per_row() + loss.n_outputs * design.dtype.itemsize
        self._rows_per_chunk = _CHUNK_BYTES // row_bytes
        self._workspaces: dict[int, Workspace] = {}
        self._chunks: dict[tuple[tuple[int, ...], ...], _RowChunk] = {}

    def begin(
        self, batches: Sequence[NDArray[np.intp]], whole_sizes: Sequence[int], share: float
    ) -> None:
        """Begin an epoch.

        Parameters
        ----------
        batches : sequence of ndarrays of int
            The row indices of this shard's part of each batch.
        whole_sizes : sequence of int
            The numbers of rows of the batches in all shards.
        share : float
            The factor of all weights, which a row of weight 1 counts for.
        """
        self._batches, self._whole_sizes, self._share = batches, whole_sizes, share
        self._first = self._next = self._end = 0
        self._chunk: _RowChunk | None = None
        self._total = 0.0

    def gradient(self, params: Array, out: Array) -> None:
        """Write the part of the next batch's gradient that comes from this shard's rows."""
        if self._next == self._end:
            self._go_on()
        assert self._chunk is not None
        block, residual = self._chunk.batches[self._next - self._first]
        workspace = self._workspace(len(self._batches[self._next]))
        self._next += 1
        workspace.write_gradient(block, params, residual, out)

    def total(self) -> float:
        """Return the weighted sum of the cross-entropies of all members over the epoch."""
        if self._chunk is not None:
            self._total += self._chunk.targets.total()
            self._chunk = None
        return self._total

    def _go_on(self) -> None:
        """Gather the rows of the next chunk."""
        self.total()
        n_batches = max(1, self._rows_per_chunk // max(1, len(self._batches[self._end])))
        self._first, self._end = self._end, min(self._end + n_batches, len(self._batches))
        part = slice(self._first, self._end)
        batches = self._batches[part]
        sizes = tuple(len(batch) for batch in batches), tuple(self._whole_sizes[part])
        if sizes not in self._chunks:
            self._chunks[sizes] = _RowChunk(self.design, self.loss, *sizes, self.layout.n_members)
        self._chunk = self._chunks[sizes]
        self._chunk.fill(np.concatenate(batches), self._share)

    def _workspace(self, n_rows: int) -> Workspace:
        known = self._workspaces.get(n_rows)
        if known is None:
            known = self._workspaces[n_rows] = Workspace(
                self.layout, self.activation, n_rows, self.design.dtype, self.dropout
            )
        return known


class NetworkEpoch(Pass):
    """One epoch over the rows of given batches.

    Each of several members has the gradient of its own loss, and the value is the mean of theirs.

    Parameters
    ----------
    shards : sequence of Shard
        The shards that each batch is divided between.
    batches : sequence of ndarrays of int
        The row indices of each batch.
    share : float
        The factor of all weights, which a row of weight 1 counts for.
    l2 : float
        The strength of the penalty.
    n_penalized : int
        The number of parameters that are penalised, at the front of the vector.
    spare : sequence of ndarrays
        Memory for the gradients of all shards but the first.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        batches: Sequence[NDArray[np.intp]],
        share: float,
        l2: float,
        n_penalized: int,
        spare: Sequence[Array],
    ):
        self._shards, self._spare = shards, spare
        self._l2, self._n_penalized = l2, n_penalized
        sizes = [len(batch) for batch in batches]
        self._sizes, self._n_rows = iter(sizes), sum(sizes)
        self._penalties = 0.0
        for i, shard in enumerate(shards):
            cuts = [[n * j // len(shards) for n in sizes] for j in (i, i + 1)]
            parts = [rows[a:b] for rows, a, b in zip(batches, *cuts, strict=True)]
            shard.begin(parts, sizes, share)

    def gradient(self, params: Array, out: Array) -> None:
        if len(self._shards) == 1:
            self._shards[0].gradient(params, out)
        else:
            outs = [out, *self._spare]

            def work(shards: Sequence[int]) -> None:
                for i in shards:
                    self._shards[i].gradient(params, outs[i])

            share_out(work, range(len(outs)), len(outs))
            for part in self._spare:
                out += part
        n_rows = next(self._sizes)
        if self._l2:
            weights = params[: self._n_penalized]
            add_scaled(self._l2, weights, out[: self._n_penalized])
            self._penalties += n_rows * self._l2 / 2 * float(np.dot(weights, weights))

    def value(self) -> float:
        losses = sum(shard.total() for shard in self._shards)
        return (losses + self._penalties) / (self._n_rows * self._shards[0].layout.n_members)
