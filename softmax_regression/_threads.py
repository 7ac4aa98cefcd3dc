"""Work on rows, shared out among threads, while BLAS is held to one thread in each.

NumPy lets go of the interpreter inside a matrix product or an exponential, so plain threads are
enough. A fit is then faster than with the threads of BLAS alone: softmax is done in parallel too,
and each thread goes on with a block of rows while it is in the cache.

How many threads there may be is what BLAS has been allowed, by `threadpoolctl`, by an environment
variable or, in its workers, by joblib: where that is one, everything runs in the caller's thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

import joblib
import numpy as np
import scipy
from threadpoolctl import ThreadpoolController

B = TypeVar("B")
T = TypeVar("T")

_LONG = 1 << 18  # entries of an array: passes over fewer take less time than a hand-over

_busy = threading.Lock()  # the limit set on BLAS holds for the whole process: one user at a time
_mine = threading.local()  # n_threads, where this thread is that user


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@cache
def _scipys_blas() -> ThreadpoolController:
    """Those that came with SciPy: in its folder, or in one beside it whose name begins with it."""
    folder = os.path.dirname(scipy.__file__)
    paths = [lib.filepath for lib in _blas().lib_controllers if lib.filepath.startswith(folder)]
    return _blas().select(filepath=paths)


@cache
def _cores() -> int:
    """How many there are for this process; joblib reads several files to know."""
    return int(joblib.cpu_count())


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=max(1, _cores()), thread_name_prefix="rows")


if hasattr(os, "register_at_fork"):  # a forked child has none of its parent's threads

    def _forget() -> None:
        global _busy, _mine
        _pool.cache_clear()
        _cores.cache_clear()
        _busy, _mine = threading.Lock(), threading.local()

    os.register_at_fork(after_in_child=_forget)


def allowed_threads() -> int:
    """How many threads may be used now.

    A limit is set on all BLAS libraries; some package may also have brought one that never has more
    than one thread.
    """
    limits = [library.num_threads for library in _blas().lib_controllers]
    return min(_cores(), max(limits, default=_cores()))


def usable_threads() -> int:
    """How many threads `share_out` would use for enough blocks."""
    return getattr(_mine, "n_threads", 0) or allowed_threads()


@contextmanager
def blas_held_to_one_thread() -> Iterator[int]:
    """Yield how many threads `share_out` may use meanwhile: 1 while another caller has them.

    For many short operations: the threads of BLAS wait for each other after every one of them, and
    on a busy machine that takes far longer than the operation.
    """
    if getattr(_mine, "n_threads", 0):
        yield _mine.n_threads
        return
    if not _busy.acquire(blocking=False):
        yield 1
        return
    try:
        _mine.n_threads = allowed_threads()
        if _mine.n_threads == 1:
            yield 1
            return
        with _blas().limit(limits=1):
            yield _mine.n_threads
    finally:
        _mine.n_threads = 0
        _busy.release()


@contextmanager
def scipys_blas_held_to_one_thread() -> Iterator[None]:
    """Leave threads to NumPy's BLAS alone, where SciPy has brought one of its own.

    The threads of either look for work for a while before they sleep, in the way of the other's.
    """
    if not _busy.acquire(blocking=False):  # then both are held, or another caller sees to it
        yield
        return
    try:
        with _scipys_blas().limit(limits=1):
            yield
    finally:
        _busy.release()


def share_out(work: Callable[[Sequence[B]], T], blocks: Sequence[B]) -> list[T]:
    """Apply `work` to runs of consecutive blocks, one run for each thread; return all results.

    The same number of threads always cuts the same runs, so a result is the same each time.
    """
    with blas_held_to_one_thread() as allowed:
        n_threads = min(allowed, len(blocks))
        if n_threads < 2:
            return [work(blocks)]
        cuts = [len(blocks) * i // n_threads for i in range(n_threads + 1)]
        runs = [blocks[a:b] for a, b in pairwise(cuts)]
        others = [_pool().submit(_with_errors, np.geterr(), work, run) for run in runs[1:]]
        _mine.n_threads = 1  # all are busy now
        try:
            first = work(runs[0])
        finally:
            _mine.n_threads = allowed
            wait(others)
        return [first, *(future.result() for future in others)]


def in_parts(work: Callable[[slice], Any], length: int) -> None:
    """Apply `work` to parts of a long array, one for each thread, where BLAS is held to one.

    Elsewhere the threads of BLAS are in the way: they look for work for a while before they sleep.
    """
    n_threads = getattr(_mine, "n_threads", 0)
    if length < _LONG or n_threads < 2:
        work(slice(0, length))
        return
    cuts = [length * i // n_threads for i in range(n_threads + 1)]
    mine, *others = [slice(a, b) for a, b in pairwise(cuts)]
    pending = [_pool().submit(_with_errors, np.geterr(), work, part) for part in others]
    try:
        work(mine)
    finally:
        wait(pending)
    for future in pending:
        future.result()


def _with_errors(state: Any, work: Callable[[B], T], run: B) -> T:
    """Do it as the caller wants NumPy's floating-point errors handled: else threads forget that."""
    with np.errstate(**state):
        return work(run)
