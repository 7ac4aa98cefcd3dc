"""The conversion of a network trained on codes to one that looks up the states of features.

With the codes of `_data/encoded.py`, the first layer is S (B W_1) + b_1. After training, B is
multiplied into its weights, and T = B W_1 remains, with a row of units for each state of each
feature.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._data.encoded import EncodedDesign
from softmax_regression._data.table_encoding import TableEncoding
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.network.layers import Layout


class EncodedInputs:
    """The codes of features, and the conversion of the first layer between codes and states.

    Parameters
    ----------
    encoding : TableEncoding
        The states of the features.
    """

    def __init__(self, encoding: TableEncoding):
        self.encoding = encoding
        self.n_codes = encoding.basis.n_codes

    def design(self, design: Design, dtype: Any) -> EncodedDesign:
        """Return the codes of all rows in a given precision."""
        return self.encoding.design(design.dense(), dtype)

    def folded(self, layout: Layout, params: Array, dtype: Any) -> Array:
        """Return the parameters of the network that takes states, in a given precision."""
        weights, intercepts = layout.views(params.astype(np.float64))
        weights[0] = self.encoding.basis.tables(weights[0])
        return Layout.joined(weights, intercepts).astype(dtype)

    def unfolded(self, layout: Layout, params: Array) -> Array:
        """Return the parameters of the network that takes codes, in float64."""
        of_states = Layout([self.encoding.n_states, *layout.sizes[1:]], layout.n_members)
        weights, intercepts = of_states.views(params.astype(np.float64))
        weights[0], shift = self.encoding.solved(weights[0])
        intercepts[0] += shift
        return Layout.joined(weights, intercepts)
