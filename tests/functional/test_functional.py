"""The mathematical functions have the values and derivatives that they document.

Values are compared with the textbook formulae evaluated by mpmath at 50 digits, derivatives with
complex-step differentiation or with central differences at 50 digits, and identities (shift
invariance, adjointness, a weight as a repeated row) are checked on inputs drawn by Hypothesis. The
suite turns warnings into errors, so every call also checks that no intermediate result overflows
or divides by zero.
"""

import functools
import itertools
import pydoc
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mpmath import mp, mpf
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special

from softmax_regression.functional import (
    ACTIVATIONS,
    cross_entropy,
    cross_entropy_gradient,
    entropy,
    kl_divergence,
    log_softmax,
    logsumexp,
    one_hot,
    sigmoid,
    sigmoid_derivative,
    softmax,
    softmax_jacobian,
    softmax_jvp,
    softmax_vjp,
    squared_error,
    squared_error_gradient,
)

DTYPES = [np.float16, np.float32, np.float64]
EPS = np.finfo(np.float64).eps
INF = np.inf
ROW_FUNCTIONS = [softmax, log_softmax, softmax_jacobian]
PRODUCTS = [softmax_jvp, softmax_vjp]
LOSSES = [cross_entropy, squared_error]
GRADIENTS = [cross_entropy_gradient, squared_error_gradient]
NAMES = (
    "identity",
    "logistic",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "softplus",
    "silu",
    "gelu",
)

examples = settings(max_examples=60, deadline=None, derandomize=True, database=None)
by_name = pytest.mark.parametrize("name", NAMES)
by_dtype = pytest.mark.parametrize("dtype", DTYPES)


# -- helpers ---------------------------------------------------------------------------------------


def at_50_digits(function):
    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        with mp.workdps(50):
            return function(*args, **kwargs)

    return wrapped


def exactly(values):
    """The entries of an array as mpmath numbers, row by row."""
    array = np.asarray(values)
    if array.ndim == 0:
        return mpf(float(array))
    return [exactly(entry) for entry in array]


def exact_softmax(row, temperature=1.0):
    row = [z / mpf(temperature) for z in exactly(row)]
    top = max(row)
    exponentials = [mp.exp(z - top) for z in row]
    total = sum(exponentials)
    return [e / total for e in exponentials]


def exact_log_softmax(row, temperature=1.0):
    row = [z / mpf(temperature) for z in exactly(row)]
    largest = row.index(max(row))
    rest = mp.log1p(sum(mp.exp(z - row[largest]) for k, z in enumerate(row) if k != largest))
    return [z - row[largest] - rest for z in row]


def exact_jacobian(row, temperature=1.0):
    p, classes = exact_softmax(row, temperature), range(len(row))
    off = [[-p[i] * p[j] / mpf(temperature) for j in classes] for i in classes]
    return [
        [-sum(off[i][k] for k in classes if k != i) if i == j else off[i][j] for j in classes]
        for i in classes
    ]


def exact_slope(function, z):
    """Central difference, whose error at 50 digits is far below double precision."""
    h = mpf(10) ** -15
    return (function(z + h) - function(z - h)) / (2 * h)


def assert_relative(actual, exact, rtol):
    """Compare with mpmath, entry by entry, where `exact` is not denormal; there, in absolute terms.

    `rtol` is one tolerance or one per entry.
    """
    actual = np.asarray(actual)
    tiny = mpf(float(np.finfo(actual.dtype).tiny))
    exact = list(np.array(exact, dtype=object).ravel())
    rtol = np.broadcast_to(rtol, actual.shape).ravel()
    assert actual.size == len(exact)
    for got, want, tolerance in zip(actual.ravel(), exact, rtol, strict=True):
        error = abs(mpf(float(got)) - want)
        assert error <= mpf(float(tolerance)) * max(abs(want), tiny), (float(got), mp.nstr(want))


def complex_step(function, point):
    """Derivative of `function` at a real array, one leading index per entry of the point."""
    h = 1e-30
    derivatives = []
    for index in np.ndindex(point.shape):
        moved = point.astype(complex)
        moved[index] += 1j * h
        derivatives.append(np.imag(function(moved)) / h)
    return np.array(derivatives)


def complex_softmax(z, temperature=1.0):
    e = np.exp((z - z.real.max(axis=-1, keepdims=True)) / temperature)
    return e / e.sum(axis=-1, keepdims=True)


def complex_cross_entropy(z, targets, weight, smoothing):
    y = (1 - smoothing) * targets + smoothing / z.shape[-1]
    losses = -(y * np.log(complex_softmax(z))).sum(axis=-1)
    return (weight * losses).sum() / weight.sum()


def complex_squared_error(z, targets, weight):
    losses = 0.5 * ((complex_softmax(z) - targets) ** 2).sum(axis=-1)
    return (weight * losses).sum() / weight.sum()


def finite(dtype, **shape):
    """Arrays of any finite floats, the largest and the denormal ones included."""
    shapes = hnp.array_shapes(**{"min_dims": 1, "max_dims": 3, "max_side": 4, **shape})
    return hnp.arrays(
        dtype,
        shapes,
        elements=hnp.from_dtype(np.dtype(dtype), allow_nan=False, allow_infinity=False),
    )


any_finite = st.sampled_from(DTYPES).flatmap(finite)


def moderate(*shape, bound=30.0):
    return hnp.arrays(np.float64, shape, elements=st.floats(-bound, bound))


@st.composite
def batch_with_axis(draw):
    batch = draw(finite(np.float64, min_dims=2))
    return batch, draw(st.integers(-batch.ndim, batch.ndim - 1))


def rng(seed=0):
    return np.random.default_rng(seed)


# -- softmax and log_softmax: values ---------------------------------------------------------------


def rows_with_exact_differences(dtype):
    """Rows whose differences are floats themselves, so that a few eps is all there may be."""
    huge = {np.float16: 3e4, np.float32: 1e30, np.float64: 1e300}[dtype]
    rows = [
        (1, 2, 3),
        (40, 0),
        (0, 40),
        (9, 0, 1),
        (-1000, 0),
        (0, 0, 0, 0, 0),
        (3.25,),
        (huge, -huge, 0),
        (huge, huge, -huge),
        (0, float(np.finfo(dtype).smallest_subnormal)),
        (-20, -21, -19.5, 60, 59),
        (-700, 0),
    ]
    return [np.array(row, dtype=dtype) for row in rows]


@by_dtype
@at_50_digits
def test_softmax_is_within_a_few_eps_of_50_digits(dtype):
    for row in rows_with_exact_differences(dtype):
        assert_relative(softmax(row), exact_softmax(row), 4 * np.finfo(dtype).eps)


@by_dtype
@at_50_digits
def test_log_softmax_is_within_a_few_eps_of_50_digits_even_near_0(dtype):
    for row in rows_with_exact_differences(dtype):
        assert_relative(log_softmax(row), exact_log_softmax(row), 4 * np.finfo(dtype).eps)


@at_50_digits
def test_log_softmax_of_a_certain_class_keeps_its_digits_where_softmax_is_1():
    assert softmax([40.0, 0.0])[0] == 1
    assert_relative(log_softmax([40.0, 0.0])[0], -mp.log1p(mp.exp(-40)), 2 * EPS)
    assert_relative(log_softmax([0.0, 700.0, 0.0])[1], -mp.log1p(2 * mp.exp(-700)), 2 * EPS)


@pytest.mark.parametrize("temperature", [1.0, 0.3, 7.0])
@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
@at_50_digits
def test_softmax_of_random_scores_errs_by_no_more_than_rounding_the_differences(scale, temperature):
    for row in rng().normal(scale=scale, size=(15, 4)):
        depth = (row.max() - row) / temperature
        p, log_p = softmax(row, temperature=temperature), log_softmax(row, temperature=temperature)
        assert_relative(p, exact_softmax(row, temperature), EPS * (8 + 2 * depth))
        nearest = np.sort(depth)[1]
        assert_relative(log_p, exact_log_softmax(row, temperature), EPS * (8 + 2 * nearest))


@examples
@given(
    hnp.arrays(np.int64, (3, 4), elements=st.integers(-(2**20), 2**20)),
    st.integers(-(2**20), 2**20),
)
def test_adding_a_constant_to_all_scores_changes_nothing(thousandths, constant):
    # Multiples of 1/1024 add without rounding, so equality is exact.
    scores, moved = thousandths / 1024, (thousandths + constant) / 1024
    assert_array_equal(softmax(moved), softmax(scores))
    assert_array_equal(log_softmax(moved), log_softmax(scores))


@examples
@given(any_finite)
def test_finite_scores_give_probabilities_that_sum_to_1(scores):
    p = softmax(scores)
    assert p.shape == scores.shape
    assert p.min() >= 0
    assert p.max() <= 1
    n_classes = scores.shape[-1]
    tolerance = n_classes * np.finfo(scores.dtype).eps
    assert np.abs(p.sum(axis=-1, dtype=np.float64) - 1).max() <= tolerance


