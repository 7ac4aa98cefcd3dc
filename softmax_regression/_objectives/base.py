"""Base classes of objectives.

An objective is a function of one flat parameter vector, a weighted mean over rows plus a penalty:

    F(params) = 1/S · Σ_i s_i · CE_i(params) + l2/2 · ‖weights‖²,      S = Σ_i s_i

The documented objectives of the estimators (``C · Σ s_i CE_i + ½ ‖W‖²`` for the linear model) are
this times a constant factor. So the minimum is at the same parameters, and numbers here do not grow
with the number of rows.

The protocols in `_solvers/protocols.py` list what solvers require of an objective; this file holds
what several objectives have in common. Solvers need not know about rows, classes, sparsity and
hidden layers. A model defines how the scores of a block of rows follow from the parameters, and how
a gradient in the scores is propagated back to them.
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
    """A pass over rows in batches, whose mean value is known at the end."""

    @abstractmethod
    def gradient(self, params: Array, out: Array) -> None:
        """Write the gradient of F as the next batch estimates it."""

    @abstractmethod
    def value(self) -> float:
        """Return the mean of the estimates of F over all batches, after the last one."""


class MinibatchObjective(ABC):
    """An objective that is a mean over rows, and is estimated by the mean over a batch."""

    @property
    @abstractmethod
    def rows(self) -> NDArray[np.intp]:
        """Positions of the rows of positive weight, from which minibatches are drawn."""

    @abstractmethod
    def batch_value_and_gradient(
        self, params: Array, rows: NDArray[np.intp], gradient: Array
    ) -> float:
        """Return an unbiased estimate of F from some rows, and write its gradient to `gradient`."""

    def begin_pass(self, batches: Sequence[NDArray[np.intp]]) -> Pass:
        """Begin a pass over the rows of some batches."""
        return _SeparateEvaluations(self, batches)


class Unconstrained:
    """The methods for bounds of parameters, for an objective without bounds."""

    def within(self, params: Array) -> Array:
        """Return the parameters unchanged, as there are no bounds."""
        return params

    def free(self, params: Array, gradient: Array) -> NDArray[np.bool_]:
        """Return which parameters are free: all."""
        return np.ones(len(params), dtype=bool)

    def max_step(self, params: Array, direction: Array) -> float:
        """Return the largest multiple of a direction that stays within the bounds: infinity."""
        return np.inf


class _SeparateEvaluations(Pass):
    """A pass that evaluates the objective for one batch after the other."""

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
    """F of rows in blocks, without the scores, which a model defines.

    Attributes
    ----------
    data : RowBlocks
        X with targets and weights, whose mean is 1.
    l2 : float
        Strength of the penalty relative to a *mean* cross-entropy.
    width : int
        The largest number of scores or units of a row, by which the size of blocks is chosen.
    """

    data: RowBlocks
    l2: float
    width: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype in which products with X are computed; sums over blocks are in float64."""
        return self.data.dtype

    @property
    def design(self) -> Any:
        """X, or if the rows are not in memory, an object of its shape."""
        return self.data.design

    @property
    def loss(self) -> PointwiseLoss:
        """Targets and weights, which must be in memory."""
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
        """The factor of a row of weight 1 in the mean over rows that are drawn from `rows`.

        It is below 1 if some rows have weight 0, because the mean weight of the others exceeds 1.
        """
        return len(self.rows) / self.data.n_rows

    @abstractmethod
    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Return F and its gradient over all rows, in float64."""

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate F and its gradient, with what else is computed on the way."""
        return Evaluation(params, *self.value_and_gradient(params))

    @abstractmethod
    def scores(self, params: Array, block: Design) -> Array:
        """Return the class-major scores of a block of rows."""

    def mean_loss(self, params: Array, rows: NDArray[np.intp]) -> float:
        """Return the weighted mean cross-entropy of some rows, without the penalty."""
        scores = self.scores(params, self.design[rows])
        return self.loss.value_and_residual(scores, rows) / len(rows)
