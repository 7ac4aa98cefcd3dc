"""The model does not depend on chunks or scheduler: it is the one fitted in memory."""

import gc
import threading
import weakref

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix

da = pytest.importorskip("dask.array", reason="needs the extra 'dask'")

import dask
import dask.dataframe as dd
from dask.callbacks import Callback
from dask.utils import key_split
from dask_zoo import left_behind

from softmax_regression import SoftmaxRegression
from softmax_regression._data.dataset import target_sums
from softmax_regression._objectives.linear.kernels import gradient_sums, share_sums
from softmax_regression.dask import DaskSoftmaxRegression
from softmax_regression.dask._collections import raw_chunks
from softmax_regression.dask._rows import DaskClassesWithWeight, survey
from softmax_regression.dask._schedulers import Cluster, Threads

MODELS = [
    {},
    {"solver": "newton-cg"},
    {"solver": "lbfgs"},
    {"C": np.inf},
    {"l1_ratio": 0.5, "C": 0.05},
    {"l1_ratio": 1.0, "C": 0.05, "penalty_grouping": "features"},
    {"bounds": (0, None)},
    {"class_weight": "balanced", "fit_intercept": False},
    {"penalty_weights": [2.0, 0.0, 1.0, 0.5, 1.0]},
    {"standardize": True, "l1_ratio": 0.5, "C": 0.05},
]


def fitted_alike(local, distributed):
    """Hold that two models are of the same minimum."""
    assert distributed.solver_ == local.solver_
    gaps = local.optimality_gap_ + distributed.optimality_gap_
    assert distributed.objective_ == pytest.approx(local.objective_, rel=max(gaps, 1e-12))
    np.testing.assert_array_equal(distributed.classes_, local.classes_)
    assert distributed.coef_.dtype == local.coef_.dtype
    scale = np.abs(local.coef_).max() * np.sqrt(local.tol)
    np.testing.assert_allclose(distributed.coef_, local.coef_, rtol=1e-3, atol=10 * scale)


def both(data, X, y, chunks=(200, 3), sample_weight=None, **params):
    """Fit in memory, and in chunks."""
    tol = 1e-10 if data.X.dtype == np.float64 else 1e-5
    local = SoftmaxRegression(tol=tol, **params).fit(data.X, y, sample_weight)
    distributed = DaskSoftmaxRegression(tol=tol, **params)
    distributed.fit(da.from_array(X, chunks=chunks), _cut(y), _cut(sample_weight))
    return local, distributed


def _cut(values):
    if values is None:
        return None
    return da.from_array(values, chunks=(250,) if values.ndim == 1 else (250, 2))


@pytest.mark.parametrize("params", MODELS, ids=str)
@pytest.mark.parametrize("n_classes", [2, 5])
def test_it_is_the_model_in_memory(n_classes, params, data):
    data = data(n_classes=n_classes)
    local, distributed = both(data, data.X, data.y, sample_weight=data.weight, **params)
    fitted_alike(local, distributed)
    assert distributed.objective_ == pytest.approx(local.objective_, rel=1e-9)
    assert distributed.optimality_gap_ <= 1e-10
    if "l1_ratio" in params:
        np.testing.assert_array_equal(distributed.coef_ == 0, local.coef_ == 0)


@pytest.mark.parametrize("params", [{}, {"l1_ratio": 0.5, "C": 0.05}], ids=str)
def test_float32_stays_and_is_certified_as_rounded(params, data):
    data = data(dtype=np.float32)
    local, distributed = both(data, data.X, data.y, **params)
    fitted_alike(local, distributed)
    assert distributed.coef_.dtype == np.float32


@pytest.mark.parametrize("make", [csr_array, csr_matrix])
@pytest.mark.parametrize("params", [{}, {"l1_ratio": 0.5, "C": 0.05}], ids=str)
def test_sparse_chunks(make, params, data):
    data = data()
    data.X[np.random.default_rng(0).random(data.X.shape) < 0.6] = 0
    local = SoftmaxRegression(tol=1e-10, **params).fit(csr_array(data.X), data.y)
    X = da.from_array(data.X, chunks=(200, -1)).map_blocks(make)
    distributed = DaskSoftmaxRegression(tol=1e-10, **params).fit(X, _cut(data.y))
    fitted_alike(local, distributed)


def test_class_probabilities(data):
    data = data()
    fitted_alike(*both(data, data.X, data.shares, sample_weight=data.weight))
    fitted_alike(*both(data, data.X, data.shares, class_weight={0: 2.0, 2: 0.5}))
    fitted_alike(*both(data, data.X, data.shares, l1_ratio=0.9, C=0.05))