@examples
@given(any_finite)
def test_finite_scores_give_log_probabilities_that_are_at_most_0_and_not_nan(scores):
    assert log_softmax(scores).max() <= 0  # a NaN would be the maximum


@examples
@given(any_finite)
def test_a_higher_score_never_gets_a_lower_probability(scores):
    order = scores.argsort(axis=-1)
    p = np.take_along_axis(softmax(scores), order, axis=-1).astype(np.float64)
    log_p = np.take_along_axis(log_softmax(scores), order, axis=-1)
    # NumPy's exp is good to about an ulp, which is not quite enough to be monotone.
    slack = 1 + 2 * np.finfo(scores.dtype).eps
    assert (p[..., :-1] <= p[..., 1:] * slack).all()
    assert (log_p[..., :-1] <= log_p[..., 1:]).all()


@examples
@given(moderate(2, 4), st.floats(0.1, 100.0))
@example(np.array([[1.0, 2.0]]), 2.0)
def test_temperature_divides_the_scores(scores, temperature):
    rtol = EPS * (8 + 4 * np.abs(scores).max() / temperature)
    divided = scores / temperature
    expected = softmax(divided)
    assert_allclose(softmax(scores, temperature=temperature), expected, rtol=rtol, atol=1e-300)
    difference = log_softmax(scores, temperature=temperature) - log_softmax(divided)
    assert np.abs(difference).max() <= rtol


def test_temperature_is_1_and_the_axis_the_last_unless_given():
    scores, vector = rng().normal(size=(2, 3, 2))
    for function in ROW_FUNCTIONS:
        assert_array_equal(function(scores), function(scores, axis=1, temperature=1.0))
    for product in PRODUCTS:
        expected = product(scores, vector, axis=1, temperature=1.0)
        assert_array_equal(product(scores, vector), expected)


@pytest.mark.parametrize("temperature", [0.5, 1024.0, 3, np.float64(2.0), np.float32(2.0)])
def test_temperature_leaves_the_dtype_alone(temperature):
    for dtype, function in itertools.product(DTYPES, ROW_FUNCTIONS):
        assert function(np.array([1, 2], dtype=dtype), temperature=temperature).dtype == dtype


def test_temperature_limits_are_the_largest_score_and_the_uniform_distribution():
    assert_array_equal(softmax([1.0, 3.0, 2.0], temperature=1e-320), [0, 1, 0])
    assert_array_equal(softmax([1.0, 3.0, 3.0], temperature=1e-320), [0, 0.5, 0.5])
    assert_array_equal(softmax([1.0, 3.0], temperature=1e308), [0.5, 0.5])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("temperature", [1e-50, 1e50])
