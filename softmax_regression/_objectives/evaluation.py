"""What is known of an objective at a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softmax_regression._linalg.arrays import Array


@dataclass(slots=True)
class Evaluation:
    """An objective where it was evaluated; passed on, so that nothing is computed twice.

    Parameters
    ----------
    params : ndarray of shape (n_params,)
        Where; not to be changed while this is in use.
    value : float
        The objective.
    gradient : ndarray of shape (n_params,)
        Its gradient.
    probabilities : object, default=None
        Those of all rows, as `values_of_rows` holds them, if they have been computed.
    inner : Evaluation, default=None
        That of the objective in other unknowns which this comes from, if it does.
    """

    params: Array
    value: float
    gradient: Array
    probabilities: Any = None
    inner: Evaluation | None = None

    @property
    def finite(self) -> bool:
        """Whether value and gradient are numbers."""
        return bool(np.isfinite(self.value) and np.isfinite(self.gradient).all())

    def without_rows(self) -> Evaluation:
        """Return it without what is as long as the data, so that it may be kept."""
        inner = None if self.inner is None else self.inner.without_rows()
        return Evaluation(self.params, self.value, self.gradient, inner=inner)

    @classmethod
    def of(cls, params: Array) -> Evaluation:
        """Return one of which the parameters alone are known; value and gradient are NaN."""
        return cls(params, np.nan, np.full_like(params, np.nan))


def as_evaluation(at: Array | Evaluation) -> Evaluation:
    """Return what is known at a point, of which the parameters may be all there is."""
    return at if isinstance(at, Evaluation) else Evaluation.of(at)
