"""Means and standard deviations of columns, combined from those of parts of the rows.

They hold deviations rather than variances, because squares of numbers such as 1e200 or 1e-200 are
out of the range of float64.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array

# Range of sizes whose squares, summed over rows, neither overflow nor underflow.
SAFE_SIZES = 1e-140, 1e140


@dataclass
class Moments:
    """Weighted moments of the columns of some rows.

    Parameters
    ----------
    weight : float
        The sum of the weights of the rows.
    means : ndarray of shape (n_columns,)
        The means of the columns.
    deviations : ndarray of shape (n_columns,)
        The square roots of the mean squared differences from the means.
    """

    weight: float
    means: Array
    deviations: Array

    @classmethod
    def of(cls, weights: Array, totals: Array, squares: Array, origin: Any = 0.0) -> Self:
        """Return the moments for weighted sums of x − origin and of its square."""
        weight = float(weights.sum(dtype=np.float64))
        if weight == 0:
            return cls(0.0, np.zeros_like(totals), np.zeros_like(totals))
        means = totals / weight
        deviations = np.sqrt(np.maximum(squares / weight - np.square(means), 0.0))
        return cls(weight, origin + means, deviations)

    def sizes(self) -> Array:
        """Return the sizes of the columns: the larger of the absolute mean and the deviation."""
        return np.maximum(np.abs(self.means), self.deviations)

    def select(self, columns: NDArray[np.intp]) -> Self:
        """Return the moments of some of the columns."""
        return replace(self, means=self.means[columns], deviations=self.deviations[columns])

    def doubtful(self) -> NDArray[np.intp]:
        """Return the columns whose squares may have overflowed or underflowed, or are constant."""
        low, high = SAFE_SIZES
        return np.flatnonzero(~((self.deviations > low) & (self.deviations < high)))

    def with_columns(self, columns: NDArray[np.intp], others: Self) -> Self:
        """Return the moments with those of some of the columns replaced."""
        means, deviations = self.means.copy(), self.deviations.copy()
        means[columns], deviations[columns] = others.means, others.deviations
        return replace(self, means=means, deviations=deviations)

    def times_powers_of_two(self, exponents: NDArray[np.intc]) -> Self:
        """Return the moments of the columns multiplied by powers of two."""
        means, deviations = (np.ldexp(m, exponents) for m in (self.means, self.deviations))
        return replace(self, means=means, deviations=deviations)

    @classmethod
    def pooled(cls, parts: Iterable[Self]) -> Self:
        """Combine the moments of parts of the rows.

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
