"""Dropout, which leaves out random units in training.

Units that are kept are divided by the probability of being kept, so that prediction needs no change
(Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15,
2014).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from softmax_regression._linalg.arrays import Array

_N_RANDOM_VALUES = 1 << 16  # Random numbers of 16 bits take half the time of those of 32.


class Dropout:
    """Masks that multiply the inputs of each layer.

    Parameters
    ----------
    rates : sequence of float
        The probabilities of being left out, below 1, for the inputs and for each hidden layer.
    seed : int
        The seed of the masks.
    """

    def __init__(self, rates: Sequence[float], seed: int):
        # Rates are rounded to multiples of 2⁻¹⁶, so that the mean of a mask is exactly 1.
        self._left_out = [
            min(round(rate * _N_RANDOM_VALUES), _N_RANDOM_VALUES - 1) for rate in rates
        ]
        self._seeds = np.random.SeedSequence(seed)
        self._random = np.random.Generator(np.random.SFC64(self._seeds))

    def spawn(self) -> Dropout:
        """Return a dropout of the same rates, whose masks are independent of these."""
        other = copy.copy(self)
        other._seeds = self._seeds.spawn(1)[0]
        other._random = np.random.Generator(np.random.SFC64(other._seeds))
        return other

    def applies(self, layer: int) -> bool:
        """Return whether the inputs of a layer have a positive dropout rate."""
        return self._left_out[layer] > 0

    def mask(self, layer: int, out: Array) -> None:
        """Draw a mask for the inputs of a layer, whose entries are 0 or `scale`."""
        bits = self._random.integers(_N_RANDOM_VALUES, size=out.shape, dtype=np.uint16)
        np.multiply(bits >= self._left_out[layer], out.dtype.type(self.scale(layer)), out=out)

    def scale(self, layer: int) -> float:
        """Return the factor of the inputs that are kept, the inverse of their share."""
        return _N_RANDOM_VALUES / (_N_RANDOM_VALUES - self._left_out[layer])
