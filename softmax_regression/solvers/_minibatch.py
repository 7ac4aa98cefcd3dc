"""Stochastic gradient descent over minibatches, for the linear model and for the network alike.

An epoch goes once through the rows in random order, a step for each batch. Training ends when the
epoch's mean loss (or a validation score) has not improved for a number of epochs and the learning
rate has nothing left to offer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression.objectives import Objective
from softmax_regression.solvers._learning_rates import LearningRate
from softmax_regression.solvers._monitor import Report
from softmax_regression.solvers._optimizers import Optimizer
from softmax_regression.solvers._result import SolverResult, StopReason

Array = NDArray[Any]


@dataclass
class Minibatches:
    """How rows are dealt out.

    Parameters
    ----------
    size : int
        Rows in a batch, at most: an epoch is cut into batches of about equal size, as a few rows
        left over would take a step as long as a full batch's.
    shuffle : bool
        Whether each epoch has an order of its own.
    random_state : RandomState
        Where that order comes from.
    """

    size: int
    shuffle: bool
    random_state: np.random.RandomState

    def of(self, rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """Deal out some rows once."""
        order = self.random_state.permutation(rows) if self.shuffle else rows
        yield from np.array_split(order, -(-len(order) // self.size))


def run_epoch(
    objective: Objective,
    params: Array,
    optimizer: Optimizer,
    learning_rate: float,
    batches: Minibatches,
    weight: float = 1.0,
) -> float:
    """Change `params` by one pass over the rows; return the mean of the objective on the way.

    `weight` is that of a row here in units of a row's in other passes: it multiplies gradients.
    """
    gradient = np.empty_like(params)
    total = 0.0
    for rows in batches.of(objective.rows):
        total += len(rows) * objective.batch_value_and_gradient(params, rows, gradient)
        if weight != 1:
            gradient *= weight
        optimizer.step(params, gradient, learning_rate)
    return total / len(objective.rows)


class _Progress:
    """Whether a sequence of numbers that should rise is still rising."""

    def __init__(self, tol: float, patience: float):
        self.tol = tol
        self.patience = patience
        self.best = -np.inf
        self.waited = 0

    def update(self, score: float) -> bool:
        """Take the next score; return whether it is the best so far."""
        self.waited = 0 if score >= self.best + self.tol else self.waited + 1
        better = score > self.best
        self.best = max(score, self.best)
        return better

    def out_of_patience(self) -> bool:
        """Return whether nothing has improved for too long; patience begins anew."""
        if self.waited <= self.patience:
            return False
        self.waited = 0
        return True


def minimize_minibatch(
    objective: Objective,
    start: Array,
    optimizer: Optimizer,
    learning_rate: LearningRate,
    batches: Minibatches,
    *,
    tol: float,
    max_iter: int,
    n_iter_no_change: float,
    validate: Callable[[Array], float] | None = None,
    report: Report | None = None,
) -> SolverResult:
    """Train for up to `max_iter` epochs.

    Parameters
    ----------
    objective : Objective
        What to minimise.
    start : ndarray
        Where to begin; changed in place.
    optimizer : Optimizer
        The rule for a step.
    learning_rate : LearningRate
        Its size over time.
    batches : Minibatches
        Batch size and order.
    tol : float
        The least improvement of an epoch's mean loss, or of the validation score, that counts.
    max_iter : int
        When to give up.
    n_iter_no_change : int or inf
        Epochs without improvement after which the learning rate falls or training ends.
    validate : callable, default=None
        Scores parameters, higher is better. If given, it decides when to stop, and the parameters
        of the best epoch are returned.
    report : callable, default=None
        Called with a line of text after each epoch.
    """
    params, progress = start, _Progress(tol, n_iter_no_change)
    losses: list[float] = []
    scores: list[float] = []
    best = start.copy()
    reason = StopReason.MAX_ITER
    try:
        for epoch in range(1, max_iter + 1):
            with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported instead
                loss = run_epoch(objective, params, optimizer, learning_rate.current, batches)
                score = -loss if validate is None else validate(params)
            losses.append(loss)
            if not np.isfinite(loss):
                reason = StopReason.DIVERGED
                break
            line = f"epoch {epoch}: loss {loss:.6f}"
            if validate is not None:
                scores.append(score)
                line += f", validation score {score:.4f}"
            if progress.update(score) and validate is not None:
                best[...] = params
            if report is not None:
                report(line)
            learning_rate.epoch_ended(epoch * len(objective.rows))
            if progress.out_of_patience() and not learning_rate.reduce():
                reason = StopReason.NO_IMPROVEMENT
                break
    except KeyboardInterrupt:
        if not losses:
            raise
        reason = StopReason.INTERRUPTED
    if validate is None:
        return SolverResult(params, losses[-1], len(losses), reason, losses)
    return SolverResult(best, losses[-1], len(losses), reason, losses, validation_scores=scores)