def test_frames_with_names_and_partitions_without_rows(data):
    data = data()
    X, y = pd.DataFrame(data.X, columns=list("abcde")), pd.Series(data.y).map(str)
    local = SoftmaxRegression(tol=1e-10).fit(X, y, data.weight)
    lazy = dd.from_pandas(
        X.assign(y=y, w=data.weight, part=np.arange(len(X)) // 300), npartitions=3
    )
    lazy = lazy.map_partitions(lambda rows: rows[rows["part"] != 1])
    kept = np.arange(len(X)) // 300 != 1
    local.fit(X[kept], y[kept], data.weight[kept])
    model = DaskSoftmaxRegression(tol=1e-10).fit(lazy[list("abcde")], lazy["y"], lazy["w"])
    fitted_alike(local, model)
    assert list(model.feature_names_in_) == list("abcde")
    assert model.score(lazy[list("abcde")], lazy["y"]) == local.score(X[kept], y[kept])


def test_frames_of_class_probabilities_by_their_names(data):
    data = data()
    shares = pd.DataFrame(data.shares, columns=["c", "a", "b"])
    X = pd.DataFrame(data.X)
    local = SoftmaxRegression(tol=1e-10).fit(data.X, shares)
    cut = [dd.from_pandas(frame, npartitions=4) for frame in (X, shares)]
    model = DaskSoftmaxRegression(tol=1e-10).fit(*cut)
    fitted_alike(local, model)
    assert list(model.classes_) == ["a", "b", "c"]


@pytest.mark.parametrize("chunks", [(900, 5), (90, 2), ((1, 899), (5,))])
def test_chunks_do_not_matter(chunks, data):
    data = data()
    fitted_alike(*both(data, data.X, data.y, chunks=chunks))


def test_chunks_of_unknown_lengths(data):
    data = data()
    X, y = da.from_array(data.X, chunks=(200, -1)), da.from_array(data.y, chunks=200)
    some = X[:, 0] > 0
    model = DaskSoftmaxRegression(tol=1e-10).fit(X[some], y[some])
    kept = data.X[:, 0] > 0
    fitted_alike(SoftmaxRegression(tol=1e-10).fit(data.X[kept], data.y[kept]), model)


def test_a_chunk_may_lack_classes_and_rows_in_the_order_of_classes_are_nothing_special(data):
    data = data()
    order = np.argsort(data.y)
    data.X, data.y = data.X[order], np.array(["low", "middle", "up"])[data.y[order]]
    fitted_alike(*both(data, data.X, data.y))


def test_classes_that_are_given_need_not_occur(data):
    data = data()
    X, y = da.from_array(data.X, chunks=(200, -1)), _cut(data.y)
    model = DaskSoftmaxRegression(tol=1e-10, classes=[3, 0, 1, 2]).fit(X, y)
    assert list(model.classes_) == [0, 1, 2, 3]
    local = SoftmaxRegression(tol=1e-10).fit(data.X, data.y)
    proba = model.predict_proba(data.X)
    np.testing.assert_allclose(proba[:, :3], local.predict_proba(data.X), atol=1e-6)
    assert proba[:, 3].max() < 1e-15


@pytest.mark.parametrize("one_is_left", [False, True])
def test_classes_without_weight(one_is_left, data):
    data = data()
    data.weight[data.y == 1] = 0
    if one_is_left:
        data.weight[data.y == 0] = 0
    local, distributed = both(data, data.X, data.y, sample_weight=data.weight)
    fitted_alike(local, distributed)
    np.testing.assert_allclose(distributed.intercept_, local.intercept_, rtol=1e-4, atol=1e-6)


def test_huge_weights_are_exact(data):
    data = data()
    fitted_alike(*both(data, data.X, data.y, sample_weight=data.weight * 2.0**900, C=2.0**-900))


def test_separated_classes_have_no_minimum(data):
    data = data()
    y = (data.X[:, 0] > data.X[:, 0].mean()).astype(int)
    model = DaskSoftmaxRegression(C=np.inf)
    with pytest.warns(UserWarning, match="told apart perfectly"):
        model.fit(da.from_array(data.X, chunks=(200, -1)), _cut(y))


def test_a_warm_start_is_near(data):
    data = data(n_classes=4)
    X, y = da.from_array(data.X, chunks=(200, -1)), _cut(data.y)
    model = DaskSoftmaxRegression(warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_[0] <= 1


def test_iterations_are_those_in_memory_and_are_told(data, capsys):
    data = data(n_rows=3000, n_columns=8)
    for solver in ("newton-cholesky", "newton-cg"):
        local, distributed = both(data, data.X, data.y, solver=solver)
        assert abs(local.n_iter_[0] - distributed.n_iter_[0]) <= 1
    model = DaskSoftmaxRegression(verbose=1)
    model.fit(da.from_array(data.X, chunks=(900, -1)), _cut(data.y))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_[0]
    assert lines[0].startswith("DaskSoftmaxRegression iteration 1: loss")


def test_callbacks_look_on(data):
    pytest.importorskip("sklearn.callback", reason="callbacks came with scikit-learn 1.9")
    data, seen = data(), []

    class Stop:
        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, *, fitted_estimator):
            pass

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            if fitted_estimator is not None:
                seen.append(fitted_estimator.predict(data.X))
            return len(seen) == 2

    X, y = da.from_array(data.X, chunks=(200, -1)), _cut(data.y)
    model = DaskSoftmaxRegression().set_callbacks(Stop()).fit(X, y)
    assert model.n_iter_[0] == 2
    assert len(seen) == 3  # two iterations, and the fit


# -- how it is computed ----------------------------------------------------------------------------


class Files:
    """Stands for a folder of chunks: counts how often each is read, and how many are held."""

    def __init__(self, data, n_chunks):
        self.parts = np.array_split(data.X, n_chunks)
        self.n_read, self.held, self.most_held = 0, 0, 0
        self.lock = threading.Lock()

    def read(self, i):
        part = self.parts[i].copy()
        with self.lock:
            self.n_read += 1
            self.held += 1
            self.most_held = max(self.most_held, self.held)
        weakref.finalize(part, self._drop)
        return part

    def _drop(self):
        with self.lock:
            self.held -= 1

    def array(self):
        read = dask.delayed(self.read, traverse=False)
        parts = [
            da.from_delayed(read(i), shape=part.shape, dtype=part.dtype)
            for i, part in enumerate(self.parts)
        ]
        return da.concatenate(parts)


@pytest.mark.parametrize("params", [{}, {"solver": "newton-cg"}, {"l1_ratio": 0.5}], ids=str)
def test_each_chunk_is_read_once_a_pass_and_few_are_held(params, data):
    data = data(n_rows=3000, n_columns=12, n_classes=5)
    files = Files(data, n_chunks=15)
    with dask.config.set(scheduler="threads", num_workers=2):
        X = files.array()
        y = da.from_array(data.y, chunks=X.chunks[0])
        model = DaskSoftmaxRegression(**params).fit(X, y)
    assert files.n_read == 15 * model.n_passes_
    assert files.most_held <= 4
    gc.collect()
    assert files.held == 0


def test_rows_of_a_sample_come_along_in_one_pass(data, monkeypatch):
    """A Hessian made from a sample of the rows takes a pass, and is the one in memory."""
    monkeypatch.setattr("softmax_regression._curvature.schedule._CALLS_MULTIPLICATIONS", 0)
    monkeypatch.setattr("softmax_regression._curvature.schedule._COSTLY_EVALUATIONS", 0)
    data = data(n_rows=6000, n_columns=3)
    local, distributed = both(data, data.X, data.y, chunks=(2000, -1), solver="newton-cholesky")
    assert local.n_iter_ == distributed.n_iter_
    fitted_alike(local, distributed)
    # Where rows are in such an order that blocks differ much, as well.
    order = np.argsort(np.abs(data.X[:, -1] - data.X[:, -1].mean()))
    data.X, data.y = data.X[order], data.y[order]
    data.X[-50:] *= 30
    fitted_alike(*both(data, data.X, data.y, chunks=(100, -1), solver="newton-cholesky"))


def test_tasks_have_names(data):
    data, names = data(), set()

    def note(key, dsk, state):
        names.add(key_split(key))

    X, y = da.from_array(data.X, chunks=(200, -1)), _cut(data.y)
    with Callback(pretask=note):
        for solver in ("newton-cholesky", "lbfgs"):
            DaskSoftmaxRegression(solver=solver).fit(X, y)
    wanted = {"survey", "chunk", "gradient", "hessian", "sum"}
    assert {f"softmax-{name}" for name in wanted} <= names


def test_lazy_data_are_never_whole(data):
    """Neither X nor y are made in one piece, nor a result for each row."""
    data, sizes = data(n_rows=4000), []

    def look(key, result, dsk, state, worker_id):
        parts = result if isinstance(result, tuple) else (result,)
        sizes.extend(part.size for part in parts if isinstance(part, np.ndarray))

    X, y = da.from_array(data.X, chunks=(400, -1)), da.from_array(data.y, chunks=400)
    X = X + 0  # so that chunks are results of tasks
    with Callback(posttask=look):
        DaskSoftmaxRegression(solver="newton-cg").fit(X, y)
    assert max(sizes) <= 400 * data.X.shape[1]


@pytest.mark.parametrize(
    ("params", "persist"),
    [({}, True), ({"solver": "newton-cg"}, False), ({"l1_ratio": 0.5, "C": 0.05}, True)],
)
def test_a_cluster_fits_the_same_and_keeps_nothing(params, persist, data, client):
    data = data(n_classes=4)
    X, y = da.from_array(data.X, chunks=(300, -1)), da.from_array(data.y, chunks=300)
    model = DaskSoftmaxRegression(tol=1e-10, client=client, persist=persist, **params)
    model.fit(X, y, da.from_array(data.weight, chunks=300))
    local = SoftmaxRegression(tol=1e-10, **params).fit(data.X, data.y, data.weight)
    fitted_alike(local, model)
    assert model.client_ is client
    assert not left_behind(client)


def test_small_hessians_come_along_with_the_gradient(data):
    """Newton's method takes about a pass for each iteration, to the same minimum."""
    data = data(n_rows=2000)
    X, y = da.from_array(data.X, chunks=(500, -1)), da.from_array(data.y, chunks=500)
    for C in (1.0, np.inf):
        model = DaskSoftmaxRegression(C=C, tol=1e-10).fit(X, y)
        fitted_alike(SoftmaxRegression(C=C, tol=1e-10).fit(data.X, data.y), model)
        # Besides: the survey, means of the targets, the start, and the certificate.
        assert model.n_passes_ <= model.n_iter_[0] + 7


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
def test_labels_of_narrow_integers_are_found(data, dtype):
    """The differences between these do not fit into 8 bits."""
    rows = data(n_classes=4)
    labels = np.array([-100, -10, 45, 100], dtype)[rows.y]
    local = SoftmaxRegression().fit(rows.X, labels)
    model = DaskSoftmaxRegression().fit(
        da.from_array(rows.X, chunks=(100, -1)), da.from_array(labels, chunks=100)
    )
    fitted_alike(local, model)
    np.testing.assert_array_equal(model.predict(rows.X), local.predict(rows.X))


def test_rows_that_are_on_the_workers_already(client, data):
    rows = data()
    X, y = client.persist((da.from_array(rows.X, chunks=(100, -1)), da.from_array(rows.y, 100)))
    for persist in (True, False):
        model = DaskSoftmaxRegression(client=client, persist=persist).fit(X, y)
        fitted_alike(SoftmaxRegression().fit(rows.X, rows.y), model)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weights", [{}, {"class_weight": {0: 2.0, 2: 0.5}}])
def test_the_first_pass_finds_the_means_that_certificates_need(data, soft, weights):
    data = data()
    y = data.shares if soft else data.y
    X, y = da.from_array(data.X, chunks=(200, -1)), da.from_array(y, chunks=200)
    raw = raw_chunks(X, y, da.from_array(data.weight, chunks=200))
    rows = survey(raw, Threads(), None, weights.get("class_weight"), "test")
    blocks = rows.blocks(DaskClassesWithWeight(rows.targets, True), Threads(), persist=False)
    (sums,) = blocks.map_reduce(target_sums, width=3)
    np.testing.assert_allclose(blocks.target_means(), sums / blocks.n_rows, rtol=1e-12)
    totals, _ = blocks.map_reduce(share_sums, np.zeros((3, 5)), width=3)
    assert totals.sum() == pytest.approx(blocks.n_rows, rel=1e-12)
    (_, gradient) = blocks.map_reduce(gradient_sums, np.zeros((3, 6)), width=3)
    shares = (totals - gradient[:, -1]) / blocks.n_rows
    np.testing.assert_allclose(blocks.class_shares, shares, rtol=1e-12)


def test_a_pass_has_a_task_for_each_thread_that_keeps_chunks(client, data):
    data = data()
    raw = raw_chunks(da.from_array(data.X, chunks=(100, -1)), da.from_array(data.y, chunks=100))
    cluster = Cluster(client)
    rows = survey(raw, cluster, None, None, "test")
    for persist, most in ((True, 2), (False, 9)):
        blocks = rows.blocks(DaskClassesWithWeight(rows.targets, True), cluster, persist=persist)
        blocks.map_reduce(target_sums, width=3)  # After which the chunks are where they are kept.
        groups = cluster.groups(blocks.chunks)
        assert len(groups) <= most
        assert sorted(chunk.key for group in groups for chunk in group) == sorted(
            chunk.key for chunk in blocks.chunks
        )
    assert len(groups) == 9
