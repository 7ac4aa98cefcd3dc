"""Bounds on coefficients: optimality, exact equality at bounds, a true certificate, and errors."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import Bounds, minimize
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from zoo import hessian_product, optimality_gap, slope_along, value_and_gradient

from softmax_regression import SoftmaxRegression
from softmax_regression._curvature import schedule as _schedule
from softmax_regression._curvature.chosen_entries import hessian_of
from softmax_regression._curvature.wide_hessian import WideHessian
from softmax_regression._data.make import as_design
from softmax_regression._losses.pointwise import make_loss
from softmax_regression._objectives.linear import one_block as _small
from softmax_regression._objectives.linear.bounded import BoundedCrossEntropy
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._solvers.box import box as _box
from softmax_regression._solvers.box.box import BoxModel
from softmax_regression._solvers.box.wide_box import WideBoxModel

SOLVERS = ("newton-cholesky", "lbfgs")
NOT_NEGATIVE = (0, None)


def problem(n_classes=3, n_rows=120, n_features=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) + rng.normal(size=n_features)
    scores = X[:, :3] @ rng.normal(size=(3, n_classes)) + rng.gumbel(size=(n_rows, n_classes))
    y = scores.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y


def objective(coef, intercept, X, y, C, weight=None):
    """scikit-learn's, written the plain way."""
    scores = X @ coef.T + intercept
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    log_p = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    weight = np.ones(len(X)) if weight is None else weight
    return -C * weight @ log_p[np.arange(len(y)), y] + 0.5 * np.square(coef).sum()


def slopes(model, X, y, weight=None):
    residual = model.predict_proba(X) - np.eye(len(model.classes_))[y]
    residual = residual[:, -len(model.coef_) :] * (1.0 if weight is None else weight[:, None])
    return model.C * residual.T @ X + model.coef_, model.C * residual.sum(axis=0)


def assert_optimal(model, X, y, lower, upper, weight=None, tolerance=3e-5):
    """Within the bounds; no slope, but for those that lead out of them."""
    coef = model.coef_
    assert (coef >= lower).all()
    assert (coef <= upper).all()
    slope, of_intercept = slopes(model, X, y, weight)
    held = ((coef == lower) & (slope > 0)) | ((coef == upper) & (slope < 0))
    scale = model.C * np.abs(X).sum(axis=0)
    assert np.abs(np.where(held, 0, slope) / scale).max() <= tolerance
    if model.fit_intercept:
        assert np.abs(of_intercept).max() <= tolerance * model.C * len(X)


# -- the optimum -----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize(
    "bounds", [(0, None), (None, -0.1), (-0.2, 0.3), (0.2, None), (-np.inf, np.inf)], ids=str
)
def test_optimality_conditions_hold(bounds, n_classes, fit_intercept, solver):
    X, y = problem(n_classes)
    X = X * np.logspace(-2, 2, X.shape[1])
    weight = np.random.default_rng(1).uniform(0.2, 2, size=len(X))
    model = SoftmaxRegression(
        C=0.3, bounds=bounds, solver=solver, fit_intercept=fit_intercept, tol=1e-12, max_iter=5000
    ).fit(X, y, sample_weight=weight)
    lower = -np.inf if bounds[0] is None else bounds[0]
    upper = np.inf if bounds[1] is None else bounds[1]
    assert_optimal(model, X, y, lower, upper, weight)
    plain = objective(model.coef_, model.intercept_, X, y, 0.3, weight)
    assert model.objective_ == pytest.approx(plain, rel=1e-12)
    if np.isfinite([lower, upper]).any():
        assert np.isin(model.coef_, [lower, upper]).any()


