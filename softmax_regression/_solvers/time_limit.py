"""An end of a run by the clock, for solvers that know of none."""

from __future__ import annotations

from time import monotonic

import numpy as np

from softmax_regression._solvers.result import Array, SolverResult, StopReason, Watch


class TimeLimit:
    """Ends a run after the iteration in which its time is used up: a `Watch`.

    The time begins now.

    Parameters
    ----------
    seconds : float or None
        How long the run may take; None for as long as it likes.
    watch : callable or None
        What else is called with the parameters after each iteration, and may end the run.
    """

    def __init__(self, seconds: float | None, watch: Watch | None):
        self._end = np.inf if seconds is None else monotonic() + seconds
        self._watch = watch
        self._used_up = False

    @property
    def watch(self) -> Watch | None:
        """What a solver is to call; None if there is neither a limit nor anything else to call."""
        return None if self._watch is None and np.isinf(self._end) else self

    def __call__(self, params: Array) -> bool:
        asked = self._watch is not None and self._watch(params)
        self._used_up = not asked and monotonic() >= self._end
        return asked or self._used_up

    def explain(self, result: SolverResult) -> SolverResult:
        """Give a run that the clock has ended its reason."""
        if result.reason is StopReason.STOPPED and self._used_up:
            result.reason = StopReason.MAX_TIME
        return result
