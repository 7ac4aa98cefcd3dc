"""Inference returns the numbers of R and statsmodels.

The numbers of R are from version 4.2.2 with VGAM 1.1-8, nnet 7.3-18, sandwich 3.0-2, effects 4.2-2
and car 3.1-1. multinom stops early even with reltol=1e-15: on Womenlf its coefficients have errors
of 1e-7.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from tables import alligators, housing, programme_choice, women

from softmax_regression import SoftmaxRegression
from softmax_regression.inference import infer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of statsmodels about other packages
    import statsmodels.api as sm


def inferred(X, y, weight=None, **options):
    model = SoftmaxRegression(C=np.inf).fit(X, y, sample_weight=weight)
    return infer(model, X, y, sample_weight=weight, **options)


def other(X, y, **options):
    """Return MNLogit's results."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = sm.MNLogit(np.unique(y, return_inverse=True)[1], sm.add_constant(np.asarray(X)))
        return model.fit(method="newton", tol=1e-14, maxiter=100, disp=0, **options)


def anes96():
    table = sm.datasets.anes96.load_pandas().data
    return table[["logpopul", "selfLR", "age", "educ", "income"]], table["PID"].astype(int)


def fair():
    table = sm.datasets.fair.load_pandas().data
    X = table.drop(columns="affairs")
    return X, pd.cut(table["affairs"], [-1, 0, 1, 100], labels=[0, 1, 2]).astype(int)


TABLES = {"programme": lambda: programme_choice()[:2], "anes96": anes96, "fair": fair}


@pytest.mark.parametrize("table", TABLES)
def test_estimates_errors_and_criteria_are_those_of_statsmodels(table):
    X, y = TABLES[table]()
    results, expected = inferred(X, y), other(X, y)
    for name in ("params", "bse", "tvalues", "pvalues"):
        found = getattr(results, name).to_numpy()
        np.testing.assert_allclose(found, np.asarray(getattr(expected, name)), rtol=1e-8)
    ends = np.asarray(expected.conf_int()).reshape(-1, 2)
    np.testing.assert_allclose(results.conf_int(), ends, rtol=1e-7)
    np.testing.assert_allclose(results.cov_params(), np.asarray(expected.cov_params()), rtol=1e-6)
    for name in ("llf", "llr", "aic", "bic", "nobs", "df_model", "df_resid", "prsquared", "llnull"):
        assert getattr(results, name) == pytest.approx(getattr(expected, name), rel=1e-6), name
    assert results.llr_pvalue == pytest.approx(expected.llr_pvalue, rel=1e-5)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("at", ["overall", "mean", "median"])
def test_marginal_effects_are_those_of_statsmodels(table, at):
    X, y = TABLES[table]()
    found = inferred(X, y).get_margeff(at=at, discrete=None)
    expected = other(X, y).get_margeff(at=at)
    np.testing.assert_allclose(found.margeff, expected.margeff, atol=1e-9)
    np.testing.assert_allclose(found.margeff_se, expected.margeff_se, rtol=1e-7)


EVERY_EFFECT = [
    (method, at, dummy)
    for method in ("dydx", "eyex", "dyex", "eydx")
    for at in ("overall", "mean", "median")
    for dummy in (False, True)
    # What statsmodels does not have.
    if not dummy or (at != "median" and method.endswith("dx"))
]


