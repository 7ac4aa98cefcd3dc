"""Newton's method in the intercept alone.

The certificate minds a wrong intercept more than anything else (see `dual_bound.py`), and nothing
is put right in less time: its Hessian, the mean of diag(p) − p pᵀ, has a row for each class.
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

_LONGEST_STEP = 2.0  # Nats: beyond that the curvature is another.
_RELATIVE_RESIDUAL = 1e-3  # What conjugate gradients leave of a step: the next step is for that.
_MAX_PRODUCTS = 200  # Of conjugate gradients for a step.
# Of a class: less is rounding, or a denormal number, and there is no step in that class.
_LEAST_CURVATURE = float(np.finfo(np.float64).tiny / np.finfo(np.float64).eps)
_MANY_CLASSES = 256  # With more, products take less time than the matrix of their pairs.
_MOST_PROBABILITIES = 1 << 25  # For products they are remembered in float32: 128 MB.


class InterceptHessian(ABC):
    """The Hessian of F in b, singular along (1, …, 1)."""

    @abstractmethod
    def solve(self, excess: Array) -> Array:
        """Return a change of b by which the shares of the classes change by `excess`."""

    def step(self, excess: Array) -> Array:
        """Return what to add to b where the shares of the classes are too large by `excess`."""
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
        # In units in which every class has a curvature of 1: a rare class counts like the others.
        # Least squares, because along (1, …, 1) the curvature is 0 but for rounding.
        if not (np.isfinite(self.matrix).all() and np.isfinite(excess).all()):
            return np.zeros_like(excess)  # scores have overflowed
        curvature = np.diag(self.matrix)
        scales = np.sqrt(np.where(curvature > _LEAST_CURVATURE, curvature, 1.0))
        scaled = self.matrix / scales / scales[:, None]
        return np.linalg.lstsq(scaled, excess / scales, rcond=None)[0] / scales


class InterceptProducts(InterceptHessian):
    """The Hessian by its products.

    Parameters
    ----------
    data : RowBlocks
        The rows.
    probabilities : object
        Those of all rows, as `data` holds them.
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
    """Return by how much the model's share of each class is too large, and the Hessian in b.

    Parameters
    ----------
    data : RowBlocks
        The rows.
    matrix : ndarray of shape (n_outputs, n_columns)
        (W, b) in the coordinates of X, as kernels want it.
    probabilities : object, default=None
        Those of all rows at these parameters, if they are known.
    """
    n_outputs, n_rows = len(matrix), data.n_rows
    hessian: InterceptHessian
    few_enough = data.remembers_rows and n_outputs * n_rows <= _MOST_PROBABILITIES
    if n_outputs > _MANY_CLASSES and few_enough:
        kept = data.values_of_rows(n_outputs, np.float32)
        totals, squares = data.map_reduce(share_and_square_sums, matrix, width=n_outputs, kept=kept)
        hessian = InterceptProducts(data, kept, totals, squares)
    else:
        totals, spread = data.map_reduce(share_sums, matrix, width=n_outputs, kept=probabilities)
        hessian = InterceptMatrix(spread / n_rows)
    return totals / n_rows - data.class_shares[-n_outputs:], hessian
