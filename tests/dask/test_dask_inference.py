"""Standard errors of models of Dask collections are those in memory; the rest is refused."""

import numpy as np
import pandas as pd
import pytest

da = pytest.importorskip("dask.array", reason="needs the extra 'dask'")

import dask.dataframe as dd
from dask_zoo import left_behind

from softmax_regression import SoftmaxRegression
from softmax_regression.dask import DaskSoftmaxRegression
from softmax_regression.inference import EffectDisplay, infer


def both(data, weight=None, **params):
    """Fit in memory, and in chunks."""
    local = SoftmaxRegression(tol=1e-8, **params).fit(data.X, data.y, weight)
    return local, DaskSoftmaxRegression(tol=1e-8, **params).fit(*cut(data, weight))


def cut(data, weight):
    """Return X, y and weights as Dask arrays, whose chunks differ."""
    weights = None if weight is None else da.from_array(weight, chunks=300)
    X, y = da.from_array(data.X, chunks=(200, 3)), da.from_array(data.y, chunks=250)
    return X, y, weights


def inferred(data, local, model, weight=None, **how):
    """Infer in memory, and from chunks."""
    return infer(local, data.X, data.y, weight, **how), infer(model, *cut(data, weight), **how)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("C", [np.inf, 2.0])
def test_errors_are_those_in_memory(C, n_classes, data):
    data = data(n_classes=n_classes)
    weight = np.round(data.weight)
    models = both(data, weight, C=C)
    for how in (
        {"cov_type": "nonrobust"},
        {"cov_type": "HC0", "weights": "sampling"},
        {"cov_type": "HC1"},
    ):
        local, found = inferred(data, *models, weight, **how)
        assert found.nobs == local.nobs
        assert found.llf == pytest.approx(local.llf, rel=1e-12)
        assert found.llnull == pytest.approx(local.llnull, rel=1e-12)
        pd.testing.assert_frame_equal(found.params, local.params, rtol=1e-8)
        pd.testing.assert_frame_equal(found.bse, local.bse, rtol=1e-8)


def test_what_follows_from_sums_is_there(data):
    data = data(n_rows=300)
    local, found = inferred(data, *both(data, C=np.inf), reference=1)
    assert str(found.summary()) == str(local.summary())
    test = found.test_terms({"two": ["x0", "x3"]}, method="score")
    pd.testing.assert_frame_equal(test, local.test_terms({"two": ["x0", "x3"]}, method="score"))
    new = data.X[:5]
    pd.testing.assert_frame_equal(
        found.get_prediction(new).summary_frame(), local.get_prediction(new).summary_frame()
    )


def test_weights_of_the_penalty_and_classes_without_weight(data):
    data = data(n_classes=4)
    data.weight[data.y == 2] = 0
    models = both(data, data.weight, penalty_weights=[2.0, 0.0, 1.0, 0.5, 1.0])
    local, found = inferred(data, *models, data.weight)
    pd.testing.assert_frame_equal(found.bse, local.bse, rtol=1e-8)
    assert found.nobs == pytest.approx(local.nobs, rel=1e-14)


def test_frames_name_features(data):
    data = data()
    frame = pd.DataFrame(data.X, columns=list("abcde"))
    X = dd.from_pandas(frame, npartitions=3)
    y = dd.from_pandas(pd.Series(data.y), npartitions=3)
    model = DaskSoftmaxRegression(C=np.inf, tol=1e-8).fit(X, y)
    found = infer(model, X, y)
    local = SoftmaxRegression(C=np.inf, tol=1e-8).fit(frame, data.y)
    pd.testing.assert_frame_equal(found.bse, infer(local, frame, data.y).bse, rtol=1e-8)
    with pytest.raises(ValueError, match="feature names"):
        infer(model, X.rename(columns={"a": "z"}), y)


def test_what_is_no_sum_is_refused(data):
    data = data()
    X, y = da.from_array(data.X, chunks=(300, -1)), da.from_array(data.y, chunks=300)
    model = DaskSoftmaxRegression(C=np.inf, tol=1e-8).fit(X, y)
    with pytest.raises(ValueError, match="'cluster' needs all rows in memory"):
        infer(model, X, y, cov_type="cluster", groups=data.y)
    with pytest.raises(ValueError, match="offset is not for Dask collections"):
        infer(model, X, y, offset=np.zeros(len(data.y)))
    with pytest.raises(TypeError, match="X must be a Dask array or DataFrame"):
        infer(model, data.X, data.y)
    results = infer(model, X, y)
    with pytest.raises(ValueError, match="not for Dask collections"):
        results.get_margeff()
    with pytest.raises(ValueError, match="not for Dask collections"):
        EffectDisplay.from_results(results, "x0")
    with pytest.raises(ValueError, match="those it was fitted to"):
        infer(model, X[:600], y[:600])


def test_collinear_columns_are_named(data):
    data = data(n_classes=2)
    data.X[:, 4] = data.X[:, 3] - 2 * data.X[:, 2]
    X, y = da.from_array(data.X, chunks=(300, -1)), da.from_array(data.y, chunks=300)
    model = DaskSoftmaxRegression(C=np.inf).fit(X, y)
    with pytest.raises(
        ValueError, match=r"information is singular: 'x2', 'x3', 'x4' are collinear"
    ):
        infer(model, X, y)


def test_a_cluster_infers_the_same_and_keeps_nothing(data, client):
    data = data()
    X, y = da.from_array(data.X, chunks=(300, -1)), da.from_array(data.y, chunks=300)
    model = DaskSoftmaxRegression(tol=1e-8, client=client).fit(X, y)
    found = infer(model, X, y, cov_type="HC0")
    local = SoftmaxRegression(tol=1e-8).fit(data.X, data.y)
    pd.testing.assert_frame_equal(
        found.bse, infer(local, data.X, data.y, cov_type="HC0").bse, rtol=1e-8
    )
    del found
    assert not left_behind(client)
