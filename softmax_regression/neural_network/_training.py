"""The training of `SmallMLP`: coordinates, precision, validation rows and final refit.

Training applies a configuration, the `Recipe`, to rows. If some rows are set aside for validation,
it is first applied to the others, and then, if there are few rows, once more to all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._estimators.callbacks import Watched
from softmax_regression._estimators.prediction import most_probable, unchanged
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._objectives.network.cross_entropy import NetworkCrossEntropy, averaged
from softmax_regression._objectives.network.dropout import Dropout
from softmax_regression._objectives.network.encoded_inputs import EncodedInputs
from softmax_regression._objectives.network.input_scaling import InputScaling
from softmax_regression._objectives.network.layers import Layout
from softmax_regression._problems.held_out import HeldOut, split
from softmax_regression._problems.objective_scale import as_float
from softmax_regression._solvers.criteria import GradientNorm, evaluate
from softmax_regression._solvers.lbfgs import minimize_lbfgs
from softmax_regression._solvers.loop import Stopping
from softmax_regression._solvers.minibatch.learning_rates import LEARNING_RATES, LearningRate
from softmax_regression._solvers.minibatch.minibatch import (
    Minibatches,
    Validation,
    minimize_minibatch,
)
from softmax_regression._solvers.minibatch.optimizers import Averaging, Optimizer
from softmax_regression._solvers.result import Report, SolverResult, StopReason, Watch
from softmax_regression._solvers.time_limit import deadline_after
from softmax_regression.functional import Activation

Inputs = InputScaling | EncodedInputs
Score = Callable[[Array], float]  # The score of the network as a function of its parameters.

_MAX_REFIT_ROWS = 10_000  # With more rows, a refit that includes validation rows gains little.
_MAX_FLOAT64_VALUES = 10_000  # X with at most so many values takes no longer in float64.


@dataclass(frozen=True)
class NetworkResult(SolverResult):
    """The result of training, with parameters in the coordinates of X.

    Parameters
    ----------
    n_rows : int
        The number of rows of an epoch.
    temperature : float
        The temperature that the scores were divided by.
    """

    n_rows: int = 0
    temperature: float = 1.0

    @property
    def n_rows_seen(self) -> int:
        """The number of rows seen in all epochs."""
        return self.n_iter * self.n_rows


@dataclass(frozen=True)
class Recipe:
    """The training configuration, made from the parameters of `SmallMLP`.

    Parameters
    ----------
    solver : {'adam', 'sgd', 'lbfgs'}
        The solver.
    layer_sizes : sequence of int
        The numbers of inputs in training, of units of each hidden layer, and of outputs.
    n_members : int
        The number of networks of these layers to train side by side.
    encoded : EncodedInputs or None
        The codes of the features to train on, or None for features that are not encoded.
    dropout : sequence of float
        The dropout rates of the inputs and of each hidden layer.
    alpha : float
        The strength of the penalty, in scikit-learn's units.
    most_l2 : float or None
        The largest strength of the penalty ``||weights||² / 2`` relative to the mean loss, which
        applies to an `alpha` of 'auto'; sample weights whose mean is below 1 then count as if it
        were 1. With None, for a given `alpha`, sample weights count as numbers of rows.
    dtype : str or dtype
        The precision of training, or 'auto'.
    optimizer : callable
        A function that returns a new optimizer.
    deal : callable
        A function that returns the minibatches for a number of rows and a random state.
    calibrates : bool
        Whether scores are divided by the temperature with the smallest loss on held-out rows.
    report : callable or None
        A function that is called with a line of text after each epoch.
    activation, learning_rate, learning_rate_init, power_t, max_iter, max_fun, max_time, tol, \
