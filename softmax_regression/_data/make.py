"""The choice of a design by the kind of matrix X, dense or sparse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse, vstack

from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._data.sparse import SparseDesign


def as_design(X: Any) -> Design:
    """Wrap a validated floating-point matrix, dense or sparse.

    Matrices in compressed columns (CSC) are converted to compressed rows, which can be sliced.
    Entries that are stored twice are summed, in a copy.
    """
    if not issparse(X):
        return DenseDesign(X)
    rows = X.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy() if rows is X else rows
        rows.sum_duplicates()
    return SparseDesign(rows)


def stacked(designs: Sequence[Design]) -> Design:
    """Return the rows of several designs of one kind, in a copy."""
    matrices = [design.X for design in designs]
    joined = vstack(matrices, format="csr") if issparse(matrices[0]) else np.concatenate(matrices)
    return as_design(joined).astype(designs[0].dtype)
