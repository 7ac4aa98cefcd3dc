"""The grid of C for a path or a search: given values, or a number of values in a default range."""

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

_SMOOTH_RANGE = 1e-4, 1e4  # Range of C for a penalty that sets no coefficients to zero.
# Ratio of the largest C to the smallest for other penalties, where all coefficients are 0 at the
# smallest.
_SPARSE_RANGE_RATIO = 1e3
_RELATIVE_ROUNDING = 1e-12  # The smallest C is lowered by this share, against rounding errors.


def grid_of(
    Cs: Any, design: Design, targets: Targets, specifications: Sequence[Specification]
) -> Array:
    """Return the values of C in increasing order.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,)
        The number of values, or the values.
    design : Design
        X.
    targets : Targets
        Labels and weights.
    specifications : sequence of Specification
        The specifications that share the grid, one or more.
    """
    makes_zeros = any(one.l1_ratio > 0 for one in specifications)
    solvers = {one.solver for one in specifications} - {"auto"}
    if makes_zeros and solvers:
        raise ValueError(
            f"solver={solvers.pop()!r} makes no exact zeros, as an l1_ratio above 0 asks for: set "
            "solver='auto', or no l1_ratio above 0."
        )
    if isinstance(Cs, Integral):
        return _default_grid(int(Cs), design, targets, specifications)
    grid = np.asarray(Cs)
    if grid.ndim != 1 or len(grid) == 0 or grid.dtype.kind not in "iuf" or not (grid > 0).all():
        raise ValueError(
            f"Cs must be a number of values, or a list of positive values of C; got {Cs!r}."
        )
    grid = np.sort(grid.astype(np.float64))
    if makes_zeros and not np.isfinite(grid[-1]):
        raise ValueError("Cs must be finite where an l1_ratio is above 0, got inf.")
    return grid


def _default_grid(
    n: int, design: Design, targets: Targets, specifications: Sequence[Specification]
) -> Array:
    """Return n values with equal ratios, from where all coefficients are 0 if all penalties can."""
    if any(one.l1_ratio == 0 for one in specifications):
        return np.geomspace(*_SMOOTH_RANGE, n)
    firsts = [_least(design, targets, one) for one in specifications]
    least, most = min(firsts), _SPARSE_RANGE_RATIO * max(firsts)
    if not 0 < least <= most < np.inf:
        raise ValueError(
            f"Cs={n} finds no range: X and sample_weight are so large or so small that float64 has "
            "no room for C. Multiply sample_weight by a power of 10."
        )
    return np.geomspace(least, most, n)


def _least(design: Design, targets: Targets, specification: Specification) -> float:
    """Return the largest C at which all coefficients are 0 in spite of rounding errors."""
    base = specification.objective(design, targets, np.inf)
    weights = specification.l1_weights(base)
    strength = least_strength(base, specification.penalty_grouping, weights)
    if strength == 0:
        raise ValueError(
            "No feature of X tells the classes apart and is penalised: pass Cs as a list."
        )
    largest = Fraction(specification.l1_ratio) / (targets.total_weight * Fraction(strength))
    return (1 - _RELATIVE_ROUNDING) * as_float(largest)
