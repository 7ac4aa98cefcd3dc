"""Small problems that the tests of designs, losses, objectives and solvers share.

A `Problem` describes a kind of data and a model, and draws the data from its seed; `variants` lists
all combinations of some kinds for `pytest.mark.parametrize`. For comparison with the package's
objectives, it has the same functions in the plain form of textbooks, and derivatives by
differences.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise, product

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import log_softmax

from softmax_regression._data.make import as_design
from softmax_regression._losses.pointwise import make_loss
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.network.cross_entropy import NetworkCrossEntropy
from softmax_regression._objectives.network.layers import Layout
from softmax_regression.functional import ACTIVATIONS


def strided(X):
    """Every second row and column of a larger array; reading between them gives NaN."""
    wide = np.full((2 * X.shape[0], 2 * X.shape[1]), np.nan, dtype=X.dtype)
    wide[::2, ::2] = X
    return wide[::2, ::2]


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": strided,
    "csr": csr_array,
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What to draw: the data, and the penalty and intercept of its linear model."""

    n_rows: int = 41
    n_columns: int = 4
    n_classes: int = 3
    soft: bool = False
    weighted: bool = False
    fit_intercept: bool = True
    l2: float = 0.1
    layout: str = "C"
    dtype: type = np.float64
    badly_scaled: bool = False
    seed: int = 0

    @cached_property
    def X(self):  # noqa: N802
        """Dense rows with entries that are 0, rounded to the dtype."""
        rng = np.random.default_rng([self.seed, 1])
        X = rng.normal(size=(self.n_rows, self.n_columns)) + rng.normal(size=self.n_columns)
        X[rng.random(X.shape) < 0.3] = 0
        if self.badly_scaled:
            X = (X + 2) * np.logspace(-3, 3, self.n_columns)
        return X.astype(self.dtype)

    @cached_property
    def targets(self):
        """Labels, with every class in them; or probabilities, one row for each row of X."""
        rng = np.random.default_rng([self.seed, 2])
        if self.soft:
            shares = rng.dirichlet(np.full(self.n_classes, 0.4), size=self.n_rows)
            shares[shares < 0.05] = 0
            return shares / shares.sum(axis=1, keepdims=True)
        labels = rng.integers(self.n_classes, size=self.n_rows)
        labels[: 2 * self.n_classes] = np.tile(np.arange(self.n_classes), 2)
        return labels

    @cached_property
    def weight(self):
        """None, or weights whose mean is 1, a few of them 0."""
        if not self.weighted:
            return None
        rng = np.random.default_rng([self.seed, 3])
        weight = rng.uniform(0.2, 3, size=self.n_rows)
        weight[self.n_classes :: 5] = 0
        return weight / weight.mean()

    @property
    def one_hot(self):
        """Targets as probabilities, one row for each row of X."""
        return self.targets if self.soft else np.eye(self.n_classes)[self.targets]

    @property
    def weights(self):
        """Weights, ones if there are none."""
        return np.ones(self.n_rows) if self.weight is None else self.weight

    @property
    def n_outputs(self):
        return 1 if self.n_classes == 2 else self.n_classes

    @property
    def eps(self):
        """The rounding error of the dtype."""
        return float(np.finfo(self.dtype).eps)

    def design(self):
        return as_design(LAYOUTS[self.layout](self.X))

    def loss(self):
        targets = self.targets
        if self.soft:
            targets = np.ascontiguousarray(targets.T, dtype=self.dtype)
        weight = None if self.weight is None else self.weight.astype(self.dtype)
        return make_loss(targets, weight, self.n_classes)

    def linear(self):
        return LinearCrossEntropy(self.design(), self.loss(), self.l2, self.fit_intercept)

    def network(self, hidden=(), activation="tanh", dropout=None):
        layout = Layout([self.n_columns, *hidden, self.n_outputs])
        return NetworkCrossEntropy(
            self.design(), self.loss(), layout, ACTIVATIONS[activation], self.l2, dropout
        )

    def plain_mean_loss(self, scores):
        """Mean cross-entropy of scores with one row for each row of X."""
        if self.n_classes == 2:
            scores = np.column_stack([np.zeros(len(scores)), scores])
        losses = -(self.one_hot * log_softmax(scores, axis=1)).sum(axis=1)
        return np.average(losses, weights=self.weights)

    def plain_linear_value(self, params):
        """F of the linear model."""
        matrix = params.reshape(self.n_outputs, -1)
        coef = matrix[:, : self.n_columns]
        intercept = matrix[:, -1] if self.fit_intercept else 0
        scores = self.X.astype(np.float64) @ coef.T + intercept
        return self.plain_mean_loss(scores) + self.l2 / 2 * (coef**2).sum()

    def plain_network_value(self, params, hidden, activation):
        """F of a network."""
        sizes = [self.n_columns, *hidden, self.n_outputs]
        weights, start = [], 0
        for fan_in, fan_out in pairwise(sizes):
            weights.append(params[start : start + fan_in * fan_out].reshape(fan_in, fan_out))
            start += fan_in * fan_out
        values = self.X.astype(np.float64)
        for layer, weight in enumerate(weights):
            values = values @ weight + params[start : start + weight.shape[1]]
            start += weight.shape[1]
            if layer < len(hidden):
                values = ACTIVATIONS[activation].value(values)
        return self.plain_mean_loss(values) + self.l2 / 2 * sum((w**2).sum() for w in weights)


