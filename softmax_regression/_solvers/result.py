"""The result of a solver: the parameters that it reached, and why it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.warm_start import Preconditioner

Report = Callable[[str], None]  # Takes a line of text after each iteration.
Watch = Callable[[Array], bool]  # Takes the parameters after each iteration; True ends the run.


class StopReason(Enum):
    """Why a solver stopped; the value is the end of the sentence "The solver stopped because …"."""

    CONVERGED = "it reached the tolerance"
    NO_IMPROVEMENT = "the loss no longer improves"
    MAX_ITER = "it used up its iterations (max_iter)"
    MAX_FUN = "it used up its evaluations (max_fun)"
    ROUNDING = "rounding errors leave no direction to improve in"
    ROUNDED = (
        "the coefficients and intercepts, rounded to the precision of X, are not at the minimum"
    )
    UNRESOLVED = "the features are combinations of each other but for their last digits"
    STALLED = "its last 50 iterations brought less than 1 %"
    SEPARABLE = "the classes can be told apart perfectly, so that no finite optimum exists"
    STOPPED = "the callbacks asked it to"
    MAX_TIME = "it used up its time (max_time)"
    DIVERGED = "the loss became infinite"
    INTERRUPTED = "it was interrupted"

    @property
    def has_converged(self) -> bool:
        """Whether the tolerance was reached, perhaps with a reservation."""
        return self in (StopReason.CONVERGED, StopReason.ROUNDED, StopReason.UNRESOLVED)

    @property
    def is_stuck(self) -> bool:
        """Whether the method makes no progress from here, though another method may."""
        return self in (StopReason.ROUNDING, StopReason.STALLED)


@dataclass(frozen=True)
class SolverResult:
    """The result of a minimisation.

    Parameters
    ----------
    params : ndarray
        The parameters at the end.
    value : float
        The objective at these parameters.
    n_iter : int
        The number of iterations, or of epochs of a minibatch solver.
    reason : StopReason
        Why the solver stopped.
    loss_curve : list of float
        The objective after each iteration, or its mean over each epoch.
    remaining : float
        The stopping criterion at the end; NaN if there is none or it is unknown.
    validations : list or None
        The results of the validation after each epoch.
    evaluation : Evaluation or None
        The objective and its gradient at the end, for full-batch solvers.
    preconditioner : Preconditioner or None
        The last approximation of the Hessian, if there is one.
    """

    params: Array
    value: float
    n_iter: int
    reason: StopReason
    loss_curve: list[float] = field(default_factory=list)
    remaining: float = np.nan
    validations: list[Any] | None = None
    evaluation: Evaluation | None = None
    preconditioner: Preconditioner | None = None

    @property
    def best_epoch(self) -> int:
        """The number of the epoch with the best result on the validation rows."""
        assert self.validations
        goals = [validation.goal for validation in self.validations]
        return 1 + goals.index(max(goals))

    @property
    def finite(self) -> bool:
        """Whether parameters and value are numbers."""
        return bool(np.isfinite(self.params).all() and np.isfinite(self.value))
