r"""What stands for the Hessian of the linear cross-entropy, and can be solved with.

With z a row in the objective's coordinates, and a last entry for the intercept,

    H = 1/S · Σ_i s_i (diag(p_i) − p_i p_iᵀ) ⊗ z_i z_iᵀ + diag(ridge)

Adding the same vector to every class changes no probability: those directions are fixed by the
penalty alone, or not at all. So the last class is left out, its parameters being minus the sum of
the others', and the rest of H is positive definite wherever the problem has one solution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import RELATIVE_JITTER
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.layout import centred

_FLOAT32_JITTER = 1e-9  # Relative to the diagonal, of a matrix that was summed in float32.


class Curvature(ABC):
    """A positive definite matrix M = L Lᵀ that stands for the Hessian.

    Parameters
    ----------
    objective : LinearCrossEntropy
        Says how the flat vector is packed.
    """

    def __init__(self, objective: LinearCrossEntropy):
        self.objective = objective

    @property
    @abstractmethod
    def n_unknowns(self) -> int:
        """The order of L."""

    @abstractmethod
    def solve_upper(self, unknowns: Array) -> Array:
        """Return the parameters L⁻ᵀ u."""

    @abstractmethod
    def solve_lower(self, gradient: Array) -> Array:
        """Return the gradient in u, L⁻¹ g."""

    def solve(self, gradient: Array) -> Array:
        """Return M⁻¹ g."""
        return self.solve_upper(self.solve_lower(gradient))

    def _matrix(self, flat: Array) -> Array:
        """(W, b), a row for each class; classes sum to 0."""
        return centred(self.objective.matrix(flat))

    def _flat(self, matrix: Array) -> Array:
        return centred(matrix).ravel()


def jitter_of(dtype: Any) -> float:
    """Return what to add to the diagonal of a matrix that was summed in some precision."""
    return RELATIVE_JITTER if dtype == np.float64 else _FLOAT32_JITTER
