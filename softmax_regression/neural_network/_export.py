"""The conversion of `SmallMLP` to scikit-learn's `MLPClassifier`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from softmax_regression._estimators.export import Layers, copy_of_data_facts, layers_of

_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")  # The activations of scikit-learn.
_RECORDS = (
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "n_iter_",
    "t_",
    "loss_",
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
)


def mlp_classifier(estimator: Any) -> MLPClassifier:
    """Return scikit-learn's estimator with the weights of a fitted `SmallMLP`."""
    layers = layers_of(estimator)
    hidden = tuple(len(intercepts) for intercepts in layers.intercepts[:-1])
    other = MLPClassifier(**shared_parameters(estimator))
    other.set_params(
        hidden_layer_sizes=hidden,
        activation=_known_activation(layers),
        solver=estimator.solver_,
    )
    copy_of_data_facts(estimator, other)
    other._label_binarizer = LabelBinarizer().fit(other.classes_)
    other._label_binarizer.classes_ = other.classes_  # LabelBinarizer changes the dtype.
    for name in _RECORDS:
        setattr(other, name, getattr(estimator, name))
    other.loss_curve_ = list(estimator.loss_curve_)
    other.coefs_ = [weights.copy() for weights in layers.weights]
    other.intercepts_ = [intercepts.copy() for intercepts in layers.intercepts]
    _prepare_for_partial_fit(other)
    return other


def shared_parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of both classes whose values `MLPClassifier` accepts."""
    constraints = MLPClassifier._parameter_constraints
    shared = {}
    for name, value in estimator.get_params(deep=False).items():
        if name in constraints:
            try:
                validate_parameter_constraints(
                    {name: constraints[name]}, {name: value}, caller_name="MLPClassifier"
                )
            except InvalidParameterError:
                continue  # An example is alpha="auto".
            shared[name] = value
    return shared


def _known_activation(layers: Layers) -> str:
    """Return the activation by scikit-learn's name, or raise if it has none."""
    if len(layers.weights) == 1:
        return "identity"  # There is no hidden layer that applies the activation.
    if layers.activation not in _ACTIVATIONS:
        raise ValueError(
            f"MLPClassifier has no activation={layers.activation!r}, only "
            f"{', '.join(_ACTIVATIONS)}: fit SmallMLP with one of these, or export to ONNX, which "
            "takes all (see softmax_regression.onnx)."
        )
    return layers.activation


def _prepare_for_partial_fit(other: MLPClassifier) -> None:
    """Set the attributes that `partial_fit` and a warm start of `MLPClassifier` need."""
    other._no_improvement_count = 0
    other._best_coefs = [weights.copy() for weights in other.coefs_]
    other._best_intercepts = [intercepts.copy() for intercepts in other.intercepts_]
    if other.best_loss_ is None and not other.early_stopping:
        other.best_loss_ = np.inf
