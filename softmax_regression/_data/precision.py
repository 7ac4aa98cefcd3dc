"""Whether scores of float32 rows must be computed in float64.

The rounding error of a sum is a fraction of its terms, not of the sum. Scores of features far from
0 are small differences of large terms, so that float32 may be too imprecise; float64 takes twice as
long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from softmax_regression._data.design import Design

_FLOAT32 = np.dtype(np.float32)
_MAX_SCORE_ERROR = 3e-5  # Largest rounding error of a score, in nats.
_MAX_ABSOLUTE_SUM = _MAX_SCORE_ERROR / float(np.finfo(np.float32).eps)
_SAMPLED_ROWS, _SAMPLED_OUTPUTS = 4, 16  # Features far from 0 are so in nearly all rows.


def in_needed_precision(rows: Design, coef: Any) -> Design:
    """Return rows in a precision that is sufficient for their products with coefficients.

    Parameters
    ----------
    rows : Design
        Some rows of X.
    coef : {ndarray, sparse array} of shape (n_outputs, n_columns)
        The coefficients.

    Returns
    -------
    Design
        The same rows, or a copy in float64.
    """
    if rows.dtype != _FLOAT32 or coef.dtype != _FLOAT32 or rows.is_scaled:
        return rows
    sample = rows.X[:: max(1, rows.n_rows // _SAMPLED_ROWS)]
    coef = coef[:: max(1, coef.shape[0] // _SAMPLED_OUTPUTS)]
    if issparse(sample):
        used = np.unique(sample.indices)
        sample, coef = sample[:, used].toarray(), coef[:, used]
    added_up = np.abs(sample).dot(np.abs(coef.toarray() if issparse(coef) else coef).T)
    if np.maximum.reduce(added_up, axis=None, initial=0.0) <= _MAX_ABSOLUTE_SUM:
        return rows
    return rows.astype(np.float64)[:]
