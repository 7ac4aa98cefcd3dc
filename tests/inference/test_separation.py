"""Separation is detected if and only if there is some, and described correctly."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.optimize import linprog
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from tables import random_table

from softmax_regression import SoftmaxRegression, SoftmaxRegressionCV, softmax_path
from softmax_regression.inference import detect_separation, infer

NONE = "none"


def by_definition(X, y):
    """Return the kind of separation and the directions, by programs over all pairs in a box."""
    labels = np.unique(y, return_inverse=True)[1]
    n_classes, Z = labels.max() + 1, np.column_stack([np.ones(len(X)), X])
    margins = []
    for z, own in zip(Z, labels, strict=True):
        for other in set(range(n_classes)) - {own}:
            row = np.zeros((n_classes, Z.shape[1]))
            row[own], row[other] = z, -z
            margins.append(row[1:].ravel())
    margins = np.array(margins)
    n, q = margins.shape

    def largest(function):
        return -linprog(-function, A_ub=-margins, b_ub=np.zeros(n), bounds=(-1, 1)).fun

    if largest(margins.sum(axis=0)) < 1e-7:
        return NONE, np.zeros((Z.shape[1], n_classes - 1))
    least = linprog(
        np.append(np.zeros(q), -1),
        A_ub=np.column_stack([-margins, np.ones(n)]),
        b_ub=np.zeros(n),
        bounds=[(-1, 1)] * q + [(0, 1)],
    )
    signs = [(largest(unit) > 1e-7, largest(-unit) > 1e-7) for unit in np.eye(q)]
    meaning = {
        (True, True): np.nan,
        (True, False): np.inf,
        (False, True): -np.inf,
        (False, False): 0.0,
    }
    table = np.array([meaning[sign] for sign in signs]).reshape(n_classes - 1, -1).T
    return "complete" if -least.fun > 1e-7 else "quasi-complete", table


def random_separation(seed):
    """Return a table, of four kinds: as it comes, complete, and in part in two ways."""
    rng = np.random.default_rng(seed)
    n_classes, d, n = rng.integers(2, 5), rng.integers(1, 4), int(rng.integers(20, 45))
    columns = [
        rng.integers(0, 2, n) if rng.random() < 0.5 else rng.normal(size=n) for _ in range(d)
    ]
    X = np.column_stack(columns).astype(float)
    scores = X @ rng.normal(size=(d, n_classes))
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    kind, j = seed % 4, rng.integers(d)
    if kind == 1:
        y = (scores - scores.mean(axis=0)).argmax(axis=1)
    if kind == 2:  # no row of the last class where a column is 1
        X[:, j] = rng.integers(0, 2, n)
        y[(X[:, j] == 1) & (y == n_classes - 1)] = 0
    if kind == 3:  # one class alone has a column above 0
        own = y == rng.integers(n_classes)
        X[:, j] = np.where(own, 1, -1) * (np.abs(X[:, j]) + own)
    return X, y


@pytest.mark.parametrize("first", range(0, 320, 40))
def test_separation_is_as_defined(first):
    kinds = []
    for seed in range(first, first + 40):
        X, y = random_separation(seed)
        if len(np.unique(y)) < 2 or np.linalg.matrix_rank(X - X.mean(axis=0)) < X.shape[1]:
            continue
        scale = np.random.default_rng(seed).uniform(-4, 4, X.shape[1])
        found = detect_separation(X * 10.0**scale, y)
        kind, table = by_definition(X, y)
        assert found.kind == kind, seed
        np.testing.assert_array_equal(found.directions, table, err_msg=str(seed))
        named = [f"x{j}" for j in np.flatnonzero((table[1:] != 0).any(axis=1))]
        assert found.features == named, seed
        kinds.append(kind)
    assert len(kinds) >= 30
    assert set(kinds) == {NONE, "complete", "quasi-complete"}


def with_rare_column(n_rows, n_rare, seed=0):
    """Return a table in which no row of the last class has a 1 in its last column."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n_rows, 4)), rng.integers(0, 3, n_rows)
    X[:, 3] = 0
    X[:n_rare, 3] = 1
    y[:n_rare] = np.arange(n_rare) % 2
    return X, y


def test_few_separated_rows_of_many_are_found():
    X, y = with_rare_column(30000, 12)
    found = detect_separation(X, y)
    assert (found.kind, found.features, found.n_separated) == ("quasi-complete", ["x3"], 12)
    expected = np.zeros((5, 2))
    expected[4, 1] = -np.inf
    np.testing.assert_array_equal(found.directions, expected)
    y[0] = 2
    assert not detect_separation(X, y)


def test_weights_of_zero_leave_rows_out_and_others_do_not_matter():
    X, y = with_rare_column(300, 20)
    y[0] = 2
    weight = 10.0 ** np.random.default_rng(0).uniform(-9, 9, 300)
    assert not detect_separation(X, y, weight)
    weight[0] = 0
    assert detect_separation(X, y, weight).features == ["x3"]


