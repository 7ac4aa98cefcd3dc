"""An epoch of a network: the gradients of its batches, one after the other.

Rows of a few batches, a *stretch*, are gathered at a time, so that they are in the cache when their
batch comes, and what a batch needs is prepared once for all stretches of the same sizes: memory,
and views of it. A large batch is divided between *lanes*, one for each thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

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
from softmax_regression._objectives.network.layers import Layout, Passage
from softmax_regression.functional import Activation

_STRETCH_BYTES = 1 << 20  # of X and targets: they stay in the cache


class _Stretch:
    """A few batches whose rows are gathered together.

    Parameters
    ----------
    design, loss
        Where the rows come from.
    sizes, whole_sizes : sequence of int
        Rows of each batch, here and in all lanes.
    """

    def __init__(
        self,
        design: Design,
        loss: PointwiseLoss,
        sizes: Sequence[int],
        whole_sizes: Sequence[int],
    ):
        self.design = design
        self.targets = batch_targets(loss, sizes, whole_sizes, design.dtype)
        self.batches: list[tuple[Design, Callable[[Array], None]]] = []
        self._room = design.room(sum(sizes))
        self._gathered: Design | None = None

    def fill(self, rows: NDArray[np.intp], share: float) -> None:
        """Gather some rows, each to count for `share` times its weight."""
        gathered = self.design.take(rows, self._room)
        if gathered is not self._gathered:  # dense rows lie where the last ones did
            self._gathered = gathered
            self.batches = [
                (gathered[part], partial(self.targets.residual, i))
                for i, part in enumerate(self.targets.parts)
            ]
        self.targets.fill(rows, share)


class Lane:
    """What one thread sees of every batch.

    Parameters
    ----------
    design : Design
        X.
    loss : PointwiseLoss
        Targets and weights of the same rows.
    layout : Layout
        Sizes of the layers.
    activation : Activation
        f.
    dropout : Dropout or None
        What leaves out units.
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
        self._stretch_rows = _STRETCH_BYTES // row_bytes
        self._passages: dict[int, Passage] = {}
        self._stretches: dict[tuple[tuple[int, ...], ...], _Stretch] = {}

    def begin(
        self, batches: Sequence[NDArray[np.intp]], whole_sizes: Sequence[int], share: float
    ) -> None:
        """Get ready for another pass.

        Parameters
        ----------
        batches : sequence of ndarrays of int
            The rows of each batch that this lane is to see.
        whole_sizes : sequence of int
            How many rows the batches have in all lanes.
        share : float
            What a row of weight 1 counts for.
        """
        self._batches, self._whole_sizes, self._share = batches, whole_sizes, share
        self._first = self._next = self._end = 0
        self._stretch: _Stretch | None = None
        self._total = 0.0

    def gradient(self, params: Array, out: Array) -> None:
        """Write the part of the next batch's gradient that comes from its rows here."""
        if self._next == self._end:
            self._go_on()
        assert self._stretch is not None
        block, residual = self._stretch.batches[self._next - self._first]
        passage = self._passage(len(self._batches[self._next]))
        self._next += 1
        passage.there_and_back(block, params, residual, out)

    def total(self) -> float:
        """Return the weighted sum of cross-entropy over the pass."""
        if self._stretch is not None:
            self._total += self._stretch.targets.total()
            self._stretch = None
        return self._total

    def _go_on(self) -> None:
        """Gather the next stretch."""
        self.total()
        n_batches = max(1, self._stretch_rows // max(1, len(self._batches[self._end])))
        self._first, self._end = self._end, min(self._end + n_batches, len(self._batches))
        part = slice(self._first, self._end)
        batches = self._batches[part]
        sizes = tuple(len(batch) for batch in batches), tuple(self._whole_sizes[part])
        if sizes not in self._stretches:
            self._stretches[sizes] = _Stretch(self.design, self.loss, *sizes)
        self._stretch = self._stretches[sizes]
        self._stretch.fill(np.concatenate(batches), self._share)

    def _passage(self, n_rows: int) -> Passage:
        known = self._passages.get(n_rows)
        if known is None:
            known = self._passages[n_rows] = Passage(
                self.layout, self.activation, n_rows, self.design.dtype, self.dropout
            )
        return known


class NetworkPass(Pass):
    """One pass over some rows.

    Parameters
    ----------
    lanes : sequence of Lane
        Between which each batch is divided.
    batches : sequence of ndarrays of int
        Row numbers.
    share : float
        What a row of weight 1 counts for.
    l2 : float
        Strength of the penalty.
    n_penalized : int
        Length of the front part of the parameters that it is on.
    spare : sequence of ndarrays
        Memory for the gradients of all lanes but the first.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        batches: Sequence[NDArray[np.intp]],
        share: float,
        l2: float,
        n_penalized: int,
        spare: Sequence[Array],
    ):
        self._lanes, self._spare = lanes, spare
        self._l2, self._n_penalized = l2, n_penalized
        sizes = [len(batch) for batch in batches]
        self._sizes, self._n_rows = iter(sizes), sum(sizes)
        self._penalties = 0.0
        for i, lane in enumerate(lanes):
            cuts = [[n * j // len(lanes) for n in sizes] for j in (i, i + 1)]
            parts = [rows[a:b] for rows, a, b in zip(batches, *cuts, strict=True)]
            lane.begin(parts, sizes, share)

    def gradient(self, params: Array, out: Array) -> None:
        if len(self._lanes) == 1:
            self._lanes[0].gradient(params, out)
        else:
            outs = [out, *self._spare]

            def work(lanes: Sequence[int]) -> None:
                for i in lanes:
                    self._lanes[i].gradient(params, outs[i])

            share_out(work, range(len(outs)), len(outs))
            for part in self._spare:
                out += part
        n_rows = next(self._sizes)
        if self._l2:
            weights = params[: self._n_penalized]
            add_scaled(self._l2, weights, out[: self._n_penalized])
            self._penalties += n_rows * self._l2 / 2 * float(np.dot(weights, weights))

    def value(self) -> float:
        losses = sum(lane.total() for lane in self._lanes)
        return (losses + self._penalties) / self._n_rows
