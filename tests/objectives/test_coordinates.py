"""The objective in standardised coordinates is the same function of the model.

The maps are inverse to each other, values agree, and derivatives follow the chain rule. At the
start every coordinate has a curvature of about 1, for columns of any scale.
"""

from dataclasses import replace

import numpy as np
import pytest
from zoo import (
    Problem,
    dense_hessian,
    draw_params,
    hessian_product,
    linear_minimum,
    optimality_gap,
    slope_along,
    slopes,
    value_and_gradient,
    variants,
)

from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._curvature.whitened import Whitening
from softmax_regression._data.make import as_design
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.one_block import OneBlockCrossEntropy, SmallCrossEntropy
from softmax_regression._objectives.linear.row_space import RowSpace

CHOICES = {
    "n_classes": [2, 3, 8],
    "soft": [False, True],
    "weighted": [False, True],
    "fit_intercept": [False, True],
    "l2": [0.0, 0.1],
}

every_problem = pytest.mark.parametrize("problem", variants(**CHOICES))
every_hard_problem = pytest.mark.parametrize("problem", variants(**CHOICES | {"soft": [False]}))


def original(problem, X=None):
    """The objective in the coordinates of X, or of other columns for the same rows."""
    base = problem.linear()
    if X is None:
        return base
    return LinearCrossEntropy(as_design(X), base.loss, base.l2, base.fit_intercept)


def rescaled(problem, X=None):
    return original(problem, X).standardized()


def to_params(objective, unknowns):
    return objective.layout.pack(*objective.to_model(unknowns))


def from_params(objective, params):
    return objective.from_model(*objective.layout.unpack(params))


def pulled_back(objective, gradient):
    gradient = gradient.copy()
    objective.coordinates.pull_gradient(*objective.layout.unpack(gradient))
    return gradient


@every_problem
def test_maps_of_parameters_are_inverse(problem):
    objective = rescaled(problem)
    unknowns = draw_params(objective)
    params = to_params(objective, unknowns)
    assert not np.allclose(params, unknowns)
    np.testing.assert_allclose(from_params(objective, params), unknowns, atol=1e-13)
    params = from_params(objective, unknowns)
    np.testing.assert_allclose(to_params(objective, params), unknowns, atol=1e-13)


@every_hard_problem
def test_gradients_are_mapped_by_the_transpose(problem):
    objective = rescaled(problem)
    direction, gradient = draw_params(objective), draw_params(objective, seed=1)
    pulled = pulled_back(objective, gradient)
    assert pulled @ direction == pytest.approx(gradient @ to_params(objective, direction))


@every_hard_problem
def test_maps_of_parameters_do_not_write_to_their_argument(problem):
    objective = rescaled(problem)
    vector = draw_params(objective)
    vector.flags.writeable = False
    for result in (to_params(objective, vector), from_params(objective, vector)):
        assert not np.shares_memory(result, vector)


@pytest.mark.parametrize("kind", [SmallCrossEntropy, OneBlockCrossEntropy])
@every_problem
def test_a_copy_of_the_standardised_rows_is_the_same_function(problem, kind):
    objective = rescaled(problem)
    copied = kind(objective)
    unknowns, direction = draw_params(objective), draw_params(objective, seed=1)
    value, gradient = value_and_gradient(objective, unknowns)
    copied_value, copied_gradient = value_and_gradient(copied, unknowns)
    assert copied_value == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(copied_gradient, gradient, atol=1e-12)
    np.testing.assert_allclose(
        hessian_product(copied, unknowns, direction),
        hessian_product(objective, unknowns, direction),
        atol=1e-11,
    )
    gaps = [optimality_gap(f, unknowns, value, gradient, 0.0) for f in (objective, copied)]
    assert gaps[0] == pytest.approx(gaps[1], rel=1e-8, nan_ok=True)