@pytest.mark.filterwarnings("ignore:delta_grad == 0.0")  # trust-constr's, at its end
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", ["SLSQP", "trust-constr"])
def test_optimum_is_that_of_a_general_method(method, n_classes):
    X, y = problem(n_classes, n_features=4)
    rng = np.random.default_rng(2)
    shape = (1 if n_classes == 2 else n_classes, 4)
    lower = rng.choice([-np.inf, -0.3, 0.0, 0.2], size=shape)
    room = rng.choice([0.0, 0.4, np.inf], size=shape)
    upper = np.where(np.isneginf(lower), 0.1, np.maximum(lower, -1) + room)
    model = SoftmaxRegression(C=0.5, bounds=(lower, upper), tol=1e-12).fit(X, y)

    def value(params):
        matrix = params.reshape(len(lower), 5)
        return objective(matrix[:, :4], matrix[:, 4], X, y, 0.5)

    def widened(side, end):
        return np.hstack([side, np.full((len(side), 1), end)]).ravel()

    box = Bounds(widened(lower, -np.inf), widened(upper, np.inf))
    start = np.clip(np.zeros(lower.size + len(lower)), box.lb, box.ub)
    options = {"maxiter": 1000} | ({"ftol": 1e-14} if method == "SLSQP" else {"gtol": 1e-9})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that SLSQP leaves the box by rounding
        peer = minimize(value, start, method=method, bounds=box, options=options)
    assert model.objective_ <= peer.fun * (1 + 1e-10)
    assert model.objective_ == pytest.approx(peer.fun, rel=1e-6)
    np.testing.assert_allclose(
        model.coef_, peer.x.reshape(len(lower), 5)[:, :4], atol=2e-3 if method != "SLSQP" else 1e-4
    )


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_bounds_that_do_not_bind_change_nothing(load):
    X, y = load(return_X_y=True)
    plain = SoftmaxRegression(tol=1e-10).fit(X, y)
    widest = 2 * np.abs(plain.coef_).max()
    model = SoftmaxRegression(bounds=(-widest, widest), tol=1e-10).fit(X, y)
    assert model.objective_ == pytest.approx(plain.objective_, rel=1e-9)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-3)


@pytest.mark.parametrize("C", [1, 1e4])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_newtons_method_converges_whatever_the_units(load, C):
    X, y = load(return_X_y=True)
    factors = np.logspace(-3, 3, X.shape[1])[np.random.default_rng(0).permutation(X.shape[1])]
    model = SoftmaxRegression(C=C, bounds=(-0.01 * factors, None)).fit(X / factors, y)
    assert model.optimality_gap_ <= 1e-6
    assert model.n_iter_[0] <= 40


def test_what_is_at_a_bound_is_exactly_there():
    X, y = load_wine(return_X_y=True)
    lower, upper = -0.1 / X.std(axis=0), 0.3 / X.std(axis=0)
    for rows in (X, X.astype(np.float32)):
        model = SoftmaxRegression(bounds=(lower, upper)).fit(rows, y)
        low, high = lower.astype(rows.dtype), upper.astype(rows.dtype)
        at_bound = (model.coef_ == low) | (model.coef_ == high)
        assert 0.3 < at_bound.mean() < 1
        assert ((model.coef_ >= low) & (model.coef_ <= high)).all()
        near = np.isclose(model.coef_, low, rtol=1e-6) | np.isclose(model.coef_, high, rtol=1e-6)
        np.testing.assert_array_equal(near, at_bound)


def test_equal_bounds_fix_coefficients():
    X, y = problem()
    coef = np.random.default_rng(3).normal(size=(3, 6))
    model = SoftmaxRegression(bounds=(coef, coef), tol=1e-12).fit(X, y)
    np.testing.assert_array_equal(model.coef_, coef)
    assert np.abs(slopes(model, X, y)[1]).max() < 1e-4  # the intercept is the best for them
    some = np.where(np.arange(6) < 2, 0.0, np.inf)
    left_out = SoftmaxRegression(bounds=(-some, some)).fit(X, y)
    assert not left_out.coef_[:, :2].any()
    without = SoftmaxRegression().fit(X[:, 2:], y)
    assert left_out.objective_ == pytest.approx(without.objective_, rel=2e-6)


def test_bounds_far_from_zero_are_no_trouble():
    X, y = load_breast_cancer(return_X_y=True)  # where features reach 4000
    model = SoftmaxRegression(bounds=(0.5, None)).fit(X, y)
    assert model.optimality_gap_ <= 1e-6
    assert_optimal(model, X, y, 0.5, np.inf, tolerance=1e-4)


