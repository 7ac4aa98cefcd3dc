"""`SoftmaxRegression`: the optimum of `LogisticRegression`, its certificate, the definitions of
weights and soft labels, and the same solution by all solvers, streams and warm starts.
"""

import itertools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from softmax_regression import SoftmaxRegression
from softmax_regression._curvature import preconditioner as _preconditioner
from softmax_regression._curvature import schedule as _factors
from softmax_regression._problems import smooth as _full_batch
from softmax_regression._solvers import time_limit as _time_limit
from softmax_regression._solvers.convergence import Proposal
from softmax_regression._solvers.minibatch import minibatch as _minibatch
from softmax_regression._solvers.newton.descent import CholeskyDescent
from softmax_regression.functional import softmax

FULL_BATCH = ("lbfgs", "newton-cg", "newton-cholesky")
MINIBATCH = ("sgd", "adam")
SOLVERS = FULL_BATCH + MINIBATCH


def problem(n_classes=3, n_rows=150, n_features=5, seed=0):
    """Draw labels from a softmax model, so that no class can be told apart perfectly."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    scores = X @ rng.normal(size=(n_features, n_classes)) + rng.normal(size=n_classes) / 2
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    assert len(np.unique(y)) == n_classes
    return X, y


def soft_labels(n_rows=150, n_classes=3, seed=1):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), n_rows)


def badly_scaled(X):
    """Columns from 1e-6 to 1e6, and a constant, a zero and a duplicate column beside them."""
    n_rows, n_columns = X.shape
    scaled = X * np.logspace(-6, 6, n_columns)
    return np.column_stack(
        [scaled, np.full(n_rows, 7.0), np.zeros(n_rows), scaled[:, n_columns // 2]]
    )


def objective(model, X, y, weight=None):
    """C Σ s CE + ½ ‖W‖², from the definition; without C if it is infinite."""
    log_p = model.predict_log_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    weight = np.ones(len(y)) if weight is None else weight
    if np.isinf(model.C):
        return -weight @ log_p
    return -model.C * (weight @ log_p) + np.square(model.coef_).sum() / 2


def tight_tol(C):
    """The smallest tolerance that float64 has room for; with C grows what the penalty forgives."""
    return 1e-14 if C <= 1 else 1e-11


def reference(X, y, C=1.0, weight=None, **params):
    model = LogisticRegression(solver="newton-cholesky", tol=1e-13, C=C, max_iter=1000, **params)
    return model.fit(X, y, sample_weight=weight)


def assert_same_model(model, expected, tolerance=1e-6):
    scale = max(1.0, np.abs(expected.coef_).max())
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(
        model.intercept_, expected.intercept_, rtol=0, atol=tolerance * scale
    )


# -- the optimum -----------------------------------------------------------------------------------


@pytest.fixture(params=["HessianFactor", "BlockFactor", "Diagonal"])
def as_if_large(request, monkeypatch):
    """No copy of X, a sample of its rows, and each matrix that may stand for a large Hessian."""
    monkeypatch.setattr(_full_batch, "is_small", lambda design: False)
    monkeypatch.setattr(_preconditioner, "_NEGLIGIBLE_MULTIPLICATIONS", 0)
    kind, choose = (
        _preconditioner.HessianPreconditioner,
        _preconditioner.HessianPreconditioner._choose,
    )
    monkeypatch.setattr(kind, "_choose", lambda self: choose(self)[-1:])  # No cheaper ones first.
    monkeypatch.setattr(_preconditioner, "_ROWS_PER_UNKNOWN", 3)
    largest = {"HessianFactor": 3000, "BlockFactor": 6, "Diagonal": 1}[request.param]
    monkeypatch.setattr(_preconditioner, "_MAX_FACTOR_ORDER", largest)
    made = set()
    matrix = getattr(_preconditioner, request.param)

    def recorded(*args):
        made.add(request.param)
        return matrix(*args)

    monkeypatch.setattr(_preconditioner, request.param, recorded)
    yield request.param
    assert made == {request.param}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_large_data_have_the_same_optimum(as_if_large, solver, dtype, container):
    X, y = problem(4, 300)
    X = (X * np.logspace(-2, 2, 5)).astype(dtype)
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    model = SoftmaxRegression(C=100.0, solver=solver, tol=1e-9).fit(container(X), y, weight)
    minimum = objective(reference(X.astype(float), y, 100.0, weight), X, y, weight)
    assert model.objective_ == pytest.approx(minimum, rel=1e-6 if dtype is np.float32 else 1e-8)
    assert model.optimality_gap_ <= 1e-9
    assert model.n_iter_[0] <= 40


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_a_hessian_of_some_rows_does_far_from_the_minimum(monkeypatch, container, n_classes):
    monkeypatch.setattr(_preconditioner, "_NEGLIGIBLE_MULTIPLICATIONS", 0)
    monkeypatch.setattr(_factors, "_CALLS_MULTIPLICATIONS", 0)
    monkeypatch.setattr(_factors, "_COSTLY_EVALUATIONS", 0)
    drawn = []
    draw = _preconditioner.HessianPreconditioner.draw
    monkeypatch.setattr(
        _preconditioner.HessianPreconditioner,
        "draw",
        lambda *args: drawn.append(draw(*args)) or drawn[-1],
    )
    X, y = problem(n_classes, 3000)
    model = SoftmaxRegression(C=100.0, solver="newton-cholesky", tol=1e-9).fit(container(X), y)
    assert 1 <= len(drawn) < model.n_iter_[0]
    assert all(sample is not None and len(sample.rows) < 1000 for sample in drawn)
    assert model.objective_ == pytest.approx(objective(reference(X, y, 100.0), X, y), rel=1e-8)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_what_the_hessians_factor_cannot_do_is_left_to_conjugate_gradients(monkeypatch, n_classes):
    X, y = problem(n_classes)
    directions = []

    def astray(self, point, enough):
        directions.append(point.gradient)
        return Proposal(point.gradient, 1.0)

    monkeypatch.setattr(CholeskyDescent, "__call__", astray)
    model = SoftmaxRegression(C=10.0, solver="newton-cholesky", tol=1e-9).fit(X, y)
    assert directions
    assert model.optimality_gap_ <= 1e-9
    assert model.objective_ == pytest.approx(objective(reference(X, y, 10.0), X, y), rel=1e-8)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("solver", FULL_BATCH)
def test_optimum_is_that_of_logistic_regression(
    solver, C, n_classes, fit_intercept, weighted, container
):
    X, y = problem(n_classes)
    X = np.where(np.random.default_rng(2).random(X.shape) < 0.3, 0, X)
    weight = np.random.default_rng(3).exponential(size=len(y)) if weighted else None
    expected = reference(X, y, C, weight, fit_intercept=fit_intercept)
    model = SoftmaxRegression(C=C, solver=solver, fit_intercept=fit_intercept, tol=tight_tol(C))
    assert_same_model(model.fit(container(X), y, sample_weight=weight), expected)


@pytest.mark.parametrize("class_weight", [{0: 3.0, 1: 0.5}, {1: 2.5}, "balanced"], ids=str)
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("solver", FULL_BATCH)
def test_class_weight_is_that_of_logistic_regression(solver, n_classes, class_weight):
    X, y = problem(n_classes)
    expected = reference(X, y, class_weight=class_weight)
    model = SoftmaxRegression(solver=solver, class_weight=class_weight, tol=1e-14).fit(X, y)
    assert_same_model(model, expected)


def test_class_weight_multiplies_sample_weight():
    X, y = problem()
    weight = np.random.default_rng(0).random(len(y))
    factors = {0: 2.0, 1: 0.25, 2: 1.0}
    model = SoftmaxRegression(class_weight=factors, tol=1e-13).fit(X, y, sample_weight=weight)
    product = weight * np.array([factors[label] for label in y])
    assert_same_model(model, SoftmaxRegression(tol=1e-13).fit(X, y, sample_weight=product))


def test_balanced_gives_all_classes_the_same_weighted_total():
    X, y = problem()
    weight = np.random.default_rng(0).random(len(y))
    totals = np.bincount(y, weight)
    product = weight * (weight.sum() / (3 * totals))[y]
    balanced = SoftmaxRegression(class_weight="balanced", tol=1e-13)
    expected = SoftmaxRegression(tol=1e-13).fit(X, y, sample_weight=product)
    assert_same_model(balanced.fit(X, y, sample_weight=weight), expected)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("solver", FULL_BATCH)
def test_without_penalty_probabilities_are_those_of_logistic_regression(
    solver, n_classes, fit_intercept
):
    X, y = problem(n_classes)
    expected = reference(X, y, np.inf, fit_intercept=fit_intercept)
    model = SoftmaxRegression(C=np.inf, solver=solver, fit_intercept=fit_intercept, tol=1e-13)
    p = model.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(p, expected.predict_proba(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_without_penalty_units_of_a_column_change_no_probability(solver, factor):
    X, y = problem()
    model = SoftmaxRegression(C=np.inf, solver=solver, tol=1e-12)
    p = clone(model).fit(X, y).predict_proba(X)
    X_other = X.copy()
    X_other[:, 2] *= factor
    np.testing.assert_allclose(model.fit(X_other, y).predict_proba(X_other), p, atol=1e-7)


def test_coefficients_of_many_classes_sum_to_zero():
    model = SoftmaxRegression().fit(*problem(5))
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(model.intercept_.sum(), 0, atol=1e-12)


def test_without_intercept_it_is_zero():
    X, y = problem(4)
    model = SoftmaxRegression(fit_intercept=False).fit(X, y)
    np.testing.assert_array_equal(model.intercept_, np.zeros(4))
    np.testing.assert_array_equal(model.decision_function(np.zeros((1, 5))), np.zeros((1, 4)))


# -- the certificate -------------------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("kind", ["standardised", "badly scaled"])
def test_gap_reaches_tolerance_and_objective_is_within_it(kind, solver, C, fit_intercept):
    X, y = problem(3, 200, 7)
    if kind == "badly scaled":
        X = badly_scaled(X)
    model = SoftmaxRegression(C=C, solver=solver, fit_intercept=fit_intercept).fit(X, y)
    assert 0 <= model.optimality_gap_ <= 1e-6
    np.testing.assert_allclose(model.objective_, objective(model, X, y), rtol=1e-7)
    with warnings.catch_warnings():  # whatever it reaches bounds the minimum from above
        warnings.simplefilter("ignore", ConvergenceWarning)
        tight = clone(model).set_params(solver="lbfgs", tol=1e-11).fit(X, y)
    assert model.objective_ - tight.objective_ <= 1e-6 * model.objective_


@pytest.mark.parametrize("solver", FULL_BATCH)
def test_gap_reaches_tolerance_beside_a_timestamp(solver):
    X, y = problem(3, 200, 7)
    X[:, 0] = 1.7e9 + 20000 * X[:, 0]  # seconds, within some days
    assert SoftmaxRegression(solver=solver).fit(X, y).optimality_gap_ <= 1e-6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_gap_bounds_suboptimality_wherever_the_solver_stops(solver, fit_intercept, n_classes, soft):
    X, y = problem(n_classes)
    y = soft_labels(len(y), n_classes) if soft else y
    X, y, weight = X[:60], y[:60], np.random.default_rng(4).exponential(size=60)
    params = {"C": 10.0, "fit_intercept": fit_intercept}
    minimum = SoftmaxRegression(tol=1e-12, **params).fit(X, y, sample_weight=weight).objective_
    for max_iter in (1, 2, 3, 5, 8):
        model = SoftmaxRegression(solver=solver, max_iter=max_iter, random_state=0, **params)
        model.fit(X, y, sample_weight=weight)
        above = (model.objective_ - minimum) / model.objective_
        assert -1e-9 <= above <= model.optimality_gap_ + 1e-12


def test_without_penalty_objective_is_the_cross_entropy():
    X, y = problem()
    model = SoftmaxRegression(C=np.inf).fit(X, y)
    np.testing.assert_allclose(model.objective_, objective(model, X, y), rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", FULL_BATCH)
def test_loss_curve_ends_at_the_objective_per_weight(solver, weighted):
    X, y = problem()
    weight = np.random.default_rng(0).random(len(y)) if weighted else np.ones(len(y))
    model = SoftmaxRegression(C=3.0, solver=solver).fit(X, y, sample_weight=weight)
    assert len(model.loss_curve_) == model.n_iter_[0]
    np.testing.assert_allclose(model.loss_curve_[-1] * 3 * weight.sum(), model.objective_)
    assert np.all(np.diff(model.loss_curve_) < 0)


@pytest.mark.parametrize("C", [1.0, 100.0])
@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_raw_data_sets_converge_with_default_settings(load, solver, C):
    X, y = load(return_X_y=True)
    assert SoftmaxRegression(C=C, solver=solver).fit(X, y).optimality_gap_ <= 1e-6


@pytest.mark.parametrize("load", [load_iris, load_wine, load_digits])
def test_float32_converges_to_its_rounding_errors(load):
    X, y = load(return_X_y=True)
    X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = SoftmaxRegression().fit(X.astype(np.float32), y)
    assert model.coef_.dtype == np.float32
    assert model.optimality_gap_ <= 1e-5
    assert model.optimality_gap_ <= 1e-6 or "float64" in str(caught[0].message)
    np.testing.assert_allclose(
        model.objective_, SoftmaxRegression(tol=1e-9).fit(X, y).objective_, rtol=1e-5
    )


def test_raw_float32_converges_with_default_settings():
    X, y = load_iris(return_X_y=True)
    SoftmaxRegression().fit(X.astype(np.float32), y)


@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("C", [1e6, 1e12])
def test_a_penalty_too_small_to_matter_converges_as_none_does(C, solver):
    X, y = problem()
    p = SoftmaxRegression(C=np.inf, tol=1e-10).fit(X, y).predict_proba(X)
    model = SoftmaxRegression(C=C, solver=solver).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), p, atol=2e-3)


# -- weights and soft labels -----------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_zero_weight_is_a_row_removed(solver):
    X, y = problem()
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    kept = weight > 0
    assert not kept.all()
    model = SoftmaxRegression(solver=solver, tol=1e-12, batch_size=16, random_state=0, max_iter=30)
    with warnings.catch_warnings():
        if solver in MINIBATCH:
            warnings.simplefilter("ignore", ConvergenceWarning)
        with_zeros = clone(model).fit(X, y, sample_weight=weight)
        without = model.fit(X[kept], y[kept], sample_weight=weight[kept])
    assert_same_model(with_zeros, without, 1e-6 if solver in FULL_BATCH else 1e-9)
    np.testing.assert_allclose(with_zeros.objective_, without.objective_, rtol=1e-9)


def test_rows_of_zero_weight_may_hold_anything_finite():
    X, y = problem()
    weight = np.ones(len(y))
    weight[:40] = 0
    expected = SoftmaxRegression(tol=1e-12).fit(X, y, sample_weight=weight)
    for anything in (1e6, 3.4e38):
        X[:40] = anything
        assert_same_model(SoftmaxRegression(tol=1e-12).fit(X, y, sample_weight=weight), expected)


@pytest.mark.parametrize("solver", FULL_BATCH)
def test_integer_weight_is_a_row_repeated(solver):
    X, y = problem()
    weight = np.random.default_rng(0).integers(1, 4, len(y))
    model = SoftmaxRegression(solver=solver, tol=1e-13)
    repeated = clone(model).fit(X.repeat(weight, axis=0), y.repeat(weight))
    model.fit(X, y, sample_weight=weight)
    assert_same_model(model, repeated)
    np.testing.assert_allclose(model.objective_, repeated.objective_)


@pytest.mark.parametrize("factor", [1e-4, 7.0, 1e4])
@pytest.mark.parametrize("solver", SOLVERS)
def test_scaling_all_weights_is_scaling_c(solver, factor):
    X, y = problem()
    weight = np.random.default_rng(0).random(len(y))
    params = {"solver": solver, "tol": 1e-9, "random_state": 0, "max_iter": 200}
    with warnings.catch_warnings():
        if solver in MINIBATCH:
            warnings.simplefilter("ignore", ConvergenceWarning)
        scaled = SoftmaxRegression(C=0.5, **params).fit(X, y, sample_weight=factor * weight)
        other_C = SoftmaxRegression(C=0.5 * factor, **params).fit(X, y, sample_weight=weight)
    assert_same_model(scaled, other_C)
    np.testing.assert_allclose(scaled.objective_, other_C.objective_, rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_weights_of_any_size_neither_overflow_nor_vanish(factor):
    X, y = problem()
    expected = SoftmaxRegression(C=np.inf).fit(X, y)
    model = SoftmaxRegression(C=np.inf).fit(X, y, sample_weight=np.full(len(y), factor))
    assert_same_model(model, expected)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("solver", SOLVERS)
def test_one_hot_soft_labels_are_hard_labels(solver, n_classes):
    X, y = problem(n_classes)
    weight = np.random.default_rng(0).random(len(y))
    model = SoftmaxRegression(solver=solver, random_state=0, class_weight={0: 2.0})
    hard = clone(model).fit(X, y, sample_weight=weight)
    soft = model.fit(X, np.eye(n_classes)[y], sample_weight=weight)
    assert_same_model(soft, hard, 1e-7)
    np.testing.assert_array_equal(soft.classes_, np.arange(n_classes))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("class_weight", [None, {0: 3.0}])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_soft_labels_are_rows_repeated_for_each_class(n_classes, class_weight, fit_intercept):
    X, _ = problem()
    P = soft_labels(len(X), n_classes)
    labels = np.tile(np.arange(n_classes), len(X))
    weight = P.ravel() * np.where(labels == 0, 3.0 if class_weight else 1.0, 1.0)
    expected = reference(
        X.repeat(n_classes, axis=0), labels, weight=weight, fit_intercept=fit_intercept
    )
    model = SoftmaxRegression(tol=1e-13, fit_intercept=fit_intercept)
    if class_weight is None:
        assert_same_model(model.fit(X, P), expected)
    else:
        # One weight a row: the class weights' mean under its probabilities.
        model.set_params(class_weight=class_weight).fit(X, P)
        rows = P @ np.where(np.arange(n_classes) == 0, 3.0, 1.0)
        same = SoftmaxRegression(tol=1e-13, fit_intercept=fit_intercept)
        assert_same_model(model, same.fit(X, P, sample_weight=rows))


# -- one model, whatever the container -------------------------------------------------------------


def read_only_memmap(X, folder):
    path = folder / "X.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def read_only_csr(X):
    matrix = sparse.csr_array(X)
    for part in (matrix.data, matrix.indices, matrix.indptr):
        part.flags.writeable = False
    return matrix


def csr_with_duplicates(X):
    """Each entry in two halves at the same place."""
    dense = sparse.csr_array(X)
    halves = np.repeat(dense.data / 2, 2)
    return sparse.csr_array((halves, np.repeat(dense.indices, 2), 2 * dense.indptr), shape=X.shape)


CONTAINERS = {
    "list": lambda X, folder: X.tolist(),
    "Fortran": lambda X, folder: np.asfortranarray(X),
    "view": lambda X, folder: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed view": lambda X, folder: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "memmap": read_only_memmap,
    "DataFrame": lambda X, folder: pd.DataFrame(X),
    "object": lambda X, folder: X.astype(object),
    "csr_array": lambda X, folder: sparse.csr_array(X),
    "csr_matrix": lambda X, folder: sparse.csr_matrix(X),
    "csc_array": lambda X, folder: sparse.csc_array(X),
    "csc_matrix": lambda X, folder: sparse.csc_matrix(X),
    "coo_array": lambda X, folder: sparse.coo_array(X),
    "read-only CSR": lambda X, folder: read_only_csr(X),
    "CSR with duplicates": lambda X, folder: csr_with_duplicates(X),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", CONTAINERS)
def test_same_data_in_another_container_give_the_same_model(name, solver, tmp_path):
    X, y = problem()
    X[np.random.default_rng(0).random(X.shape) < 0.3] = 0
    other = CONTAINERS[name](X, tmp_path)
    model = SoftmaxRegression(solver=solver, tol=1e-11, random_state=0, max_iter=60)
    with warnings.catch_warnings():
        if solver in MINIBATCH:
            warnings.simplefilter("ignore", ConvergenceWarning)
        expected = clone(model).fit(X, y)
        model.fit(other, y)
    assert_same_model(model, expected, 1e-5)
    np.testing.assert_allclose(model.predict_proba(other), expected.predict_proba(X), atol=1e-5)


def test_integers_are_computed_in_float64():
    X, y = problem()
    X = np.rint(10 * X).astype(np.int8)
    model = SoftmaxRegression(tol=1e-12).fit(X, y)
    assert model.coef_.dtype == np.float64
    assert_same_model(model, SoftmaxRegression(tol=1e-12).fit(X.astype(float), y))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_float32_gives_the_same_model_to_its_rounding(solver, container):
    X, y = problem()
    # where the gap says when to stop, neither stops far from the minimum
    tol = 1e-8 if solver in FULL_BATCH else 1e-5
    model = SoftmaxRegression(C=0.1, solver=solver, tol=tol, random_state=0)
    expected = clone(model).fit(X, y)
    model.fit(container(X.astype(np.float32)), y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert model.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert_same_model(model, expected, 2e-3)


def test_fit_and_predict_leave_their_input_alone():
    X, y = problem()
    for data in (X, sparse.csr_array(X), sparse.csc_array(X)):
        before, labels, weight = data.copy(), y.copy(), np.random.default_rng(0).random(len(y))
        weight_before = weight.copy()
        model = SoftmaxRegression().fit(data, y, sample_weight=weight)
        model.predict_proba(data)
        model.score(data, y, sample_weight=weight)
        assert abs(data - before).max() == 0
        np.testing.assert_array_equal(y, labels)
        np.testing.assert_array_equal(weight, weight_before)


@pytest.mark.parametrize("kind", [">i4", ">i8", ">f8", "<i2", "u1"])
def test_labels_of_any_order_of_bytes(kind):
    X, y = problem()
    model, expected = (SoftmaxRegression().fit(X, labels) for labels in (y.astype(kind), y))
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.classes_, expected.classes_)


@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("tol", [0.1, 1e-6])
def test_verbose_changes_nothing(solver, tol, capsys):
    X, y = problem()
    silent = SoftmaxRegression(solver=solver, tol=tol).fit(X, y)
    told = SoftmaxRegression(solver=solver, tol=tol, verbose=True).fit(X, y)
    assert silent.n_iter_ == told.n_iter_
    np.testing.assert_array_equal(silent.coef_, told.coef_)


def test_lbfgs_needs_no_iterations_that_it_was_not_refused():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(400, 6)) + 1e6 * np.arange(6)
    y = (X[:, :3] - 1e6 * np.arange(3) + rng.gumbel(size=(400, 3))).argmax(axis=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SoftmaxRegression(C=15.0, solver="lbfgs").fit(X, y)
    assert not any("max_fun" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("solver", ["auto", *FULL_BATCH])
def test_rows_without_any_entry_have_the_null_model(solver):
    y = np.arange(60) % 3
    model = SoftmaxRegression(solver=solver).fit(sparse.csr_array((60, 500)), y)
    np.testing.assert_allclose(model.predict_proba(sparse.csr_array((2, 500))), 1 / 3)


# -- minibatches and streams -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["standardised", "badly scaled"])
@pytest.mark.parametrize("C", [0.1, 10.0, np.inf])
@pytest.mark.parametrize("solver", MINIBATCH)
def test_minibatches_come_near_the_optimum(solver, C, kind):
    X, y = problem(3, 400, 7)
    X = badly_scaled(X) if kind == "badly scaled" else X
    optimum = SoftmaxRegression(C=C, tol=1e-3).fit(X, y).objective_
    model = SoftmaxRegression(C=C, solver=solver, random_state=0).fit(X, y)
    if kind == "standardised":
        assert model.objective_ <= 1.03 * optimum
    else:  # a column in millionths cannot be used at a price, nor one in millions be overdone
        assert model.objective_ <= 1.15 * optimum


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize("solver", MINIBATCH)
def test_minibatches_are_deterministic_for_a_seed(solver, learning_rate):
    X, y = problem()
    params = {"solver": solver, "learning_rate": learning_rate, "batch_size": 20}
    fits = [
        SoftmaxRegression(random_state=seed, tol=1e-3, **params).fit(X, y) for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(fits[0].coef_, fits[1].coef_)
    assert fits[0].loss_curve_ == fits[1].loss_curve_
    assert fits[0].loss_curve_ != fits[2].loss_curve_
    assert len(fits[0].loss_curve_) == fits[0].n_iter_[0]


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("solver", ["auto", *MINIBATCH])
def test_partial_fit_with_another_solver_takes_its_steps(solver, container):
    X, y = problem()
    other = {"auto": "sgd", "adam": "sgd", "sgd": "adam"}[solver]
    model = SoftmaxRegression(solver=solver, random_state=0)
    model.partial_fit(container(X), y, classes=[0, 1, 2])
    model.set_params(solver=other).partial_fit(container(X), y)
    assert model._stream["optimizer"]["class"].lower() == other
    assert model.score(container(X), y) > 0.5


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("solver", ["auto", *MINIBATCH])
def test_partial_fit_on_chunks_approaches_fit(solver, container):
    X, y = problem(3, 3000)
    optimum = SoftmaxRegression().fit(X, y)
    model = SoftmaxRegression(solver=solver, random_state=0)
    for start in range(0, len(y), 100):
        rows = slice(start, start + 100)
        model.partial_fit(container(X[rows]), y[rows], classes=[0, 1, 2])
    assert objective(model, X, y) <= 1.05 * optimum.objective_
    assert np.abs(model.predict_proba(X) - optimum.predict_proba(X)).mean() < 0.05
    assert model.n_iter_[0] == len(model.loss_curve_) == 30


@pytest.mark.parametrize("solver", MINIBATCH)
def test_partial_fit_on_a_batch_twice_is_one_call_on_it_repeated(solver):
    X, y = problem()
    # without a penalty, as that is shared out over the rows so far
    model = SoftmaxRegression(C=np.inf, solver=solver, batch_size=len(y), shuffle=False)
    twice = clone(model).partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    once = model.partial_fit(np.tile(X, (2, 1)), np.tile(y, 2), classes=[0, 1, 2])
    assert_same_model(twice, once, 1e-12)


@pytest.mark.parametrize("solver", MINIBATCH)
def test_partial_fit_on_all_rows_is_an_epoch_of_fit(solver):
    X, y = problem()
    model = SoftmaxRegression(solver=solver, batch_size=20, random_state=0, max_iter=1)
    model.set_params(learning_rate_init=0.01)  # "auto" is more careful where more rows may come
    with pytest.warns(ConvergenceWarning):
        epoch = clone(model).fit(X, y)
    streamed = model.partial_fit(X, y, classes=[0, 1, 2])
    assert_same_model(streamed, epoch, 1e-12)
    np.testing.assert_allclose(streamed.loss_curve_, epoch.loss_curve_)


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling"])
@pytest.mark.parametrize("solver", MINIBATCH)
def test_partial_fit_continues_after_pickling_as_without(solver, learning_rate):
    X, y = problem()
    model = SoftmaxRegression(solver=solver, learning_rate=learning_rate, random_state=0)
    pickled = clone(model)
    for start in range(0, 150, 30):
        rows = slice(start, start + 30)
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        pickled = pickle.loads(pickle.dumps(pickled))
        pickled.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    np.testing.assert_array_equal(pickled.coef_, model.coef_)
    np.testing.assert_array_equal(pickled.intercept_, model.intercept_)
    assert pickled.loss_curve_ == model.loss_curve_


@pytest.mark.parametrize("solver", FULL_BATCH)
def test_partial_fit_is_unavailable_for_full_batch_solvers(solver):
    model = SoftmaxRegression(solver=solver)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit") as error:
        model.partial_fit(*problem(), classes=[0, 1, 2])
    assert solver in str(error.value.__cause__)
    assert hasattr(model.set_params(solver="sgd"), "partial_fit")


@pytest.mark.parametrize("solver", MINIBATCH)
def test_partial_fit_takes_chunks_of_a_single_class(solver):
    X, y = problem(3, 600)
    order = np.argsort(y, kind="stable")
    model = SoftmaxRegression(solver=solver, random_state=0)
    model.partial_fit(X[order[:100]], y[order[:100]], classes=[2, 0, 1])
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert (model.predict(X) == y[order[0]]).all()
    for _ in range(5):
        model.partial_fit(X, y)
    assert model.score(X, y) > SoftmaxRegression().fit(X, y).score(X, y) - 0.05


@pytest.mark.parametrize("solver", MINIBATCH)
def test_partial_fit_after_fit_stays_near_the_solution(solver):
    X, y = problem(3, 600)
    model = SoftmaxRegression(solver=solver, random_state=0).fit(X, y)
    before = model.objective_
    model.partial_fit(X[:100], y[:100])
    assert objective(model, X, y) <= 1.1 * before


@pytest.mark.parametrize("solver", MINIBATCH)
def test_partial_fit_leaves_no_certificate_of_an_earlier_fit(solver):
    X, y = problem()
    model = SoftmaxRegression(solver=solver, random_state=0, tol=1e-3).fit(X, y)
    stale = model.objective_, model.optimality_gap_
    model.partial_fit(X[:20], 2 - y[:20])
    now = getattr(model, "objective_", None), getattr(model, "optimality_gap_", None)
    assert now[0] != stale[0]
    assert now[1] != stale[1]


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("solver", MINIBATCH)
def test_a_stream_may_begin_with_very_few_rows(solver, first):
    X, y = problem(3, 600)
    model = SoftmaxRegression(solver=solver, random_state=0)
    model.partial_fit(X[:first], y[:first], classes=[0, 1, 2])
    for start in range(first, len(y), 50):
        model.partial_fit(X[start : start + 50], y[start : start + 50])
    assert objective(model, X, y) <= 1.25 * SoftmaxRegression().fit(X, y).objective_


@pytest.mark.parametrize("solver", MINIBATCH)
def test_a_stream_may_come_row_by_row(solver):
    X, y = problem(3, 300)
    model = SoftmaxRegression(solver=solver, random_state=0)
    for row in range(len(y)):
        model.partial_fit(X[row : row + 1], y[row : row + 1], classes=[0, 1, 2])
    assert objective(model, X, y) < len(y) * np.log(3)  # better than not to have learnt at all


@pytest.mark.parametrize("solver", MINIBATCH)
def test_a_column_that_is_constant_at_first_does_not_ruin_a_stream(solver):
    X, y = problem(3, 600)
    X[:50, 0] = 0
    X[50:, 0] *= 100
    model = SoftmaxRegression(solver=solver, random_state=0)
    for start in range(0, len(y), 50):
        rows = slice(start, start + 50)
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert objective(model, X, y) < len(y) * np.log(3)


def test_partial_fit_accepts_the_columns_of_soft_labels_as_classes():
    X, _ = problem()
    P = pd.DataFrame(soft_labels(), columns=["c", "a", "b"])
    labels = np.array(["c", "a", "b"])[P.to_numpy().argmax(axis=1)]
    model = SoftmaxRegression().partial_fit(X, P)
    model.partial_fit(X, labels, classes=["c", "a", "b"])
    np.testing.assert_array_equal(model.classes_, ["a", "b", "c"])


# -- warm starts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsified", [False, True])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("C", [1.0, 100.0, np.inf])
@pytest.mark.parametrize("solver", FULL_BATCH)
def test_warm_start_from_the_solution_is_done_at_once(solver, C, n_classes, sparsified):
    X, y = problem(n_classes)
    model = SoftmaxRegression(C=C, solver=solver, warm_start=True, tol=1e-8).fit(X, y)
    assert model.n_iter_[0] > 3
    coef = model.coef_
    if sparsified:
        model.sparsify()
    model.fit(X, y)
    assert model.n_iter_[0] <= 2
    np.testing.assert_allclose(model.coef_, coef, atol=1e-3)


@pytest.mark.parametrize("solver", MINIBATCH)
def test_warm_start_of_minibatches_begins_at_the_solution(solver):
    X, y = problem()
    model = SoftmaxRegression(solver=solver, warm_start=True, random_state=0).fit(X, y)
    first = model.loss_curve_
    model.set_params(max_iter=1, learning_rate_init=1e-9)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    assert model.loss_curve_[0] < first[0]
    np.testing.assert_allclose(model.loss_curve_[0], first[-1], rtol=0.02)


@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize(("shift", "scale"), [(1000.0, 1.0), (0.0, 1e8), (100.0, 1e-6)])
def test_warm_start_on_other_data_is_no_worse_than_a_cold_one(solver, shift, scale):
    X, y = problem()
    model = SoftmaxRegression(solver=solver, warm_start=True).fit(X, y)
    other = shift + scale * X
    warm = model.fit(other, y).objective_
    assert warm == pytest.approx(clone(model).fit(other, y).objective_, rel=2e-6)


def test_warm_start_after_dropping_the_intercept():
    X, y = problem()
    model = SoftmaxRegression(warm_start=True, tol=1e-12).fit(X, y)
    model.set_params(fit_intercept=False).fit(X, y)
    assert_same_model(model, SoftmaxRegression(fit_intercept=False, tol=1e-12).fit(X, y), 1e-5)


def test_warm_start_refuses_other_classes_or_features():
    X, y = problem()
    model = SoftmaxRegression(warm_start=True).fit(X, y)
    before = {name: pickle.dumps(value) for name, value in vars(model).items()}
    with pytest.raises(ValueError, match=r"warm_start=True .*\[0, 1, 2\].*\['a', 'b', 'c'\]"):
        model.fit(X, np.array(["a", "b", "c"])[y])
    with pytest.raises(ValueError, match=r"warm_start=True .*classes.*\[0, 1\]"):
        model.fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match=r"warm_start=True .* 5 features.* 3 features"):
        model.fit(X[:, :3], y)
    assert {name: pickle.dumps(value) for name, value in vars(model).items()} == before


# -- labels and predictions ------------------------------------------------------------------------


LABELS = {
    "strings": np.array(["b", "a", "long name"]),
    "objects": np.array(["b", "a", "c"], dtype=object),
    "negative integers": np.array([-1, 7, 3]),
    "floats": np.array([2.0, 1.0, 0.0]),
    "uint8": np.array([255, 0, 7], dtype=np.uint8),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_kind(name):
    X, y = problem()
    labels = LABELS[name]
    model = SoftmaxRegression().fit(X, labels[y])
    np.testing.assert_array_equal(model.classes_, np.sort(labels))
    assert model.predict(X).dtype == labels.dtype
    plain = SoftmaxRegression().fit(X, y)
    np.testing.assert_array_equal(model.predict(X), labels[plain.predict(X)])
    assert model.score(X, labels[y]) == plain.score(X, y)


def test_boolean_labels():
    X, y = problem(2)
    model = SoftmaxRegression().fit(X, y == 1)
    assert model.classes_.dtype == bool
    assert model.predict(X).dtype == bool
    np.testing.assert_allclose(model.coef_, SoftmaxRegression().fit(X, y).coef_)


@pytest.mark.parametrize("dtype", ["category", "string", "object", "str"])
@pytest.mark.parametrize("series", [True, False], ids=["Series", "array"])
def test_pandas_labels(dtype, series):
    X, y = problem()
    labels = pd.Series(np.array(["x", "y", "z"])[y], index=np.arange(len(y))[::-1]).astype(dtype)
    model = SoftmaxRegression().fit(X, labels if series else labels.array)
    np.testing.assert_array_equal(model.classes_, ["x", "y", "z"])
    np.testing.assert_allclose(model.coef_, SoftmaxRegression().fit(X, y).coef_)


@pytest.mark.parametrize("columns", [["z", "a", "m"], [3, 1, 2], [1.5, 0.5, 2.5]], ids=str)
def test_columns_of_soft_labels_are_the_classes(columns):
    X, _ = problem()
    P = soft_labels()
    model = SoftmaxRegression().fit(X, pd.DataFrame(P, columns=columns))
    assert model.classes_.tolist() == sorted(columns)
    plain = SoftmaxRegression().fit(X, P)
    order = np.argsort(columns)
    np.testing.assert_allclose(model.coef_, plain.coef_[order], atol=1e-5)
    np.testing.assert_array_equal(model.predict(X), np.array(columns)[plain.predict(X)])


def test_feature_names():
    X, y = problem()
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = SoftmaxRegression().fit(frame, y)
    np.testing.assert_array_equal(model.feature_names_in_, list("abcde"))
    assert model.n_features_in_ == 5
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("edcba")])
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")


def test_two_classes_have_one_score():
    X, y = problem(2)
    model = SoftmaxRegression().fit(X, y)
    assert model.coef_.shape == (1, 5)
    assert model.intercept_.shape == (1,)
    scores = model.decision_function(X)
    assert scores.shape == (150,)
    p = model.predict_proba(X)
    assert p.shape == (150, 2)
    np.testing.assert_allclose(np.log(p[:, 1] / p[:, 0]), scores)
    np.testing.assert_allclose(scores, X @ model.coef_[0] + model.intercept_[0])
    np.testing.assert_array_equal(model.predict(X), scores > 0)


def test_many_classes_have_a_score_each():
    X, y = problem(4)
    model = SoftmaxRegression().fit(X, y)
    assert model.coef_.shape == (4, 5)
    assert model.intercept_.shape == (4,)
    scores = model.decision_function(X)
    np.testing.assert_allclose(scores, X @ model.coef_.T + model.intercept_)
    p = np.exp(scores)
    np.testing.assert_allclose(model.predict_proba(X), p / p.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(model.predict(X), scores.argmax(axis=1))


def test_score_of_soft_labels_is_expected_accuracy():
    X, y = problem()
    P, weight = soft_labels(), np.random.default_rng(0).random(len(y))
    model = SoftmaxRegression().fit(X, y)
    expected = P[np.arange(len(y)), model.predict(X)]
    np.testing.assert_allclose(model.score(X, P), expected.mean())
    np.testing.assert_allclose(
        model.score(X, P, sample_weight=weight), np.average(expected, weights=weight)
    )
    hard = model.score(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.score(X, np.eye(3)[y], sample_weight=weight), hard)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("scale", [1.0, 1e5, 1e300])
def test_log_probabilities_are_finite_on_extreme_rows(scale, n_classes):
    X, y = problem(n_classes)
    model = SoftmaxRegression().fit(X, y)
    p, log_p = model.predict_proba(scale * X), model.predict_log_proba(scale * X)
    assert np.isfinite(log_p).all()
    assert (p > 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(log_p), p, rtol=1e-9)


def test_log_probabilities_are_exact_where_the_probability_rounds_to_one():
    X, y = problem(2)
    model = SoftmaxRegression().fit(X, y)
    row = 60 * model.coef_ / np.square(model.coef_).sum()
    score = model.decision_function(row)[0]
    np.testing.assert_allclose(model.predict_log_proba(row)[0, 1], -np.exp(-score))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_sparsify_and_densify_keep_predictions(n_classes, container):
    X, y = problem(n_classes)
    model = SoftmaxRegression().fit(X, y)
    X = container(X)
    p, scores = model.predict_proba(X), model.decision_function(X)
    assert sparse.issparse(model.sparsify().coef_)
    np.testing.assert_allclose(model.predict_proba(X), p)
    np.testing.assert_allclose(model.decision_function(X), scores)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(again.predict_proba(X), p)
    assert isinstance(model.densify().coef_, np.ndarray)
    np.testing.assert_allclose(model.predict_proba(X), p)


def test_partial_fit_goes_on_from_sparsified_coefficients():
    X, y = problem()
    model = SoftmaxRegression(random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    sparsified = pickle.loads(pickle.dumps(model)).sparsify()
    np.testing.assert_array_equal(sparsified.partial_fit(X, y).coef_, model.partial_fit(X, y).coef_)


# -- warnings and progress -------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_run_cut_short_names_solver_gap_and_remedy(solver):
    model = SoftmaxRegression(solver=solver, max_iter=1)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(*problem())
    assert len(caught) == 1
    message = str(caught[0].message)
    gap = f"{model.optimality_gap_:.1e}" if model.optimality_gap_ < 1 else "is not known"
    for part in (f"solver='{solver}'", gap, "tol=1e-06", "max_iter"):
        assert part in message
    assert model.n_iter_[0] == 1
    assert model.optimality_gap_ > 1e-6


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by a second whenever somebody looks at it."""
    for module in (_minibatch, _time_limit):
        seconds = itertools.count()
        monkeypatch.setattr(module, "monotonic", lambda seconds=seconds: float(next(seconds)))


