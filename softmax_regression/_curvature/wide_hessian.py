r"""The Hessian of some entries of (W, b), by its parts, for X with far more columns than rows.

    H = R + Aᵀ A,    A = Bᵀ Z

with R the ridge, z_i the rows in the objective's coordinates for each class, and B the root of the
Hessian in the scores: ``B_i = (s_i / S)^½ diag(p_i)^½ (I − q_i q_iᵀ)``, where q_i = p_i^½ is of
length 1, so that ``B_i B_iᵀ = s_i / S · (diag(p_i) − p_i p_iᵀ)``. Whatever the number of columns,
A D Aᵀ for a diagonal D is of the order n_rows · n_outputs.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._curvature.row_sums import weighted_rows
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

_INTERCEPT_RIDGE = 1e-5  # Damps Newton's steps in b, where the curvature is about 1.


class WideHessian:
    """H for the chosen entries.

    Parameters
    ----------
    objective : LinearCrossEntropy
        With a ridge.
    at : Evaluation or ndarray of shape (n_params,)
        Where.
    chosen : ndarray of bool, (n_outputs, n_columns)
        Which entries of (W, b).
    """

    def __init__(self, objective: LinearCrossEntropy, at: Array | Evaluation, chosen: Array):
        self.chosen = chosen
        self._z, p = weighted_rows(objective, at)
        self.n_scores = p.size  # The order of A D Aᵀ.
        self._roots = np.sqrt(p * (1 - p))[None]  # B_i, its entry (k, j) at [k, j, i]
        if len(p) > 1:
            q = np.sqrt(p)
            self._roots = q[:, None] * (np.eye(len(q))[:, :, None] - q[:, None] * q)
        ridge = np.where(objective.ridge > 0, objective.ridge, _INTERCEPT_RIDGE)
        self.ridge = np.broadcast_to(ridge, chosen.shape)[chosen]

    def forward(self, direction: Array) -> Array:
        """A d, class after class."""
        change = self._spread(direction) @ self._z
        return np.einsum("kjn,kn->jn", self._roots, change).ravel()

    def backward(self, values: Array) -> Array:
        """Aᵀ α."""
        by_score = values.reshape(self._roots.shape[1:])
        return (np.einsum("kjn,jn->kn", self._roots, by_score) @ self._z.T)[self.chosen]

    def inner(self, diagonal: Array) -> Array:
        """A D Aᵀ, for D ≥ 0 with few entries that are not 0 or many."""
        n_outputs, n_rows = self._roots.shape[1:]
        total = np.zeros((n_outputs, n_rows, n_outputs, n_rows))
        for roots, kept in zip(self._roots, self._spread(diagonal), strict=True):
            columns = np.flatnonzero(kept)
            z = self._z[columns]
            gram = z.T @ (kept[columns, None] * z)
            total += (roots[:, :, None, None] * gram[:, None]) * roots
        return total.reshape(self.n_scores, self.n_scores)

    def _spread(self, values: Array) -> Array:
        """Return them as a matrix like (W, b), 0 elsewhere."""
        matrix = np.zeros(self.chosen.shape)
        matrix[self.chosen] = values
        return matrix
