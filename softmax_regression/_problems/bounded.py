"""The problem with bounds on the coefficients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import Bounds

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.bounded import BoundedCrossEntropy
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.one_block import in_float64
from softmax_regression._solvers.box.box import BoxDescent
from softmax_regression._solvers.criteria import best_start
from softmax_regression._solvers.lbfgs import minimize_lbfgs
from softmax_regression._solvers.loop import Stopping
from softmax_regression._solvers.newton.newton import minimize_newton
from softmax_regression._solvers.result import SolverResult

_LARGEST_ORDER = 1000  # Largest order of a Hessian that is factored in each iteration.


class BoundedProblem:
    """A linear cross-entropy within bounds, in standardised coordinates.

    Parameters
    ----------
    base : LinearCrossEntropy
        The objective in the coordinates of X.
    lower, upper : ndarray of shape (n_outputs, n_features)
        The lower and upper bounds of W.
    """

    def __init__(self, base: LinearCrossEntropy, lower: Array, upper: Array):
        self._bounds = lower, upper
        self._standardized = base.standardized()
        coordinates = self._standardized.coordinates
        assert coordinates is not None
        smooth = in_float64(self._standardized)
        with np.errstate(over="ignore"):  # A bound that overflows to infinity is no bound.
            box = coordinates.scales * lower, coordinates.scales * upper
        self.objective = BoundedCrossEntropy(smooth, *box)

    def from_model(self, coef: Array, intercept: Array) -> Array:
        """Return the unknowns for W and b, after W is clipped to its bounds."""
        return self.objective.within(
            self._standardized.from_model(np.clip(coef, *self._bounds), intercept)
        )

    def to_model(self, unknowns: Array) -> tuple[Array, Array]:
        """Return W and b; unknowns at a bound give coefficients exactly at that bound."""
        coef, intercept = self._standardized.to_model(unknowns)
        matrix, _ = self._standardized.layout.unpack(unknowns)
        for bound, side in zip(self._bounds, self.objective.box, strict=True):
            coef = np.where(matrix == self._standardized.layout.unpack(side)[0], bound, coef)
        return np.clip(coef, *self._bounds), intercept

    @property
    def solvers(self) -> dict[str, Callable[..., SolverResult]]:
        """The solvers that respect bounds, by name."""
        return BOUNDED_SOLVERS

    def default_solver(self) -> str:
        """Choose a solver for `solver="auto"`.

        On data that are not standardised L-BFGS-B takes hundreds of iterations, and Newton's method
        about ten.
        """
        return "newton-cholesky" if self.objective.order <= _LARGEST_ORDER else "lbfgs"

    def minimize(self, solver: str, starts: Sequence[Array], **how: Any) -> SolverResult:
        """Run one of `BOUNDED_SOLVERS` from the best of some starts.

        `how` holds arguments of `Stopping`.
        """
        start = best_start(self.objective, starts)
        return BOUNDED_SOLVERS[solver](self.objective, start, Stopping(**how))


def _newton(objective: BoundedCrossEntropy, start: Evaluation, stopping: Stopping) -> SolverResult:
    return minimize_newton(objective, BoxDescent(objective), start, stopping)


def _lbfgs(objective: BoundedCrossEntropy, start: Evaluation, stopping: Stopping) -> SolverResult:
    return minimize_lbfgs(objective, start, stopping, bounds=Bounds(*objective.box))


BOUNDED_SOLVERS: dict[str, Callable[..., SolverResult]] = {
    "lbfgs": _lbfgs,
    "newton-cholesky": _newton,
}
