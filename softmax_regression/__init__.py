"""Softmax classifiers for scikit-learn users.

`SoftmaxRegression` is multinomial logistic regression, `SmallMLP` a small feed-forward network, and
:mod:`softmax_regression.functional` holds the mathematics under both.
"""

from importlib.metadata import version

from softmax_regression import functional
from softmax_regression.inspection import CrossValidationDisplay, RegularizationPathDisplay
from softmax_regression.linear_model import (
    SoftmaxPath,
    SoftmaxRegression,
    SoftmaxRegressionCV,
    softmax_path,
)
from softmax_regression.neural_network import SmallMLP

__version__ = version("softmax-regression")

__all__ = [
    "CrossValidationDisplay",
    "RegularizationPathDisplay",
    "SmallMLP",
    "SoftmaxPath",
    "SoftmaxRegression",
    "SoftmaxRegressionCV",
    "__version__",
    "functional",
    "softmax_path",
]