@every_hard_problem
def test_scores_are_those_of_centred_and_scaled_columns(problem):
    objective = rescaled(problem)
    coordinates = objective.coordinates
    unknowns = draw_params(objective)
    coef, intercept = objective.to_model(unknowns)
    scaled_coef, scaled_intercept = objective.layout.unpack(unknowns)
    scores, expected = problem.X @ coef.T, (problem.X - coordinates.means) / coordinates.scales
    expected = expected @ scaled_coef.T
    if problem.fit_intercept:
        scores, expected = (
            scores + intercept,
            expected + scaled_intercept / coordinates.intercept_scale,
        )
        np.testing.assert_allclose(
            coordinates.means, np.average(problem.X, axis=0, weights=problem.weights), rtol=1e-13
        )
    else:
        np.testing.assert_array_equal(coordinates.means, 0)
    np.testing.assert_allclose(scores, expected, atol=1e-11)


@every_problem
def test_values_agree_at_corresponding_points(problem):
    objective = rescaled(problem)
    params = draw_params(objective)
    unknowns = from_params(objective, params)
    value, gradient = value_and_gradient(objective, unknowns)
    base_value, base_gradient = value_and_gradient(original(problem), params)
    assert value == pytest.approx(base_value, rel=1e-13)
    np.testing.assert_allclose(pulled_back(objective, base_gradient), gradient, atol=1e-11)
    assert value == pytest.approx(problem.plain_linear_value(params), rel=1e-12)


@every_problem
def test_gradient_is_the_slope_in_the_new_unknowns(problem):
    objective = rescaled(problem)
    unknowns = draw_params(objective)
    _, gradient = value_and_gradient(objective, unknowns)
    expected = slopes(lambda u: value_and_gradient(objective, u)[0], unknowns)
    np.testing.assert_allclose(gradient, expected, atol=1e-10)


@every_problem
def test_batch_gradient_is_the_slope_in_the_new_unknowns(problem):
    objective = rescaled(problem)
    unknowns, rows = draw_params(objective), objective.rows[::3]
    gradient, unused = np.full(objective.n_params, np.nan), np.empty(objective.n_params)
    objective.batch_value_and_gradient(unknowns, rows, gradient)
    expected = slopes(lambda u: objective.batch_value_and_gradient(u, rows, unused), unknowns)
    np.testing.assert_allclose(gradient, expected, atol=1e-10)


@every_problem
def test_hessian_product_is_the_slope_of_the_gradient(problem):
    objective = rescaled(problem)
    unknowns, direction = draw_params(objective), draw_params(objective, seed=1)
    expected = slope_along(lambda u: value_and_gradient(objective, u)[1], unknowns, direction)
    product = hessian_product(objective, unknowns, direction)
    np.testing.assert_allclose(product, expected, atol=1e-9)
    hessian = dense_hessian(objective, unknowns)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-13)


@every_hard_problem
def test_the_certificate_is_that_of_the_same_point(problem):
    objective = rescaled(problem)
    base, params = original(problem), draw_params(objective)
    unknowns = from_params(objective, params)
    gap = optimality_gap(objective, unknowns, *value_and_gradient(objective, unknowns), enough=0.0)
    expected = optimality_gap(base, params, *value_and_gradient(base, params), enough=0.0)
    assert gap == pytest.approx(expected, rel=1e-10, nan_ok=True)
    assert objective.has_dual == base.has_dual == (problem.l2 > 0)
    np.testing.assert_array_equal(objective.rows, base.rows)


# -- what they are for -----------------------------------------------------------------------------


@every_problem
def test_every_coordinate_has_curvature_1_where_all_classes_are_equally_likely(problem):
    objective = rescaled(problem)
    diagonal = np.diag(dense_hessian(objective, np.zeros(objective.n_params)))
    np.testing.assert_allclose(diagonal, 1, rtol=1e-11)


