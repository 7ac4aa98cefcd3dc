"""The bounds of coefficients, as a user gives them, for each coefficient."""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_regression._linalg.arrays import Array

_SIDES = {"lower": -np.inf, "upper": np.inf}


def coefficient_bounds(bounds: Any, classes: Array, n_features: int) -> tuple[Array, Array]:
    """Return lower and upper bounds of the shape of `coef_`.

    Parameters
    ----------
    bounds : (lower, upper)
        Each None, a number, or an array that can be broadcast.
    classes : ndarray of shape (n_classes,)
        The labels; of two classes, the coefficients are those of the second.
    n_features : int
        Columns.

    Raises
    ------
    ValueError
        For what is no pair of bounds between which there is anything.
    """
    try:
        pair = tuple(bounds)
    except TypeError:
        pair = ()
    if len(pair) != len(_SIDES):
        raise ValueError(
            "bounds must be a pair (lower, upper), such as (0, None) for coefficients that are not "
            f"negative; got {bounds!r}."
        )
    rows = classes[-1:] if len(classes) == 2 else classes
    lower, upper = (
        _broadcast(value, side, (len(rows), n_features))
        for value, side in zip(pair, _SIDES, strict=True)
    )
    crossed = np.argwhere(~(lower <= upper) | (lower == np.inf) | (upper == -np.inf))
    if len(crossed):
        k, j = crossed[0]
        raise ValueError(
            f"bounds leave nothing for the coefficient of feature {j} for class {rows[k]!s}: the "
            f"lower is {lower[k, j]:g} and the upper {upper[k, j]:g}. Give (lower, upper) with a "
            "finite number between them, or equal ones."
        )
    return lower, upper


def smallest_coefficients(bounds: Any, classes: Array, n_features: int) -> Array:
    """Return the coefficients of the smallest penalty: zeros, or what bounds allow next to them."""
    zeros = np.zeros((1 if len(classes) == 2 else len(classes), n_features))
    if bounds is None:
        return zeros
    return np.clip(zeros, *coefficient_bounds(bounds, classes, n_features))


def _broadcast(value: Any, side: str, shape: tuple[int, int]) -> Array:
    if value is None:
        return np.full(shape, _SIDES[side])
    try:
        given = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The {side} one of bounds must hold numbers, or be None; got {value!r}."
        ) from error
    if np.isnan(given).any():
        raise ValueError(
            f"The {side} one of bounds holds NaN: for no bound give {_SIDES[side]} or None."
        )
    try:
        return np.broadcast_to(given, shape)
    except ValueError:
        raise ValueError(
            f"The {side} one of bounds has shape {given.shape}, which can't be broadcast to that "
            f"of coef_, (n_classes, n_features) or for two classes (1, n_features): {shape} here."
        ) from None