def test_of_two_classes_probabilities_rise_with_features():
    X, y = load_breast_cancer(return_X_y=True)
    model = SoftmaxRegression(bounds=NOT_NEGATIVE).fit(-X, y)
    assert model.coef_.shape == (1, 30)
    assert (model.coef_ == 0).any()
    p = model.predict_proba(-X[:20])[:, 1]
    assert (model.predict_proba(-X[:20] + X.std(axis=0))[:, 1] >= p).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_sparse_and_float32_rows_give_the_same_model(solver):
    X, y = problem(n_features=12)
    X[np.abs(X) < 0.7] = 0
    X = X.astype(np.float32)
    how = {"C": 0.3, "tol": 1e-9, "bounds": NOT_NEGATIVE, "solver": solver}
    dense = SoftmaxRegression(**how).fit(X.astype(np.float64), y)
    for rows in (csr_array(X), X):
        model = SoftmaxRegression(**how).fit(rows, y)
        assert model.coef_.dtype == np.float32
        np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-4)
        np.testing.assert_array_equal(model.coef_ == 0, dense.coef_ == 0)


@pytest.mark.parametrize("bounds", [NOT_NEGATIVE, (0.1, 0.2)])
@pytest.mark.parametrize("rows", [np.asarray, csr_array])
@pytest.mark.parametrize("solver", SOLVERS)
def test_large_data_have_the_same_optimum(solver, rows, bounds, monkeypatch):
    X, y = problem(n_features=30)
    how = {"C": 0.1, "bounds": bounds, "tol": 1e-10, "solver": solver}
    small = SoftmaxRegression(**how).fit(X, y)
    monkeypatch.setattr(_small, "is_small", lambda design: False)
    large = SoftmaxRegression(**how).fit(rows(X), y)
    np.testing.assert_allclose(large.coef_, small.coef_, atol=1e-5)


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_more_columns_than_rows(n_classes, solver):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 800))
    y = np.arange(40) % n_classes
    X[np.arange(40), y] += 3
    weight = rng.uniform(0.5, 2, size=40)
    model = SoftmaxRegression(bounds=NOT_NEGATIVE, solver=solver).fit(X, y, sample_weight=weight)
    assert model.solver_ == ("newton-cholesky" if solver == "auto" else solver)
    assert model.optimality_gap_ <= 1e-6
    assert_optimal(model, X, y, 0, np.inf, weight, tolerance=1e-3)


def test_many_rows_and_columns_are_left_to_lbfgs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 300))
    y = (X[:, :4] + rng.gumbel(size=(400, 4))).argmax(axis=1)
    model = SoftmaxRegression(bounds=NOT_NEGATIVE).fit(X, y)
    assert model.solver_ == "lbfgs"
    assert model.optimality_gap_ <= 1e-6


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_wide_hessians_are_those_of_the_matrix(n_classes, fit_intercept):
    X, y = problem(n_classes, n_rows=15, n_features=20)
    weight = np.random.default_rng(4).uniform(0.5, 1.5, size=15)
    smooth = LinearCrossEntropy(
        as_design(X), make_loss(y, weight / weight.mean(), n_classes), 0.1, fit_intercept
    ).standardized()
    rng = np.random.default_rng(9)
    params = rng.normal(size=smooth.n_params)
    chosen = rng.random((smooth.width, smooth.n_columns)) < 0.7
    chosen[-1, -1] = False
    expected = hessian_of(smooth, params, chosen)
    wide = WideHessian(smooth, params, chosen)
    units = np.eye(chosen.sum())
    A = np.stack([wide.forward(unit) for unit in units], axis=1)
    np.testing.assert_allclose(np.diag(wide.ridge) + A.T @ A, expected, atol=2e-5)
    values = rng.normal(size=wide.n_scores)
    np.testing.assert_allclose(wide.backward(values), A.T @ values, atol=1e-12)
    diagonal = rng.choice([0.0, 1.0, 3.0], size=len(units))
    np.testing.assert_allclose(wide.inner(diagonal), A * diagonal @ A.T, atol=1e-12)


@pytest.mark.parametrize("bounds", [NOT_NEGATIVE, (-0.3, 0.3)])
def test_columns_that_repeat_or_stay_constant_are_no_trouble(bounds):
    X, y = problem()
    X = np.column_stack([X, X, np.ones(len(X)), np.zeros(len(X)), 1e6 * X[:, 0]])
    model = SoftmaxRegression(bounds=bounds).fit(X, y)
    assert model.optimality_gap_ <= 1e-6
    assert not model.coef_[:, -3:-1].any()


