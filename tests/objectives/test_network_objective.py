"""The network objective: back-propagation against differences, for every activation and shape.

Values are compared with a forward pass written row by row of X; gradients with differences of that,
in steps so small that no unit crosses the kink of its activation.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from zoo import LAYOUTS, Problem, draw_params, slope_along, slopes, variants

from softmax_regression._data import design as design_base
from softmax_regression._data.make import as_design
from softmax_regression._losses.pointwise import make_loss
from softmax_regression._objectives.network import batches as _network_pass
from softmax_regression._objectives.network import cross_entropy as _network
from softmax_regression._objectives.network.cross_entropy import Network, NetworkCrossEntropy
from softmax_regression._objectives.network.dropout import Dropout
from softmax_regression._objectives.network.input_scaling import InputScaling
from softmax_regression._objectives.network.layers import Layout
from softmax_regression._solvers.criteria import RelativeGap
from softmax_regression.functional import ACTIVATIONS

HIDDEN = [(), (3,), (3, 2, 4)]
DATA = {"n_classes": [2, 3], "soft": [False, True], "weighted": [False, True]}

every_problem = pytest.mark.parametrize("problem", variants(n_rows=[20], **DATA))
every_shape = pytest.mark.parametrize("hidden", HIDDEN, ids=str)
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)


# -- value and gradient ----------------------------------------------------------------------------


@every_problem
@every_shape
@every_activation
def test_gradient_is_the_slope_of_the_plain_forward_pass(problem, hidden, activation):
    objective = problem.network(hidden, activation)
    params = draw_params(objective)

    def plain(params):
        return problem.plain_network_value(params, hidden, activation)

    value, gradient = objective.value_and_gradient(params)
    assert value == pytest.approx(plain(params), rel=1e-13)
    assert gradient.dtype == np.float64
    expected = slopes(plain, params, step=1e-5, order=2)
    np.testing.assert_allclose(gradient, expected, atol=1e-8 * np.abs(expected).max(), rtol=1e-6)


@every_activation
def test_every_layer_learns(activation):
    # or a slope of 0 would agree with a difference of 0
    problem = Problem(l2=0.0)
    objective = problem.network((3, 2), activation)
    _, gradient = objective.value_and_gradient(draw_params(objective, seed=1))
    weights, intercepts = objective.layout.views(gradient)
    for part in (*weights, *intercepts):
        assert np.abs(part).max() > 1e-4


@pytest.mark.parametrize("problem", variants(**DATA, l2=[0.0, 0.1]))
def test_without_hidden_layers_it_is_the_linear_objective(problem):
    network, linear = problem.network(), problem.linear()
    params = draw_params(linear)
    assert network.n_params == linear.n_params
    coef, intercept = linear.layout.unpack(params)
    value, gradient = network.value_and_gradient(np.concatenate([coef.T.ravel(), intercept]))
    expected_value, expected_gradient = linear.value_and_gradient(params)
    assert value == pytest.approx(expected_value, rel=1e-15)
    expected_gradient = np.concatenate(
        [p.T.ravel() for p in linear.layout.unpack(expected_gradient)]
    )
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "C"])
@pytest.mark.parametrize("problem", variants(**DATA))
def test_the_layout_of_the_data_makes_no_difference(problem, layout):
    plain = problem.network((3, 2), "tanh")
    other = replace(problem, layout=layout).network((3, 2), "tanh")
    params, rows = draw_params(plain), np.array([7, 0, 30, 12])
    value, gradient = other.value_and_gradient(params)
    expected_value, expected_gradient = plain.value_and_gradient(params)
    assert value == pytest.approx(expected_value, rel=1e-14)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-14)
    value = other.batch_value_and_gradient(params, rows, gradient)
    assert value == pytest.approx(
        plain.batch_value_and_gradient(params, rows, expected_gradient), rel=1e-14
    )
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-14)


@pytest.mark.parametrize("problem", variants(**DATA, layout=["C", "csr"]))
def test_sums_do_not_depend_on_the_blocks(problem, monkeypatch):
    objective = problem.network((3, 2), "softplus")
    params = draw_params(objective)
    value, gradient = objective.value_and_gradient(params)
    for limits in ((1, 1), (1, 7)):
        monkeypatch.setattr(design_base, "_BLOCK_ROWS", limits)
        part_value, part_gradient = objective.value_and_gradient(params)
        assert part_value == pytest.approx(value, rel=1e-14)
        np.testing.assert_allclose(part_gradient, gradient, atol=1e-14)


@every_activation
@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_float32_is_close_to_float64(n_classes, layout, activation):
    problem = Problem(n_classes=n_classes, weighted=True, layout=layout)
    single = replace(problem, dtype=np.float32).network((3, 2), activation)
    double = replace(problem, layout="C").network((3, 2), activation)
    params = draw_params(single).astype(np.float32)
    value, gradient = single.value_and_gradient(params)
    expected_value, expected_gradient = double.value_and_gradient(params.astype(np.float64))
    assert value == pytest.approx(expected_value, rel=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, atol=3e-6)
    batch = np.full(single.n_params, np.nan, dtype=np.float32)
    value = single.batch_value_and_gradient(params, single.rows, batch)
    assert value == pytest.approx(expected_value, rel=1e-6)
    np.testing.assert_allclose(batch, expected_gradient, atol=3e-6)


def test_blocks_leave_room_for_the_widest_layer():
    # a row of X has 4 entries, and 30 000 values on the way through the network
    objective = Problem(n_rows=400).network((30_000,))
    first = objective.design.blocks(objective.width)[0]
    assert first.stop < 400


@every_shape
def test_nothing_is_written_to_parameters(hidden):
    objective = Problem().network(hidden)
    params = draw_params(objective)
    params.flags.writeable = False
    objective.value_and_gradient(params)
    objective.batch_value_and_gradient(params, np.arange(5), np.empty(objective.n_params))


def test_the_penalty_leaves_intercepts_alone():
    plain, penalized = Problem(l2=0.0).network((3, 2)), Problem(l2=2.0).network((3, 2))
    params = draw_params(plain)
    value, gradient = plain.value_and_gradient(params)
    penalized_value, penalized_gradient = penalized.value_and_gradient(params)
    weights = params[: plain.layout.n_weights]
    assert penalized_value - value == pytest.approx(weights @ weights)
    np.testing.assert_allclose((penalized_gradient - gradient)[: len(weights)], 2 * weights)
    np.testing.assert_array_equal((penalized_gradient - gradient)[len(weights) :], 0)


def test_there_are_no_hessian_products_and_no_certificate():
    objective = Problem().network((3,))
    for name in ("hessian_product", "certify", "has_dual", "gap_by_newton", "separates"):
        assert not hasattr(objective, name)
    with pytest.raises(AttributeError, match="has_dual"):
        RelativeGap().costly(objective)


# -- minibatches -----------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", variants(n_rows=[40], **DATA))
@every_shape
@pytest.mark.parametrize("n_batches", [1, 4])
def test_batches_of_a_partition_average_to_the_whole(problem, hidden, n_batches):
    weight = problem.weights.copy()
    if problem.weighted:  # leaves 32 of 40 rows, whatever the number of classes
        weight[:] = np.random.default_rng(0).uniform(0.5, 2, size=40)
        weight[::5] = 0
        weight /= weight.mean()
    targets = problem.targets.T if problem.soft else problem.targets
    layout = Layout([problem.n_columns, *hidden, problem.n_outputs])
    loss = make_loss(targets, weight if problem.weighted else None, problem.n_classes)
    objective = NetworkCrossEntropy(problem.design(), loss, layout, ACTIVATIONS["tanh"], 0.1)
    params = draw_params(objective)
    values, part, total = [], np.full(objective.n_params, np.nan), np.zeros(objective.n_params)
    for batch in np.split(np.random.default_rng(0).permutation(objective.rows), n_batches):
        values.append(objective.batch_value_and_gradient(params, batch, part))
        total += part
    value, gradient = objective.value_and_gradient(params)
    assert np.mean(values) == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(total / n_batches, gradient, atol=1e-14)


@pytest.mark.parametrize("chunk_bytes", [1, 300, 1 << 20])
@pytest.mark.parametrize("problem", variants(n_rows=[40], layout=["C", "csr"], **DATA))
def test_a_pass_is_its_batches_one_by_one(problem, chunk_bytes, monkeypatch):
    monkeypatch.setattr(_network_pass, "_CHUNK_BYTES", chunk_bytes)
    passing, alone = (problem.network((3, 2), "silu") for _ in range(2))
    params, random = draw_params(alone), np.random.default_rng(0)
    gradient, expected = (np.empty(alone.n_params) for _ in range(2))
    for _ in range(2):  # memory is used again
        batches = np.array_split(random.permutation(alone.rows), 6)  # of two sizes
        seen, total = passing.begin_pass(batches), 0.0
        for rows in batches:
            seen.gradient(params, gradient)
            total += len(rows) * alone.batch_value_and_gradient(params, rows, expected)
            np.testing.assert_allclose(gradient, expected, atol=1e-15)
        assert seen.value() == pytest.approx(total / len(alone.rows), rel=1e-13)


@every_problem
def test_batch_gradient_is_the_slope_of_the_batch_value(problem):
    objective = problem.network((3, 2), "silu")
    params, direction = draw_params(objective), draw_params(objective, seed=1)
    gradient, unused = np.empty(objective.n_params), np.empty(objective.n_params)
    rows = np.array([3, 3, 10, 1])
    objective.batch_value_and_gradient(params, rows, gradient)
    expected = slope_along(
        lambda p: objective.batch_value_and_gradient(p, rows, unused), params, direction
    )
    assert gradient @ direction == pytest.approx(expected, rel=1e-9)


# -- the flat vector -------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(4, 3), (4, 1), (5, 3, 2), (2, 7, 1, 4), (1, 1, 1)], ids=str)
def test_views_cover_the_flat_vector_exactly(sizes):
    layout = Layout(sizes)
    params = np.zeros(layout.n_params)
    weights, intercepts = layout.views(params)
    for view in (*weights, *intercepts):
        assert np.shares_memory(view, params)
        view += 1
    np.testing.assert_array_equal(params, 1)
    assert [weight.shape for weight in weights] == list(itertools.pairwise(sizes))
    assert [intercept.shape for intercept in intercepts] == [(size,) for size in sizes[1:]]


@pytest.mark.parametrize("sizes", [(4, 3), (5, 3, 2), (2, 7, 1, 4)], ids=str)
def test_weights_come_before_intercepts_and_layers_in_order(sizes):
    layout = Layout(sizes)
    weights, intercepts = layout.views(np.arange(layout.n_params))
    np.testing.assert_array_equal(
        np.concatenate([part.ravel() for part in (*weights, *intercepts)]),
        np.arange(layout.n_params),
    )
    assert layout.n_weights == sum(weight.size for weight in weights)


@every_activation
@pytest.mark.parametrize("layout", ["C", "csr"])
def test_scores_are_those_of_the_plain_forward_pass(layout, activation):
    problem = Problem(layout=layout)
    sizes = Layout([4, 3, 2, 3])
    params = np.random.default_rng(0).normal(size=sizes.n_params)
    units, f = problem.X, ACTIVATIONS[activation]
    for weight, intercept in zip(*sizes.views(params), strict=True):
        scores = units @ weight + intercept
        units = f.value(scores)
    actual = Network(*sizes.views(params), f).scores(problem.design())
    np.testing.assert_allclose(actual, scores.T, atol=1e-13)


# -- dropout ---------------------------------------------------------------------------------------


class SameMasks(Dropout):
    """Draws the same masks every time, as long as the runs are."""

    def mask(self, layer, out):
        random = np.random.default_rng([layer, *out.shape])
        kept = random.random(out.shape) >= self._left_out[layer] / 65536
        out[...] = kept * self.scale(layer)


@pytest.mark.parametrize("rates", [(0.0, 0.5, 0.25), (0.3, 0.0, 0.4)], ids=str)
@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@every_activation
@every_problem
def test_gradient_with_dropout_is_the_slope(problem, activation, smoothing, layout, rates):
    problem = replace(problem, layout=layout, n_rows=30)
    one_hot = problem.one_hot * (1 - smoothing) + smoothing / problem.n_classes
    loss = make_loss(np.ascontiguousarray(one_hot.T), problem.weight, problem.n_classes)
    sizes = Layout([problem.n_columns, 5, 4, problem.n_outputs])
    objective = NetworkCrossEntropy(
        problem.design(), loss, sizes, ACTIVATIONS[activation], problem.l2, SameMasks(rates, 0)
    )
    rows = objective.rows[:17]
    params = draw_params(objective)
    gradient, unused = (np.empty(objective.n_params) for _ in range(2))
    objective.batch_value_and_gradient(params, rows, gradient)
    expected = slopes(
        lambda p: objective.batch_value_and_gradient(p, rows, unused), params, step=1e-5, order=2
    )
    largest = np.abs(expected).max()
    np.testing.assert_allclose(gradient, expected, atol=1e-7 * largest, rtol=1e-6)
    assert largest > 1e-3


def test_masks_are_zeros_and_the_inverse_of_the_share_kept():
    dropout = Dropout([0.0, 0.2, 0.75], 0)
    mask = np.empty((400, 500), dtype=np.float32)
    for layer, rate in ((1, 0.2), (2, 0.75)):
        dropout.mask(layer, mask)
        assert set(np.unique(mask)) == {0, np.float32(dropout.scale(layer))}
        assert mask.mean() == pytest.approx(1, abs=0.02)
        assert (mask == 0).mean() == pytest.approx(rate, abs=0.01)
    assert not dropout.applies(0)
    assert dropout.applies(1)


def test_spawned_masks_are_others_and_the_same_for_a_seed():
    masks = np.empty((4, 50, 50))
    for seed, pair in ((0, masks[:2]), (0, masks[2:])):
        dropout = Dropout([0.5], seed)
        for mask in pair:
            dropout.spawn().mask(0, mask)
    np.testing.assert_array_equal(masks[:2], masks[2:])
    assert (masks[0] != masks[1]).mean() > 0.4


# -- threads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["C", "csr"])
def test_a_batch_in_runs_has_the_same_gradient(layout, monkeypatch):
    problem = Problem(layout=layout, n_rows=40, weighted=True)
    rows = problem.network((3,)).rows[::2]
    found = []
    for n_threads in (1, 2, 3):
        monkeypatch.setattr(_network, "usable_threads", lambda n=n_threads: n)
        monkeypatch.setattr(_network, "_MIN_SHARDED_MULTIPLICATIONS", 0)
        objective = problem.network((3,))
        params, gradient = draw_params(objective), np.empty(objective.n_params)
        for _ in range(2):  # memory is used again
            value = objective.batch_value_and_gradient(params, rows, gradient)
        found.append((value, gradient))
    for value, gradient in found[1:]:
        assert value == pytest.approx(found[0][0], rel=1e-13)
        np.testing.assert_allclose(gradient, found[0][1], atol=1e-14)


# -- features in other coordinates -----------------------------------------------------------------


@pytest.mark.parametrize("layout", ["C", "F", "csr"])
def test_a_folded_scaling_changes_no_score(layout):
    problem = Problem(layout=layout, badly_scaled=True)
    sizes, f = Layout([problem.n_columns, 5, 3]), ACTIVATIONS["tanh"]
    params = np.random.default_rng(0).normal(size=sizes.n_params)
    design = problem.design()
    moments = design.moments(np.ones(problem.n_rows))
    scaling = InputScaling.standardizing(moments, centred=layout != "csr")
    scaled = scaling.design(design, np.float64)
    expected = Network(*sizes.views(params), f).scores(scaled)
    folded = scaling.folded(sizes, params, np.float64)
    np.testing.assert_allclose(Network(*sizes.views(folded), f).scores(design), expected, rtol=1e-9)
    np.testing.assert_allclose(scaling.unfolded(sizes, folded), params, rtol=1e-9, atol=1e-12)
    columns = scaled.toarray()
    if layout == "csr":
        np.testing.assert_allclose(np.square(columns).mean(axis=0), 1)
    else:
        np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(columns.std(axis=0), 1)


def test_constant_columns_are_left_as_they_are():
    X = np.column_stack([np.full(20, 0.1), np.zeros(20), np.arange(20.0)])
    moments = as_design(X).moments(np.ones(20))
    scaling = InputScaling.standardizing(moments, centred=True)
    scaled = scaling.design(as_design(X), np.float32).X
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[:, :2], 0, atol=1e-12)
    np.testing.assert_array_equal(scaling.scales[:2], 1)
