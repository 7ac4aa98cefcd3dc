"""What users trip on: tiny data, weights of any scale, rare classes, functions of their own."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from softmax_regression import SmallMLP
from softmax_regression._problems.held_out import HeldOut
from softmax_regression._solvers.minibatch.learning_rates import LEARNING_RATES
from softmax_regression._solvers.minibatch.minibatch import _harmful_gain, _Progress
from softmax_regression.functional import ACTIVATIONS, Activation
from softmax_regression.neural_network._training import Training

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = load_iris(return_X_y=True)


@pytest.mark.parametrize("repeats", [1, 2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_xor_is_learned_from_a_few_rows(seed, repeats):
    corners = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]).repeat(repeats, axis=0)
    labels = corners.sum(axis=1) % 2
    model = SmallMLP(random_state=seed).fit(corners, labels)
    assert model.score(corners, labels) == 1
    assert np.ptp(model.predict_proba(corners)[:, 1]) > 0.2


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_small_weights_do_not_make_the_default_penalty_stronger(solver):
    model = SmallMLP((5,), solver=solver, max_iter=30, random_state=0, early_stopping=False)
    weight = np.random.default_rng(0).random(len(y)) + 0.5
    weight /= weight.mean()
    expected = model.fit(X, y, sample_weight=weight).predict_proba(X)
    other = model.fit(X, y, sample_weight=weight / weight.sum()).predict_proba(X)
    np.testing.assert_allclose(other, expected, atol=1e-3)
    assert model.score(X, y) > 0.6


def test_a_class_of_one_row_is_trained_on_and_others_are_set_aside():
    labels = y.copy()
    labels[0] = 3
    model = SmallMLP((5,), early_stopping=True, max_iter=5, solver="adam", random_state=0)
    model.fit(X, labels)
    assert len(model.validation_scores_) == model.n_iter_
    np.testing.assert_array_equal(model.classes_, [0, 1, 2, 3])


def test_scorers_know_classes_of_which_no_row_is_validated_on():
    rows = np.flatnonzero(y < 2)
    model = SmallMLP((5,), solver="adam", scoring="neg_log_loss", max_iter=3, random_state=0)
    model.fit(X, y, X_val=X[rows], y_val=y[rows])
    assert np.isfinite(model.validation_scores_).all()


def test_parameters_may_be_assigned_as_lists():
    model = SmallMLP((5,), max_iter=5, random_state=0).fit(X, y)
    expected = model.decision_function(X)
    model.coefs_ = [W.tolist() for W in model.coefs_]
    model.intercepts_ = [b.tolist() for b in model.intercepts_]
    np.testing.assert_allclose(model.decision_function(X), expected)
    model.intercepts_[-1] = [b + 1 for b in model.intercepts_[-1]]
    np.testing.assert_allclose(model.decision_function(X), expected + 1)


def test_names_of_activations_are_listed_in_order():
    with pytest.raises(ValueError, match=r"\{'elu', 'gelu', 'identity', .*'tanh'\}"):
        SmallMLP(activation="swish").fit(X, y)


def cube(z):
    return z**3 / 10 + z


def slope_of_cube(z):
    return 0.3 * z**2 + 1


def test_an_activation_of_ones_own_trains_as_one_of_the_registry():
    own = Activation(np.tanh, lambda z: 1 - np.tanh(z) ** 2)
    params = {"solver": "lbfgs", "max_iter": 30, "random_state": 0}
    expected = SmallMLP((5,), "tanh", **params).fit(X, y).predict_proba(X)
    found = SmallMLP((5,), own, **params).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_activation_of_ones_own_survives_pickling_and_streams():
    own = Activation(cube, slope_of_cube, name="cube")
    model = SmallMLP((5,), own, solver="adam", random_state=0)
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
        model = pickle.loads(pickle.dumps(model))
    assert model.activation == own
    assert hash(model.activation) == hash(own)
    assert repr(own) == "<activation cube>"
    np.testing.assert_allclose(own(2.0), cube(2.0))


def test_a_wrong_slope_is_refused():
    with pytest.raises(ValueError, match="derivative of the activation 'custom' is"):
        Activation(np.sin, np.sin)
    with pytest.raises(ValueError, match="'mine' returns an array of shape"):
        Activation(np.sum, np.cos, name="mine")
    assert Activation(np.sin, np.cos) != ACTIVATIONS["tanh"]


def test_cycles_double_and_end_with_a_rate_of_0():
    rate = LEARNING_RATES["warm-restarts"](0.1)
    rate.begin(200, 10)
    rates = []
    for _ in range((2 + 4 + 8) * 10):
        rates.append(rate.current)
        rate.step_ended()
    ends = [19, 59, 139]
    assert max(rates[i] for i in ends) < 1e-3
    assert min(max(rates[a : a + 15]) for a in (0, 20, 60)) > 0.09
    assert [e for e in range(1, 200) if rate.epoch_counts(e)] == [2, 6, 14, 30, 62, 126]
    assert [rate.most_epochs(n) for n in (1, 2, 13, 14, 200)] == [1, 2, 6, 14, 126]
    cycles = [rate.anew(epoch)[1] for epoch in (1, 2, 3, 6, 7, 14, 15)]
    assert cycles == [2, 2, 4, 4, 8, 8, 16]
    assert LEARNING_RATES["constant"](0.1).anew(7)[1] == 7
    assert LEARNING_RATES["adaptive"](0.1).anew(7) is None


def test_progress_is_judged_where_it_counts():
    progress = _Progress(0.0, 0, 0.03)
    assert progress.update(-1.0, True)
    assert not progress.update(-2.0, False)
    assert not progress.out_of_patience()
    assert progress.update(-0.9, True)
    assert progress.gain == pytest.approx(0.1)
    assert not progress.out_of_patience()
    assert progress.update(-0.89, True)
    assert progress.out_of_patience()


def test_overfitting_is_weighed_against_the_gain_of_a_cycle():
    assert _harmful_gain(1.0, 1.2) < 0  # The training loss is higher: there is no overfitting.
    assert _harmful_gain(1.0, 0.95) == pytest.approx(0.05)
    assert _harmful_gain(1.0, 0.5) == 0.08
    assert _harmful_gain(0.0, 0.0) == 0


def test_large_tables_are_trained_in_cycles_that_end():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((3000, 3)))
    labels = (np.sin(3 * frame[0]) + frame[1] > 0).astype(int)
    model = SmallMLP(random_state=0).fit(frame, labels)
    assert [W.shape[1] for W in model.coefs_] == [96, 96, 1]
    assert len(model.validation_loss_curve_) in (2, 6, 14, 30, 62, 126)
    assert model.n_iter_ in (2, 4, 8, 16, 32, 64)  # of a single cycle
    assert model.score(frame, labels) > 0.93
    few = SmallMLP(random_state=0, max_iter=4).fit(frame[:400], labels[:400])
    assert [W.shape[1] for W in few.coefs_] == [400, 1]


@pytest.mark.parametrize("max_iter", [1, 2, 5])
def test_no_training_is_longer_than_max_iter(max_iter):
    rng = np.random.default_rng(0)
    many = rng.normal(size=(1500, 5))
    model = SmallMLP(max_iter=max_iter, random_state=0).fit(many, many[:, 0] * many[:, 1] > 0)
    assert model.n_iter_ == len(model.loss_curve_) <= max_iter


def test_a_last_training_that_diverges_leaves_the_first(monkeypatch):
    first = SmallMLP(max_iter=5, random_state=0, early_stopping=True).fit(X, y)
    minimize = Training._minimize_batches

    def diverges_with_a_plan(self, objective, params, validate, watch, plan):
        result = minimize(self, objective, params, validate, watch, plan)
        return result if plan is None else replace(result, value=np.inf, params=params * np.nan)

    monkeypatch.setattr(Training, "_minimize_batches", diverges_with_a_plan)
    both = SmallMLP(max_iter=5, random_state=0, early_stopping="auto").fit(X, y)
    np.testing.assert_array_equal(both.predict_proba(X), first.predict_proba(X))


@pytest.mark.filterwarnings("error")
def test_a_single_row_of_huge_numbers_is_predicted_without_a_warning():
    rng = np.random.default_rng(0)
    many = rng.normal(size=(1500, 3))
    model = SmallMLP(max_iter=7, random_state=0).fit(many, many[:, 0] + many[:, 1] > 0)
    huge = np.array([[0.0, 1e200, -1e160]])
    np.testing.assert_allclose(
        model.predict_proba(huge), model.predict_proba(np.repeat(huge, 2, axis=0))[:1]
    )


def test_the_temperature_of_held_out_rows_is_that_of_the_last_training(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1500, 2))
    labels = (X[:, 0] + rng.standard_normal(1500) > 0).astype(int)
    scores = []
    for temperature in (1.0, 2.0):
        monkeypatch.setattr(HeldOut, "temperature", lambda *_, t=temperature: t)
        model = SmallMLP(max_iter=2, random_state=0).fit(X, labels)
        assert model.temperature_ == temperature
        assert model.t_ == 2 * 1500  # The last training has taken all rows.
        scores.append(model.decision_function(X))
    np.testing.assert_allclose(2 * scores[1], scores[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoding", ["linear", "piecewise"])
def test_tables_of_features_add_up_to_the_scores(encoding):
    names = pd.Series(["setosa", "other", None] * 50)
    frame = pd.DataFrame(X, columns=list("abcd")).assign(e=names)
    frame.loc[::9, "a"] = np.nan
    model = SmallMLP((), solver="adam", max_iter=5, numeric_encoding=encoding, random_state=0)
    tables = model.fit(frame, y).feature_tables()
    assert list(tables) == list("abcde")
    scores = np.tile(model.intercepts_[0], (len(y), 1))
    for name, table in tables.items():
        column, values = frame[name], table.to_numpy()
        if name == "e":
            at = [table.index.tolist().index(None if pd.isna(v) else v) for v in column]
            scores += values[at]
            continue
        points, missing = table.index.to_numpy()[:-1], column.isna().to_numpy()
        for k in range(3):
            line = np.interp(column, points, values[:-1, k])
            if encoding == "linear":
                slope = (values[1, k] - values[0, k]) / (points[1] - points[0])
                line = values[0, k] + slope * (column - points[0])
            scores[:, k] += np.where(missing, values[-1, k], line)
    np.testing.assert_allclose(model.decision_function(frame), scores, atol=1e-6)


def test_tables_of_features_as_they_are_hold_their_weights():
    model = SmallMLP((4,), max_iter=5, random_state=0).fit(X, y)
    tables = model.feature_tables()
    for j, weights in enumerate(model.coefs_[0]):
        np.testing.assert_array_equal(tables[j].loc[1.0], weights)


def test_the_temperature_is_the_best_for_validation_rows():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 3))
    noise = rng.standard_normal(4000)
    noise[:3000] *= 0.5  # The network is too sure of rows that are noisier than those it has seen.
    labels = (x[:, 0] + 0.5 * x[:, 1] ** 2 + noise > 0.5).astype(int)
    model = SmallMLP(random_state=0, max_iter=30)
    held_out = {"X_val": x[3000:], "y_val": labels[3000:]}
    model.fit(x[:3000], labels[:3000], **held_out)
    scores = model.decision_function(x[3000:]) * (2 * labels[3000:] - 1)

    def loss(factor):
        return np.logaddexp(0, -factor * scores).sum()

    assert model.temperature_ != 1
    assert loss(1) < min(loss(0.98), loss(1.02))
    assert loss(model.temperature_) > loss(1) + 1
    few = SmallMLP(random_state=0).fit(x[:500], labels[:500])
    assert few.temperature_ == 1
