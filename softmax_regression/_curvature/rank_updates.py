"""Symmetric rank-k updates of one triangle of a matrix."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemm, dsyrk, sgemm, ssyrk

from softmax_regression._linalg.arrays import Array

# Up to this many rows, a general product is quicker than a symmetric update with half of the work.
SHORT_SIDE = 16
# A triangle of z diag(w) zᵀ is made in strips of at least so many columns, and of at most so many
# strips. More strips would compute less of the other triangle, in products too narrow for BLAS.
_MIN_STRIP_COLUMNS, _MAX_STRIPS = 8, 8


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


def add_weighted_squares(out: Array, z: Array, weights: Array) -> None:
    """Add z diag(w_k) zᵀ to the upper triangle of each out[k], in place.

    Parameters
    ----------
    out : ndarray of shape (n_weights, n_columns, n_columns)
        The matrices. Entries below their diagonals are left undefined.
    z : ndarray of shape (n_columns, n_rows)
        Rows of X, transposed.
    weights : ndarray of shape (n_weights, n_rows)
        The weights w_k of the rows.
    """
    products = weights[:, None] * z
    for first, end in pairwise(_strip_bounds(len(z))):
        out[:, :end, first:end] += np.matmul(products[:, :end], z[first:end].T)


@lru_cache(maxsize=4)
def _strip_bounds(n_columns: int) -> list[int]:
    """Return the bounds of strips of columns of about equal width."""
    width = max(_MIN_STRIP_COLUMNS, -(-n_columns // _MAX_STRIPS))
    return [*range(0, n_columns, width), n_columns]


def mirror(matrices: Array) -> None:
    """Copy the upper triangle of a matrix, or of each of several, to its lower triangle."""
    transposed = matrices.swapaxes(-2, -1)
    np.copyto(matrices, transposed, where=_below_diagonal(matrices.shape[-1]))


@lru_cache(maxsize=4)
def _below_diagonal(order: int) -> NDArray[np.bool_]:
    return np.tri(order, k=-1, dtype=bool)
