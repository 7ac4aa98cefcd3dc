"""Threads: rows are distributed over Python threads, while BLAS libraries use one thread each.

NumPy and SciPy each bring a BLAS library with a pool of threads. After every operation these
threads wait actively for about 25 ms before they sleep, and occupy the cores meanwhile. A fit that
alternates between the two libraries takes several times as long as with one thread of each. So
public functions that compute limit all BLAS libraries to one thread while they run
(`blas_held_to_one_thread`), and use threads in two other ways:

- Rows are distributed over Python threads (`share_out`). NumPy releases the interpreter's lock
  inside matrix products and exponentials, so that threads run in parallel; softmax is parallel too,
  and each thread works on a block of rows while that is in the cache.
- A single operation of BLAS or LAPACK that takes far longer than its threads wait actively uses
  several threads (`blas_threads`).

The number of threads is the limit that BLAS had before, set by `threadpoolctl`, by an environment
variable or, in its workers, by joblib. If it is one, everything runs in the caller's thread.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache, partial, wraps
from itertools import pairwise, product
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

import joblib
import numpy as np
from threadpoolctl import ThreadpoolController

B = TypeVar("B")
P = ParamSpec("P")
T = TypeVar("T")

_MULTIPLICATIONS_WORTH_THREADS = 4e6  # Fewer take less time than waking a thread.
_ENTRIES_WORTH_THREADS = 1 << 18  # A pass over fewer takes less time than waking a thread.
_MULTIPLICATIONS_WORTH_BLAS_THREADS = 4e9  # They take some tenths of a second in one thread.


class _Library(NamedTuple):
    """A BLAS library, with functions that get and set its number of threads."""

    get: Callable[[], int]
    set: Callable[[int], object]
    per_thread: bool  # Whether each calling thread has a limit of its own.


_LibraryLimits = list[tuple[_Library, int]]


@cache
def _libraries() -> list[_Library]:
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return [_library(controller) for controller in found]


def _library(controller: Any) -> _Library:
    """Return a library that `threadpoolctl` has found.

    For OpenBLAS with threads of its own, the library's functions are called directly, because
    `threadpoolctl` sets limits only in the first thread that calls it, and takes ten times as long.
    """
    if getattr(controller, "threading_layer", None) == "openmp":
        return _Library(controller.get_num_threads, controller.set_num_threads, True)
    for prefix, suffix in product(("", "scipy_"), ("", "64_", "_64")):
        names = [f"{prefix}openblas_{how}_num_threads{suffix}" for how in ("get", "set")]
        get, set_ = (getattr(controller.dynlib, name, None) for name in names)
        if get is not None and set_ is not None:
            return _Library(get, set_, False)
    return _Library(controller.get_num_threads, controller.set_num_threads, False)


@cache
def _cores() -> int:
    """Return the number of cores for this process; joblib reads several files to find it."""
    return int(joblib.cpu_count())


class _Call:
    """A call that limits BLAS libraries to one thread."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.limits: _LibraryLimits = []  # The previous limits of this thread alone.


