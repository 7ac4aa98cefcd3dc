"""`SoftmaxRegression(bias_reduction="firth")`: the estimate, compared with other software."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from softmax_regression import SoftmaxRegression
from softmax_regression._curvature import bias_reduced
from softmax_regression._objectives.linear import one_block
from softmax_regression._problems import bias_reduced as problem


def firth(**params):
    return SoftmaxRegression(C=np.inf, bias_reduction="firth", **params)


def table(n_classes=3, n_rows=80, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal([0, 5, -2], size=(n_rows, 3))
    scores = X @ rng.normal(size=(3, n_classes)) + rng.gumbel(size=(n_rows, n_classes))
    y = scores.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y


def differences(model):
    """Return coefficients and intercepts against the first class."""
    whole = np.column_stack([model.coef_, model.intercept_])
    return whole[1:] - whole[0] if len(whole) > 1 else whole


def test_two_by_two_tables_get_half_an_observation_more_in_each_cell():
    """What Jeffreys' prior is known to do to a saturated model."""
    counts = np.array([[7.0, 3.0], [0.0, 12.0]])  # of y = 0 and 1, for x = 0 and 1
    X, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 1, 0, 1])
    model = firth().fit(X, y, sample_weight=counts.ravel())
    odds = np.log((counts[:, 1] + 0.5) / (counts[:, 0] + 0.5))
    np.testing.assert_allclose(model.intercept_[0], odds[0], rtol=1e-6)
    np.testing.assert_allclose(model.coef_[0, 0], odds[1] - odds[0], rtol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_complete_separation_has_a_finite_estimate(n_classes):
    X = np.arange(4.0 * n_classes)[:, None]
    y = np.repeat(np.arange(n_classes), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = firth().fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert np.abs(model.coef_).max() < 10
    assert model.score(X, y) == 1.0
    assert model.optimality_gap_ <= 1e-6


@pytest.mark.parametrize("n_classes", [2, 4])
def test_another_start_leads_to_the_same_place(n_classes):
    X, y = table(n_classes)
    model = firth(tol=1e-8).fit(X, y)
    other = firth(tol=1e-8, warm_start=True).fit(X, np.random.default_rng(1).permutation(y))
    other.fit(X, y)
    np.testing.assert_allclose(differences(other), differences(model), rtol=1e-6, atol=1e-7)


def test_the_tolerance_is_left_far_behind():
    X, y = load_iris(return_X_y=True)
    loose, tight = firth().fit(X, y), firth(tol=1e-8).fit(X, y)
    np.testing.assert_allclose(differences(loose), differences(tight), rtol=1e-4)
    assert loose.optimality_gap_ <= 1e-10
    assert loose.objective_ == pytest.approx(tight.objective_, rel=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_units_of_columns_change_nothing(n_classes):
    X, y = table(n_classes)
    units, shift = np.array([1e-3, 20.0, 1e5]), np.array([1.0, -30.0, 1e5])
    model, other = firth().fit(X, y), firth().fit(X * units + shift, y)
    np.testing.assert_allclose(other.coef_ * units, model.coef_, rtol=1e-4, atol=1e-6)
    assert other.objective_ == pytest.approx(model.objective_, rel=1e-9)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_order_of_classes_changes_nothing(n_classes):
    X, y = table(n_classes)
    model, other = firth().fit(X, y), firth().fit(X, n_classes - 1 - y)
    flipped = other.predict_proba(X)[:, ::-1]
    np.testing.assert_allclose(flipped, model.predict_proba(X), atol=1e-7)
    assert other.objective_ == pytest.approx(model.objective_, rel=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_weights_count_rows(n_classes, fit_intercept):
    X, y = table(n_classes)
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    how = {"fit_intercept": fit_intercept, "tol": 1e-8}
    weighted = firth(**how).fit(X, y, sample_weight=counts)
    repeated = firth(**how).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6, atol=1e-7)
    assert weighted.objective_ == pytest.approx(repeated.objective_, rel=1e-9)


def test_a_weight_of_two_is_not_that_of_one():
    """The prior is fixed: it matters less beside more rows, unlike in a mean."""
    X, y = table()
    once, twice = firth().fit(X, y), firth().fit(X, y, sample_weight=np.full(len(y), 2.0))
    assert np.abs(twice.coef_).sum() > 1.001 * np.abs(once.coef_).sum()


def test_class_probabilities_are_rows_of_their_weight():
    X, y = table()
    soft = 0.75 * np.eye(3)[y] + 0.25 * np.eye(3)[(y + 1) % 3]
    model = firth(tol=1e-8).fit(X, soft)
    weight = np.repeat([0.75, 0.25], len(y))
    both = np.append(y, (y + 1) % 3)
    other = firth(tol=1e-8).fit(np.vstack([X, X]), both, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["float32", "sparse", "many blocks"])
def test_other_storages_have_the_same_estimate(kind, monkeypatch):
    X, y = table(n_rows=300)
    model = firth().fit(X, y)
    if kind == "many blocks":
        monkeypatch.setattr(one_block, "_COPIED_BYTES", 0)
        monkeypatch.setattr(bias_reduced, "_UPDATE_VALUES", 1 << 10)
    rows = {"float32": X.astype(np.float32), "sparse": csr_array(X)}.get(kind, X)
    other = firth().fit(rows, y)
    np.testing.assert_allclose(other.coef_, model.coef_, rtol=1e-4, atol=1e-5)
    assert other.coef_.dtype == rows.dtype
    assert other.optimality_gap_ <= 1e-6


def test_classes_without_weight_are_left_out():
    X, y = table()
    weight = (y != 1).astype(float)
    model = firth(tol=1e-8).fit(X, y, sample_weight=weight)
    without = firth(tol=1e-8).fit(X[y != 1], y[y != 1])
    log_odds = model.coef_[2] - model.coef_[0]
    np.testing.assert_allclose(log_odds, without.coef_[0], rtol=1e-6)
    assert model.predict_proba(X)[:, 1].max() < 1e-10
    alone = firth().fit(X, y, sample_weight=(y == 1).astype(float))
    assert (alone.predict(X) == 1).all()
    assert alone.objective_ == 0


def test_large_samples_have_the_maximum_likelihood_estimate():
    X, y = table(n_rows=20000)
    model, plain = firth().fit(X, y), SoftmaxRegression(C=np.inf, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=5e-3)
    assert np.abs(model.coef_ - plain.coef_).max() > 1e-4


def test_too_few_iterations_are_reported():
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="Raise max_iter"):
        firth(max_iter=2).fit(X, y)


REFUSED = {
    "C": ({"C": 1.0}, "C=1.0 penalises it: set C=inf"),
    "l1_ratio": ({"l1_ratio": 0.5}, "l1_ratio=0.5: set l1_ratio=0"),
    "bounds": ({"bounds": (0, None)}, "set bounds=None"),
    "newton-cg": ({"solver": "newton-cg"}, "solver='newton-cg' does not .* 'newton-cholesky'"),
    "adam": ({"solver": "adam"}, "solver='adam' does not"),
    "name": ({"bias_reduction": "jeffreys"}, "'bias_reduction' parameter"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_together_is_refused(case):
    params, message = REFUSED[case]
    X, y = table()
    model = firth()
    model.set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "classes_")


def collinear(X):
    return np.column_stack([X, X[:, 0] - 2 * X[:, 2]])


SINGULAR = {
    "collinear": (collinear, {}, "columns 0, 2, 3 of X are collinear beside the intercept"),
    "constant": (lambda X: np.insert(X, 1, 7.0, axis=1), {}, "column 1 of X is constant"),
    "zero": (lambda X: X * [1, 0, 1], {"fit_intercept": False}, "column 1 of X holds zeros alone"),
    "wide": (lambda X: np.random.default_rng(0).normal(size=(len(X), 90)), {}, "are collinear"),
}


@pytest.mark.parametrize("case", SINGULAR)
def test_a_singular_information_is_refused(case):
    change, params, message = SINGULAR[case]
    X, y = table()
    model = firth(**params).fit(X, y)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match=message):
        model.fit(change(X), y)
    np.testing.assert_array_equal(model.coef_, before)


def test_an_information_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(problem, "_LARGEST_ORDER", 7)
    X, y = table()
    with pytest.raises(ValueError, match="8 here, and at most 7"):
        firth().fit(X, y)
