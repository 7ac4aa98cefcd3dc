r"""Cross-entropy of a feed-forward network, its gradient by back-propagation.

Layer l multiplies by W_l, adds b_l and applies the activation f; the last layer's scores go to the
loss. Everything is held unit-major, one row per unit and one column per row of X, so that A_0 = Xᵀ:

    Z_l = W_l A_{l−1} + b_l,    A_l = f(Z_l),    scores = Z_L
    Δ_L = residuals s (p − y),  Δ_l = W_{l+1}ᵀ Δ_{l+1} ∘ f'(Z_l)
    ∂F/∂W_l = 1/S · Δ_l A_{l−1}ᵀ + l2 · W_l,    ∂F/∂b_l = 1/S · Δ_l 1

(Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323,
1986.) With dropout, A_{l−1} is multiplied by a mask in the first line of these and Δ_{l−1} in the
second. Parameters lie in one flat vector, all weights W_1 … W_L and then all intercepts b_1 … b_L:
an optimiser's step is a few passes over one array, and the penalised part is its front.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression.design import Design
from softmax_regression.functional import Activation
from softmax_regression.objectives._base import CrossEntropyObjective, Rows
from softmax_regression.objectives._dropout import Dropout
from softmax_regression.objectives._losses import PointwiseLoss

Array = NDArray[Any]


class Layout:
    """Where each layer's parameters lie in the flat vector.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of inputs, of units in each hidden layer, of outputs.
    """

    def __init__(self, layer_sizes: Sequence[int]):
        shapes = [(fan_out, fan_in) for fan_in, fan_out in pairwise(layer_sizes)]
        self.weights: list[tuple[slice, tuple[int, int]]] = []
        self.intercepts: list[slice] = []
        end = 0
        for shape in shapes:
            start, end = end, end + shape[0] * shape[1]
            self.weights.append((slice(start, end), shape))
        self.n_weights = end
        for fan_out, _ in shapes:
            start, end = end, end + fan_out
            self.intercepts.append(slice(start, end))
        self.n_params = end

    def views(self, params: Array) -> tuple[list[Array], list[Array]]:
        """Weights of shape (fan_out, fan_in) and intercepts of each layer, sharing memory."""
        weights = [params[part].reshape(shape) for part, shape in self.weights]
        return weights, [params[part] for part in self.intercepts]


class NetworkCrossEntropy(CrossEntropyObjective):
    """F(params); see the module's text for the mathematics.

    Parameters
    ----------
    design : Design
        X.
    loss : PointwiseLoss
        Targets and weights of the same rows.
    layout : Layout
        Sizes of the layers.
    activation : Activation
        f, the same in all hidden layers.
    l2 : float
        Strength of the penalty on weights beside a mean cross-entropy.
    dropout : Dropout, default=None
        What leaves out units in `batch_value_and_gradient`.
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
        super().__init__(
            design,
            loss,
            l2,
            n_params=layout.n_params,
            n_penalized=layout.n_weights,
            width=max(shape[0] for _, shape in layout.weights),
        )
        self.layout = layout
        self.activation = activation
        self.dropout = dropout
        self._rooms: dict[int, _Room] = {}

    def _block_gradient(
        self, params: Array, block: Design, rows: Rows, out: Array, scratch: Array | None = None
    ) -> float:
        room = _Room(self.layout, block.n_rows, self.dtype)
        return self._through_and_back(params, block, rows, out, room, None, 1.0)

    def batch_value_and_gradient(
        self, params: Array, rows: NDArray[np.intp], gradient: Array
    ) -> float:
        room = self._rooms.get(len(rows))
        if room is None:
            room = self._rooms[len(rows)] = _Room(self.layout, len(rows), self.dtype, self.design)
        block = self.design.take(rows, room.rows)
        # The mean weight is 1 over all rows, and more over those that may be drawn if others have
        # weight 0: hence a factor beside 1 / len(rows).
        share = len(self.rows) / self.design.n_rows / len(rows)
        total = self._through_and_back(params, block, rows, gradient, room, self.dropout, share)
        if self.l2 == 0:
            return total * share
        penalized, slopes = params[: self.n_penalized], room.penalty
        np.multiply(penalized, self.l2, out=slopes)
        gradient[: self.n_penalized] += slopes
        return total * share + float(np.dot(penalized, slopes)) / 2

    def _through_and_back(
        self,
        params: Array,
        block: Design,
        rows: Rows,
        out: Array,
        room: _Room,
        dropout: Dropout | None,
        share: float,
    ) -> float:
        """Return Σ s_i CE_i over a block of rows and write its gradient times `share` to `out`."""
        weights, intercepts = room.views(self.layout, params)
        weight_slopes, intercept_slopes = room.slopes(self.layout, out)
        block = room.forward(block, weights, intercepts, self.activation, dropout)
        delta = room.inputs[-1]
        total = self.loss.value_and_residual(delta, rows)
        if share != 1:
            delta *= share  # far fewer numbers than the gradient has
        for layer in range(len(weights) - 1, 0, -1):
            np.matmul(delta, room.outputs[layer - 1].T, out=weight_slopes[layer])
            np.add.reduce(delta, axis=1, out=intercept_slopes[layer])
            delta = room.back(layer, weights[layer], delta, self.activation, dropout)
        block.weighted_sum(delta, out=weight_slopes[0])
        np.add.reduce(delta, axis=1, out=intercept_slopes[0])
        return total