def variants(**choices):
    """Every problem with a combination of the choices, each named by what it chose."""
    result = []
    for combination in product(*choices.values()):
        chosen = dict(zip(choices, combination, strict=True))
        result.append(pytest.param(Problem(**chosen), id="-".join(map(_name, chosen.items()))))
    return result


def _name(item):
    key, value = item
    if isinstance(value, bool):
        return key if value else f"not_{key}"
    return value if isinstance(value, str) else f"{key}={getattr(value, '__name__', value)}"


# Central differences. Those of order 8 leave an error of about 1e-12 on smooth functions; those of
# order 2 need few values, close together.
_STENCILS = {2: {1: 1 / 2}, 8: {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}}


def slope_along(function, point, direction, step=2e-3, order=8):
    """The derivative of a function of any shape along a direction."""
    total = 0.0
    for k, factor in _STENCILS[order].items():
        ahead, behind = point + k * step * direction, point - k * step * direction
        total = total + factor * (function(ahead) - function(behind))
    return total / step


def slopes(function, point, **how):
    """The derivative along each coordinate, in the last axis."""
    columns = [slope_along(function, point, unit, **how) for unit in np.eye(len(point))]
    return np.stack(columns, axis=-1)


def draw_params(objective, seed=0, scale=1.0):
    return np.random.default_rng([seed, 4]).normal(scale=scale, size=objective.n_params)


def optimality_gap(objective, params, value, gradient, enough=None):
    """Bound ``F(params) − min F``: sharply, unless a bound of `enough` would do."""
    at = Evaluation(params, value, gradient)
    return objective.certify(at, 0.0 if enough is None else enough, sharp=enough is None)


def value_and_gradient(objective, params):
    """The value and the gradient of an objective, as a pair."""
    at = objective.evaluate(params)
    return at.value, at.gradient


def hessian_product(objective, params, direction):
    """The product of the Hessian with a direction, at parameters where nothing else is known."""
    return objective.hessian_product(Evaluation.of(params), direction)


def dense_hessian(objective, params):
    """The Hessian from its products with unit vectors."""
    return np.stack([hessian_product(objective, params, unit) for unit in np.eye(len(params))])


def newton_minimum(objective):
    """The minimum of a convex objective by Newton's method with the full matrix, and where it is.

    A step is halved until the value falls, so it does not matter where one begins. Close to the
    minimum differences of values are rounding errors, and the full step is right.
    """
    params = np.zeros(objective.n_params)
    value, gradient = value_and_gradient(objective, params)
    for _ in range(50):
        hessian = dense_hessian(objective, params)
        scales = np.sqrt(np.diag(hessian))
        inverse = np.linalg.pinv(hessian / np.outer(scales, scales), rcond=1e-11)
        step = inverse @ (gradient / scales) / scales
        decrement, length = gradient @ step, 1.0
        while decrement > 1e-9 and value_and_gradient(objective, params - length * step)[0] > value:
            length /= 2
        params = params - length * step
        value, gradient = value_and_gradient(objective, params)
        if decrement < 1e-20:  # twice how far the value may fall
            return value, params
    raise AssertionError("no minimum found")


@cache
def linear_minimum(problem):
    """The minimum of a problem's linear model, found once for all tests, and where it is."""
    value, params = newton_minimum(problem.linear())
    params.flags.writeable = False
    return value, params


def labelled_rows(n_rows=60, n_columns=5, n_classes=3, seed=0):
    """Rows of unequal columns, labels that the first tells a little of, and what draws more."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)) * 2.0 ** rng.integers(-2, 3, size=n_columns) + 0.3
    y = rng.integers(n_classes, size=n_rows)
    y[: 2 * n_classes] = np.tile(np.arange(n_classes), 2)
    X[:, 0] += X[:, 0].std() * y / 2
    return X, y, rng


def written_out_minimum(X, y, C, ridge, centre=0.0, offset=0.0, fit_intercept=True):
    """The least C Σ CE + ½ Σ v_j ‖W_:j − M_:j‖², by SciPy's BFGS.

    With v the `ridge`, a number for each column, M the `centre`, and scores W x + b + `offset`.
    """
    n_classes, n_columns = len(np.unique(y)), X.shape[1]
    n_scores = 1 if n_classes == 2 else n_classes
    Z = np.hstack([X, np.ones((len(X), 1))]) if fit_intercept else X
    ridge = np.append(np.broadcast_to(ridge, n_columns), np.zeros(Z.shape[1] - n_columns))
    middle = np.zeros((n_scores, Z.shape[1]))
    middle[:, :n_columns] = centre

    def objective(flat):
        W = flat.reshape(n_scores, -1)
        scores = Z @ W.T + offset
        if n_scores == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        log_p = log_softmax(scores, axis=1)
        residual = (np.exp(log_p) - np.eye(n_classes)[y])[:, -n_scores:]
        away = W - middle
        value = -C * log_p[np.arange(len(y)), y].sum() + 0.5 * (ridge * away**2).sum()
        return value, (C * residual.T @ Z + ridge * away).ravel()

    options = {"maxiter": 10000, "gtol": 1e-8}
    return minimize(objective, middle.ravel(), jac=True, method="BFGS", options=options)