# -- without a penalty -----------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("bounds", [(-0.2, 0.3), (None, 0.2)])
def test_without_a_penalty(bounds, n_classes, solver):
    X, y = problem(n_classes, n_rows=300)
    model = SoftmaxRegression(C=np.inf, bounds=bounds, solver=solver, tol=1e-9).fit(X, y)
    assert model.optimality_gap_ <= 1e-9
    almost = SoftmaxRegression(C=1e9, bounds=bounds, tol=1e-12).fit(X, y)
    assert model.objective_ == pytest.approx(almost.objective_ / 1e9, rel=1e-7)


def test_separable_classes_without_a_penalty_have_an_optimum_within_bounds():
    X, y = load_iris(return_X_y=True)
    X, y = X[:100], y[:100]
    model = SoftmaxRegression(C=np.inf, bounds=(-1, 1)).fit(X, y)
    assert model.optimality_gap_ <= 1e-6
    assert (np.abs(model.coef_) == 1).all()
    with pytest.warns(ConvergenceWarning, match="told apart perfectly"):
        SoftmaxRegression(C=np.inf, bounds=(-1, None)).fit(X, y)


def test_a_class_of_no_weight_is_left_out():
    X, y = problem()
    weight = (y != 2).astype(float)
    with_it = SoftmaxRegression(bounds=(-0.5, 0.5)).fit(X, y, sample_weight=weight)
    without = SoftmaxRegression(bounds=(-1, 1)).fit(X[y != 2], y[y != 2])
    assert with_it.predict_proba(X)[:, 2].max() < 1e-6
    assert np.abs(with_it.coef_).max() <= 0.5
    p = with_it.predict_proba(X)[:, 1]
    assert np.abs(p - without.predict_proba(X)[:, 1]).max() < 0.2


# -- the certificate -------------------------------------------------------------------------------


