"""What is known of an objective at a point, and objectives whose evaluations are certified."""

from __future__ import annotations

from abc import ABC, abstractmethod
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

    @classmethod
    def of(cls, params: Array) -> Evaluation:
        """Return one of which the parameters alone are known; value and gradient are NaN."""
        return cls(params, np.nan, np.full_like(params, np.nan))


class Certifiable(ABC):
    """An objective F that bounds how far an evaluation is above its minimum."""

    @abstractmethod
    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Return F and its gradient over all rows, in float64."""

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate F and its gradient; what else is found out there comes along."""
        return Evaluation(params, *self.value_and_gradient(params))

    @abstractmethod
    def certify(self, at: Evaluation, enough: float, sharp: bool) -> float:
        """Bound ``F − min F`` from above, NaN if unknown.

        Parameters
        ----------
        at : Evaluation
            Where.
        enough : float
            A bound that would do. Unless `sharp`, a first one above it that is not expected to be
            brought below it is returned as it is.
        sharp : bool
            Whether the bound is to be as small as it can be.
        """

    def optimality_gap(
        self, params: Array, value: float, gradient: Array, enough: float = np.inf
    ) -> float:
        """Bound ``F − min F`` as `certify` does, sharply if `enough` is infinite."""
        return self.certify(Evaluation(params, value, gradient), enough, sharp=enough == np.inf)
