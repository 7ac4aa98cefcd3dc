"""Cross-entropy of minibatches: residuals batch by batch, values chunk by chunk.

A training loop needs the gradient of each batch, but its loss only at the end of the epoch. So the
targets of several batches, a chunk, are gathered together and multiplied by the weights of the
rows. Each batch keeps the normalisers of its probabilities, whose logarithms are computed for the
whole chunk. The formulae are those of `pointwise.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.pointwise import PointwiseLoss


class BatchTargets(ABC):
    """Targets of consecutive batches of given sizes.

    Parameters
    ----------
    loss : PointwiseLoss
        Targets and weights of all rows.
    sizes : sequence of int
        The number of rows of each batch.
    whole_sizes : sequence of int
        The numbers of rows of the whole batches, of which these may be parts; means are over these.
    dtype : dtype
        The dtype of scores.
    """

    def __init__(
        self, loss: PointwiseLoss, sizes: Sequence[int], whole_sizes: Sequence[int], dtype: Any
    ):
        self.loss = loss
        self.parts = [slice(a, b) for a, b in pairwise(accumulate(sizes, initial=0))]
        self._whole_sizes = np.repeat(np.asarray(whole_sizes, dtype), sizes)
        # The weight of a row in the sum over the chunk, and in the mean of its batch.
        self._weights, self._scales = (np.empty_like(self._whole_sizes) for _ in range(2))

    def fill(self, rows: NDArray[np.intp], share: float) -> None:
        """Gather the targets of some rows, with `share` times their weights."""
        self._weights[...] = share
        self.loss.weigh(self._weights, rows)
        np.divide(self._weights, self._whole_sizes, out=self._scales)
        self._gather(rows)

    @abstractmethod
    def _gather(self, rows: NDArray[np.intp]) -> None:
        """Gather the targets, after the weights."""

    @abstractmethod
    def residual(self, batch: int, scores: Array) -> None:
        """Overwrite class-major scores with the gradient of the batch's mean loss in them."""

    @abstractmethod
    def total(self) -> float:
        """Return the weighted sum of the cross-entropies, after the residuals of all batches."""


class SoftmaxTargets(BatchTargets):
    """Three classes or more; labels are gathered as probabilities."""

    def __init__(
        self, loss: PointwiseLoss, sizes: Sequence[int], whole_sizes: Sequence[int], dtype: Any
    ):
        super().__init__(loss, sizes, whole_sizes, dtype)
        n_classes = loss.n_outputs
        self._targets = np.zeros(n_classes * len(self._scales), dtype)
        self._normalizers = np.ones_like(self._scales)  # Σ_k exp(z_k − max z)
        self._at_targets = 0.0  # Σ s y (z − max z)
        # The position of a row's first class in memory, and the distance between its classes.
        self._first = np.concatenate(
            [n_classes * part.start + np.arange(part.stop - part.start) for part in self.parts]
        )
        self._step = np.repeat(sizes, sizes)
        self._batches = []
        for part, whole in zip(self.parts, whole_sizes, strict=True):
            targets = self._targets[n_classes * part.start : n_classes * part.stop]
            n_rows = part.stop - part.start
            self._batches.append(
                (
                    targets.reshape(n_classes, n_rows),
                    self._scales[part],
                    self._normalizers[part],
                    np.empty(n_rows, dtype),
                    whole,
                )
            )

    def _gather(self, rows: NDArray[np.intp]) -> None:
        self._at_targets = 0.0
        if self.loss.targets.ndim == 1:
            at = self.loss.targets.take(rows)
            at *= self._step
            at += self._first
            self._targets.fill(0)
            self._targets[at] = self._scales
            return
        for part, (targets, scales, *_) in zip(self.parts, self._batches, strict=True):
            self.loss.targets.take(rows[part], axis=1, out=targets, mode="clip")
            targets *= scales

    def residual(self, batch: int, scores: Array) -> None:
        targets, scales, normalizers, room, n_rows = self._batches[batch]
        scores -= np.maximum.reduce(scores, axis=0, out=room)
        self._at_targets += n_rows * float(np.vdot(targets, scores))
        np.exp(scores, out=scores)
        np.add.reduce(scores, axis=0, out=normalizers)
        np.divide(scales, normalizers, out=room)
        scores *= room
        scores -= targets

    def total(self) -> float:
        logarithms = np.log(self._normalizers, dtype=np.float64)
        return float(np.dot(self._weights, logarithms)) - self._at_targets


class SigmoidTargets(BatchTargets):
    """Two classes, one score."""

    def __init__(
        self, loss: PointwiseLoss, sizes: Sequence[int], whole_sizes: Sequence[int], dtype: Any
    ):
        super().__init__(loss, sizes, whole_sizes, dtype)
        self._second, self._tails, self._margins = (np.zeros_like(self._scales) for _ in range(3))
        self._batches = [
            tuple(array[part] for array in (self._second, self._scales, self._tails, self._margins))
            for part in self.parts
        ]

    def _gather(self, rows: NDArray[np.intp]) -> None:
        targets = self.loss.targets
        self._second[...] = (targets if targets.ndim == 1 else targets[-1]).take(rows)

    def residual(self, batch: int, scores: Array) -> None:
        second, scales, tails, margins = self._batches[batch]
        z = scores[0]
        np.abs(z, out=tails)
        np.negative(tails, out=tails)
        np.exp(tails, out=tails)
        np.maximum(z, 0, out=margins)
        margins -= second * z
        np.maximum(tails, z >= 0, out=z)
        z /= 1 + tails
        z -= second
        z *= scales

    def total(self) -> float:
        losses = np.log1p(self._tails, dtype=np.float64)
        losses += self._margins
        return float(np.dot(self._weights, losses))


def batch_targets(
    loss: PointwiseLoss, sizes: Sequence[int], whole_sizes: Sequence[int], dtype: Any
) -> BatchTargets:
    """Return the targets of batches for a loss."""
    kind = SigmoidTargets if loss.n_outputs == 1 else SoftmaxTargets
    return kind(loss, sizes, whole_sizes, dtype)