def hard_columns(problem, dtype=np.float64):
    """Columns of very different scales, far from 0, constant, all 0, and 0 but for one entry."""
    n = problem.n_rows
    rng = np.random.default_rng(1)
    columns = [
        1e8 * rng.normal(size=n),
        1e-8 * rng.normal(size=n),
        1e3 + rng.normal(size=n),
        np.full(n, 7.0),
        np.full(n, -1e8 / 3),
        np.zeros(n),
        np.eye(n)[5],
    ]
    return np.column_stack(columns).astype(dtype)


ORDINARY = [0, 1, 2, 6]  # those of hard_columns that vary


@every_hard_problem
def test_curvature_is_of_order_1_on_columns_of_any_scale(problem):
    problem = replace(problem, weighted=False)
    objective = rescaled(problem, hard_columns(problem))
    hessian = dense_hessian(objective, np.zeros(objective.n_params))
    coef, intercept = objective.layout.unpack(np.diag(hessian).copy())
    np.testing.assert_allclose(coef[:, ORDINARY], 1, rtol=1e-6)
    np.testing.assert_allclose(intercept, 1, rtol=1e-12)
    assert (coef > -1e-15).all()
    assert (coef <= 1 + 1e-6).all()
    largest = np.linalg.eigvalsh(hessian).max()
    assert largest < 10


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_hard_problem
def test_nothing_overflows_on_columns_of_any_scale(problem, dtype):
    objective = rescaled(replace(problem, dtype=dtype), hard_columns(problem, dtype))
    coordinates = objective.coordinates
    assert np.isfinite(coordinates.means).all()
    assert np.isfinite(coordinates.scales).all()
    assert (coordinates.scales > 0).all()
    assert np.isfinite(objective.curvature_bound())
    unknowns = draw_params(objective)
    value, gradient = value_and_gradient(objective, unknowns)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    product = hessian_product(objective, unknowns, draw_params(objective, seed=1))
    assert np.isfinite(product).all()
    params = to_params(objective, unknowns)
    assert np.isfinite(params).all()
    base = original(replace(problem, dtype=dtype), hard_columns(problem, dtype))
    np.testing.assert_allclose(value_and_gradient(base, params)[0], value, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("l2", [1e-6, 0.1])
def test_a_constant_column_is_told_from_one_that_varies(dtype, l2):
    rng = np.random.default_rng(0)
    constant, varying = np.full(300, 1e4 / 3), 1e4 / 3 + 100 * rng.normal(size=300)
    X = np.column_stack([constant, varying]).astype(dtype)
    objective = rescaled(Problem(n_rows=300, l2=l2), X)
    c = 2 / 9  # p (1 - p) of three classes
    expected = [np.sqrt(l2), np.sqrt(c * varying.var() + l2)]
    np.testing.assert_allclose(objective.coordinates.scales, expected, rtol=0.01)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_moving_and_stretching_columns_leaves_the_unknowns_as_they_are(n_classes, fit_intercept):
    # Without a penalty the model of the standardised columns does not know the original ones.
    problem = Problem(n_classes=n_classes, fit_intercept=fit_intercept, l2=0.0)
    stretch, shift = 10.0 ** np.array([-8, -2, 3, 8]), np.array([3e-8, 0, 20, -1e8])
    moved = problem.X * stretch + shift * fit_intercept
    plain, other = rescaled(problem), rescaled(problem, moved)
    unknowns = draw_params(plain)
    value, gradient = value_and_gradient(plain, unknowns)
    other_value, other_gradient = value_and_gradient(other, unknowns)
    assert other_value == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(other_gradient, gradient, atol=1e-9)


@every_problem
def test_curvature_bound_bounds_every_eigenvalue(problem):
    objective = rescaled(problem)
    bound = objective.curvature_bound()
    points = [np.zeros(objective.n_params), *(draw_params(objective, seed) for seed in range(3))]
    if problem.l2 > 0:
        points.append(from_params(objective, linear_minimum(problem)[1]))
    for unknowns in points:
        assert np.linalg.eigvalsh(dense_hessian(objective, unknowns)).max() <= bound * (1 + 1e-12)


@every_problem
def test_curvature_bound_is_half_the_mean_square_of_the_rows(problem):
    objective = rescaled(problem)
    coordinates = objective.coordinates
    rows = (problem.X - coordinates.means) / coordinates.scales
    squares = (rows**2).sum(axis=1) + problem.fit_intercept / coordinates.intercept_scale**2
    penalty = (problem.l2 / coordinates.scales**2).max()
    expected = np.average(squares, weights=problem.weights) / 2 + penalty
    assert objective.curvature_bound() == pytest.approx(expected, rel=1e-10)


@every_hard_problem
def test_curvature_bound_holds_on_columns_of_any_scale(problem):
    objective = rescaled(problem, hard_columns(problem))
    bound = objective.curvature_bound()
    for scale in (0.0, 0.3, 1.0):
        hessian = dense_hessian(objective, draw_params(objective, scale=scale))
        assert np.linalg.eigvalsh(hessian).max() <= bound * (1 + 1e-6)


# -- other changes of unknowns ---------------------------------------------------------------------


def dense_map(push, n_params):
    """The matrix of a linear map, from its images of unit vectors."""
    return np.stack([push(unit) for unit in np.eye(n_params)], axis=1)


@every_hard_problem
def test_covariances_are_mapped_as_parameters_are(problem):
    objective = rescaled(problem)
    half = np.random.default_rng(0).normal(size=(objective.n_params, 3))
    T = dense_map(lambda unit: to_params(objective, unit), objective.n_params)
    found = objective.coordinates.push_covariance(half @ half.T, objective.layout)
    np.testing.assert_allclose(found, T @ half @ half.T @ T.T, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_the_space_of_the_rows_is_a_linear_change_of_unknowns(n_classes, fit_intercept):
    problem = Problem(
        n_rows=8, n_columns=20, n_classes=n_classes, fit_intercept=fit_intercept, l2=0.1
    )
    base = problem.linear()
    change = RowSpace(base)
    inner = change.objective
    unknowns = draw_params(inner)

    def to_flat(params):
        return base.layout.pack(*change.to_model(*inner.layout.unpack(params)))

    back = inner.layout.pack(*change.from_model(*base.layout.unpack(to_flat(unknowns))))
    np.testing.assert_allclose(back, unknowns, atol=1e-12)
    value, gradient = value_and_gradient(inner, unknowns)
    expected, base_gradient = value_and_gradient(base, to_flat(unknowns))
    assert value == pytest.approx(expected, rel=1e-12)
    pulled = inner.layout.pack(*change.pull_gradient(*base.layout.unpack(base_gradient)))
    np.testing.assert_allclose(pulled, gradient, atol=1e-12)
    half = np.random.default_rng(0).normal(size=(inner.n_params, 3))
    T = dense_map(to_flat, inner.n_params)
    found = change.push_covariance(half @ half.T, base.layout)
    np.testing.assert_allclose(found, T @ half @ half.T @ T.T, atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_inverse_hessian_is_the_covariance_that_whitening_makes_of_the_identity(n_classes):
    objective = rescaled(Problem(n_classes=n_classes, l2=0.1))
    params = objective.centred(draw_params(objective, scale=0.3))
    factor = HessianFactor(objective, params)
    whitening = Whitening(params, factor)
    np.testing.assert_array_equal(whitening.to_model(np.zeros(factor.n_unknowns)), params)
    covariance = whitening.push_covariance(np.eye(factor.n_unknowns))
    _, gradient = value_and_gradient(objective, params)
    np.testing.assert_allclose(covariance @ gradient, factor.solve(gradient), rtol=1e-9, atol=1e-12)
    push = dense_map(whitening.push_direction, factor.n_unknowns)
    np.testing.assert_allclose(
        whitening.pull_gradient(objective.centred(gradient)),
        push.T @ objective.centred(gradient),
        atol=1e-10,
    )
