"""Coordinates in which columns have mean 0 and deviation 1, and the intercept comes first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from softmax_regression._data.moments import Moments
from softmax_regression._linalg.arrays import Array

_ROUNDING = 1e-14  # of its mean, below which the deviation of a column is none


@dataclass(frozen=True)
class Coordinates:
    """Columns less their means, over their scales, with a first column of ones for the intercept.

    Parameters
    ----------
    means, scales : ndarray of shape (n_features,)
        Of the columns; means are zeros without an intercept.
    varies : ndarray of bool, shape (n_features,)
        Which columns are not constant (without an intercept: not 0); the others become 0.
    fit_intercept : bool
        Whether there is an intercept.
    """

    means: Array
    scales: Array
    varies: Array
    fit_intercept: bool

    @classmethod
    def standardizing(cls, moments: Moments, fit_intercept: bool) -> Coordinates:
        """Return those in which columns have mean 0 and deviation 1; constant ones become 0."""
        means, scales = moments.means, moments.deviations
        varies = scales > _ROUNDING * np.abs(means)
        if not fit_intercept:
            scales, means = np.hypot(means, scales), np.zeros_like(means)
            varies = scales > 0
        return cls(means, np.where(varies, scales, 1.0), varies, fit_intercept)

    @property
    def width(self) -> int:
        """How many numbers belong to a class."""
        return len(self.means) + self.fit_intercept

    def rows(self, X: Array) -> Array:
        """Return rows of X, as columns of an array of shape (width, n_rows)."""
        z = np.empty((self.width, len(X)))
        z[: self.fit_intercept] = 1.0
        features = z[self.fit_intercept :]
        np.subtract(X.T, self.means[:, None], out=features)
        features /= self.scales[:, None]
        features[~self.varies] = 0.0
        return z

    def matrix(self) -> Array:
        """Return what takes the unknowns of a class to its intercept and coefficients."""
        to_model = np.zeros((self.width, self.width))
        first = int(self.fit_intercept)
        to_model[first:, first:] = np.diag(1 / self.scales)
        if self.fit_intercept:
            to_model[0] = np.append(1.0, -self.means / self.scales)
        return to_model

    def unknowns(self, coef: Array, intercept: Array) -> Array:
        """Return the unknowns, a row for each class, of coefficients and intercepts."""
        if not self.fit_intercept:
            return coef * self.scales
        return np.column_stack([intercept + coef @ self.means, coef * self.scales])