def test_temperature_may_lie_outside_the_range_of_the_scores_dtype(dtype, temperature):
    expected = [0, 1, 0] if temperature < 1 else [1 / 3] * 3
    scores = np.array([1, 3, 2], dtype=dtype)
    assert_allclose(softmax(scores, temperature=temperature), expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("dtype", "size"), [(np.float16, 6e4), (np.float32, 2e38), (np.float64, 1e308)]
)
def test_temperature_may_be_as_large_as_scores_whose_difference_overflows(dtype, size):
    scores = np.array([size, -size], dtype=dtype)
    p = softmax(scores, temperature=float(scores[0]))
    assert_allclose(p, softmax([1.0, -1.0]), rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("temperature", [1.5, 4.0])
def test_a_log_probability_that_the_temperature_makes_finite_is_finite(temperature):
    expected = [0, -1e308 / temperature - 1e308 / temperature]
    assert_allclose(log_softmax([1e308, -1e308], temperature=temperature), expected, rtol=2 * EPS)


@examples
@given(batch_with_axis())
def test_axis_is_the_same_as_moving_it_last_and_back(batch_and_axis):
    batch, axis = batch_and_axis
    moved = np.moveaxis(batch, axis, -1)
    assert_allclose(
        softmax(batch, axis=axis), np.moveaxis(softmax(moved), -1, axis), rtol=4 * EPS, atol=1e-300
    )
    assert_allclose(
        log_softmax(batch, axis=axis), np.moveaxis(log_softmax(moved), -1, axis), rtol=4 * EPS
    )


# -- softmax and log_softmax: what goes in and comes out -------------------------------------------


@pytest.mark.parametrize("function", ROW_FUNCTIONS)
@by_dtype
def test_floating_dtypes_come_back_as_they_went_in(function, dtype):
    assert function(np.array([[1, 2, 3]], dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("function", ROW_FUNCTIONS)
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.uint64])
def test_integers_and_bools_become_float64(function, dtype):
    result = function(np.array([[0, 1, 1]], dtype=dtype))
    assert result.dtype == np.float64
    assert_array_equal(result, function([[0.0, 1.0, 1.0]]))


def test_unsigned_scores_do_not_wrap_around():
    assert_array_equal(softmax(np.array([0, 255], dtype=np.uint8)), softmax([0.0, 255.0]))


@examples
@given(finite(np.float16))
def test_float16_is_computed_in_float32(scores):
    wide = scores.astype(np.float32)
    assert_array_equal(softmax(scores), softmax(wide).astype(np.float16))
    with np.errstate(over="ignore"):  # some log-probabilities do not fit into float16
        expected = log_softmax(wide).astype(np.float16)
    assert_array_equal(log_softmax(scores), expected)


def test_lists_are_as_good_as_arrays():
    rows = [[1, 2, 3], [3, 2, 1]]
    for function in ROW_FUNCTIONS:
        assert_array_equal(function(rows), function(np.array(rows, dtype=np.float64)))


@pytest.mark.parametrize("function", ROW_FUNCTIONS)
def test_strided_reversed_transposed_and_read_only_views_give_what_their_copies_give(function):
    base = rng().normal(size=(6, 8))
    locked = base.copy()
    locked.setflags(write=False)
    for view in (base[::2, ::3], base[::-1, ::-1], base.T, np.asfortranarray(base), locked):
        assert_allclose(function(view), function(view.copy(order="C")), rtol=4 * EPS, atol=EPS)


@pytest.mark.parametrize("function", ROW_FUNCTIONS)
def test_no_rows_give_no_rows(function):
    for axis in (-1, 1):
        result = function(np.zeros((0, 3)), axis=axis, temperature=2.0)
        assert result.shape == ((0, 3, 3) if function is softmax_jacobian else (0, 3))


def test_a_single_class_is_certain():
    assert_array_equal(softmax([[5.0], [-1e300]]), [[1], [1]])
    assert_array_equal(log_softmax([[5.0], [-1e300]]), [[0], [0]])
    assert_array_equal(softmax_jacobian([5.0]), [[0]])


CALLS = {
    "softmax": lambda z, v, y, s: softmax(z, temperature=2.0),
    "log_softmax": lambda z, v, y, s: log_softmax(z, temperature=2.0),
    "softmax_jacobian": lambda z, v, y, s: softmax_jacobian(z, temperature=2.0),
    "softmax_jvp": lambda z, v, y, s: softmax_jvp(z, v, temperature=2.0),
    "softmax_vjp": lambda z, v, y, s: softmax_vjp(z, v, temperature=2.0),
    "logsumexp": lambda z, v, y, s: logsumexp(z),
    "entropy": lambda z, v, y, s: entropy(y),
    "kl_divergence": lambda z, v, y, s: kl_divergence(y, y[::-1]),
    "sigmoid": lambda z, v, y, s: sigmoid(z),
    "sigmoid_derivative": lambda z, v, y, s: sigmoid_derivative(z),
    "cross_entropy": lambda z, v, y, s: cross_entropy(z, y, sample_weight=s, label_smoothing=0.1),
    "cross_entropy_gradient": lambda z, v, y, s: cross_entropy_gradient(
        z, y, sample_weight=s, label_smoothing=0.1
    ),
    "squared_error": lambda z, v, y, s: squared_error(z, y, sample_weight=s),
    "squared_error_gradient": lambda z, v, y, s: squared_error_gradient(z, y, sample_weight=s),
    **{f"{n}.value": lambda z, v, y, s, n=n: ACTIVATIONS[n].value(z) for n in NAMES},
    **{f"{n}.derivative": lambda z, v, y, s, n=n: ACTIVATIONS[n].derivative(z) for n in NAMES},
}


@pytest.mark.parametrize("name", CALLS)
@by_dtype
def test_arguments_are_never_modified_nor_returned(name, dtype):
    arguments = [
        np.array([[1, -2, 3], [INF, 0, -INF]], dtype=dtype),
        np.array([[1, 2, 3], [-1, 0, 1]], dtype=dtype),
        np.array([[0.5, 0.5, 0], [1, 0, 0]], dtype=dtype),
        np.array([1, 2], dtype=dtype),
    ]
    if "cross_entropy" in name:
        arguments[0][1] = 0  # where a class is impossible, smoothing costs infinity
    before = [argument.copy() for argument in arguments]
    result = CALLS[name](*arguments)
    for argument, original in zip(arguments, before, strict=True):
        assert_array_equal(argument, original)
        assert not np.shares_memory(argument, result)


# -- softmax and log_softmax: infinite scores and errors -------------------------------------------


@by_dtype
def test_a_score_of_minus_infinity_gets_probability_exactly_0(dtype):
    scores = np.array([[-INF, 0, 1], [2, -INF, -INF]], dtype=dtype)
    p, log_p = softmax(scores), log_softmax(scores)
    assert_array_equal(p[0], [0, *softmax(scores[0, 1:])])
    assert_array_equal(log_p[0], [-INF, *log_softmax(scores[0, 1:])])
    assert_array_equal(p[1], [1, 0, 0])
    assert_array_equal(log_p[1], [0, -INF, -INF])


@by_dtype
@pytest.mark.parametrize("temperature", [1.0, 0.25, 4.0])
def test_scores_of_plus_infinity_share_the_certainty(dtype, temperature):
    scores = np.array([[INF, 1, INF], [-INF, INF, 6e4], [1, 1, 1]], dtype=dtype)
    expected = np.array([[0.5, 0, 0.5], [0, 1, 0], [1 / 3] * 3], dtype=dtype)
    assert_allclose(softmax(scores, temperature=temperature), expected, rtol=1e-6)
    with np.errstate(divide="ignore"):
        expected = np.log(expected)
    log_p = log_softmax(scores, temperature=temperature)
    assert_allclose(log_p, expected, rtol=4 * np.finfo(dtype).eps)


@by_dtype
def test_a_row_of_nothing_but_minus_infinity_gives_nan_there_and_nowhere_else(dtype):
    scores = np.array([[-INF, -INF], [0, 0]], dtype=dtype)
    for function in (softmax, log_softmax, softmax_jacobian):
        result = function(scores)
        assert np.isnan(result[0]).all()
        assert np.isfinite(result[1]).all()


def with_scores(function):
    """`function` of scores and keywords alone."""
    if function in PRODUCTS:
        return lambda scores, **keywords: function(scores, [1.0, 2.0], **keywords)
    if function in LOSSES + GRADIENTS:
        return lambda scores: function(scores, [0])
    return function


@pytest.mark.parametrize("function", ROW_FUNCTIONS + PRODUCTS + LOSSES + GRADIENTS)
@pytest.mark.parametrize("scores", [[[1j, 2.0]], [["a", "b"]], [[None, 1.0]], [[b"1", b"2"]]])
def test_scores_that_are_not_real_numbers_are_a_type_error(function, scores):
    with pytest.raises(TypeError, match="scores"):
        with_scores(function)(scores)


@pytest.mark.parametrize("function", ROW_FUNCTIONS + PRODUCTS)
@pytest.mark.parametrize("temperature", [0, 0.0, -1.5, np.nan, INF, -INF])
def test_temperature_that_is_not_positive_and_finite_is_a_value_error(function, temperature):
    with pytest.raises(ValueError, match=rf"temperature.*{temperature}"):
        with_scores(function)([1.0, 2.0], temperature=temperature)


@pytest.mark.parametrize("function", ROW_FUNCTIONS + PRODUCTS + LOSSES + GRADIENTS)
def test_an_empty_class_axis_is_a_value_error(function):
    with pytest.raises(ValueError, match=r"scores.*\(2, 0\).*-1"):
        with_scores(function)(np.zeros((2, 0)))


@pytest.mark.parametrize("function", ROW_FUNCTIONS + PRODUCTS)
@pytest.mark.parametrize(
    ("shape", "axis"), [((), -1), ((), 0), ((2,), 1), ((2,), -2), ((2, 2), 2), ((2, 2), -3)]
)
def test_a_missing_axis_is_a_value_error(function, shape, axis):
    with pytest.raises(ValueError, match=rf"scores.*axis {axis}"):
        with_scores(function)(np.zeros(shape), axis=axis)


@pytest.mark.parametrize("function", ROW_FUNCTIONS + PRODUCTS)
@pytest.mark.parametrize(
    ("axis", "error", "match"),
    [
        ((0, 2), ValueError, r"scores of shape \(2, 2\) have no axis \(0, 2\)"),
        ((), ValueError, r"scores of shape \(2, 2\) have no axis \(\)"),
        ((1, -1), ValueError, r"axis=\(1, -1\) names an axis .* twice"),
        (0.5, TypeError, "axis must be an integer, a tuple of integers or None, got 0.5"),
        ("rows", TypeError, "got 'rows'"),
        ([0, 1], TypeError, r"got \[0, 1\]"),
    ],
)
def test_an_axis_that_is_none_is_refused(function, axis, error, match):
    with pytest.raises(error, match=match):
        with_scores(function)(np.zeros((2, 2)), axis=axis)


@pytest.mark.parametrize("function", ROW_FUNCTIONS + PRODUCTS)
@pytest.mark.parametrize(
    ("temperature", "error", "match"),
    [
        ([1.0, 2.0], ValueError, r"temperature of shape \(2,\) .* shape \(3, 2\) .* \(n_rows, 1\)"),
        ([1.0, 2.0, 3.0], ValueError, r"temperature of shape \(3,\) cannot be broadcast"),
        ([[1.0], [0.0], [2.0]], ValueError, "temperature must be positive and finite, got"),
        ([[1.0], [np.nan], [2.0]], ValueError, "temperature must be positive and finite, got"),
        (["hot"], TypeError, "temperature must be an array of real numbers"),
    ],
)
def test_a_temperature_that_does_not_fit_is_refused(function, temperature, error, match):
    with pytest.raises(error, match=match):
        with_scores(function)(np.zeros((3, 2)), temperature=temperature)


# -- several axes, and a temperature for each row --------------------------------------------------

AXES = [None, (0, 1), (2, 0), (-1, 1), (0, 1, 2), 1, (1,)]
every_axis = pytest.mark.parametrize("axis", AXES, ids=str)


@by_dtype
@every_axis
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_axes_are_those_of_scipy(name, axis, dtype):
    scores = rng().normal(size=(3, 4, 2), scale=5).astype(dtype)
    ours = {"softmax": softmax, "log_softmax": log_softmax}[name](scores, axis=axis)
    theirs = getattr(special, name)(scores.astype(np.float64), axis=axis)
    assert ours.dtype == dtype
    assert_allclose(ours, theirs, rtol=64 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)


def flat(array, axis):
    """The axes moved last and made one."""
    axes = range(array.ndim) if axis is None else np.atleast_1d(axis) % array.ndim
    kept = [a for a in range(array.ndim) if a not in axes]
    moved = array.transpose(*kept, *sorted(axes))
    return moved.reshape(*moved.shape[: len(kept)], -1)


@every_axis
def test_derivatives_along_several_axes_are_those_along_all_of_them_in_one(axis):
    scores, vector = rng().normal(size=(2, 3, 4, 2))
    jacobian = softmax_jacobian(scores, axis=axis, temperature=2.0)
    expected = softmax_jacobian(flat(scores, axis), temperature=2.0)
    assert_allclose(jacobian, expected, rtol=1e-12, atol=EPS)
    for product in PRODUCTS:
        result = product(scores, vector, axis=axis, temperature=2.0)
        assert result.shape == scores.shape
        along_one = product(flat(scores, axis), flat(vector, axis), temperature=2.0)
        assert_allclose(flat(result, axis), along_one, rtol=1e-12, atol=EPS)


@by_dtype
def test_a_temperature_for_each_row_is_as_good_as_one_after_the_other(dtype):
    scores = rng().normal(size=(4, 3), scale=5).astype(dtype)
    vector = rng(1).normal(size=(4, 3)).astype(dtype)
    temperatures = [0.25, 1.0, 3.0, 1e50]
    column = np.array(temperatures)[:, None]
    for function in ROW_FUNCTIONS:
        expected = [function(z, temperature=T) for z, T in zip(scores, temperatures, strict=True)]
        result = function(scores, temperature=column)
        assert result.dtype == dtype
        assert_allclose(result, expected, rtol=8 * np.finfo(dtype).eps)
    for product in PRODUCTS:
        expected = [
            product(z, v, temperature=T)
            for z, v, T in zip(scores, vector, temperatures, strict=True)
        ]
        result = product(scores, vector, temperature=column)
        assert_allclose(result, expected, rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("function", ROW_FUNCTIONS + PRODUCTS)
def test_temperatures_may_have_axes_that_the_scores_lack(function):
    scores = rng().normal(size=(4, 2))
    temperatures = np.array([0.5, 1.0, 8.0])
    result = with_scores(function)(scores, temperature=temperatures[:, None, None])
    expected = [with_scores(function)(scores, temperature=T) for T in temperatures]
    assert_allclose(result, expected, rtol=1e-12, atol=EPS)
    over_all = with_scores(function)(scores, axis=None, temperature=temperatures[:, None, None])
    expected = [with_scores(function)(scores, axis=None, temperature=T) for T in temperatures]
    assert_allclose(over_all, expected, rtol=1e-12, atol=EPS)


def test_infinite_scores_and_huge_differences_in_rows_of_their_own_temperature():
    scores = [[INF, 0.0, INF], [1e308, -1e308, 0.0], [-INF, 0.0, 0.0]]
    p = softmax(scores, temperature=[[0.5], [1e308], [4.0]])
    expected = [[0.5, 0, 0.5], special.softmax([1.0, -1.0, 0.0]), [0, 0.5, 0.5]]
    assert_allclose(p, expected, rtol=8 * EPS)


# -- the derivative of softmax ---------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
@examples
@given(row=moderate(4))
def test_jacobian_equals_complex_step_differentiation(temperature, row):
    derivative = complex_step(lambda z: complex_softmax(z, temperature), row).T
    jacobian = softmax_jacobian(row, temperature=temperature)
    assert_allclose(jacobian, derivative, rtol=1e-12, atol=2 * EPS / temperature)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
@pytest.mark.parametrize(
    "row", [(1, 2, 3), (40, 0, 1), (0, 40, 1), (0, 1, 40), (0, 0), (300, 0, -1), (-3, -2.5, 0, 1)]
)
@at_50_digits
def test_jacobian_is_relatively_accurate_even_for_a_nearly_certain_class(row, temperature):
    depth = (max(row) - min(row)) / temperature
    jacobian = softmax_jacobian(row, temperature=temperature)
    assert_relative(jacobian, exact_jacobian(row, temperature), EPS * (10 + 2 * depth))


@examples
@given(finite(np.float64, max_dims=2))
def test_jacobian_is_symmetric_with_rows_that_sum_to_0_and_no_negative_eigenvalue(scores):
    jacobian = softmax_jacobian(scores)
    assert_array_equal(jacobian, np.swapaxes(jacobian, -1, -2))
    assert np.abs(jacobian.sum(axis=-1)).max() <= EPS
    assert np.linalg.eigvalsh(jacobian).min() >= -4 * EPS


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_jacobian_moves_the_class_axis_last_and_doubles_it(axis):
    scores = rng().normal(size=(2, 3, 4))
    moved = np.moveaxis(scores, axis, -1)
    jacobian = softmax_jacobian(scores, axis=axis, temperature=2.0)
    assert jacobian.shape == (*moved.shape, moved.shape[-1])
    for index in np.ndindex(moved.shape[:-1]):
        single = softmax_jacobian(moved[index], temperature=2.0)
        assert_allclose(jacobian[index], single, rtol=8 * EPS)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_products_equal_those_with_the_jacobian(product, axis, temperature):
    scores, vector = rng().normal(size=(2, 2, 3, 4))
    jacobian = softmax_jacobian(scores, axis=axis, temperature=temperature)
    moved = np.moveaxis(vector, axis, -1)
    # J is applied as it stands for jvp and transposed for vjp.
    subscripts = "...ij,...j->...i" if product is softmax_jvp else "...ij,...i->...j"
    expected = np.moveaxis(np.einsum(subscripts, jacobian, moved), -1, axis)
    result = product(scores, vector, axis=axis, temperature=temperature)
    assert_allclose(result, expected, rtol=1e-12, atol=4 * EPS)


@examples
@given(moderate(2, 4), moderate(2, 4), moderate(2, 4), st.floats(0.1, 10.0))
def test_jvp_and_vjp_are_adjoint(scores, u, v, temperature):
    forward = (u * softmax_jvp(scores, v, temperature=temperature)).sum()
    backward = (softmax_vjp(scores, u, temperature=temperature) * v).sum()
    size = np.abs(u).max() * np.abs(v).max() / temperature
    assert abs(forward - backward) <= 64 * EPS * size


@examples
@given(moderate(4), moderate(4), st.floats(0.1, 10.0))
def test_jvp_equals_the_complex_step_along_the_tangent(row, tangent, temperature):
    h = 1e-30
    expected = complex_softmax(row + 1j * h * tangent, temperature).imag / h
    result = softmax_jvp(row, tangent, temperature=temperature)
    size = np.abs(tangent).max() / temperature
    # The step times a tangent below 1e-290 is no longer a number that double precision can hold.
    atol = 16 * EPS * size + 1e-290
    assert_allclose(result, expected, rtol=1e-12, atol=atol)
    assert abs(result.sum()) <= atol


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("certain", [0, 1, 2])
@pytest.mark.parametrize("moved", [0, 1, 2])
@at_50_digits
def test_products_are_relatively_accurate_for_a_nearly_certain_class(product, certain, moved):
    scores = np.array([0.0, 1.0, 2.0])
    scores[certain] = 40
    column = [row[moved] for row in exact_jacobian(scores)]
    assert_relative(product(scores, np.eye(3)[moved]), column, 16 * EPS)


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_common_offset_of_the_vector_costs_the_products_no_digits(product):
    scores, vector = [0.5, -1.0, 2.0], np.array([3.0, -1.0, 2.0])
    assert_array_equal(product(scores, vector + 2.0**40), product(scores, vector))


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (1, 3, 1), (2, 1, 1)])
def test_products_broadcast_the_vector_against_the_scores(product, shape, axis):
    scores, vector = rng().normal(size=(2, 3, 4)), rng(1).normal(size=shape)
    expected = product(scores, np.broadcast_to(vector, scores.shape).copy(), axis=axis)
    assert_allclose(product(scores, vector, axis=axis), expected, rtol=1e-12, atol=4 * EPS)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("axis", [0, -1])
