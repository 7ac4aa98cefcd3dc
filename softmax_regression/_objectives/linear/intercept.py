"""Newton's method in the intercept alone.

The certificate is most sensitive to errors of the intercept (see `dual_bound.py`), and these are
the cheapest to correct: the Hessian, the mean of diag(p) − p pᵀ, has only a row for each class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from softmax_regression._data.dataset import RowBlocks
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.kernels import (
    share_and_square_sums,
    share_sums,
    spread_product_sums,
)

_LONGEST_STEP = 2.0  # Nats; the curvature changes too much along longer steps.
_RELATIVE_RESIDUAL = 1e-3  # Relative residual at which conjugate gradients end.
_MAX_PRODUCTS = 200  # Largest number of products of conjugate gradients.
# A smaller curvature of a class is a rounding error or a denormal number, and is not scaled.
_LEAST_CURVATURE = float(np.finfo(np.float64).tiny / np.finfo(np.float64).eps)
_MAX_MATRIX_CLASSES = 256  # With more classes, products are quicker than the matrix.
_MAX_KEPT_PROBABILITIES = 1 << 25  # Probabilities that products may keep: 128 MB in float32.


class InterceptHessian(ABC):
    """The Hessian of F in b, singular along (1, …, 1)."""

    @abstractmethod
    def solve(self, excess: Array) -> Array:
        """Return a change of b by which the shares of the classes change by `excess`."""

    def step(self, excess: Array) -> Array:
        """Return the step of b if the predicted shares of classes are too large by `excess`."""
        step = -self.solve(excess)
        step -= step.mean() if len(step) > 1 else 0.0
        return np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)


class InterceptMatrix(InterceptHessian):
    """The Hessian as a matrix.

    Parameters
    ----------
    matrix : ndarray of shape (n_outputs, n_outputs)
        The Hessian.
    """

    def __init__(self, matrix: Array):
        self.matrix = matrix

    def solve(self, excess: Array) -> Array:
        # Classes are scaled to a curvature of 1, so that rare classes are solved as precisely. The
        # matrix is singular along (1, …, 1) up to rounding errors, hence least squares.
        if not (np.isfinite(self.matrix).all() and np.isfinite(excess).all()):
            return np.zeros_like(excess)  # Scores have overflowed.
        curvature = np.diag(self.matrix)
        scales = np.sqrt(np.where(curvature > _LEAST_CURVATURE, curvature, 1.0))
        scaled = self.matrix / scales / scales[:, None]
        return np.linalg.lstsq(scaled, excess / scales, rcond=None)[0] / scales


class InterceptProducts(InterceptHessian):
    """The Hessian as an operator, known by its products.

    Parameters
    ----------
    data : RowBlocks
        The rows.
    probabilities : object
        The probabilities of all rows, as `data` holds them.
    totals, squares : ndarray of shape (n_outputs,)
        The weighted sums of the probabilities and of their squares.
    """

    def __init__(self, data: RowBlocks, probabilities: Any, totals: Array, squares: Array):
        self.data = data
        self.probabilities = probabilities
        self.totals = totals
        diagonal = (totals - squares) / data.n_rows
        self._inverse = 1 / np.where(diagonal > 0, diagonal, 1.0)

    def solve(self, excess: Array) -> Array:
        shape = 2 * excess.shape
        matrix = LinearOperator(shape, matvec=self._product, dtype=excess.dtype)
        scaling = LinearOperator(shape, matvec=lambda v: self._inverse * v, dtype=excess.dtype)
        return cg(matrix, excess, rtol=_RELATIVE_RESIDUAL, maxiter=_MAX_PRODUCTS, M=scaling)[0]

    def _product(self, direction: Array) -> Array:
        (total,) = self.data.map_reduce(
            spread_product_sums,
            direction.astype(np.float32),
            width=len(direction),
            kept=self.probabilities,
        )
        return (self.totals * direction - total) / self.data.n_rows


def intercept_hessian(
    data: RowBlocks, matrix: Array, probabilities: Any = None
) -> tuple[Array, InterceptHessian]:
    """Return the excess of the predicted share of each class over its share, and the Hessian in b.

    Parameters
    ----------
    data : RowBlocks
        The rows.
    matrix : ndarray of shape (n_outputs, n_columns)
        (W, b) in the coordinates of X, as kernels want it.
    probabilities : object, default=None
        The probabilities of all rows at these parameters, if they are known.
    """
    n_outputs, n_rows = len(matrix), data.n_rows
    hessian: InterceptHessian
    few_enough = data.remembers_rows and n_outputs * n_rows <= _MAX_KEPT_PROBABILITIES
    if n_outputs > _MAX_MATRIX_CLASSES and few_enough:
        kept = data.values_of_rows(n_outputs, np.float32)
        totals, squares = data.map_reduce(share_and_square_sums, matrix, width=n_outputs, kept=kept)
        hessian = InterceptProducts(data, kept, totals, squares)
    else:
        totals, spread = data.map_reduce(share_sums, matrix, width=n_outputs, kept=probabilities)
        hessian = InterceptMatrix(spread / n_rows)
    return totals / n_rows - data.class_shares[-n_outputs:], hessian
