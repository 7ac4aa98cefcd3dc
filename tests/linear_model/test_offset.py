"""`offset`: known scores that are added to those of the model."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_validate
from statsmodels.api import GLM, add_constant, families
from zoo import labelled_rows, written_out_minimum

from softmax_regression import SoftmaxRegression, SoftmaxRegressionCV, softmax_path
from softmax_regression.inference import infer

ROWS = {"dense": np.asarray, "sparse": csr_array}
SOLVERS = ["newton-cholesky", "newton-cg", "lbfgs"]


def problem(n_classes=3, **shape):
    X, y, rng = labelled_rows(n_classes=n_classes, **shape)
    return X, y, 2 * rng.normal(size=(len(X), 1 if n_classes == 2 else n_classes))


def minimum(X, y, offset, C, fit_intercept=True):
    """The least C Σ CE + ½ ‖W‖², or for an infinite C the least Σ CE."""
    penalized = bool(np.isfinite(C))
    factor = C if penalized else 1.0
    ridge = float(penalized)
    return written_out_minimum(X, y, factor, ridge, offset=offset, fit_intercept=fit_intercept)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [0.2, np.inf])
@pytest.mark.parametrize("solver", SOLVERS)
def test_optimum_is_that_of_the_objective_written_out(solver, C, n_classes, fit_intercept, rows):
    X, y, offset = problem(n_classes=n_classes)
    known = minimum(X, y, offset, C, fit_intercept)
    model = SoftmaxRegression(C=C, solver=solver, fit_intercept=fit_intercept, tol=1e-10)
    model.fit(ROWS[rows](X), y, offset=offset)
    assert model.optimality_gap_ <= 1e-10
    assert model.objective_ == pytest.approx(known.fun, rel=1e-9)
    W = known.x.reshape(len(model.coef_), -1)[:, : X.shape[1]]
    np.testing.assert_allclose(model.coef_, W, atol=1e-3)


# R: X <- as.matrix(iris[51:150,1:4]); y <- as.integer(iris$Species[51:150] == "virginica")
#    fit <- glmnet(X, y, family="binomial", alpha=0, lambda=c(1, 0.1, 0.02), offset=0.5*X[,3]-2,
#      standardize=FALSE, thresh=1e-14)
#    coef(fit, s=0.02)    (glmnet 4.1-6; for more classes with an offset it does not converge)
GLMNET = [-11.482805, -0.175125, -0.269647, 2.064801, 1.681539]


def test_coefficients_of_two_classes_are_those_of_glmnet():
    X, y = load_iris(return_X_y=True)
    X, y = X[50:], y[50:]
    model = SoftmaxRegression(C=1 / (len(X) * 0.02), tol=1e-12)
    model.fit(X, y, offset=0.5 * X[:, 2] - 2)
    np.testing.assert_allclose(np.append(model.intercept_, model.coef_), GLMNET, atol=1e-5)


# R: O <- cbind(0.02*d$write, 0.03*d$science-1, 0.5*(d$female=="female"))
#    f <- multinom(prog ~ math + read + offset(O), data=d, reltol=1e-16, abstol=1e-16, maxit=1000)
#    coef(f); summary(f)$standard.errors; logLik(f)    (nnet of R 4.2)
MULTINOM = [
    [5.550509016, -0.07407662369, -0.03733770512],
    [8.119255592, -0.11233124726, -0.04658129340],
]
MULTINOM_ERRORS = [[1.3082708, 0.027819138, 0.024340316], [1.4551146, 0.031759820, 0.026889543]]


def test_estimates_of_three_classes_are_those_of_multinom():
    d = pd.read_csv(Path(__file__).parents[2] / "examples" / "programme_choice.csv")
    X, y = d[["math", "read"]], d["prog"]
    offset = np.c_[0.02 * d["write"], 0.03 * d["science"] - 1, 0.5 * (d["female"] == "female")]
    model = SoftmaxRegression(C=np.inf, tol=1e-10).fit(X, y, offset=offset)
    results = infer(model, X, y, offset=offset)
    assert results.llf == pytest.approx(-173.31762176, abs=1e-7)
    np.testing.assert_allclose(results.params.T, MULTINOM, rtol=1e-5)
    np.testing.assert_allclose(results.bse.T, MULTINOM_ERRORS, rtol=1e-5)


def test_estimates_and_errors_are_those_of_statsmodels():
    X, y, offset = problem(n_rows=200, n_classes=2)
    model = SoftmaxRegression(C=np.inf, tol=1e-12).fit(X, y, offset=offset[:, 0])
    results = infer(model, X, y, offset=offset[:, 0])
    known = GLM(y, add_constant(X), family=families.Binomial(), offset=offset[:, 0]).fit(tol=1e-14)
    np.testing.assert_allclose(results.params.iloc[:, 0], known.params, rtol=1e-8)
    np.testing.assert_allclose(results.bse.iloc[:, 0], known.bse, rtol=1e-8)
    assert results.llf == pytest.approx(known.llf, rel=1e-12)
    assert results.llnull == pytest.approx(known.llnull, rel=1e-10)
    less = GLM(y, add_constant(X[:, 1:]), family=families.Binomial(), offset=offset[:, 0])
    statistic = 2 * (known.llf - less.fit(tol=1e-14).llf)
    terms = results.test_terms(method="lr")
    assert terms["statistic"].iloc[0] == pytest.approx(statistic, rel=1e-8)
    rows, known_scores = X[:7] + 0.5, offset[7:14, 0]
    theirs = known.get_prediction(add_constant(rows), offset=known_scores).summary_frame()
    ours = results.get_prediction(rows, offset=known_scores).summary_frame().xs(1, level="class")
    np.testing.assert_allclose(ours, theirs, rtol=1e-7)
    with pytest.raises(ValueError, match="pass the X, y, sample_weight and offset"):
        infer(model, X, y)


def test_predictions_are_those_of_the_coefficients_that_the_offset_stands_for():
    X, y, _ = problem(n_rows=150, n_classes=3)
    B = np.random.default_rng(1).normal(size=(3, X.shape[1]))
    model = SoftmaxRegression(C=np.inf, tol=1e-12)
    plain = infer(model.fit(X, y), X, y).get_prediction(X[:20])
    results = infer(model.fit(X, y, offset=X @ B.T), X, y, offset=X @ B.T)
    shifted = results.get_prediction(X[:20], offset=X[:20] @ B.T)
    np.testing.assert_allclose(shifted.summary_frame(), plain.summary_frame(), rtol=1e-6)
    alone = results.get_prediction(X[:20])
    np.testing.assert_allclose(alone.predicted, model.predict_proba(X[:20]), rtol=1e-6)
    with pytest.raises(ValueError, match=r"offset must have the shape \(20, 3\)"):
        results.get_prediction(X[:20], offset=B)


@pytest.mark.parametrize("at", ["overall", "mean"])
def test_effects_are_derivatives_at_the_known_scores(at):
    """Their errors, too, which are derivatives in the coefficients."""
    X, y, offset = problem(n_rows=150, n_classes=3)
    weight = np.arange(150) % 4
    model = SoftmaxRegression(C=np.inf, tol=1e-12).fit(X, y, weight, offset=offset)
    results = infer(model, X, y, weight, offset=offset)
    rows, scores, weight = (
        (X, offset, weight)
        if at == "overall"
        else (*(np.average(a, axis=0, weights=weight)[None] for a in (X, offset)), np.ones(1))
    )

    def effects(theta):
        coef = np.vstack([np.zeros(X.shape[1] + 1), theta.reshape(2, -1)])

        def mean(rows):
            p = softmax(rows @ coef[:, 1:].T + coef[:, 0] + scores, axis=1)
            return np.average(p, 0, weight)

        steps = 1e-4 * np.eye(X.shape[1])
        return np.array([(mean(rows + step) - mean(rows - step)) / 2e-4 for step in steps]).ravel()

    theta = results.params.to_numpy().T.ravel()
    found = results.get_margeff(at=at)
    np.testing.assert_allclose(found.margeff.to_numpy().ravel(), effects(theta), atol=1e-8)
    steps = 1e-4 * np.eye(len(theta))
    slopes = np.array([(effects(theta + step) - effects(theta - step)) / 2e-4 for step in steps])
    variances = np.einsum("ia,ij,ja->a", slopes, results.cov_params(), slopes)
    errors = found.margeff_se.to_numpy().ravel()
    np.testing.assert_allclose(errors, np.sqrt(variances), rtol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_coefficients_known_beforehand_are_an_offset(n_classes):
    """Without a penalty, whatever multiples of the features are added come off coefficients."""
    X, y, offset = problem(n_rows=150, n_classes=n_classes)
    B = np.random.default_rng(1).normal(size=(offset.shape[1], X.shape[1]))
    plain = SoftmaxRegression(C=np.inf, tol=1e-11).fit(X, y)
    shifted = SoftmaxRegression(C=np.inf, tol=1e-11).fit(X, y, offset=X @ B.T)
    B = B - B.mean(axis=0) if n_classes > 2 else B
    np.testing.assert_allclose(shifted.coef_ + B, plain.coef_, atol=1e-4)
    ours = shifted.predict_proba(X, offset=X @ B.T)
    np.testing.assert_allclose(ours, plain.predict_proba(X), atol=1e-5)
    assert shifted.score(X, y, offset=X @ B.T) == plain.score(X, y)


@pytest.mark.parametrize(
    "how", [{}, {"l1_ratio": 0.5}, {"bounds": (-1, 1)}, {"C": np.inf}], ids=str
)
def test_what_is_added_to_all_classes_changes_nothing(how):
    X, y, offset = problem()
    model = SoftmaxRegression(**how).fit(X, y, offset=offset)
    shared = np.random.default_rng(2).normal(size=(len(X), 1)) * 100
    other = SoftmaxRegression(**how).fit(X, y, offset=offset + shared)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-10)
    none = SoftmaxRegression(**how).fit(X, y, offset=np.repeat(shared, 3, axis=1))
    plain = SoftmaxRegression(tol=1e-9, **how).fit(X, y)
    assert none.objective_ == pytest.approx(plain.objective_, rel=2e-6)
    with_intercept = SoftmaxRegression(tol=1e-9, **how).fit(
        X, y, offset=np.tile([5, 1, -2], (60, 1))
    )
    np.testing.assert_allclose(with_intercept.coef_, plain.coef_, atol=1e-3)
    shift = np.array([5, 1, -2]) - 4 / 3
    np.testing.assert_allclose(with_intercept.intercept_ + shift, plain.intercept_, atol=1e-3)


def test_two_classes_take_one_score_or_two():
    X, y, offset = problem(n_classes=2)
    model = SoftmaxRegression().fit(X, y, offset=offset[:, 0])
    two = np.c_[np.ones(len(X)), offset[:, 0] + 1]
    frame = pd.DataFrame(two[:, ::-1], columns=[1, 0])
    for same in (offset, two, pd.Series(offset[:, 0]), offset[:, 0].tolist(), frame):
        other = SoftmaxRegression().fit(X, y, offset=same)
        np.testing.assert_allclose(other.coef_, model.coef_, atol=1e-12)
        ours, known = other.decision_function(X, same), model.decision_function(X, offset)
        np.testing.assert_allclose(ours, known, atol=1e-12)


def test_columns_of_a_frame_are_found_by_name():
    X, y, offset = problem()
    labels = np.array(["b", "c", "a"])[y]  # sorted they are in another order
    frame = pd.DataFrame(offset, columns=["b", "c", "a"])
    model = SoftmaxRegression().fit(X, labels, offset=frame)
    other = SoftmaxRegression().fit(X, labels, offset=offset[:, [2, 0, 1]])
    np.testing.assert_array_equal(model.coef_, other.coef_)
    Y = pd.DataFrame(np.eye(3)[y], columns=["b", "c", "a"])
    soft = SoftmaxRegression().fit(X, Y, offset=frame)
    np.testing.assert_allclose(soft.coef_, model.coef_, atol=1e-6)
    with pytest.raises(ValueError, match=r"columns of offset are \['b', 'c', 'd'\]"):
        SoftmaxRegression().fit(X, labels, offset=frame.rename(columns={"a": "d"}))


def test_predictions_are_those_of_the_sums():
    X, y, offset = problem()
    model = SoftmaxRegression().fit(X, y, offset=offset)
    scores = X @ model.coef_.T + model.intercept_ + offset
    centred = offset - offset.mean(axis=1)[:, None]
    found = model.decision_function(X, offset)
    np.testing.assert_allclose(found, X @ model.coef_.T + model.intercept_ + centred, atol=1e-12)
    log_p = log_softmax(scores, axis=1)
    np.testing.assert_allclose(model.predict_log_proba(X, offset=offset), log_p, atol=1e-12)
    np.testing.assert_allclose(model.predict_proba(X, offset=offset), np.exp(log_p), atol=1e-12)
    np.testing.assert_array_equal(model.predict(X, offset=offset), log_p.argmax(axis=1))
    np.testing.assert_allclose(model.decision_function(X), X @ model.coef_.T + model.intercept_)
    single = SoftmaxRegression().fit(X.astype(np.float32), y, offset=offset)
    assert single.predict_proba(X.astype(np.float32), offset).dtype == np.float32
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X, offset), model.predict(X, offset))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_more_columns_than_rows(n_classes, solver):
    X, y, offset = problem(n_rows=40, n_columns=100, n_classes=n_classes)
    known = minimum(X, y, offset, 0.01)
    model = SoftmaxRegression(C=0.01, solver=solver, tol=1e-9).fit(X, y, offset=offset)
    assert model.optimality_gap_ <= 1e-9
    assert model.objective_ == pytest.approx(known.fun, rel=1e-8)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("max_iter", [1, 3])
def test_gap_bounds_what_is_left_wherever_a_fit_stops(max_iter, fit_intercept, n_classes, l1_ratio):
    X, y, offset = problem(n_classes=n_classes)
    how = {"l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    best = SoftmaxRegression(tol=1e-12, **how).fit(X, y, offset=offset).objective_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        cut = SoftmaxRegression(max_iter=max_iter, tol=1e-12, **how).fit(X, y, offset=offset)
    left = (cut.objective_ - best) / cut.objective_
    assert left - 1e-13 <= cut.optimality_gap_ < 1


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("grouping", ["none", "features"])
def test_sparse_optima_meet_their_conditions_and_grids_begin_at_zero(grouping, l1_ratio):
    X, y, offset = problem()
    how = {"l1_ratio": l1_ratio, "penalty_grouping": grouping, "tol": 1e-11}
    path = softmax_path(X, y, Cs=5, offset=offset, **how)
    assert not path.coefs[0].any()
    just = SoftmaxRegression(C=1.001 * path.Cs[0], **how).fit(X, y, offset=offset)
    assert just.coef_.any()
    model = SoftmaxRegression(C=path.Cs[2], **how).fit(X, y, offset=offset)
    np.testing.assert_allclose(model.coef_, path.coefs[2], atol=1e-4)
    W, C = model.coef_, path.Cs[2]
    residual = model.predict_proba(X, offset) - np.eye(3)[y]
    slopes = C * residual.T @ X + (1 - l1_ratio) * W
    norms = np.abs(slopes) if grouping == "none" else np.linalg.norm(slopes, axis=0)
    assert (norms <= l1_ratio + 1e-4).all()


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_minibatches_and_streams_come_near_the_optimum(solver):
    X, y, offset = problem(n_rows=300)
    exact = SoftmaxRegression(tol=1e-10).fit(X, y, offset=offset)
    model = SoftmaxRegression(solver=solver, random_state=0).fit(X, y, offset=offset)
    assert model.objective_ / exact.objective_ - 1 <= model.optimality_gap_ <= 1e-2
    stream = SoftmaxRegression(solver=solver, random_state=0)
    for _ in range(30):
        stream.partial_fit(X, y, classes=[0, 1, 2], offset=offset)
    near = stream.predict_proba(X, offset) - exact.predict_proba(X, offset)
    assert np.abs(near).mean() < 0.02


# -- cross-validation ------------------------------------------------------------------------------


@pytest.mark.parametrize("scoring", ["neg_log_loss", "accuracy", "neg_brier_score_of_two"])
@pytest.mark.parametrize("n_columns", [5, 130])
def test_folds_are_fitted_and_scored_with_their_rows_of_it(n_columns, scoring):
    n_classes = 3 if scoring != "neg_brier_score_of_two" else 2
    scoring = scoring.removesuffix("_of_two")
    X, y, offset = problem(n_columns=n_columns, n_classes=n_classes)
    train, test = np.arange(0, 40), np.arange(40, 60)
    search = SoftmaxRegressionCV(Cs=[0.01, 0.1], cv=[(train, test)], scoring=scoring, tol=1e-10)
    search.fit(X, y, offset=offset)
    for i, C in enumerate(search.Cs_):
        model = SoftmaxRegression(C=C, tol=1e-10).fit(X[train], y[train], offset=offset[train])
        p = model.predict_proba(X[test], offset[test])
        known = {
            "neg_log_loss": np.log(p[np.arange(20), y[test]]).mean(),
            "accuracy": (p.argmax(axis=1) == y[test]).mean(),
            "neg_brier_score": -np.square(p[:, -1] - y[test]).mean(),
        }[scoring]
        assert search.scores_[0, 0, i] == pytest.approx(known, abs=1e-5)
    whole = SoftmaxRegression(C=search.C_, tol=1e-10).fit(X, y, offset=offset)
    np.testing.assert_allclose(search.coef_, whole.coef_, atol=1e-4)
    p = whole.predict_proba(X, offset)
    known = {
        "neg_log_loss": np.log(p[np.arange(60), y]).mean(),
        "accuracy": (p.argmax(axis=1) == y).mean(),
        "neg_brier_score": -np.square(p[:, -1] - y).mean(),
    }[scoring]
    assert search.score(X, y, offset=offset) == pytest.approx(known, abs=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_leaving_out_a_row_is_a_fit_without_it(n_classes):
    X, y, offset = problem(n_rows=40, n_classes=n_classes)
    quick = SoftmaxRegressionCV(Cs=[0.05, 1.0], cv="loo").fit(X, y, offset=offset)
    for i, C in enumerate(quick.Cs_):
        for row in (0, 7, 23):
            others = np.arange(len(X)) != row
            model = SoftmaxRegression(C=C, tol=1e-10)
            model.fit(X[others], y[others], offset=offset[others])
            exact = model.predict_log_proba(X[[row]], offset[[row]])[0, y[row]]
            assert quick.scores_[row, 0, i] == pytest.approx(exact, abs=0.03)


def test_it_is_routed_as_metadata():
    X, y, offset = problem()
    with config_context(enable_metadata_routing=True):
        model = SoftmaxRegression().set_fit_request(offset=True).set_score_request(offset=True)
        found = cross_validate(model, X, y, cv=3, params={"offset": offset})
        splits = cross_validate(model, X, y, cv=3, params={"offset": offset}, return_indices=True)
        train, test = (splits["indices"][part][0] for part in ("train", "test"))
        alone = SoftmaxRegression().fit(X[train], y[train], offset=offset[train])
        known = alone.score(X[test], y[test], offset=offset[test])
        assert found["test_score"][0] == known
        for method in ("predict", "predict_proba", "decision_function", "partial_fit"):
            assert hasattr(model, f"set_{method}_request")
        search = SoftmaxRegressionCV(Cs=[0.1]).fit(X, y, offset=offset)
        assert search.scores_.shape == (5, 1, 1)


# -- hostile values --------------------------------------------------------------------------------


def test_classes_without_weight_stay_impossible():
    X, y, offset = problem()
    offset[:, 2] += 50
    model = SoftmaxRegression(tol=1e-9).fit(X, y, sample_weight=y != 2, offset=offset)
    assert model.predict_proba(X, offset)[:, 2].max() < 1e-15
    two = SoftmaxRegression(tol=1e-9).fit(X[y != 2], y[y != 2], offset=np.diff(offset)[y != 2, :1])
    ours = model.predict_proba(X, offset)[:, 1]
    # Two classes with a score each have half the penalty of one with all of it.
    assert np.abs(ours - two.predict_proba(X, np.diff(offset)[:, :1])[:, 1]).max() < 0.2
    one = SoftmaxRegression().fit(X, y, sample_weight=y == 1, offset=offset)
    assert one.predict_proba(X, offset)[:, 1].min() > 1 - 1e-12


def test_separation_does_not_depend_on_it():
    X, y = load_iris(return_X_y=True)
    offset = np.random.default_rng(0).normal(size=(150, 3))
    with pytest.warns(ConvergenceWarning, match="can be told apart"):
        SoftmaxRegression(C=np.inf).fit(X, y, offset=offset)
    X, y, _ = problem(n_rows=150)
    right = 6.0 * np.eye(3)[y]  # that it tells all rows apart is no work of the model's
    model = SoftmaxRegression(C=np.inf).fit(X, y, offset=right)
    assert np.abs(model.coef_).max() < 1e3


@pytest.mark.parametrize(
    "how", [{}, {"l1_ratio": 0.5}, {"solver": "lbfgs"}, {"C": np.inf}], ids=str
)
@pytest.mark.parametrize("size", [1e-300, 1e2, 1e6, 1e12])
def test_known_scores_of_any_size(size, how):
    """The same for all rows they belong to the intercept; else they may be all there is."""
    X, y, offset = problem(n_rows=150)
    if size <= 1e6:  # else rounding shows in each score
        same = np.tile([1.0, -1.0, 0.0], (len(X), 1)) * size
        model = SoftmaxRegression(**how).fit(X, y, offset=same)
        plain = SoftmaxRegression(**how).fit(X, y)
        np.testing.assert_allclose(model.coef_, plain.coef_, atol=2e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        wild = SoftmaxRegression(**how).fit(X, y, offset=size * offset)
    assert np.isfinite(wild.coef_).all()
    assert 0 <= wild.optimality_gap_ <= 1


@pytest.mark.parametrize(
    ("offset", "message"),
    [
        (np.zeros(59), r"the shape \(60, 3\), a column for each class; got \(59,\)"),
        (np.zeros(60), r"got \(60,\)"),
        (np.zeros((60, 2)), r"got \(60, 2\)"),
        (np.zeros((3, 60)), r"got \(3, 60\)"),
        (np.full((60, 3), np.nan), "contains NaN, the first in row 0"),
        (np.full((60, 3), np.inf), "infinite"),
        ([["a"] * 3] * 60, "must hold numbers"),
    ],
)
def test_what_are_no_scores_of_these_rows_is_refused(offset, message):
    X, y, _ = problem()
    for model in (SoftmaxRegression(), SoftmaxRegressionCV()):
        with pytest.raises(ValueError, match=f"offset.*{message}"):
            model.fit(X, y, offset=offset)
        assert not hasattr(model, "classes_")
    with pytest.raises(ValueError, match=f"offset.*{message}"):
        softmax_path(X, y, offset=offset)
    with pytest.raises(ValueError, match=f"offset.*{message}"):
        SoftmaxRegression().partial_fit(X, y, classes=[0, 1, 2], offset=offset)
    fitted = SoftmaxRegression().fit(X, y)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(ValueError, match=f"offset.*{message}"):
            getattr(fitted, method)(X, offset=offset)
    with pytest.raises(ValueError, match=f"offset.*{message}"):
        fitted.score(X, y, offset=offset)


def test_a_wrong_length_for_two_classes_is_named():
    X, y, _ = problem(n_classes=2)
    with pytest.raises(ValueError, match=r"the shape \(60,\), scores of 1 less those of 0"):
        SoftmaxRegression().fit(X, y, offset=np.zeros(3))
    assert clone(SoftmaxRegression()).fit(X, y, offset=np.zeros(60)).n_iter_[0] > 0