class _Room:
    """Memory for so many rows on their way through the network and back.

    Parameters
    ----------
    layout : Layout
        Sizes of the layers.
    n_rows : int
        How many.
    dtype : dtype
        Of all numbers.
    design : Design, default=None
        Where the rows come from, if they are taken one by one.
    """

    def __init__(self, layout: Layout, n_rows: int, dtype: Any, design: Design | None = None):
        def for_layers(shapes: list[tuple[int, int]]) -> list[Array]:
            return [np.empty((fan_out, n_rows), dtype) for fan_out, _ in shapes]

        shapes = [shape for _, shape in layout.weights]
        self.rows = None if design is None else design.room(n_rows)
        self.inputs = for_layers(shapes)  # Z_1 … Z_L
        self.outputs = for_layers(shapes[:-1])  # A_1 … A_{L−1}
        self.deltas = for_layers(shapes[:-1])
        self.masks: dict[int, Array] = {}
        self.penalty = np.empty(0 if design is None else layout.n_weights, dtype)
        self._views: dict[str, tuple[Array, tuple[list[Array], list[Array]]]] = {}

    def views(self, layout: Layout, params: Array) -> tuple[list[Array], list[Array]]:
        """Weights and intercepts of a flat vector; in training it is always the same one."""
        return self._remembered("params", layout, params)

    def slopes(self, layout: Layout, gradient: Array) -> tuple[list[Array], list[Array]]:
        """Return the same of the gradient."""
        return self._remembered("gradient", layout, gradient)

    def _remembered(
        self, name: str, layout: Layout, flat: Array
    ) -> tuple[list[Array], list[Array]]:
        known = self._views.get(name)
        if known is None or known[0] is not flat:
            known = self._views[name] = flat, layout.views(flat)
        return known[1]

    def forward(
        self,
        block: Design,
        weights: list[Array],
        intercepts: list[Array],
        activation: Activation,
        dropout: Dropout | None,
    ) -> Design:
        """Fill `inputs` and `outputs`; return the rows as the first layer saw them."""
        if dropout is not None and dropout.applies(0):
            block = block.masked(partial(dropout.mask, 0))
        block.scores(weights[0], out=self.inputs[0])
        self.inputs[0] += intercepts[0][:, None]
        for layer, output in enumerate(self.outputs, start=1):
            activation.value_into(self.inputs[layer - 1], output)
            if dropout is not None and dropout.applies(layer):
                mask = self._mask(layer)
                dropout.mask(layer, mask)
                output *= mask
            np.matmul(weights[layer], output, out=self.inputs[layer])
            self.inputs[layer] += intercepts[layer][:, None]
        return block

    def back(
        self,
        layer: int,
        weight: Array,
        delta: Array,
        activation: Activation,
        dropout: Dropout | None,
    ) -> Array:
        """Return Δ of the layer below one, from that layer's."""
        below, slope, output = (
            self.deltas[layer - 1],
            self.inputs[layer - 1],
            self.outputs[layer - 1],
        )
        np.matmul(weight.T, delta, out=below)
        if dropout is not None and dropout.applies(layer):
            below *= self._mask(layer)
            output /= dropout.scale(layer)  # what was kept, as it was; the rest gets no gradient
        activation.slope_into(slope, output, slope)
        below *= slope
        return below

    def _mask(self, layer: int) -> Array:
        if layer not in self.masks:
            self.masks[layer] = np.empty_like(self.outputs[layer - 1])
        return self.masks[layer]


def network_scores(block: Design, layout: Layout, activation: Activation, params: Array) -> Array:
    """Return the scores of some rows, (n_outputs, n_rows), for prediction."""
    weights, intercepts = layout.views(params)
    units = block.scores(weights[0])
    units += intercepts[0][:, None]
    for weight, intercept in zip(weights[1:], intercepts[1:], strict=True):
        activation.value_into(units, units)
        units = np.matmul(weight, units)
        units += intercept[:, None]
    return units
