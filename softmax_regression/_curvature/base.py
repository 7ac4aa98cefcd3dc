r"""The contract of approximations of the Hessian of the linear cross-entropy.

If z_i is row i of X in the objective's coordinates, with a last entry for the intercept, the
Hessian is

    H = 1/S · Σ_i s_i (diag(p_i) − p_i p_iᵀ) ⊗ z_i z_iᵀ + diag(ridge)

Adding the same vector to the parameters of every class changes no probability, so that only the
penalty, if there is one, determines the parameters in those directions. Therefore the last class is
left out, and its parameters are minus the sum of the other classes'. The Hessian of the remaining
parameters is positive definite wherever the problem has a unique solution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import RELATIVE_JITTER
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.layout import centred

# Relative to the diagonal and per row of the matrix, this is added to sums made in float32.
_FLOAT32_JITTER = 1e-9


class Curvature(ABC):
    """A positive definite matrix M = L Lᵀ that approximates the Hessian, or equals it.

    Parameters
    ----------
    objective : LinearCrossEntropy
        The function whose Hessian is approximated. It defines the layout of the flat vector.
    """

    def __init__(self, objective: LinearCrossEntropy):
        self.objective = objective

    @property
    @abstractmethod
    def n_unknowns(self) -> int:
        """The order of L: the number of unknowns u."""

    @abstractmethod
    def solve_upper(self, unknowns: Array) -> Array:
        """Return L⁻ᵀ u, the parameters that belong to the unknowns u."""

    @abstractmethod
    def solve_lower(self, gradient: Array) -> Array:
        """Return L⁻¹ g, the gradient in the unknowns u for the gradient g in the parameters."""

    def solve(self, gradient: Array) -> Array:
        """Return M⁻¹ g."""
        return self.solve_upper(self.solve_lower(gradient))

    def _matrix(self, flat: Array) -> Array:
        """Return a flat vector as a matrix like (W, b), whose rows, one per class, sum to 0."""
        return centred(self.objective.matrix(flat))

    def _flat(self, matrix: Array) -> Array:
        return centred(matrix).ravel()


def jitter_of(dtype: Any) -> float:
    """Return the relative jitter of the diagonal for a matrix that was summed in a dtype."""
    return RELATIVE_JITTER if dtype == np.float64 else _FLOAT32_JITTER
