"""Invalid data, targets, weights and parameters raise an error with a remedy and do not change the
estimator; and the estimators work with scikit-learn's tools, from pipelines and searches to
metadata routing.
"""

import importlib.util
import inspect
import pickle
import re
from typing import Literal, get_args, get_origin, get_type_hints

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils._param_validation import StrOptions

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV, softmax_path
from softmax_regression._estimators.targets import encode_targets
from softmax_regression.functional import ACTIVATIONS

LINEAR = SoftmaxRegression()
STREAM = SoftmaxRegression(solver="adam", tol=1e-3, random_state=0)
# Enough penalty and speed to be at its end, so that no warning comes into play.
NETWORK = SmallMLP(
    (4,),
    solver="adam",
    alpha=1.0,
    learning_rate_init=0.05,
    random_state=0,
    categorical_features=None,  # tests/neural_network/test_tables.py has tables with them
)
ESTIMATORS = {"SoftmaxRegression": LINEAR, "SmallMLP": NETWORK}
STREAMS = {"SoftmaxRegression": STREAM, "SmallMLP": NETWORK}

both = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
both_streams = pytest.mark.parametrize("estimator", STREAMS.values(), ids=STREAMS)


def problem(n_rows=90):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 4))
    scores = 2 * X[:, :3]
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


X, y = problem()
P = 0.7 * np.eye(3)[y] + 0.1
WEIGHT = np.random.default_rng(1).random(len(y))


def changed(array, value, where=(3, 1)):
    array = array.copy()
    array[where] = value
    return array


def snapshot(estimator):
    """All that an estimator consists of, comparable."""
    return {name: pickle.dumps(value) for name, value in vars(estimator).items()}


def assert_refused(estimator, method, match, *args, error=(ValueError, TypeError), **kwargs):
    """Check that a call raises the error and leaves no trace."""
    before = snapshot(estimator)
    with pytest.raises(error, match=match):
        getattr(estimator, method)(*args, **kwargs)
    assert snapshot(estimator) == before


# -- data that cannot be fitted --------------------------------------------------------------------

BAD_X = {
    "NaN": (changed(X, np.nan), "Input X contains NaN"),
    "infinity": (changed(X, -np.inf), "Input X contains infinity"),
    "NaN in sparse": (sparse.csr_array(changed(X, np.nan)), "Input X contains NaN"),
    "NaN in DataFrame": (pd.DataFrame(changed(X, np.nan)), "Input X contains NaN"),
    "None": (changed(X.astype(object), None), "X contains NaN"),
    "1-d": (X[:, 0], "Expected 2D array, got 1D array"),
    "3-d": (X[None], "array with dim 3"),
    "no rows": (X[:0], r"0 sample\(s\)"),
    "no columns": (X[:, :0], r"0 feature\(s\)"),
    "complex": (X * 1j, "Complex data not supported"),
    "text": (
        changed(X.astype(object), "tall"),
        "Column 1 of X .*to float: 'tall'. .*OneHotEncoder",
    ),
    "text in DataFrame": (
        pd.DataFrame(X[:, :3]).assign(**{"3": "tall"}).set_axis(range(4), axis=1),
        "Column 3 of X .*to float: 'tall'. .*OneHotEncoder in a ColumnTransformer",
    ),
    "text in a list": ([[1.0, 2.0, "tall", 3.0]] * 90, "Column 2 of X .*'tall'"),
    "different dates in DataFrame": (
        pd.DataFrame(X[:, :3])
        .assign(when=pd.date_range("2000", periods=90))
        .set_axis(range(4), axis=1),
        "Column 3 of X holds dates or durations, of dtype datetime64",
    ),
    "durations": (
        (1000 * X).astype("timedelta64[s]"),
        r"X holds dates or durations, of dtype timedelta64\[s\]\. Make numbers",
    ),
    "dates": ((1000 * X).astype("datetime64[ns]"), "X holds dates .*datetime64.ns.* numbers"),
    "durations in a list": (
        (1000 * X).astype("timedelta64[s]").tolist(),
        "Column 0 of X does not hold numbers: .*'datetime.timedelta'",
    ),
    "NumPy's dates in a list": (
        [[np.datetime64("2020-01-01", "D")] * 4] * 90,
        r"X holds dates or durations, of dtype datetime64\[D\]\. Make numbers",
    ),
    "one of NumPy's durations in a list": (
        [[1.0, 2.0, np.timedelta64(3, "h"), 3.0]] * 90,
        r"Column 2 of X holds dates or durations, of dtype timedelta64\[h\]",
    ),
    "one of NumPy's dates among objects": (
        changed(X.astype(object), np.datetime64("2020-01-01")),
        "Column 1 of X holds dates or durations, of dtype datetime64",
    ),
    "NumPy's dates among objects of a DataFrame": (
        pd.DataFrame(X)
        .astype({3: object})
        .assign(**{"4": pd.Series([np.datetime64("2020-01-01", "D")] * 90, dtype=object)})
        .set_axis(list("abcde"), axis=1)
        .drop(columns="a"),
        "Column 'e' of X ",
    ),
    "durations in DataFrame": (
        pd.DataFrame((1000 * X).astype("timedelta64[s]")),
        "Column 0 of X holds .* durations, of dtype timedelta64",
    ),
    "dates in DataFrame": (
        pd.DataFrame(X[:, :3]).assign(day=pd.Timestamp("2020-01-01")).set_axis(range(4), axis=1),
        "Column 3 of X holds dates .* of dtype datetime64",
    ),
    "lists in cells": (changed(X.astype(object), {1: 2}), "Column 1 of X .*'dict'"),
    "ragged": ([[1.0, 2.0], [3.0]] * 45, None),
    "nothing": (None, "Expected 2D array"),
}


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("name", BAD_X)
@both
def test_bad_x_is_refused_by_fit(estimator, name, fitted):
    bad, match = BAD_X[name]
    model = clone(estimator).fit(X, y) if fitted else clone(estimator)
    assert_refused(model, "fit", match, bad, y)


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("name", BAD_X)
@both_streams
def test_bad_x_is_refused_by_partial_fit(estimator, name, fitted):
    bad, match = BAD_X[name]
    model = clone(estimator)
    if fitted:
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert_refused(model, "partial_fit", match, bad, y, classes=[0, 1, 2])


COLOURS = pd.Series(["red", "green", "blue"] * 30)


@pytest.mark.parametrize("dtypes", [("category", "string"), ("string", "category")])
def test_the_first_of_several_columns_of_text_is_named(dtypes):
    """Whichever of them pandas stumbled over."""
    frame = pd.DataFrame(
        {name: COLOURS.astype(dtype) for name, dtype in zip("ab", dtypes, strict=True)}
    )
    match = "Column 'a' of X does not hold numbers: .*'red'. .* OneHotEncoder in a Column"
    with pytest.raises(ValueError, match=match):
        SoftmaxRegression().fit(frame, y)


