"""How the seconds of a fit grow with rows, columns and classes."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.report import Table, number
from benchmarks.synthetic import mixture
from benchmarks.timing import compare
from softmax_regression import SoftmaxRegression

Size = tuple[int, int, int]  # rows, columns, classes
AXES = "rows", "columns", "classes"
SIZES: dict[str, list[Size]] = {
    "rows": [(n, 20, 5) for n in (10_000, 30_000, 100_000, 300_000, 1_000_000)],
    "columns": [(50_000, d, 5) for d in (10, 20, 40, 80, 160)],
    "classes": [(50_000, 20, k) for k in (2, 4, 8, 16, 32)],
}


def run(rounds: int, sizes: Mapping[str, Sequence[Size]] = SIZES) -> Iterator[dict[str, Any]]:
    """Measure along each axis, and fit a power law to all of its points."""
    for axis, along in sizes.items():
        fits = {str(size): partial(SoftmaxRegression().fit, *mixture(*size)) for size in along}
        seconds = list(compare(fits, rounds).values())
        table = Table(*AXES, "seconds")
        for size, value in zip(along, seconds, strict=True):
            table.row(*map(str, size), number(value))
        power = slope([size[AXES.index(axis)] for size in along], seconds)
        print(f"\nseconds grow as {axis} to the power of {power:.2f}\n", flush=True)
        yield {"axis": axis, "sizes": along, "seconds": seconds, "slope": power}


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The exponent of the power law that fits best, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
