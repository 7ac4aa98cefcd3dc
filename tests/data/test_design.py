"""A design returns the products of plain NumPy formulas for every memory layout of X.

The tests run with dense X in C and Fortran order, with a strided view, and with sparse X, in both
precisions. That nothing is copied or written is checked by the memory that designs share.
"""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from zoo import LAYOUTS, Problem

from softmax_regression._data import design as design_base
from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.make import as_design
from softmax_regression._data.sparse import SparseDesign

DENSE_LAYOUTS = [name for name in LAYOUTS if name != "csr"]
DTYPES = [np.float64, np.float32]

every_layout = pytest.mark.parametrize("layout", LAYOUTS)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def problem_of(layout, dtype=np.float64):
    return Problem(n_rows=23, n_columns=5, layout=layout, dtype=dtype)


def tolerance(dtype):
    return {"rtol": 50 * np.finfo(dtype).eps, "atol": 50 * np.finfo(dtype).eps}


def dense(design):
    return design.X.toarray() if sparse.issparse(design.X) else design.X


@every_layout
@every_dtype
@pytest.mark.parametrize("n_outputs", [1, 6])
def test_scores_are_coef_times_rows(layout, dtype, n_outputs):
    problem = problem_of(layout, dtype)
    coef = np.random.default_rng(0).normal(size=(n_outputs, 5)).astype(dtype)
    scores = problem.design().scores(coef)
    np.testing.assert_allclose(scores, coef @ problem.X.T, **tolerance(dtype))
    assert scores.dtype == dtype
    assert scores.flags.c_contiguous
    assert scores.flags.writeable


@every_layout
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix, sparse.csc_array])
def test_scores_take_a_sparse_coef(layout, kind):
    problem = problem_of(layout)
    coef = np.random.default_rng(0).normal(size=(3, 5))
    coef[coef < 0] = 0
    scores = problem.design().scores(kind(coef))
    assert isinstance(scores, np.ndarray)
    assert scores.flags.c_contiguous
    np.testing.assert_allclose(scores, coef @ problem.X.T, **tolerance(np.float64))


@every_layout
@every_dtype
@pytest.mark.parametrize("n_outputs", [1, 6])
def test_weighted_sum_is_residuals_times_rows(layout, dtype, n_outputs):
    problem = problem_of(layout, dtype)
    residuals = np.random.default_rng(0).normal(size=(n_outputs, 23)).astype(dtype)
    total = problem.design().weighted_sum(residuals)
    np.testing.assert_allclose(total, residuals @ problem.X, **tolerance(dtype))
    assert total.dtype == dtype


@every_layout
@every_dtype
@pytest.mark.parametrize("out_dtype", DTYPES)
def test_weighted_sum_writes_to_out(layout, dtype, out_dtype):
    problem = problem_of(layout, dtype)
    residuals = np.random.default_rng(0).normal(size=(2, 23)).astype(dtype)
    flat = np.full(2 * 5 + 3, np.nan, dtype=out_dtype)
    out = flat[:10].reshape(2, 5)
    assert problem.design().weighted_sum(residuals, out=out) is out
    np.testing.assert_allclose(flat[:10].reshape(2, 5), residuals @ problem.X, **tolerance("f4"))
    assert np.isnan(flat[10:]).all()


@every_layout
@every_dtype
def test_weighted_squares_are_summed_in_float64(layout, dtype):
    problem = problem_of(layout, dtype)
    weight = np.random.default_rng(0).uniform(0, 2, size=23).astype(dtype)
    weight[::4] = 0
    scales = np.array([1.0, 2.0, 1e-3, 1e100, 1e-100])
    squares = problem.design().weighted_squares(weight, scales)
    expected = weight.astype(np.float64) @ (problem.X.astype(np.float64) / scales) ** 2
    np.testing.assert_allclose(squares, expected, rtol=1e-13)
    assert squares.dtype == np.float64


