"""The result of a cross-validation, and scores of models on the rows that folds leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import _check_method_params

from softmax_regression._estimators.linear_classifier import linear_scorer
from softmax_regression._estimators.scoring import scorer_of
from softmax_regression._estimators.targets import relative_weights
from softmax_regression._linalg.arrays import Array
from softmax_regression._problems.folds import CVData, WholePath
from softmax_regression._problems.progress import FitRecord
from softmax_regression.linear_model._softmax_regression import SoftmaxRegression


@dataclass
class CVResult:
    """The models and scores of a cross-validation.

    Parameters
    ----------
    coefs : ndarray of shape (n_folds, n_l1_ratios, n_Cs, n_outputs, n_features)
        W for each fold, l1_ratio and C. With leave-one-out there is a single W for each C, that of
        all rows.
    intercepts : ndarray of shape (n_folds, n_l1_ratios, n_Cs, n_outputs)
        b, likewise.
    scores : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        The scores; with leave-one-out there is one for each row in the place of each fold.
    weights : ndarray of shape (n_folds,) or None
        The weights of the scores in their mean.
    records : list of list of list of FitRecord
        How each fit ended, by fold, l1_ratio and C.
    wholes : list of WholePath or None
        For each l1_ratio, the path of all rows, if it was fitted.
    """

    coefs: Array
    intercepts: Array
    scores: Array
    weights: Array | None
    records: list[list[list[FitRecord]]]
    wholes: list[WholePath | None]

    def means(self) -> Array:
        """Return the mean score for each C."""
        return np.average(self.scores, axis=0, weights=self.weights)

    def standard_errors(self) -> Array:
        """Return the standard error of each mean."""
        weights: Array = np.ones(len(self.scores)) if self.weights is None else self.weights
        n_counted = int(np.count_nonzero(weights))
        squares = np.square(self.scores - self.means())
        variances = np.tensordot(np.square(weights / weights.sum()), squares, 1)
        return np.sqrt(variances * n_counted / max(n_counted - 1, 1))


class KnowingOffset(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted model that adds offsets to its scores, for scorers, which pass X alone.

    Parameters
    ----------
    model : estimator
        The model.
    offset : array-like of shape (n_samples,) or (n_samples, n_classes)
        Offsets of the rows that the scorer passes.
    """

    def __init__(self, model: Any, offset: Any):
        self.model = model
        self.offset = offset
        self.classes_ = model.classes_

    def predict(self, X: Any) -> Array:
        """Return the labels that the model predicts with the offsets."""
        return np.asarray(self.model.predict(X, self.offset))

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities of the model with the offsets."""
        return np.asarray(self.model.predict_proba(X, self.offset))

    def decision_function(self, X: Any) -> Array:
        """Return the scores of the model with the offsets."""
        return np.asarray(self.model.decision_function(X, self.offset))


class RowScore:
    """Scores a model by the weighted mean of a score of each row."""

    def __init__(self, row_score: Any, rows: CVData, params: dict[str, Any]):
        self.row_score = row_score
        self.rows = rows
        self.weight = params.get("sample_weight")

    def __call__(self, coef: Array, intercept: Array, C: float, rows: Array) -> float:
        scores = linear_scorer(coef, intercept)(self.rows.original[rows])
        if self.rows.targets.offset is not None:
            scores = scores + self.rows.targets.offset[rows].T
        values = self.row_score(scores, self.rows.targets.of(rows))
        weight = None if self.weight is None else np.asarray(self.weight)[rows]
        return float(np.average(values, weights=relative_weights(weight)))


class ScorerScore:
    """Scores a model by a scorer of scikit-learn."""

    def __init__(self, model: Any, X: Any, y: Array, params: dict[str, Any], offset: Array | None):
        self.offset = offset
        self.scorer = scorer_of(model.scoring, model.classes_)
        self.classes = model.classes_
        self.fit_intercept = model.fit_intercept
        self.X = X
        self.y = y
        self.params = params

    def __call__(self, coef: Array, intercept: Array, C: float, rows: Array) -> float:
        model: Any = SoftmaxRegression(C=C, fit_intercept=self.fit_intercept)
        model.classes_, model.n_features_in_ = self.classes, coef.shape[1]
        model.coef_, model.intercept_ = coef, intercept
        if self.offset is not None:
            model = KnowingOffset(model, self.offset[rows])
        params = _check_method_params(self.X, self.params, indices=rows)
        return float(self.scorer(model, self.X[rows], self.y[rows], **params))


def row_numbers(rows: Any) -> Array:
    """Return the positions of some rows, which may be given as a mask."""
    rows = np.asarray(rows)
    if rows.dtype == bool:
        return np.flatnonzero(rows)
    return rows if len(rows) else rows.astype(np.intp)  # An empty list becomes an array of floats.
