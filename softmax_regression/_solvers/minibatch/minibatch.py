"""Stochastic gradient descent over minibatches, for the linear model and for the network alike.

An epoch goes once through the rows in random order, a step for each batch. Training ends when the
epoch's mean loss (or a validation score) has not improved for a number of epochs and the learning
rate has nothing left to offer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array
from softmax_regression._solvers.minibatch.learning_rates import LearningRate
from softmax_regression._solvers.minibatch.optimizers import Optimizer
from softmax_regression._solvers.protocols import MinibatchObjective
from softmax_regression._solvers.result import Report, SolverResult, StopReason, Watch

_EPOCHS_BEFORE_OVERFITTING = 3  # Until then a network may still be learning what matters most.
_LARGE_GAIN_OF_CYCLE = 0.08  # Share of the loss: with so much, overfitting does no harm yet.
_LEAST_GAIN_OF_CYCLE = 0.03  # Share of the loss by which a cycle must lower it for another.


@dataclass
class Minibatches:
    """How rows are dealt out in batches.

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
        n_batches = self.number(len(order))
        size, n_larger = divmod(len(order), n_batches)
        sizes = [size + 1] * n_larger + [size] * (n_batches - n_larger)
        for a, b in pairwise(accumulate(sizes, initial=0)):
            yield order[a:b]

    def number(self, n_rows: int) -> int:
        """Return how many batches so many rows make."""
        return -(-n_rows // self.size)


def run_epoch(
    objective: MinibatchObjective,
    params: Array,
    gradient: Array,
    optimizer: Optimizer,
    learning_rate: LearningRate,
    batches: Minibatches,
    weight: float = 1.0,
) -> float:
    """Change `params` by one pass over the rows; return the mean of the objective on the way.

    `gradient` is memory of the same shape. `weight` is that of a row here in units of a row's in
    other passes: it multiplies gradients.
    """
    dealt = list(batches.of(objective.rows))
    seen = objective.begin_pass(dealt)
    for _ in dealt:
        seen.gradient(params, gradient)
        if weight != 1:
            gradient *= weight
        optimizer.step(params, gradient, learning_rate.current)
        learning_rate.step_ended()
    optimizer.epoch_ended()
    return seen.value()


class _Progress:
    """Says whether a sequence of numbers that should rise is still rising.

    Parameters
    ----------
    tol : float
        The least rise that counts.
    patience : float
        After how many numbers without one it is over.
    share : float
        What share of the best number a rise has to be besides.
    """

    def __init__(self, tol: float, patience: float, share: float = 0.0):
        self.tol = tol
        self.patience = patience
        self.share = share
        self.best = self.goal = -np.inf
        self.waited = 0
        self._counted = -np.inf
        self.gain = np.inf  # By what share of itself the best has risen lately.

    def update(self, score: float, counts: bool) -> bool:
        """Take the next score, and whether to judge by it; return whether it is the best so far."""
        better = score > self.best
        self.best = max(score, self.best)
        if counts:
            self.waited = 0 if score >= self.goal else self.waited + 1
            if np.isfinite(self._counted) and self._counted != 0:
                self.gain = (self.best - self._counted) / abs(self._counted)
            self._counted = self.best
            self.goal = self.best + max(self.tol, self.share * abs(self.best))
        return better

    def out_of_patience(self) -> bool:
        """Return whether nothing has improved for too long; patience begins anew."""
        if self.waited <= self.patience:
            return False
        self.waited = 0
        return True


@dataclass
class Validation:
    """How parameters do on rows that are not trained on.

    Parameters
    ----------
    goal : float
        What early stopping goes by: higher is better.
    loss : float
        The mean loss.
    score : float
        A score: higher is better.
    """

    goal: float
    loss: float
    score: float


def minimize_minibatch(
    objective: MinibatchObjective,
    start: Array,
    optimizer: Optimizer,
    learning_rate: LearningRate,
    batches: Minibatches,
    *,
    tol: float,
    max_iter: int,
    n_iter_no_change: float,
    max_time: float | None = None,
    validate: Callable[[Array], Validation] | None = None,
    stop_early: bool = True,
    report: Report | None = None,
    watch: Watch | None = None,
) -> SolverResult:
    """Train for up to `max_iter` epochs.

    Parameters
    ----------
    objective : MinibatchObjective
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
        The least improvement of an epoch's mean loss, or of the validation's goal, that counts.
    max_iter : int
        When to give up.
    n_iter_no_change : int or inf
        Epochs without improvement after which the learning rate falls or training ends.
    max_time : float or None
        Seconds after which no other epoch is begun.
    validate : callable, default=None
        Looks at parameters after each epoch.
    stop_early : bool
        Whether the validation decides when to stop, and the parameters of its best epoch are
        returned.
    report : callable, default=None
        Called with a line of text after each epoch.
    watch : callable, default=None
        Called with the parameters after each epoch; ends the run by returning True.
    """
    params, progress = start, _progress(learning_rate, tol, n_iter_no_change)
    gradient, best = np.empty_like(start), start.copy()
    losses: list[float] = []
    validations: list[Validation] = []
    stop_early = stop_early and validate is not None
    reason, began = StopReason.MAX_ITER, monotonic()
    learning_rate.begin(max_iter, batches.number(len(objective.rows)))
    try:
        for epoch in range(1, max_iter + 1):
            with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported instead
                loss = run_epoch(objective, params, gradient, optimizer, learning_rate, batches)
                outcome = optimizer.outcome(params)
                seen = None if validate is None else validate(outcome)
            losses.append(loss)
            if not np.isfinite(loss):
                reason = StopReason.DIVERGED
                break
            if seen is not None:
                validations.append(seen)
            goal = seen.goal if stop_early and seen is not None else -loss
            counts = learning_rate.epoch_counts(epoch)
            if progress.update(goal, counts) and stop_early:
                best[...] = outcome
            if report is not None:
                report(_line(epoch, loss, seen))
            if watch is not None and watch(outcome):
                reason = StopReason.STOPPED
                break
            learning_rate.epoch_ended(epoch * len(objective.rows))
            over = progress.out_of_patience() and not learning_rate.reduce()
            overfits = _knows_rows(validations, losses) and progress.gain < _LARGE_GAIN_OF_CYCLE
            if over or (learning_rate.in_cycles and counts and overfits):
                reason = StopReason.NO_IMPROVEMENT
                break
            if max_time is not None and monotonic() - began >= max_time:
                reason = StopReason.MAX_TIME if epoch < max_iter else reason
                break
    except KeyboardInterrupt:
        if not losses:
            raise
        reason = StopReason.INTERRUPTED
    return SolverResult(
        best if stop_early else optimizer.outcome(params),
        losses[-1],
        len(losses),
        reason,
        losses,
        validations=None if validate is None else validations,
    )


def _progress(learning_rate: LearningRate, tol: float, patience: float) -> _Progress:
    """Judge by epochs; or by cycles, of which the next takes longer than all before."""
    if learning_rate.in_cycles and patience < np.inf:
        return _Progress(tol, 0, _LEAST_GAIN_OF_CYCLE)
    return _Progress(tol, patience)


def _knows_rows(validations: Sequence[Validation], losses: Sequence[float]) -> bool:
    """Whether the rows trained on are predicted better than others: more cycles would overfit."""
    late = len(losses) > _EPOCHS_BEFORE_OVERFITTING
    return late and bool(validations) and losses[-1] < validations[-1].loss


def _line(epoch: int, loss: float, seen: Validation | None) -> str:
    line = f"epoch {epoch}: loss {loss:.6f}"
    if seen is None:
        return line
    return f"{line}, validation loss {seen.loss:.6f}, validation score {seen.score:.4f}"
