"""The model without features: where fits begin, and the strength of a penalty that leads to it."""

from __future__ import annotations

import numpy as np

from softmax_regression._data.dataset import RowBlocks
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.layout import LinearLayout, centred
from softmax_regression._objectives.linear.means import ObjectiveOfRows, row_mean, target_mean

_EQUAL_SHARES_WEIGHT = 0.1  # Of equal class shares beside the true ones, where a fit begins.
_TINY = float(np.finfo(np.float64).tiny)
_MOST_RAISED = 1e6  # Times its share, by which a class that hardly occurs may begin above it.


def null_model(data: RowBlocks, layout: LinearLayout) -> tuple[Array, Array]:
    """Return W = 0 and nearly the best b for it: one Newton step nearer on most data.

    Class shares are drawn towards equal ones. A class that hardly occurs would else begin so far
    out that it has no curvature; but from much too large a share, Newton's method comes down by one
    nat an iteration.
    """
    coef = np.zeros((layout.n_outputs, layout.n_features))
    if not layout.fit_intercept:
        return coef, np.empty(0)
    shares = data.class_shares
    raised = np.minimum(_EQUAL_SHARES_WEIGHT / len(shares), _MOST_RAISED * shares)
    logits = np.log(np.maximum(shares + raised, _TINY))
    intercept = logits[1:] - logits[:1] if layout.n_outputs == 1 else centred(logits)
    return coef, intercept - data.offset_means() if data.has_offset else intercept


def null_slopes(objective: ObjectiveOfRows) -> Array:
    """Return the gradient in W of the mean loss where W = 0 and b is the best for it.

    A penalty that makes zeros keeps all coefficients at 0 if it holds these slopes up.
    """
    shares = objective.data.class_shares
    if not objective.layout.fit_intercept:
        shares = np.full_like(shares, 1 / len(shares))
    shares = shares[-objective.layout.n_outputs :]
    return shares[:, None] * row_mean(objective) - target_mean(objective)
