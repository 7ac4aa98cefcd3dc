"""The clock that ends a run, for solvers that take a deadline."""

from __future__ import annotations

from time import monotonic

import numpy as np


def deadline_after(seconds: float | None) -> float:
    """Return the time of the clock in so many seconds; infinity for None."""
    return np.inf if seconds is None else monotonic() + seconds


def is_past(deadline: float) -> bool:
    """Return whether a deadline has come; the clock is read only if there is one."""
    return deadline < np.inf and monotonic() >= deadline
