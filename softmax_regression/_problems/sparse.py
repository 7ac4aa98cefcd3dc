"""The problem with a penalty that sets coefficients to zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.null_model import null_slopes
from softmax_regression._objectives.linear.one_block import in_float64
from softmax_regression._objectives.linear.sparse import SparseCrossEntropy
from softmax_regression._penalties.lasso import PENALTIES
from softmax_regression._penalties.weighted_ridge import NEGLIGIBLE_STRENGTH
from softmax_regression._problems.problem import InStandardizedCoordinates
from softmax_regression._solvers.criteria import RelativeGap, best_start
from softmax_regression._solvers.loop import Stopping
from softmax_regression._solvers.proximal_newton.proximal_newton import minimize_proximal_newton
from softmax_regression._solvers.result import SolverResult

SPARSE_SOLVER = "proximal-newton"
# The fit of the features without a penalty that precedes the search for the least strength.
_UNPENALIZED_FIT_TOL = 1e-12  # Relative optimality gap.
_MAX_UNPENALIZED_FIT_ITERATIONS = 1000
_RELATIVE_SLOPE_ERROR = 1e-6  # Largest relative error of the slopes that this tolerance leaves.


class SparseProblem(InStandardizedCoordinates):
    """A linear cross-entropy with a lasso or a group lasso, in standardised coordinates.

    `base` remembers the moments of X, so that problems of other strengths that are made from it, or
    from its `with_l2`, need no pass over X for them.

    Parameters
    ----------
    base : LinearCrossEntropy
        The smooth part in the coordinates of X, with its ridge.
    l1 : float
        Strength of the lasso relative to a *mean* cross-entropy, positive.
    grouping : {'none', 'features'}
        Whether single coefficients are set to zero, or those of a feature in all classes together.
    weights : ndarray of shape (n_features,), default=None
        Factors of l1 for each feature; by default 1.
    """

    def __init__(
        self, base: LinearCrossEntropy, l1: float, grouping: str, weights: Array | None = None
    ):
        self._standardized = base.standardized()
        coordinates = self._standardized.coordinates
        assert coordinates is not None
        smooth = in_float64(self._standardized)
        # A strength that underflows for the largest columns is kept positive, as it is divided by.
        strengths = np.maximum(l1 / coordinates.scales, np.finfo(np.float64).tiny)
        if weights is not None:
            strengths *= weights
            # Strengths within rounding errors are set to 0, so that the certificate knows of them.
            ridge = smooth.ridge[: len(strengths)]
            strengths[np.maximum(strengths, ridge) <= NEGLIGIBLE_STRENGTH] = 0.0
        self.objective = SparseCrossEntropy(smooth, PENALTIES[grouping](strengths))

    @property
    def solvers(self) -> dict[str, Callable[..., SolverResult]]:
        """The only solver, by its name."""
        return {SPARSE_SOLVER: minimize_proximal_newton}

    def default_solver(self) -> str:
        """Return the name of the only solver."""
        return SPARSE_SOLVER

    def minimize(self, solver: str, starts: Sequence[Array], **how: Any) -> SolverResult:
        """Run the only solver from the best of some starts.

        `solver` is its name, as in `Problem.minimize`, and `how` holds arguments of `Stopping`.
        """
        assert solver == SPARSE_SOLVER
        start = best_start(self.objective, starts)
        return minimize_proximal_newton(self.objective, start, Stopping(**how))


def least_strength(base: LinearCrossEntropy, grouping: str, weights: Array | None = None) -> float:
    """Return the smallest l1 at which all coefficients with a penalty are 0.

    Parameters
    ----------
    base : LinearCrossEntropy
        The objective in the coordinates of X, without a ridge.
    grouping : {'none', 'features'}
        As in `SparseProblem`.
    weights : ndarray of shape (n_features,), default=None
        As in `SparseProblem`.

    Returns
    -------
    float
        The strength. It takes a pass over X, or if some weights are 0, a fit of their features. The
        coefficients are 0 for C up to ``l1_ratio / (sum of weights * strength)``.
    """
    if weights is None:
        weights = np.ones(base.design.n_columns)
    counted = np.flatnonzero(weights)
    if len(counted) == len(weights) and not base.data.has_offset:
        slopes = null_slopes(base.astype(np.float64))
    else:
        slopes = _slopes_beside_unpenalized(base, weights)
    slopes = slopes[:, counted]
    sizes = np.abs(slopes).max(axis=0)  # Squares of slopes might overflow or underflow.
    units = PENALTIES[grouping](weights[counted])
    norms = sizes * units.norms(slopes / np.where(sizes > 0, sizes, 1.0))
    return float((norms / weights[counted]).max(initial=0.0))


def _slopes_beside_unpenalized(base: LinearCrossEntropy, weights: Array) -> Array:
    """Return the gradient in W of the mean loss, after a fit of the features without penalty."""
    # A slope is at most the largest value of a column: this strength sets all others to 0.
    enough = 4 * float(base.data.moments().sizes().max()) or 1.0
    problem = SparseProblem(base, enough, "none", (weights > 0).astype(np.float64))
    start = problem.from_model(*base.null_model())
    how = {"criterion": RelativeGap(), "tol": _UNPENALIZED_FIT_TOL}
    how["max_iter"] = _MAX_UNPENALIZED_FIT_ITERATIONS
    result = problem.minimize(SPARSE_SOLVER, [start], **how)
    precise = base.astype(np.float64)
    at = precise.evaluate(precise.layout.pack(*problem.to_model(result.params)))
    return (1 + _RELATIVE_SLOPE_ERROR) * precise.layout.unpack(at.gradient)[0]
