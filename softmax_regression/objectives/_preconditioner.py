"""Which matrix stands for the Hessian, by what it costs.

A factor of the Hessian made from a sample of the rows is nearly as good as the whole, if the sample
is several times as large as the matrix and has the rows that matter: those about which the model is
undecided, and those far out, which may be all that a rare feature or class has. They are drawn with
probabilities in proportion to

    (1 − ‖p_i‖²) · ‖z_i‖²

which bounds a row's part in the trace of the Hessian (compare the leverage scores of Mahoney,
"Randomized algorithms for matrices and data", 2011, and Xu, Yang, Roosta, Ré and Mahoney,
"Sub-sampled Newton methods with non-uniform sampling", NeurIPS 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression.design import Design
from softmax_regression.objectives._curvature import (
    BlockFactor,
    Curvature,
    Diagonal,
    HessianFactor,
    SharedFactor,
)
from softmax_regression.objectives._linear import LinearCrossEntropy, Sample, regrouped

Array = NDArray[Any]

_LARGEST_FACTOR = 3000  # unknowns: 70 MB, and less than a second
_ROWS_PER_UNKNOWN = 5
_SIZES_VALUES = 1 << 19  # numbers of X looked at together: sparse rows get dense meanwhile
_ROUNDED = 1e-3  # the least pivot of a factor that rounding to float32 does no harm
_LITTLE = 10_000_000  # operations that take no longer than what surrounds them: nothing to save
_FASTER = 3.0  # operations of a symmetric update in the time of one in a product with few classes


class HessianPreconditioner:
    """Makes matrices that stand for the Hessian of a linear cross-entropy.

    Parameters
    ----------
    objective : LinearCrossEntropy
        In standardised coordinates.
    rows_per_unknown : int, default=None
        How many rows are drawn for each row of the matrix; by default 5.
    """

    def __init__(self, objective: LinearCrossEntropy, rows_per_unknown: int | None = None):
        self.objective = objective
        self.rows_per_unknown = rows_per_unknown or _ROWS_PER_UNKNOWN
        n_columns = objective.n_columns
        order = max(1, objective.width - 1) * n_columns
        self._make: Any
        if order <= _LARGEST_FACTOR:
            self._make, repeats = HessianFactor, 1
        elif n_columns <= _LARGEST_FACTOR:
            self._make, order, repeats = BlockFactor, n_columns, objective.width
        else:
            self._make, order, repeats = Diagonal, 1, 1
        self._order, self._repeats = order, repeats
        operations = repeats * (self._n_drawn(order, repeats) * order**2 + order**3 / 3)
        product = max(1, 4 * objective.design.n_values * objective.width)
        self.n_products = operations / product / _FASTER if operations > _LITTLE else 0.0
        self._may_be_rounded = True
        self._row_sizes: Array | None = None

    def __call__(self, params: Array) -> Curvature:
        """Make the matrix at some parameters."""
        if self._make is Diagonal:
            return Diagonal(self.objective, params)
        sample = self.sample(params)
        # What some of the rows say is not so precise that rounding matters, as a rule.
        if sample is not None and self._may_be_rounded:
            rounded = self._make(self.objective, params, sample, np.float32)
            self._may_be_rounded = rounded.least_pivot > _ROUNDED
            if self._may_be_rounded:
                return rounded
        return self._make(self.objective, params, sample)

    def sample(self, params: Array) -> Sample | None:
        """Draw the rows that it is made of; None for all."""
        return self._draw(params, self._n_drawn(self._order, self._repeats))

    def first(self, params: Array) -> Curvature | None:
        """Make a cheaper matrix for where a fit begins, if there is one."""
        if self._make is Diagonal or self.objective.width == 1 or self.n_products == 0:
            return None
        sample = self._draw(params, self._n_drawn(self.objective.n_columns, 1))
        return SharedFactor(self.objective, params, sample)

    def _n_drawn(self, order: int, repeats: int) -> int:
        """How many rows make matrices of some order."""
        n_rows = self.objective.design.n_rows
        if repeats * n_rows * order**2 <= _LITTLE:
            return n_rows
        return min(n_rows, self.rows_per_unknown * order)

    def _draw(self, params: Array, n_rows: int) -> Sample | None:
        """Draw rows by their part in the trace of the Hessian, always the same; None for all."""
        if n_rows == self.objective.design.n_rows:
            return None
        importance = self._doubts(params)
        importance *= self._sizes()
        # so that no row is impossible, and none that becomes important is missed altogether
        importance += 0.1 * importance.mean(dtype=np.float64) + np.finfo(np.float32).tiny
        importance *= n_rows / importance.sum(dtype=np.float64)
        chances = np.minimum(importance, 1, out=importance)
        drawn = np.random.default_rng(0).random(len(chances), dtype=np.float32) < chances
        rows = np.flatnonzero(drawn)
        return Sample(rows, 1 / chances[rows].astype(np.float64))

    def _doubts(self, params: Array) -> Array:
        """1 − ‖p_i‖², with the weight of the row."""
        objective = self.objective
        doubts = np.empty(objective.design.n_rows, dtype=np.float32)

        def doubt(block: Design, p: Array, rows: slice) -> None:
            if objective.width == 1:
                doubts[rows] = p[0] * (1 - p[0])
            else:
                doubts[rows] = np.maximum(1 - np.einsum("kn,kn->n", p, p), 0)

        objective.map_probabilities(params, doubt)
        objective.loss.weigh(doubts, slice(None))
        return doubts

    def _sizes(self) -> Array:
        """‖z_i‖², the same at all parameters."""
        if self._row_sizes is None:
            sizes = np.empty(self.objective.design.n_rows, dtype=np.float32)

            def work(blocks: Sequence[slice]) -> None:
                for rows in regrouped(blocks, max(1, _SIZES_VALUES // self.objective.n_columns)):
                    columns = self.objective.columns(self.objective.design[rows])
                    sizes[rows] = np.einsum("jn,jn->n", columns, columns)

            self.objective.design.map_blocks(work, 1)
            self._row_sizes = sizes
        return self._row_sizes
