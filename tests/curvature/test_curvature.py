"""Approximations of the Hessian, compared with the Hessian, and problems in other unknowns."""

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
    slopes,
    value_and_gradient,
    variants,
)

from softmax_regression import SoftmaxRegression
from softmax_regression._curvature import class_blocks as _class_blocks
from softmax_regression._curvature import preconditioner as _preconditioner
from softmax_regression._curvature import row_sums as _row_sums
from softmax_regression._curvature import schedule as _factors
from softmax_regression._curvature.class_blocks import BlockFactor
from softmax_regression._curvature.diagonal import Diagonal
from softmax_regression._curvature.full_hessian import HessianFactor, hessian_matrix
from softmax_regression._curvature.kronecker import KroneckerFactor
from softmax_regression._curvature.preconditioner import HessianPreconditioner
from softmax_regression._curvature.rank_updates import add_weighted_squares, mirror
from softmax_regression._curvature.row_sums import weighted_rows
from softmax_regression._curvature.schedule import HessianSchedule
from softmax_regression._curvature.whitened import WhitenedObjective
from softmax_regression._curvature.with_hessian import CrossEntropyWithHessian, with_hessian
from softmax_regression._curvature.woodbury import WoodburyFactor
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.cholesky import CholeskyFactor, StackedFactors
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear import cross_entropy as _linear
from softmax_regression._objectives.linear import intercept as _intercept
from softmax_regression._objectives.linear.intercept import intercept_hessian
from softmax_regression._objectives.linear.kernels import scores_of
from softmax_regression._objectives.linear.one_block import OneBlockCrossEntropy, SmallCrossEntropy
from softmax_regression._objectives.linear.row_space import RowSpace
from softmax_regression._problems.smooth import Problem as SolvedProblem

every_problem = pytest.mark.parametrize(
    "problem",
    variants(
        n_classes=[2, 3, 8],
        weighted=[False, True],
        fit_intercept=[False, True],
        layout=["C", "csr"],
    ),
)


def at_random(problem):
    """The objective in standardised coordinates, parameters, and a gradient like its own."""
    objective = problem.linear().standardized()
    params = objective.centred(draw_params(objective, scale=0.5))
    return objective, params, objective.centred(draw_params(objective, seed=1))


@every_problem
def test_the_factored_hessian_undoes_the_hessian(problem):
    objective, params, gradient = at_random(problem)
    for same in (objective, SmallCrossEntropy(objective), OneBlockCrossEntropy(objective)):
        factor = HessianFactor(same, params)
        solution = factor.solve(gradient)
        np.testing.assert_allclose(
            hessian_product(objective, params, solution), gradient, atol=1e-11
        )


@pytest.mark.parametrize(
    "problem",
    [
        *variants(n_classes=[3, 8], weighted=[False, True], fit_intercept=[False, True]),
        *variants(n_classes=[3, 8], l2=[0.0, 1e-9], layout=["C", "csr"]),
        Problem(n_rows=12, n_columns=30),
    ],
)
def test_a_matrix_of_the_order_of_the_rows_undoes_the_hessian(problem):
    objective, params, gradient = at_random(problem)
    for same in (objective, SmallCrossEntropy(objective), OneBlockCrossEntropy(objective)):
        factor = WoodburyFactor(same, params)
        solution = factor.solve(gradient)
        np.testing.assert_allclose(
            hessian_product(objective, params, solution), gradient, atol=1e-9
        )
        again = factor.solve_upper(factor.solve_lower(gradient))
        np.testing.assert_allclose(again, solution, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "kinds"),
    [
        ((40, 60, 8), ["KroneckerFactor", "HessianFactor"]),
        ((200, 60, 40), ["KroneckerFactor", "BlockFactor", "WoodburyFactor"]),
        # The Hessian comes from a sample of the rows, and then from all.
        ((3000, 20, 10), ["KroneckerFactor", "HessianFactor", "HessianFactor"]),
        ((3000, 20, 2), ["BlockFactor", "HessianFactor"]),
        ((4000, 60, 80), ["KroneckerFactor", "BlockFactor"]),  # rows and unknowns are too many
        ((30, 4000, 3), ["Diagonal"]),
        ((4000, 3, 900), ["BlockFactor"]),  # sooner made than what so many classes share
        ((1500, 3, 300), ["KroneckerFactor", "HessianFactor"]),
    ],
)
def test_the_better_preconditioner_comes_after_the_cheaper(shape, kinds):
    n_rows, n_columns, n_classes = shape
    problem = Problem(n_rows=n_rows, n_columns=n_columns, n_classes=n_classes)
    objective, params, _ = at_random(problem)
    precondition = HessianPreconditioner(objective)
    made = [precondition.make(i, params) for i in range(precondition.n_stages)]
    assert [type(one).__name__ for one in made] == kinds
    assert all(precondition.n_products(i, i) >= 0 for i in range(len(made)))


