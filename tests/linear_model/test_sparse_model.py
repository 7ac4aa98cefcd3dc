"""Elastic net and group lasso: optimality, exact zeros, and a certificate that is true."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from softmax_regression import SoftmaxRegression
from softmax_regression._curvature import working_set as _submatrix
from softmax_regression._curvature.preconditioner import HessianPreconditioner
from softmax_regression._curvature.working_set import DenseHessian
from softmax_regression._data.make import as_design
from softmax_regression._losses.pointwise import make_loss
from softmax_regression._objectives.linear import one_block as _small
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._penalties.lasso import GroupLasso, Lasso
from softmax_regression._problems.sparse import least_strength
from softmax_regression._solvers.proximal_newton.active_set import minimize_model
from softmax_regression._solvers.proximal_newton.quadratic import (
    FlatGroupLasso,
    FlatLasso,
    Quadratic,
)
from softmax_regression.functional import softmax

GROUPINGS = ("none", "features")


def problem(n_classes=3, n_rows=120, n_features=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) + rng.normal(size=n_features)
    scores = X[:, :3] @ rng.normal(size=(3, n_classes)) + rng.gumbel(size=(n_rows, n_classes))
    y = scores.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y


def norm(coef, grouping):
    return np.abs(coef).sum() if grouping == "none" else np.linalg.norm(coef, axis=0).sum()


def objective(model, X, Y, weight=None):
    """scikit-learn's, written the plain way; Y are probabilities."""
    scores = X @ model.coef_.T + model.intercept_
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    scores = scores - scores.max(axis=1, keepdims=True)
    losses = np.log(np.exp(scores).sum(axis=1)) - (Y * scores).sum(axis=1)
    weight = np.ones(len(X)) if weight is None else weight
    ridge = (1 - model.l1_ratio) / 2 * np.square(model.coef_).sum()
    return (
        model.C * weight @ losses
        + ridge
        + model.l1_ratio * norm(model.coef_, model.penalty_grouping)
    )


def assert_optimal(model, X, y, weight=None, tolerance=1e-5):
    """The subgradient holds 0, up to a part of the penalty."""
    coef, ratio = model.coef_, model.l1_ratio
    residual = model.predict_proba(X) - np.eye(len(model.classes_))[y]
    residual = residual[:, -len(coef) :] * (1.0 if weight is None else weight[:, None])
    slope = model.C * residual.T @ X + (1 - ratio) * coef
    units = np.abs if model.penalty_grouping == "none" else lambda a: np.linalg.norm(a, axis=0)
    sizes = np.broadcast_to(units(coef), coef.shape)
    alive = sizes > 0
    pull = slope + ratio * coef / np.where(alive, sizes, 1)
    assert np.abs(np.where(alive, pull, 0)).max() <= tolerance * ratio
    assert np.where(alive, 0, units(slope)).max() <= ratio * (1 + tolerance)
    if model.fit_intercept:
        assert np.abs(residual.sum(axis=0)).max() * model.C <= tolerance


