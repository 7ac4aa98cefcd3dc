"""Sums over rows of functions of the features and probabilities of a row, as in Hessians."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from softmax_regression._data.dataset import Block
from softmax_regression._data.design import Design
from softmax_regression._data.sums import Sample, join
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.coordinates import RowMap
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import probabilities_of

# A function that takes a chunk of rows z, their probabilities, and the sums to which it adds. It
# must be possible to pickle it.
Add = Callable[[Array, Array, Any], None]
Shapes = tuple[tuple[int, ...], ...]  # The shapes of the sums.

# The rows of one rank-k update have about this many values, so that they fit the cache.
_UPDATE_VALUES = 1 << 18
_MIN_UPDATE_ROWS = 64  # Updates of fewer rows would spend their time on function calls.
# An update makes this many multiplications in the time that a product with X needs for one.
_UPDATE_PER_PRODUCT = 4


class HessianRequest(NamedTuple):
    """The arguments of `hessian_sums`, which is called for each block of rows.

    Parameters
    ----------
    add : callable
        The function that adds the contribution of a chunk of rows to the sums.
    matrix : ndarray
        (W, b) in the coordinates of X.
    row_map : RowMap
        The map from rows of X to the coordinates of the parameters.
    shapes : tuple of tuple of int
        The shapes of the sums.
    dtype : dtype
        The dtype of the sums.
    n_rows : int
        The number of rows in a chunk.
    """

    add: Add
    matrix: Array
    row_map: RowMap
    shapes: Shapes
    dtype: Any
    n_rows: int


def sum_over_rows(
    objective: LinearCrossEntropy,
    at: Array | Evaluation,
    sample: Sample | None,
    add: Add,
    shapes: Shapes,
    dtype: Any = np.float64,
) -> tuple[Array, ...]:
    """Call ``add(z, p, sums)`` for chunks of all rows or of a sample, and return the sums.

    `z` has one column for each row of X, with the intercept's entry last, and is multiplied by the
    square root of the row's weight.
    """
    at = as_evaluation(at)
    at_once = objective.rows_at_once(at) if sample is None else None
    if at_once is not None:
        z, p = at_once[0].astype(dtype, copy=False), at_once[1].astype(dtype, copy=False)
        sums = tuple([np.zeros(shape, dtype) for shape in shapes])
        add(z, p, sums)
        return sums
    data, kept = objective.data, objective.known_probabilities(at)
    if sample is not None:
        data, kept = sample.data or data.take(sample), None
    request = request_of(objective, at.params, add, shapes, dtype)
    # Each thread needs sums of its own, which pays only where updates take long.
    updates = max(map(prod, shapes)) // _UPDATE_PER_PRODUCT
    width = max(1, updates // max(1, data.n_columns))
    return data.map_reduce(hessian_sums, request, width=width, kept=kept)


def request_of(
    objective: LinearCrossEntropy,
    params: Array,
    add: Add,
    shapes: Shapes,
    dtype: Any,
) -> HessianRequest:
    """Return the request for `hessian_sums` at some parameters."""
    n_rows, matrix = _rows_at_a_time(shapes), objective.for_rows(params)
    return HessianRequest(add, matrix, objective.row_map, shapes, dtype, n_rows)


@lru_cache(maxsize=8)
def _rows_at_a_time(shapes: Shapes) -> int:
    """Return the number of rows whose products, as large sums need them, fit the cache."""
    largest = max(shapes, key=prod)
    return max(_MIN_UPDATE_ROWS, _UPDATE_VALUES // prod(largest[:-1]))


def hessian_sums(block: Block, request: HessianRequest) -> tuple[Array, ...]:
    """Return the sums that `request.add` makes over the rows of a block."""
    sums = ChunkSums(block, request)
    for rows in block.regrouped(request.n_rows):
        X = block.design[rows]
        sums.add(X, rows, probabilities_of(block, rows, X, request.matrix))
    return sums.totals


class ChunkSums:
    """Sums over the rows of a block, to which chunks of rows are added.

    Parameters
    ----------
    block : Block
        The rows.
    request : HessianRequest
        The sums; at most `request.n_rows` rows can be added at a time.

    Attributes
    ----------
    totals : tuple of ndarray
        The sums.
    """

    def __init__(self, block: Block, request: HessianRequest):
        self.totals = tuple([np.zeros(shape, request.dtype) for shape in request.shapes])
        self._request, self._weight = request, block.loss.weight
        n_rows = min(request.n_rows, block.design.n_rows)
        self._memory = np.empty(request.row_map.n_columns * n_rows)

    def add(self, X: Design, rows: slice, p: Array) -> None:
        """Add some rows, given by X and their positions, with their probabilities."""
        dtype = self._request.dtype
        z = self._request.row_map(X, self._memory)
        if self._weight is not None:
            z = z * np.sqrt(self._weight[rows])
        self._request.add(z.astype(dtype, copy=False), p.astype(dtype, copy=False), self.totals)


def weighted_rows(objective: LinearCrossEntropy, at: Array | Evaluation) -> tuple[Array, Array]:
    """Return √(s/S) z and the probabilities of all rows.

    Their shapes are (n_columns, n_rows) and (n_classes, n_rows).
    """
    at = as_evaluation(at)
    z, p = objective.data.map_reduce(
        _write_rows,
        _Place(objective.for_rows(at.params), objective.row_map),
        width=objective.width,
        kept=objective.known_probabilities(at),
        reduce=join,
    )
    z *= 1 / np.sqrt(objective.data.n_rows)
    return z, p


class _Place(NamedTuple):
    """The matrix (W, b) in the coordinates of X, and the map from rows of X to the parameters'."""

    matrix: Array
    row_map: RowMap


def _write_rows(block: Block, at: _Place) -> tuple[Array, Array]:
    """Return √s z and the probabilities of the rows of a block, with one column for each row."""
    n_rows = block.rows.stop - block.rows.start
    z, probabilities = np.empty((at.row_map.n_columns, n_rows)), np.empty((len(at.matrix), n_rows))
    for rows in block.pieces:
        X = block.design[rows]
        there = slice(rows.start - block.rows.start, rows.stop - block.rows.start)
        z[:, there] = at.row_map(X)
        probabilities[:, there] = probabilities_of(block, rows, X, at.matrix)
    if block.loss.weight is not None:
        z *= np.sqrt(block.loss.weight[block.rows])
    return z, probabilities
