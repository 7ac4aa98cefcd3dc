"""Stochastic gradient descent over minibatches, for the linear model and for the network.

An epoch is one pass through the rows in random order, with a step for each batch. Training ends
when the epoch's mean loss (or a validation score) has not improved for a number of epochs and the
learning rate cannot be lowered further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

_LARGE_RELATIVE_CYCLE_GAIN = 0.08  # With such a decrease of the loss, overfitting is harmless.
_MIN_RELATIVE_CYCLE_GAIN = 0.03  # Another cycle follows if the loss fell by this fraction.


@dataclass
class Minibatches:
    """The division of rows into batches.

    Parameters
    ----------
    size : int
        The largest number of rows in a batch. Batches have about equal size, because the step of a
        few remaining rows would be as long as that of a full batch.
    shuffle : bool
        Whether each epoch has a new order of the rows.
    random_state : RandomState
        The random numbers that determine the order.
    """

    size: int
    shuffle: bool
    random_state: np.random.RandomState

    def of(self, rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """Yield the batches of one epoch over some rows."""
        order = self.random_state.permutation(rows) if self.shuffle else rows
        n_batches = self.number(len(order))
        size, n_larger = divmod(len(order), n_batches)
        sizes = [size + 1] * n_larger + [size] * (n_batches - n_larger)
        for a, b in pairwise(accumulate(sizes, initial=0)):
            yield order[a:b]

    def number(self, n_rows: int) -> int:
        """Return the number of batches for a number of rows."""
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
    """Change `params` by one pass over the rows; return the mean objective over its batches.

    `gradient` is memory of the same shape as `params`. `weight` multiplies gradients; it is the
    weight of a row of this pass relative to that of a row of other passes.
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
    """Determines whether a sequence of scores is still rising.

    Parameters
    ----------
    tol : float
        The smallest rise that counts.
    patience : float
        The number of scores without a rise after which the sequence counts as no longer rising.
    share : float
        The smallest rise that counts, as a fraction of the best score; the larger bound applies.
    """

    def __init__(self, tol: float, patience: float, share: float = 0.0):
        self.tol = tol
        self.patience = patience
        self.share = share
        self.best = self.goal = -np.inf
        self.waited = 0
        self._counted = -np.inf
        self.gain = np.inf  # The last rise of the best score, as a fraction of it.

    def update(self, score: float, counts: bool) -> bool:
        """Add a score, which counts for patience or not; return whether it is the best so far."""
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
        """Return whether no rise occurred for too long, and if so restart the count."""
        if self.waited <= self.patience:
            return False
        self.waited = 0
        return True


@dataclass
class Validation:
    """The loss and score of parameters on rows that are not trained on.

    Parameters
    ----------
    goal : float
        The criterion of early stopping, where higher is better.
    loss : float
        The mean loss.
    score : float
        The score, where higher is better.
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
        The objective to minimise.
    start : ndarray
        The initial parameters, which are changed in place.
    optimizer : Optimizer
        The rule for a step.
    learning_rate : LearningRate
        The schedule of the step size.
    batches : Minibatches
        The batch size and the order of rows.
    tol : float
        The smallest improvement of an epoch's mean loss, or of the validation's goal, that counts.
    max_iter : int
        The largest number of epochs.
    n_iter_no_change : int or inf
        Epochs without improvement after which the learning rate falls or training ends.
    max_time : float or None
        Seconds after which no further epoch begins.
    validate : callable, default=None
        A function that validates the parameters after each epoch.
    stop_early : bool
        Whether the validation decides when to stop, and the parameters of its best epoch are
        returned.
    report : callable, default=None
        A function that is called with a line of text after each epoch.
    watch : callable, default=None
        A function that is called with the parameters after each epoch; training ends if it returns
        True.
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
            with np.errstate(over="ignore", invalid="ignore"):  # Divergence is reported below.
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
            overfits = seen is not None and progress.gain < _harmful_gain(seen.loss, loss)
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
    """Return the criterion of progress, by epochs or by the cycles of the learning rate."""
    if learning_rate.in_cycles and patience < np.inf:
        return _Progress(tol, 0, _MIN_RELATIVE_CYCLE_GAIN)
    return _Progress(tol, patience)


def _harmful_gain(validation_loss: float, training_loss: float) -> float:
    """Return the decrease of the validation loss in a cycle below which overfitting outweighs it.

    It is the fraction by which the validation loss exceeds the training loss, up to a bound.
    """
    excess = 1 - training_loss / validation_loss if validation_loss > 0 else 0.0
    return min(excess, _LARGE_RELATIVE_CYCLE_GAIN)


def _line(epoch: int, loss: float, seen: Validation | None) -> str:
    line = f"epoch {epoch}: loss {loss:.6f}"
    if seen is None:
        return line
    return f"{line}, validation loss {seen.loss:.6f}, validation score {seen.score:.4f}"
