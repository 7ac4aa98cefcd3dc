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
from numpy.typing import NDArray

from softmax_regression._targets import Targets
from softmax_regression.design import Design
from softmax_regression.inference._detection import Separation, named, separation
from softmax_regression.inference._information import Likelihood
from softmax_regression.inference._newton import Factor, SingularInformationError, maximize

Array = NDArray[Any]

MOST_PARAMS = 1000  # for more, the programs would take longer than fits
_CALM = 0.05  # nats: changes of scores that are no sign of separation
_SAMPLE = 4000, 10  # rows, and rows for each unknown


def separation_of_fit(
    design: Design,
    targets: Targets,
    coef: Array,
    intercept: Array,
    *,
    fit_intercept: bool,
    names: list[Any],
    sure: bool = False,
) -> Separation | None:
    """Return what separation an unpenalised fit has run into; None if none.

    Parameters
    ----------
    design, targets : Design, Targets
        The rows, with the classes that were fitted.
    coef, intercept : ndarray
        W and b of these classes: a row for each, or one for two.
    fit_intercept : bool
        Whether the model has an intercept.
    names : list
        What the features are called.
    sure : bool, default=False
        Whether to go straight to linear programming.
    """
    if (len(targets.classes) - 1) * (design.n_columns + fit_intercept) > MOST_PARAMS:
        return None
    likelihood = Likelihood(
        design, targets, total_weight=float(design.n_rows), fit_intercept=fit_intercept
    )
    if len(coef) > 1:
        coef, intercept = coef[1:] - coef[0], intercept[1:] - intercept[0]
    u = likelihood.coordinates.unknowns(coef, intercept).ravel()
    if not sure and _is_calm(likelihood, u):
        return None
    found = separation(likelihood, names)
    return found if found else None


def message(found: Separation) -> str:
    """Say what was found."""
    what = "some rows" if found.kind == "quasi-complete" else "all rows"
    features = named(found.features)
    grows = f"the coefficients of {features} grow" if features else "the intercepts grow"
    return (
        f"{found.kind} separation: {what} can be told apart without an error, so that {grows} "
        "without bound, and where the fit stopped depends on tol alone. Set C to a finite value, "
        "or see softmax_regression.inference.detect_separation."
    )


def _is_calm(likelihood: Likelihood, u: Array) -> bool:
    """Whether a fit is at a minimum, as far as a quick look or some full steps show."""
    try:
        gradient, least = likelihood.gradient(u)
        step = -Factor.of(_sampled(likelihood).evaluate(u).information).solve(gradient)
        if least > -4 * gradient @ step or likelihood.largest_change(step) < _CALM:
            return True
    except SingularInformationError:
        pass
    try:
        return maximize(likelihood, u).regular
    except SingularInformationError:
        return False


def _sampled(likelihood: Likelihood) -> Likelihood:
    """Return the likelihood of a sample of the rows, or of all if they are few."""
    fewest, of_unknown = _SAMPLE
    n_rows = likelihood.design.n_rows
    size = max(fewest, of_unknown * likelihood.n_params)
    if 2 * size > n_rows:
        return likelihood
    rng = np.random.default_rng(0)  # any sample of the rows clears a fit
    rows = np.sort(rng.choice(n_rows, size, replace=False))
    weights = likelihood.targets.row_weights()[rows]
    return likelihood.sample(rows) if weights.any() else likelihood
