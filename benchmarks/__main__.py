"""Measure SoftmaxRegression and SmallMLP beside their peers; see benchmarks/README.md."""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    accuracy,
    compatibility,
    defaults,
    distributed,
    distributed_sets,
    epochs,
    growth,
    hostile,
    inference,
    interrupts,
    kernel,
    layouts,
    memory,
    peers,
    race,
    raw_tables,
    selection,
    small,
    sparse,
    sweep,
    threads,
)
from benchmarks.datasets import Catalogue
from benchmarks.machine import machine
from benchmarks.report import progress
from benchmarks.standings import Standings

Records = Iterator[dict[str, Any]]


def _race(options: argparse.Namespace) -> Records:
    solvers = peers.installed(options.solvers)
    standings, races = Standings(solvers), []
    for result in race.run(
        options.catalogue, options.names, solvers, options.timeout, options.repeat
    ):
        standings.add(result)
        races.append(result)
        yield result.record()
    standings.close()
    if options.output and races:
        _draw(races, options.output / "race.png")


def _draw(races: list[Any], path: Path) -> None:
    try:
        from benchmarks.figure import draw
    except ImportError as error:
        progress(f"{path.name} is skipped: {error.name} is not installed")
    else:
        draw(races, path)


def _kernel(options: argparse.Namespace) -> Records:
    names = options.names if options.only else kernel.usual(options.catalogue, options.names)
    return kernel.run(options.catalogue, names, options.repeat)


def _tables(options: argparse.Namespace) -> list[str]:
    """Name the tables of the folder, or the data sets that were asked for."""
    return [name for name in options.names if options.only or name in options.catalogue.tables()]


def _defaults(options: argparse.Namespace) -> Records:
    raw = options.catalogue.raw_tables()
    tables = [name for name in _tables(options) if name not in raw]
    chosen = [name for name in raw if not options.only or name in options.only]
    if options.candidates:
        yield from defaults.choose(options.catalogue, tables)
        yield from raw_tables.choose(options.catalogue, chosen)
        return
    yield from defaults.run(options.catalogue, tables)
    print()
    yield from raw_tables.run(options.catalogue, chosen)


def _sparse(options: argparse.Namespace) -> Records:
    names = options.names if options.only else sparse.usual(options.names)
    return sparse.run(options.catalogue, names, options.timeout, options.repeat)


def _sweep(options: argparse.Namespace) -> Records:
    conditions = sweep.Conditions(threads.Tables(options.catalogue))
    names = conditions.names(options.only, options.names)
    records = []
    for record in sweep.run(conditions, names, options.timeout, options.repeat, options.output):
        records.append(record)
        yield record
    if options.output and records:
        _draw_map(records, options.output / "sweep.png")


def _draw_map(records: list[Any], path: Path) -> None:
    try:
        from benchmarks.sweep_figure import draw
    except ImportError as error:
        progress(f"{path.name} is skipped: {error.name} is not installed")
    else:
        draw(records, path)


def _threads(options: argparse.Namespace) -> Records:
    tables = threads.Tables(options.catalogue)
    return threads.run(tables, tables.names(options.only, options.names), options.repeat)


def _distributed(options: argparse.Namespace) -> Records:
    names = [name for name in distributed_sets.SETS if name in options.names]
    if names:
        yield from distributed_sets.run(options.catalogue, names)
    if not options.only:
        yield from distributed.run()


PARTS: dict[str, Callable[[argparse.Namespace], Records]] = {
    "race": _race,
    "kernel": _kernel,
    "small": lambda options: small.run(options.repeat),
    "memory": lambda options: memory.run(),
    "layouts": lambda options: layouts.run(options.repeat),
    "growth": lambda options: growth.run(options.repeat),
    "hostile": lambda options: hostile.run(options.generator, options.problems, options.output),
    "epochs": lambda options: epochs.run(options.catalogue, options.repeat),
    "defaults": _defaults,
    "selection": lambda options: selection.run(options.catalogue, options.names, options.repeat),
    "sparse": _sparse,
    "sweep": _sweep,
    "inference": lambda options: inference.run(options.catalogue, options.names, options.repeat),
    "threads": _threads,
    "distributed": _distributed,
    "interrupts": lambda options: interrupts.run(),
    "accuracy": lambda options: accuracy.run(options.data),
    "compatibility": lambda options: compatibility.run(),
}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line, and find the data sets."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} or all; default: race")
    add("--data", type=Path, metavar="FOLDER", help="more data sets; see datasets.py")
    add("--openml", nargs="+", default=[], metavar="NAME[:VERSION]", help="and some of OpenML's")
    add(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="data sets of race, kernel, defaults, distributed, selection, sparse, sweep, threads",
    )
    every = ", ".join(peers.SOLVERS)
    add("--solvers", nargs="+", default=[], metavar="NAME", choices=peers.SOLVERS, help=every)
    add("--timeout", type=float, default=120, metavar="S", help="seconds for a fit of race, sparse")
    add("--repeat", type=int, default=5, metavar="N", help="rounds in which all take turns")
    add("--candidates", action="store_true", help="other parameters, in defaults")
    add(
        "--generator",
        nargs="+",
        type=int,
        default=list(hostile.GENERATORS),
        metavar="N",
        choices=hostile.GENERATORS,
        help="of the problems of hostile: 1, 2 or both",
    )
    add(
        "--problems",
        type=hostile.seeds,
        default=hostile.USUAL,
        metavar="FIRST:LAST",
        help="seeds of the problems of hostile",
    )
    add("--output", type=Path, metavar="FOLDER", help="for results.json, pictures and what is kept")
    options = parser.parse_args(arguments)
    for part in options.parts:
        if part not in [*PARTS, "all"]:
            parser.error(f"there is no part {part!r}; there are {', '.join(PARTS)} and all")
    options.parts = options.parts or ["race"]
    options.catalogue = Catalogue(options.data, tuple(options.openml))
    try:
        options.names = options.catalogue.names(options.only)
    except ValueError as error:
        parser.error(f"--only: {error}")
    return options


def command(options: argparse.Namespace) -> str:
    """Return what to type for the same, but for where folders are."""
    words = ["python -m benchmarks", *options.parts]
    if options.data:
        words.append("--data FOLDER")
    for name in ("openml", "only", "solvers"):
        if getattr(options, name):
            words += [f"--{name}", *getattr(options, name)]
    if options.candidates:
        words.append("--candidates")
    if options.generator != list(hostile.GENERATORS):
        words += ["--generator", *map(str, options.generator)]
    if options.problems != hostile.USUAL:
        words.append(f"--problems {options.problems.start}:{options.problems.stop}")
    return " ".join([*words, f"--timeout {options.timeout:g}", f"--repeat {options.repeat}"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts, print their tables, and keep the results as they come."""
    options = parse(arguments)
    record: dict[str, Any] = {"command": command(options), "machine": machine()}
    print("\n".join(f"- {name}: {value}" for name, value in record["machine"].items()))
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        if part not in options.parts and "all" not in options.parts:
            continue
        print(f"\n## {part}\n", flush=True)
        record[part] = []
        for result in PARTS[part](options):
            record[part].append(result)
            if options.output:
                text = json.dumps(record, indent=1, allow_nan=False)
                (options.output / "results.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
