r"""Cross-entropy of a feed-forward network, its gradient by back-propagation.

Layer l multiplies by W_l, adds b_l and applies the activation f; the last layer's scores go to the
loss. Everything is held unit-major, one row per unit and one column per row of X, so that A_0 = Xᵀ:

    Z_l = W_l A_{l−1} + b_l,    A_l = f(Z_l),    scores = Z_L
    Δ_L = residuals s (p − y),  Δ_l = W_{l+1}ᵀ Δ_{l+1} ∘ f'(Z_l)
    ∂F/∂W_l = 1/S · Δ_l A_{l−1}ᵀ + l2 · W_l,    ∂F/∂b_l = 1/S · Δ_l 1

(Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323,
1986.) Parameters lie in one flat vector, all weights W_1 … W_L and then all intercepts b_1 … b_L:
an optimiser's step is a few passes over one array, and the penalised part is its front.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression.design import Design
from softmax_regression.functional import Activation
from softmax_regression.objectives._base import CrossEntropyObjective, Rows
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
    """

    def __init__(
        self,
        design: Design,
        loss: PointwiseLoss,
        layout: Layout,
        activation: Activation,
        l2: float,
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

    def _block_gradient(
        self, params: Array, block: Design, rows: Rows, out: Array, scratch: Array | None = None
    ) -> float:
        weights, _ = self.layout.views(params)
        weight_slopes, intercept_slopes = self.layout.views(out)
        inputs, outputs = forward(block, self.layout, self.activation, params)
        delta = inputs[-1]
        total = self.loss.value_and_residual(delta, rows)
        for layer in range(len(weights) - 1, 0, -1):
            np.matmul(delta, outputs[layer - 1].T, out=weight_slopes[layer])
            delta.sum(axis=1, out=intercept_slopes[layer])
            below = np.matmul(weights[layer].T, delta)
            slope = inputs[layer - 1]
            self.activation.slope_into(slope, outputs[layer - 1], slope)
            below *= slope
            delta = below
        block.weighted_sum(delta, out=weight_slopes[0])
        delta.sum(axis=1, out=intercept_slopes[0])
        return total


def forward(
    block: Design, layout: Layout, activation: Activation, params: Array
) -> tuple[list[Array], list[Array]]:
    """Run rows through the network.

    Returns
    -------
    inputs : list of ndarray of shape (n_units, n_rows)
        Z_1 … Z_L; the last are the scores.
    outputs : list of ndarray of shape (n_units, n_rows)
        A_1 … A_{L−1}.
    """
    weights, intercepts = layout.views(params)
    inputs, outputs = [block.scores(weights[0])], []
    inputs[0] += intercepts[0][:, None]
    for weight, intercept in zip(weights[1:], intercepts[1:], strict=True):
        outputs.append(np.empty_like(inputs[-1]))
        activation.value_into(inputs[-1], outputs[-1])
        inputs.append(np.matmul(weight, outputs[-1]))
        inputs[-1] += intercept[:, None]
    return inputs, outputs
