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
from softmax_regression._linalg.cholesky import INVERTED_ORDER
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

_MAX_FACTOR_ORDER = 3000  # A factor of this order takes 70 MB, and less than a second.
_ROWS_PER_UNKNOWN = 5  # Rows drawn for each row of the matrix, unless told otherwise,
_MOST_ROWS_PER_UNKNOWN = 200  # or up to so many, where there are so many rows that
_SHARE_OF_PRODUCT = 0.5  # making the matrix takes no larger share of a product with the Hessian,
_MOST_MULTIPLICATIONS = 1e10  # and no more than so many multiplications, half a second of a core.
_LEAST_FLOAT32_PIVOT = 1e-3  # Below it, a matrix is no longer summed in float32.
_NEGLIGIBLE_MULTIPLICATIONS = 10_000_000  # So few are not worth drawing rows for.
_FEW_PRODUCTS = 20  # A matrix that takes no longer than so many needs no cheaper ones before it.
# Multiplications of a symmetric update in the time of one of a product with few classes.
_UPDATE_SPEED = 3.0
# Multiplications in the time that the calls take of a product, and of making one factor.
_CALLS_OF_PRODUCT, _CALLS_OF_FACTOR = 250_000, 3_000_000
_EIGENVECTOR_COST = 10  # Multiplications that all eigenvectors take, over the cube of the order.
_MEMORY_COST = 3.0  # Times that a multiplication takes longer which reads a factor from memory.


@dataclass
class _Stage:
    """A kind of matrix, and how many multiplications it takes.

    Parameters
    ----------
    kind : type
        The class of the matrix, a `Curvature`.
    operations : float
        Multiplications that making it takes, calls included, in the time of those of products.
    solving : float
        Multiplications that solving with it takes, in the time of those of products.
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
        self._best_sampled = len(self._stages) - 1
        best = self._stages[-1]
        if best.kind is HessianFactor and best.n_drawn != objective.data.n_rows:
            order = objective.layout.hessian_order
            self._stages.append(self._stage(HessianFactor, order, 1, 1, objective.data.n_rows))
        self.n_stages = len(self._stages)

    def of(self, objective: LinearCrossEntropy, rows_per_unknown: int) -> HessianPreconditioner:
        """Return one of another objective on the same rows, with what is known of these."""
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
        """Make the best that a sample of the rows gives at some parameters."""
        return self.make(self._best_sampled, at)

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

    def sample(self, params: Array, stage: int | None = None) -> Sample | None:
        """Draw the rows that the matrix of a stage is made of; None for all."""
        n_drawn = self._stages[self._best_sampled if stage is None else stage].n_drawn
        return None if n_drawn is None else self.draw(params, n_drawn)

    def n_products(self, stage: int, made: int) -> float:
        """How many products, and solutions with a stage's matrix, take as long as making another's.

        Parameters
        ----------
        stage : int
            Whose matrix is solved with.
        made : int
            Whose matrix is made.
        """
        return self._stages[made].operations / (self._product + self._stages[stage].solving)

    @property
    def _product(self) -> float:
        """How many multiplications a product with the Hessian takes."""
        data = self.objective.data
        share = data.dtype.itemsize / 8  # Half of the digits take half of the time.
        return _CALLS_OF_PRODUCT + 4 * share * data.n_values * self.objective.width

    def _choose(self) -> list[_Stage]:
        """Return which matrices stand for the Hessian, the better after the cheaper."""
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
            operations = WoodburyFactor.operations(self.objective) + n_classes * _CALLS_OF_FACTOR
            solving = _solve_cost(n_columns) * 8 * n_classes * n_columns**2
            solving += _solve_cost(n_rows) * 2 * n_rows**2
            if order > _MAX_FACTOR_ORDER or operations < whole.operations:
                stages = [blocks, _Stage(WoodburyFactor, operations, solving, None)]
        if stages[-1].operations <= _FEW_PRODUCTS * self._product:
            return stages[-1:]
        # With many classes, the Kronecker factor takes longer than a block for each class.
        n_drawn = self._n_drawn(n_columns, 1)
        of_pairs = n_drawn * n_classes**2 + _EIGENVECTOR_COST * n_classes**3
        if shared.operations + of_pairs <= max(blocks.operations, self._product):
            return [shared, *stages] if n_classes > 1 else stages
        return stages if stages[0] is blocks else [blocks, *stages]

    def _stage(
        self, kind: Any, order: int, repeats: int, n_solved: int, n_drawn: int | None = None
    ) -> _Stage:
        """Return a stage of `repeats` factors of some order, to be solved with `n_solved` times."""
        n_drawn = n_drawn or self._n_drawn(order, repeats)
        multiplications = n_drawn * order**2 + order**3 / 3
        operations = repeats * (multiplications / _UPDATE_SPEED + _CALLS_OF_FACTOR)
        solving = 2 * n_solved * order**2
        return _Stage(kind, operations, _solve_cost(order) * solving, n_drawn)

    def _n_drawn(self, order: int, repeats: int) -> int:
        """How many rows make matrices of some order: of each class some, too."""
        n_rows = self.objective.data.n_rows
        if repeats * n_rows * order**2 <= _NEGLIGIBLE_MULTIPLICATIONS:
            return n_rows
        return min(n_rows, self.rows_per_unknown * (order + self.objective.width))

    @property
    def _affordable(self) -> float:
        """How many multiplications of products take the time that any matrix may take."""
        return min(_SHARE_OF_PRODUCT * self._product, _MOST_MULTIPLICATIONS / _UPDATE_SPEED)

    def _n_affordable(self, order: int) -> int:
        """How many rows make a matrix of some order in that time, or as many as can be of use."""
        fewest = self._n_drawn(order, 1)
        most = _MOST_ROWS_PER_UNKNOWN * (order + self.objective.width)
        return max(fewest, min(int(_UPDATE_SPEED * self._affordable / order**2), most))

    def draw(self, params: Array, n_rows: int) -> Sample | None:
        """Draw rows by their part in the trace of the Hessian, always the same; None for all."""
        return self._sampler.draw(params, n_rows)


def _solve_cost(order: int) -> float:
    """In the time of how many multiplications of a product one of solving with a factor is."""
    return 1.0 if order <= INVERTED_ORDER else _MEMORY_COST


def _fits_by_rows(objective: LinearCrossEntropy) -> bool:
    """Whether the rows are fewer than the unknowns, and there is room for matrices of theirs."""
    n_rows, n_classes, n_columns = objective.data.n_rows, objective.width, objective.n_columns
    largest = _MAX_FACTOR_ORDER**2
    fewer = n_classes > 1 and n_rows < objective.layout.hessian_order
    return fewer and max(n_rows**2, n_classes * n_columns**2) <= largest
