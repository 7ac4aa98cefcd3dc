"""Whether an unpenalised fit diverges, by a cheap test first and by linear programming if it fails.

The Newton step changes the scores of separated rows by about 1, however far the fit has gone,
because their loss is an exponential of the score, and so are its first two derivatives. At a
minimum the step changes no score by much, so that a step with the information of a sample of the
rows is enough to clear nearly all fits. The other fits are continued by full Newton steps, which
converge quadratically to a minimum, and only linearly if there is none. If they converge linearly,
linear programming decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression.inference._detection import named, separation
from softmax_regression.inference._information import Likelihood
from softmax_regression.inference._newton import CALM, SingularInformationError, factored, maximize
from softmax_regression.inference._separation import UnsolvedProgramError

MOST_PARAMS = 1000  # With more parameters, the linear programs would take longer than the fit.
_MAX_CONSTRAINT_VALUES = 300_000  # A program with a larger constraint matrix takes minutes.
_MIN_SAMPLE_ROWS = 4000
_SAMPLE_ROWS_PER_UNKNOWN = 10


@np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore")
def no_finite_minimum(
    design: Design,
    targets: Targets,
    coef: Array,
    intercept: Array,
    *,
    fit_intercept: bool,
    names: Any,
    proved: bool,
) -> str | None:
    """Return why an unpenalised fit has no finite minimum, or None if it has one.

    Parameters
    ----------
    design, targets : Design, Targets
        The rows, with the fitted classes.
    coef, intercept : ndarray
        The coefficients W and intercepts b: a row for each class, or a single row for two.
    fit_intercept : bool
        Whether the model has an intercept.
    names : array-like or None
        The names of the features.
    proved : bool
        Whether the fit separates all rows, which proves that there is no finite minimum.
    """
    labels = [f"x{j}" for j in range(design.n_columns)] if names is None else list(names)
    if proved:
        return _sentence("complete", labels)
    n_params = (len(targets.classes) - 1) * (design.n_columns + fit_intercept)
    if n_params > MOST_PARAMS or design.n_rows * n_params > _MAX_CONSTRAINT_VALUES:
        return None
    likelihood = Likelihood(
        design, targets, total_weight=float(design.n_rows), fit_intercept=fit_intercept
    )
    u = likelihood.unknowns(coef, intercept)
    if not np.isfinite(u).all() or _is_calm(likelihood, u):
        return None
    try:
        found = separation(likelihood, labels)
    except UnsolvedProgramError:  # A failed diagnosis is no reason to lose a fit.
        return None
    return _sentence(found.kind, found.features) if found else None


def tells_apart(
    design: Design, targets: Targets, coef: Array, intercept: Array, *, fit_intercept: bool
) -> bool:
    """Return whether W and b alone, without offsets, tell all rows of positive weight apart.

    The parameters are those of `no_finite_minimum`.
    """
    likelihood = Likelihood(
        design,
        replace(targets, offset=None),
        total_weight=float(design.n_rows),
        fit_intercept=fit_intercept,
    )
    return likelihood.separates(likelihood.unknowns(coef, intercept))


def _sentence(kind: str, features: list[Any]) -> str:
    what = "the classes can be told apart perfectly"
    if kind == "quasi-complete":
        what = "some rows can be told apart from other classes without an error"
    grows = f"the coefficients of {named(features)} grow" if features else "the intercepts grow"
    return (
        f"{what} ({kind} separation), so that {grows} without bound, and where the fit stops "
        "depends on tol."
    )


def _is_calm(likelihood: Likelihood, u: Array) -> bool:
    """Return whether a fit is at a minimum, by a sampled Newton step or by full steps."""
    try:
        gradient = likelihood.gradient(u)
        information = _sampled_information(likelihood, u)
        if not (np.isfinite(gradient).all() and np.isfinite(information).all()):
            return True  # Values that overflow decide nothing.
        if likelihood.changes_less(-factored(information).solve(gradient), CALM):
            return True
    except SingularInformationError:
        pass
    try:
        return maximize(likelihood, u).regular
    except SingularInformationError:
        return False


def _sampled_information(likelihood: Likelihood, u: Array) -> Array:
    """Return the information of a sample of the rows, or of all if they are few."""
    n_rows = likelihood.design.n_rows
    size = max(_MIN_SAMPLE_ROWS, _SAMPLE_ROWS_PER_UNKNOWN * likelihood.n_params)
    rows = np.arange(n_rows)
    if 2 * size <= n_rows:
        # The choice of the sample is arbitrary, hence the fixed seed.
        rows = np.sort(np.random.default_rng(0).choice(n_rows, size, replace=False))
        if not likelihood.targets.row_weights()[rows].any():
            rows = np.arange(n_rows)
    return likelihood.information(u, None if len(rows) == n_rows else rows)
