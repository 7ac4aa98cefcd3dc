"""Streams: `partial_fit` ends near the minimum over all rows, and follows a stream that changes."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from softmax_regression import SmallMLP, SoftmaxRegression
from softmax_regression._solvers.minibatch.learning_rates import RootDecay
from softmax_regression._solvers.minibatch.optimizers import SGD, Averaging
from softmax_regression.functional import softmax

N_CLASSES = 3
N_FEATURES = 10


def drawn(n_rows, seed=0, coef_seed=0):
    """Rows in units of their own, and labels drawn from a softmax model of them."""
    coef = np.random.default_rng(100 + coef_seed).normal(size=(N_FEATURES, N_CLASSES))
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, N_FEATURES))
    chances = softmax(X @ coef)
    y = (rng.random((n_rows, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    return 3 + X * np.geomspace(0.1, 10, N_FEATURES), y


def streamed(model, X, y, n_pieces):
    for rows in np.array_split(np.arange(len(X)), n_pieces):
        model.partial_fit(X[rows], y[rows], classes=np.arange(N_CLASSES))
    return model


def excess(model, X, y):
    """Mean log-loss above the minimum, which scikit-learn finds."""
    standardized = (X - X.mean(axis=0)) / X.std(axis=0)
    best = LogisticRegression(C=1e6, max_iter=1000, tol=1e-8).fit(standardized, y)
    return log_loss(y, model.predict_proba(X)) - log_loss(y, best.predict_proba(standardized))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("batch_size", [20, "auto"])
@pytest.mark.parametrize("solver", ["auto", "sgd"])
def test_one_pass_over_a_long_stream_ends_near_the_minimum(solver, batch_size, seed):
    # A model with p parameters that was fitted on other rows of the same kind has an excess of
    # about p / 2n on these: 2 · 11 / 2 / 40,000 = 3e-4.
    X, y = drawn(40_000, seed, seed)
    model = SoftmaxRegression(solver=solver, batch_size=batch_size, C=1e6, random_state=seed)
    streamed(model, X, y, n_pieces=20)
    assert excess(model, X, y) < 1.5e-3


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("solver", ["auto", "sgd"])
def test_a_second_pass_does_no_harm(solver, seed):
    X, y = drawn(20_000, seed, seed)
    model = streamed(SoftmaxRegression(solver=solver, C=1e6, random_state=seed), X, y, 10)
    after_one = excess(model, X, y)
    assert excess(streamed(model, X, y, 10), X, y) < after_one + 1e-5


def test_the_network_of_a_stream_is_nearer_than_its_latest_steps():
    X, y = drawn(20_000)
    X_test, y_test = drawn(20_000, seed=1)

    def loss(average):
        parameters = {"hidden_layer_sizes": (8,), "batch_size": 20, "learning_rate_init": 0.02}
        model = SmallMLP(solver="adam", random_state=0, average=average, **parameters)
        return log_loss(y_test, streamed(model, X, y, 10).predict_proba(X_test))

    assert loss(average=1.0) < loss(average=0.0) - 0.005


@pytest.mark.parametrize("solver", ["auto", "sgd"])
def test_a_stream_that_jumps_is_followed(solver):
    before, after = drawn(20_000, seed=0), drawn(20_000, seed=1, coef_seed=1)
    model = SoftmaxRegression(solver=solver, batch_size=50, C=1e6, random_state=0)
    streamed(model, *before, n_pieces=20)
    lost = excess(model, *after)
    streamed(model, *after, n_pieces=20)
    assert lost > 0.5
    assert excess(model, *after) < 0.01


def test_a_network_follows_a_stream_that_jumps():
    before, after = drawn(10_000, seed=0), drawn(10_000, seed=1, coef_seed=1)
    model = SmallMLP(hidden_layer_sizes=(20,), batch_size=50, random_state=0)
    streamed(model, *before, n_pieces=10)
    lost = excess(model, *after)
    streamed(model, *after, n_pieces=10)
    assert excess(model, *after) < 0.1 * lost


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_that_stays_as_it_is_does_not_count_as_changed(seed):
    X, y = drawn(20_000, seed, seed)
    model = SoftmaxRegression(batch_size=20, C=1e6, random_state=seed)
    streamed(model, X, y, n_pieces=50)
    assert model._stream["n_steps"] == 50 * 20


@pytest.mark.parametrize(
    "model",
    [
        SoftmaxRegression(random_state=0, batch_size=20),
        SoftmaxRegression(solver="sgd", random_state=0, batch_size=20, learning_rate="adaptive"),
        SmallMLP(hidden_layer_sizes=(5,), random_state=0, batch_size=20),
    ],
)
def test_an_averaged_stream_continues_after_pickling_as_without(model):
    X, y = drawn(4000)
    straight = streamed(pickle.loads(pickle.dumps(model)), X, y, 8)
    for rows in np.array_split(np.arange(4000), 8):
        model.partial_fit(X[rows], y[rows], classes=np.arange(N_CLASSES))
        model = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.predict_proba(X), straight.predict_proba(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_steps_go_on_from_where_they_were_and_not_from_their_average(dtype, fit_intercept):
    """With rates too small to move, the next pass begins and ends where the last one led to."""
    X, y = drawn(4000)
    X = X.astype(dtype)
    model = SoftmaxRegression(
        solver="sgd", momentum=0.0, fit_intercept=fit_intercept, batch_size=20, random_state=0
    )
    streamed(model, X, y, n_pieces=4)

    def reached():
        parts = [model.coef_, model.intercept_[:, None]][: 1 + fit_intercept]
        return np.hstack(parts).ravel() + model._stream["offset"]

    before = reached()
    assert np.abs(model._stream["offset"]).max() > 1e-3  # else there is nothing to see
    model.set_params(learning_rate="constant", learning_rate_init=1e-12)
    model.partial_fit(X, y)
    tolerance = 1e-4 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(reached(), before, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("after", [0, 4])
def test_an_average_over_all_steps_weights_each_by_its_number(after):
    places = np.random.default_rng(0).normal(size=(30, 5))
    steps = Averaging(SGD(momentum=0.0), np.inf, after=after, mean=np.zeros(5))
    params = np.zeros(5)
    for place in places:
        steps.step(params, params - place, 1.0)
    np.testing.assert_allclose(params, places[-1])
    # At `after` steps the average is where they are; that place counts as the first.
    averaged = places[after - 1 :] if after else np.vstack([np.zeros(5), places])
    numbers = np.arange(1, len(averaged) + 1)
    np.testing.assert_allclose(steps.outcome(params), numbers @ averaged / numbers.sum())


def test_the_rate_of_a_stream_falls_with_the_root_of_the_steps():
    rate = RootDecay(0.04, n_steps=0)
    rates = []
    for _ in range(400):
        rates.append(rate.current)
        rate.step_ended()
    np.testing.assert_allclose(rates[:26], 0.04)
    t = np.arange(25, 400)
    np.testing.assert_allclose(rates[25:], np.sqrt(0.04 / t))
    assert RootDecay(0.04, n_steps=100).current == rates[100]


def test_a_changed_model_is_where_a_stream_goes_on():
    X, y = drawn(4000)
    model = streamed(SoftmaxRegression(random_state=0, batch_size=20), X, y, 4)
    moved = pickle.loads(pickle.dumps(model))
    moved.coef_ = moved.coef_ + np.array([[2.0], [-1.0], [-1.0]])
    moved.partial_fit(X[:20], y[:20])
    np.testing.assert_allclose(
        moved.coef_ - model.coef_, [[2.0], [-1.0], [-1.0]] * np.ones(10), atol=0.5
    )


def test_a_fit_that_is_followed_by_a_stream_counts_its_rows():
    X, y = drawn(2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SoftmaxRegression(solver="sgd", batch_size=20, max_iter=3).fit(X, y)
    assert model._stream["n_steps"] == 100
    fitted = model.coef_.copy()
    model.partial_fit(X[:20], y[:20])
    assert 0 < np.abs(model.coef_ - fitted).max() < 1.0
