"""Means and variances of columns, put together from those of parts of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass
class Moments:
    """Weighted moments of the columns of some rows.

    Parameters
    ----------
    weight : float
        Sum of the weights of the rows.
    means : ndarray of shape (n_columns,)
        Means of the columns.
    variances : ndarray of shape (n_columns,)
        Mean squared differences from the means.
    """

    weight: float
    means: Array
    variances: Array

    @classmethod
    def of(cls, weights: Array, totals: Array, squares: Array, origin: Any = 0.0) -> Self:
        """Make them from sums of x − origin and of its square."""
        weight = float(weights.sum(dtype=np.float64))
        if weight == 0:
            return cls(0.0, np.zeros_like(totals), np.zeros_like(totals))
        means = totals / weight
        variances = np.maximum(squares / weight - np.square(means), 0.0)
        return cls(weight, origin + means, variances)

    def select(self, columns: NDArray[np.intp]) -> Self:
        """Return those of some of the columns."""
        return replace(self, means=self.means[columns], variances=self.variances[columns])

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
            result.variances = (
                (1 - share) * result.variances
                + share * part.variances
                + share * (1 - share) * np.square(apart)
            )
            result.weight = weight
        return result
