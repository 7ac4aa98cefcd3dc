"""Predictions from scores: softmax, in blocks of rows, or in a few microseconds for one row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.metrics import accuracy_score

from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._estimators.offsets import checked_offset
from softmax_regression._estimators.targets import (
    as_labels,
    encode_targets,
    is_soft,
    relative_weights,
)
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression.functional import log_softmax, softmax

_FEW_VALUES = (
    100_000  # Values of X up to which scikit-learn's validation takes longer than scoring.
)
# Multiplications for which OpenBLAS uses a single thread, in a matrix product and for one row.
_SINGLE_THREAD_WORK = 250_000
_SINGLE_THREAD_WORK_FOR_A_ROW = 9_000
# Largest sum of squares of scores whose exponentials neither overflow nor lose digits in float32.
_SAFE_SQUARE = 30.0**2
_FEW_CLASSES = 32  # Exponentials of a row that Python adds up in less time than NumPy.
# The smallest normal number of each dtype.
_TINY = {np.dtype(t): float(np.finfo(t).tiny) for t in (np.float64, np.float32)}


class PredictionMixin:
    """The prediction methods of a classifier whose scores are computed from blocks of rows."""

    # Attributes and methods of the estimator that the mixin uses.
    classes_: Array
    _check_parts: Callable[[], None]
    _check_shapes: Callable[[int], None]
    _classes_of_columns: Callable[[], Array]
    _fits: Callable[[int], bool]
    _scorer: Callable[[], tuple[Callable[[Design], Array], int]]
    _validate_rows: Callable[..., Design]

    def decision_function(self, X: Any) -> Array:
        """Scores (logits), before softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            One score per class; of two classes, the score of ``classes_[1]`` minus that of
            ``classes_[0]``.
        """
        return self._decision(X)

    def predict(self, X: Any) -> Array:
        """The most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, as in `classes_`.
        """
        return self._labels(X)

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class: softmax of the scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; rows sum to 1. No entry is 0: what is too small for
            its dtype is given as the smallest normal number, so that logarithms stay finite.
        """
        return self._map_scores(X, probabilities)

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of the probability of each class, exact where the probability rounds to 1.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`. As in `predict_proba`, no probability counts as less
            than the smallest normal number of its dtype.
        """
        return self._map_scores(X, log_probabilities)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on some rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            True labels, or class probabilities: then the accuracy that is expected if labels are
            drawn from them. Columns of a DataFrame are found by their names, those of an array are
            in the order of `classes_` (or that in which `partial_fit` was told of them).
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The weighted share of rows that `predict` gets right.
        """
        return self._accuracy(self.predict(X), y, sample_weight)

    def _decision(self, X: Any, offset: Any = None) -> Array:
        """Return the scores of rows, one-dimensional for two classes."""
        scores = self._map_scores(X, unchanged, offset)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def _labels(self, X: Any, offset: Any = None) -> Array:
        """Return the most probable classes of rows."""
        best = self._map_scores(X, best_classes, offset)[:, 0]
        return np.asarray(self.classes_)[best]

    def _accuracy(self, predicted: Array, y: Any, sample_weight: Any) -> float:
        """Return the weighted share of rows that are predicted correctly."""
        if not is_soft(y):
            weights = relative_weights(sample_weight)
            return float(accuracy_score(as_labels(y), predicted, sample_weight=weights))
        targets = encode_targets(
            y,
            len(predicted),
            classes=self._classes_of_columns(),
            sample_weight=sample_weight,
            class_weight=None,
            estimator=type(self).__name__,
        )
        right = (predicted[:, None] == targets.classes) * targets.encoded
        return float(np.average(right.sum(axis=1), weights=targets.weight))

    def _map_scores(self, X: Any, transform: Callable[[Array], Array], offset: Any = None) -> Array:
        """Apply a function to the scores of each block of rows; return an array of its results.

        The function takes and returns class-major arrays; the result has a row for each row of X.
        Offsets are added to the scores before, if there are any.
        """
        if offset is None and self._plainly_valid(X):
            scorer, width = self._scorer()
            limit = _SINGLE_THREAD_WORK if len(X) > 1 else _SINGLE_THREAD_WORK_FOR_A_ROW
            if X.size * width <= limit:
                return np.ascontiguousarray(transform(scorer(DenseDesign(X))).T)
            return _held_at_once(DenseDesign(X), scorer, transform)
        self._check_parts()
        design = self._validate_rows(X, reset=False)
        self._check_shapes(design.n_columns)
        if offset is None:
            return self._map_blocks(design, lambda scores, rows: transform(scores))
        known = checked_offset(offset, design.n_rows, np.asarray(self.classes_)).T

        def of_sums(scores: Array, rows: slice) -> Array:
            return transform((scores + known[:, rows]).astype(scores.dtype, copy=False))

        return self._map_blocks(design, of_sums)

    @blas_held_to_one_thread
    def _map_blocks(self, design: Design, transform: Callable[[Array, slice], Array]) -> Array:
        scorer, width = self._scorer()
        none = slice(0, 0)  # Results for no rows have the width and dtype of those for all.
        of_no_row = transform(scorer(design[none]), none)
        result = np.empty((design.n_rows, len(of_no_row)), dtype=of_no_row.dtype)

        def work(blocks: Sequence[slice]) -> None:
            for rows in blocks:
                result[rows] = transform(scorer(design[rows]), rows).T

        design.map_blocks(work, width)
        return result

    def _plainly_valid(self, X: Any) -> bool:
        """Return whether quick tests show that X is a valid array of a few rows.

        For a single row scikit-learn's validation takes ten times as long as the prediction. If a
        test fails, scikit-learn validates X, and raises if it is invalid.
        """
        known = self.__dict__
        return (
            "feature_names_in_" not in known
            and is_plain(X)
            and known.get("n_features_in_") == X.shape[1]
            and self._fits(X.shape[1])
            and len(X) * len(self.classes_) <= _FEW_VALUES
        )


def most_probable(scores: Array) -> Array:
    """Return the position of the most probable class of each row, from class-major scores."""
    if len(scores) > 1:
        return scores.argmax(axis=0)
    return (scores[0] > 0).astype(np.intp)


@blas_held_to_one_thread
def _held_at_once(
    design: Design, scorer: Callable[[Design], Array], transform: Callable[[Array], Array]
) -> Array:
    """Apply a function to the scores of all rows, with BLAS in one thread; return it row by row."""
    return np.ascontiguousarray(transform(scorer(design)).T)


def unchanged(scores: Array) -> Array:
    """Return the scores themselves."""
    return scores


def best_classes(scores: Array) -> Array:
    """Return the position of the most probable class of each row, as a single row."""
    return most_probable(scores)[None]


def log_probabilities(scores: Array) -> Array:
    """Return the log-softmax over the first axis; two classes have a single score."""
    log_p = log_softmax(_one_per_class(scores), axis=0)
    return np.maximum(log_p, np.log(np.finfo(log_p.dtype).tiny), out=log_p)


def probabilities(scores: Array) -> Array:
    """Return the softmax over the first axis, or the sigmoid of a single score.

    The scores may be overwritten. `functional.softmax` is the same for any array, but takes longer
    for one row. Probabilities below the smallest normal number of the dtype are raised to it.
    """
    if len(scores) == 1:
        p = np.concatenate([expit(-scores), expit(scores)])
        return np.maximum(p, _TINY[p.dtype], out=p)
    square = np.vdot(scores, scores)  # It bounds all scores, and overflows without a warning.
    if square <= _SAFE_SQUARE:
        np.exp(scores, scores)
        # NumPy takes longer than Python to add up a few numbers.
        few = scores.size == len(scores) <= _FEW_CLASSES
        scores /= sum(scores.ravel().tolist()) if few else np.add.reduce(scores)
        return scores
    if isfinite(square):
        scores -= np.maximum.reduce(scores)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores)
    else:
        scores = softmax(scores, axis=0)
    return np.maximum(scores, _TINY[scores.dtype], out=scores)


def _one_per_class(scores: Array) -> Array:
    """Return a score for each class; the first of two classes has the score 0."""
    if len(scores) > 1:
        return scores
    return np.concatenate([np.zeros_like(scores), scores])


def is_plain(X: Any) -> bool:
    """Return whether X is an array of a few rows of finite floating-point numbers."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype in _TINY
        and 0 < X.size <= _FEW_VALUES
        and isfinite(np.vdot(X, X))  # NaN and overflow fail this quick test, without a warning.
    )
