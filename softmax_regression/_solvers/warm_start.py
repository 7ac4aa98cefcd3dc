"""Warm starts: parameters and a preconditioner from a run whose minimum is near."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from softmax_regression._linalg.arrays import Array
from softmax_regression._solvers.protocols import PreconditionerSource, Solve


@dataclass(frozen=True)
class Preconditioner:
    """An approximation of the Hessian, and how well it has worked so far.

    Parameters
    ----------
    matrix : Solve
        The matrix.
    source : PreconditionerSource, default=None
        The source of the matrix, which can make the next one; None if the matrix is that of another
        data set.
    stage : int, default=None
        Its stage in the source; by default the last.
    n_spent : float, default=0
        Products with the Hessian that have been taken with matrices of its stage.
    n_wasted : float, default=0
        Those of them that its age has cost, as `ConjugateGradientDescent` counts them.
    products_when_new : float, default=None
        Products that reduce the residual by a factor of e, in the first direction; None before
        that.
    """

    matrix: Solve
    source: PreconditionerSource | None = None
    stage: int | None = None
    n_spent: float = 0.0
    n_wasted: float = 0.0
    products_when_new: float | None = None

    def after(self, n_products: int, progress: float) -> Self:
        """Return the record after a run that reduced the residual by a factor of e^progress.

        A first run with less progress than a factor of e was ended for other reasons than its
        goal, and is no measure of the matrix.
        """
        n_spent, when_new = self.n_spent + n_products, self.products_when_new
        if when_new is None:
            when_new = n_products / max(progress, 1.0) if n_products > 0 else None
            return replace(self, n_spent=n_spent, products_when_new=when_new)
        wasted = max(n_products - when_new * progress, 0.0)
        return replace(self, n_spent=n_spent, n_wasted=self.n_wasted + wasted)


@dataclass(frozen=True)
class WarmStart:
    """The start of a run whose minimum is known to be near.

    Parameters
    ----------
    params : ndarray of shape (n_params,)
        The parameters at the start.
    preconditioner : Preconditioner, default=None
        An approximation of the Hessian nearby.
    """

    params: Array
    preconditioner: Preconditioner | None = None
