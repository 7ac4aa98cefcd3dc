"""Pointwise losses are sums of the cross-entropy of `functional`.

There is a loss for two classes, with a single score, and a loss for more. Common properties are
tested on both, and the first must be the second at the scores (0, z).
"""

import numpy as np
import pytest
from zoo import Problem, slope_along, variants

from softmax_regression._losses.offset import OffsetLoss
from softmax_regression._losses.pointwise import SigmoidLoss, SoftmaxLoss, make_loss
from softmax_regression.functional import cross_entropy, cross_entropy_gradient, sigmoid, softmax

CHOICES = {"n_classes": [2, 3, 12], "soft": [False, True], "weighted": [False, True]}

every_problem = pytest.mark.parametrize("problem", variants(**CHOICES))
every_problem_and_dtype = pytest.mark.parametrize(
    "problem", variants(**CHOICES, dtype=[np.float64, np.float32])
)

ROWS = {
    "all": slice(None),
    "slice": slice(5, 30),
    "numbers": np.array([7, 0, 40, 12]),
}
every_selection = pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS.keys())


def draw_scores(problem, seed=0, scale=3.0):
    shape = (problem.n_outputs, problem.n_rows)
    return np.random.default_rng(seed).normal(scale=scale, size=shape).astype(problem.dtype)


def one_per_class(scores):
    """Scores with one row for each row of X, those of the first of two classes put in."""
    full = np.concatenate([np.zeros_like(scores), scores]) if len(scores) == 1 else scores
    return full.T.astype(np.float64)


@every_problem_and_dtype
@every_selection
def test_value_is_the_weighted_sum_of_cross_entropies(problem, rows):
    scores, weights = draw_scores(problem)[:, rows], problem.weights[rows]
    expected = weights.sum() * cross_entropy(
        one_per_class(scores), problem.targets[rows], sample_weight=weights
    )
    value = problem.loss().value_and_residual(np.ascontiguousarray(scores), rows)
    assert isinstance(value, float)
    assert value == pytest.approx(expected, rel=100 * problem.eps)


@every_problem_and_dtype
@every_selection
def test_residual_is_the_gradient_of_that_sum(problem, rows):
    scores, weights = draw_scores(problem)[:, rows], problem.weights[rows]
    expected = weights.sum() * cross_entropy_gradient(
        one_per_class(scores), problem.targets[rows], sample_weight=weights
    )
    residual = scores.copy()
    problem.loss().value_and_residual(residual, rows)
    assert residual.dtype == problem.dtype
    np.testing.assert_allclose(residual, expected.T[-problem.n_outputs :], atol=10 * problem.eps)


@every_problem
def test_residual_is_the_slope_of_the_value(problem):
    loss, scores = problem.loss(), draw_scores(problem)
    direction = draw_scores(problem, seed=1, scale=1.0)
    residual = scores.copy()
    loss.value_and_residual(residual, slice(None))
    slope = slope_along(
        lambda scores: loss.value_and_residual(scores.copy(), slice(None)), scores, direction
    )
    assert slope == pytest.approx((residual * direction).sum(), rel=1e-9)


@every_problem
@every_selection
def test_curvature_product_is_the_slope_of_the_residual(problem, rows):
    loss = problem.loss()
    scores = draw_scores(problem)[:, rows]
    direction = draw_scores(problem, seed=1, scale=1.0)[:, rows]

    def residual(scores):
        scores = scores.copy()
        loss.value_and_residual(scores, rows)
        return scores

    expected = slope_along(residual, scores, direction)
    probabilities, product = scores.copy(), direction.copy()
    loss.probabilities(probabilities, slice(None))
    loss.curvature_product(probabilities, product, rows)
    np.testing.assert_allclose(product, expected, atol=1e-11)


@every_problem_and_dtype
def test_probabilities_are_softmax_of_the_scores(problem):
    scores = draw_scores(problem)
    expected = softmax(one_per_class(scores)).T[-problem.n_outputs :]
    problem.loss().probabilities(scores, slice(None))
    assert scores.dtype == problem.dtype
    np.testing.assert_allclose(scores, expected, rtol=20 * problem.eps)


@every_problem_and_dtype
@every_selection
def test_target_rows_are_weighted_targets(problem, rows):
    loss = problem.loss()
    expected = (problem.weights[:, None] * problem.one_hot)[rows].T[-problem.n_outputs :]
    for _ in range(2):  # the second time shows whether the first wrote to the targets
        found = loss.target_rows(rows)
        np.testing.assert_allclose(found, expected, rtol=4 * problem.eps)


@every_problem
def test_rows_are_those_of_positive_weight(problem):
    np.testing.assert_array_equal(problem.loss().rows, np.flatnonzero(problem.weights > 0))


