"""Tables as people have them, with categories, text and holes, and how numbers are encoded."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import log_loss

from softmax_regression import SmallMLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

COLOURS = np.array(["red", "green", "blue", "grey"], dtype=object)


def table(n_rows=400, seed=0):
    """A table of all kinds of columns, and classes that depend on each of them."""
    rng = np.random.default_rng(seed)
    size, kind = rng.standard_normal(n_rows), rng.integers(4, size=n_rows)
    age = rng.integers(18, 90, size=n_rows).astype(float)
    member = rng.random(n_rows) < 0.5
    score = 2 * size + 2 * (kind == 1) - 2 * (kind == 3) + member
    y = np.digitize(score + 0.3 * rng.standard_normal(n_rows), [-1, 1])
    age[rng.random(n_rows) < 0.1] = np.nan
    colour = np.where(rng.random(n_rows) < 0.05, None, COLOURS[kind])
    frame = pd.DataFrame(
        {
            "size": size,
            "colour": pd.Series(colour, dtype=object),
            "kind": pd.Categorical(COLOURS[kind]),
            "age": pd.array(age, dtype="Float64"),
            "member": member,
            "old": pd.Series(age > 50).astype("boolean").where(~np.isnan(age), pd.NA),
        }
    )
    return frame, y


def small(**params):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 15, "random_state": 0, "solver": "adam"}
    return SmallMLP(**(defaults | params))


X, y = table()


def test_a_table_of_all_kinds_of_columns_is_learned_from():
    model = SmallMLP(random_state=0).fit(X, y)
    prior = np.bincount(y) / len(y)
    assert model.score(X, y) > 0.8
    assert log_loss(y, model.predict_proba(X)) < 0.5 * log_loss(y, np.tile(prior, (len(y), 1)))
    assert model.n_features_in_ == X.shape[1]
    np.testing.assert_array_equal(model.feature_names_in_, X.columns)


@pytest.mark.parametrize("encoding", ["linear", "piecewise", 5])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_every_solver_and_encoding_takes_it(solver, encoding):
    model = small(solver=solver, numeric_encoding=encoding, max_iter=60).fit(X, y)
    assert model.score(X, y) > 0.55


@pytest.mark.parametrize("column", ["colour", "kind"])
def test_the_names_of_levels_do_not_matter(column):
    """They are in the order of the alphabet, which these names keep."""
    renamed = X.assign(**{column: X[column].astype(object).map(lambda v: v and f"the {v}")})
    expected = small().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(small().fit(renamed, y).predict_proba(renamed), expected)


@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_the_dtype_of_text_does_not_matter(dtype):
    text = X.assign(colour=X["colour"].astype("str").where(X["colour"].notna()))
    expected = small().fit(X, y).predict_proba(X)
    other = text.assign(colour=text["colour"].astype(dtype))
    np.testing.assert_allclose(small().fit(other, y).predict_proba(other), expected)
    np.testing.assert_allclose(small().fit(X, y).predict_proba(other), expected)


def test_levels_that_were_not_seen_are_missing():
    model = small().fit(X, y)
    unknown, missing = X.copy(), X.copy()
    unknown["colour"] = "mauve"
    unknown["kind"] = pd.Categorical(["huge"] * len(X))
    missing["colour"] = missing["kind"] = None
    np.testing.assert_array_equal(model.predict_proba(unknown), model.predict_proba(missing))


def test_what_is_never_missing_in_training_counts_as_the_mean_when_it_is():
    """The first layer then gets of the feature what it gets of all rows on the mean."""
    rng = np.random.default_rng(0)
    plain = rng.standard_normal((300, 3))
    labels = (plain[:, 0] + plain[:, 1] ** 2 > 1).astype(int)
    for encoding in ("linear", "piecewise"):
        model = small(hidden_layer_sizes=(), numeric_encoding=encoding).fit(plain, labels)
        holes = plain.copy()
        holes[:, 1] = np.nan
        scores = model.decision_function(holes)
        instead = []
        for value in plain[:, 1]:
            holes[:, 1] = value
            instead.append(model.decision_function(holes))
        np.testing.assert_allclose(scores, np.mean(instead, axis=0), atol=2e-4)


def test_missing_numbers_have_an_effect_of_their_own():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 2))
    labels = rng.integers(2, size=400)
    x[labels == 1, 0] = np.where(rng.random((labels == 1).sum()) < 0.8, np.nan, 0)
    for encoding in ("linear", "piecewise"):
        assert small(numeric_encoding=encoding, max_iter=40).fit(x, labels).score(x, labels) > 0.85


def test_none_refuses_what_is_missing_and_text():
    with pytest.raises(ValueError, match="NaN"):
        small(categorical_features=None).fit(X[["size", "age"]], y)
    with pytest.raises(ValueError, match="'colour' of X does not hold numbers"):
        small(categorical_features=None).fit(X, y)
    numbers = X[["size"]].assign(other=X["size"] ** 2)
    expected = small().fit(numbers, y).predict_proba(numbers)
    other = small(categorical_features=None).fit(numbers, y).predict_proba(numbers)
    np.testing.assert_array_equal(other, expected)


@pytest.mark.parametrize(
    "features", [[1, 2], ["colour", "kind"], [False, True, True, False, False, False], [-5, -4]]
)
def test_categories_may_be_named_numbered_or_masked(features):
    model = small(categorical_features=features).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), small().fit(X, y).predict_proba(X))


def test_numbers_may_be_categories():
    frame = pd.DataFrame({"x": np.arange(300) % 7})
    labels = np.array([0, 1, 0, 1, 1, 0, 1])[frame["x"]]
    for values in (frame, frame.to_numpy(), frame.to_numpy().tolist()):
        model = small(hidden_layer_sizes=(), categorical_features=[0], max_iter=100)
        assert model.fit(values, labels).score(values, labels) == 1


def test_an_array_of_objects_may_hold_categories():
    values = X.to_numpy(dtype=object)
    model = small(categorical_features=[1, 2]).fit(values, y)
    np.testing.assert_allclose(
        model.predict_proba(values), small().fit(X, y).predict_proba(X), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["shape"], "'shape'"),
        ([9], "position beyond the 6"),
        ([True, False], r"mask of shape \(2,\)"),
        ([0.5], "positions or a mask"),
    ],
)
def test_features_that_are_not_there_are_refused(features, message):
    model = small(categorical_features=features)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "classes_")


def test_a_column_that_is_no_longer_a_number_is_named():
    model = small().fit(X, y)
    with pytest.raises(ValueError, match="Column 'size' of X does not hold numbers"):
        model.predict(X.assign(size="large"))
    with pytest.raises(TypeError, match="Column 'age' of X holds dates"):
        small().fit(X.assign(age=pd.Timestamp("2020-01-01")), y)
    with pytest.raises(ValueError, match="infinity"):
        small().fit(X.assign(size=np.inf), y)


def test_rows_of_no_weight_change_nothing():
    weight = np.ones(len(X))
    weight[:50] = 0
    others, labels = X[50:].reset_index(drop=True), y[50:]
    changed = X.assign(size=X["size"].where(weight > 0, 1e6))
    for encoding in ("linear", "piecewise"):
        model = small(numeric_encoding=encoding, early_stopping=False)
        np.testing.assert_allclose(
            clone(model).fit(changed, y, sample_weight=weight).predict_proba(others),
            model.fit(others, labels).predict_proba(others),
        )


def test_levels_that_are_rare_share_what_is_learned():
    names = np.array([f"level {i}" for i in range(150)], dtype=object)
    frame = pd.DataFrame({"name": np.concatenate([names, np.repeat(["a", "b"], 100)])})
    labels = np.concatenate([np.arange(150) % 2, np.zeros(100), np.ones(100)]).astype(int)
    p = small(max_iter=40).fit(frame, labels).predict_proba(frame)
    assert np.ptp(p[:150], axis=0).max() == 0
    assert p[150, 0] > 0.8
    assert p[-1, 0] < 0.2


def test_many_levels_are_learned():
    rng = np.random.default_rng(0)
    effects = rng.standard_normal(300) > 0
    levels = rng.integers(300, size=6000)
    frame = pd.DataFrame({"name": np.char.add("n", levels.astype(str))})
    model = SmallMLP((16,), max_iter=20, random_state=0).fit(frame, effects[levels])
    assert model.score(frame, effects[levels]) > 0.98


def test_numbers_are_piecewise_for_many_rows_and_linear_for_few():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3000, 2))
    labels = (np.sin(8 * x[:, 0]) > 0).astype(int)
    model = SmallMLP(max_iter=4, random_state=0).fit(x, labels)
    assert len(model.coefs_[0]) == 2 * 18
    assert len(SmallMLP(max_iter=4).fit(x[:500], labels[:500]).coefs_[0]) == 2
    linear = clone(model).set_params(numeric_encoding="linear").fit(x, labels)
    assert model.score(x, labels) > linear.score(x, labels) + 0.1


def test_scores_are_lines_between_points_and_flat_beyond():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 1))
    labels = (np.abs(x[:, 0]) > 1).astype(int)
    model = small(hidden_layer_sizes=(), numeric_encoding=4).fit(x, labels)
    points = np.sort(x[:, 0])[np.linspace(0, 499, 5).round().astype(int)]
    middles = (points[1:] + points[:-1]) / 2
    at, between = (model.decision_function(v[:, None]) for v in (points, middles))
    np.testing.assert_allclose(between, (at[1:] + at[:-1]) / 2, rtol=1e-6, atol=1e-9)
    far = model.decision_function([[-1e300], [1e300]])
    np.testing.assert_allclose(far, at[[0, -1]])


@pytest.mark.parametrize("encoding", ["linear", "piecewise"])
def test_one_row_is_predicted_as_among_others(encoding):
    model = small(numeric_encoding=encoding).fit(X, y)
    expected = model.predict_proba(X)
    for i in (0, 7, 20):
        np.testing.assert_allclose(model.predict_proba(X[i : i + 1])[0], expected[i], rtol=1e-6)


def test_float32_stays_float32():
    x = X[["size"]].assign(other=X["size"] ** 2).to_numpy(np.float32)
    model = small(numeric_encoding="piecewise").fit(x, y)
    assert model.predict_proba(x).dtype == np.float32
    assert {w.dtype for w in (*model.coefs_, *model.intercepts_)} == {np.dtype(np.float32)}


def test_a_sparse_matrix_stays_linear():
    x = sparse.random(3000, 5, density=0.3, format="csr", random_state=0)
    labels = (np.asarray(x.sum(axis=1)).ravel() > 0.7).astype(int)
    assert SmallMLP((3,), max_iter=4).fit(x, labels).coefs_[0].shape == (5, 3)
    with pytest.raises(ValueError, match="numeric_encoding='piecewise' needs dense X"):
        SmallMLP(numeric_encoding="piecewise").fit(x, labels)


@pytest.mark.parametrize("encoding", ["linear", "piecewise"])
def test_it_survives_pickling_cloning_and_goes_on(encoding):
    model = small(numeric_encoding=encoding, warm_start=True).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    model.set_params(max_iter=30).fit(X, y)
    assert log_loss(y, model.predict_proba(X)) < log_loss(y, again.predict_proba(X))
    assert not hasattr(clone(model), "coefs_")


@pytest.mark.parametrize("encoding", ["linear", "piecewise"])
def test_a_warm_start_begins_where_the_last_fit_ended(encoding):
    params = {"numeric_encoding": encoding, "warm_start": True, "average": 0.0, "max_iter": 1}
    model = small(early_stopping=False, **params).fit(X, y)
    before = model.predict_proba(X)
    model.set_params(learning_rate_init=1e-12).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), before, atol=1e-6)


def test_a_warm_start_goes_on_with_the_levels_that_it_knows():
    params = {"warm_start": True, "average": 0.0, "max_iter": 1, "early_stopping": False}
    model = small(**params).fit(X, y)
    before = model.predict_proba(X)
    few = ((X["kind"] != "blue") & (X["colour"] != "green")).to_numpy()
    model.set_params(learning_rate_init=1e-12).fit(X[few], y[few])
    np.testing.assert_allclose(model.predict_proba(X), before, atol=1e-6)
    plain = small(**params).fit(X[["size"]], y)
    before = plain.predict_proba(X[["size"]])
    holes = X[["size"]].where(np.arange(len(X))[:, None] % 5 > 0)
    plain.set_params(learning_rate_init=1e-12).fit(holes, y)
    np.testing.assert_allclose(plain.predict_proba(X[["size"]]), before, atol=1e-6)


def test_a_sparse_matrix_may_be_predicted_from_what_was_learned_of_a_dense_one():
    x = X[["size"]].assign(other=X["size"] ** 2).to_numpy()
    model = small(numeric_encoding=5).fit(x, y)
    found = model.predict_proba(sparse.csr_array(x))
    np.testing.assert_allclose(found, model.predict_proba(x))


@pytest.mark.parametrize("encoding", ["linear", "piecewise"])
def test_a_stream_keeps_the_encoding_of_its_first_piece(encoding):
    model = small(numeric_encoding=encoding)
    for _ in range(8):
        for start in range(0, 400, 100):
            piece = slice(start, start + 100)
            model.partial_fit(X[piece], y[piece], classes=[0, 1, 2])
    assert model.score(X, y) > 0.6
    copy = pickle.loads(pickle.dumps(model))
    for part in (model, copy):
        part.partial_fit(X, y)
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


def test_a_failed_fit_changes_nothing():
    model = small().fit(X, y)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(X.assign(size=np.inf).rename(columns={"kind": "sort"}), y)
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_validation_rows_are_tables_too():
    model = small(scoring="roc_auc_ovr").fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert len(model.validation_scores_) == model.n_iter_
    assert np.isfinite(model.validation_scores_).all()


def test_columns_in_another_order_are_told_of_before_what_they_hold():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=40), "colour": rng.choice(["red", "blue"], 40)})
    model = SmallMLP((4,), max_iter=5, random_state=0).fit(X, rng.integers(0, 2, 40))
    with pytest.raises(ValueError, match="same order as they were in fit"):
        model.predict(X[["colour", "size"]])
