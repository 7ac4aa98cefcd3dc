"""Inference of models with Firth's bias reduction, compared with R's brglm2 and plain profiles.

The numbers are from R 4.2.2 with brglm2 0.9. Without the package logistf, intervals and tests of
two classes are those of a penalised likelihood written out in R and maximised by its optim and nlm.
For the endometrial data they agree with the interval of Heinze and Schemper, (0.61, 7.85) for NV.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2
from tables import alligators, endometrial, programme_choice, random_table

from softmax_regression import SoftmaxRegression
from softmax_regression.inference import detect_separation, infer


def inferred(X, y, weight=None, **options):
    model = SoftmaxRegression(C=np.inf, bias_reduction="firth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y, sample_weight=weight)
    return infer(model, X, y, sample_weight=weight, **options)


# brmultinom(foodchoice ~ lake + size, weights=freq, data=alligators, ref=1, type="AS_mean",
#            epsilon=1e-13, maxit=10000): coefficients and sqrt(diag(vcov)), the intercept first,
# for invertebrate, reptile, bird and other; and logLik
ADDITIVE = (
    [
        [-1.6488998959068, -2.24974951882669, -1.90174977535107, -0.72117046061250],
        [2.4611420208329, 1.12267384631096, -1.03591139446613, -0.71926162198196],
        [2.6413664549333, 1.57898990820163, 0.40490366290211, 0.67143808124496],
        [1.5600445423309, -0.98001819953212, -0.62131686715497, -0.77927890806454],
        [-1.4019623710541, 0.32094871841620, 0.58287677006347, -0.31477525513667],
    ],
    [
        [0.52414457293580, 0.60825193766425, 0.53564040250621, 0.35417114102739],
        [0.64769053202097, 0.75591857896504, 1.01337676796688, 0.70565895185937],
        [0.65941341891694, 0.75125021435675, 0.75703268437201, 0.56010292508264],
        [0.60035689588543, 1.02181176599923, 0.74364539108944, 0.55214762321466],
        [0.39622670435158, 0.55659744524493, 0.60846421871052, 0.44437598789234],
    ],
    -270.40711239752,
)
# The same of foodchoice ~ lake * size, which is separated: 4 of the 40 cells are empty.
INTERACTING = (
    [
        [-1.65292302437384, -2.24070968927596, -2.24070968927596, -1.01693425765384],
        [2.39052196750462, 0.94142670514570, -0.15718558352241, 0.56494913391079],
        [2.39052196750462, 1.45225232891169, 0.94142670514570, 1.01693425765384],
        [1.81997710903701, -0.15718558352241, 0.35364004024358, -0.53366315475732],
        [-1.05512717672837, 0.63127177684186, 1.47856963722906, 0.70677932935000],
        [-0.14509528835052, -0.06287630125439, -1.27789894176691, -3.55063107161127],
        [0.19236509064359, -0.11107840307227, -1.06658984809970, -1.14209740060785],
        [-1.56866268075610, -1.78872456553290, -2.04823576101799, -0.76561982937294],
    ],
    [
        [0.53079958236778, 0.68623755785850, 0.68623755785850, 0.41287951890088],
        [0.76427726522761, 1.19392941179999, 1.71039978962845, 0.83453191856384],
        [0.76060519663818, 1.05515222988905, 1.18650354937703, 0.75629666708440],
        [0.63281810528521, 1.11469305689628, 0.97959878614894, 0.73342139165421],
        [1.65783438959037, 1.18149142435128, 0.97746907641082, 0.73134358308647],
        [1.80544329625787, 1.61206007599944, 2.05350177909910, 1.82211325711522],
        [1.82148389086473, 1.52749599940839, 1.52658060922031, 1.12323630536920],
        [1.91655577197848, 2.11150413260355, 1.50006606434813, 1.13318977181587],
    ],
    -263.95458751183,
)


def interacting():
    X, y, counts = alligators()
    products = {f"{lake}:large": X[lake] * X["large"] for lake in X.columns[:3]}
    return X.assign(**products), y, counts


@pytest.mark.parametrize(
    ("read", "expected"),
    [(alligators, ADDITIVE), (interacting, INTERACTING)],
    ids=["additive", "separated"],
)
def test_estimates_and_errors_are_those_of_brmultinom(read, expected):
    X, y, counts = read()
    assert bool(detect_separation(X, y, counts)) == (read is interacting)
    coefficients, errors, log_likelihood = expected
    results = inferred(X, y, counts, reference="Fish")
    classes = ["Invertebrate", "Reptile", "Bird", "Other"]
    np.testing.assert_allclose(results.params[classes], coefficients, rtol=1e-6)
    np.testing.assert_allclose(results.bse[classes], errors, rtol=1e-6)
    assert results.llf == pytest.approx(log_likelihood, rel=1e-9)
    assert results.nobs == counts.sum()


# g <- glm(HG ~ NV + PI + EH, binomial, endometrial, method="brglmFit", type="AS_mean",
#          epsilon=1e-13, maxit=10000)
# X <- model.matrix(g); y <- endometrial$HG
# pll <- function(b) { e <- drop(X %*% b); p <- plogis(e)
#   sum(y * plogis(e, log.p=TRUE) + (1 - y) * plogis(-e, log.p=TRUE)) +
#   0.5 * determinant(crossprod(X * sqrt(p * (1 - p))))$modulus }
# pll(coef(g)); the ends where 2 (pll(coef(g)) - the largest pll for a value) is qchisq(0.95, 1), by
# uniroot; the same difference for the value 0; and with all three at 0
ESTIMATES = [3.774559713647105, 2.929273353197117, -0.034751759870436, -2.604163925293679]
ERRORS = [1.488691663435669, 1.550763729453049, 0.039578147347763, 0.776017642501566]
ENDS = [
    [1.0825371084477, 7.209280498247],
    [0.6097244363032, 7.8546317138752],
    [-0.12445872085173, 0.040455473180604],
    [-4.3651832472632, -1.232721057217],
]
RATIOS, RATIO_OF_ALL = [6.7984572486661, 0.74682851343211, 17.759317479439], 43.655818465745


def test_two_separated_classes_are_those_of_brglm2_and_of_naive_profiles():
    X, y = endometrial()
    assert detect_separation(X, y).features == ["NV"]
    results = inferred(X, y)
    np.testing.assert_allclose(results.params[1], ESTIMATES, rtol=1e-8)
    np.testing.assert_allclose(results.bse[1], ERRORS, rtol=1e-6)
    np.testing.assert_allclose(results.conf_int(method="profile"), ENDS, rtol=1e-5)
    tests = results.test_terms(method="lr")
    np.testing.assert_allclose(tests["statistic"], RATIOS, rtol=1e-6)
    np.testing.assert_allclose(tests["pvalue"], chi2.sf(RATIOS, 1), rtol=1e-5)
    assert results.llr == pytest.approx(RATIO_OF_ALL, rel=1e-8)
    assert results.llr_pvalue == pytest.approx(chi2.sf(RATIO_OF_ALL, 3), rel=1e-6)


def test_profiles_hold_where_the_coefficient_is_fixed():
    """Three classes: at an end, another fit with the feature as a known part loses χ²/2."""
    X, y = random_table(n_rows=40)
    results = inferred(X, y)
    ends = results.conf_int(method="profile")
    wald = results.conf_int()
    estimates = results.params.T.to_numpy().ravel()
    assert (ends["lower"] < estimates).all()
    assert (ends["upper"] > estimates).all()
    np.testing.assert_allclose(ends, wald, rtol=0.6, atol=0.6)
    # An interval holds 0 exactly if the test says so.
    for alpha in (0.05, 0.3):
        ends = results.conf_int(alpha, "profile").loc[(1, "f0")]
        statistic = _ratio_at(results, (1, "f0"), ends["lower"])
        assert statistic == pytest.approx(chi2.isf(alpha, 1), rel=1e-6)


def _ratio_at(results, parameter, value):
    """Twice the fall of the penalised likelihood, by a search of SciPy's that knows no slopes."""
    likelihood, parameters = results._likelihood, results._parameters
    place = list(parameters.index).index(parameter)
    row = parameters.matrix()[place]
    along = row / (row @ row)
    others = np.linalg.svd(row[None])[2][1:]
    best = likelihood.value(results._u)

    def fall(v):
        return likelihood.value(along * value + v @ others) - best

    found = minimize(fall, others @ results._u, method="BFGS", options={"gtol": 1e-7})
    return 2 * found.fun


