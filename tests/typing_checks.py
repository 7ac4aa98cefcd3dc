"""What a type checker makes of the public interface: read by mypy, and never run.

``assert_type`` fails if a type is another; where an argument must be refused, mypy reports an
``ignore`` that hides nothing.
"""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from softmax_regression import (
    RegularizationPathDisplay,
    SmallMLP,
    SoftmaxPath,
    SoftmaxRegression,
    SoftmaxRegressionCV,
    softmax_path,
)
from softmax_regression.functional import softmax

Array = NDArray[Any]


def fitted_estimators_keep_their_type(X: Array, y: Array) -> None:
    assert_type(SoftmaxRegression().fit(X, y), SoftmaxRegression)
    assert_type(SoftmaxRegression().partial_fit(X, y, classes=[0, 1]), SoftmaxRegression)
    assert_type(SoftmaxRegressionCV().fit(X, y, groups=y), SoftmaxRegressionCV)
    assert_type(SmallMLP().fit(X, y, X_val=X, y_val=y), SmallMLP)
    assert_type(SmallMLP().partial_fit(X, y), SmallMLP)
    assert_type(SmallMLP().set_params(alpha=1.0), SmallMLP)
    assert_type(softmax_path(X, y), SoftmaxPath)


def so_do_those_of_a_subclass(X: Array, y: Array) -> None:
    class Mine(SoftmaxRegression):
        pass

    assert_type(Mine(C=2.0).fit(X, y), Mine)


def results_are_arrays_and_numbers(X: Array, y: Array) -> None:
    model = SoftmaxRegression().fit(X, y)
    assert_type(model.predict(X), Array)
    assert_type(model.predict_proba(X), Array)
    assert_type(model.predict_proba(X, offset=y), Array)
    assert_type(model.predict_log_proba(X), Array)
    assert_type(model.decision_function(X), Array)
    assert_type(model.score(X, y), float)
    assert_type(model.classes_, Array)
    assert_type(model.intercept_, Array)
    assert_type(model.loss_curve_, list[float])
    assert_type(SmallMLP().fit(X, y).coefs_, list[Array])
    assert_type(softmax_path(X, y).coefs, Array)
    assert_type(softmax(X, axis=None, temperature=[[1.0], [2.0]]), Array)


def options_are_those_that_there_are(X: Array, y: Array) -> None:
    SoftmaxRegression(solver="newton-cg", penalty_grouping="features", class_weight="balanced")
    SoftmaxRegression(learning_rate="one-cycle", batch_size="auto", class_weight={0: 2.0})
    SoftmaxRegression(solver="saga")  # type: ignore[arg-type]
    SoftmaxRegression(penalty_grouping="rows")  # type: ignore[arg-type]
    SoftmaxRegression(class_weight="equal")  # type: ignore[arg-type]
    SoftmaxRegression(batch_size="all")  # type: ignore[arg-type]
    SoftmaxRegression(penalty="l1")  # type: ignore[call-arg]
    SoftmaxRegressionCV(solver="newton-cholesky", selection="1se", scoring="accuracy")
    SoftmaxRegressionCV(solver="adam")  # type: ignore[arg-type]
    SoftmaxRegressionCV(selection="2se")  # type: ignore[arg-type]
    SmallMLP((5, 5), "gelu", solver="lbfgs", alpha="auto", dtype="float64", early_stopping="auto")
    SmallMLP(dtype=np.float32, random_state=np.random.RandomState(0), scoring=None)
    SmallMLP((5, 5), "swish")  # type: ignore[arg-type]
    SmallMLP(learning_rate="fast")  # type: ignore[arg-type]
    SmallMLP(early_stopping="always")  # type: ignore[arg-type]
    softmax_path(X, y, solver="lbfgs")
    softmax_path(X, y, solver="sgd")  # type: ignore[arg-type]
    RegularizationPathDisplay.from_path(softmax_path(X, y), kind="norms")
    RegularizationPathDisplay.from_path(softmax_path(X, y), kind="rows")  # type: ignore[arg-type]