@pytest.mark.parametrize(
    "colours",
    [COLOURS, COLOURS.astype("string"), COLOURS.astype("category"), COLOURS.astype(object)],
    ids=lambda colours: str(colours.dtype),
)
@both
def test_text_in_x_is_answered_with_its_column_and_what_to_do(estimator, colours):
    match = "Column 'colour' of X does not hold numbers: .*'red'. .* OneHotEncoder in a Column"
    numbers = pd.DataFrame(X[:, :3], columns=list("abc"))
    frame = numbers.assign(colour=colours)
    assert_refused(clone(estimator), "fit", match, frame, y)
    model = clone(estimator).fit(numbers.assign(colour=1.0), y)
    assert_refused(model, "predict", match, frame)
    with pytest.raises(ValueError, match=match):
        softmax_path(frame, y)
    with pytest.raises(ValueError, match=match):
        SoftmaxRegressionCV(Cs=2, cv=2).fit(frame, y)


def test_other_faults_of_a_table_with_text_come_first():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = clone(LINEAR).fit(frame, y)
    text = frame.rename(columns={"d": "colour"}).assign(colour="red")
    assert_refused(model, "predict", "feature names should match", text)


class ElsewhereArray:
    """An array of another library, as far as anyone may tell."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape = self.values.shape
        self.dtype = self.values.dtype

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype or self.dtype)

    def __dlpack__(self):
        raise NotImplementedError

    def __len__(self):
        return len(self.values)


@pytest.mark.skipif(
    importlib.util.find_spec("sklearn.externals.array_api_compat") is None,
    reason="scikit-learn before 1.7 does not come with what dispatches arrays",
)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict"])
@both_streams
def test_arrays_of_other_libraries_are_refused_where_they_would_be_handed_on(estimator, method):
    model = clone(estimator).fit(X, y)
    match = r"{} is a .*ElsewhereArray, .* array_api_dispatch=True .* pass numpy.asarray\({}\)"
    elsewhere = {"X": ElsewhereArray(X), "y": ElsewhereArray(y)}
    calls = [{"X": elsewhere["X"]}] if method == "predict" else []
    if method != "predict":
        calls = [{"X": X, "y": y} | {name: value} for name, value in elsewhere.items()]
        calls.append({"X": X, "y": y, "sample_weight": ElsewhereArray(WEIGHT)})
    for given in calls:
        name = next(name for name, value in given.items() if isinstance(value, ElsewhereArray))
        getattr(clone(model).fit(X, y), method)(**given)  # without dispatch it is an array
        with array_api_dispatch():
            assert_refused(model, method, match.format(name, name), **given)


def array_api_dispatch():
    try:
        return config_context(array_api_dispatch=True)
    except ImportError as error:  # with scikit-learn before 1.7 it needs a package of its own
        return pytest.skip(str(error))


PREDICTING = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


@pytest.mark.parametrize("method", PREDICTING)
@pytest.mark.parametrize("name", BAD_X)
@both
def test_bad_x_is_refused_in_predicting(estimator, name, method):
    bad, match = BAD_X[name]
    if name == "no columns":
        match = r"0 feature\(s\)|has 0 features"
    assert_refused(clone(estimator).fit(X, y), method, match, bad)


@pytest.mark.parametrize("method", [*PREDICTING, "score"])
@both
def test_other_features_are_refused_in_predicting(estimator, method):
    model = clone(estimator).fit(X, y)
    labels = [y] if method == "score" else []
    match = f"X has 3 features, but {type(model).__name__} is expecting 4 features"
    assert_refused(model, method, match, X[:, :3], *labels)
    assert_refused(model, method, match, sparse.csr_array(X[:, :3]), *labels)
    frame = pd.DataFrame(X, columns=list("abcd"))
    model.fit(frame, y)
    assert_refused(model, method, "feature names", frame[list("dcba")], *labels)
    assert_refused(model, method, "feature names", frame.rename(columns={"a": "z"}), *labels)


@both_streams
def test_other_features_are_refused_in_a_stream(estimator):
    model = clone(estimator).partial_fit(X, y, classes=[0, 1, 2])
    assert_refused(model, "partial_fit", "X has 3 features", X[:, :3], y)
    model = clone(estimator).partial_fit(
        pd.DataFrame(X, columns=list("abcd")), y, classes=[0, 1, 2]
    )
    assert_refused(model, "partial_fit", "feature names", pd.DataFrame(X, columns=list("abcz")), y)


@pytest.mark.parametrize("method", [*PREDICTING, "score"])
@both
def test_predicting_before_fitting_is_refused(estimator, method):
    labels = [y] if method == "score" else []
    assert_refused(clone(estimator), method, "not fitted", X, *labels, error=NotFittedError)


BAD_WEIGHTS = {
    "negative": (changed(WEIGHT, -0.5, 3), r"Negative values in sample_weight: .* -0\.5"),
    "all zero": (np.zeros(len(y)), r"(?i)sample.weight.*zero"),
    "zero": (0.0, r"(?i)sample.weight.*zero"),
    "too short": (WEIGHT[:-1], r"sample_weight.*\(89,\).*\(90,\)"),
    "too long": (np.ones(91), r"sample_weight.*\(91,\).*\(90,\)"),
    "NaN": (changed(WEIGHT, np.nan, 3), "sample_weight contains NaN"),
    "infinity": (changed(WEIGHT, np.inf, 3), "sample_weight contains infinity"),
    "2-d": (WEIGHT[:, None], "Sample weights must be 1D"),
    "complex": (WEIGHT * 1j, "Complex data not supported"),
    "text": (np.array(["heavy"] * len(y)), "could not convert string to float"),
}


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("name", BAD_WEIGHTS)
@both
def test_bad_weights_are_refused_by_fit(estimator, name, fitted, soft):
    bad, match = BAD_WEIGHTS[name]
    model = clone(estimator).fit(X, y) if fitted else clone(estimator)
    assert_refused(model, "fit", match, X, np.eye(3)[y] if soft else y, sample_weight=bad)


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("name", BAD_WEIGHTS)
@both_streams
def test_bad_weights_are_refused_by_partial_fit(estimator, name, fitted):
    bad, match = BAD_WEIGHTS[name]
    model = clone(estimator)
    if fitted:
        model.partial_fit(X, y, classes=[0, 1, 2])
    classes = [0, 1, 2]
    assert_refused(model, "partial_fit", match, X, y, sample_weight=bad, classes=classes)


@pytest.mark.parametrize("name", ["negative", "all zero", "too short", "NaN", "infinity", "2-d"])
@both
def test_bad_weights_are_refused_by_score_of_soft_labels(estimator, name):
    bad, match = BAD_WEIGHTS[name]
    assert_refused(clone(estimator).fit(X, y), "score", match, X, P, sample_weight=bad)


# -- targets ---------------------------------------------------------------------------------------

NAMES = np.array(["a", "b", "c"])
FRAME = pd.DataFrame(P, columns=NAMES.tolist())

BAD_Y = {
    "nothing": (None, "requires y to be passed, but the target y is None"),
    "continuous": (y + 0.5, "Unknown label type: continuous"),
    "NaN": (changed(y.astype(float), np.nan, 3), "Input y contains NaN: 1 of 90 .* position 3"),
    "infinity": (changed(y.astype(float), np.inf, 3), "Input y contains infinity"),
    "NaN among text": (changed(NAMES[y].astype(object), np.nan, 3), "Input y contains NaN: 1 of"),
    "NaN in a list of text": ([np.nan, *NAMES[y][1:].tolist()], "Input y contains NaN: 1 of"),
    "None among text": (changed(NAMES[y].astype(object), None, 3), "Input y contains NaN: 1 of"),
    "NA among text": (pd.Series(NAMES[y]).astype("string").where(y > 0), "Input y contains NaN"),
    "NaN among str": (pd.Series(NAMES[y]).astype("str").where(y > 0), "Input y contains NaN"),
    "NaN among categories": (pd.Series(NAMES[y]).astype("category").where(y > 0), "Input y .*NaN"),
    "NA among Int64": (pd.Series(y).astype("Int64").where(y > 0), "Input y contains NaN"),
    "NA among boolean": (pd.Series(y > 1).astype("boolean").where(y > 0), "Input y contains NaN"),
    "NaT": (
        np.where(y > 0, np.datetime64("2020-01-01"), np.datetime64("NaT", "D")),
        "Input y contains NaN: 31 of",
    ),
    "NaT among dates": (pd.Series(pd.to_datetime(y)).where(y > 0), "Input y contains NaN"),
    "NaT in Series": (
        pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01", None]))[y].reset_index(drop=True),
        "Input y contains NaN",
    ),
    "numbers among text": (
        changed(NAMES[y].astype(object), 7, 3),
        r"type: int, str .* y must hold labels of one kind.* numpy.asarray\(y, dtype=str\)",
    ),
    "numbers in a list of text": ([7, *NAMES[y][1:].tolist()], "type: int, str .* of one kind"),
    "numbers as objects": (y.astype(object), r"type: int .* numpy.asarray\(y, dtype=int\)"),
    "periods": (pd.Series(pd.to_datetime(y, unit="D").to_period("D")), "type: Period .*dtype=str"),
    "one class": (np.zeros(len(y)), r"at least two classes .* only one class: 0\.0"),
    "one class of text": (np.full(len(y), "a"), "at least two classes .* only one class: 'a'"),
    "too short": (y[:10], "X and y must have the same number of rows, got 90 and 10"),
    "too long": (np.tile(y, 2), "X and y must have the same number of rows, got 90 and 180"),
    "empty": ([], "X and y must have the same number of rows, got 90 and 0"),
    "a number": (1, r"y should be a 1d array"),
    "3-d": (np.zeros((90, 3, 2)), "dim 3"),
    "ragged": ([[0, 1], [1]] * 45, r"\by\b"),
    "complex": (y * 1j, "Complex data not supported"),
    "sparse": (sparse.csr_array(np.eye(3)[y]), "Sparse data was passed for y"),
    "2-d text": (np.column_stack([NAMES[y], NAMES[y]]), r"y of shape \(90, 2\) .*one-dimensional"),
    "2-d text of digits": (np.eye(3)[y].astype(int).astype(str), r"y of shape \(90, 3\)"),
    "several labels a row": (changed(np.eye(3)[y], 1, 3), "sum to 1.*row 3 sums to [23].*Divide"),
    "sums above 1": (changed(P, 0.9, (3, y[3])), r"sum to 1 .*row 3 sums to 1\.1"),
    "sums of 0": (changed(P, 0.0, 3), "row 3 sums to 0"),
    "negative probability": (changed(P, [1.1, -0.2, 0.1], 3), r"must not be negative, got -0\.2"),
    "NaN probability": (changed(P, np.nan, 3), "probabilities in y contain NaN"),
    "NA probability": (
        FRAME.astype("Float64").where(FRAME > 0.5),
        "probabilities in y contain NaN",
    ),
    "None probability": (changed(P.astype(object), None, 3), "probabilities in y contain NaN"),
    "infinite probability": (changed(P, np.inf, 3), "probabilities in y contain infinity"),
    "complex probability": (P + 0j, r"\by\b|[Cc]omplex"),
    "too few probabilities": (P[:10], "X and y must have the same number of rows, got 90 and 10"),
    "one certain class": (
        np.eye(3)[np.zeros(90, int)],
        "at least two classes .* only one class: 0",
    ),
    "duplicate columns": (
        FRAME.set_axis(list("aba"), axis=1),
        r"different names; got \['a', 'b', 'a'",
    ),
    "nested columns": (
        FRAME.set_axis(pd.MultiIndex.from_product([["p"], NAMES]), axis=1),
        "column",
    ),
}


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@pytest.mark.parametrize("name", BAD_Y)
@both
def test_bad_y_is_refused_by_fit(estimator, name, fitted):
    bad, match = BAD_Y[name]
    model = clone(estimator).fit(X, y) if fitted else clone(estimator)
    assert_refused(model, "fit", match, X, bad)


def typed_labels():
    """Labels of other dtypes than NumPy's old ones, with what they mean."""
    text, numbers = NAMES[y].astype(object), y
    kinds = {
        "str": (text, "str"),
        "string[python]": (text, "string[python]"),
        "category": (text, "category"),
        "Int64": (numbers, "Int64"),
        "UInt8": (numbers, "UInt8"),
        "boolean": (numbers > 0, "boolean"),
        "Float64": (numbers.astype(float), "Float64"),
    }
    if importlib.util.find_spec("pyarrow"):
        arrow = {"string": text, "large_string": text, "int64": numbers, "bool": numbers > 0}
        kinds |= {f"{kind}[pyarrow]": (plain, f"{kind}[pyarrow]") for kind, plain in arrow.items()}
    labels = {
        f"{form.__name__} of {name}": (form(plain, dtype=dtype), plain)
        for name, (plain, dtype) in kinds.items()
        for form in (pd.Series, pd.Index, pd.array)
    }
    for dtype, plain in {"string[python]": text, "Int64": numbers}.items():
        categories = pd.Series(pd.Series(plain, dtype=dtype), dtype="category")
        labels[f"categories of {dtype}"] = categories, plain
    if hasattr(np.dtypes, "StringDType"):
        labels["NumPy's StringDType"] = text.astype(np.dtypes.StringDType()), text
    return labels


