"""The sum of a ridge and a lasso or group lasso, and its conjugate.

The conjugates are in `ridge.py` and `lasso.py`. Without a ridge, the conjugate is infinite if a
slope exceeds its weight, so that slopes may have to be shrunk.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array
from softmax_regression._penalties.lasso import Penalty
from softmax_regression._penalties.ridge import Ridge


class ElasticNet:
    """The sum of both penalties, as a function of W.

    Parameters
    ----------
    lasso : Penalty
        The penalty that makes zeros.
    ridge : Ridge
        The ridge, of the columns of (W, b).
    """

    always_finite = False

    def __init__(self, lasso: Penalty, ridge: Ridge):
        self.lasso = lasso
        self.ridge = ridge

    @property
    def unpenalized(self) -> NDArray[np.bool_] | None:
        """Which features are not penalised; None if all are."""
        return self.lasso.unpenalized

    def select(self, columns: NDArray[np.intp]) -> ElasticNet:
        """Return the penalty of some of the features."""
        return ElasticNet(self.lasso.select(columns), self.ridge.select(columns))

    def value(self, coef: Array) -> float:
        """Return the sum of both penalties."""
        return self.lasso.value(coef) + self.ridge.value(coef)

    def conjugate_gap(self, coef: Array, slopes: Array) -> float:
        """Return the gap of the Fenchel-Young inequality for the gradient of loss and ridge."""
        strengths = self.ridge.strengths[: coef.shape[1]]
        of_loss = slopes - strengths * coef
        # The terms of all other columns are 0.
        steep = (self.lasso.norms(of_loss) > self.lasso.weights).any(axis=0)
        some = np.flatnonzero(steep | coef.any(axis=0))
        return self.lasso.select(some).conjugate_gap(
            coef[:, some], of_loss[:, some], strengths[some]
        )

    def shrinkages(self, slopes: Array) -> tuple[float, ...]:
        """Return the shares to try, by which the gradient of the loss is shrunk."""
        largest = max(float(self.lasso.ratios(slopes).max(initial=0.0)), 1.0)
        needed = 1 - 1 / largest
        return (0.0, needed) if self.ridge.l2 > 0 else (needed,)
