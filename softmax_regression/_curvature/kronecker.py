"""The Hessian as it were if all rows had the same probabilities: a Kronecker product, factored.

So they have where a fit begins. It is cheaper than the blocks of classes by a factor of n_classes.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._curvature.base import Curvature
from softmax_regression._curvature.rank_updates import add_square, mirror
from softmax_regression._curvature.row_sums import sum_over_rows
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

_LEAST_EIGENVALUE = 1e-6  # Of P: a class that hardly occurs is not without curvature.


class KroneckerFactor(Curvature):
    """A Cholesky factor for all classes, of P ⊗ G + diag(ridge).

    G is the weighted mean of z zᵀ over the rows, P that of diag(p) − p pᵀ. With the eigenvectors of
    P in the place of classes, it falls apart into blocks λ G + diag(ridge); where λ differ little,
    as with classes of about the same size, one factor does for all.
    """

    def __init__(
        self, objective: LinearCrossEntropy, at: Array | Evaluation, sample: Sample | None = None
    ):
        super().__init__(objective)
        gram, spread = _moments_of_rows(objective, at, sample)
        values, vectors = np.linalg.eigh(spread)
        # The first is (1, …, 1), along which no probability changes.
        self._classes = vectors[:, 1:]
        levels = np.exp2(np.rint(np.log2(np.maximum(values[1:], _LEAST_EIGENVALUE))))
        # Each with the eigenvectors that it serves.
        self._factors = [
            (
                CholeskyFactor(level * gram + np.diag(objective.ridge)),
                np.flatnonzero(levels == level),
            )
            for level in np.unique(levels)
        ]

    @property
    def n_unknowns(self) -> int:
        return self._classes.shape[1] * self.objective.n_columns

    def solve_upper(self, unknowns: Array) -> Array:
        columns = unknowns.reshape(-1, self.objective.n_columns).T
        solved = np.empty_like(columns)
        for factor, served in self._factors:
            solved[:, served] = factor.back(columns[:, served])
        return (self._classes @ solved.T).ravel()

    def solve_lower(self, gradient: Array) -> Array:
        columns = (self._classes.T @ self.objective.matrix(gradient)).T
        solved = np.empty_like(columns)
        for factor, served in self._factors:
            solved[:, served] = factor.forward(columns[:, served])
        return solved.T.ravel()


def _moments_of_rows(
    objective: LinearCrossEntropy, at: Array | Evaluation, sample: Sample | None
) -> tuple[Array, Array]:
    """Return the weighted means of z zᵀ and, rows counting alike, of diag(p) − p pᵀ."""
    shapes = [(objective.n_columns, objective.n_columns), (objective.width, objective.width)]
    gram, spread = sum_over_rows(objective, at, sample, _add_to_moments, shapes)
    mirror(gram)
    n_rows = objective.data.n_rows
    return gram / n_rows, spread / (n_rows if sample is None else len(sample.rows))


def _add_to_moments(z: Array, p: Array, sums: tuple[Array, Array]) -> None:
    gram, spread = sums
    add_square(gram, 1.0, z)
    spread += np.diag(p.sum(axis=1)) - p @ p.T
