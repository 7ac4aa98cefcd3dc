"""float32 data: objective and gap are those of the rounded `coef_` and `intercept_`, and
predictions are as precise as float32, however far from 0 the features are.
"""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV, softmax_path
from softmax_regression._data.make import as_design
from softmax_regression._data.precision import in_needed_precision
from softmax_regression._problems import smooth as _full_batch

OFFSETS = [0.0, 1e3, 1e5, 1e6]


def problem(offset, n_classes=3, n_rows=200, n_features=3):
    """Rows in float32 that lie far from 0, and labels drawn from a softmax model."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features))
    scores = X @ rng.normal(size=(n_features, n_classes))
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    return (X + offset).astype(np.float32), y


def exact_scores(X, coef, intercept):
    """Scores in the highest precision there is, a column for each class."""
    wide = [np.asarray(a).astype(np.longdouble) for a in (X, coef, intercept)]
    scores = wide[0] @ wide[1].T + wide[2]
    if scores.shape[1] == 1:
        scores = np.column_stack([np.zeros_like(scores), scores])
    return (scores - scores.max(axis=1, keepdims=True)).astype(np.float64)


def exact_objective(X, y, coef, intercept, C=1.0, l1_ratio=0.0):
    """What the docstring of `SoftmaxRegression` says is minimised."""
    log_p = log_softmax(exact_scores(X, coef, intercept), axis=1)[np.arange(len(y)), y]
    if np.isinf(C):
        return -log_p.sum()
    coef = coef.astype(np.float64)
    penalty = (1 - l1_ratio) / 2 * np.square(coef).sum() + l1_ratio * np.abs(coef).sum()
    return -C * log_p.sum() + penalty


def fitted(model, X, y):
    """Fit it, and return it and whether a warning named float64 as the remedy."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert all(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    return model, any("Pass X as float64" in str(warning.message) for warning in caught)


# -- the certificate -------------------------------------------------------------------------------

MODELS = {
    "newton-cholesky": {},
    "newton-cg": {"solver": "newton-cg"},
    "lbfgs": {"solver": "lbfgs"},
    "adam": {"solver": "adam", "random_state": 0, "max_iter": 30},
    "no penalty": {"C": np.inf},
    "elastic net": {"l1_ratio": 0.5},
    "bounds": {"bounds": (-0.5, 0.5)},
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("name", MODELS)
def test_objective_is_that_of_the_rounded_model(name, offset, n_classes, streamed, monkeypatch):
    if streamed:
        monkeypatch.setattr(_full_batch, "is_small", lambda design: False)
    X, y = problem(offset, n_classes)
    model, _ = fitted(SoftmaxRegression(**MODELS[name]), X, y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    how = {"C": model.C, "l1_ratio": model.l1_ratio}
    expected = exact_objective(X, y, model.coef_, model.intercept_, **how)
    np.testing.assert_allclose(model.objective_, expected, rtol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("C", [1.0, 100.0])
def test_the_gap_holds_for_the_rounded_model(C, offset, n_classes):
    X, y = problem(offset, n_classes)
    model, told = fitted(SoftmaxRegression(C=C), X, y)
    wide = X.astype(np.float64)
    other = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12)
    other.fit(wide - wide.mean(axis=0), y)
    minimum = exact_objective(wide - wide.mean(axis=0), y, other.coef_, other.intercept_, C)
    assert model.objective_ * (1 - model.optimality_gap_) <= minimum * (1 + 1e-9)
    assert told == (model.optimality_gap_ > model.tol)


def test_the_intercept_is_that_of_the_rounded_coefficients():
    # Rounding a coefficient moves all scores by 1e-7 of 1e5; the intercept, near 0, mends that.
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 6)).astype(np.float32)
    X = np.column_stack([1e5 + z, 1e5 / 0.7 - 0.7 * z]).astype(np.float32)
    y = (z.sum(axis=1) + rng.logistic(size=300) > 0).astype(int)
    model, told = fitted(SoftmaxRegression(), X, y)
    assert not told
    assert model.optimality_gap_ <= 1e-6
    scores = exact_scores(X, model.coef_, model.intercept_)
    in_float64 = SoftmaxRegression().fit(X.astype(np.float64), y)
    expected = exact_scores(X, in_float64.coef_, in_float64.intercept_)
    np.testing.assert_allclose(scores, expected, atol=2e-3)


def test_the_warning_names_cause_and_remedy():
    X, y = problem(1e6)
    with pytest.warns(ConvergenceWarning, match="rounded to the precision of X") as caught:
        model = SoftmaxRegression().fit(X, y)
    message = str(caught[0].message)
    assert "Pass X as float64, or subtract from each feature its mean" in message
    assert f"{model.optimality_gap_:.1e}" in message
    assert f"{model.objective_:.6g}" in message
    SoftmaxRegression().fit(X.astype(np.float64), y)
    SoftmaxRegression().fit(X - X.mean(axis=0), y)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("offset", OFFSETS)
def test_a_path_holds_what_it_certifies(offset, l1_ratio):
    X, y = problem(offset)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = softmax_path(X, y, Cs=[0.1, 1.0, 10.0], l1_ratio=l1_ratio)
    assert path.coefs.dtype == path.intercepts.dtype == np.float32
    for C, coef, intercept, value in zip(
        path.Cs, path.coefs, path.intercepts, path.objectives, strict=True
    ):
        expected = exact_objective(X, y, coef, intercept, C, l1_ratio)
        np.testing.assert_allclose(value, expected, rtol=1e-10)
    told = any("Pass X as float64" in str(warning.message) for warning in caught)
    assert told == (path.optimality_gaps.max() > 1e-6)


