"""Training of `SoftmaxRegression` on minibatches, by 'sgd' and 'adam'."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from softmax_regression._estimators.callbacks import Watched
from softmax_regression._estimators.linear_classifier import LinearSoftmaxClassifier
from softmax_regression._estimators.state import state_of
from softmax_regression._estimators.streams import Stream
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._solvers.criteria import RelativeGap, certify, evaluate
from softmax_regression._solvers.minibatch.learning_rates import LEARNING_RATES, LearningRate
from softmax_regression._solvers.minibatch.minibatch import minimize_minibatch
from softmax_regression._solvers.minibatch.optimizers import Averaging
from softmax_regression._solvers.result import SolverResult, StopReason


class MinibatchFits(LinearSoftmaxClassifier):
    """A linear classifier that can be fitted on minibatches."""

    solver: str
    tol: float
    max_iter: int
    max_time: float | None
    learning_rate: str
    learning_rate_init: float | str
    power_t: float
    n_iter_no_change: float

    @abstractmethod
    def _attributes(
        self,
        classes: ClassesWithWeight,
        base: LinearCrossEntropy,
        coef: Array,
        intercept: Array,
    ) -> dict[str, Any]:
        """Return the attributes for predictions by W and b of the fitted classes."""

    @abstractmethod
    def _held(self, classes: ClassesWithWeight) -> tuple[Array, Array]:
        """Return the stored W, less the prior mean, and b of the classes that were fitted."""

    def _minimize_batches(
        self,
        classes: ClassesWithWeight,
        base: LinearCrossEntropy,
        coef: Array,
        intercept: Array,
        watched: Watched,
    ) -> tuple[LinearCrossEntropy, SolverResult]:
        """Run a solver on minibatches; return the objective in float64, and the result."""
        self.solver_: str = self.solver
        objective = base.standardized()
        start = objective.from_model(coef, intercept)

        def attributes(unknowns: Array) -> dict[str, Any]:
            return self._attributes(classes, base, *objective.to_model(unknowns))

        n_rows = len(objective.rows)
        batches = self._batches(n_rows, check_random_state(self.random_state))
        rate = self._learning_rate(objective, 1 / batches.size - 1 / n_rows)
        steps = self._optimizer(self.solver_)
        result = minimize_minibatch(
            objective,
            start,
            Averaging(steps, length=batches.number(n_rows), after=1 / rate.initial),
            rate,
            batches,
            tol=self.tol,
            max_iter=self.max_iter,
            n_iter_no_change=self.n_iter_no_change,
            max_time=self.max_time,
            report=self._report(),
            watch=watched.steps("epoch", attributes, lambda: start),
        )
        self._refuse_divergence(result.params, result.value, result.n_iter)
        return objective.astype(np.float64), result

    def _certified(
        self, classes: ClassesWithWeight, objective: LinearCrossEntropy, result: SolverResult
    ) -> SolverResult:
        """Return a result with the objective and the gap of the stored model.

        The mean loss of an epoch, which the solver reports, is that of many different parameters.
        """
        try:
            end = evaluate(objective, objective.from_model(*self._held(classes)))
            remaining = certify(RelativeGap(), self.tol, objective, end)
        except KeyboardInterrupt:  # The model is kept; its gap is unknown.
            return replace(result, reason=StopReason.INTERRUPTED)
        return replace(result, value=end.value, remaining=remaining)

    def _begun_stream(self, objective: LinearCrossEntropy, targets: Targets) -> dict[str, Any]:
        """Return the state of a stream that `partial_fit` may continue after a fit."""
        n_rows = targets.n_rows_of_weight
        stream = Stream(
            self._model_parameters(),
            n_rows=n_rows,
            weight=targets.total_weight,
            moments=objective.data.moments(),
            n_steps=-(-n_rows // self._batch_size(n_rows)),  # As many as in an epoch.
        )
        return dict(state_of(vars(stream)))

    def _learning_rate(self, objective: LinearCrossEntropy, noise: float) -> LearningRate:
        """Create the schedule; `noise` is the variance of a batch's mean over that of a row."""
        if not isinstance(self.learning_rate_init, str):
            initial = self.learning_rate_init
        elif self.solver_ == "adam":
            initial = 0.03
        else:
            # Momentum lengthens steps by 1 / (1 - momentum), which amplifies a batch's noise.
            longer = self.momentum / max(1 - self.momentum, 1e-3)
            initial = 1 / (objective.curvature_bound() * (1 + longer * noise))
        return LEARNING_RATES[self.learning_rate](initial, self.power_t)
