"""Freed memory that a worker keeps while a task runs.

Dask starts workers with the environment variable ``MALLOC_TRIM_THRESHOLD_``, by which the C library
gives memory back to the system as soon as it is free. A task that goes through its rows in pieces
frees and allocates the same temporary arrays hundreds of times. Each time the system has to map and
clear the pages anew, which takes up to half as long as the arithmetic. So the threshold is raised
while tasks run, and restored after the last of them.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

# The parameters of the C library's function `mallopt`, by their numbers in malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_DEFAULT_MMAP_THRESHOLD = 128 << 10  # Bytes.
# Bytes of free memory, and of a single array, that are kept while a task runs. The C library allows
# no larger single blocks.
_KEPT_BYTES = 32 << 20
_LARGEST_INT = 2**31 - 1
_lock = threading.Lock()
_n_running = 0


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep memory that is freed, until the last of the tasks that run at the same time ends."""
    global _n_running
    with _lock:
        _n_running += 1
        if _n_running == 1:
            _set_thresholds(_KEPT_BYTES, _KEPT_BYTES)
    try:
        yield
    finally:
        with _lock:
            _n_running -= 1
            if not _n_running:
                _set_thresholds(
                    _of_environment("MALLOC_TRIM_THRESHOLD_", _KEPT_BYTES),
                    _of_environment("MALLOC_MMAP_THRESHOLD_", _DEFAULT_MMAP_THRESHOLD),
                )


def _set_thresholds(trim: int, mmap: int) -> None:
    mallopt = _mallopt()
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, trim)
        mallopt(_MMAP_THRESHOLD, mmap)


@cache
def _mallopt() -> Callable[[int, int], int] | None:
    """Return the function that sets thresholds, or None where memory is not given back at once.

    Without the environment variable the C library adapts its thresholds to what is allocated, and
    would cease to do so once they are set.
    """
    if os.name != "posix" or not _of_environment("MALLOC_TRIM_THRESHOLD_", 0):
        return None
    return getattr(ctypes.CDLL(None), "mallopt", None)


def _of_environment(name: str, default: int) -> int:
    """Return a number of bytes that an environment variable holds."""
    text = os.environ.get(name, "")
    # The C library takes an int; `isdigit` alone is true of digits that `int` refuses.
    return min(int(text), _LARGEST_INT) if text.isascii() and text.isdigit() else default