@pytest.mark.parametrize(("method", "at", "dummy"), EVERY_EFFECT)
def test_marginal_effects_of_two_classes_are_those_of_logit(method, at, dummy):
    X, y, _ = programme_choice()
    y = (y == "academic").astype(int)
    expected = sm.Logit(y, sm.add_constant(X)).fit(disp=0, tol=1e-14)
    expected = expected.get_margeff(at=at, method=method, dummy=dummy)
    found = inferred(X, y).get_margeff(at, method, "auto" if dummy else None)
    np.testing.assert_allclose(found.margeff[1], expected.margeff, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(found.margeff_se[1], expected.margeff_se, rtol=1e-6)


def test_robust_covariances_are_those_of_statsmodels():
    X, y, groups = programme_choice()
    found = inferred(X, y, cov_type="HC0").cov_params()
    np.testing.assert_allclose(found, np.asarray(other(X, y, cov_type="HC0").cov_params()), 1e-8)
    found = inferred(X, y, cov_type="cluster", groups=groups).cov_params()
    expected = other(X, y, cov_type="cluster", cov_kwds={"groups": groups}).cov_params()
    np.testing.assert_allclose(found, np.asarray(expected), 1e-8)


def test_robust_errors_of_two_classes_are_those_of_sandwich():
    # m <- glm(I(prog == "academic") ~ ses + write, binomial, d, control=list(epsilon=1e-14))
    # sqrt(diag(sandwich(m))); sqrt(diag(vcovHC(m, "HC1")));
    # sqrt(diag(vcovCL(m, d$cid, type="HC0", cadjust=TRUE)))
    X, y, groups = programme_choice()
    y = y == "academic"
    for cov_type, expected in {
        "HC0": [1.0047697321596, 0.3894760562775, 0.4647796800603, 0.0178103934937],
        "HC1": [1.0149707016301, 0.3934302292909, 0.4694983764691, 0.0179912143072],
    }.items():
        found = inferred(X, y, cov_type=cov_type).bse[True]
        np.testing.assert_allclose(found, expected, rtol=1e-7)
    found = inferred(X, y, cov_type="cluster", groups=groups).bse[True]
    expected = np.array([1.1278382077297, 0.3605145754829, 0.4724204394517, 0.0203303197429])
    np.testing.assert_allclose(found, expected * np.sqrt(199 / 196), rtol=1e-7)


def test_profile_intervals_are_those_of_r():
    # confint(m), of MASS, interpolates in a table of values: to about four digits.
    X, y, _ = programme_choice()
    found = inferred(X, y == "academic").conf_int(method="profile").to_numpy()
    expected = [
        [-6.7925865592670, -2.884739557292],
        [-0.6048500531593, 0.917513263233],
        [0.2061326216735, 1.975169975153],
        [0.0508822489083, 0.122074368187],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_likelihood_ratio_tests_are_those_of_car():
    # Anova(multinom(prog ~ ses + write, data=d, reltol=1e-15, maxit=1000))
    X, y, _ = programme_choice()
    terms = {"ses": ["ses_middle", "ses_high"], "write": ["write"]}
    found = inferred(X, y).test_terms(terms, method="lr")
    np.testing.assert_allclose(found["statistic"], [11.058222, 31.446923], atol=1e-6)
    np.testing.assert_allclose(found["pvalue"], [0.025917, 1.4838e-07], rtol=1e-4)
    assert found["df"].tolist() == [4, 2]


def test_predictions_are_those_of_effects():
    # as.data.frame(Effect("write", m, xlevels=list(write=c(40, 60)))), others at their means
    X, y, _ = programme_choice()
    rows = pd.DataFrame([X.mean()] * 2).assign(write=[40.0, 60.0])
    found = inferred(X, y).get_prediction(rows)
    p = [[0.2746671048, 0.2598423711, 0.4654905241], [0.6794771454, 0.2017987133, 0.1187241413]]
    se = [
        [0.05673778505, 0.05538173703, 0.06515349791],
        [0.04429109268, 0.03745108018, 0.03005834224],
    ]
    lower = [
        [0.1781029086, 0.1664249191, 0.34265235471],
        [0.5872906215, 0.1381438558, 0.07125046186],
    ]
    upper = [
        [0.3982198151, 0.3816863910, 0.5926620594],
        [0.7595043229, 0.2850827423, 0.1913134396],
    ]
    np.testing.assert_allclose(found.predicted, p, rtol=1e-6)
    np.testing.assert_allclose(found.se, se, rtol=1e-6)
    np.testing.assert_allclose(found.conf_int()[0], lower, rtol=1e-6)
    np.testing.assert_allclose(found.conf_int()[1], upper, rtol=1e-6)


# m <- multinom(prog ~ ses + write, d, reltol=1e-15, abstol=1e-15, maxit=2000, Hess=TRUE)
# as.data.frame(emmeans(m, ~ prog | ses * write, at=list(write=c(40, 60)), mode="prob")): those of
# academic, general and vocation, then their SE, for ses low, middle, high with write 40 and 60
EMMEANS = [
    [
        0.21414244367,
        0.36565537045,
        0.42020218588,
        0.06530760519,
        0.08641574954,
        0.09332177477,
    ],
    [
        0.21608406862,
        0.21646446154,
        0.56745146984,
        0.05588869209,
        0.05810800315,
        0.07590815313,
    ],
    [
        0.44086528116,
        0.23532256629,
        0.32381215255,
        0.10056643723,
        0.08298815393,
        0.10316017908,
    ],
    [
        0.57525343384,
        0.30836752859,
        0.11637903757,
        0.08564052690,
        0.07828765102,
        0.04511314411,
    ],
    [
        0.63082072517,
        0.19838554665,
        0.17079372818,
        0.05949411632,
        0.04758412108,
        0.04385578906,
    ],
    [
        0.80431303941,
        0.13477924054,
        0.06090772005,
        0.05286728871,
        0.04513855514,
        0.02773572208,
    ],
]
# as.data.frame(Effect(c("ses", "write"), m, xlevels=list(write=c(40, 60)))): L.prob and U.prob
EFFECTS = [
    [
        0.11297067304,
        0.21736229418,
        0.25489091894,
        0.36829960481,
        0.54470583102,
        0.60558900072,
    ],
    [
        0.12616512042,
        0.12369679561,
        0.41710251335,
        0.34480167327,
        0.35094195966,
        0.70632478249,
    ],
    [
        0.26167860585,
        0.11081915806,
        0.15979848749,
        0.63690591762,
        0.43177991429,
        0.54664236886,
    ],
    [
        0.40524617621,
        0.17840271333,
        0.05279988102,
        0.72914498126,
        0.47793489341,
        0.23733430391,
    ],
    [
        0.50875857912,
        0.12101319905,
        0.10092896766,
        0.73816267010,
        0.30789889648,
        0.27426707793,
    ],
    [
        0.68029666851,
        0.06798865746,
        0.02445992994,
        0.88813282734,
        0.24961083561,
        0.14366804996,
    ],
]


def test_predictions_are_those_of_emmeans_and_effects():
    X, y, _ = programme_choice()
    grid = [(*ses, write) for write in (40.0, 60.0) for ses in ((0, 0), (1, 0), (0, 1))]
    found = inferred(X, y).get_prediction(pd.DataFrame(grid, columns=X.columns))
    table = np.column_stack([found.predicted, found.se])
    np.testing.assert_allclose(table, EMMEANS, rtol=1e-6)
    np.testing.assert_allclose(np.column_stack(found.conf_int()), EFFECTS, rtol=1e-6)


# vglm(..., multinomial(refLevel=1), epsilon=1e-14, maxit=100): coefficients and errors, feature by
# feature, the intercept first, for each class; and the log-likelihood.
VGLM = {
    # vglm(foodchoice ~ lake + size, weights=freq, data=alligators[alligators$freq > 0, ])
    "alligators": (
        alligators,
        "Fish",
        ["Invertebrate", "Reptile", "Bird", "Other"],
        [
            *(-1.749172579411, -2.423018883926, -2.028618934599, -0.746525154157),
            *(2.595577919803, 1.216095342762, -1.348325352058, -0.820543149997),
            *(2.780343427878, 1.692476689307, 0.392649200979, 0.690172520403),
            *(1.658358597965, -1.242776619095, -0.695117557937, -0.826196212370),
            *(-1.458204619700, 0.351262839586, 0.630659730928, -0.331550262354),
        ],
        [
            *(0.539183591162, 0.643611040972, 0.558053614875, 0.351981432412),
            *(0.659708422963, 0.786013036823, 1.163521735454, 0.729625751569),
            *(0.671223308835, 0.780446482153, 0.781770258172, 0.559672805508),
            *(0.612877222812, 1.185431868520, 0.781263454529, 0.557540519921),
            *(0.395944114271, 0.580031616166, 0.642479714561, 0.448252012821),
        ],
        -270.040139248,
    ),
    # vglm(partic ~ hincome + children, data=Womenlf)
    "women": (
        women,
        "fulltime",
        ["not.work", "parttime"],
        [
            *(-1.9828224524346, -3.4151294390090, 0.0972306682432, 0.1041228162998),
            *(2.5585950430341, 2.5800861687974),
        ],
        [
            *(0.4841774435991, 0.6655197109220, 0.0280958495939, 0.0332848058619),
            *(0.3621992434963, 0.5097199522142),
        ],
        -211.440962897,
    ),
    # vglm(Sat ~ Infl + Type + Cont, weights=Freq, data=housing)
    "housing": (
        housing,
        "Low",
        ["Medium", "High"],
        [
            *(-0.419228741179, -0.138742758995, 0.446395892822, 0.734863219263),
            *(0.664935327711, 1.612631066118, -0.435688699088, -0.735631740100),
            *(0.131370302470, -0.407978086328, -0.666570457635, -1.412327684207),
            *(0.360851882643, 0.481827002622),
        ],
        [
            *(0.172934532850, 0.159229568467, 0.141557310271, 0.136937975875),
            *(0.186337524842, 0.167131709558, 0.172532867488, 0.155271430411),
            *(0.223106712145, 0.211496621679, 0.206253329228, 0.200149438492),
            *(0.132397552667, 0.124137065397),
        ],
        -1735.04193317,
    ),
}


@pytest.mark.parametrize("table", VGLM)
def test_estimates_from_counts_are_those_of_vgam(table):
    read, reference, classes, coefficients, errors, log_likelihood = VGLM[table]
    X, y, counts = read()
    results = inferred(X, y, counts, reference=reference)
    shape = -1, len(classes)
    expected = np.reshape(coefficients, shape)
    # vglm stops at steps of half a length on Womenlf, off by 1e-7.
    np.testing.assert_allclose(results.params[classes], expected, rtol=1e-6)
    np.testing.assert_allclose(results.bse[classes], np.reshape(errors, shape), rtol=1e-6)
    assert results.llf == pytest.approx(log_likelihood, rel=1e-10)
    assert results.nobs == counts.sum()