@every_problem
def test_a_rounded_factor_is_near_that_of_the_hessian(problem):
    objective, params, gradient = at_random(problem)
    expected = HessianFactor(objective, params).solve(gradient)
    for same in (objective, SmallCrossEntropy(objective), OneBlockCrossEntropy(objective)):
        rounded = HessianFactor(same, params, None, np.float32)
        assert not rounded.exact
        error = np.linalg.norm(rounded.solve(gradient) - expected)
        assert 0 < error < 1e-3 * np.linalg.norm(expected)


@every_problem
def test_nearer_the_minimum_factors_get_exact(problem, monkeypatch):
    monkeypatch.setattr(_factors, "_CALLS_MULTIPLICATIONS", 0)
    objective, params, gradient = at_random(problem)
    factors = HessianSchedule(objective)
    assert not factors(params, 0.5).exact
    assert factors(params, 1e-4).exact
    expected = HessianFactor(objective, params).solve(gradient)
    np.testing.assert_array_equal(factors(params, 1e-4).solve(gradient), expected)


@every_problem
def test_a_sample_of_all_rows_is_the_whole(problem):
    objective, params, gradient = at_random(problem)
    everything = Sample(np.arange(problem.n_rows), np.ones(problem.n_rows))
    same = OneBlockCrossEntropy(objective)
    np.testing.assert_allclose(
        HessianFactor(same, params, everything).solve(gradient),
        HessianFactor(objective, params).solve(gradient),
        rtol=1e-9,
    )
    for make in (HessianFactor, BlockFactor):
        np.testing.assert_allclose(
            make(objective, params, everything).solve(gradient),
            make(objective, params).solve(gradient),
            rtol=1e-9,
        )


@every_problem
def test_blocks_and_diagonal_are_those_of_the_hessian(problem):
    objective, params, gradient = at_random(problem)
    hessian = dense_hessian(objective, params)
    expected = objective.centred(gradient / np.diag(hessian))
    np.testing.assert_allclose(Diagonal(objective, params).solve(gradient), expected, rtol=1e-9)

    # number the flat parameters, to find those of one class
    numbers = np.arange(objective.n_params)
    coef, intercept = objective.layout.unpack(numbers)
    expected = np.empty(objective.n_params)
    for k in range(objective.width):
        own = np.concatenate([coef[k], intercept[k : k + 1]]).astype(int)
        expected[own] = np.linalg.solve(hessian[np.ix_(own, own)], gradient[own])
    solution = BlockFactor(objective, params).solve(gradient)
    np.testing.assert_allclose(solution, objective.centred(expected), rtol=1e-8, atol=1e-12)


