"""Networks that are trained side by side: each as if it were alone, and averaged in the end."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from zoo import Problem, slopes, variants

from softmax_regression._objectives.network.cross_entropy import (
    Network,
    NetworkCrossEntropy,
    averaged,
)
from softmax_regression._objectives.network.dropout import Dropout
from softmax_regression._objectives.network.layers import Layout
from softmax_regression._solvers.minibatch.learning_rates import LearningRate
from softmax_regression._solvers.minibatch.minibatch import Minibatches, minimize_minibatch
from softmax_regression._solvers.minibatch.optimizers import (
    SGD,
    Adam,
    Averaging,
    Clipping,
    Decaying,
)
from softmax_regression.functional import ACTIVATIONS

N_MEMBERS = 3


def objective(problem, hidden, n_members=N_MEMBERS, activation="tanh", dropout=None):
    layout = Layout([problem.n_columns, *hidden, problem.n_outputs], n_members)
    f = ACTIVATIONS[activation]
    return NetworkCrossEntropy(problem.design(), problem.loss(), layout, f, problem.l2, dropout)


def start(layout, seed=0):
    return np.random.default_rng(seed).normal(size=layout.n_params)


def parts(layout, params, member):
    """The flat vector of one member."""
    arrays = layout.arrays(params)
    return Layout.joined(*([array[..., member, :] for array in kind] for kind in arrays))


class SameMasks(Dropout):
    """Draws the same masks every time."""

    def mask(self, layer, out):
        random = np.random.default_rng([layer, *out.shape])
        out[...] = (random.random(out.shape) >= self._left_out[layer] / 65536) * self.scale(layer)


@pytest.mark.parametrize("rates", [None, (0.3, 0.5, 0.25)], ids=["", "dropout"])
@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize(
    "problem",
    variants(n_rows=[20], n_classes=[2, 3], soft=[False, True], weighted=[False, True]),
)
def test_each_member_has_the_gradient_of_its_own_loss(problem, layout, rates):
    # the value is a mean over members, of which each sees its own part alone
    problem = Problem(**{**vars(problem), "layout": layout})
    dropout = None if rates is None else SameMasks(rates, 0)
    members = objective(problem, (4, 3), dropout=dropout)
    params, rows = start(members.layout), members.rows[:13]
    gradient, unused = np.empty((2, members.n_params))
    members.batch_value_and_gradient(params, rows, gradient)
    expected = N_MEMBERS * slopes(
        lambda p: members.batch_value_and_gradient(p, rows, unused), params, step=1e-5, order=2
    )
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("hidden", [(), (5,), (4, 3)], ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("steps", ["adam", "sgd", "decaying", "clipping"])
def test_members_are_trained_as_each_would_be_alone(steps, n_classes, hidden):
    problem = Problem(n_rows=60, n_classes=n_classes, weighted=True)
    makers = {
        "adam": lambda layout: Averaging(Adam(), 5),
        "sgd": lambda layout: SGD(),
        "decaying": lambda layout: Decaying(Adam(), 0.5, layout.n_weights),
        "clipping": lambda layout: Clipping(SGD(), 0.2, layout.owners()),
    }

    def train(problem, n_members, params):
        network = objective(problem, hidden, n_members)
        batches = Minibatches(16, True, np.random.RandomState(0))
        result = minimize_minibatch(
            network,
            params.copy(),
            makers[steps](network.layout),
            LearningRate(0.05),
            batches,
            tol=0,
            max_iter=4,
            n_iter_no_change=np.inf,
        )
        return network.layout, result

    layout = objective(problem, hidden).layout
    params = start(layout)
    _, together = train(problem, N_MEMBERS, params)
    values = []
    for member in range(N_MEMBERS):
        _, alone = train(problem, 1, parts(layout, params, member))
        np.testing.assert_allclose(
            parts(layout, together.params, member), alone.params, rtol=1e-9, atol=1e-11
        )
        values.append(alone.loss_curve)
    np.testing.assert_allclose(together.loss_curve, np.mean(values, axis=0), rtol=1e-10)


def test_large_batches_are_divided_between_threads(monkeypatch):
    problem = Problem(n_rows=60)
    members = objective(problem, (5, 4))
    params = start(members.layout)
    one, several = np.empty((2, members.n_params))
    value = members.batch_value_and_gradient(params, members.rows, one)
    monkeypatch.setattr(type(members), "are_sharded", lambda self, n_rows: True)
    module = "softmax_regression._objectives.network.cross_entropy"
    monkeypatch.setattr(f"{module}.usable_threads", lambda: 2)
    again = objective(problem, (5, 4))
    found = again.batch_value_and_gradient(params, again.rows, several)
    assert len(again._shards) == 2
    assert found == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(several, one, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize("hidden", [(), (5,), (4, 3)], ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_the_mean_of_those_of_members(n_classes, hidden, layout):
    problem = Problem(n_rows=15, n_classes=n_classes, layout=layout)
    members = objective(problem, hidden)
    params = start(members.layout)
    alone = Layout(members.layout.sizes)
    of_each = []
    for member in range(N_MEMBERS):
        arrays = alone.arrays(parts(members.layout, params, member))
        scores = Network(*arrays, members.activation).scores(problem.design())
        of_each.append(softmax(scores, axis=0) if n_classes > 2 else expit(scores))
    scores = members.scores(params, problem.design())
    found = softmax(scores, axis=0) if n_classes > 2 else expit(scores)
    np.testing.assert_allclose(found, np.mean(of_each, axis=0), rtol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 4])
def test_averages_of_extreme_scores_are_finite(n_outputs):
    scores = np.random.default_rng(0).choice([-800.0, 0.0, 800.0], size=(n_outputs, 2, 50))
    with np.errstate(all="raise", under="ignore"):
        found = averaged(scores)
    assert np.isfinite(found).all()
    same = np.repeat(scores[:, :1], 2, axis=1)  # the mean of the same is the same
    relative = averaged(same)
    if n_outputs > 1:
        relative = relative - relative[0]
        scores = scores - scores[0]
    np.testing.assert_allclose(relative, scores[:, 0], rtol=1e-12)


def test_owners_name_the_member_of_each_parameter():
    layout = Layout([4, 3, 2], N_MEMBERS)
    owners = layout.owners()
    params = np.zeros(layout.n_params)
    for member in range(N_MEMBERS):
        for arrays in layout.arrays(params):
            for array in arrays:
                array[..., member, :] = member
    np.testing.assert_array_equal(owners, params)
    assert Layout([4, 3, 2]).owners() is None
