"""Tables and labels of other libraries, and the storage of fitted estimators by skops."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["a", "b", "c"])
SOFT = pd.DataFrame(0.9 * np.eye(3)[Y] + 0.1 / 3, columns=list(NAMES))
NETWORK = SmallMLP((4,), max_iter=3, random_state=0, solver="adam")


def quietly(fit, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Nothing hangs on convergence here.
        return fit(*args, **kwargs)


@pytest.mark.parametrize(
    "model",
    [
        SoftmaxRegression(),
        SoftmaxRegression(l1_ratio=1.0),
        SoftmaxRegression(bounds=(0, None)),
        SoftmaxRegression(solver="sgd", random_state=0),
        SoftmaxRegressionCV(Cs=2, cv=2),
        SoftmaxRegressionCV(Cs=2, cv="loo"),
        NETWORK,
        make_pipeline(StandardScaler(), NETWORK),
    ],
    ids=str,
)
def test_skops_has_nothing_to_trust_but_the_estimators(model):
    io = pytest.importorskip("skops.io")
    stored = io.dumps(quietly(model.fit, X, NAMES[Y]))
    types = io.get_untrusted_types(data=stored)
    last = model[-1] if hasattr(model, "steps") else model
    assert [name.rpartition(".")[2] for name in types] == [type(last).__name__]
    loaded = io.loads(stored, trusted=types)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("model", [SoftmaxRegression(), NETWORK], ids=["linear", "network"])
def test_skops_trusts_a_stream_and_what_to_sklearn_returns(model):
    io = pytest.importorskip("skops.io")
    model = clone(model).partial_fit(X, Y, classes=[0, 1, 2])
    (known,) = io.get_untrusted_types(data=io.dumps(model))
    assert known.endswith(type(model).__name__)
    assert io.get_untrusted_types(data=io.dumps(model.to_sklearn())) == []


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]], ids=str)
def test_class_probabilities_in_tables_of_pyarrow(order):
    arrow = pytest.importorskip("pyarrow")
    soft = SOFT.iloc[:, order]
    table = arrow.table({name: soft[name].to_numpy() for name in soft})
    expected = SoftmaxRegression().fit(X, SOFT)
    for y in (table, soft.astype(pd.ArrowDtype(arrow.float64()))):
        model = SoftmaxRegression().fit(X, y)
        assert model.classes_.tolist() == list(NAMES)
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-9)
        assert model.score(X, y) == expected.score(X, SOFT)


def test_features_in_tables_of_pyarrow():
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({name: X[:, j] for j, name in enumerate("abcd")})
    model = SoftmaxRegression().fit(table, Y)
    assert model.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(model.coef_, SoftmaxRegression().fit(X, Y).coef_)
    dates = pd.date_range("2020-01-01", periods=len(Y)).to_numpy()
    with pytest.raises(TypeError, match="Column 'when' of X holds dates"):
        SoftmaxRegression().fit(table.append_column("when", arrow.array(dates)), Y)


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 has no such type"
)
@pytest.mark.parametrize("model", [SoftmaxRegression(), NETWORK], ids=["linear", "network"])
def test_labels_of_numpys_strings_of_any_length(model):
    labels = NAMES.astype(np.dtypes.StringDType())[Y]
    quietly(model.fit, X, labels)
    assert model.classes_.tolist() == list(NAMES)
    assert model.score(X, labels) == model.score(X, NAMES[Y])
    np.testing.assert_array_equal(model.to_sklearn().predict(X), model.predict(X))


def test_a_networks_log_loss_knows_classes_that_validation_rows_lack():
    model = SmallMLP((4,), max_iter=3, random_state=0, solver="adam", early_stopping=True)
    model.set_params(scoring="neg_log_loss")
    quietly(model.fit, X, Y, X_val=X[:60], y_val=Y[:60])
    expected = np.negative(model.validation_loss_curve_)
    np.testing.assert_allclose(model.validation_scores_, expected, rtol=1e-6)
