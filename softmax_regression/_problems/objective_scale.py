r"""Conversion between the documented objective and the mean that is minimised.

Let S be the sum of the weights. ``C · Σ_i s_i CE_i + ½ ‖W‖²`` is C S times the sum of the mean
cross-entropy and a penalty of strength ``l2 = 1 / (C S)``. S or C S may be out of the range of
float64 although l2 and the objective are within it, and vice versa. So S is an exact fraction, and
only results are rounded.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf, isinf

import numpy as np

_TINY = float(np.finfo(np.float64).tiny)
_SAFE_RANGE = 1e-100, 1e100  # Products of two or three such numbers stay in the range of float64.


def l2_of(C: float, total_weight: Fraction) -> float:
    """Return 1 / (C S), the strength of the penalty of a mean; it is 0 only for an infinite C."""
    if isinf(C):
        return 0.0
    rounded = as_float(total_weight)
    if _are_safe(float(C), rounded):
        return 1 / (float(C) * rounded)  # Fractions take ten times as long.
    strength = Fraction(float(C)) * total_weight
    if strength < _TINY:
        raise ValueError(
            f"C={C!r} times the sum of weights {rounded:g} is too small to divide by: raise C, "
            "or multiply sample_weight by a power of 10."
        )
    return max(float(1 / strength), _TINY)


def objective_of(mean: float, C: float, total_weight: Fraction) -> float:
    """Return the documented objective, C S times the mean, or S times it if C is infinite.

    It is infinite if it is too large for float64.
    """
    rounded = as_float(total_weight)
    if _are_safe(mean, float(C), rounded):
        return mean * float(C) * rounded
    factor = total_weight if isinf(C) else Fraction(float(C)) * total_weight
    return as_float(Fraction(mean) * factor)


def as_float(number: Fraction) -> float:
    """Round a fraction to float64; if it is too large, return infinity."""
    try:
        return float(number)
    except OverflowError:
        return inf


def _are_safe(*numbers: float) -> bool:
    low, high = _SAFE_RANGE
    return all(low < number < high for number in numbers)