@pytest.mark.parametrize("layout", ["C", "F", "csr"])
@pytest.mark.parametrize("n_columns", [4, 40])
@pytest.mark.parametrize("exponent", [-1020, -600, 600, 1000])
def test_moments_of_a_column_have_its_scale_whatever_that_is(exponent, n_columns, layout):
    problem = Problem(n_rows=30, n_columns=n_columns)
    weights = np.random.default_rng(0).uniform(0, 2, size=30)
    weights[::5] = 0
    exponents = np.where(np.arange(n_columns) % 2, exponent, 0)
    expected = as_design(LAYOUTS[layout](problem.X)).moments(weights)
    X = np.ldexp(problem.X, exponents)
    X[weights == 0] = 1e308  # what does not count may hold anything
    moments = as_design(LAYOUTS[layout](X)).moments(weights)
    np.testing.assert_allclose(np.ldexp(moments.means, -exponents), expected.means, rtol=1e-12)
    np.testing.assert_allclose(
        np.ldexp(moments.deviations, -exponents), expected.deviations, rtol=1e-12
    )


def test_a_constant_column_has_no_deviation_however_large():
    X = np.column_stack([np.full(20, 1e300), np.full(20, 1e-300), np.zeros(20), np.arange(20.0)])
    moments = as_design(X).moments(np.ones(20))
    np.testing.assert_allclose(moments.means, [1e300, 1e-300, 0, 9.5], rtol=1e-15)
    np.testing.assert_array_equal(moments.deviations[:3], 0)


def test_entries_stored_twice_count_as_their_sum():
    twice = sparse.csr_array(([1.0, 2.0, 5.0], [0, 0, 1], [0, 2, 3]), shape=(2, 2))
    design, plain = as_design(twice), as_design(twice.toarray())
    coef, residuals, weight = np.array([[1.0, -1.0]]), np.array([[2.0, 3.0]]), np.array([1.0, 4.0])
    np.testing.assert_array_equal(design.scores(coef), plain.scores(coef))
    np.testing.assert_array_equal(design.weighted_sum(residuals), plain.weighted_sum(residuals))
    scales = np.ones(2)
    np.testing.assert_array_equal(
        design.weighted_squares(weight, scales), plain.weighted_squares(weight, scales)
    )


SLICES = [
    slice(3, 11),
    slice(None, 4),
    slice(20, None),
    slice(None),
    slice(-5, -2),
    slice(7, 7),
    slice(15, 99),
    slice(None, None, 3),
]


@every_layout
@pytest.mark.parametrize("rows", SLICES, ids=str)
def test_a_slice_gives_these_rows(layout, rows):
    problem = problem_of(layout)
    part = problem.design()[rows]
    np.testing.assert_array_equal(dense(part), problem.X[rows])
    assert (part.n_rows, part.n_columns) == problem.X[rows].shape
    assert part.dtype == problem.dtype
    np.testing.assert_allclose(
        part.scores(np.ones((2, 5))), np.ones((2, 5)) @ problem.X[rows].T, rtol=1e-13, atol=1e-13
    )


@every_layout
def test_a_slice_of_a_slice_gives_its_rows(layout):
    problem = problem_of(layout)
    part = problem.design()[4:20][3:9]
    np.testing.assert_array_equal(dense(part), problem.X[7:13])


@every_layout
@every_dtype
def test_a_slice_is_a_view(layout, dtype):
    design = problem_of(layout, dtype).design()
    part = design[3:11]
    if layout == "csr":
        assert np.shares_memory(part.X.data, design.X.data)
        assert np.shares_memory(part.X.indices, design.X.indices)
    else:
        assert np.shares_memory(part.X, design.X)


@every_layout
@every_dtype
@pytest.mark.parametrize("rows", [[4], [22, 0, 7], [3, 3, 3], list(range(23)), []], ids=len)
def test_row_numbers_give_a_copy_of_these_rows(layout, dtype, rows):
    problem = problem_of(layout, dtype)
    design = problem.design()
    part = design[np.array(rows, dtype=np.intp)]
    np.testing.assert_array_equal(dense(part), problem.X[rows].reshape(-1, 5))
    assert part.n_rows == len(rows)
    assert part.dtype == dtype
    if layout != "csr":
        assert not np.shares_memory(part.X, design.X)


