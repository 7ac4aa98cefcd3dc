"""What both estimators share: validation of X, and the predict family on top of scores."""

from __future__ import annotations

import copy
import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from softmax_regression._callbacks import WRAPPED, CallbackSupportMixin
from softmax_regression._targets import (
    Targets,
    encode_targets,
    is_soft,
    relative_weights,
    soft_classes,
)
from softmax_regression.design import DenseDesign, Design, Moments, as_design
from softmax_regression.functional import log_softmax, softmax
from softmax_regression.objectives import InputScaling, Objective
from softmax_regression.solvers import (
    SGD,
    Adam,
    LearningRate,
    Minibatches,
    Optimizer,
    SolverResult,
    StopReason,
    run_epoch,
)

Array = NDArray[Any]

_FEW_VALUES = 100_000  # of X, below which looking at it closely costs more than using it
_MODEST = 30.0  # a score whose exponential keeps its digits, in float32 too
# The smallest normal number of each dtype.
_TINY = {np.dtype(t): float(np.finfo(t).tiny) for t in (np.float64, np.float32)}


@dataclass
class Stream:
    """What `partial_fit` remembers from one piece of a stream to the next.

    Parameters
    ----------
    solver : str or None
        What the optimizer is called; None before the first piece, as are the next two.
    optimizer : Optimizer or None
        With its running averages.
    random_state : RandomState or None
        Where the order of rows comes from.
    factor : float
        By which the learning rate has fallen.
    n_rows : int
        Rows of positive weight so far.
    weight : Fraction
        Their summed weight.
    moments : Moments or None
        Means and deviations of the columns so far, where they are wanted.
    scaling : InputScaling or None
        By the first piece's, where it is that which is wanted.
    """

    solver: str | None = None
    optimizer: Optimizer | None = None
    random_state: Any = None
    factor: float = 1.0
    n_rows: int = 0
    weight: Fraction = Fraction(0)
    moments: Moments | None = None
    scaling: InputScaling | None = None

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
        objective: Objective,
        params: Array,
        rate: LearningRate,
        batches: Minibatches,
        weight: float,
    ) -> float:
        """Change `params` by a pass over a piece that has been counted; return its mean loss."""
        assert self.optimizer is not None
        rate.factor = self.factor
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is refused afterwards
            loss = run_epoch(
                objective, params, np.empty_like(params), self.optimizer, rate, batches, weight
            )
        rate.epoch_ended(self.n_rows)
        self.factor = rate.factor
        return loss


class BaseSoftmaxClassifier(
    CallbackSupportMixin,  # type: ignore[misc]
    ClassifierMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
    ABC,
):
    """A classifier that gives every class a score; softmax turns the scores into probabilities.

    A subclass fits, sets `classes_`, and says how scores come from a block of rows.
    """

    @abstractmethod
    def _scorer(self) -> tuple[Callable[[Design], Array], int]:
        """Return how scores come from rows, and the most values a row has on the way there.

        The function takes a design and returns a new array of class-major scores, of shape
        (n_outputs, n_rows).
        """

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
        return self.classes_[best]

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
            drawn from them.
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
            return float(accuracy_score(y, predicted, sample_weight=weights))
        targets = encode_targets(
            y,
            len(predicted),
            classes=self.classes_,
            sample_weight=sample_weight,
            class_weight=None,
            estimator=type(self).__name__,
        )
        right = (predicted[:, None] == self.classes_) * targets.encoded
        return float(np.average(right.sum(axis=1), weights=targets.weight))

    def _map_scores(self, X: Any, transform: Callable[[Array], Array]) -> Array:
        """Apply a function to the scores of each block of rows; return it row by row."""
        if self._plainly_valid(X):
            return np.ascontiguousarray(transform(self._scorer()[0](DenseDesign(X))).T)
        check_is_fitted(self)
        design = self._validate_rows(X, reset=False)
        scorer, width = self._scorer()
        result: Array | None = None
        for rows in design.blocks(width):
            part = transform(scorer(design[rows]))
            if result is None:
                result = np.empty((design.n_rows, part.shape[0]), dtype=part.dtype)
            result[rows] = part.T
        assert result is not None  # validation refuses X without rows
        return result

    def _plainly_valid(self, X: Any) -> bool:
        """Whether a few looks are enough to see that X is a proper array of a few rows.

        For a single row, scikit-learn's validation takes ten times as long as the prediction. All
        else, what is wrong included, is left to it.
        """
        known = self.__dict__
        return (
            "classes_" in known
            and "feature_names_in_" not in known
            and _plain(X)
            and known.get("n_features_in_") == X.shape[1]
            and len(X) * len(self.classes_) <= _FEW_VALUES
        )

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
        with np.errstate(invalid="ignore"):  # of a sum of all values, which may overflow
            X = validate_data(
                self,
                X,
                accept_sparse=("csr", "csc"),
                dtype=[np.float64, np.float32],
                reset=reset,
            )
        return as_design(X)

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

    def _stream_classes(self, classes: Any, y: Any) -> Array:
        """Return the classes of a stream: those known, or those its first call names."""
        known = getattr(self, "classes_", None)
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all labels at once and does not go with "
                "partial_fit; pass a dict with the weights."
            )
        if classes is None:
            if known is not None:
                return known
            if is_soft(y):
                return soft_classes(y)
            raise ValueError("classes must be passed on the first call to partial_fit.")
        named = np.asarray(classes) if is_soft(y) else unique_labels(classes)
        if known is not None and np.array_equal(np.sort(known), np.sort(named)):
            return known
        if known is not None:
            raise ValueError(
                f"classes={named.tolist()} differ from those of the calls before, {known.tolist()}."
            )
        if len(named) < 2:
            raise ValueError(f"classes must name at least two classes, got {named.tolist()}.")
        return named

    def _resumed_stream(self, solver: str) -> Stream:
        """Return the stream so far, or a new one: a copy, which a failure leaves behind."""
        stream = copy.deepcopy(getattr(self, "_stream", None)) or Stream()
        if stream.solver != solver:
            stream.solver, stream.optimizer = solver, self._optimizer(solver)
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
            stacklevel=5 + WRAPPED,
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
def _defaults(estimator: type) -> dict[str, Any]:
    """Return what the parameters of an estimator are if not given."""
    parameters = inspect.signature(estimator).parameters
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
