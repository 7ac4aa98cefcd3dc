r"""Preconditioned conjugate gradients for ``A x = b`` with A symmetric positive semidefinite.

The caller provides products with A, solutions with a symmetric positive definite preconditioner M,
and a stopping rule. In exact arithmetic each step minimises ``½ xᵀ A x − bᵀ x`` over a space that
grows by one dimension, and lowers this function by

    ½ α rᵀ M⁻¹ r,    α = rᵀ M⁻¹ r / dᵀ A d

where r is the residual and d the direction of the step. The sum of these gains converges to
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
    """The reason why conjugate gradients ended."""

    STOPPED = "the stopping rule was met"
    MAX_PRODUCTS = "all products were used up"
    NO_CURVATURE = "rounding errors leave a direction without curvature"


class StoppingRule(Protocol):
    """A rule that decides before each product with A whether the solution is precise enough."""

    def __call__(self, residual: Array, square: float, gain: float) -> bool:
        """Return whether to stop.

        Parameters
        ----------
        residual : ndarray
            The residual b − A x. The rule must not keep it, since the next step overwrites it.
        square : float
            The squared norm rᵀ M⁻¹ r of the residual.
        gain : float
            The decrease of ½ xᵀ A x − bᵀ x in the last step; 0 before the first step.
        """


@dataclass(frozen=True)
class CGResult:
    """The result of conjugate gradients.

    Parameters
    ----------
    step : ndarray
        The approximate solution x.
    residual : ndarray
        The residual b − A x.
    first_square, square : float
        The squared norm rᵀ M⁻¹ r of the residual at the start and at the end.
    n_products : int
        The number of products with A.
    reason : EndOfCG
        The reason why the iterations ended.
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
    """Solve ``A x = b`` by preconditioned conjugate gradients that start at x = 0.

    Parameters
    ----------
    product : callable
        The function that returns A v for a vector v.
    right : ndarray of shape (order,)
        The right-hand side b.
    stop : StoppingRule
        The rule that ends the iterations. A residual of 0 ends them in any case.
    solve : callable, default=None
        The function that returns M⁻¹ v as a new array; by default M is the identity.
    max_products : int
        The largest number of products with A.
    least_curvature : float, default=0.0
        The iterations end at a direction d if ``dᵀ A d`` is at most this times ``dᵀ M d``.
    """
    solution, residual = np.zeros_like(right), right.copy()
    ahead = residual if solve is None else solve(residual)
    direction = ahead.copy() if solve is None else ahead
    first_square = square = float(residual @ ahead)
    length_squared = square  # This is dᵀ M d for the direction d.
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