@every_problem
@pytest.mark.parametrize("make", [HessianFactor, BlockFactor, WoodburyFactor, Diagonal])
def test_whitened_gradients_are_slopes(problem, make):
    if make is WoodburyFactor and problem.n_classes == 2:
        pytest.skip("for several scores")
    objective, params, _ = at_random(problem)
    whitened = WhitenedObjective(objective, params, make(objective, params))
    unknowns = 0.1 * draw_params(whitened, seed=2)
    _, gradient = value_and_gradient(whitened, unknowns)
    expected = slopes(lambda u: value_and_gradient(whitened, u)[0], unknowns)
    np.testing.assert_allclose(gradient, expected, atol=1e-9)
    value, gradient = value_and_gradient(objective, whitened.params(unknowns))
    gap = optimality_gap(objective, whitened.params(unknowns), value, gradient)
    assert optimality_gap(whitened, unknowns, value, gradient) == pytest.approx(gap, nan_ok=True)


@pytest.mark.parametrize(
    "problem", variants(n_classes=[3, 8], weighted=[False, True], fit_intercept=[False, True])
)
def test_where_all_rows_have_the_same_probabilities_one_gram_matrix_is_all(problem):
    objective, _, gradient = at_random(replace(problem, l2=0.5))
    params = objective.from_model(*objective.null_model())
    shared = KroneckerFactor(objective, params)
    solution = shared.solve(gradient)
    exact = HessianFactor(objective, params).solve(gradient)
    if problem.weighted:  # shares of classes differ, and λ is rounded to powers of 2
        assert 0.6 < (gradient @ solution) / (gradient @ exact) < 1.6
    else:
        assert 0.7 < (gradient @ solution) / (gradient @ exact) < 1.5
    np.testing.assert_allclose(solution, shared.solve_upper(shared.solve_lower(gradient)))


def test_with_classes_of_one_size_the_shared_gram_matrix_is_exact():
    problem = Problem(n_classes=4, n_rows=64, l2=0.5)
    problem.targets[:] = np.arange(64) % 4
    problem.X[:, 1:] += 2 * problem.X[:, :1]
    objective, _, gradient = at_random(problem)
    params = objective.from_model(*objective.null_model())
    np.testing.assert_allclose(
        KroneckerFactor(objective, params).solve(gradient),
        HessianFactor(objective, params).solve(gradient),
        atol=1e-12,
    )