def test_containers_labels_and_missing_intercepts():
    X, y = with_rare_column(300, 20)
    frame = pd.DataFrame(X, columns=list("abcd"))
    names = np.array(["u", "v", "w"])[y]
    expected = detect_separation(frame, names)
    assert expected.features == ["d"]
    assert list(expected.directions.columns) == ["v", "w"]
    assert detect_separation(sparse.csr_array(X), names).features == ["x3"]
    assert detect_separation(frame, np.eye(3)[y]).features == ["d"]
    assert "intercept" not in detect_separation(frame, y, fit_intercept=False).directions.index
    twice = frame.assign(e=2 * frame["a"])  # a column that says nothing new
    assert detect_separation(twice, names).features == ["d"]
    assert "d" in str(expected)


def test_positive_class_probabilities_are_never_separated():
    X, y = with_rare_column(300, 20)
    assert not detect_separation(X, 0.99 * np.eye(3)[y] + 0.01 / 3)


def test_a_single_class_and_bad_values_are_refused():
    with pytest.raises(ValueError, match="one class"):
        detect_separation([[1.0], [2.0]], [0, 0])
    with pytest.raises(ValueError, match="NaN"):
        detect_separation([[1.0], [np.nan]], [0, 1])
    with pytest.raises(ValueError, match="one class"):
        detect_separation([[1.0], [2.0]], [0, 1], [0, 1])


# -- what a fit says -------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["newton-cholesky", "newton-cg", "lbfgs"])
@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-10])
def test_a_fit_names_features_without_a_finite_coefficient(solver, tol):
    X, y = with_rare_column(400, 20)
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = SoftmaxRegression(C=np.inf, tol=tol, solver=solver)
    with pytest.warns(ConvergenceWarning, match=r"quasi-complete separation.* of 'd' grow") as told:
        model.fit(frame, y)
    assert told[0].filename == __file__
    y[0] = 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(frame, y)
    assert not [w for w in caught if "separation" in str(w.message)]


def test_a_few_separated_rows_of_many_are_told():
    X, y = with_rare_column(20000, 8)
    with pytest.warns(ConvergenceWarning, match="of 'x3' grow"):
        SoftmaxRegression(C=np.inf).fit(X, y)
    y[0] = 2
    SoftmaxRegression(C=np.inf).fit(X, y)  # and no warning here


def test_complete_separation_names_all_features():
    X, y = load_wine(return_X_y=True, as_frame=True)
    with pytest.warns(ConvergenceWarning, match=r"perfectly .*'alcohol'.* and 7 others"):
        SoftmaxRegression(C=np.inf).fit(X, y)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ratio", [1.0, 1e6, 1e11])
def test_no_separation_is_cried_where_classes_overlap(seed, ratio):
    X, y = random_table(seed, n_rows=80)
    rng = np.random.default_rng(seed)
    weight = np.where(rng.random(80) < 0.5, 1.0, 1 / ratio)
    assert not detect_separation(X, y, weight)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SoftmaxRegression(C=np.inf).fit(X, y, sample_weight=weight)
    assert not [w for w in caught if "separation" in str(w.message)]


def test_with_a_penalty_or_bounds_there_is_nothing_to_tell():
    X, y = with_rare_column(400, 20)
    SoftmaxRegression(C=1e6).fit(X, y)
    SoftmaxRegression(C=np.inf, bounds=(-5, 5)).fit(X, y)


def test_inference_refuses_what_does_not_exist():
    X, y = load_iris(return_X_y=True, as_frame=True)
    with pytest.warns(ConvergenceWarning):
        model = SoftmaxRegression(C=np.inf).fit(X, y)
    with pytest.raises(ValueError, match=r"does not exist: quasi-complete .*'sepal length \(cm\)'"):
        infer(model, X, y)
    infer(SoftmaxRegression(C=1e4).fit(X, y), X, y)


ALL_ALONG = {
    "path": lambda X, y: softmax_path(X, y, Cs=[1, np.inf, 100]),
    "folds": lambda X, y: SoftmaxRegressionCV(Cs=[1, np.inf], cv=2).fit(X, y),
    "loo": lambda X, y: SoftmaxRegressionCV(Cs=[1, np.inf], cv="loo").fit(X, y),
}


@pytest.mark.parametrize("kind", ["complete", "quasi-complete"])
@pytest.mark.parametrize("fits", ALL_ALONG)
def test_paths_that_end_without_a_penalty_tell_once(kind, fits):
    X = pd.DataFrame({"a": np.random.default_rng(0).normal(size=60), "d": 0.0})
    y = np.repeat([0, 1, 2], 20)
    if kind == "complete":
        X["d"] += y
    else:
        X.loc[::4, "d"] = 1.0
        y[::4] = y[::4] % 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ALL_ALONG[fits](X, y)
    (told,) = [str(w.message) for w in caught if "separation" in str(w.message)]
    assert len(caught) == 1 or kind == "quasi-complete"
    assert f"{kind} separation" in told
    assert "'d' grow" in told
    assert "Leave inf out of Cs" in told
    assert caught[0].filename == __file__


@pytest.mark.parametrize("fits", ALL_ALONG)
def test_paths_on_classes_that_overlap_tell_nothing(fits):
    X, y = random_table()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ALL_ALONG[fits](X, y)


def test_complete_separation_is_told_of_and_not_the_gap():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X, y = X[:100], y[:100]
    with pytest.warns(ConvergenceWarning):
        model = SoftmaxRegression(C=np.inf).fit(X, y)
    with pytest.raises(ValueError, match=r"does not exist: complete .*'petal length"):
        infer(model, X, y)
