"""Seconds to a relative gap over data sets, raw and standardised, and over C.

Each condition is a race of its own (see `race.py`), with scikit-learn's solvers as peers and our
own solvers beside the one that `solver="auto"` chooses. A run can be left and gone on with: what is
known is read from the file that it was kept in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse

from benchmarks.child import Child, StoppedError
from benchmarks.datasets import Data, Source
from benchmarks.peers import OURS, at
from benchmarks.race import contest
from benchmarks.report import Table, geometric_mean, keep, kept, number, progress, ratio
from benchmarks.standings import Race
from benchmarks.synthetic import homogeneous
from benchmarks.threads import Tables

STRENGTHS = 0.01, 1.0, 100.0, 1e4
OWN = "newton-cholesky", "newton-cg", "lbfgs"
THEIRS = "lbfgs", "newton-cg", "newton-cholesky"
SHAPES = (360, 90, 15), (189, 500, 7), (3000, 40, 3)  # rows, columns, classes
SHORT = 5e-3  # seconds of the fastest peer, below which calls count more than arithmetic
_FILE = "sweep.jsonl"
_MNIST_ROWS = 2000
_LARGEST_ORDER = 4000  # of a Hessian that a solver which factors it is raced with
_STANDARDIZED = ", standardised"
_FAR_SLOWER = 10.0  # times our seconds, after which nobody is waited for,
_LEAST_WAIT = 2.0  # but at least so many seconds

Record = dict[str, Any]


def homogeneous_table(shape: tuple[int, int, int]) -> str:
    """Name a generated table of homogeneous columns."""
    return f"homogeneous {shape[0]} × {shape[1]}, {shape[2]} classes"


@dataclass(frozen=True)
class Conditions(Source):
    """Tables as they come and, by another name, with standardised columns.

    Parameters
    ----------
    tables : Tables
        Where data sets come from.
    """

    tables: Tables

    def names(self, only: Sequence[str], names: Sequence[str]) -> list[str]:
        """Name the data sets: of the catalogue `names`, and if `only` is empty all others."""
        if only:
            return list(names)
        return [*map(homogeneous_table, SHAPES), *self.tables.names(only, names)]

    def load(self, name: str) -> Data:
        """Return X and y."""
        X, y = self._raw(name.removesuffix(_STANDARDIZED))
        if not name.endswith(_STANDARDIZED):
            return X, y
        deviations = X.std(axis=0)
        deviations[deviations == 0] = 1
        return ((X - X.mean(axis=0)) / deviations).astype(X.dtype), y

    def _raw(self, name: str) -> Data:
        for shape in SHAPES:
            if name == homogeneous_table(shape):
                return homogeneous(*shape)
        X, y = self.tables.load(name)
        return (X[:_MNIST_ROWS], y[:_MNIST_ROWS]) if name == "mnist" else (X, y)


def run(
    conditions: Conditions,
    names: Sequence[str],
    timeout: float,
    rounds: int,
    folder: Path | None = None,
) -> Iterator[Record]:
    """Race under one condition after the other, and sum up.

    With a folder, each result is kept in a file there, and conditions in it are not raced again.
    """
    path = None if folder is None else folder / _FILE
    known = {(record["data"], record["C"]): record for record in kept(path)}
    table = Table("data", "order", "C", "ours, s", "fastest peer", "ratio", "best of ours", "ratio")
    records = []
    for name in names:
        for data in _kinds(conditions, name):
            for C in STRENGTHS:
                record = known.get((data, C))
                if record is None:
                    record = _raced(conditions, data, C, timeout, rounds)
                    keep(path, record)
                _add_row(table, record)
                records.append(record)
                yield record
    _sum_up(records)


def _kinds(conditions: Conditions, name: str) -> list[str]:
    """Return the names of a data set as it comes and standardised, which sparse ones are not."""
    X, _ = conditions.load(name)
    return [name] if issparse(X) else [name, name + _STANDARDIZED]


def _raced(conditions: Conditions, data: str, C: float, timeout: float, rounds: int) -> Record:
    X, y = conditions.load(data)
    n_classes = len(np.unique(y))
    order = (X.shape[1] + 1) * max(1, n_classes - 1)
    record: Record = {"data": data, "C": C, "shape": [*X.shape], "order": order}
    factored = order <= _LARGEST_ORDER
    own, theirs = (
        [name for name in names if factored or name != "newton-cholesky"] for names in (OWN, THEIRS)
    )
    reference, solvers = at(C, own, theirs)
    try:
        with Child(reference, conditions, data) as child:
            goal = 1e-5 if child.wait() == np.float32 else 1e-6
            found = child.fit(*reference.ladder, timeout)
    except StoppedError as why:
        progress(f"{data}, C={C:g} is skipped: {why}")
        return {**record, "skipped": str(why)}
    race = Race(data, goal, found.objective, {})
    wait = min(timeout, _LEAST_WAIT + _FAR_SLOWER * found.seconds[0])
    contest(race, solvers, conditions, wait, rounds)
    return {**record, **race.record()}


def _seconds(record: Record) -> dict[str, float]:
    """Return the seconds of all solvers that got to the goal."""
    solvers = record.get("solvers", {})
    return {name: found["seconds"] for name, found in solvers.items() if found["seconds"]}


def ratios(record: Record) -> tuple[float | None, float | None, float | None]:
    """Return our seconds over the fastest peer's and over the best of ours, and the peer's."""
    seconds = _seconds(record)
    ours = seconds.get(OURS)
    peers = [value for name, value in seconds.items() if not name.startswith(OURS)]
    own = [value for name, value in seconds.items() if name.startswith(OURS)]
    fastest = min(peers, default=None)
    over_peers = ours / fastest if ours and fastest else None
    return over_peers, ours / min(own) if ours else None, fastest


def _add_row(table: Table, record: Record) -> None:
    seconds, (over_peers, over_own, fastest) = _seconds(record), ratios(record)
    own = {name: value for name, value in seconds.items() if name.startswith(OURS)}
    best = min(own, key=own.__getitem__).removeprefix(OURS).strip() if own else "–"
    table.row(
        record["data"],
        str(record["order"]),
        f"{record['C']:g}",
        number(seconds.get(OURS)),
        number(fastest),
        ratio(over_peers),
        best or "auto",
        ratio(over_own),
    )


def _sum_up(records: Sequence[Record]) -> None:
    """Print how the ratios are spread, and where we lose."""
    print()
    table = Table("conditions", "number", "geometric mean", "median", "95 %", "largest")
    found = [(record, *ratios(record)) for record in records]
    groups = {
        "peers that take long": [r for _, r, _, f in found if r and f >= SHORT],
        "peers that take less than 5 ms": [r for _, r, _, f in found if r and f < SHORT],
        "auto over the best of ours": [r for _, _, r, _ in found if r],
    }
    for words, values in groups.items():
        if values:
            spread = [np.median(values), np.quantile(values, 0.95), max(values)]
            table.row(words, str(len(values)), *map(ratio, [geometric_mean(values), *spread]))
    print()
    lost = Table("slower than a peer, or 1.5 times the best of ours", "C", "ratio", "ratio")
    for record, over_peers, over_own, _ in found:
        if (over_peers or 0) > 1 or (over_own or 0) > 1.5:
            lost.row(record["data"], f"{record['C']:g}", ratio(over_peers), ratio(over_own))
