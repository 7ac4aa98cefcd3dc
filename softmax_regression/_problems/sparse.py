"""How `SoftmaxRegression` is fitted with exact zeros."""

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
from softmax_regression._solvers.criteria import best_start
from softmax_regression._solvers.loop import Stopping
from softmax_regression._solvers.proximal_newton.proximal_newton import minimize_proximal_newton
from softmax_regression._solvers.result import SolverResult

SPARSE_SOLVER = "proximal-newton"


class SparseProblem:
    """A linear cross-entropy with a penalty that makes zeros, in standardised coordinates.

    What it takes from X once, its moments, `base` keeps: problems of other strengths that are made
    from it, or from its `with_l2`, share them.

    Parameters
    ----------
    base : LinearCrossEntropy
        The smooth part in the coordinates of X, with its ridge.
    l1 : float
        Strength of the other part beside a *mean* cross-entropy, positive.
    grouping : {'none', 'features'}
        Whether coefficients are 0 one by one, or those of a feature in all classes together.
    """

    def __init__(self, base: LinearCrossEntropy, l1: float, grouping: str):
        self._standardized = base.standardized()
        coordinates = self._standardized.coordinates
        assert coordinates is not None
        smooth = in_float64(self._standardized)
        # Where it is lost beside the largest columns it does not vanish, to be divided by.
        weights = np.maximum(l1 / coordinates.scales, np.finfo(np.float64).tiny)
        self.objective = SparseCrossEntropy(smooth, PENALTIES[grouping](weights))

    def from_model(self, coef: Array, intercept: Array) -> Array:
        """Return the unknowns for W and b."""
        return self._standardized.from_model(coef, intercept)

    def to_model(self, unknowns: Array) -> tuple[Array, Array]:
        """Return W and b."""
        return self._standardized.to_model(unknowns)

    @property
    def solvers(self) -> dict[str, Callable[..., SolverResult]]:
        """The only solver, by its name."""
        return {SPARSE_SOLVER: minimize_proximal_newton}

    def default_solver(self) -> str:
        """Return its name."""
        return SPARSE_SOLVER

    def minimize(self, solver: str, starts: Sequence[Array], **how: Any) -> SolverResult:
        """Run a solver from the best of some starts; `how` is for `Stopping`.

        There is one: `solver` is its name, as in `Problem.minimize`.
        """
        assert solver == SPARSE_SOLVER
        start = best_start(self.objective, starts)
        return minimize_proximal_newton(self.objective, start, Stopping(**how))


def least_strength(base: LinearCrossEntropy, grouping: str) -> float:
    """Return the smallest l1 at which all coefficients are 0.

    Parameters
    ----------
    base : LinearCrossEntropy
        In the coordinates of X; its ridge does not matter.
    grouping : {'none', 'features'}
        As in `SparseProblem`.

    Returns
    -------
    float
        It takes a pass over X. In terms of C, all are 0 up to
        ``l1_ratio / (sum of weights * strength)``.
    """
    slopes = null_slopes(base.astype(np.float64))
    sizes = np.abs(slopes).max(axis=0)  # whose squares may overflow or vanish
    units = PENALTIES[grouping](np.ones(base.design.n_columns))
    return float((sizes * units.norms(slopes / np.where(sizes > 0, sizes, 1.0))).max(initial=0.0))
