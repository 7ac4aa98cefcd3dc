"""Dropout: units left out at random while training.

What is kept is divided by the probability of being kept, so that prediction needs no change
(Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15,
2014).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from softmax_regression._linalg.arrays import Array

_LEVELS = 1 << 16  # Of a random number: 16 bits take half of the time of 32.


class Dropout:
    """Masks that multiply the inputs of each layer.

    Parameters
    ----------
    rates : sequence of float
        For the inputs and for each hidden layer, the probability of being left out: below 1.
    seed : int
        Where the masks come from.
    """

    def __init__(self, rates: Sequence[float], seed: int):
        # Rounded to what 16 bits can say, so that the mean of a mask is exactly 1.
        self._left_out = [min(round(rate * _LEVELS), _LEVELS - 1) for rate in rates]
        self._seeds = np.random.SeedSequence(seed)
        self._random = np.random.Generator(np.random.SFC64(self._seeds))

    def spawn(self) -> Dropout:
        """Return another of the same rates, whose masks are independent of these."""
        other = copy.copy(self)
        other._seeds = self._seeds.spawn(1)[0]
        other._random = np.random.Generator(np.random.SFC64(other._seeds))
        return other

    def applies(self, layer: int) -> bool:
        """Whether the inputs of a layer are ever left out."""
        return self._left_out[layer] > 0

    def mask(self, layer: int, out: Array) -> None:
        """Draw a mask for the inputs of a layer: zeros, and the inverse of the share kept."""
        bits = self._random.integers(_LEVELS, size=out.shape, dtype=np.uint16)
        np.multiply(bits >= self._left_out[layer], out.dtype.type(self.scale(layer)), out=out)

    def scale(self, layer: int) -> float:
        """Return by how much what is kept is multiplied."""
        return _LEVELS / (_LEVELS - self._left_out[layer])
