"""Newton's method in the intercept alone.

The certificate minds a wrong intercept more than anything else (see `dual_bound.py`), and nothing
is put right in less time: its Hessian, the mean of diag(p) − p pᵀ, has a row for each class. Close
to the minimum that hardly changes, neither from one step of a solver to the next nor with the
penalty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

Array = NDArray[Any]

_LONGEST_STEP = 2.0  # nats: beyond that the curvature is another
_PRECISION = 1e-3  # of the totals' error is left by conjugate gradients: the next step is for that
_MOST_PRODUCTS = 200  # of a step
_LEAST_CURVATURE = float(np.finfo(np.float64).tiny / np.finfo(np.float64).eps)  # of a class


class Intercept:
    """Steps by the Hessian where it was last computed.

    Objectives share one that differ in their penalty or in their precision.
    """

    def __init__(self) -> None:
        self.curvature: InterceptCurvature | None = None

    def step(self, excess: Array) -> Array:
        """Return what to add to b where the totals of the classes are off by so much."""
        assert self.curvature is not None
        step = -self.curvature.solve(excess)
        step -= step.mean() if len(step) > 1 else 0.0
        return np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)


class InterceptCurvature(Protocol):
    """The Hessian in b, singular along (1, …, 1)."""

    def solve(self, excess: Array) -> Array:
        """Return a change of b by which the totals change by `excess`."""


class CurvatureMatrix:
    """It as a matrix.

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
        # What is less is rounding, and denormal numbers: there is no step in that class.
        scales = np.sqrt(np.where(curvature > _LEAST_CURVATURE, curvature, 1.0))
        scaled = self.matrix / scales / scales[:, None]
        return np.linalg.lstsq(scaled, excess / scales, rcond=None)[0] / scales


class CurvatureProducts:
    """It by its products: with many classes, each takes far less than the matrix of their pairs.

    Parameters
    ----------
    product : callable
        Multiplies by it.
    diagonal : ndarray of shape (n_outputs,)
        Its diagonal.
    """

    def __init__(self, product: Callable[[Array], Array], diagonal: Array):
        self.product = product
        self.inverse = 1 / np.where(diagonal > 0, diagonal, 1.0)

    def solve(self, excess: Array) -> Array:
        shape = 2 * excess.shape
        matrix = LinearOperator(shape, matvec=self.product, dtype=excess.dtype)
        scaling = LinearOperator(shape, matvec=lambda v: self.inverse * v, dtype=excess.dtype)
        return cg(matrix, excess, rtol=_PRECISION, maxiter=_MOST_PRODUCTS, M=scaling)[0]
