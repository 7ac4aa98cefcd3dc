"""The problem with bias reduction, which Fisher scoring solves with an adjusted score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.linalg import eigh

from softmax_regression._curvature.bias_reduced import (
    BiasReducedCrossEntropy,
    InformedEvaluation,
    gram_matrix,
    is_singular,
)
from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.coordinates import spreads
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.one_block import in_float64
from softmax_regression._problems.problem import InStandardizedCoordinates
from softmax_regression._solvers.criteria import best_start
from softmax_regression._solvers.loop import Stopping
from softmax_regression._solvers.newton.descent import CholeskyDescent
from softmax_regression._solvers.newton.newton import minimize_newton
from softmax_regression._solvers.result import SolverResult, StopReason

BIAS_REDUCED_SOLVER = "newton-cholesky"
_LARGEST_ORDER = 4000  # Largest order of the information, which is inverted in each iteration.
_LEAST_TOL = 1e-15  # Smaller tolerances are within rounding errors.
# Columns count as collinear if their entries in the null vector are at least this share of the
# largest.
_RELATIVE_NULL_ENTRY = 1e-4


class BiasReducedProblem(InStandardizedCoordinates):
    """A linear cross-entropy with Jeffreys' prior, in standardised coordinates.

    Parameters
    ----------
    base : LinearCrossEntropy
        The objective in the coordinates of X, without a penalty.
    strength : float
        The strength of the prior relative to a mean cross-entropy: one over the sum of weights.

    Raises
    ------
    ValueError
        If the information is too large to be inverted, or is singular.
    """

    def __init__(self, base: LinearCrossEntropy, strength: float):
        _check_order(base)
        self._standardized = base.standardized()
        smooth = in_float64(self._standardized)
        _check_columns(base, gram_matrix(smooth))
        self.objective = BiasReducedCrossEntropy(smooth, strength)

    @property
    def solvers(self) -> dict[str, Callable[..., SolverResult]]:
        """The only solver, by its name."""
        return {BIAS_REDUCED_SOLVER: _scoring}

    def default_solver(self) -> str:
        """Return the name of the only solver."""
        return BIAS_REDUCED_SOLVER

    def minimize(self, solver: str, starts: Sequence[Array], **how: Any) -> SolverResult:
        """Run Fisher scoring from the best of some starts.

        Parameters
        ----------
        solver : str
            The name of the only solver, as in `Problem.minimize`.
        starts : sequence of ndarray of shape (n_params,)
            Parameters, of which those with the smallest value are the start.
        **how
            Arguments of `Stopping`.
        """
        assert solver == BIAS_REDUCED_SOLVER
        centred = [self.objective.smooth.centred(start) for start in starts]
        return _scoring(self.objective, best_start(self.objective, centred), Stopping(**how))


def _scoring(
    objective: BiasReducedCrossEntropy, start: Evaluation, stopping: Stopping
) -> SolverResult:
    """Run Fisher scoring until the decrement is about the square of the tolerance.

    Newton's method, which converges quadratically, ends about there when it reaches the tolerance.
    Fisher scoring converges linearly, and needs further iterations to be as accurate.
    """
    descent = CholeskyDescent(objective, _factor_of, costly=False)
    sharper = replace(stopping, tol=min(stopping.tol, max(stopping.tol**2, _LEAST_TOL)))
    result = minimize_newton(objective, descent, start, sharper)
    kept = StopReason.INTERRUPTED, StopReason.STOPPED
    if result.remaining <= stopping.tol and result.reason not in kept:
        return replace(result, reason=StopReason.CONVERGED)
    return result


def _factor_of(at: Evaluation, left: float) -> HessianFactor:
    """Return the factor of the information, which was computed with the value."""
    assert isinstance(at, InformedEvaluation)
    assert at.factor is not None
    return at.factor


def check_bias_reduction(
    bias_reduction: str | None, C: float, l1_ratio: float, bounded: bool, solver: str
) -> None:
    """Raise if bias reduction does not go together with the other parameters."""
    if bias_reduction is None:
        return
    what = f"bias_reduction={bias_reduction!r}"
    if np.isfinite(C):
        raise ValueError(
            f"{what} is for the likelihood without a penalty, and C={C!r} penalises it: set C=inf, "
            "or bias_reduction=None."
        )
    if l1_ratio != 0:
        raise ValueError(
            f"{what} does not go together with l1_ratio={l1_ratio!r}: set l1_ratio=0, or "
            "bias_reduction=None."
        )
    if bounded:
        raise ValueError(
            f"{what} does not keep coefficients within bounds: set bounds=None, or "
            "bias_reduction=None."
        )
    if solver not in ("auto", BIAS_REDUCED_SOLVER):
        raise ValueError(
            f"solver={solver!r} does not find the estimate of {what}, whose every step needs the "
            f"inverse information: set solver='auto' or {BIAS_REDUCED_SOLVER!r}."
        )


def _check_order(base: LinearCrossEntropy) -> None:
    order = base.layout.hessian_order
    if order > _LARGEST_ORDER:
        raise ValueError(
            "bias_reduction='firth' inverts a matrix in every step, of as many rows as there are "
            f"coefficients, (n_classes - 1) * (n_features + 1): {order} here, and at most "
            f"{_LARGEST_ORDER}. Leave features out, or set bias_reduction=None and C to a finite "
            "value."
        )


def _check_columns(base: LinearCrossEntropy, gram: Array) -> None:
    """Raise if columns are collinear, so that the information is singular."""
    beside = " beside the intercept" if base.fit_intercept else ""
    constant = np.flatnonzero(spreads(base.data.moments(), base.fit_intercept) == 0)
    if len(constant):
        what = f"is constant{beside}" if base.fit_intercept else "holds zeros alone"
        raise ValueError(
            f"bias_reduction='firth' needs an information that is not singular, and column "
            f"{constant[0]} of X {what}. Leave it out."
        )
    if not is_singular(gram):
        return
    roots = np.sqrt(gram.diagonal())
    _, vectors = eigh(gram / roots / roots[:, None], subset_by_index=(0, 0))
    sizes = np.abs(vectors[: base.design.n_columns, 0])
    involved = np.flatnonzero(sizes > _RELATIVE_NULL_ENTRY * sizes.max())
    columns = ", ".join(map(str, involved[:10])) + (", …" if len(involved) > 10 else "")
    raise ValueError(
        "bias_reduction='firth' needs an information that is not singular, and columns "
        f"{columns} of X are collinear{beside}. Leave one of them out, as the reference level of a "
        "categorical feature."
    )
