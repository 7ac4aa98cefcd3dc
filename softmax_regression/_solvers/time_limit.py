"""Deadlines of solvers, by the monotonic clock."""

from __future__ import annotations

from time import monotonic

import numpy as np


def deadline_after(seconds: float | None) -> float:
    """Return the time of the clock after some seconds from now; infinity for None."""
    return np.inf if seconds is None else monotonic() + seconds


def is_past(deadline: float) -> bool:
    """Return whether a deadline has passed; the clock is read only if there is a deadline."""
    return deadline < np.inf and monotonic() >= deadline
