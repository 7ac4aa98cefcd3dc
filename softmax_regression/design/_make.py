"""The one place that asks what kind of matrix X is."""

from __future__ import annotations

from typing import Any

from scipy.sparse import issparse

from softmax_regression.design._base import Design
from softmax_regression.design._dense import DenseDesign
from softmax_regression.design._sparse import SparseDesign


def as_design(X: Any) -> Design:
    """Wrap a validated floating-point matrix, dense or sparse.

    Columns-first sparse matrices (CSC) are converted: they cannot be cut into rows.
    """
    return SparseDesign(X.tocsr()) if issparse(X) else DenseDesign(X)
