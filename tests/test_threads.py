"""Threads change nothing but the time: the same results, and no more threads than allowed."""

import threading
import time

import numpy as np
import pytest
from problems import Problem, draw_params
from threadpoolctl import threadpool_limits

from softmax_regression import _threads
from softmax_regression.design import _base as design_base
from softmax_regression.objectives import HessianFactor

BLOCKS = [slice(10 * i, 10 * i + 10) for i in range(7)]


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(_threads, "allowed_threads", lambda: 2)
    monkeypatch.setattr(design_base, "_WORTH_THREADS", 0)
    monkeypatch.setattr(design_base, "_BLOCK_ROWS", (128, 128))


def test_runs_are_consecutive_and_complete(two_threads):
    runs = _threads.share_out(list, BLOCKS)
    assert len(runs) == 2
    assert [*runs[0], *runs[1]] == BLOCKS


def test_runs_are_in_different_threads_with_one_blas_thread_each(two_threads):
    barrier = threading.Barrier(2, timeout=30)  # passes only if both runs are under way at once

    def work(blocks):
        barrier.wait()
        limits = [library.num_threads for library in _threads._blas().lib_controllers]
        return threading.get_ident(), limits

    (first, limits), (second, _) = _threads.share_out(work, BLOCKS)
    assert first != second
    assert set(limits) <= {1}


def test_a_worker_that_is_allowed_one_thread_uses_one():
    with threadpool_limits(1, user_api="blas"):
        assert _threads.allowed_threads() == 1
        assert _threads.share_out(lambda _: threading.get_ident(), BLOCKS) == [
            threading.get_ident()
        ]


def test_blas_held_for_long_leaves_the_threads_to_share_out(two_threads):
    with _threads.blas_held_to_one_thread() as allowed:
        assert allowed == 2
        assert {library.num_threads for library in _threads._blas().lib_controllers} <= {1}
        assert len(_threads.share_out(list, BLOCKS)) == 2
        assert len(_threads.share_out(list, BLOCKS)) == 2  # and gives them back
    assert _threads._busy.acquire(blocking=False)
    _threads._busy.release()


def test_inside_a_thread_no_more_are_started(two_threads):
    def work(blocks):
        return len(_threads.share_out(list, blocks))

    assert _threads.share_out(work, BLOCKS) == [1, 1]


def test_an_error_in_a_thread_is_raised_and_leaves_no_lock(two_threads):
    def work(blocks):
        if blocks[0].start:
            raise RuntimeError("from a thread")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="from a thread"):
            _threads.share_out(work, BLOCKS)


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("layout", ["C", "F", "csr"])
def test_results_are_the_same_with_threads(two_threads, monkeypatch, n_classes, layout):
    problem = Problem(n_rows=1000, n_classes=n_classes, layout=layout, weighted=True)
    params = draw_params(problem.linear(), scale=0.5)

    def results():
        objective = problem.linear().standardized()
        value, gradient = objective.value_and_gradient(params)
        solution = HessianFactor(objective, params).solve(objective.centred(gradient))
        return np.concatenate(
            [[value], gradient, objective.hessian_product(params, gradient), solution]
        )

    threaded = results()
    monkeypatch.setattr(_threads, "allowed_threads", lambda: 1)
    np.testing.assert_allclose(threaded, results(), rtol=1e-9, atol=1e-13)


def test_threads_take_the_callers_error_state(two_threads):
    def overflow(blocks):
        return np.float64(1e308) * np.full(3, 10.0)

    with np.errstate(over="ignore"):
        parts = _threads.share_out(overflow, BLOCKS)
    assert len(parts) == 2
    assert all(np.isinf(part).all() for part in parts)


def test_no_run_goes_on_after_another_has_failed(two_threads):
    ended = []

    def work(blocks):
        if blocks[0].start == 0:
            raise ValueError("first")
        time.sleep(0.05)
        ended.append(blocks)

    with pytest.raises(ValueError, match="first"):
        _threads.share_out(work, BLOCKS)
    assert len(ended) == 1


def test_scipys_blas_is_held_alone_and_let_go():
    def limits(libraries):
        return [library.num_threads for library in libraries.lib_controllers]

    every, scipys = _threads._blas(), _threads._scipys_blas()
    before = limits(every)
    own = {library.filepath for library in scipys.lib_controllers}
    with _threads.scipys_blas_held_to_one_thread():
        assert set(limits(scipys)) <= {1}
        others = [lib for lib in every.lib_controllers if lib.filepath not in own]
        assert [lib.num_threads for lib in others] == [
            n
            for n, lib in zip(before, every.lib_controllers, strict=True)
            if lib.filepath not in own
        ]
        with _threads.scipys_blas_held_to_one_thread():  # which changes nothing
            assert set(limits(scipys)) <= {1}
    assert limits(every) == before
    with _threads.blas_held_to_one_thread(), _threads.scipys_blas_held_to_one_thread():
        assert set(limits(every)) <= {1}
    assert limits(every) == before
