"""Samples of rows, and the combination of the results of blocks of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array


@dataclass
class Sample:
    """A random sample of rows, with factors for unbiased sums over all rows.

    Parameters
    ----------
    rows : ndarray of int
        The positions of the rows, in increasing order.
    factor : ndarray
        The factor of each row: one over the probability with which it was drawn.
    data : Dataset, default=None
        The rows themselves with these weights, if they were collected.
    """

    rows: NDArray[np.intp]
    factor: Array
    data: Any = None


def add_up(parts: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Add up the results of blocks, entry by entry, in the arrays of the first block."""
    first, *others = parts
    totals = list(first)
    for part in others:
        for i, term in enumerate(part):
            totals[i] += term
    return tuple(totals)


def join(parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
    """Concatenate the results of blocks, entry by entry, along the last axis, that of the rows."""
    if len(parts) == 1:
        return parts[0]
    return tuple(np.concatenate(entries, axis=-1) for entries in zip(*parts, strict=True))
