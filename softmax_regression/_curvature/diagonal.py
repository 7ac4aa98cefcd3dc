"""The diagonal of the Hessian, for X with so many columns that no other factor fits memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from softmax_regression._curvature.base import Curvature
from softmax_regression._data.dataset import Block
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import probabilities_of


class Diagonal(Curvature):
    """The diagonal of the Hessian, as the cheapest approximation of the whole."""

    def __init__(self, objective: LinearCrossEntropy, at: Array | Evaluation):
        super().__init__(objective)
        diagonal = diagonal_of(objective, at)
        diagonal[~(diagonal > 0)] = 1.0
        self._root = np.sqrt(diagonal)

    @property
    def n_unknowns(self) -> int:
        return self.objective.n_params

    def solve_upper(self, unknowns: Array) -> Array:
        return self.objective.centred(unknowns / self._root)

    def solve_lower(self, gradient: Array) -> Array:
        return self.objective.centred(gradient) / self._root


def diagonal_of(objective: LinearCrossEntropy, at: Array | Evaluation) -> Array:
    """Return the diagonal of the Hessian, in the order of the flat vector."""
    coordinates, n_features = objective.coordinates, objective.data.n_columns
    scales = np.ones(n_features) if coordinates is None else coordinates.scales
    at = as_evaluation(at)
    request = _Request(objective.for_rows(at.params), scales)
    squares, totals, weight = objective.data.map_reduce(
        _diagonal_sums, request, width=objective.width, kept=objective.known_probabilities(at)
    )
    if coordinates is not None:
        means = coordinates.means / scales
        squares += means * (means * weight[:, None] - 2 * totals / scales)
    intercept = weight[:, None] * objective.row_map.intercept_entry**2
    missing = objective.n_columns - squares.shape[1]  # This is 1 with an intercept, else 0.
    diagonal = np.concatenate([squares, intercept[:, :missing]], axis=1)
    diagonal /= objective.data.n_rows
    diagonal += objective.ridge
    return diagonal.ravel()


class _Request(NamedTuple):
    """The matrix (W, b) in the coordinates of X, and the divisors of the columns of X."""

    matrix: Array
    scales: Array


def _diagonal_sums(block: Block, at: _Request) -> tuple[Array, Array, Array]:
    """Return the sums of w (x/t)², w x and w for each output, where w = s p (1 − p)."""
    n_outputs, n_features = len(at.matrix), block.design.n_columns
    squares, totals = np.zeros((2, n_outputs, n_features))
    weight = np.zeros(n_outputs)
    for rows in block.pieces:
        X = block.design[rows]
        p = probabilities_of(block, rows, X, at.matrix)
        weights = p * (1 - p)
        block.loss.weigh(weights, rows)
        weights = weights.astype(np.float64, copy=False)
        squares += X.weighted_squares(weights, at.scales)
        totals += X.weighted_sum(weights)
        weight += weights.sum(axis=1)
    return squares, totals, weight