@settings(max_examples=60, deadline=None)
@given(
    n_rows=st.integers(0, 50_000),
    n_columns=st.integers(1, 5000),
    n_outputs=st.integers(1, 500),
    dtype=st.sampled_from(DTYPES),
)
def test_blocks_cover_the_rows_once_in_order(n_rows, n_columns, n_outputs, dtype):
    X = np.broadcast_to(np.zeros((), dtype), (n_rows, n_columns))
    blocks = as_design(X).blocks(n_outputs)
    ends = [0, *(rows.stop for rows in blocks)]
    assert [rows.start for rows in blocks] == ends[:-1]
    assert ends[-1] == n_rows
    sizes = {rows.stop - rows.start for rows in blocks[:-1]}
    assert len(sizes) <= 1
    smallest, largest = design_base._BLOCK_ROWS
    assert all(smallest <= size <= largest for size in sizes)
    per_row = max(n_columns, n_outputs) * np.dtype(dtype).itemsize
    assert all(size == smallest or size * per_row <= design_base._BLOCK_BYTES for size in sizes)


@every_layout
@pytest.mark.parametrize("limits", [(1, 1), (4, 4), (1, 7), (100, 100)])
def test_blocks_put_together_are_the_design(layout, limits, monkeypatch):
    monkeypatch.setattr(design_base, "_BLOCK_ROWS", limits)
    problem = problem_of(layout)
    design = problem.design()
    parts = [dense(design[rows]) for rows in design.blocks(3)]
    assert max(len(part) for part in parts) <= limits[1]
    np.testing.assert_array_equal(np.concatenate(parts), problem.X)


@pytest.mark.parametrize("density", [0.1, 0.3])
def test_sparse_blocks_are_sized_by_what_is_stored(density):
    X = sparse.random_array((4500, 1000), density=density, format="csr", random_state=0)
    first = as_design(X).blocks(2)[0]
    stored = X[first].data.nbytes + X[first].indices.nbytes
    assert stored < 1.1 * design_base._BLOCK_BYTES
    assert stored > 0.5 * design_base._BLOCK_BYTES


@pytest.mark.parametrize("layout", ["C", "F"])
@every_dtype
def test_dense_data_is_not_copied(layout, dtype):
    X = LAYOUTS[layout](problem_of(layout, dtype).X)
    design = as_design(X)
    assert isinstance(design, DenseDesign)
    assert design.X is X


@pytest.mark.parametrize(
    ("view", "readable"),
    [
        (lambda X: X[:, 1:], True),
        (lambda X: X[1::2], True),
        (lambda X: X.T[:, 1:], True),
        (lambda X: X[:, 1:2], True),
        (lambda X: X[:1], True),
        (lambda X: X[::-1], False),
        (lambda X: X[:, ::-1], False),
        (lambda X: X[:, ::2], False),
        (lambda X: X[::2, ::2], False),
        (lambda X: np.broadcast_to(X[:1], X.shape), False),
    ],
)
def test_views_are_copied_where_blas_cannot_read_them(view, readable):
    X = view(np.random.default_rng(0).normal(size=(8, 8)))
    design = as_design(X)
    np.testing.assert_array_equal(design.X, X)
    assert (design.X is X) == readable
    in_rows = design.in_rows()
    np.testing.assert_array_equal(in_rows.X, X)
    assert in_rows.X.strides[1] == X.itemsize
    assert (in_rows is design) == (design.X.strides[1] == X.itemsize)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
def test_sparse_rows_are_not_copied(kind):
    X = kind(problem_of("C").X)
    design = as_design(X)
    assert isinstance(design, SparseDesign)
    assert np.shares_memory(design.X.data, X.data)


@pytest.mark.parametrize("kind", [sparse.csc_array, sparse.csc_matrix, sparse.coo_array])
@every_dtype
def test_other_sparse_formats_are_converted(kind, dtype):
    problem = problem_of("C", dtype)
    design = as_design(kind(problem.X))
    assert isinstance(design, SparseDesign)
    assert design.X.format == "csr"
    assert design.dtype == dtype
    np.testing.assert_array_equal(dense(design[2:9]), problem.X[2:9])


