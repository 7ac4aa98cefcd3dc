"""Texts of warnings that a solver stopped before it reached the minimum."""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_regression._problems.choice import MINIBATCH_SOLVERS
from softmax_regression._problems.progress import ROUNDING_REMEDY, UNRESOLVED_REMEDY
from softmax_regression._solvers.result import SolverResult, StopReason


def what_is_left(result: SolverResult, objective: float, tol: float) -> str:
    """Return a sentence about how far above the minimum the objective may be."""
    gap = "how far above the minimum is not known"
    if result.remaining < 1:
        gap = f"at most a fraction of {result.remaining:.1e} of it above the minimum"
    return f": the objective is {objective:.6g}, {gap}, and tol={tol:g}. "


def remedy(
    result: SolverResult, solver: str, *, worse: bool, dtype: np.dtype[Any], bounded: bool
) -> str:
    """Return a sentence that says what the user can do.

    Parameters
    ----------
    result : SolverResult
        The result of the solver.
    solver : str
        The name of the solver.
    worse : bool
        Whether the model is worse than guessing.
    dtype : dtype
        The precision of X.
    bounded : bool
        Whether the coefficients have bounds.
    """
    if worse and solver in MINIBATCH_SOLVERS:
        return "That is worse than guessing: lower learning_rate_init."
    if result.reason is StopReason.SEPARABLE:
        return "Set C to a finite value."
    if result.reason is StopReason.INTERRUPTED:
        return "The parameters reached so far are kept."
    if result.reason is StopReason.MAX_TIME:
        return "Raise max_time or tol."
    if result.reason is StopReason.ROUNDED:
        double = dtype == np.float64
        return "Subtract from each feature its mean, or raise tol." if double else ROUNDING_REMEDY
    if result.reason is StopReason.UNRESOLVED:
        return UNRESOLVED_REMEDY
    if result.reason is StopReason.ROUNDING:
        if dtype != np.float64:
            return "Pass float64 data, or raise tol."
        return (
            "Beside values so large, or so unequal, the penalty is lost in rounding errors: "
            "standardize the features, lower C, or raise tol."
        )
    if result.reason is StopReason.STALLED:
        return "Standardize the features, lower C, or raise tol."
    if solver in MINIBATCH_SOLVERS or solver == "lbfgs":
        other = "newton-cholesky" if bounded else "newton-cg"
        return f"Raise max_iter or tol, or try solver={other!r}."
    return "Raise max_iter or tol."
