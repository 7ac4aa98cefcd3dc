"""Random problems with everything that breaks a solver, and how the fits of them end."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile.judgement import ENDS, end
from benchmarks.hostile.problems import GENERATORS, Extended, problem
from benchmarks.report import Table, keep, kept, number, progress

USUAL = range(500)
_FILE = "hostile.jsonl"
_BAD = "wrong", "not finite", "crashed", "slow"

Record = dict[str, Any]


def seeds(text: str) -> range:
    """Read ``FIRST:LAST``, the seeds from the first to before the last."""
    first, last = map(int, text.split(":"))
    if not 0 <= first < last:
        raise ValueError(f"there are no seeds from {first} to before {last}")
    return range(first, last)


def run(
    generators: Sequence[int] = tuple(GENERATORS),
    problems: range = USUAL,
    folder: Path | None = None,
) -> Iterator[Record]:
    """Count how the fits end, and tell of each that is not as it should be.

    With a folder, each end is kept in a file there, and problems in it are not tried again.
    """
    if np.finfo(Extended).eps > 1e-18:
        progress("hostile is skipped: there is no extended precision to check the fits in")
        return
    path = None if folder is None else folder / _FILE
    known = {(record["generator"], record["seed"]): record for record in kept(path)}
    table = Table("generator", "tried", *ENDS, "understated", "seconds", "longest, s", "check, s")
    for generator in generators:
        records = []
        for seed in problems:
            record = known.get((generator, seed))
            if record is None:
                record = _tried(generator, seed)
                keep(path, record)
            records.append(record)
        yield _summed(table, generator, problems, records)


def _tried(generator: int, seed: int) -> Record:
    hostile = problem(generator, seed)
    ended = end(hostile)
    if ended.how in _BAD or ended.understated:
        gaps = f"; gap {ended.true:.1e}, claimed {ended.claimed:.1e}" if ended.understated else ""
        progress(
            f"problem({generator}, {seed}), {', '.join(hostile.words)}: {ended.how}: "
            f"{ended.details}{gaps} ({ended.seconds:.1f} s)"
        )
    return {"generator": generator, "seed": seed, "words": hostile.words, **ended.record()}


def _summed(table: Table, generator: int, problems: range, records: list[Record]) -> Record:
    """Add a row to the table, and return it with the problems that ended badly."""
    counts = Counter(record["how"] for record in records)
    seconds = [record["seconds"] for record in records]
    totals = {
        "understated": sum(record["understated"] for record in records),
        "seconds": sum(seconds),
        "longest": max(seconds),
        "check_seconds": sum(record["check_seconds"] for record in records),
    }
    table.row(
        str(generator),
        str(len(records)),
        *(str(counts[how]) for how in ENDS),
        *(number(value) for value in totals.values()),
    )
    return {
        "generator": generator,
        "problems": f"{problems.start}:{problems.stop}",
        "tried": len(records),
        "counts": {how: counts[how] for how in ENDS},
        **totals,
        "bad": [record for record in records if record["how"] in _BAD],
    }
