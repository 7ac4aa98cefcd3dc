"""Print the table of seconds to a gap of 1e-6 (1e-5 for float32 data), and write it as JSON."""

import argparse
import importlib.metadata as metadata
import json
import platform
import sys
from pathlib import Path

import numpy as np

from benchmarks import peers
from benchmarks.datasets import load, names
from benchmarks.race import climb, objective
from softmax_regression import SoftmaxRegression


def reference(name: str, folder: Path | None) -> float:
    """The minimum, from a fit certified to 1e-10."""
    peers.quiet()
    X, y = load(name, folder)
    X = X.astype(np.float64)
    model = SoftmaxRegression(tol=1e-10).fit(X, y)
    return objective(X, np.unique(y, return_inverse=True)[1], model.coef_, model.intercept_)


def race(name: str, folder: Path | None, solvers: list[str], timeout: float) -> dict:
    """Return, for each solver, its rungs, and what the table says."""
    best = reference(name, folder)
    goal = 1e-5 if load(name, folder)[0].dtype == np.float32 else 1e-6
    results = {}
    for solver in solvers:
        rungs, end = climb(name, solver, folder, timeout, goal, best)
        seconds = rungs[-1][1] if rungs and rungs[-1][2] <= best * (1 + goal) else None
        gaps = [(tol, time, value / best - 1) for tol, time, value in rungs]
        text = f"{seconds:.4g}" if seconds is not None else end or "missed"
        if seconds is None and gaps:
            text += f" (gap {min(gap for _, _, gap in gaps):.0e})"
        results[solver] = {"seconds": seconds, "shown": text, "rungs": gaps}
        print(f"{name}: {solver}: {text}", flush=True)
    return results


def ratio(results: dict) -> float | None:
    """Ours over the fastest peer."""
    ours = results[peers.OURS]["seconds"]
    others = [r["seconds"] for name, r in results.items() if name != peers.OURS and r["seconds"]]
    return ours / min(others) if ours and others else None


def table(races: dict, solvers: list[str]) -> str:
    """Return the table as Markdown."""
    lines = ["| data | " + " | ".join(solvers) + " | ours / fastest peer |"]
    lines.append("| --- |" + " --- |" * (len(solvers) + 1))
    ratios = []
    for name, results in races.items():
        share = ratio(results)
        ratios += [share] if share else []
        shown = [results[solver]["shown"] for solver in solvers]
        lines.append(f"| {name} | " + " | ".join(shown) + f" | {share:.2f} |" if share else "")
    mean = np.exp(np.mean(np.log(ratios))) if ratios else np.nan
    lines.append(f"| geometric mean |{' |' * len(solvers)} {mean:.2f} |")
    return "\n".join(line for line in lines if line)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder with data sets; see datasets.py")
    parser.add_argument("--only", nargs="+", help="names of data sets")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for a solver")
    parser.add_argument("--output", type=Path, help="a JSON file to write")
    chosen = parser.parse_args()
    solvers = peers.installed()
    wanted = [n for n in names(chosen.data) if not chosen.only or n in chosen.only]
    races = {name: race(name, chosen.data, solvers, chosen.timeout) for name in wanted}
    versions = {p: metadata.version(p) for p in ("numpy", "scipy", "scikit-learn")}
    machine = {"machine": platform.platform(), "python": platform.python_version(), **versions}
    print(f"\n{machine}\n\n{table(races, solvers)}")
    if chosen.output:
        record = {"command": sys.argv, "machine": machine, "races": races}
        chosen.output.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
