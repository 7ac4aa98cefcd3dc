"""Softmax classifiers for scikit-learn users.

``SoftmaxRegression`` is multinomial logistic regression, ``SmallMLP`` a small feed-forward network,
and :mod:`softmax_regression.functional` holds the mathematics under both.
"""

from importlib.metadata import version

from softmax_regression import functional

__version__ = version("softmax-regression")

__all__ = ["__version__", "functional"]
