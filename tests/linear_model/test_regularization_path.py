"""A path consists of the models of separate fits, for any order of C and any data."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from zoo import Problem, optimality_gap

from softmax_regression import SoftmaxRegression, softmax_path
from softmax_regression._curvature.preconditioner import HessianPreconditioner
from softmax_regression._objectives.linear.one_block import copied
from softmax_regression._problems.extrapolation import Predictor
from softmax_regression._problems.smooth import SOLVERS
from softmax_regression._solvers.criteria import RelativeGap, evaluate
from softmax_regression._solvers.newton.descent import ConjugateGradientDescent

CS = np.logspace(-3, 3, 7)


def data(n_classes=3, n_rows=150, n_features=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) * np.logspace(0, 3, n_features)
    y = (X @ rng.normal(size=(n_features, n_classes)) / X.std(axis=0).max()).argmax(axis=1)
    y[rng.random(n_rows) < 0.2] = 0
    return X, y


def assert_models_of_separate_fits(path, X, y, tol=1e-10, weight=None, **params):
    for i, C in enumerate(path.Cs):
        model = SoftmaxRegression(C=C, tol=tol, **params).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(path.objectives[i], model.objective_, rtol=3 * tol)
        scale = np.abs(model.coef_).max()
        np.testing.assert_allclose(path.coefs[i], model.coef_, atol=1e-4 * scale)
        np.testing.assert_allclose(path.intercepts[i], model.intercept_, atol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
def test_path_is_separate_fits(solver, n_classes, fit_intercept):
    X, y = data(n_classes)
    options = {"solver": solver, "fit_intercept": fit_intercept}
    path = softmax_path(X, y, Cs=CS, tol=1e-10, **options)
    assert path.optimality_gaps.max() <= 1e-10
    assert_models_of_separate_fits(path, X, y, **options)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_weights_classes_and_containers(container):
    X, y = data()
    names = np.array(["a", "b", "c"])[y]
    weight = np.random.default_rng(1).uniform(0, 2, len(y))
    options = {"class_weight": {"a": 3.0}, "tol": 1e-10}
    path = softmax_path(container(X), names, Cs=CS, sample_weight=weight, **options)
    assert path.classes.tolist() == ["a", "b", "c"]
    assert_models_of_separate_fits(path, X, names, weight=weight, class_weight={"a": 3.0})


def test_soft_labels():
    X, y = data()
    soft = 0.8 * np.eye(3)[y] + 0.2 / 3
    assert_models_of_separate_fits(softmax_path(X, soft, Cs=CS, tol=1e-10), X, soft)


@pytest.mark.parametrize("shape", [(30, 100), (20, 40)])
def test_wide_data(shape):
    X, y = data(3, *shape)
    path = softmax_path(X, y, Cs=CS[:5], tol=1e-7)
    assert_models_of_separate_fits(path, X, y, tol=1e-7)


def test_no_penalty_at_the_end():
    X, y = load_iris(return_X_y=True)
    y = np.where(np.arange(len(y)) % 7 == 0, 0, y)  # so that classes overlap
    path = softmax_path(X, y, Cs=[np.inf, 1.0, 100.0], tol=1e-10)
    assert path.Cs.tolist() == [1.0, 100.0, np.inf]
    model = SoftmaxRegression(C=np.inf, tol=1e-10).fit(X, y)
    assert path.objectives[-1] == pytest.approx(model.objective_, rel=1e-8)


def test_no_penalty_alone_on_wide_data_warns_rather_than_fails():
    X, y = data(3, 20, 40)
    with pytest.warns(ConvergenceWarning, match="Cs?=inf|leave out the largest C"):
        path = softmax_path(X, y, Cs=[1.0, np.inf], max_iter=5)
    assert np.isfinite(path.coefs).all()


def test_float32_stays_float32():
    X, y = data()
    path = softmax_path(X.astype(np.float32), y)
    assert path.coefs.dtype == path.intercepts.dtype == np.float32
    assert path.optimality_gaps.max() <= 1e-6


@pytest.mark.parametrize("Cs", [[5.0], [1.0, 1.0, 1.0], [1e-4, 1.01e-4, 1e4], 1, 30])
def test_any_grid(Cs):
    X, y = load_wine(return_X_y=True)
    path = softmax_path(X, y, Cs=Cs)
    assert path.optimality_gaps.max() <= 1e-6
    assert (np.diff(path.Cs) >= 0).all()
    assert len(path.Cs) == (Cs if isinstance(Cs, int) else len(Cs))


def test_order_of_cs_does_not_matter():
    X, y = data()
    path, other = (softmax_path(X, y, Cs=Cs) for Cs in (CS, CS[::-1].tolist()))
    np.testing.assert_array_equal(path.coefs, other.coefs)


def test_more_c_less_shrinkage_and_less_loss():
    X, y = data()
    path = softmax_path(X, y, Cs=20)
    norms = np.square(path.coefs).sum(axis=(1, 2))
    assert (np.diff(norms) >= -1e-6 * norms[1:]).all()
    losses = (path.objectives - norms / 2) / path.Cs
    assert (np.diff(losses) <= 1e-6 * losses[1:]).all()


def test_a_path_takes_fewer_iterations_than_separate_fits():
    X, y = load_wine(return_X_y=True)
    Cs = np.logspace(-3, 3, 20)
    separate = sum(SoftmaxRegression(C=C).fit(X, y).n_iter_[0] for C in Cs)
    assert softmax_path(X, y, Cs=Cs).n_iter.sum() < separate / 2


@pytest.mark.parametrize("Cs", [[], [0.0, 1.0], [-1.0], [np.nan], ["1"], [[1.0, 2.0]], [True]])
def test_refuses_what_is_no_grid(Cs):
    X, y = data()
    with pytest.raises(ValueError, match="Cs must be"):
        softmax_path(X, y, Cs=Cs)


def test_refuses_what_cannot_be_fitted():
    X, y = data()
    with pytest.raises(ValueError, match="Cs"):
        softmax_path(X, y, Cs=0)
    with pytest.raises(ValueError, match="only one class"):
        softmax_path(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="too small to divide by"):
        softmax_path(X, y, Cs=[1e-320])
    with pytest.raises(ValueError, match="NaN"):
        softmax_path(np.where(X > 1, np.nan, X), y)
    with pytest.raises(TypeError, match=r"X holds .* durations"):
        softmax_path(X.astype("timedelta64[s]"), y)


def test_says_which_fits_stopped_early():
    X, y = data()
    with pytest.warns(ConvergenceWarning, match="max_iter.*gap") as caught:
        softmax_path(X, y, Cs=CS, max_iter=1, tol=1e-12)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("l1_ratio", [0, 0.5])
def test_verbose_prints_each_c_and_then_each_iteration(capsys, l1_ratio):
    X, y = data()
    softmax_path(X, y, Cs=[0.1, 1.0], l1_ratio=l1_ratio, verbose=True)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("softmax_path C=0.1: objective ")
    assert second.startswith("softmax_path C=1: objective ")
    path = softmax_path(X, y, Cs=[0.1, 1.0], l1_ratio=l1_ratio, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert sum("iteration 1:" in line for line in lines) == 2
    assert len(lines) == 2 + path.n_iter.sum()


def predicting(curve, Cs):
    predict = Predictor()
    for C in Cs:
        predict.add(C, curve(C))
    return predict


def test_predictor_goes_on_along_a_curve_as_far_as_that_can_be_trusted():
    at, otherwise = np.array([2.0, -1.0]), np.zeros(2)

    def curve(C):
        return at + np.log(C) * at[::-1] - 3 * np.log(C) ** 2 + 0.1 * np.log(C) ** 3

    assert Predictor()(1.0, otherwise) is otherwise
    predict = predicting(curve, (1.0, 2.0, 4.0, 8.0))
    np.testing.assert_allclose(predict(16.0, otherwise), curve(16.0))
    np.testing.assert_array_equal(predict(1e9, otherwise), curve(8.0))  # too far out
    assert predict(np.inf, otherwise) is otherwise


def test_predictor_takes_the_degree_that_has_served():
    def saturating(C):  # as a ridge does to a least-squares problem
        return np.array([C / (C + 1), C / (C + 10)])

    def settled(C):  # but for what a tolerance leaves
        return np.array([1.0 + 1e-3 * np.sin(1e6 * C), 2.0])

    for curve, ratio, within in (
        (saturating, 1.5, 1e-3),
        (saturating, 8.0, 0.5),
        (settled, 2, 3e-3),
    ):
        Cs = 0.01 * ratio ** np.arange(9)
        predict = predicting(curve, Cs[:-1])
        np.testing.assert_allclose(predict(Cs[-1], np.zeros(2)), curve(Cs[-1]), atol=within)


@pytest.mark.parametrize("write", [lambda o: o, copied], ids=["standardised", "copied"])
def test_objective_with_another_penalty_is_one_made_with_it(write):
    one, other = (Problem(l2=l2, weighted=True).linear().standardized() for l2 in (0.1, 3.0))
    params = np.random.default_rng(0).normal(size=one.n_params)
    there = other.from_model(*one.to_model(params))
    one, other = write(one), write(other)
    start = evaluate(one, params)
    assert optimality_gap(one, params, start.value, start.gradient) > 0  # means are remembered
    changed = one.with_l2(3.0)
    ends = [evaluate(changed, params), evaluate(other, there)]
    assert ends[0].value == pytest.approx(ends[1].value, rel=1e-12)
    gaps = [
        optimality_gap(objective, end.params, end.value, end.gradient)
        for objective, end in zip((changed, other), ends, strict=True)
    ]
    assert gaps[0] == pytest.approx(gaps[1], rel=1e-9)


def test_a_preconditioner_is_kept_along_a_path():
    made = []

    class Counted(HessianPreconditioner):
        def make(self, stage, params):
            made.append(self.objective.l2)
            return super().make(stage, params)

        def n_products(self, stage, made):
            return 5.0

    objective = Problem(n_rows=300, l2=0.1).linear().standardized()
    params, kept = np.zeros(objective.n_params), None
    for l2 in np.geomspace(0.1, 0.05, 6):
        changed = objective.with_l2(l2)
        descent = ConjugateGradientDescent(
            changed, changed, Counted(changed), warm_started=True, first=kept
        )
        point = evaluate(changed, params)
        params = params + descent(point, 1e-8 * point.value).direction
        kept = descent.preconditioner
    assert len(made) < 6
    point = evaluate(changed, params)
    assert RelativeGap()(changed, point) < 1e-3


def test_a_direction_ends_though_no_other_preconditioner_pays():
    class TooDear(HessianPreconditioner):
        n_made = 0

        def make(self, stage, at):
            self.n_made += 1
            return Rough()

        def n_products(self, stage, made):
            return np.inf

    class Rough:
        def solve(self, gradient):
            return np.linspace(1, 1e9, len(gradient)) * gradient

    objective = Problem(n_rows=3000, n_columns=20, n_classes=10, l2=1e-9).linear().standardized()
    source = TooDear(objective)
    assert source.n_stages > 1
    descent = ConjugateGradientDescent(objective, objective, source, max_products=30)
    proposal = descent(evaluate(objective, np.zeros(objective.n_params)), 1e-12)
    assert proposal.decrement > 0
    assert source.n_made <= source.n_stages


@pytest.mark.parametrize("grouping", ["none", "features"])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_sparse_path_is_separate_fits_from_where_all_is_zero(l1_ratio, grouping):
    X, y = data()
    options = {"l1_ratio": l1_ratio, "penalty_grouping": grouping}
    path = softmax_path(X, y, Cs=6, tol=1e-9, **options)
    assert not path.coefs[0].any()
    assert path.coefs[1].any()
    assert path.optimality_gaps.max() <= 1e-9
    for i, C in enumerate(path.Cs):
        model = SoftmaxRegression(C=C, tol=1e-9, **options).fit(X, y)
        assert path.objectives[i] == pytest.approx(model.objective_, rel=1e-8)
        scale = np.abs(model.coef_).max(initial=1e-12)
        np.testing.assert_allclose(path.coefs[i], model.coef_, atol=1e-3 * scale)
    assert softmax_path(X, y, Cs=[1.01 * path.Cs[0]], **options).coefs.any()


def test_sparse_path_refuses_what_it_cannot_do():
    X, y = data()
    with pytest.raises(ValueError, match="makes no exact zeros"):
        softmax_path(X, y, l1_ratio=0.5, solver="lbfgs")
    with pytest.raises(ValueError, match="must be finite"):
        softmax_path(X, y, l1_ratio=0.5, Cs=[1.0, np.inf])
    with pytest.raises(ValueError, match="No feature of X tells"):
        softmax_path(np.zeros_like(X), y, l1_ratio=0.5)


@pytest.mark.parametrize("solver", ["newton-cg", "newton-cholesky", "lbfgs"])
def test_a_path_of_wide_data_may_end_without_a_penalty(solver):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 130)), np.arange(60) % 4
    with pytest.warns(ConvergenceWarning, match="told apart perfectly"):
        path = softmax_path(X, y, Cs=[1e-3, np.inf], solver=solver)
    assert path.coefs.shape == (2, 4, 130)
    assert path.objectives[1] < 1e-6


def test_a_path_goes_on_from_preconditioners_of_fewer_rows():
    """Made of more rows, as along a path, they would be of all rows: a stage fewer."""
    rng = np.random.default_rng(1)
    spread = np.abs(rng.standard_t(1.2, size=(3000, 1)))
    X = rng.normal(size=(3000, 400)) * spread * (rng.random((3000, 400)) < 0.05)
    y = rng.random(3000) < 1 / (1 + np.exp(-0.3 * X[:, :20].sum(axis=1)))
    path = softmax_path(X, y, Cs=[1.0, 100.0])
    assert (path.optimality_gaps <= 1e-6).all()