TYPED = typed_labels()


@pytest.mark.parametrize("name", TYPED)
@both
def test_labels_of_every_dtype_for_text_and_numbers_are_labels(estimator, name):
    labels, plain = TYPED[name]
    model, expected = clone(estimator).fit(X, labels), clone(estimator).fit(X, plain)
    assert model.classes_.tolist() == np.unique(plain).tolist()
    assert [type(label) for label in model.classes_.tolist()] == [
        type(label) for label in np.unique(plain).tolist()
    ]
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.score(X, labels) == expected.score(X, plain)


@pytest.mark.filterwarnings("ignore:unique with argument")  # by pandas before 3, of its own arrays
@pytest.mark.parametrize("name", TYPED)
@both_streams
def test_so_are_those_of_a_stream(estimator, name):
    labels, plain = TYPED[name]
    first = pd.unique(labels)
    model = clone(estimator).partial_fit(X, labels, classes=first).partial_fit(X, labels)
    expected = clone(estimator).partial_fit(X, plain, classes=np.unique(plain))
    np.testing.assert_array_equal(model.classes_, expected.classes_)
    assert expected.partial_fit(X, plain).score(X, plain) == model.score(X, labels)


@both
def test_a_column_of_labels_is_warned_about_as_scikit_learn_does(estimator):
    with pytest.warns(Warning, match="column-vector y"):
        model = clone(estimator).fit(X, y[:, None])
    np.testing.assert_array_equal(model.predict(X), clone(estimator).fit(X, y).predict(X))