TIMED = [
    *(SoftmaxRegression(solver=solver, random_state=0) for solver in SOLVERS),
    SoftmaxRegression(C=np.inf),
    SoftmaxRegression(l1_ratio=0.5),
    *(SoftmaxRegression(bounds=(-1, 1), solver=s) for s in ("newton-cholesky", "lbfgs")),
]


@pytest.mark.parametrize("model", TIMED, ids=str)
def test_no_iteration_begins_when_the_time_is_up(model, clock):
    X, y = problem()
    timed = clone(model).set_params(max_time=2.0, tol=1e-14)
    with pytest.warns(ConvergenceWarning) as caught:
        timed.fit(X, y)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "stopped after 2 iterations because it used up its time (max_time)" in message
    assert "tol=1e-14. Raise max_time or tol." in message
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        counted = clone(model).set_params(max_iter=2, tol=1e-14).fit(X, y)
    np.testing.assert_array_equal(timed.coef_, counted.coef_)
    assert timed.loss_curve_ == counted.loss_curve_
    assert (timed.objective_, timed.optimality_gap_) == (
        counted.objective_,
        counted.optimality_gap_,
    )


@pytest.mark.parametrize("model", TIMED, ids=str)
def test_a_run_with_time_to_spare_is_as_without_a_limit(model):
    X, y = problem()
    model.set_params(tol=1e-3)
    timed = clone(model).set_params(max_time=1e9).fit(X, y)
    np.testing.assert_array_equal(timed.coef_, clone(model).fit(X, y).coef_)


