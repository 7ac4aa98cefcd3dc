"""`SmallMLP`: the network, initial weights and loss curves of `MLPClassifier`, weights and soft
labels as their definitions say, parameters that are views of one vector, and when training ends.
"""

import inspect
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_moons,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from softmax_regression import SmallMLP, SoftmaxRegression
from softmax_regression._problems import held_out as _held_out
from softmax_regression._solvers.minibatch import minibatch as _minibatch
from softmax_regression.functional import ACTIVATIONS

# What MLPClassifier does by default.
AS_SCIKIT_LEARN = {
    "solver": "adam",
    "alpha": 0.0001,
    "weight_decay": 0.0,
    "batch_size": 200,
    "learning_rate": "constant",
    "learning_rate_init": 0.001,
    "max_iter": 200,
    "early_stopping": False,
    "scoring": None,
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "standardize": False,
    "average": 0.0,
    "dtype": "float64",
}
MINIBATCH = ("sgd", "adam")
SOLVERS = (*MINIBATCH, "lbfgs")
SHARED_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")  # with MLPClassifier

mlp_classifier_takes_weights = pytest.mark.skipif(
    "sample_weight" not in inspect.signature(MLPClassifier.fit).parameters,
    reason="MLPClassifier of this scikit-learn takes no sample_weight",
)


def plain(hidden_layer_sizes=(100,), activation="relu", **params):
    return SmallMLP(hidden_layer_sizes, activation, **AS_SCIKIT_LEARN | params)


def problem(n_classes=3, n_rows=120, n_features=4, seed=0):
    """Draw labels from a softmax model, so that no class can be told apart perfectly."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    scores = 2 * X @ rng.normal(size=(n_features, n_classes))
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    assert len(np.unique(y)) == n_classes
    return X, y


def moons():
    X, y = make_moons(200, noise=0.1, random_state=0)
    return StandardScaler().fit_transform(X), y


def trained(model, *args, **kwargs):
    """Fit, for tests that compare models wherever they end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*args, **kwargs)


def parameters(model):
    return np.concatenate([part.ravel() for part in [*model.coefs_, *model.intercepts_]])


# -- beside MLPClassifier --------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("sizes", [(), 5, (6, 3), [4], np.array([3, 3])], ids=str)
def test_attributes_are_those_of_mlp_classifier(sizes, n_classes):
    X, y = problem(n_classes)
    params = {"hidden_layer_sizes": sizes, "max_iter": 3, "random_state": 0}
    ours, theirs = trained(plain(**params), X, y), trained(MLPClassifier(**params), X, y)
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_iter_", "t_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert [part.shape for part in ours.coefs_] == [part.shape for part in theirs.coefs_]
    assert [part.shape for part in ours.intercepts_] == [part.shape for part in theirs.intercepts_]
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))
    np.testing.assert_allclose(ours.best_loss_, theirs.best_loss_)
    assert ours.validation_scores_ is ours.best_validation_score_ is None


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_initial_weights_fill_glorots_bounds(activation):
    X, y = problem()
    # With a step this small the weights at the end are the initial ones.
    model = plain((300, 30), activation, learning_rate_init=1e-300, max_iter=1, random_state=0)
    trained(model, X, y)
    factor = 2 if activation == "logistic" else 6
    for weights, intercepts in zip(model.coefs_, model.intercepts_, strict=True):
        bound = np.sqrt(factor / sum(weights.shape))
        assert 0.9 * bound < np.abs(weights).max() <= bound
        assert 0.5 * bound < np.abs(intercepts).max() <= bound
        assert abs(weights.mean()) < 0.2 * bound


@pytest.mark.parametrize("activation", SHARED_ACTIVATIONS)
def test_initial_weights_are_those_of_mlp_classifier(activation):
    X, y = problem()
    params = {"hidden_layer_sizes": (5, 4), "activation": activation, "random_state": 3}
    params |= {"learning_rate_init": 1e-300, "max_iter": 1}
    ours, theirs = trained(plain(**params), X, y), trained(MLPClassifier(**params), X, y)
    for mine, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("batch_size", [120, 30])
@pytest.mark.parametrize("alpha", [0.0, 1e-2])
@pytest.mark.parametrize("activation", SHARED_ACTIVATIONS)
@pytest.mark.parametrize("solver", MINIBATCH)
def test_loss_curve_is_that_of_mlp_classifier(solver, activation, alpha, batch_size, n_classes):
    X, y = problem(n_classes)
    params = {"hidden_layer_sizes": (6, 4), "activation": activation, "solver": solver}
    params |= {"alpha": alpha, "batch_size": batch_size, "shuffle": False, "random_state": 5}
    params |= {"max_iter": 15, "learning_rate_init": 0.02}
    ours, theirs = trained(plain(**params), X, y), trained(MLPClassifier(**params), X, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)
    assert ours.loss_ == ours.loss_curve_[-1]