def test_products_take_axis_to_be_one_of_the_scores_under_a_vector_of_more_axes(product, axis):
    scores, vectors = [3.0, 2.0, 1.0], rng().normal(size=(5, 3))
    expected = [product(scores, vector) for vector in vectors]
    assert_allclose(product(scores, vectors, axis=axis), expected, rtol=1e-12, atol=4 * EPS)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("temperature", [1e-50, 1e50])
def test_derivatives_vanish_at_temperatures_outside_the_range_of_the_scores_dtype(
    dtype, temperature
):
    scores = np.array([1, 3, 2], dtype=dtype)
    assert_array_equal(softmax_jacobian(scores, temperature=temperature), np.zeros((3, 3)))
    for product in PRODUCTS:
        assert_array_equal(product(scores, scores, temperature=temperature), np.zeros(3))


@pytest.mark.parametrize("product", PRODUCTS)
def test_products_preserve_floating_dtypes_and_make_integers_float64(product):
    for dtype in DTYPES:
        assert product(np.ones(2, dtype=dtype), np.ones(2, dtype=dtype)).dtype == dtype
    assert product([1, 2], [1, 0]).dtype == np.float64
    assert product(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    ("product", "name"), [(softmax_jvp, "tangent"), (softmax_vjp, "cotangent")]
)
@pytest.mark.parametrize("vector", [["a", "b"], [1j, 0]])
def test_a_vector_that_is_not_real_is_a_type_error_that_names_it(product, name, vector):
    with pytest.raises(TypeError, match=rf"\b{name}\b"):
        product([0.0, 1.0], vector)


# -- sigmoid ---------------------------------------------------------------------------------------


SIGMOID_POINTS = [
    -740,
    -700,
    -100.5,
    -40,
    -1,
    -1e-10,
    0,
    1e-300,
    0.5,
    1.5,
    20,
    36.7,
    40,
    700,
    1e300,
]


@at_50_digits
def test_sigmoid_is_exact_to_rounding_in_both_tails():
    z = np.array(SIGMOID_POINTS)
    assert_relative(sigmoid(z), [1 / (1 + mp.exp(-x)) for x in exactly(z)], 3 * EPS)


@at_50_digits
def test_sigmoid_derivative_is_relatively_accurate_in_both_tails():
    z = np.array(SIGMOID_POINTS)
    exact = [mp.exp(-abs(x)) / (1 + mp.exp(-abs(x))) ** 2 for x in exactly(z)]
    assert_relative(sigmoid_derivative(z), exact, 5 * EPS)
    # The same formula by differentiation, so that it is not only compared with itself.
    slopes = [exact_slope(lambda x: 1 / (1 + mp.exp(-x)), x) for x in exactly(z[3:10])]
    assert_relative(sigmoid_derivative(z[3:10]), slopes, 5 * EPS)


