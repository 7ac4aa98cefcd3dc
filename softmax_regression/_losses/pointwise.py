"""Cross-entropy of a block of scores, and its derivatives in the scores.

A pointwise loss holds targets and weights, and does not depend on how scores are computed. The
linear model and the network pass class-major scores, (n_outputs, n_rows). The loss overwrites them
with the weighted residuals ``s_i (p_i − y_i)``, the gradient of the sum in the scores.

With three classes or more, every class has a score, and the prediction is their softmax. With two
classes one score is enough, because softmax depends on differences alone: the score of the first
class is 0, and the softmax of (0, z) is the sigmoid of z.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy

from softmax_regression._linalg.arrays import Array, Rows
from softmax_regression.functional import ACTIVATIONS

# Relative change of a probability up to which two terms of the series of its divergence are enough.
_SMALL_RELATIVE_CHANGE = 1e-5

_sigmoid_into = ACTIVATIONS["logistic"].value_into


class PointwiseLoss(ABC):
    """Cross-entropy of each row, with its targets and weights.

    Parameters
    ----------
    targets : ndarray of shape (n_rows,) or (n_classes, n_rows)
        Labels (integers) or, class-major, probabilities (of the scores' dtype).
    weight : ndarray of shape (n_rows,) or None
        Weights whose mean is 1; None if all are 1.
    """

    n_outputs: int
    n_classes: int
    has_offset = False  # Whether offsets are added to scores.

    def __init__(self, targets: Array, weight: Array | None):
        self.targets = targets
        self.weight = weight
        self.n_rows = targets.shape[-1]

    @abstractmethod
    def value_and_residual(self, scores: Array, rows: Rows, keep: Array | None = None) -> float:
        """Return Σ s_i CE_i over the rows; overwrite their scores with s_i (p_i − y_i).

        The probabilities of the outputs are written to `keep` if it is given.
        """

    @abstractmethod
    def probabilities(self, scores: Array, rows: Rows) -> None:
        """Overwrite the scores of some rows with the probabilities of the outputs."""

    @abstractmethod
    def curvature_product(self, probabilities: Array, direction: Array, rows: Rows) -> None:
        """Overwrite a direction in the scores with s_i times the Hessian of CE_i times it."""

    @abstractmethod
    def newton_divergence(self, scores: Array, change: Array, rows: Rows) -> float:
        """Return a bound of Σ s_i KL(q_i ‖ p_i), and overwrite the change with s_i (q_i − y_i).

        Here q is p + (diag(p) − p pᵀ) change with negative entries set to 0, and p are the
        probabilities of the scores, which are overwritten.
        """

    @abstractmethod
    def are_right(self, scores: Array, rows: Rows) -> bool:
        """Return whether each row of positive weight has a label, and its score is the highest."""

    @abstractmethod
    def target_rows(self, rows: Rows) -> Array:
        """Return s_i y_i for some rows, class-major, one row for each output."""

    @abstractmethod
    def with_one_hot_targets(self) -> PointwiseLoss:
        """Return the loss with labels replaced by a number for each class."""

    @abstractmethod
    def _of_rows(self, targets: Array, weight: Array | None) -> Self:
        """Return the same loss for other rows."""

    def take(self, rows: Rows, factor: Array | None = None) -> Self:
        """Return the loss of some of the rows, whose weights are multiplied by `factor`."""
        targets = self.targets[..., rows]
        weight = None if self.weight is None else self.weight[rows]
        if factor is not None:
            weight = factor if weight is None else factor * weight
        return self._of_rows(targets, weight)

    def shift(self, scores: Array, rows: Rows) -> None:  # noqa: B027
        """Add the offsets of some rows to their scores, in place, if there are offsets."""

    def offset_means(self) -> Array:
        """Return the weighted mean of what `shift` adds, (n_outputs,)."""
        return np.zeros(self.n_outputs)

    def joined(self, losses: Sequence[PointwiseLoss]) -> Self:
        """Return the loss of the rows of several, which are all of this kind."""
        targets = np.concatenate([loss.targets for loss in losses], axis=-1)
        weights = [loss.weight for loss in losses if loss.weight is not None]
        return self._of_rows(targets, np.concatenate(weights) if weights else None)

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """Numbers of the rows of positive weight."""
        if self.weight is None:
            return np.arange(self.n_rows)
        return np.flatnonzero(self.weight)

    @cached_property
    def class_shares(self) -> Array:
        """Return the weighted share of each class in the targets: (n_classes,), sums to 1."""
        if self.targets.ndim == 1:
            shares = np.bincount(self.targets, self.weight, minlength=self.n_classes)
        elif self.weight is None:
            shares = self.targets.sum(axis=1, dtype=np.float64)
        else:
            shares = self.targets @ self.weight.astype(np.float64)
        return shares / np.add.reduce(shares)

    def _weighted_total(self, losses: Array, rows: Rows) -> float:
        if self.weight is None:
            return float(np.add.reduce(losses, dtype=np.float64))
        return float(np.dot(losses.astype(np.float64), self.weight[rows].astype(np.float64)))

    def row_weights(self, rows: Rows) -> Array:
        """Weights of some rows, in float64."""
        if self.weight is None:
            return np.ones(
                len(range(*rows.indices(self.n_rows))) if isinstance(rows, slice) else len(rows)
            )
        return self.weight[rows].astype(np.float64, copy=False)

    def weigh(self, values: Array, rows: Rows) -> None:
        """Multiply class-major values by the weights of their rows, in place."""
        if self.weight is not None:
            values *= self.weight[rows]


class SoftmaxLoss(PointwiseLoss):
    """Three classes or more, a score for each."""

    def __init__(self, targets: Array, weight: Array | None, n_classes: int):
        super().__init__(targets, weight)
        self.n_outputs = self.n_classes = n_classes

    def _of_rows(self, targets: Array, weight: Array | None) -> Self:
        return type(self)(targets, weight, self.n_classes)

    def with_one_hot_targets(self) -> SoftmaxLoss:
        targets = self.targets
        if targets.ndim == 1:
            targets = _one_hot_columns(targets, self.n_classes)
        same = SoftmaxLoss(targets, self.weight, self.n_classes)
        same.class_shares = self.class_shares
        return same

    def value_and_residual(self, scores: Array, rows: Rows, keep: Array | None = None) -> float:
        labels = self.targets.ndim == 1
        if isinstance(rows, slice):
            targets = self.targets[..., rows]
        else:
            targets = self.targets.take(rows, axis=-1)
        scores -= np.maximum.reduce(scores)
        # CE = log Σ exp(z) − Σ y z; the second term is computed before scores are overwritten.
        if not labels:
            target_scores = np.einsum("kn,kn->n", targets, scores)
            losses = np.log(self._exponentiate(scores))
            losses -= target_scores
            if keep is not None:
                keep[...] = scores
            scores -= targets
        else:
            losses = self._residual_of_labels(scores, targets, keep)
        self.weigh(scores, rows)
        return self._weighted_total(losses, rows)

    @staticmethod
    def _residual_of_labels(scores: Array, targets: Array, keep: Array | None) -> Array:
        """Overwrite scores, of which the largest is 0, with p − y; return the losses.

        The exponentials of the other classes are summed separately: where the model is right, loss
        and residual depend on this sum alone, which would be lost to rounding when added to 1.
        """
        flat = scores.reshape(-1)
        at = targets * scores.shape[1]
        at += np.arange(scores.shape[1])
        target_scores = flat.take(at)
        np.exp(scores, out=scores)
        own = flat.take(at)
        flat[at] = 0.0
        others = np.ones(len(scores), dtype=scores.dtype).dot(scores)  # Faster than NumPy.
        share = 1 / (own + others)
        scores *= share
        flat[at] = others * -share
        if keep is not None:
            keep[...] = scores
            keep.reshape(-1)[at] = own * share
        losses = np.log1p(others + (own - 1))
        losses -= target_scores
        return losses

    def probabilities(self, scores: Array, rows: Rows) -> None:
        scores -= np.maximum.reduce(scores)
        self._exponentiate(scores)

    def curvature_product(self, probabilities: Array, direction: Array, rows: Rows) -> None:
        direction -= np.einsum("kn,kn->n", probabilities, direction)
        direction *= probabilities
        self.weigh(direction, rows)

    def newton_divergence(self, scores: Array, change: Array, rows: Rows) -> float:
        self.probabilities(scores, rows)
        change -= np.einsum("kn,kn->n", scores, change)
        np.maximum(change, -1.0, out=change)
        divergences = np.einsum("kn,kn->n", scores, _divergence(change))
        change += 1
        change *= scores
        change /= np.add.reduce(change)
        self._subtract_targets(change, rows)
        self.weigh(change, rows)
        return self._weighted_total(divergences, rows)

    def _subtract_targets(self, values: Array, rows: Rows) -> None:
        targets = self.targets[..., rows]
        if targets.ndim == 2:
            values -= targets
            return
        own = targets, np.arange(len(targets))
        values[own] = 0.0
        values[own] = -values.sum(axis=0)

    def are_right(self, scores: Array, rows: Rows) -> bool:
        targets, counted = self.targets[..., rows], self.row_weights(rows) > 0
        if targets.ndim == 2:
            if not (targets[:, counted].max(axis=0, initial=1.0) == 1).all():
                return False
            targets = targets.argmax(axis=0)
        own = np.arange(scores.shape[1])
        lead = scores[targets, own]
        scores[targets, own] = -np.inf
        lead -= scores.max(axis=0)
        return bool((lead[counted] > 0).all())

    def target_rows(self, rows: Rows) -> Array:
        targets = self.targets[..., rows]
        one_per_row = targets.ndim == 1
        encoded = _one_hot_columns(targets, self.n_classes) if one_per_row else targets.copy()
        self.weigh(encoded, rows)
        return encoded

    @staticmethod
    def _exponentiate(shifted: Array) -> Array:
        np.exp(shifted, out=shifted)
        # BLAS adds up faster than NumPy, and products are quicker than quotients. Neither makes a
        # probability larger than 1 by rounding.
        total = np.ones(len(shifted), dtype=shifted.dtype).dot(shifted)
        shifted *= 1 / total
        return total


def _one_hot_columns(labels: Array, n_classes: int) -> Array:
    """Return a column for each label that holds a 1 in the row of the label and 0 elsewhere."""
    return np.equal(np.arange(n_classes)[:, None], labels).astype(np.float64)


class SigmoidLoss(PointwiseLoss):
    """Two classes, one score: that of the second class relative to the first."""

    n_outputs = 1
    n_classes = 2

    def __init__(self, targets: Array, weight: Array | None):
        super().__init__(targets, weight)
        self._second = targets[-1] if targets.ndim == 2 else targets

    def _of_rows(self, targets: Array, weight: Array | None) -> Self:
        return type(self)(targets, weight)

    def with_one_hot_targets(self) -> SigmoidLoss:
        targets = self.targets
        if targets.ndim == 1:
            targets = np.array([1.0 - targets, targets])
        same = SigmoidLoss(targets, self.weight)
        same.class_shares = self.class_shares
        return same

    def value_and_residual(self, scores: Array, rows: Rows, keep: Array | None = None) -> float:
        second = self._second[rows]
        # CE = log(1 + exp(z)) − y z = log1p(exp(−|z|)) + (θ − y) z, with θ = 1 for z > 0, else 0.
        # For a label the last term is exact, and 0 if the model is right, so that the logarithm
        # keeps its precision.
        small = np.abs(scores[0])
        np.negative(small, out=small)
        np.exp(small, out=small)
        losses = np.log1p(small)
        # If the model is right, the residual is the smaller probability up to its sign,
        # t = exp(−|z|) / (1 + exp(−|z|)): p is θ − t for z > 0, else θ + t.
        small /= 1 + small
        np.copysign(small, scores[0], out=small)
        step = np.copysign(scores.dtype.type(0.5), scores[0])
        step += 0.5
        if keep is not None:
            np.subtract(step, small, out=keep[0])
        step -= second
        losses += step * scores[0]
        np.subtract(step, small, out=scores[0])
        self.weigh(scores, rows)
        return self._weighted_total(losses, rows)

    def probabilities(self, scores: Array, rows: Rows) -> None:
        _sigmoid_into(scores, scores)

    def curvature_product(self, probabilities: Array, direction: Array, rows: Rows) -> None:
        direction *= probabilities
        direction *= 1 - probabilities
        self.weigh(direction, rows)

    def newton_divergence(self, scores: Array, change: Array, rows: Rows) -> float:
        p = expit(np.concatenate([-scores, scores]))  # The probabilities of both classes.
        both = np.maximum(p[::-1] * change * [[-1.0], [1.0]], -1.0)
        divergences = np.einsum("kn,kn->n", p, _divergence(both))
        q = p * (1 + both)
        q /= q[0] + q[1]
        second = self._second[rows]
        np.copyto(change[0], np.where(second == 1, -q[0], q[1] - second))
        self.weigh(change, rows)
        return self._weighted_total(divergences, rows)

    def are_right(self, scores: Array, rows: Rows) -> bool:
        second = self._second[rows]
        right = np.where(second == 1, scores[0] > 0, (second == 0) & (scores[0] < 0))
        return bool(right[self.row_weights(rows) > 0].all())

    def target_rows(self, rows: Rows) -> Array:
        encoded = self._second[None, rows].astype(np.float64)
        self.weigh(encoded, rows)
        return encoded


def _divergence(change: Array) -> Array:
    """Return (1 + ε) log(1 + ε) − ε."""
    series = change * change * (0.5 - change / 6)  # Near 0 the difference is imprecise.
    exact = xlogy(1 + change, 1 + change) - change
    return np.where(np.abs(change) < _SMALL_RELATIVE_CHANGE, series, exact)


def make_loss(
    targets: Array, weight: Array | None, n_classes: int, score_each: bool = False
) -> PointwiseLoss:
    """Return the loss; two classes have a single score unless `score_each` is set."""
    if n_classes == 2 and not score_each:
        return SigmoidLoss(targets, weight)
    return SoftmaxLoss(targets, weight, n_classes)
