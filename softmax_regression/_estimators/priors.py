r"""The parameter `prior_mean`: coefficients M towards which a penalty shrinks W.

A penalty of W − M is the usual penalty of V = W − M. Scores are then V x + M x + b, where M x is a
known offset of each row. The solvers find V, and M is added to it in the end. With three classes or
more, many V give the same probabilities. The fit takes the smallest of them, whose mean over the
classes is 0, so that W and M have the same mean over the classes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._estimators.coefficients import coefficient_shape, for_each_coefficient
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets

_ROWS_AT_A_TIME = 4096  # Rows of X that are converted to float64 and multiplied by M together.


def prior_coefficients(prior_mean: Any, n_classes: int, n_features: int) -> Array:
    """Return M as an array of the shape of `coef_`.

    Parameters
    ----------
    prior_mean : array-like
        M, or an array that can be broadcast to it.
    n_classes, n_features : int
        The numbers of classes and of columns of X.

    Raises
    ------
    ValueError
        If M does not hold numbers, has another shape, or is not finite.
    """
    shape = coefficient_shape(n_classes, n_features)
    mean = for_each_coefficient(prior_mean, "prior_mean", shape)
    if not np.isfinite(mean).all():
        raise ValueError("prior_mean contains NaN or infinity: give each coefficient a number.")
    return mean


def around(prior: Array, design: Design, targets: Targets) -> Targets:
    """Return targets to whose offsets the scores of the prior mean are added."""
    known = np.empty((design.n_rows, len(prior)))
    for start in range(0, design.n_rows, _ROWS_AT_A_TIME):
        rows = slice(start, min(start + _ROWS_AT_A_TIME, design.n_rows))
        with np.errstate(over="ignore", invalid="ignore"):
            known[rows] = design[rows].astype(np.float64).scores(prior).T
    if len(prior) > 1:
        with np.errstate(over="ignore", invalid="ignore"):
            known -= known.mean(axis=1)[:, None]
    if targets.offset is not None:
        known += targets.offset
    if not np.isfinite(known).all():
        raise ValueError(
            "prior_mean times X overflows: give coefficients in the units of the features of X."
        )
    return replace(targets, offset=known)
