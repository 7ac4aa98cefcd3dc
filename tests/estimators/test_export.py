"""Exported estimators of scikit-learn make the same predictions."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV

LETTERS = make_classification(
    520, 16, n_informative=12, n_redundant=0, n_classes=26, n_clusters_per_class=1, random_state=0
)
TABLES = {
    "iris": load_iris(return_X_y=True),
    "wine": load_wine(return_X_y=True),
    "digits": load_digits(return_X_y=True),
    "26 classes": (LETTERS[0], np.array([*"abcdefghijklmnopqrstuvwxyz"])[LETTERS[1]]),
    "two classes": tuple(part[50:] for part in load_iris(return_X_y=True)),
}
LINEAR = {
    "ridge": SoftmaxRegression(),
    "lasso": SoftmaxRegression(l1_ratio=1.0, C=0.1),
    "no intercept": SoftmaxRegression(fit_intercept=False, tol=1e-3),
    "cv": SoftmaxRegressionCV(Cs=[0.01, 0.1], cv=2),
}
KNOWN = ["identity", "logistic", "sigmoid", "tanh", "relu"]
LACKING = ["leaky_relu", "elu", "softplus", "silu", "gelu"]


def network(**params):
    return SmallMLP((12, 6), random_state=0, solver="adam", max_iter=8, **params)


def fitted(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Nothing hangs on convergence here.
        return model.fit(X, y)


def assert_same(model, X, atol=1e-12):
    other = model.to_sklearn()
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), rtol=0, atol=atol)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    assert other.predict(X).dtype == model.predict(X).dtype
    return other


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_model_predicts_the_same(name, table):
    X, y = TABLES[table]
    model = fitted(clone(LINEAR[name]), X, y)
    other = assert_same(model, X)
    assert type(other) is LogisticRegression
    np.testing.assert_allclose(other.decision_function(X), model.decision_function(X), atol=1e-10)
    assert_same(model, sparse.csr_array(X))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("activation", KNOWN)
def test_a_network_predicts_the_same(activation, table):
    X, y = TABLES[table]
    other = assert_same(fitted(network(activation=activation), X, y), X)
    assert type(other) is MLPClassifier
    assert other.hidden_layer_sizes == (12, 6)


@pytest.mark.parametrize("activation", LACKING)
def test_an_activation_that_scikit_learn_lacks_is_named_with_a_remedy(activation):
    X, y = TABLES["iris"]
    model = fitted(network(activation=activation), X, y)
    with pytest.raises(ValueError, match=f"'{activation}'.*softmax_regression.onnx"):
        model.to_sklearn()
    without_hidden_layers = clone(model).set_params(hidden_layer_sizes=[])
    assert_same(fitted(without_hidden_layers, X, y), X)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["b", "a", "ü"]),
        np.array(["b", "a", "c"], dtype=object),
        np.array([7, -1, 3], dtype=np.int8),
        np.array([2.0, 0.0, 1.0]),
        np.array([True, False, True]),
        pd.array(["x", "z", "y"], dtype="string"),
    ],
    ids=lambda labels: str(labels.dtype),
)
@pytest.mark.parametrize("model", [SoftmaxRegression(), network()], ids=["linear", "network"])
def test_labels_stay_what_they_are(model, labels):
    X, y = TABLES["iris"]
    assert_same(fitted(clone(model), X, labels[y]), X)


@pytest.mark.parametrize("model", [SoftmaxRegression(), network()], ids=["linear", "network"])
def test_of_float32_data_it_is_the_same_to_their_rounding(model):
    X, y = TABLES["digits"]
    X = X.astype(np.float32)
    other = assert_same(fitted(clone(model), X, y), X, atol=1e-5)
    assert other.predict_proba(X).dtype == np.float32


@pytest.mark.parametrize("model", [SoftmaxRegression(), network()], ids=["linear", "network"])
def test_names_of_features_come_along_and_arrays_are_its_own(model):
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = fitted(clone(model), X, y)
    other = model.to_sklearn()
    np.testing.assert_array_equal(other.feature_names_in_, X.columns)
    with pytest.raises(ValueError, match="feature names"):
        other.predict(X.iloc[:, ::-1])
    before = model.predict_proba(X)
    for array in (other.classes_, other.feature_names_in_):
        array[:] = array[0]
    for name in {"coef_", "intercept_", "coefs_", "intercepts_"} & vars(other).keys():
        for array in getattr(other, name) if name.endswith("s_") else [getattr(other, name)]:
            array[...] = 0
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_class_probabilities_and_sparse_coefficients():
    X, y = TABLES["iris"]
    soft = pd.DataFrame(np.eye(3)[y] * 0.9 + 0.1 / 3, columns=["r", "p", "q"])
    assert_same(fitted(SoftmaxRegression(), X, soft), X)
    lasso = fitted(SoftmaxRegression(l1_ratio=1.0), X, y).sparsify()
    assert sparse.issparse(assert_same(lasso, X).coef_)


@pytest.mark.parametrize(
    "params",
    [{}, {"C": np.inf}, {"C": 0.3, "l1_ratio": 1.0}, {"C": 0.3, "l1_ratio": 0.5}],
    ids=str,
)
def test_fitted_anew_it_minimises_the_same_objective(params):
    X, y = TABLES["iris"]
    X, y = X[50:] - X[50:].mean(axis=0), y[50:]
    model = SoftmaxRegression(**params, class_weight="balanced", tol=1e-9).fit(X, y)
    again = clone(model.to_sklearn()).set_params(max_iter=20_000, tol=1e-8, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        again.fit(X, y)
    np.testing.assert_allclose(again.coef_, model.coef_, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("early_stopping", ["auto", False])
def test_training_goes_on_where_scikit_learn_can(early_stopping):
    X, y = TABLES["digits"]
    model = fitted(network(early_stopping=early_stopping), X, y)
    other = model.to_sklearn()
    before, epochs = other.loss_curve_[-1], len(other.loss_curve_)
    other.set_params(learning_rate_init=1e-4).partial_fit(X, y)
    assert len(other.loss_curve_) == epochs + 1
    assert other.loss_curve_[-1] < 1.5 * before + 0.1
    assert len(model.loss_curve_) == epochs


@pytest.mark.parametrize("model", [*LINEAR.values(), network()], ids=[*LINEAR, "network"])
def test_before_fit_it_says_so(model):
    with pytest.raises(NotFittedError):
        clone(model).to_sklearn()


@pytest.mark.parametrize("params", [{"numeric_encoding": 4}, {"categorical_features": [0]}])
def test_networks_on_codes_say_what_to_fit_instead(params):
    X, y = load_iris(return_X_y=True)
    X = np.round(X)
    model = SmallMLP(max_iter=2, early_stopping=False, random_state=0, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    with pytest.raises(ValueError, match="fit one with numeric_encoding='linear'"):
        model.to_sklearn()
