"""`SmallMLP(n_members=…)`: several networks as one estimator."""

import pickle

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss

from softmax_regression import SmallMLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_classification(
    600, 6, n_informative=5, n_redundant=0, n_classes=3, flip_y=0.1, random_state=0
)


def members(n_members=3, **params):
    defaults = {"hidden_layer_sizes": (7, 5), "max_iter": 6, "random_state": 0, "solver": "adam"}
    return SmallMLP(n_members=n_members, **(defaults | params))


def probabilities(model, X, member):
    """Those of one member of a network of relu units, from its weights."""
    units = X
    for layer, (weights, intercepts) in enumerate(
        zip(model.coefs_, model.intercepts_, strict=True)
    ):
        units = units @ weights[:, member] + intercepts[member]
        if layer < len(model.coefs_) - 1:
            units = np.maximum(units, 0)
    return softmax(units, axis=1)


@pytest.mark.parametrize("n_rows", [1, 5, 600])
def test_probabilities_are_averaged(n_rows):
    model = members().fit(X, y)
    assert [W.shape for W in model.coefs_] == [(6, 3, 7), (7, 3, 5), (5, 3, 3)]
    assert [b.shape for b in model.intercepts_] == [(3, 7), (3, 5), (3, 3)]
    of_each = [probabilities(model, X[:n_rows], m) for m in range(3)]
    assert not np.allclose(of_each[0], of_each[1])
    found = model.predict_proba(X[:n_rows])
    np.testing.assert_allclose(found, np.mean(of_each, axis=0), rtol=1e-9)
    np.testing.assert_allclose(np.exp(model.decision_function(X[:n_rows])), found, rtol=1e-9)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X[:n_rows])), found, rtol=1e-9)


def test_validation_is_of_the_average():
    model = members(early_stopping=True, average=0.0).fit(
        X[:400], y[:400], X_val=X[400:], y_val=y[400:]
    )
    best = min(model.validation_loss_curve_)
    assert log_loss(y[400:], model.predict_proba(X[400:])) == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("encoding", ["linear", 6])
def test_an_average_is_better_than_its_members_are(n_classes, encoding):
    model = members(numeric_encoding=encoding, early_stopping=False).fit(X, y % n_classes)
    # by Jensen's inequality, and the mean of theirs is what was minimised
    found = log_loss(y % n_classes, model.predict_proba(X))
    assert found < model.loss_curve_[-1] * 1.1
    one_by_one = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(one_by_one, model.predict_proba(X)[:20], rtol=1e-9)


@pytest.mark.parametrize("encoding", ["linear", 6])
def test_a_copy_predicts_the_same_and_goes_on_from_there(encoding):
    model = members(numeric_encoding=encoding, warm_start=True).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    np.testing.assert_allclose(copy.predict_proba(X[:1]), model.predict_proba(X[:1]), rtol=1e-12)
    again, copied = (network.fit(X, y).predict_proba(X) for network in (model, copy))
    np.testing.assert_allclose(copied, again, rtol=1e-9)
    assert model.loss_curve_[6] < model.loss_curve_[0]
    with pytest.raises(ValueError, match="n_members=2"):
        model.set_params(n_members=2).fit(X, y)


def test_a_stream_trains_all_members():
    model = members(learning_rate_init=0.01)
    for rows in np.split(np.arange(600), 6):
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert model.coefs_[1].shape == (7, 3, 5)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    copy = pickle.loads(pickle.dumps(model))
    for network in (model, copy):
        network.partial_fit(X, y)
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ValueError, match="n_members=4 asks for another model"):
        model.set_params(n_members=4).partial_fit(X, y)


def test_a_temperature_is_that_of_the_average():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(3000, 3))
    z = (rng.random(3000) < 0.5 + 0.3 * np.sign(Z[:, 0])).astype(int)
    model = members(hidden_layer_sizes="auto", max_iter=21).fit(Z, z)
    assert model.temperature_ > 0
    assert log_loss(z, model.predict_proba(Z)) < 0.6


def test_tables_of_features_have_the_units_of_all_members():
    tables = members().fit(X, y).feature_tables()
    assert [table.shape for table in tables.values()] == 6 * [(3, 21)]


def test_one_member_is_the_network_itself():
    alone, one = SmallMLP((7,), max_iter=3, random_state=0), members(1, hidden_layer_sizes=(7,))
    one.set_params(max_iter=3)
    np.testing.assert_array_equal(alone.fit(X, y).predict_proba(X), one.fit(X, y).predict_proba(X))


def test_few_rows_are_trained_on_in_minibatches():
    assert clone(members()).set_params(solver="auto").fit(X[:60], y[:60]).solver_ == "adam"


def test_what_several_networks_cannot_do():
    with pytest.raises(ValueError, match="n_members=2 needs solver='adam' or 'sgd'"):
        members(2, solver="lbfgs").fit(X, y)
    model = members(2).fit(X, y)
    with pytest.raises(ValueError, match="n_members=1"):
        model.to_sklearn()
    model.coefs_[0] = model.coefs_[0][:, :1]
    with pytest.raises(ValueError, match="shapes of coefs_"):
        model.predict(X)


def test_decay_of_weights_leaves_intercepts_alone():
    # with codes too, of which there are fewer than states
    rng = np.random.default_rng(0)
    noise, rare = rng.normal(size=(800, 2)), (rng.random(800) < 0.1).astype(int)
    model = SmallMLP(
        (),
        numeric_encoding=4,
        weight_decay=10.0,
        learning_rate_init=0.01,
        max_iter=100,
        early_stopping=False,
        random_state=0,
    ).fit(noise, rare)
    np.testing.assert_allclose(model.predict_proba(noise)[:, 1], rare.mean(), atol=0.03)
