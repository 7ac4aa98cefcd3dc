"""logsumexp, entropy and kl_divergence, compared with mpmath and SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mpmath import mp, mpf
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats

from softmax_regression.functional import (
    cross_entropy,
    entropy,
    kl_divergence,
    log_softmax,
    logsumexp,
    softmax,
)

EPS = np.finfo(np.float64).eps
INF = np.inf
by_dtype = pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
by_axis = pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (-1, 1), None])
examples = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def rng(seed=0):
    return np.random.default_rng(seed)


def random_probabilities(shape, seed=0):
    """Return rows of Dirichlet variates, some entries of which are 0."""
    p = rng(seed).gamma(0.3, size=shape) * (rng(seed + 1).random(shape) > 0.2)
    p[..., 0] += 1e-3
    return p / p.sum(axis=-1, keepdims=True)


def exact(array):
    return [mpf(float(x)) for x in array]


# -- logsumexp -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e3, 1e300])
def test_logsumexp_is_within_rounding_of_50_digits(scale):
    for row in rng().normal(scale=scale, size=(30, 5)):
        with mp.workdps(50):
            top = max(exact(row))
            wanted = top + mp.log(mp.fsum(mp.exp(z - top) for z in exact(row)))
            error = abs(mpf(float(logsumexp(row))) - wanted)
        assert error <= 4 * EPS * (abs(top) + 2)


def test_logsumexp_keeps_the_digits_of_a_sum_just_above_1():
    with mp.workdps(50):
        wanted = float(mp.log1p(mp.exp(-40)))
    assert_allclose(logsumexp([0.0, -40.0]), wanted, rtol=4 * EPS)


@pytest.mark.filterwarnings("ignore:divide by zero")
@by_axis
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_has_the_axes_of_scipy(axis, keepdims):
    z = rng().normal(size=(3, 4, 5))
    ours = logsumexp(z, axis=axis, keepdims=keepdims)
    theirs = special.logsumexp(z, axis=axis, keepdims=keepdims)
    assert np.shape(ours) == np.shape(theirs)
    assert_allclose(ours, theirs, rtol=1e-14)


def test_logsumexp_of_infinite_scores():
    assert logsumexp([-INF, -INF]) == -INF
    assert logsumexp([INF, 0, INF]) == INF
    assert logsumexp([INF, -INF]) == INF
    assert logsumexp([-INF, 3]) == 3
    assert np.isnan(logsumexp([np.nan, 1]))
    assert_array_equal(logsumexp([[-INF, -INF], [0, 0]]), [-INF, np.log(2)])


@by_dtype
def test_logsumexp_keeps_the_dtype_and_does_not_overflow(dtype):
    top = np.finfo(dtype).max
    assert logsumexp(np.array([top, top, -top], dtype=dtype)).dtype == dtype
    assert logsumexp(np.array([top, top, -top], dtype=dtype)) == top


@examples
@given(hnp.arrays(np.float64, (3, 4), elements=st.floats(-1e3, 1e3)))
def test_log_softmax_is_the_scores_minus_logsumexp(z):
    # 4 eps of the largest score is what the subtraction on the right may round off.
    atol = 8 * EPS * (1 + np.abs(z).max())
    assert_allclose(log_softmax(z), z - logsumexp(z, keepdims=True), rtol=0, atol=atol)
    total = logsumexp(z)
    assert (total >= z.max(axis=-1)).all()
    assert (total <= z.max(axis=-1) + np.log(4) + atol).all()


def test_the_gradient_of_logsumexp_is_softmax():
    z, step = rng().normal(size=4), 1e-6
    slopes = [(logsumexp(z + step * e) - logsumexp(z - step * e)) / (2 * step) for e in np.eye(4)]
    assert_allclose(slopes, softmax(z), rtol=1e-8)


# -- entropy and divergence ------------------------------------------------------------------------


def test_entropy_and_divergence_are_within_rounding_of_50_digits():
    p, q = random_probabilities((40, 5)), random_probabilities((40, 5), seed=5)
    q = (q + 1e-9) / (q + 1e-9).sum(axis=-1, keepdims=True)
    for one, other in zip(p, q, strict=True):
        with mp.workdps(50):
            pairs = [(a, b) for a, b in zip(exact(one), exact(other), strict=True) if a]
            terms = [a * mp.log(a / b) for a, b in pairs]
            wanted = -mp.fsum(a * mp.log(a) for a, _ in pairs)
            assert abs(mpf(float(entropy(one))) - wanted) <= 8 * EPS
            error = abs(mpf(float(kl_divergence(one, other))) - mp.fsum(terms))
            assert error <= 8 * EPS * mp.fsum(map(abs, terms))


@by_axis
def test_entropy_and_divergence_have_the_axes_of_scipy(axis):
    p, q = rng().random((2, 3, 4, 5))
    p, q = (array / array.sum(axis=axis, keepdims=True) for array in (p, q))
    if isinstance(axis, tuple | None):
        assert_allclose(entropy(p, axis=axis), special.entr(p).sum(axis=axis))
        assert_allclose(kl_divergence(p, q, axis=axis), special.rel_entr(p, q).sum(axis=axis))
    else:
        assert_allclose(entropy(p, axis=axis), stats.entropy(p, axis=axis))
        assert_allclose(kl_divergence(p, q, axis=axis), stats.entropy(p, q, axis=axis))


def test_zeros_and_certainty():
    assert_array_equal(entropy([[1, 0], [0, 1], [0.5, 0.5]]), [0, 0, np.log(2)])
    assert_array_equal(kl_divergence([[0, 1], [0.5, 0.5]], [[0, 1], [0, 1]]), [0, INF])
    assert entropy(softmax([-INF, 3.0])) == 0
    assert_allclose(entropy(np.array([5e-324, 1.0])), 0, atol=1e-300)


def test_cross_entropy_is_entropy_plus_divergence():
    z, p = rng().normal(scale=3, size=(6, 4)), random_probabilities((6, 4))
    for row, target in zip(z, p, strict=True):
        total = entropy(target) + kl_divergence(target, softmax(row))
        assert_allclose(cross_entropy(row, target), total, rtol=1e-13)


@examples
@given(hnp.arrays(np.float64, (2, 5), elements=st.floats(-800, 800)))
def test_divergence_is_never_negative_and_0_of_itself(z):
    p, q = softmax(z)
    assert kl_divergence(p, q) >= 0
    assert kl_divergence(p, p) == 0
    assert 0 <= entropy(p) <= np.log(5) * (1 + 4 * EPS)


def test_divergence_of_rows_that_differ_by_rounding_is_not_negative():
    p = random_probabilities((2000, 4))
    q = np.nextafter(p, rng().integers(0, 2, p.shape))
    assert (kl_divergence(p, q) >= 0).all()


@by_dtype
def test_shapes_broadcast_and_dtypes_stay(dtype):
    p = np.full((3, 1, 4), 0.25, dtype=dtype)
    q = np.full((2, 4), 0.25, dtype=dtype)
    assert entropy(p).shape == (3, 1)
    assert entropy(p).dtype == dtype
    assert kl_divergence(p, q).shape == (3, 2)
    assert kl_divergence(p, q).dtype == dtype
    assert kl_divergence(p, q.astype(np.float64)).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: entropy([2.0, 1.0]), ValueError, "of scores take softmax first"),
        (lambda: entropy([1.5, -0.5]), ValueError, "not be negative or NaN, got -0.5"),
        (lambda: entropy([np.nan, 1.0]), ValueError, "not be negative or NaN"),
        (lambda: entropy([INF, 1.0]), ValueError, "sum to 1"),
        (lambda: entropy(["a"]), TypeError, "probabilities must be an array of real numbers"),
        (lambda: entropy(1.0), ValueError, "probabilities of shape"),
        (lambda: entropy([0.5, 0.5], axis=1), ValueError, "have no axis 1"),
        (lambda: entropy(np.ones((3, 0))), ValueError, "have no classes"),
        (lambda: kl_divergence([0.5, 0.5], [3, 2]), ValueError, "^q must sum to 1"),
        (lambda: kl_divergence([3, 2], [0.5, 0.5]), ValueError, "^p must sum to 1"),
        (lambda: kl_divergence([0.5, 0.5], [0.2, 0.3, 0.5]), ValueError, "cannot be broadcast"),
        (lambda: logsumexp([1j]), TypeError, "scores must be"),
        (lambda: logsumexp([[1.0]], axis=(0, 0)), ValueError, "twice"),
    ],
)
def test_errors_say_what_to_do(call, error, words):
    with pytest.raises(error, match=words):
        call()
