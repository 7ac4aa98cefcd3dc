"""A further penalty, with a weight for each feature, is defined here and certified like the others.

A penalty with the weights ρ_j² is the usual one for features that are divided by ρ_j, with which
values, minima and certificates are compared.
"""

import numpy as np
import pytest
from zoo import (
    Problem,
    draw_params,
    hessian_product,
    newton_minimum,
    optimality_gap,
    slope_along,
    slopes,
    value_and_gradient,
    variants,
)

from softmax_regression._data.dataset import Dataset
from softmax_regression._data.make import as_design
from softmax_regression._objectives.linear.bounded import BoundedCrossEntropy
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.one_block import copied
from softmax_regression._objectives.linear.sparse import SparseCrossEntropy
from softmax_regression._penalties.lasso import Lasso
from softmax_regression._penalties.ridge import Ridge
from softmax_regression._problems.smooth import SOLVERS
from softmax_regression._problems.smooth import Problem as SmoothProblem
from softmax_regression._solvers.criteria import RelativeGap
from softmax_regression._solvers.result import StopReason

WEIGHTS = np.array([0.1, 1.0, 30.0, 4.0])

KINDS = {
    "n_classes": [2, 3],
    "weighted": [False, True],
    "fit_intercept": [False, True],
    "layout": ["C", "csr"],
}

every_problem = pytest.mark.parametrize("problem", variants(**KINDS))


class WeightedRidge(Ridge):
    """½ l2 Σ_j weight_j ‖W_:j‖²."""

    def __init__(self, l2, weights, fit_intercept):
        super().__init__(l2, np.append(np.sqrt(weights), np.zeros(int(fit_intercept))))


def weighted(problem, weights=WEIGHTS):
    penalty = WeightedRidge(problem.l2, weights, problem.fit_intercept)
    data = Dataset(problem.design(), problem.loss())
    return LinearCrossEntropy.of_rows(data, problem.l2, problem.fit_intercept, penalty)


def divided(problem, weights=WEIGHTS):
    """The plain objective of features divided by the roots of the weights."""
    design = as_design(problem.X / np.sqrt(weights))
    return LinearCrossEntropy(design, problem.loss(), problem.l2, problem.fit_intercept)


def of_divided(objective, params, weights=WEIGHTS):
    """The same parameters, for the features that are divided."""
    coef, intercept = objective.layout.unpack(params)
    return objective.layout.pack(coef * np.sqrt(weights), intercept)


@every_problem
def test_value_and_derivatives_are_those_of_the_formula(problem):
    objective = weighted(problem)
    params, direction = draw_params(objective), draw_params(objective, seed=1)

    def formula(at):
        loss = problem.plain_linear_value(at)
        coef = objective.layout.unpack(at)[0]
        return loss + problem.l2 / 2 * ((WEIGHTS - 1) * coef**2).sum()

    value, gradient = value_and_gradient(objective, params)
    assert value == pytest.approx(formula(params), rel=1e-12)
    np.testing.assert_allclose(gradient, slopes(formula, params), atol=1e-10)
    expected = slope_along(lambda at: value_and_gradient(objective, at)[1], params, direction)
    np.testing.assert_allclose(hessian_product(objective, params, direction), expected, atol=1e-10)


@every_problem
def test_certificates_are_those_of_the_plain_penalty_for_divided_features(problem):
    objective, plain = weighted(problem), divided(problem)
    for scale in (0.01, 1.0):
        params = draw_params(objective, scale=scale)
        value, gradient = value_and_gradient(objective, params)
        at = of_divided(objective, params)
        expected, expected_gradient = value_and_gradient(plain, at)
        assert value == pytest.approx(expected, rel=1e-12)
        for enough in (0.0, np.inf):
            gap = optimality_gap(objective, params, value, gradient, enough)
            expected_gap = optimality_gap(plain, at, expected, expected_gradient, enough)
            assert gap == pytest.approx(expected_gap, rel=1e-7)


@every_problem
@pytest.mark.parametrize("scale", [0.01, 1.0])
def test_certificates_in_all_unknowns_bound_the_distance(problem, scale):
    base = weighted(problem)
    minimum, best = newton_minimum(base)
    params = base.layout.unpack(best + scale * draw_params(base))
    standardized = base.standardized()
    there = standardized.from_model(*params)
    places = [(base, base.layout.pack(*params)), (standardized, there)]
    if problem.layout == "C":
        places.append((copied(standardized), there))
    for objective, at in places:
        value, gradient = value_and_gradient(objective, at)
        gap = optimality_gap(objective, at, value, gradient)
        assert gap >= (value - minimum) * (1 - 1e-9)
        assert gap <= 1e4 * max(value - minimum, 1e-12)


@pytest.mark.parametrize("solver", sorted(SOLVERS))
@pytest.mark.parametrize("n_columns", [4, 60])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_whole_fits_have_the_minimum_of_divided_features(n_classes, n_columns, solver):
    problem = Problem(n_classes=n_classes, n_columns=n_columns, n_rows=25)
    weights = np.resize(WEIGHTS, n_columns)
    ends = []
    for base in (weighted(problem, weights), divided(problem, weights)):
        solved = SmoothProblem(base)
        result = solved.minimize(
            solver,
            [solved.from_model(*base.null_model())],
            criterion=RelativeGap(),
            tol=1e-9,
            max_iter=1000,
        )
        assert result.reason is StopReason.CONVERGED
        ends.append((*solved.to_model(result.params), result.value))
    np.testing.assert_allclose(ends[0][0] * np.sqrt(weights), ends[1][0], atol=1e-3)
    assert ends[0][2] == pytest.approx(ends[1][2], rel=1e-8)


def test_bounds_and_the_lasso_are_certified_with_it():
    problem = Problem(n_classes=3)
    objective, plain = weighted(problem), divided(problem)
    roots = np.sqrt(WEIGHTS)
    lower, upper = np.full((3, 4), -0.1), np.full((3, 4), 0.5)
    params = 0.05 * draw_params(objective)
    pairs = [
        (
            BoundedCrossEntropy(objective, lower, upper),
            BoundedCrossEntropy(plain, lower * roots, upper * roots),
        ),
        (
            SparseCrossEntropy(objective, Lasso(np.full(4, 0.02))),
            SparseCrossEntropy(plain, Lasso(0.02 / roots)),
        ),
    ]
    for one, other in pairs:
        gaps = []
        for function, at in ((one, params), (other, of_divided(objective, params))):
            value, gradient = value_and_gradient(function, at)
            gaps.append(optimality_gap(function, at, value, gradient))
        assert gaps[0] == pytest.approx(gaps[1], rel=1e-6)
        assert 0 < gaps[0] < np.inf