@pytest.mark.parametrize("l2", [0.1, 0.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_certificate_is_never_below_what_is_left(n_classes, l2):
    X, y = problem(n_classes, n_rows=80)
    rng = np.random.default_rng(5)
    shape = (1 if n_classes == 2 else n_classes, 6)
    lower, upper = np.full(shape, -0.2), np.full(shape, 0.3 if l2 == 0 else np.inf)
    smooth = LinearCrossEntropy(as_design(X), make_loss(y, None, n_classes), l2, True)
    bounded = BoundedCrossEntropy(smooth, lower, upper)
    best = minimize(
        partial(value_and_gradient, bounded),
        bounded.within(np.zeros(bounded.n_params)),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(*bounded.box),
        options={"gtol": 1e-12, "ftol": 0.0, "maxiter": 10_000},
    )
    assert bounded.has_dual
    for scale in (0.0, 1e-4, 1e-2, 1.0):
        params = bounded.within(best.x + scale * rng.normal(size=bounded.n_params))
        value, gradient = value_and_gradient(bounded, params)
        gap = optimality_gap(bounded, params, value, gradient)
        assert gap >= value - best.fun - 1e-12
        assert gap <= 30 * scale + 1e-7  # and not far above it
        assert optimality_gap(bounded, params, value, gradient, enough=0.1 * gap) >= 0.99 * gap


def test_gradient_and_products_are_those_of_the_smooth_objective():
    X, y = problem()
    smooth = LinearCrossEntropy(as_design(X), make_loss(y, None, 3), 0.1, True)
    bounded = BoundedCrossEntropy(smooth, np.zeros((3, 6)), np.full((3, 6), np.inf))
    rng = np.random.default_rng(6)
    at, along = rng.normal(size=(2, bounded.n_params))
    at = bounded.within(at)
    slope = slope_along(lambda p: value_and_gradient(bounded, p)[0], at, along)
    assert value_and_gradient(bounded, at)[1] @ along == pytest.approx(slope, rel=1e-8)
    entries = bounded.chosen(at, np.ones(bounded.n_params))
    hessian, chosen = hessian_of(bounded.smooth, at, entries), entries.ravel()
    assert not chosen[(at == 0) & np.isfinite(bounded.box[0])].any()
    part = np.where(chosen, along, 0)
    np.testing.assert_allclose(
        hessian @ along[chosen], hessian_product(bounded, at, part)[chosen], atol=1e-12
    )


def test_quadratic_models_in_a_box_are_solved():
    rng = np.random.default_rng(7)
    for _ in range(30):
        A = rng.normal(size=(12, 12)) * np.logspace(-2, 1, 12)
        slope = A.T @ rng.normal(size=12)
        lower, upper = -rng.choice([0, 0.1, np.inf], 12), rng.choice([0, 0.1, np.inf], 12)
        model = BoxModel(A.T @ A, slope.copy(), lower, upper)
        model.minimize(1e-10)
        left = slope + A.T @ A @ model.at
        held = ((model.at == lower) & (left > 0)) | ((model.at == upper) & (left < 0))
        assert np.abs(np.where(held, 0, left)).max() <= 1e-8 * np.abs(slope).max()
        assert model.change == pytest.approx(
            slope @ model.at + 0.5 * np.square(A @ model.at).sum(), rel=1e-9
        )


def test_wide_quadratic_models_are_solved_by_their_dual():
    X, y = problem(n_rows=12, n_features=60)
    smooth = LinearCrossEntropy(as_design(X), make_loss(y, None, 3), 0.05, True).standardized()
    bounded = BoundedCrossEntropy(smooth, np.full((3, 60), -0.1), np.full((3, 60), np.inf))
    rng = np.random.default_rng(10)
    params = bounded.within(0.2 * rng.normal(size=bounded.n_params))
    _, gradient = value_and_gradient(bounded, params)
    assert bounded.is_wide
    entries = bounded.chosen(params, gradient)
    chosen = entries.ravel()
    lower, upper = (side[chosen] - params[chosen] for side in bounded.box)
    hessian = hessian_of(bounded.smooth, params, entries)
    plain = BoxModel(hessian, gradient[chosen], lower, upper)
    plain.minimize(1e-10)
    wide = WideBoxModel(
        WideHessian(bounded.smooth, params, entries), gradient[chosen], lower, upper
    )
    wide.minimize(1e-12)
    assert ((wide.at >= lower) & (wide.at <= upper)).all()
    assert wide.change == pytest.approx(plain.change, rel=1e-4)  # its intercepts are damped
    np.testing.assert_allclose(wide.at, plain.at, atol=1e-3 * np.abs(plain.at).max())


# -- the estimator ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6,), (1, 6), (3, 1), (3, 6), ()])
def test_bounds_broadcast(shape):
    X, y = problem()
    lower = np.random.default_rng(8).uniform(-0.2, 0.1, size=shape)
    model = SoftmaxRegression(bounds=(lower, None)).fit(X, y)
    whole = SoftmaxRegression(bounds=(np.broadcast_to(lower, (3, 6)), np.inf)).fit(X, y)
    assert (model.coef_ >= lower).all()
    np.testing.assert_array_equal(model.coef_, whole.coef_)
    as_list = SoftmaxRegression(bounds=[np.asarray(lower).tolist(), None]).fit(X, y)
    np.testing.assert_array_equal(model.coef_, as_list.coef_)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (0, "bounds"),
        ("ab", "must hold numbers, or be None; got 'a'|bounds"),
        ((0, 1, 2), "must be a pair"),
        ((0,), "must be a pair"),
        ((np.zeros(5), None), r"lower one of bounds has the shape \(5,\)"),
        ((None, np.zeros((4, 6))), r"upper one of bounds has the shape \(4, 6\).*\(3, 6\) here"),
        ((np.nan, None), "lower one of bounds holds NaN"),
        ((None, [[0, 0, np.nan, 0, 0, 0]]), "upper one of bounds holds NaN"),
        ((1, 0), "feature 0 for class 0: the lower is 1 and the upper 0"),
        ((np.eye(3, 6, 2), 0), "feature 2 for class 0"),
        ((np.inf, None), "the lower is inf"),
        ((None, -np.inf), "and the upper -inf"),
        (({}, None), "lower one of bounds must hold numbers"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(bounds, message):
    X, y = problem()
    model = SoftmaxRegression(bounds=bounds)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "coef_")
    assert not hasattr(model, "classes_")


def test_what_does_not_go_together_is_refused():
    X, y = problem()
    with pytest.raises(ValueError, match="bounds do not go together with l1_ratio"):
        SoftmaxRegression(bounds=NOT_NEGATIVE, l1_ratio=0.5).fit(X, y)
    for solver in ("newton-cg", "sgd", "adam"):
        with pytest.raises(ValueError, match="set solver='auto', 'lbfgs' or 'newton-cholesky'"):
            SoftmaxRegression(bounds=NOT_NEGATIVE, solver=solver).fit(X, y)
    with pytest.raises(AttributeError) as refusal:
        SoftmaxRegression(bounds=NOT_NEGATIVE).partial_fit(X, y, classes=[0, 1, 2])
    assert "partial_fit does not keep coefficients within bounds" in str(refusal.value.__cause__)


def test_a_run_cut_short_keeps_within_bounds_and_says_so():
    X, y = load_wine(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="or try solver='newton-cholesky'"):
        model = SoftmaxRegression(bounds=NOT_NEGATIVE, solver="lbfgs", max_iter=3).fit(X, y)
    assert model.n_iter_[0] == len(model.loss_curve_) == 3
    assert model.optimality_gap_ > model.tol
    assert (model.coef_ >= 0).all()


def test_warm_start_begins_within_other_bounds():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression(warm_start=True).fit(X, y)
    model.set_params(bounds=NOT_NEGATIVE).fit(X, y)
    anew = SoftmaxRegression(bounds=NOT_NEGATIVE).fit(X, y)
    assert model.objective_ == pytest.approx(anew.objective_, rel=2e-6)
    assert (model.coef_ >= 0).all()
    assert model.fit(X, y).n_iter_[0] <= 1


def test_soft_labels_and_frames():
    X, y = problem()
    hard = SoftmaxRegression(bounds=NOT_NEGATIVE, tol=1e-9).fit(X, y)
    Y = pd.DataFrame(np.eye(3)[y], columns=list("abc"))
    lower = pd.Series(np.zeros(6))
    soft = SoftmaxRegression(bounds=(lower, None), tol=1e-9).fit(pd.DataFrame(X), Y)
    np.testing.assert_allclose(soft.coef_, hard.coef_, atol=1e-4)


def test_searches_copies_and_pipelines():
    X, y = load_wine(return_X_y=True)
    lower = np.zeros(13)
    model = SoftmaxRegression(bounds=(lower, None))
    assert model.get_params()["bounds"][0] is lower
    copy = clone(model)
    assert copy.bounds[0] is not lower
    assert "bounds" in repr(model)
    pipeline = make_pipeline(StandardScaler(), model)
    search = GridSearchCV(pipeline, {"softmaxregression__C": [0.01, 1, 100]}, cv=3).fit(X, y)
    assert (search.best_estimator_[-1].coef_ >= 0).all()
    assert search.best_score_ > 0.9


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_hessian_of_some_rows_does_far_from_the_minimum(monkeypatch, n_classes):
    X, y = problem(n_classes, 2000)
    options = {"bounds": NOT_NEGATIVE, "C": 10.0, "tol": 1e-9}
    expected = SoftmaxRegression(**options).fit(X, y)
    monkeypatch.setattr(_schedule, "_COSTLY_EVALUATIONS", 0)
    samples = []

    def recorded(objective, at, chosen, sample, dtype=np.float64):
        samples.append(sample)
        assert (dtype == np.float32) == (sample is not None)
        precise = hessian_of(objective, at, chosen, sample)
        hessian = hessian_of(objective, at, chosen, sample, dtype)
        np.testing.assert_allclose(hessian, precise, atol=1e-5 * np.abs(precise).max())
        return hessian

    monkeypatch.setattr(_box, "hessian_of", recorded)
    model = SoftmaxRegression(**options).fit(X, y)
    drawn = [sample is not None for sample in samples]
    assert drawn[0]
    assert not drawn[-1]
    assert drawn == sorted(drawn, reverse=True)
    assert model.optimality_gap_ <= 1e-9
    assert model.objective_ == pytest.approx(expected.objective_, rel=2e-9)

    def overflows(objective, at, chosen, sample, dtype=np.float64):
        hessian = hessian_of(objective, at, chosen, sample, dtype)
        return hessian if dtype == np.float64 else hessian * np.inf

    monkeypatch.setattr(_box, "hessian_of", overflows)
    model = SoftmaxRegression(**options).fit(X, y)
    assert model.objective_ == pytest.approx(expected.objective_, rel=2e-9)
