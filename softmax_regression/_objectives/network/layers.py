"""The layers of a network: the layout of their parameters, forward and backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.network.dropout import Dropout
from softmax_regression.functional import Activation


class Layout:
    """Where each layer's parameters lie in the flat vector.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of inputs, of units in each hidden layer, of outputs.
    """

    def __init__(self, layer_sizes: Sequence[int]):
        self.sizes = list(layer_sizes)
        shapes = list(pairwise(self.sizes))
        self.weights: list[tuple[slice, tuple[int, int]]] = []
        self.intercepts: list[slice] = []
        end = 0
        for shape in shapes:
            start, end = end, end + shape[0] * shape[1]
            self.weights.append((slice(start, end), shape))
        self.n_weights = end
        for _, fan_out in shapes:
            start, end = end, end + fan_out
            self.intercepts.append(slice(start, end))
        self.n_params = end

    def views(self, params: Array) -> tuple[list[Array], list[Array]]:
        """Weights of shape (fan_in, fan_out) and intercepts of each layer, sharing memory."""
        weights = [params[part].reshape(shape) for part, shape in self.weights]
        return weights, [params[part] for part in self.intercepts]

    @staticmethod
    def joined(weights: Sequence[Array], intercepts: Sequence[Array]) -> Array:
        """A new flat vector of the weights and intercepts of each layer."""
        return np.concatenate([part.ravel() for part in (*weights, *intercepts)])


class Workspace:
    """Memory for the forward and backward pass of so many rows.

    Parameters
    ----------
    layout : Layout
        Sizes of the layers.
    activation : Activation
        f.
    n_rows : int
        How many.
    dtype : dtype
        Of all numbers.
    dropout : Dropout, default=None
        What leaves out units on the way.
    """

    def __init__(
        self,
        layout: Layout,
        activation: Activation,
        n_rows: int,
        dtype: Any,
        dropout: Dropout | None = None,
    ):
        *hidden, n_outputs = [fan_out for _, (_, fan_out) in layout.weights]

        def for_hidden() -> list[Array]:
            return [np.empty((n_rows, n_units), dtype) for n_units in hidden]

        self.layout = layout
        self.activation = activation
        self.dropout = dropout
        # Z_l, A_l and Δ_l of the hidden layers are row-major; scores are class-major, for the loss.
        self.inputs, self.outputs, self.deltas = for_hidden(), for_hidden(), for_hidden()
        self.scores = np.empty((n_outputs, n_rows), dtype)
        self.masks: dict[int, Array] = {}
        self._ones = np.ones(n_rows, dtype)
        self._views: dict[str, tuple[Array, tuple[list[Array], list[Array]]]] = {}

    def write_gradient(
        self, block: Design, params: Array, residual: Callable[[Array], Any], gradient: Array
    ) -> None:
        """Write the gradient of some rows.

        Parameters
        ----------
        block : Design
            The rows; with dropout of features they are overwritten.
        params : ndarray of shape (n_params,)
            All parameters.
        residual : callable
            Overwrites class-major scores with the loss's gradient in them.
        gradient : ndarray of shape (n_params,)
            Where to write.
        """
        weights, intercepts = self._remembered("params", params)
        block = self._forward(block, weights, intercepts)
        residual(self.scores)
        self._backward(block, weights, *self._remembered("gradient", gradient))

    def _remembered(self, name: str, flat: Array) -> tuple[list[Array], list[Array]]:
        """Weights and intercepts of a flat vector; in training it is always the same one."""
        known = self._views.get(name)
        if known is None or known[0] is not flat:
            known = self._views[name] = flat, self.layout.views(flat)
        return known[1]

    def _forward(self, block: Design, weights: list[Array], intercepts: list[Array]) -> Design:
        """Fill `inputs`, `outputs` and `scores`; return the rows as the first layer saw them."""
        dropout = self.dropout
        if dropout is not None and dropout.applies(0):
            block = block.masked(partial(dropout.mask, 0))
        for layer, (units, output) in enumerate(zip(self.inputs, self.outputs, strict=True)):
            if layer == 0:
                block.times(weights[0], units)
            else:
                np.dot(self.outputs[layer - 1], weights[layer], out=units)
            units += intercepts[layer]
            self.activation.value_into(units, output)
            if dropout is not None and dropout.applies(layer + 1):
                output *= self._drawn(dropout, layer + 1)
        if self.outputs:
            np.dot(weights[-1].T, self.outputs[-1].T, out=self.scores)
        else:
            block.times(weights[0], self.scores.T)
        self.scores += intercepts[-1][:, None]
        return block

    def _backward(
        self,
        block: Design,
        weights: list[Array],
        weight_slopes: list[Array],
        intercept_slopes: list[Array],
    ) -> None:
        delta = self.scores.T
        for layer in range(len(weights) - 1, 0, -1):
            np.dot(self.outputs[layer - 1].T, delta, out=weight_slopes[layer])
            np.dot(self._ones, delta, out=intercept_slopes[layer])
            delta = self._below(layer, np.dot(delta, weights[layer].T, out=self.deltas[layer - 1]))
        block.transposed_times(delta, out=weight_slopes[0])
        np.dot(self._ones, delta, out=intercept_slopes[0])  # A product is quicker than a sum.

    def _below(self, layer: int, delta: Array) -> Array:
        """Take the gradient in a layer's inputs to Δ of the layer below."""
        slope, output = self.inputs[layer - 1], self.outputs[layer - 1]
        if self.dropout is not None and self.dropout.applies(layer):
            delta *= self.masks[layer]
            output /= self.dropout.scale(
                layer
            )  # Units that were kept are as they were; the others have no slope.
        self.activation.slope_into(slope, output, slope)
        delta *= slope
        return delta

    def _drawn(self, dropout: Dropout, layer: int) -> Array:
        if layer not in self.masks:
            self.masks[layer] = np.empty_like(self.outputs[layer - 1])
        dropout.mask(layer, self.masks[layer])
        return self.masks[layer]
