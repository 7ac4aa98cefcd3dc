r"""The Hessian restricted to a working set, as a dense matrix or as an operator.

A dense matrix of order m takes n_rows · m² operations, and its factor m³. A product with the
Hessian takes two passes over the chosen columns of X, whatever m is, and conjugate gradients need
some tens of products to solve the same equations. `working_set_hessian` returns whichever is
cheaper (J. Nocedal and S. Wright, "Numerical Optimization", 2nd ed. 2006, ch. 5 and 7).
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

# Conjugate gradients are expected to take this many products where they replace a factor.
_PRODUCTS_PER_MATRIX = 50
# A product takes as long for a value of X, and for a row, as this many multiplications of a matrix.
_MULTIPLICATIONS_PER_VALUE, _MULTIPLICATIONS_PER_ROW = 8, 50
_LEAST_SAMPLED_ORDER = 400  # The least sample is that of a working set of so many entries.
# Conjugate gradients end when the norm of the residual has fallen to this share of the first one.
_RESIDUAL_LEFT = 0.1
_MAX_PRODUCTS = 50  # One run of conjugate gradients makes at most this many products.


def working_set_hessian(
    objective: LinearCrossEntropy,
    at: Array | Evaluation,
    chosen: NDArray[np.bool_],
    damping: float,
    rows_per_entry: float = np.inf,
) -> WorkingSetHessian:
    """Return the Hessian plus damping for the entries of a working set, class by class.

    Parameters
    ----------
    objective : LinearCrossEntropy
        The function whose Hessian is returned.
    at : Evaluation or ndarray of shape (n_params,)
        The point at which the Hessian is taken. All coefficients that are not 0 must be chosen.
    chosen : ndarray of bool, (n_outputs, n_columns)
        A mask of the entries of (W, b) in the working set.
    damping : float
        The number that is added to the diagonal.
    rows_per_entry : float, default=inf
        If this many rows for each entry of the working set are less than half of all, the Hessian
        may be summed over a sample of so many rows.
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
    n_drawn = rows_per_entry * max(order, _LEAST_SAMPLED_ORDER)
    sampled = 2 * n_drawn < data.n_rows
    cost = (n_drawn if sampled else data.n_rows) * order**2
    if cost <= _PRODUCTS_PER_MATRIX * product:
        sample = HessianPreconditioner(objective).draw(at.params, int(n_drawn)) if sampled else None
        matrix = hessian_of(objective, at, chosen, sample)
        matrix.flat[:: order + 1] += damping
        return DenseHessian(matrix, cost, exact=not sampled)
    return HessianOperator(objective, at, chosen, damping)


class WorkingSetHessian(ABC):
    """The Hessian M of a working set, which is symmetric and positive semidefinite.

    Attributes
    ----------
    diagonal : ndarray of shape (order,)
        The diagonal of M.
    quick : bool
        Whether `solve` takes less time than the products of a run of conjugate gradients.
    exact : bool
        Whether the Hessian is that of all rows.
    """

    diagonal: Array
    quick: bool
    exact: bool

    @abstractmethod
    def product(self, vector: Array) -> Array:
        """Return M v."""

    @abstractmethod
    def solve(self, entries: Array, vector: Array, penalty_hessian: Any = None) -> Array:
        """Return (M + penalty_hessian)⁻¹ v for a subset of the entries, possibly approximately.

        `penalty_hessian` is a sparse array whose order is the number of entries in the subset.
        """


class DenseHessian(WorkingSetHessian):
    """The Hessian M as a dense matrix; equations are solved by Cholesky factors.

    Parameters
    ----------
    matrix : ndarray of shape (order, order)
        M.
    cost : float, default=0
        The number of multiplications that it took.
    exact : bool, default=False
        As for every `WorkingSetHessian`.
    """

    quick = True

    def __init__(self, matrix: Array, cost: float = 0.0, exact: bool = False):
        self.matrix, self.cost, self.exact = matrix, cost, exact
        self.diagonal = matrix.diagonal().copy()

    def product(self, vector: Array) -> Array:
        return self.matrix @ vector

    def solve(self, entries: Array, vector: Array, penalty_hessian: Any = None) -> Array:
        matrix = self.matrix[np.ix_(entries, entries)]
        if penalty_hessian is not None:
            matrix += penalty_hessian.toarray()
        return CholeskyFactor(matrix).solve(vector)


class HessianOperator(WorkingSetHessian):
    """The Hessian M as an operator that returns products.

    Equations are solved by conjugate gradients, preconditioned by the diagonal.
    """

    quick = False
    exact = True

    def __init__(
        self,
        objective: LinearCrossEntropy,
        at: Evaluation,
        chosen: NDArray[np.bool_],
        damping: float,
    ):
        # Products are computed in the precision of X, which spares the conversion of rows and is
        # enough for a step.
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
