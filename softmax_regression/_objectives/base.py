"""What an objective is.

An objective is a function of one flat parameter vector, a weighted mean over rows plus a penalty:

    F(params) = 1/S · Σ_i s_i · CE_i(params) + l2/2 · ‖weights‖²,      S = Σ_i s_i

The estimators' own scales (``C · Σ s_i CE_i + ½ ‖W‖²`` for the linear model) differ from it by a
constant factor, so the minimiser is theirs, and numbers here do not grow with the data.

What a solver asks of an objective is written down in `_solvers/protocols.py`, in small protocols;
here is what several objectives have in common. Row counts, classes, sparsity, hidden layers stay
behind it: a model only says how the scores of a block of rows come from parameters, and how a
gradient in the scores goes back to them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._data.dataset import Dataset, RowBlocks
from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.pointwise import PointwiseLoss
from softmax_regression._objectives.evaluation import Evaluation


class Pass(ABC):
    """A pass over rows, batch by batch, whose value may wait until its end."""

    @abstractmethod
    def gradient(self, params: Array, out: Array) -> None:
        """Write the gradient of F as the next batch estimates it."""

    @abstractmethod
    def value(self) -> float:
        """Return the mean over the rows of F on the way, when all batches are through."""


class MinibatchObjective(ABC):
    """An objective that is a mean over rows, of which some estimate it."""

    @property
    @abstractmethod
    def rows(self) -> NDArray[np.intp]:
        """Numbers of the rows of positive weight: those a minibatch may be drawn from."""

    @abstractmethod
    def batch_value_and_gradient(
        self, params: Array, rows: NDArray[np.intp], gradient: Array
    ) -> float:
        """F estimated from some rows without bias; its gradient is written to `gradient`."""

    def begin_pass(self, batches: Sequence[NDArray[np.intp]]) -> Pass:
        """Begin a pass over rows, dealt out in batches."""
        return _EachAlone(self, batches)


class Unconstrained:
    """What a solver asks of an objective about bounds of the parameters, where there are none."""

    def within(self, params: Array) -> Array:
        """Return the nearest parameters within the bounds: the same."""
        return params

    def free(self, params: Array, gradient: Array) -> NDArray[np.bool_]:
        """Return which parameters the gradient does not press against a bound: all."""
        return np.ones(len(params), dtype=bool)

    def max_step(self, params: Array, direction: Array) -> float:
        """Return how many times a direction can be gone within the bounds: without end."""
        return np.inf


class _EachAlone(Pass):
    """A pass in which every batch is an evaluation of its own."""

    def __init__(self, objective: MinibatchObjective, batches: Sequence[NDArray[np.intp]]):
        self._objective = objective
        self._batches = iter(batches)
        self._total, self._n_rows = 0.0, 0

    def gradient(self, params: Array, out: Array) -> None:
        rows = next(self._batches)
        self._total += len(rows) * self._objective.batch_value_and_gradient(params, rows, out)
        self._n_rows += len(rows)

    def value(self) -> float:
        return self._total / self._n_rows


class CrossEntropyObjective(MinibatchObjective):
    """F from rows in blocks; a model adds how rows are scored.

    Attributes
    ----------
    data : RowBlocks
        X with targets and weights, whose mean is 1.
    l2 : float
        Strength of the penalty beside a *mean* cross-entropy.
    width : int
        The largest number of scores or units a row has at a time, for choosing the block size.
    """

    data: RowBlocks
    l2: float
    width: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of X, in which products are computed. Sums over blocks are in float64."""
        return self.data.dtype

    @property
    def design(self) -> Any:
        """X; of rows that are not in memory, what has its shape."""
        return self.data.design

    @property
    def loss(self) -> PointwiseLoss:
        """Targets and weights, of rows in memory."""
        return self._in_memory.loss

    @property
    def _in_memory(self) -> Dataset:
        if not isinstance(self.data, Dataset):
            raise TypeError(f"{type(self.data).__name__} does not hold all rows in memory.")
        return self.data

    @property
    def rows(self) -> NDArray[np.intp]:
        return self.loss.rows

    @property
    def share_of_row(self) -> float:
        """What a row of weight 1 counts for in the mean over some rows drawn from `rows`.

        The mean weight is 1 over all rows, and more over those that may be drawn if others have
        weight 0.
        """
        return len(self.rows) / self.data.n_rows

    @abstractmethod
    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Return F and its gradient over all rows, in float64."""

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate F and its gradient; what else is found out there comes along."""
        return Evaluation(params, *self.value_and_gradient(params))

    @abstractmethod
    def scores(self, params: Array, block: Design) -> Array:
        """Return the class-major scores of a block of rows."""

    def mean_loss(self, params: Array, rows: NDArray[np.intp]) -> float:
        """Return the weighted mean cross-entropy of some rows, without the penalty."""
        scores = self.scores(params, self.design[rows])
        return self.loss.value_and_residual(scores, rows) / len(rows)
