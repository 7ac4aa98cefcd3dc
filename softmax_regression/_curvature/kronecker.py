"""The Hessian as it were if all rows had the same probabilities: a Kronecker product, factored.

So they have where a fit begins. It is cheaper than the blocks of classes by a factor of n_classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from softmax_regression._curvature.base import Curvature
from softmax_regression._curvature.rank_updates import add_square, mirror
from softmax_regression._curvature.row_sums import sum_over_rows
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

_TINY = float(np.finfo(np.float64).tiny)
# Mean square of the correlations between columns, times the number of rows: 1 of independent ones.
_CHANCE_CORRELATION = 2.0
_FEW_ROWS = 0.5  # Of all: what a class has of them by weight, if its Gram matrix is its own.
_LEAST_EIGENVALUE = 1e-6  # Of P: a class that hardly occurs is not without curvature.


class KroneckerFactor(Curvature):
    """A Cholesky factor for all classes, of P ⊗ G + diag(ridge).

    With A_i = diag(p_i) − p_i p_iᵀ, P is the sum of A_i over the rows, divided by its trace, and G
    the mean of tr(A_i) z_i z_iᵀ, in which rows count that the model is undecided about. With the
    eigenvectors of P in the place of classes, it falls apart into blocks λ G + diag(ridge); where λ
    differ little, as with classes of about the same size, one factor does for all. Where each class
    has rows of its own, correlations of G that are no more than chance are not those of a class:
    then its diagonal is taken.
    """

    def __init__(
        self, objective: LinearCrossEntropy, at: Array | Evaluation, sample: Sample | None = None
    ):
        super().__init__(objective)
        gram, spread, counts = _moments_of_rows(objective, at, sample)
        values, vectors = np.linalg.eigh(spread)
        # The first is (1, …, 1), along which no probability changes.
        self._classes, values = vectors[:, 1:], np.maximum(values[1:], _LEAST_EIGENVALUE)
        n_rows = objective.data.n_rows if sample is None else len(sample.rows)
        self._levels: Levels
        if counts.of_class < _FEW_ROWS * n_rows and _are_uncorrelated(gram, counts.of_all):
            self._levels = _DiagonalLevels(values[:, None] * gram.diagonal() + objective.ridge)
        else:
            self._levels = _FactoredLevels(gram, values, objective.ridge)

    @property
    def n_unknowns(self) -> int:
        return self._classes.shape[1] * self.objective.n_columns

    def solve_upper(self, unknowns: Array) -> Array:
        rows = unknowns.reshape(-1, self.objective.n_columns)
        return self._classes.dot(self._levels.back(rows)).ravel()

    def solve_lower(self, gradient: Array) -> Array:
        return self._levels.forward(self._classes.T.dot(self.objective.matrix(gradient))).ravel()


class _DiagonalLevels:
    """λ_k diag(G) + diag(ridge), of which the roots are divided by.

    Parameters
    ----------
    diagonals : ndarray of shape (n_levels, n_columns)
        That of each λ_k.
    """

    def __init__(self, diagonals: Array):
        self._roots = np.sqrt(np.where(diagonals > 0, diagonals, 1.0))

    def forward(self, rows: Array) -> Array:
        """Return L_k⁻¹ v_k in each row k."""
        return rows / self._roots

    def back(self, rows: Array) -> Array:
        """Return L_k⁻ᵀ v_k in each row k."""
        return rows / self._roots


class _FactoredLevels:
    """λ_k G + diag(ridge), with one factor for those λ_k that differ by less than a factor of 2."""

    def __init__(self, gram: Array, values: Array, ridge: Array):
        largest = values[-1]  # Which most of them are, of classes of one size.
        levels = largest * np.exp2(np.rint(np.log2(values / largest)))
        # Each with the rows that it serves: next to each other, as the λ_k are in order.
        self._factors = []
        for level in np.unique(levels):
            served = np.flatnonzero(levels == level)
            factor = CholeskyFactor(level * gram + np.diag(ridge)).prepare()
            self._factors.append((factor, slice(served[0], served[-1] + 1)))

    def forward(self, rows: Array) -> Array:
        """Return L_k⁻¹ v_k in each row k."""
        return np.concatenate([factor.forward(rows[k].T).T for factor, k in self._factors])

    def back(self, rows: Array) -> Array:
        """Return L_k⁻ᵀ v_k in each row k."""
        return np.concatenate([factor.back(rows[k].T).T for factor, k in self._factors])


Levels = _DiagonalLevels | _FactoredLevels


def _are_uncorrelated(gram: Array, n_rows: float) -> bool:
    """Whether columns are correlated no more than independent ones are by chance."""
    roots = np.sqrt(np.maximum(gram.diagonal(), _TINY))
    correlations = gram / roots / roots[:, None]
    np.fill_diagonal(correlations, 0.0)
    mean_square = float(np.vdot(correlations, correlations)) / max(1, len(gram) * (len(gram) - 1))
    return mean_square * n_rows <= _CHANCE_CORRELATION


class _Counts(NamedTuple):
    """How many rows of equal weight would tell as much, of tr(A_i) and on average of p (1 − p)."""

    of_all: float
    of_class: float


def _moments_of_rows(
    objective: LinearCrossEntropy, at: Array | Evaluation, sample: Sample | None
) -> tuple[Array, Array, _Counts]:
    """Return G, P, and how many rows they come from."""
    n_columns, n_classes = objective.n_columns, objective.width
    shapes = [(n_columns, n_columns), (n_classes, n_classes), (2, n_classes + 1)]
    gram, spread, weights = sum_over_rows(objective, at, sample, _add_to_moments, shapes)
    mirror(gram)
    squares = np.maximum(weights[1], _TINY)
    of_class = np.square(weights[0, 1:]).sum() / squares[1:].sum()
    counts = _Counts(float(weights[0, 0] ** 2 / squares[0]), float(of_class))
    n_rows = objective.data.n_rows
    return gram / n_rows, spread / max(float(np.trace(spread)), _TINY), counts


def _add_to_moments(z: Array, p: Array, sums: tuple[Array, Array, Array]) -> None:
    gram, spread, weights = sums
    traces = np.maximum(1 - np.einsum("kn,kn->n", p, p), 0)
    add_square(gram, 1.0, z * np.sqrt(traces))
    spread += np.diag(p.sum(axis=1)) - p @ p.T
    rows = np.concatenate([traces[None], p * (1 - p)])
    weights[0] += rows.sum(axis=1)
    weights[1] += np.einsum("kn,kn->k", rows, rows)
