"""Symmetric rank-k updates of one triangle of a matrix."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemm, dsyrk, sgemm, ssyrk

from softmax_regression._linalg.arrays import Array

# Up to this many rows, a general product is quicker than a symmetric update with half of the work.
SHORT_SIDE = 16


def add_weighted_square(out: Array, z: Array, weight: Array) -> None:
    """Add z diag(weight) zᵀ to the upper triangle of `out`, in place."""
    if len(z) <= SHORT_SIDE:
        out += (z * weight).dot(z.T)
    else:
        add_square(out, 1.0, z * np.sqrt(weight))


def add_square(out: Array, factor: float, a: Array) -> None:
    """Add factor · a aᵀ to the upper triangle of `out`, in place.

    The symmetric update allocates no matrix and does half of the work of a general product. For a
    few long rows, the general product of BLAS is quicker nevertheless, and fills both triangles.
    """
    double = out.dtype == np.float64
    if len(a) <= SHORT_SIDE:
        gemm = dgemm if double else sgemm
        gemm(factor, a.T, a.T, beta=1.0, c=out.T, trans_a=True, overwrite_c=True)
        return
    syrk = dsyrk if double else ssyrk
    syrk(factor, a.T, beta=1.0, c=out.T, trans=True, lower=True, overwrite_c=True)


def mirror(matrix: Array) -> None:
    """Copy the upper triangle of a matrix to its lower triangle."""
    np.copyto(matrix, matrix.T, where=_below_diagonal(len(matrix)))


@lru_cache(maxsize=4)
def _below_diagonal(order: int) -> NDArray[np.bool_]:
    return np.tri(order, k=-1, dtype=bool)
