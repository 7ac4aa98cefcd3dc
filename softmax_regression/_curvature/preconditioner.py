"""Which matrix stands for the Hessian, by what it costs.

A factor of the Hessian made from a sample of the rows is nearly as good as the whole, if the sample
is several times as large as the matrix and has the rows that matter: those about which the model is
undecided, and those far out, which may be all that a rare feature or class has: `sampling.py` draws
them.
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

_MAX_FACTOR_ORDER = 3000  # A factor of this order takes 70 MB, and less than a second.
_ROWS_PER_UNKNOWN = 5  # Rows drawn for each row of the matrix, unless told otherwise.
_LEAST_FLOAT32_PIVOT = 1e-3  # Below it, a matrix is no longer summed in float32.
_NEGLIGIBLE_MULTIPLICATIONS = 10_000_000  # So few take no longer than the calls around them.
# Multiplications of a symmetric update in the time of one of a product with few classes.
_UPDATE_SPEED = 3.0
# What is spent on products with a matrix before the next is made, times what making that takes: it
# has products of its own before it, which pay only where many are left.
_SPENT_PER_NEXT_COST = 2.0
_EIGENVECTOR_COST = 10  # Multiplications that all eigenvectors take, over the cube of the order.
_SOLVE_COST = 3.0  # Times that a multiplication takes longer which reads a factor from memory.


@dataclass
class _Stage:
    """A kind of matrix, and how many multiplications it takes.

    Parameters
    ----------
    kind : type
        The class of the matrix, a `Curvature`.
    operations : float
        Multiplications that making it takes.
    solving : float
        Multiplications that solving with it takes.
    n_drawn : int or None
        The number of rows that it is made from; None for a kind that cannot be sampled.
    """

    kind: Any
    operations: float
    solving: float
    n_drawn: int | None


class HessianPreconditioner:
    """Makes matrices that stand for the Hessian of a linear cross-entropy, in stages.

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
        self._may_be_rounded = True
        self._sampler = RowSampler(objective)
        self._stages = self._choose()
        self.n_stages = len(self._stages)

    def of(self, objective: LinearCrossEntropy, rows_per_unknown: int) -> HessianPreconditioner:
        """Return one of another objective on the same rows, with what is known of these."""
        other = HessianPreconditioner(objective, rows_per_unknown)
        other._sampler = self._sampler.of(objective)
        other._may_be_rounded = self._may_be_rounded
        return other

    def __call__(self, at: Array | Evaluation) -> Curvature:
        """Make the best at some parameters."""
        return self.make(self.n_stages - 1, at)

    def make(self, stage: int, at: Array | Evaluation) -> Curvature:
        """Make the matrix of a stage."""
        at = as_evaluation(at)
        sample, kind = self.sample(at.params, stage), self._stages[stage].kind
        if sample is None:
            return kind(self.objective, at)
        # The error of sampling is larger than that of rounding, as a rule.
        if kind is not KroneckerFactor and self._may_be_rounded:
            rounded: HessianFactor | BlockFactor = kind(self.objective, at, sample, np.float32)
            self._may_be_rounded = rounded.least_pivot > _LEAST_FLOAT32_PIVOT
            if self._may_be_rounded:
                return rounded
        return kind(self.objective, at, sample)

    def sample(self, params: Array, stage: int = -1) -> Sample | None:
        """Draw the rows that it is made of; None for all."""
        n_drawn = self._stages[stage].n_drawn
        return None if n_drawn is None else self.draw(params, n_drawn)

    def n_products(self, stage: int) -> float:
        """How many products, and solutions with its matrix, come before the next is made."""
        following = self._stages[min(stage + 1, self.n_stages - 1)]
        if following.operations <= _NEGLIGIBLE_MULTIPLICATIONS:
            return 0.0
        solving = _SOLVE_COST * self._stages[stage].solving
        making = following.operations / _UPDATE_SPEED
        return _SPENT_PER_NEXT_COST * making / (self._product + solving)

    @property
    def _product(self) -> float:
        """How many multiplications a product with the Hessian takes."""
        return max(1, 4 * self.objective.data.n_values * self.objective.width)

    def _choose(self) -> list[_Stage]:
        """Return which matrices stand for the Hessian, the better after the cheaper."""
        n_classes, n_columns = self.objective.width, self.objective.n_columns
        n_rows, order = self.objective.data.n_rows, self.objective.layout.hessian_order
        if not _fits_by_rows(self.objective) and n_columns > _MAX_FACTOR_ORDER:
            return [_Stage(Diagonal, 0.0, 0.0, None)]
        shared = self._stage(KroneckerFactor, n_columns, 1, n_classes)
        blocks = self._stage(BlockFactor, n_columns, n_classes, n_classes)
        whole = self._stage(HessianFactor, order, 1, 1)
        stages = [whole if order <= _MAX_FACTOR_ORDER else blocks]
        if _fits_by_rows(self.objective):
            operations = WoodburyFactor.operations(self.objective)
            solving = 8 * n_classes * n_columns**2 + 2 * n_rows**2
            if order > _MAX_FACTOR_ORDER or operations < whole.operations:
                stages = [blocks, _Stage(WoodburyFactor, operations, solving, None)]
        if stages[-1].operations <= _NEGLIGIBLE_MULTIPLICATIONS:
            return stages[-1:]
        # With many classes, the Kronecker factor takes longer than a block for each class.
        n_drawn = self._n_drawn(n_columns, 1)
        of_pairs = n_drawn * n_classes**2 + _EIGENVECTOR_COST * n_classes**3
        if shared.operations + of_pairs > max(blocks.operations, self._product):
            return stages if stages[0] is blocks else [blocks, *stages]
        return [shared, *stages] if n_classes > 1 else stages

    def _stage(self, kind: Any, order: int, repeats: int, n_solved: int) -> _Stage:
        """Return a stage of `repeats` factors of some order, to be solved with `n_solved` times."""
        n_drawn = self._n_drawn(order, repeats)
        operations = repeats * (n_drawn * order**2 + order**3 / 3)
        return _Stage(kind, operations, 2 * n_solved * order**2, n_drawn)

    def _n_drawn(self, order: int, repeats: int) -> int:
        """How many rows make matrices of some order: of each class some, too."""
        n_rows = self.objective.data.n_rows
        if repeats * n_rows * order**2 <= _NEGLIGIBLE_MULTIPLICATIONS:
            return n_rows
        return min(n_rows, self.rows_per_unknown * (order + self.objective.width))

    def draw(self, params: Array, n_rows: int) -> Sample | None:
        """Draw rows by their part in the trace of the Hessian, always the same; None for all."""
        return self._sampler.draw(params, n_rows)


def _fits_by_rows(objective: LinearCrossEntropy) -> bool:
    """Whether the rows are fewer than the unknowns, and there is room for matrices of theirs."""
    n_rows, n_classes, n_columns = objective.data.n_rows, objective.width, objective.n_columns
    largest = _MAX_FACTOR_ORDER**2
    fewer = n_classes > 1 and n_rows < objective.layout.hessian_order
    return fewer and max(n_rows**2, n_classes * n_columns**2) <= largest
