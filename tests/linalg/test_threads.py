"""Threads do not change results, and their number does not exceed the limits."""

import os
import sys
import threading
import time
import warnings
from functools import cache
from itertools import count

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info, threadpool_limits
from zoo import Problem, draw_params, hessian_product

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV, softmax_path
from softmax_regression._curvature.class_blocks import BlockFactor
from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._curvature.woodbury import WoodburyFactor
from softmax_regression._data import design as design_base
from softmax_regression._data.dense import DenseDesign
from softmax_regression._linalg import threads as _threads
from softmax_regression._linalg.threads import blas_held_to_one_thread, share_out, usable_threads
from softmax_regression._objectives.network import cross_entropy as network_objective
from softmax_regression._problems import rounding as _rounding
from softmax_regression._problems import smooth as _full_batch
from softmax_regression._problems import warm_starts as _warm_starts
from softmax_regression.linear_model import _minibatch_fits

BLOCKS = [slice(10 * i, 10 * i + 10) for i in range(7)]


class Library:
    """A BLAS library whose limit is a number, of the process or of each thread."""

    def __init__(self, limit, per_thread=False):
        self._limits = threading.local() if per_thread else self
        self._default = limit
        self.per_thread = per_thread

    def get(self):
        return getattr(self._limits, "limit", self._default)

    def set(self, limit):
        self._limits.limit = limit


@pytest.fixture
def library(monkeypatch):
    """A library with two threads on a machine with two cores, and any work worth a thread."""
    blas = Library(2)
    monkeypatch.setattr(_threads, "_libraries", lambda: [blas])
    monkeypatch.setattr(_threads, "_cores", cache(lambda: 2))
    monkeypatch.setattr(_threads, "_MULTIPLICATIONS_WORTH_THREADS", 0)
    monkeypatch.setattr(design_base, "_BLOCK_ROWS", (128, 128))
    return blas


@pytest.fixture
def no_thread_starts(monkeypatch):
    """A system without a thread to spare."""

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    _threads._helpers.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield
    _threads._helpers.cache_clear()


@blas_held_to_one_thread
def shared_out(work, blocks=BLOCKS):
    return share_out(work, blocks, usable_threads())


# -- limits ----------------------------------------------------------------------------------------


def test_a_held_library_has_one_thread_and_then_as_many_as_before(library):
    @blas_held_to_one_thread
    def held():
        return library.get(), usable_threads()

    assert held() == (1, 2)
    assert library.get() == 2
    assert usable_threads() == 1


def test_a_hold_within_another_changes_nothing(library):
    inner = blas_held_to_one_thread(lambda: (library.get(), usable_threads()))
    outer = blas_held_to_one_thread(lambda: (inner(), library.get(), usable_threads()))
    assert outer() == ((1, 2), 1, 2)
    assert library.get() == 2


def test_limits_are_restored_after_an_error(library):
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        blas_held_to_one_thread(fail)()
    assert library.get() == 2
    assert usable_threads() == 1


@pytest.mark.parametrize("first_ends_first", [True, False])
@pytest.mark.parametrize("per_thread", [True, False])
def test_the_last_of_several_calls_restores_the_limits(per_thread, first_ends_first, monkeypatch):
    blas = Library(2, per_thread)
    monkeypatch.setattr(_threads, "_libraries", lambda: [blas])
    monkeypatch.setattr(_threads, "_cores", cache(lambda: 2))
    begun, ends = threading.Event(), threading.Event()
    seen = []

    def other():
        @blas_held_to_one_thread
        def held():
            seen.append((blas.get(), usable_threads()))
            begun.set()
            assert ends.wait(30)
            seen.append((blas.get(), usable_threads()))

        held()
        seen.append(blas.get())

    thread = threading.Thread(target=other)

    @blas_held_to_one_thread
    def held():
        thread.start()
        assert begun.wait(30)
        assert blas.get() == 1
        if not first_ends_first:
            ends.set()
            thread.join()
            assert blas.get() == 1

    held()
    if first_ends_first:
        assert blas.get() == (2 if per_thread else 1)
        ends.set()
        thread.join()
    # one at a time has threads for its rows
    after = 2 if per_thread or first_ends_first else 1
    assert seen == [(1, 1), (1, 1), after]
    assert blas.get() == 2