def test_a_warning_points_at_the_line_that_called_fit():
    with pytest.warns(ConvergenceWarning) as caught:
        SoftmaxRegression(max_iter=1).fit(*problem())
    assert caught[0].filename == __file__


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("solver", FULL_BATCH)
def test_separable_data_without_penalty_says_to_set_c(solver, fit_intercept, n_classes):
    centers = [[0, 9], [9, -9], [-9, -9]][:n_classes]
    X, y = make_blobs(60, centers=centers, random_state=0)
    model = SoftmaxRegression(C=np.inf, solver=solver, fit_intercept=fit_intercept)
    with pytest.warns(ConvergenceWarning, match="or C to a finite value"):
        model.fit(X, y)
    assert model.score(X, y) == 1
    assert np.isfinite(model.predict_log_proba(X)).all()


@pytest.mark.parametrize("solver", FULL_BATCH)
def test_data_separated_in_part_converge_without_penalty(solver):
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="quasi-complete separation"):
        model = SoftmaxRegression(C=np.inf, solver=solver).fit(X, y)
    np.testing.assert_allclose(model.objective_, 5.949274, rtol=1e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_verbose_prints_a_line_for_each_iteration(solver, capsys):
    X, y = problem()
    model = SoftmaxRegression(solver=solver, verbose=1, tol=1e-3, random_state=0).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_[0]
    for number, (line, loss) in enumerate(zip(lines, model.loss_curve_, strict=True), start=1):
        assert line.startswith("SoftmaxRegression ")
        assert f" {number}:" in line
        shown = float(line.split("loss ")[1].split(",")[0])
        assert shown == pytest.approx(loss, abs=1e-6)
    model.set_params(verbose=False).fit(X, y)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_class_of_zero_weight_stays_and_gets_a_tiny_probability(solver, C):
    X, y = problem()
    weight = np.where(y == 1, 0.0, 1.0)
    model = SoftmaxRegression(C=C, solver=solver, random_state=0).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    p = model.predict_proba(X)
    assert p[:, 1].max() < (1e-4 if solver in FULL_BATCH else 0.05)
    kept = weight > 0
    two = SoftmaxRegression(C=2 * C, tol=1e-9).fit(X[kept], y[kept])
    if solver in FULL_BATCH:  # two scores share the penalty that one has alone
        np.testing.assert_allclose(p[:, [0, 2]], two.predict_proba(X), atol=5e-3)


@pytest.mark.parametrize("epochs", [1, 3])
def test_an_interrupted_run_keeps_what_it_has(epochs, monkeypatch):
    run_epoch, calls = _minibatch.run_epoch, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) > epochs:
            raise KeyboardInterrupt
        return run_epoch(*args)

    monkeypatch.setattr(_minibatch, "run_epoch", interrupted)
    model = SoftmaxRegression(solver="sgd", random_state=0)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        model.fit(*problem())
    assert model.n_iter_[0] == epochs
    assert np.isfinite(model.coef_).all()


