r"""Cross-entropy of a feed-forward network, its gradient by back-propagation.

Layer l multiplies by W_l, adds b_l and applies the activation f; the last layer's scores go to the
loss. Hidden layers are held row by row, as X is, so that A_0 = X:

    Z_l = A_{l−1} W_l + b_l,    A_l = f(Z_l),    scores = Z_Lᵀ
    Δ_L = residuals s (p − y),  Δ_l = Δ_{l+1} W_{l+1}ᵀ ∘ f'(Z_l)
    ∂F/∂W_l = 1/S · A_{l−1}ᵀ Δ_l + l2 · W_l,    ∂F/∂b_l = 1/S · 1ᵀ Δ_l

(Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323,
1986.) With dropout, A_{l−1} is multiplied by a mask in the first line of these and Δ_{l−1} in the
second. Parameters lie in one flat vector, all weights W_1 … W_L and then all intercepts b_1 … b_L:
an optimiser's step is a few passes over one array, and the penalised part is its front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._threads import share_out, usable_threads
from softmax_regression.design import Design
from softmax_regression.functional import Activation
from softmax_regression.objectives._base import CrossEntropyObjective, Rows
from softmax_regression.objectives._dropout import Dropout
from softmax_regression.objectives._losses import PointwiseLoss

Array = NDArray[Any]

_WORTH_RUNS = 50_000_000  # multiplications in a layer's product for a batch


class Layout:
    """Where each layer's parameters lie in the flat vector.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of inputs, of units in each hidden layer, of outputs.
    """

    def __init__(self, layer_sizes: Sequence[int]):
        shapes = list(pairwise(layer_sizes))
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
            width=max(fan_out for _, (_, fan_out) in layout.weights),
        )
        self.layout = layout
        self.activation = activation
        self.dropout = dropout
        self._plans: dict[int, list[_Run]] = {}
        self._slopes: Array = np.empty(0, dtype=bool)  # of the penalty

    def _block_gradient(
        self, params: Array, block: Design, rows: Rows, out: Array, scratch: Array | None = None
    ) -> float:
        room = _Room(self.layout, block.n_rows, self.dtype)
        return self._through_and_back(params, block, rows, out, room, 1.0)

    def batch_value_and_gradient(
        self, params: Array, rows: NDArray[np.intp], gradient: Array
    ) -> float:
        # The mean weight is 1 over all rows, and more over those that may be drawn if others have
        # weight 0: hence a factor beside 1 / len(rows).
        share = len(self.rows) / self.design.n_rows / len(rows)
        runs = self._plan(len(rows))
        runs[0].gradient = gradient
        if len(runs) == 1:
            total = self._run(params, rows, runs[0], share)
        else:

            def work(some: Sequence[_Run]) -> float:
                return sum(self._run(params, rows[run.rows], run, share) for run in some)

            total = sum(share_out(work, runs))
            for run in runs[1:]:
                gradient += run.gradient
        return total * share + self._penalize(params, gradient)

    def in_runs(self, n_rows: int) -> bool:
        """Whether threads share out a batch, or are left to BLAS, if it wants any."""
        return n_rows * self.n_penalized >= _WORTH_RUNS

    def _plan(self, n_rows: int) -> list[_Run]:
        """Cut a batch into runs; the same for all batches of that size."""
        if n_rows not in self._plans:
            n_runs = usable_threads() if self.in_runs(n_rows) else 1
            cuts = [n_rows * i // n_runs for i in range(n_runs + 1)]
            self._plans[n_rows] = [
                _Run(
                    slice(a, b),
                    _Room(self.layout, b - a, self.dtype, self.design, self.dropout),
                    np.empty(self.n_params if a else 0, self.dtype),
                )
                for a, b in pairwise(cuts)
            ]
        return self._plans[n_rows]

    def _run(self, params: Array, rows: NDArray[np.intp], run: _Run, share: float) -> float:
        block = self.design.take(rows, run.room.rows)
        return self._through_and_back(params, block, rows, run.gradient, run.room, share)

    def _penalize(self, params: Array, gradient: Array) -> float:
        """Add the penalty's part to a gradient, and return its value."""
        if self.l2 == 0:
            return 0.0
        penalized = params[: self.n_penalized]
        if self._slopes.dtype != penalized.dtype:
            self._slopes = np.empty_like(penalized)
        np.multiply(penalized, self.l2, out=self._slopes)
        gradient[: self.n_penalized] += self._slopes
        return self.l2 / 2 * float(np.dot(penalized, penalized))

    def _through_and_back(
        self,
        params: Array,
        block: Design,
        rows: Rows,
        out: Array,
        room: _Room,
        share: float,
    ) -> float:
        """Return Σ s_i CE_i over a block of rows and write its gradient times `share` to `out`."""
        weights, intercepts = room.views(self.layout, params)
        weight_slopes, intercept_slopes = room.slopes(self.layout, out)
        block = room.forward(block, weights, intercepts, self.activation)
        delta = room.inputs[-1]
        total = self.loss.value_and_residual(delta, rows)
        if share != 1:
            delta *= share  # far fewer numbers than the gradient has
        delta = delta.T
        for layer in range(len(weights) - 1, 0, -1):
            np.matmul(room.outputs[layer - 1].T, delta, out=weight_slopes[layer])
            np.add.reduce(delta, axis=0, out=intercept_slopes[layer])
            delta = room.back(layer, weights[layer], delta, self.activation)
        block.transposed_times(delta, out=weight_slopes[0])
        np.add.reduce(delta, axis=0, out=intercept_slopes[0])
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
    dropout : Dropout, default=None
        What leaves out units on the way.
    """

    def __init__(
        self,
        layout: Layout,
        n_rows: int,
        dtype: Any,
        design: Design | None = None,
        dropout: Dropout | None = None,
    ):
        *hidden, n_outputs = [fan_out for _, (_, fan_out) in layout.weights]

        def for_hidden() -> list[Array]:
            return [np.empty((n_rows, n_units), dtype) for n_units in hidden]

        self.rows = None if design is None else design.room(n_rows)
        # Z_1 … Z_L, the last class by class, as the loss wants it
        self.inputs = [*for_hidden(), np.empty((n_outputs, n_rows), dtype)]
        self.outputs = for_hidden()  # A_1 … A_{L−1}
        self.deltas = for_hidden()
        self.dropout = None if dropout is None else dropout.spawn()
        self.masks: dict[int, Array] = {}
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
    ) -> Design:
        """Fill `inputs` and `outputs`; return the rows as the first layer saw them."""
        dropout = self.dropout
        if dropout is not None and dropout.applies(0):
            block = block.masked(partial(dropout.mask, 0))
        below = block.times
        for layer, output in enumerate(self.outputs):
            below(weights[layer], self.inputs[layer])
            self.inputs[layer] += intercepts[layer]
            activation.value_into(self.inputs[layer], output)
            if dropout is not None and dropout.applies(layer + 1):
                mask = self._mask(layer + 1)
                dropout.mask(layer + 1, mask)
                output *= mask
            below = partial(np.matmul, output)
        below(weights[-1], self.inputs[-1].T)
        self.inputs[-1] += intercepts[-1][:, None]
        return block

    def back(
        self,
        layer: int,
        weight: Array,
        delta: Array,
        activation: Activation,
    ) -> Array:
        """Return Δ of the layer below one, from that layer's."""
        below, slope, output = (
            self.deltas[layer - 1],
            self.inputs[layer - 1],
            self.outputs[layer - 1],
        )
        np.matmul(delta, weight.T, out=below)
        if self.dropout is not None and self.dropout.applies(layer):
            below *= self._mask(layer)
            output /= self.dropout.scale(
                layer
            )  # what was kept, as it was; the rest gets no gradient
        activation.slope_into(slope, output, slope)
        below *= slope
        return below

    def _mask(self, layer: int) -> Array:
        if layer not in self.masks:
            self.masks[layer] = np.empty_like(self.outputs[layer - 1])
        return self.masks[layer]


