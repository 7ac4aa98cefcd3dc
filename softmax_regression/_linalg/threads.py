"""Threads: rows shared out among them, while BLAS libraries are held to one thread each.

NumPy and SciPy each bring a BLAS library with threads of its own. After every operation these look
for more to do for some time (of the order of 25 ms) before they sleep, and are in the way of all
others meanwhile: of the other library's, and of the thread that goes on. A fit that alternates
between the two libraries takes several times as long as with one thread of each. So whatever is
called from outside and computes holds all BLAS libraries to one thread, from its beginning to its
end (`blas_held_to_one_thread`), and has threads in two other ways:

- Rows are shared out among threads of Python (`share_out`). NumPy lets go of the interpreter inside
  a matrix product or an exponential, so plain threads are enough; softmax is done in parallel too,
  and each thread goes on with a block of rows while it is in the cache.
- A single operation of BLAS or LAPACK that takes far longer than its threads stay awake has them
  (`blas_threads`).

How many threads there may be is what BLAS has been allowed, by `threadpoolctl`, by an environment
variable or, in its workers, by joblib: where that is one, everything runs in the caller's thread.
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

_MULTIPLICATIONS_WORTH_THREADS = 2e6  # Fewer take less time than it takes to wake a thread.
_ENTRIES_WORTH_THREADS = 1 << 18  # Of an array: passes over fewer take less time than that.
_MULTIPLICATIONS_WORTH_BLAS_THREADS = 4e9  # Some tenths of a second in one thread.


class _Library(NamedTuple):
    """How many threads a BLAS library may use: how to ask, and how to say."""

    get: Callable[[], int]
    set: Callable[[int], object]
    per_thread: bool  # whether each thread that calls the library has a limit of its own


_LibraryLimits = list[tuple[_Library, int]]


@cache
def _libraries() -> list[_Library]:
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return [_library(controller) for controller in found]


def _library(controller: Any) -> _Library:
    """Return a library that `threadpoolctl` has found.

    For OpenBLAS with threads of its own, `threadpoolctl` sets limits in the first thread alone that
    asks it to, and does nothing in others. Besides, it takes ten times as long.
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
    """How many there are for this process; joblib reads several files to know."""
    return int(joblib.cpu_count())


class _Call:
    """A call that holds BLAS libraries to one thread."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.limits: _LibraryLimits = []  # that were those of this thread alone


class _Limits:
    """The limits of the BLAS libraries: one thread each, while there is a call that wants that.

    A signal may raise an exception, such as KeyboardInterrupt, between any two steps of `hold` and
    `let_go`. What is needed to undo a step is known before it is taken, and `let_go` may be called
    without `hold`, or again, so that a call that has been interrupted is made good by another.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._calls: set[_Call] = set()
        self._limits: _LibraryLimits = []  # as they were before the first of the calls
        self._first: _Call | None = None  # whose threads are used

    def hold(self, call: _Call) -> int:
        """Begin to hold; return how many threads the call may use: 1 while another uses them."""
        with self._lock:
            libraries = _libraries()
            if not self._limits:  # else they have not been restored yet
                self._limits = [(one, one.get()) for one in libraries if not one.per_thread]
            call.limits = [(one, one.get()) for one in libraries if one.per_thread]
            self._calls.add(call)
            if self._first not in self._calls:
                self._first = call
            for library in libraries:
                library.set(1)
            return self._allowed(call) if self._first is call else 1

    def let_go(self, call: _Call) -> None:
        """End holding; the last call restores the limits."""
        with self._lock:
            self._calls.discard(call)
            _set_all(call.limits)
            if not self._calls:
                _set_all(self._limits)
                self._limits = []

    def only(self) -> bool:
        """Whether there is one call alone that holds."""
        return len(self._calls) == 1

    def forget_other_threads(self) -> None:
        """Let go for all threads but this one, which alone goes on in a child process."""
        self._lock = threading.RLock()
        self._calls = {call for call in self._calls if call.thread == threading.get_ident()}
        if not self._calls:
            _set_all(self._limits)
            self._limits = []

    def _allowed(self, call: _Call) -> int:
        # Some package may have brought a library that never has more than one thread.
        most = max((limit for _, limit in self._limits + call.limits), default=_cores())
        return min(_cores(), most)


def _set_all(limits: _LibraryLimits) -> None:
    for library, limit in limits:
        library.set(limit)


_limits = _Limits()
_mine = threading.local()  # n_threads: how many this thread may use while it holds, else 0


if hasattr(os, "register_at_fork"):  # a forked child has none of its parent's other threads

    def _forget() -> None:
        _helpers.cache_clear()
        _cores.cache_clear()
        _limits.forget_other_threads()

    os.register_at_fork(after_in_child=_forget)


