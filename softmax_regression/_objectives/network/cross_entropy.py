r"""Cross-entropy of a feed-forward network, with its gradient by back-propagation.

Layer l multiplies by W_l, adds b_l and applies the activation f; the scores of the last layer
enter the loss. Hidden layers are stored row by row like X, so that A_0 = X:

    Z_l = A_{l−1} W_l + b_l,    A_l = f(Z_l),    scores = Z_Lᵀ
    Δ_L = residuals s (p − y),  Δ_l = Δ_{l+1} W_{l+1}ᵀ ∘ f'(Z_l)
    ∂F/∂W_l = 1/S · A_{l−1}ᵀ Δ_l + l2 · W_l,    ∂F/∂b_l = 1/S · 1ᵀ Δ_l

(Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323,
1986.) With dropout, A_{l−1} is multiplied by a mask in the first line, and Δ_{l−1} in the second.
The parameters are stored in one flat vector, first all weights W_1 … W_L and then all intercepts
b_1 … b_L, so that an optimiser's step is a few passes over one array, and the penalised part is its
front.

Each of several members is trained on its own F. Their prediction is the mean of their
probabilities, and the scores of the ensemble are the logarithm of that mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit

from softmax_regression._data.dataset import Block, Dataset
from softmax_regression._data.design import Design
from softmax_regression._data.encoded import LookedUpRows
from softmax_regression._data.precision import in_needed_precision
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import usable_threads
from softmax_regression._losses.pointwise import PointwiseLoss
from softmax_regression._objectives.base import CrossEntropyObjective
from softmax_regression._objectives.network.batches import NetworkEpoch, Shard
from softmax_regression._objectives.network.dropout import Dropout
from softmax_regression._objectives.network.layers import Layout, Workspace
from softmax_regression.functional import Activation, log_softmax

# A batch is divided between threads if its products with all weights take more multiplications.
_MIN_SHARDED_MULTIPLICATIONS = 10_000_000


class NetworkCrossEntropy(CrossEntropyObjective):
    """The objective F as a function of the parameters; the docstring of the file defines it.

    Parameters
    ----------
    design : Design
        The rows of X.
    loss : PointwiseLoss
        Targets and weights of the same rows.
    layout : Layout
        The sizes of the layers.
    activation : Activation
        The activation f, the same in all hidden layers.
    l2 : float
        The strength of the penalty on weights, which is added to a mean cross-entropy.
    dropout : Dropout, default=None
        The masks of dropout, which apply to batches but not to `value_and_gradient`.
    """

    def __init__(
        self,
        design: Design,
        loss: PointwiseLoss,
        layout: Layout,
        activation: Activation,
        l2: float,
        dropout: Dropout | None = None,
    ):
        self.data = Dataset(design, loss)
        self.l2 = l2
        self.n_params, self.n_penalized = layout.n_params, layout.n_weights
        self.width = max(fan_out for _, (_, fan_out) in layout.weights)
        self.layout = layout
        self.activation = activation
        self.dropout = dropout
        self._shards: list[Shard] = []
        self._spare: list[Array] = []  # Memory for the gradients of all shards but the first.

    def scores(self, params: Array, block: Design) -> Array:
        return self.network(params).scores(block)

    def network(self, params: Array) -> Network:
        """Return the network with the given parameters, as views of the vector."""
        return Network(*self.layout.arrays(params), self.activation)

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        model = NetworkParams(params.astype(self.dtype, copy=False), self.layout, self.activation)
        total, gradient = self.data.map_reduce(gradient_sums, model, width=self.width)
        share = 1 / self.data.n_rows
        gradient *= share
        weights = params[: self.n_penalized]
        gradient[: self.n_penalized] += self.l2 * weights
        return total * share + self.l2 / 2 * float(np.dot(weights, weights)), gradient

    def begin_pass(self, batches: Sequence[NDArray[np.intp]]) -> NetworkEpoch:
        shards = self._shards_for(max(len(batch) for batch in batches))
        share = self.share_of_row
        spare = self._spare[: len(shards) - 1]
        return NetworkEpoch(shards, batches, share, self.l2, self.n_penalized, spare)

    def batch_value_and_gradient(
        self, params: Array, rows: NDArray[np.intp], gradient: Array
    ) -> float:
        alone = self.begin_pass([rows])
        alone.gradient(params, gradient)
        return alone.value()

    def are_sharded(self, n_rows: int) -> bool:
        """Return whether batches of so many rows are divided between threads."""
        (_, (n_columns, width)), *_ = self.layout.weights
        per_row = self.design.n_values / max(1, self.design.n_rows)
        # Zeros in sparse X and in codes are not multiplied.
        n_multiplied = self.n_penalized - (n_columns - per_row) * width
        return n_rows * n_multiplied >= _MIN_SHARDED_MULTIPLICATIONS

    def _shards_for(self, n_rows: int) -> list[Shard]:
        """Return the shards that batches of so many rows are divided between."""
        n_shards = usable_threads() if self.are_sharded(n_rows) else 1
        while len(self._shards) < n_shards:
            if self._shards:
                self._spare.append(np.empty(self.n_params, self.dtype))
            self._shards.append(
                Shard(self.design, self.loss, self.layout, self.activation, self.dropout)
            )
        return self._shards[:n_shards]


class NetworkParams(NamedTuple):
    """The parameters of a network, their layout, and the activation, which determine scores."""

    params: Array
    layout: Layout
    activation: Activation


def gradient_sums(block: Block, model: NetworkParams) -> tuple[float, Array]:
    """Return Σ s_i CE_i over a block of rows, and its gradient: a kernel for `map_reduce`."""
    total, gradient = 0.0, np.zeros(len(model.params))
    part = np.empty_like(model.params)
    for rows in block.pieces:
        workspace = Workspace(
            model.layout, model.activation, rows.stop - rows.start, model.params.dtype
        )

        def residual(scores: Array, rows: slice = rows) -> None:
            nonlocal total
            total += block.loss.value_and_residual(scores, rows)

        workspace.write_gradient(block.design[rows], model.params, residual, part)
        gradient += part
    return total, gradient


class Network:
    """A trained network, or several, ready to predict.

    Parameters
    ----------
    weights : sequence of ndarray of shape (n_inputs, n_units) or (n_inputs, n_members, n_units)
        The weights W_1, …, W_L. They are not copied, so that later changes take effect.
    intercepts : sequence of ndarray of shape (n_units,) or (n_members, n_units)
        The intercepts b_1, …, b_L, which are not copied either.
    activation : Activation
        The activation f of the hidden layers.
    """

    def __init__(
        self, weights: Sequence[Array], intercepts: Sequence[Array], activation: Activation
    ):
        self.weights = weights
        self.intercepts = intercepts
        self.activation = activation

    def scores(self, block: Design | LookedUpRows) -> Array:
        """Return the scores of some rows, of shape (n_outputs, n_rows)."""
        found = self.scores_of_members(block)
        return found if found.ndim == 2 else averaged(found)

    def scores_of_members(self, block: Design | LookedUpRows) -> Array:
        """Return the scores of each of several members, of shape (n_outputs, n_members, n_rows).

        For a single network the shape is (n_outputs, n_rows).
        """
        first, last = self.weights[0], self.weights[-1]
        dtype = last.dtype if block.dtype == last.dtype else np.result_type(block.dtype, last.dtype)
        if first.ndim == 2:
            return self._scores_of_one(block, dtype)
        members = first.shape[1:-1]
        first = first.reshape(len(first), -1)
        units = _inputs(block, first).times(first)
        # The units of all members, side by side, become a matrix for each member.
        units = units.reshape(-1, *members, first.shape[1] // members[0]).transpose(1, 0, 2)
        hidden = zip(self.weights[1:], self.intercepts[:-1], strict=True)
        for weight, intercept in hidden:
            units = (units + intercept[:, None]).astype(dtype, copy=False)
            self.activation.value_into(units, units)
            units = np.matmul(units, weight.transpose(1, 0, 2))
        units = units + self.intercepts[-1][:, None]
        return np.ascontiguousarray(np.moveaxis(units, -1, 0), dtype=dtype)

    def _scores_of_one(self, block: Design | LookedUpRows, dtype: Any) -> Array:
        """Return the scores of a single network, in which every call counts for a single row."""
        first, *others = self.weights
        *hidden, last = self.intercepts
        units = _inputs(block, first).times(first)
        for weight, intercept in zip(others, hidden, strict=True):
            units += intercept
            if units.dtype != dtype:
                units = units.astype(dtype)
            self.activation.value_into(units, units)
            units = units.dot(weight)
        units += last
        return np.ascontiguousarray(units.T if units.ndim == 2 else units[:, None], dtype=dtype)


def _inputs(block: Design | LookedUpRows, weights: Array) -> Design | LookedUpRows:
    """Return rows in the precision that their products with the first layer need."""
    if type(block) is LookedUpRows:
        return block
    assert isinstance(block, Design)
    return in_needed_precision(block, weights.T)


def averaged(scores: Array) -> Array:
    """Return scores whose probabilities are the mean of the probabilities of the members.

    Parameters
    ----------
    scores : ndarray of shape (n_outputs, n_members, n_rows)
        The scores of each member.
    """
    if len(scores) > 1:
        log_p = np.logaddexp.reduce(log_softmax(scores, axis=0), axis=1)
        log_p -= log(scores.shape[1])
        return log_p
    second, first = (np.logaddexp.reduce(log_expit(z), axis=1) for z in (scores, -scores))
    return second - first
