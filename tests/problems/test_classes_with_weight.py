"""Classes without rows of positive weight: the model is that of the other classes."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from zoo import LAYOUTS

from softmax_regression import SoftmaxRegression, SoftmaxRegressionCV, softmax_path

X, y = load_iris(return_X_y=True)
PENALTIES = {
    "ridge": {},
    "strong ridge": {"C": 0.01},
    "lasso": {"l1_ratio": 1.0, "C": 0.3},
    "strong elastic net": {"l1_ratio": 0.5, "C": 0.01},
    "group lasso": {"l1_ratio": 1.0, "penalty_grouping": "features", "C": 0.3},
}
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)


def with_weights(labels, kept):
    """Weights that leave the other classes without any."""
    return np.isin(labels, kept).astype(float)


def objective(model, labels, weight):
    """The value of the model in extended precision, plainly written down."""
    scores = X.astype(np.longdouble) @ model.coef_.T + model.intercept_
    if scores.shape[1] == 1:
        scores = np.column_stack([np.zeros(len(X)), scores])
    scores -= scores.max(axis=1, keepdims=True)
    own = scores[np.arange(len(X)), np.searchsorted(model.classes_, labels)]
    losses = np.log(np.exp(scores).sum(axis=1)) - own
    coef = model.coef_
    norms = np.abs(coef).sum()
    if model.penalty_grouping == "features":
        norms = np.linalg.norm(coef, axis=0).sum()
    ratio = model.l1_ratio
    return model.C * (weight @ losses) + (1 - ratio) / 2 * (coef**2).sum() + ratio * norms


@every_penalty
@pytest.mark.parametrize("how", ["sample_weight", "class_weight", "empty column"])
def test_a_fourth_class_without_weight_changes_nothing(penalty, how):
    reference = SoftmaxRegression(**penalty, tol=1e-10).fit(X, y)
    model = SoftmaxRegression(**penalty, tol=1e-10)
    if how == "empty column":
        model.fit(X, np.eye(4)[y])
    else:
        rows, labels = np.concatenate([X, X[:30] + 1]), np.concatenate([y, np.full(30, 3)])
        if how == "class_weight":
            model.set_params(class_weight={3: 0.0}).fit(rows, labels)
        else:
            model.fit(rows, labels, with_weights(labels, [0, 1, 2]))
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert model.objective_ == pytest.approx(reference.objective_, rel=1e-9)
    assert model.optimality_gap_ <= 1e-10
    np.testing.assert_allclose(model.coef_[:3], reference.coef_, atol=1e-4)
    np.testing.assert_allclose(model.coef_[3], 0, atol=1e-15)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities[:, :3], reference.predict_proba(X), atol=1e-5)
    assert probabilities[:, 3].max() < 1e-30


@every_penalty
def test_two_classes_of_three_are_fitted_with_a_score_each(penalty):
    weight = with_weights(y, [0, 2])
    model = SoftmaxRegression(**penalty, tol=1e-10).fit(X, y, weight)
    assert model.objective_ == pytest.approx(objective(model, y, weight), rel=1e-9)
    assert model.optimality_gap_ <= 1e-10
    np.testing.assert_allclose(model.coef_[1], 0, atol=1e-15)
    if "l1_ratio" not in penalty:
        # The penalty of (−w/2, w/2) is half of that of w, the difference of the two scores.
        two = y != 1
        single = LogisticRegression(C=2 * model.C, tol=1e-10, max_iter=10000).fit(X[two], y[two])
        np.testing.assert_allclose(2 * model.coef_[2:], single.coef_, atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_absent_class_has_no_probability_at_any_row(layout, dtype):
    rows = layout((X * [1e3, 1, 1e-3, 1]).astype(dtype))
    model = SoftmaxRegression().fit(rows, y, with_weights(y, [1, 2]))
    assert model.predict_proba(rows)[:, 0].max() < np.finfo(dtype).eps


@pytest.mark.parametrize("kept", [0, 1, 2])
@pytest.mark.parametrize("labels", [y, np.minimum(y, 1)], ids=["three", "two"])
@pytest.mark.parametrize(
    "parameters",
    [
        *PENALTIES.values(),
        {"C": np.inf},
        {"bounds": (0.1, 2.0)},
        {"solver": "sgd", "random_state": 0},
        {"solver": "lbfgs"},
    ],
)
def test_a_single_class_with_weight_is_certain(labels, kept, parameters):
    kept = labels.max() if kept > labels.max() else kept
    weight = with_weights(labels, kept)
    model = SoftmaxRegression(**parameters).fit(X, labels, weight)
    np.testing.assert_array_equal(model.predict(X), kept)
    nearest = 0.1 if "bounds" in parameters else 0.0
    np.testing.assert_array_equal(model.coef_, nearest)
    assert model.objective_ == pytest.approx(model.coef_.size * nearest**2 / 2)
    assert model.optimality_gap_ == 0
    assert model.predict_proba(X)[:, kept].min() > 1 - 1e-12


@pytest.mark.parametrize(
    ("parameters", "solver"),
    [
        ({}, "newton-cholesky"),
        ({"solver": "lbfgs"}, "lbfgs"),
        ({"solver": "sgd"}, "sgd"),
        ({"l1_ratio": 0.5}, "proximal-newton"),
        ({"l1_ratio": 0.5, "C": np.inf}, "newton-cholesky"),
        ({"l1_ratio": 1.0, "C": np.inf, "solver": "proximal-newton"}, "newton-cholesky"),
        ({"bounds": (0, None)}, "newton-cholesky"),
    ],
)
def test_a_solver_is_named_where_a_single_class_has_weight(parameters, solver):
    rare = np.arange(len(y)) % 3
    weights = [with_weights(rare, kept) for kept in (1, [0, 1])]
    alone, beside_another = (
        SoftmaxRegression(max_iter=2000, random_state=0, **parameters).fit(X[:, :1], rare, weight)
        for weight in weights
    )
    assert alone.solver_ == solver == beside_another.solver_
    assert alone.n_iter_ == 0


def test_absent_classes_within_bounds_stay_as_near_to_0_as_they_may():
    weight = with_weights(y, [0, 1])
    model = SoftmaxRegression(bounds=(0.1, None), tol=1e-9).fit(X, y, weight)
    np.testing.assert_array_equal(model.coef_[2], 0.1)
    assert model.coef_.min() >= 0.1
    assert model.objective_ == pytest.approx(objective(model, y, weight), rel=1e-9)
    assert model.predict_proba(X)[:, 2].max() < 1e-12


@pytest.mark.parametrize("C", [0.01, 1.0, 1e4])
def test_without_an_intercept_every_class_has_its_place(C):
    model = SoftmaxRegression(C=C, fit_intercept=False, tol=1e-9).fit(X, np.eye(4)[y])
    assert model.optimality_gap_ <= 1e-9
    # The optimum of a peer, which knows no classes without rows: a row of next to no weight.
    labels, weight = np.append(y, 3), np.append(np.ones(len(y)), 1e-13)
    peer = LogisticRegression(C=C, fit_intercept=False, tol=1e-11, max_iter=100000)
    peer.fit(np.concatenate([X, X[:1]]), labels, weight)
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=2e-4)


def test_a_warm_start_goes_on_from_classes_that_had_no_weight():
    model = SoftmaxRegression(warm_start=True, tol=1e-9)
    model.fit(X, y, with_weights(y, [0, 1])).fit(X, y)
    assert model.objective_ == pytest.approx(SoftmaxRegression(tol=1e-9).fit(X, y).objective_)
    model.fit(X, y, with_weights(y, [0, 1]))
    assert model.predict_proba(X)[:, 2].max() < 1e-30


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_a_path_is_that_of_the_classes_with_weight(l1_ratio):
    Cs = [0.01, 1.0, 100.0]
    whole = softmax_path(X, np.eye(4)[y], Cs=Cs, l1_ratio=l1_ratio, tol=1e-9)
    rest = softmax_path(X, y, Cs=Cs, l1_ratio=l1_ratio, tol=1e-9)
    np.testing.assert_allclose(whole.objectives, rest.objectives, rtol=1e-8)
    np.testing.assert_allclose(whole.coefs[:, :3], rest.coefs, atol=2e-3)
    assert (whole.coefs[:, 3] == 0).all()
    alone = softmax_path(X, y, Cs=Cs, l1_ratio=l1_ratio, sample_weight=with_weights(y, [1]))
    assert (alone.objectives == 0).all()
    assert (alone.coefs == 0).all()


@pytest.mark.parametrize("l1_ratios", [(0.0,), (0.5,)])
def test_folds_that_lack_a_class_are_fitted_with_the_others(l1_ratios):
    rare = np.append(y, [3])
    rows = np.concatenate([X, X[:1] + 1])
    folds = [(np.arange(0, 150, 2), np.arange(1, 150, 2)), (np.arange(1, 151, 1), np.arange(0, 1))]
    search = SoftmaxRegressionCV(Cs=[0.01, 1.0], cv=folds, l1_ratios=l1_ratios).fit(rows, rare)
    train, test = folds[0]
    for score, C in zip(search.scores_[0, 0], [0.01, 1.0], strict=True):
        model = SoftmaxRegression(C=C, l1_ratio=l1_ratios[0], tol=1e-9).fit(
            rows[train], rare[train]
        )
        log_p = model.predict_log_proba(rows[test])
        expected = log_p[np.arange(len(test)), rare[test]].mean()
        assert score == pytest.approx(expected, abs=1e-4)


def test_leaving_out_the_only_row_of_a_class():
    labels = np.append(np.zeros(20), 1.0)
    rows = np.random.default_rng(0).normal(size=(21, 2))
    search = SoftmaxRegressionCV(Cs=[1.0], cv="loo", scoring="accuracy").fit(rows, labels)
    assert search.scores_[-1] == 0  # what was never seen is not foretold
    weight = np.append(np.ones(20), 0.0)
    search = SoftmaxRegressionCV(Cs=[1.0], cv="loo").fit(rows, labels, weight)
    np.testing.assert_allclose(search.mean_scores_, 0.0, atol=1e-12)
