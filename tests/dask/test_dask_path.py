"""Paths of C on Dask collections are those in memory, in fewer passes than fit by fit."""

import numpy as np
import pandas as pd
import pytest

da = pytest.importorskip("dask.array", reason="needs the extra 'dask'")

import dask.dataframe as dd
from dask.callbacks import Callback
from dask.utils import key_split
from dask_zoo import left_behind

from softmax_regression import softmax_path
from softmax_regression.dask import DaskSoftmaxRegression
from softmax_regression.dask import softmax_path as dask_path

CS = [10.0, 0.01, 1.0]


def paths_alike(local, distributed, rel=1e-9):
    """Hold that two paths are of the same minima."""
    np.testing.assert_array_equal(distributed.classes, local.classes)
    np.testing.assert_allclose(distributed.Cs, local.Cs, rtol=1e-12)
    np.testing.assert_allclose(distributed.objectives, local.objectives, rtol=rel)
    assert distributed.coefs.dtype == local.coefs.dtype
    assert distributed.coefs.shape == local.coefs.shape
    assert distributed.intercepts.shape == local.intercepts.shape


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(
    "params",
    [
        {"Cs": [*CS, np.inf]},
        {"Cs": CS, "solver": "newton-cg", "fit_intercept": False},
        {"Cs": 4, "l1_ratio": 0.5},
        {"Cs": CS, "class_weight": "balanced", "penalty_weights": [2.0, 0.0, 1.0, 0.5, 1.0]},
    ],
    ids=str,
)
def test_it_is_the_path_in_memory(n_classes, params, data):
    data = data(n_classes=n_classes)
    X, y = da.from_array(data.X, chunks=(200, 3)), da.from_array(data.y, chunks=250)
    weight = da.from_array(data.weight, chunks=100)
    local = softmax_path(data.X, data.y, sample_weight=data.weight, tol=1e-10, **params)
    found = dask_path(X, y, sample_weight=weight, tol=1e-10, **params)
    paths_alike(local, found)
    assert (found.optimality_gaps <= 1e-10).all()
    if "l1_ratio" in params:
        np.testing.assert_array_equal(found.coefs == 0, local.coefs == 0)


def test_float32_is_certified_as_rounded_and_classes_without_weight_come_back(data):
    data = data(n_classes=4, dtype=np.float32)
    data.weight[data.y == 2] = 0
    X, y = da.from_array(data.X, chunks=(300, -1)), da.from_array(data.y, chunks=300)
    weight = da.from_array(data.weight, chunks=300)
    local = softmax_path(data.X, data.y, Cs=CS, sample_weight=data.weight, tol=1e-5)
    found = dask_path(X, y, Cs=CS, sample_weight=weight, tol=1e-5)
    paths_alike(local, found, rel=1e-5)
    np.testing.assert_allclose(found.intercepts[:, 2], local.intercepts[:, 2], rtol=1e-3)


def test_frames_and_what_is_told(data, capsys):
    data = data()
    X = dd.from_pandas(pd.DataFrame(data.X, columns=list("abcde")), npartitions=3)
    y = dd.from_pandas(pd.Series(data.y).map(str), npartitions=3)
    found = dask_path(X, y, Cs=CS, tol=1e-10, verbose=1)
    paths_alike(softmax_path(data.X, data.y.astype(str), Cs=CS, tol=1e-10), found)
    assert capsys.readouterr().out.count("softmax_path C=") == len(CS)


def test_a_path_takes_fewer_passes_than_its_fits(data):
    data, Cs = data(n_rows=3000, n_columns=8, n_classes=4), np.geomspace(0.01, 10, 7)
    X, y = da.from_array(data.X, chunks=(1000, -1)), da.from_array(data.y, chunks=1000)
    passes = []

    def note(key, dsk, state):
        if key_split(key) == "softmax-sum":
            passes.append(key)

    with Callback(pretask=note):
        dask_path(X, y, Cs=Cs)
    one_by_one = [DaskSoftmaxRegression(C=C).fit(X, y).n_passes_ for C in Cs]
    assert len(passes) < 0.6 * sum(one_by_one)


def test_separated_classes_are_told_of(data):
    data = data()
    y = da.from_array((data.X[:, 0] > data.X[:, 0].mean()).astype(int), chunks=300)
    X = da.from_array(data.X, chunks=(300, -1))
    with pytest.warns(UserWarning, match=r"softmax_path at C=inf has no finite optimum"):
        dask_path(X, y, Cs=[1.0, np.inf])


def test_errors_name_the_parameter_or_the_chunk(data):
    data = data()
    X, y = da.from_array(data.X, chunks=(300, -1)), da.from_array(data.y, chunks=300)
    broken = data.X.copy()
    broken[400] = np.nan
    with pytest.raises(ValueError, match="Chunk 1: Input X contains NaN"):
        dask_path(da.from_array(broken, chunks=(300, -1)), y)
    with pytest.raises(ValueError, match="'Cs' parameter of softmax_path"):
        dask_path(X, y, Cs=0)
    with pytest.raises(ValueError, match="classes must name at least two"):
        dask_path(X, y, classes=[1])
    with pytest.raises(TypeError, match="prior_mean"):
        dask_path(X, y, prior_mean=np.ones(5))


def test_a_cluster_follows_the_same_path_and_keeps_nothing(data, client):
    data = data(n_classes=4)
    X, y = da.from_array(data.X, chunks=(450, -1)), da.from_array(data.y, chunks=450)
    found = dask_path(X, y, Cs=[0.01, 0.1], client=client)
    paths_alike(softmax_path(data.X, data.y, Cs=[0.01, 0.1]), found, rel=1e-6)
    assert not left_behind(client)
