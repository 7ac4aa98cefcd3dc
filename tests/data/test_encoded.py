"""Rows as states and weights of a table: their products, and the codes that stand for them."""

import numpy as np
import pytest

from softmax_regression._data.table_encoding import TableEncoding


def columns(n_rows=900, seed=0):
    """Numbers, few of them or many, levels, few of them or many; with holes, and without."""
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [
            rng.standard_normal(n_rows),
            rng.integers(4, size=n_rows),
            rng.integers(100, size=n_rows) % 90,
            rng.exponential(size=n_rows),
            rng.integers(2, size=n_rows),
            rng.standard_normal(n_rows),
            np.full(n_rows, 3.0),
        ]
    ).astype(float)
    for j in (0, 1, 5):
        X[rng.random(n_rows) < 0.1, j] = np.nan
    return X


X = columns()
CATEGORICAL = np.array([False, True, True, False, False, False, False])
BINS = [8, 0, 0, 0, 5, 5, 5]
WEIGHT = np.random.default_rng(1).random(len(X))
ENCODING = TableEncoding.learn(X, WEIGHT, CATEGORICAL, BINS)


def test_codes_have_mean_0_and_at_most_deviation_1():
    codes = ENCODING.design(X, np.float64).toarray()
    of_levels = ENCODING.blocks[-1]  # of which there are too many to centre
    assert of_levels.ndim == 1
    centred = codes[:, : -len(of_levels)]
    np.testing.assert_allclose(WEIGHT @ centred / WEIGHT.sum(), 0, atol=0.05)
    deviations = np.sqrt(WEIGHT @ centred**2 / WEIGHT.sum())
    assert deviations.max() < 1.1
    assert np.median(deviations) > 0.4  # Pieces beside a line count half.
    assert np.count_nonzero(deviations > 0.9) >= 6


def test_codes_of_a_number_are_its_line_and_halves_of_the_shares_of_the_ways_between_points():
    x = X[:, [3]]
    encoding = TableEncoding.learn(x, np.ones(len(x)), np.array([False]), [6])
    points = np.sort(x[:, 0])[np.linspace(0, len(x) - 1, 7).round().astype(int)]
    shares = np.clip((x - points[:-1]) / np.diff(points), 0, 1)
    expected = np.hstack([shares, np.clip(x, points[0], points[-1])])
    expected = (expected - expected.mean(axis=0)) / expected.std(axis=0)
    expected[:, :-1] /= 2
    np.testing.assert_allclose(encoding.design(x, float).toarray(), expected, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_are_those_of_the_codes(dtype):
    design = ENCODING.design(X, dtype)
    codes = design.toarray()
    rng = np.random.default_rng(0)
    W, D = (rng.standard_normal(shape).astype(dtype) for shape in ((codes.shape[1], 5), (900, 4)))
    tol = {"rtol": 1e-4, "atol": 1e-3} if dtype == np.float32 else {"atol": 1e-10}
    assert design.times(W).dtype == design.transposed_times(D).dtype == dtype
    np.testing.assert_allclose(design.times(W), codes @ W, **tol)
    np.testing.assert_allclose(design.transposed_times(D), codes.T @ D, **tol)
    np.testing.assert_allclose(design.scores(W.T), (codes @ W).T, **tol)
    np.testing.assert_allclose(design.weighted_sum(D.T), D.T @ codes, **tol)
    rows = np.array([5, 3, 3])
    np.testing.assert_allclose(design[rows].times(W), codes[rows] @ W, **tol)
    room = design.room(3)
    np.testing.assert_allclose(design.take(rows, room).times(W), codes[rows] @ W, **tol)
    # the memory of a room is used again, and so is what was made of it
    np.testing.assert_allclose(design.take(rows[::-1], room).times(W), codes[rows[::-1]] @ W, **tol)
    np.testing.assert_allclose(room.transposed_times(D[:3]), codes[rows[::-1]].T @ D[:3], **tol)


def test_looking_up_tables_is_the_product_with_codes():
    design = ENCODING.design(X, np.float64)
    W = np.random.default_rng(0).standard_normal((design.n_columns, 3))
    tables = ENCODING.basis.tables(W)
    expected = design.times(W)
    for rows in (slice(0, 1), slice(0, 5), slice(0, 900)):
        found = np.atleast_2d(ENCODING.looked_up(X[rows], np.float64).times(tables))
        np.testing.assert_allclose(found, expected[rows], atol=1e-12)


def test_tables_lead_back_to_what_they_were_made_of():
    rng = np.random.default_rng(0)
    basis = ENCODING.basis
    tables = basis.tables(rng.standard_normal((basis.n_codes, 3)))
    weights, shift = ENCODING.solved(tables)
    np.testing.assert_allclose(basis.tables(weights), tables, atol=1e-9)
    np.testing.assert_allclose(shift, 0, atol=1e-9)


def test_what_all_states_have_in_common_is_a_shift():
    x = X[:, :2]
    encoding = TableEncoding.learn(x, WEIGHT, CATEGORICAL[:2], [8, 0])
    rng = np.random.default_rng(0)
    tables = rng.standard_normal((encoding.n_states, 3))
    weights, shift = encoding.solved(tables)
    expected = encoding.looked_up(x, float).times(tables)
    np.testing.assert_allclose(encoding.design(x, float).times(weights) + shift, expected)


def test_masks_leave_out_features_as_a_whole():
    design = ENCODING.design(X, np.float64)[np.arange(40)]
    mask = (np.random.default_rng(0).random((40, 7)) < 0.5) * 2.0
    W = np.random.default_rng(1).standard_normal((design.n_columns, 3))
    expected = 0
    for j in range(7):
        alone = design[np.arange(40)]
        alone.weights *= design.features == j
        expected += mask[:, [j]] * alone.times(W)
    masked = design[np.arange(40)].masked(lambda out: np.copyto(out, mask))
    np.testing.assert_allclose(masked.times(W), expected, atol=1e-12)


def test_extreme_numbers_have_finite_weights():
    x = np.array([[-1.7e308], [0.0], [1.7e308], [5e-324], [1.0]]).repeat(3, axis=0)
    encoding = TableEncoding.learn(x, np.ones(15), np.array([False]), [4])
    _, weights = encoding.encode(x)
    assert np.isfinite(weights).all()
