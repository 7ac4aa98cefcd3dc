r"""The space of the rows: the penalised problem of a wide X in as many unknowns as there are rows.

The part of W that is orthogonal to all rows of X changes no score but increases the penalty, so it
is 0 at the minimum, and every row of W is a combination of rows of X. With the triangular factor of
``Xᵀ = Q R``, Q of shape (n_columns, n_rows) with orthonormal columns,

    W = A Qᵀ,    W Xᵀ = A R,    ‖W‖ = ‖A‖

so that A solves exactly the same problem with Rᵀ, n_rows × n_rows, in the place of X. If the
penalty has weights ρ_j² for features, this holds for W diag(ρ) and X diag(ρ)⁻¹. Features without a
penalty are kept as further columns beside R: Q is that of the other features, and the identity for
these.

Rounding errors may be large relative to small columns of X unless the factorisation starts with the
largest column (A. Cox and N. Higham, "Stability of Householder QR factorization for weighted least
squares problems", Numerical Analysis 1997).
"""

from __future__ import annotations

import numpy as np

from softmax_regression._data.dense import DenseDesign
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.blas import orthonormal_columns
from softmax_regression._objectives.linear.coordinates import check_sizes, pushed_covariance
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.layout import LinearLayout
from softmax_regression._penalties.weighted_ridge import WeightedRidge


class RowSpace:
    """The change of unknowns from W to A, and the objective of A.

    Parameters
    ----------
    objective : LinearCrossEntropy
        The problem in the coordinates of X, with a penalty.
    """

    def __init__(self, objective: LinearCrossEntropy):
        roots, X = objective.penalty.roots[: objective.layout.n_features], objective.design.X
        penalized = roots > 0
        if penalized.all():
            self._roots = roots
            X = X if (roots == 1).all() else X / roots
            self.basis, rows = _rotated(X)
            self.objective = _of_rows(objective, rows)
            return
        self._roots = np.where(penalized, roots, 1.0)
        basis, rows = _rotated(X[:, penalized] / roots[penalized])
        n_rotated, n_kept = rows.shape[1], int((~penalized).sum())
        self.basis = np.zeros((len(roots), n_rotated + n_kept))
        self.basis[penalized, :n_rotated] = basis
        self.basis[~penalized, n_rotated:] = np.eye(n_kept)
        plain = _of_rows(objective, np.hstack([rows, X[:, ~penalized]]))
        kept_roots = np.zeros(plain.n_columns)
        kept_roots[:n_rotated] = 1.0
        ridge = WeightedRidge(plain.l2, kept_roots, n_rotated + n_kept)
        self.objective = plain.with_penalty(ridge)

    def to_model(self, rotated: Array, intercept: Array) -> tuple[Array, Array]:
        """Return W and b for A and b."""
        return self.coef(rotated), intercept

    def from_model(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Return A and b for W and b, without the part of W that is orthogonal to the rows."""
        return self.rotated(coef), intercept

    def pull_gradient(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Return the gradient in A and b for that in W and b."""
        return (coef / self._roots) @ self.basis, intercept

    def push_covariance(self, covariance: Array, layout: LinearLayout) -> Array:
        """Return the covariance of the flat vector of (W, b), in a layout, for that of (A, b)."""
        of_rows = self.objective.layout
        return pushed_covariance(
            covariance, lambda params: layout.pack(*self.to_model(*of_rows.unpack(params)))
        )

    def coef(self, rotated: Array) -> Array:
        """Return W for A."""
        return rotated @ self.basis.T / self._roots

    def rotated(self, coef: Array) -> Array:
        """Return A for W, without the part of W that is orthogonal to the rows."""
        if not coef.any():  # Most fits start at 0.
            return np.zeros((len(coef), self.basis.shape[1]))
        return (coef * self._roots) @ self.basis


def _rotated(X: Array) -> tuple[Array, Array]:
    """Return Q and Rᵀ for the rows of X."""
    sizes = np.abs(X).max(axis=0).astype(np.float64)
    check_sizes(sizes)
    order = np.argsort(-sizes, kind="stable")
    # LAPACK overwrites a copy in Fortran order.
    columns = np.ascontiguousarray(X[:, order], dtype=np.float64).T
    ordered, triangle = orthonormal_columns(columns)
    basis = np.empty_like(ordered)
    basis[order] = ordered
    return basis, np.ascontiguousarray(triangle.T)


def _of_rows(objective: LinearCrossEntropy, rows: Array) -> LinearCrossEntropy:
    """Return an objective with its rows replaced, and with equal penalties of all columns."""
    return LinearCrossEntropy(
        DenseDesign(rows), objective.loss, objective.l2, objective.fit_intercept
    )
