r"""The ridge with a weight for each feature, some of which may be 0.

    Ω(W) = ½ Σ_j r_j ‖W_:j‖²,    r_j = l2 · ρ_j²

is the ridge of `ridge.py` for any roots ρ. A feature is *unpenalised* if its strength is 0 or
within rounding errors of the curvature of the loss. A dual point must give it a slope of 0, as for
the intercept, and the certificate is that of `newton_dual.py`.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array
from softmax_regression._penalties.ridge import Ridge

# Strength at which the penalty is a rounding error of the loss, in standardised coordinates, in
# which curvatures are about 1.
NEGLIGIBLE_STRENGTH = 1e-13


class WeightedRidge(Ridge):
    """Ω; see the module's text.

    Parameters
    ----------
    l2 : float
        The strength relative to a *mean* cross-entropy. It is set to 0 if all roots are 0.
    roots : ndarray of shape (n_columns,)
        ρ for the columns of (W, b), not negative.
    n_features : int
        The number of columns that are features.
    """

    def __init__(self, l2: float, roots: Array, n_features: int):
        with np.errstate(over="ignore"):  # Strengths in the coordinates of X are not used.
            super().__init__(l2 if roots.any() else 0.0, roots)
        self.n_features = n_features

    def with_strength(self, l2: float) -> WeightedRidge:
        return WeightedRidge(l2, self.roots, self.n_features)

    def divided_by(self, scales: Array) -> WeightedRidge:
        return WeightedRidge(self.l2, super().divided_by(scales).roots, self.n_features)

    def select(self, columns: NDArray[np.intp]) -> WeightedRidge:
        n_features = int(np.count_nonzero(columns < self.n_features))
        return WeightedRidge(self.l2, self.roots[columns], n_features)

    @property
    def strength_roots(self) -> Array:
        return np.sqrt(self.l2) * self.roots

    @cached_property
    def _unpenalized(self) -> NDArray[np.bool_] | None:
        features = self.strengths[: self.n_features] <= NEGLIGIBLE_STRENGTH
        return features if self.l2 > 0 and features.any() else None

    @property
    def unpenalized(self) -> NDArray[np.bool_] | None:
        """Which features have no penalty, in standardised coordinates; None if all have one.

        It is also None if the strength is 0, so that no feature has a penalty.
        """
        return self._unpenalized
