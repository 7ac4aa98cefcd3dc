"""Sums over rows: which rows, in what blocks, and how the sums of parts are added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass
class Sample:
    """Rows drawn to stand for all.

    Parameters
    ----------
    rows : ndarray of int
        Their numbers.
    factor : ndarray
        By which each counts: one over the probability with which it was drawn.
    """

    rows: NDArray[np.intp]
    factor: Array


def sum_parts(parts: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Add up, entry by entry, what the runs of blocks have returned, in the first one's arrays."""
    first, *others = parts
    totals = list(first)
    for part in others:
        for i, term in enumerate(part):
            totals[i] += term
    return tuple(totals)


def regrouped(blocks: Sequence[slice], step: int) -> Sequence[slice]:
    """Cut the same rows into blocks of another size."""
    if not blocks:
        return []
    first, last = blocks[0].start, blocks[-1].stop
    return [slice(a, min(a + step, last)) for a in range(first, last, step)]
