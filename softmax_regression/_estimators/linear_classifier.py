"""The base class of the linear models: scores by `coef_` and `intercept_`, and their export."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import issparse
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model._base import SparseCoefMixin

from softmax_regression._data.design import Design
from softmax_regression._data.precision import in_needed_precision
from softmax_regression._estimators.classifier import BaseSoftmaxClassifier
from softmax_regression._estimators.coefficients import coefficient_shape
from softmax_regression._estimators.export import Layers, logistic_regression
from softmax_regression._estimators.hints import hint
from softmax_regression._estimators.offset_prediction import OffsetPredictionMixin
from softmax_regression._estimators.priors import prior_coefficients
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.layout import centred
from softmax_regression._problems.rounding import Rounding


class PenaltyName:
    """The attribute `penalty`, which is computed unless a subclass has a parameter of that name.

    Parameters
    ----------
    name_of : callable
        Takes an estimator and returns scikit-learn's name of its penalty.
    """

    def __init__(self, name_of: Callable[[Any], str | None]):
        self._name_of = name_of
        self.__doc__ = name_of.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, estimator: Any, owner: type | None = None) -> Any:
        if estimator is None:
            return self
        own = vars(estimator)
        return own[self._name] if self._name in own else self._name_of(estimator)

    def __set__(self, estimator: Any, value: Any) -> None:
        if (sentence := hint(type(estimator), [self._name])) is not None:
            raise AttributeError(sentence)
        vars(estimator)[self._name] = value


class LinearSoftmaxClassifier(
    OffsetPredictionMixin,
    SparseCoefMixin,  # type: ignore[misc]
    BaseSoftmaxClassifier,
):
    """A classifier whose scores are ``W x + b``."""

    fit_intercept: bool
    prior_mean: Any
    _parts: ClassVar[frozenset[str]] = frozenset({"classes_", "coef_", "intercept_"})
    _shape_names: ClassVar[tuple[str, ...]] = ("coef_.shape", "intercept_.shape")

    def to_sklearn(self) -> LogisticRegression:
        """The same model as an estimator of scikit-learn, for use without this package.

        Returns
        -------
        sklearn.linear_model.LogisticRegression
            A fitted estimator with the same classes, coefficients and names of features. Its
            predictions are the same up to the rounding errors of the dtype of X. If it is fitted
            again, it minimises the same objective, except for `bounds` and `penalty_grouping`,
            for which it has no parameters.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from softmax_regression import SoftmaxRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> SoftmaxRegression().fit(X, y).to_sklearn().predict_proba(X[:1]).round(3)
        array([[0.982, 0.018, 0.   ]])
        """
        self._check_parts()
        C, l1_ratio = self._strengths()
        return logistic_regression(self, C, l1_ratio, penalty_name(C, l1_ratio))

    @abstractmethod
    def _strengths(self) -> tuple[float, float]:
        """Return C and the `l1_ratio` of the fitted model."""

    def _layers(self) -> Layers:
        """Return the model as a network of one layer."""
        _, coef, intercept = self._solution()
        return Layers([coef.T], [intercept], "identity")

    def _scorer(self) -> tuple[Any, int]:
        return linear_scorer(self.coef_, self.intercept_), len(self.intercept_)

    def _model_parameters(self) -> dict[str, Any]:
        return {"fit_intercept": self.fit_intercept}

    def _fits(self, n_features: int) -> bool:
        try:
            n_classes = len(self.classes_)
            found = self.coef_.shape, self.intercept_.shape
        except AttributeError:  # An attribute is missing, or was replaced by no array.
            return False
        n_outputs = 1 if n_classes == 2 else n_classes
        return found == ((n_outputs, n_features), (n_outputs,))

    def _shapes(self, n_features: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        found = getattr(self.coef_, "shape", None), getattr(self.intercept_, "shape", None)
        needed = coefficient_shape(len(self.classes_), n_features)
        return found, (needed, needed[:1])

    def _solution(self) -> tuple[Array, Array, Array]:
        """Return the classes, coefficients and intercepts of the fitted model."""
        coef = self.coef_.toarray() if issparse(self.coef_) else self.coef_
        return self.classes_, coef, self.intercept_

    def _start(self, n_features: int, previous: Any) -> tuple[Array, Array]:
        """Return W and b where a fit begins: zeros, or those of a previous solution."""
        start_coef = np.zeros(coefficient_shape(len(self.classes_), n_features))
        start_intercept = np.zeros(len(start_coef) if self.fit_intercept else 0)
        if previous is None:
            return start_coef, start_intercept
        known, coef, intercept = previous
        if coef.shape != start_coef.shape or not np.array_equal(known, self.classes_):
            raise ValueError(
                "warm_start=True needs the classes and features of the previous fit: those were "
                f"{len(known)} classes {known.tolist()} and {coef.shape[1]} features, now they are "
                f"{len(self.classes_)} classes {self.classes_.tolist()} and {n_features} features."
            )
        start_coef[...] = self._deviation(coef)
        start_intercept[...] = intercept if self.fit_intercept else []
        return start_coef, start_intercept

    def _store(self, coef: Array, intercept: Array, rounding: Rounding) -> None:
        if not self.fit_intercept:
            intercept = np.zeros(len(coef))
        if len(coef) > 1:
            coef, intercept = self._without_shared_part(coef), centred(intercept)
        coef = self._with_prior(coef)
        self.coef_: Any  # It is a sparse matrix after `sparsify`.
        self.coef_, self.intercept_ = rounding.model(coef, intercept)

    def _prior(self, n_features: int) -> Array:
        """Return the prior mean M, which must be given, as an array of the shape of `coef_`."""
        return prior_coefficients(self.prior_mean, len(self.classes_), n_features)

    def _with_prior(self, coef: Array) -> Array:
        """Return W for its deviation from the prior mean, which is what solvers find."""
        if self.prior_mean is None:
            return coef
        return (coef + self._prior(coef.shape[-1])).astype(coef.dtype, copy=False)

    def _deviation(self, coef: Array) -> Array:
        """Return the deviation of W from the prior mean."""
        return coef if self.prior_mean is None else coef - self._prior(coef.shape[-1])

    def _without_shared_part(self, coef: Array) -> Array:
        """Return W less its mean over classes: the smallest W that gives the same probabilities."""
        return centred(coef)


def linear_scorer(coef: Any, intercept: Array) -> Callable[[Design], Array]:
    """Return a function of rows that returns their class-major scores ``W x + b``.

    If float32 is not precise enough for the scores, they are computed in float64 and rounded.
    """
    column = intercept[:, None]

    def scores_of(rows: Design) -> Array:
        precise = in_needed_precision(rows, coef)
        scores = precise.scores(coef)
        scores += column
        return scores if precise is rows else scores.astype(rows.dtype)

    return scores_of


def penalty_name(C: float, l1_ratio: float) -> str | None:
    """Return scikit-learn's name of a penalty; None if C is infinite."""
    if np.isinf(C):
        return None
    return {0.0: "l2", 1.0: "l1"}.get(l1_ratio, "elasticnet")
