import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning

from softmax_regression import SoftmaxRegression
from softmax_regression._curvature.working_set import DenseHessian
from softmax_regression._solvers.proximal_newton import coordinate_descent, model_hessian
from softmax_regression._solvers.proximal_newton.active_set import AcceleratedDescent
from softmax_regression._solvers.proximal_newton.coordinate_descent import CoordinateDescent
from softmax_regression._solvers.proximal_newton.model_hessian import HeldHessian, Place
from softmax_regression._solvers.proximal_newton.quadratic import FlatLasso, Quadratic


@pytest.mark.parametrize("n_free", [0, 3, 30])
def test_sweeps_minimise_a_model_with_and_without_unpenalised_entries(n_free):
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(120, 30))
    matrix = DenseHessian(factor.T @ factor / 120)
    weights = rng.uniform(0.05, 0.2, size=30)
    weights[:n_free] = 0
    penalty = FlatLasso(weights)
    model = Quadratic(matrix, rng.normal(size=30), np.zeros(30))
    CoordinateDescent(model, matrix, penalty).advance()
    assert np.abs(penalty.residual(model.at, model.slope)).max() < 1e-8
    assert n_free == 30 or (model.at == 0).any()


def test_an_earlier_hessian_agrees_with_the_gradients_along_the_last_step():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(9, 6))
    true = factor.T @ factor
    chosen = np.ones((2, 3), dtype=bool)
    start, end = rng.normal(size=(2, 2, 3))
    before = Place(None, start, (true @ start.ravel()).reshape(2, 3), None)
    after = Place(None, end, (true @ end.ravel()).reshape(2, 3), None)
    held = HeldHessian(np.eye(6), chosen, before, 1.0).moved_to(after, 0.1)
    step = (end - start).ravel()
    np.testing.assert_allclose(held.matrix @ step, true @ step)
    assert np.linalg.eigvalsh(held.matrix)[0] > 0


@pytest.mark.parametrize("grouping", ["none", "features"])
def test_costly_hessians_serve_several_models(grouping, monkeypatch):
    X, y = make_classification(3000, 20, n_informative=12, n_classes=4, random_state=0)
    how = {"l1_ratio": 1.0, "penalty_grouping": grouping, "tol": 1e-9, "C": 0.01}
    plain = SoftmaxRegression(**how).fit(X, y)
    made = []
    new = model_hessian.working_set_hessian
    monkeypatch.setattr(model_hessian, "_COST_WORTH_KEEPING", 0)
    monkeypatch.setattr(
        model_hessian, "working_set_hessian", lambda *args: made.append(args) or new(*args)
    )
    model = SoftmaxRegression(**how).fit(X, y)
    assert len(made) < model.n_iter_.max()
    assert model.objective_ == pytest.approx(plain.objective_, rel=1e-8)
    np.testing.assert_array_equal(model.coef_ == 0, plain.coef_ == 0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_model_that_overflows_does_not_keep_proximal_steps_from_ending():
    descent = AcceleratedDescent(
        Quadratic(DenseHessian(np.diag([1.0, 2.0])), np.array([1.0, -1.0]), np.zeros(2)),
        FlatLasso(np.array([0.1, 0.1])),
    )
    descent.model.matrix.matrix[:] = np.nan
    descent.advance()


def test_only_the_warning_of_unfinished_sweeps_is_ignored(monkeypatch):
    sweep = coordinate_descent.enet_path

    def warning(*args, **options):
        warnings.warn("that of another thread", ConvergenceWarning, stacklevel=2)
        return sweep(*args, **options)

    monkeypatch.setattr(coordinate_descent, "enet_path", warning)
    X, y = make_classification(200, 20, n_informative=10, n_classes=3, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SoftmaxRegression(l1_ratio=1.0, C=0.1, tol=1e-10).fit(X, y)
    assert {str(warned.message) for warned in caught} == {"that of another thread"}
