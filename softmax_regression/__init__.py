"""Softmax classifiers for scikit-learn users.

`SoftmaxRegression` is multinomial logistic regression, `SmallMLP` a small feed-forward network, and
:mod:`softmax_regression.functional` holds the mathematics under both.
"""

from importlib.metadata import version

from softmax_regression import functional
from softmax_regression.inspection import CrossValidationDisplay, RegularizationPathDisplay
from softmax_regression.linear_model import SoftmaxRegression
from softmax_regression.model_selection import SoftmaxRegressionCV
from softmax_regression.neural_network import SmallMLP
from softmax_regression.regularization_path import SoftmaxPath, softmax_path

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
