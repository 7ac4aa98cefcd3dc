"""scikit-learn's callbacks: a fit is a task, and each of its iterations or epochs a subtask.

In a cross-validation each path is a subtask, and each model of the path is a subtask of that path.

Callbacks came with scikit-learn 1.9. With earlier versions estimators work without them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn is older than 1.9.

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for the mixin, and adds nothing."""


# Makes fitted attributes; it is called only if a callback asks for them.
Attributes = Callable[[], dict[str, Any]]

__all__ = ["CallbackSupportMixin", "Watched"]


class Watched:
    """A fit, or a part of one, of which callbacks are told if any were set.

    Parameters
    ----------
    estimator : estimator
        The estimator that is fitted.
    X, y, sample_weight : array-likes
        The data as the user passed them.
    n_parts : int or None
        The largest number of subtasks; None if it is not known.
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
        """Return a subtask with subtasks of its own, which has yet to begin.

        It may run in another thread.
        """
        other = copy.copy(self)
        if self._context is not None:
            other._context = self._context.subcontext(task_name=task, max_subtasks=n_parts)
        return other

    def begin(self) -> None:
        """Tell the callbacks that the task begins."""
        if self._context is not None:
            self._context.call_on_fit_task_begin(**self._data)

    def steps(
        self,
        task: str,
        attributes: Callable[[Any], dict[str, Any]],
        start: Callable[[], Any] | None = None,
    ) -> Callable[[Any], bool] | None:
        """Begin a sequence of subtasks, each of which starts where the one before it ended.

        Parameters
        ----------
        task : str
            The name of such a subtask, such as "iteration".
        attributes : callable
            Returns the fitted attributes for given parameters.
        start : callable, default=None
            Returns the parameters at the start, if there are any.

        Returns
        -------
        callable or None
            The solver calls it with the parameters at the end of each subtask; it returns True to
            ask the solver to stop. None if there are no callbacks.
        """
        if self._context is None:
            return None
        self._end_steps()
        self._steps = _Steps(self._context, self._data, task, attributes)
        self._steps.begin(None if start is None else lambda: attributes(start()))
        return self._steps.ended

    def end(self, attributes: Attributes = dict) -> None:
        """Tell the callbacks that the task has ended.

        Parameters
        ----------
        attributes : callable, default=dict
            Returns the fitted attributes that the estimator does not have yet.
        """
        if self._context is not None:
            self._end_steps()
            self._context.call_on_fit_task_end(**self._data, reconstruction_attributes=attributes)

    def _end_steps(self) -> None:
        if self._steps is not None:
            self._steps.close()
        self._steps = None


class _Steps:
    """The subtasks of a task, one after the other.

    A solver does not know beforehand which iteration is its last, so that one subtask too many may
    have begun. It ends without data, as in scikit-learn's own estimators.
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
        """Tell the callbacks that the next subtask begins, if there may be one."""
        if self._n_begun == self._parent.max_subtasks:
            return
        self._n_begun += 1
        self._current = self._parent.subcontext(task_name=self._task)
        self._current.call_on_fit_task_begin(**self._data, reconstruction_attributes=attributes)

    def ended(self, params: Any) -> bool:
        """End the current subtask and begin the next; return whether a callback asks to stop."""

        def attributes() -> dict[str, Any]:
            return self._attributes(params)

        current, self._current = self._current, None
        stop = current.call_on_fit_task_end(**self._data, reconstruction_attributes=attributes)
        self.begin(attributes)
        return bool(stop)

    def close(self) -> None:
        """End the subtask that has begun, if one has."""
        if self._current is not None:
            self._current.call_on_fit_task_end(estimator=self._data["estimator"])
