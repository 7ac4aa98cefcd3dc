"""Multinomial logistic regression: one model, a path of models, and the choice among them.

`SoftmaxRegression` fits one model, `softmax_path` those for a grid of penalties, and
`SoftmaxRegressionCV` chooses the penalty by cross-validation.
"""

from softmax_regression.linear_model._softmax_path import SoftmaxPath, softmax_path
from softmax_regression.linear_model._softmax_regression import SoftmaxRegression
from softmax_regression.linear_model._softmax_regression_cv import SoftmaxRegressionCV

__all__ = ["SoftmaxPath", "SoftmaxRegression", "SoftmaxRegressionCV", "softmax_path"]
