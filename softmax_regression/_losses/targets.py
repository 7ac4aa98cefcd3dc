"""The targets of a problem: labels or class probabilities, weights and offsets of the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.offset import OffsetLoss, offset_of_each
from softmax_regression._losses.pointwise import PointwiseLoss, make_loss
from softmax_regression.functional import one_hot


@dataclass
class Targets:
    """Validated targets of some rows.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted: the order of the columns of every output.
    encoded : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Positions in `classes`, or probabilities.
    weight : ndarray of shape (n_rows,) or None
        Weights whose mean is 1; None if all are equal.
    total_weight : Fraction
        The sum of the weights as given, exactly: it may be too large or too small for float64.
    score_each : bool, default=False
        Whether two classes have a score each, as three have: two of a larger number.
    offset : ndarray of shape (n_rows, n_scores) or None
        Known scores that are added to those of the model.
    """

    classes: Array
    encoded: Array
    weight: Array | None
    total_weight: Fraction
    score_each: bool = False
    offset: Array | None = None

    def class_totals(self) -> Array:
        """Return the summed weight of each class, in units of the mean weight of a row."""
        return class_totals(self.encoded, self.weight, len(self.classes))

    @property
    def n_rows_of_weight(self) -> int:
        """How many rows have a weight above 0."""
        return len(self.encoded) if self.weight is None else int(np.count_nonzero(self.weight))

    def row_weights(self) -> Array:
        """Return the weights, all of them 1 if none were given."""
        return np.ones(len(self.encoded)) if self.weight is None else self.weight

    def of(self, rows: Array) -> Targets:
        """Return those of some rows, with weights whose mean is 1 over them."""
        encoded, weight, total = self.encoded[rows], None, Fraction(len(rows))
        if self.weight is not None:
            weight = self.weight[rows]
            total = Fraction(float(weight.sum()))
            weight = weight / weight.mean()
        total *= self.total_weight / len(self.encoded)
        offset = None if self.offset is None else self.offset[rows]
        return replace(self, encoded=encoded, weight=weight, total_weight=total, offset=offset)

    def of_classes(self, kept: NDArray[np.bool_]) -> Targets:
        """Return those of some classes of three or more; rows of the others have weight 0."""
        if self.encoded.ndim == 1:
            encoded = np.maximum(np.cumsum(kept) - 1, 0)[self.encoded]
        else:
            encoded = self.encoded[:, kept]
        return replace(
            self,
            classes=self.classes[kept],
            encoded=encoded,
            score_each=True,
            offset=None if self.offset is None else offset_of_each(self.offset)[:, kept],
        )

    def loss(self, dtype: Any, smoothing: float = 0.0) -> PointwiseLoss:
        """Return the pointwise loss, for scores of a dtype.

        With `smoothing`, so much of every row's probability is shared out to all classes alike
        (Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016).
        """
        encoded, weight = self.encoded, self.weight
        if smoothing:
            hard = one_hot(encoded, len(self.classes)) if encoded.ndim == 1 else encoded
            encoded = (1 - smoothing) * hard + smoothing / len(self.classes)
        if encoded.ndim == 2:
            encoded = np.ascontiguousarray(encoded.T, dtype=dtype)
        if weight is not None and weight.dtype != dtype and not _underflow(weight, dtype):
            weight = weight.astype(dtype)
        loss = make_loss(encoded, weight, len(self.classes), self.score_each)
        return (
            loss if self.offset is None else OffsetLoss(loss, np.ascontiguousarray(self.offset.T))
        )


def _underflow(weight: Array, dtype: Any) -> bool:
    """Whether a weight above 0 is too small for a dtype: the rows of such weights may matter too.

    As where a few rows of large weight are told apart without loss, and the others are not.
    """
    return bool(least_weight(weight) < np.finfo(dtype).tiny)


def least_weight(weight: Array) -> float:
    """Return the smallest weight above 0, infinity if there is none."""
    return float(np.min(weight, where=weight > 0, initial=np.inf))


def check_more_than_one_class(targets: Targets, estimator: str) -> None:
    """Raise unless y holds at least two classes, whatever their weights are."""
    labels = targets.encoded
    if labels.ndim == 1 and (labels != labels[:1]).any():
        return  # quicker than counting
    present = np.flatnonzero(class_totals(labels, None, len(targets.classes)))
    if len(present) < 2:
        raise ValueError(
            f"{estimator} needs rows of at least two classes in y, and finds only one class: "
            f"{targets.classes[present].tolist()[0]!r}."
        )


def class_totals(encoded: Array, weight: Array | None, n_classes: int) -> Array:
    """Return the summed weight of each class."""
    if encoded.ndim == 1:
        return np.bincount(encoded, weight, minlength=n_classes).astype(np.float64)
    return encoded.sum(axis=0) if weight is None else weight @ encoded
