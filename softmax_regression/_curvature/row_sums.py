"""Sums over rows of functions of the features and probabilities of a row, as in Hessians."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from softmax_regression._data.dataset import Block
from softmax_regression._data.sums import Sample, join
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.coordinates import RowMap
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import probabilities_of

# A function that takes a chunk of rows z, their probabilities, and the sums to which it adds. It
# must be possible to pickle it.
Add = Callable[[Array, Array, Any], None]

# The rows of one rank-k update have about this many values, so that they fit the cache.
_UPDATE_VALUES = 1 << 19
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
    shapes : sequence of tuple of int
        The shapes of the sums.
    dtype : dtype
        The dtype of the sums.
    n_rows : int
        The number of rows in a chunk.
    """

    add: Add
    matrix: Array
    row_map: RowMap
    shapes: Sequence[tuple[int, ...]]
    dtype: Any
    n_rows: int


def sum_over_rows(
    objective: LinearCrossEntropy,
    at: Array | Evaluation,
    sample: Sample | None,
    add: Add,
    shapes: Sequence[tuple[int, ...]],
    dtype: Any = np.float64,
) -> tuple[Array, ...]:
    """Call ``add(z, p, sums)`` for chunks of all rows or of a sample, and return the sums.

    `z` has one column for each row of X, with the intercept's entry last, and is multiplied by the
    square root of the row's weight.
    """
    at = as_evaluation(at)
    at_once = objective.rows_at_once(at) if sample is None else None
    if at_once is not None:
        z, p = at_once
        sums = tuple([np.zeros(shape, dtype) for shape in shapes])
        add(z.astype(dtype, copy=False), p.astype(dtype, copy=False), sums)
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
    shapes: Sequence[tuple[int, ...]],
    dtype: Any,
) -> HessianRequest:
    """Return the request for `hessian_sums` at some parameters."""
    largest = max(shapes, key=prod)
    n_rows = max(_MIN_UPDATE_ROWS, _UPDATE_VALUES // prod(largest[:-1]))
    matrix = objective.for_rows(params)
    return HessianRequest(add, matrix, objective.row_map, shapes, dtype, n_rows)


def hessian_sums(block: Block, request: HessianRequest) -> tuple[Array, ...]:
    """Return the sums that `request.add` makes over the rows of a block."""
    dtype, weight = request.dtype, block.loss.weight
    sums = tuple([np.zeros(shape, dtype) for shape in request.shapes])
    memory = np.empty(request.row_map.n_columns * min(request.n_rows, block.design.n_rows))
    for rows in block.regrouped(request.n_rows):
        X = block.design[rows]
        p = probabilities_of(block, rows, X, request.matrix)
        z = request.row_map(X, memory)
        if weight is not None:
            z = z * np.sqrt(weight[rows])
        request.add(z.astype(request.dtype, copy=False), p.astype(request.dtype, copy=False), sums)
    return sums


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
