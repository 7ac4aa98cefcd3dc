"""Time to a relative gap: each solver on each data set, in a process of its own."""

import multiprocessing as mp
import time
from pathlib import Path
from queue import Empty

import numpy as np
from scipy.special import logsumexp

from benchmarks import peers
from benchmarks.datasets import load

_BLOCK = 4096  # rows


def objective(X, labels, coef, intercept) -> float:
    """Σ CE + ½ ‖W‖² in float64, written without the package."""
    coef, intercept = np.asarray(coef, np.float64), np.asarray(intercept, np.float64)
    total = 0.5 * np.square(coef).sum()
    for start in range(0, X.shape[0], _BLOCK):
        rows, y = X[start : start + _BLOCK], labels[start : start + _BLOCK]
        scores = rows @ coef.T + intercept
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        total += (logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]).sum()
    return float(total)


def _climb(name: str, solver: str, folder: Path | None, reports) -> None:
    """Fit at one tolerance after the other and report seconds and objective of each."""
    peers.quiet()
    X, y = load(name, folder)
    labels = np.unique(y, return_inverse=True)[1]
    _, ladder, make = peers.SOLVERS[solver]
    small = np.unique(labels)[:2]
    few = np.concatenate([np.flatnonzero(labels == k)[:20] for k in small])
    try:
        make(X[few], labels[few], 0.1)()  # imports and threads are not charged
        for tol in ladder:
            fit = make(X, y, tol)
            seconds = []
            while len(seconds) < 9 and (len(seconds) < 1 or sum(seconds) < 0.5):
                begin = time.perf_counter()
                coef, intercept = fit()
                seconds.append(time.perf_counter() - begin)
            reports.put((tol, float(np.median(seconds)), objective(X, labels, coef, intercept)))
    except MemoryError:
        reports.put("out of memory")
    except Exception as error:  # a peer may refuse the data: that is a result too
        reports.put(f"{type(error).__name__}: {str(error)[:60]}")
    reports.put(None)


def climb(name: str, solver: str, folder: Path | None, timeout: float, goal: float, best: float):
    """Return the rungs ``(tol, seconds, objective)`` until one is at `goal`, and how it ended."""
    context = mp.get_context("spawn")
    reports = context.Queue()
    child = context.Process(target=_climb, args=(name, solver, folder, reports), daemon=True)
    child.start()
    rungs, end, deadline = [], "", time.monotonic() + timeout
    while True:
        try:
            report = reports.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            end = f"> {timeout:.0f}"
            break
        if not isinstance(report, tuple):
            end = report or ""
            break
        rungs.append(report)
        if report[2] <= best * (1 + goal):
            break
    child.kill()
    child.join()
    return rungs, end
