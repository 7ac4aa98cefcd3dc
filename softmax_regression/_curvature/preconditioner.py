"""Preconditioners of conjugate gradients, chosen by a model of what they cost.

A Hessian summed over a sample of the rows preconditions nearly as well as one summed over all rows,
if the sample has several times as many rows as the matrix and contains the influential ones. These
are the rows whose class is uncertain, and those with large values, which may be the only rows in
which a rare feature or class occurs. `sampling.py` draws such samples.

The cost model counts multiplications in units of the time that one takes in a product with the
Hessian. `HessianPreconditioner` lines up matrices as stages, from the cheapest to the best, and
compares the costs of making a matrix, of solving with it and of a product with the Hessian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softmax_regression._curvature.base import Curvature
from softmax_regression._curvature.class_blocks import BlockFactor
from softmax_regression._curvature.diagonal import Diagonal
from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._curvature.kronecker import KroneckerFactor
from softmax_regression._curvature.sampling import RowSampler
from softmax_regression._curvature.woodbury import WoodburyFactor
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

_MAX_FACTOR_ORDER = 3000  # A factor of this order takes 70 MB and less than a second.
_ROWS_PER_UNKNOWN = 5  # This many rows are drawn for each row of the matrix by default.
# A cheap factor of the Hessian is made from up to this many rows for each row of the matrix.
_MOST_ROWS_PER_UNKNOWN = 200
# A factor of the Hessian is cheap if it takes at most this share of a product with the Hessian.
_SHARE_OF_PRODUCT = 0.5
# A cheap factor takes at most this many multiplications, which are half a second on one core.
_MOST_MULTIPLICATIONS = 1e10
# Matrices are summed in float32 until one has a pivot, relative to its diagonal, of at most this.
_LEAST_FLOAT32_PIVOT = 1e-3
# A matrix that takes at most this many multiplications is summed over all rows instead of a sample.
_NEGLIGIBLE_MULTIPLICATIONS = 10_000_000
# A symmetric update makes this many multiplications in the time that a product needs for one.
_UPDATE_SPEED = 3.0
# The function calls around one product, and around making one factor, take as long as this many
# multiplications.
_CALLS_OF_PRODUCT, _CALLS_OF_FACTOR = 250_000, 3_000_000
# All eigenvectors of a matrix take this many multiplications, times the cube of its order.
_EIGENVECTOR_COST = 10


@dataclass
class _Stage:
    """A kind of matrix, and what it costs, in multiplications of products with the Hessian.

    Parameters
    ----------
    kind : type
        The class of the matrix, a `Curvature`.
    operations : float
        The cost of making the matrix, including the function calls.
    solving : float
        The cost of one solution with the matrix.
    n_drawn : int or None
        The number of rows over which the matrix is summed; None for a kind that needs all rows.
    """

    kind: Any
    operations: float
    solving: float
    n_drawn: int | None


class HessianPreconditioner:
    """Makes approximations of the Hessian of a linear cross-entropy, in stages.

    Later stages cost more and are better. If the best one that was chosen by its cost is a Hessian
    summed over a sample of the rows, the Hessian summed over all rows follows as the last stage.

    Parameters
    ----------
    objective : LinearCrossEntropy
        The function whose Hessian is approximated, in standardised coordinates.
    rows_per_unknown : int, default=None
        The number of rows drawn for each row of the matrix; by default 5.
    """

    def __init__(self, objective: LinearCrossEntropy, rows_per_unknown: int | None = None):
        self.objective = objective
        self.rows_per_unknown = rows_per_unknown or _ROWS_PER_UNKNOWN
        self._may_be_rounded = True
        self._sampler = RowSampler(objective)
        self._stages = self._choose()
        self._best_sampled = len(self._stages) - 1
        best = self._stages[-1]
        if best.kind is HessianFactor and best.n_drawn != objective.data.n_rows:
            order = objective.layout.hessian_order
            self._stages.append(self._stage(HessianFactor, order, 1, 1, objective.data.n_rows))
        self.n_stages = len(self._stages)

    def of(self, objective: LinearCrossEntropy, rows_per_unknown: int) -> HessianPreconditioner:
        """Return the preconditioners of another objective on the same rows, reusing their norms."""
        other = HessianPreconditioner(objective, rows_per_unknown)
        other._sampler = self._sampler.of(objective)
        other._may_be_rounded = self._may_be_rounded
        return other

    def stage_like(self, other: HessianPreconditioner, stage: int) -> int:
        """Return the stage that is like another's: of the same kind, and of no fewer rows."""
        wanted = other._stages[stage]
        for number, own in enumerate(self._stages):
            if own.kind is wanted.kind and (own.n_drawn or 0) >= (wanted.n_drawn or 0):
                return number
        return self.n_stages - 1

    def __call__(self, at: Array | Evaluation) -> Curvature:
        """Make the best matrix whose cost is moderate, as `_choose` finds it."""
        return self.make(self._best_sampled, at)

    def make(self, stage: int, at: Array | Evaluation) -> Curvature:
        """Make the matrix of a stage at some parameters."""
        at = as_evaluation(at)
        sample, kind = self.sample(at.params, stage), self._stages[stage].kind
        if sample is None:
            return kind(self.objective, at)
        # The error of sampling is usually larger than that of rounding to float32.
        if kind is not KroneckerFactor and self._may_be_rounded:
            rounded: HessianFactor | BlockFactor = kind(self.objective, at, sample, np.float32)
            self._may_be_rounded = rounded.least_pivot > _LEAST_FLOAT32_PIVOT
            if self._may_be_rounded:
                return rounded
        return kind(self.objective, at, sample)

    def sample(self, params: Array, stage: int | None = None) -> Sample | None:
        """Draw the rows over which the matrix of a stage is summed; None stands for all rows."""
        n_drawn = self._stages[self._best_sampled if stage is None else stage].n_drawn
        return None if n_drawn is None else self.draw(params, n_drawn)

    def n_products(self, stage: int, made: int) -> float:
        """Return the cost of making a matrix, in iterations of conjugate gradients with another.

        Each iteration takes a product with the Hessian and a solution with the preconditioner.

        Parameters
        ----------
        stage : int
            The stage whose matrix preconditions the iterations.
        made : int
            The stage whose matrix is made.
        """
        return self._stages[made].operations / (self._product + self._stages[stage].solving)

    @property
    def _product(self) -> float:
        """The cost of a product with the Hessian, including the function calls."""
        data = self.objective.data
        share = data.dtype.itemsize / 8  # Multiplications in float32 take half of the time.
        return _CALLS_OF_PRODUCT + 4 * share * data.n_values * self.objective.width

    def _choose(self) -> list[_Stage]:
        """Return the stages whose cost is moderate, the cheapest first and the best last."""
        n_classes, n_columns = self.objective.width, self.objective.n_columns
        n_rows, order = self.objective.data.n_rows, self.objective.layout.hessian_order
        if not _fits_by_rows(self.objective) and n_columns > _MAX_FACTOR_ORDER:
            return [_Stage(Diagonal, 0.0, 0.0, None)]
        shared = self._stage(KroneckerFactor, n_columns, 1, n_classes)
        blocks = self._stage(BlockFactor, n_columns, n_classes, n_classes)
        whole = self._stage(HessianFactor, order, 1, 1)
        if order <= _MAX_FACTOR_ORDER and whole.operations <= self._affordable:
            return [self._stage(HessianFactor, order, 1, 1, self._n_affordable(order))]
        stages = [whole if order <= _MAX_FACTOR_ORDER else blocks]
        if _fits_by_rows(self.objective):
            operations = WoodburyFactor.operations(self.objective) / _UPDATE_SPEED
            operations += n_classes * _CALLS_OF_FACTOR
            solving = 8 * n_classes * n_columns**2 + 2 * n_rows**2
            if order > _MAX_FACTOR_ORDER or operations < whole.operations:
                stages = [blocks, _Stage(WoodburyFactor, operations, solving, None)]
        # With very many classes, the Kronecker factor takes longer than a block for each class.
        n_drawn = self._n_drawn(n_columns, 1)
        of_pairs = n_drawn * n_classes**2 + _EIGENVECTOR_COST * n_classes**3
        if shared.operations + of_pairs <= max(blocks.operations, self._product):
            return [shared, *stages] if n_classes > 1 else stages
        return stages if stages[0] is blocks else [blocks, *stages]

    def _stage(
        self, kind: Any, order: int, repeats: int, n_solved: int, n_drawn: int | None = None
    ) -> _Stage:
        """Return a stage that makes `repeats` factors and solves with factors `n_solved` times.

        All factors have the same order, and `n_drawn` rows, by default those of `_n_drawn`.
        """
        n_drawn = n_drawn or self._n_drawn(order, repeats)
        multiplications = n_drawn * order**2 + order**3 / 3
        operations = repeats * (multiplications / _UPDATE_SPEED + _CALLS_OF_FACTOR)
        return _Stage(kind, operations, 2 * n_solved * order**2, n_drawn)

    def _n_drawn(self, order: int, repeats: int) -> int:
        """Return over how many rows `repeats` matrices of an order are summed by default."""
        n_rows = self.objective.data.n_rows
        if repeats * n_rows * order**2 <= _NEGLIGIBLE_MULTIPLICATIONS:
            return n_rows
        return min(n_rows, self.rows_per_unknown * (order + self.objective.width))

    @property
    def _affordable(self) -> float:
        """The largest cost of a factor of the Hessian that counts as cheap."""
        return min(_SHARE_OF_PRODUCT * self._product, _MOST_MULTIPLICATIONS / _UPDATE_SPEED)

    def _n_affordable(self, order: int) -> int:
        """Return how many rows to draw for a cheap factor of the Hessian of some order."""
        fewest = self._n_drawn(order, 1)
        most = _MOST_ROWS_PER_UNKNOWN * (order + self.objective.width)
        return max(fewest, min(int(_UPDATE_SPEED * self._affordable / order**2), most))

    def draw(self, params: Array, n_rows: int) -> Sample | None:
        """Draw rows by their share of the trace of the Hessian; see `RowSampler.draw`."""
        return self._sampler.draw(params, n_rows)


def _fits_by_rows(objective: LinearCrossEntropy) -> bool:
    """Return whether a Woodbury factor exists, saves work and fits into memory."""
    n_rows, n_classes, n_columns = objective.data.n_rows, objective.width, objective.n_columns
    largest = _MAX_FACTOR_ORDER**2
    fewer = n_classes > 1 and n_rows < objective.layout.hessian_order
    return fewer and max(n_rows**2, n_classes * n_columns**2) <= largest
