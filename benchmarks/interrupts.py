"""Ctrl-C at random moments: how the calls end, and whether BLAS has its threads afterwards.

The calls are made in a process of its own, to which this one sends the signal.
"""

import multiprocessing as mp
import os
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info

from benchmarks.report import Table
from benchmarks.synthetic import mixture
from benchmarks.threads import VARIABLE, environment
from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV, softmax_path

ENDS = "raised", "kept", "too late"
_SHAPE = 8000, 40, 5  # rows, columns, classes: enough to be shared out among threads
_BEYOND = 1.1  # of the time that a call takes, up to which it may be interrupted
_PATIENCE = 60.0  # seconds
_CS = (0.001, 0.01, 0.1)
Call = Callable[[np.ndarray, np.ndarray], Any]


def _solver(name: str) -> Call:
    return lambda X, y: SoftmaxRegression(solver=name, max_iter=20, tol=0.0).fit(X, y)


CALLS: dict[str, Call] = {
    **{name: _solver(name) for name in ("newton-cholesky", "newton-cg", "lbfgs", "sgd", "adam")},
    "l1_ratio=0.5": lambda X, y: SoftmaxRegression(l1_ratio=0.5, C=0.01).fit(X, y),
    "bounds": lambda X, y: SoftmaxRegression(bounds=(0, np.inf)).fit(X, y > 2),
    "SmallMLP()": lambda X, y: SmallMLP(max_iter=3).fit(X, y),
    "SmallMLP(solver='lbfgs')": lambda X, y: SmallMLP(solver="lbfgs", max_iter=5).fit(X, y),
    "softmax_path": lambda X, y: softmax_path(X, y, Cs=_CS),
    "SoftmaxRegressionCV(n_jobs=2)": lambda X, y: SoftmaxRegressionCV(Cs=_CS, cv=2, n_jobs=2).fit(
        X, y
    ),
    "SoftmaxRegressionCV(cv='loo')": lambda X, y: SoftmaxRegressionCV(Cs=_CS, cv="loo").fit(
        X[:1000], y[:1000]
    ),
}


def run(n_interrupts: int = 200, calls: Sequence[str] = tuple(CALLS)) -> Iterator[dict[str, Any]]:
    """Interrupt the calls in turn; count how they end, and how often a limit is another."""
    table = Table("call", "interrupts", *ENDS, "limits not restored")
    rng = np.random.default_rng(0)
    with Caller() as caller:
        for number, name in enumerate(calls):
            n_times = len(range(number, n_interrupts, len(calls)))
            seconds = min(caller.seconds(name) for _ in range(2))  # the first one starts threads
            found = [
                caller.interrupt(name, _BEYOND * seconds * rng.random()) for _ in range(n_times)
            ]
            counts = Counter(end for end, _ in found)
            n_wrong = sum(not restored for _, restored in found)
            table.row(name, str(n_times), *(str(counts[end]) for end in ENDS), str(n_wrong))
            yield {"call": name, "ends": dict(counts), "limits not restored": n_wrong}


class Caller:
    """A process that makes the calls."""

    def __init__(self) -> None:
        context = mp.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,))
        with environment(VARIABLE, "2"):
            self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def seconds(self, name: str) -> float:
        """Return how long a call takes."""
        self._begin(name, interrupted=False)
        begin = time.perf_counter()
        self._receive()
        return time.perf_counter() - begin

    def interrupt(self, name: str, after: float) -> tuple[str, bool]:
        """Interrupt a call some seconds after its beginning.

        Returns
        -------
        end : str
            One of `ENDS`.
        restored : bool
            Whether all BLAS libraries have as many threads as before.
        """
        self._begin(name, interrupted=True)
        time.sleep(after)
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGINT)
        return self._receive()

    def _begin(self, name: str, interrupted: bool) -> None:
        self._pipe.send((name, interrupted))
        self._receive()

    def _receive(self) -> Any:
        if not self._pipe.poll(_PATIENCE):
            raise TimeoutError(f"there was no answer in {_PATIENCE:g} seconds")
        return self._pipe.recv()


def _serve(pipe: Connection) -> None:
    arrived: list[int] = []

    def interrupt(number: int, frame: Any) -> None:
        arrived.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = mixture(*_SHAPE)
    while True:
        name, interrupted = pipe.recv()
        before, end = limits(), "raised"
        arrived.clear()
        try:
            pipe.send(None)
            CALLS[name](X, y)
            end = "kept" if arrived else "too late"
            while interrupted and not arrived:
                time.sleep(0.001)
        except KeyboardInterrupt:
            pass
        pipe.send((end, limits() == before))


def limits() -> dict[str, int]:
    """Return how many threads each BLAS library may use, by where it is."""
    return {
        library["filepath"]: library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }
