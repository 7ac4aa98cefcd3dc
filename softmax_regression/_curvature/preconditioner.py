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

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from softmax_regression._curvature.base import Curvature
from softmax_regression._curvature.class_blocks import BlockFactor
from softmax_regression._curvature.diagonal import Diagonal
from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._curvature.kronecker import KroneckerFactor
from softmax_regression._curvature.woodbury import WoodburyFactor
from softmax_regression._data.dataset import Block
from softmax_regression._data.sums import Sample, join
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.coordinates import RowMap
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import scores_of

_MAX_FACTOR_ORDER = 3000  # A factor of this order takes 70 MB, and less than a second.
_ROWS_PER_UNKNOWN = 5  # Rows drawn for each row of the matrix, unless told otherwise.
_DENSE_VALUES = 1 << 19  # Values of X that are made dense at a time, where it is sparse.
_LEAST_FLOAT32_PIVOT = 1e-3  # Below it, a matrix is no longer summed in float32.
_NEGLIGIBLE_MULTIPLICATIONS = 10_000_000  # So few take no longer than the calls around them.
# Multiplications of a symmetric update in the time of one of a product with few classes.
_UPDATE_SPEED = 3.0
# What is spent on products with a matrix before the next is made, times what making that takes: it
# has products of its own before it, which pay only where many are left.
_TIMES_THE_NEXT = 2.0
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
        self._row_values: Any = None  # Of each row ‖z‖² and its importance.
        self._stages = self._choose()
        self.n_stages = len(self._stages)

    def of(self, objective: LinearCrossEntropy, rows_per_unknown: int) -> HessianPreconditioner:
        """Return one of another objective on the same rows, with what is known of these."""
        other = HessianPreconditioner(objective, rows_per_unknown)
        other._row_values, other._may_be_rounded = self._row_values, self._may_be_rounded
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
        return _TIMES_THE_NEXT * making / (self._product + solving)

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
        objective = self.objective
        data = objective.data
        if n_rows == data.n_rows:
            return None
        if self._row_values is None and data.remembers_rows:
            self._row_values = data.values_of_rows(2, np.float32)
            data.map_reduce(_write_sizes, objective.row_map, kept=self._row_values)
        at, kept = _At(objective.for_rows(params), objective.row_map), self._row_values
        (total,) = data.map_reduce(_importance_sums, at, width=objective.width, kept=kept)
        # So that no row is impossible, and none that becomes important is missed altogether.
        least = 0.1 * total / data.n_rows + float(np.finfo(np.float32).tiny)
        scale = n_rows / (total + data.n_rows * least)
        how = _Chances(at, least, scale)
        return Sample(
            *data.map_reduce(_draw, how, width=objective.width, kept=kept, reduce=join)
        )


class _At(NamedTuple):
    """Where, as (W, b) in the coordinates of X, and what takes rows to those of the parameters."""

    matrix: Array
    row_map: RowMap


class _Chances(NamedTuple):
    """By which rows are drawn: in proportion to their importance and a little more."""

    at: _At
    least: float
    scale: float


def _write_sizes(block: Block, row_map: RowMap) -> tuple[()]:
    """Keep ‖z_i‖² of each row: the same at all parameters."""
    assert block.kept is not None
    block.kept[0, block.rows] = _sizes(block, block.rows, row_map)
    return ()


def _sizes(block: Block, rows: slice, row_map: RowMap) -> Array:
    """Return ‖z_i‖² of some rows of a block."""
    sizes = np.empty(rows.stop - rows.start, dtype=np.float32)
    # Sparse rows are made dense, a few at a time.
    step = max(1, _DENSE_VALUES // row_map.n_columns)
    for start in range(rows.start, rows.stop, step):
        stop = min(start + step, rows.stop)
        columns = row_map(block.design[slice(start, stop)])
        sizes[start - rows.start : stop - rows.start] = np.einsum("jn,jn->n", columns, columns)
    return sizes


def _importance_sums(block: Block, at: _At) -> tuple[float]:
    """Return the sum of s_i (1 − ‖p_i‖²) ‖z_i‖², which is kept for each row if there is room."""
    total = 0.0
    for rows in block.pieces:
        importances = _importances(block, rows, at)
        if block.kept is not None:
            block.kept[1, rows] = importances
        total += float(importances.sum(dtype=np.float64))
    return (total,)


def _importances(block: Block, rows: slice, at: _At) -> Array:
    """Return s_i (1 − ‖p_i‖²) ‖z_i‖² of some rows of a block."""
    p = scores_of(block.design[rows], at.matrix)
    block.loss.probabilities(p, rows)
    importance = p[0] * (1 - p[0])
    if len(p) > 1:
        importance = np.maximum(1 - np.einsum("kn,kn->n", p, p), 0)
    block.loss.weigh(importance, rows)
    sizes = _sizes(block, rows, at.row_map) if block.kept is None else block.kept[0, rows]
    return (importance * sizes).astype(np.float32, copy=False)


def _draw(block: Block, how: _Chances) -> tuple[Array, Array]:
    """Draw rows with probabilities that grow with their importance, always the same ones.

    Returns their numbers, and one over the probabilities.
    """
    rows = block.rows
    if block.kept is None:
        parts = [_importances(block, piece, how.at) for piece in block.pieces]
        importances = np.concatenate([np.empty(0, dtype=np.float32), *parts])
    else:
        importances = block.kept[1, rows]
    chances = np.minimum(how.scale * (importances.astype(np.float64) + how.least), 1.0)
    drawn = np.flatnonzero(_uniform(block.first + rows.start, len(chances)) < chances)
    return block.first + rows.start + drawn, 1 / chances[drawn]


def _uniform(first: int, n_rows: int) -> Array:
    """Return a random number for each of some rows: the same, whatever block they are in."""
    # The generator makes two of these numbers at a time.
    numbers = np.random.Generator(np.random.PCG64(0).advance(first // 2))
    return numbers.random(n_rows + first % 2, dtype=np.float32)[first % 2 :]


def _fits_by_rows(objective: LinearCrossEntropy) -> bool:
    """Whether the rows are fewer than the unknowns, and there is room for matrices of theirs."""
    n_rows, n_classes, n_columns = objective.data.n_rows, objective.width, objective.n_columns
    largest = _MAX_FACTOR_ORDER**2
    fewer = n_classes > 1 and n_rows < objective.layout.hessian_order
    return fewer and max(n_rows**2, n_classes * n_columns**2) <= largest
