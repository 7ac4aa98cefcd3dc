"""The weights of `SmallMLP`: public lists of arrays, and one flat vector in training."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.network.cross_entropy import Network
from softmax_regression._objectives.network.layers import Layout
from softmax_regression.neural_network._choices import activation_of
from softmax_regression.neural_network._table_input import TableInput


class NetworkWeights(TableInput):
    """A classifier that consists of the layers of one network or of several members."""

    _layer_sizes: list[int]

    _parts: ClassVar[frozenset[str]] = frozenset(
        {"classes_", "coefs_", "intercepts_", "_layer_sizes", "_n_members", "_activation"}
    )
    _shape_names: ClassVar[tuple[str, ...]] = (
        "The list of the shapes of coefs_",
        "The list of the shapes of intercepts_",
    )

    def _scorer(self) -> tuple[Callable[[Design], Array], int]:
        weights, intercepts = ([*map(np.asarray, arrays)] for arrays in self._arrays())
        network = Network(weights, intercepts, activation_of(self._activation))
        width = self._n_members * max(self._layer_sizes[1:])
        return self._scores_of_table(network.scores), width

    def _parameters(self) -> Array:
        """Return all weights and intercepts in one vector."""
        return Layout.joined(*([*map(np.asarray, arrays)] for arrays in self._arrays()))

    def _keep(self, params: Array) -> None:
        """Set the weights and intercepts from a vector of all parameters."""
        self.coefs_: list[Array]
        self.intercepts_: list[Array]
        self.coefs_, self.intercepts_ = self._layout().arrays(params)

    def _layout(self) -> Layout:
        return Layout(self._layer_sizes, self._n_members)

    def _trained_layout(self) -> Layout:
        """Return the layout in training, in which the first layer may take codes."""
        encoding = self._known_encoding()
        n_inputs = self._layer_sizes[0] if encoding is None else encoding.basis.n_codes
        return Layout([n_inputs, *self._layer_sizes[1:]], self._n_members)

    def _shapes(self, n_features: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        n_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        if n_features == self.n_features_in_:
            n_features = self._n_inputs(n_features)
        sizes = [n_features, *self._layer_sizes[1:-1], n_outputs]
        coefs, intercepts = (
            [array.shape if type(array) is np.ndarray else _shape(array) for array in arrays]
            for arrays in self._arrays()
        )
        members = () if self._n_members == 1 else (self._n_members,)
        needed = [(a, *members, b) for a, b in pairwise(sizes)]
        return (coefs, intercepts), (needed, [shape[1:] for shape in needed])

    def _solution(self) -> tuple[Layout, Array, Array]:
        """Return layout, classes and parameters, from which a warm start continues."""
        return self._layout(), np.asarray(self.classes_), self._parameters()


def _shape(array: Any) -> tuple[int, ...] | None:
    try:
        return array.shape if isinstance(array, np.ndarray) else np.shape(array)
    except ValueError:  # The array is ragged.
        return None
