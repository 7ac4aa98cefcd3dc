"""Classes are sorted, and so are the columns of every output, whatever the order in y is:
scikit-learn's metrics rely on that.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV, softmax_path

LINEAR = SoftmaxRegression(tol=1e-10)
STREAM = SoftmaxRegression(solver="adam", random_state=0)
NETWORK = SmallMLP((), solver="adam", random_state=0, early_stopping=False, max_iter=30)
SEARCH = SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=3)

streams = pytest.mark.parametrize("estimator", [STREAM, NETWORK], ids=lambda e: type(e).__name__)


def problem(n_classes, n_rows=200):
    """Rows, and names of classes in an order that is not sorted, one for each row."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 4))
    scores = 2 * X[:, :n_classes] + rng.gumbel(size=(n_rows, n_classes))
    return X, np.array(["cat", "ant", "bee"])[:n_classes], scores.argmax(axis=1)


def frame(names, y, rows=slice(None)):
    """Each class certain, in columns named in the order given."""
    return pd.DataFrame(np.eye(len(names))[y[rows]], columns=names)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scorers_are_right_for_columns_that_are_not_sorted(n_classes):
    X, names, y = problem(n_classes)
    expected = LogisticRegression(tol=1e-10, max_iter=10_000).fit(X, names[y])
    model = clone(LINEAR).fit(X, frame(names, y))
    np.testing.assert_array_equal(model.classes_, expected.classes_)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-5)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    for scoring in ("roc_auc" if n_classes == 2 else "roc_auc_ovr", "neg_log_loss", "accuracy"):
        scorer = get_scorer(scoring)
        assert scorer(model, X, names[y]) == pytest.approx(scorer(expected, X, names[y]), rel=1e-4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # few epochs
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("estimator", [STREAM, NETWORK, SEARCH], ids=lambda e: type(e).__name__)
def test_the_order_of_columns_changes_nothing(estimator, n_classes):
    X, names, y = problem(n_classes)
    one, other = frame(names, y), frame(names, y)[sorted(names)]
    models = [clone(estimator).fit(X, P) for P in (one, other)]
    for model in models:
        np.testing.assert_array_equal(model.classes_, sorted(names))
        np.testing.assert_array_equal(model.predict_proba(X), models[0].predict_proba(X))
        assert model.score(X, one) == model.score(X, other) == models[0].score(X, other)


def test_score_finds_columns_by_their_names():
    X, names, y = problem(3)
    P = pd.DataFrame(np.random.default_rng(1).dirichlet(np.ones(3), len(X)), columns=names)
    model = clone(LINEAR).fit(X, names[y])
    expected = [P[label].iloc[row] for row, label in enumerate(model.predict(X))]
    assert model.score(X, P) == pytest.approx(np.mean(expected))
    assert model.score(X, P[sorted(names)].to_numpy()) == pytest.approx(np.mean(expected))


@streams
def test_a_stream_finds_columns_by_their_names(estimator):
    X, names, y = problem(3)
    labels = names[y]
    expected = clone(estimator).partial_fit(X, labels, classes=sorted(names))
    expected.partial_fit(X, labels)
    model = (
        clone(estimator).partial_fit(X, frame(names, y)).partial_fit(X, frame(names[::-1], 2 - y))
    )
    np.testing.assert_array_equal(model.classes_, sorted(names))
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # few epochs
@streams
def test_classes_name_the_columns_of_an_array_from_then_on(estimator):
    X, names, y = problem(3)
    P = frame(names, y)
    expected = clone(estimator)
    for _ in range(3):
        expected.partial_fit(X, P)
    model = clone(estimator).partial_fit(X, P.to_numpy(), classes=names)
    model.partial_fit(X, P.to_numpy()).partial_fit(X, names[y], classes=sorted(names))
    np.testing.assert_array_equal(model.classes_, sorted(names))
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    assert model.score(X, P.to_numpy()) == model.score(X, P) == expected.score(X, P)
    model.fit(X, names[y])
    assert model.score(X, P[sorted(names)].to_numpy()) == model.score(X, P)
    with pytest.raises(ValueError, match=r"classes .* all be different, got \['ant', 'ant', 'bee'"):
        clone(estimator).partial_fit(X, P.to_numpy(), classes=["ant", "ant", "bee"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # few epochs
def test_validation_rows_find_columns_by_their_names():
    X, names, y = problem(3)
    train, test = slice(0, 150), slice(150, None)
    curves = []
    for order in (names, sorted(names)):
        y_val = frame(names, y, test)[order]
        model = clone(NETWORK).fit(X[train], frame(names, y, train), X_val=X[test], y_val=y_val)
        curves.append(model.validation_loss_curve_)
    np.testing.assert_array_equal(*curves)
    hard = clone(NETWORK).fit(X[train], names[y[train]], X_val=X[test], y_val=names[y[test]])
    np.testing.assert_allclose(curves[0], hard.validation_loss_curve_, rtol=1e-4)


def test_a_path_has_sorted_classes():
    X, names, y = problem(3)
    path = softmax_path(X, frame(names, y), Cs=[1.0], tol=1e-10)
    expected = softmax_path(X, names[y], Cs=[1.0], tol=1e-10)
    np.testing.assert_array_equal(path.classes, expected.classes)
    np.testing.assert_allclose(path.coefs, expected.coefs, atol=1e-5)


def test_class_weights_go_by_names():
    X, names, y = problem(3)
    weights = {"cat": 3.0, "ant": 0.5}
    model = clone(LINEAR).set_params(class_weight=weights).fit(X, frame(names, y))
    expected = clone(LINEAR).set_params(class_weight=weights).fit(X, names[y])
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-5)


@pytest.mark.parametrize("columns", [[True, False, "?"], [1, "b", 2.5]], ids=str)
def test_columns_that_cannot_be_sorted_are_refused(columns):
    X, _, y = problem(3)
    with pytest.raises(TypeError, match=r"columns of y .* names of one kind, .* got \[") as error:
        clone(LINEAR).fit(X, frame(columns, y))
    assert str(columns) in str(error.value)
