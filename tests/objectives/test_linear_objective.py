"""The linear objective: value, gradient, curvature, minibatches and the certificate.

Values are compared with the formula of textbooks, derivatives with differences of order 8, and the
certificate with the distance to a minimum found by Newton's method with the full Hessian.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr, softmax
from zoo import (
    LAYOUTS,
    Problem,
    dense_hessian,
    draw_params,
    hessian_product,
    linear_minimum,
    newton_minimum,
    optimality_gap,
    slope_along,
    slopes,
    value_and_gradient,
    variants,
)

from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._data import design as design_base
from softmax_regression._data.make import as_design
from softmax_regression._losses.pointwise import make_loss
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.one_block import (
    OneBlockCrossEntropy,
    SmallCrossEntropy,
    copied,
)

DATA = {"n_classes": [2, 3, 8], "soft": [False, True], "weighted": [False, True]}
MODEL = {"fit_intercept": [False, True], "l2": [0.0, 0.1]}

every_problem = pytest.mark.parametrize("problem", variants(**DATA, **MODEL))
every_certified_problem = pytest.mark.parametrize(
    "problem", variants(**DATA, fit_intercept=[False, True], l2=[0.001, 0.1])
)


def moments(objective):
    return objective.data.moments().means, objective.data.moments().deviations


every_layout = pytest.mark.parametrize(
    "problem", variants(layout=LAYOUTS, n_classes=[2, 3], weighted=[False, True])
)


# -- value and derivatives -------------------------------------------------------------------------


@every_problem
def test_value_is_that_of_the_formula(problem):
    objective = problem.linear()
    params = draw_params(objective)
    value, gradient = value_and_gradient(objective, params)
    assert isinstance(value, float)
    assert value == pytest.approx(problem.plain_linear_value(params), rel=1e-13)
    assert gradient.dtype == np.float64


@every_problem
def test_gradient_is_the_slope_of_the_formula(problem):
    objective = problem.linear()
    params = draw_params(objective)
    _, gradient = value_and_gradient(objective, params)
    np.testing.assert_allclose(gradient, slopes(problem.plain_linear_value, params), atol=1e-11)


@every_layout
def test_value_and_gradient_do_not_depend_on_the_layout(problem):
    objective = problem.linear()
    plain = replace(problem, layout="C").linear()
    params = draw_params(objective)
    value, gradient = value_and_gradient(objective, params)
    expected_value, expected_gradient = value_and_gradient(plain, params)
    assert value == pytest.approx(expected_value, rel=1e-14)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-14)
    np.testing.assert_allclose(
        hessian_product(objective, params, params),
        hessian_product(plain, params, params),
        atol=1e-14,
    )


@every_problem
def test_hessian_product_is_the_slope_of_the_gradient(problem):
    objective = problem.linear()
    params, direction = draw_params(objective), draw_params(objective, seed=1)
    expected = slope_along(lambda p: value_and_gradient(objective, p)[1], params, direction)
    product = hessian_product(objective, params, direction)
    np.testing.assert_allclose(product, expected, atol=1e-11)


@every_problem
def test_hessian_is_symmetric_and_positive_semidefinite(problem):
    objective = problem.linear()
    for scale in (0.0, 1.0, 10.0):
        hessian = dense_hessian(objective, draw_params(objective, scale=scale))
        np.testing.assert_allclose(hessian, hessian.T, atol=1e-14)
        assert np.linalg.eigvalsh(hessian).min() > -1e-14


def test_hessian_follows_parameters_that_are_changed_in_place():
    objective = Problem().linear()
    params, direction = draw_params(objective), draw_params(objective, seed=1)
    hessian_product(objective, params, direction)
    params += 1
    params[0] += 1
    expected = hessian_product(Problem().linear(), params, direction)
    np.testing.assert_array_equal(hessian_product(objective, params, direction), expected)


def test_nothing_is_written_to_parameters_and_directions():
    objective = Problem().linear()
    params, direction = draw_params(objective), draw_params(objective, seed=1)
    params.flags.writeable = direction.flags.writeable = False
    value, gradient = value_and_gradient(objective, params)
    gradient.flags.writeable = False
    hessian_product(objective, params, direction)
    optimality_gap(objective, params, value, gradient)


@every_problem
def test_sums_do_not_depend_on_the_blocks(problem, monkeypatch):
    params = draw_params(problem.linear())

    def results():
        objective = problem.linear()
        value, gradient = value_and_gradient(objective, params)
        gap = optimality_gap(objective, params, value, gradient)
        product = hessian_product(objective, params, params)
        return [value], gradient, product, *moments(objective), [gap]

    whole = results()
    for limits in ((1, 1), (1, 7), (41, 41)):
        monkeypatch.setattr(design_base, "_BLOCK_ROWS", limits)
        assert len(list(problem.design().blocks(1))) == -(-41 // limits[1])
        for found, expected in zip(results(), whole, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@every_problem
def test_column_moments_are_weighted_means(problem):
    means, deviations = moments(problem.linear())
    expected = np.average(problem.X, axis=0, weights=problem.weights)
    np.testing.assert_allclose(means, expected)
    apart = (problem.X - expected) ** 2
    np.testing.assert_allclose(
        deviations**2, np.average(apart, axis=0, weights=problem.weights), rtol=1e-12
    )


@pytest.mark.parametrize("problem", variants(n_classes=[3, 8], soft=[False, True], **MODEL))
def test_adding_a_vector_to_every_class_changes_no_probability(problem):
    objective = problem.linear()
    params = draw_params(objective)
    shifted = params.copy()
    coef, intercept = objective.layout.unpack(shifted)
    coef += np.arange(4)
    intercept += 3
    penalties = [
        problem.l2 / 2 * np.square(objective.layout.unpack(p)[0]).sum() for p in (params, shifted)
    ]
    values = [value_and_gradient(objective, p)[0] for p in (params, shifted)]
    assert values[0] - penalties[0] == pytest.approx(values[1] - penalties[1], rel=1e-12)


# -- minibatches -----------------------------------------------------------------------------------


@every_problem
@pytest.mark.parametrize("n_batches", [1, 4])
def test_batches_of_a_partition_average_to_the_whole(problem, n_batches):
    objective = problem.linear()
    params = draw_params(objective)
    rows = np.random.default_rng(0).permutation(objective.rows)
    rows = rows[: len(rows) // n_batches * n_batches]
    if len(rows) < len(objective.rows):  # drop the rest from the whole, too
        objective = _keep_rows(problem, rows)
        rows = np.random.default_rng(0).permutation(len(rows))
    values, total = [], np.zeros(objective.n_params)
    for batch in np.split(rows, n_batches):
        gradient = np.full(objective.n_params, np.nan)
        values.append(objective.batch_value_and_gradient(params, batch, gradient))
        total += gradient
    value, gradient = value_and_gradient(objective, params)
    assert np.mean(values) == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(total / n_batches, gradient, atol=1e-14)


def _keep_rows(problem, rows):
    weight = problem.weights[rows]
    targets = problem.targets[rows]
    loss = make_loss(
        targets.T if problem.soft else targets, weight / weight.mean(), problem.n_classes
    )
    return LinearCrossEntropy(problem.design()[rows], loss, problem.l2, problem.fit_intercept)


@pytest.mark.parametrize(
    "problem", variants(n_classes=[2, 3], soft=[False, True], fit_intercept=[False, True])
)
def test_batches_average_to_the_whole_when_rows_have_no_weight(problem):
    weight = np.random.default_rng(0).uniform(0.5, 2, size=problem.n_rows)
    weight[::3] = 0  # leaves 27 of 41 rows
    targets = problem.targets.T if problem.soft else problem.targets
    loss = make_loss(targets, weight / weight.mean(), problem.n_classes)
    objective = LinearCrossEntropy(problem.design(), loss, problem.l2, problem.fit_intercept)
    params = draw_params(objective)
    value, gradient = value_and_gradient(objective, params)
    part, total, values = np.empty(objective.n_params), np.zeros(objective.n_params), []
    for batch in np.split(objective.rows, 9):
        values.append(objective.batch_value_and_gradient(params, batch, part))
        total += part
    assert np.mean(values) == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(total / 9, gradient, atol=1e-14)


@pytest.mark.parametrize("problem", variants(n_classes=[2, 4], soft=[False, True]))
def test_an_integer_weight_is_the_same_as_repeating_the_row(problem):
    counts = np.random.default_rng(0).integers(0, 4, size=problem.n_rows)
    rows = np.arange(problem.n_rows).repeat(counts)
    targets = problem.targets.T if problem.soft else problem.targets
    design = problem.design()
    weighted = make_loss(targets, counts / counts.mean(), problem.n_classes)
    repeated = make_loss(targets[..., rows], None, problem.n_classes)
    objectives = [
        LinearCrossEntropy(design, weighted, 0.1, True),
        LinearCrossEntropy(design[rows], repeated, 0.1, True),
    ]
    params = draw_params(objectives[0])
    values, gradients = zip(*(value_and_gradient(o, params) for o in objectives), strict=True)
    products = [hessian_product(o, params, params) for o in objectives]
    gaps = [optimality_gap(o, params, values[0], gradients[0]) for o in objectives]
    assert values[0] == pytest.approx(values[1], rel=1e-13)
    assert gaps[0] == pytest.approx(gaps[1], rel=1e-10)
    np.testing.assert_allclose(*gradients, atol=1e-14)
    np.testing.assert_allclose(*products, atol=1e-14)
    np.testing.assert_allclose(moments(objectives[0]), moments(objectives[1]), rtol=1e-12)


# -- the certificate -------------------------------------------------------------------------------


def gaps_at(objective, params):
    """The first bound, and the sharpest."""
    value, gradient = value_and_gradient(objective, params)
    first = optimality_gap(objective, params, value, gradient, enough=0.0)
    return first, optimality_gap(objective, params, value, gradient)


@every_certified_problem
def test_the_first_gap_is_the_value_less_the_dual_value_of_repaired_probabilities(problem):
    objective = problem.linear()
    params = draw_params(objective)
    value, gradient = value_and_gradient(objective, params)
    coef, intercept = objective.layout.unpack(params)
    scores = problem.X @ coef.T + (intercept if problem.fit_intercept else 0)
    if problem.n_classes == 2:
        scores = np.column_stack([np.zeros(problem.n_rows), scores])
    p, y, weights = softmax(scores, axis=1), problem.one_hot, problem.weights / problem.n_rows
    entropy, q = weights @ entr(p).sum(axis=1), p
    if problem.fit_intercept:
        predicted, target = weights @ p, weights @ y
        rho = (1 - target / predicted).max()
        repair = (target - (1 - rho) * predicted) / rho
        q = (1 - rho) * p + rho * repair
        np.testing.assert_allclose(weights @ q, target, rtol=1e-12)
        entropy = (1 - rho) * entropy + rho * entr(repair.clip(0)).sum()
    slope = (weights[:, None] * (q - y)).T[-problem.n_outputs :] @ problem.X
    dual = entropy - np.square(slope).sum() / (2 * problem.l2)
    gap = optimality_gap(objective, params, value, gradient, enough=0.0)
    assert gap == pytest.approx(value - dual, rel=1e-11)


@every_certified_problem
@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 5.0])
def test_gap_bounds_the_distance_to_the_minimum(problem, scale):
    objective = problem.linear()
    minimum, _ = linear_minimum(problem)
    for seed in range(3):
        params = draw_params(objective, seed, scale)
        distance = value_and_gradient(objective, params)[0] - minimum
        first, sharpest = gaps_at(objective, params)
        assert first >= distance * (1 - 1e-12)
        assert sharpest >= distance * (1 - 1e-12)
        assert sharpest <= first


@every_certified_problem
@pytest.mark.parametrize("distance", [1e-5, 1e-3, 0.1, 1.0, 5.0])
def test_a_newton_step_bounds_the_distance(problem, distance):
    base = problem.linear()
    minimum, best = linear_minimum(problem)
    standardized = base.standardized()
    away = standardized.centred(draw_params(standardized))
    params = standardized.from_model(*base.to_model(best)) + distance * away
    for objective in standardized, SmallCrossEntropy(standardized), copied(standardized):
        value, gradient = value_and_gradient(objective, params)
        step = -HessianFactor(objective, params).solve(gradient)
        decrement = -0.5 * gradient @ step
        bound = objective.gap_by_newton(params, step, decrement)
        assert bound >= (value - minimum) * (1 - 1e-12) - 1e-14
        change = objective.largest_change(step)
        if change < 0.5:
            assert bound <= decrement * (1 + change) + 1e-9 * value
        assert np.isinf(bound) == (change >= 1)


@every_certified_problem
def test_the_largest_change_is_that_of_one_class_against_another(problem):
    base = problem.linear()
    objective = base.standardized()
    direction = draw_params(objective)
    coef, intercept = objective.to_model(direction)
    scores = problem.X @ coef.T + (intercept if problem.fit_intercept else 0)
    if problem.n_classes == 2:
        scores = np.column_stack([np.zeros(problem.n_rows), scores])
    expected = np.ptp(scores, axis=1).max()
    for same in objective, SmallCrossEntropy(objective), OneBlockCrossEntropy(objective):
        assert same.largest_change(direction) == pytest.approx(expected, rel=1e-10)


@every_certified_problem
@pytest.mark.parametrize("distance", [1e-3, 1e-5])
def test_gap_bounds_the_distance_near_the_minimum(problem, distance):
    objective = problem.linear()
    minimum, params = linear_minimum(problem)
    params = params + distance * draw_params(objective)
    true = value_and_gradient(objective, params)[0] - minimum
    first, sharpest = gaps_at(objective, params)
    assert sharpest >= true - 1e-14
    assert sharpest <= first
    # Of what is left, ½ gᵀH⁻¹g, the bound takes the penalty's part for the whole curvature.
    curvature = np.linalg.eigvalsh(dense_hessian(objective, params)).max()
    assert sharpest <= 1.1 * true * curvature / problem.l2


@every_certified_problem
def test_gap_vanishes_at_the_minimum(problem):
    objective = problem.linear()
    minimum, params = linear_minimum(problem)
    for gap in gaps_at(objective, params):
        assert -1e-15 < gap <= 1e-12 * minimum


@pytest.mark.parametrize("problem", variants(n_classes=[2, 3], weighted=[False, True]))
def test_gap_without_intercept_is_that_of_the_penalty_alone(problem):
    objective = replace(problem, fit_intercept=False).linear()
    params = draw_params(objective)
    value, gradient = value_and_gradient(objective, params)
    expected = gradient @ gradient / (2 * objective.l2)
    assert optimality_gap(objective, params, value, gradient) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("problem", variants(**DATA))
def test_a_bad_intercept_does_not_spoil_the_sharpest_gap(problem):
    objective = problem.linear()
    minimum, best = linear_minimum(problem)
    params = best.copy()
    objective.layout.unpack(params)[1][...] += np.linspace(1, 2, objective.loss.n_outputs)
    distance = value_and_gradient(objective, params)[0] - minimum
    first, sharpest = gaps_at(objective, params)
    assert sharpest == pytest.approx(distance, rel=1e-9)
    assert first > 1.5 * sharpest


@pytest.mark.parametrize("problem", variants(**DATA))
def test_gap_is_a_bound_whatever_is_enough_and_was_asked_before(problem):
    objective = problem.linear()
    minimum, best = linear_minimum(problem)
    for size in (1.0, 0.1, 1e-2, 1e-3, 1e-5):
        params = best + size * draw_params(objective, seed=2)
        value, gradient = value_and_gradient(objective, params)
        for enough in (0.0, 1e-6, 1e-3, 1.0, np.inf):
            gap = optimality_gap(objective, params, value, gradient, enough)
            assert gap >= value - minimum - 1e-13


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    n_classes=st.integers(2, 4),
    size=st.floats(-1, 3),
    imbalance=st.floats(0, 4),
    l2=st.floats(-4, 1),
    seed=st.integers(0, 1000),
)
def test_gap_is_a_bound_far_from_the_minimum(n_classes, size, imbalance, l2, seed):
    # F at zero is at least the minimum, so F(params) − F(0) is a part of the distance.
    problem = Problem(n_rows=20, n_columns=2, n_classes=n_classes, l2=10**l2, seed=seed)
    weight = np.where(problem.targets == 0, 1, 10**-imbalance)
    loss = make_loss(problem.targets, weight / weight.mean(), n_classes)
    objective = LinearCrossEntropy(problem.design(), loss, problem.l2, True)
    params = draw_params(objective, seed, 10**size)
    value, gradient = value_and_gradient(objective, params)
    part = value - value_and_gradient(objective, np.zeros(objective.n_params))[0]
    for enough in (0.0, np.inf):
        assert optimality_gap(objective, params, value, gradient, enough) >= part * (1 - 1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("intercept", [-5, -10, -20, -30, -50, -85, -100, -500, -710, -720, -1000])
def test_gap_is_a_bound_where_the_intercept_is_far_off(intercept, n_classes, dtype):
    # Scores this far apart leave hardly any curvature: a full Newton step on the intercept leads
    # further away, to where F is too large to be subtracted from.
    labels = np.arange(n_classes).repeat(2)
    loss = make_loss(labels, None, n_classes)
    objective = LinearCrossEntropy(as_design(np.zeros((len(labels), 1), dtype)), loss, 0.1, True)
    params = np.zeros(objective.n_params)
    params[-1] = intercept
    value, gradient = value_and_gradient(objective, params)
    distance = value - np.log(n_classes)
    assert optimality_gap(objective, params, value, gradient) >= distance * (1 - 1e-6)


def without_class_0(n_classes, soft, layout="C"):
    problem = Problem(n_classes=n_classes, soft=soft, layout=layout)
    targets, weight = problem.targets, None
    if soft:
        targets = targets.copy()
        targets[:, 1] += targets[:, 0]
        targets[:, 0] = 0
        targets = targets.T.copy()
    else:
        weight = (targets != 0).astype(float)
        weight /= weight.mean()
    return problem, make_loss(targets, weight, n_classes)


@pytest.mark.parametrize(
    ("empty_class", "fit_intercept"), [(False, False), (False, True), (True, False)]
)
@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_gap_is_unknown_only_without_penalty(n_classes, soft, empty_class, l2, fit_intercept):
    problem, loss = without_class_0(n_classes, soft)
    loss = loss if empty_class else problem.loss()
    objective = LinearCrossEntropy(problem.design(), loss, l2, fit_intercept)
    unknown = l2 == 0
    assert objective.has_dual is not unknown
    for gap in gaps_at(objective, draw_params(objective)):
        assert np.isnan(gap) == unknown


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("soft", [False, True])
def test_gap_is_a_bound_with_an_empty_class_and_no_intercept(n_classes, soft):
    problem, loss = without_class_0(n_classes, soft)
    objective = LinearCrossEntropy(problem.design(), loss, 0.1, False)
    minimum, _ = newton_minimum(objective)
    params = draw_params(objective)
    value, gradient = value_and_gradient(objective, params)
    assert optimality_gap(objective, params, value, gradient) >= value - minimum


# -- precision -------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", variants(**DATA, layout=["C", "csr"], dtype=[np.float32]))
def test_float32_is_close_to_float64(problem):
    single = problem.linear()
    double = replace(problem, dtype=np.float64).linear()
    params, direction = draw_params(single), draw_params(single, seed=1)
    value, gradient = value_and_gradient(single, params)
    expected_value, expected_gradient = value_and_gradient(double, params)
    assert gradient.dtype == np.float64
    assert value == pytest.approx(expected_value, rel=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-6)
    np.testing.assert_allclose(
        hessian_product(single, params, direction),
        hessian_product(double, params, direction),
        atol=1e-6,
    )
    np.testing.assert_allclose(moments(single), moments(double), atol=1e-6)
    for found, expected in zip(gaps_at(single, params), gaps_at(double, params), strict=True):
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("problem", variants(**DATA, dtype=[np.float32], l2=[0.01]))
def test_float32_gap_at_the_minimum_is_that_of_rounding(problem):
    objective = problem.linear()
    _, params = linear_minimum(replace(problem, dtype=np.float64))
    assert abs(gaps_at(objective, params)[1]) < 1e-6


def test_float32_sums_over_many_blocks_are_in_float64():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 1)).astype(np.float32) + 3
    labels = rng.integers(2, size=60_000)
    results = []
    for dtype in (np.float32, np.float64):
        objective = LinearCrossEntropy(
            as_design(X.astype(dtype)), make_loss(labels, None, 2), 0.0, True
        )
        results.append(value_and_gradient(objective, np.array([0.7, -2.0])))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-7)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-6)


@every_problem
def test_without_coefficients_sums_are_those_over_the_rows(problem):
    objective = problem.linear()
    rng = np.random.default_rng(3)
    for same in (objective, objective.standardized()):
        matrix = np.zeros((same.width, same.n_columns))
        matrix[:, same.layout.n_features :] = rng.normal(size=(same.width, 1))
        value, gradient = same.value_and_gradient(matrix.ravel())
        nearby = matrix.copy()
        nearby[:, : same.layout.n_features] = 1e-200  # Every row enters the sums.
        of_rows, slopes_of_rows = same.value_and_gradient(nearby.ravel())
        assert value == pytest.approx(of_rows, rel=1e-13)
        np.testing.assert_allclose(gradient, slopes_of_rows, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("problem", variants(**DATA))
def test_null_model_is_nearly_the_best_without_features(problem):
    objective = problem.linear()
    coef, intercept = objective.null_model()
    assert not coef.any()
    shares = objective.loss.class_shares
    logits = intercept if len(intercept) > 1 else np.array([0.0, intercept[0]])
    even = 0.1 / len(shares)
    np.testing.assert_allclose(softmax(logits), (shares + even) / (1 + 0.1), rtol=1e-12)
