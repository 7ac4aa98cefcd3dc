"""The diagonal of the Hessian, for X with more columns than a factor has room for."""

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
    """The diagonal of H."""

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
    """The diagonal of H, in the order of the flat vector."""
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
    missing = objective.n_columns - squares.shape[1]  # of the columns: that of the intercept
    diagonal = np.concatenate([squares, intercept[:, :missing]], axis=1)
    diagonal /= objective.data.n_rows
    diagonal += objective.ridge
    return diagonal.ravel()


class _Request(NamedTuple):
    """Where, as (W, b) in the coordinates of X, and by what its columns are divided."""

    matrix: Array
    scales: Array


def _diagonal_sums(block: Block, at: _Request) -> tuple[Array, Array, Array]:
    """Return the sums of w (x/t)², of w x and of w, where w = s p (1 − p), for each output."""
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
