"""What both estimators share: validation of X, and the predict family on top of scores."""

from __future__ import annotations

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial
from math import isfinite
from operator import eq
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._data.make import as_design
from softmax_regression._data.moments import Moments
from softmax_regression._estimators.callbacks import CallbackSupportMixin
from softmax_regression._estimators.features import validated
from softmax_regression._estimators.hints import hint
from softmax_regression._estimators.state import from_state
from softmax_regression._estimators.targets import (
    as_labels,
    encode_targets,
    is_soft,
    relative_weights,
    soft_classes,
    sorted_classes,
)
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._losses.targets import Targets
from softmax_regression._objectives.base import CrossEntropyObjective
from softmax_regression._objectives.network.input_scaling import InputScaling
from softmax_regression._solvers.minibatch.learning_rates import LEARNING_RATES, LearningRate
from softmax_regression._solvers.minibatch.minibatch import Minibatches, run_epoch
from softmax_regression._solvers.minibatch.optimizers import SGD, Adam, Averaging, Optimizer
from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression.functional import log_softmax, softmax

Array = NDArray[Any]

_FEW_VALUES = 100_000  # of X, below which looking at it closely costs more than using it
_LITTLE_WORK = 250_000  # multiplications, for which OpenBLAS wakes no thread
_LITTLE_WORK_FOR_A_ROW = 9_000  # the same, in a product with a vector
_MODEST = 30.0  # a score whose exponential keeps its digits, in float32 too
MAX_COMPARED_ROWS = 2000  # Rows of a piece on which the model and the latest iterate are compared.
# Log-likelihood ratio, in nats, at which a stream counts as changed. By Lorden's bound, were the
# average the true model, that would happen by chance once in e²⁰ = 5·10⁸ rows or less often.
CHANGE_EVIDENCE = 20.0
# The smallest normal number of each dtype.
_TINY = {np.dtype(t): float(np.finfo(t).tiny) for t in (np.float64, np.float32)}


