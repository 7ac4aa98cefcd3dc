r"""Between the objective as users know it and the mean that is minimised.

With S the sum of the weights, ``C · Σ_i s_i CE_i + ½ ‖W‖²`` is C S times the mean cross-entropy
beside a penalty of strength ``l2 = 1 / (C S)``. S, or C S, may be no float64 although l2 and the
objective are, and the other way round: so S is an exact fraction, and only results are rounded.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf, isinf

import numpy as np

_TINY = float(np.finfo(np.float64).tiny)
_ORDINARY = 1e-100, 1e100  # Products of two or three numbers between them are float64s.


def l2_of(C: float, total_weight: Fraction) -> float:
    """Return the strength of the penalty beside a mean, 1 / (C S); 0 only for an infinite C."""
    if isinf(C):
        return 0.0
    rounded = as_float(total_weight)
    if _are_ordinary(float(C), rounded):
        return 1 / (float(C) * rounded)  # Fractions take ten times as long.
    strength = Fraction(float(C)) * total_weight
    if strength < _TINY:
        raise ValueError(
            f"C={C!r} times the sum of weights {rounded:g} is too small to divide by: raise C, "
            "or multiply sample_weight by a power of 10."
        )
    return max(float(1 / strength), _TINY)


def objective_of(mean: float, C: float, total_weight: Fraction) -> float:
    """Return the objective for a mean: C S times that, for an infinite C without C.

    It is infinite where it is too large for float64.
    """
    rounded = as_float(total_weight)
    if _are_ordinary(mean, float(C), rounded):
        return mean * float(C) * rounded
    factor = total_weight if isinf(C) else Fraction(float(C)) * total_weight
    return as_float(Fraction(mean) * factor)


def as_float(number: Fraction) -> float:
    """Round to float64; what is too large is infinite."""
    try:
        return float(number)
    except OverflowError:
        return inf


def _are_ordinary(*numbers: float) -> bool:
    low, high = _ORDINARY
    return all(low < number < high for number in numbers)
