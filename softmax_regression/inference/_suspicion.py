"""Whether an unpenalised fit has run towards infinity: a quick look, and a proof if it fails.

Newton's step changes the scores of rows that are separated by about 1, however far the fit has
gone: their loss is an exponential of the score, and so are its first two derivatives. At a minimum
it changes no score by much. So a step with the information of a sample of the rows clears nearly
all fits. The others go on by full steps, which leave nothing at a minimum and a constant fraction
where there is none; and where these do, linear programming decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression.inference._detection import named, separation
from softmax_regression.inference._information import Likelihood
from softmax_regression.inference._newton import CALM, SingularInformationError, factored, maximize
from softmax_regression.inference._separation import UnsolvedProgramError

MOST_PARAMS = 1000  # for more, the programs would take longer than fits
_MOST_VALUES = 300_000  # Of the constraints of a program: one with more takes minutes.
_SAMPLE = 4000, 10  # rows, and rows for each unknown


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
    """Say why an unpenalised fit has no finite minimum; None if it has one.

    Parameters
    ----------
    design, targets : Design, Targets
        The rows, with the classes that were fitted.
    coef, intercept : ndarray
        W and b of these classes: a row for each, or one for two.
    fit_intercept : bool
        Whether the model has an intercept.
    names : array-like or None
        What the features are called.
    proved : bool
        Whether the fit tells all rows apart, which proves it.
    """
    labels = [f"x{j}" for j in range(design.n_columns)] if names is None else list(names)
    if proved:
        return _sentence("complete", labels)
    n_params = (len(targets.classes) - 1) * (design.n_columns + fit_intercept)
    if n_params > MOST_PARAMS or design.n_rows * n_params > _MOST_VALUES:
        return None
    likelihood = Likelihood(
        design, targets, total_weight=float(design.n_rows), fit_intercept=fit_intercept
    )
    u = likelihood.unknowns(coef, intercept)
    if not np.isfinite(u).all() or _is_calm(likelihood, u):
        return None
    try:
        found = separation(likelihood, labels)
    except UnsolvedProgramError:  # which is no reason to lose a fit
        return None
    return _sentence(found.kind, found.features) if found else None


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
    """Whether a fit is at a minimum, as far as a quick look or some full steps show."""
    try:
        gradient = likelihood.gradient(u)
        information = _sampled_information(likelihood, u)
        if not (np.isfinite(gradient).all() and np.isfinite(information).all()):
            return True  # values so large say nothing
        if likelihood.largest_change(-factored(information).solve(gradient)) < CALM:
            return True
    except SingularInformationError:
        pass
    try:
        return maximize(likelihood, u).regular
    except SingularInformationError:
        return False


def _sampled_information(likelihood: Likelihood, u: Array) -> Array:
    """Return the information of a sample of the rows, or of all if they are few."""
    fewest, of_unknown = _SAMPLE
    n_rows = likelihood.design.n_rows
    size = max(fewest, of_unknown * likelihood.n_params)
    rows = np.arange(n_rows)
    if 2 * size <= n_rows:
        # Any sample of the rows clears a fit.
        rows = np.sort(np.random.default_rng(0).choice(n_rows, size, replace=False))
        if not likelihood.targets.row_weights()[rows].any():
            rows = np.arange(n_rows)
    return likelihood.information(u, None if len(rows) == n_rows else rows)
