"""What is printed: tables in Markdown on standard output, progress on standard error."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def progress(line: str) -> None:
    """Tell whoever waits; a table that is redirected to a file stays a table."""
    print(line, file=sys.stderr, flush=True)


def kept(path: Path | None) -> list[dict[str, Any]]:
    """Read what an earlier run has kept; nothing where there is no file."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def keep(path: Path | None, record: Mapping[str, Any]) -> None:
    """Append a record to a file, in one piece: other processes may write there as well."""
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")


class Table:
    """A Markdown table that grows by a line as soon as a row is known."""

    def __init__(self, *columns: str):
        self._n_columns = len(columns)
        self.row(*columns)
        self.row("---", *["---:"] * (len(columns) - 1))

    def row(self, *cells: str) -> None:
        """Print a row; cells that are left out at its end are empty."""
        missing = [""] * (self._n_columns - len(cells))
        print("| " + " | ".join([*cells, *missing]) + " |", flush=True)


def number(value: float | None, scale: float = 1.0) -> str:
    """Three digits of a number without an exponent; a dash where there is none."""
    if value is None:
        return "–"
    value *= scale
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(value: float | None) -> str:
    """Two decimals of a ratio, or two digits of a small one; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def geometric_mean(values: Sequence[float]) -> float | None:
    """exp of the mean logarithm; None of nothing."""
    return float(np.exp(np.mean(np.log(values)))) if values else None