def test_results_do_not_depend_on_the_reference():
    X, y, _ = programme_choice()
    first, last = inferred(X, y), inferred(X, y, reference="vocation")
    for name in ("llf", "llr", "aic", "bic"):
        assert getattr(first, name) == pytest.approx(getattr(last, name), rel=1e-9)
    terms = {"ses": ["ses_middle", "ses_high"], "write": ["write"]}
    pd.testing.assert_frame_equal(
        first.test_terms(terms, method="lr"), last.test_terms(terms, method="lr"), rtol=1e-7
    )


def test_weights_count_rows():
    X, y = random_table(n_rows=60)
    counts = np.random.default_rng(0).integers(0, 3, len(y))
    found = inferred(X, y, counts)
    rows = np.repeat(np.arange(len(y)), counts)
    expected = inferred(X.iloc[rows], y[rows])
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-7)
    np.testing.assert_allclose(found.bse, expected.bse, rtol=1e-7)
    assert found.llr == pytest.approx(expected.llr, rel=1e-7)


def test_the_summary_says_so():
    X, y = endometrial()
    text = inferred(X, y).summary().as_text()
    assert "Firth's bias reduction" in text
    assert "method='profile'" in text


def test_what_is_not_offered_is_refused():
    X, y = endometrial()
    model = SoftmaxRegression(C=np.inf, bias_reduction="firth").fit(X, y)
    with pytest.raises(ValueError, match="weights='frequency'"):
        infer(model, X, y, weights="sampling")
    with pytest.raises(ValueError, match="use method='lr'"):
        infer(model, X, y).test_terms(method="score")
    with pytest.raises(ValueError, match="cov_type='nonrobust'"):
        infer(model, X, y, cov_type="HC0").conf_int(method="profile")
    with pytest.raises(ValueError, match="was fitted to"):
        infer(model, X[:-5], y[:-5])


def test_a_better_maximum_elsewhere_is_told():
    """The penalised likelihood need not be concave: here weights are a thousandfold unequal."""
    X = np.array([[2.0], [-3.0], [-2.0], [-2.0], [-2.0], [2.0], [3.0], [1.0], [-3.0]])
    y = np.array([0, 1, 2, 1, 1, 0, 0, 2, 2])
    weight = np.array([1.0, 1, 1, 1, 1000, 1000, 1, 1, 1000])
    with pytest.raises(ValueError, match="larger elsewhere"):
        inferred(X, y, weight).conf_int(method="profile")
