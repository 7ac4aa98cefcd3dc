"""Export of fitted models to forms that do not need this package.

`layers_of` returns a model as affine layers, which other libraries can represent. If a model
consists of more than that, the method `_layers` of its estimator raises with a remedy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from softmax_regression._linalg.arrays import Array


class Layers(NamedTuple):
    """A feed-forward network: affine layers, one activation between them, softmax at the end.

    Parameters
    ----------
    weights : list of ndarray of shape (n_inputs, n_units)
        A matrix for each layer. A linear model has one layer.
    intercepts : list of ndarray of shape (n_units,)
        A vector for each layer. The last layer has one unit for each class; with two classes it has
        a single unit, for the second class.
    activation : str
        The name of the activation of hidden layers, as in `functional.ACTIVATIONS`.
    """

    weights: list[Array]
    intercepts: list[Array]
    activation: str


def layers_of(estimator: Any) -> Layers:
    """Return the layers of a fitted estimator; raise if it is not fitted or was changed."""
    estimator._check_parts()
    estimator._check_shapes(estimator.n_features_in_)
    layers: Layers = estimator._layers()
    return layers


def copy_of_data_facts(estimator: Any, other: Any) -> None:
    """Copy the classes and the number and names of features to another estimator."""
    other.classes_ = estimator.classes_.copy()
    other.n_features_in_ = estimator.n_features_in_
    if hasattr(estimator, "feature_names_in_"):
        other.feature_names_in_ = estimator.feature_names_in_.copy()


def logistic_regression(
    estimator: Any, C: float, l1_ratio: float, penalty: str | None
) -> LogisticRegression:
    """Return scikit-learn's estimator with the coefficients of a linear one.

    Parameters
    ----------
    estimator : SoftmaxRegression or SoftmaxRegressionCV
        A fitted estimator.
    C, l1_ratio : float
        The penalty with which it was fitted.
    penalty : str or None
        scikit-learn's name of that penalty.
    """
    layers_of(estimator)
    other = LogisticRegression(
        fit_intercept=estimator.fit_intercept, class_weight=estimator.class_weight
    )
    if getattr(other, "penalty", "deprecated") == "deprecated":  # scikit-learn 1.8 or later.
        other.set_params(C=C, l1_ratio=l1_ratio)
    elif penalty is None:
        other.set_params(penalty=None)
    else:
        other.set_params(C=C, penalty=penalty)
        if penalty == "elasticnet":
            other.set_params(l1_ratio=l1_ratio)
    if penalty in ("l1", "elasticnet"):
        other.set_params(solver="saga")  # Its only solver for these penalties and several classes.
    copy_of_data_facts(estimator, other)
    other.coef_, other.intercept_ = estimator.coef_.copy(), estimator.intercept_.copy()
    other.n_iter_ = np.array([np.max(estimator.n_iter_)], dtype=np.int32)
    return other
