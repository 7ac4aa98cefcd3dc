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

from softmax_regression._data.design import Design
from softmax_regression._data.sums import sum_parts
from softmax_regression._losses.pointwise import PointwiseLoss

Array = NDArray[Any]
Rows = slice | NDArray[np.intp]


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
    """F from a design and a loss; a model adds how a block of rows is scored.

    Parameters
    ----------
    design : Design
        X.
    loss : PointwiseLoss
        Targets and weights of the same rows; the mean weight is 1.
    l2 : float
        Strength of the penalty beside a *mean* cross-entropy.
    n_params, n_penalized : int
        Length of the flat vector, and of its front part that is penalised.
    width : int
        The largest number of scores or units a row has at a time, for choosing the block size.
    """

    def __init__(
        self,
        design: Design,
        loss: PointwiseLoss,
        l2: float,
        *,
        n_params: int,
        n_penalized: int,
        width: int,
    ):
        self.design = design
        self.loss = loss
        self.l2 = l2
        self.n_params = n_params
        self.n_penalized = n_penalized
        self.width = width

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of X, in which products are computed. Sums over blocks are in float64."""
        return self.design.dtype

    @property
    def rows(self) -> NDArray[np.intp]:
        return self.loss.rows

    @abstractmethod
    def scores(self, params: Array, block: Design) -> Array:
        """Return the class-major scores of a block of rows."""

    def mean_loss(self, params: Array, rows: NDArray[np.intp]) -> float:
        """Return the weighted mean cross-entropy of some rows, without the penalty."""
        scores = self.scores(params, self.design[rows])
        return self.loss.value_and_residual(scores, rows) / len(rows)

    @abstractmethod
    def _block_gradient(
        self, params: Array, block: Design, rows: Rows, out: Array, scratch: Array | None = None
    ) -> float:
        """Return Σ s_i CE_i over a block of rows and write its gradient to `out`.

        What `_scratch` gave for it may be overwritten.
        """

    def _scratch(self, blocks: Sequence[slice]) -> Array:
        """Return room for the scores of any of some blocks: new memory for each costs time."""
        longest = max(rows.stop - rows.start for rows in blocks)
        return np.empty(self.width * longest, dtype=self.dtype)

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        typed = self.for_rows(params)

        def work(blocks: Sequence[slice]) -> tuple[float, Array]:
            total, gradient = 0.0, np.zeros(self.n_params)
            part = np.empty(self.n_params, dtype=self.dtype)
            scratch = self._scratch(blocks)
            for rows in blocks:
                total += self._block_gradient(typed, self.design[rows], rows, part, scratch)
                gradient += part
            return total, gradient

        total, gradient = sum_parts(self.design.map_blocks(work, self.width))
        return self._finish(params, total, gradient, 1 / self.design.n_rows), gradient

    def batch_value_and_gradient(
        self, params: Array, rows: NDArray[np.intp], gradient: Array
    ) -> float:
        total = self._block_gradient(self.for_rows(params), self.design[rows], rows, gradient)
        # The mean weight is 1 over all rows, and more over those that may be drawn if others have
        # weight 0: hence a factor beside 1 / len(rows).
        share = len(self.rows) / self.design.n_rows / len(rows)
        return self._finish(params, total, gradient, share)

    def for_rows(self, params: Array) -> Array:
        """Return what `_block_gradient` wants for `params`."""
        return params.astype(self.dtype, copy=False)

    def _finish(self, params: Array, total: float, gradient: Array, share: float) -> float:
        """Turn sums over rows into means and add the penalty."""
        gradient *= share
        penalized = params[: self.n_penalized]
        gradient[: self.n_penalized] += self.l2 * penalized
        return total * share + self.l2 / 2 * float(np.dot(penalized, penalized))
