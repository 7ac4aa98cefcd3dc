r"""The Hessian for chosen entries of (W, b) in factored form, for far more columns than rows.

    H = R + Aᵀ A,    A = Bᵀ Z

Here R is the ridge, Z holds the rows z_i in the objective's coordinates for each class, and B is a
root of the Hessian with respect to the scores: ``B_i = (s_i / S)^½ diag(p_i)^½ (I − q_i q_iᵀ)``.
Since q_i = p_i^½ has norm 1, ``B_i B_iᵀ = s_i / S · (diag(p_i) − p_i p_iᵀ)``. The matrix A D Aᵀ for
a diagonal D has the order n_rows · n_outputs, whatever the number of columns.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._curvature.row_sums import weighted_rows
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

# This ridge damps Newton's steps in the intercepts, whose curvature is about 1.
_INTERCEPT_RIDGE = 1e-5


class WideHessian:
    """The Hessian H = R + Aᵀ A for the chosen entries of (W, b).

    Parameters
    ----------
    objective : LinearCrossEntropy
        The function whose Hessian is represented; its penalty has a ridge.
    at : Evaluation or ndarray of shape (n_params,)
        The point at which the Hessian is taken.
    chosen : ndarray of bool, (n_outputs, n_columns)
        A mask of the entries of (W, b).
    """

    def __init__(self, objective: LinearCrossEntropy, at: Array | Evaluation, chosen: Array):
        self.chosen = chosen
        self._z, p = weighted_rows(objective, at)
        self.n_scores = p.size  # This is the order of A D Aᵀ.
        self._roots = np.sqrt(p * (1 - p))[None]  # Entry (k, j) of B_i is at [k, j, i].
        if len(p) > 1:
            q = np.sqrt(p)
            self._roots = q[:, None] * (np.eye(len(q))[:, :, None] - q[:, None] * q)
        ridge = np.where(objective.ridge > 0, objective.ridge, _INTERCEPT_RIDGE)
        self.ridge = np.broadcast_to(ridge, chosen.shape)[chosen]

    def forward(self, direction: Array) -> Array:
        """Return A d for a direction d, class by class."""
        change = self._spread(direction) @ self._z
        return np.einsum("kjn,kn->jn", self._roots, change).ravel()

    def backward(self, values: Array) -> Array:
        """Return Aᵀ α for a vector α with an entry for each score."""
        by_score = values.reshape(self._roots.shape[1:])
        return (np.einsum("kjn,jn->kn", self._roots, by_score) @ self._z.T)[self.chosen]

    def inner(self, diagonal: Array) -> Array:
        """Return A D Aᵀ for a diagonal D ≥ 0; columns where D is 0 are skipped."""
        n_outputs, n_rows = self._roots.shape[1:]
        total = np.zeros((n_outputs, n_rows, n_outputs, n_rows))
        for roots, kept in zip(self._roots, self._spread(diagonal), strict=True):
            columns = np.flatnonzero(kept)
            z = self._z[columns]
            gram = z.T @ (kept[columns, None] * z)
            total += (roots[:, :, None, None] * gram[:, None]) * roots
        return total.reshape(self.n_scores, self.n_scores)

    def _spread(self, values: Array) -> Array:
        """Return values of the chosen entries as a matrix like (W, b), with 0 elsewhere."""
        matrix = np.zeros(self.chosen.shape)
        matrix[self.chosen] = values
        return matrix