@pytest.mark.parametrize("cv", [3, "loo"])
@pytest.mark.parametrize("n_features", [3, 60])
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_a_search_holds_what_it_certifies(offset, n_features, cv):
    X, y = problem(offset, n_rows=30 if n_features == 60 else 100, n_features=n_features)
    model, _ = fitted(SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=cv), X, y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    expected = exact_objective(X, y, model.coef_, model.intercept_, model.C_)
    np.testing.assert_allclose(model.objective_, expected, rtol=1e-10)


def test_coefficients_too_large_for_float32_are_refused():
    X, y = problem(0.0)
    X[:, 1] *= np.float32(1e-39)
    with pytest.raises(ValueError, match=r"column 1 of X, up to .*e\+3[89], .* float32"):
        SoftmaxRegression(C=np.inf).fit(X, y)
    with pytest.raises(ValueError, match="column 1 that its weights overflow float32"):
        SmallMLP((4,), random_state=0).fit(X, y)


# -- predictions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("offset", OFFSETS)
def test_probabilities_keep_the_digits_of_float32(offset, n_classes, container):
    X, y = problem(offset, n_classes)
    model, _ = fitted(SoftmaxRegression(), X, y)
    p = model.predict_proba(container(X))
    assert p.dtype == np.float32
    expected = softmax(exact_scores(X, model.coef_, model.intercept_), axis=1)
    np.testing.assert_allclose(p, expected, atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X[:1]), expected[:1], atol=1e-6)
    model.sparsify()
    np.testing.assert_allclose(model.predict_proba(container(X)), expected, atol=1e-6)


@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)])
@pytest.mark.parametrize("offset", OFFSETS)
def test_networks_keep_the_digits_of_float32(offset, hidden):
    X, y = problem(offset)
    model = SmallMLP(
        hidden, activation="tanh", solver="adam", max_iter=20, random_state=0, tol=1e-2
    )
    model, _ = fitted(model, X, y)
    units = X.astype(np.float64)
    for weights, intercepts in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        units = np.tanh(units @ weights.astype(np.float64) + intercepts)
    scores = units @ model.coefs_[-1].astype(np.float64) + model.intercepts_[-1]
    p = model.predict_proba(X)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, softmax(scores, axis=1), atol=1e-6)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_float64_is_taken_only_where_float32_loses_digits(container):
    X, _ = problem(0.0)
    coef = np.float32([[1.0, -2.0, 1.0], [0.5, 0.0, -0.5]])
    near, far = as_design(container(X)), as_design(container(X + np.float32(1e4)))
    assert in_needed_precision(near, coef) is near
    assert in_needed_precision(far, coef).X.dtype == np.float64
    assert in_needed_precision(far, coef * np.float32(1e-4)) is far
    assert in_needed_precision(far, coef.astype(np.float64)) is far  # its products are in float64


# -- weights and copies ----------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["newton-cholesky", "newton-cg", "lbfgs"])
@pytest.mark.parametrize("decades", [30, 60, 100])
def test_weights_below_the_range_of_float32_count(decades, solver):
    """Rows of one weight, and so far from them that they are told apart, rows of another one."""
    X, y = problem(0.0, n_rows=120)
    far = (np.arange(30)[:, None] % 3 + 100 + np.zeros((1, 3))).astype(np.float32)
    all_rows = np.vstack([X, far])
    labels = np.r_[y, np.full(30, 3)]
    weight = np.r_[np.ones(120), np.full(30, 10.0**decades)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SoftmaxRegression(C=1.0, solver=solver).fit(all_rows, labels, weight)
    scores = exact_scores(all_rows, model.coef_, model.intercept_)
    losses = -log_softmax(scores, axis=1)[np.arange(150), labels]
    # The heavy rows are right beyond doubt; what is left is the loss of the others.
    ridge = 0.5 * np.square(model.coef_.astype(np.float64)).sum()
    assert losses[:120].sum() + ridge <= model.objective_ * (1 + 1e-3)
    assert model.objective_ > 1


@pytest.mark.parametrize("offset", [0.0, 1e2])
def test_copies_in_other_units_are_no_doubt(offset):
    X, y = problem(offset)
    X = X.astype(np.float64)
    twice = np.hstack([X, X[:, :2] * 2.54, X[:, 2:] / 3600])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SoftmaxRegression(C=np.inf).fit(twice, y)
        alone = SoftmaxRegression(C=np.inf).fit(X, y)
    np.testing.assert_allclose(model.objective_, alone.objective_, rtol=1e-6)
    assert model.optimality_gap_ <= model.tol


def test_near_copies_leave_the_minimum_in_doubt():
    """Their differences, 1e-10, decide where the minimum is: squares of them are lost."""
    X, y = problem(0.0)
    X = X.astype(np.float64)
    noise = np.random.default_rng(1).normal(size=X.shape)
    near = np.hstack([X, X + 1e-10 * noise])
    with pytest.warns(ConvergenceWarning, match="combinations of each other but for their last"):
        model = SoftmaxRegression(C=np.inf).fit(near, y)
    better = SoftmaxRegression(C=np.inf).fit(np.hstack([X, noise]), y).objective_
    assert better < model.objective_ * (1 - 1e-3)
    assert model.objective_ * (1 - model.optimality_gap_) <= better
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SoftmaxRegression(C=1.0).fit(near, y)  # A penalty decides instead.
