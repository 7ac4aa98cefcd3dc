"""A process for each solver and data set: nothing that one solver leaves behind slows another.

The process loads the data, says that it is ready, and then fits at each tolerance that it is sent.
"""

import multiprocessing as mp
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.special import logsumexp

from benchmarks.datasets import Source
from benchmarks.peers import Make, Solver, ridge
from benchmarks.timing import ENOUGH, MOST, burst

_BLOCK = 4096  # rows
_DIED = "its process died"  # most likely ended by the system for want of memory


class StoppedError(Exception):
    """The solver gave no result: it took too long, refused the data, or the process died."""


class TooSlowError(StoppedError):
    """It was not waited for any longer."""


class Burst(NamedTuple):
    """The seconds of some fits at the same tolerance, and the objective where they ended."""

    seconds: list[float]
    objective: float


def objective(
    X: Any,
    labels: np.ndarray,
    coef: np.ndarray,
    intercept: np.ndarray,
    weight: np.ndarray | None = None,
    C: float = 1.0,
    penalty: Callable[[np.ndarray], float] = ridge,
) -> float:
    """C Σ s CE + penalty, or Σ s CE for C = ∞, in float64, written without the package."""
    coef, intercept = np.asarray(coef, np.float64), np.asarray(intercept, np.float64)
    weight = np.ones(len(labels)) if weight is None else weight
    total = 0.0
    for start in range(0, X.shape[0], _BLOCK):
        rows, y, s = (part[start : start + _BLOCK] for part in (X, labels, weight))
        scores = rows @ coef.T + intercept
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        losses = logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]
        total += np.where(s > 0, s * losses, 0.0).sum()
    return float(total if np.isinf(C) else C * total + penalty(coef))


class Child:
    """A solver on a data set, in a process of its own.

    Parameters
    ----------
    solver : Solver
        What fits.
    catalogue : Source
        Where the data set is.
    name : str
        What it is called.
    """

    def __init__(self, solver: Solver, catalogue: Source, name: str):
        context = mp.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, solver, catalogue, name), daemon=True
        )
        self._process.start()
        theirs.close()  # so that the pipe ends when the child does

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.join()

    def wait(self, timeout: float | None = None) -> np.dtype:
        """Return the dtype of X, once the data are loaded and the solver has fitted a few rows."""
        if not self._pipe.poll(timeout):
            raise TooSlowError(f"> {timeout:.3g} for a few rows")
        return self._receive()

    def fit(self, tol: float, timeout: float | None = None) -> Burst:
        """Fit for a while at a tolerance; `timeout` is for the first fit only, not for the rest."""
        try:
            self._pipe.send(tol)
        except OSError:
            raise StoppedError(_DIED) from None
        if not self._pipe.poll(timeout):
            raise TooSlowError(f"> {timeout:.3g}")
        self._receive()
        return self._receive()

    def _receive(self) -> Any:
        try:
            message = self._pipe.recv()
        except (EOFError, OSError):
            raise StoppedError(_DIED) from None
        if isinstance(message, StoppedError):
            raise message
        return message


def _serve(pipe: Connection, solver: Solver, catalogue: Source, name: str) -> None:
    warnings.simplefilter("ignore")  # that a solver has not converged is what is measured
    try:
        X, y = catalogue.load(name)
        labels = np.unique(y, return_inverse=True)[1]
        _warm_up(solver.make, X, labels)
        pipe.send(X.dtype)
        while True:
            _fit(pipe, solver, pipe.recv(), X, y, labels)
    except (EOFError, KeyboardInterrupt):
        pass  # nobody asks any more
    except MemoryError:
        pipe.send(StoppedError("out of memory"))
    except Exception as error:  # a peer may refuse the data: that is a result too
        pipe.send(StoppedError(f"{type(error).__name__}: {str(error)[:60]}"))


def _warm_up(make: Make, X: Any, labels: np.ndarray) -> None:
    """Fit some rows of two classes: imports and the start of threads are not charged."""
    few = np.concatenate([np.flatnonzero(labels == k)[:20] for k in (0, 1)])
    make(X[few], labels[few], 0.1)()


def _fit(
    pipe: Connection, solver: Solver, tol: float, X: Any, y: np.ndarray, labels: np.ndarray
) -> None:
    """Send a word after the first fit, and then the burst."""
    fit, solution = solver.make(X, y, tol), None

    def call() -> None:
        nonlocal solution
        solution = fit()

    seconds = burst(call, most=1)
    pipe.send(None)
    seconds += burst(call, ENOUGH - seconds[0], MOST - 1)
    assert solution is not None
    value = objective(X, labels, *solution, C=solver.C, penalty=solver.penalty)
    if not np.isfinite(value):
        raise FloatingPointError("diverged")
    pipe.send(Burst(seconds, value))
