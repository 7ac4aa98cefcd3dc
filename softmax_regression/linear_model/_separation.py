"""Warnings of fits without a penalty that have no finite minimum because of separation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._problems.progress import FitRecord, warn_unless_converged
from softmax_regression._problems.specification import Specification
from softmax_regression._solvers.result import StopReason
from softmax_regression.inference._suspicion import no_finite_minimum, tells_apart


def separation_at(
    design: Design,
    targets: Targets,
    coef: Array,
    intercept: Array,
    reason: StopReason,
    *,
    fit_intercept: bool,
    names: Any,
    columns: NDArray[np.intp] | None = None,
) -> str | None:
    """Return a sentence on why a fit has no finite minimum; None if it has one.

    Coefficients with a penalty stay finite. So only features without a penalty are examined for
    separation.

    Parameters
    ----------
    design, targets : Design, Targets
        The rows, with all classes.
    coef, intercept : ndarray
        W and b at the end of the fit.
    reason : StopReason
        Why the solver stopped.
    fit_intercept : bool
        Whether the model has an intercept.
    names : array-like or None
        The names of the features.
    columns : ndarray of int, default=None
        The features without a penalty; by default all.
    """
    classes = ClassesWithWeight(targets, fit_intercept)
    if classes.is_one:
        return None
    targets, proved = classes.targets, reason is StopReason.SEPARABLE
    coef, intercept = classes.restrict_model(coef.astype(np.float64), intercept.astype(np.float64))
    if columns is not None and len(columns) < design.n_columns:
        others = np.setdiff1d(np.arange(design.n_columns), columns)
        known = design.select(others).scores(coef[:, others].astype(design.dtype)).T
        targets = replace(targets, offset=known + (0 if targets.offset is None else targets.offset))
        design, coef = design.select(columns), coef[:, columns]
        proved = tells_apart(design, classes.targets, coef, intercept, fit_intercept=fit_intercept)
        names = [f"x{j}" for j in columns] if names is None else names[columns]
    return no_finite_minimum(
        design,
        targets,
        coef,
        intercept,
        fit_intercept=fit_intercept,
        names=names,
        proved=proved,
    )


def unpenalized(C: float, penalty_weights: Any, n_columns: int) -> NDArray[np.intp]:
    """Return the columns without a penalty."""
    if np.isinf(C):
        return np.arange(n_columns)
    if penalty_weights is None:
        return np.arange(0)
    return np.flatnonzero(np.asarray(penalty_weights, dtype=np.float64) == 0)


def warn_of_separation(what: str, separation: str, remedy: str, stacklevel: int) -> None:
    """Warn that there is no finite minimum, with the reason and a remedy."""
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
    last: FitRecord,
    specification: Specification,
    names: Any,
) -> str | None:
    """Return a sentence on why the last model of a path has no finite minimum; None if it has one.

    Parameters
    ----------
    design, targets, coef, intercept, names : object
        As in `separation_at`.
    last : FitRecord
        How the fit of the last model ended.
    specification : Specification
        The specification of the path.
    """
    if np.isfinite(last.C):
        return None
    fit_intercept = specification.fit_intercept
    return separation_at(
        design, targets, coef, intercept, last.reason, fit_intercept=fit_intercept, names=names
    )


def warn_of_path(
    separation: str | None, records: Sequence[FitRecord], who: str, tol: float, stacklevel: int
) -> None:
    """Warn once of separation at an infinite C, and of fits that ended early for other reasons."""
    if separation is not None:
        remedy = "Leave inf out of Cs"
        warn_of_separation(f"{who} at C=inf", separation, remedy, stacklevel + 1)
        records = [record for record in records if np.isfinite(record.C)]
    warn_unless_converged(records, who, tol, stacklevel + 1)
