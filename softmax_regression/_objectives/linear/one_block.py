"""The linear cross-entropy of an X so small that function calls take longer than arithmetic.

X is copied to the coordinates of the parameters, in float64, with a column for the intercept. If a
pass over it is short, all rows form one block, for which kernels are called without threads, and an
evaluation keeps the probabilities for the Hessian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from softmax_regression._data.dataset import Block, Dataset
from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._data.moments import Moments
from softmax_regression._data.sums import add_up
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.pointwise import PointwiseLoss
from softmax_regression._losses.targets import least_weight
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.coordinates import RowMap
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import largest_difference

_ALL_ROWS = slice(None)
# Multiplications of a pass over X, up to which all rows are one block.
_ONE_BLOCK_MULTIPLICATIONS = 1_000_000
_SHORT_PASS_MULTIPLICATIONS = 100_000  # Of a pass over X that takes no longer than its calls.
# With more unknowns, BLAS takes two to four times as long if it has to transpose X for a gradient.
_MAX_UNKNOWNS_OF_TRANSPOSE = 1000
# With so many columns, products by rows save more time than the copy takes.
_WIDE_COLUMNS = 64
_MAX_WEIGHT_RATIO = 1e8  # Ratio of weights beyond which tiny losses of heavy rows matter.
_COPIED_BYTES = 4 << 20  # Bytes in float64 of an X up to which it is copied.


class OneBlock(Dataset):
    """Rows of a dense X that are one block.

    Parameters
    ----------
    design : DenseDesign
        X, in float64.
    loss : PointwiseLoss
        Targets and weights.
    """

    def __init__(self, design: Design, loss: PointwiseLoss, moments: Moments | None = None):
        if not _differ_by_decades(loss.weight):
            loss = loss.with_one_hot_targets()
        super().__init__(design, loss, moments)
        self.X = design.X
        self.columns = np.ascontiguousarray(design.X.T)
        weight = self.loss.weight
        self.weighted_columns = self.columns if weight is None else self.columns * np.sqrt(weight)
        self._pieces = (slice(0, self.n_rows),)

    def map_reduce(
        self,
        kernel: Callable[[Block, Any], Any],
        params: Any = None,
        *,
        width: int = 1,
        kept: Any = None,
        reduce: Callable[[Sequence[Any]], Any] = add_up,
    ) -> Any:
        return reduce((kernel(Block(self.design, self.loss, self._pieces, 0, kept), params),))


def _differ_by_decades(weight: Array | None) -> bool:
    """Return whether tiny losses of heavy rows may matter as much as large losses of others.

    One-hot targets are quicker, but round losses below the rounding error of 1 to 0, unlike labels.
    """
    if weight is None:
        return False
    return bool(weight.max() > _MAX_WEIGHT_RATIO * least_weight(weight))


class SmallCrossEntropy(LinearCrossEntropy):
    """The objective of a copy of the rows of another objective, with the same parameters.

    Parameters
    ----------
    base : LinearCrossEntropy
        The other objective.
    """

    def __init__(self, base: LinearCrossEntropy):
        rows = DenseDesign(base.row_map(base.design).T)
        moments = None
        if base.coordinates is not None:
            moments = base.coordinates.moments(base.data.moments())
        data = self._storage(rows, base.loss, moments)
        row_map = RowMap(base.n_columns, None, base.row_map.intercept_entry)
        self._assemble(data, base.layout, base.penalty, row_map)

    _storage: type[Dataset] = Dataset

    def for_products(self) -> LinearCrossEntropy:
        """Return the objective for products with the Hessian: in float32 if there is a dual bound.

        For standardised columns that is precise enough, as the bound is computed in float64.
        """
        return self._in_float32(self.n_columns >= _WIDE_COLUMNS) if self.has_dual else self

    def _in_float32(self, by_rows: bool) -> Self:
        """Return the objective in float32, with X in C order or in the order that it has."""
        rows = DenseDesign(self.design.X.astype(np.float32, order="C" if by_rows else "K"))
        return self._derived(self._storage(rows, self.loss, self.data._moments))


class OneBlockCrossEntropy(SmallCrossEntropy):
    """The objective of a copy that is a single block."""

    data: OneBlock
    _storage = OneBlock

    def for_products(self) -> LinearCrossEntropy:
        """Return the objective for products with the Hessian: in float32 where that saves time."""
        if not self.has_dual or self.design.n_values * self.width <= _SHORT_PASS_MULTIPLICATIONS:
            return self
        # The copy of the columns beside it is that of `OneBlock`.
        return self._in_float32(self.n_columns * self.width > _MAX_UNKNOWNS_OF_TRANSPOSE)

    def for_rows(self, params: Array) -> Array:
        return self.layout.matrix(params).astype(self.dtype, copy=False)

    def evaluate(self, params: Array) -> Evaluation:
        data, matrix = self.data, self.layout.matrix(params)
        scores = matrix.dot(data.columns)  # For so few numbers it is quicker than matmul.
        p = np.empty_like(scores)
        total = data.loss.value_and_residual(scores, _ALL_ROWS, keep=p)
        gradient = scores.dot(data.X)
        gradient /= data.n_rows
        penalty = self.ridge * matrix
        gradient += penalty
        value = total / data.n_rows + 0.5 * float(np.vdot(penalty, matrix))
        return Evaluation(params, value, gradient.ravel(), p)

    def hessian_product(self, at: Evaluation, direction: Array) -> Array:
        data, matrix = self.data, self.layout.matrix(direction)
        change = self.for_rows(direction).dot(data.columns)
        data.loss.curvature_product(self.known_probabilities(at), change, _ALL_ROWS)
        product = change.dot(data.X).astype(np.float64, copy=False)
        product /= data.n_rows
        product += self.ridge * matrix
        return product.ravel()

    def largest_change(self, direction: Array) -> float:
        return largest_difference(self.layout.matrix(direction).dot(self.data.columns))

    def rows_at_once(self, at: Evaluation) -> tuple[Array, Array]:
        return self.data.weighted_columns, self.known_probabilities(at)

    def known_probabilities(self, at: Evaluation) -> Array:
        """Return the probabilities of all rows, which as a rule were computed with the value."""
        if at.probabilities is None:
            scores = self.for_rows(at.params).dot(self.data.columns)
            self.data.loss.probabilities(scores, _ALL_ROWS)
            at.probabilities = scores
        return at.probabilities


def copied(base: LinearCrossEntropy) -> SmallCrossEntropy:
    """Return the objective of a copy, in one block if a pass over it is short."""
    short = base.design.n_values * base.width <= _ONE_BLOCK_MULTIPLICATIONS
    return OneBlockCrossEntropy(base) if short else SmallCrossEntropy(base)


def in_float64(objective: LinearCrossEntropy) -> LinearCrossEntropy:
    """Return the objective as computed in float64; if X is small, that of a copy."""
    return copied(objective) if is_small(objective.design) else objective.astype(np.float64)


def is_small(design: Design) -> bool:
    """Return whether X is dense and small enough for a copy in float64."""
    return isinstance(design, DenseDesign) and 8 * design.n_values <= _COPIED_BYTES