@pytest.mark.parametrize(
    "params",
    [
        {"nesterovs_momentum": False},
        {"momentum": 0.0},
        {"learning_rate": "invscaling", "power_t": 0.1},
        {"learning_rate": "adaptive", "tol": 0.02, "n_iter_no_change": 2, "max_iter": 30},
        {"tol": 0.01, "n_iter_no_change": 3, "max_iter": 200},
    ],
    ids=str,
)
def test_options_of_sgd_are_those_of_mlp_classifier(params):
    X, y = problem()
    params = {"solver": "sgd", "batch_size": 30, "shuffle": False, "max_iter": 15} | params
    params |= {"hidden_layer_sizes": (6,), "learning_rate_init": 0.1, "random_state": 0}
    ours, theirs = trained(plain(**params), X, y), trained(MLPClassifier(**params), X, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
    assert ours.n_iter_ == theirs.n_iter_


@mlp_classifier_takes_weights
@pytest.mark.parametrize("solver", MINIBATCH)
def test_weighted_loss_curve_is_that_of_mlp_classifier(solver):
    X, y = problem()
    weight = np.random.default_rng(0).exponential(size=len(y))
    params = {"hidden_layer_sizes": (6,), "solver": solver, "alpha": 0.1, "random_state": 0}
    params |= {"batch_size": len(y), "shuffle": False, "max_iter": 15, "learning_rate_init": 0.05}
    ours = trained(plain(**params), X, y, sample_weight=weight)
    theirs = trained(MLPClassifier(**params), X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)


@pytest.mark.parametrize("params", [{}, {"early_stopping": True, "batch_size": 20}], ids=str)
def test_rows_seen_are_those_of_mlp_classifier(params):
    X, y = problem()
    params = {"hidden_layer_sizes": (3,), "max_iter": 4, "random_state": 0} | params
    ours, theirs = trained(plain(**params), X, y), trained(MLPClassifier(**params), X, y)
    assert ours.t_ == theirs.t_


# -- training --------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", SOLVERS)
def test_loss_falls(solver, n_classes, container):
    X, y = problem(n_classes)
    model = plain((10,), solver=solver, max_iter=50, learning_rate_init=0.01, random_state=0)
    trained(model, container(X), y)
    assert model.loss_curve_[-1] < 0.7 * model.loss_curve_[0]
    assert len(model.loss_curve_) == model.n_iter_ > 10
    if solver == "lbfgs":
        assert np.all(np.diff(model.loss_curve_) <= 0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_activation_learns_two_moons(solver, activation):
    X, y = moons()
    model = plain((20, 20), activation, solver=solver, learning_rate_init=0.02, random_state=0)
    model.set_params(batch_size=20, n_iter_no_change=np.inf)  # some begin on a plateau
    accuracy = trained(model, X, y).score(X, y)
    if activation == "identity":  # a line cannot do better
        assert 0.8 < accuracy < 0.95
    else:
        assert accuracy > 0.97


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_no_hidden_layer_is_softmax_regression(soft, weighted, n_classes):
    X, y = problem(n_classes)
    weight = np.random.default_rng(0).random(len(y)) if weighted else None
    if soft:
        y = np.random.default_rng(1).dirichlet(np.ones(n_classes), len(y))
    network = plain((), solver="lbfgs", alpha=0.5, tol=1e-10, max_iter=1000, random_state=0)
    network.fit(X, y, sample_weight=weight)
    linear = SoftmaxRegression(C=1 / 0.5, tol=1e-13).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(network.coefs_[0].T, linear.coef_, atol=1e-6)
    np.testing.assert_allclose(network.predict_proba(X), linear.predict_proba(X), atol=1e-6)
    total = len(y) if weight is None else weight.sum()
    np.testing.assert_allclose(network.loss_, linear.objective_ * 0.5 / total)


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix, np.asfortranarray])
@pytest.mark.parametrize("solver", SOLVERS)
def test_other_containers_give_the_same_model(solver, container):
    X, y = problem()
    X[np.random.default_rng(0).random(X.shape) < 0.3] = 0
    model = plain((5, 4), solver=solver, batch_size=32, max_iter=20, random_state=0)
    expected = parameters(trained(clone(model), X, y))
    np.testing.assert_allclose(parameters(trained(model, container(X), y)), expected, atol=1e-7)


