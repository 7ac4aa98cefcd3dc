"""BLAS operations that NumPy has no name for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy, saxpy

Array = NDArray[Any]

_AXPY = {np.dtype(np.float32): saxpy, np.dtype(np.float64): daxpy}


def add_scaled(factor: float, x: Array, to: Array) -> None:
    """``to += factor * x`` in one pass, for contiguous vectors of one dtype.

    SciPy may bring a BLAS of its own: see `_threads.scipys_blas_held_to_one_thread`.
    """
    _AXPY[to.dtype](x, to, a=factor)
