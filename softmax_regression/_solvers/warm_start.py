"""What one run leaves to the next, whose minimum is near: parameters and a preconditioner."""

from __future__ import annotations

from dataclasses import dataclass

from softmax_regression._linalg.arrays import Array
from softmax_regression._solvers.protocols import PreconditionerSource, Solve


@dataclass(frozen=True)
class Preconditioner:
    """A matrix that stands for the Hessian, and what is known of its worth.

    Parameters
    ----------
    matrix : Solve
        The matrix.
    source : PreconditionerSource, default=None
        What it comes from, and what makes the next one; None if it was made for another data set.
    stage : int, default=None
        Its stage in the source; by default the last.
    n_spent : float, default=0
        Products with the Hessian that have been spent on its age, as `ConjugateGradientDescent`
        counts them.
    products_when_new : float, default=None
        Products for each factor of e in the residual, in its first direction; None before that.
    """

    matrix: Solve
    source: PreconditionerSource | None = None
    stage: int | None = None
    n_spent: float = 0.0
    products_when_new: float | None = None


@dataclass(frozen=True)
class WarmStart:
    """Where a run begins whose minimum is known to be near.

    Parameters
    ----------
    params : ndarray of shape (n_params,)
        The parameters to begin with.
    preconditioner : Preconditioner, default=None
        What stood for the Hessian near there.
    """

    params: Array
    preconditioner: Preconditioner | None = None
