r"""Coefficients to shrink towards.

A penalty of W − M in the place of W is the plain problem in V = W − M: scores are V x + M x + b,
and M x is known beforehand, an offset of each row. So whatever solves the one solves the other, and
M is added in the end. With three classes or more, the V of all that give the same probabilities is
the smallest, so that W has in common over classes what M has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets

_ROWS = 4096  # of X that are multiplied at a time, in float64


def prior_coefficients(prior_mean: Any, n_classes: int, n_features: int) -> Array:
    """Return M, of the shape of `coef_`.

    Parameters
    ----------
    prior_mean : array-like
        M, or what can be broadcast to it.
    n_classes, n_features : int
        How many there are.

    Raises
    ------
    ValueError
        For what are no finite coefficients of these features.
    """
    shape = (1 if n_classes == 2 else n_classes, n_features)
    try:
        given = np.asarray(prior_mean, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"prior_mean must hold numbers; got {prior_mean!r}.") from error
    try:
        mean = np.broadcast_to(given, shape)
    except ValueError:
        raise ValueError(
            f"prior_mean has the shape {given.shape}, which can't be broadcast to that of coef_, "
            f"(n_classes, n_features) or for two classes (1, n_features): {shape} here."
        ) from None
    if not np.isfinite(mean).all():
        raise ValueError("prior_mean contains NaN or infinity: give each coefficient a number.")
    return mean


def around(prior: Array, design: Design, targets: Targets) -> Targets:
    """Return targets whose offsets hold what a prior mean says of each row."""
    known = np.empty((design.n_rows, len(prior)))
    for start in range(0, design.n_rows, _ROWS):
        rows = slice(start, min(start + _ROWS, design.n_rows))
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