def test_real_libraries_are_held_from_any_thread():
    def limits():
        return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

    seen = []

    def fit():
        blas_held_to_one_thread(lambda: seen.append(limits()))()
        seen.append(limits())

    with threadpool_limits(2, user_api="blas"):  # which makes this thread the one in control
        before = limits()
        thread = threading.Thread(target=fit)
        thread.start()
        thread.join()
        assert limits() == before
    assert set(seen[0]) == {1}
    assert seen[1] == before


@pytest.mark.parametrize("per_thread", [True, False])
def test_a_signal_at_any_moment_leaves_the_limits_as_they_were(per_thread, library, monkeypatch):
    # A signal's handler runs where a function is entered or one written in C is left: there, the
    # profiler can raise what the handler would.
    library.per_thread = per_thread
    held = blas_held_to_one_thread(lambda: share_out(list, BLOCKS, 1))

    def interrupt_at(moment):
        moments = count()

        def profiler(frame, event, argument):
            here = frame.f_code.co_filename in (_threads.__file__, __file__)
            if here and event in ("call", "c_return") and next(moments) == moment:
                raise KeyboardInterrupt

        return profiler

    interrupted = 0
    for moment in count():
        try:
            sys.setprofile(interrupt_at(moment))
            held()
            break
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.setprofile(None)
            assert library.get() == 2
            assert usable_threads() == 1
            assert not _threads._limits._calls
    assert interrupted > 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_process_is_not_held_by_a_thread_that_it_does_not_have(library):
    begun, ends = threading.Event(), threading.Event()

    @blas_held_to_one_thread
    def held():
        begun.set()
        assert ends.wait(30)

    thread = threading.Thread(target=held)
    thread.start()
    assert begun.wait(30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # as there are several threads
        child = os.fork()
    if child == 0:
        free = library.get() == 2 and shared_out(len) == [3, 4]
        os._exit(0 if free else 1)
    ends.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def test_a_long_operation_has_the_threads_of_blas(library):
    @blas_held_to_one_thread
    def held():
        with _threads.blas_threads(1e6):
            short = library.get()
        with _threads.blas_threads(1e12):
            long = library.get()
        return short, long, library.get()

    assert held() == (1, 2, 1)
    with _threads.blas_threads(1e12):  # held by nobody
        assert library.get() == 2
    assert library.get() == 2
    # one of several threads has none
    limits = shared_out(lambda blocks: (blocks, *limit_in_a_long_operation(library)))
    assert [limit for *_, limit in limits] == [1, 1]


def limit_in_a_long_operation(library):
    with _threads.blas_threads(1e12):
        return [library.get()]


X, y = load_digits(return_X_y=True)
X, y = X[:400], y[:400]
PUBLIC = {
    **{
        solver: lambda solver=solver: SoftmaxRegression(solver=solver, max_iter=3).fit(X, y)
        for solver in ("newton-cholesky", "newton-cg", "lbfgs", "sgd", "adam")
    },
    "exact zeros": lambda: SoftmaxRegression(l1_ratio=0.5, C=0.01).fit(X, y),
    "bounds": lambda: SoftmaxRegression(bounds=(0, np.inf), C=0.01).fit(X, y > 4),
    "more columns than rows": lambda: SoftmaxRegression().fit(X[:30], y[:30]),
    "stream": lambda: SoftmaxRegression().partial_fit(X, y, classes=range(10)),
    "network": lambda: SmallMLP(max_iter=2, random_state=0).fit(X, y),
    "network, lbfgs": lambda: SmallMLP(solver="lbfgs", max_iter=2).fit(X, y),
    "network, stream": lambda: SmallMLP().partial_fit(X, y, classes=range(10)),
    "path": lambda: softmax_path(X, y, Cs=[0.01, 0.1]),
    "folds": lambda: SoftmaxRegressionCV(Cs=[0.01, 0.1], cv=2).fit(X, y),
    "folds in threads": lambda: SoftmaxRegressionCV(Cs=[0.01, 0.1], cv=2, n_jobs=2).fit(X, y),
    "leave-one-out": lambda: SoftmaxRegressionCV(Cs=[0.01], cv="loo").fit(X[:, 20:30], y),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", PUBLIC)
def test_every_fit_holds_blas_and_lets_it_go(name, library, monkeypatch):
    seen = []

    def spy(name):
        method = getattr(DenseDesign, name)

        def watched(self, *args, **kwargs):
            seen.append(library.get())
            return method(self, *args, **kwargs)

        monkeypatch.setattr(DenseDesign, name, watched)

    for product in ("scores", "times", "weighted_sum", "toarray"):
        spy(product)
    model = PUBLIC[name]()
    assert set(seen) == {1}
    assert library.get() == 2
    if hasattr(model, "predict_proba"):
        seen.clear()
        rows = np.vstack([X] * 100)[:, : model.n_features_in_]  # too many to be looked at quickly
        model.predict_proba(rows)
        assert set(seen) == {1}
        assert library.get() == 2


# -- work that is shared out -----------------------------------------------------------------------


def test_runs_are_consecutive_and_complete(library):
    runs = shared_out(list)
    assert len(runs) == 2
    assert [*runs[0], *runs[1]] == BLOCKS


def test_runs_are_in_different_threads_with_one_blas_thread_each(library):
    barrier = threading.Barrier(2, timeout=30)  # passes only if both runs are under way at once

    def work(blocks):
        barrier.wait()
        return threading.get_ident(), library.get()

    (first, limit), (second, other_limit) = shared_out(work)
    assert first != second
    assert limit == other_limit == 1


def test_a_worker_that_is_allowed_one_thread_uses_one(monkeypatch):
    monkeypatch.setattr(_threads, "_cores", cache(lambda: 2))
    with threadpool_limits(1, user_api="blas"):
        assert shared_out(lambda _: threading.get_ident()) == [threading.get_ident()]


def test_little_work_is_done_in_one_thread(library, monkeypatch):
    monkeypatch.setattr(_threads, "_MULTIPLICATIONS_WORTH_THREADS", 1000)
    assert blas_held_to_one_thread(usable_threads)(999) == 1
    assert blas_held_to_one_thread(usable_threads)(1000) == 2


def test_inside_a_thread_no_more_are_started(library):
    def work(blocks):
        return len(share_out(list, blocks, usable_threads()))

    assert shared_out(work) == [1, 1]


def test_an_error_in_a_thread_is_raised_and_leaves_no_limit(library):
    def work(blocks):
        if blocks[0].start:
            raise RuntimeError("from a thread")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="from a thread"):
            shared_out(work)
    assert library.get() == 2


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("layout", ["C", "F", "csr"])
def test_results_are_the_same_with_threads(library, monkeypatch, n_classes, layout):
    problem = Problem(n_rows=1000, n_classes=n_classes, layout=layout, weighted=True)
    params = draw_params(problem.linear(), scale=0.5)

    @blas_held_to_one_thread
    def results():
        objective = problem.linear().standardized()
        value, gradient = objective.value_and_gradient(params)
        solution = HessianFactor(objective, params).solve(objective.centred(gradient))
        return np.concatenate(
            [[value], gradient, hessian_product(objective, params, gradient), solution]
        )

    threaded = results()
    monkeypatch.setattr(_threads, "_cores", cache(lambda: 1))
    np.testing.assert_allclose(threaded, results(), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("kind", [BlockFactor, WoodburyFactor])
@pytest.mark.parametrize("n_columns", [4, 20])
def test_factors_of_classes_are_the_same_with_threads(library, monkeypatch, kind, n_columns):
    objective = Problem(n_rows=60, n_columns=n_columns, n_classes=7).linear().standardized()
    params = draw_params(objective, scale=0.5)
    gradient = objective.centred(draw_params(objective))

    @blas_held_to_one_thread
    def solution():
        return kind(objective, params).solve(gradient)

    threaded = solution()
    monkeypatch.setattr(_threads, "_cores", cache(lambda: 1))
    np.testing.assert_allclose(threaded, solution(), rtol=1e-9, atol=1e-12)


def test_threads_take_the_callers_error_state(library):
    def overflow(blocks):
        return np.float64(1e308) * np.full(3, 10.0)

    with np.errstate(over="ignore"):
        parts = shared_out(overflow)
    assert len(parts) == 2
    assert all(np.isinf(part).all() for part in parts)


def test_no_run_goes_on_after_another_has_failed(library):
    barrier, ended = threading.Barrier(2, timeout=30), []

    def work(blocks):
        barrier.wait()
        if blocks[0].start == 0:
            raise ValueError("first")
        time.sleep(0.05)
        ended.append(blocks)

    with pytest.raises(ValueError, match="first"):
        shared_out(work)
    assert len(ended) == 1


def test_a_run_that_waits_for_a_thread_is_done_by_the_caller(library):
    release, busy = threading.Event(), threading.Barrier(3, timeout=30)

    def occupy():
        busy.wait()
        assert release.wait(30)

    _threads._helpers.cache_clear()
    _threads._helpers().ask(occupy, 2)  # all threads that there are
    busy.wait()
    assert shared_out(lambda _: threading.get_ident()) == 2 * [threading.get_ident()]
    release.set()


# -- a system that has no thread to spare ----------------------------------------------------------


def test_without_threads_the_caller_does_everything_once(library, no_thread_starts):
    done = []
    assert shared_out(lambda blocks: done.append(blocks) or len(blocks)) == [3, 4]
    assert done == [BLOCKS[:3], BLOCKS[3:]]


def test_nothing_is_done_again_once_there_are_threads(library, monkeypatch):
    done, start = [], threading.Thread.start

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    _threads._helpers.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    shared_out(lambda blocks: done.append(blocks))
    monkeypatch.setattr(threading.Thread, "start", start)
    shared_out(lambda blocks: None)  # by a thread that finds what the first call left to do
    assert done == [BLOCKS[:3], BLOCKS[3:]]


def test_parts_of_an_array_are_each_worked_on_once_without_threads(library, no_thread_starts):
    numbers = np.zeros(_threads._ENTRIES_WORTH_THREADS)

    @blas_held_to_one_thread
    def add():
        _threads.in_parts(lambda part: np.add(numbers[part], 1, out=numbers[part]), len(numbers))

    add()
    assert (numbers == 1).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["newton-cg", "exact zeros", "network", "path"])
def test_a_fit_without_threads_is_the_same(name, library, monkeypatch, request):
    monkeypatch.setattr(network_objective, "_MIN_SHARDED_MULTIPLICATIONS", 0)
    expected = PUBLIC[name]()
    request.getfixturevalue("no_thread_starts")
    found = PUBLIC[name]()
    for attribute in ("coef_", "coefs", "coefs_"):
        for one, other in zip(
            getattr(found, attribute, ()), getattr(expected, attribute, ()), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_folds_without_threads_are_scored_one_after_the_other(no_thread_starts):
    models = [SoftmaxRegressionCV(Cs=[0.01, 0.1], cv=3, n_jobs=n).fit(X, y) for n in (None, 2)]
    np.testing.assert_array_equal(models[0].scores_, models[1].scores_)


# -- folds -----------------------------------------------------------------------------------------


def test_folds_are_under_way_at_the_same_time():
    barrier = threading.Barrier(2, timeout=30)

    def scorer(model, X, y):
        barrier.wait()
        return 0.0

    SoftmaxRegressionCV(Cs=[1.0], cv=2, scoring=scorer, n_jobs=2).fit(X, y)


def test_other_folds_stop_soon_when_one_fails():
    barrier, scored = threading.Barrier(2, timeout=30), []

    def scorer(model, X, y):
        fails = threading.current_thread() is threading.main_thread()
        if fails or not scored:
            barrier.wait()
        if fails:
            raise RuntimeError("no score")
        scored.append(model.C)
        time.sleep(0.02)
        return 0.0

    Cs = np.logspace(-3, -1, 100)
    with pytest.raises(RuntimeError, match="no score"):
        SoftmaxRegressionCV(Cs=Cs, cv=2, scoring=scorer, n_jobs=2).fit(X[:, 20:30], y)
    n_scored = len(scored)
    assert 1 <= n_scored < len(Cs) / 2
    time.sleep(0.1)
    assert len(scored) == n_scored


# -- interrupts ------------------------------------------------------------------------------------

ITERATIVE = {
    **{name: {"solver": name} for name in ("newton-cholesky", "newton-cg", "lbfgs", "sgd")},
    "proximal-newton": {"l1_ratio": 0.5},
    "bounds": {"bounds": (-0.01, 0.01)},
    "bounds, lbfgs": {"bounds": (-0.01, 0.01), "solver": "lbfgs"},
}


def interrupt_at(line):
    lines = count(1)

    def report(text):
        if next(lines) == line:
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("name", ITERATIVE)
def test_an_interrupted_fit_keeps_what_it_has_reached(name, monkeypatch):
    report = interrupt_at(2)
    monkeypatch.setattr(SoftmaxRegression, "_report", lambda model: report)
    model = SoftmaxRegression(**ITERATIVE[name], tol=0.0, random_state=0)
    with pytest.warns(ConvergenceWarning, match="interrupted.*reached so far are kept"):
        model.fit(X, y)
    assert model.n_iter_[0] == len(model.loss_curve_) == 2
    # by the definitions of the loss and the penalty
    loss = -model.predict_log_proba(X)[np.arange(len(y)), y].sum()
    share = model.l1_ratio
    penalty = share * np.abs(model.coef_).sum() + (1 - share) / 2 * np.square(model.coef_).sum()
    assert model.objective_ == pytest.approx(loss + penalty, rel=1e-6)
    assert loss < 0.7 * len(y) * np.log(10)


@pytest.mark.parametrize("name", [name for name in ITERATIVE if name != "sgd"])
def test_an_interrupt_before_the_first_iteration_changes_nothing(name, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(DenseDesign, "weighted_sum", interrupted)
    monkeypatch.setattr(np, "vdot", interrupted)
    model = SoftmaxRegression(**ITERATIVE[name])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not hasattr(model, "classes_")


def test_an_interrupted_change_of_the_method_keeps_what_the_first_has_reached(monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_full_batch, "_MOST_CHOLESKY_ITERATIONS", 2)
    monkeypatch.setattr(_full_batch, "newton_cg", interrupted)
    model = SoftmaxRegression(solver="newton-cholesky", tol=0.0)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        model.fit(X, y)
    assert model.n_iter_[0] == len(model.loss_curve_) == 2


def test_an_interrupt_between_rounds_keeps_what_lbfgs_has_reached(monkeypatch):
    made, whitened = [], _full_batch.WhitenedObjective

    def interrupted(*args):
        made.append(args)
        if len(made) == 2:
            raise KeyboardInterrupt
        return whitened(*args)

    monkeypatch.setattr(_full_batch, "_FIRST_ROUND", 3)
    monkeypatch.setattr(_full_batch, "WhitenedObjective", interrupted)
    model = SoftmaxRegression(solver="lbfgs", tol=0.0)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        model.fit(X, y)
    assert model.n_iter_[0] == len(model.loss_curve_) == 3
    assert model.objective_ == pytest.approx(model.loss_curve_[-1] * len(y))


@pytest.mark.parametrize("how", [{}, {"n_jobs": 2}, {"l1_ratios": (0.5,)}, {"cv": "loo"}])
@pytest.mark.parametrize("solver", ["newton-cg", "lbfgs"])
def test_an_interrupted_search_changes_nothing(solver, how, monkeypatch):
    if "l1_ratios" in how:
        solver = "auto"
    model = SoftmaxRegressionCV(**{"Cs": [0.01, 0.1], "cv": 2, "solver": solver} | how)
    rows = X[:, 20:30]
    before = vars(model.fit(rows, y)).copy()
    lines = []

    def report(line):
        lines.append(line)
        if len(lines) > 4 and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    monkeypatch.setattr(SoftmaxRegressionCV, "_report", lambda model: report)
    model.set_params(verbose=2)
    with pytest.raises(KeyboardInterrupt):
        model.fit(rows, y)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before if name.endswith("_"))


def test_an_interrupted_path_is_raised(monkeypatch):
    report = interrupt_at(3)
    monkeypatch.setattr(_warm_starts.Progress, "iterations", lambda progress, C: report)
    with pytest.raises(KeyboardInterrupt):
        softmax_path(X, y, Cs=[0.01, 0.1, 1.0], solver="lbfgs")


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_an_interrupted_certificate_keeps_the_model(solver, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_minibatch_fits, "certify", interrupted)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        model = SoftmaxRegression(solver=solver).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert np.isnan(model.optimality_gap_)


def test_an_interrupt_while_the_model_is_rounded_keeps_it(monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_rounding, "evaluate", interrupted)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        model = SoftmaxRegression().fit(X.astype(np.float32), y)
    assert np.isfinite(model.coef_).all()
    assert np.isnan(model.optimality_gap_)
