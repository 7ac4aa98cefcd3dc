"""The model without features, where fits begin, and the slopes of the loss there."""

from __future__ import annotations

import numpy as np

from softmax_regression._data.dataset import RowBlocks
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.layout import LinearLayout, centred
from softmax_regression._objectives.linear.means import ObjectiveOfRows, row_mean, target_mean

_EQUAL_SHARES_WEIGHT = 0.1  # Weight of equal class shares, which are added to the true ones.
_TINY = float(np.finfo(np.float64).tiny)
_MAX_RAISE = 1e6  # Largest raise of the share of a rare class, relative to its true share.


def null_model(data: RowBlocks, layout: LinearLayout) -> tuple[Array, Array]:
    """Return W = 0 and nearly the best b for it, a start that saves a Newton step on most data.

    Class shares are drawn towards equal ones. Otherwise the logit of a rare class would be so low
    that the class had no curvature. But if the share of a class is far too large, Newton's method
    lowers its logit by only one nat per iteration.
    """
    coef = np.zeros((layout.n_outputs, layout.n_features))
    if not layout.fit_intercept:
        return coef, np.empty(0)
    shares = data.class_shares
    raised = np.minimum(_EQUAL_SHARES_WEIGHT / len(shares), _MAX_RAISE * shares)
    logits = np.log(np.maximum(shares + raised, _TINY))
    intercept = logits[1:] - logits[:1] if layout.n_outputs == 1 else centred(logits)
    return coef, intercept - data.offset_means() if data.has_offset else intercept


def null_sums(data: RowBlocks, layout: LinearLayout, intercept: Array) -> tuple[float, Array]:
    """Return Σ s_i CE_i and its gradient where W = 0, in the coordinates of X.

    There all rows have the probabilities p = softmax(b), so that the means of x and of y xᵀ tell
    both: the gradient in W is the sum of the weights times p x̄ᵀ − mean(y xᵀ).
    """
    shares, n_outputs = data.class_shares, layout.n_outputs
    logits = np.zeros(len(shares))
    if layout.fit_intercept:
        logits[-n_outputs:] = intercept
    largest = float(logits.max())
    exponentials = np.exp(logits - largest)
    total = float(np.add.reduce(exponentials))
    p = (exponentials / total)[-n_outputs:]
    value = float(np.log(total)) + float(shares @ (largest - logits))
    gradient = np.empty((n_outputs, layout.n_columns))
    means, of_targets = data.moments().means, data.target_means()
    gradient[:, : layout.n_features] = p[:, None] * means[: layout.n_features]
    gradient[:, : layout.n_features] -= of_targets[:, : layout.n_features]
    gradient[:, layout.n_features :] = (p - shares[-n_outputs:])[:, None]
    return value * data.n_rows, gradient * data.n_rows


def null_slopes(objective: ObjectiveOfRows) -> Array:
    """Return the gradient in W of the mean loss where W = 0 and b is the best for it.

    If the strength of a lasso exceeds these slopes, all coefficients are 0.
    """
    shares = objective.data.class_shares
    if not objective.layout.fit_intercept:
        shares = np.full_like(shares, 1 / len(shares))
    shares = shares[-objective.layout.n_outputs :]
    return shares[:, None] * row_mean(objective) - target_mean(objective)
