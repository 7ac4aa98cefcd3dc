"""scikit-learn's callbacks: a fit is a task, and each of its iterations or epochs a task in it.

In a cross-validation each path is one, and each model of the path a task in that.

They came with scikit-learn 1.9. Before, everything else works, and there is nothing to look on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    WRAPPED = 2  # calls between that of `fit` and its own, beside scikit-learn's validation
except ImportError:  # an earlier scikit-learn
    WRAPPED = 1

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


Array = NDArray[Any]

__all__ = ["WRAPPED", "CallbackSupportMixin", "Watched", "with_callbacks"]


class Watched:
    """A fit that callbacks look on at, if any were set.

    Parameters
    ----------
    estimator : estimator
        What is fitted.
    X, y, sample_weight : array-likes
        The data as they were given.
    max_iter : int or None
        The most iterations; None if that says nothing of how many there will be.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any, max_iter: int | None):
        self._context: Any = None
        if "_skl_callbacks" not in vars(estimator):
            return
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context = estimator._init_callback_context(max_subtasks=max_iter)
        self._context.call_on_fit_task_begin(**self._data)

    def each(
        self, task: str, attributes: Callable[[Any], dict[str, Any]]
    ) -> Callable[[Any], bool] | None:
        """Return what is to be called after each iteration, with the parameters; True ends them.

        Parameters
        ----------
        task : str
            What an iteration is called.
        attributes : callable
            Gives the fitted attributes for some parameters.
        """
        if self._context is None:
            return None

        def ended(params: Any) -> bool:
            iteration = self._context.subcontext(task_name=task)
            iteration.call_on_fit_task_begin(**self._data)
            stop = iteration.call_on_fit_task_end(
                **self._data, reconstruction_attributes=lambda: attributes(params)
            )
            return bool(stop)

        return ended

    def part(self, task: str, n_parts: int) -> Watched:
        """Return a task of this one, with tasks of its own, that has yet to begin.

        It may go on in another thread.
        """
        other = copy.copy(self)
        if self._context is not None:
            other._context = self._context.subcontext(task_name=task, max_subtasks=n_parts)
        return other

    def begin(self) -> None:
        """Tell them that a part begins."""
        if self._context is not None:
            self._context.call_on_fit_task_begin(**self._data)

    def end(self, attributes: Callable[[], dict[str, Any]] | None = None) -> None:
        """Tell them that the estimator, or a part of the work, is done.

        Parameters
        ----------
        attributes : callable, default=None
            Gives the fitted attributes; by default they are those of the estimator.
        """
        if self._context is not None:
            known = attributes or (lambda: vars(self._data["estimator"]))
            self._context.call_on_fit_task_end(**self._data, reconstruction_attributes=known)