@dataclass
class _Run:
    """Rows of a batch that one thread sees to.

    Parameters
    ----------
    rows : slice
        Where in the batch they are.
    room : _Room
        Memory for them.
    gradient : ndarray
        What they give; the first run's goes where the whole batch's does.
    """

    rows: slice
    room: _Room
    gradient: Array


class Network:
    """A trained network, ready to predict.

    Parameters
    ----------
    layout : Layout
        Sizes of the layers.
    activation : Activation
        f.
    params : ndarray of shape (n_params,)
        All parameters: what is written there later is seen.
    """

    def __init__(self, layout: Layout, activation: Activation, params: Array):
        weights, intercepts = layout.views(params)
        self.layout = layout
        self.activation = activation
        self.params = params
        self.width = max(len(intercept) for intercept in intercepts)
        self._hidden = list(zip(weights[:-1], intercepts[:-1], strict=True))
        self._last, self._shift = weights[-1], intercepts[-1][:, None]

    def __reduce__(self) -> Any:
        # A copy's weights are views of its own parameters.
        return Network, (self.layout, self.activation, self.params)

    def scores(self, block: Design) -> Array:
        """Return those of some rows, (n_outputs, n_rows)."""
        below: Any = block.times
        for weight, intercept in self._hidden:
            units = below(weight)
            units += intercept
            self.activation.value_into(units, units)
            below = units.dot
        scores = np.ascontiguousarray(below(self._last).T)
        scores += self._shift
        return scores
