r"""Some rows and columns of the Hessian, as a matrix or by products alone.

A matrix of order m costs n_rows · m² operations, and m³ to factor. A product costs what two passes
over the chosen columns of X do, whatever m is, and conjugate gradients take some tens of them for
what a factor gives. So whoever asks gets the one that is cheaper (J. Nocedal and S. Wright,
"Numerical Optimization", 2nd ed. 2006, ch. 5 and 7).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.chosen_entries import hessian_of
from softmax_regression._curvature.diagonal import diagonal_of
from softmax_regression._curvature.preconditioner import HessianPreconditioner
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression._linalg.conjugate_gradients import conjugate_gradients
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

_PRODUCTS_PER_MATRIX = 50  # Products that conjugate gradients take in the place of a factor.
# Multiplications of a matrix in the time that a product takes for a value and for a row of X.
_MULTIPLICATIONS_PER_VALUE, _MULTIPLICATIONS_PER_ROW = 8, 50
_ROWS_PER_ENTRY, _MIN_SAMPLED_ROWS = 5, 2000  # A sample has at least so many rows.
_RESIDUAL_LEFT = 0.1  # Of the residual, in the norm of the preconditioner: CG end there.
_MAX_PRODUCTS = 50  # Of one run of conjugate gradients.


def working_set_hessian(
    objective: LinearCrossEntropy,
    at: Array | Evaluation,
    chosen: NDArray[np.bool_],
    damping: float,
    rough: bool,
) -> WorkingSetHessian:
    """Return H + damping for some entries of (W, b), class after class.

    Parameters
    ----------
    objective : LinearCrossEntropy
        F.
    at : Evaluation or ndarray of shape (n_params,)
        Where; coefficients that are not 0 are among the chosen.
    chosen : ndarray of bool, (n_outputs, n_columns)
        Which entries.
    damping : float
        What is added to the diagonal.
    rough : bool
        Whether some of the rows may stand for all.
    """
    at = as_evaluation(at)
    used = np.flatnonzero(chosen[:, : objective.data.n_columns].any(axis=0))
    if objective.coordinates is not None and 2 * len(used) < objective.data.n_columns:
        intercept = chosen.shape[1] - objective.fit_intercept
        kept = np.append(used, np.arange(intercept, chosen.shape[1]))
        at = Evaluation.of(objective.matrix(at.params)[:, kept].ravel())
        objective, chosen = objective.restricted(used), chosen[:, kept]
    order = int(chosen.sum())
    data = objective.data
    product = objective.width * (
        _MULTIPLICATIONS_PER_VALUE * data.n_values + _MULTIPLICATIONS_PER_ROW * data.n_rows
    )
    n_drawn = max(_ROWS_PER_ENTRY * order, _MIN_SAMPLED_ROWS)
    sampled = rough and 2 * n_drawn < data.n_rows
    if (n_drawn if sampled else data.n_rows) * order**2 <= _PRODUCTS_PER_MATRIX * product:
        sample = HessianPreconditioner(objective).draw(at.params, n_drawn) if sampled else None
        matrix = hessian_of(objective, at, chosen, sample)
        matrix.flat[:: order + 1] += damping
        return DenseHessian(matrix)
    return HessianOperator(objective, at, chosen, damping)


class WorkingSetHessian(ABC):
    """M, symmetric and positive semidefinite: the Hessian of the entries of a working set.

    Attributes
    ----------
    diagonal : ndarray of shape (order,)
        The diagonal of M.
    quick : bool
        Whether `solve` takes less time than some tens of products.
    """

    diagonal: Array
    quick: bool

    @abstractmethod
    def product(self, vector: Array) -> Array:
        """Return M v."""

    @abstractmethod
    def solve(self, entries: Array, vector: Array, penalty_hessian: Any = None) -> Array:
        """Return (M + penalty_hessian)⁻¹ v in some of the entries, or something near it.

        `penalty_hessian` is a sparse array, of the order of the entries.
        """


class DenseHessian(WorkingSetHessian):
    """M as a matrix, of which Cholesky factors are made."""

    quick = True

    def __init__(self, matrix: Array):
        self.matrix = matrix
        self.diagonal = matrix.diagonal().copy()

    def product(self, vector: Array) -> Array:
        return self.matrix @ vector

    def solve(self, entries: Array, vector: Array, penalty_hessian: Any = None) -> Array:
        matrix = self.matrix[np.ix_(entries, entries)]
        if penalty_hessian is not None:
            matrix += penalty_hessian.toarray()
        return CholeskyFactor(matrix).solve(vector)


class HessianOperator(WorkingSetHessian):
    """M by its products; equations are solved by conjugate gradients, with the diagonal."""

    quick = False

    def __init__(
        self,
        objective: LinearCrossEntropy,
        at: Evaluation,
        chosen: NDArray[np.bool_],
        damping: float,
    ):
        # Products are in the precision of X: rows need no conversion, and steps no more digits.
        self._objective = objective.astype(objective.data.stored_dtype)
        self._at = Evaluation.of(at.params)
        self._chosen = np.flatnonzero(chosen)
        self._damping = damping
        self.diagonal = diagonal_of(objective, at)[self._chosen] + damping

    def product(self, vector: Array) -> Array:
        whole = np.zeros(self._objective.n_params)
        whole[self._chosen] = vector
        product = self._objective.hessian_product(self._at, whole)[self._chosen]
        return product + self._damping * vector

    def solve(self, entries: Array, vector: Array, penalty_hessian: Any = None) -> Array:
        whole = np.zeros(len(self._chosen))
        diagonal = self.diagonal[entries]
        if penalty_hessian is not None:
            diagonal = diagonal + penalty_hessian.diagonal()
        inverse = 1 / np.where(diagonal > 0, diagonal, 1.0)
        enough = _RESIDUAL_LEFT**2 * float(vector @ (inverse * vector))

        def product(direction: Array) -> Array:
            whole[entries] = direction
            image = self.product(whole)[entries]
            return image if penalty_hessian is None else image + penalty_hessian @ direction

        return conjugate_gradients(
            product,
            vector,
            lambda residual, square, gain: square <= enough,
            solve=lambda residual: inverse * residual,
            max_products=_MAX_PRODUCTS,
        ).step
