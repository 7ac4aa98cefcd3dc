"""Back-propagation through the codes of a table, and the network that looks up its tables."""

import numpy as np
import pytest
from zoo import slopes

from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.table_encoding import TableEncoding
from softmax_regression._losses.pointwise import make_loss
from softmax_regression._objectives.network.cross_entropy import Network, NetworkCrossEntropy
from softmax_regression._objectives.network.dropout import Dropout
from softmax_regression._objectives.network.encoded_inputs import EncodedInputs
from softmax_regression._objectives.network.layers import Layout
from softmax_regression.functional import ACTIVATIONS

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.standard_normal((30, 2)), RNG.integers(3, size=30)])
X[RNG.random(X.shape) < 0.15] = np.nan
WEIGHT = RNG.random(30) + 0.1
INPUTS = EncodedInputs(TableEncoding.learn(X, WEIGHT, np.array([False, False, True]), [4, 0, 0]))


class SameMasks(Dropout):
    """Draws the same masks every time."""

    def mask(self, layer, out):
        random = np.random.default_rng([layer, *out.shape])
        out[...] = (random.random(out.shape) >= self._left_out[layer] / 65536) * self.scale(layer)


def network(hidden, n_classes=3, soft=False, rates=None, activation="tanh"):
    """An objective on the codes of X."""
    rng = np.random.default_rng(1)
    n_outputs = 1 if n_classes == 2 else n_classes
    targets = rng.integers(n_classes, size=30)
    if soft:
        targets = np.ascontiguousarray(rng.dirichlet(np.ones(n_classes), size=30).T)
    loss = make_loss(targets, WEIGHT, n_classes)
    layout = Layout([INPUTS.n_codes, *hidden, n_outputs])
    dropout = None if rates is None else SameMasks(rates, 0)
    design = INPUTS.design(DenseDesign(X), np.float64)
    return NetworkCrossEntropy(design, loss, layout, ACTIVATIONS[activation], 0.1, dropout)


@pytest.mark.parametrize("rates", [None, (0.3, 0.4)], ids=["", "dropout"])
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_gradient_is_the_slope(activation, n_classes, soft, rates):
    objective = network((5,), n_classes, soft, rates, activation)
    params = np.random.default_rng(2).standard_normal(objective.n_params)
    rows = objective.rows[:17]
    gradient, unused = np.empty((2, objective.n_params))
    objective.batch_value_and_gradient(params, rows, gradient)
    expected = slopes(
        lambda p: objective.batch_value_and_gradient(p, rows, unused), params, step=1e-5, order=2
    )
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())
    if rates is None:
        _, whole = objective.value_and_gradient(params)
        expected = slopes(lambda p: objective.value_and_gradient(p)[0], params, step=1e-5, order=2)
        np.testing.assert_allclose(whole, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)], ids=str)
def test_looking_up_tables_changes_no_score(hidden):
    objective = network(hidden)
    layout = objective.layout
    params = np.random.default_rng(3).standard_normal(objective.n_params)
    model = INPUTS.folded(layout, params, np.float64)
    of_states = Layout([INPUTS.encoding.n_states, *layout.sizes[1:]])
    looked_up = INPUTS.encoding.looked_up(X, np.float64)
    found = Network(*of_states.views(model), objective.activation).scores(looked_up)
    np.testing.assert_allclose(found, objective.scores(params, objective.design), atol=1e-12)
    back = INPUTS.unfolded(layout, model)
    np.testing.assert_allclose(
        objective.scores(back, objective.design), objective.scores(params, objective.design)
    )
