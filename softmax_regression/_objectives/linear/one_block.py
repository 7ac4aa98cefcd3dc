"""The linear cross-entropy of an X so small that the calls cost more than the arithmetic.

X becomes a copy in the coordinates of the parameters, in float64, with the intercept's column. If a
pass over it is short, all rows are one block, there are no threads to share it out to, and what an
evaluation found out is remembered, for the Hessian at the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._data.sums import Sample
from softmax_regression._objectives.linear.cross_entropy import (
    Add,
    LinearCrossEntropy,
    largest_difference,
)

Array = NDArray[Any]

_ALL = slice(None)
_SHORT = 1_000_000  # multiplications
_STEPS = 3  # that are tried before a sharper bound: where rounding rules, more bring nothing
_SMALL = 4 << 20  # bytes: a copy of X of that size is quicker to work with, and no matter


class SmallCrossEntropy(LinearCrossEntropy):
    """The same function of the same parameters as another, which has coordinates.

    Parameters
    ----------
    base : LinearCrossEntropy
        The other.
    """

    def __init__(self, base: LinearCrossEntropy):
        vars(self).update(vars(base))
        self._known: tuple[bytes, Array] | None = None  # where, and the probabilities there
        self._probabilities = self._dual = self.coordinates = None
        if base.coordinates is not None:
            self._moments = base.coordinates.moments(base.moments())
        columns = base.columns(base.design)
        self.design = DenseDesign(columns.T)
        self._columns, self._rows = columns, columns.T
        weight = self.loss.weight
        self._weighted = columns if weight is None else columns * np.sqrt(weight)

    def for_products(self) -> LinearCrossEntropy:
        """Return the objective by which to multiply with the Hessian: in half the precision.

        Of standardised columns that is as near as can matter, where there is a bound that says
        when the minimum is reached.
        """
        if not self.has_dual:
            return self
        other = self._copy()
        other.design = DenseDesign(self._rows.astype(np.float32))
        return other


class OneBlockCrossEntropy(SmallCrossEntropy):
    """One that is worked on in one go."""

    def __init__(self, base: LinearCrossEntropy):
        super().__init__(base)
        self.loss = base.loss.with_one_hot_targets()
        self._asked = 0  # how often, for the gap

    def for_products(self) -> LinearCrossEntropy:
        """Return itself: so few numbers are multiplied as fast as they come."""
        return self

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        matrix = self.matrix(params)
        scores = matrix.dot(self._columns)  # for so few numbers quicker than matmul
        p = np.empty_like(scores)
        total = self.loss.value_and_residual(scores, _ALL, keep=p)
        self._known = params.tobytes(), p
        gradient = scores.dot(self._rows)
        gradient /= self.loss.n_rows
        penalty = self.ridge * matrix
        gradient += penalty
        value = total / self.loss.n_rows + 0.5 * float(np.vdot(penalty, matrix))
        return value, gradient.ravel()

    def optimality_gap(
        self, params: Array, value: float, gradient: Array, enough: float = np.inf
    ) -> float:
        if self.has_dual and enough < np.inf and self._asked < _STEPS:
            # Another step takes less time than a sharper bound.
            self._asked += 1
            return self.dual.free(params, value, gradient)
        return super().optimality_gap(params, value, gradient, enough)

    def with_l2(self, l2: float) -> Self:
        other = super().with_l2(l2)
        other._asked = 0
        return other

    def target_mean(self) -> Array:
        targets = self.loss.target_rows(_ALL).dot(self._rows)
        targets /= self.loss.n_rows
        return self.unpack(targets.ravel())[0]

    def hessian_product(self, params: Array, direction: Array) -> Array:
        matrix = self.matrix(direction)
        change = matrix.dot(self._columns)
        self.loss.curvature_product(self._at(params), change, _ALL)
        product = change.dot(self._rows)
        product /= self.loss.n_rows
        product += self.ridge * matrix
        return product.ravel()

    def sum_over_rows(
        self,
        params: Array,
        sample: Sample | None,
        add: Add,
        shapes: Sequence[tuple[int, ...]],
        dtype: Any = np.float64,
    ) -> tuple[Array, ...]:
        z = self._weighted if dtype == np.float64 else self._rounded
        p = self._at(params)
        if sample is not None:
            z = z.take(sample.rows, axis=1) * np.sqrt(sample.factor).astype(dtype)
            p = p.take(sample.rows, axis=1)
        sums = tuple(np.zeros(shape, dtype=dtype) for shape in shapes)
        add(z, p.astype(dtype, copy=False), sums)
        return sums

    @cached_property
    def _rounded(self) -> Array:
        return self._weighted.astype(np.float32)

    def largest_change(self, direction: Array) -> float:
        return largest_difference(self.matrix(direction).dot(self._columns))

    def map_probabilities(self, params: Array, use: Any) -> list[Any]:
        return [use(self.design, self._at(params).copy(), _ALL)]

    def _at(self, params: Array) -> Array:
        """Probabilities at some parameters: as a rule, those evaluated last."""
        if self._known is None or self._known[0] != params.tobytes():
            scores = self.matrix(params).dot(self._columns)
            self.loss.probabilities(scores)
            self._known = params.tobytes(), scores
        return self._known[1]


def copied(base: LinearCrossEntropy) -> SmallCrossEntropy:
    """Return the one or the other, by what a pass costs."""
    short = base.design.n_values * base.width <= _SHORT
    return OneBlockCrossEntropy(base) if short else SmallCrossEntropy(base)


def in_float64(objective: LinearCrossEntropy) -> LinearCrossEntropy:
    """Return it with values and gradients in float64, whatever X is; of a small X, a copy."""
    return copied(objective) if is_small(objective.design) else objective.astype(np.float64)


def is_small(design: Design) -> bool:
    """Whether a copy in float64 is quicker to work with, and no matter."""
    return isinstance(design, DenseDesign) and 8 * design.n_values <= _SMALL
