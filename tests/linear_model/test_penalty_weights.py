"""`penalty_weights` and `standardize`: a weight of the penalty of each feature.

The optima are those of the written-out objective, minimised by SciPy, and those of glmnet.
"""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from zoo import labelled_rows, written_out_minimum

from softmax_regression import SoftmaxRegression, SoftmaxRegressionCV, softmax_path

ROWS = {"dense": np.asarray, "sparse": csr_array}
SOLVERS = ["newton-cholesky", "newton-cg", "lbfgs"]
WEIGHTS = np.array([0.0, 0.3, 1.0, 20.0, 0.0])


def problem(**shape):
    X, y, _ = labelled_rows(**shape)
    return X, y


def of_formula(X, y, W, b, weight=1.0):
    """The cross-entropy of rows, class by class as in textbooks."""
    scores = X @ W.T + b
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    return -(weight * log_softmax(scores, axis=1)[np.arange(len(y)), y]).sum()


def minimum(X, y, C, weights, fit_intercept=True):
    """The least C Σ CE + ½ Σ v_j ‖W_:j‖²."""
    return written_out_minimum(X, y, C, weights, fit_intercept=fit_intercept)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", SOLVERS)
def test_optimum_is_that_of_the_objective_written_out(solver, n_classes, fit_intercept, rows):
    X, y = problem(n_classes=n_classes)
    known = minimum(X, y, 0.5, WEIGHTS, fit_intercept)
    model = SoftmaxRegression(
        C=0.5, penalty_weights=WEIGHTS, solver=solver, fit_intercept=fit_intercept, tol=1e-10
    ).fit(ROWS[rows](X), y)
    assert model.optimality_gap_ <= 1e-10
    assert model.objective_ == pytest.approx(known.fun, rel=1e-9)
    W = known.x.reshape(len(model.coef_), -1)[:, : X.shape[1]]
    np.testing.assert_allclose(model.coef_, W, atol=1e-4)


# R: fit <- glmnet(as.matrix(iris[,1:4]), iris$Species, family="multinomial", alpha=a,
#      lambda=c(1, 0.1, 0.02)*2, penalty.factor=c(0,1,2,5), standardize=FALSE, thresh=1e-14)
#    sapply(coef(fit, s=0.04), as.vector)    (factors are divided by their mean, 2)
# and for the last two lambda=c(1, 0.1, 0.02), standardize=TRUE, without factors, or with them (and
# lambda*2), intercept=FALSE. glmnet 4.1-6.
GLMNET = {
    "ridge": (
        {"penalty_weights": [0, 1, 2, 5]},
        [
            [15.240178, -2.563280, 1.018885, -1.140879, -0.195198],
            [-1.633438, 1.135161, -0.753532, -0.219527, -0.210297],
            [-13.606740, 1.428119, -0.265353, 1.360406, 0.405494],
        ],
    ),
    "elastic net": (
        {"penalty_weights": [0, 1, 2, 5], "l1_ratio": 0.5},
        [
            [15.147790, -2.360321, 0.966384, -1.104691, 0],
            [-1.469453, 1.039755, -0.534881, 0, 0],
            [-13.678336, 1.320566, 0, 1.827615, 0],
        ],
    ),
    "lasso": (
        {"penalty_weights": [0, 1, 2, 5], "l1_ratio": 1},
        [
            [15.154135, -1.959201, 1.062901, -1.344843, 0],
            [-1.423142, 1.062270, 0, 0, 0],
            [-13.730994, 0.896932, 0, 2.734390, 0],
        ],
    ),
    "standardised": (
        {"standardize": True, "l1_ratio": 0.5},
        [
            [3.918272, -0.715119, 2.141344, -0.832404, -1.642081],
            [2.966708, 0, 0, 0, -0.058176],
            [-6.884979, 0.018973, -0.027776, 0.963508, 3.016579],
        ],
    ),
    "both": (
        {"standardize": True, "penalty_weights": [0, 1, 2, 5], "fit_intercept": False},
        [
            [0, -1.568834, 3.533686, -0.440402, -0.428813],
            [0, 1.098512, -1.410149, -0.174534, -0.456841],
            [0, 0.470322, -2.123537, 0.614936, 0.885654],
        ],
    ),
}


