"""The objective with unpenalised features and with offsets, and its certificate."""

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
from softmax_regression._losses.offset import OffsetLoss
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.one_block import copied
from softmax_regression._objectives.linear.row_space import RowSpace
from softmax_regression._objectives.linear.sparse import SparseCrossEntropy
from softmax_regression._penalties.lasso import PENALTIES, Lasso
from softmax_regression._penalties.weighted_ridge import WeightedRidge
from softmax_regression._problems.sparse import SPARSE_SOLVER, SparseProblem
from softmax_regression._solvers.criteria import RelativeGap

ROOTS = np.array([0.0, 0.5, 2.0, 1.0])

KINDS = {
    "n_classes": [2, 3],
    "weighted": [False, True],
    "soft": [False, True],
    "fit_intercept": [False, True],
    "layout": ["C", "csr"],
}

every_problem = pytest.mark.parametrize("problem", variants(**KINDS))
every_kind = pytest.mark.parametrize(
    ("free", "shifted"),
    [(True, False), (False, True), (True, True)],
    ids=["unpenalised", "offset", "both"],
)


def offset_of(problem):
    rng = np.random.default_rng([problem.seed, 9])
    return 2 * rng.normal(size=(problem.n_outputs, problem.n_rows))


def objective_of(problem, free, shifted):
    loss = problem.loss()
    if shifted:
        loss = OffsetLoss(loss, offset_of(problem))
    roots = np.resize(ROOTS if free else ROOTS + 0.5, problem.n_columns)
    ridge = np.append(roots, np.zeros(int(problem.fit_intercept)))
    penalty = WeightedRidge(problem.l2, ridge, problem.n_columns)
    data = Dataset(problem.design(), loss)
    return LinearCrossEntropy.of_rows(data, problem.l2, problem.fit_intercept, penalty)


@every_problem
@every_kind
def test_value_and_derivatives_are_those_of_the_formula(problem, free, shifted):
    objective = objective_of(problem, free, shifted)
    params, direction = draw_params(objective), draw_params(objective, seed=1)
    roots = ROOTS if free else ROOTS + 0.5

    def formula(at):
        coef, intercept = objective.layout.unpack(at)
        scores = problem.X @ coef.T + (intercept if problem.fit_intercept else 0)
        if shifted:
            scores = scores + offset_of(problem).T
        return problem.plain_mean_loss(scores) + problem.l2 / 2 * ((roots * coef) ** 2).sum()

    for place in (objective, copied(objective)) if problem.layout == "C" else (objective,):
        value, gradient = value_and_gradient(place, params)
        assert value == pytest.approx(formula(params), rel=1e-12)
        np.testing.assert_allclose(gradient, slopes(formula, params), atol=1e-10)
        expected = slope_along(lambda at: value_and_gradient(objective, at)[1], params, direction)
        np.testing.assert_allclose(hessian_product(place, params, direction), expected, atol=1e-10)


@every_problem
@every_kind
def test_certificates_bound_the_distance_and_vanish_with_it(problem, free, shifted):
    base = objective_of(problem, free, shifted)
    minimum, best = newton_minimum(base)
    objective = base.standardized()
    for scale, most in ((1.0, np.inf), (1e-2, 1e3), (1e-5, 1e3)):
        params = base.layout.unpack(best + scale * draw_params(base))
        at = objective.from_model(*params)
        value, gradient = value_and_gradient(objective, at)
        left = max(value - minimum, 0.0)
        sharp = optimality_gap(objective, at, value, gradient)
        assert left * (1 - 1e-6) - 1e-14 <= sharp <= most * left + 1e-9
        for enough in (left / 2, 2 * left, 0.0):  # what is not expected to be proved is not tried
            assert optimality_gap(objective, at, value, gradient, enough) >= left * (1 - 1e-6)


@pytest.mark.parametrize("grouping", PENALTIES)
@pytest.mark.parametrize("l2", [0.0, 0.05])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
@every_kind
def test_certificates_of_sparse_models_do_so_too(
    free, shifted, fit_intercept, n_classes, l2, grouping
):
    problem = Problem(n_classes=n_classes, l2=l2, fit_intercept=fit_intercept)
    base = objective_of(problem, free, shifted)
    weights = ROOTS if free else ROOTS + 0.5
    posed = SparseProblem(base, 0.05, grouping, weights)
    start = posed.from_model(*base.null_model())
    how = {"criterion": RelativeGap(), "tol": 1e-13, "max_iter": 200}
    best = posed.minimize(SPARSE_SOLVER, [start], **how)
    for scale in (1.0, 1e-2, 1e-4):
        at = posed.objective.evaluate(best.params + scale * draw_params(base))
        left = at.value - best.value
        gap = posed.objective.certify(at, 0.0, True)
        assert gap >= left * (1 - 1e-9) - 1e-13
    assert posed.objective.certify(posed.objective.evaluate(best.params), 0.0, True) <= 1e-10


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("shifted", [False, True])
def test_the_space_of_the_rows_keeps_what_has_no_penalty(n_classes, shifted):
    problem = Problem(n_classes=n_classes, n_rows=12, n_columns=40)
    objective = objective_of(problem, True, shifted)
    change = RowSpace(objective)
    n_kept = int((np.resize(ROOTS, 40) == 0).sum())
    assert change.objective.layout.n_features == problem.n_rows + n_kept
    there = draw_params(change.objective)
    here = objective.layout.pack(*change.to_model(*change.objective.layout.unpack(there)))
    value, gradient = value_and_gradient(change.objective, there)
    expected, slope = value_and_gradient(objective, here)
    assert value == pytest.approx(expected, rel=1e-12)
    pulled = change.pull_gradient(*objective.layout.unpack(slope))
    np.testing.assert_allclose(change.objective.layout.pack(*pulled), gradient, atol=1e-10)
    back = change.from_model(*objective.layout.unpack(here))
    np.testing.assert_allclose(change.objective.layout.pack(*back), there, atol=1e-10)


def test_a_weight_lost_in_rounding_errors_counts_as_none():
    roots = np.array([1e-9, 1.0, 0.0])
    ridge = WeightedRidge(1.0, roots, 2)
    np.testing.assert_array_equal(ridge.unpenalized, [True, False])
    assert WeightedRidge(1.0, np.array([1.0, 1.0, 0.0]), 2).unpenalized is None
    assert ridge.with_strength(0.0).unpenalized is None
    assert WeightedRidge(3.0, np.zeros(3), 2).l2 == 0
    lasso = Lasso(np.array([0.0, 1.0]))
    np.testing.assert_array_equal(lasso.scaled(2.0).unpenalized, [True, False])
    assert lasso.select(np.array([1])).unpenalized is None
    smooth = Problem(n_columns=2).linear()
    assert SparseCrossEntropy(smooth, lasso).conjugate.unpenalized is lasso.unpenalized
