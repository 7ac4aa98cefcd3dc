"""Predictions of converted models by onnxruntime are those of the estimators."""

import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV
from softmax_regression.functional import ACTIVATIONS
from softmax_regression.onnx import register_converters

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Those of imports are not this package's.
    skl2onnx = pytest.importorskip("skl2onnx", reason="comes with the extra onnx")
    runtime = pytest.importorskip("onnxruntime", reason="comes with the extra onnx")

LETTERS = make_classification(
    520, 16, n_informative=12, n_redundant=0, n_classes=26, n_clusters_per_class=1, random_state=0
)
NAMES = np.array([*"abcdefghijklmnopqrstuvwxyz"])
IRIS = load_iris(return_X_y=True)
TABLES = {
    "iris": IRIS,
    "digits": load_digits(return_X_y=True),
    "26 names": (LETTERS[0], NAMES[LETTERS[1]]),
    "two names": (IRIS[0][50:], np.array(["yes", "no"], dtype=object)[IRIS[1][50:] - 1]),
    "bools": (IRIS[0][50:], IRIS[1][50:] == 1),
    "far from 0": (IRIS[0] + 10_000, IRIS[1].astype(float)),
}
MODELS = {
    "linear": SoftmaxRegression(),
    "lasso": SoftmaxRegression(l1_ratio=1.0, C=0.1),
    "cv": SoftmaxRegressionCV(Cs=[0.01, 0.1], cv=2),
    "network": SmallMLP((12, 6), random_state=0, solver="adam", max_iter=8),
}


@pytest.fixture(autouse=True, scope="module")
def _registered():
    register_converters()


def fitted(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Nothing hangs on convergence here.
        return clone(model).fit(X, y)


def run(model, X, **options):
    """Return labels and probabilities by onnxruntime."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        graph = skl2onnx.to_onnx(model, X[:1], options=options)
    session = runtime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: X})


def assert_same(model, X, atol):
    labels, probabilities = run(model, X, zipmap=False)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=atol)
    assert probabilities.dtype == X.dtype
    np.testing.assert_array_equal(labels, model.predict(X))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", MODELS)
def test_predictions_agree_to_the_rounding_of_the_inputs(name, table):
    X, y = TABLES[table]
    model = fitted(MODELS[name], X, y)
    assert_same(model, X, 1e-12)
    assert_same(model, X.astype(np.float32), 1e-6)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "sigmoid"])
def test_every_activation(activation):
    X, y = TABLES["digits"]
    network = fitted(MODELS["network"].set_params(activation=activation), X, y)
    assert_same(network, X, 1e-7 if activation == "gelu" else 1e-12)
    assert_same(network, X.astype(np.float32), 1e-6)
    far = np.concatenate([300 * X[:20], -300 * X[:20]])
    assert_same(network, far, 1e-4 if activation == "gelu" else 1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("table", ["iris", "26 names", "bools"])
def test_dictionaries_and_columns(table, dtype):
    X, y = TABLES[table]
    model, X = fitted(MODELS["linear"], X, y), X.astype(dtype)
    expected = model.predict_proba(X)
    labels, rows = run(model, X, zipmap=True)
    np.testing.assert_array_equal(labels, model.predict(X))
    assert list(rows[0]) == model.classes_.tolist()
    np.testing.assert_allclose([list(row.values()) for row in rows], expected, atol=1e-6)
    _, *columns = run(model, X, zipmap="columns")
    np.testing.assert_allclose(np.transpose(columns), expected, atol=1e-6)


def test_labels_that_onnx_lacks_are_refused_or_numbered():
    X, y = IRIS
    model = fitted(MODELS["linear"], X, np.array(["2020", "2021", "2022"], dtype="M8[Y]")[y])
    with pytest.raises(ValueError, match="nocl=True"):
        run(model, X, zipmap=False)
    labels, probabilities = run(model, X, zipmap=False, nocl=True)
    np.testing.assert_array_equal(model.classes_[labels], model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-12)


def test_pipelines_and_searches():
    X, y = load_iris(return_X_y=True)
    X = np.column_stack([X, np.arange(len(X)) % 3])
    columns = ColumnTransformer(
        [("scaled", StandardScaler(), [0, 1, 2, 3]), ("which", OneHotEncoder(), [4])]
    )
    search = GridSearchCV(MODELS["linear"], {"C": [0.1, 1.0]}, cv=2)
    for last in (MODELS["network"], MODELS["cv"], search):
        model = fitted(make_pipeline(columns, last), X, y)
        labels, probabilities = run(model, X.astype(np.float32), zipmap=False)
        np.testing.assert_array_equal(labels, model.predict(X))
        np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)


def test_without_skl2onnx_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"softmax-regression\[onnx\]"):
        register_converters()
