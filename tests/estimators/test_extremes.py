"""Values, weights and C near the ends of the range of floats. Multiplication by a power of two is
exact, so that the models of multiplied data follow exactly from those of the original data.
"""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV, softmax_path
from softmax_regression._objectives.linear import one_block as _small
from softmax_regression._problems import smooth as _full_batch

CONTAINERS = {"dense": np.asarray, "columns first": np.asfortranarray, "sparse": sparse.csr_array}
every_container = pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)


def problem(n_rows=120, n_features=4, n_classes=3, seed=1):
    """Rows of which a fifth is 0, and labels drawn from a softmax model."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    scores = X @ rng.normal(size=(n_features, n_classes))
    X[X < -0.8] = 0
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def column_times_power_of_two(X, exponent, column=1):
    X = X.copy()
    X[:, column] = np.ldexp(X[:, column], exponent)
    return X


def fitted(model, *args, **kwargs):
    """Fit, whether the solver gets to `tol` or not; other warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*args, **kwargs)


def stream_rows(monkeypatch):
    """Have small data treated as large data are: block by block, without a copy."""
    for module in (_full_batch, _small):
        monkeypatch.setattr(module, "is_small", lambda design: False)


# -- columns ---------------------------------------------------------------------------------------

EXPONENTS = [-950, -540, 540, 950]  # 2**540 is about 1e162, whose square is too large
WAYS = {
    "newton-cholesky": {},
    "newton-cg": {"solver": "newton-cg"},
    "lbfgs": {"solver": "lbfgs"},
    "adam": {"solver": "adam", "random_state": 0, "max_iter": 20},
    "sgd": {"solver": "sgd", "random_state": 0, "max_iter": 20},
    "bounds": {"bounds": (0, None)},
    "no intercept": {"fit_intercept": False},
}


@pytest.mark.parametrize("streamed", [False, True])
@every_container
@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("way", WAYS)
def test_without_penalty_coefficients_undo_the_scale_of_a_column(
    way, exponent, container, streamed, monkeypatch
):
    if streamed:
        stream_rows(monkeypatch)
    X, y = problem()
    model = SoftmaxRegression(C=np.inf, **WAYS[way])
    expected = fitted(SoftmaxRegression(C=np.inf, **WAYS[way]), container(X), y)
    fitted(model, container(column_times_power_of_two(X, exponent)), y)
    coef = column_times_power_of_two(model.coef_, exponent)
    np.testing.assert_allclose(coef, expected.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(model.objective_, expected.objective_, rtol=1e-10)
    assert model.optimality_gap_ == pytest.approx(expected.optimality_gap_, rel=1e-2, abs=1e-12)


@pytest.mark.parametrize("exponent", [-125, -60, 60, 125])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("solver", ["newton-cholesky", "newton-cg", "adam"])
def test_float32_columns_may_have_any_scale(solver, streamed, exponent, monkeypatch):
    if streamed:
        stream_rows(monkeypatch)
    X, y = problem()
    X = X.astype(np.float32)
    how = {"C": np.inf, "solver": solver, "random_state": 0, "max_iter": 20}
    expected = fitted(SoftmaxRegression(**how), X, y)
    model = fitted(SoftmaxRegression(**how), column_times_power_of_two(X, exponent), y)
    coef = column_times_power_of_two(model.coef_.astype(np.float64), exponent)
    # Adam is told other rounding errors in float64, which such columns are computed in.
    np.testing.assert_allclose(coef, expected.coef_, atol=5e-3 if solver == "adam" else 1e-5)
    np.testing.assert_allclose(model.objective_, expected.objective_, rtol=1e-5)


@pytest.mark.parametrize("n_columns", [4, 400])
@pytest.mark.parametrize("exponent", [-450, -40, 40, 450])
@pytest.mark.parametrize("grouping", ["none", "features"])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_the_scale_of_all_columns_is_one_of_c(l1_ratio, grouping, exponent, n_columns):
    # W / c for X c: the loss is the same, a square in W becomes one of 1 / c², a norm one of 1 / c.
    X, y = problem(n_features=n_columns)
    power = 1 if l1_ratio else 2
    how = {"l1_ratio": l1_ratio, "penalty_grouping": grouping, "tol": 1e-8}
    C = np.ldexp(0.25, -power * exponent)
    expected = SoftmaxRegression(C=0.25, **how).fit(X, y)
    model = SoftmaxRegression(C=C, **how).fit(np.ldexp(X, exponent), y)
    coef = np.ldexp(model.coef_, exponent)
    np.testing.assert_allclose(coef, expected.coef_, rtol=1e-5, atol=1e-7)
    objective = np.ldexp(model.objective_, power * exponent)
    assert objective == pytest.approx(expected.objective_, rel=1e-10)
    assert model.optimality_gap_ <= 1e-8


@every_container
@pytest.mark.parametrize("way", ["newton-cholesky", "newton-cg", "lbfgs", "bounds"])
@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e-160])
def test_the_penalty_keeps_a_column_that_hardly_varies_out(size, way, container):
    X, y = problem()
    with_it, without = X.copy(), X.copy()
    with_it[:, 1] *= size
    without[:, 1] = 0
    model = SoftmaxRegression(**WAYS[way]).fit(container(with_it), y)
    expected = SoftmaxRegression(**WAYS[way]).fit(container(without), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-12)
    np.testing.assert_allclose(model.objective_, expected.objective_, rtol=1e-12)
    assert model.optimality_gap_ <= 1e-6