@every_problem_and_dtype
def test_class_shares_are_weighted_means_of_the_targets(problem):
    shares = problem.loss().class_shares
    expected = np.average(problem.one_hot, axis=0, weights=problem.weights)
    np.testing.assert_allclose(shares, expected, rtol=20 * problem.eps)
    assert shares.sum() == pytest.approx(1, rel=1e-15)
    assert shares.dtype == np.float64


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_class_without_weight_has_no_share(n_classes):
    labels = np.arange(n_classes).repeat(3)
    weight = np.where(labels == n_classes - 1, 0.0, 1.0)
    shares = make_loss(labels, weight / weight.mean(), n_classes).class_shares
    np.testing.assert_allclose(shares, [1 / (n_classes - 1)] * (n_classes - 1) + [0])


@every_problem
def test_only_scores_are_written_to(problem):
    loss = problem.loss()
    for array in (loss.targets, loss.weight):
        if array is not None:
            array.flags.writeable = False
    scores, rows = draw_scores(problem), slice(3, 20)
    loss.value_and_residual(scores[:, rows].copy(), rows)
    loss.target_rows(rows)
    probabilities = scores[:, rows].copy()
    loss.probabilities(probabilities, slice(None))
    before = probabilities.copy()
    loss.curvature_product(probabilities, scores[:, rows].copy(), rows)
    np.testing.assert_array_equal(probabilities, before)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@every_selection
def test_one_score_is_softmax_with_the_first_score_held_at_0(soft, weighted, rows):
    problem = Problem(n_classes=2, soft=soft, weighted=weighted)
    one = problem.loss()
    two = SoftmaxLoss(one.targets, one.weight, 2)
    assert isinstance(one, SigmoidLoss)
    scores = draw_scores(problem)[:, rows]
    both = np.concatenate([np.zeros_like(scores), scores])
    exact = {"rtol": 1e-13, "atol": 1e-14}

    residual, residuals = scores.copy(), both.copy()
    value = one.value_and_residual(residual, rows)
    assert value == pytest.approx(two.value_and_residual(residuals, rows), rel=1e-14)
    np.testing.assert_allclose(residual[0], residuals[1], **exact)
    np.testing.assert_allclose(residual[0], -residuals[0], **exact)

    probability, probabilities = scores.copy(), both.copy()
    one.probabilities(probability, slice(None))
    two.probabilities(probabilities, slice(None))
    np.testing.assert_allclose(probability[0], probabilities[1], **exact)

    direction = draw_scores(problem, seed=1)[:, rows]
    directions = np.concatenate([np.zeros_like(direction), direction])
    one.curvature_product(probability, direction, rows)
    two.curvature_product(probabilities, directions, rows)
    np.testing.assert_allclose(direction[0], directions[1], **exact)

    np.testing.assert_allclose(one.target_rows(rows)[0], two.target_rows(rows)[1], **exact)
    np.testing.assert_allclose(one.class_shares, two.class_shares, **exact)


@pytest.mark.parametrize("size", [1e3, 1e300])
def test_one_huge_score_is_stable(size):
    scores, labels = np.array([[size, size, -size, -size, 0.0]]), np.array([1, 0, 0, 1, 1])
    loss = make_loss(labels, None, 2)
    losses = [
        make_loss(labels[[i]], None, 2).value_and_residual(scores[:, [i]], slice(None))
        for i in range(5)
    ]
    np.testing.assert_allclose(losses, [0, size, 0, size, np.log(2)], rtol=1e-15)
    residual = scores.copy()
    assert loss.value_and_residual(residual, slice(None)) == pytest.approx(2 * size + np.log(2))
    np.testing.assert_array_equal(residual, [[0, 1, 0, -1, -0.5]])
    probability = scores.copy()
    loss.probabilities(probability, slice(None))
    np.testing.assert_array_equal(probability, [[1, 1, 0, 0, 0.5]])


@pytest.mark.parametrize("size", [1e3, 1e300])
@pytest.mark.parametrize("soft", [False, True])
def test_huge_scores_are_stable(size, soft):
    scores = size * np.array([[1.0, 1, -1, -1, 1, 0], [0, 0, 0, 0, -1, 0], [-1, -1, 1, 1, 1, 0]])
    labels = np.array([0, 2, 2, 0, 2, 1])
    expected = [0, 2 * size, 0, 2 * size, np.log(2), np.log(3)]
    probabilities = np.array([[1, 1, 0, 0, 1 / 2, 1 / 3], [0, 0, 0, 0, 0, 1 / 3], [0.0] * 6])
    probabilities[2] = 1 - probabilities.sum(axis=0)
    targets = np.eye(3)[labels].T.copy() if soft else labels
    for i in range(6):
        one = make_loss(targets[..., [i]], None, 3)
        value = one.value_and_residual(scores[:, [i]], slice(None))
        assert value == pytest.approx(expected[i], rel=1e-15, abs=0)
    loss = make_loss(targets, None, 3)
    residual = scores.copy()
    assert np.isfinite(loss.value_and_residual(residual, slice(None)))
    np.testing.assert_allclose(residual, probabilities - np.eye(3)[labels].T, atol=1e-15)
    loss.probabilities(scores, slice(None))
    np.testing.assert_allclose(scores, probabilities, atol=1e-15)


