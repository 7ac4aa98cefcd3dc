"""Progress along a path of C, for callbacks and as lines of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from softmax_regression._estimators.callbacks import Watched
from softmax_regression._linalg.arrays import Array
from softmax_regression._problems.progress import Progress
from softmax_regression._solvers.result import Report


class PathProgress(Progress):
    """Tells callbacks of each model of a path, and prints lines of progress.

    Parameters
    ----------
    watched : Watched
        The path as a task, which has yet to begin.
    attributes : callable
        Returns the fitted attributes for C, W and b.
    report, verbose
        As in `Progress`.
    """

    def __init__(
        self,
        watched: Watched,
        attributes: Callable[[float, Array, Array], dict[str, Any]],
        report: Report | None,
        verbose: int,
    ):
        super().__init__(report, verbose)
        self._watched = watched
        self._attributes = attributes
        self._last: Any = None
        self._ended: Callable[[Any], bool] | None = None

    def begin(self) -> None:
        self._watched.begin()
        self._ended = self._watched.steps("C", lambda model: self._attributes(*model))

    def model(self, C: float, coef: Array, intercept: Array) -> None:
        self._last = C, coef, intercept
        if self._ended is not None:
            self._ended(self._last)

    def end(self) -> None:
        self._watched.end(lambda: self._attributes(*self._last))
