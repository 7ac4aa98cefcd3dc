"""scikit-learn's own checks of the estimator API, all of them, for every solver."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV

LINEAR_SOLVERS = ("auto", "lbfgs", "newton-cg", "newton-cholesky", "sgd", "adam")
NETWORK_SOLVERS = ("adam", "sgd", "lbfgs")

ESTIMATORS = [SoftmaxRegression(solver=solver) for solver in LINEAR_SOLVERS]
# A check compares coefficients to seven digits.
ESTIMATORS += [
    SoftmaxRegression(bounds=(-2, 2), tol=1e-13, solver=solver)
    for solver in ("newton-cholesky", "lbfgs")
]
ESTIMATORS += [SmallMLP(solver=solver) for solver in NETWORK_SOLVERS]
ESTIMATORS += [SoftmaxRegressionCV(Cs=3, cv=3), SoftmaxRegressionCV(Cs=3, cv="loo")]


# The checks fit data sets of a few rows at whatever max_iter; whether that converges is not theirs
# to say. That the warnings come when they should is tested elsewhere.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
