"""What cannot be fitted is refused in words that name the chunk, and changes nothing."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

da = pytest.importorskip("dask.array", reason="needs the extra 'dask'")

import dask
import dask.dataframe as dd

from softmax_regression.dask import DaskSoftmaxRegression


class Table:
    """Four chunks of 30 rows, as lists that a test may spoil."""

    def __init__(self, data):
        rows = data(n_rows=120, n_columns=3)
        self.X, self.y = np.split(rows.X, 4), np.split(rows.y, 4)
        self.weight = np.split(np.ones(120), 4)

    def collections(self, weighted=False):
        X = da.concatenate([_lazily(part, (30, 3), np.float64) for part in self.X])
        y = da.concatenate([_lazily(part, (30,), np.int64) for part in self.y])
        if not weighted:
            return X, y
        return X, y, da.concatenate([_lazily(part, (30,), np.float64) for part in self.weight])


def _lazily(part, shape, dtype):
    return da.from_delayed(dask.delayed(part), shape=shape, dtype=dtype)


def unchanged(model, error, match, *arguments):
    """Hold that a fit fails so, and that the estimator is as it was."""
    before = dict(vars(model))
    with pytest.raises(error, match=match):
        model.fit(*arguments)
    assert vars(model) == before


@pytest.fixture
def table(data):
    return Table(data)


@pytest.fixture
def model(table):
    return DaskSoftmaxRegression(classes=[0, 1, 2]).fit(*table.collections())


def _nan(table):
    table.X[2][4, 1] = np.nan


def _infinite(table):
    table.X[2][4, 1] = np.inf


def _columns(table):
    table.X[2] = table.X[2][:, :2]


def _float32(table):
    table.X[2] = table.X[2].astype(np.float32)


def _text(table):
    table.X[2] = table.X[2].astype(object)
    table.X[2][3, 1] = "wide"


def _sparse(table):
    table.X[2] = csr_array(table.X[2])


def _rows(table):
    table.X[2] = table.X[2][1:]


def _unseen(table):
    table.y[2] = table.y[2] + 5


def _missing(table):
    table.y[2] = np.where(table.y[2] == 1, np.nan, table.y[2])


def _continuous(table):
    table.y[2] = table.y[2] + 0.25


def _negative(table):
    table.weight[2][3] = -1


@pytest.mark.parametrize(
    ("spoil", "error", "match"),
    [
        (_nan, ValueError, "Chunk 2: Input X contains NaN"),
        (_infinite, ValueError, "Chunk 2: Input X contains infinity"),
        (_columns, ValueError, "Chunk 2: X has 2 columns here, and 3 by its shape"),
        (_float32, TypeError, "Chunk 2 has X of dtype float32, but chunk 0 X of dtype float64"),
        (_text, ValueError, "Chunk 2: Column 1 of X does not hold numbers"),
        (_sparse, TypeError, "Chunk 2 has a sparse X, but chunk 0 a dense X"),
        (_rows, ValueError, "Chunk 2: X and y must have the same number of rows, got 29 and 30"),
        (_unseen, ValueError, r"Chunk 2: y has classes that DaskSoftmaxRegression does not know"),
        (_missing, ValueError, "Chunk 2: Input y contains NaN"),
        (_continuous, ValueError, "Chunk 2: "),
        (_negative, ValueError, "Chunk 2: Negative values in sample_weight"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_chunk_is_named(spoil, error, match, table, model):
    spoil(table)
    unchanged(model, error, match, *table.collections(weighted=spoil is _negative))


def test_on_a_cluster_too(table, model, client):
    model.client = client
    _columns(table)
    unchanged(model, ValueError, "Chunk 2: X has 2 columns", *table.collections())
    _nan(table)
    unchanged(model, ValueError, "Chunk 2: Input X contains NaN", *table.collections())


def test_labels_of_two_kinds(table):
    table.y[3] = table.y[3].astype(str)
    match = "Chunk 3 has y of text, but chunk 0 y of numbers"
    unchanged(DaskSoftmaxRegression(), TypeError, match, *table.collections())


def test_data_that_change_between_passes(table):
    reads = []

    def shrinking(part):
        reads.append(1)
        return part[: 30 - len(reads)]

    X = da.from_delayed(dask.delayed(shrinking)(table.X[0]), shape=(np.nan, 3), dtype=float)
    y = da.from_delayed(dask.delayed(table.y[0][:29]), shape=(np.nan,), dtype=int)
    match = "Chunk 0: it has 28 rows, and had 29 when it was first read"
    unchanged(DaskSoftmaxRegression(), ValueError, match, X, y)


def test_what_is_no_collection(table, data):
    X, y = table.collections()
    rows = data(n_rows=120, n_columns=3)
    unchanged(DaskSoftmaxRegression(), TypeError, "X must be a Dask array or DataFrame", rows.X, y)
    unchanged(DaskSoftmaxRegression(), ValueError, "y must be given", X, None)
    unchanged(DaskSoftmaxRegression(), ValueError, "got 120 and 90", X, y[:90])
    unchanged(DaskSoftmaxRegression(), ValueError, "must have rows and columns", y, y)
    frame = dd.from_pandas(pd.DataFrame(rows.X), npartitions=3)
    unchanged(DaskSoftmaxRegression(), TypeError, "y must be a Dask collection", frame, rows.y)
    unchanged(DaskSoftmaxRegression(), ValueError, "3 chunks and y 4", frame, y)
    DaskSoftmaxRegression().fit(X, rows.y)  # is cut up as X is


def test_data_without_rows_classes_or_weight(table):
    X, y, weight = table.collections(weighted=True)
    unchanged(DaskSoftmaxRegression(), ValueError, "only one class", X, y * 0)
    unchanged(DaskSoftmaxRegression(), ValueError, "zero for all rows", X, y, weight * 0)
    none = X[:, 0] > np.inf
    unchanged(DaskSoftmaxRegression(), ValueError, "X has no rows", X[none], y[none])
    with pytest.raises(ValueError, match="zero for all rows"):
        DaskSoftmaxRegression().fit(X, y).score(X, y, weight * 0)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"solver": "sgd"}, "'sgd' and 'adam' are for minibatches"),
        ({"batch_size": 50}, "batch_size=50 is for minibatches"),
        ({"random_state": 0}, "random_state=0 is for minibatches"),
        ({"momentum": 0.5}, "momentum=0.5 is for minibatches"),
        ({"n_iter_no_change": np.inf}, "n_iter_no_change=inf is for minibatches"),
        ({"client": "tcp://127.0.0.1:1"}, "client"),
        ({"classes": [1]}, "classes must name at least two"),
        ({"l1_ratio": 0.5, "solver": "lbfgs"}, "makes no exact zeros"),
        (
            {"prior_mean": [1.0]},
            r"prior_mean=\[1.0\] is not for Dask collections: set prior_mean=None",
        ),
        ({"C": np.inf, "bias_reduction": "firth"}, "bias_reduction='firth' is not for Dask"),
    ],
)
def test_parameters_without_a_meaning_here_are_refused(params, match, table):
    unchanged(DaskSoftmaxRegression(**params), ValueError, match, *table.collections())


def test_streams_are_elsewhere():
    with pytest.raises(AttributeError, match="call partial_fit of SoftmaxRegression"):
        DaskSoftmaxRegression().partial_fit  # noqa: B018
    assert not hasattr(DaskSoftmaxRegression(), "partial_fit")