@dataclass
class Stream:
    """What `partial_fit` remembers from one piece of a stream to the next.

    Parameters
    ----------
    model : dict
        The parameters that say which model this is, and cannot change within a stream.
    columns : ndarray of shape (n_classes,) or None
        The positions in `classes_` of the columns of class probabilities without names; None if
        they are in the same order.
    steps : dict or None
        The solver and its parameters, by which the optimizer was made; None before the first piece,
        as are the next two.
    optimizer : Optimizer or None
        With its running averages.
    random_state : RandomState or None
        Where the order of rows comes from.
    n_rows : int
        Rows of positive weight so far.
    weight : Fraction
        Their summed weight.
    moments : Moments or None
        Means and deviations of the columns so far, where they are wanted.
    scaling : InputScaling or None
        By the first piece's, where it is that which is wanted.
    n_steps : int
        Steps of the optimizer since the stream began or last changed.
    offset : ndarray or None
        Parameters that the optimizer has reached, less those of the model, in the coordinates of X;
        None before the first piece.
    evidence : float
        Log-likelihood ratio of the parameters reached to the model, since it was last 0.
    """

    model: dict[str, Any]
    columns: Array | None = None
    steps: dict[str, Any] | None = None
    optimizer: Optimizer | None = None
    random_state: Any = None
    n_rows: int = 0
    weight: Fraction = Fraction(0)
    moments: Moments | None = None
    scaling: InputScaling | None = None
    n_steps: int = 0
    offset: Array | None = None
    evidence: float = 0.0

    def count(self, targets: Targets) -> float:
        """Count a piece; return its mean weight in units of the stream's so far."""
        n_rows = int(np.count_nonzero(targets.row_weights()))
        self.n_rows += n_rows
        self.weight += targets.total_weight
        return float((targets.total_weight / n_rows) / (self.weight / self.n_rows))

    def average(self, moments: Moments, weight: Fraction) -> Moments:
        """Take in the moments of a piece that has been counted; return those of all so far."""
        share = float(weight / self.weight)
        parts = [replace(moments, weight=share)]
        if self.moments is not None:
            parts.insert(0, replace(self.moments, weight=1 - share))
        self.moments = Moments.pooled(parts)
        return self.moments

    def train(
        self,
        objective: CrossEntropyObjective,
        model: Array,
        params: Array,
        rate: LearningRate,
        batches: Minibatches,
        weight: float,
        averaged: bool = True,
    ) -> float:
        """Make a pass over a piece that has been counted; return its mean loss.

        Changes `params`, from which the optimizer steps, and `model`, their average.
        """
        assert self.optimizer is not None
        n_rows = len(objective.rows)
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is refused afterwards
            after = 1 / rate.initial if averaged else np.inf  # steps without an average
            if self.n_steps > after and self._has_changed(objective, model, params):
                model[...] = params
                self.n_steps, self.evidence = 0, 0.0
            rate = rate.in_stream(self.n_rows - n_rows, self.n_steps)
            steps = Averaging(self.optimizer, np.inf, after, model, self.n_steps)
            loss = run_epoch(objective, params, np.empty_like(params), steps, rate, batches, weight)
        self.n_steps = steps.n_steps
        return loss

    def _has_changed(self, objective: CrossEntropyObjective, model: Array, params: Array) -> bool:
        """Whether rows that neither has seen are more likely by the iterate than by the average.

        While a stream stands still, the average is the better model; when it changes, the latest
        iterate follows first. Their log-likelihood ratio is added up and begins anew at 0 whenever
        it falls below (Page, "Continuous inspection schemes", Biometrika 41, 1954; Lorden,
        "Procedures for reacting to a change in distribution", Annals of Mathematical Statistics 42,
        1971).
        """
        rows = objective.rows[:: -(-len(objective.rows) // MAX_COMPARED_ROWS)]
        gain = objective.mean_loss(model, rows) - objective.mean_loss(params, rows)
        self.evidence = max(0.0, self.evidence + len(rows) * gain)
        return self.evidence > CHANGE_EVIDENCE


class BaseSoftmaxClassifier(
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
    _step_parameters: ClassVar[tuple[str, ...]] = (  # of the optimizer of minibatches
        "momentum",
        "nesterovs_momentum",
        "beta_1",
        "beta_2",
        "epsilon",
    )

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

    # -- predicting --------------------------------------------------------------------------------

    def decision_function(self, X: Any) -> Array:
        """Scores (logits), before softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            One score per class; of two classes, the score of ``classes_[1]`` minus that of
            ``classes_[0]``.
        """
        scores = self._map_scores(X, lambda scores: scores)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> Array:
        """The most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, as in `classes_`.
        """
        best = self._map_scores(X, lambda scores: most_probable(scores)[None])[:, 0]
        return np.asarray(self.classes_)[best]

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class: softmax of the scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; rows sum to 1. No entry is 0: what is too small for
            its dtype is given as the smallest normal number, so that logarithms stay finite.
        """
        return self._map_scores(X, _probabilities)

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of the probability of each class, exact where the probability rounds to 1.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`. As in `predict_proba`, no probability counts as less
            than the smallest normal number of its dtype.
        """

        def log_probabilities(scores: Array) -> Array:
            log_p = log_softmax(_one_per_class(scores), axis=0)
            return np.maximum(log_p, np.log(np.finfo(log_p.dtype).tiny), out=log_p)

        return self._map_scores(X, log_probabilities)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on some rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            True labels, or class probabilities: then the accuracy that is expected if labels are
            drawn from them. Columns of a DataFrame are found by their names, those of an array are
            in the order of `classes_` (or that in which `partial_fit` was told of them).
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The weighted share of rows that `predict` gets right.
        """
        predicted = self.predict(X)
        if not is_soft(y):
            weights = relative_weights(sample_weight)
            return float(accuracy_score(as_labels(y), predicted, sample_weight=weights))
        targets = encode_targets(
            y,
            len(predicted),
            classes=self._classes_of_columns(),
            sample_weight=sample_weight,
            class_weight=None,
            estimator=type(self).__name__,
        )
        right = (predicted[:, None] == targets.classes) * targets.encoded
        return float(np.average(right.sum(axis=1), weights=targets.weight))

    def _map_scores(self, X: Any, transform: Callable[[Array], Array]) -> Array:
        """Apply a function to the scores of each block of rows; return it row by row."""
        if self._plainly_valid(X):
            scorer, width = self._scorer()
            little = X.size * width <= (_LITTLE_WORK if len(X) > 1 else _LITTLE_WORK_FOR_A_ROW)
            at_once = _at_once if little else _held_at_once
            return at_once(DenseDesign(X), scorer, transform)
        self._check_parts()
        design = self._validate_rows(X, reset=False)
        self._check_shapes(design.n_columns)
        return self._map_blocks(design, transform)

    @blas_held_to_one_thread
    def _map_blocks(self, design: Design, transform: Callable[[Array], Array]) -> Array:
        scorer, width = self._scorer()
        of_no_row = transform(scorer(design[:0]))  # how many values a row has, of which dtype
        result = np.empty((design.n_rows, len(of_no_row)), dtype=of_no_row.dtype)

        def work(blocks: Sequence[slice]) -> None:
            for rows in blocks:
                result[rows] = transform(scorer(design[rows])).T

        design.map_blocks(work, width)
        return result

    def _plainly_valid(self, X: Any) -> bool:
        """Whether a few looks are enough to see that X is a proper array of a few rows.

        For a single row, scikit-learn's validation takes ten times as long as the prediction. All
        else, what is wrong included, is left to it.
        """
        known = self.__dict__
        return (
            "feature_names_in_" not in known
            and _plain(X)
            and known.get("n_features_in_") == X.shape[1]
            and self.__sklearn_is_fitted__()
            and eq(*self._shapes(X.shape[1]))
            and len(X) * len(self.classes_) <= _FEW_VALUES
        )

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
        defaults = _defaults(type(self))
        changed = {
            name: getattr(self, name)
            for name in self._parameter_constraints
            if name not in defaults or getattr(self, name) is not defaults[name]
        }
        validate_parameter_constraints(
            self._parameter_constraints, changed, caller_name=type(self).__name__
        )

    def _validate_rows(self, X: Any, *, reset: bool) -> Design:
        if reset and "feature_names_in_" not in self.__dict__ and _plain(X):
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

    def _encode(self, y: Any, design: Design, sample_weight: Any, classes: Any = None) -> Targets:
        """Validate y and weights; `classes` are those known already."""
        return encode_targets(
            y,
            design.n_rows,
            classes=classes,
            sample_weight=sample_weight,
            class_weight=self.class_weight,
            estimator=type(self).__name__,
        )

    def _classes_of_columns(self) -> Array:
        """Return the classes in the order of columns of class probabilities without names."""
        stream = getattr(self, "_stream", None)
        if stream is None or stream["columns"] is None:
            return np.asarray(self.classes_)
        return np.asarray(self.classes_)[stream["columns"]]

    def _stream_classes(self, classes: Any, y: Any, first: bool) -> Array:
        """Return the classes of a stream in the order of columns of probabilities without names.

        They are those known, or those its first call names.
        """
        soft = is_soft(y)
        if classes is None:
            if not first:
                return self._classes_of_columns()
            if soft:
                return sorted_classes(soft_classes(y))
            raise ValueError("classes must be passed on the first call to partial_fit.")
        named = as_labels(classes, "classes")
        named = named if soft else unique_labels(named)
        if not first and not np.array_equal(np.sort(self.classes_), np.sort(named)):
            raise ValueError(
                f"classes={named.tolist()} differ from those of the calls before, "
                f"{np.asarray(self.classes_).tolist()}."
            )
        if len(named) < 2:
            raise ValueError(f"classes must name at least two classes, got {named.tolist()}.")
        if len(np.unique(named)) < len(named):
            raise ValueError(
                f"classes name the columns of y and must all be different, got {named.tolist()}."
            )
        return named if first or soft else self._classes_of_columns()

    def _resumed_stream(self, solver: str, first: bool) -> Stream:
        """Return the stream so far, or a new one: a copy, which a failure leaves behind."""
        model, known = self._model_parameters(), getattr(self, "_stream", None)
        stream = Stream(model) if first or known is None else Stream(**from_state(known))
        for name, before in stream.model.items():
            if model[name] != before:
                raise ValueError(
                    f"{name}={model[name]!r} asks for another model than partial_fit has to go on "
                    f"with, whose {name} is {before!r}: set it back, or call fit to begin anew."
                )
        steps = {"solver": solver} | {name: getattr(self, name) for name in self._step_parameters}
        if stream.steps != steps:
            stream.steps, stream.optimizer = steps, self._optimizer(solver)
        if stream.random_state is None:
            stream.random_state = check_random_state(self.random_state)
        return stream

    def _optimizer(self, solver: str) -> Optimizer:
        if solver == "sgd":
            return SGD(self.momentum, self.nesterovs_momentum)
        return Adam(self.beta_1, self.beta_2, self.epsilon)

    def _batch_size(self, n_rows: int) -> int:
        return min(200 if self.batch_size == "auto" else self.batch_size, n_rows)

    def _batches(self, n_rows: int, random_state: np.random.RandomState) -> Minibatches:
        return Minibatches(self._batch_size(n_rows), self.shuffle, random_state)

    def _report(self) -> Callable[[str], None] | None:
        """Return what prints progress, if it is wanted."""
        if not self.verbose:
            return None
        return lambda line: print(f"{type(self).__name__} {line}", flush=True)

    def _warn_stopped(self, result: SolverResult, message: str) -> None:
        """Warn, at the line that called `fit`, why the solver stopped."""
        iterations = "iteration" if result.n_iter == 1 else "iterations"
        ending = f"stopped after {result.n_iter} {iterations} because"
        if result.reason is StopReason.ROUNDED:
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


def check_parameters_of_stream(estimator: Any) -> None:
    """Raise AttributeError if a parameter of both estimators makes `partial_fit` unavailable.

    Values that are out of range are left to the validation of parameters.
    """
    if estimator.class_weight == "balanced":
        raise AttributeError(
            "class_weight='balanced' needs all labels at once and does not go with partial_fit; "
            "pass a dict with the weights."
        )
    planned = [name for name, schedule in LEARNING_RATES.items() if schedule.planned]
    if estimator.learning_rate in planned:
        raise AttributeError(
            f"partial_fit does not go with learning_rate={estimator.learning_rate!r}, which has to "
            "know when training ends: use 'constant' or 'invscaling'."
        )


@cache
def _defaults(estimator: type) -> dict[str, Any]:
    """Return what the parameters of an estimator are if not given."""
    parameters = inspect.signature(estimator.__init__).parameters  # type: ignore[misc]
    return {name: p.default for name, p in parameters.items() if p.default is not p.empty}


def _plain(X: Any) -> bool:
    """Whether X is an array of a few rows of finite floating-point numbers."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype in _TINY
        and 0 < X.size <= _FEW_VALUES
        and isfinite(np.vdot(X, X))  # the quickest look; what overflows is looked at closely
    )


def most_probable(scores: Array) -> Array:
    """Return the position of the most probable class of each row, from class-major scores."""
    if len(scores) > 1:
        return scores.argmax(axis=0)
    return (scores[0] > 0).astype(np.intp)


def _at_once(
    design: Design, scorer: Callable[[Design], Array], transform: Callable[[Array], Array]
) -> Array:
    """Apply a function to the scores of all rows; return it row by row."""
    return np.ascontiguousarray(transform(scorer(design)).T)


_held_at_once = blas_held_to_one_thread(_at_once)


def _probabilities(scores: Array) -> Array:
    """Softmax over the first axis, or of two classes the sigmoid; scores may be overwritten.

    `functional.softmax` is the same for any array; this is for one row in a few microseconds, and
    what is too small for its dtype is given as the smallest normal number.
    """
    if len(scores) == 1:
        p = np.concatenate([expit(-scores), expit(scores)])
        return np.maximum(p, _TINY[p.dtype], out=p)
    size = np.vdot(scores, scores)  # which does not warn of what overflows
    if size <= _MODEST**2:  # then no exponential is near either end, and needs no shift
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores)
        return scores
    if isfinite(size):
        scores -= np.maximum.reduce(scores)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores)
    else:
        scores = softmax(scores, axis=0)
    return np.maximum(scores, _TINY[scores.dtype], out=scores)


def _one_per_class(scores: Array) -> Array:
    """Give the first of two classes its score of 0."""
    if len(scores) > 1:
        return scores
    return np.concatenate([np.zeros_like(scores), scores])
