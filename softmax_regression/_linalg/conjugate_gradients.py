r"""Preconditioned conjugate gradients for ``A x = b``, A symmetric and positive semidefinite.

The caller brings products with A, solutions with a preconditioner M that is symmetric and positive
definite, and a rule that says when x is near enough. In exact arithmetic each step minimises
``½ xᵀ A x − bᵀ x`` over a space that grows by one dimension. Each step lowers it by

    ½ α rᵀ M⁻¹ r,    α = rᵀ M⁻¹ r / dᵀ A d

with r the residual and d the direction of the step. The sum of these gains grows towards
``½ bᵀ A⁻¹ b`` (Golub and Meurant, *Matrices, Moments and Quadrature*, chapter 12; the method is
algorithm 5.3 of Nocedal and Wright, *Numerical Optimization*).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from softmax_regression._linalg.arrays import Array

LinearMap = Callable[[Array], Array]


class EndOfCG(Enum):
    """Why conjugate gradients ended."""

    STOPPED = "the stopping rule was met"
    MAX_PRODUCTS = "all products were used up"
    NO_CURVATURE = "rounding errors leave a direction without curvature"


class StoppingRule(Protocol):
    """Decides before each product whether the solution is near enough."""

    def __call__(self, residual: Array, square: float, gain: float) -> bool:
        """Return whether to stop.

        Parameters
        ----------
        residual : ndarray
            b − A x, which is not to be kept: the next step overwrites it.
        square : float
            Its square in the norm of the preconditioner, rᵀ M⁻¹ r.
        gain : float
            By how much the last step lowered ½ xᵀ A x − bᵀ x; 0 before the first.
        """


@dataclass(frozen=True)
class CGResult:
    """Where conjugate gradients ended.

    Parameters
    ----------
    step : ndarray
        x.
    residual : ndarray
        b − A x.
    first_square, square : float
        rᵀ M⁻¹ r at the beginning and at the end.
    n_products : int
        Products with A.
    reason : EndOfCG
        Why they ended.
    """

    step: Array
    residual: Array
    first_square: float
    square: float
    n_products: int
    reason: EndOfCG


def conjugate_gradients(
    product: LinearMap,
    right: Array,
    stop: StoppingRule,
    *,
    solve: LinearMap | None = None,
    max_products: int,
    least_curvature: float = 0.0,
) -> CGResult:
    """Solve ``A x = b`` from x = 0.

    Parameters
    ----------
    product : callable
        Returns A v.
    right : ndarray of shape (order,)
        b.
    stop : StoppingRule
        Whether x is near enough. A residual of 0 always is.
    solve : callable, default=None
        Returns M⁻¹ v as a new array; by default M is the identity.
    max_products : int
        The largest number of products with A.
    least_curvature : float, default=0.0
        A direction d ends the iterations if ``dᵀ A d`` is no more than this times ``dᵀ M d``.
    """
    solution, residual = np.zeros_like(right), right.copy()
    ahead = residual if solve is None else solve(residual)
    direction = ahead.copy() if solve is None else ahead
    first_square = square = float(residual @ ahead)
    length_squared = square  # dᵀ M d
    n_products, gain, reason = 0, 0.0, EndOfCG.STOPPED
    while not (square == 0 or stop(residual, square, gain)):
        if n_products >= max_products:
            reason = EndOfCG.MAX_PRODUCTS
            break
        image = product(direction)
        n_products += 1
        curvature = float(direction @ image)
        if not least_curvature * length_squared < curvature < np.inf:
            reason = EndOfCG.NO_CURVATURE
            break
        length = square / curvature
        solution += length * direction
        residual -= length * image
        gain = 0.5 * square * length
        ahead = residual if solve is None else solve(residual)
        square, previous = float(residual @ ahead), square
        direction = ahead + square / previous * direction
        length_squared = square + (square / previous) ** 2 * length_squared
    return CGResult(solution, residual, first_square, square, n_products, reason)