def test_an_interrupt_before_there_is_anything_to_keep_changes_nothing(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(_minibatch, "run_epoch", interrupted)
    model = SoftmaxRegression(solver="sgd", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*problem())
    assert not hasattr(model, "classes_")


def test_numpy_scalars_as_parameters():
    X, y = problem()
    params = {"C": np.float32(0.5), "tol": np.float64(1e-9), "max_iter": np.int64(500)}
    model = SoftmaxRegression(**params).fit(X, y)
    assert_same_model(model, SoftmaxRegression(C=0.5, tol=1e-9).fit(X, y), 1e-6)


# -- where rounding would mislead ------------------------------------------------------------------


def test_a_start_where_no_row_has_curvature_is_not_called_a_minimum():
    X, y = problem()
    y = (y > 0).astype(int)
    model = SoftmaxRegression(C=np.inf, solver="newton-cg", warm_start=True, max_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
        best = model.objective_
        model.coef_ = np.full_like(model.coef_, -1e5)
        model.fit(X, y)
    assert model.optimality_gap_ > 0.1 or model.objective_ < 1.01 * best


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_narrow_column_far_from_zero_is_no_constant(dtype):
    rng = np.random.default_rng(0)
    year = rng.integers(1990, 2011, 500)
    y = (year + rng.normal(scale=3, size=500) > 2000).astype(int)
    X = np.column_stack([year, rng.normal(size=500)]).astype(dtype)
    model = SoftmaxRegression(solver="lbfgs", tol=1e-5).fit(X, y)
    assert model.n_iter_[0] <= 15
    assert model.score(X, y) > 0.85


@pytest.mark.parametrize("solver", MINIBATCH)
def test_weights_count_in_a_stream_of_single_rows(solver):
    X, y = problem()
    model = SoftmaxRegression(solver=solver, random_state=0)
    heavy = clone(model).set_params(class_weight={0: 20.0})
    for row in range(len(X)):
        for estimator in (model, heavy):
            estimator.partial_fit(X[row : row + 1], y[row : row + 1], classes=[0, 1, 2])
    assert heavy.predict_proba(X)[:, 0].mean() > model.predict_proba(X)[:, 0].mean() + 0.1


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_that_overflow_are_certain_as_in_softmax(n_classes):
    X = np.arange(12.0).reshape(6, 2)
    model = SoftmaxRegression().fit(X, np.arange(6) % n_classes)
    model.coef_ = np.linspace(-1, 1, model.coef_.size).reshape(model.coef_.shape) * 1e308
    with np.errstate(over="ignore", invalid="ignore"):
        scores = model.decision_function(X[3:])
        full = np.column_stack([np.zeros(3), scores]) if n_classes == 2 else scores
        assert np.isinf(full).any()
        p = model.predict_proba(X[3:])
    np.testing.assert_allclose(p, softmax(full), atol=1e-300)


@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("max_iter", [1, 2, 3])
def test_never_more_iterations_than_allowed(C, max_iter):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(200, 4)), rng.integers(0, 3, 200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SoftmaxRegression(C=C, max_iter=max_iter).fit(X, y)
    assert model.n_iter_[0] == len(model.loss_curve_) <= max_iter