@examples
@given(any_finite)
def test_sigmoid_is_the_second_of_two_classes_when_the_first_has_score_0(z):
    pair = softmax(np.stack([np.zeros_like(z), z], axis=-1))
    np.testing.assert_array_max_ulp(sigmoid(z), pair[..., 1], maxulp=1)


def test_sigmoid_equals_two_class_softmax_exactly_where_the_example_says_so():
    assert float(sigmoid(1.5)) == float(softmax([0.0, 1.5])[1])


@examples
@given(any_finite)
def test_sigmoid_of_minus_z_is_one_minus_sigmoid_of_z(z):
    eps = np.finfo(z.dtype).eps
    difference = sigmoid(-z).astype(np.float64) - (1 - sigmoid(z).astype(np.float64))
    assert np.abs(difference).max() <= eps


@examples
@given(any_finite)
@example(np.array([1e-9]))
@example(np.array([2.3077024e-05], dtype=np.float32))
def test_sigmoid_derivative_is_even_and_between_0_and_a_quarter(z):
    slope = sigmoid_derivative(z)
    assert slope.min() >= 0
    assert slope.max() <= 0.25
    assert_array_equal(slope, sigmoid_derivative(-z))


def test_sigmoid_is_exact_at_0_and_at_infinity():
    assert_array_equal(sigmoid([-INF, 0, INF]), [0, 0.5, 1])
    assert_array_equal(sigmoid_derivative([-INF, 0, INF]), [0, 0.25, 0])


@pytest.mark.parametrize("function", [sigmoid, sigmoid_derivative])
@by_dtype
def test_sigmoid_keeps_shape_and_dtype_down_to_scalars_and_empty_arrays(function, dtype):
    for z in (
        dtype(2),
        np.array(2, dtype=dtype),
        np.ones((2, 1, 3), dtype),
        np.ones((0, 2), dtype),
    ):
        result = function(z)
        assert isinstance(result, np.ndarray)
        assert result.shape == np.shape(z)
        assert result.dtype == dtype
    assert function(2).dtype == function(True).dtype == np.float64


@pytest.mark.parametrize("function", [sigmoid, sigmoid_derivative])
@pytest.mark.parametrize("z", [1j, "a", [None]])
def test_sigmoid_of_what_is_not_a_real_number_is_a_type_error(function, z):
    with pytest.raises(TypeError, match=r"\bz\b"):
        function(z)


# -- activations -----------------------------------------------------------------------------------


EXACT_ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": lambda z: 1 / (1 + mp.exp(-z)),
    "tanh": mp.tanh,
    "relu": lambda z: max(z, mpf(0)),
    "leaky_relu": lambda z: z if z > 0 else z / 100,
    "elu": lambda z: z if z > 0 else mp.expm1(z),
    "softplus": lambda z: mp.log1p(mp.exp(-abs(z))) + max(z, mpf(0)),
    "silu": lambda z: z / (1 + mp.exp(-z)),
    "gelu": lambda z: z * mp.erfc(-z / mp.sqrt(2)) / 2,
}
LIMITS = {  # of value and derivative, at minus and plus infinity
    "identity": ([-INF, INF], [1, 1]),
    "logistic": ([0, 1], [0, 0]),
    "tanh": ([-1, 1], [0, 0]),
    "relu": ([0, INF], [0, 1]),
    "leaky_relu": ([-INF, INF], [0.01, 1]),
    "elu": ([-1, INF], [0, 1]),
    "softplus": ([0, INF], [0, 1]),
    "silu": ([0, INF], [0, 1]),
    "gelu": ([0, INF], [0, 1]),
}
# Inputs for which no activation is denormal, apart from gelu, which is checked closer to 0.
TAILS = {np.float16: [-7.5, 200], np.float32: [-80, 1e30], np.float64: [-700, -50.3, 1e300]}
GELU_TAILS = {np.float16: [-3, 200], np.float32: [-12, 1e30], np.float64: [-36, -15.5, 1e300]}


def points(name, dtype):
    tails = GELU_TAILS if name == "gelu" else TAILS
    middle = np.concatenate([np.linspace(-2.9, 3.1, 25), [-1e-3, 1e-3, 12.0, 16.6, 36.75]])
    return np.concatenate([tails[dtype], middle]).astype(dtype)


def test_registry_holds_exactly_the_documented_names_each_under_its_own():
    assert tuple(ACTIVATIONS) == NAMES
    for name, activation in ACTIVATIONS.items():
        assert activation.name == name


def test_sigmoid_is_another_name_of_logistic_and_unknown_names_are_told_all():
    assert ACTIVATIONS["sigmoid"] is ACTIVATIONS["logistic"]
    assert "sigmoid" in ACTIVATIONS
    assert "relo" not in ACTIVATIONS
    with pytest.raises(KeyError, match=r"'relo'; there are identity, .*, gelu, sigmoid"):
        ACTIVATIONS["relo"]


def test_help_on_the_registry_lists_each_activation():
    text = pydoc.render_doc(ACTIVATIONS, renderer=pydoc.plaintext)
    assert all(re.search(rf"{name} +.*z", text) for name in NAMES)
    assert "gelu" in repr(ACTIVATIONS)


def test_registry_and_its_entries_are_read_only():
    with pytest.raises(TypeError):
        ACTIVATIONS["relu"] = ACTIVATIONS["tanh"]
    with pytest.raises(TypeError):
        del ACTIVATIONS["relu"]
    with pytest.raises(AttributeError):
        ACTIVATIONS["relu"].name = "other"


@by_name
@by_dtype
@at_50_digits
def test_activation_value_is_within_a_few_eps_of_50_digits(name, dtype):
    z = points(name, dtype)
    # gelu's normal distribution function is of z/sqrt(2), whose rounding is felt z² times over.
    condition = np.square(np.minimum(z, 0), dtype=np.float64) if name == "gelu" else 0
    exact = [EXACT_ACTIVATIONS[name](x) for x in exactly(z)]
    assert_relative(ACTIVATIONS[name].value(z), exact, np.finfo(dtype).eps * (4 + condition))


@by_name
@by_dtype
@at_50_digits
def test_activation_derivative_is_the_slope_to_rounding_of_its_largest_values(name, dtype):
    z = points(name, dtype)
    z = z[(z != 0) & (z < 1000)]  # at 1e30 and more, 50 digits are not enough for a difference
    slopes = ACTIVATIONS[name].derivative(z)
    for slope, x in zip(slopes, exactly(z), strict=True):
        error = abs(mpf(float(slope)) - exact_slope(EXACT_ACTIVATIONS[name], x))
        assert error <= 4 * np.finfo(dtype).eps, (float(x), float(slope))


@pytest.mark.parametrize(("name", "left"), [("relu", 0), ("leaky_relu", 0.01), ("elu", 1)])
@by_dtype
def test_derivative_at_a_kink_is_the_slope_from_the_left(name, left, dtype):
    smallest = float(np.finfo(dtype).smallest_subnormal)
    z = np.array([0.0, -0.0, -smallest, smallest], dtype=dtype)
    expected = np.array([left, left, left, 1], dtype=dtype)
    assert_array_equal(ACTIVATIONS[name].derivative(z), expected)


@by_name
@by_dtype
def test_activation_limits_are_reached_at_infinity(name, dtype):
    ends = np.array([-INF, INF], dtype=dtype)
    value, slope = np.array(LIMITS[name], dtype=dtype)
    assert_array_equal(ACTIVATIONS[name].value(ends), value)
    assert_array_equal(ACTIVATIONS[name].derivative(ends), slope)


@by_name
@examples
@given(z=any_finite)
def test_activation_of_finite_numbers_is_finite_and_its_slope_bounded(name, z):
    activation = ACTIVATIONS[name]
    value, slope = activation(z), activation.derivative(z)
    assert np.isfinite(value).all()
    assert slope.min() >= -0.13  # the lowest is gelu's, -0.129 at -sqrt(2)
    assert slope.max() <= 1.13  # the highest too, 1.129 at sqrt(2)
    assert value.dtype == slope.dtype == z.dtype
    assert value.shape == slope.shape == z.shape


@by_name
def test_calling_an_activation_is_its_value(name):
    z = np.linspace(-3, 3, 13)
    assert_array_equal(ACTIVATIONS[name](z), ACTIVATIONS[name].value(z))


@by_name
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_kernel_may_write_over_its_input(name, dtype):
    z = np.array([-INF, -1e30, -90, -2, -0.0, 0, 1e-40, 0.7, 3, 90, 1e30, INF], dtype=dtype)
    fresh, inplace = np.full_like(z, np.nan), z.copy()
    ACTIVATIONS[name].value_into(z, fresh)
    ACTIVATIONS[name].value_into(inplace, inplace)
    assert_array_equal(inplace, fresh)
    assert_array_equal(fresh, ACTIVATIONS[name].value(z))