def test_columns_that_are_hardly_correlated_share_a_diagonal():
    problem = Problem(n_classes=5, n_rows=400, n_columns=30, l2=0.5)
    objective, params, gradient = at_random(problem)
    factor = KroneckerFactor(objective, 20 * params)  # Each class has few undecided rows.
    z, p = weighted_rows(objective, 20 * params)
    traces = 1 - np.square(p).sum(axis=0)
    spread = (np.diag(p.sum(axis=1)) - p @ p.T) / traces.sum()
    diagonal = np.square(z) @ traces
    ridge = np.broadcast_to(objective.ridge, diagonal.shape)
    solution = objective.matrix(factor.solve(gradient))
    product = spread @ (diagonal * solution) + ridge * solution
    expected = objective.matrix(objective.centred(gradient))
    np.testing.assert_allclose(product, expected, atol=1e-12)
    np.testing.assert_allclose(
        factor.solve_upper(factor.solve_lower(gradient)), solution.ravel(), atol=1e-12
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_products_of_one_block_are_rounded_where_they_take_long(weighted):
    problem = Problem(n_classes=6, n_rows=600, n_columns=30, weighted=weighted)
    base, params, gradient = at_random(problem)
    objective = OneBlockCrossEntropy(base)
    products = objective.for_products()
    assert products.dtype == np.float32
    exact = objective.hessian_product(Evaluation.of(params), gradient)
    rounded = products.hessian_product(Evaluation.of(params), gradient)
    error = np.linalg.norm(rounded - exact)
    assert 0 < error < 1e-5 * np.linalg.norm(exact)
    few = OneBlockCrossEntropy(at_random(Problem(n_rows=30))[0])
    assert few.for_products() is few


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_sampled_hessian_is_near_the_whole_one(n_classes):
    problem = Problem(n_classes=n_classes, n_rows=20000, n_columns=6, l2=1e-4)
    objective, params, gradient = at_random(problem)
    precondition = HessianPreconditioner(objective)
    sample = precondition.draw(params, 3000)
    assert 2000 < len(sample.rows) < 4000
    assert np.unique(sample.rows).size == len(sample.rows)
    assert (sample.factor >= 1).all()
    step = HessianFactor(objective, params, sample).solve(gradient)
    exact = HessianFactor(objective, params).solve(gradient)
    assert gradient @ step == pytest.approx(gradient @ exact, rel=0.1)


def test_of_many_rows_more_are_drawn():
    """A sample of more rows makes a better matrix, in a small part of the time of a product."""

    def drawn(n_rows):
        problem = Problem(n_classes=5, n_rows=n_rows, n_columns=40)
        objective, params, gradient = at_random(problem)
        precondition = HessianPreconditioner(objective)
        step = precondition(params).solve(gradient)
        exact = HessianFactor(objective, params).solve(gradient)
        lost = (step - exact) @ objective.hessian_product(Evaluation.of(params), step - exact)
        return precondition, len(precondition.sample(params).rows), lost / (gradient @ exact)

    few, n_few, lost_by_few = drawn(8_000)
    many, n_many, lost_by_many = drawn(80_000)
    assert many.n_stages <= few.n_stages
    assert n_many > 3 * n_few
    assert lost_by_many < 0.5 * lost_by_few


def test_a_row_that_is_all_a_feature_has_is_always_drawn():
    problem = Problem(n_rows=5000, n_columns=3, l2=1e-6)
    problem.X[:, 2] = 0
    problem.X[1234, 2] = 1.0
    objective = problem.linear().standardized()
    precondition = HessianPreconditioner(objective)
    sample = precondition.draw(np.zeros(objective.n_params), 200)
    assert sample.factor[sample.rows == 1234] == 1


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_a_singular_matrix_is_factored_as_if_it_were_not(rank):
    half = np.random.default_rng(0).normal(size=(6, rank)) * np.logspace(-4, 4, 6)[:, None]
    matrix = half @ half.T
    right = matrix @ np.linspace(1, 2, 6)
    factor = CholeskyFactor(matrix.copy())
    solution = factor.back(factor.forward(right))
    scale = np.sqrt(np.diag(matrix))
    np.testing.assert_allclose(matrix @ solution / scale, right / scale, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_row_space_has_the_same_minimum(n_classes, fit_intercept):
    problem = Problem(
        n_rows=20, n_columns=33, n_classes=n_classes, fit_intercept=fit_intercept, l2=0.01
    )
    base = problem.linear()
    turned = RowSpace(base)
    assert turned.objective.design.X.shape == (20, 20)
    minimum, params = linear_minimum(problem)
    coef, intercept = base.layout.unpack(params)
    there = turned.objective.layout.pack(turned.rotated(coef), intercept)
    value, gradient = value_and_gradient(turned.objective, there)
    assert value == pytest.approx(minimum, rel=1e-12)
    assert np.abs(gradient).max() < 1e-8
    np.testing.assert_allclose(turned.coef(turned.rotated(coef)), coef, atol=1e-8)


@pytest.mark.parametrize("n_columns", [4, 50])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_solved_problem_is_the_problem(n_columns, dtype):
    problem = replace(Problem(dtype=dtype), n_columns=n_columns)
    base = problem.linear()
    solved = SolvedProblem(base)
    coef, intercept = base.layout.unpack(draw_params(base))
    coef = (
        coef - coef.mean(axis=0)
        if n_columns < problem.n_rows
        else coef @ np.linalg.pinv(problem.X.astype(np.float64)) @ problem.X.astype(np.float64)
    )
    unknowns = solved.from_model(coef, intercept)
    value, _ = value_and_gradient(solved.objective, unknowns)
    params = base.layout.pack(coef, intercept)
    assert value == pytest.approx(problem.plain_linear_value(params), rel=1e-12)
    back, back_intercept = solved.to_model(unknowns)
    np.testing.assert_allclose(back, coef, atol=1e-7)
    np.testing.assert_allclose(back_intercept, intercept, atol=1e-7)
    assert solved.objective.dtype == np.float64


# -- many classes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "problem",
    variants(n_classes=[2, 5], weighted=[False, True], fit_intercept=[False, True]),
)
def test_blocks_of_small_classes_are_solved_together(problem, dtype, monkeypatch):
    objective, params, _ = at_random(problem)
    z, weight = objective.row_map(objective.design), problem.weights / problem.weights.sum()
    p = scores_of(objective.design, objective.for_rows(params))
    objective.loss.probabilities(p, slice(None))
    rows = draw_params(objective).reshape(objective.width, -1)
    expected = [
        np.linalg.solve((z * weight * q * (1 - q)) @ z.T + np.diag(objective.ridge), row)
        for q, row in zip(
            p,
            objective.matrix(objective.centred(rows.ravel())),
            strict=True,
        )
    ]
    expected = objective.centred(np.ravel(expected))
    precision = 1e-9 if dtype == np.float64 else 1e-3
    for few in (16, 0):  # 0: one after the other, as large ones are
        monkeypatch.setattr(_class_blocks, "SHORT_SIDE", few)
        factor = BlockFactor(objective, params, None, dtype)
        np.testing.assert_allclose(
            factor.solve(rows.ravel()), expected, rtol=precision, atol=precision
        )
        assert 0 < factor.least_pivot <= 1 + 1e-6


def test_small_singular_matrices_are_made_definite():
    column = np.array([[1.0, 2.0, 3.0]])
    matrices = np.stack([np.zeros((3, 3)), column.T @ column, np.eye(3)])
    factors = StackedFactors(matrices, 1e-14)
    rows = np.ones((3, 3))
    solved = factors.back(factors.forward(rows))
    assert np.isfinite(solved).all()
    np.testing.assert_allclose(solved[2], 1.0, rtol=1e-6)
    assert factors.least_pivot < 1e-10


def test_a_sample_has_rows_of_every_class():
    problem = Problem(n_rows=30_000, n_columns=3, n_classes=500)
    objective, params, _ = at_random(problem)
    precondition = HessianPreconditioner(objective)
    assert len(precondition.sample(params, stage=0).rows) > 4 * problem.n_classes


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_of_the_intercept_by_products_is_that_by_the_matrix(weighted, monkeypatch):
    problem = Problem(n_rows=400, n_classes=60, weighted=weighted)
    objective, params, _ = at_random(problem)
    matrix = objective.for_rows(params)
    excess, hessian = intercept_hessian(objective.data, matrix)
    expected = hessian.solve(excess)
    monkeypatch.setattr(_intercept, "_MAX_MATRIX_CLASSES", 59)
    again, products = intercept_hessian(objective.data, matrix)
    assert type(products) is not type(hessian)
    np.testing.assert_allclose(again, excess, rtol=1e-12, atol=1e-15)
    step = products.solve(excess)
    step -= step.mean() - expected.mean()  # which changes no probability
    assert np.linalg.norm(step - expected) < 1e-2 * np.linalg.norm(expected)


@pytest.mark.parametrize("kept", [1 << 25, 0])
def test_many_classes_have_the_same_minimum_however_it_is_found(kept, monkeypatch):
    problem = Problem(n_rows=900, n_classes=300, l2=1e-3)
    monkeypatch.setattr(_linear, "_KEPT_PROBABILITIES", kept)
    monkeypatch.setattr(_intercept, "_MAX_KEPT_PROBABILITIES", kept)
    model = SoftmaxRegression(tol=1e-9).fit(problem.X, problem.targets)
    assert model.optimality_gap_ <= 1e-9
    monkeypatch.setattr(_intercept, "_MAX_MATRIX_CLASSES", 1000)
    other = SoftmaxRegression(tol=1e-9, solver="lbfgs").fit(problem.X, problem.targets)
    assert model.objective_ == pytest.approx(other.objective_, rel=1e-8)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-3)