# -- the optimum -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("C", [0.02, 0.5])
@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_optimum_and_zeros_are_those_of_saga(load, C, l1_ratio, fit_intercept):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    how = {"C": C, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    model = SoftmaxRegression(tol=1e-10, **how).fit(X, y)
    peer = LogisticRegression(solver="saga", tol=1e-10, max_iter=100_000, random_state=0, **how)
    if peer.penalty == "l2":  # an earlier scikit-learn wants to be told
        peer.penalty = "elasticnet"
    if load is load_wine and C > 0.1:
        X, y = X[::2], y[::2]  # saga takes its time
        model.fit(X, y)
    peer.fit(X, y)
    theirs = SoftmaxRegression(**how)
    theirs.coef_, theirs.intercept_ = peer.coef_, peer.intercept_
    value = objective(theirs, X, np.eye(3)[y])
    assert model.objective_ == pytest.approx(value, rel=1e-8)
    np.testing.assert_array_equal(model.coef_ == 0, peer.coef_ == 0)


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@pytest.mark.parametrize("badly_scaled", [False, True])
def test_optimality_conditions_hold(grouping, n_classes, l1_ratio, badly_scaled):
    X, y = problem(n_classes)
    weight = np.random.default_rng(1).uniform(0.2, 2, size=len(X))
    if badly_scaled:
        X = X * np.logspace(-2, 2, X.shape[1])
    model = SoftmaxRegression(
        C=0.3, l1_ratio=l1_ratio, penalty_grouping=grouping, tol=1e-12, max_iter=200
    ).fit(X, y, sample_weight=weight)
    assert_optimal(model, X, y, weight, tolerance=1e-4)
    plain = objective(model, X, np.eye(n_classes)[y], weight)
    assert model.objective_ == pytest.approx(plain, rel=1e-12)


def proximal_gradient(X, Y, C, l1_ratio, n_steps=4000):
    """The minimum of the group lasso with an intercept, by accelerated proximal gradient."""
    A = np.hstack([X, np.ones((len(X), 1))])
    step = 1 / (0.5 * C * np.linalg.norm(A, 2) ** 2 + 1)
    V = Z = np.zeros((Y.shape[1], A.shape[1]))
    momentum = 1.0
    for _ in range(n_steps):
        gradient = C * (softmax(Z @ A.T, axis=0) - Y.T) @ A
        gradient[:, :-1] += (1 - l1_ratio) * Z[:, :-1]
        new = Z - step * gradient
        sizes = np.maximum(np.linalg.norm(new[:, :-1], axis=0), 1e-300)
        new[:, :-1] *= np.maximum(1 - step * l1_ratio / sizes, 0)
        restart = ((Z - new) * (new - V)).sum() > 0
        following = 1.0 if restart else (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        Z = new if restart else new + (momentum - 1) / following * (new - V)
        V, momentum = new, following
    return V[:, :-1], V[:, -1]


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("C", [0.05, 0.5])
def test_group_lasso_is_that_of_proximal_gradient(C, l1_ratio):
    X, y = load_wine(return_X_y=True)
    X, Y = StandardScaler().fit_transform(X), np.eye(3)[y]
    how = {"C": C, "l1_ratio": l1_ratio, "penalty_grouping": "features"}
    model = SoftmaxRegression(tol=1e-10, **how).fit(X, y)
    slow = SoftmaxRegression(**how)
    slow.coef_, slow.intercept_ = proximal_gradient(X, Y, C, l1_ratio)
    assert model.objective_ == pytest.approx(objective(slow, X, Y), rel=1e-8)
    zero = (model.coef_ == 0).any(axis=0)
    np.testing.assert_array_equal(zero, (model.coef_ == 0).all(axis=0))
    np.testing.assert_array_equal(zero, (slow.coef_ == 0).all(axis=0))


# -- the certificate -------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
@pytest.mark.parametrize("grouping", GROUPINGS)
def test_gap_bounds_suboptimality_wherever_the_solver_stops(grouping, l1_ratio, soft):
    X, y = problem(4)
    if soft:
        y = np.random.default_rng(2).dirichlet(np.full(4, 0.5), size=len(X))
    how = {"C": 0.4, "l1_ratio": l1_ratio, "penalty_grouping": grouping}
    best = SoftmaxRegression(tol=1e-12, **how).fit(X, y).objective_
    for max_iter in range(1, 9):
        model = SoftmaxRegression(max_iter=max_iter, **how).fit(X, y)
        above = 1 - best / model.objective_
        assert above <= model.optimality_gap_ + 1e-12


@pytest.mark.parametrize("kind", [Lasso, GroupLasso])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_what_fenchel_and_young_leave_is_the_difference(kind, ridge):
    rng = np.random.default_rng(0)
    coef = rng.normal(size=(3, 8)) * (rng.random((3, 8)) < 0.6)
    slopes, weights = rng.normal(size=(3, 8)), rng.uniform(0.2, 1, size=8)
    penalty = kind(weights)
    if ridge == 0:
        slopes /= penalty.ratios(slopes).max() * 1.01
    conjugate = 0.0
    if ridge > 0:
        over = np.maximum(penalty.norms(slopes) - weights, 0)
        conjugate = (over**2).sum() / (2 * ridge)
    plain = penalty.value(coef) + ridge / 2 * (coef**2).sum() + conjugate + (slopes * coef).sum()
    assert penalty.conjugate_gap(coef, slopes, np.full(8, ridge)) == pytest.approx(plain)


@pytest.mark.parametrize("kind", [Lasso, GroupLasso])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("n_classes", [3, 4])
def test_no_other_shift_has_a_smaller_penalty(kind, ridge, n_classes):
    rng = np.random.default_rng(0)
    coef = rng.normal(size=(n_classes, 5))
    penalty, ridges = kind(rng.uniform(0.1, 1, size=5)), np.full(5, ridge)
    shift = penalty.shift(coef, ridges)

    def value(by):
        moved = coef - by
        return penalty.value(moved) + ridge / 2 * (moved**2).sum()

    for step in np.vstack([np.eye(5), -np.eye(5)]) * 1e-3:
        assert value(shift) <= value(shift + step) + 1e-12


# -- invariances -----------------------------------------------------------------------------------


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_first_coefficient_appears_at_the_strength_that_is_computed(grouping, fit_intercept):
    X, y = problem()
    base = LinearCrossEntropy(as_design(X), make_loss(y, None, 3), 0.0, fit_intercept)
    C = 1 / (len(X) * least_strength(base, grouping))
    how = {"l1_ratio": 1.0, "penalty_grouping": grouping, "fit_intercept": fit_intercept}
    assert not SoftmaxRegression(C=0.999 * C, **how).fit(X, y).coef_.any()
    assert SoftmaxRegression(C=1.001 * C, tol=1e-9, **how).fit(X, y).coef_.any()


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_names_of_classes_do_not_matter(grouping):
    X, y = problem(4)
    model = SoftmaxRegression(C=0.2, l1_ratio=0.7, penalty_grouping=grouping, tol=1e-10)
    coef = model.fit(X, y).coef_
    order = np.array([2, 0, 3, 1])
    np.testing.assert_allclose(model.fit(X, order[y]).coef_[order], coef, atol=1e-6)


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_zero_weight_is_a_row_removed(grouping):
    X, y = problem()
    weight = np.where(np.arange(len(X)) % 4 == 3, 0.0, 1.0)
    X[weight == 0] *= 1e6
    model = SoftmaxRegression(C=0.3, l1_ratio=0.8, penalty_grouping=grouping, tol=1e-10)
    coef = model.fit(X, y, sample_weight=weight).coef_
    kept = model.fit(X[weight > 0], y[weight > 0]).coef_
    np.testing.assert_allclose(coef, kept, atol=1e-6)
    np.testing.assert_array_equal(coef == 0, kept == 0)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_sparse_and_float32_rows_give_the_same_model(l1_ratio):
    X, y = problem(n_features=12)
    X[np.abs(X) < 0.7] = 0
    X = X.astype(np.float32)
    how = {"C": 0.3, "l1_ratio": l1_ratio, "tol": 1e-8}
    dense = SoftmaxRegression(**how).fit(X.astype(np.float64), y)
    for rows in (csr_array(X), X):
        model = SoftmaxRegression(**how).fit(rows, y)
        assert model.coef_.dtype == np.float32
        np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-4)
        np.testing.assert_array_equal(model.coef_ == 0, dense.coef_ == 0)


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("rows", [np.asarray, csr_array])
def test_large_data_have_the_same_optimum(grouping, rows, monkeypatch):
    X, y = problem(n_features=30)
    how = {"C": 0.1, "l1_ratio": 0.9, "penalty_grouping": grouping, "tol": 1e-10}
    small = SoftmaxRegression(**how).fit(X, y)
    monkeypatch.setattr(_small, "is_small", lambda design: False)
    large = SoftmaxRegression(**how).fit(rows(X), y)
    np.testing.assert_allclose(large.coef_, small.coef_, atol=1e-6)
    np.testing.assert_array_equal(large.coef_ == 0, small.coef_ == 0)


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_more_columns_than_rows(grouping, l1_ratio):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 300))
    y = np.tile(np.arange(4), 10)
    X[np.arange(40), y] += 3
    model = SoftmaxRegression(C=0.5, l1_ratio=l1_ratio, penalty_grouping=grouping).fit(X, y)
    assert model.optimality_gap_ <= 1e-6
    assert 0 < model.coef_.any(axis=0).sum() < 100
    assert_optimal(model, X, y, tolerance=1e-2)


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_columns_that_repeat_or_stay_constant_are_no_trouble(grouping):
    X, y = problem()
    X = np.column_stack([X, X, np.ones(len(X)), np.zeros(len(X)), 1e6 * X[:, 0]])
    model = SoftmaxRegression(C=1.0, l1_ratio=1.0, penalty_grouping=grouping).fit(X, y)
    assert model.optimality_gap_ <= 1e-6
    assert not model.coef_[:, -3:-1].any()