@pytest.mark.parametrize(
    ("first", "then", "match"),
    [
        ({}, None, "classes must be passed on the first call"),
        ({"classes": [0, 1]}, None, r"y has classes .* not know: \[2\]\. Known are \[0, 1\]"),
        ({"classes": [0]}, None, r"at least two classes, got \[0\]"),
        ({"classes": [0.5, 1.5]}, None, "Unknown label type"),
        ({"classes": [0, 1, np.nan]}, None, "Input classes contains NaN: 1 of 3 .* position 2"),
        ({"classes": ["a", None]}, None, "Input classes contains NaN"),
        ({"classes": [0, "a"]}, None, "type: int, str .* classes must hold labels of one"),
        ({"classes": list("abc")}, None, r"\[0, 1, 2\]\. Known are \['a', 'b', 'c'\]"),
        ({"classes": [0, 1, 2]}, {"y": y + 1}, r"not know: \[3\]\. Known are \[0, 1, 2\]"),
        ({"classes": [0, 1, 2]}, {"y": NAMES[y]}, r"\['a', 'b', 'c'\]\. Known are \[0, 1, 2\]"),
        ({"classes": [0, 1, 2]}, {"classes": [0, 1]}, r"classes=\[0, 1\] differ .* \[0, 1, 2\]"),
        ({"classes": [0, 1, 2]}, {"y": P[:, :2] + 0.2}, r"\[0, 1\], but .* knows .* \[0, 1, 2\]"),
        ({"classes": [0, 1, 2]}, {"y": None}, "y is None"),
        ({"classes": [0, 1, 2]}, {"y": y + 0.5}, "continuous"),
        ({"classes": [0, 1, 2]}, {"y": y[:10]}, "got 90 and 10"),
        ({"classes": [0, 1, 2]}, {"y": 2 * P}, "sum to 1"),
        ({"y": FRAME, "classes": [0, 1, 2]}, None, r"\['a', 'b', 'c'\], but .* \[0, 1, 2\]"),
        (
            {"y": FRAME},
            {"y": FRAME.set_axis(list("bad"), axis=1)},
            r"\['b', 'a', 'd'\], but .* 'c'",
        ),
    ],
)
@both_streams
def test_classes_are_those_of_the_first_call(estimator, first, then, match):
    model = clone(estimator)
    if then is None:
        assert_refused(model, "partial_fit", match, X, **{"y": y, **first})
    else:
        model.partial_fit(X, **{"y": y, **first})
        assert_refused(model, "partial_fit", match, X, **{"y": y, **then})


@both_streams
def test_probabilities_without_column_names_take_the_names_of_the_stream(estimator):
    model = clone(estimator).partial_fit(X, P, classes=["a", "b", "c"])
    same = clone(estimator).partial_fit(X, pd.DataFrame(P, columns=["a", "b", "c"]))
    assert model.classes_.tolist() == same.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(model.predict_proba(X), same.predict_proba(X))


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (y[:10], "inconsistent numbers of samples"),
        (P[:10], "X and y must have the same number of rows, got 90 and 10"),
        (FRAME, r"\['a', 'b', 'c'\], but .* \[0, 1, 2\]"),
        (P[:, :2], r"classes \[0, 1\], but .* \[0, 1, 2\]"),
        (2 * P, "sum to 1"),
        (None, r"'y_true'|\by\b"),
    ],
)
@both
def test_bad_y_is_refused_by_score(estimator, bad, match):
    assert_refused(clone(estimator).fit(X, y), "score", match, X, bad)


@pytest.mark.parametrize(
    "bad",
    [{0: -1.0}, {0: np.nan}, {1: np.inf}, {7: 2.0}, {"a": 1.0}, {0: "x"}],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@both_streams
def test_bad_class_weights_are_refused(estimator, method, bad):
    classes = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    for model in (clone(estimator), clone(estimator).fit(X, y)):
        model.set_params(class_weight=bad)
        assert_refused(model, method, "class_weight", X, y, **classes)


@both
def test_a_class_weight_of_an_unknown_class_names_that_class(estimator):
    model = clone(estimator).set_params(class_weight={7: 2.0})
    assert_refused(model, "fit", "class_weight.*7", X, y)


@both
def test_class_weights_may_name_classes_that_these_rows_lack(estimator):
    weights = {0: 1.0, 1: 2.0, 2: 3.0}
    model = clone(estimator).set_params(class_weight={**weights, 7: 2.0}).fit(X, y)
    same = clone(estimator).set_params(class_weight=weights).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), same.predict_proba(X))


@both
def test_class_weights_that_leave_no_row_are_refused(estimator):
    model = clone(estimator).set_params(class_weight={0: 0, 1: 0, 2: 0})
    assert_refused(model, "fit", r"class_weight=\{.* no row with a positive weight", X, y)


NOT_IN_A_STREAM = [
    (SoftmaxRegression(l1_ratio=0.5), "makes no exact zeros, as l1_ratio=0.5 asks for"),
    (SoftmaxRegression(bounds=(0, None)), "does not keep coefficients within bounds"),
    (SoftmaxRegression(C=np.inf, bias_reduction="firth"), "does not reduce bias"),
    (SoftmaxRegression(standardize=True), "standardize=True needs the deviations of all rows"),
    (SoftmaxRegression(solver="newton-cg"), "needs solver='auto', .* got 'newton-cg'"),
    (SoftmaxRegression(class_weight="balanced"), "class_weight='balanced' .* pass a dict"),
    (SoftmaxRegression(learning_rate="cosine"), "learning_rate='cosine'.* 'constant' or"),
    (SmallMLP(solver="lbfgs"), "needs solver='adam' or 'sgd', got 'lbfgs'"),
    (SmallMLP(early_stopping=True), "early_stopping=True.*'auto' or False"),
    (SmallMLP(class_weight="balanced"), "class_weight='balanced' .* pass a dict"),
    (SmallMLP(learning_rate="one-cycle"), "learning_rate='one-cycle'.* 'constant' or"),
]


