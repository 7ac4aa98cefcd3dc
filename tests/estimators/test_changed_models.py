"""Fitted models that are changed between two calls, by `set_params` or by assignments:
predictions are right, or an error says what was changed.
"""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV

X = np.random.default_rng(0).normal(size=(90, 4))
y = (2 * X[:, :3] + np.random.default_rng(1).gumbel(size=(90, 3))).argmax(axis=1)

LINEAR = SoftmaxRegression(warm_start=True)
STREAM = SoftmaxRegression(solver="adam", random_state=0)
# Enough penalty and speed to be at its end, so that no warning comes into play.
NETWORK = SmallMLP((4,), solver="adam", alpha=1.0, learning_rate_init=0.05, random_state=0)
SEARCH = SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=3)


def streaming(estimator, **changes):
    """Return the model after two pieces of a stream, changed between them."""
    model = clone(estimator).partial_fit(X, y, classes=[0, 1, 2])
    return model.set_params(**changes).partial_fit(X, y)


def assert_refused(model, method, error, match, *args):
    before = {name: pickle.dumps(value) for name, value in vars(model).items()}
    with pytest.raises(error, match=match):
        getattr(model, method)(*args)
    assert {name: pickle.dumps(value) for name, value in vars(model).items()} == before


# -- parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("begin", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("estimator", "name", "new", "old"),
    [
        (STREAM, "fit_intercept", False, "True"),
        (NETWORK, "activation", "tanh", "'relu'"),
        (NETWORK, "hidden_layer_sizes", (5,), "[4]"),
        (NETWORK, "hidden_layer_sizes", (), "[4]"),
        (NETWORK, "standardize", False, "True"),
    ],
    ids=str,
)
def test_a_stream_goes_on_with_no_other_model(estimator, name, new, old, begin):
    model = clone(estimator)
    model = model.fit(X, y) if begin == "fit" else model.partial_fit(X, y, classes=[0, 1, 2])
    match = f"{name}=.* is {re.escape(old)}: set it back, or call fit"
    p = model.predict_proba(X)
    kept = model.get_params()[name]
    model.set_params(**{name: new})
    assert_refused(model, "partial_fit", ValueError, match, X, y)
    np.testing.assert_array_equal(model.predict_proba(X), p)
    model.set_params(**{name: kept}).partial_fit(X, y)
    model.set_params(**{name: new}).fit(X, y).partial_fit(X, y)


@pytest.mark.parametrize("same", [4, [4], np.array([4])], ids=repr)
def test_the_same_layers_may_be_written_in_another_way(same):
    changed = streaming(NETWORK, hidden_layer_sizes=same)
    np.testing.assert_array_equal(changed.predict_proba(X), streaming(NETWORK).predict_proba(X))


@pytest.mark.parametrize(
    ("estimator", "changes"),
    [
        (STREAM, {"C": 1e-3}),
        (STREAM, {"learning_rate_init": 0.5}),
        (STREAM, {"batch_size": 10}),
        (STREAM, {"class_weight": {0: 5.0}}),
        (STREAM, {"solver": "sgd"}),
        (STREAM, {"beta_1": 0.1}),
        (STREAM, {"epsilon": 1.0}),
        (clone(STREAM).set_params(solver="sgd"), {"momentum": 0.1}),
        (clone(STREAM).set_params(solver="sgd"), {"nesterovs_momentum": False}),
        (NETWORK, {"alpha": 10.0}),
        (NETWORK, {"learning_rate_init": 0.5}),
        (NETWORK, {"dropout": 0.5}),
        (NETWORK, {"label_smoothing": 0.5}),
        (NETWORK, {"solver": "sgd"}),
        (NETWORK, {"beta_2": 0.1}),
        (NETWORK, {"weight_decay": 1.0}),
        (NETWORK, {"max_grad_norm": 1e-6}),
    ],
    ids=str,
)
def test_what_says_how_to_train_may_change_within_a_stream(estimator, changes):
    changed, same = streaming(estimator, **changes), streaming(estimator)
    assert np.abs(changed.predict_proba(X) - same.predict_proba(X)).max() > 1e-6


def test_a_stream_may_begin_with_weight_decay():
    model = streaming(clone(NETWORK).set_params(weight_decay=1.0))
    assert np.abs(model.coefs_[0]).sum() < np.abs(streaming(NETWORK).coefs_[0]).sum()


def test_a_warm_start_goes_on_with_no_other_network():
    model = clone(NETWORK).set_params(warm_start=True).fit(X, y).set_params(activation="tanh")
    match = "warm_start=True .* activation is 'relu', not 'tanh'"
    assert_refused(model, "fit", ValueError, match, X, y)
    model.set_params(warm_start=False).fit(X, y)


# -- attributes ------------------------------------------------------------------------------------

PREDICTING = ["predict", "predict_proba", "predict_log_proba", "decision_function", "score"]
FITTED = {
    "SoftmaxRegression": clone(LINEAR).fit(X, y),
    "SoftmaxRegressionCV": clone(SEARCH).fit(X, y),
    "SmallMLP": clone(NETWORK).set_params(warm_start=True).fit(X, y),
}