@pytest.mark.parametrize("way", [*WAYS, "l1"])
@every_container
def test_columns_beyond_the_range_are_refused_by_name(way, container):
    X, y = problem()
    params = WAYS.get(way, {"l1_ratio": 0.5})
    huge = X.copy()
    huge[:, 2] *= 1.7e308 / np.abs(X[:, 2]).max()
    with pytest.raises(
        ValueError, match=r"so large that their sums overflow, in column 2\. Divide"
    ):
        SoftmaxRegression(**params).fit(container(huge), y)
    if way != "l1":
        with pytest.raises(ValueError, match=r"varies so little in column 2.* finite value"):
            SoftmaxRegression(C=np.inf, **params).fit(container(X * [1, 1, 1e-310, 1]), y)


def test_wide_data_beyond_the_range_are_refused_by_name():
    X, y = problem(n_rows=30, n_features=100)
    X[:, 7] *= 1e306
    with pytest.raises(ValueError, match=r"their sums overflow, in column 7\."):
        SoftmaxRegression().fit(X, y)
    with pytest.raises(ValueError, match=r"their sums overflow, in column 7\."):
        softmax_path(X, y)


@pytest.mark.parametrize("size", [1e6, 1e10, 1e14])
@pytest.mark.parametrize("column", [0, 50, 99])
def test_a_large_column_of_wide_data_leaves_the_others_their_digits(column, size):
    X, y = problem(n_rows=30, n_features=100)
    X[:, column] *= size
    model = fitted(SoftmaxRegression(C=0.01), X, y)
    wide = X.astype(np.longdouble)
    scores = (wide @ model.coef_.T + model.intercept_).astype(np.float64)
    expected = -0.01 * log_softmax(scores, axis=1)[np.arange(len(y)), y].sum()
    expected += np.square(model.coef_).sum() / 2
    assert model.objective_ == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@every_container
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_networks_undo_the_scale_of_a_column(exponent, container, solver):
    X, y = problem()
    how = {"solver": solver, "random_state": 0, "max_iter": 20, "tol": 1e-2}
    expected = fitted(SmallMLP((5,), **how), container(X), y)
    X = column_times_power_of_two(X, exponent)
    model = fitted(SmallMLP((5,), **how), container(X), y)
    weights = column_times_power_of_two(model.coefs_[0].T, exponent).T
    np.testing.assert_allclose(weights, expected.coefs_[0], rtol=1e-9)
    assert model.loss_ == pytest.approx(expected.loss_, rel=1e-10)


@every_container
def test_networks_refuse_columns_beyond_the_range_by_name(container):
    X, y = problem()
    model = SmallMLP((5,), random_state=0)
    with pytest.raises(ValueError, match=r"sums overflow, in column 2\. Divide"):
        model.fit(container(X * [1, 1, 1e306, 1]), y)
    with pytest.raises(ValueError, match=r"column 2 that its weights overflow float64"):
        fitted(model, container(X * [1, 1, 1e-310, 1]), y)


