"""The parameters `penalty_weights` and `standardize`: the weight of each feature's penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_regression._estimators.coefficients import as_floats
from softmax_regression._problems.feature_weights import FeatureWeights


def feature_weights(
    penalty_weights: Any, standardize: bool, n_features: int
) -> FeatureWeights | None:
    """Return the weights of a penalty; None if all features count the same.

    Parameters
    ----------
    penalty_weights : array-like of shape (n_features,) or None
        The weights.
    standardize : bool
        Whether the coefficients of the standardised features are penalised.
    n_features : int
        The number of columns of X.

    Raises
    ------
    ValueError
        Unless there is one finite number for each feature that is not negative.
    """
    if penalty_weights is None:
        return FeatureWeights(np.ones(n_features), standardize) if standardize else None
    weights = as_floats(penalty_weights, "penalty_weights")
    if weights.shape != (n_features,):
        raise ValueError(
            f"penalty_weights must have one number for each feature, so the shape ({n_features},); "
            f"got {weights.shape}."
        )
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        raise ValueError(
            "penalty_weights must be finite and not negative, 0 for a feature that is not "
            f"penalised; got {weights[bad[0]]:g} for feature {bad[0]}."
        )
    return FeatureWeights(np.sqrt(weights), standardize)
