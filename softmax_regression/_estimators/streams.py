"""Streams: what `partial_fit` keeps between calls, and how it trains on the next rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import unique_labels

from softmax_regression._data.moments import Moments
from softmax_regression._estimators.state import from_state
from softmax_regression._estimators.targets import (
    as_labels,
    is_soft,
    soft_classes,
    sorted_classes,
)
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._objectives.base import CrossEntropyObjective
from softmax_regression._objectives.network.input_scaling import InputScaling
from softmax_regression._problems.choice import SOLVERS, SPARSE_SOLVER
from softmax_regression._solvers.minibatch.learning_rates import LEARNING_RATES, LearningRate
from softmax_regression._solvers.minibatch.minibatch import Minibatches, run_epoch
from softmax_regression._solvers.minibatch.optimizers import SGD, Adam, Averaging, Optimizer

MAX_COMPARED_ROWS = 2000  # Rows of a call on which the model and the latest iterate are compared.
# Log-likelihood ratio, in nats, at which a stream counts as changed. By Lorden's bound, if the
# average is the true model, that happens by chance at most once in e²⁰ = 5·10⁸ rows.
CHANGE_EVIDENCE = 20.0


@dataclass
class Stream:
    """What `partial_fit` keeps between calls.

    A *piece* is the data of one call. The optimizer's *iterate* are the parameters that it has
    reached; the model is an average of iterates.

    Parameters
    ----------
    model : dict
        The estimator's parameters that must not change within a stream.
    columns : ndarray of shape (n_classes,) or None
        The positions in `classes_` of the columns of class probabilities without names; None if
        they are in the same order.
    steps : dict or None
        The solver and the parameters with which the optimizer was created. Before the first piece
        `steps`, `optimizer` and `random_state` are None.
    optimizer : Optimizer or None
        The optimizer with its running averages.
    random_state : RandomState or None
        It draws the order of the rows.
    n_rows : int
        The number of rows of positive weight so far.
    weight : Fraction
        The sum of their weights.
    moments : Moments or None
        Means and deviations of the columns so far, if the model uses them.
    scaling : InputScaling or None
        The scaling of the inputs by the first piece, if the model uses it.
    n_steps : int
        Steps of the optimizer since the stream began or last changed.
    offset : ndarray or None
        The iterate less the parameters of the model, in the coordinates of X; None before the first
        piece.
    evidence : float
        The log-likelihood ratio of the iterate to the model, since it was last 0.
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

    def count(self, targets: Targets) -> None:
        """Add the rows of a piece and their weight."""
        self.n_rows += targets.n_rows_of_weight
        self.weight += targets.total_weight

    def mean_weight(self, targets: Targets) -> float:
        """Return the mean weight of a counted piece, relative to that of the whole stream."""
        mean = targets.total_weight / targets.n_rows_of_weight
        return float(mean / (self.weight / self.n_rows))

    def average(self, moments: Moments, weight: Fraction) -> Moments:
        """Add the moments of a counted piece; return those of all pieces so far."""
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
        """Train for one epoch on a counted piece; return the mean loss.

        `params`, the iterate, and `model`, the average of iterates, are changed in place.
        """
        assert self.optimizer is not None
        n_rows = len(objective.rows)
        with np.errstate(over="ignore", invalid="ignore"):  # The caller raises for divergence.
            after = 1 / rate.initial if averaged else np.inf  # Steps before averaging begins.
            if self.n_steps > after and self._has_changed(objective, model, params):
                model[...] = params
                self.n_steps, self.evidence = 0, 0.0
            rate = rate.in_stream(self.n_rows - n_rows, self.n_steps)
            steps = Averaging(self.optimizer, np.inf, after, model, self.n_steps)
            loss = run_epoch(objective, params, np.empty_like(params), steps, rate, batches, weight)
        self.n_steps = steps.n_steps
        return loss

    def _has_changed(self, objective: CrossEntropyObjective, model: Array, params: Array) -> bool:
        """Return whether new rows are more likely under the iterate than under the average.

        While the distribution of a stream stays the same, the average is the better model; when it
        changes, the iterate adapts first. Their log-likelihood ratio is summed over rows, and reset
        to 0 whenever it falls below 0 (Page, "Continuous inspection schemes", Biometrika 41, 1954;
        Lorden, "Procedures for reacting to a change in distribution", Annals of Mathematical
        Statistics 42, 1971).
        """
        rows = objective.rows[:: -(-len(objective.rows) // MAX_COMPARED_ROWS)]
        gain = objective.mean_loss(model, rows) - objective.mean_loss(params, rows)
        self.evidence = max(0.0, self.evidence + len(rows) * gain)
        return self.evidence > CHANGE_EVIDENCE


class StreamMixin:
    """Methods with which an estimator continues a stream."""

    # Attributes and methods of the estimator that the mixin uses.
    classes_: Array
    random_state: Any
    batch_size: int | str
    shuffle: bool
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    _model_parameters: Callable[[], dict[str, Any]]

    _step_parameters: ClassVar[tuple[str, ...]] = (  # Parameters of the optimizers.
        "momentum",
        "nesterovs_momentum",
        "beta_1",
        "beta_2",
        "epsilon",
    )

    def _classes_of_columns(self) -> Array:
        """Return the classes in the order in which unnamed columns of probabilities have them."""
        stream = getattr(self, "_stream", None)
        if stream is None or stream["columns"] is None:
            return np.asarray(self.classes_)
        return np.asarray(self.classes_)[stream["columns"]]

    def _stream_classes(self, classes: Any, y: Any, first: bool) -> Array:
        """Return the classes of a stream in the order of unnamed columns of probabilities.

        The first call of `partial_fit` names them.
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
        """Return a copy of the stream so far, or a new stream; a failed call discards it."""
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
        return min(200 if isinstance(self.batch_size, str) else self.batch_size, n_rows)

    def _batches(self, n_rows: int, random_state: np.random.RandomState) -> Minibatches:
        return Minibatches(self._batch_size(n_rows), self.shuffle, random_state)


def check_parameters_of_stream(estimator: Any) -> None:
    """Raise AttributeError if a parameter of all estimators makes `partial_fit` unavailable.

    Values out of range are left to the validation of parameters.
    """
    if estimator.class_weight == "balanced":
        raise AttributeError(
            "class_weight='balanced' needs all labels at once and does not go with partial_fit; "
            "pass a dict with the weights."
        )
    schedules = LEARNING_RATES.items()
    planned = [name for name, rate in schedules if rate.planned or rate.in_cycles]
    if estimator.learning_rate in planned:
        raise AttributeError(
            f"partial_fit does not go with learning_rate={estimator.learning_rate!r}, which has to "
            "know when training ends: use 'constant' or 'invscaling'."
        )


def can_stream(estimator: Any) -> bool:
    """Return True if a linear model has `partial_fit`; raise AttributeError if it does not."""
    if estimator.solver in (*SOLVERS, SPARSE_SOLVER):
        raise AttributeError(
            f"partial_fit needs solver='auto', 'sgd' or 'adam', got {estimator.solver!r}."
        )
    if estimator.bounds is not None:
        raise AttributeError(
            "partial_fit does not keep coefficients within bounds: set bounds=None, or fit all "
            "rows at once."
        )
    if estimator.bias_reduction == "firth":
        raise AttributeError(
            "partial_fit does not reduce bias, which takes the information of all rows: set "
            "bias_reduction=None, or fit all rows at once."
        )
    if isinstance(estimator.standardize, bool | np.bool_) and estimator.standardize:
        raise AttributeError(
            "standardize=True needs the deviations of all rows at once and does not go with "
            "partial_fit: pass penalty_weights, the squares of known deviations, or fit all rows "
            "at once."
        )
    if isinstance(estimator.l1_ratio, Real) and 0 < float(estimator.l1_ratio) <= 1:
        raise AttributeError(
            f"partial_fit makes no exact zeros, as l1_ratio={estimator.l1_ratio!r} asks for: set "
            "l1_ratio=0, or fit all rows at once."
        )
    check_parameters_of_stream(estimator)
    return True
