"""The grid of C for a path or a search: the values given, or a range that suits the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from numbers import Integral
from typing import Any

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._problems.objective_scale import as_float
from softmax_regression._problems.sparse import least_strength
from softmax_regression._problems.specification import Specification

_WIDEST = 1e-4, 1e4  # for a penalty that makes no zeros
_ROUNDING = 1e-12  # of the smallest C
_RANGE = 1e3  # of C, from where all coefficients are 0


def grid_of(
    Cs: Any, design: Design, targets: Targets, specifications: Sequence[Specification]
) -> Array:
    """Return the values of C in increasing order.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,)
        How many, or which.
    design : Design
        X.
    targets : Targets
        Its labels and weights.
    specifications : sequence of Specification
        The penalties that they are for, one or more.
    """
    makes_zeros = any(one.l1_ratio > 0 for one in specifications)
    solvers = {one.solver for one in specifications} - {"auto"}
    if makes_zeros and solvers:
        raise ValueError(
            f"solver={solvers.pop()!r} makes no exact zeros, as an l1_ratio above 0 asks for: set "
            "solver='auto', or no l1_ratio above 0."
        )
    if isinstance(Cs, Integral):
        return _so_many(int(Cs), design, targets, specifications)
    grid = np.asarray(Cs)
    if grid.ndim != 1 or len(grid) == 0 or grid.dtype.kind not in "iuf" or not (grid > 0).all():
        raise ValueError(
            f"Cs must be a number of values, or a list of positive values of C; got {Cs!r}."
        )
    grid = np.sort(grid.astype(np.float64))
    if makes_zeros and not np.isfinite(grid[-1]):
        raise ValueError("Cs must be finite where an l1_ratio is above 0, got inf.")
    return grid


def _so_many(
    n: int, design: Design, targets: Targets, specifications: Sequence[Specification]
) -> Array:
    """Return n with equal ratios: where all penalties make zeros, in the range in which they do."""
    if any(one.l1_ratio == 0 for one in specifications):
        return np.geomspace(*_WIDEST, n)
    firsts = [_least(design, targets, one) for one in specifications]
    least, most = min(firsts), _RANGE * max(firsts)
    if not 0 < least <= most < np.inf:
        raise ValueError(
            f"Cs={n} finds no range: X and sample_weight are so large or so small that float64 has "
            "no room for C. Multiply sample_weight by a power of 10."
        )
    return np.geomspace(least, most, n)


def _least(design: Design, targets: Targets, specification: Specification) -> float:
    """Return the largest C up to which all coefficients are 0, whatever rounding does."""
    base = specification.objective(design, targets, np.inf)
    weights = specification.l1_weights(base)
    strength = least_strength(base, specification.penalty_grouping, weights)
    if strength == 0:
        raise ValueError(
            "No feature of X tells the classes apart and is penalised: pass Cs as a list."
        )
    largest = Fraction(specification.l1_ratio) / (targets.total_weight * Fraction(strength))
    return (1 - _ROUNDING) * as_float(largest)
