"""What is known of an objective at a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


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
