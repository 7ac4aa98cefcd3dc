"""A Kronecker product that equals the Hessian if all rows have the same probabilities.

At the start of a fit all rows have the same probabilities. The Kronecker product takes fewer
operations than the blocks of single classes by a factor of n_classes.
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
# The mean square of the correlations between independent columns, times the number of rows, is
# about 1. Columns are regarded as uncorrelated up to this value.
_MAX_CHANCE_CORRELATION = 2.0
# If the effective number of rows of a class is a smaller share of all rows, classes are taken to
# have Gram matrices that differ from each other.
_MIN_ROWS_SHARE = 0.5
# Eigenvalues of P are raised to this, so that classes that hardly occur have some curvature.
_MIN_CLASS_EIGENVALUE = 1e-6


class KroneckerFactor(Curvature):
    """The Cholesky factor of P ⊗ G + diag(ridge), with one matrix G for all classes.

    With A_i = diag(p_i) − p_i p_iᵀ, P is the sum of A_i over the rows divided by its trace, and G
    is the mean of tr(A_i) z_i z_iᵀ, which weighs those rows most whose class is least certain.

    In the basis of the eigenvectors of P, the matrix is block diagonal with one block
    λ G + diag(ridge) for each eigenvalue λ. Eigenvalues that differ little, as with classes of
    similar size, share one factor. Where each class dominates in rows of its own and the
    correlations in G are no larger than chance, only the diagonal of G is used, because these
    correlations say nothing about those within a class.
    """

    def __init__(
        self, objective: LinearCrossEntropy, at: Array | Evaluation, sample: Sample | None = None
    ):
        super().__init__(objective)
        gram, spread, counts = _moments_of_rows(objective, at, sample)
        values, vectors = np.linalg.eigh(spread)
        # The first eigenvector is (1, …, 1), along which no probability changes.
        self._classes, values = vectors[:, 1:], np.maximum(values[1:], _MIN_CLASS_EIGENVALUE)
        n_rows = objective.data.n_rows if sample is None else len(sample.rows)
        self._levels: Levels
        if counts.of_class < _MIN_ROWS_SHARE * n_rows and _are_uncorrelated(gram, counts.of_all):
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
    """The diagonal matrices λ_k diag(G) + diag(ridge), one for each eigenvalue λ_k.

    Parameters
    ----------
    diagonals : ndarray of shape (n_levels, n_columns)
        The diagonals of these matrices.
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
    """Factors of λ_k G + diag(ridge), each shared by λ_k that differ by less than a factor of 2."""

    def __init__(self, gram: Array, values: Array, ridge: Array):
        largest = values[-1]  # With classes of similar size, most eigenvalues are close to this.
        levels = largest * np.exp2(np.rint(np.log2(values / largest)))
        # The λ_k are sorted, so that those which share a factor are a slice.
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
    """Return whether columns are correlated no more than independent ones are by chance."""
    roots = np.sqrt(np.maximum(gram.diagonal(), _TINY))
    correlations = gram / roots / roots[:, None]
    np.fill_diagonal(correlations, 0.0)
    mean_square = float(np.vdot(correlations, correlations)) / max(1, len(gram) * (len(gram) - 1))
    return mean_square * n_rows <= _MAX_CHANCE_CORRELATION


class _Counts(NamedTuple):
    """Effective numbers of rows, (Σ w)² / Σ w².

    Parameters
    ----------
    of_all : float
        The effective number for the weights tr(A_i).
    of_class : float
        The effective number for the weights p (1 − p) of a class, averaged over classes.
    """

    of_all: float
    of_class: float


def _moments_of_rows(
    objective: LinearCrossEntropy, at: Array | Evaluation, sample: Sample | None
) -> tuple[Array, Array, _Counts]:
    """Return G, P, and the effective numbers of rows that they are made from."""
    n_columns, n_classes = objective.n_columns, objective.width
    shapes = ((n_columns, n_columns), (n_classes, n_classes), (2, n_classes + 1))
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
