"""Parameters that hold numbers for coefficients or features, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_regression._linalg.arrays import Array


def as_floats(value: Any, name: str) -> Array:
    """Return the value of a parameter as an array in float64.

    Parameters
    ----------
    value : array-like
        The value.
    name : str
        What messages call the parameter.

    Raises
    ------
    ValueError
        If the value does not hold numbers.
    """
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers; got {value!r}.") from error


def coefficient_shape(n_classes: int, n_features: int) -> tuple[int, int]:
    """Return the shape of `coef_`: two classes have one row of coefficients."""
    return (1 if n_classes == 2 else n_classes, n_features)


def for_each_coefficient(value: Any, name: str, shape: tuple[int, int]) -> Array:
    """Return the value of a parameter as an array of the shape of `coef_`.

    Parameters
    ----------
    value : array-like
        Numbers that can be broadcast to that shape.
    name : str
        What messages call the parameter.
    shape : tuple of int
        The shape of `coef_`.

    Raises
    ------
    ValueError
        If the value does not hold numbers, or cannot be broadcast.
    """
    given = as_floats(value, name)
    try:
        return np.broadcast_to(given, shape)
    except ValueError:
        raise ValueError(
            f"{name} has the shape {given.shape}, which can't be broadcast to that of coef_, "
            f"(n_classes, n_features) or for two classes (1, n_features): {shape} here."
        ) from None
