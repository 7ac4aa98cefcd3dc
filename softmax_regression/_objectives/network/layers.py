"""The layers of a network: the layout of their parameters, and the forward and backward pass.

*Members* are independent networks of the same layers that are trained side by side on the same X.
Their first layers form one wide layer, so that a single product serves all of them. The units of
every layer are stored member by member in wide rows, so that elementwise operations need not
distinguish members; the products of the other layers are batched, one for each member.
"""

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
    """The positions of each layer's parameters in the flat vector.

    Parameters
    ----------
    layer_sizes : sequence of int
        The number of inputs, of units in each hidden layer, and of outputs.
    n_members : int, default=1
        The number of networks of these layers.
    """

    def __init__(self, layer_sizes: Sequence[int], n_members: int = 1):
        self.sizes = list(layer_sizes)
        self.n_members = n_members
        shapes = [(fan_in, n_members * fan_out) for fan_in, fan_out in pairwise(self.sizes)]
        self.weights: list[tuple[slice, tuple[int, int]]] = []
        self.intercepts: list[slice] = []
        end = 0
        for shape in shapes:
            start, end = end, end + shape[0] * shape[1]
            self.weights.append((slice(start, end), shape))
        self.n_weights = end
        for _, width in shapes:
            start, end = end, end + width
            self.intercepts.append(slice(start, end))
        self.n_params = end

    def views(self, params: Array) -> tuple[list[Array], list[Array]]:
        """Return the weights and intercepts of each layer, as views of the flat vector.

        Their shapes are (fan_in, fan_out) and (fan_out,), or (fan_in, n_members * fan_out) and
        (n_members * fan_out,).
        """
        weights = [params[part].reshape(shape) for part, shape in self.weights]
        return weights, [params[part] for part in self.intercepts]

    def arrays(self, params: Array) -> tuple[list[Array], list[Array]]:
        """Return `views`, with an axis for several members before that of the units."""
        weights, intercepts = self.views(params)
        if self.n_members == 1:
            return weights, intercepts
        pairs = zip(weights, intercepts, strict=True)
        found = [
            (w.reshape(len(w), self.n_members, -1), b.reshape(self.n_members, -1)) for w, b in pairs
        ]
        return [w for w, _ in found], [b for _, b in found]

    def owners(self) -> Array | None:
        """Return the member that each parameter belongs to, or None for a single network."""
        if self.n_members == 1:
            return None
        owners = np.empty(self.n_params, dtype=np.intp)
        for parts in self.arrays(owners):
            for part in parts:
                part[...] = np.arange(self.n_members)[:, None]
        return owners

    @staticmethod
    def joined(weights: Sequence[Array], intercepts: Sequence[Array]) -> Array:
        """Return a new flat vector of the weights and intercepts of each layer."""
        return np.concatenate([part.ravel() for part in (*weights, *intercepts)])