@by_name
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_leave_their_inputs_alone_and_overwrite_all_of_a_separate_output(name, dtype):
    z = np.linspace(-4, 4, 24, dtype=dtype).reshape(4, 6)
    a, slope = np.full_like(z, np.nan), np.full_like(z, np.nan)
    ACTIVATIONS[name].value_into(z, a)
    kept = a.copy()
    ACTIVATIONS[name].slope_into(z, a, slope)
    assert_array_equal(z, np.linspace(-4, 4, 24, dtype=dtype).reshape(4, 6))
    assert_array_equal(a, kept)
    assert_array_equal(slope, ACTIVATIONS[name].derivative(z))


@by_name
def test_activation_takes_scalars_lists_views_and_integers(name):
    activation = ACTIVATIONS[name]
    z = rng().normal(size=(4, 6))
    for method in (activation.value, activation.derivative):
        assert method(0.5).shape == ()
        assert method(np.float32(0.5)).dtype == np.float32
        assert method([1, -1]).dtype == method(True).dtype == np.float64
        assert_array_equal(method([1, -1]), method(np.array([1.0, -1.0])))
        assert_allclose(method(z.T[::2]), method(z.T[::2].copy()), rtol=4 * EPS, atol=EPS)
        assert method(np.zeros((0, 2))).shape == (0, 2)


@by_name
@pytest.mark.parametrize("z", [[1j], ["a"], [None]])
def test_activation_of_what_is_not_a_real_number_is_a_type_error(name, z):
    for method in (ACTIVATIONS[name].value, ACTIVATIONS[name].derivative):
        with pytest.raises(TypeError, match=r"\bz\b"):
            method(z)


# -- cross-entropy: values -------------------------------------------------------------------------


SCORES = rng(2).normal(scale=3, size=(5, 3))
TARGETS = {
    "labels": np.array([0, 2, 1, 1, 0]),
    "soft": rng(3).dirichlet([0.7] * 3, size=5),
    "hard": np.eye(3)[[0, 2, 1, 1, 0]],
}
WEIGHTS = {"unweighted": None, "weighted": np.array([0.5, 2.0, 0.0, 1.0, 3.0])}

by_targets = pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
by_weight = pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
by_smoothing = pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])


def as_rows(targets):
    return np.eye(3)[targets] if targets.ndim == 1 else targets


def as_weight(weight):
    return np.ones(5) if weight is None else weight


@by_targets
@by_weight
@by_smoothing
@at_50_digits
def test_cross_entropy_is_the_weighted_mean_of_minus_y_log_p(targets, weight, smoothing):
    share = mpf(smoothing)
    losses = [
        -sum(((1 - share) * y + share / 3) * log_p for y, log_p in zip(row, logs, strict=True))
        for row, logs in zip(exactly(as_rows(targets)), map(exact_log_softmax, SCORES), strict=True)
    ]
    s = exactly(as_weight(weight))
    exact = sum(a * b for a, b in zip(s, losses, strict=True)) / sum(s)
    loss = cross_entropy(SCORES, targets, sample_weight=weight, label_smoothing=smoothing)
    assert isinstance(loss, float)
    assert_relative(loss, exact, 16 * EPS)


@at_50_digits
def test_cross_entropy_of_a_confident_correct_prediction_keeps_its_digits():
    assert_relative(cross_entropy([[40.0, 0.0]], [0]), mp.log1p(mp.exp(-40)), 2 * EPS)


@by_weight
@by_smoothing
def test_one_hot_rows_are_integer_labels(weight, smoothing):
    keywords = {"sample_weight": weight, "label_smoothing": smoothing}
    labels, rows = TARGETS["labels"], TARGETS["hard"]
    loss = cross_entropy(SCORES, labels, **keywords)
    assert cross_entropy(SCORES, rows, **keywords) == pytest.approx(loss, rel=4 * EPS)
    assert_array_equal(
        cross_entropy_gradient(SCORES, rows, **keywords),
        cross_entropy_gradient(SCORES, labels, **keywords),
    )


@pytest.mark.parametrize("function", [cross_entropy, cross_entropy_gradient])
@by_weight
def test_label_smoothing_is_mixing_the_targets_with_the_uniform_distribution(function, weight):
    mixed = 0.8 * TARGETS["hard"] + 0.2 / 3
    smoothed = function(SCORES, TARGETS["labels"], sample_weight=weight, label_smoothing=0.2)
    assert_allclose(smoothed, function(SCORES, mixed, sample_weight=weight), rtol=1e-14, atol=EPS)


@pytest.mark.parametrize("function", LOSSES + GRADIENTS)
@by_targets
def test_lists_tuples_bools_and_unsigned_labels_are_as_good_as_arrays(function, targets):
    expected = function(SCORES, targets)
    assert_array_equal(function(SCORES.tolist(), targets.tolist()), expected)
    weighted = function(SCORES, targets, sample_weight=(True,) * 5)
    assert_allclose(weighted, expected, rtol=8 * EPS)
    if targets.ndim == 1:
        assert_array_equal(function(SCORES, targets.astype(np.uint8)), expected)
        assert_array_equal(
            function(SCORES, targets > 0), function(SCORES, (targets > 0).astype(int))
        )


@pytest.mark.parametrize("function", LOSSES + GRADIENTS)
@pytest.mark.parametrize("soft", [False, True])
def test_any_number_of_leading_axes_is_the_same_as_flattening_them(function, soft):
    scores = rng().normal(size=(2, 3, 4))
    labels = rng(1).integers(0, 4, size=(2, 3))
    targets = rng(1).dirichlet([1.0] * 4, size=(2, 3)) if soft else labels
    flat = targets.reshape(-1, 4) if soft else labels.ravel()
    weight = rng(4).uniform(0.1, 2, size=(2, 3))
    result = function(scores, targets, sample_weight=weight)
    expected = function(scores.reshape(-1, 4), flat, sample_weight=weight.ravel())
    if function in GRADIENTS:
        assert result.shape == scores.shape
        expected = expected.reshape(scores.shape)
    assert_allclose(result, expected, rtol=1e-13)


@pytest.mark.parametrize("function", LOSSES + GRADIENTS)
def test_a_single_row_may_come_without_a_batch_axis(function):
    expected = function([[1.0, 2.0, 0.5]], [2])
    for targets in (2, [0.0, 0.0, 1.0]):
        for weight in (None, 3.0):
            result = function([1.0, 2.0, 0.5], targets, sample_weight=weight)
            assert_allclose(result, np.squeeze(expected), rtol=8 * EPS)


# -- cross-entropy: gradient -----------------------------------------------------------------------


@by_targets
@by_weight
@by_smoothing
def test_cross_entropy_gradient_equals_complex_step_differentiation(targets, weight, smoothing):
    def loss(z):
        return complex_cross_entropy(z, as_rows(targets), as_weight(weight), smoothing)

    gradient = cross_entropy_gradient(
        SCORES, targets, sample_weight=weight, label_smoothing=smoothing
    )
    expected = complex_step(loss, SCORES).reshape(SCORES.shape)
    assert_allclose(gradient, expected, rtol=1e-12, atol=4 * EPS)
    # The reference differentiates the documented formula; the loss itself must be that formula.
    value = cross_entropy(SCORES, targets, sample_weight=weight, label_smoothing=smoothing)
    assert value == pytest.approx(loss(SCORES), rel=1e-13)


@examples
@given(finite(np.float64, min_dims=2, max_dims=2), st.floats(0, 1), st.data())
def test_cross_entropy_gradient_rows_sum_to_0(scores, smoothing, data):
    n_rows, n_classes = scores.shape
    labels = data.draw(hnp.arrays(np.int64, n_rows, elements=st.integers(0, n_classes - 1)))
    gradient = cross_entropy_gradient(scores, labels, label_smoothing=smoothing)
    assert np.abs(gradient.sum(axis=-1)).max() <= 4 * EPS


@examples
@given(moderate(2, 3, bound=5.0), moderate(2, 3, bound=5.0))
def test_cross_entropy_is_least_where_softmax_equals_the_targets(scores, move):
    targets = softmax(scores)
    least = cross_entropy(scores, targets)
    assert np.abs(cross_entropy_gradient(scores, targets)).max() <= EPS
    assert least == pytest.approx(-(targets * np.log(targets)).sum(axis=-1).mean(), rel=1e-13)
    assert cross_entropy(scores + move, targets) >= least - 4 * EPS * max(1, least)


@examples
@given(moderate(3, 4), moderate(3, 4), st.floats(0, 1))
def test_cross_entropy_is_convex_in_the_scores(one, other, between):
    labels = [0, 1, 3]
    chord = between * cross_entropy(one, labels) + (1 - between) * cross_entropy(other, labels)
    middle = cross_entropy(between * one + (1 - between) * other, labels)
    assert middle <= chord + 32 * EPS * max(1, chord)


