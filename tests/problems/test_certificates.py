"""`optimality_gap_`, compared with minima that are known by other means."""

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import rel_entr, softmax
from sklearn.exceptions import ConvergenceWarning
from zoo import Problem, draw_params, variants

from softmax_regression import SoftmaxRegression
from softmax_regression._objectives.linear.newton_dual import newton_dual
from softmax_regression._objectives.linear.one_block import SmallCrossEntropy, copied

KINDS = {
    "n_classes": [2, 3],
    "soft": [False, True],
    "weighted": [False, True],
    "fit_intercept": [False, True],
    "layout": ["C", "csr"],
}

# -- all coefficients are 0 up to a C that has a closed form ---------------------------------------


def first_strength(X, targets, weight, l1_ratio, fit_intercept, grouped):
    """The C at which the first coefficient becomes other than 0, in extended precision."""
    X, targets, weight = (a.astype(np.longdouble) for a in (X, targets, weight))
    p = np.full(targets.shape[1], np.longdouble(1) / targets.shape[1])
    if fit_intercept:
        p = weight @ targets / weight.sum()
    slopes = (weight[:, None] * (p - targets)).T @ X
    if targets.shape[1] == 2:
        slopes = slopes[1:]
    sizes = np.sqrt((slopes**2).sum(axis=0)) if grouped else np.abs(slopes)
    return float(l1_ratio / sizes.max())


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("decades", [0, 20, 80])
@pytest.mark.parametrize("kind", ["labels", "single rows", "soft"])
@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_the_first_coefficient_enters_where_it_must(
    n_classes, kind, decades, grouped, fit_intercept
):
    rng = np.random.default_rng([n_classes, decades, len(kind)])
    n_rows = n_classes if kind == "single rows" else 40
    X = rng.normal(size=(n_rows, 3)) * [1, 1e3, 1e-3] + [0, 5e3, 0]
    y = np.arange(n_rows) % n_classes
    targets = np.eye(n_classes)[y]
    if kind == "soft":
        targets = y = rng.dirichlet(np.full(n_classes, 0.5), size=n_rows)
    weight = 10.0 ** rng.uniform(-decades / 2, decades / 2, n_rows)
    grouping = "features" if grouped else "none"
    model = SoftmaxRegression(
        l1_ratio=0.7, penalty_grouping=grouping, fit_intercept=fit_intercept, tol=1e-8
    )
    at = first_strength(X, targets, weight, 0.7, fit_intercept, grouped)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.set_params(C=0.99 * at).fit(X, y, weight)
        assert (model.coef_ == 0).all()
        assert model.optimality_gap_ <= 1e-8 or caught
        model.set_params(C=1.2 * at).fit(X, y, weight)
    assert (model.coef_ != 0).any() or caught


# -- without a penalty: tables whose infimum is that of their frequencies --------------------------


@pytest.mark.parametrize("solver", ["newton-cholesky", "newton-cg", "lbfgs"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-8])
@pytest.mark.parametrize("seed", range(4))
def test_cells_without_a_class_leave_no_false_certificate(seed, tol, n_classes, solver):
    rng = np.random.default_rng(seed)
    cell = rng.integers(4, size=200)
    shares = rng.dirichlet(np.full(n_classes, 0.7), size=4)
    shares[0, 0] = 0  # no row of the first cell is of the first class: its coefficient is infinite
    shares /= shares.sum(axis=1, keepdims=True)
    y = np.array([rng.choice(n_classes, p=shares[c]) for c in cell])
    y[:n_classes], cell[:n_classes] = np.arange(n_classes), 1
    weight = 10.0 ** rng.uniform(-3, 3, 200)
    infimum = 0.0
    for c in range(4):
        totals = np.bincount(y[cell == c], weight[cell == c], minlength=n_classes)
        infimum -= (totals[totals > 0] * np.log(totals[totals > 0] / totals.sum())).sum()
    model = SoftmaxRegression(C=np.inf, solver=solver, tol=tol)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(np.eye(4)[cell], y, weight)
    above = (model.objective_ - infimum) / model.objective_
    assert above <= 1.05 * model.optimality_gap_ + 1e-12
    assert len(caught) == 1
    if not (solver == "lbfgs" and model.optimality_gap_ > tol):
        assert "quasi-complete separation" in str(caught[0].message)