class Workspace:
    """Memory for the forward and backward pass of a given number of rows.

    Parameters
    ----------
    layout : Layout
        The sizes of the layers.
    activation : Activation
        The activation f of the hidden layers.
    n_rows : int
        The number of rows.
    dtype : dtype
        The dtype of all arrays.
    dropout : Dropout, default=None
        The masks of dropout, if there is any.
    """

    def __init__(
        self,
        layout: Layout,
        activation: Activation,
        n_rows: int,
        dtype: Any,
        dropout: Dropout | None = None,
    ):
        n_members, hidden = layout.n_members, layout.sizes[1:-1]

        def for_hidden() -> list[Array]:
            return [np.empty((n_rows, n_members * n_units), dtype) for n_units in hidden]

        self.layout = layout
        self.activation = activation
        self.dropout = dropout
        # Z_l, A_l and Δ_l of the hidden layers are row-major. Scores are class-major for the loss,
        # and the rows of different members follow each other as if they were further rows.
        self.inputs, self.outputs, self.deltas = for_hidden(), for_hidden(), for_hidden()
        self._scores = np.empty((layout.sizes[-1], n_members, n_rows), dtype)
        self.scores = self._scores.reshape(layout.sizes[-1], -1)
        self._stacked_scores = self.scores
        if n_members > 1:
            self._stacked_scores = self._scores.transpose(1, 0, 2)
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
            The rows, which are overwritten if features have dropout.
        params : ndarray of shape (n_params,)
            All parameters.
        residual : callable
            A function that overwrites class-major scores, of shape (n_outputs, n_members * n_rows),
            with the gradient of the loss with respect to them.
        gradient : ndarray of shape (n_params,)
            The array that the gradient is written to.
        """
        weights, intercepts = self._remembered("params", params)
        block = self._forward(block, weights, intercepts)
        residual(self.scores)
        self._backward(block, weights, *self._remembered("gradient", gradient))

    def _remembered(self, name: str, flat: Array) -> tuple[list[Array], list[Array]]:
        """Return the views of a flat vector, cached because training reuses the same vector."""
        known = self._views.get(name)
        if known is None or known[0] is not flat:
            known = self._views[name] = flat, self.layout.views(flat)
        return known[1]

    def _forward(self, block: Design, weights: list[Array], intercepts: list[Array]) -> Design:
        """Fill `inputs`, `outputs` and `scores`; return the rows with dropout applied."""
        dropout = self.dropout
        if dropout is not None and dropout.applies(0):
            block = block.masked(partial(dropout.mask, 0))
        for layer, (units, output) in enumerate(zip(self.inputs, self.outputs, strict=True)):
            if layer == 0:
                block.times(weights[0], units)
            else:
                below = self._stacked(self.outputs[layer - 1])
                np.matmul(below, self._stacked(weights[layer]), out=self._stacked(units))
            units += intercepts[layer]
            self.activation.value_into(units, output)
            if dropout is not None and dropout.applies(layer + 1):
                output *= self._drawn(dropout, layer + 1)
        if self.outputs:
            last, top = self._stacked(weights[-1]), self._stacked(self.outputs[-1])
            np.matmul(last.swapaxes(-1, -2), top.swapaxes(-1, -2), out=self._stacked_scores)
        else:
            by_row = self._scores.transpose(2, 1, 0)
            by_row[...] = block.times(weights[0]).reshape(by_row.shape)
        self._scores += intercepts[-1].reshape(self._scores.shape[1::-1]).T[:, :, None]
        return block

    def _backward(
        self,
        block: Design,
        weights: list[Array],
        weight_slopes: list[Array],
        intercept_slopes: list[Array],
    ) -> None:
        wide = self._scores.transpose(2, 1, 0).reshape(len(self._ones), -1)
        delta, n_members = self._stacked_scores.swapaxes(-1, -2), self.layout.n_members
        for layer in range(len(weights) - 1, 0, -1):
            below = self._stacked(self.outputs[layer - 1]).swapaxes(-1, -2)
            np.matmul(below, delta, out=self._stacked(weight_slopes[layer]))
            slopes = intercept_slopes[layer]
            if n_members > 1:
                slopes = slopes.reshape(n_members, -1)
            np.matmul(self._ones, delta, out=slopes)  # A product is faster than a sum.
            wide = self.deltas[layer - 1]
            upwards = self._stacked(weights[layer]).swapaxes(-1, -2)
            # NumPy's matmul calls no BLAS for an outer product, and its loop is slow.
            product = np.multiply if delta.shape[-1] == 1 else np.matmul
            product(delta, upwards, out=self._stacked(wide))
            delta = self._stacked(self._below(layer, wide))
        block.transposed_times(wide, out=weight_slopes[0])
        np.dot(self._ones, wide, out=intercept_slopes[0])

    def _stacked(self, wide: Array) -> Array:
        """Return a view of wide rows with a matrix for each member, if there are several."""
        if self.layout.n_members == 1:
            return wide
        return wide.reshape(len(wide), self.layout.n_members, -1).transpose(1, 0, 2)

    def _below(self, layer: int, delta: Array) -> Array:
        """Turn the gradient in a layer's inputs into Δ of the layer below, in place."""
        slope, output = self.inputs[layer - 1], self.outputs[layer - 1]
        if self.dropout is not None and self.dropout.applies(layer):
            delta *= self.masks[layer]
            # This restores the outputs of units that were kept; the gradient of the others is 0.
            output /= self.dropout.scale(layer)
        self.activation.slope_into(slope, output, slope)
        delta *= slope
        return delta

    def _drawn(self, dropout: Dropout, layer: int) -> Array:
        if layer not in self.masks:
            self.masks[layer] = np.empty_like(self.outputs[layer - 1])
        dropout.mask(layer, self.masks[layer])
        return self.masks[layer]
