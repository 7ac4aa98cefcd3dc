"""Which rows stand for all, and how the results of blocks of rows are put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array


@dataclass
class Sample:
    """Rows drawn to stand for all.

    Parameters
    ----------
    rows : ndarray of int
        Their numbers, in increasing order.
    factor : ndarray
        By which each counts: one over the probability with which it was drawn.
    data : Dataset, default=None
        The rows themselves with these weights, where they have been brought along.
    """

    rows: NDArray[np.intp]
    factor: Array
    data: Any = None


def add_up(parts: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Add up the results of blocks, entry by entry, in the first one's arrays."""
    first, *others = parts
    totals = list(first)
    for part in others:
        for i, term in enumerate(part):
            totals[i] += term
    return tuple(totals)


def join(parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
    """Join the results of blocks, entry by entry, along their last axis: that of the rows."""
    if len(parts) == 1:
        return parts[0]
    return tuple(np.concatenate(entries, axis=-1) for entries in zip(*parts, strict=True))