@every_layout
def test_read_only_data_can_be_used(layout):
    X = LAYOUTS[layout](problem_of(layout).X)
    for array in (X.data, X.indices, X.indptr) if layout == "csr" else (X,):
        array.flags.writeable = False
    design = as_design(X)
    for part in (design, design[2:9], design[np.array([1, 5])]):
        part.scores(np.ones((3, 5)))
        part.weighted_sum(np.ones((3, part.n_rows)))
        part.weighted_squares(np.ones(part.n_rows), np.ones(5))


def test_sparse_data_with_long_indices_can_be_used():
    problem = problem_of("csr")
    X = sparse.csr_array(problem.X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    design = as_design(X)[3:20]
    np.testing.assert_allclose(
        design.scores(np.ones((1, 5)))[0], problem.X[3:20].sum(axis=1), rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize("layout", ["F", "strided"])
@pytest.mark.parametrize("reuse", [False, True])
def test_drawing_rows_copies_those_alone(layout, reuse):
    X = LAYOUTS[layout](np.random.default_rng(0).normal(size=(20_000, 40)))
    design, rows = as_design(X), np.array([5, 19_999, 5, 0])
    room = design.room(len(rows)) if reuse else None
    tracemalloc.start()
    drawn = design.take(rows, room)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(drawn.X, X[rows])
    assert peak < 100 * drawn.X.nbytes < X.nbytes


@every_layout
@every_dtype
def test_slices_in_turn_are_those_converted(layout, dtype):
    design = as_design(problem_of(layout, dtype).X).astype(np.float64)
    in_turn = design.in_turn()
    for rows in (slice(0, 10), slice(10, 20), slice(20, 23), slice(5, 6), slice(4, 4)):
        np.testing.assert_array_equal(dense(in_turn[rows]), dense(design[rows]))
        assert in_turn[rows].X.dtype == np.float64
    some = np.array([3, 1, 7])
    np.testing.assert_array_equal(dense(in_turn[some]), dense(design[some]))


@pytest.mark.parametrize("layout", DENSE_LAYOUTS)
def test_slices_in_turn_lie_in_the_same_memory_and_rows_that_are_drawn_do_not(layout):
    design = as_design(problem_of(layout, np.float32).X).astype(np.float64).in_turn()
    first, drawn = design[slice(0, 10)], design[np.arange(5)]
    assert np.shares_memory(first.X, design[slice(10, 20)].X)
    assert not np.shares_memory(first.X, drawn.X)
    whole = as_design(problem_of(layout).X)
    assert whole.in_turn() is whole


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_outputs", [1, 3, 40])
@pytest.mark.parametrize("layout", ["by rows", "by columns", "every second row", "some columns"])
def test_products_made_of_parts_are_those_of_all_rows(layout, n_outputs, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(9001, 90)).astype(dtype)
    X = {
        "by rows": X[:, :60].copy(),
        "by columns": np.asfortranarray(X[:, :60]),
        "every second row": X[::2, :60],
        "some columns": X[:, 7:67],
    }[layout]
    design = DenseDesign(X)
    coef = rng.normal(size=(n_outputs, 60)).astype(dtype)
    residuals = rng.normal(size=(n_outputs, len(X))).astype(dtype)
    scores, sums = np.einsum("kj,ij->ki", coef, X), np.einsum("ki,ij->kj", residuals, X)
    precise = 1e-4 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(design.scores(coef), scores, atol=precise, rtol=1e-3)
    out = np.full((n_outputs, len(X)), np.nan, dtype)
    assert design.scores(coef, out=out) is out
    np.testing.assert_allclose(out, scores, atol=precise, rtol=1e-3)
    assert design.scores(coef).dtype == dtype
    np.testing.assert_allclose(design.weighted_sum(residuals), sums, atol=100 * precise, rtol=1e-3)
    wide = np.full((n_outputs, 61), np.nan, dtype)
    design.weighted_sum(residuals, out=wide[:, :-1])
    np.testing.assert_allclose(wide[:, :-1], sums, atol=100 * precise, rtol=1e-3)
    assert np.isnan(wide[:, -1]).all()
