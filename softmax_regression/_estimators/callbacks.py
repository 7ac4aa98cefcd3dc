"""scikit-learn's callbacks: a fit is a task, and each of its iterations or epochs a task in it.

In a cross-validation each path is one, and each model of the path a task in that.

They came with scikit-learn 1.9. Before, everything else works, and there is nothing to look on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # an earlier scikit-learn

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""


Attributes = Callable[[], dict[str, Any]]  # fitted ones, made only for callbacks that want them

__all__ = ["CallbackSupportMixin", "Watched"]


class Watched:
    """A fit that callbacks look on at, if any were set, or a part of one.

    Parameters
    ----------
    estimator : estimator
        What is fitted.
    X, y, sample_weight : array-likes
        The data as they were given.
    n_parts : int or None
        The most tasks in this one; None if that is not known.
    offset : array-like, default=None
        Known scores of the rows.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        n_parts: int | None,
        offset: Any = None,
    ):
        self._context: Any = None
        self._steps: _Steps | None = None
        if "_skl_callbacks" not in vars(estimator):
            return
        metadata = {"sample_weight": sample_weight, "offset": offset}
        metadata = {name: value for name, value in metadata.items() if value is not None}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata or None}
        self._context = estimator._init_callback_context(max_subtasks=n_parts)

    def part(self, task: str, n_parts: int) -> Watched:
        """Return a task of this one, with tasks of its own, that has yet to begin.

        It may go on in another thread.
        """
        other = copy.copy(self)
        if self._context is not None:
            other._context = self._context.subcontext(task_name=task, max_subtasks=n_parts)
        return other

    def begin(self) -> None:
        """Tell them that it begins."""
        if self._context is not None:
            self._context.call_on_fit_task_begin(**self._data)

    def steps(
        self,
        task: str,
        attributes: Callable[[Any], dict[str, Any]],
        start: Callable[[], Any] | None = None,
    ) -> Callable[[Any], bool] | None:
        """Begin with tasks of which each goes on from where the one before it has ended.

        Parameters
        ----------
        task : str
            What such a task is called, as "iteration".
        attributes : callable
            Gives the fitted attributes for some parameters.
        start : callable, default=None
            Gives the parameters to begin with, if there are any.

        Returns
        -------
        callable or None
            To be called at the end of each task, with the parameters; True asks for no more of
            them. None if nobody looks on.
        """
        if self._context is None:
            return None
        self._end_steps()
        self._steps = _Steps(self._context, self._data, task, attributes)
        self._steps.begin(None if start is None else lambda: attributes(start()))
        return self._steps.ended

    def end(self, attributes: Attributes = dict) -> None:
        """Tell them that it is done.

        Parameters
        ----------
        attributes : callable, default=dict
            Gives the fitted attributes that the estimator does not have yet.
        """
        if self._context is not None:
            self._end_steps()
            self._context.call_on_fit_task_end(**self._data, reconstruction_attributes=attributes)

    def _end_steps(self) -> None:
        if self._steps is not None:
            self._steps.close()
        self._steps = None


class _Steps:
    """Tasks in another, one after the other.

    As a solver does not say beforehand which iteration is its last, one more may have begun than
    there are: it ends as an empty task, without data, as with scikit-learn's own estimators.
    """

    def __init__(
        self,
        parent: Any,
        data: dict[str, Any],
        task: str,
        attributes: Callable[[Any], dict[str, Any]],
    ):
        self._parent = parent
        self._data = data
        self._task = task
        self._attributes = attributes
        self._n_begun = 0
        self._current: Any = None

    def begin(self, attributes: Attributes | None) -> None:
        """Tell callbacks that the next one begins, if there is one."""
        if self._n_begun == self._parent.max_subtasks:
            return
        self._n_begun += 1
        self._current = self._parent.subcontext(task_name=self._task)
        self._current.call_on_fit_task_begin(**self._data, reconstruction_attributes=attributes)

    def ended(self, params: Any) -> bool:
        """Tell them that one has ended, and that the next begins; return whether it should not."""

        def attributes() -> dict[str, Any]:
            return self._attributes(params)

        current, self._current = self._current, None
        stop = current.call_on_fit_task_end(**self._data, reconstruction_attributes=attributes)
        self.begin(attributes)
        return bool(stop)

    def close(self) -> None:
        """End what has begun."""
        if self._current is not None:
            self._current.call_on_fit_task_end(estimator=self._data["estimator"])