@pytest.mark.parametrize(("estimator", "reason"), NOT_IN_A_STREAM, ids=str)
def test_partial_fit_is_unavailable_where_a_parameter_rules_it_out(estimator, reason):
    assert not hasattr(estimator, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit") as error:
        estimator.partial_fit(X, y, classes=[0, 1, 2])
    assert re.search(reason, str(error.value.__cause__))
    assert hasattr(type(estimator)(), "partial_fit")


# -- parameters ------------------------------------------------------------------------------------

SHARED_PARAMETERS = {
    "solver": ["newton", None, 1],
    "max_iter": [0, -1, 2.5, "many", None],
    "tol": [-1e-9, np.nan, "small", None],
    "batch_size": [0, -5, 1.5, "all", None],
    "learning_rate": ["fast", None, 0.1],
    "learning_rate_init": [0, -0.1, np.nan, "quick", None],
    "power_t": [-0.5, np.nan, "half"],
    "momentum": [-0.1, 1.1, np.nan, "some"],
    "nesterovs_momentum": ["yes", 2, None],
    "beta_1": [-0.1, 1.0, np.nan],
    "beta_2": [-0.1, 1.0, "b"],
    "epsilon": [0, -1e-8, np.nan],
    "n_iter_no_change": [0, -1, 2.5, np.nan, "ten"],
    "shuffle": ["yes", 2, None],
    "warm_start": ["yes", 2, None],
    "verbose": [-1, "loud", 1.5],
    "random_state": ["seed", -1, 1.5],
    "class_weight": ["equal", 2.0, [1, 2, 3]],
}
BAD_PARAMETERS = {
    "SoftmaxRegression": SHARED_PARAMETERS
    | {
        "C": [0, -1.0, np.nan, -np.inf, "strong", None],
        "fit_intercept": ["yes", 2, None],
        "l1_ratio": [-0.1, 1.1, np.nan, "lasso", None],
        "max_time": [0, -1.0, np.nan, "long"],
        "penalty_grouping": ["classes", None, 1],
        "penalty_weights": ["equal", 2.0],  # and more in test_penalty_weights.py
        "standardize": ["yes", 2, None],
        "prior_mean": ["old", 2.0],  # and more in test_prior_mean.py
        "bounds": [],  # see test_bounds.py: with any, there is no partial_fit
        "bias_reduction": ["jeffreys", 1, True],
    },
    "SmallMLP": SHARED_PARAMETERS
    | {
        "hidden_layer_sizes": [
            0,
            -3,
            2.5,
            None,
            "ten",
            np.nan,
            (0,),
            (4, -1),
            (2.5,),
            (3, np.inf),
            (True,),
            [[3]],
            [[1], [2, 3]],
            ["a"],
        ],
        "activation": ["step", None, np.tanh],
        "alpha": [-1e-4, np.nan, "weak", None],
        "early_stopping": ["yes", 2, None],
        "validation_fraction": [0.0, 1.0, -0.1, 1.5, np.nan, None],
        "max_fun": [0, -1, 2.5, None],
        "weight_decay": [-0.1, np.nan, "some", None],
        "scoring": ["speed", 3, ["loss"]],
        "max_time": [0, -1.0, np.nan, "long"],
        "max_grad_norm": [0, -1.0, np.nan, "short"],
        "dropout": [-0.1, 1.0, np.nan, "half", None, [0.1, 0.2, 0.3], [0.1, 1.0]],
        "label_smoothing": [-0.1, 1.1, np.nan, None],
        "standardize": ["yes", 2, None],
        "average": [-1.0, np.nan, "all", None],
        "dtype": ["float16", np.int64, None, 32],
        "numeric_encoding": ["fine", 1, 2.5, None],
        "n_members": [0, -1, 1.5, None],
        "categorical_features": ["by_dtype", 3, [7], [0.5], ["colour"]],
    },
}


@pytest.fixture(scope="module")
def pickled():
    """Fitted streams: to unpickle one is quicker than to fit it again."""
    return {name: pickle.dumps(clone(model).fit(X, y)) for name, model in STREAMS.items()}


@pytest.mark.parametrize(
    ("estimator", "name", "value"),
    [
        pytest.param(STREAMS[kind], name, value, id=f"{kind}-{name}={value!r}")
        for kind, parameters in BAD_PARAMETERS.items()
        for name, values in parameters.items()
        for value in values
    ],
)
def test_a_parameter_out_of_range_is_named_with_its_value(estimator, name, value, pickled):
    for model in (clone(estimator), pickle.loads(pickled[type(estimator).__name__])):
        model.set_params(**{name: value})
        before = snapshot(model)
        with pytest.raises((ValueError, TypeError), match=name) as error:
            model.fit(X, y)
        assert repr(value) in str(error.value)
        assert snapshot(model) == before
    new = clone(estimator).set_params(**{name: value})
    assert_refused(new, "partial_fit", name, X, y, classes=[0, 1, 2])


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_every_parameter_is_in_the_table(name):
    assert BAD_PARAMETERS[name].keys() == ESTIMATORS[name].get_params().keys()


@both
def test_an_unknown_solver_is_answered_with_the_known(estimator):
    with pytest.raises(ValueError, match="solver") as error:
        clone(estimator).set_params(solver="saga").fit(X, y)
    for known in ("lbfgs", "sgd", "adam"):
        assert repr(known) in str(error.value)


PEERS = [
    (SoftmaxRegression, LogisticRegression),
    (SoftmaxRegressionCV, LogisticRegressionCV),
    (SmallMLP, MLPClassifier),
]
LIKE_NO_OTHER = [
    (ours, name)
    for ours, theirs in PEERS
    for name in theirs().get_params().keys() - ours().get_params()
]


def test_parameters_of_scikit_learn_that_are_missing_are_few():
    assert not [name for ours, name in LIKE_NO_OTHER if ours is SmallMLP]
    assert {"penalty", "dual", "intercept_scaling", "n_jobs"} <= {name for _, name in LIKE_NO_OTHER}


@pytest.mark.parametrize(("ours", "name"), sorted(LIKE_NO_OTHER, key=str))
def test_a_parameter_of_scikit_learns_peer_is_answered_with_what_takes_its_place(ours, name):
    match = f"{ours.__name__} has no parameter '{name}': "
    with pytest.raises(TypeError, match=match):
        ours(**{name: 1})
    with pytest.raises(ValueError, match=match):
        ours().set_params(**{name: 1})
    with pytest.raises(ValueError, match=match):
        GridSearchCV(ours(), {name: [1, 2]}, error_score="raise").fit(X, y)


def test_what_takes_the_place_of_a_penalty():
    with pytest.raises(TypeError, match=r"l1_ratio is 0 for 'l2', 1 for 'l1'.* None is C=inf"):
        SoftmaxRegression(penalty="l1")
    with pytest.raises(TypeError, match=r"cv=StratifiedKFold\(5, shuffle=True, random_state=0\)"):
        SoftmaxRegressionCV(random_state=0)
    with pytest.raises(TypeError, match="Cs holds the values to choose from"):
        SoftmaxRegressionCV(C=1.0)


def test_other_unknown_parameters_are_pythons_and_scikit_learns_to_refuse():
    with pytest.raises(TypeError, match="unexpected keyword argument 'depth'"):
        SoftmaxRegression(depth=3)
    with pytest.raises(ValueError, match="Invalid parameter 'depth' for estimator"):
        SmallMLP().set_params(depth=3)


def test_a_subclass_may_have_a_parameter_that_its_base_has_not():
    class OneMore(SoftmaxRegression):
        def __init__(self, *, n_jobs=1, C=1.0):
            super().__init__(C=C)
            self.n_jobs = n_jobs

    model = clone(OneMore(n_jobs=2, C=2.0).set_params(n_jobs=3))
    assert model.get_params() == {"C": 2.0, "n_jobs": 3}


@pytest.mark.parametrize("estimator", [SoftmaxRegression, SmallMLP, SoftmaxRegressionCV])
def test_the_signature_is_that_of_the_parameters(estimator):
    parameters = inspect.signature(estimator).parameters
    assert list(parameters) == list(inspect.signature(estimator.__init__).parameters)[1:]
    assert parameters.keys() == estimator().get_params().keys()


@pytest.mark.parametrize("solver", ["saga", "sag", "liblinear"])
def test_solvers_that_scikit_learn_alone_has_are_answered_with_auto(solver):
    match = f"'auto' takes the place of 'liblinear', 'sag' and 'saga', .*Got '{solver}'"
    for model in (SoftmaxRegression(solver=solver), SoftmaxRegressionCV(solver=solver)):
        assert_refused(model, "fit", match, X, y)
    with pytest.raises(ValueError, match=match):
        softmax_path(X, y, solver=solver)


def strings_of(hint):
    """The strings that a type allows by name."""
    if get_origin(hint) is Literal:
        return {value for value in get_args(hint) if isinstance(value, str)}
    return set().union(*map(strings_of, get_args(hint)))


@pytest.mark.parametrize(
    ("call", "constraints"),
    [
        (SoftmaxRegression.__init__, SoftmaxRegression._parameter_constraints),
        (SoftmaxRegressionCV.__init__, SoftmaxRegressionCV._parameter_constraints),
        (SmallMLP.__init__, SmallMLP._parameter_constraints),
        (softmax_path, softmax_path._skl_parameter_constraints),
    ],
    ids=["SoftmaxRegression", "SoftmaxRegressionCV", "SmallMLP", "softmax_path"],
)
def test_types_name_the_options_that_validation_knows(call, constraints):
    hints = get_type_hints(call)
    for name in constraints.keys() - {"cv", "scoring"}:  # of which there are too many
        known = [set(c.options) for c in constraints[name] if isinstance(c, StrOptions)]
        assert strings_of(hints[name]) == set().union(*known), name


def test_an_unknown_activation_is_answered_with_the_known():
    with pytest.raises(ValueError, match="activation") as error:
        SmallMLP(activation="swish").fit(X, y)
    for known in ACTIVATIONS:
        assert repr(known) in str(error.value)


@pytest.mark.parametrize(
    "estimator",
    [
        SoftmaxRegression(solver="sgd", learning_rate_init=1e300),
        SoftmaxRegression(solver="sgd", learning_rate_init=1e10),
        SoftmaxRegression(solver="adam", learning_rate_init=1e300),
        SmallMLP((4,), solver="adam", learning_rate_init=1e300),
        SmallMLP((4,), solver="adam", learning_rate_init=1e300, early_stopping=True),
        SmallMLP((4,), "identity", solver="sgd", learning_rate_init=1e200, batch_size=10),
    ],
    ids=str,
)
def test_a_learning_rate_that_overflows_is_refused(estimator, pickled):
    estimator = clone(estimator).set_params(random_state=0)
    match = f"{type(estimator).__name__} .*diverged.* lower learning_rate_init"
    assert_refused(estimator, "fit", match, X, y)
    fitted = pickle.loads(pickled[type(estimator).__name__])
    fitted.set_params(**estimator.get_params())
    p = fitted.predict_proba(X)
    assert_refused(fitted, "fit", match, X, y)
    np.testing.assert_array_equal(fitted.predict_proba(X), p)


@pytest.mark.parametrize(
    "estimator",
    [
        SoftmaxRegression(solver="sgd", learning_rate_init=1e3, batch_size=10),
        SoftmaxRegression(solver="adam", learning_rate_init=1e10),
        SmallMLP((4,), solver="sgd", learning_rate_init=1e10),
        SmallMLP((4,), solver="sgd", learning_rate_init=100.0, max_iter=5),
        SmallMLP((4,), solver="adam", learning_rate_init=1e10),
    ],
    ids=str,
)
def test_training_that_ends_far_above_its_start_is_not_silent(estimator):
    with pytest.raises((ValueError, ConvergenceWarning), match="learning_rate_init"):
        clone(estimator).set_params(random_state=0).fit(X, y)


@both_streams
def test_a_stream_that_diverges_keeps_the_last_finite_model(estimator):
    model = clone(estimator).set_params(solver="sgd", learning_rate_init=1e200, batch_size=10)
    state = None
    with pytest.raises(ValueError, match="diverged"):  # noqa: PT012
        for _ in range(20):
            state = snapshot(model)
            model.partial_fit(X, y, classes=[0, 1, 2])
    assert snapshot(model) == state


# -- what scikit-learn takes, though it seems odd --------------------------------------------------

DATES = np.array(["2021-01-01", "2020-01-01", "2022-01-01"], dtype="datetime64[ns]")


@pytest.mark.parametrize("kind", ["dates", "durations", "Series", "category"])
@both_streams
def test_dates_are_labels(estimator, kind):
    labels = DATES[y] - DATES[0] if kind == "durations" else DATES[y]
    if kind in ("Series", "category"):
        labels = pd.Series(labels, dtype="category" if kind == "category" else None)
    peer = LogisticRegression().fit(X, labels)
    model = clone(estimator).fit(X, labels)
    np.testing.assert_array_equal(model.classes_, peer.classes_)
    assert model.predict(X).dtype == peer.predict(X).dtype
    assert model.score(X, labels) == np.mean(model.predict(X) == np.asarray(labels))
    stream = clone(estimator).partial_fit(X, labels, classes=peer.classes_)
    np.testing.assert_array_equal(stream.partial_fit(X, labels).classes_, peer.classes_)


@pytest.mark.parametrize("what", ["X", "y", "sample_weight"])
@both
def test_masks_are_passed_over_as_scikit_learn_does(estimator, what):
    data = {"X": X, "y": y, "sample_weight": WEIGHT}
    masked = data | {what: np.ma.masked_array(data[what], mask=data[what] > np.mean(data[what]))}
    p = clone(estimator).fit(**masked).predict_proba(X)
    np.testing.assert_array_equal(p, clone(estimator).fit(**data).predict_proba(X))
    peers = [LogisticRegression().fit(**kwargs).predict_proba(X) for kwargs in (masked, data)]
    np.testing.assert_array_equal(*peers)
    np.testing.assert_array_equal(
        clone(estimator).fit(X, y).predict_proba(masked["X"]).shape, p.shape
    )


@pytest.mark.parametrize("dtype", [int, float, str, object])
@both
def test_score_passes_over_masks_as_fit_does(estimator, dtype):
    labels = np.array(["a", "b", "c"])[y].astype(dtype) if dtype in (str, object) else dtype(1) * y
    model = clone(estimator).fit(X, labels)
    for mask in (y == 1, True):
        masked = np.ma.masked_array(labels, mask=mask)
        assert model.score(X, masked, WEIGHT) == model.score(X, labels, WEIGHT)
    weight = np.ma.masked_array(WEIGHT, mask=y == 1)
    assert model.score(X, labels, weight) == model.score(X, labels, WEIGHT)
    p = np.eye(3)[y]
    model = clone(estimator).fit(X, p)
    assert model.score(X, np.ma.masked_array(p, mask=p > 0)) == model.score(X, p)


@both
def test_score_takes_negative_weights_and_labels_never_seen_as_scikit_learn_does(estimator):
    model = clone(estimator).fit(X, y)
    weight = WEIGHT - 0.2
    right = model.predict(X) == y
    assert model.score(X, y, sample_weight=weight) == pytest.approx(weight @ right / weight.sum())
    right = model.predict(X) == y + 1  # 3 was never seen
    assert model.score(X, y + 1) == right.mean()
    peer = LogisticRegression().fit(X, y)
    assert peer.score(X, y + 1) == np.mean(peer.predict(X) == y + 1)
    assert peer.score(X, y, weight) == pytest.approx(weight @ (peer.predict(X) == y) / weight.sum())


# -- inside scikit-learn's tools -------------------------------------------------------------------


def table(n_rows=120):
    """Texts as categories, and numbers some of which are missing."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "colour": rng.choice(["red", "green", "blue"], n_rows),
            "shape": rng.choice(["round", "square"], n_rows),
            "length": 1000 + 200 * rng.normal(size=n_rows),
            "weight": rng.normal(size=n_rows),
        }
    )
    scores = frame["length"] / 100 - 10 + 2 * (frame["colour"] == "red") + frame["weight"]
    labels = np.array(["low", "middle", "high"])[
        (scores > 0).astype(int) + (scores + rng.logistic(size=n_rows) > 2)
    ]
    frame.loc[rng.random(n_rows) < 0.1, "length"] = np.nan
    return frame, pd.Series(labels, index=frame.index)


def preprocessing(**encoder):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer(
        [
            ("numbers", numbers, ["length", "weight"]),
            ("texts", OneHotEncoder(handle_unknown="ignore", **encoder), ["colour", "shape"]),
        ]
    )


GRIDS = {
    "SoftmaxRegression": {"softmaxregression__C": [0.01, 1.0, 100.0]},
    "SmallMLP": {"smallmlp__hidden_layer_sizes": [(), (3,), (4, 4)]},
}


@both
def test_grid_search_over_a_pipeline_in_two_processes(estimator):
    frame, labels = table()
    search = GridSearchCV(
        make_pipeline(preprocessing(), clone(estimator)),
        GRIDS[type(estimator).__name__],
        cv=3,
        n_jobs=2,
        scoring=["accuracy", "neg_log_loss"],
        refit="neg_log_loss",
        error_score="raise",
    ).fit(frame, labels)
    assert np.isfinite(search.cv_results_["mean_test_neg_log_loss"]).all()
    assert search.score(frame, labels) > -0.7
    assert set(search.predict(frame)) <= set(search.classes_) == {"low", "middle", "high"}


@both
def test_pipeline_with_pandas_output(estimator):
    frame, labels = table()
    pipeline = make_pipeline(preprocessing(sparse_output=False), clone(estimator))
    pipeline.set_output(transform="pandas").fit(frame, labels)
    names = pipeline[-1].feature_names_in_
    assert list(names[:2]) == ["numbers__length", "numbers__weight"]
    assert "texts__colour_red" in names
    plain = make_pipeline(preprocessing(sparse_output=False), clone(estimator)).fit(frame, labels)
    np.testing.assert_allclose(pipeline.predict_proba(frame), plain.predict_proba(frame))


@both
def test_sample_weight_is_routed_through_search_and_pipeline(estimator):
    weight = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    name = type(estimator).__name__.lower()
    with config_context(enable_metadata_routing=True):
        model = clone(estimator).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model)
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        search = GridSearchCV(pipeline, {f"{name}__tol": [1e-5, 1e-6]}, scoring=scorer, cv=3)
        search.fit(X, y, sample_weight=weight)
        scaled = StandardScaler().fit_transform(X)
        direct = clone(estimator).set_params(tol=search.best_params_[f"{name}__tol"])
        direct.fit(scaled, y, sample_weight=weight)
        p = search.predict_proba(X)
        np.testing.assert_allclose(p, direct.predict_proba(scaled))
        unweighted = clone(direct).fit(scaled, y).predict_proba(scaled)
        assert np.abs(p - unweighted).max() > 1e-3
        score = search.score(X, y, sample_weight=weight)
        np.testing.assert_allclose(score, direct.score(scaled, y, sample_weight=weight))
        best = search.best_estimator_
        np.testing.assert_allclose(best.score(X, y, sample_weight=weight), score)
        assert best.score(X, y) != score


@both_streams
def test_partial_fit_metadata_can_be_requested(estimator):
    with config_context(enable_metadata_routing=True):
        model = clone(estimator).set_partial_fit_request(sample_weight=True, classes=True)
        requests = model.get_metadata_routing().partial_fit.requests
    asked = {name: wanted for name, wanted in requests.items() if wanted is not None}
    assert asked == {"sample_weight": True, "classes": True}


@both
def test_unrequested_weights_are_refused_by_routing(estimator):
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), clone(estimator))
        with pytest.raises((ValueError, TypeError), match="sample_weight"):
            pipeline.fit(X, y, sample_weight=WEIGHT)


@both
def test_parameters_survive_clone_and_set_params(estimator):
    values = {"tol": 0.125, "max_iter": 7, "class_weight": {0: 2.0}, "random_state": 5}
    model = clone(estimator).set_params(**values)
    assert model.get_params() == {**estimator.get_params(), **values}
    assert clone(model).get_params() == model.get_params()
    assert type(model)(**model.get_params()).get_params() == model.get_params()
    assert not hasattr(clone(clone(estimator).fit(X, y)), "classes_")
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        model.set_params(depth=3)


@pytest.mark.parametrize("mmap_mode", [None, "r"])
@both_streams
def test_pickled_and_dumped_models_predict_and_learn_on(estimator, mmap_mode, tmp_path):
    model = clone(estimator).partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model", mmap_mode=mmap_mode)
    copies = [loaded, pickle.loads(pickle.dumps(model))]
    for copy in copies:
        np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
        assert copy.get_params() == model.get_params()
    p = model.partial_fit(X, y).predict_proba(X)
    for copy in copies:
        np.testing.assert_array_equal(copy.partial_fit(X, y).predict_proba(X), p)


@both
def test_models_mapped_read_only_start_warm(estimator, tmp_path):
    model = clone(estimator).set_params(warm_start=True).fit(X, y)
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model", mmap_mode="r")
    np.testing.assert_allclose(loaded.fit(X, y).predict_proba(X), model.fit(X, y).predict_proba(X))


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "fitted"])
@both
def test_html_and_text_representations(estimator, fitted):
    model = clone(estimator).fit(X, y) if fitted else clone(estimator)
    assert type(model).__name__ in model._repr_html_()
    assert repr(model).startswith(type(model).__name__ + "(")
    assert type(model).__name__ in make_pipeline(StandardScaler(), model)._repr_html_()


@both
def test_cross_validation(estimator):
    p = cross_val_predict(clone(estimator), X, y, cv=3, method="predict_proba")
    assert p.shape == (90, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p.argmax(axis=1) == y).mean() > 0.55
    scores = cross_val_score(clone(estimator), X, y, cv=3, scoring="roc_auc_ovr")
    assert (scores > 0.7).all()


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@both
def test_calibration(estimator, method):
    model = CalibratedClassifierCV(clone(estimator), method=method, cv=3)
    model.fit(X, y, sample_weight=WEIGHT)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.score(X, y) > 0.55


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_voting(voting):
    members = [("linear", clone(LINEAR)), ("network", clone(NETWORK))]
    model = VotingClassifier(members, voting=voting).fit(X, NAMES[y], sample_weight=WEIGHT)
    assert model.score(X, NAMES[y]) > 0.6
    if voting == "soft":
        both_p = [member.predict_proba(X) for member in model.estimators_]
        np.testing.assert_allclose(model.predict_proba(X), np.mean(both_p, axis=0))


@both
def test_one_versus_rest(estimator):
    model = OneVsRestClassifier(clone(estimator)).fit(X, y)
    assert model.decision_function(X).shape == (90, 3)
    for k, member in enumerate(model.estimators_):
        alone = clone(estimator).fit(X, (y == k).astype(int))
        np.testing.assert_allclose(member.predict_proba(X), alone.predict_proba(X))


ONE_CLASS_WEIGHTED = {
    "SoftmaxRegression": LINEAR,
    "SmallMLP": NETWORK,
    "SmallMLP, lbfgs": SmallMLP((4,), solver="lbfgs", random_state=0),
    "SoftmaxRegressionCV": SoftmaxRegressionCV(Cs=[0.1, 1.0]),
}


@pytest.mark.parametrize("how", ["sample_weight", "class_weight", "both", "soft"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ONE_CLASS_WEIGHTED)
def test_a_single_class_with_weight_is_predicted_as_scikit_learn_does(name, n_classes, how):
    labels = np.minimum(y, n_classes - 1)
    weight = np.where(labels == 1, 2.0, 0.0)
    by_class = {k: float(k == 1) for k in range(n_classes)}
    model = clone(ONE_CLASS_WEIGHTED[name])
    if how == "sample_weight":
        model.fit(X, labels, sample_weight=weight)
    elif how == "class_weight":
        model.set_params(class_weight=by_class).fit(X, labels)
    elif how == "both":
        model.set_params(class_weight={1: 0.5}).fit(X, labels, sample_weight=weight)
    else:
        model.fit(X, np.eye(n_classes)[labels], sample_weight=weight)
    peer = LogisticRegression().fit(X, labels, sample_weight=weight)
    np.testing.assert_array_equal(model.classes_, peer.classes_)
    np.testing.assert_array_equal(model.predict(X), peer.predict(X))
    sure = 0.9 if "MLP" in name else 1 - 1e-12
    assert model.predict_proba(X)[:, 1].min() > sure
    for array in getattr(model, "coefs_", [getattr(model, "coef_", 0.0)]):
        assert np.isfinite(array).all()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_single_class_with_weight_without_an_intercept_is_a_minimum(n_classes):
    labels = np.minimum(y, n_classes - 1)
    weight = np.where(labels == 1, WEIGHT, 0.0)
    options = {"fit_intercept": False, "tol": 1e-10}
    model = SoftmaxRegression(**options).fit(X, labels, weight)
    peer = LogisticRegression(**options).fit(X, labels, weight)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-5)


def rare_class():
    """Rows of which three in sixty are of the second class."""
    rows = np.random.default_rng(0).normal(size=(60, 4))
    return rows, np.repeat([1, 0], [3, 57])


def test_bagging_with_bootstraps_in_which_one_class_alone_has_weight():
    rows, labels = rare_class()
    bags = [
        BaggingClassifier(member, 20, max_samples=10, random_state=0).fit(rows, labels)
        for member in (SoftmaxRegression(tol=1e-8), LogisticRegression(tol=1e-8))
    ]
    assert any(len(set(labels[drawn])) == 1 for drawn in bags[0].estimators_samples_)
    np.testing.assert_allclose(*(bag.predict_proba(rows) for bag in bags), atol=1e-4)
    network = SmallMLP((4,), solver="lbfgs", random_state=0)
    bag = BaggingClassifier(network, 20, max_samples=10, random_state=0).fit(rows, labels)
    assert np.isfinite(bag.predict_proba(rows)).all()


def test_calibration_with_a_fold_in_which_a_class_has_no_weight():
    rows, labels = rare_class()
    weight = np.where(np.arange(60) < 2, 0.0, 1.0)  # a fold is left without the rare class
    for member in (clone(LINEAR), SmallMLP((4,), solver="lbfgs", random_state=0)):
        model = CalibratedClassifierCV(member, cv=3).fit(rows, labels, sample_weight=weight)
        assert np.isfinite(model.predict_proba(rows)).all()


@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, 1, 1, 7]),
        np.array([-128, 127, -128], dtype=np.int8),  # further apart than their dtype can say
        np.array([250, 255, 0], dtype=np.uint8),
        np.array([2**63, 2**63 + 1, 2**63], dtype=np.uint64),
        np.array([-(2**63), -(2**63) + 1]),
        np.array([-1.0, 1.0, -1.0]),
        np.array([1e300, -1e300]),
        np.array([2.0**53, 2.0**53 + 2]),
        np.array([1, 3, 2], dtype=">i4"),
        np.array([1, 3, 1], dtype=">f4"),
        np.arange(0, 10**7, 10**6),
        np.array([True, False, True]),
    ],
    ids=str,
)
def test_labels_are_encoded_as_numpy_does(labels):
    labels = np.concatenate([labels, labels])  # so that they are not as many as there are rows
    targets = encode_targets(
        labels,
        len(labels),
        classes=None,
        sample_weight=None,
        class_weight=None,
        estimator="SoftmaxRegression",
    )
    found, positions = np.unique(labels, return_inverse=True)
    np.testing.assert_array_equal(targets.classes, found)
    assert targets.classes.dtype == labels.dtype.newbyteorder("=")
    np.testing.assert_array_equal(targets.encoded, positions)
    assert targets.encoded.dtype == np.intp


@pytest.mark.parametrize("classes", [[0, 1, 2, 3], [3, 1, 0, 2], ["a", "b", "c", "d"]])
def test_known_classes_keep_their_positions_where_y_lacks_some(classes):
    classes = np.array(classes)
    labels = np.sort(classes)[[2, 0, 2, 2, 0]]
    targets = encode_targets(
        labels,
        len(labels),
        classes=classes,
        sample_weight=None,
        class_weight=None,
        estimator="SoftmaxRegression",
    )
    np.testing.assert_array_equal(targets.classes, np.sort(classes))
    np.testing.assert_array_equal(targets.encoded, [2, 0, 2, 2, 0])
