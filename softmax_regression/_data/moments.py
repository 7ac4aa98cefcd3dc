"""Means and standard deviations of columns, put together from those of parts of the rows.

Deviations, not variances, are what is passed on: the square of 1e200 or of 1e-200 is no float64.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array

# Squares of sizes between them, summed over rows, neither overflow nor lose digits.
SAFE_SIZES = 1e-140, 1e140


@dataclass
class Moments:
    """Weighted moments of the columns of some rows.

    Parameters
    ----------
    weight : float
        Sum of the weights of the rows.
    means : ndarray of shape (n_columns,)
        Means of the columns.
    deviations : ndarray of shape (n_columns,)
        Roots of the mean squared differences from the means.
    """

    weight: float
    means: Array
    deviations: Array

    @classmethod
    def of(cls, weights: Array, totals: Array, squares: Array, origin: Any = 0.0) -> Self:
        """Make them from sums of x − origin and of its square."""
        weight = float(weights.sum(dtype=np.float64))
        if weight == 0:
            return cls(0.0, np.zeros_like(totals), np.zeros_like(totals))
        means = totals / weight
        deviations = np.sqrt(np.maximum(squares / weight - np.square(means), 0.0))
        return cls(weight, origin + means, deviations)

    def sizes(self) -> Array:
        """Return how far from 0 the columns reach, by their means or by their deviations."""
        return np.maximum(np.abs(self.means), self.deviations)

    def select(self, columns: NDArray[np.intp]) -> Self:
        """Return those of some of the columns."""
        return replace(self, means=self.means[columns], deviations=self.deviations[columns])

    def doubtful(self) -> NDArray[np.intp]:
        """Return the columns whose squares may have overflowed or vanished; constant ones too."""
        low, high = SAFE_SIZES
        return np.flatnonzero(~((self.deviations > low) & (self.deviations < high)))

    def with_columns(self, columns: NDArray[np.intp], others: Self) -> Self:
        """Return them with those of some of the columns replaced."""
        means, deviations = self.means.copy(), self.deviations.copy()
        means[columns], deviations[columns] = others.means, others.deviations
        return replace(self, means=means, deviations=deviations)

    def times_powers_of_two(self, exponents: NDArray[np.intc]) -> Self:
        """Return those of the columns multiplied by powers of two."""
        means, deviations = (np.ldexp(m, exponents) for m in (self.means, self.deviations))
        return replace(self, means=means, deviations=deviations)

    @classmethod
    def pooled(cls, parts: Iterable[Self]) -> Self:
        """Put those of parts of the rows together.

        The variance of all is the mean variance of the parts plus the variance of their means
        (Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The American
        Statistician 37, 1983).
        """
        first, *others = parts
        if not others:
            return first
        result = replace(first)
        for part in others:
            weight = result.weight + part.weight
            share = part.weight / weight if weight else 0.0
            apart = part.means - result.means
            result.means = result.means + share * apart
            within = np.hypot(
                np.sqrt(1 - share) * result.deviations, np.sqrt(share) * part.deviations
            )
            result.deviations = np.hypot(within, np.sqrt(share * (1 - share)) * apart)
            result.weight = weight
        return result