n_iter_no_change, label_smoothing, standardize, average
        The parameters of `SmallMLP` of these names.
    """

    solver: str
    layer_sizes: Sequence[int]
    n_members: int
    encoded: EncodedInputs | None
    activation: Activation
    dropout: Sequence[float]
    alpha: float
    most_l2: float | None
    label_smoothing: float
    standardize: bool
    dtype: Any
    optimizer: Callable[[], Optimizer]
    deal: Callable[[int, np.random.RandomState], Minibatches]
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    max_fun: int
    max_time: float | None
    tol: float
    n_iter_no_change: float
    average: float
    calibrates: bool
    report: Report | None

    @property
    def layout(self) -> Layout:
        """The layout of the parameters in training."""
        return Layout(self.layer_sizes, self.n_members)

    def draw(self, random_state: np.random.RandomState) -> Array:
        """Draw initial parameters by the method of Glorot and Bengio."""
        layout = self.layout
        params = np.empty(layout.n_params)
        factor = 2.0 if self.activation.name == "logistic" else 6.0
        layers = zip(*layout.views(params), pairwise(layout.sizes), strict=True)
        for weights, intercepts, shape in layers:
            bound = np.sqrt(factor / sum(shape))
            weights[...] = random_state.uniform(-bound, bound, weights.shape)
            intercepts[...] = random_state.uniform(-bound, bound, intercepts.shape)
        return params

    def scaling(self, design: Design, targets: Targets) -> Inputs:
        """Choose the coordinates of the features to train in."""
        if self.encoded is not None:
            return self.encoded
        if not self.standardize:
            return InputScaling.none(design.n_columns)
        moments = design.moments(targets.row_weights())
        return InputScaling.standardizing(moments, centred=isinstance(design, DenseDesign))

    def objective(
        self,
        design: Design,
        targets: Targets,
        scaling: Inputs,
        random_state: np.random.RandomState,
    ) -> NetworkCrossEntropy:
        """Return the objective of training for some rows."""
        dtype = self._precision(design)
        loss = targets.loss(dtype, self.label_smoothing)
        # scikit-learn divides its penalty by the number of rows of a step, a batch or all rows.
        n_counted = len(loss.rows)
        size = n_counted if self.solver == "lbfgs" else self.deal(n_counted, random_state).size
        return NetworkCrossEntropy(
            scaling.design(design, dtype),
            loss,
            self.layout,
            self.activation,
            self._l2(n_counted / size, targets, dtype),
            self._drop(random_state),
        )

    def _l2(self, factor: float, targets: Targets, dtype: Any) -> float:
        """Return the strength of the penalty relative to the mean loss."""
        if self.most_l2 is not None:
            n_counted = float(np.count_nonzero(targets.row_weights()))
            n_rows = max(n_counted, as_float(targets.total_weight))
            return float(min(self.alpha * factor / n_rows, self.most_l2))
        l2 = as_float(Fraction(float(self.alpha * factor)) / targets.total_weight)
        if l2 > np.finfo(dtype).max:
            raise ValueError(
                f"alpha={self.alpha!r} divided by the sum of weights "
                f"{as_float(targets.total_weight):g} overflows: lower alpha, or multiply "
                "sample_weight by a power of 10."
            )
        return l2

    def rate(self) -> LearningRate:
        """Return a new schedule of the learning rate."""
        return LEARNING_RATES[self.learning_rate](self.learning_rate_init, self.power_t)

    def _precision(self, design: Design) -> np.dtype[Any]:
        """Return the precision of training, which for 'auto' depends on the size of X."""
        if self.dtype != "auto":
            return np.dtype(self.dtype)
        return np.dtype(np.float64 if design.n_values <= _MAX_FLOAT64_VALUES else np.float32)

    def _drop(self, random_state: np.random.RandomState) -> Dropout | None:
        """Return the masks of dropout, or None if all rates are 0."""
        if not any(self.dropout):
            return None
        return Dropout(self.dropout, random_state.randint(np.iinfo(np.int32).max))


@dataclass(frozen=True)
class HeldOutRows:
    """Rows that are held out for validation.

    Parameters
    ----------
    design : Design
        The features of the rows.
    targets : Targets
        The targets of the rows.
    score : callable or None
        The score of parameters on the rows; None for the accuracy.
    """

    design: Design
    targets: Targets
    score: Score | None


@dataclass(frozen=True)
class Plan:
    """What is known before a training that stops after a given number of epochs.

    Parameters
    ----------
    rate : LearningRate
        The schedule of the learning rate.
    n_epochs : int
        The number of epochs.
    temperature : float
        The temperature to divide scores by after training.
    max_time : float or None
        Seconds after which no further epoch begins.
    """

    rate: LearningRate
    n_epochs: int
    temperature: float = 1.0
    max_time: float | None = None


@dataclass(frozen=True)
class Training:
    """A training configuration and the state of one call of `fit`.

    Parameters
    ----------
    recipe : Recipe
        The training configuration.
    start : callable
        A function from the scaling of the features to the initial parameters.
    random_state : RandomState
        The random numbers for the order of rows, dropout, and the choice of held-out rows.
    watched : Watched
        The callbacks of the fit.
    refuse : callable
        A function that raises an error for a result that diverged.
    stop_early : bool
        Whether training stops early by held-out rows.
    by_loss : bool
        Whether early stopping uses the loss on held-out rows rather than their score.
    """

    recipe: Recipe
    start: Callable[[Inputs], Array]
    random_state: np.random.RandomState
    watched: Watched
    refuse: Callable[[SolverResult], None]
    stop_early: bool
    by_loss: bool

    def on(
        self,
        design: Design,
        targets: Targets,
        held_out: HeldOutRows | None = None,
        plan: Plan | None = None,
    ) -> NetworkResult:
        """Train on some rows, with early stopping by held-out rows or according to a plan."""
        scaling = self.recipe.scaling(design, targets)
        objective = self.recipe.objective(design, targets, scaling, self.random_state)
        params = self.start(scaling).astype(objective.dtype)
        task = "iteration" if self.recipe.solver == "lbfgs" else "epoch"

        def in_x(params: Array) -> Array:
            return scaling.folded(objective.layout, params, design.dtype)

        def attributes(params: Array) -> dict[str, Any]:
            weights, intercepts = objective.layout.arrays(in_x(params))
            return {"coefs_": weights, "intercepts_": intercepts}

        watch = self.watched.steps(task, attributes, lambda: params)
        temperature = 1.0 if plan is None else plan.temperature
        if self.recipe.solver == "lbfgs":
            result = self._minimize(objective, params, watch)
        else:
            seen = None
            if held_out is not None:
                seen = HeldOut(scaling.design(held_out.design, objective.dtype), held_out.targets)
            validate = self._validation(held_out, seen, objective, in_x)
            result = self._minimize_batches(objective, params, validate, watch, plan)
            if seen is not None and self.recipe.calibrates:
                self.refuse(result)
                network = objective.network(result.params)
                combine = unchanged if self.recipe.n_members == 1 else averaged
                temperature = seen.temperature(network.scores_of_members, combine)
            for parts in objective.layout.views(result.params):
                parts[-1][...] /= temperature
        if plan is None:  # Otherwise there is the result of a first training.
            self.refuse(result)
        found = vars(result) | {"params": in_x(result.params)}
        return NetworkResult(**found, n_rows=len(objective.rows), temperature=temperature)

    def without_some(
        self,
        design: Design,
        targets: Targets,
        fraction: float,
        score_on: Callable[[NDArray[np.intp]], Score | None],
        anew: bool,
    ) -> NetworkResult:
        """Train with some rows held out; if there are few rows, train again on all of them.

        Parameters
        ----------
        design, targets
            All rows.
        fraction : float
            The fraction of the rows to hold out.
        score_on : callable
            A function from row indices to the score of parameters on these rows.
        anew : bool
            Whether to train again on all rows, if there are few.
        """
        began = monotonic()
        rows, others = split(targets, fraction, self.random_state)
        held_out = HeldOutRows(design[others], targets.of(others), score_on(others))
        result = self.on(design[rows], targets.of(rows), held_out)
        ended = result.reason in (StopReason.NO_IMPROVEMENT, StopReason.MAX_ITER)
        schedule = self.recipe.rate().anew(result.best_epoch)
        if not (anew and len(rows) <= _MAX_REFIT_ROWS and ended) or schedule is None:
            return result
        rate, n_epochs = schedule
        max_time = self.recipe.max_time
        left = None if max_time is None else max_time - (monotonic() - began)
        if left is not None and left <= 0:
            return result
        plan = Plan(rate, min(n_epochs, self.recipe.max_iter), result.temperature, left)
        return self._anew(design, targets, result, plan)

    def _anew(
        self, design: Design, targets: Targets, result: NetworkResult, plan: Plan
    ) -> NetworkResult:
        """Train on all rows according to a plan; if it fails, keep the first result."""
        try:
            anew = self.on(design, targets, plan=plan)
        except KeyboardInterrupt:
            return replace(result, reason=StopReason.INTERRUPTED)
        if not (np.isfinite(anew.value) and np.isfinite(anew.params).all()):
            return result
        if anew.reason is not StopReason.MAX_ITER:
            return replace(result, reason=anew.reason)
        # The held-out rows of the first training determined when to stop.
        return replace(anew, validations=result.validations, reason=result.reason)

    def _validation(
        self,
        rows: HeldOutRows | None,
        held_out: HeldOut | None,
        objective: NetworkCrossEntropy,
        in_x: Callable[[Array], Array],
    ) -> Callable[[Array], Validation] | None:
        """Return a function that validates the parameters after each epoch."""
        if rows is None or held_out is None:
            return None

        def validate(params: Array) -> Validation:
            score = None if rows.score is None else partial(rows.score, in_x(params))
            scores = objective.network(params).scores
            return held_out.validate(scores, most_probable, score, self.by_loss)

        return validate

    def _minimize(
        self, objective: NetworkCrossEntropy, params: Array, watch: Watch | None
    ) -> SolverResult:
        """Minimise the objective by L-BFGS."""
        recipe = self.recipe
        stopping = Stopping(
            GradientNorm(),
            recipe.tol,
            recipe.max_iter,
            report=recipe.report,
            watch=watch,
            deadline=deadline_after(recipe.max_time),
        )
        start = evaluate(objective, params.astype(np.float64))
        return minimize_lbfgs(objective, start, stopping, max_fun=recipe.max_fun)

    def _minimize_batches(
        self,
        objective: NetworkCrossEntropy,
        params: Array,
        validate: Callable[[Array], Validation] | None,
        watch: Watch | None,
        plan: Plan | None,
    ) -> SolverResult:
        """Minimise the objective by a solver on minibatches."""
        recipe = self.recipe
        n_rows = len(objective.rows)
        batches = recipe.deal(n_rows, self.random_state)
        steps = recipe.optimizer()
        if recipe.average:
            steps = Averaging(steps, recipe.average * batches.number(n_rows))
        patience = recipe.n_iter_no_change
        if plan is None:
            rate = recipe.rate()
            plan = Plan(rate, rate.most_epochs(recipe.max_iter), max_time=recipe.max_time)
        else:
            patience = np.inf
        return minimize_minibatch(
            objective,
            params,
            steps,
            plan.rate,
            batches,
            tol=recipe.tol,
            max_iter=plan.n_epochs,
            n_iter_no_change=patience,
            max_time=plan.max_time,
            validate=validate,
            stop_early=self.stop_early,
            report=recipe.report,
            watch=watch,
        )
