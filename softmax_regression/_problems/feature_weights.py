r"""How much the penalty of each feature counts: weights, and units that standardise.

With a weight v_j ≥ 0 for each feature, and with s_j its deviation where the coefficients of
standardised features are penalised (else 1), the penalty is

    Σ_j (1 − ρ)/2 · v_j s_j² ‖W_:j‖² + ρ Σ_j v_j s_j ‖W_:j‖

with the norm of the lasso or of the group lasso. Weights are taken as they are: in glmnet, the same
``penalty.factor`` is divided by its mean first.

A weight makes no change of units: that would multiply the ridge by the square of what it multiplies
the lasso by. So the ridge's part is a `WeightedRidge`, whose roots √v_j s_j every change of
unknowns knows, and the other part is in the weights of the columns that each `lasso.Penalty` has.
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
    """The weights of the penalty.

    Parameters
    ----------
    roots : ndarray of shape (n_features,)
        √v.
    standardize : bool
        Whether the deviations of the rows that are fitted count.
    """

    roots: Array
    standardize: bool = False

    def weighted(self, objective: LinearCrossEntropy) -> LinearCrossEntropy:
        """Return an objective in the coordinates of X with these weights of its ridge."""
        roots = self.roots * self._scales(objective.moments)
        n_features = objective.layout.n_features
        padded = np.append(roots, np.zeros(objective.n_columns - n_features))
        return objective.with_penalty(WeightedRidge(objective.l2, padded, n_features))

    def lasso(self, moments: Callable[[], Moments]) -> Array:
        """Return the weights of the part that makes zeros, v s."""
        return np.square(self.roots) * self._scales(moments)

    def ridge(self, moments: Callable[[], Moments]) -> Array:
        """Return the weights of the squares, v s²."""
        return np.square(self.roots * self._scales(moments))

    def of(self, moments: Callable[[], Moments]) -> FeatureWeights:
        """Return the same weights of a ridge for these rows, whatever rows are fitted."""
        return FeatureWeights(self.roots * self._scales(moments))

    def _scales(self, moments: Callable[[], Moments]) -> Array:
        """Return s: 1 for a constant column, which has no scale."""
        if not self.standardize:
            return np.ones_like(self.roots)
        deviations = spreads(moments(), fit_intercept=True)
        return np.where(deviations > 0, deviations, 1.0)
