"""Fitted models in forms that need nothing of this package.

`layers_of` returns what other libraries can hold of a model. An estimator that has more than that
raises in its method `_layers`, and says there what to do instead.
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
        A matrix for each layer. A linear model has one.
    intercepts : list of ndarray of shape (n_units,)
        The last layer has one unit for each class, or, of two classes, one for the second.
    activation : str
        The name of what hidden layers apply, as in `functional.ACTIVATIONS`.
    """

    weights: list[Array]
    intercepts: list[Array]
    activation: str


def layers_of(estimator: Any) -> Layers:
    """Return the layers of a fitted estimator; raise if it is not fitted, or was changed."""
    estimator._check_parts()
    estimator._check_shapes(estimator.n_features_in_)
    layers: Layers = estimator._layers()
    return layers


def copy_of_data_facts(estimator: Any, other: Any) -> None:
    """Give another estimator what all classifiers of scikit-learn know of their data."""
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
        A fitted one.
    C, l1_ratio : float
        The penalty that it was fitted with.
    penalty : str or None
        What scikit-learn calls that penalty.
    """
    layers_of(estimator)
    other = LogisticRegression(
        fit_intercept=estimator.fit_intercept, class_weight=estimator.class_weight
    )
    if getattr(other, "penalty", "deprecated") == "deprecated":  # from scikit-learn 1.8
        other.set_params(C=C, l1_ratio=l1_ratio)
    elif penalty is None:
        other.set_params(penalty=None)
    else:
        other.set_params(C=C, penalty=penalty)
        if penalty == "elasticnet":
            other.set_params(l1_ratio=l1_ratio)
    if penalty in ("l1", "elasticnet"):
        other.set_params(solver="saga")  # its only solver of several classes that makes zeros
    copy_of_data_facts(estimator, other)
    other.coef_, other.intercept_ = estimator.coef_.copy(), estimator.intercept_.copy()
    other.n_iter_ = np.array([np.max(estimator.n_iter_)], dtype=np.int32)
    return other
