"""Workers that die, clients that are lost, interrupts, and two fits at a time."""

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


@pytest.fixture
def collections(data):
    rows = data(n_rows=4000, n_columns=6, n_classes=4)
    return da.from_array(rows.X, chunks=(1000, -1)), da.from_array(rows.y, chunks=1000)


def in_a_moment(function, *arguments, seconds=0.4):
    timer = threading.Timer(seconds, function, arguments)
    timer.start()
    return timer


def within_two_minutes(function, *arguments):
    """Call a function in a thread, so that a test that hangs fails."""
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    thread.join(timeout=120)
    assert not thread.is_alive()


def close(cluster, client):
    """Close a cluster that has been hurt, whatever it says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client.close()
        cluster.close()


def kill_one(client):
    pids = client.run(os.getpid)
    os.kill(next(iter(pids.values())), signal.SIGKILL)


def test_a_worker_that_dies_costs_time_alone(collections):
    expected = DaskSoftmaxRegression(**PRECISE).fit(*collections)
    cluster, client = start_cluster()
    passes = []

    class Watched(DaskSoftmaxRegression):
        def _report(self):
            return lambda line: passes.append(line) or (len(passes) == 2 and kill_one(client))

    model = Watched(**PRECISE, client=client)
    within_two_minutes(model.fit, *collections)
    assert len(passes) > 2
    assert model.objective_ == pytest.approx(expected.objective_, rel=1e-12)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    close(cluster, client)


def test_two_fits_at_a_time(client, collections):
    alone = [DaskSoftmaxRegression(C=C).fit(*collections) for C in (0.1, 10)]
    together = [DaskSoftmaxRegression(C=C, client=client) for C in (0.1, 10)]
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
                in_a_moment(os.kill, os.getpid(), signal.SIGINT, seconds=0.02)

        return report


@pytest.fixture
def heard():
    """A process that a shell has started in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("on_cluster", [False, True])
def test_an_interrupt_keeps_what_was_reached_and_leaves_no_tasks(on_cluster, client, data):
    rows = data(n_rows=4000, n_columns=6, n_classes=4)
    X = da.from_array(rows.X, chunks=(1000, -1)).map_blocks(_slowly, dtype=float)
    y = da.from_array(rows.y, chunks=1000)
    model = Interrupting(**PRECISE, client=client if on_cluster else None, persist=False)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    assert model.n_iter_[0] >= 2
    assert np.mean(model.predict(rows.X) == rows.y) > 0.5
    if on_cluster:
        assert not left_behind(client)


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


def test_a_task_that_fails_is_told_as_it_is(client, collections):
    def failing(X):
        raise TimeoutError("the disk is gone")

    X, y = collections
    for where in (None, client):
        with pytest.raises(TimeoutError, match="the disk is gone"):
            DaskSoftmaxRegression(client=where).fit(X.map_blocks(failing, dtype=float), y)
    assert not left_behind(client)


def test_the_last_client_is_the_one_by_default(client, collections):
    with client.as_current():
        model = DaskSoftmaxRegression().fit(*collections)
    assert model.client_ is client
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


def test_a_result_that_is_late_is_waited_for(client, collections, monkeypatch):
    monkeypatch.setattr("softmax_regression.dask._schedulers._POLL_SECONDS", 0.01)
    model = DaskSoftmaxRegression(client=client).fit(*collections)
    np.testing.assert_allclose(model.coef_, DaskSoftmaxRegression().fit(*collections).coef_)


def test_threads_are_the_scheduler_that_dask_is_told(collections):
    with dask.config.set(scheduler="synchronous"):
        one = DaskSoftmaxRegression().fit(*collections)
    np.testing.assert_allclose(one.coef_, DaskSoftmaxRegression().fit(*collections).coef_)