@every_problem
def test_a_hessian_that_comes_along_is_the_one_asked_for(problem):
    objective, params, gradient = at_random(problem)
    at, both = objective.evaluate(params), CrossEntropyWithHessian(objective).evaluate(params)
    assert both.value == pytest.approx(at.value, rel=1e-14)
    np.testing.assert_allclose(both.gradient, at.gradient, rtol=1e-12, atol=1e-15)
    assert both.hessian is not None
    kept = [sums.copy() for sums in both.hessian]
    for _ in range(2):  # The sums stay what they were.
        step = HessianFactor(objective, both).solve(gradient)
        np.testing.assert_allclose(step, HessianFactor(objective, params).solve(gradient))
    for sums, before in zip(both.hessian, kept, strict=True):
        np.testing.assert_array_equal(sums, before)
    assert both.without_rows().hessian is None


@pytest.mark.parametrize("n_classes", [2, 3, 5, 6])
@pytest.mark.parametrize("n_columns", [4, 20])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_hessian_does_not_depend_on_how_rows_are_cut(
    monkeypatch, n_classes, n_columns, weighted
):
    problem = Problem(n_rows=300, n_columns=n_columns, n_classes=n_classes, weighted=weighted)
    objective, params, _ = at_random(problem)
    expected = hessian_matrix(objective, params)
    # The unknowns are differences from the last class, and parameters sum to 0 over classes.
    units = [objective.centred(unit) for unit in np.eye(len(params))[: len(expected)]]
    products = np.array([hessian_product(objective, params, unit) for unit in units])
    np.testing.assert_allclose(expected, products @ np.transpose(units), atol=1e-12)
    monkeypatch.setattr(_row_sums, "_UPDATE_VALUES", 1)
    for same in (objective, SmallCrossEntropy(objective), OneBlockCrossEntropy(objective)):
        np.testing.assert_allclose(hessian_matrix(same, params), expected, atol=1e-13)
        at = with_hessian(same).evaluate(params)
        np.testing.assert_allclose(hessian_matrix(same, at), expected, atol=1e-13)


