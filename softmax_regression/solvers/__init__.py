"""How an objective is minimised: each solver takes one, a start and a tolerance."""

from softmax_regression.solvers._box import BoxDirections
from softmax_regression.solvers._criteria import (
    Criterion,
    GradientNorm,
    Point,
    RelativeGap,
    best_start,
    certify,
    evaluate,
)
from softmax_regression.solvers._lbfgs import minimize_lbfgs
from softmax_regression.solvers._learning_rates import LEARNING_RATES, LearningRate
from softmax_regression.solvers._minibatch import (
    Minibatches,
    Validation,
    minimize_minibatch,
    run_epoch,
)
from softmax_regression.solvers._newton import (
    FactoredDirections,
    Solve,
    TruncatedDirections,
    minimize_newton,
)
from softmax_regression.solvers._optimizers import (
    SGD,
    Adam,
    Averaging,
    Clipping,
    Decaying,
    FadingSum,
    Optimizer,
)
from softmax_regression.solvers._proximal_newton import minimize_proximal_newton
from softmax_regression.solvers._result import Report, SolverResult, StopReason, Watch
from softmax_regression.solvers._time_limit import TimeLimit

__all__ = [
    "LEARNING_RATES",
    "SGD",
    "Adam",
    "Averaging",
    "BoxDirections",
    "Clipping",
    "Criterion",
    "Decaying",
    "FactoredDirections",
    "FadingSum",
    "GradientNorm",
    "LearningRate",
    "Minibatches",
    "Optimizer",
    "Point",
    "RelativeGap",
    "Report",
    "Solve",
    "SolverResult",
    "StopReason",
    "TimeLimit",
    "TruncatedDirections",
    "Validation",
    "Watch",
    "best_start",
    "certify",
    "evaluate",
    "minimize_lbfgs",
    "minimize_minibatch",
    "minimize_newton",
    "minimize_proximal_newton",
    "run_epoch",
]