def test_cross_entropy_gradient_does_not_vanish_on_a_confident_mistake():
    assert_array_equal(cross_entropy_gradient([[0.0, 1e300]], [0]), [[-1, 1]])


@pytest.mark.parametrize("gradient", GRADIENTS)
@by_targets
@by_weight
@by_dtype
def test_gradients_are_in_the_dtype_of_the_scores_and_agree_with_float64(
    gradient, targets, weight, dtype
):
    result = gradient(SCORES.astype(dtype), targets, sample_weight=weight)
    assert result.dtype == dtype
    expected = gradient(SCORES.astype(dtype).astype(np.float64), targets, sample_weight=weight)
    assert_allclose(result, expected, rtol=0, atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_gradients_of_no_rows_are_empty(gradient):
    for targets in (np.zeros(0, dtype=int), [], np.zeros((0, 3))):
        assert gradient(np.zeros((0, 3)), targets).shape == (0, 3)


# -- losses: sample weights ------------------------------------------------------------------------


@pytest.mark.parametrize("function", LOSSES)
@by_targets
def test_a_zero_weight_is_the_row_removed(function, targets):
    keep = np.array([True, False, True, True, False])
    weight = np.where(keep, [1.0, 9.0, 2.0, 0.5, 9.0], 0)
    expected = function(SCORES[keep], targets[keep], sample_weight=weight[keep])
    assert function(SCORES, targets, sample_weight=weight) == pytest.approx(expected, rel=8 * EPS)


@pytest.mark.parametrize("gradient", GRADIENTS)
@by_targets
def test_a_zero_weight_gives_a_gradient_of_0_and_leaves_the_others_as_without_it(gradient, targets):
    keep = np.array([True, False, True, True, False])
    weight = np.where(keep, [1.0, 9.0, 2.0, 0.5, 9.0], 0)
    result = gradient(SCORES, targets, sample_weight=weight)
    assert_array_equal(result[~keep], 0)
    expected = gradient(SCORES[keep], targets[keep], sample_weight=weight[keep])
    assert_allclose(result[keep], expected, rtol=8 * EPS)


# An infinite cross-entropy, and a row that has no softmax at all.
@pytest.mark.parametrize("removed", [[-INF, 0.0], [0.0, INF], [-INF, -INF]])
@pytest.mark.parametrize("targets", [[1, 0], [[0.5, 0.5], [1.0, 0.0]]], ids=["labels", "soft"])
def test_a_row_of_weight_0_is_removed_even_if_its_loss_is_infinite(targets, removed):
    scores, weight = [[1.0, 2.0], removed], [0.5, 0.0]
    for loss, gradient in zip(LOSSES, GRADIENTS, strict=True):
        value = loss(scores, targets, sample_weight=weight)
        assert value == pytest.approx(loss(scores[:1], targets[:1]), rel=4 * EPS)
        slope = gradient(scores, targets, sample_weight=weight)
        expected = np.vstack([gradient(scores[:1], targets[:1]), [[0, 0]]])
        assert_allclose(slope, expected, rtol=8 * EPS)


@pytest.mark.parametrize("function", LOSSES)
@by_targets
def test_an_integer_weight_is_the_row_repeated(function, targets):
    weight = np.array([1, 3, 2, 1, 4])
    expected = function(SCORES.repeat(weight, axis=0), targets.repeat(weight, axis=0))
    assert function(SCORES, targets, sample_weight=weight) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("gradient", GRADIENTS)
@by_targets
def test_an_integer_weight_is_the_gradient_of_the_repeated_rows_summed(gradient, targets):
    weight = np.array([1, 3, 2, 1, 4])
    repeated = gradient(SCORES.repeat(weight, axis=0), targets.repeat(weight, axis=0))
    starts = np.concatenate([[0], weight.cumsum()[:-1]])
    expected = np.add.reduceat(repeated, starts, axis=0)
    result = gradient(SCORES, targets, sample_weight=weight)
    assert_allclose(result, expected, rtol=1e-12, atol=EPS)


@pytest.mark.parametrize("function", LOSSES + GRADIENTS)
@pytest.mark.parametrize("scale", [1e300, 1e-300, 5e-324, 3.0])
@by_targets
def test_only_the_ratios_of_weights_matter_however_huge_or_tiny(function, scale, targets):
    ratios = np.array([1.0, 2.0, 4.0, 1.0, 0.0])
    expected = function(SCORES, targets, sample_weight=ratios)
    assert_allclose(
        function(SCORES, targets, sample_weight=scale * ratios), expected, rtol=1e-14, atol=EPS
    )


@pytest.mark.parametrize("function", LOSSES + GRADIENTS)
def test_the_largest_float_as_every_weight_is_no_weight(function):
    largest = np.full(5, np.finfo(np.float64).max)
    result = function(SCORES, TARGETS["labels"], sample_weight=largest)
    assert_allclose(result, function(SCORES, TARGETS["labels"]), rtol=1e-14, atol=EPS)


def test_weights_of_1e300_and_1e_minus_300_leave_only_the_heavy_row():
    scores, labels, weight = [[1.0, 2.0], [3.0, 0.0]], [0, 1], [1e300, 1e-300]
    for loss in LOSSES:
        assert loss(scores, labels, sample_weight=weight) == loss(scores[:1], labels[:1])
    for gradient in GRADIENTS:
        result = gradient(scores, labels, sample_weight=weight)
        assert_array_equal(result, np.vstack([gradient(scores[:1], labels[:1]), [[0, 0]]]))


def test_an_infinite_loss_counts_however_small_its_weight():
    scores, labels = [[0.0, 0.0], [0.0, -INF]], [0, 1]
    assert cross_entropy(scores, labels, sample_weight=[1.0, 1e-300]) == INF
    assert cross_entropy(scores, labels, sample_weight=[1e300, 1e-300]) == INF


# -- losses: extreme scores ------------------------------------------------------------------------


def test_a_confident_mistake_costs_as_much_as_the_score_was_wrong_by():
    assert cross_entropy([[0.0, 1000.0]], [0]) == 1000
    assert cross_entropy([[-1e300, 1e300]], [0]) == 2e300
    assert cross_entropy([[-1e300, 1e300]], [1]) == 0
    assert cross_entropy([[-1e300, 1e300]], [[0.25, 0.75]]) == pytest.approx(5e299, rel=4 * EPS)
    assert cross_entropy([[-1e300, 1e300], [0, 1]], [0, 1], sample_weight=[1e-300, 0]) == 2e300


@pytest.mark.parametrize(
    ("scores", "targets", "exact"),
    [
        pytest.param(np.float32([[-3e38, 3e38]]), [0], 6e38, id="difference-beyond-float32"),
        pytest.param([[0.0, 1e308]] * 3, [0, 0, 0], 1e308, id="sum-of-rows-beyond-float64"),
    ],
)
def test_a_loss_of_labels_that_float64_can_hold_is_never_infinite_by_rounding(
    scores, targets, exact
):
    assert cross_entropy(scores, targets) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_gradients_of_the_largest_scores_are_finite(gradient, dtype):
    largest = np.finfo(dtype).max
    scores = np.array([[largest, -largest, 0], [-largest, -largest, largest]], dtype=dtype)
    for targets in ([0, 1], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]):
        assert np.isfinite(gradient(scores, targets)).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@by_dtype
def test_an_impossible_class_costs_nothing_where_the_target_gives_it_nothing(dtype, smoothing):
    scores = np.array([[1, -INF, 2], [0, -INF, 0]], dtype=dtype)
    without = cross_entropy(scores[:, [0, 2]], [0, 1])
    targets = np.array([[1, 0, 0], [0, 0, 1]], dtype=dtype)
    keywords = {"label_smoothing": smoothing}
    # Smoothing gives every class a share, the impossible one included.
    expected = INF if smoothing else pytest.approx(without, rel=1e-6)
    assert cross_entropy(scores, targets, **keywords) == expected
    assert cross_entropy(scores, [0, 2], **keywords) == expected
    assert cross_entropy(scores, [1, 0], **keywords) == INF


def test_an_impossible_class_has_the_gradient_of_probability_0():
    gradient = cross_entropy_gradient([[1.0, -INF, 2.0]], [0])
    assert_array_equal(gradient[:, [0, 2]], cross_entropy_gradient([[1.0, 2.0]], [0]))
    assert gradient[0, 1] == 0


def test_a_certain_class_costs_nothing_if_right_and_infinity_if_wrong():
    assert cross_entropy([[INF, 0.0]], [0]) == 0
    assert cross_entropy([[INF, 0.0]], [1]) == INF
    assert cross_entropy([[INF, 0.0, INF]], [0]) == pytest.approx(np.log(2), rel=2 * EPS)


# -- losses: errors --------------------------------------------------------------------------------


TWO_ROWS = [[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]]
by_loss_or_gradient = pytest.mark.parametrize("function", LOSSES + GRADIENTS)