# -- the estimator ---------------------------------------------------------------------------------


def test_warm_start_from_the_solution_is_done_at_once():
    X, y = problem()
    model = SoftmaxRegression(C=0.3, l1_ratio=1.0, warm_start=True).fit(X, y)
    coef = model.coef_
    assert model.fit(X, y).n_iter_[0] <= 1
    np.testing.assert_allclose(model.coef_, coef, atol=1e-6)


def test_no_penalty_is_left_without_zeros_to_make():
    X, y = problem()
    smooth = SoftmaxRegression(C=np.inf).fit(X, y)
    model = SoftmaxRegression(C=np.inf, l1_ratio=0.5).fit(X, y)
    assert model.objective_ == pytest.approx(smooth.objective_, rel=1e-5)


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg", "newton-cholesky", "sgd", "adam"])
def test_solvers_that_make_no_zeros_say_so(solver):
    X, y = problem()
    with pytest.raises(ValueError, match="solver='auto' or 'proximal-newton', or l1_ratio=0"):
        SoftmaxRegression(solver=solver, l1_ratio=0.5).fit(X, y)
    with pytest.raises(ValueError, match="needs l1_ratio above 0"):
        SoftmaxRegression(solver="proximal-newton").fit(X, y)


def test_a_run_cut_short_warns_with_what_it_reached():
    X, y = problem()
    with pytest.warns(ConvergenceWarning, match="'proximal-newton'|proximal-newton"):
        model = SoftmaxRegression(l1_ratio=1.0, max_iter=2).fit(X, y)
    assert model.n_iter_[0] == len(model.loss_curve_) == 2
    assert model.optimality_gap_ > model.tol