class _Limits:
    """Limits the BLAS libraries to one thread each, as long as some call requires it.

    A signal may raise an exception, such as KeyboardInterrupt, between any two steps of `hold` and
    `let_go`. So each step can be undone from what is recorded before it is taken, and `let_go` may
    be called without `hold`, or again, to complete a call of it that was interrupted.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._calls: set[_Call] = set()
        self._limits: _LibraryLimits = []  # The limits before the first of the calls.
        self._first: _Call | None = None  # The call that may use several threads.

    def hold(self, call: _Call) -> int:
        """Begin a call; return the number of threads it may use, 1 if another call uses them."""
        with self._lock:
            libraries = _libraries()
            if not self._limits:  # Otherwise they have not been restored yet.
                self._limits = [(one, one.get()) for one in libraries if not one.per_thread]
            call.limits = [(one, one.get()) for one in libraries if one.per_thread]
            self._calls.add(call)
            if self._first not in self._calls:
                self._first = call
            for library in libraries:
                library.set(1)
            return self._allowed(call) if self._first is call else 1

    def let_go(self, call: _Call) -> None:
        """End a call; the last one restores the limits."""
        with self._lock:
            self._calls.discard(call)
            _set_all(call.limits)
            if not self._calls:
                _set_all(self._limits)
                self._limits = []

    def only(self) -> bool:
        """Return whether there is a single call."""
        return len(self._calls) == 1

    def forget_other_threads(self) -> None:
        """End the calls of all threads but this one, the only one of a forked process."""
        self._lock = threading.RLock()
        self._calls = {call for call in self._calls if call.thread == threading.get_ident()}
        if not self._calls:
            _set_all(self._limits)
            self._limits = []

    def _allowed(self, call: _Call) -> int:
        # Another package may have loaded a library that never uses more than one thread.
        most = max((limit for _, limit in self._limits + call.limits), default=_cores())
        return min(_cores(), most)


def _set_all(limits: _LibraryLimits) -> None:
    for library, limit in limits:
        library.set(limit)


_limits = _Limits()
_mine = threading.local()  # n_threads is the number this thread may use in a call, else 0.


if hasattr(os, "register_at_fork"):  # A forked child has only one of its parent's threads.

    def _forget() -> None:
        _helpers.cache_clear()
        _cores.cache_clear()
        _limits.forget_other_threads()

    os.register_at_fork(after_in_child=_forget)


def blas_held_to_one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Limit all BLAS libraries to one thread while a function runs, in any thread.

    A decorator, not a context manager: a signal may raise an exception as soon as `__exit__` is
    entered, before there is any way to catch it.
    """

    @wraps(function)
    def held(*args: P.args, **kwargs: P.kwargs) -> T:
        if getattr(_mine, "n_threads", 0):  # A caller has limited them already.
            return function(*args, **kwargs)
        call = _Call()
        try:
            _mine.n_threads = _limits.hold(call)
            return function(*args, **kwargs)
        finally:
            try:
                _let_go(call)
            except BaseException:  # A signal has raised it.
                _let_go(call)
                raise

    return held


def _let_go(call: _Call) -> None:
    _mine.n_threads = 0
    _limits.let_go(call)


def usable_threads(n_operations: float = np.inf) -> int:
    """Return the number of threads that the caller may use for a number of multiplications.

    It exceeds one if these are many, and if the caller's call is the first that limits BLAS.
    """
    return (
        1 if n_operations < _MULTIPLICATIONS_WORTH_THREADS else getattr(_mine, "n_threads", 0) or 1
    )


def blas_threads(n_operations: float) -> AbstractContextManager[None]:
    """Let BLAS use several threads for a single operation, if it takes long.

    Parameters
    ----------
    n_operations : float
        The number of its multiplications.
    """
    n_threads = 1
    if n_operations >= _MULTIPLICATIONS_WORTH_BLAS_THREADS and _limits.only():
        n_threads = usable_threads()
    return _with_blas_threads(n_threads) if n_threads > 1 else _NO_CHANGE


_NO_CHANGE = nullcontext()


@contextmanager
def _with_blas_threads(n_threads: int) -> Iterator[None]:
    try:
        _set_all([(library, n_threads) for library in _libraries()])
        yield
    finally:  # If a signal prevents this, the limits are restored at the end of the call.
        _set_all([(library, 1) for library in _libraries()])


class StoppedError(Exception):
    """Ends a function because another one that ran at the same time has failed."""


class _Helpers:
    """A pool of threads.

    That of `concurrent.futures` is not safe against signals: an exception that is raised inside a
    method of `threading.Condition` may leave its lock acquired, and then its threads wait for ever.
    """

    def __init__(self) -> None:
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._n_threads = 0

    def ask(self, function: Callable[[], None], n_helpers: int) -> None:
        """Have a function called by several threads of the pool, as soon as they are free."""
        # A RuntimeError means that the system cannot start a thread, or that the interpreter ends.
        with suppress(RuntimeError):
            while self._n_threads < min(n_helpers, _cores()):
                threading.Thread(target=self._serve, name="rows", daemon=True).start()
                self._n_threads += 1
        for _ in range(min(n_helpers, self._n_threads)):
            self._asked.put(function)

    def _serve(self) -> None:
        while True:
            self._asked.get()()


@cache
def _helpers() -> _Helpers:
    return _Helpers()


