"""Cross-entropy of scores to which offsets are added, known scores of each row.

The loss holds all data of a row except its features: target, weight and offset. So the code that
computes the scores of a model does not deal with offsets. Derivatives in the scores are those at
the sum.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from softmax_regression._linalg.arrays import Array, Rows
from softmax_regression._losses.pointwise import PointwiseLoss


class OffsetLoss(PointwiseLoss):
    """A loss at the scores plus offsets.

    Parameters
    ----------
    base : PointwiseLoss
        The loss.
    offset : ndarray of shape (n_outputs, n_rows)
        The offsets of each row, in float64 for scores of any dtype.
    """

    has_offset = True

    def __init__(self, base: PointwiseLoss, offset: Array):
        super().__init__(base.targets, base.weight)
        self.n_outputs, self.n_classes = base.n_outputs, base.n_classes
        self.base = base
        self.offset = offset

    def shift(self, scores: Array, rows: Rows) -> None:
        scores += self.offset[:, rows]

    def offset_means(self) -> Array:
        return np.asarray(self.offset @ self.row_weights(slice(None)) / self.n_rows)

    def value_and_residual(self, scores: Array, rows: Rows, keep: Array | None = None) -> float:
        self.shift(scores, rows)
        return self.base.value_and_residual(scores, rows, keep)

    def probabilities(self, scores: Array, rows: Rows) -> None:
        self.shift(scores, rows)
        self.base.probabilities(scores, rows)

    def curvature_product(self, probabilities: Array, direction: Array, rows: Rows) -> None:
        self.base.curvature_product(probabilities, direction, rows)

    def newton_divergence(self, scores: Array, change: Array, rows: Rows) -> float:
        self.shift(scores, rows)
        return self.base.newton_divergence(scores, change, rows)

    def are_right(self, scores: Array, rows: Rows) -> bool:
        """Return whether the scores without offsets are right, which grow with coefficients."""
        return self.base.are_right(scores, rows)

    def target_rows(self, rows: Rows) -> Array:
        return self.base.target_rows(rows)

    def with_one_hot_targets(self) -> PointwiseLoss:
        return OffsetLoss(self.base.with_one_hot_targets(), self.offset)

    def take(self, rows: Rows, factor: Array | None = None) -> Self:
        return type(self)(self.base.take(rows, factor), self.offset[:, rows])

    def _of_rows(self, targets: Array, weight: Array | None) -> Self:
        raise NotImplementedError  # `take` selects the offsets as well.


def offset_of_each(offset: Array) -> Array:
    """Return known scores of each class, (n_rows, n_classes): those of the first of two are 0."""
    return offset if offset.shape[1] > 1 else np.hstack([np.zeros_like(offset), offset])