@pytest.mark.parametrize("kind", GLMNET)
def test_coefficients_are_those_of_glmnet(kind):
    X, y = load_iris(return_X_y=True)
    how, known = GLMNET[kind]
    model = SoftmaxRegression(C=1 / (len(X) * 0.02), tol=1e-12, **how).fit(X, y)
    np.testing.assert_allclose(np.c_[model.intercept_, model.coef_], known, atol=1e-5)


@pytest.mark.parametrize("grouping", ["none", "features"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
def test_sparse_optima_meet_their_conditions(l1_ratio, n_classes, grouping):
    X, y = problem(n_classes=n_classes)
    model = SoftmaxRegression(
        C=0.2, l1_ratio=l1_ratio, penalty_weights=WEIGHTS, penalty_grouping=grouping, tol=1e-12
    ).fit(X, y)
    assert model.optimality_gap_ <= 1e-12
    W = model.coef_
    residual = (model.predict_proba(X) - np.eye(n_classes)[y])[:, -len(W) :]
    slopes = 0.2 * residual.T @ X + (1 - l1_ratio) * WEIGHTS * W
    norms, sizes = np.abs(slopes), np.abs(W)
    if grouping == "features":
        norms, sizes = (np.linalg.norm(a, axis=0, keepdims=True) for a in (slopes, W))
    zero = np.broadcast_to(sizes == 0, W.shape)
    assert zero[:, 3].all()
    assert not zero[:, [0, 4]].any()
    bound = np.broadcast_to(l1_ratio * WEIGHTS, norms.shape)
    assert (norms <= bound + 1e-5).all()
    pull = l1_ratio * WEIGHTS * W / np.where(sizes > 0, sizes, 1.0)
    np.testing.assert_allclose(slopes[~zero], -pull[~zero], atol=1e-5)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_weights_are_a_change_of_units(l1_ratio):
    """Of the ridge by their roots, as is told by columns in these units."""
    X, y = problem()
    weights = np.array([0.5, 0.3, 1.0, 20.0, 2.0])
    model = SoftmaxRegression(penalty_weights=weights, tol=1e-11).fit(X, y)
    divided = SoftmaxRegression(tol=1e-11).fit(X / np.sqrt(weights), y)
    np.testing.assert_allclose(model.coef_ * np.sqrt(weights), divided.coef_, atol=1e-5)
    factor = SoftmaxRegression(penalty_weights=np.full(5, 4.0), l1_ratio=l1_ratio, tol=1e-11)
    smaller = SoftmaxRegression(C=0.25, l1_ratio=l1_ratio, tol=1e-11).fit(X, y)
    np.testing.assert_allclose(factor.fit(X, y).coef_, smaller.coef_, atol=1e-5)
    ones = SoftmaxRegression(penalty_weights=np.ones(5), l1_ratio=l1_ratio).fit(X, y)
    plain = SoftmaxRegression(l1_ratio=l1_ratio).fit(X, y)
    np.testing.assert_allclose(ones.coef_, plain.coef_, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_without_any_weight_there_is_no_penalty(solver):
    X, y = problem(n_rows=200)
    model = SoftmaxRegression(penalty_weights=np.zeros(5), solver=solver, tol=1e-10).fit(X, y)
    none = SoftmaxRegression(C=np.inf, solver=solver, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coef_, none.coef_, atol=1e-4)
    assert model.objective_ == pytest.approx(none.objective_, rel=1e-9)
    sparse = SoftmaxRegression(penalty_weights=np.zeros(5), l1_ratio=1.0, tol=1e-10).fit(X, y)
    assert sparse.objective_ == pytest.approx(none.objective_, rel=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_more_columns_than_rows(n_classes, solver):
    X, y = problem(n_rows=40, n_columns=100, n_classes=n_classes)
    weights = np.resize([1.0, 0.2, 5.0], 100)
    weights[[0, 50]] = 0.0
    known = minimum(X, y, 0.01, weights)
    model = SoftmaxRegression(C=0.01, penalty_weights=weights, solver=solver, tol=1e-9).fit(X, y)
    assert model.optimality_gap_ <= 1e-9
    assert model.objective_ == pytest.approx(known.fun, rel=1e-8)
    W = known.x.reshape(len(model.coef_), -1)[:, :-1]
    np.testing.assert_allclose(model.coef_, W, atol=1e-4)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_minibatches_come_near_the_optimum(solver):
    X, y = problem(n_rows=300)
    exact = SoftmaxRegression(penalty_weights=WEIGHTS, tol=1e-10).fit(X, y)
    model = SoftmaxRegression(penalty_weights=WEIGHTS, solver=solver, random_state=0).fit(X, y)
    left = model.objective_ / exact.objective_ - 1
    assert left <= model.optimality_gap_ <= 1e-2
    stream = SoftmaxRegression(penalty_weights=1e6 * (np.arange(5) > 0), random_state=0)
    for _ in range(20):
        stream.partial_fit(X, y, classes=[0, 1, 2])
    assert np.abs(stream.coef_[:, 1:]).max() < 1e-2 < np.abs(stream.coef_[:, 0]).max()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("max_iter", [1, 2, 4])
def test_gap_bounds_what_is_left_wherever_a_fit_stops(max_iter, n_classes, l1_ratio):
    X, y = problem(n_classes=n_classes)
    how = {"l1_ratio": l1_ratio, "penalty_weights": WEIGHTS}
    best = SoftmaxRegression(tol=1e-12, **how).fit(X, y).objective_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        cut = SoftmaxRegression(max_iter=max_iter, tol=1e-12, **how).fit(X, y)
    left = (cut.objective_ - best) / cut.objective_
    assert left - 1e-13 <= cut.optimality_gap_
    assert max_iter < 4 or cut.optimality_gap_ < 1


@pytest.mark.parametrize("solver", ["newton-cholesky", "lbfgs"])
@pytest.mark.parametrize("bounds", [(0, None), (-0.2, 0.3)])
def test_with_bounds(bounds, solver):
    X, y = problem()
    model = SoftmaxRegression(bounds=bounds, penalty_weights=WEIGHTS, solver=solver, tol=1e-9).fit(
        X, y
    )
    assert model.optimality_gap_ <= 1e-9
    residual = model.predict_proba(X) - np.eye(3)[y]
    slopes = residual.T @ X + WEIGHTS * model.coef_
    lower, upper = (np.inf if b is None else b for b in bounds)
    inside = (model.coef_ > lower) & (model.coef_ < upper)
    assert np.abs(slopes[inside]).max(initial=0) < 1e-3
    assert (slopes[model.coef_ == lower] > -1e-3).all()
    assert (slopes[model.coef_ == upper] < 1e-3).all()


# -- separation ------------------------------------------------------------------------------------


def test_what_has_no_penalty_and_separates_is_named():
    X, y = load_iris(return_X_y=True, as_frame=True)
    petals = np.array([1.0, 1.0, 0.0, 1.0])
    with pytest.warns(ConvergenceWarning, match="petal length"):
        SoftmaxRegression(penalty_weights=petals).fit(X, y)
    sepals = SoftmaxRegression(penalty_weights=np.array([1.0, 0.0, 1.0, 1.0])).fit(X, y)
    assert sepals.optimality_gap_ <= 1e-6


def test_a_loss_that_vanishes_is_known_to_be_separated():
    X = np.random.default_rng(0).normal(size=(200, 4))
    # The fit goes on to the least positive number, where no curvature is left to judge by.
    with pytest.warns(ConvergenceWarning, match="told apart perfectly.*'x0' grow"):
        SoftmaxRegression(penalty_weights=[0, 1, 1, 1]).fit(X, X[:, 0] > 0)


# -- standardize -----------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_standardizing_is_that_of_a_pipeline(load, l1_ratio, fit_intercept, weighted):
    X, y = load(return_X_y=True)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=len(X)) if weighted else None
    if not weighted:  # of which scikit-learn's scaler warns
        X = np.c_[X, np.full(len(X), 3.0)]  # a constant column has no scale
    how = {"l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "C": 0.3, "tol": 1e-9}
    model = SoftmaxRegression(standardize=True, **how).fit(X, y, sample_weight=weight)
    scaler = StandardScaler(with_mean=fit_intercept)
    Z = scaler.fit(X, sample_weight=weight).transform(X)
    scaled = SoftmaxRegression(**how).fit(Z, y, sample_weight=weight)
    assert model.objective_ == pytest.approx(scaled.objective_, rel=1e-8)
    np.testing.assert_allclose(model.predict_proba(X), scaled.predict_proba(Z), atol=1e-3)
    np.testing.assert_allclose(model.coef_ * scaler.scale_, scaled.coef_, atol=1e-3)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("rows", ROWS)
def test_units_of_columns_do_not_matter_where_they_are_standardised(rows, l1_ratio, factor):
    X, y = problem()
    units = np.array([1.0, factor, 1.0, 1.0, factor])
    how = {"standardize": True, "l1_ratio": l1_ratio, "penalty_weights": WEIGHTS, "tol": 1e-11}
    model = SoftmaxRegression(**how).fit(ROWS[rows](X), y)
    other = SoftmaxRegression(**how).fit(ROWS[rows](X * units), y)
    np.testing.assert_allclose(other.coef_ * units, model.coef_, atol=2e-5)


def test_wide_and_float32_rows_are_standardised():
    X, y = problem(n_rows=40, n_columns=100)
    Z = StandardScaler().fit_transform(X)
    model = SoftmaxRegression(standardize=True, tol=1e-9).fit(X, y)
    scaled = SoftmaxRegression(tol=1e-9).fit(Z, y)
    np.testing.assert_allclose(model.predict_proba(X), scaled.predict_proba(Z), atol=1e-4)
    single = SoftmaxRegression(standardize=True).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, model.coef_, atol=1e-3)


# -- paths and cross-validation --------------------------------------------------------------------

KNOBS = [
    {"penalty_weights": WEIGHTS},
    {"standardize": True},
    {"penalty_weights": WEIGHTS, "standardize": True},
]


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("how", KNOBS, ids=["weights", "standardize", "both"])
def test_paths_are_fits_one_by_one(how, l1_ratio):
    X, y = problem()
    path = softmax_path(X, y, Cs=[0.01, 0.1, 1.0], l1_ratio=l1_ratio, tol=1e-10, **how)
    for C, coef, objective in zip(path.Cs, path.coefs, path.objectives, strict=True):
        model = SoftmaxRegression(C=C, l1_ratio=l1_ratio, tol=1e-10, **how).fit(X, y)
        np.testing.assert_allclose(coef, model.coef_, atol=1e-4)
        assert objective == pytest.approx(model.objective_, rel=1e-9)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("n_columns", [5, 90])
@pytest.mark.parametrize("how", KNOBS, ids=["weights", "standardize", "both"])
def test_folds_are_fits_of_their_rows(how, n_columns, l1_ratio):
    X, y = problem(n_columns=n_columns)
    how = dict(how)
    if "penalty_weights" in how:
        how["penalty_weights"] = np.resize(WEIGHTS + (n_columns > 5), n_columns)
        how["penalty_weights"][0] = 0.0
    search = SoftmaxRegressionCV(Cs=[0.01, 0.1], l1_ratios=(l1_ratio,), cv=3, tol=1e-10, **how)
    search.fit(X, y)
    train = np.concatenate([np.flatnonzero(y == k)[len(y[y == k]) // 3 + 1 :] for k in range(3)])
    folds = [(train, np.setdiff1d(np.arange(len(y)), train))]
    one = clone(search).set_params(cv=folds).fit(X, y)
    for i, C in enumerate([0.01, 0.1]):
        model = SoftmaxRegression(C=C, l1_ratio=l1_ratio, tol=1e-10, **how)
        alone = model.fit(X[train], y[train])
        np.testing.assert_allclose(one.coefs_paths_[0, 0, i][:, :-1], alone.coef_, atol=1e-4)
    whole = SoftmaxRegression(C=search.C_, l1_ratio=l1_ratio, tol=1e-10, **how).fit(X, y)
    np.testing.assert_allclose(search.coef_, whole.coef_, atol=1e-4)
    assert search.objective_ == pytest.approx(whole.objective_, rel=1e-9)


@pytest.mark.parametrize("how", KNOBS[:2], ids=["weights", "standardize"])
def test_leaving_out_a_row_is_a_fit_without_it(how):
    """With deviations of all rows, as documented: so the weights of the other fits are theirs."""
    X, y = problem(n_rows=40)
    quick = SoftmaxRegressionCV(Cs=[0.05, 1.0], cv="loo", **how).fit(X, y)
    fixed = how if "penalty_weights" in how else {"penalty_weights": X.var(axis=0)}
    for i, C in enumerate(quick.Cs_):
        for row in (0, 7, 23):
            others = np.arange(len(X)) != row
            model = SoftmaxRegression(C=C, tol=1e-10, **fixed).fit(X[others], y[others])
            exact = model.predict_log_proba(X[[row]])[0, y[row]]
            assert quick.scores_[row, 0, i] == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("grouping", ["none", "features"])
@pytest.mark.parametrize("how", KNOBS, ids=["weights", "standardize", "both"])
def test_a_grid_begins_where_all_that_is_penalised_is_zero(how, grouping):
    X, y = problem(n_rows=150)
    path = softmax_path(X, y, Cs=30, l1_ratio=0.7, penalty_grouping=grouping, tol=1e-9, **how)
    free = np.flatnonzero(how.get("penalty_weights", np.ones(5)) == 0)
    assert not np.delete(path.coefs[0], free, axis=1).any()
    assert path.coefs[0][:, free].all()
    assert np.delete(path.coefs[3], free, axis=1).any()
    just = SoftmaxRegression(
        C=path.Cs[0] * 1.001, l1_ratio=0.7, penalty_grouping=grouping, tol=1e-12, **how
    ).fit(X, y)
    assert np.delete(just.coef_, free, axis=1).any()


# -- hostile values --------------------------------------------------------------------------------


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("exponent", [-300, -150, -30, 30, 150, 300])
def test_weights_of_any_size(exponent, l1_ratio):
    """As good as none, or so large that nothing is left of the feature."""
    X, y = problem(n_rows=100)
    weights = np.array([1.0, 1.0, 10.0**exponent, 1.0, 1.0])
    model = SoftmaxRegression(penalty_weights=weights, l1_ratio=l1_ratio).fit(X, y)
    assert model.optimality_gap_ <= 1e-6
    weights[2] = 0.0
    Z = X
    if exponent > 0:
        Z, weights = np.delete(X, 2, axis=1), np.delete(weights, 2)
    limit = SoftmaxRegression(penalty_weights=weights, l1_ratio=l1_ratio).fit(Z, y)
    np.testing.assert_allclose(model.predict_proba(X), limit.predict_proba(Z), atol=1e-3)
    assert model.objective_ == pytest.approx(limit.objective_, rel=2e-6)


def test_a_constant_column_without_a_penalty_is_no_trouble():
    X, y = problem()
    X[:, 4] = 3.0
    for l1_ratio in (0.0, 0.5):
        model = SoftmaxRegression(penalty_weights=WEIGHTS, l1_ratio=l1_ratio).fit(X, y)
        assert model.optimality_gap_ <= 1e-6
        without = SoftmaxRegression(penalty_weights=WEIGHTS[:4], l1_ratio=l1_ratio)
        other = without.fit(X[:, :4], y)
        assert model.objective_ == pytest.approx(other.objective_, rel=2e-6)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(4), r"the shape \(5,\); got \(4,\)"),
        (np.ones((3, 5)), r"got \(3, 5\)"),
        ([1, 1, -2, 1, 1], "got -2 for feature 2"),
        ([1, np.nan, 1, 1, 1], "got nan for feature 1"),
        ([1, 1, 1, 1, np.inf], "got inf for feature 4"),
        (["a", 1, 1, 1, 1], "must hold numbers"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights, message):
    X, y = problem()
    for model in (
        SoftmaxRegression(penalty_weights=weights),
        SoftmaxRegressionCV(penalty_weights=weights),
    ):
        with pytest.raises(ValueError, match=f"penalty_weights.*{message}"):
            model.fit(X, y)
        assert not hasattr(model, "classes_")
    with pytest.raises(ValueError, match=f"penalty_weights.*{message}"):
        softmax_path(X, y, penalty_weights=weights)
    with pytest.raises(ValueError, match=f"penalty_weights.*{message}"):
        SoftmaxRegression(penalty_weights=weights).partial_fit(X, y, classes=[0, 1, 2])


def test_copies_frames_and_classes_without_weight():
    X, y = problem()
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = SoftmaxRegression(penalty_weights=pd.Series(WEIGHTS, list("abcde")))
    assert clone(model).penalty_weights is not model.penalty_weights
    model.fit(frame, y)
    plain = SoftmaxRegression(penalty_weights=WEIGHTS.tolist()).fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-12)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    two = SoftmaxRegression(penalty_weights=WEIGHTS, tol=1e-9).fit(X, y, sample_weight=y != 2)
    assert two.optimality_gap_ <= 1e-9
    assert not two.coef_[2].any()


def test_the_default_is_that_of_logistic_regression():
    X, y = load_iris(return_X_y=True)
    ours = make_pipeline(StandardScaler(), SoftmaxRegression(tol=1e-10)).fit(X, y)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10)).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
