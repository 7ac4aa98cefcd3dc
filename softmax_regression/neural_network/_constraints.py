"""The constraints of the parameters of `SmallMLP`."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, Options, StrOptions

from softmax_regression._estimators.parameters import FITS, MINIBATCHES, InOrder, constraints
from softmax_regression._solvers.minibatch.learning_rates import LEARNING_RATES
from softmax_regression.functional import ACTIVATIONS, Activation

CONSTRAINTS: dict[str, list[Any]] = {
    **constraints(*FITS, *MINIBATCHES),
    "learning_rate": [StrOptions({*LEARNING_RATES, "auto"})],
    "hidden_layer_sizes": [
        StrOptions({"auto"}),
        "array-like",
        Interval(Integral, 1, None, closed="left"),
    ],
    "activation": [InOrder({*ACTIVATIONS, "sigmoid"}), Activation],
    "solver": [StrOptions({"auto", "adam", "sgd", "lbfgs"})],
    "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
    "early_stopping": ["boolean", StrOptions({"auto"})],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "scoring": [StrOptions({"loss", *get_scorer_names()}), callable, None],
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "label_smoothing": [Interval(Real, 0, 1, closed="both")],
    "standardize": ["boolean"],
    "average": [Interval(Real, 0, None, closed="left")],
    "dtype": [
        StrOptions({"auto", "float32", "float64"}),
        Options(type, {np.float32, np.float64}),
        Options(np.dtype, {np.dtype("float32"), np.dtype("float64")}),
    ],
    "numeric_encoding": [
        StrOptions({"auto", "linear", "piecewise"}),
        Interval(Integral, 2, None, closed="left"),
    ],
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "n_members": [Interval(Integral, 1, None, closed="left")],
}
