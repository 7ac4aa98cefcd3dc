"""Workers that die, clients that are lost, interrupts, and two fits at a time."""

import _thread
import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest

da = pytest.importorskip("dask.array", reason="needs the extra 'dask'")
pytest.importorskip("distributed", reason="needs the extra 'dask'")

import dask
from dask_zoo import left_behind, start_cluster

from softmax_regression.dask import DaskSoftmaxRegression
from softmax_regression.dask._schedulers import LostClientError

PRECISE = {"tol": 1e-10}


@pytest.fixture(scope="module")
def cluster():
    """A cluster that tests may hurt."""
    cluster, client = start_cluster()
    yield client
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client.close()
        cluster.close()


@pytest.fixture
def collections(data):
    rows = data(n_rows=4000, n_columns=6, n_classes=4)
    return da.from_array(rows.X, chunks=(1000, -1)), da.from_array(rows.y, chunks=1000)


def in_a_moment(function, *arguments, seconds=0.4):
    timer = threading.Timer(seconds, function, arguments)
    timer.start()
    return timer


def kill_one(client):
    pids = client.run(os.getpid)
    os.kill(next(iter(pids.values())), signal.SIGKILL)


@pytest.mark.parametrize("persist", [True, False])
def test_a_worker_that_dies_costs_time_alone(persist, cluster, collections):
    expected = DaskSoftmaxRegression(**PRECISE).fit(*collections)
    passes = []

    class Watched(DaskSoftmaxRegression):
        def _report(self):
            return lambda line: passes.append(line) or (len(passes) == 2 and kill_one(cluster))

    model = Watched(**PRECISE, client=cluster, persist=persist).fit(*collections)
    assert len(passes) > 2
    assert model.objective_ == pytest.approx(expected.objective_, rel=1e-12)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    cluster.wait_for_workers(2, timeout=30)


def test_two_fits_at_a_time(cluster, collections):
    alone = [DaskSoftmaxRegression(C=C).fit(*collections) for C in (0.1, 10)]
    together = [DaskSoftmaxRegression(C=C, client=cluster) for C in (0.1, 10)]
    threads = [threading.Thread(target=model.fit, args=collections) for model in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-6)


class Interrupting(DaskSoftmaxRegression):
    """Presses Ctrl-C some time after its second iteration."""

    def _report(self):
        lines = []

        def report(line):
            lines.append(line)
            if len(lines) == 2:
                in_a_moment(_thread.interrupt_main, seconds=0.02)

        return report


@pytest.mark.parametrize("on_cluster", [False, True])
def test_an_interrupt_keeps_what_was_reached_and_leaves_no_tasks(on_cluster, cluster, data):
    rows = data(n_rows=4000, n_columns=6, n_classes=4)
    X = da.from_array(rows.X, chunks=(1000, -1)).map_blocks(_slowly, dtype=float)
    y = da.from_array(rows.y, chunks=1000)
    client = cluster if on_cluster else None
    model = Interrupting(**PRECISE, client=client, persist=False)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    assert model.n_iter_[0] >= 2
    assert np.mean(model.predict(rows.X) == rows.y) > 0.5
    if on_cluster:
        assert not left_behind(cluster)


def _slowly(X):
    time.sleep(0.02)
    return X


def test_an_interrupt_before_anything_is_reached_changes_nothing(collections):
    def interrupted(X):
        raise KeyboardInterrupt

    X, y = collections
    model = DaskSoftmaxRegression()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X.map_blocks(interrupted, dtype=float), y)
    assert vars(model) == vars(DaskSoftmaxRegression())


def test_a_task_that_fails_is_told_as_it_is(cluster, collections):
    def failing(X):
        raise OSError("the disk is gone")

    X, y = collections
    for client in (None, cluster):
        with pytest.raises(OSError, match="the disk is gone"):
            DaskSoftmaxRegression(client=client).fit(X.map_blocks(failing, dtype=float), y)
    assert not left_behind(cluster)


def test_the_last_client_is_the_one_by_default(cluster, collections):
    with cluster.as_current():
        model = DaskSoftmaxRegression().fit(*collections)
    assert model.client_ is cluster
    assert DaskSoftmaxRegression().fit(*collections).client_ is None


def test_a_client_that_is_lost_is_told_within_seconds(collections):
    cluster, client = start_cluster(processes=False)
    model = DaskSoftmaxRegression(**PRECISE, client=client)
    X, y = collections
    X = X.map_blocks(_slowly, dtype=float)
    in_a_moment(cluster.close, seconds=0.3)
    begin = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(LostClientError, match="connect a new one"):
            model.set_params(persist=False).fit(X, y)
    assert time.monotonic() - begin < 20
    assert not hasattr(model, "coef_")
    client.close()
    with pytest.raises(LostClientError, match="is closed"):
        model.fit(X, y)


def test_threads_are_the_scheduler_that_dask_is_told(collections):
    with dask.config.set(scheduler="synchronous"):
        one = DaskSoftmaxRegression().fit(*collections)
    np.testing.assert_allclose(one.coef_, DaskSoftmaxRegression().fit(*collections).coef_)
