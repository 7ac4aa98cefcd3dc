"""Conversion of arguments to the floating dtype in which a function computes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def as_floating(values: ArrayLike, name: str) -> tuple[Array, np.dtype[Any]]:
    """Return values in the dtype in which to compute, and the dtype of the result."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}.")
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    dtype = array.dtype
    return array.astype(np.promote_types(dtype, np.float32), copy=False), dtype
