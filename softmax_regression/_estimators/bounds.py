"""The parameter `bounds`: a lower and an upper bound for each coefficient."""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_regression._estimators.coefficients import coefficient_shape, for_each_coefficient
from softmax_regression._linalg.arrays import Array

_UNBOUNDED = {"lower": -np.inf, "upper": np.inf}  # What stands for no bound on either side.


def coefficient_bounds(bounds: Any, classes: Array, n_features: int) -> tuple[Array, Array]:
    """Return lower and upper bounds of the shape of `coef_`.

    Parameters
    ----------
    bounds : (lower, upper)
        Each None, a number, or an array that can be broadcast.
    classes : ndarray of shape (n_classes,)
        The labels; of two classes, the coefficients are those of the second.
    n_features : int
        The number of columns of X.

    Raises
    ------
    ValueError
        If `bounds` is not a pair, or leaves no number to a coefficient.
    """
    try:
        pair = tuple(bounds)
    except TypeError:
        pair = ()
    if len(pair) != 2:
        raise ValueError(
            "bounds must be a pair (lower, upper), such as (0, None) for coefficients that are not "
            f"negative; got {bounds!r}."
        )
    shape = coefficient_shape(len(classes), n_features)
    lower, upper = (
        _one_side(value, side, shape) for value, side in zip(pair, _UNBOUNDED, strict=True)
    )
    crossed = np.argwhere(~(lower <= upper) | (lower == np.inf) | (upper == -np.inf))
    if len(crossed):
        k, j = crossed[0]
        label = classes[-len(lower) :][k]
        raise ValueError(
            f"bounds leave nothing for the coefficient of feature {j} for class {label!s}: the "
            f"lower is {lower[k, j]:g} and the upper {upper[k, j]:g}. Give (lower, upper) with a "
            "finite number between them, or equal ones."
        )
    return lower, upper


def smallest_coefficients(bounds: Any, classes: Array, n_features: int) -> Array:
    """Return the coefficients of the smallest penalty: zeros, or the nearest to 0 within bounds."""
    zeros = np.zeros(coefficient_shape(len(classes), n_features))
    if bounds is None:
        return zeros
    return np.clip(zeros, *coefficient_bounds(bounds, classes, n_features))


def _one_side(value: Any, side: str, shape: tuple[int, int]) -> Array:
    """Return the lower or the upper bounds as an array of the shape of `coef_`."""
    if value is None:
        return np.full(shape, _UNBOUNDED[side])
    limits = for_each_coefficient(value, f"The {side} one of bounds", shape)
    if np.isnan(limits).any():
        raise ValueError(
            f"The {side} one of bounds holds NaN: for no bound give {_UNBOUNDED[side]} or None."
        )
    return limits