@pytest.mark.parametrize("heavy", [1e6, 1e11, 1e14])
def test_overlapping_classes_of_very_unequal_weight_are_not_called_separable(heavy):
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = (-0.3 * x + rng.logistic(size=200) > 0).astype(int)
    weight = np.ones(200)
    weight[0] = heavy

    def loss(params):
        scores = params[0] * x + params[1]
        return float(weight @ (np.logaddexp(0, scores) - y * scores))

    start = SoftmaxRegression(C=np.inf).fit(x[1:, None], y[1:])
    start = [start.coef_[0, 0], start.intercept_[0]]
    best = minimize(
        loss, start, method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-11, "maxiter": 9999}
    )
    model = SoftmaxRegression(C=np.inf, tol=1e-8).fit(x[:, None], y, weight)
    assert model.objective_ <= best.fun * (1 + 2e-8)
    assert model.coef_[0, 0] == pytest.approx(best.x[0], rel=1e-3)


def test_separable_classes_are_still_told():
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    for weight in (None, np.array([1e6, 1.0, 1e-3, 1.0])):
        with pytest.warns(ConvergenceWarning, match="told apart perfectly"):
            SoftmaxRegression(C=np.inf).fit(X, [0, 0, 1, 1], weight)


# -- what a Newton step proves ---------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 0.1, 10.0])
@pytest.mark.parametrize("problem", variants(**KINDS))
def test_the_distributions_that_a_step_leads_to(problem, scale):
    base = problem.linear()
    params, step = draw_params(base), draw_params(base, seed=1, scale=scale)

    def scores_of(flat):
        matrix = flat.reshape(base.width, -1)
        scores = problem.X @ matrix[:, : problem.n_columns].T
        scores = scores + matrix[:, -1] if problem.fit_intercept else scores
        return np.column_stack([np.zeros(len(scores)), scores]) if base.width == 1 else scores

    p = softmax(scores_of(params), axis=1)
    change = scores_of(step)
    change = np.maximum(change - (p * change).sum(axis=1, keepdims=True), -1)
    q = p * (1 + change)
    q /= q.sum(axis=1, keepdims=True)
    share = problem.weights / problem.weights.sum()
    divergence = share @ rel_entr(q, p).sum(axis=1)
    columns = problem.X
    if problem.fit_intercept:
        columns = np.column_stack([columns, np.ones(len(columns))])
    moments = (share[:, None] * (q - problem.one_hot)).T @ columns
    for objective in base, copied(base), SmallCrossEntropy(base):
        bound, found = newton_dual(objective, params, step)
        np.testing.assert_allclose(found, moments[-base.width :].ravel(), atol=1e-12)
        assert bound >= divergence * (1 - 1e-6) - 1e-16
        if (change > -1).all():
            assert bound == pytest.approx(divergence, rel=1e-4, abs=1e-15)


@pytest.mark.parametrize("problem", variants(n_classes=[2, 3], soft=[False, True], layout=["csr"]))
def test_parameters_separate_where_every_label_has_the_highest_score(problem):
    objective = problem.linear()
    params = draw_params(objective)
    assert not objective.separates(params)
    if problem.soft:
        return
    matrix = params.reshape(objective.width, -1)
    scores = problem.X @ matrix[:, :-1].T + matrix[:, -1]
    labels = scores.argmax(axis=1) if problem.n_classes > 2 else (scores[:, 0] > 0).astype(int)
    relabelled = Problem(n_classes=problem.n_classes, layout=problem.layout)
    relabelled.__dict__["targets"] = labels
    assert relabelled.linear().separates(params)
    relabelled.__dict__["targets"] = np.append((labels[:1] + 1) % problem.n_classes, labels[1:])
    relabelled.__dict__.pop("weight", None)
    assert not relabelled.linear().separates(params)