@by_loss_or_gradient
@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        (["a", "b"], TypeError, "labels"),
        ([0.0, 1.0], TypeError, "labels.*float64"),
        ([0j, 1j], TypeError, "labels"),
        ([0, 3], ValueError, "labels.*n_classes - 1 = 2.*3"),
        ([-1, 0], ValueError, "labels.*-1"),
        ([0], ValueError, r"targets.*\(2,\).*\(2, 3\).*\(1,\)"),
        (0, ValueError, r"targets.*\(\)"),
        ([[0, 1]], ValueError, r"targets.*\(1, 2\)"),
        ([[0, 1], [1, 0]], ValueError, r"targets.*\(2, 2\)"),
        ([[1, 0, 0], [0.5, 0.4, 0.0]], ValueError, r"target.*sum to 1.*0\.1"),
        ([[1, 0, 0], [0.0, 0.0, 0.0]], ValueError, "target.*sum to 1"),
        ([[1, 0, 0], [1.5, -0.5, 0.0]], ValueError, r"target.*negative.*-0\.5"),
        ([[1, 0, 0], [np.nan, 1.0, 0.0]], ValueError, "target.*nan"),
        ([[1, 0, 0], [INF, 0.0, 0.0]], ValueError, "target.*sum to 1"),
        ([[1, 0, 0], [1j, 1.0, 0.0]], TypeError, "targets"),
        ([["a", "b", "c"]] * 2, TypeError, "targets"),
    ],
)
def test_bad_targets_are_an_error_that_names_them(function, targets, error, message):
    with pytest.raises(error, match=message):
        function(TWO_ROWS, targets)


@by_loss_or_gradient
@pytest.mark.parametrize(
    ("weight", "error"),
    [
        ([1.0], ValueError),
        (1.0, ValueError),
        ([[1.0], [1.0]], ValueError),
        ([1.0, -1.0], ValueError),
        ([1.0, np.nan], ValueError),
        ([1.0, INF], ValueError),
        ([0.0, 0.0], ValueError),
        (["a", "b"], TypeError),
        ([1j, 1.0], TypeError),
    ],
)
def test_bad_weights_are_an_error_that_names_them(function, weight, error):
    with pytest.raises(error, match="sample_weight"):
        function(TWO_ROWS, [0, 1], sample_weight=weight)


@pytest.mark.parametrize("function", [cross_entropy, cross_entropy_gradient])
@pytest.mark.parametrize("smoothing", [-0.1, 1.5, np.nan, INF])
def test_label_smoothing_outside_0_to_1_is_a_value_error_with_the_value(function, smoothing):
    with pytest.raises(ValueError, match=rf"label_smoothing.*{smoothing}"):
        function(TWO_ROWS, [0, 1], label_smoothing=smoothing)


@by_loss_or_gradient
@by_dtype
def test_targets_that_miss_a_sum_of_1_by_a_twentieth_are_a_value_error(function, dtype):
    targets = np.array([[1, 0, 0], [0.25, 0.25, 0.55]], dtype=dtype)
    with pytest.raises(ValueError, match=r"target.*sum to 1.*0\.0[45]"):
        function(TWO_ROWS, targets)


@by_loss_or_gradient
@pytest.mark.parametrize(
    ("dtype", "off"), [(np.float16, 1e-3), (np.float32, 1e-6), (np.float64, 1e-12)]
)
def test_targets_may_miss_a_sum_of_1_by_the_rounding_of_their_dtype(function, dtype, off):
    targets = np.array([[0.25, 0.25, 0.5 + off], [1, 0, 0]], dtype=dtype)
    exact = np.array([[0.25, 0.25, 0.5], [1, 0, 0]])
    assert_allclose(function(TWO_ROWS, targets), function(TWO_ROWS, exact), atol=4 * off)


# -- squared error ---------------------------------------------------------------------------------


@by_targets
@by_weight
@at_50_digits
def test_squared_error_is_the_weighted_mean_of_half_the_squared_distance(targets, weight):
    losses = [
        sum((p - y) ** 2 for p, y in zip(exact_softmax(z), row, strict=True)) / 2
        for z, row in zip(SCORES, exactly(as_rows(targets)), strict=True)
    ]
    s = exactly(as_weight(weight))
    exact = sum(a * b for a, b in zip(s, losses, strict=True)) / sum(s)
    loss = squared_error(SCORES, targets, sample_weight=weight)
    assert isinstance(loss, float)
    assert_relative(loss, exact, 32 * EPS)


@by_targets
@by_weight
def test_squared_error_gradient_equals_complex_step_differentiation(targets, weight):
    def loss(z):
        return complex_squared_error(z, as_rows(targets), as_weight(weight))

    expected = complex_step(loss, SCORES).reshape(SCORES.shape)
    gradient = squared_error_gradient(SCORES, targets, sample_weight=weight)
    assert_allclose(gradient, expected, rtol=1e-12, atol=4 * EPS)


@examples
@given(any_finite, st.data())
def test_squared_error_lies_between_0_and_1(scores, data):
    labels = data.draw(
        hnp.arrays(np.int64, scores.shape[:-1], elements=st.integers(0, scores.shape[-1] - 1))
    )
    assert 0 <= squared_error(scores, labels) <= 1 + 4 * EPS


def test_squared_error_reaches_1_and_is_flat_on_a_confident_mistake():
    assert squared_error([[0.0, 1e300]], [0]) == 1
    assert_array_equal(squared_error_gradient([[0.0, 1e300]], [0]), [[0, 0]])


@at_50_digits
def test_squared_error_gradient_of_a_confident_mistake_keeps_its_digits():
    # J (p - y) with p - y = (p - 1, 1 - p): both entries are -+ 2 p (1 - p)², p the right class.
    for scores, label in (([0.0, 40.0], 0), ([40.0, 0.0], 1)):
        p = exact_softmax(scores)[label]
        exact = [-2 * p * (1 - p) ** 2, 2 * p * (1 - p) ** 2]
        gradient = squared_error_gradient([scores], [label])[0]
        assert_relative(gradient, exact if label == 0 else exact[::-1], 16 * EPS)


# -- one_hot ---------------------------------------------------------------------------------------


def test_one_hot_puts_a_1_in_the_column_of_the_label():
    assert_array_equal(one_hot([0, 2, 1]), [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert_array_equal(one_hot([1, 0], 4), [[0, 1, 0, 0], [1, 0, 0, 0]])
    assert_array_equal(one_hot([True, False]), [[0, 1], [1, 0]])
    assert_array_equal(one_hot(np.array([2, 0], dtype=np.uint8)), [[0, 0, 1], [1, 0, 0]])


@examples
@given(hnp.arrays(np.int64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.integers(0, 5)))
def test_one_hot_adds_a_last_axis_and_argmax_undoes_it(labels):
    encoded = one_hot(labels, 6)
    assert encoded.shape == (*labels.shape, 6)
    assert_array_equal(encoded.argmax(axis=-1), labels)
    assert_array_equal(encoded.sum(axis=-1), 1)
    assert_array_equal(np.unique(encoded), [0, 1])
    assert one_hot(labels).shape == (*labels.shape, labels.max() + 1)


def test_one_hot_of_a_lone_label_is_one_row():
    assert_array_equal(one_hot(2), [0, 0, 1])
    assert_array_equal(one_hot(np.int8(1), 3), [0, 1, 0])


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float16, np.float32, np.float64])
def test_one_hot_has_the_dtype_asked_for_and_float64_by_default(dtype):
    assert one_hot([0, 1]).dtype == np.float64
    encoded = one_hot([0, 1], dtype=dtype)
    assert encoded.dtype == dtype
    assert_array_equal(encoded, np.eye(2, dtype=dtype))


def test_one_hot_of_no_labels_has_no_rows():
    assert one_hot([]).shape == (0, 0)
    assert one_hot([], 3).shape == (0, 3)
    assert one_hot(np.zeros((2, 0), dtype=int), 3).shape == (2, 0, 3)


@pytest.mark.parametrize("n_classes", [None, 3])
@pytest.mark.parametrize("labels", [[0.0, 1.0], [0.5], [np.nan], [INF], ["0", "1"], [1j], [None]])
def test_one_hot_of_labels_that_are_not_integers_is_a_type_error(labels, n_classes):
    with pytest.raises(TypeError, match="labels"):
        one_hot(labels, n_classes)


@pytest.mark.parametrize(
    ("labels", "n_classes", "found"),
    [([0, 3], 3, 3), ([0, -1], 3, -1), ([-2], None, -2), ([0], 0, 0)],
)
def test_one_hot_of_a_label_out_of_range_is_a_value_error_with_the_value(labels, n_classes, found):
    with pytest.raises(ValueError, match=rf"labels.*{found}"):
        one_hot(labels, n_classes)