# -- the model's minimum ---------------------------------------------------------------------------


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("rows", [np.asarray, csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_products_alone_lead_to_the_same_optimum(grouping, rows, dtype, monkeypatch):
    X, y = problem(n_features=30)
    X = X.astype(dtype)
    how = {"C": 0.3, "l1_ratio": 0.9, "penalty_grouping": grouping, "tol": 1e-9}
    by_matrix = SoftmaxRegression(**how).fit(X.astype(np.float64), y)
    monkeypatch.setattr(_small, "is_small", lambda design: False)
    monkeypatch.setattr(_submatrix, "_PRODUCTS_PER_MATRIX", 0)
    model = SoftmaxRegression(**how).fit(rows(X), y)
    np.testing.assert_allclose(model.coef_, by_matrix.coef_, atol=1e-4)
    np.testing.assert_array_equal(model.coef_ == 0, by_matrix.coef_ == 0)


def test_an_early_model_may_take_some_rows_for_all(monkeypatch):
    X, y = problem(n_rows=3000)
    drawn = []
    draw = HessianPreconditioner.draw
    monkeypatch.setattr(
        HessianPreconditioner, "draw", lambda *args: drawn.append(args[-1]) or draw(*args)
    )
    monkeypatch.setattr(_submatrix, "_LEAST_SAMPLED_ORDER", 10)
    how = {"l1_ratio": 1.0, "tol": 1e-9}
    model = SoftmaxRegression(**how).fit(X, y)
    assert drawn
    assert max(drawn) < 1500
    assert_optimal(model, X, y, tolerance=1e-3)


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("rank", [3, 40])
def test_a_quadratic_function_is_minimised_however_singular(grouping, rank):
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(40, rank)) * np.logspace(0, -3, 40)[:, None]
    target = factor @ rng.normal(size=rank)
    weights = np.full(40, 0.05 * np.abs(target).max())
    penalty = FlatLasso(weights)
    if grouping == "features":
        penalty = FlatGroupLasso(weights[:10], np.repeat(np.arange(10), 4))
    model = Quadratic(DenseHessian(factor @ factor.T), -target, np.zeros(40))
    minimize_model(model, penalty, precision=1e-6, max_rounds=200)
    np.testing.assert_allclose(model.slope, factor @ (factor.T @ model.at) - target, atol=1e-10)
    before = np.linalg.norm(penalty.residual(np.zeros(40), -target))
    assert np.linalg.norm(penalty.residual(model.at, model.slope)) <= 1e-6 * before


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_fewer_rows_than_coefficients_that_are_not_zero_on_the_way(l1_ratio):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 400)) * np.logspace(-1, 1, 400)
    y = rng.integers(6, size=30)
    model = SoftmaxRegression(C=10.0, l1_ratio=l1_ratio, tol=1e-5).fit(X, y)
    assert model.optimality_gap_ <= 1e-5
    assert np.count_nonzero(model.coef_) < (30 * 5 if l1_ratio == 1 else 600)
