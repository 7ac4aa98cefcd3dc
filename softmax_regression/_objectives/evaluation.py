"""The evaluation of an objective at a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from softmax_regression._linalg.arrays import Array


@dataclass(slots=True)
class Evaluation:
    """An objective at some parameters; it is passed on so that nothing is computed twice.

    Parameters
    ----------
    params : ndarray of shape (n_params,)
        The parameters, which must not be changed.
    value : float
        The objective.
    gradient : ndarray of shape (n_params,)
        The gradient of the objective.
    probabilities : object, default=None
        The probabilities of all rows, as `values_of_rows` holds them, if they were computed.
    hessian : tuple of ndarray, default=None
        The sums over all rows of which the Hessian is made, if they were computed as well.
    inner : Evaluation, default=None
        The evaluation in other unknowns from which this one was computed, if it was.
    """

    params: Array
    value: float
    gradient: Array
    probabilities: Any = None
    hessian: tuple[Array, ...] | None = None
    inner: Evaluation | None = None

    @property
    def finite(self) -> bool:
        """Whether value and gradient are finite."""
        return bool(np.isfinite(self.value) and np.isfinite(self.gradient).all())

    def without_rows(self) -> Evaluation:
        """Return the evaluation without values of each row, so that it may be kept."""
        inner = None if self.inner is None else self.inner.without_rows()
        return Evaluation(self.params, self.value, self.gradient, inner=inner)

    @classmethod
    def of(cls, params: Array) -> Evaluation:
        """Return an evaluation of which only the parameters are known; the rest is NaN."""
        return cls(params, np.nan, np.full_like(params, np.nan))


def as_evaluation(at: Array | Evaluation) -> Evaluation:
    """Return an evaluation for an evaluation or for parameters."""
    return at if isinstance(at, Evaluation) else Evaluation.of(at)