def test_streams_take_columns_of_any_scale():
    X, y = problem()
    for exponent in EXPONENTS:
        models = []
        for rows in (X, column_times_power_of_two(X, exponent)):
            model = SoftmaxRegression(C=np.inf, solver="adam", random_state=0)
            for part in np.split(np.arange(len(y)), 3):
                model.partial_fit(rows[part], y[part], classes=[0, 1, 2])
            models.append(model)
        coef = column_times_power_of_two(models[1].coef_, exponent)
        np.testing.assert_allclose(coef, models[0].coef_, rtol=1e-9)


# -- weights and C ---------------------------------------------------------------------------------

WEIGHT = np.random.default_rng(5).uniform(0.5, 2, 120)
PENALTIES = {"ridge": {}, "l1": {"l1_ratio": 0.7}, "bounds": {"bounds": (0, None)}}


@pytest.mark.parametrize("of_weights", [-1060, -1000, -300, 300, 1000, 1022])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0}])
def test_weights_and_c_may_exchange_a_power_of_two(class_weight, penalty, of_weights):
    X, y = problem()
    weight = np.rint(WEIGHT * 8) / 8  # for which numbers below the normal ones have room
    how = {"class_weight": class_weight, **PENALTIES[penalty]}
    of_c = int(np.clip(-of_weights, -1020, 1020))
    C = np.ldexp(0.25, of_weights + of_c)
    expected = SoftmaxRegression(C=C, **how).fit(X, y, sample_weight=weight)
    weight = np.ldexp(weight, of_weights)
    model = SoftmaxRegression(C=np.ldexp(0.25, of_c), **how).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-10, atol=1e-30)
    assert model.objective_ == pytest.approx(expected.objective_, rel=1e-12)
    assert model.optimality_gap_ == pytest.approx(expected.optimality_gap_, rel=1e-3, abs=1e-12)


@pytest.mark.parametrize("exponent", [-1000, 1022])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
def test_paths_and_searches_take_weights_of_any_size(l1_ratio, exponent):
    X, y = problem()
    Cs, weight = np.array([0.01, 0.1, 1.0]), np.ldexp(WEIGHT, exponent)
    expected = softmax_path(X, y, Cs=Cs, l1_ratio=l1_ratio, sample_weight=WEIGHT)
    scaled = np.ldexp(Cs, -exponent)
    path = softmax_path(X, y, Cs=scaled, l1_ratio=l1_ratio, sample_weight=weight)
    np.testing.assert_allclose(path.objectives, expected.objectives, rtol=1e-10)
    np.testing.assert_allclose(path.coefs, expected.coefs, rtol=1e-6, atol=1e-9)
    for scoring in ("neg_log_loss", "accuracy"):
        how = {"l1_ratios": [l1_ratio], "cv": 3, "scoring": scoring}
        plain = SoftmaxRegressionCV(Cs=Cs, **how).fit(X, y, sample_weight=WEIGHT)
        search = SoftmaxRegressionCV(Cs=scaled, **how).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(search.mean_scores_, plain.mean_scores_, rtol=1e-8)
        assert scaled[Cs == plain.C_] == search.C_


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("grouping", ["none", "features"])
@pytest.mark.parametrize(
    ("of_weights", "of_columns"), [(0, -600), (0, 600), (-300, 600), (1022, -600), (1022, 0)]
)
def test_a_grid_of_c_goes_with_columns_and_weights(of_weights, of_columns, grouping, l1_ratio):
    X, y = problem()
    how = {"Cs": 3, "l1_ratio": l1_ratio, "penalty_grouping": grouping, "max_iter": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected = softmax_path(X, y, sample_weight=WEIGHT, **how).Cs
        weight = np.ldexp(WEIGHT, of_weights)
        grid = softmax_path(np.ldexp(X, of_columns), y, sample_weight=weight, **how).Cs
    np.testing.assert_allclose(np.ldexp(grid, of_weights + of_columns), expected, rtol=1e-12)
    with pytest.raises(ValueError, match=r"Cs=3 finds no range: .* Multiply sample_weight"):
        softmax_path(np.ldexp(X, 600), y, sample_weight=np.ldexp(WEIGHT, 1022), **how)


@pytest.mark.parametrize("size", [1e-310, 1e-300, 1e300, 5e307])
def test_an_objective_is_finite_where_floats_have_room_for_it(size):
    X, y = problem()
    expected = SoftmaxRegression(C=np.inf).fit(X, y, sample_weight=WEIGHT).objective_
    model = SoftmaxRegression(C=np.inf).fit(X, y, sample_weight=size * WEIGHT)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(model.objective_, np.float64(size) * expected, rtol=1e-9)
    model = SoftmaxRegression(C=0.1 / size / 2**30).fit(X, y, sample_weight=size * WEIGHT)
    assert np.isfinite(model.objective_)


def test_weights_and_c_whose_product_is_too_small_are_refused():
    X, y = problem()
    for C, size in ((1e-300, 1e-300), (1.0, 1e-310), (1e-310, 1.0)):
        with pytest.raises(ValueError, match=r"times the sum of weights .* raise C, or multiply"):
            SoftmaxRegression(C=C).fit(X, y, sample_weight=size * WEIGHT)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_class_and_sample_weights_whose_products_overflow_or_vanish(size):
    X, y = problem()
    factors = {0: 1.0, 1: 2.0, 2: 0.5}
    model = SoftmaxRegression(C=np.inf, class_weight=factors)
    expected = model.fit(X, y, sample_weight=WEIGHT).coef_
    model = SoftmaxRegression(C=np.inf, class_weight={k: size * w for k, w in factors.items()})
    model.fit(X, y, sample_weight=size * WEIGHT)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-9)