@pytest.mark.parametrize(
    "problem", variants(n_classes=[2, 3, 12], soft=[False, True], weighted=[True])
)
def test_a_row_without_weight_counts_for_nothing_whatever_its_scores(problem):
    loss, scores = problem.loss(), draw_scores(problem)
    huge = scores.copy()
    huge[:, problem.weights == 0] *= 1e300
    residual, huge_residual = scores.copy(), huge.copy()
    value = loss.value_and_residual(residual, slice(None))
    assert loss.value_and_residual(huge_residual, slice(None)) == pytest.approx(value, rel=1e-14)
    np.testing.assert_array_equal(huge_residual[:, problem.weights == 0], 0)
    np.testing.assert_array_equal(huge_residual, np.where(problem.weights, residual, 0))


def test_a_tiny_loss_keeps_its_digits():
    # log(1 + exp(-40)) is exp(-40), which 1 + exp(-40) does not see in float64
    loss = make_loss(np.array([1]), None, 2)
    assert loss.value_and_residual(np.array([[40.0]]), slice(None)) == pytest.approx(np.exp(-40))


@pytest.mark.parametrize(("n_classes", "kind"), [(2, SigmoidLoss), (3, SoftmaxLoss)])
def test_two_classes_have_one_score(n_classes, kind):
    loss = make_loss(np.arange(n_classes), None, n_classes)
    assert type(loss) is kind
    assert loss.n_classes == n_classes
    assert loss.n_outputs == (1 if n_classes == 2 else n_classes)


def test_sigmoid_is_what_one_score_gives():
    scores = np.linspace(-800, 800, 101)[None]
    expected = sigmoid(scores)
    make_loss(np.zeros(101, dtype=np.intp), None, 2).probabilities(scores, slice(None))
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_confident_score_of_two_classes_keeps_the_digits_of_its_loss(dtype):
    scores = np.array([[15.0, -15.0, 30.0]], dtype=dtype)
    loss = make_loss(np.array([1, 0, 1]), None, 2)
    exact = np.log1p(np.exp([-15.0, -15.0, -30.0])).sum()
    assert loss.value_and_residual(scores, slice(0, 3)) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("lead", [30.0, 50.0, 200.0])
def test_loss_and_residual_of_what_is_surely_right_keep_their_digits(n_classes, lead):
    labels = np.arange(n_classes)
    scores = lead * np.eye(n_classes)
    if n_classes == 2:
        scores = scores[1:] - scores[:1]
    residual = scores.copy()
    value = make_loss(labels, None, n_classes).value_and_residual(residual, slice(None))
    rest = (n_classes - 1) * np.exp(-lead)  # of the probability, but for its square
    assert value == pytest.approx(n_classes * rest, rel=1e-10)
    own = -residual[0, 1] if n_classes == 2 else -np.diag(residual)
    np.testing.assert_allclose(own, rest, rtol=1e-10)


# -- known scores ----------------------------------------------------------------------------------


@every_problem
def test_an_offset_is_a_shift_of_the_scores(problem):
    rng = np.random.default_rng(5)
    offset = rng.normal(size=(problem.n_outputs, problem.n_rows))
    scores, change = draw_scores(problem), draw_scores(problem, seed=1, scale=0.1)
    base, loss = problem.loss(), OffsetLoss(problem.loss(), offset)
    some = np.flatnonzero(rng.random(problem.n_rows) < 0.5)

    def both(rows):
        return tuple(np.array(part[:, rows], order="C") for part in (scores + offset, scores))

    for rows in (slice(3, 20), some):
        there, here = both(rows)
        value = base.value_and_residual(there, rows)
        assert loss.value_and_residual(here, rows) == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(here, there, rtol=1e-10, atol=1e-15)
        there, here = both(rows)
        moved, as_moved = (np.array(change[:, rows], order="C") for _ in range(2))
        value = base.newton_divergence(there, moved, rows)
        assert loss.newton_divergence(here, as_moved, rows) == pytest.approx(value, rel=1e-9)
        np.testing.assert_allclose(as_moved, moved, rtol=1e-8, atol=1e-15)
    there, _ = both(some)
    value = base.value_and_residual(there, some)
    _, here = both(some)
    part = loss.take(some)
    assert part.value_and_residual(here, slice(None)) == pytest.approx(value, rel=1e-12)
    there, here = both(slice(None))
    value = base.value_and_residual(there, slice(None))
    other = loss.with_one_hot_targets()
    assert other.value_and_residual(here, slice(None)) == pytest.approx(value, rel=1e-12)
    means = np.average(offset, axis=1, weights=problem.weights)
    np.testing.assert_allclose(loss.offset_means(), means, atol=1e-12)