class _Tasks(Generic[T]):
    """Functions that several threads call, each function once.

    Parameters
    ----------
    functions : sequence of callable
        The functions, which have no arguments.
    """

    def __init__(self, functions: Sequence[Callable[[], T]]):
        self.results: list[Any] = [None] * len(functions)
        self.stopped = False
        self.error: BaseException | None = None  # That of the function that failed first.
        self._waiting = deque(enumerate(functions))
        self._handling = np.geterr()
        self._lock = threading.Lock()  # It guards the next two attributes.
        self._n_helpers = 0
        self._closed = False
        self._alone = threading.Lock()  # The last helper releases it after closing.
        self._alone.acquire()

    def work(self) -> None:
        """Call one function after the other until none is left or one fails."""
        _mine.tasks = self
        try:
            while (task := self._next()) is not None:
                index, function = task
                self.results[index] = function()
        except BaseException as error:
            self.error = self.error or error
            self.stopped = True
            raise
        finally:
            _mine.tasks = None

    def help(self) -> None:
        """Call functions from another thread."""
        with self._lock:
            if self._closed:
                return
            self._n_helpers += 1
        try:
            with suppress(BaseException):  # The caller raises `error`.
                self._help()
        finally:
            with self._lock:
                self._n_helpers -= 1
                if self._closed and not self._n_helpers:
                    self._alone.release()

    def close(self) -> None:
        """Wait for helpers that have begun, and prevent others; it may be called again."""
        with self._lock:
            self._closed = True
            helped = self._n_helpers > 0
        if helped:
            self._alone.acquire()

    @blas_held_to_one_thread
    def _help(self) -> None:
        with np.errstate(**self._handling):  # Each thread has its own error handling.
            self.work()

    def _next(self) -> tuple[int, Callable[[], T]] | None:
        try:
            return None if self.stopped else self._waiting.popleft()
        except IndexError:
            return None


def call_all(functions: Sequence[Callable[[], T]], n_threads: int) -> list[T]:
    """Return the results of some functions, which are called by several threads.

    The caller's thread is one of them. It calls the functions that other threads have not begun,
    because they are not awake yet or could not be started. If a function fails, or a signal raises
    an exception here, no other function is begun, and `is_stopped` tells those that run. All of
    them have ended when this returns.
    """
    tasks, before = _Tasks(functions), getattr(_mine, "n_threads", 0)
    try:
        _mine.n_threads = 1  # All other threads are busy.
        _helpers().ask(tasks.help, min(n_threads, len(functions)) - 1)
        with suppress(StoppedError):  # The reason is `error`.
            tasks.work()
        tasks.close()
    except BaseException:
        tasks.stopped = True
        tasks.close()
        raise
    finally:
        _mine.n_threads = before
    if tasks.error is not None:
        raise tasks.error
    # A late helper keeps a reference to the tasks, but not to the results.
    results, tasks.results = tasks.results, []
    return results


def is_stopped(*_: object) -> bool:
    """Return whether the function that this thread runs for `call_all` should end."""
    tasks: _Tasks[Any] | None = getattr(_mine, "tasks", None)
    return tasks is not None and tasks.stopped


def share_out(work: Callable[[Sequence[B]], T], blocks: Sequence[B], n_threads: int) -> list[T]:
    """Apply `work` to runs of consecutive blocks, one run for each thread; return all results.

    The runs depend only on the number of threads, so that results are reproducible.
    `usable_threads` returns how many threads there may be.
    """
    n_threads = min(n_threads, len(blocks))
    if n_threads < 2:
        return [work(blocks)]
    runs = [blocks[a:b] for a, b in _cuts(len(blocks), n_threads)]
    return call_all([partial(work, run) for run in runs], n_threads)


def in_parts(work: Callable[[slice], Any], length: int) -> None:
    """Apply `work` to parts of a long array, one for each thread."""
    n_threads = usable_threads()
    if length < _ENTRIES_WORTH_THREADS or n_threads < 2:
        work(slice(0, length))
        return
    parts = [slice(a, b) for a, b in _cuts(length, n_threads)]
    call_all([partial(work, part) for part in parts], n_threads)


def _cuts(length: int, n_parts: int) -> Iterator[tuple[int, int]]:
    return pairwise(length * i // n_parts for i in range(n_parts + 1))
