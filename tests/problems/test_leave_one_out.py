"""Leave-one-out scores from one fit, compared with a fit without each row."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import LeaveOneOut

from softmax_regression import SoftmaxRegression, SoftmaxRegressionCV
from softmax_regression._problems import leave_one_out as _leave_one_out


def truly_left_out(X, y, C, weight=None, n_rows=None, **params):
    """Log-losses of some rows by models without them."""
    losses = []
    for row in range(len(y) if n_rows is None else n_rows):
        kept = np.arange(len(y)) != row
        model = SoftmaxRegression(C=C, tol=1e-9, **params)
        model.fit(X[kept], y[kept], None if weight is None else weight[kept])
        column = np.flatnonzero(model.classes_ == y[row])[0]
        losses.append(-model.predict_log_proba(X[[row]])[0, column])
    return np.array(losses)


def left_out(X, y, C, weight=None, **params):
    model = SoftmaxRegressionCV(Cs=[C], cv="loo", tol=1e-9, **params).fit(X, y, weight)
    return -model.scores_[:, 0, 0]


def overlapping(n_classes, n_rows=120, n_features=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) * [1, 10, 0.1, 3][:n_features]
    y = (X / X.std(axis=0) @ rng.normal(size=(n_features, n_classes))).argmax(axis=1)
    y = np.where(rng.random(n_rows) < 0.3, rng.integers(n_classes, size=n_rows), y)
    return X, y


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_log_loss_is_that_of_leaving_out_in_earnest(load, C):
    X, y = load(return_X_y=True)
    X, y = X[::2], y[::2]
    assert left_out(X, y, C).mean() == pytest.approx(truly_left_out(X, y, C).mean(), rel=0.02)


@pytest.mark.parametrize("C", [0.01, 1.0])
def test_log_loss_of_few_rows_and_many_columns(C):
    X, y = load_digits(return_X_y=True)
    X, y = X[:300], y[:300]
    some = 60
    expected = truly_left_out(X, y, C, n_rows=some)
    assert left_out(X, y, C)[:some].sum() == pytest.approx(expected.sum(), rel=0.02, abs=0.05)


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_step_is_within_the_square_of_what_changes(n_classes, fit_intercept, monkeypatch):
    monkeypatch.setattr(_leave_one_out, "_LARGEST_LOSS_CHANGE", np.inf)  # the closed form alone
    X, y = overlapping(n_classes)
    before = SoftmaxRegression(tol=1e-9, fit_intercept=fit_intercept).fit(X, y)
    seen = -before.predict_log_proba(X)[np.arange(len(y)), y]
    found = left_out(X, y, 1.0, fit_intercept=fit_intercept)
    expected = truly_left_out(X, y, 1.0, fit_intercept=fit_intercept)
    change = np.abs(expected - seen)
    assert change.max() > 0.05
    assert (np.abs(found - expected) <= 0.5 * change**1.5 + 2e-3 * change + 1e-6).all()


def test_sample_and_class_weights():
    X, y = overlapping(3)
    weight = np.random.default_rng(1).uniform(0.2, 3, len(y))
    class_weight = {0: 2.0}
    expected = truly_left_out(X, y, 1.0, weight, class_weight=class_weight)
    model = SoftmaxRegressionCV(Cs=[1.0], cv="loo", class_weight=class_weight).fit(X, y, weight)
    np.testing.assert_allclose(-model.scores_[:, 0, 0], expected, rtol=0.05, atol=0.01)
    mean = np.average(expected, weights=weight)
    assert -model.mean_scores_[0, 0] == pytest.approx(mean, rel=0.01)


def test_a_row_without_weight_is_as_if_it_had_not_been_there():
    X, y = overlapping(3)
    weight = np.ones(len(y))
    weight[:20] = 0
    model = SoftmaxRegressionCV(Cs=[1.0], cv="loo", tol=1e-9).fit(X, y, weight)
    without = SoftmaxRegressionCV(Cs=[1.0], cv="loo", tol=1e-9).fit(X[20:], y[20:])
    np.testing.assert_allclose(model.scores_[20:], without.scores_, rtol=1e-4)
    np.testing.assert_allclose(model.mean_scores_, without.mean_scores_, rtol=1e-4)
    log_p = without.predict_log_proba(X[:20])[np.arange(20), y[:20]]
    np.testing.assert_allclose(model.scores_[:20, 0, 0], log_p, rtol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_more_columns_than_rows(n_classes):
    X, y = overlapping(n_classes, 40)
    X = np.hstack([X, np.random.default_rng(2).normal(size=(40, 120))])
    expected = truly_left_out(X, y, 0.01)
    np.testing.assert_allclose(left_out(X, y, 0.01), expected, rtol=0.1, atol=0.02)
    assert left_out(X, y, 0.01).mean() == pytest.approx(expected.mean(), rel=0.01)


def test_sparse_is_dense():
    X, y = overlapping(3)
    X[np.random.default_rng(3).random(X.shape) < 0.5] = 0
    np.testing.assert_allclose(
        left_out(sparse.csr_array(X), y, 1.0), left_out(X, y, 1.0), rtol=1e-4
    )


def test_soft_labels_are_left_out_as_one_row():
    X, y = overlapping(3)
    soft = 0.7 * np.eye(3)[y] + 0.1
    expected = []
    for row in range(30):
        kept = np.arange(len(y)) != row
        model = SoftmaxRegression(tol=1e-9).fit(X[kept], soft[kept])
        expected.append(-model.predict_log_proba(X[[row]])[0] @ soft[row])
    np.testing.assert_allclose(left_out(X, soft, 1.0)[:30], expected, rtol=0.02)


def test_accuracy_and_choice_are_those_of_leave_one_out_in_folds():
    X, y = overlapping(3, 60)
    for scoring in ("accuracy", "neg_log_loss"):
        options = {"Cs": [1e-3, 0.1, 1.0, 100.0], "scoring": scoring}
        quick = SoftmaxRegressionCV(cv="loo", **options).fit(X, y)
        slow = SoftmaxRegressionCV(cv=LeaveOneOut(), **options).fit(X, y)
        assert quick.scores_.shape == slow.scores_.shape
        np.testing.assert_allclose(quick.mean_scores_, slow.mean_scores_, rtol=0.02)
        np.testing.assert_allclose(
            quick.score_standard_errors_, slow.score_standard_errors_, rtol=0.05
        )
        assert quick.C_ == slow.C_
        np.testing.assert_allclose(quick.coef_, slow.coef_, rtol=1e-2, atol=1e-3)


def test_the_only_row_of_a_class():
    X, y = overlapping(2)
    y[0] = 7
    model = SoftmaxRegressionCV(Cs=[0.1, 1.0], cv="loo").fit(X, y)
    assert np.isfinite(model.scores_).all()
    assert model.scores_[0, 0, 0] < np.log(1 / len(y))  # as good as impossible


def test_refuses_what_it_cannot_do(monkeypatch):
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.raises(ValueError, match=r"cv='loo' scores one row at a time.*roc_auc"):
        SoftmaxRegressionCV(cv="loo", scoring="roc_auc").fit(X, y)
    monkeypatch.setattr(_leave_one_out, "_LARGEST_ORDER", 10)
    with pytest.raises(ValueError, match=r"inverse of the Hessian.*= 31.*number of folds"):
        SoftmaxRegressionCV(Cs=[1.0], cv="loo").fit(X, y)
