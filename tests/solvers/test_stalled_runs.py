"""The end of runs without progress, with descents and searches that follow a script."""

import numpy as np
import pytest

from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.convergence import Proposal
from softmax_regression._solvers.criteria import Criterion
from softmax_regression._solvers.loop import Stopping, minimize
from softmax_regression._solvers.result import StopReason


class Scripted(Criterion):
    """A run whose value, and what remains, are given functions of the number of iterations.

    Without what remains, the decrements of its descent stand for that.
    """

    name = "what remains"

    def __init__(self, value, remaining):
        self.value = value
        self.remaining = remaining

    def costly(self, objective):
        return self.remaining is None

    def is_separated(self, objective, point):
        return False

    def at(self, iteration):
        return Evaluation(np.array([float(iteration)]), self.value(iteration), np.zeros(1))

    def __call__(self, objective, point, enough=0.0, *, sharp=True):
        return self.remaining(int(point.params[0]))

    def search(self, evaluation, proposal):
        return self.at(int(evaluation.params[0]) + 1)


class Descent:
    exact = False
    settled = True
    preconditioner = None

    def __call__(self, evaluation, enough):
        return Proposal(np.ones(1), np.nan)

    def gap(self, evaluation, proposal, decrement):
        return np.inf


def run(value, remaining, max_iter=450, descent=None):
    script = Scripted(value, remaining)
    stopping = Stopping(script, tol=1e-6, max_iter=max_iter)
    return minimize(None, descent or Descent(), script.search, script.at(0), stopping)


def falling(share):
    """A value of which so much is left after each 50 iterations."""
    return lambda iteration: share ** (iteration / 50)


def test_a_run_that_gets_nowhere_ends_after_50_iterations():
    result = run(falling(0.995), lambda iteration: 0.5)
    assert result.reason is StopReason.STALLED
    assert result.n_iter == len(result.loss_curve) == 50


def test_a_run_that_stalls_later_ends_where_it_does():
    result = run(
        lambda iteration: max(falling(0.5)(iteration), 0.25 - 1e-9 * iteration), lambda _: 1
    )
    assert result.reason is StopReason.STALLED
    assert result.n_iter == 150


class Promising(Descent):
    """Its decrement falls at every 50th iteration, and nowhere else."""

    def __call__(self, evaluation, enough):
        iteration = int(evaluation.params[0])
        share = 0.3 ** (iteration / 50) if iteration % 50 == 0 else 0.01
        return Proposal(np.ones(1), share * evaluation.value)


def test_a_decrement_that_goes_up_and_down_is_no_progress():
    result = run(falling(0.995), None, descent=Promising())
    assert result.reason is StopReason.STALLED
    assert result.n_iter == 100


@pytest.mark.parametrize(
    ("value", "remaining"),
    [
        (falling(0.985), lambda iteration: 0.5),
        (falling(0.999), lambda iteration: 0.5 * 0.4 ** (iteration / 50)),
    ],
    ids=["the value falls", "what remains is halved"],
)
def test_a_run_that_gets_somewhere_goes_on(value, remaining):
    result = run(value, remaining)
    assert result.reason is StopReason.MAX_ITER
    assert result.n_iter == 450


def test_what_is_reached_after_50_iterations_may_be_a_solution():
    result = run(falling(0.995), lambda iteration: 0.5 if iteration < 50 else 1e-7)
    assert result.reason is StopReason.CONVERGED
