"""The outer loop that full-batch solvers share: how runs end, and what they keep."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from zoo import Problem

from softmax_regression._problems.smooth import SOLVERS
from softmax_regression._problems.smooth import Problem as SmoothProblem
from softmax_regression._problems.sparse import SparseProblem
from softmax_regression._solvers import time_limit
from softmax_regression._solvers.criteria import RelativeGap, evaluate
from softmax_regression._solvers.loop import Stopping, followed_by
from softmax_regression._solvers.proximal_newton.proximal_newton import minimize_proximal_newton
from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression._solvers.warm_start import WarmStart


def smooth(solver):
    def run(**options):
        objective = Problem(n_rows=80).linear().standardized()
        start = evaluate(objective, np.zeros(objective.n_params))
        return objective, SOLVERS[solver](objective, objective, start, Stopping(**options))

    return run


def proximal(**options):
    objective = SparseProblem(Problem(n_rows=80).linear(), 1e-3, "none").objective
    start = evaluate(objective, np.zeros(objective.n_params))
    return objective, minimize_proximal_newton(objective, start, Stopping(**options))


RUNS = {name: smooth(name) for name in SOLVERS} | {"proximal-newton": proximal}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())


def seen_by(watch):
    """Parameters that a callback was shown, which ends or interrupts the run as `watch` says."""
    shown = []

    def callback(params):
        shown.append(params.copy())
        return watch(len(shown))

    return shown, callback


def interrupt(number):
    if number == 3:
        raise KeyboardInterrupt
    return False


@every_run
def test_an_interrupt_keeps_the_best_point_reached(run):
    shown, callback = seen_by(interrupt)
    objective, result = run(criterion=RelativeGap(), tol=0.0, max_iter=50, watch=callback)
    assert result.reason is StopReason.INTERRUPTED
    assert result.n_iter == len(result.loss_curve) == len(shown) == 3
    assert any(np.array_equal(result.params, params) for params in shown)
    assert result.value == pytest.approx(min(result.loss_curve))
    assert result.value == pytest.approx(objective.evaluate(result.params).value)


@every_run
def test_a_callback_ends_a_run_and_is_shown_every_iteration(run):
    shown, callback = seen_by(lambda number: number == 2)
    _, result = run(criterion=RelativeGap(), tol=0.0, max_iter=50, watch=callback)
    assert result.reason is StopReason.STOPPED
    assert result.n_iter == len(shown) == 2
    shown, callback = seen_by(lambda number: False)
    _, result = run(criterion=RelativeGap(), tol=1e-6, max_iter=100, watch=callback)
    assert result.reason is StopReason.CONVERGED
    assert len(shown) == result.n_iter >= 2
    np.testing.assert_array_equal(shown[-1], result.params)


@every_run
def test_a_deadline_ends_a_run_after_the_iteration_in_which_it_passes(run, monkeypatch):
    seconds = iter(range(1000))
    monkeypatch.setattr(time_limit, "monotonic", lambda: float(next(seconds)))
    deadline = time_limit.deadline_after(3)
    _, result = run(criterion=RelativeGap(), tol=0.0, max_iter=50, deadline=deadline)
    assert result.reason is StopReason.MAX_TIME
    assert result.n_iter == 3


@every_run
def test_no_point_is_evaluated_twice(run, monkeypatch):
    from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

    plain, asked = LinearCrossEntropy.value_and_gradient, []

    def counted(self, params):
        asked.append(params.tobytes())
        return plain(self, params)

    monkeypatch.setattr(LinearCrossEntropy, "value_and_gradient", counted)
    _, result = run(criterion=RelativeGap(), tol=1e-4, max_iter=4)
    assert result.n_iter > 0
    assert len(asked) == len(set(asked))


def test_a_second_run_adds_its_iterations_and_an_interrupt_keeps_the_first():
    def ended(*losses):
        return SolverResult(np.zeros(1), losses[-1], len(losses), StopReason.MAX_ITER, [*losses])

    def interrupted():
        raise KeyboardInterrupt

    both = followed_by(ended(3.0, 2.0), lambda: ended(1.0))
    assert both.loss_curve == [3.0, 2.0, 1.0]
    assert both.n_iter == 3
    kept = followed_by(ended(3.0, 2.0), interrupted)
    assert kept.reason is StopReason.INTERRUPTED
    assert kept.value == 2.0
    nothing = SolverResult(np.zeros(1), 1.0, 0, StopReason.MAX_ITER)
    with pytest.raises(KeyboardInterrupt):
        followed_by(nothing, interrupted)


def test_results_are_records_that_nobody_changes():
    result = SolverResult(np.zeros(1), 1.0, 0, StopReason.MAX_ITER)
    with pytest.raises(FrozenInstanceError):
        result.reason = StopReason.CONVERGED


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_warm_start_at_the_minimum_takes_a_step_at_most(solver):
    problem = SmoothProblem(Problem(n_rows=300).linear())
    how = {"criterion": RelativeGap(), "tol": 1e-8, "max_iter": 100}
    cold = problem.minimize(solver, [np.zeros(problem.objective.n_params)], **how)
    near = problem.with_l2(0.0999)
    warm = near.minimize(solver, [], WarmStart(cold.params, cold.preconditioner), **how)
    assert warm.reason is StopReason.CONVERGED
    assert warm.n_iter < cold.n_iter
    assert (cold.preconditioner is None) == (solver == "lbfgs")
    again = near.minimize(solver, [], WarmStart(warm.params, warm.preconditioner), **how)
    assert again.n_iter <= 1
    assert again.value == pytest.approx(warm.value, rel=1e-8)