@pytest.mark.parametrize("n_columns", [0, 1, 8, 9, 40, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weighted_squares_are_added_to_upper_triangles(n_columns, dtype):
    rng = np.random.default_rng(0)
    z = rng.standard_normal((n_columns, 50)).astype(dtype)
    weights = rng.random((3, 50)).astype(dtype)
    out = np.ones((3, n_columns, n_columns), dtype)
    add_weighted_squares(out, z, weights)
    mirror(out)
    for found, weight in zip(out, weights, strict=True):
        expected = 1 + (z * weight).astype(np.float64) @ z.T
        np.testing.assert_allclose(found, expected, atol=500 * np.finfo(dtype).eps)


def test_stages_of_a_source_of_more_rows_are_found_by_kind(monkeypatch):
    """Along a path a preconditioner serves that was made from fewer rows for each unknown."""
    monkeypatch.setattr(_preconditioner, "_NEGLIGIBLE_MULTIPLICATIONS", 0)
    objective, _, _ = at_random(Problem(n_rows=500, n_columns=30))
    first = HessianPreconditioner(objective)
    following = first.of(objective, 10)
    assert following.n_stages < first.n_stages
    for stage in range(first.n_stages):
        alike = following.stage_like(first, stage)
        assert 0 <= alike < following.n_stages
        assert following._stages[alike].kind is first._stages[stage].kind
