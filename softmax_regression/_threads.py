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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

import joblib
from threadpoolctl import ThreadpoolController

T = TypeVar("T")

_busy = threading.Lock()  # the limit set on BLAS holds for the whole process: one user at a time


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=max(1, joblib.cpu_count()), thread_name_prefix="rows")


if hasattr(os, "register_at_fork"):  # a forked child has none of its parent's threads

    def _forget() -> None:
        global _busy
        _pool.cache_clear()
        _busy = threading.Lock()

    os.register_at_fork(after_in_child=_forget)


def allowed_threads() -> int:
    """How many threads may be used now."""
    limits = [library.num_threads for library in _blas().lib_controllers]
    return min([joblib.cpu_count(), *limits])


def share_out(work: Callable[[Sequence[slice]], T], blocks: Sequence[slice]) -> list[T]:
    """Apply `work` to runs of consecutive blocks, one run for each thread; return all results.

    The same number of threads always cuts the same runs, so a result is the same each time.
    """
    n_threads = min(allowed_threads(), len(blocks))
    if n_threads < 2 or not _busy.acquire(blocking=False):
        return [work(blocks)]
    try:
        cuts = [len(blocks) * i // n_threads for i in range(n_threads + 1)]
        runs = [blocks[a:b] for a, b in pairwise(cuts)]
        with _blas().limit(limits=1):
            others = [_pool().submit(work, run) for run in runs[1:]]
            try:
                first = work(runs[0])
            finally:
                results = [future.result() for future in others]
        return [first, *results]
    finally:
        _busy.release()
