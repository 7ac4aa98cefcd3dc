"""The base class of all estimators: validation of parameters, X and y, and errors and warnings."""

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

    A subclass fits the model, sets `classes_`, and computes the scores of a block of rows.
    """

    _parts: ClassVar[frozenset[str]]  # Names of the attributes that make up a model.
    _shape_names: ClassVar[tuple[str, ...]]  # What error messages call the shapes of `_shapes`.
    # For names of parameters that the estimator lacks: a clause that says what to use instead.
    _hints: ClassVar[dict[str, str]] = {}

    def __new__(cls, *args: Any, **params: Any) -> Self:
        """Create an estimator; raise with a hint for a parameter that it does not have."""
        if (sentence := hint(cls, params)) is not None:
            raise TypeError(sentence)
        return super().__new__(cls)

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Names and values of parameters.

        Returns
        -------
        estimator
            This estimator.
        """
        if (sentence := hint(type(self), params)) is not None:
            raise ValueError(sentence)
        super().set_params(**params)
        return self

    @abstractmethod
    def _scorer(self) -> tuple[Callable[[Design], Array], int]:
        """Return a function that scores rows, and the most values it computes for one row.

        The function takes a design and returns a new array of class-major scores, of shape
        (n_outputs, n_rows).
        """

    @abstractmethod
    def _model_parameters(self) -> dict[str, Any]:
        """Return the parameters that must stay the same between calls of `partial_fit`."""

    @abstractmethod
    def _shapes(self, n_features: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the shapes of the fitted arrays, and those that `classes_` and X require."""

    # -- whether there is a model ------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether all attributes that make up a model exist."""
        return self.__dict__.keys() >= self._parts

    def _fits(self, n_features: int) -> bool:
        """Return whether there is a fitted model, whose arrays fit its classes and the features."""
        if not self.__sklearn_is_fitted__():
            return False
        found, needed = self._shapes(n_features)
        return found == needed

    def _check_parts(self) -> None:
        """Raise unless all attributes that make up a model exist."""
        missing = sorted(self._parts - self.__dict__.keys())
        if 0 < len(missing) < len(self._parts):
            raise NotFittedError(
                f"This {type(self).__name__} is no longer fitted: {' and '.join(missing)} were "
                "removed. Put them back, or fit a new one made by sklearn.base.clone."
            )
        check_is_fitted(self)

    def _check_shapes(self, n_features: int) -> None:
        """Raise unless the fitted arrays have the shapes that classes and features require."""
        for name, shape, needed in zip(self._shape_names, *self._shapes(n_features), strict=True):
            if shape != needed:
                raise ValueError(
                    f"{name} must be {needed}, for {len(self.classes_)} classes in classes_ and "
                    f"{n_features} features, and is {shape}: a fitted {type(self).__name__} was "
                    "changed. Change it back, or fit a new one made by sklearn.base.clone."
                )

    def _has_model(self) -> bool:
        """Return whether there is a fitted model; raise if a part of it is missing or changed."""
        if self._parts.isdisjoint(self.__dict__):
            return False
        self._check_parts()
        if hasattr(self, "n_features_in_"):
            self._check_shapes(self.n_features_in_)
        return True

    # -- fitting -----------------------------------------------------------------------------------

    def _validate_params(self) -> None:
        """Validate parameters as scikit-learn does; defaults are valid and are left out."""
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
        # To find NaN, scikit-learn sums all values, and that sum may overflow.
        with np.errstate(invalid="ignore"):
            return as_design(validated(X, validate))

    def _encode(
        self, y: Any, design: Design, sample_weight: Any, classes: Any = None, offset: Any = None
    ) -> Targets:
        """Validate y, weights and offsets; `classes` are given if they are known already."""
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
        """Return a function that prints a line of progress; None if `verbose` is off."""
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
        """Return whether the loss is far above that of equal probabilities for all classes."""
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
    """Return the default values of an estimator's parameters."""
    parameters = inspect.signature(estimator.__init__).parameters  # type: ignore[misc]
    return {name: p.default for name, p in parameters.items() if p.default is not p.empty}
