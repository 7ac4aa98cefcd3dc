r"""Cholesky factors of matrices that are positive definite but for rounding.

A symmetric matrix M is first scaled to a diagonal of 1, ``D⁻½ M D⁻½``, and a little is added to
that diagonal, the *jitter*: what rounding may have taken from a matrix that is positive
semidefinite. Where the factorization still fails, a hundred times as much is added, until it
succeeds (Nocedal and Wright, *Numerical Optimization*, section 3.4).

`CholeskyFactor` is the factor of one matrix. `SeparateFactors` and `StackedFactors` hold those of
several matrices of the same order: the former factors each by itself, in several threads; the
latter all in one call, which is quicker where the matrices are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs, dtrtri, dtrtrs

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_threads, share_out, usable_threads

RELATIVE_JITTER = 1e-14  # Added to a diagonal of 1, times the order of the matrix.
INVERTED_ORDER = 128  # Of a factor: up to it, calls that solve take longer than products.
JITTER_GROWTH = 100  # The factor by which the jitter grows after a factorization that failed.


class CholeskyFactor:
    """The Cholesky factor L of a symmetric matrix, which is overwritten.

    Parameters
    ----------
    matrix : ndarray of shape (order, order)
        The matrix, in C order.
    jitter : float, default=1e-14
        What is added to the scaled diagonal at first, times the order.

    Attributes
    ----------
    sound : bool
        Whether the first jitter was enough.
    least_pivot : float
        The smallest square on the diagonal of the scaled factor: 1 if no column depends on the
        others, 0 if one is a combination of them.
    """

    def __init__(self, matrix: Array, jitter: float = RELATIVE_JITTER):
        diagonal = matrix.diagonal()
        self._vanishes = not (diagonal > 0).all()
        self._root = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        matrix /= self._root
        matrix /= self._root[:, None]
        self.sound = True
        added = jitter * len(matrix)
        while True:
            matrix.flat[:: len(matrix) + 1] = 1.0 + added
            # The factor overwrites one triangle. The other one keeps the matrix for another try.
            self._lower, info = cholesky(matrix.T, overwrite=True)
            if info == 0:
                break
            triangle = np.tril(matrix, -1)
            np.add(triangle, triangle.T, out=matrix)
            added *= JITTER_GROWTH
            self.sound = False
        self.least_pivot = float(self._lower.diagonal().min()) ** 2
        self._inverse_root: Array | None = None

    def prepare(self) -> Self:
        """Make ready to go forward and back many times: of a small L by its inverse."""
        if len(self._lower) <= INVERTED_ORDER:
            self._inverse_root = self.inverse_root()
        return self

    @property
    def log_determinant(self) -> float:
        """The logarithm of the determinant of M; −inf where its diagonal vanishes."""
        if self._vanishes:
            return -np.inf
        return 2 * float(np.log(self._root).sum() + np.log(self._lower.diagonal()).sum())

    def solve(self, vector: Array) -> Array:
        """Return L⁻ᵀ L⁻¹ v."""
        return dpotrs(self._lower, vector / self._root, lower=True)[0] / self._root

    def inverse(self) -> Array:
        """Return L⁻ᵀ L⁻¹."""
        with blas_threads(len(self._lower) ** 3 / 3):
            inverse = dpotri(self._lower, lower=True)[0]  # Its upper triangle has no meaning.
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        inverse /= self._root
        inverse /= self._root[:, None]
        return inverse

    def inverse_root(self) -> Array:
        """Return L⁻¹."""
        inverse, _ = dtrtri(self._lower, lower=True)
        return np.tril(inverse) / self._root

    def forward(self, vector: Array) -> Array:
        """Return L⁻¹ v, or that of each column."""
        if self._inverse_root is not None:
            return self._inverse_root.dot(vector)
        return self._triangular((vector.T / self._root).T, trans=0)

    def back(self, vector: Array) -> Array:
        """Return L⁻ᵀ v, or that of each column."""
        if self._inverse_root is not None:
            return self._inverse_root.T.dot(vector)
        return (self._triangular(vector, trans=1).T / self._root).T

    def _triangular(self, vector: Array, trans: int) -> Array:
        return dtrtrs(self._lower, vector, lower=True, trans=trans)[0]


class SeparateFactors:
    """The Cholesky factors L_k of symmetric matrices, which are overwritten.

    Parameters
    ----------
    matrices : ndarray of shape (n_matrices, order, order)
        Positive definite but for rounding.
    jitter : float
        As of `CholeskyFactor`.

    Attributes
    ----------
    least_pivot : float
        The smallest of all matrices.
    """

    def __init__(self, matrices: Array, jitter: float):
        def work(matrices: Sequence[Array]) -> list[CholeskyFactor]:
            return [CholeskyFactor(matrix, jitter) for matrix in matrices]

        order = matrices.shape[1]
        n_threads = usable_threads(len(matrices) * order**3 / 6)
        runs = share_out(work, list(matrices), n_threads)
        self._factors = [factor for run in runs for factor in run]
        self.least_pivot = min(factor.least_pivot for factor in self._factors)
        self._inverses: Array | None = None
        if order <= INVERTED_ORDER:
            self._inverses = np.stack([factor.inverse_root() for factor in self._factors])

    def forward(self, rows: Array) -> Array:
        """Return L_k⁻¹ v_k in each row k."""
        if self._inverses is not None:
            return np.matmul(self._inverses, rows[:, :, None])[:, :, 0]
        return np.stack([f.forward(row) for f, row in zip(self._factors, rows, strict=True)])

    def back(self, rows: Array) -> Array:
        """Return L_k⁻ᵀ v_k in each row k."""
        if self._inverses is not None:
            return np.matmul(rows[:, None, :], self._inverses)[:, 0, :]
        return np.stack([f.back(row) for f, row in zip(self._factors, rows, strict=True)])


class StackedFactors:
    """The Cholesky factors of small symmetric matrices, made in one call for all of them.

    Products with the inverses of the L_k stand for solving. Parameters and attributes are those of
    `SeparateFactors`.
    """

    def __init__(self, matrices: Array, jitter: float):
        diagonals = np.einsum("kjj->kj", matrices)
        roots = np.sqrt(np.where(diagonals > 0, diagonals, 1.0))
        matrices = matrices / roots[:, :, None] / roots[:, None, :]
        added = jitter * matrices.shape[1]
        while True:
            np.einsum("kjj->kj", matrices)[...] = 1.0 + added
            try:
                lower = np.linalg.cholesky(matrices)
                break
            except np.linalg.LinAlgError:
                added *= JITTER_GROWTH
        self.least_pivot = float(np.einsum("kjj->kj", lower).min()) ** 2
        self._inverses = np.linalg.inv(lower) / roots[:, None, :]

    def forward(self, rows: Array) -> Array:
        """Return L_k⁻¹ v_k in each row k."""
        return np.matmul(self._inverses, rows[:, :, None])[:, :, 0]

    def back(self, rows: Array) -> Array:
        """Return L_k⁻ᵀ v_k in each row k."""
        return np.matmul(rows[:, None, :], self._inverses)[:, 0, :]


def cholesky(matrix: Array, overwrite: bool = False) -> tuple[Array, int]:
    """Return L, for the lower triangle of ``L Lᵀ``, and 0; another number if there is none.

    What is above the diagonal is left as it is. In Fortran order, the matrix may be overwritten.
    """
    with blas_threads(len(matrix) ** 3 / 6):
        return dpotrf(matrix, lower=True, clean=False, overwrite_a=overwrite)
