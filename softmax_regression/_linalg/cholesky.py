r"""Cholesky factors of matrices that are positive definite up to rounding errors.

A symmetric matrix M is first scaled to a diagonal of 1, ``D⁻½ M D⁻½``. Then a small number, the
*jitter*, is added to that diagonal, because rounding errors may have made the eigenvalues of a
positive semidefinite matrix negative. While the factorization fails, it is repeated with a jitter a
hundred times as large (Nocedal and Wright, *Numerical Optimization*, section 3.4).

`CholeskyFactor` is the factor of one matrix. `SeparateFactors` and `StackedFactors` hold factors of
several matrices of the same order. The former factors each matrix by itself, in several threads.
The latter factors all matrices in one call, which is quicker if they are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs, dtrtri, dtrtrs

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_threads, share_out, usable_threads

# This times the order of the matrix is the jitter that is added to a diagonal of 1.
RELATIVE_JITTER = 1e-14
# Factors up to this order are inverted, because multiplying by a small inverse takes less time than
# calls that solve triangular equations.
_INVERTED_ORDER = 128
JITTER_GROWTH = 100  # The jitter is multiplied by this after a factorization that failed.


class CholeskyFactor:
    """The Cholesky factor L of a symmetric matrix M = L Lᵀ, which is overwritten.

    Parameters
    ----------
    matrix : ndarray of shape (order, order)
        The matrix, in C order.
    jitter : float, default=1e-14
        The number that is added to the scaled diagonal at first, for each row of the matrix.

    Attributes
    ----------
    sound : bool
        Whether the factorization succeeded with the first jitter.
    least_pivot : float
        The smallest square on the diagonal of the scaled factor. It is 1 if M is diagonal, and 0 if
        a column is a linear combination of the others.
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
            # The factor overwrites one triangle. The other triangle keeps M for another attempt.
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
        """Invert a small L, which speeds up many calls of `forward` and `back`; return self."""
        if len(self._lower) <= _INVERTED_ORDER:
            self._inverse_root = self.inverse_root()
        return self

    @property
    def log_determinant(self) -> float:
        """The logarithm of the determinant of M; −inf if its diagonal has entries that are 0."""
        if self._vanishes:
            return -np.inf
        return 2 * float(np.log(self._root).sum() + np.log(self._lower.diagonal()).sum())

    def solve(self, vector: Array) -> Array:
        """Return M⁻¹ v = L⁻ᵀ L⁻¹ v."""
        return dpotrs(self._lower, vector / self._root, lower=True)[0] / self._root

    def inverse(self) -> Array:
        """Return M⁻¹ = L⁻ᵀ L⁻¹."""
        with blas_threads(len(self._lower) ** 3 / 3):
            inverse = dpotri(self._lower, lower=True)[0]  # The upper triangle is undefined.
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        inverse /= self._root
        inverse /= self._root[:, None]
        return inverse

    def inverse_root(self) -> Array:
        """Return L⁻¹."""
        inverse, _ = dtrtri(self._lower, lower=True)
        return np.tril(inverse) / self._root

    def forward(self, vector: Array) -> Array:
        """Return L⁻¹ v for a vector, or for each column of a matrix."""
        if self._inverse_root is not None:
            return self._inverse_root.dot(vector)
        return self._triangular((vector.T / self._root).T, trans=0)

    def back(self, vector: Array) -> Array:
        """Return L⁻ᵀ v for a vector, or for each column of a matrix."""
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
        The matrices, which are positive definite up to rounding errors.
    jitter : float
        The number that is added to the scaled diagonals; see `CholeskyFactor`.

    Attributes
    ----------
    least_pivot : float
        The smallest pivot of all matrices; see `CholeskyFactor`.
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
        if order <= _INVERTED_ORDER:
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

    Equations are solved by multiplying with the inverses of the L_k. Parameters and attributes are
    those of `SeparateFactors`.
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
    """Return the factor L of a matrix given by its lower triangle, and LAPACK's status.

    The status is 0 if the factorization succeeded. Entries above the diagonal are left unchanged. A
    matrix in Fortran order may be overwritten.
    """
    with blas_threads(len(matrix) ** 3 / 6):
        return dpotrf(matrix, lower=True, clean=False, overwrite_a=overwrite)
