"""Predictions of models to whose scores known offsets may be added."""

from __future__ import annotations

from typing import Any

from softmax_regression._estimators.prediction import (
    PredictionMixin,
    log_probabilities,
    probabilities,
)
from softmax_regression._linalg.arrays import Array


class OffsetPredictionMixin(PredictionMixin):
    """The prediction methods with an argument for offsets."""

    def decision_function(self, X: Any, offset: Any = None) -> Array:
        """Scores (logits), before softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known scores to add, as in `fit`; by default none, also of a model fitted with some.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            One score per class; of two classes, the score of ``classes_[1]`` minus that of
            ``classes_[0]``.
        """
        return self._decision(X, offset)

    def predict(self, X: Any, offset: Any = None) -> Array:
        """The most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known scores to add, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, as in `classes_`.
        """
        return self._labels(X, offset)

    def predict_proba(self, X: Any, offset: Any = None) -> Array:
        """The probability of each class: softmax of the scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known scores to add, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; rows sum to 1. No entry is 0: what is too small for
            its dtype is given as the smallest normal number, so that logarithms stay finite.
        """
        return self._map_scores(X, probabilities, offset)

    def predict_log_proba(self, X: Any, offset: Any = None) -> Array:
        """The logarithm of the probability of each class, exact where the probability rounds to 1.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known scores to add, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`. As in `predict_proba`, no probability counts as less
            than the smallest normal number of its dtype.
        """
        return self._map_scores(X, log_probabilities, offset)

    def score(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> float:
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
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known scores to add, as in `fit`.

        Returns
        -------
        float
            The weighted share of rows that `predict` gets right.
        """
        return self._accuracy(self.predict(X, offset), y, sample_weight)
