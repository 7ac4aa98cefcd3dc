"""Every solver is tested on the same zoo of problems, and each of its parts by its definition.

Full-batch solvers must reach the gap that they certify, and scikit-learn's optimum. Steps of the
minibatch optimisers are compared with their textbook formulas. When training stops is tested on
given losses, one for each epoch.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from zoo import Problem, dense_hessian, draw_params, linear_minimum, optimality_gap

from softmax_regression import SoftmaxRegression
from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._data.make import as_design
from softmax_regression._losses.pointwise import make_loss
from softmax_regression._objectives.base import MinibatchObjective, Unconstrained
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.smooth import SOLVERS
from softmax_regression._solvers.convergence import Proposal
from softmax_regression._solvers.criteria import (
    GradientNorm,
    RelativeGap,
    certify,
    evaluate,
    newton_step,
)
from softmax_regression._solvers.lbfgs import minimize_lbfgs
from softmax_regression._solvers.loop import Stopping
from softmax_regression._solvers.minibatch import minibatch as _minibatch
from softmax_regression._solvers.minibatch.learning_rates import LEARNING_RATES
from softmax_regression._solvers.minibatch.minibatch import (
    Minibatches,
    Validation,
    minimize_minibatch,
    run_epoch,
)
from softmax_regression._solvers.minibatch.optimizers import SGD, Adam, Optimizer
from softmax_regression._solvers.newton.descent import CholeskyDescent, ConjugateGradientDescent
from softmax_regression._solvers.newton.equations import NewtonEquations
from softmax_regression._solvers.newton.line_search import LineSearch
from softmax_regression._solvers.newton.newton import minimize_newton
from softmax_regression._solvers.polish import polish
from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression._solvers.warm_start import Preconditioner

ZOO = {
    "two_classes": Problem(n_classes=2, n_rows=60),
    "two_classes_float32": Problem(n_classes=2, n_rows=60, dtype=np.float32),
    "three_classes_weighted": Problem(n_rows=60, weighted=True),
    "probabilities_weighted": Problem(soft=True, n_rows=60, weighted=True),
    "no_intercept": Problem(n_rows=60, fit_intercept=False, layout="F"),
    "eight_classes_sparse": Problem(n_classes=8, n_rows=80, layout="csr"),
    "hardly_any_penalty": Problem(n_rows=80, l2=1e-3),
    "strong_penalty": Problem(n_rows=60, l2=100.0),
    "no_penalty_two_classes": Problem(n_classes=2, n_rows=100, l2=0.0, weighted=True),
    "no_penalty": Problem(n_rows=100, l2=0.0),
    "badly_scaled": Problem(n_rows=80, l2=0.01, badly_scaled=True),
    "badly_scaled_no_intercept": Problem(
        n_classes=2, n_rows=80, l2=0.01, badly_scaled=True, fit_intercept=False, weighted=True
    ),
    "badly_scaled_no_penalty": Problem(n_rows=80, l2=0.0, badly_scaled=True, layout="strided"),
}

every_solver = pytest.mark.parametrize("solver", SOLVERS)
every_problem = pytest.mark.parametrize("problem", ZOO.values(), ids=ZOO.keys())
every_double_problem = pytest.mark.parametrize(
    "problem",
    [pytest.param(p, id=name) for name, p in ZOO.items() if p.dtype is np.float64],
)


def rescaled(problem):
    return problem.linear().standardized()


def solve(objective, solver="lbfgs", start=None, **options):
    start = np.zeros(objective.n_params) if start is None else start
    options = {"criterion": RelativeGap(), "tol": 1e-6, "max_iter": 1000} | options
    begin = evaluate(objective, objective.centred(start))
    return SOLVERS[solver](objective, objective, begin, Stopping(**options))


def solve_by_lbfgs(objective, start, max_fun=None, **options):
    return minimize_lbfgs(
        objective, evaluate(objective, start), Stopping(**options), max_fun=max_fun
    )


# -- full-batch solvers ----------------------------------------------------------------------------


@every_problem
@every_solver
def test_solvers_reach_the_gap_they_certify(problem, solver):
    tol = 1e-8 if problem.dtype is np.float64 else 1e-5
    objective = rescaled(problem)
    result = solve(objective, solver, tol=tol)
    assert result.reason is StopReason.CONVERGED
    assert result.remaining <= tol
    minimum, _ = linear_minimum(replace(problem, dtype=np.float64))
    rounding = 1e-14 if problem.dtype is np.float64 else 1e-6
    # Without a penalty the gap is an estimate from the local quadratic model.
    allowed = (1 + 1e-2 * (problem.l2 == 0)) * result.remaining
    assert (result.value - minimum) / result.value <= allowed + rounding
    assert result.value == objective.value_and_gradient(result.params)[0]


@every_double_problem
@every_solver
def test_solvers_find_the_optimum_of_scikit_learn(problem, solver):
    objective = rescaled(problem)
    result = solve(objective, solver, tol=1e-15)
    assert result.reason in (StopReason.CONVERGED, StopReason.ROUNDING)
    coef, intercept = (centred(part) for part in objective.to_model(result.params))
    expected_coef, expected_intercept = scikit_learn_optimum(problem)
    spread = problem.X.std(axis=0)
    np.testing.assert_allclose(coef * spread, expected_coef * spread, atol=1e-6)
    if problem.fit_intercept:
        np.testing.assert_allclose(intercept, expected_intercept, atol=1e-6, rtol=1e-6)


def scikit_learn_optimum(problem):
    """Its coefficients; a row of probabilities becomes a weighted row for each class."""
    n_classes = problem.n_classes
    model = LogisticRegression(
        C=1 / (problem.l2 * problem.n_rows) if problem.l2 else np.inf,
        fit_intercept=problem.fit_intercept,
        solver="newton-cholesky",
        tol=1e-12,
        max_iter=200,
    )
    model.fit(
        problem.X.repeat(n_classes, axis=0),
        np.tile(np.arange(n_classes), problem.n_rows),
        sample_weight=(problem.weights[:, None] * problem.one_hot).ravel(),
    )
    return centred(model.coef_), centred(model.intercept_)


def centred(part):
    """Of the vectors that differ by the same amount in every class, which are one model: one."""
    return part - part.mean(axis=0) if len(part) > 1 else part


@every_problem
@every_solver
def test_the_loss_never_rises(problem, solver):
    objective = rescaled(problem)
    result = solve(objective, solver, start=draw_params(objective, scale=0.5))
    losses = [objective.value_and_gradient(draw_params(objective, scale=0.5))[0]]
    losses += result.loss_curve
    rounding = 1e-15 if problem.dtype is np.float64 else 1e-7
    assert np.diff(losses).max() <= rounding * losses[0]
    assert result.loss_curve[-1] == result.value
    assert len(result.loss_curve) == result.n_iter > 1


@every_solver
def test_each_iteration_is_reported_once(solver):
    lines = []
    result = solve(rescaled(Problem()), solver, report=lines.append)
    assert len(lines) == result.n_iter
    for number, (line, loss) in enumerate(zip(lines, result.loss_curve, strict=True), start=1):
        assert line.startswith(f"iteration {number}: loss {loss:.8f}, relative optimality gap ")
    assert float(lines[-1].split()[-1]) <= 1e-6 < float(lines[-2].split()[-1])


@pytest.mark.parametrize("name", ["three_classes_weighted", "no_penalty"])
@every_solver
def test_max_iter_is_reported(solver, name):
    objective = rescaled(ZOO[name])
    result = solve(objective, solver, max_iter=2, tol=1e-12)
    assert result.reason is StopReason.MAX_ITER
    assert result.n_iter == 2
    minimum, _ = linear_minimum(ZOO[name])
    distance = (result.value - minimum) / result.value
    assert 1e-12 < distance < 1.1 * result.remaining


def test_max_fun_is_reported():
    objective = rescaled(Problem())
    result = solve_by_lbfgs(
        objective,
        np.zeros(objective.n_params),
        criterion=RelativeGap(),
        tol=1e-15,
        max_iter=9,
        max_fun=3,
    )
    assert result.reason is StopReason.MAX_FUN
    assert result.n_iter <= 3


@every_solver
def test_beginning_at_the_optimum_takes_no_steps_away(solver):
    objective = rescaled(Problem())
    minimum, params = linear_minimum(Problem())
    start = objective.from_model(*objective.layout.unpack(params))
    result = solve(objective, solver, start=start)
    assert result.reason is StopReason.CONVERGED
    assert result.n_iter <= 1
    assert result.value == pytest.approx(minimum, rel=1e-15)


@every_solver
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # by matrix products of inf
def test_a_start_that_is_not_finite_is_divergence(solver, bad):
    objective = Problem().linear()
    start = np.zeros(objective.n_params)
    start[3] = bad
    result = solve(objective, solver, start=start)
    assert result.reason is StopReason.DIVERGED
    assert not result.finite


@every_solver
@pytest.mark.parametrize("name", ["two_classes", "three_classes_weighted", "no_penalty"])
def test_solvers_end_where_rounding_leaves_nothing_to_do(solver, name):
    objective = rescaled(ZOO[name])
    result = solve(objective, solver, tol=0.0)
    assert result.reason is StopReason.ROUNDING or result.remaining == 0
    assert result.n_iter < 100
    assert result.value == pytest.approx(linear_minimum(ZOO[name])[0], rel=1e-14)


@pytest.mark.parametrize("name", ["two_classes", "three_classes_weighted", "badly_scaled"])
def test_polish_reduces_a_gap_that_no_value_can_tell(name):
    objective = rescaled(ZOO[name])
    minimum, params = linear_minimum(ZOO[name])
    params = objective.from_model(*objective.layout.unpack(params))
    before = evaluate(objective, params + 3e-8 * draw_params(objective))
    assert before.value == pytest.approx(minimum, rel=1e-14)
    gap = RelativeGap()(objective, before)
    after, remaining = polish(objective, before, gap, RelativeGap(), 0.0, 100)
    assert remaining < 0.2 * gap
    assert remaining == RelativeGap()(objective, after)
    assert after.value == pytest.approx(minimum, rel=1e-14)


def test_polish_takes_no_step_that_does_not_help():
    objective = rescaled(Problem())
    point = evaluate(objective, draw_params(objective))
    values = iter([0.5, 0.5])
    same, remaining = polish(objective, point, 0.5, lambda *_: next(values), 0.0, 100)
    assert same is point
    assert remaining == 0.5


@pytest.mark.parametrize("max_products", [0, 5, 12])
def test_polish_takes_no_more_products_than_it_may(max_products):
    objective = CountedProducts(np.diag(np.logspace(-2, 2, 30)))
    point = evaluate(objective, np.ones(30))
    values = iter(1 / np.arange(2, 100))
    polish(objective, point, 1.0, lambda *_: next(values), 0.0, max_products)
    assert objective.n_products <= max_products


def separable(n_classes, fit_intercept, l2=0.0):
    rng = np.random.default_rng(0)
    labels = np.arange(30) % n_classes
    corners = np.array([[-3.0, 0], [3, 0], [0, 5], [0, -5]])
    X = corners[labels] + rng.uniform(-0.5, 0.5, size=(30, 2))
    base = LinearCrossEntropy(as_design(X), make_loss(labels, None, n_classes), l2, fit_intercept)
    return base.standardized()


@every_solver
@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_separable_classes_without_penalty_are_reported(solver, n_classes, fit_intercept):
    result = solve(separable(n_classes, fit_intercept), solver)
    assert result.reason is StopReason.SEPARABLE
    assert result.value <= 1e-9
    assert result.finite


def separated_at_random():
    """A table of so few rows that any labels of 20 classes can be told apart."""
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(300, 60)), rng.integers(20, size=300)
    base = LinearCrossEntropy(as_design(X), make_loss(labels, None, 20), 0.0, True)
    return base.standardized()


@pytest.mark.parametrize("solver", ["newton-cg", "newton-cholesky"])
def test_parameters_that_separate_the_classes_are_enlarged(solver):
    # Newton steps gain about one nat each, which takes as many iterations as nats.
    result = solve(separated_at_random(), solver)
    assert result.reason is StopReason.SEPARABLE
    assert result.value <= 1e-9
    assert result.n_iter <= 9


def test_bounds_end_the_growth_of_parameters_that_separate_the_classes():
    X, y = np.repeat(np.eye(3), 20, axis=0), np.repeat(np.arange(3), 20)
    model = SoftmaxRegression(C=np.inf, bounds=(-4, 4)).fit(X, y)
    assert model.optimality_gap_ <= model.tol
    np.testing.assert_allclose(model.predict_proba(np.eye(3)).max(1), 1 / (1 + 2 * np.exp(-8)))


class ScriptedSource:
    """Makes the identity, and after it a matrix that rounding errors have spoiled."""

    n_stages = 2

    def __init__(self):
        self.made = []

    def n_products(self, stage, made):
        return 1.0

    def make(self, stage, at):
        self.made.append(stage)
        return IdentityTimes(1e-30 if stage else 1.0)


class IdentityTimes:
    def __init__(self, inverse):
        self.inverse = inverse

    def solve(self, gradient):
        return self.inverse * gradient


def test_a_spoiled_preconditioner_gives_way_to_a_simpler_one():
    objective = CountedProducts(np.diag(np.logspace(-4, 0, 50)))
    objective.last_step = lambda *_: None
    objective.likely_gap = lambda residual: 0.0
    objective.has_dual = True
    source = ScriptedSource()
    descent = ConjugateGradientDescent(objective, objective, source)
    point = evaluate(objective, np.ones(50))
    proposal = descent(point, 0.0)
    assert source.made == [1, 0]
    assert point.gradient @ proposal.direction < 0


class ExactSource:
    """Makes the Hessian itself, for the price of 40 products."""

    n_stages = 1

    def __init__(self, hessian):
        self.hessian, self.n_made = hessian, 0

    def n_products(self, stage, made):
        return 40.0

    def make(self, stage, at):
        self.n_made += 1
        return IdentityTimes(1 / self.hessian.diagonal())


def test_a_preconditioner_is_made_anew_within_a_direction_if_it_has_become_bad():
    hessian = np.diag(np.logspace(-8, 0, 400))
    objective, source = CountedProducts(hessian), ExactSource(hessian)
    objective.last_step = lambda *_: None
    objective.likely_gap = lambda residual: 0.0
    objective.has_dual = True
    old = Preconditioner(IdentityTimes(1.0), stage=0, products_when_new=1.0)
    descent = ConjugateGradientDescent(objective, objective, source, first=old)
    point = evaluate(objective, np.ones(400))
    proposal = descent(point, 1e-12)
    assert source.n_made == 1
    assert objective.n_products <= 70  # Without it there would be 200.
    assert proposal.decrement == pytest.approx(point.value, rel=1e-3)


def test_a_run_without_progress_is_no_measure_of_a_preconditioner():
    used = Preconditioner(IdentityTimes(1.0)).after(30, 1e-300)
    assert used.after(200, 2.0).n_wasted == 140


@every_solver
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_separable_classes_with_penalty_have_an_optimum(solver, n_classes):
    result = solve(separable(n_classes, True, l2=1e-6), solver)
    assert result.reason is StopReason.CONVERGED


@every_solver
def test_solvers_are_deterministic(solver):
    results = [solve(rescaled(ZOO["eight_classes_sparse"]), solver) for _ in range(2)]
    np.testing.assert_array_equal(results[0].params, results[1].params)
    assert results[0].loss_curve == results[1].loss_curve


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_lbfgs_trains_a_network_to_a_small_gradient(activation):
    objective = Problem().network((4,), activation)
    start = draw_params(objective, scale=0.5)
    result = solve_by_lbfgs(objective, start, criterion=GradientNorm(), tol=1e-5, max_iter=1000)
    assert result.reason is StopReason.CONVERGED
    value, gradient = objective.value_and_gradient(result.params)
    assert np.abs(gradient).max() == result.remaining <= 1e-5
    assert value == result.value < objective.value_and_gradient(start)[0]
    assert np.diff(result.loss_curve).max() <= 0


# -- criteria --------------------------------------------------------------------------------------


class CountedProducts(Unconstrained):
    """A quadratic with a given Hessian that counts the products with it."""

    def __init__(self, hessian):
        self.hessian = hessian
        self.n_params = len(hessian)
        self.n_products = 0

    def evaluate(self, params):
        return Evaluation(params, 0.5 * params @ self.hessian @ params, self.hessian @ params)

    def hessian_product(self, at, direction):
        self.n_products += 1
        return self.hessian @ direction


def exact_step(objective, point):
    """The smallest step to the minimum of the local quadratic model, and how far that falls."""
    inverse = np.linalg.pinv(dense_hessian(objective, point.params), rcond=1e-11)
    step = -inverse @ point.gradient
    return step, -0.5 * point.gradient @ step


@every_double_problem
@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_newton_step_is_that_of_dense_linear_algebra(problem, scale):
    objective = rescaled(problem)
    point = evaluate(objective, draw_params(objective, scale=scale))
    exact, exact_decrement = exact_step(objective, point)
    _, decrement, _ = newton_step(objective, point)
    assert 0.98 * exact_decrement <= decrement <= exact_decrement * (1 + 1e-9)
    step, decrement, _ = newton_step(objective, point, precision=1e-12)
    assert decrement == pytest.approx(exact_decrement, rel=1e-7)
    # where F hardly depends on a direction, neither does the answer on that part of the step
    off = step - exact
    assert off @ objective.hessian_product(point, off) < 1e-6 * exact_decrement


@pytest.mark.parametrize("enough", [0.0, 1e-3, 0.5, 0.99])
def test_newton_step_stops_at_the_first_decrement_above_enough(enough):
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.normal(size=(30, 30)))
    hessian = basis * np.logspace(-2, 2, 30) @ basis.T
    everything, some = CountedProducts(hessian), CountedProducts(hessian)
    point = evaluate(everything, rng.normal(size=30))
    _, whole, n_products = newton_step(everything, point)
    _, early, n_early = newton_step(some, point, enough=enough * point.value)
    assert enough * point.value < early <= whole <= point.value * (1 + 1e-9)
    assert n_early == some.n_products < everything.n_products == n_products
    if enough == 0:
        assert some.n_products == 1


def test_newton_step_takes_no_more_products_than_it_may():
    objective = CountedProducts(np.diag(np.logspace(-2, 2, 30)))
    point = evaluate(objective, np.ones(30))
    _, decrement, n_products = newton_step(objective, point, max_products=4)
    assert n_products == objective.n_products == 4
    assert 0 < decrement < point.value


def test_newton_step_is_zero_without_a_gradient():
    point = Evaluation(np.ones(3), 1.0, np.zeros(3))
    step, decrement, _ = newton_step(CountedProducts(np.eye(3)), point)
    np.testing.assert_array_equal(step, 0)
    assert decrement == 0


class Identity:
    def solve(self, gradient):
        return gradient.copy()


class Quadratic(CountedProducts):
    def likely_gap(self, gradient):
        return 0.0


def test_conjugate_gradients_leave_what_only_rounding_curves():
    objective = Quadratic(np.diag([1.0, 1e-18]))
    point = Evaluation(np.zeros(2), 1.0, np.ones(2))
    run = NewtonEquations(objective, point, final_decrement=0.0)
    run.solve(Identity(), 1e-12, 50)
    assert np.abs(run.step).max() < 1e6
    assert np.isfinite(run.decrement)


def test_newton_equations_are_left_once_they_promise_more_than_there_is():
    # The objective is not negative: so a value of 1 is all that it can fall by.
    curvatures = 10.0 ** -np.arange(12)
    objective = Quadratic(np.diag(curvatures))
    point = Evaluation(np.zeros(12), 1.0, np.full(12, 0.5))
    run = NewtonEquations(objective, point, final_decrement=0.0)
    assert run.solve(Identity(), 1e-12, 50)
    left = run.n_products
    assert left < 6
    assert np.abs(run.step).max() < 1e6
    far = Evaluation(np.zeros(12), 1e30, np.full(12, 0.5))
    whole = NewtonEquations(objective, far, final_decrement=0.0)
    whole.solve(Identity(), 1e-12, 50)
    assert whole.n_products > left
    assert whole.decrement > 1e3


class Bend:
    """A convex function of one variable whose slope changes from −1000 to about 1 at 1e-9."""

    def evaluate(self, params):
        (x,) = params
        far = max(x - 1e-9, 0.0)
        near = min(x, 1e-9)
        return Evaluation(params, 1 - 1000 * near + far + far**2, np.array([self.slope(x)]))

    def slope(self, x):
        return -1000.0 if x < 1e-9 else 1 + 2 * (x - 1e-9)

    def within(self, params):
        return params

    def max_step(self, params, direction):
        return np.inf


def test_a_line_search_finds_a_sharp_bend():
    objective = Bend()
    start = objective.evaluate(np.zeros(1))
    end = LineSearch(objective)(start, Proposal(np.ones(1), 500.0))
    assert end is not None
    assert end.value < start.value


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_relative_gap_is_what_the_dual_or_a_newton_step_proves_by_the_value(l2):
    objective = rescaled(Problem(l2=l2))
    point = evaluate(objective, draw_params(objective, scale=0.1))
    gap = optimality_gap(objective, point.params, point.value, point.gradient)
    if l2 == 0:
        assert np.isnan(gap)
        step, decrement, _ = newton_step(objective, point, precision=1e-12)
        gap = objective.gap_by_newton(point.params, step, decrement)
    criterion = RelativeGap()
    assert criterion.costly(objective) == (l2 == 0)
    assert criterion(objective, point) == gap / point.value < 1


def test_relative_gap_is_at_most_1():
    # F is not negative, so no more than all of it can be left
    objective = rescaled(Problem(l2=1e-4))
    point = evaluate(objective, draw_params(objective, scale=10.0))
    assert optimality_gap(objective, point.params, point.value, point.gradient, 0.0) > point.value
    assert RelativeGap()(objective, point, 0.0) == 1


def test_gradient_norm_is_the_largest_entry():
    objective = Problem().linear()
    point = Evaluation(np.zeros(3), 1.0, np.array([1.0, -3.0, 2.0]))
    assert GradientNorm()(objective, point) == 3
    assert not GradientNorm().costly(objective)


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_certify_gives_the_sharpest_number_where_the_tolerance_is_missed(l2):
    objective = rescaled(Problem(l2=l2))
    point = evaluate(objective, draw_params(objective, scale=0.1))
    found = certify(RelativeGap(), 1e-6, objective, point)
    assert 1e-6 < found < 1
    assert found == RelativeGap()(objective, point)


# -- optimisers ------------------------------------------------------------------------------------


def draw_gradients(n_steps=7):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_steps, 5)) * np.logspace(-3, 3, 5), rng.uniform(1e-3, 1e-1, n_steps)


def steps_of(optimizer, dtype=np.float64, n_steps=7):
    """Parameters after each of several steps, with rates that change."""
    params, path = np.ones(5, dtype=dtype), []
    for gradient, rate in zip(*draw_gradients(n_steps), strict=True):
        optimizer.step(params, gradient.astype(dtype), rate)
        path.append(params.copy())
    return np.array(path)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 1.0])
def test_sgd_takes_the_steps_of_gradient_descent_with_momentum(momentum):
    params, velocity, expected = np.ones(5), np.zeros(5), []
    for gradient, rate in zip(*draw_gradients(), strict=True):
        velocity = momentum * velocity - rate * gradient
        params = params + velocity
        expected.append(params)
    np.testing.assert_allclose(steps_of(SGD(momentum, nesterov=False)), expected, rtol=1e-13)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 1.0])
def test_sgd_looks_ahead_along_the_new_velocity_with_nesterov(momentum):
    params, velocity, expected = np.ones(5), np.zeros(5), []
    for gradient, rate in zip(*draw_gradients(), strict=True):
        velocity = momentum * velocity - rate * gradient
        params = params + momentum * velocity - rate * gradient
        expected.append(params)
    np.testing.assert_allclose(steps_of(SGD(momentum, nesterov=True)), expected, rtol=1e-13)


def test_nesterov_is_the_gradient_at_the_point_momentum_leads_to():
    # Nesterov's own form: the gradient is taken at x + momentum · v. Its path, seen from there, is
    # that of the steps above, which only need the gradient where they are.
    hessian, momentum, rate = np.diag([1.0, 3.0, 0.2]), 0.8, 0.1
    x, velocity, ahead = np.ones(3), np.zeros(3), []
    params, optimizer, path = np.ones(3), SGD(momentum, nesterov=True), []
    for _ in range(6):
        velocity = momentum * velocity - rate * hessian @ (x + momentum * velocity)
        x = x + velocity
        ahead.append(x + momentum * velocity)
        optimizer.step(params, hessian @ params, rate)
        path.append(params.copy())
    np.testing.assert_allclose(path, ahead, rtol=1e-13)


@pytest.mark.parametrize("beta_1", [0.0, 0.01, 0.9])
@pytest.mark.parametrize("beta_2", [0.0, 0.5, 0.99, 0.999])
@pytest.mark.parametrize("epsilon", [1e-8, 1e-2])
def test_adam_takes_the_steps_of_its_paper(beta_1, beta_2, epsilon):
    # Kingma and Ba, section 2, last paragraph: the order in which epsilon is added to sqrt(v)
    params, mean, square, expected = np.ones(5), np.zeros(5), np.zeros(5), []
    n_steps = 250  # the units in which the means are kept run out more than once
    for t, (gradient, rate) in enumerate(zip(*draw_gradients(n_steps), strict=True), start=1):
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        corrected = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        params = params - corrected * mean / (np.sqrt(square) + epsilon)
        expected.append(params)
    steps = steps_of(Adam(beta_1, beta_2, epsilon), n_steps=n_steps)
    np.testing.assert_allclose(steps, expected, rtol=1e-11, atol=1e-11)


def test_the_first_step_of_adam_has_the_size_of_the_rate():
    params, gradient = np.zeros(4), np.array([1e-4, -1.0, 1e4, 0.0])
    Adam().step(params, gradient, 0.01)
    np.testing.assert_allclose(params, [-0.01, 0.01, -0.01, 0], rtol=0.01)


@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_optimizers_keep_float32(optimizer):
    single, double = steps_of(optimizer(), np.float32), steps_of(optimizer())
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=1e-4)


@pytest.mark.parametrize("make", [SGD, Adam, lambda: SGD(nesterov=False)])
def test_optimizers_minimise_a_quadratic(make):
    hessian = np.diag([1.0, 5.0, 0.5])
    params, optimizer = np.ones(3), make()
    for _ in range(400):
        optimizer.step(params, hessian @ params, 0.02)
    assert np.abs(params).max() < 1e-2


# -- learning rates --------------------------------------------------------------------------------


def test_a_constant_rate_stays():
    rate = LEARNING_RATES["constant"](0.1)
    rate.epoch_ended(1000)
    assert not rate.reduce()
    assert rate.current == 0.1


@pytest.mark.parametrize("power_t", [0.0, 0.5, 1.0])
def test_inverse_scaling_falls_with_the_rows_seen(power_t):
    rate = LEARNING_RATES["invscaling"](0.1, power_t)
    assert rate.current == 0.1
    for n_rows_seen in (99, 199, 9999):
        rate.epoch_ended(n_rows_seen)
        assert rate.current == pytest.approx(0.1 / (n_rows_seen + 1) ** power_t)
    assert not rate.reduce()


@pytest.mark.parametrize("initial", [1e-3, 10.0])
def test_an_adaptive_rate_is_divided_by_5_down_to_a_millionth(initial):
    rate = LEARNING_RATES["adaptive"](initial)
    rate.epoch_ended(1000)
    assert rate.current == initial
    n_reductions = 0
    while rate.reduce():
        n_reductions += 1
        assert rate.current == pytest.approx(initial / 5**n_reductions)
    assert n_reductions == 9  # 5⁻⁹ is the first power below 10⁻⁶
    assert rate.current == pytest.approx(initial / 5**9)


# -- minibatches -----------------------------------------------------------------------------------


def batches_of(size=8, shuffle=True, seed=0):
    return Minibatches(size, shuffle, np.random.RandomState(seed))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("size", [1, 7, 25, 50])
def test_every_row_is_dealt_out_once_an_epoch(size, shuffle):
    rows = np.arange(100, 150, 2)
    batches = batches_of(size, shuffle)
    for _ in range(3):
        dealt = list(batches.of(rows))
        assert len(dealt) == -(-len(rows) // size)
        assert all(1 <= len(batch) <= size for batch in dealt)
        np.testing.assert_array_equal(np.sort(np.concatenate(dealt)), rows)


def test_rows_come_in_order_unless_shuffled():
    rows = np.arange(20)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate(list(batches_of(6, False).of(rows))), rows)
    batches = batches_of(6, True)
    first, second = (np.concatenate(list(batches.of(rows))) for _ in range(2))
    assert not np.array_equal(first, rows)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(rows, np.arange(20))


def test_an_epoch_is_a_step_for_each_batch_and_returns_the_mean_of_their_losses():
    objective = Problem(weighted=True).linear()
    params = draw_params(objective)
    expected, gradient, total = params.copy(), np.empty(objective.n_params), 0.0
    for rows in batches_of(8).of(objective.rows):
        total += len(rows) * objective.batch_value_and_gradient(expected, rows, gradient)
        expected -= 0.1 * gradient
    rate = LEARNING_RATES["constant"](0.1)
    loss = run_epoch(objective, params, gradient, SGD(0.0), rate, batches_of(8))
    assert loss == pytest.approx(total / len(objective.rows), rel=1e-14)
    np.testing.assert_allclose(params, expected, rtol=1e-13)
    assert len(objective.rows) % 8 != 0  # so that the last batch is a smaller one


class GivenLosses(MinibatchObjective):
    """Has the loss it is told to have in each epoch; a gradient of 1 counts the steps."""

    n_params = 1

    def __init__(self, losses):
        self.losses = iter(losses)

    @property
    def rows(self):
        return np.arange(4)

    def evaluate(self, params):
        raise AssertionError("a minibatch solver has no use for it")

    def batch_value_and_gradient(self, params, rows, gradient):
        gradient[...] = 1
        return next(self.losses)


class Counting(Optimizer):
    """Adds 1 to the parameters in each step, and keeps the rates."""

    def __init__(self):
        self.rates = []

    def step(self, params, gradient, learning_rate):
        self.rates.append(learning_rate)
        params += gradient


def seen(score):
    """What a validation returns whose loss does not matter."""
    return Validation(goal=score, loss=0.0, score=score)


def train(losses, optimizer=None, rate="constant", **options):
    """One step an epoch, with given losses."""
    options = {"tol": 0.01, "max_iter": len(losses), "n_iter_no_change": 3} | options
    return minimize_minibatch(
        GivenLosses(losses),
        np.zeros(1),
        optimizer or Counting(),
        LEARNING_RATES[rate](0.5),
        batches_of(4),
        **options,
    )


FLAT = [5.0, 4.0, 3.0] + 30 * [2.0]  # the best in epoch 4, and no better from then on


def test_training_stops_when_the_loss_no_longer_improves():
    result = train(FLAT)
    assert result.reason is StopReason.NO_IMPROVEMENT
    assert result.n_iter == 4 + 4  # epoch 4 and more than 3 without improvement
    assert result.loss_curve == FLAT[:8]
    assert result.value == 2
    np.testing.assert_array_equal(result.params, [8])
    assert result.validations is None


def test_less_than_tol_is_no_improvement():
    falling = [1 - 0.009 * epoch for epoch in range(30)]
    assert train(falling, tol=0.01).n_iter == 1 + 4
    assert train(falling, tol=0.008).reason is StopReason.MAX_ITER


def test_what_is_enough_is_measured_from_the_best_loss():
    up_and_down = [3.0, 1.0, 2.9, 2.8, 2.7, 2.6, 2.5, 2.4]
    assert train(up_and_down).n_iter == 2 + 4


def test_an_improvement_starts_the_waiting_anew():
    losses = [3.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert train(losses).n_iter == 9 + 4


def test_training_never_stops_early_with_infinite_patience():
    result = train(FLAT, n_iter_no_change=np.inf)
    assert result.reason is StopReason.MAX_ITER
    assert result.n_iter == len(FLAT)


def test_max_iter_ends_training():
    result = train(FLAT, max_iter=5)
    assert result.reason is StopReason.MAX_ITER
    assert result.n_iter == 5


def test_an_adaptive_rate_falls_before_training_stops():
    optimizer = Counting()
    result = train([2.0] * 100, optimizer, rate="adaptive")
    assert result.reason is StopReason.NO_IMPROVEMENT
    expected = np.repeat(0.5 / 5.0 ** np.arange(10), [5] + [4] * 9)
    np.testing.assert_allclose(optimizer.rates, expected)


def test_the_rate_follows_the_rows_seen():
    optimizer = Counting()
    train(FLAT, optimizer, rate="invscaling", max_iter=4)
    expected = 0.5 / np.sqrt([1, 4 + 1, 8 + 1, 12 + 1])
    np.testing.assert_allclose(optimizer.rates, expected)


def test_the_best_scoring_parameters_are_returned_with_validate():
    scores = [0.1, 0.5, 0.9, 0.4, 0.9, 0.3, 0.2, 0.1, 0.0]
    given = iter(scores)
    result = train([9.0 - epoch for epoch in range(9)], validate=lambda _: seen(next(given)))
    assert result.reason is StopReason.NO_IMPROVEMENT
    assert result.n_iter == 3 + 4  # it is the score that decides, though the loss still falls
    np.testing.assert_array_equal(result.params, [3])  # the first of equals
    assert [validation.goal for validation in result.validations] == scores[:7]
    assert result.loss_curve == [9, 8, 7, 6, 5, 4, 3]


def test_validate_sees_the_parameters_after_each_epoch():
    given = []

    def validate(params):
        given.append(float(params[0]))
        return seen(0.0)

    train(FLAT, validate=validate, max_iter=3)
    assert given == [1, 2, 3]


def test_a_validation_that_decides_nothing_is_recorded():
    scores = iter(np.linspace(1, 0, 9))
    result = train(
        FLAT,
        validate=lambda _: seen(next(scores)),
        stop_early=False,
        max_iter=5,
        n_iter_no_change=9,
    )
    assert len(result.validations) == 5
    np.testing.assert_array_equal(result.params, [5])


def test_no_epoch_begins_when_the_time_is_up(monkeypatch):
    now = iter(np.arange(0.0, 100.0))
    monkeypatch.setattr(_minibatch, "monotonic", lambda: next(now))
    result = train(FLAT, max_time=3.0, n_iter_no_change=99)
    assert result.reason is StopReason.MAX_TIME
    assert result.n_iter == 3


@pytest.mark.parametrize("rate", ["cosine", "one-cycle"])
def test_a_planned_rate_ends_at_nothing_and_takes_all_epochs(rate):
    optimizer = Counting()
    result = train(FLAT, optimizer, rate=rate)
    assert result.reason is StopReason.MAX_ITER
    rates = np.array(optimizer.rates)
    top = rates.argmax()
    assert rates[top] == pytest.approx(0.5, rel=0.05)
    assert (np.diff(rates[top:]) < 0).all()
    assert rates[-1] < 0.01
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (top == 0) == (rate == "cosine")


@pytest.mark.parametrize("bad", [np.inf, np.nan, -np.inf])
def test_a_loss_that_is_not_finite_is_divergence(bad):
    result = train([3.0, 2.0, bad, 1.0, 1.0])
    assert result.reason is StopReason.DIVERGED
    assert result.n_iter == 3
    assert not result.finite


@pytest.mark.parametrize("make", [SGD, lambda: SGD(0.0)])
@pytest.mark.parametrize("hidden", [None, (3,)])
def test_a_huge_learning_rate_diverges(hidden, make):
    objective = Problem().linear() if hidden is None else Problem().network(hidden, "relu")
    result = minimize_minibatch(
        objective,
        draw_params(objective),
        make(),
        LEARNING_RATES["constant"](1e9),
        batches_of(),
        tol=0.0,
        max_iter=200,
        n_iter_no_change=np.inf,
    )
    assert result.reason is StopReason.DIVERGED
    assert not result.finite


def interrupt_at(n_calls):
    calls = []

    def callback(_):
        calls.append(None)
        if len(calls) == n_calls:
            raise KeyboardInterrupt
        return seen(float(-len(calls)))

    return callback


def test_an_interrupt_keeps_the_parameters():
    result = train(FLAT, report=interrupt_at(2))
    assert result.reason is StopReason.INTERRUPTED
    assert result.n_iter == 2
    assert result.loss_curve == FLAT[:2]
    np.testing.assert_array_equal(result.params, [2])
    assert result.finite


def test_an_interrupt_keeps_the_best_scoring_parameters_with_validate():
    result = train(FLAT, validate=interrupt_at(4))
    assert result.reason is StopReason.INTERRUPTED
    np.testing.assert_array_equal(result.params, [1])
    assert [validation.score for validation in result.validations] == [-1, -2, -3]


def test_an_interrupt_of_the_first_epoch_is_passed_on():
    # as there is no loss to tell of yet
    class Interrupted(GivenLosses):
        def batch_value_and_gradient(self, params, rows, gradient):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        minimize_minibatch(
            Interrupted([]),
            np.zeros(1),
            Counting(),
            LEARNING_RATES["constant"](0.5),
            batches_of(),
            tol=0.0,
            max_iter=10,
            n_iter_no_change=3,
        )


def test_an_interrupt_keeps_what_lbfgs_has_reached():
    objective = Problem().network((3,))
    reached = []

    def watch(params):
        reached.append(params.copy())
        if len(reached) == 4:
            raise KeyboardInterrupt
        return False

    result = solve_by_lbfgs(
        objective,
        draw_params(objective),
        criterion=GradientNorm(),
        tol=0.0,
        max_iter=50,
        watch=watch,
    )
    assert result.reason is StopReason.INTERRUPTED
    assert result.n_iter == len(result.loss_curve) == 4
    np.testing.assert_array_equal(result.params, reached[-1])
    assert result.value == result.loss_curve[-1] == objective.value_and_gradient(reached[-1])[0]


def test_an_interrupt_of_lbfgs_before_its_first_iteration_is_passed_on():
    class Interrupted(GivenLosses):
        def evaluate(self, params):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve_by_lbfgs(Interrupted([]), np.zeros(1), criterion=GradientNorm(), tol=0.0, max_iter=5)


def test_each_epoch_is_reported_once():
    lines, scores = [], iter(np.linspace(0, 1, 9))
    result = train(FLAT, max_iter=6, report=lines.append)
    assert lines == [f"epoch {n}: loss {loss:.6f}" for n, loss in enumerate(FLAT[:6], start=1)]
    lines.clear()
    result = train(FLAT, max_iter=4, report=lines.append, validate=lambda _: seen(next(scores)))
    assert len(lines) == result.n_iter == 4
    assert lines[2] == "epoch 3: loss 3.000000, validation loss 0.000000, validation score 0.2500"


MINIBATCH = {"sgd": lambda: SGD(), "adam": lambda: Adam()}


def train_linear(problem, optimizer, seed=0, max_iter=300):
    objective = rescaled(problem)
    rate = 0.03 if optimizer == "adam" else 1 / objective.curvature_bound()
    return objective, minimize_minibatch(
        objective,
        np.zeros(objective.n_params),
        MINIBATCH[optimizer](),
        LEARNING_RATES["adaptive"](rate),
        batches_of(20, seed=seed),
        tol=1e-5,
        max_iter=max_iter,
        n_iter_no_change=5,
    )


@every_problem
@pytest.mark.parametrize("optimizer", MINIBATCH)
def test_minibatches_lead_close_to_the_optimum(problem, optimizer):
    objective, result = train_linear(problem, optimizer)
    assert result.reason is StopReason.NO_IMPROVEMENT
    minimum, _ = linear_minimum(replace(problem, dtype=np.float64))
    value, _ = objective.value_and_gradient(result.params)
    assert minimum - 1e-6 <= value <= minimum * 1.005


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("optimizer", MINIBATCH)
def test_a_row_left_over_does_not_spoil_training(optimizer, fit_intercept):
    # 41 rows in batches of 20: a step as long as the others for the last row alone would
    problem = Problem(n_rows=41, fit_intercept=fit_intercept)
    objective, result = train_linear(problem, optimizer)
    value, _ = objective.value_and_gradient(result.params)
    assert value <= 1.005 * linear_minimum(problem)[0]


@pytest.mark.parametrize("optimizer", MINIBATCH)
def test_minibatches_are_deterministic_for_a_seed(optimizer):
    first, same, other = (
        train_linear(Problem(), optimizer, seed, max_iter=5)[1] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.params, same.params)
    assert first.loss_curve == same.loss_curve
    assert not np.array_equal(first.params, other.params)


def test_the_start_is_changed_in_place_without_validate():
    start = np.zeros(1)
    result = minimize_minibatch(
        GivenLosses(FLAT),
        start,
        Counting(),
        LEARNING_RATES["constant"](0.5),
        batches_of(),
        tol=0.0,
        max_iter=3,
        n_iter_no_change=3,
    )
    assert result.params is start
    assert start == 3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_the_gap_of_a_short_fit_is_as_large_on_badly_scaled_columns(solver):
    # Without a penalty it comes from conjugate gradients, which badly scaled unknowns end early.
    problem = Problem(n_classes=2, n_rows=200)
    model = SoftmaxRegression(C=np.inf, solver=solver, max_iter=1, random_state=0)
    shift, stretch = np.array([1e-3, 1, 100, 1e5]), np.array([1e-4, 0.1, 10, 1e4])
    plain = model.fit(problem.X, problem.targets).optimality_gap_
    scaled = model.fit(problem.X * stretch + shift, problem.targets).optimality_gap_
    assert scaled == pytest.approx(plain, rel=0.02)


# -- results ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_result_is_finite_if_its_parameters_and_value_are(bad):
    good = np.zeros(2)
    assert SolverResult(good, 1.0, 1, StopReason.CONVERGED).finite
    assert not SolverResult(good, bad, 1, StopReason.CONVERGED).finite
    assert not SolverResult(np.array([0, bad]), 1.0, 1, StopReason.CONVERGED).finite


@pytest.mark.parametrize("reason", StopReason)
def test_reasons_end_a_sentence(reason):
    sentence = f"The solver stopped because {reason.value}."
    assert re.fullmatch(r"The solver stopped because (its?|the|rounding) [^.]+\.", sentence)


def test_a_factor_that_does_is_used_again():
    objective = ZOO[next(iter(ZOO))].linear().standardized()
    made = []

    def factor(params, left):
        made.append(params)
        return HessianFactor(objective, params)

    result = minimize_newton(
        objective,
        CholeskyDescent(objective, factor),
        evaluate(objective, np.zeros(objective.n_params)),
        Stopping(RelativeGap(), tol=1e-13, max_iter=50),
    )
    assert result.remaining <= 1e-13
    assert len(made) < result.n_iter


def test_a_start_at_the_minimum_is_the_end():
    """Where the gradient is 0 there is no direction, and no matrix is better than another."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.choice([-1.0, 1.0], size=(256, 300)), 4, axis=0)
    X, y = np.vstack([X, -X]), np.tile(np.arange(4), 512)
    model = SoftmaxRegression(C=np.inf, fit_intercept=False).fit(X, y)
    assert model.optimality_gap_ == 0
    assert not model.coef_.any()