def test_data_frame_and_memmap_give_the_same_model(tmp_path):
    X, y = problem()
    np.save(tmp_path / "X.npy", X)
    model = plain((5,), max_iter=5, random_state=0)
    expected = parameters(trained(clone(model), X, y))
    frame = trained(clone(model), pd.DataFrame(X, columns=list("abcd")), y)
    np.testing.assert_array_equal(parameters(frame), expected)
    np.testing.assert_array_equal(frame.feature_names_in_, list("abcd"))
    mapped = trained(model, np.load(tmp_path / "X.npy", mmap_mode="r"), y)
    np.testing.assert_array_equal(parameters(mapped), expected)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_float32_is_close_to_float64(solver, activation):
    X, y = problem()
    model = plain((6,), activation, solver=solver, alpha=0.1, max_iter=10, random_state=0)
    double = trained(clone(model), X, y)
    single = trained(model, X.astype(np.float32), y)
    for part in single.coefs_ + single.intercepts_:
        assert part.dtype == np.float32
    p = single.predict_proba(X.astype(np.float32))
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, double.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_training_is_deterministic_for_a_seed(solver):
    X, y = problem()
    a, b, c = (
        trained(plain((5,), solver=solver, max_iter=5, batch_size=20, random_state=seed), X, y)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(parameters(a), parameters(b))
    assert a.loss_curve_ == b.loss_curve_
    assert not np.array_equal(parameters(a), parameters(c))


def test_labels_of_other_kinds_train_the_same_network():
    X, y = problem()
    model = plain((5,), max_iter=5, random_state=0)
    expected = trained(clone(model), X, y)
    for labels in (np.array(["a", "b", "c"]), np.array(["a", "b", "c"], dtype=object)):
        other = trained(clone(model), X, labels[y])
        np.testing.assert_array_equal(parameters(other), parameters(expected))
        np.testing.assert_array_equal(other.predict(X), labels[expected.predict(X)])
    category = trained(clone(model), X, pd.Categorical(np.array(["a", "b", "c"])[y]))
    np.testing.assert_array_equal(category.classes_, ["a", "b", "c"])


def test_two_classes_have_one_score():
    X, y = problem(2)
    model = trained(plain((5,), max_iter=5, random_state=0), X, y == 1)
    assert model.classes_.dtype == model.predict(X).dtype == bool
    scores, p = model.decision_function(X), model.predict_proba(X)
    assert scores.shape == (120,)
    assert p.shape == (120, 2)
    np.testing.assert_allclose(np.log(p[:, 1] / p[:, 0]), scores)
    np.testing.assert_array_equal(model.predict(X), scores > 0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_probabilities_are_finite_on_extreme_rows(n_classes, activation):
    X, y = problem(n_classes)
    model = trained(plain((5,), activation, max_iter=5, random_state=0), X, y)
    log_p = model.predict_log_proba(1e150 * X)
    assert np.isfinite(log_p).all()
    np.testing.assert_allclose(np.exp(log_p), model.predict_proba(1e150 * X), rtol=1e-9)


def test_learning_goes_on_after_the_last_fit_with_a_random_state_instance():
    X, y = problem()
    model = plain((5,), max_iter=3, random_state=np.random.RandomState(0))
    first = parameters(trained(model, X, y))
    assert not np.array_equal(first, parameters(trained(model, X, y)))


# -- parameters are views --------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("pickled", [False, True])
def test_writing_into_parameters_changes_predictions(pickled, solver):
    X, y = problem()
    model = trained(plain((5, 4), solver=solver, max_iter=5, random_state=0), X, y)
    before = model.predict_proba(X)
    if pickled:
        model = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(model.predict_proba(X), before)
    for part in model.coefs_ + model.intercepts_:
        kept = part.copy()
        part[...] = 0
        assert not np.allclose(model.predict_proba(X), before)
        part[...] = kept
        np.testing.assert_array_equal(model.predict_proba(X), before)
    model.coefs_[-1][...] = 0
    model.intercepts_[-1][...] = 0
    np.testing.assert_allclose(model.predict_proba(X), 1 / 3)


def test_writing_into_parameters_is_where_training_goes_on():
    X, y = problem()
    model = plain((5,), warm_start=True, learning_rate_init=1e-300, max_iter=2, random_state=0)
    trained(model, X, y)
    model.coefs_[0][...] = 0.25
    trained(model, X, y)
    np.testing.assert_array_equal(model.coefs_[0], np.full((4, 5), 0.25))


def test_an_unfitted_network_has_no_parameters():
    model = plain()
    assert not hasattr(model, "coefs_")
    assert not hasattr(model, "intercepts_")


def test_models_share_no_memory():
    X, y = problem()
    model = trained(plain((5,), max_iter=2, random_state=0, warm_start=True), X, y)
    old = parameters(model)
    views = model.coefs_ + model.intercepts_
    trained(model, X, y)
    model.set_params(solver="sgd").partial_fit(X, y)
    np.testing.assert_array_equal(np.concatenate([part.ravel() for part in views]), old)


# -- weights and soft labels -----------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("batch_size", ["auto", 16])
@pytest.mark.parametrize("solver", SOLVERS)
def test_zero_weight_is_a_row_removed(solver, batch_size, alpha):
    X, y = problem()
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    kept = weight > 0
    model = plain((5,), solver=solver, batch_size=batch_size, alpha=alpha, random_state=0)
    model.set_params(max_iter=15, learning_rate_init=0.01)
    with_zeros = trained(clone(model), X, y, sample_weight=weight)
    without = trained(model, X[kept], y[kept], sample_weight=weight[kept])
    np.testing.assert_allclose(
        parameters(with_zeros), parameters(without), atol=1e-5 if solver == "lbfgs" else 1e-10
    )
    np.testing.assert_allclose(with_zeros.loss_curve_, without.loss_curve_, rtol=1e-6)


def test_zero_weight_is_a_row_removed_from_early_stopping_too():
    X, y = problem()
    weight = np.ones(len(y))
    weight[::4] = 0
    kept = weight > 0
    model = plain((5,), early_stopping=True, alpha=0.1, max_iter=15, random_state=0)
    with_zeros = trained(clone(model), X, y, sample_weight=weight)
    without = trained(model, X[kept], y[kept])
    assert with_zeros.validation_scores_ == without.validation_scores_
    np.testing.assert_allclose(parameters(with_zeros), parameters(without), atol=1e-10)


@pytest.mark.parametrize("stopping", [False, True])
def test_rows_of_zero_weight_are_not_counted_as_seen(stopping):
    X, y = problem()
    weight = np.ones(len(y))
    weight[::4] = 0
    kept = weight > 0
    model = plain((5,), early_stopping=stopping, max_iter=3, random_state=0)
    assert (
        trained(clone(model), X, y, sample_weight=weight).t_ == trained(model, X[kept], y[kept]).t_
    )


@pytest.mark.parametrize("solver", SOLVERS)
def test_scaling_weights_is_dividing_alpha(solver):
    X, y = problem()
    weight = np.random.default_rng(0).random(len(y))
    params = {"solver": solver, "batch_size": 16, "max_iter": 10, "random_state": 0}
    scaled = trained(plain((5,), alpha=1.0, **params), X, y, sample_weight=8 * weight)
    other = trained(plain((5,), alpha=0.125, **params), X, y, sample_weight=weight)
    np.testing.assert_allclose(parameters(scaled), parameters(other), atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_class_weight_is_sample_weight(solver):
    X, y = problem()
    factors = {0: 2.0, 1: 0.25}
    model = plain((5,), solver=solver, max_iter=10, random_state=0)
    weighted = trained(clone(model), X, y, sample_weight=np.array([2.0, 0.25, 1.0])[y])
    classes = trained(model.set_params(class_weight=factors), X, y)
    np.testing.assert_array_equal(parameters(classes), parameters(weighted))


def test_balanced_class_weight_gives_all_classes_the_same_total():
    X, y = problem()
    weight = np.random.default_rng(0).random(len(y))
    model = plain((5,), max_iter=10, random_state=0)
    factors = weight.sum() / (3 * np.bincount(y, weight))
    weighted = trained(clone(model), X, y, sample_weight=weight * factors[y])
    balanced = trained(model.set_params(class_weight="balanced"), X, y, sample_weight=weight)
    np.testing.assert_allclose(parameters(balanced), parameters(weighted), atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", SOLVERS)
def test_one_hot_soft_labels_are_hard_labels(solver, n_classes):
    X, y = problem(n_classes)
    model = plain((5,), solver=solver, batch_size=32, max_iter=10, random_state=0)
    hard = trained(clone(model), X, y)
    soft = trained(model, X, np.eye(n_classes)[y])
    np.testing.assert_allclose(parameters(soft), parameters(hard), atol=1e-7)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_soft_labels_are_rows_repeated_for_each_class(n_classes):
    X, _ = problem(n_classes)
    P = np.random.default_rng(1).dirichlet(np.ones(n_classes), len(X))
    model = plain((4,), "tanh", solver="lbfgs", max_iter=15, random_state=0)
    soft = trained(clone(model), X, P)
    labels = np.tile(np.arange(n_classes), len(X))
    repeated = trained(model, X.repeat(n_classes, axis=0), labels, sample_weight=P.ravel())
    np.testing.assert_allclose(parameters(soft), parameters(repeated), atol=1e-5)


def test_columns_of_soft_labels_are_the_classes():
    X, _ = problem()
    P = pd.DataFrame(np.random.default_rng(1).dirichlet(np.ones(3), len(X)), columns=list("zam"))
    model = trained(plain((4,), max_iter=5, random_state=0), X, P)
    np.testing.assert_array_equal(model.classes_, list("amz"))
    best = model.predict_proba(X).argmax(axis=1)
    np.testing.assert_array_equal(model.predict(X), np.array(list("amz"))[best])
    expected = P[list("amz")].to_numpy()[np.arange(len(X)), best].mean()
    np.testing.assert_allclose(model.score(X, P), expected)


# -- early stopping and the end of training --------------------------------------------------------


@pytest.fixture
def splits(monkeypatch):
    """The rows that early stopping sets aside, of each fit."""
    recorded = []
    split = _held_out.train_test_split

    def recording(*args, **kwargs):
        recorded.append(split(*args, **kwargs))
        return recorded[-1]

    monkeypatch.setattr(_held_out, "train_test_split", recording)
    return recorded


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", MINIBATCH)
def test_early_stopping_keeps_the_best_epoch(solver, n_classes, weighted, soft, splits):
    X, y = problem(n_classes, 300)
    if soft:
        y = 0.8 * np.eye(n_classes)[y] + 0.2 / n_classes
    weight = np.random.default_rng(0).integers(0, 4, len(y)) if weighted else np.ones(len(y))
    model = plain((20,), solver=solver, early_stopping=True, validation_fraction=0.3)
    model.set_params(learning_rate_init=0.3, n_iter_no_change=8, random_state=0)
    trained(model, X, y, sample_weight=weight)
    ((rows, held_out),) = splits
    assert not set(rows) & set(held_out)
    np.testing.assert_array_equal(np.sort([*rows, *held_out]), np.flatnonzero(weight))
    assert len(model.validation_scores_) == len(model.loss_curve_) == model.n_iter_
    best = model.best_validation_score_
    assert best == max(model.validation_scores_) > model.validation_scores_[-1]
    score = model.score(X[held_out], y[held_out], sample_weight=weight[held_out])
    assert score == pytest.approx(best, abs=1e-12)
    assert model.best_loss_ is None
    assert model.n_iter_ < 200


def test_early_stopping_sets_rows_aside_in_the_proportions_of_the_classes(splits):
    X, y = problem(3, 300)
    trained(plain((3,), early_stopping=True, validation_fraction=0.2, max_iter=2), X, y)
    ((_, held_out),) = splits
    assert len(held_out) == 60
    np.testing.assert_allclose(np.bincount(y[held_out]), np.bincount(y) / 5, atol=1)


def test_a_class_without_weight_does_not_keep_rows_from_being_set_aside(splits):
    X, y = problem(3, 300)
    labels = np.where(np.arange(300) < 40, 7, y)
    weight = np.where(labels == 7, 0.0, 1.0)
    model = trained(SmallMLP((3,), max_iter=3, random_state=0), X, labels, sample_weight=weight)
    ((_, held_out),) = splits
    assert len(held_out) == 26
    assert held_out.min() >= 40
    assert model.validation_scores_


@pytest.mark.parametrize("fraction", [0.005, 0.999])
def test_early_stopping_names_the_fraction_that_leaves_too_few_rows(fraction):
    X, y = problem()
    model = plain((3,), early_stopping=True, validation_fraction=fraction)
    with pytest.raises(ValueError, match=f"validation_fraction={fraction} of 120 rows"):
        model.fit(X, y)
    assert not hasattr(model, "classes_")


def test_a_fit_without_early_stopping_forgets_validation_scores():
    X, y = problem()
    model = trained(plain((3,), early_stopping=True, max_iter=3), X, y)
    trained(model.set_params(early_stopping=False), X, y)
    assert model.validation_scores_ is model.best_validation_score_ is None
    assert model.best_loss_ == min(model.loss_curve_)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_run_cut_short_names_solver_and_remedy(solver):
    model = plain((5,), solver=solver, max_iter=3, random_state=0)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(*problem())
    assert len(caught) == 1
    for part in (f"solver='{solver}'", "3 iterations", "max_iter", "standardize=True"):
        assert part in str(caught[0].message)
    assert model.n_iter_ == len(model.loss_curve_) == 3


def test_a_warning_points_at_the_line_that_called_fit():
    with pytest.warns(ConvergenceWarning) as caught:
        plain((5,), max_iter=3, random_state=0).fit(*problem())
    assert caught[0].filename == __file__


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_flat_loss_is_no_warning(solver):
    X, y = problem()
    model = plain((5,), solver=solver, alpha=1.0, learning_rate_init=0.05, random_state=0)
    model.set_params(max_iter=300, n_iter_no_change=np.inf, tol=1e-12).fit(X, y)
    curve = model.loss_curve_
    assert curve[-30] - curve[-1] < 0.01 * (curve[0] - curve[-1])


@pytest.mark.parametrize("seed", range(5))
def test_a_loss_that_only_rounding_moves_is_flat(seed):
    X, y = problem()
    plain((5,), learning_rate_init=1e-300, max_iter=3, random_state=seed).fit(X, y)


@pytest.mark.parametrize("solver", MINIBATCH)
def test_a_loss_that_more_epochs_would_lower_by_far_is_a_warning(solver):
    X, y = problem()
    model = plain((5,), solver=solver, learning_rate_init=0.003, max_iter=40, random_state=0)
    with pytest.warns(ConvergenceWarning, match="still falling: raise max_iter"):
        model.fit(X, y)
    longer = trained(clone(model).set_params(max_iter=160), X, y)
    assert longer.loss_ < 0.7 * model.loss_


def cut_short(model, X, y):
    """Fit, and return whether a warning says that the loss was still falling."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    return any("still falling: raise max_iter" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("max_iter", [10, 20])
@pytest.mark.parametrize("early_stopping", [True, "auto"])
def test_a_validation_loss_that_more_epochs_would_lower_is_a_warning(max_iter, early_stopping):
    X, y = load_digits(return_X_y=True)
    model = SmallMLP((100,), random_state=0, early_stopping=early_stopping)
    assert not cut_short(model, X, y)
    least = min(model.validation_loss_curve_)
    assert cut_short(model.set_params(max_iter=max_iter), X, y)
    assert least < 0.8 * min(model.validation_loss_curve_)


@pytest.mark.parametrize("max_iter", [10, 15, 20])
@pytest.mark.parametrize("early_stopping", [True, "auto"])
def test_a_validation_loss_that_has_stopped_falling_is_no_warning(max_iter, early_stopping):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 30)), rng.integers(2, size=300)  # nothing to learn but by heart
    model = SmallMLP(
        random_state=0,
        max_iter=max_iter,
        n_iter_no_change=np.inf,
        early_stopping=early_stopping,
    )
    assert not cut_short(model, X, y)
    assert len(model.validation_loss_curve_) == max_iter
    # that of the rows trained on goes on falling
    assert cut_short(model.set_params(early_stopping=False), X, y)


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_digits])
def test_defaults_do_not_warn(load):
    X, y = load(return_X_y=True)
    assert not cut_short(SmallMLP(random_state=0), X, y)
    assert not cut_short(SmallMLP(random_state=0), X[::5], y[::5])


@pytest.mark.parametrize("solver", MINIBATCH)
def test_training_ends_when_the_loss_no_longer_improves(solver):
    X, y = problem()
    model = plain((5,), solver=solver, alpha=1.0, learning_rate_init=0.05, random_state=0)
    model.set_params(max_iter=1000, tol=1e-3, n_iter_no_change=4).fit(X, y)
    assert model.n_iter_ < 1000
    best_before = min(model.loss_curve_[:-5])
    assert min(model.loss_curve_[-5:]) > best_before - 5 * 1e-3


def test_a_line_search_that_fails_far_from_a_minimum_is_told():
    X, y = problem()
    model = plain((5,), solver="lbfgs", random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(1e200 * X, y)  # no step is small enough: the initial weights come back


def test_max_fun_ends_lbfgs():
    X, y = problem()
    model = plain((5,), solver="lbfgs", max_fun=5, random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_fun"):
        model.fit(X, y)
    assert model.n_iter_ <= 5


@pytest.mark.parametrize("solver", SOLVERS)
def test_verbose_prints_a_line_for_each_iteration(solver, capsys):
    X, y = problem()
    model = trained(plain((5,), solver=solver, verbose=True, max_iter=4, random_state=0), X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_ == 4
    for number, (line, loss) in enumerate(zip(lines, model.loss_curve_, strict=True), start=1):
        assert line.startswith("SmallMLP ")
        assert f" {number}:" in line
        assert float(line.split("loss ")[1].split(",")[0]) == pytest.approx(loss, abs=1e-6)
    trained(model.set_params(verbose=0), X, y)
    assert not capsys.readouterr().out


def test_verbose_shows_validation_scores(capsys):
    X, y = problem()
    model = plain((5,), early_stopping=True, verbose=1, max_iter=3, random_state=0)
    trained(model, X, y)
    lines = capsys.readouterr().out.splitlines()
    for line, score in zip(lines, model.validation_scores_, strict=True):
        assert f"validation score {score:.4f}" in line


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("stopping", [False, True])
def test_an_interrupted_run_keeps_what_it_has(stopping, epochs, monkeypatch):
    run_epoch, calls = _minibatch.run_epoch, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) > epochs:
            raise KeyboardInterrupt
        return run_epoch(*args)

    monkeypatch.setattr(_minibatch, "run_epoch", interrupted)
    model = plain((5,), early_stopping=stopping, random_state=0)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        model.fit(*problem())
    assert model.n_iter_ == len(model.loss_curve_) == epochs
    assert np.isfinite(parameters(model)).all()


# -- streams and warm starts -----------------------------------------------------------------------


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("solver", MINIBATCH)
def test_partial_fit_on_chunks_learns(solver, container):
    X, y = moons()
    model = plain((20,), solver=solver, learning_rate_init=0.02, batch_size=10, random_state=0)
    order = np.argsort(X[:, 0])  # what comes first does not have both classes
    for start in range(0, 200, 40):
        rows = order[start : start + 40]
        model.partial_fit(container(X[rows]), y[rows], classes=[1, 0])
    np.testing.assert_array_equal(model.classes_, [0, 1])
    assert model.t_ == 200
    assert (model.n_iter_, len(model.loss_curve_)) == (1, 5)
    for _ in range(100):
        model.partial_fit(container(X), y)
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize("solver", MINIBATCH)
def test_partial_fit_is_an_epoch_of_fit(solver):
    X, y = problem()
    model = plain((5,), solver=solver, batch_size=20, shuffle=False, random_state=0)
    fitted = trained(clone(model).set_params(max_iter=4), X, y)
    for _ in range(4):
        model.partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_allclose(parameters(model), parameters(fitted), atol=1e-12)
    np.testing.assert_allclose(model.loss_curve_, fitted.loss_curve_)
    assert model.t_ == fitted.t_ == 480


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize("solver", MINIBATCH)
def test_partial_fit_continues_after_pickling_as_without(solver, learning_rate):
    X, y = problem()
    model = plain((5,), solver=solver, learning_rate=learning_rate, random_state=0)
    pickled = clone(model)
    for start in range(0, 120, 30):
        rows = slice(start, start + 30)
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        pickled = pickle.loads(pickle.dumps(pickled))
        pickled.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    np.testing.assert_array_equal(parameters(pickled), parameters(model))
    assert pickled.loss_curve_ == model.loss_curve_


def test_partial_fit_takes_soft_labels_and_weights():
    X, y = problem()
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    hard = plain((5,), random_state=0).partial_fit(X, y, weight, classes=[0, 1, 2])
    soft = plain((5,), random_state=0).partial_fit(X, np.eye(3)[y], weight)
    np.testing.assert_allclose(parameters(soft), parameters(hard), atol=1e-12)


def test_partial_fit_goes_on_from_fit():
    X, y = problem()
    model = trained(plain((5,), max_iter=5, random_state=0), X, y)
    curve = list(model.loss_curve_)
    model.partial_fit(X, y)
    assert model.loss_curve_[:-1] == curve
    assert model.loss_curve_[-1] < curve[-1]
    assert (model.n_iter_, len(model.loss_curve_), model.t_) == (1, 6, 720)


def test_partial_fit_is_unavailable_for_lbfgs():
    model = plain(solver="lbfgs")
    assert not hasattr(model, "partial_fit")
    assert hasattr(model.set_params(solver="sgd"), "partial_fit")


def test_partial_fit_refuses_what_a_stream_cannot_do():
    X, y = problem()
    model = plain((5,), random_state=0)
    with pytest.raises(ValueError, match=r"classes must be passed on the first call"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"does not know: \[2\]\. Known are \[0, 1\]"):
        model.partial_fit(X, y, classes=[0, 1])
    assert vars(model).keys() == model.get_params().keys()
    model.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"does not know: \[3\]"):
        model.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match=r"classes=\[0, 1\] differ .*\[0, 1, 2\]"):
        model.partial_fit(X, y, classes=[0, 1])


@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_start_continues(solver):
    X, y = problem()
    model = plain((5,), solver=solver, warm_start=True, max_iter=20, learning_rate_init=0.01)
    model.set_params(random_state=0)
    first = trained(model, X, y).loss_curve_
    curve = trained(model, X, y).loss_curve_
    assert curve[: len(first)] == first
    assert curve[len(first)] < first[0] - 0.5 * (first[0] - first[-1])
    cold = trained(model.set_params(warm_start=False), X, y).loss_curve_
    assert cold == first


def test_warm_start_refuses_other_classes_or_layers():
    X, y = problem()
    model = trained(plain((5,), warm_start=True, max_iter=2, random_state=0), X, y)
    before = parameters(model)
    with pytest.raises(ValueError, match=r"warm_start=True .*\[0, 1, 2\].*\['a', 'b', 'c'\]"):
        model.fit(X, np.array(["a", "b", "c"])[y])
    with pytest.raises(ValueError, match=r"warm_start=True .*\[4, 5, 3\].*\[3, 5, 3\]"):
        model.fit(X[:, :3], y)
    with pytest.raises(ValueError, match=r"warm_start=True .*\[4, 5, 3\].*\[4, 6, 3\]"):
        model.set_params(hidden_layer_sizes=(6,)).fit(X, y)
    np.testing.assert_array_equal(parameters(model), before)
    assert model.n_features_in_ == 4


# -- defaults --------------------------------------------------------------------------------------


def test_the_units_of_features_change_nothing():
    X, y = problem(3, 400)
    Z = X * np.logspace(-6, 6, X.shape[1]) + np.array([0.0, 1e3, -5.0, 1e7])
    models = [SmallMLP((8,), random_state=0, dtype="float64").fit(data, y) for data in (X, Z)]
    np.testing.assert_allclose(models[0].predict_proba(X), models[1].predict_proba(Z), rtol=1e-4)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_raw_features_are_learned_from(solver, container):
    X, y = moons()
    X = container(np.column_stack([1e5 * X[:, 0] + 1e4, 1e-5 * X[:, 1], np.full(len(y), 3.0)]))
    model = SmallMLP(solver=solver, max_iter=300, learning_rate_init=0.03, random_state=0)
    assert trained(model, X, y).score(X, y) > (0.85 if container is np.asarray else 0.8)
    np.testing.assert_array_equal(model.coefs_[0][2], model.coefs_[0][2])
    assert np.isfinite(parameters(model)).all()


def test_the_solver_is_chosen_by_the_number_of_rows():
    X, y = problem(3, 200)
    assert trained(SmallMLP(max_iter=3), X, y).solver_ == "adam"
    few = SmallMLP(max_iter=30)
    assert trained(few, X, y, sample_weight=np.arange(200) < 149).solver_ == "lbfgs"
    assert few.validation_scores_ is None


def test_all_rows_train_in_the_end_for_as_many_epochs_as_were_best():
    X, y = problem(3, 300)
    model = SmallMLP((8,), learning_rate_init=0.03, random_state=0).fit(X, y)
    best = 1 + int(np.argmin(model.validation_loss_curve_))
    assert model.n_iter_ == len(model.loss_curve_) == best < len(model.validation_loss_curve_)
    assert model.t_ == best * len(y)
    kept = clone(model).set_params(early_stopping=True).fit(X, y)
    assert kept.n_iter_ == len(kept.validation_loss_curve_) == len(model.validation_loss_curve_)
    assert kept.t_ == kept.n_iter_ * 270


def test_a_class_of_a_single_row_is_no_obstacle():
    X, y = problem(3, 200)
    y[0] = 7
    for stopping in ("auto", True):
        model = trained(SmallMLP((4,), max_iter=3, early_stopping=stopping), X, y)
        assert len(model.validation_scores_) == 3
        assert 7 in model.classes_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [200, 4000])
def test_predictions_have_the_precision_of_the_data(dtype, n_rows):
    X, y = problem(3, n_rows)
    model = trained(SmallMLP((4,), max_iter=2, early_stopping=False), X.astype(dtype), y)
    assert model.predict_proba(X.astype(dtype)).dtype == dtype
    assert all(part.dtype == dtype for part in (*model.coefs_, *model.intercepts_))


def test_little_data_is_trained_on_in_float64():
    X, y = problem(3, 200)
    found = [
        trained(SmallMLP((4,), max_iter=9, random_state=0, dtype=dtype), X, y).loss_
        for dtype in ("auto", "float64", "float32", np.float32)
    ]
    assert found[0] == found[1] != found[2] == found[3]


# -- options ---------------------------------------------------------------------------------------


def test_validation_rows_may_be_given():
    X, y = problem(3, 400)
    model = SmallMLP((8,), learning_rate_init=0.03, random_state=0)
    model.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    losses = model.validation_loss_curve_
    assert len(losses) == model.n_iter_ == len(model.validation_scores_)
    p = model.predict_proba(X[300:])[np.arange(100), y[300:]]
    assert -np.log(p).mean() == pytest.approx(min(losses), rel=1e-5)
    assert model.score(X[300:], y[300:]) == model.validation_scores_[int(np.argmin(losses))]
    assert model.t_ == 300 * model.n_iter_


def test_r2_takes_labels_for_numbers():
    X, y = problem(3, 200)
    model = SmallMLP((4,), solver="adam", scoring="r2", random_state=0, max_iter=30)
    trained(model, X, y, X_val=X[:50], y_val=y[:50])
    assert model.best_validation_score_ == pytest.approx(r2_score(y[:50], model.predict(X[:50])))
    with pytest.raises(ValueError, match="could not convert string to float"):
        model.fit(X, np.array(["a", "b", "c"])[y])


def test_a_scorer_sees_no_validation_rows_of_weight_0():
    X, y = problem(3, 200)
    weight = np.where(np.arange(50) < 20, 0.0, 1.0)
    rows = {"X_val": X[:50], "y_val": (y[:50] + (weight == 0)) % 3, "sample_weight_val": weight}
    model = SmallMLP((4,), solver="adam", scoring="f1_macro", random_state=0, max_iter=3)
    found = trained(clone(model), X, y, **rows).validation_scores_
    expected = trained(clone(model), X, y, X_val=X[20:50], y_val=y[20:50]).validation_scores_
    np.testing.assert_allclose(found, expected)


def test_validation_rows_have_weights_and_may_decide_nothing():
    X, y = problem(3, 200)
    weight = np.random.default_rng(0).integers(0, 3, 50)
    model = SmallMLP((4,), solver="adam", early_stopping=False, max_iter=4, random_state=0)
    plain_fit = trained(clone(model), X, y)
    weighted = {"X_val": X[:50], "y_val": y[:50], "sample_weight_val": weight}
    repeated = {"X_val": X[:50].repeat(weight, axis=0), "y_val": y[:50].repeat(weight)}
    first, second = (trained(clone(model), X, y, **rows) for rows in (weighted, repeated))
    np.testing.assert_allclose(first.validation_loss_curve_, second.validation_loss_curve_)
    np.testing.assert_allclose(first.validation_scores_, second.validation_scores_)
    np.testing.assert_array_equal(parameters(first), parameters(plain_fit))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"X_val": np.zeros((3, 4))}, "X_val and y_val"),
        ({"y_val": [0, 1]}, "X_val and y_val"),
        ({"X_val": np.zeros((3, 2)), "y_val": [0, 1, 2]}, "2 features"),
        ({"X_val": np.zeros((3, 4)), "y_val": [0, 1, 9]}, "9"),
        ({"X_val": np.full((3, 4), np.inf), "y_val": [0, 1, 2]}, "infinity"),
    ],
)
def test_validation_rows_are_checked(rows, message):
    X, y = problem()
    model = SmallMLP((4,), solver="adam")
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **rows)
    assert not hasattr(model, "classes_")


def test_any_scorer_may_decide():
    X, y = problem(3, 300)
    params = {"learning_rate_init": 0.1, "random_state": 0, "early_stopping": True}
    found = {}
    for scoring in ("loss", None, "neg_log_loss", "balanced_accuracy", lambda m, X, y: -1.0):
        model = trained(SmallMLP((8,), solver="adam", scoring=scoring, **params), X, y)
        found[scoring if isinstance(scoring, str | None) else "constant"] = model
    np.testing.assert_allclose(
        found["neg_log_loss"].validation_scores_,
        -np.array(found["loss"].validation_loss_curve_),
        rtol=1e-5,
    )
    assert found["constant"].validation_scores_ == 12 * [-1.0]  # ten are not enough to tell
    assert 0 < found["balanced_accuracy"].best_validation_score_ <= 1
    assert found[None].best_validation_score_ == max(found[None].validation_scores_)


@pytest.mark.parametrize("dropout", [0.5, (0.2, 0.0), (0.0, 0.5)], ids=str)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_dropout_trains_another_network_and_is_repeatable(dropout, container):
    X, y = problem(3, 300)
    X = container(X)
    model = SmallMLP((20,), solver="adam", max_iter=20, random_state=0, early_stopping=False)
    without = trained(clone(model), X, y)
    fits = [trained(clone(model).set_params(dropout=dropout), X, y) for _ in range(2)]
    np.testing.assert_array_equal(parameters(fits[0]), parameters(fits[1]))
    assert np.abs(parameters(fits[0]) - parameters(without)).max() > 1e-3
    assert fits[0].score(X, y) > 0.6
    assert fits[0].loss_curve_[-1] > without.loss_curve_[-1]


def test_smoothed_labels_are_the_probabilities_they_stand_for():
    X, y = problem(3, 200)
    smooth = 0.9 * np.eye(3)[y] + 0.1 / 3
    params = {"solver": "adam", "max_iter": 5, "random_state": 0, "early_stopping": False}
    models = [
        trained(SmallMLP((4,), label_smoothing=0.1, **params), X, y),
        trained(SmallMLP((4,), **params), X, smooth),
    ]
    np.testing.assert_allclose(parameters(models[0]), parameters(models[1]), rtol=1e-10)


def test_weights_decay_beside_the_steps():
    X, y = problem(3, 200)
    params = {"solver": "adam", "max_iter": 60, "random_state": 0, "early_stopping": False}
    sizes = [
        np.square(trained(SmallMLP((8,), weight_decay=decay, **params), X, y).coefs_[1]).sum()
        for decay in (0.0, 1.0, 10.0)
    ]
    assert sizes[0] > 2 * sizes[1] > 4 * sizes[2]


def test_clipped_gradients_move_a_network_less():
    X, y = problem(3, 200)
    params = {"solver": "sgd", "max_iter": 1, "random_state": 0, "momentum": 0.0, "batch_size": 200}
    params |= {"average": 0, "early_stopping": False, "learning_rate_init": 1.0, "dtype": "float64"}
    params |= {"standardize": False}
    start = trained(SmallMLP((8,), **params | {"learning_rate_init": 1e-300}), X, y)
    for norm in (1e-3, 1e-2):
        moved = trained(SmallMLP((8,), max_grad_norm=norm, **params), X, y)
        length = np.linalg.norm(parameters(moved) - parameters(start))
        assert length == pytest.approx(norm, rel=1e-9)


@pytest.mark.parametrize("learning_rate", ["cosine", "one-cycle"])
def test_planned_rates_take_all_epochs_and_do_not_warn(learning_rate):
    X, y = problem(3, 300)
    model = SmallMLP((8,), solver="adam", learning_rate=learning_rate, max_iter=12, random_state=0)
    assert model.fit(X, y).n_iter_ == 12


def test_time_may_run_out():
    X, y = problem(3, 300)
    model = SmallMLP((8,), solver="adam", max_time=1e-9, early_stopping=False, max_iter=50)
    assert trained(model, X, y).n_iter_ == 1


def test_an_average_jumps_about_less_than_what_it_is_of():
    X, y = problem(3, 400)
    params = {"solver": "sgd", "learning_rate_init": 0.5, "early_stopping": False, "max_iter": 12}
    params |= {"n_iter_no_change": 99, "batch_size": 10}
    spread = []
    for average in (0.0, 3.0):
        fits = [
            trained(SmallMLP((), average=average, random_state=seed, **params), X, y).coefs_[0]
            for seed in range(6)
        ]
        centred = np.array(fits) - np.mean(fits, axis=2, keepdims=True)
        spread.append(np.std(centred, axis=0).mean())
    assert spread[1] < 0.7 * spread[0]


def test_a_stream_is_scaled_by_its_first_piece():
    X, y = problem(3, 600)
    X = 1e3 * X + 5e3
    stream = SmallMLP((8,), learning_rate_init=0.03, random_state=0)
    for _ in range(5):
        for start in range(0, 600, 100):
            piece = slice(start, start + 100)
            stream.partial_fit(X[piece], y[piece], classes=[0, 1, 2])
            if start == 0:
                scaling = stream._stream["scaling"]
    np.testing.assert_array_equal(stream._stream["scaling"]["means"], scaling["means"])
    assert stream.score(X, y) > 0.7


# -- what ends a training that begins anew ---------------------------------------------------------


@pytest.fixture
def interrupted_anew(monkeypatch):
    """Interrupts the second training after some epochs, by how many there have been."""
    run_epoch, after = _minibatch.run_epoch, {}

    def counted(objective, *args):
        if len(objective.rows) == 300:  # all of them
            if after["epochs"] == 0:
                raise KeyboardInterrupt
            after["epochs"] -= 1
        return run_epoch(objective, *args)

    monkeypatch.setattr(_minibatch, "run_epoch", counted)
    return after


@pytest.mark.parametrize("epochs", [0, 2])
def test_an_interrupted_second_training_leaves_the_first(epochs, interrupted_anew):
    X, y = problem(3, 300)
    model = SmallMLP((8,), random_state=0)
    interrupted_anew["epochs"] = 10**9
    kept = clone(model).set_params(early_stopping=True).fit(X, y)
    interrupted_anew["epochs"] = epochs
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        model.fit(X, y)
    np.testing.assert_array_equal(parameters(model), parameters(kept))


def test_a_warm_start_does_not_validate_on_what_it_was_trained_on():
    X, y = problem(3, 400)
    model = SmallMLP((20,), warm_start=True, max_iter=5, random_state=0)
    losses = [trained(model, X, y).validation_loss_curve_ for _ in range(3)]
    assert model.t_ == 3 * 5 * 360
    assert losses[0][0] > losses[1][0] > 0.9 * losses[0][-1]


def test_time_is_for_both_trainings_together(monkeypatch):
    X, y = problem(3, 300)
    plain_fit = SmallMLP((8,), max_time=1e-9, random_state=0, max_iter=20)
    assert trained(plain_fit, X, y).n_iter_ == 1
    assert plain_fit.t_ == 270  # no time was left to begin anew
    lbfgs = SmallMLP((8,), solver="lbfgs", max_time=1e-9, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"its time \(max_time\)"):
        lbfgs.fit(X, y)
    assert lbfgs.n_iter_ == 1


@pytest.mark.parametrize(
    "container",
    [sparse.coo_matrix, sparse.coo_array, sparse.bsr_array, sparse.dia_array, sparse.csc_matrix],
)
@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_rows_are_set_aside_of_any_sparse_format(container, scoring):
    X, y = problem(3, 200)
    model = trained(SmallMLP((4,), max_iter=3, scoring=scoring, random_state=0), container(X), y)
    assert len(model.validation_scores_) == 3


@pytest.mark.parametrize(
    "params", [{"early_stopping": True}, {"weight_decay": 0.1}, {"max_grad_norm": 1.0}], ids=str
)
def test_few_rows_are_trained_on_in_batches_where_that_is_asked_for(params):
    X, y = problem(3, 100)
    assert trained(SmallMLP((4,), max_iter=3, **params), X, y).solver_ == "adam"
    assert trained(SmallMLP((4,), max_iter=3), X, y, X_val=X, y_val=y).solver_ == "adam"
    with pytest.raises(ValueError, match="solver='lbfgs'"):
        SmallMLP((4,), solver="lbfgs").fit(X, y, X_val=X, y_val=y)


def test_the_default_rate_falls_with_the_widest_layer():
    X, y = make_classification(160, 400, random_state=0)
    params = {"solver": "adam", "max_iter": 2, "early_stopping": False, "random_state": 0}
    for n_columns, hidden, rate in (
        (20, "auto", 0.003),
        (20, (100,), 0.003),
        (400, (8,), 0.0015),
        (5, (400, 3), 0.0015),
    ):
        found = [
            trained(SmallMLP(hidden, learning_rate_init=value, **params), X[:, :n_columns], y)
            for value in ("auto", rate)
        ]
        np.testing.assert_array_equal(*(parameters(model) for model in found))


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "solver", "hidden"),
    [
        (200, 3, "adam", [400]),
        (200, 401, "adam", [100]),
        (200, 3, "lbfgs", [100]),
        (2600, 3, "adam", [96, 96]),
        (2600, 61, "adam", [100]),
    ],
)
def test_the_default_layers_go_by_the_shape_of_the_table(n_rows, n_columns, solver, hidden):
    X = np.random.default_rng(0).normal(size=(n_rows, n_columns))
    model = trained(SmallMLP(solver=solver, max_iter=1, random_state=0), X, X[:, 0] > 0)
    assert [len(intercepts) for intercepts in model.intercepts_[:-1]] == hidden


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sigmoid_is_another_name_of_logistic(solver):
    X, y = make_moons(80, noise=0.2, random_state=0)
    by_name = {
        name: SmallMLP(8, activation=name, solver=solver, max_iter=20, random_state=0)
        for name in ("sigmoid", "logistic")
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        p = [model.fit(X, y).predict_proba(X) for model in by_name.values()]
        np.testing.assert_array_equal(*p)
        renamed = by_name["sigmoid"].set_params(warm_start=True, activation="logistic")
        renamed.fit(X, y)
