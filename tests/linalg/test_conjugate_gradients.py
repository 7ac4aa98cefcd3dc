"""Conjugate gradients, compared with dense linear algebra, for matrices known to be hard."""

import numpy as np
import pytest

from softmax_regression._linalg.conjugate_gradients import EndOfCG, conjugate_gradients


def spd(order=30, condition=1e4, seed=0):
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(order, order)))
    return basis * np.geomspace(1 / condition, 1, order) @ basis.T


def below(goal):
    return lambda residual, square, gain: square <= goal


@pytest.mark.parametrize("preconditioned", [False, True])
def test_the_solution_is_that_of_dense_linear_algebra(preconditioned):
    matrix, right = spd(), np.random.default_rng(1).normal(size=30)
    near = matrix + 1e-3 * np.eye(30)
    solve = (lambda v: np.linalg.solve(near, v)) if preconditioned else None
    run = conjugate_gradients(
        lambda v: matrix @ v, right, below(1e-24), solve=solve, max_products=300
    )
    assert run.reason is EndOfCG.STOPPED
    np.testing.assert_allclose(run.step, np.linalg.solve(matrix, right), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(run.residual, right - matrix @ run.step, atol=1e-10)
    metric = right if solve is None else solve(right)
    assert run.first_square == pytest.approx(right @ metric)
    assert run.square <= 1e-24


def test_a_good_preconditioner_saves_products():
    matrix, right = spd(condition=1e8), np.ones(30)
    near = matrix + 1e-9 * np.eye(30)

    def n_products(solve):
        return conjugate_gradients(
            lambda v: matrix @ v, right, below(1e-12), solve=solve, max_products=1000
        ).n_products

    assert n_products(lambda v: np.linalg.solve(near, v)) < n_products(None) / 4


def test_gains_add_up_to_the_fall_of_the_quadratic_function():
    matrix, right = spd(), np.ones(30)
    gains = []

    def rule(residual, square, gain):
        gains.append(gain)
        return len(gains) > 12

    run = conjugate_gradients(lambda v: matrix @ v, right, rule, max_products=100)
    x = run.step
    assert run.n_products == 12
    assert gains[0] == 0 < min(gains[1:])
    assert sum(gains) == pytest.approx(right @ x - 0.5 * x @ matrix @ x, rel=1e-10)


def test_products_are_no_more_than_allowed_and_the_right_side_is_left_as_it_is():
    matrix, right = spd(), np.ones(30)
    run = conjugate_gradients(lambda v: matrix @ v, right, below(0.0), max_products=3)
    assert (run.n_products, run.reason) == (3, EndOfCG.MAX_PRODUCTS)
    np.testing.assert_array_equal(right, 1.0)


def test_a_right_side_of_0_takes_no_product():
    run = conjugate_gradients(lambda v: 1 / 0, np.zeros(4), below(-1.0), max_products=3)
    np.testing.assert_array_equal(run.step, 0)
    assert (run.n_products, run.reason) == (0, EndOfCG.STOPPED)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_direction_without_finite_curvature_is_not_taken(bad):
    diagonal = np.array([1.0, bad])
    with np.errstate(invalid="ignore"):
        run = conjugate_gradients(
            lambda v: diagonal * v, np.array([0.0, 1.0]), below(0.0), max_products=9
        )
    assert run.reason is EndOfCG.NO_CURVATURE
    np.testing.assert_array_equal(run.step, 0)


def test_curvature_that_is_rounding_beside_the_preconditioner_is_none():
    diagonal, right = np.array([1.0, 1e-18]), np.ones(2)
    run = conjugate_gradients(
        lambda v: diagonal * v, right, below(0.0), max_products=9, least_curvature=1e-15
    )
    assert run.reason is EndOfCG.NO_CURVATURE
    assert np.abs(run.step).max() < 10
