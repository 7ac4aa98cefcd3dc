"""What an objective is.

An objective is a function of one flat parameter vector, a weighted mean over rows plus a penalty:

    F(params) = 1/S · Σ_i s_i · CE_i(params) + l2/2 · ‖weights‖²,      S = Σ_i s_i

The estimators' own scales (``C · Σ s_i CE_i + ½ ‖W‖²`` for the linear model) differ from it by a
constant factor, so the minimiser is theirs, and numbers here do not grow with the data.

A solver sees nothing but this. Row counts, classes, sparsity, hidden layers stay behind it: a model
only says how the scores of a block of rows come from parameters, and how a gradient in the scores
goes back to them.
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


class Pass(ABC):
    """A pass over rows, batch by batch, whose value may wait until its end."""

    @abstractmethod
    def gradient(self, params: Array, out: Array) -> None:
        """Write the gradient of F as the next batch estimates it."""

    @abstractmethod
    def value(self) -> float:
        """Return the mean over the rows of F on the way, when all batches are through."""


class Objective(ABC):
    """What a solver sees of an objective."""

    n_params: int

    @property
    @abstractmethod
    def rows(self) -> NDArray[np.intp]:
        """Numbers of the rows of positive weight: those a minibatch may be drawn from."""

    @property
    def convex(self) -> bool:
        """Whether there is one minimum, and `hessian_product` to find it with."""
        return False

    @property
    def has_dual(self) -> bool:
        """Whether `optimality_gap` knows a bound."""
        return False

    @abstractmethod
    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """F and its gradient over all rows, in float64."""

    @abstractmethod
    def batch_value_and_gradient(
        self, params: Array, rows: NDArray[np.intp], gradient: Array
    ) -> float:
        """F estimated from some rows without bias; its gradient is written to `gradient`."""

    def begin_pass(self, batches: Sequence[NDArray[np.intp]]) -> Pass:
        """Begin a pass over rows, dealt out in batches."""
        return _EachAlone(self, batches)

    # A solver keeps within the bounds of the parameters, if there are any.

    def within(self, params: Array) -> Array:
        """Return the nearest parameters within the bounds."""
        return params

    def free(self, params: Array, gradient: Array) -> NDArray[np.bool_]:
        """Return which parameters the gradient does not press against a bound that they are at."""
        return np.ones(len(params), dtype=bool)

    def room(self, params: Array, direction: Array) -> float:
        """How many times a direction can be gone within the bounds."""
        return np.inf

    def largest_change(self, direction: Array) -> float:
        """By how much a step changes the scores of a row, if that is known."""
        return 0.0

    def hessian_product(self, params: Array, direction: Array) -> Array:
        """Multiply the Hessian at `params` by a direction; only convex objectives offer it."""
        raise TypeError(f"{type(self).__name__} has no Hessian products.")

    def optimality_gap(
        self, params: Array, value: float, gradient: Array, enough: float = np.inf
    ) -> float:
        """Bound ``F(params) − min F`` from above, NaN if unknown.

        A first bound above `enough` that cannot be brought below is returned as it is.
        """
        return np.nan

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Bound ``F(params) − min F`` by the exact Newton step there; inf if it proves nothing."""
        return np.inf

    def separates(self, params: Array) -> bool:
        """Whether the parameters tell all classes apart, so that larger ones always do better."""
        return False

    def likely_gap(self, gradient: Array) -> float:
        """Estimate, from little but a gradient, what `optimality_gap` would be; 0 if unknown."""
        return 0.0

    def last_step(self, params: Array, residual: Array) -> Array | None:
        """Return a step that makes the residual of the Newton equations easier to certify, if any.

        It comes on top of theirs, where that is expected to lead to the minimum.
        """
        return None


class _EachAlone(Pass):
    """A pass in which every batch is an evaluation of its own."""

    def __init__(self, objective: Objective, batches: Sequence[NDArray[np.intp]]):
        self._objective = objective
        self._batches = iter(batches)
        self._total, self._n_rows = 0.0, 0

    def gradient(self, params: Array, out: Array) -> None:
        rows = next(self._batches)
        self._total += len(rows) * self._objective.batch_value_and_gradient(params, rows, out)
        self._n_rows += len(rows)

    def value(self) -> float:
        return self._total / self._n_rows


class CrossEntropyObjective(Objective):
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
    def scores(self, params: Array, block: Design) -> Array:
        """Return the class-major scores of a block of rows."""

    def mean_loss(self, params: Array, rows: NDArray[np.intp]) -> float:
        """Return the weighted mean cross-entropy of some rows, without the penalty."""
        scores = self.scores(params, self.design[rows])
        return self.loss.value_and_residual(scores, rows) / len(rows)
