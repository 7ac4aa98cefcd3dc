"""Properties of inference for every table: invariances, derivatives, and errors with remedies."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from tables import programme_choice, random_table

from softmax_regression import SoftmaxRegression, SoftmaxRegressionCV
from softmax_regression.inference import infer


def inferred(X, y, weight=None, *, C=np.inf, **options):
    model = SoftmaxRegression(C=C).fit(X, y, sample_weight=weight)
    return infer(model, X, y, sample_weight=weight, **options)


def free_of_reference(results):
    """Return what must not depend on the reference."""
    return {
        "facts": [results.llf, results.llnull, results.aic, results.bic, results.df_model],
        "terms": results.test_terms(),
        "effects": results.get_margeff().margeff_se,
        "se": results.get_prediction(results._likelihood.design.X[:5]).se,
    }


# -- invariances -----------------------------------------------------------------------------------


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_nothing_but_coefficients_depends_on_the_reference(C, cov_type):
    X, y = random_table(n_classes=4)
    X = X.to_numpy()
    expected = free_of_reference(inferred(X, y, C=C, cov_type=cov_type))
    for reference in (1, 3, None):
        results = inferred(X, y, C=C, cov_type=cov_type, reference=reference)
        for name, found in free_of_reference(results).items():
            np.testing.assert_allclose(found, expected[name], rtol=1e-9, atol=1e-14)
        assert results.params.shape == (4, 4 if reference is None else 3)


def test_coefficients_of_references_are_differences():
    X, y = random_table(n_classes=3)
    first, second = inferred(X, y), inferred(X, y, reference=1)
    symmetric = inferred(X, y, reference=None)
    np.testing.assert_allclose(second.params[0], -first.params[1], rtol=1e-9)
    np.testing.assert_allclose(second.params[2], first.params[2] - first.params[1], rtol=1e-7)
    np.testing.assert_allclose(symmetric.params.sum(axis=1), 0, atol=1e-12)
    difference = {(2, "f0"): 1, (1, "f0"): -1}
    for results in (first, symmetric):
        found = results.wald_test(difference)
        assert found.statistic == pytest.approx(second.tvalues.loc["f0", 2] ** 2, rel=1e-9)
        assert found.pvalue == pytest.approx(second.pvalues.loc["f0", 2], rel=1e-9)


def test_symmetric_coefficients_are_those_of_the_model():
    X, y = random_table()
    model = SoftmaxRegression(C=0.5, tol=1e-12).fit(X, y)
    params = infer(model, X, y, reference=None).params
    np.testing.assert_allclose(params.to_numpy()[1:].T, model.coef_, rtol=1e-6)
    np.testing.assert_allclose(params.loc["intercept"], model.intercept_, rtol=1e-5)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1", "cluster"])
def test_units_of_columns_and_their_origins_scale_errors(cov_type):
    X, y = random_table()
    groups = np.arange(len(y)) // 4 if cov_type == "cluster" else None
    expected = inferred(X, y, cov_type=cov_type, groups=groups)
    units = np.array([1e6, 1e-8, 1.0])
    found = inferred(X * units + [1e7, 0, 50], y, cov_type=cov_type, groups=groups)
    for name in ("params", "bse"):
        scaled = getattr(found, name).to_numpy()[1:] * units[:, None]
        np.testing.assert_allclose(scaled, getattr(expected, name).to_numpy()[1:], rtol=1e-6)
    np.testing.assert_allclose(found.tvalues[1:], expected.tvalues[1:], rtol=1e-6)


def test_the_order_of_classes_does_not_matter():
    X, y = random_table(n_classes=4)
    expected = inferred(X, y, reference=2)
    names = np.array(["d", "b", "a", "c"])
    found = inferred(X, names[y], reference="a")
    for k in (0, 1, 3):
        np.testing.assert_allclose(found.params[names[k]], expected.params[k], rtol=1e-8)
        np.testing.assert_allclose(found.bse[names[k]], expected.bse[k], rtol=1e-10)


@pytest.mark.parametrize("C", [np.inf, 0.3])
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC1", "cluster"])
def test_frequency_weights_are_repeated_rows(C, cov_type):
    X, y = random_table(n_rows=120)
    weight = np.random.default_rng(1).integers(0, 4, 120)
    groups = np.arange(120) // 5
    of = {"cov_type": cov_type, "groups": groups if cov_type == "cluster" else None}
    found = inferred(X, y, weight, C=C, **of)
    rows = np.repeat(np.arange(120), weight)
    of["groups"] = groups[rows] if cov_type == "cluster" else None
    expected = inferred(X.iloc[rows], y[rows], C=C, **of)
    assert found.nobs == expected.nobs == weight.sum()
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-7)
    np.testing.assert_allclose(found.bse, expected.bse, rtol=1e-8)
    np.testing.assert_allclose(found.bic, expected.bic, rtol=1e-10)
    np.testing.assert_allclose(found.llnull, expected.llnull, rtol=1e-10)
    at_median = (r.get_margeff(at="median").margeff for r in (found, expected))
    np.testing.assert_allclose(*at_median, rtol=1e-6)


def test_sampling_weights_have_no_unit():
    X, y = random_table()
    weight = np.random.default_rng(1).uniform(0, 3, len(y))
    weight[:9] = 0
    found = inferred(X, y, weight, weights="sampling")
    other = inferred(X, y, 1e6 * weight, weights="sampling")
    assert found.cov_type == "HC0"
    assert found.nobs == len(y) - 9
    np.testing.assert_allclose(found.bse, other.bse, rtol=1e-8)
    assert found.llf == pytest.approx(other.llf, rel=1e-8)
    assert np.isnan(found.llr_pvalue)
    equal = inferred(X, y, np.full(len(y), 7.0), weights="sampling")
    np.testing.assert_allclose(equal.bse, inferred(X, y, cov_type="HC0").bse, rtol=1e-8)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_sparse_and_float32_rows_are_like_others(cov_type):
    X, y = random_table()
    X = X.to_numpy() * (np.random.default_rng(0).random(X.shape) < 0.5)
    expected = inferred(X, y, cov_type=cov_type)
    np.testing.assert_allclose(
        inferred(sparse.csr_array(X), y, cov_type=cov_type).bse, expected.bse
    )
    found = inferred(X.astype(np.float32), y, cov_type=cov_type)
    np.testing.assert_allclose(found.bse, expected.bse, rtol=1e-5)


def test_a_class_without_weight_is_left_out():
    X, y = random_table(n_classes=4)
    weight = (y != 2).astype(float)
    found, kept = inferred(X, y, weight), y != 2
    expected = inferred(X[kept], y[kept])
    assert list(found.classes) == [0, 1, 3]
    np.testing.assert_allclose(found.bse, expected.bse, rtol=1e-8)


def test_a_rough_model_is_refined():
    X, y = random_table()
    rough = SoftmaxRegression(C=np.inf, tol=1e-3, solver="lbfgs").fit(X, y)
    np.testing.assert_allclose(infer(rough, X, y).params, inferred(X, y).params, rtol=1e-9)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_whether_a_step_is_small_is_decided_as_by_its_largest_change(fit_intercept, weighted):
    rng = np.random.default_rng(0)
    X, y = random_table(n_classes=3)
    X = X.to_numpy() * [1, 10, 0.1] + [3, 0, 1]
    weight = rng.integers(1, 4, size=len(X)) if weighted else None
    model = SoftmaxRegression(C=np.inf, fit_intercept=fit_intercept).fit(X, y, weight)
    likelihood = infer(model, X, y, weight)._likelihood
    for _ in range(20):
        step = rng.standard_normal(likelihood.n_params) * rng.random(likelihood.n_params) ** 9
        z = likelihood.rows(X)
        changes = np.vstack([step.reshape(-1, likelihood.width) @ z, np.zeros(len(X))])
        largest = np.ptp(changes, axis=0).max()
        assert likelihood.largest_change(step) == pytest.approx(largest, rel=1e-9)
        for factor in (0.5, 0.99, 1.01, 2, 1000):
            assert likelihood.changes_less(step, factor * largest) == (factor > 1)


def test_clusters_of_one_row_are_hc0():
    X, y = random_table()
    n, k = len(y), 8
    cluster = inferred(X, y, cov_type="cluster", groups=np.arange(n)).cov_params()
    factor = n / (n - 1) * (n - 1) / (n - k)
    np.testing.assert_allclose(cluster, factor * inferred(X, y, cov_type="HC0").cov_params(), 1e-7)


# -- a penalty -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_laplace_posterior_is_the_inverse_hessian(n_classes):
    X, y = random_table(n_rows=60, n_classes=n_classes)
    C = 0.7
    model = SoftmaxRegression(C=C, tol=1e-12).fit(X, y)
    found = infer(model, X, y, reference=None)
    Z = np.column_stack([np.ones(len(y)), X])
    k = 1 if n_classes == 2 else n_classes

    def slopes(flat):
        scores = Z @ flat.reshape(k, -1).T
        if k == 1:
            scores = np.column_stack([np.zeros(len(y)), scores])
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        residual = (p - np.eye(n_classes)[y])[:, -k:]
        gradient = residual.T @ Z
        gradient[:, 1:] += flat.reshape(k, -1)[:, 1:] / C
        return gradient.ravel()

    at = found.params.to_numpy().T.ravel()
    np.testing.assert_allclose(slopes(at), 0, atol=1e-9)
    step = 1e-6 * np.eye(len(at))
    hessian = np.array([(slopes(at + s) - slopes(at - s)) / 2e-6 for s in step])
    shift = np.kron(np.full((k, k), 1 / k), np.eye(Z.shape[1])) if k > 1 else 0
    projection = np.eye(len(at)) - shift  # what all classes share is no part of the model
    expected = np.linalg.pinv(projection @ hessian @ projection, rcond=1e-9)
    np.testing.assert_allclose(found.cov_params(), expected, rtol=1e-5, atol=1e-9)
    assert found.df_model < 3 * (n_classes - 1)
    assert np.isnan(found.llr_pvalue)


def test_the_summary_says_what_errors_of_a_penalized_model_are():
    X, y = random_table()
    text = str(inferred(X, y, C=1.0).summary())
    assert "Laplace posterior" in text
    assert "biased towards 0" in text
    text = str(inferred(X, y, C=1.0, cov_type="HC0").summary())
    assert "frequentist sandwich" in text
    assert "biased" not in str(inferred(X, y).summary())


# -- the delta method ------------------------------------------------------------------------------


def shifted(results, by):
    """Return results at other unknowns."""
    other = pickle.loads(pickle.dumps(results))
    object.__setattr__(other, "_u", results._u + by)
    return other


def slopes_by_differences(results, function, step=1e-6):
    columns = []
    for unit in step * np.eye(len(results._u)):
        above, below = function(shifted(results, unit)), function(shifted(results, -unit))
        columns.append((np.asarray(above) - np.asarray(below)).ravel() / (2 * step))
    return np.array(columns).T


@pytest.mark.parametrize("method", ["dydx", "eyex", "dyex", "eydx"])
@pytest.mark.parametrize("at", ["overall", "mean", "median"])
def test_errors_of_marginal_effects_are_those_of_differences(method, at):
    X, y, _ = programme_choice()
    groups = {"ses": ["ses_middle", "ses_high"]}
    results = inferred(X, y)
    found = results.get_margeff(at, method, groups)
    jacobian = slopes_by_differences(results, lambda r: r.get_margeff(at, method, groups).margeff)
    expected = jacobian @ results._covariance @ jacobian.T
    np.testing.assert_allclose(found.cov_margeff, expected, rtol=1e-5, atol=1e-9)
    if method.startswith("dy"):
        np.testing.assert_allclose(found.margeff.sum(axis=1), 0, atol=1e-14)
    assert list(found.margeff.index) == list(X.columns)


def test_groups_of_columns_are_changes_between_levels():
    X, y, _ = programme_choice()
    model = SoftmaxRegression(C=np.inf, tol=1e-12).fit(X, y)
    groups = {"ses": ["ses_middle", "ses_high"]}
    found = infer(model, X, y).get_margeff(discrete=groups).margeff
    low, high = (X.assign(ses_middle=0.0, ses_high=value) for value in (0.0, 1.0))
    expected = (model.predict_proba(high) - model.predict_proba(low)).mean(axis=0)
    np.testing.assert_allclose(found.loc["ses_high"], expected, rtol=1e-6)


def test_errors_of_predictions_are_those_of_differences():
    X, y = random_table(n_classes=4)
    results, rows = inferred(X, y), X[:7]
    found = results.get_prediction(rows)
    jacobian = slopes_by_differences(results, lambda r: r.get_prediction(rows).predicted)
    expected = np.sqrt(np.diag(jacobian @ results._covariance @ jacobian.T))
    np.testing.assert_allclose(found.se.to_numpy().ravel(), expected, rtol=1e-6)
    frame = found.summary_frame()
    assert ((frame["ci_lower"] > 0) & (frame["ci_upper"] < 1)).all()
    assert (
        (frame["ci_lower"] < frame["predicted"]) & (frame["predicted"] < frame["ci_upper"])
    ).all()


def test_intervals_of_predictions_stay_within_the_unit_interval_far_out():
    X, y = random_table()
    frame = inferred(X, y).get_prediction(20 * X).summary_frame(1e-6)
    assert frame["ci_lower"].min() >= 0
    assert frame["ci_upper"].max() <= 1
    assert frame.notna().all(axis=None)


def test_a_bootstrap_finds_the_same_errors():
    X, y = random_table(n_rows=400)
    rng, draws = np.random.default_rng(0), []
    results = inferred(X, y, cov_type="HC0")
    for _ in range(200):
        rows = rng.integers(0, len(y), len(y))
        model = SoftmaxRegression(C=np.inf).fit(X.iloc[rows], y[rows])
        draws.append(model.predict_proba(X[:3]))
    found = results.get_prediction(X[:3]).se
    np.testing.assert_allclose(found, np.std(draws, axis=0), rtol=0.25)


# -- tests and intervals ---------------------------------------------------------------------------


@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_ends_of_profile_intervals_have_the_likelihood_they_should(C):
    X, y = random_table(n_rows=60)
    results = inferred(X, y, C=C, reference=1)
    ends = results.conf_int(0.1, method="profile")
    wald = results.conf_int(0.1)
    assert (ends["lower"] < results.params.to_numpy().T.ravel()).all()
    np.testing.assert_allclose(ends, wald, rtol=0.5, atol=0.3)
    # The profile at an end, by a general minimiser over the other unknowns.
    from scipy.linalg import null_space
    from scipy.optimize import minimize
    from scipy.stats import chi2

    likelihood, contrast = results._likelihood, results._parameters.matrix()[5]
    others = null_space(contrast[None])
    start = contrast * ends["upper"].iloc[5] / (contrast @ contrast)

    def loss(free):
        at = likelihood.evaluate(start + others @ free)
        return at.value, others.T @ at.gradient

    low = minimize(loss, others.T @ results._u, jac=True, tol=1e-12)
    rise = 2 * (low.fun - likelihood.value(results._u))
    assert rise == pytest.approx(chi2.isf(0.1, 1), rel=1e-6)


def test_terms_are_tested_alike_by_three_ways():
    X, y = random_table(n_rows=2000)
    y[::2] = np.random.default_rng(0).integers(0, 3, 1000)  # far from 0 they part
    y[1::4] = np.random.default_rng(1).integers(0, 3, 500)
    results = inferred(X, y)
    wald, lr, score = (results.test_terms(method=m) for m in ("wald", "lr", "score"))
    np.testing.assert_allclose(lr["statistic"], wald["statistic"], rtol=0.1)
    np.testing.assert_allclose(score["statistic"], wald["statistic"], rtol=0.1)
    without = inferred(X.drop(columns="f1"), y)
    assert lr.loc["f1", "statistic"] == pytest.approx(2 * (results.llf - without.llf), rel=1e-8)
    assert wald["df"].tolist() == [2, 2, 2]
    together = results.test_terms({"all": list(X.columns)}, method="lr")
    assert together.loc["all", "statistic"] == pytest.approx(results.llr, rel=1e-8)


def test_wald_tests_take_matrices_and_values():
    X, y = random_table()
    results = inferred(X, y)
    matrix = np.zeros((2, 8))
    matrix[0, 1], matrix[1, 5] = 1, 1
    found = results.wald_test(matrix)
    assert found == pytest.approx(results.test_terms(["f0"]).loc["f0"].to_numpy()[[0, 1, 2]])
    at = results.params.loc["f0"].to_numpy()
    assert results.wald_test(matrix, at).statistic == pytest.approx(0, abs=1e-20)
    assert results.wald_test(np.vstack([matrix, matrix])).df == 2
    with pytest.raises(ValueError, match="contradict"):
        results.wald_test(np.vstack([matrix, matrix]), [0, 0, 1, 1])


def test_odds_ratios_are_exponentials():
    X, y = random_table()
    results = inferred(X, y)
    found = results.odds_ratios(0.1)
    np.testing.assert_allclose(np.log(found["upper"]), results.conf_int(0.1)["upper"])


# -- to read ---------------------------------------------------------------------------------------


def test_summaries_show_every_coefficient():
    X, y, _ = programme_choice()
    X = X.rename(columns={"write": "score_<50%"})
    results = inferred(X, y)
    frame = results.summary_frame()
    assert len(frame) == results.params.size
    summary = results.summary()
    for value in results.params.to_numpy().ravel():
        for text in (summary.as_text(), summary._repr_html_(), summary.as_latex()):
            assert f"{value:.4f}" in text
    assert "score_&lt;50%" in summary._repr_html_()
    assert r"score\_\textless{}50\%" in summary.as_latex()
    assert len({len(line) for line in str(summary).split("\n") if set(line) == {"="}}) == 1


def test_results_are_frozen_and_outlive_the_model():
    X, y = random_table()
    model = SoftmaxRegression(C=np.inf).fit(X, y)
    results = infer(model, X, y)
    expected = results.get_prediction(X[:3]).se
    with pytest.raises(AttributeError):
        results.llf = 0.0
    model.fit(X.to_numpy()[:, :2], y)
    pd.testing.assert_frame_equal(results.get_prediction(X[:3]).se, expected)
    again = pickle.loads(pickle.dumps(results))
    pd.testing.assert_frame_equal(again.bse, results.bse)


# -- what cannot be done ---------------------------------------------------------------------------


def fitted(**params):
    X, y = random_table()
    return SoftmaxRegression(**params).fit(X, y), X, y


def test_models_without_inference_say_what_to_do():
    X, y = random_table()
    with pytest.raises(TypeError, match="last step"):
        infer(object(), X, y)
    with pytest.raises(NotFittedError):
        infer(SoftmaxRegression(), X, y)
    with pytest.raises(ValueError, match="refit the features it kept with C=inf"):
        infer(*fitted(l1_ratio=0.5))
    with pytest.raises(ValueError, match="bounds=None"):
        infer(*fitted(bounds=(0, None)))
    with pytest.raises(ValueError, match="weights='sampling'"):
        infer(*fitted(class_weight="balanced"))
    with pytest.raises(ValueError, match="call fit on all rows"):
        infer(SoftmaxRegression().partial_fit(X, y, classes=[0, 1, 2]), X, y)
    infer(*fitted(class_weight="balanced"), weights="sampling")


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_other_rows_are_refused(C):
    model, X, y = fitted(C=C)
    before = dict(vars(model))
    for rows, labels, weight in (
        (X[::-1].reset_index(drop=True), y, None),
        (X, np.roll(y, 1), None),
        (X, y, np.arange(len(y)) % 3),
        (X[:100], y[:100], None),
        (X + 1, y, None),
    ):
        with pytest.raises(ValueError, match="pass the X, y, sample_weight and offset of its fit"):
            infer(model, rows, labels, sample_weight=weight)
    with pytest.raises(ValueError, match="feature names"):
        infer(model, X.rename(columns={"f0": "g"}), y)
    with pytest.raises(ValueError, match="feature names"):
        infer(model, X[["f0", "f1"]], y)
    with pytest.raises(ValueError, match="same number of rows"):
        infer(model, X, y[:-1])
    assert vars(model).keys() == before.keys()


def test_options_out_of_range_are_named():
    model, X, y = fitted()
    for options, words in (
        ({"cov_type": "HC3"}, "cov_type must be one of"),
        ({"weights": "analytic"}, "weights must be one of"),
        ({"reference": 9}, r"reference must be one of .*\[0, 1, 2\]"),
        ({"cov_type": "cluster"}, "go together"),
        ({"groups": np.zeros(len(y))}, "go together"),
        ({"cov_type": "cluster", "groups": np.arange(3)}, "each of the 200 rows"),
        ({"cov_type": "cluster", "groups": np.zeros(len(y))}, "two groups"),
    ):
        with pytest.raises(ValueError, match=words):
            infer(model, X, y, **options)
    results, robust = infer(model, X, y), infer(model, X, y, cov_type="HC0")
    for call, words in (
        (lambda: results.conf_int(1.5), "alpha"),
        (lambda: results.get_margeff().conf_int(0), "alpha"),
        (lambda: results.get_prediction(X).summary_frame(1), "alpha"),
        (lambda: results.conf_int(method="score"), "method must be"),
        (lambda: robust.conf_int(method="profile"), "goes by the likelihood"),
        (lambda: robust.test_terms(method="lr"), "goes by the likelihood"),
        (lambda: results.test_terms(method="lr"), "refit with C=inf"),
        (lambda: results.test_terms(["g"]), "no feature 'g'"),
        (lambda: results.get_margeff(at="mode"), "at must be"),
        (lambda: results.get_margeff(discrete=["g"]), "no feature 'g'"),
        (lambda: results.wald_test({(0, "g"): 1}), "its class and its feature"),
        (lambda: results.wald_test([[1.0, 0.0]]), "8 columns"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_singular_information_names_the_columns():
    X, y = random_table()
    twice = X.assign(g=2 * X["f0"] - X["f2"])
    with pytest.raises(ValueError, match="'f0', 'f2', 'g' are collinear"):
        inferred(twice, y)
    with pytest.raises(ValueError, match="'g' is constant"):
        inferred(X.assign(g=0.1), y)
    levels = pd.get_dummies(pd.Series(np.arange(len(y)) % 3, name="level").astype(str)).astype(
        float
    )
    with pytest.raises(ValueError, match="reference level"):
        inferred(pd.concat([X, levels], axis=1), y)
    assert inferred(twice, y, C=1.0).bse.notna().all(axis=None)
    assert inferred(X.assign(g=0.1), y, C=1.0).bse.notna().all(axis=None)


def test_a_cross_validated_model_has_its_own_c():
    X, y = random_table()
    model = SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=3).fit(X, y)
    found = infer(model, X, y)
    assert found.C == model.C_
    np.testing.assert_allclose(found.bse, inferred(X, y, C=model.C_).bse, rtol=1e-6)


@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_class_probabilities_have_scores_too(C):
    X, y = random_table()
    soft = np.eye(3)[y]
    np.testing.assert_allclose(inferred(X, soft, C=C).bse, inferred(X, y, C=C).bse, rtol=1e-6)


# -- penalties with weights ------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_posterior_knows_the_weights_of_the_penalty(n_classes, standardize):
    """Weights of a ridge are a change of units, in which the posterior is that of the plain one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3)) * [1, 4, 0.2]
    y = np.append(np.arange(n_classes), rng.integers(n_classes, size=80 - n_classes))
    weights = np.array([0.5, 2.0, 3.0])
    roots = np.sqrt(weights) * (X.std(axis=0) if standardize else 1)
    how = {"penalty_weights": weights, "standardize": standardize}
    model = SoftmaxRegression(C=0.3, **how).fit(X, y)
    results = infer(model, X, y)
    plain = infer(SoftmaxRegression(C=0.3).fit(X / roots, y), X / roots, y)
    assert results.llf == pytest.approx(plain.llf, rel=1e-9)
    units = np.append(1.0, roots)[:, None]
    np.testing.assert_allclose(results.params * units, plain.params, atol=1e-7)
    np.testing.assert_allclose(results.bse * units, plain.bse, rtol=1e-7)
    free = SoftmaxRegression(C=0.3, penalty_weights=np.zeros(3)).fit(X, y)
    none = SoftmaxRegression(C=np.inf).fit(X, y)
    np.testing.assert_allclose(infer(free, X, y).bse, infer(none, X, y).bse, rtol=1e-6)
