"""`prior_mean`: coefficients towards which the penalty shrinks."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from zoo import labelled_rows, written_out_minimum

from softmax_regression import SoftmaxRegression, SoftmaxRegressionCV, softmax_path
from softmax_regression.inference import infer

ROWS = {"dense": np.asarray, "sparse": csr_array}
SOLVERS = ["newton-cholesky", "newton-cg", "lbfgs"]
WEIGHTS = np.array([0.0, 0.3, 1.0, 4.0, 2.0])


def problem(n_columns=5, n_classes=3, **shape):
    X, y, rng = labelled_rows(n_columns=n_columns, n_classes=n_classes, **shape)
    return X, y, rng.normal(size=(1 if n_classes == 2 else n_classes, n_columns))


def minimum(X, y, prior, C, weights):
    """The least C Σ CE + ½ Σ v_j ‖W_:j − M_:j‖²."""
    return written_out_minimum(X, y, C, weights, centre=prior)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weights", [np.ones(5), WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_optimum_is_that_of_the_objective_written_out(solver, weights, n_classes, rows):
    X, y, prior = problem(n_classes=n_classes)
    known = minimum(X, y, prior, 0.1, weights)
    model = SoftmaxRegression(
        C=0.1, prior_mean=prior, penalty_weights=weights, solver=solver, tol=1e-10
    ).fit(ROWS[rows](X), y)
    assert model.optimality_gap_ <= 1e-10
    assert model.objective_ == pytest.approx(known.fun, rel=1e-9)
    W = known.x.reshape(len(prior), -1)[:, :-1]
    np.testing.assert_allclose(model.coef_, W, atol=1e-3)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("how", [{}, {"l1_ratio": 0.5}, {"l1_ratio": 1.0}], ids=str)
def test_it_is_an_offset_and_comes_back(how, n_classes):
    X, y, prior = problem(n_classes=n_classes)
    model = SoftmaxRegression(C=0.1, prior_mean=prior, tol=1e-10, **how).fit(X, y)
    plain = SoftmaxRegression(C=0.1, tol=1e-10, **how).fit(X, y, offset=X @ prior.T)
    np.testing.assert_allclose(model.coef_ - prior, plain.coef_, atol=1e-4)
    assert model.objective_ == pytest.approx(plain.objective_, rel=1e-9)
    ours, theirs = model.predict_proba(X), plain.predict_proba(X, offset=X @ prior.T)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    if how:
        assert (model.coef_ == prior).any()  # what is not worth a change is none
    offset = np.random.default_rng(3).normal(size=(len(X), len(prior)))
    both = SoftmaxRegression(C=0.1, prior_mean=prior, tol=1e-10, **how)
    both.fit(X, y, offset=offset)
    plain.fit(X, y, offset=offset + X @ prior.T)
    np.testing.assert_allclose(both.coef_ - prior, plain.coef_, atol=1e-4)


def test_limits():
    """A strong penalty leaves the prior mean, and none forgets it."""
    X, y, prior = problem(n_rows=150)
    strong = SoftmaxRegression(C=1e-8, prior_mean=prior).fit(X, y)
    np.testing.assert_allclose(strong.coef_, prior, atol=1e-4)
    none = SoftmaxRegression(C=np.inf, prior_mean=prior, tol=1e-11).fit(X, y)
    plain = SoftmaxRegression(C=np.inf, tol=1e-11).fit(X, y)
    np.testing.assert_allclose(none.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    shared = SoftmaxRegression(prior_mean=np.arange(5.0), tol=1e-11).fit(X, y)
    default = SoftmaxRegression(tol=1e-11).fit(X, y)
    np.testing.assert_allclose(shared.coef_ - np.arange(5.0), default.coef_, atol=1e-5)
    # Begun from what a weaker penalty leads to, a strong one costs less of the likelihood.
    losses = [
        -model.fit(X, y).predict_log_proba(X)[np.arange(len(y)), y].sum()
        for model in (
            SoftmaxRegression(C=0.1, prior_mean=default.coef_),
            SoftmaxRegression(C=0.1),
        )
    ]
    assert losses[0] < losses[1]
    zeros = SoftmaxRegression(prior_mean=np.zeros((3, 5)), tol=1e-11).fit(X, y)
    np.testing.assert_allclose(zeros.coef_, default.coef_, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_more_columns_than_rows(solver):
    X, y, prior = problem(n_rows=40, n_columns=100)
    known = minimum(X, y, prior, 0.01, np.ones(100))
    model = SoftmaxRegression(C=0.01, prior_mean=prior, solver=solver, tol=1e-9).fit(X, y)
    assert model.objective_ == pytest.approx(known.fun, rel=1e-8)
    np.testing.assert_allclose(model.coef_, known.x.reshape(3, -1)[:, :-1], atol=1e-4)


@pytest.mark.parametrize("solver", ["newton-cholesky", "lbfgs"])
def test_bounds_are_those_of_the_coefficients(solver):
    X, y, prior = problem()
    bounds = (-0.3, 0.5)
    model = SoftmaxRegression(prior_mean=prior, bounds=bounds, solver=solver, tol=1e-9).fit(X, y)
    assert model.optimality_gap_ <= 1e-9
    assert model.coef_.min() == -0.3
    assert model.coef_.max() == 0.5
    slopes = (model.predict_proba(X) - np.eye(3)[y]).T @ X + model.coef_ - prior
    inside = (model.coef_ > -0.3) & (model.coef_ < 0.5)
    assert np.abs(slopes[inside]).max(initial=0) < 1e-3
    two = SoftmaxRegression(prior_mean=prior, bounds=bounds, solver=solver)
    two.fit(X, y, sample_weight=y != 2)
    assert ((two.coef_ >= -0.3) & (two.coef_ <= 0.5)).all()
    np.testing.assert_array_equal(two.coef_[2], np.clip(prior[2], -0.3, 0.5))
    left = 0.5 * np.square(two.coef_[2] - prior[2]).sum()
    assert two.objective_ > left


def test_warm_starts_streams_and_float32():
    X, y, prior = problem(n_rows=300)
    exact = SoftmaxRegression(prior_mean=prior, tol=1e-9).fit(X, y)
    warm = clone(exact).set_params(warm_start=True).fit(X, y)
    assert warm.fit(X, y).n_iter_[0] == 0
    np.testing.assert_allclose(warm.coef_, exact.coef_, atol=1e-6)
    single = SoftmaxRegression(prior_mean=prior).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    assert single.objective_ == pytest.approx(exact.objective_, rel=2e-6)
    stream = SoftmaxRegression(prior_mean=prior, C=1e-6, random_state=0)
    for _ in range(3):
        stream.partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_allclose(stream.coef_, prior, atol=0.1)
    for solver in ("sgd", "adam"):
        near = SoftmaxRegression(prior_mean=prior, solver=solver, random_state=0).fit(X, y)
        assert near.objective_ / exact.objective_ - 1 <= near.optimality_gap_ <= 1e-2


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_paths_and_searches_are_fits_one_by_one(n_classes, l1_ratio):
    X, y, prior = problem(n_classes=n_classes)
    how = {"prior_mean": prior, "tol": 1e-10}
    train, test = np.arange(0, 40), np.arange(40, 60)
    path = softmax_path(X, y, Cs=[0.01, 0.1], l1_ratio=l1_ratio, **how)
    search = SoftmaxRegressionCV(
        Cs=[0.01, 0.1], l1_ratios=(l1_ratio,), cv=[(train, test)], scoring="accuracy", **how
    ).fit(X, y)
    for i, C in enumerate([0.01, 0.1]):
        model = SoftmaxRegression(C=C, l1_ratio=l1_ratio, **how).fit(X, y)
        np.testing.assert_allclose(path.coefs[i], model.coef_, atol=1e-4)
        assert path.objectives[i] == pytest.approx(model.objective_, rel=1e-9)
        if C == search.C_:
            np.testing.assert_allclose(search.coef_, model.coef_, atol=1e-4)
        model.fit(X[train], y[train])
        np.testing.assert_allclose(search.coefs_paths_[0, 0, i][:, :-1], model.coef_, atol=1e-4)
        assert search.scores_[0, 0, i] == model.score(X[test], y[test])
    averaged = clone(search).set_params(refit=False).fit(X, y)
    best = int(search.scores_[0, 0].argmax())
    np.testing.assert_allclose(averaged.coef_, search.coefs_paths_[0, 0, best][:, :-1], atol=1e-4)
    if l1_ratio == 0:
        SoftmaxRegressionCV(Cs=[0.1], cv="loo", **how).fit(X, y)


def test_what_makes_no_sense_is_refused():
    X, y, prior = problem()
    for bad, message in (
        (prior.T, r"shape \(5, 3\)"),
        (np.ones(4), r"shape \(4,\)"),
        (np.full((3, 5), np.nan), "contains NaN"),
        ([["a"] * 5] * 3, "must hold numbers"),
        (np.full((3, 5), 1e308), "overflows"),
    ):
        for model in (SoftmaxRegression(prior_mean=bad), SoftmaxRegressionCV(prior_mean=bad)):
            with pytest.raises(ValueError, match=f"prior_mean.*{message}"):
                model.fit(X, y)
            assert not hasattr(model, "classes_")
        with pytest.raises(ValueError, match=f"prior_mean.*{message}"):
            softmax_path(X, y, prior_mean=bad)
    fitted = pickle.loads(pickle.dumps(SoftmaxRegression(prior_mean=prior).fit(X, y)))
    with pytest.raises(ValueError, match=r"prior_mean=None and offset=X @ prior_mean.T"):
        infer(fitted, X, y)
