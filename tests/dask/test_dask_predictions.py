"""Predictions are lazy, with the chunks of X, and those of the model in memory."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

da = pytest.importorskip("dask.array", reason="needs the extra 'dask'")

import dask.dataframe as dd

from softmax_regression import SoftmaxRegression
from softmax_regression.dask import DaskSoftmaxRegression

METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


@pytest.fixture
def fitted(data):
    def fit(n_classes=3, dtype=np.float64, labels="abcde"):
        rows = data(n_classes=n_classes, dtype=dtype)
        y = np.array(list(labels))[rows.y]
        X = da.from_array(rows.X, chunks=(400, 2))
        return rows, X, y, DaskSoftmaxRegression().fit(X, da.from_array(y, chunks=400))

    return fit


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_they_are_lazy_and_have_known_chunks_and_dtypes(n_classes, dtype, method, fitted):
    rows, X, _, model = fitted(n_classes, dtype)
    expected = getattr(model.to_local(), method)(rows.X)
    lazy = getattr(model, method)(X)
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == expected.dtype
    assert lazy.shape == expected.shape
    assert lazy.chunks[0] == X.chunks[0]
    found = lazy.compute()
    assert found.dtype == lazy.dtype
    np.testing.assert_array_equal(getattr(model, method)(rows.X), expected)
    if method == "predict":
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-9 if dtype == np.float64 else 1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_sparse_chunks(method, fitted):
    rows, X, _, model = fitted()
    sparse = X.rechunk({1: -1}).map_blocks(csr_array)
    expected = getattr(model.to_local(), method)(csr_array(rows.X))
    lazy = getattr(model, method)(sparse)
    found = np.concatenate([part.compute() for part in lazy.to_delayed().ravel()])
    if method == "predict":
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_frames_keep_index_and_partitions(n_classes, method, data):
    data = data(n_classes=n_classes)
    X = pd.DataFrame(data.X, columns=list("abcde"), index=np.arange(900) + 5)
    y = pd.Series(data.y, index=X.index)
    lazy = dd.from_pandas(X, npartitions=3)
    model = DaskSoftmaxRegression().fit(lazy, dd.from_pandas(y, npartitions=3))
    found = getattr(model, method)(lazy)
    assert found.divisions == lazy.divisions
    expected = getattr(model.to_local(), method)(X)
    computed = found.compute()
    np.testing.assert_allclose(computed.to_numpy(), expected, rtol=1e-9)
    assert list(computed.index) == list(X.index)
    if computed.ndim == 2:
        assert list(computed.columns) == list(found.columns) == list(model.classes_)
    else:
        assert found.dtype == computed.dtype
    with pytest.raises(ValueError, match="feature names"):
        getattr(model, method)(lazy.rename(columns={"a": "z"}))


def test_score_is_the_accuracy_in_memory(fitted):
    rows, X, y, model = fitted()
    local, cut = model.to_local(), da.from_array(y, chunks=250)
    weights = da.from_array(rows.weight, chunks=100)
    assert model.score(X, cut) == pytest.approx(local.score(rows.X, y))
    weighted = local.score(rows.X, y, rows.weight)
    assert model.score(X, cut, weights) == pytest.approx(weighted)
    shares = pd.DataFrame(rows.shares, columns=list("abc"))
    frames = [dd.from_pandas(frame, npartitions=4) for frame in (pd.DataFrame(rows.X), shares)]
    assert model.score(*frames) == pytest.approx(local.score(rows.X, shares))


def test_the_local_model_needs_no_dask(fitted, tmp_path):
    rows, X, _, model = fitted()
    np.save(tmp_path / "X.npy", rows.X)
    np.save(tmp_path / "expected.npy", model.predict_proba(X).compute())
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model.to_local()))
    script = (
        "import sys; sys.modules['dask'] = sys.modules['distributed'] = None\n"
        "import pickle, numpy as np\n"
        "model = pickle.load(open('model.pickle', 'rb'))\n"
        "found = model.predict_proba(np.load('X.npy'))\n"
        "np.testing.assert_allclose(found, np.load('expected.npy'), rtol=1e-12)\n"
        "assert type(model).__name__ == 'SoftmaxRegression'\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)


def test_the_package_does_not_import_dask_and_says_what_is_missing():
    script = (
        "import sys, softmax_regression\n"
        "assert 'dask' not in sys.modules\n"
        "sys.modules['dask'] = None\n"
        "import softmax_regression.dask\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "softmax-regression[dask]" in done.stderr


def test_the_local_model_has_parameters_and_attributes_of_its_own(fitted):
    rows, _, y, model = fitted()
    local = model.to_local()
    assert type(local) is SoftmaxRegression
    assert local.get_params() == SoftmaxRegression().get_params()
    assert local.optimality_gap_ == model.optimality_gap_
    local.partial_fit(rows.X, y)  # goes on from there


def test_it_is_cloned_with_its_client_and_pickled_without(fitted, client):
    _, X, _, model = fitted()
    model.set_params(client=client, C=3.0)
    other = clone(model)
    assert other.client is client
    assert other.C == 3.0
    assert not hasattr(other, "coef_")
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.client is None
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_predictions_are_made_on_a_cluster(fitted, client):
    _, X, y, model = fitted()
    model.client = client
    lazy = model.predict(X)
    found = client.compute(lazy).result()
    np.testing.assert_array_equal(found, model.to_local().predict(X.compute()))
    assert model.score(X, da.from_array(y, chunks=400)) == pytest.approx(np.mean(found == y))
