"""Whether fits without a penalty have run towards infinity, and the warning that says so."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._problems.progress import Ending, warn_unless_converged
from softmax_regression._problems.specification import Specification
from softmax_regression._solvers.result import StopReason
from softmax_regression.inference._suspicion import no_finite_minimum


def separation_at(
    design: Design,
    targets: Targets,
    coef: Array,
    intercept: Array,
    reason: StopReason,
    *,
    fit_intercept: bool,
    names: Any,
) -> str | None:
    """Say why a fit without a penalty has no finite minimum; None if it has one.

    Parameters
    ----------
    design, targets : Design, Targets
        The rows, with all classes.
    coef, intercept : ndarray
        W and b where the fit ended.
    reason : StopReason
        Why it ended.
    fit_intercept : bool
        Whether the model has an intercept.
    names : array-like or None
        What the features are called.
    """
    classes = ClassesWithWeight(targets, fit_intercept)
    if classes.is_one:
        return None
    held = classes.restrict_model(coef, intercept)
    return no_finite_minimum(
        design,
        classes.targets,
        held[0].astype(np.float64),
        held[1].astype(np.float64),
        fit_intercept=fit_intercept,
        names=names,
        proved=reason is StopReason.SEPARABLE,
    )


def warn_of_separation(what: str, separation: str, remedy: str, stacklevel: int) -> None:
    """Warn that there is no finite minimum, why, and what to do."""
    warnings.warn(
        f"{what} has no finite optimum: {separation} {remedy}, or see "
        "softmax_regression.inference.detect_separation.",
        ConvergenceWarning,
        stacklevel=stacklevel + 1,
    )


def separation_on_a_path(
    design: Design,
    targets: Targets,
    coef: Array,
    intercept: Array,
    last: Ending,
    specification: Specification,
    names: Any,
) -> str | None:
    """Say why the last model of a path has no finite minimum, if it has no penalty.

    Parameters
    ----------
    design, targets, coef, intercept, names : object
        As of `separation_at`.
    last : Ending
        How its fit ended.
    specification : Specification
        How it was fitted.
    """
    if np.isfinite(last.C):
        return None
    fit_intercept = specification.fit_intercept
    return separation_at(
        design, targets, coef, intercept, last.reason, fit_intercept=fit_intercept, names=names
    )


def warn_of_path(
    separation: str | None, endings: Sequence[Ending], who: str, tol: float, stacklevel: int
) -> None:
    """Warn once of separation at an infinite C, and of fits that ended early for other reasons."""
    if separation is not None:
        remedy = "Leave inf out of Cs"
        warn_of_separation(f"{who} at C=inf", separation, remedy, stacklevel + 1)
        endings = [ending for ending in endings if np.isfinite(ending.C)]
    warn_unless_converged(endings, who, tol, stacklevel + 1)
