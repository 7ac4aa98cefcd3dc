"""Operations of BLAS and LAPACK that NumPy does not have, or that may use several threads.

BLAS libraries are otherwise limited to one thread; see `threads.py`.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr
from scipy.linalg.blas import daxpy, saxpy

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_threads

_AXPY = {np.dtype(np.float32): saxpy, np.dtype(np.float64): daxpy}


def add_scaled(factor: float, x: Array, to: Array) -> None:
    """Compute ``to += factor * x`` in one pass, for contiguous vectors of one dtype."""
    _AXPY[to.dtype](x, to, a=factor)


def orthonormal_columns(matrix: Array) -> tuple[Array, Array]:
    """Return Q and R of a matrix without more columns than rows, which is overwritten."""
    n_rows, n_columns = matrix.shape
    with blas_threads(2 * n_rows * n_columns**2):
        return qr(matrix, overwrite_a=True, mode="economic", check_finite=False)
