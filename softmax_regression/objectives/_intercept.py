"""Newton's method in the intercept alone.

The certificate minds a wrong intercept more than anything else (see `_dual.py`), and nothing is put
right in less time: its Hessian, the mean of diag(p) − p pᵀ, has a row for each class. Close to the
minimum that hardly changes, neither from one step of a solver to the next nor with the penalty.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_LONGEST_STEP = 2.0  # nats: beyond that the curvature is another


class Intercept:
    """Steps by the Hessian where it was last computed.

    Objectives share one that differ in their penalty or in their precision.
    """

    def __init__(self) -> None:
        self.curvature: Array | None = None

    def step(self, excess: Array) -> Array:
        """Return what to add to b where the totals of the classes are off by so much."""
        assert self.curvature is not None
        # In units in which every class has a curvature of 1: a rare class counts like the others.
        # Least squares, because along (1, …, 1) the curvature is 0 but for rounding.
        scales = np.sqrt(np.diag(self.curvature))
        scales[~(scales > 0)] = 1.0
        scaled = self.curvature / scales / scales[:, None]
        step = np.linalg.lstsq(scaled, -excess / scales, rcond=None)[0] / scales
        step -= step.mean() if len(step) > 1 else 0.0
        return np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
