r"""The inverse Hessian by the Woodbury formula, which factors a matrix of the order n_rows.

With K classes and d columns the Hessian has the order K d. If there are fewer rows than that, a
matrix of the order n_rows is cheaper to factor. Let B be the block diagonal matrix of the
B_k = 1/S · Σ_i s_i p_ik z_i z_iᵀ + diag(ridge), one for each class, and A the matrix whose rows are
√(s_i/S) p_i ⊗ z_i. Then

    H = B − Aᵀ A

This matrix is inverted in the subspace in which the parameters sum to 0 over classes, where all
iterates of a solver are. In that subspace the inverse of B is

    N = B⁻¹ − B⁻¹ Eᵀ (E B⁻¹ Eᵀ)⁻¹ E B⁻¹,        E x = Σ_k x_k

and by the formula of Sherman, Morrison and Woodbury (Golub and Van Loan, *Matrix Computations*,
section 2.1.4) the inverse of the Hessian is

    H⁻¹ = N + N Aᵀ (I − A N Aᵀ)⁻¹ A N

This takes n K d (n + d) operations, where n is the number of rows, instead of n K² d².
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg.blas import dsyrk

from softmax_regression._curvature.base import Curvature
from softmax_regression._curvature.row_sums import weighted_rows
from softmax_regression._data.sums import add_up
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression._linalg.threads import share_out, usable_threads
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy


class WoodburyFactor(Curvature):
    """The Hessian H, up to rounding errors, by the formula of the module's docstring.

    Parameters
    ----------
    objective : LinearCrossEntropy
        The function whose Hessian is inverted, with one score for each class.
    at : Evaluation or ndarray of shape (n_params,)
        The point at which the Hessian is taken.
    """

    def __init__(self, objective: LinearCrossEntropy, at: Array | Evaluation):
        super().__init__(objective)
        self._z, self._p = weighted_rows(objective, at)
        self._n_threads = usable_threads(self.operations(objective))
        # The roots are the L_k⁻¹, where B_k = L_k L_kᵀ.
        self._roots = self._roots_of_classes()
        self._shared = CholeskyFactor(
            np.einsum("kij,kil->jl", self._roots, self._roots, optimize=True)
        )
        self._factor = CholeskyFactor(self._remainder())

    @staticmethod
    def operations(objective: LinearCrossEntropy) -> float:
        """Return how many multiplications making this matrix takes."""
        n_rows, n_columns = objective.data.n_rows, objective.n_columns
        of_class = n_columns * (n_rows + n_columns) ** 2
        return objective.width * of_class + n_rows**3 / 3

    @property
    def n_unknowns(self) -> int:
        return self._p.shape[0] * len(self._z) + len(self._z.T)

    def solve_upper(self, unknowns: Array) -> Array:
        of_classes, of_rows = np.split(unknowns, [-len(self._z.T)])
        of_classes = of_classes.reshape(len(self._p), -1) + self._whitened(
            self._from_rows(self._factor.back(of_rows))
        )
        return self._flat(self._back(self._free(of_classes)))

    def solve_lower(self, gradient: Array) -> Array:
        of_classes = self._free(self._whitened(self._matrix(gradient)))
        of_rows = self._factor.forward(self._to_rows(self._back(of_classes)))
        return np.concatenate([of_classes.ravel(), of_rows])

    def solve(self, gradient: Array) -> Array:
        by_blocks = self._solve_blocks(self._matrix(gradient))
        rows = self._factor.solve(self._to_rows(by_blocks))
        return self._flat(by_blocks + self._solve_blocks(self._from_rows(rows)))

    def _roots_of_classes(self) -> Array:
        """Return the L_k⁻¹, of shape (n_classes, n_columns, n_columns)."""

        def work(classes: Sequence[Array]) -> list[Array]:
            return [self._root_of(p) for p in classes]

        return np.concatenate(share_out(work, list(self._p), self._n_threads))

    def _root_of(self, p: Array) -> Array:
        """Return L_k⁻¹ of the class with probabilities p."""
        block = (self._z * p) @ self._z.T
        block.flat[:: len(block) + 1] += self.objective.ridge
        return CholeskyFactor(block).inverse_root()

    def _remainder(self) -> Array:
        """Return I − A N Aᵀ."""
        n_columns, n_rows = self._z.shape

        def work(classes: Sequence[int]) -> tuple[Array, Array]:
            remainder = np.zeros((n_rows, n_rows))
            in_common = np.zeros((n_rows, n_columns))  # This becomes A B⁻¹ Eᵀ.
            for k in classes:
                whitened = self._z.T @ self._roots[k].T
                whitened *= self._p[k, :, None]
                _add_gram(remainder, -1.0, whitened.T)
                in_common += whitened @ self._roots[k]
            return remainder, in_common

        parts = share_out(work, range(len(self._p)), self._n_threads)
        remainder, in_common = add_up(parts)
        remainder.flat[:: n_rows + 1] += 1.0
        _add_gram(remainder, 1.0, self._shared.forward(in_common.T))
        remainder = np.triu(remainder)
        remainder += np.triu(remainder, 1).T
        return remainder

    def _solve_blocks(self, matrix: Array) -> Array:
        """Return N g for a gradient g."""
        return self._back(self._free(self._whitened(matrix)))

    def _whitened(self, matrix: Array) -> Array:
        """Return L_k⁻¹ g_k for each class k."""
        return np.matmul(self._roots, matrix[:, :, None])[:, :, 0]

    def _back(self, whitened: Array) -> Array:
        """Return L_k⁻ᵀ u_k for each class k."""
        return np.matmul(whitened[:, None, :], self._roots)[:, 0, :]

    def _free(self, whitened: Array) -> Array:
        """Project whitened unknowns such that the parameters L_k⁻ᵀ u_k sum to 0 over classes."""
        forces = self._shared.solve(np.einsum("ki,kij->j", whitened, self._roots, optimize=True))
        return whitened - self._roots @ forces

    def _to_rows(self, matrix: Array) -> Array:
        """Return A x for parameters x, with one entry for each row."""
        return np.einsum("kn,kn->n", self._p, matrix @ self._z)

    def _from_rows(self, rows: Array) -> Array:
        """Return Aᵀ r for a vector r with one entry for each row."""
        return (self._p * rows) @ self._z.T


def _add_gram(out: Array, factor: float, columns: Array) -> None:
    """Add factor · aᵀ a to the upper triangle of `out`, in place.

    This takes half of the operations of a general product.
    """
    dsyrk(factor, columns, beta=1.0, c=out.T, trans=True, lower=True, overwrite_c=True)
