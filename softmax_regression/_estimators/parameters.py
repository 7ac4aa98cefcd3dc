"""Parameters that several estimators have in common: their constraints and descriptions.

Each is declared once. `constraints` returns the constraints in the form in which scikit-learn
validates parameters. `described` is a decorator that completes the docstring of a class: it
replaces each line that holds only the name of a description in braces by that description.
"""

from __future__ import annotations

import re
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from softmax_regression._penalties.lasso import PENALTIES
from softmax_regression._solvers.minibatch.learning_rates import LEARNING_RATES

D = TypeVar("D")


class InOrder(StrOptions):  # type: ignore[misc]
    """Names that error messages list in alphabetical order."""

    def __str__(self) -> str:
        return f"a str among {{{', '.join(map(repr, sorted(self.options)))}}}"


_AUTO = StrOptions({"auto"})
_COUNT = Interval(Integral, 1, None, closed="left")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_DECAY = Interval(Real, 0, 1, closed="left")

_CONSTRAINTS: dict[str, list[Any]] = {
    "Cs": [_COUNT, "array-like"],
    "batch_size": [_AUTO, _COUNT],
    "beta_1": [_DECAY],
    "bias_reduction": [StrOptions({"firth"}), None],
    "beta_2": [_DECAY],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "epsilon": [_POSITIVE],
    "fit_intercept": ["boolean"],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "learning_rate": [StrOptions(set(LEARNING_RATES))],
    "learning_rate_init": [_AUTO, _POSITIVE],
    "max_iter": [_COUNT],
    "max_time": [_POSITIVE, None],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
    "nesterovs_momentum": ["boolean"],
    "penalty_grouping": [StrOptions(set(PENALTIES))],
    "penalty_weights": ["array-like", None],
    "power_t": [_NOT_NEGATIVE],
    "prior_mean": ["array-like", None],
    "random_state": ["random_state"],
    "shuffle": ["boolean"],
    "standardize": ["boolean"],
    "tol": [_NOT_NEGATIVE],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
}

MINIBATCHES = (  # Parameters of training on minibatches.
    "batch_size",
    "learning_rate",
    "learning_rate_init",
    "power_t",
    "shuffle",
    "momentum",
    "nesterovs_momentum",
    "beta_1",
    "beta_2",
    "epsilon",
    "n_iter_no_change",
    "max_time",
    "random_state",
    "warm_start",
)
FITS = ("tol", "max_iter", "class_weight", "verbose")  # Parameters of every fit.
LINEAR = (  # Parameters of every linear model.
    *FITS,
    "fit_intercept",
    "penalty_grouping",
    "penalty_weights",
    "standardize",
    "prior_mean",
)

_DESCRIPTIONS = {
    "class_weight": """\
    class_weight : dict or 'balanced', default=None
        Weights ``{label: weight}`` that multiply the sample weights; classes that are not named
        have weight 1. 'balanced' gives all classes the same total.""",
    "optimizers": """\
    momentum : float, default=0.9
        Momentum of 'sgd', between 0 and 1.
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.""",
    "adam": """\
    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of Adam's averages of the gradient and of its square, in [0, 1).
    epsilon : float, default=1e-8
        Keeps Adam's steps finite.""",
    "penalty_weights": """\
    penalty_weights : array-like of shape (n_features,), default=None
        The weight of each feature's penalty: numbers v_j ≥ 0 that multiply the squares and the
        absolute values of its coefficients in all classes; 0 for a feature without a penalty. None
        is 1 for all features. The weights are used as given, whereas glmnet scales its
        ``penalty.factor`` to a mean of 1.
    standardize : bool, default=False
        Whether the coefficients of the standardised features are penalised, as glmnet and Spark do
        by default; `coef_` is in the original units either way. With the weighted standard
        deviation s_j over the rows that are fitted, squares are multiplied by :math:`s_j^2`, and
        absolute values by s_j, where s_j = 1 for a constant column. Then C does not depend on the
        units of the features. Also without an intercept, deviations are from the mean.
    prior_mean : array-like of the shape of `coef_`, default=None
        Coefficients M towards which the penalty shrinks, in the place of 0: W − M replaces W in the
        penalty. It is broadcast to (n_classes, n_features), or for two classes to (1, n_features).
        The rows are in the order of the sorted classes.""",
    "path_solver": """\
    solver : {'auto', 'lbfgs', 'newton-cg', 'newton-cholesky'}, default='auto'
        The solver of each model; see `SoftmaxRegression`.""",
    "path_penalty_grouping": """\
    penalty_grouping : {'none', 'features'}, default='none'
        Which coefficients are set to zero together: none, or those of a feature in all classes.""",
    "path_l1_ratio": """\
    l1_ratio : float, default=0.0
        The share of the L1 penalty, between 0 and 1. Above 0, some coefficients are exactly 0; see
        `SoftmaxRegression`.""",
    "path_fit_intercept": """\
    fit_intercept : bool, default=True
        Whether to add an intercept b to the scores. It is not penalised.""",
    "path_class_weight": """\
    class_weight : dict or 'balanced', default=None
        Weights ``{label: weight}`` that multiply the sample weights, 1 for classes that are not
        named. 'balanced' gives all classes the same total.""",
    "path_tol": """\
    tol : float, default=1e-6
        The relative optimality gap to reach for each C.""",
    "path_max_iter": """\
    max_iter : int, default=1000
        The largest number of iterations for each C.""",
    "path_verbose": """\
    verbose : int or bool, default=0
        Whether to print a line for each C; 2 also prints a line for each iteration.""",
}


def constraints(*names: str) -> dict[str, list[Any]]:
    """Return the constraints of some parameters, by their names."""
    return {name: _CONSTRAINTS[name] for name in names}


def described(documented: D) -> D:
    """Insert the descriptions of shared parameters into a docstring."""
    lines = (documented.__doc__ or "").split("\n")
    names = [re.fullmatch(r"    \{(\w+)\}", line) for line in lines]
    documented.__doc__ = "\n".join(
        line if name is None else _DESCRIPTIONS[name[1]]
        for line, name in zip(lines, names, strict=True)
    )
    return documented