@pytest.mark.parametrize("exponent", [-1000, 1022])
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_weights_and_alpha_may_exchange_a_power_of_two(solver, exponent):
    X, y = problem()
    how = {"solver": solver, "random_state": 0, "max_iter": 20, "tol": 1e-2}
    expected = fitted(SmallMLP((5,), alpha=0.5, **how), X, y, sample_weight=WEIGHT)
    model = SmallMLP((5,), alpha=np.ldexp(0.5, exponent), **how)
    fitted(model, X, y, sample_weight=np.ldexp(WEIGHT, exponent))
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-9)
    if exponent < 0:
        with pytest.raises(ValueError, match=r"alpha=1e\+20 divided by the sum of weights"):
            model.set_params(alpha=1e20).fit(X, y, sample_weight=np.ldexp(WEIGHT, exponent))


@pytest.mark.parametrize("estimator", [SoftmaxRegression(solver="adam"), SmallMLP((5,))])
@pytest.mark.parametrize("exponent", [-1000, 1022])
def test_streams_take_weights_of_any_size(exponent, estimator):
    X, y = problem()
    models = []
    for of_weights in (0, exponent):
        strength = {"C": np.ldexp(1.0, -of_weights)}
        if isinstance(estimator, SmallMLP):
            strength = {"alpha": np.ldexp(0.5, of_weights)}
        model = type(estimator)(**estimator.get_params() | strength | {"random_state": 0})
        for part in np.split(np.arange(len(y)), 3):
            weight = np.ldexp(WEIGHT[part], of_weights)
            model.partial_fit(X[part], y[part], classes=[0, 1, 2], sample_weight=weight)
        models.append(model)
    np.testing.assert_allclose(*(model.predict_proba(X) for model in models), rtol=1e-9)


@pytest.mark.parametrize("exponent", [-1000, 1022])
def test_accuracy_is_a_mean_whatever_the_size_of_weights(exponent):
    X, y = problem()
    weight = np.ldexp(WEIGHT, exponent)
    for model in (SoftmaxRegression(), SoftmaxRegressionCV(Cs=[1.0], scoring="accuracy")):
        model.fit(X, y)
        expected = np.average(model.predict(X) == y, weights=WEIGHT)
        assert model.score(X, y, sample_weight=weight) == pytest.approx(expected, rel=1e-12)
        probabilities = np.eye(3)[y]
        soft = model.score(X, probabilities, sample_weight=weight)
        assert soft == pytest.approx(expected, rel=1e-12)
