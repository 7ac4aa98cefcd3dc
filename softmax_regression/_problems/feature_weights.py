r"""The weight of each feature's penalty, and the penalty of standardised features.

Let v_j ≥ 0 be the weight of feature j. If the coefficients of standardised features are penalised,
let s_j be its standard deviation, else 1. The penalty is

    Σ_j (1 − ρ)/2 · v_j s_j² ‖W_:j‖² + ρ Σ_j v_j s_j ‖W_:j‖

with the norm of the lasso or of the group lasso. The weights are used as given, whereas glmnet
divides its ``penalty.factor`` by the mean first.

Rescaling a feature could not express a weight: it would multiply the ridge by the square of the
factor of the lasso. So the ridge is a `WeightedRidge` with the roots √v_j s_j, which all changes of
unknowns take into account, and the lasso is a `lasso.Penalty` with a strength for each column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from softmax_regression._data.moments import Moments
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.coordinates import spreads
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._penalties.weighted_ridge import WeightedRidge


@dataclass(frozen=True)
class FeatureWeights:
    """The weights v, and whether deviations s count as well.

    Parameters
    ----------
    roots : ndarray of shape (n_features,)
        The square roots of v.
    standardize : bool
        Whether s holds the standard deviations of the rows that are fitted, rather than ones.
    """

    roots: Array
    standardize: bool = False

    def weighted(self, objective: LinearCrossEntropy) -> LinearCrossEntropy:
        """Return an objective, in the coordinates of X, with a ridge of these weights."""
        roots = self.roots * self._scales(objective.data.moments)
        n_features = objective.layout.n_features
        padded = np.append(roots, np.zeros(objective.n_columns - n_features))
        return objective.with_penalty(WeightedRidge(objective.l2, padded, n_features))

    def lasso(self, moments: Callable[[], Moments]) -> Array:
        """Return v s, the weights of the lasso."""
        return np.square(self.roots) * self._scales(moments)

    def ridge(self, moments: Callable[[], Moments]) -> Array:
        """Return v s², the weights of the ridge."""
        return np.square(self.roots * self._scales(moments))

    def of(self, moments: Callable[[], Moments]) -> FeatureWeights:
        """Return the weights of the ridge with s fixed to the deviations of some rows."""
        return FeatureWeights(self.roots * self._scales(moments))

    def _scales(self, moments: Callable[[], Moments]) -> Array:
        """Return s; it is 1 for a constant column."""
        if not self.standardize:
            return np.ones_like(self.roots)
        deviations = spreads(moments(), fit_intercept=True)
        return np.where(deviations > 0, deviations, 1.0)