def blas_held_to_one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Hold all BLAS libraries to one thread while a function runs, in whatever thread.

    A decorator, not a context manager: a signal may raise an exception as soon as `__exit__` is
    entered, before there is any way to catch it.
    """

    @wraps(function)
    def held(*args: P.args, **kwargs: P.kwargs) -> T:
        if getattr(_mine, "n_threads", 0):  # what has called this holds them already
            return function(*args, **kwargs)
        call = _Call()
        try:
            _mine.n_threads = _limits.hold(call)
            return function(*args, **kwargs)
        finally:
            try:
                _let_go(call)
            except BaseException:  # raised by a signal
                _let_go(call)
                raise

    return held


def _let_go(call: _Call) -> None:
    _mine.n_threads = 0
    _limits.let_go(call)


def usable_threads(n_operations: float = np.inf) -> int:
    """How many threads the caller may use for so many multiplications.

    More than one if they are many, and the caller was the first to hold BLAS libraries.
    """
    return (
        1 if n_operations < _MULTIPLICATIONS_WORTH_THREADS else getattr(_mine, "n_threads", 0) or 1
    )


def blas_threads(n_operations: float) -> AbstractContextManager[None]:
    """Let BLAS have its threads for a single operation, if it takes long.

    Parameters
    ----------
    n_operations : float
        How many multiplications it takes.
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
    finally:  # if a signal prevents that, the limits are restored when the call that holds ends
        _set_all([(library, 1) for library in _libraries()])


class StoppedError(Exception):
    """The other functions that were called at the same time have been stopped: so is this one."""


class _Helpers:
    """Threads that wait for something to do.

    Those of `concurrent.futures` would do but for signals: an exception that is raised inside a
    method of `threading.Condition` may leave its lock behind, and then they wait for ever.
    """

    def __init__(self) -> None:
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._n_threads = 0

    def ask(self, function: Callable[[], None], n_helpers: int) -> None:
        """Have a function called in other threads, soon or when there are some at leisure."""
        # A RuntimeError says that the system can't start a thread, or that the interpreter ends.
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
    """Functions to call, each of them once, by whichever thread is there.

    Parameters
    ----------
    functions : sequence of callable
        What to call, without arguments.
    """

    def __init__(self, functions: Sequence[Callable[[], T]]):
        self.results: list[Any] = [None] * len(functions)
        self.stopped = False
        self.error: BaseException | None = None  # of the function that failed first
        self._waiting = deque(enumerate(functions))
        self._handling = np.geterr()
        self._lock = threading.Lock()  # of what is below
        self._n_helpers = 0
        self._closed = False
        self._alone = threading.Lock()  # let go by the last helper, once it is closed
        self._alone.acquire()

    def work(self) -> None:
        """Call one after the other until none is left, or one of them fails."""
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
        """Work in another thread."""
        with self._lock:
            if self._closed:
                return
            self._n_helpers += 1
        try:
            with suppress(BaseException):  # which the caller raises, from `error`
                self._help()
        finally:
            with self._lock:
                self._n_helpers -= 1
                if self._closed and not self._n_helpers:
                    self._alone.release()

    def close(self) -> None:
        """Wait for the helpers that have begun, and let no other begin; may be called again."""
        with self._lock:
            self._closed = True
            helped = self._n_helpers > 0
        if helped:
            self._alone.acquire()

    @blas_held_to_one_thread
    def _help(self) -> None:
        with np.errstate(**self._handling):  # a thread has its own
            self.work()

    def _next(self) -> tuple[int, Callable[[], T]] | None:
        try:
            return None if self.stopped else self._waiting.popleft()
        except IndexError:
            return None


def call_all(functions: Sequence[Callable[[], T]], n_threads: int) -> list[T]:
    """Return what some functions return, as many of them called at a time as there are threads.

    The caller's thread is one of them. It does what others have not begun, because they have not
    woken yet, or because the system has no thread to spare. If a function fails, or a signal
    raises an exception here, no other is begun, and `is_stopped` tells those under way. None runs
    any longer when this ends.
    """
    tasks, before = _Tasks(functions), getattr(_mine, "n_threads", 0)
    try:
        _mine.n_threads = 1  # all are busy
        _helpers().ask(tasks.help, min(n_threads, len(functions)) - 1)
        with suppress(StoppedError):  # because of `error`
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
    # A helper that comes late keeps the tasks, but not what they have led to.
    results, tasks.results = tasks.results, []
    return results


def is_stopped(*_: object) -> bool:
    """Whether what this thread does for `call_all` is of no use any more."""
    tasks: _Tasks[Any] | None = getattr(_mine, "tasks", None)
    return tasks is not None and tasks.stopped


def share_out(work: Callable[[Sequence[B]], T], blocks: Sequence[B], n_threads: int) -> list[T]:
    """Apply `work` to runs of consecutive blocks, one run for each thread; return all results.

    The same number of threads always cuts the same runs, so a result is the same each time.
    `usable_threads` says how many there may be.
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