def calls(model):
    """What can be asked of a fitted model, with its arguments."""
    arguments = {method: [X] for method in PREDICTING} | {"score": [X, y]}
    if not isinstance(model, SoftmaxRegressionCV):
        arguments |= {"partial_fit": [X, y], "fit": [X, y]}
    return arguments.items()


def changed(name, changes):
    """Return a copy of a fitted model, with attributes removed where they are None."""
    model = pickle.loads(pickle.dumps(FITTED[name]))
    for attribute, value in changes.items():
        if value is None:
            delattr(model, attribute)
        else:
            setattr(model, attribute, value)
    return model


@pytest.mark.parametrize(
    ("name", "removed"),
    [
        (name, attribute)
        for name in FITTED
        for attribute in (
            ["classes_", "coefs_", "intercepts_"]
            if name == "SmallMLP"
            else ["classes_", "coef_", "intercept_"]
        )
    ],
)
def test_an_attribute_that_was_removed_is_named(name, removed):
    model = changed(name, {removed: None})
    match = f"{name} is no longer fitted: {removed} .* sklearn.base.clone"
    for method, arguments in calls(model):
        assert_refused(model, method, NotFittedError, match, *arguments)
    assert_refused(model, "predict_proba", NotFittedError, match, X[:1])
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    clone(model).fit(X, y).predict(X)


@pytest.mark.parametrize(
    ("name", "changes", "match"),
    [
        (
            "SoftmaxRegression",
            {"coef_": np.zeros((3, 2))},
            r"coef_.shape must be \(3, 4\).*\(3, 2\)",
        ),
        (
            "SoftmaxRegression",
            {"coef_": np.zeros((2, 4))},
            r"coef_.shape must be \(3, 4\).*\(2, 4\)",
        ),
        ("SoftmaxRegression", {"coef_": np.zeros(4)}, r"coef_.shape must be \(3, 4\).*\(4,\)"),
        ("SoftmaxRegression", {"coef_": [[0.0] * 4] * 3}, r"coef_.shape must be \(3, 4\).*None"),
        (
            "SoftmaxRegression",
            {"intercept_": np.zeros(2)},
            r"intercept_.shape must be \(3,\).*\(2,\)",
        ),
        ("SoftmaxRegression", {"intercept_": 0.0}, r"intercept_.shape must be \(3,\).*None"),
        ("SoftmaxRegression", {"classes_": np.arange(2)}, r"must be \(1, 4\), for 2 classes"),
        ("SoftmaxRegression", {"classes_": np.arange(4)}, r"must be \(4, 4\), for 4 classes"),
        ("SoftmaxRegressionCV", {"coef_": np.zeros((3, 2))}, r"coef_.shape must be \(3, 4\)"),
        (
            "SmallMLP",
            {"classes_": np.arange(2)},
            r"shapes of coefs_ must be \[\(4, 4\), \(4, 1\)\], .*\(4, 3\)\]",
        ),
        (
            "SmallMLP",
            {"classes_": np.arange(4)},
            r"shapes of coefs_ must be \[\(4, 4\), \(4, 4\)\], .*\(4, 3\)\]",
        ),
        (
            "SmallMLP",
            {"coefs_": [np.zeros((4, 5)), np.zeros((5, 3))]},
            r"coefs_ must be \[\(4, 4\), \(4, 3\)\], .* is \[\(4, 5\), \(5, 3\)\]",
        ),
        ("SmallMLP", {"coefs_": [np.zeros((4, 3))]}, r"coefs_ must be .* is \[\(4, 3\)\]"),
        (
            "SmallMLP",
            {"intercepts_": [np.zeros(4), [[0.0], [1.0, 2.0], 3.0]]},
            r"intercepts_ must be \[\(4,\), \(3,\)\], .* is \[\(4,\), None\]",
        ),
    ],
    ids=str,
)
def test_attributes_that_do_not_go_together_are_named(name, changes, match):
    model = changed(name, changes)
    for method, arguments in calls(model):
        assert_refused(model, method, ValueError, f"{match}.* sklearn.base.clone", *arguments)
    assert_refused(model, "predict_proba", ValueError, match, X[:1])
    clone(model).fit(X, y).predict(X)


@pytest.mark.parametrize("name", ["SoftmaxRegression", "SmallMLP"])
def test_records_of_training_may_be_removed(name):
    records = ["loss_curve_", "n_iter_"] + (["t_"] if name == "SmallMLP" else [])
    for method in ("partial_fit", "fit"):
        model, whole = changed(name, dict.fromkeys(records)), changed(name, {})
        p = [getattr(m, method)(X, y).predict_proba(X) for m in (model, whole)]
        np.testing.assert_allclose(*p, rtol=1e-10)
        assert len(model.loss_curve_) >= 1


def test_a_model_may_be_made_of_its_coefficients():
    fitted = FITTED["SoftmaxRegression"]
    model = SoftmaxRegression(warm_start=True)
    model.coef_, model.intercept_, model.classes_ = fitted.coef_, fitted.intercept_, [0, 1, 2]
    np.testing.assert_allclose(model.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(model.predict(X), fitted.predict(X))
    with pytest.raises(ValueError, match=r"coef_.shape must be \(3, 3\)"):
        model.predict(X[:, :3])
    assert clone(model).fit(X, y).n_iter_ > model.fit(X, y).n_iter_
    model.partial_fit(X, y)
