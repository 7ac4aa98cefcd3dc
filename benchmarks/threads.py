"""Fits with the default number of BLAS threads, compared with fits with one.

Each setting has a process of its own, and the two take turns, a burst each.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.child import Child, StoppedError
from benchmarks.datasets import Catalogue, Data, Source, read_table
from benchmarks.peers import OURS, SOLVERS
from benchmarks.report import Table, number, progress, ratio
from benchmarks.synthetic import mixture

VARIABLE = "OPENBLAS_NUM_THREADS"
SETTINGS: dict[str, str | None] = {"default": None, "one thread": "1"}
SHAPES = (189, 500, 7), (300, 90, 15), (1000, 60, 10), (5400, 5, 2)  # rows, columns, classes
_TOL = 1e-6  # the default of SoftmaxRegression
_LOADING = 120.0  # seconds
_PAUSE = 0.2  # seconds between bursts: threads of BLAS that look for work take a core for a while
_MNIST_ROWS = 10_000
_LATE = 90  # percent of the fits take less than what is called a late one


def generated(shape: tuple[int, int, int]) -> str:
    """Name a generated table."""
    return f"generated {shape[0]} × {shape[1]}, {shape[2]} classes"


@dataclass(frozen=True)
class Tables(Source):
    """The data sets of a catalogue, every table of its folder, and generated tables.

    Parameters
    ----------
    catalogue : Catalogue
        Where the others are.
    shapes : tuple of tuple of int
        Rows, columns and classes of the generated tables.
    """

    catalogue: Catalogue
    shapes: tuple[tuple[int, int, int], ...] = SHAPES

    def names(self, only: Sequence[str], names: Sequence[str]) -> list[str]:
        """Name what is measured: of the catalogue `names`, and if `only` is empty all others."""
        if only:
            return list(names)
        return [*map(generated, self.shapes), *names, *self._more()]

    def load(self, name: str) -> Data:
        """Return X and y."""
        shapes = {generated(shape): shape for shape in self.shapes}
        if name in shapes:
            return mixture(*shapes[name])
        if name in self._more():
            return read_table(self._more()[name])
        X, y = self.catalogue.load(name)
        return (X[:_MNIST_ROWS], y[:_MNIST_ROWS]) if name == "mnist" else (X, y)

    def _more(self) -> dict[str, Path]:
        """Return where the tables are that the catalogue does not name."""
        folder = self.catalogue.folder
        if folder is None:
            return {}
        return {path.stem: path for path in sorted(folder.glob("tables_more/*.csv"))}


def run(tables: Tables, names: Sequence[str], rounds: int) -> Iterator[dict[str, object]]:
    """Measure on one data set after the other."""
    table = Table(
        "data", *(f"{setting}, ms" for setting in SETTINGS), "ratio", "of the fastest", "of late"
    )
    for name in names:
        try:
            seconds = take_turns(tables, name, rounds)
        except StoppedError as why:
            progress(f"{name} is skipped: {why}")
            continue
        ratios = [compare(seconds, of) for of in (np.median, np.min, _late)]
        medians = [float(np.median(seconds[setting])) for setting in SETTINGS]
        table.row(name, *(number(value, 1e3) for value in medians), *map(ratio, ratios))
        yield {"data": name, "seconds": seconds, "ratio": ratios[0]}


def compare(seconds: dict[str, list[float]], statistic: Callable[..., float]) -> float:
    """Return a statistic of the seconds by default, over that of the seconds with one thread."""
    by_default, with_one = (statistic(seconds[setting]) for setting in SETTINGS)
    return float(by_default / with_one)


def _late(seconds: list[float]) -> float:
    return float(np.percentile(seconds, _LATE))


def take_turns(source: Source, name: str, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of all fits of either setting."""
    seconds: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
    with ExitStack() as children:
        processes = {}
        for setting, n_threads in SETTINGS.items():
            with environment(VARIABLE, n_threads):
                processes[setting] = children.enter_context(Child(SOLVERS[OURS], source, name))
            processes[setting].wait(_LOADING)
        for _ in range(rounds):
            for setting, child in processes.items():
                time.sleep(_PAUSE)
                seconds[setting] += child.fit(_TOL).seconds
    return seconds


@contextmanager
def environment(name: str, value: str | None) -> Iterator[None]:
    """Set an environment variable, or unset it, for processes that are started meanwhile."""
    before = os.environ.pop(name, None)
    try:
        if value is not None:
            os.environ[name] = value
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before
