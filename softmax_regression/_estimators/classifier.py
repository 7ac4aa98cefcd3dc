"""What both estimators share: validation of X, and the predict family on top of scores."""

from __future__ import annotations

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted, validate_data

from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._data.make import as_design
from softmax_regression._estimators.callbacks import CallbackSupportMixin
from softmax_regression._estimators.features import validated
from softmax_regression._estimators.hints import hint
from softmax_regression._estimators.offsets import checked_offset
from softmax_regression._estimators.prediction import PredictionMixin, is_plain
from softmax_regression._estimators.streams import StreamMixin
from softmax_regression._estimators.targets import (
    encode_targets,
)
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._solvers.result import SolverResult


class BaseSoftmaxClassifier(
    PredictionMixin,
    StreamMixin,
    CallbackSupportMixin,  # type: ignore[misc]
    ClassifierMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
    ABC,
):
    """A classifier that gives every class a score; softmax turns the scores into probabilities.

    A subclass fits, sets `classes_`, and says how scores come from a block of rows.
    """

    _parts: ClassVar[frozenset[str]]  # the attributes that make up a model
    _shape_names: ClassVar[tuple[str, ...]]  # what the shapes that `_shapes` returns are of
    # By the names of parameters that it does not have, what takes their place.
    _hints: ClassVar[dict[str, str]] = {}

    def __new__(cls, *args: Any, **params: Any) -> Self:
        """Make an estimator, or say what takes the place of a parameter that it does not have."""
        if (sentence := hint(cls, params)) is not None:
            raise TypeError(sentence)
        return super().__new__(cls)

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Their names and values.

        Returns
        -------
        estimator
            The estimator.
        """
        if (sentence := hint(type(self), params)) is not None:
            raise ValueError(sentence)
        super().set_params(**params)
        return self

    @abstractmethod
    def _scorer(self) -> tuple[Callable[[Design], Array], int]:
        """Return how scores come from rows, and the most values a row has on the way there.

        The function takes a design and returns a new array of class-major scores, of shape
        (n_outputs, n_rows).
        """

    @abstractmethod
    def _model_parameters(self) -> dict[str, Any]:
        """Return the parameters that say which model it is: a stream cannot go on with others."""

    @abstractmethod
    def _shapes(self, n_features: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return shapes of the model, and those that `classes_` and so many features ask for."""

    # -- whether there is a model ------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        """Whether all attributes that make up a model are there."""
        return self.__dict__.keys() >= self._parts

    def _check_parts(self) -> None:
        """Raise unless all attributes that make up a model are there."""
        missing = sorted(self._parts - self.__dict__.keys())
        if 0 < len(missing) < len(self._parts):
            raise NotFittedError(
                f"This {type(self).__name__} is no longer fitted: {' and '.join(missing)} were "
                "removed. Put them back, or fit a new one made by sklearn.base.clone."
            )
        check_is_fitted(self)

    def _check_shapes(self, n_features: int) -> None:
        """Raise unless classes, fitted arrays and so many features go together."""
        for name, shape, needed in zip(self._shape_names, *self._shapes(n_features), strict=True):
            if shape != needed:
                raise ValueError(
                    f"{name} must be {needed}, for {len(self.classes_)} classes in classes_ and "
                    f"{n_features} features, and is {shape}: a fitted {type(self).__name__} was "
                    "changed. Change it back, or fit a new one made by sklearn.base.clone."
                )

    def _has_model(self) -> bool:
        """Whether there is a model to go on from; raise if a part of it is missing or changed."""
        if self._parts.isdisjoint(self.__dict__):
            return False
        self._check_parts()
        if hasattr(self, "n_features_in_"):
            self._check_shapes(self.n_features_in_)
        return True

    # -- fitting -----------------------------------------------------------------------------------

    def _validate_params(self) -> None:
        """Validate parameters as scikit-learn does; those at their defaults need no look."""
        defaults = defaults_of(type(self))
        changed = {
            name: getattr(self, name)
            for name in self._parameter_constraints
            if name not in defaults or getattr(self, name) is not defaults[name]
        }
        validate_parameter_constraints(
            self._parameter_constraints, changed, caller_name=type(self).__name__
        )

    def _validate_rows(self, X: Any, *, reset: bool) -> Design:
        if reset and "feature_names_in_" not in self.__dict__ and is_plain(X):
            self.n_features_in_ = X.shape[1]
            return DenseDesign(X)
        validate = partial(
            validate_data,
            self,
            accept_sparse=("csr", "csc"),
            dtype=[np.float64, np.float32],
            reset=reset,
        )
        with np.errstate(invalid="ignore"):  # of a sum of all values, which may overflow
            return as_design(validated(X, validate))

    def _encode(
        self, y: Any, design: Design, sample_weight: Any, classes: Any = None, offset: Any = None
    ) -> Targets:
        """Validate y, weights and offsets; `classes` are those known already."""
        targets = encode_targets(
            y,
            design.n_rows,
            classes=classes,
            sample_weight=sample_weight,
            class_weight=self.class_weight,
            estimator=type(self).__name__,
        )
        if offset is None:
            return targets
        return replace(targets, offset=checked_offset(offset, design.n_rows, targets.classes))

    def _report(self) -> Callable[[str], None] | None:
        """Return what prints progress, if it is wanted."""
        if not self.verbose:
            return None
        return lambda line: print(f"{type(self).__name__} {line}", flush=True)

    def _warn_stopped(self, result: SolverResult, message: str) -> None:
        """Warn, at the line that called `fit`, why the solver stopped."""
        iterations = "iteration" if result.n_iter == 1 else "iterations"
        ending = f"stopped after {result.n_iter} {iterations} because"
        if result.reason.has_converged:
            ending = "converged, but"
        warnings.warn(
            f"{type(self).__name__}(solver={self.solver_!r}) {ending} {result.reason.value}"
            f"{message}",
            ConvergenceWarning,
            stacklevel=6,
        )

    def _worse_than_guessing(self, result: SolverResult) -> bool:
        """Whether training ended far above the loss of equal probabilities for all classes."""
        return bool(result.value > 2 * np.log(len(self.classes_)))

    def _refuse_divergence(self, params: Array, loss: float, n_iter: int) -> None:
        if not (np.isfinite(params).all() and np.isfinite(loss)):
            raise ValueError(
                f"Training {type(self).__name__} with solver={self.solver!r} diverged after "
                f"{n_iter} iterations: parameters or loss are no longer finite. Scale the "
                "features, for example with sklearn.preprocessing.StandardScaler, or lower "
                "learning_rate_init."
            )

    @contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
        """Restore all attributes if the block raises, so that a failed fit changes nothing."""
        before = self.__dict__.copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@cache
def defaults_of(estimator: type) -> dict[str, Any]:
    """Return what the parameters of an estimator are if not given."""
    parameters = inspect.signature(estimator.__init__).parameters  # type: ignore[misc]
    return {name: p.default for name, p in parameters.items() if p.default is not p.empty}
