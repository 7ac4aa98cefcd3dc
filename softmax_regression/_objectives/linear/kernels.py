r"""The kernels of the linear cross-entropy: sums over a block of rows.

Each is a kernel for `map_reduce` (see `_data/dataset.py`). Parameters are passed as the matrix
(W, b) in the coordinates of X, a row for each output; the last column belongs to the intercept,
unless X has a column of ones itself. Sums have the same shape and are in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from softmax_regression._data.dataset import Block
from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array, Rows
from softmax_regression._losses.pointwise import PointwiseLoss
from softmax_regression._objectives.linear.coordinates import RowMap

_ROWS_PER_COLUMN = 4  # Rows, for each column, of a piece whose QR decomposition is computed.


class Direction(NamedTuple):
    """A direction from some parameters, both as matrices."""

    params: Array
    direction: Array


# -- one piece of rows -----------------------------------------------------------------------------


def scores_of(X: Design, matrix: Array, scratch: Array | None = None) -> Array:
    """Return the scores of some rows, (n_outputs, n_rows), in `scratch` if that is given."""
    if scratch is not None:
        scratch = scratch[: len(matrix) * X.n_rows].reshape(len(matrix), X.n_rows)
    if X.n_columns == matrix.shape[1]:
        return X.scores(matrix, out=scratch)
    scores = X.scores(matrix[:, :-1], out=scratch)
    scores += matrix[:, -1:]
    return scores


def write_products(X: Design, residuals: Array, out: Array) -> None:
    """Write residuals times (X, 1) to a matrix of the shape of the parameters."""
    if X.n_columns == out.shape[1]:
        X.weighted_sum(residuals, out=out)
    else:
        X.weighted_sum(residuals, out=out[:, :-1])
        residuals.sum(axis=1, out=out[:, -1])


def write_gradient(
    X: Design,
    loss: PointwiseLoss,
    rows: Rows,
    matrix: Array,
    out: Array,
    scratch: Array | None = None,
    keep: Array | None = None,
) -> float:
    """Return Σ s_i CE_i over some rows, given by X and their positions, and write its gradient.

    The probabilities of the rows are written to `keep` if it is given.
    """
    scores = scores_of(X, matrix, scratch)
    total = loss.value_and_residual(scores, rows, keep)
    write_products(X, scores, out)
    return total


def probabilities_of(
    block: Block, rows: slice, X: Design, matrix: Array, scratch: Array | None = None
) -> Array:
    """Return the probabilities of some rows of a block, from those kept if there are any."""
    if block.kept is not None:
        return block.kept[:, rows]
    scores = scores_of(X, matrix, scratch)
    block.loss.probabilities(scores, rows)
    return scores


# -- value and derivatives -------------------------------------------------------------------------


def gradient_sums(block: Block, matrix: Array) -> tuple[float, Array]:
    """Return Σ s_i CE_i and its gradient."""
    total, gradient = 0.0, np.zeros(matrix.shape)
    part = np.empty(matrix.shape, dtype=matrix.dtype)
    scratch = block.scratch(len(matrix), matrix.dtype)
    for rows in block.pieces:
        total += write_gradient(block.design[rows], block.loss, rows, matrix, part, scratch)
        gradient += part
    return total, gradient


def hessian_product_sums(block: Block, at: Direction) -> tuple[Array]:
    """Return the product of the Hessian of Σ s_i CE_i with a direction."""
    shape, dtype = at.direction.shape, at.direction.dtype
    product, part = np.zeros(shape), np.empty(shape, dtype=dtype)
    scratch, other = block.scratch(len(at.direction), dtype), block.scratch(len(at.params), dtype)
    for rows in block.pieces:
        X = block.design[rows]
        p = probabilities_of(block, rows, X, at.params, other)
        change = scores_of(X, at.direction, scratch)
        block.loss.curvature_product(p, change, rows)
        write_products(X, change, part)
        product += part
    return (product,)


def write_probabilities(block: Block, matrix: Array) -> tuple[()]:
    """Write the probabilities of all rows to the array that the block keeps."""
    assert block.kept is not None
    for rows in block.pieces:
        scores = scores_of(block.design[rows], matrix)
        block.loss.probabilities(scores, rows)
        block.kept[:, rows] = scores
    return ()


# -- sums for certificates -------------------------------------------------------------------------


def largest_change(block: Block, direction: Array) -> float:
    """Return the largest change by a direction of a difference of two scores of a row."""
    scratch = block.scratch(len(direction), direction.dtype)
    changes = (scores_of(block.design[rows], direction, scratch) for rows in block.pieces)
    return max((largest_difference(scores) for scores in changes), default=0.0)


def largest_difference(scores: Array) -> float:
    """Return the largest difference of two scores of a row; a single score is relative to 0."""
    if len(scores) == 1:
        return float(np.abs(scores).max(initial=0.0))
    return float((np.maximum.reduce(scores) - np.minimum.reduce(scores)).max(initial=0.0))


def are_separated(block: Block, matrix: Array) -> bool:
    """Return whether the score of each row of positive weight is highest for its own class."""
    scratch = block.scratch(len(matrix), matrix.dtype)
    return all(
        block.loss.are_right(scores_of(block.design[rows], matrix, scratch), rows)
        for rows in block.pieces
    )


def newton_dual_sums(block: Block, at: Direction) -> tuple[float, Array]:
    """Return the divergence of the distributions after a Newton step, and their moments."""
    shape, dtype = at.params.shape, at.params.dtype
    total, moments = 0.0, np.zeros(shape)
    part = np.empty(shape, dtype=dtype)
    scratch, other = block.scratch(len(at.params), dtype), block.scratch(len(at.params), dtype)
    for rows in block.pieces:
        X = block.design[rows]
        scores, change = scores_of(X, at.params, other), scores_of(X, at.direction, scratch)
        total += block.loss.newton_divergence(scores, change, rows)
        write_products(X, change, part)
        moments += part
    return total, moments


def triangular_factor(block: Block, row_map: RowMap) -> Array:
    """Return R of the QR decomposition of √s z, with z the rows in the coordinates of parameters.

    Its singular values are precise, whereas those of sums of squares lose half of the digits.
    """
    n_columns = row_map.n_columns
    factors = []
    for rows in block.regrouped(_ROWS_PER_COLUMN * n_columns):
        root = np.sqrt(block.loss.row_weights(rows))
        factors.append((row_map(block.design[rows]) * root).T)
        factors = [stacked_factor(factors)]
    return factors[0] if factors else np.zeros((0, n_columns))


def stacked_factor(parts: Sequence[Array]) -> Array:
    """Return R of the QR decomposition of some matrices, one above the other."""
    factor: Array = np.linalg.qr(np.vstack(parts)).R
    return factor


# -- the Hessian in the intercept ------------------------------------------------------------------


def share_sums(block: Block, matrix: Array) -> tuple[Array, Array]:
    """Return Σ s_i p_i and Σ s_i (diag(p_i) − p_i p_iᵀ)."""
    n_outputs = len(matrix)
    totals, spread = np.zeros(n_outputs), np.zeros((n_outputs, n_outputs))
    for rows in block.pieces:
        p = probabilities_of(block, rows, block.design[rows], matrix)
        weighted = p
        if block.loss.weight is not None:
            weighted = p.copy()
            block.loss.weigh(weighted, rows)
        totals += weighted.sum(axis=1, dtype=np.float64)
        if n_outputs == 1:
            spread += weighted @ (1 - p).T  # This avoids a difference of nearly equal sums.
            continue
        products = weighted @ p.T
        # The rows of diag(p) − p pᵀ sum to 0, which gives the diagonal of a rare class precisely.
        np.fill_diagonal(products, 0.0)
        spread += np.diag(products.sum(axis=1)) - products
    return totals, spread


def share_and_square_sums(block: Block, matrix: Array) -> tuple[Array, Array]:
    """Return Σ s_i p_i and Σ s_i p_i², and write the probabilities to the array that is kept."""
    assert block.kept is not None
    totals, squares = np.zeros(len(matrix)), np.zeros(len(matrix))
    for rows in block.pieces:
        p = scores_of(block.design[rows], matrix)
        block.loss.probabilities(p, rows)
        block.kept[:, rows] = p
        square = np.square(p)
        block.loss.weigh(square, rows)
        block.loss.weigh(p, rows)
        totals += p.sum(axis=1, dtype=np.float64)
        squares += square.sum(axis=1, dtype=np.float64)
    return totals, squares


def spread_product_sums(block: Block, direction: Array) -> tuple[Array]:
    """Return Σ s_i p_i (p_i · direction) for the probabilities that are kept."""
    assert block.kept is not None
    total = np.zeros(len(direction))
    for rows in block.pieces:
        p = block.kept[:, rows]
        means = direction @ p
        block.loss.weigh(means, rows)
        total += p @ means
    return (total,)
