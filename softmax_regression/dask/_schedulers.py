"""Schedulers of Dask tasks: the threads of this process, or the workers of a cluster."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Any

import dask

_POLL_SECONDS = 1.0  # The interval at which the connection to the cluster is checked.
_MAX_MEMORY_FRACTION = 0.5  # Chunks may take at most this fraction of the workers' memory.
_MAX_ANSWER_SECONDS = 10.0  # The scheduler's time to report who holds each chunk.
_RUNNING = "running"


class LostClientError(RuntimeError):
    """The client of a cluster is closed, or has lost its scheduler."""


class Scheduler(ABC):
    """The base class of schedulers, which compute Dask tasks.

    Attributes
    ----------
    client : distributed.Client or None
        The client of a cluster, if it is one.
    """

    client: Any = None

    @abstractmethod
    def compute(self, tasks: Sequence[Any]) -> list[Any]:
        """Return the results of some Delayed tasks."""

    def keep(self, chunks: Sequence[Any], n_bytes: int) -> list[Any]:
        """Return chunks that stay in memory where there is room for them."""
        return list(chunks)

    def groups(self, chunks: Sequence[Any]) -> list[list[Any]]:
        """Return the chunks in groups, for each of which a pass has one task."""
        return [[chunk] for chunk in chunks]


class Threads(Scheduler):
    """Threads of this process, each of which reads, uses and drops one chunk at a time."""

    def compute(self, tasks: Sequence[Any]) -> list[Any]:
        return list(dask.compute(*tasks))


class Cluster(Scheduler):
    """The workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
        Its client.
    """

    def __init__(self, client: Any):
        self.client = client

    def compute(self, tasks: Sequence[Any]) -> list[Any]:
        self._check()
        futures = self.client.compute(list(tasks))
        try:
            return [self._result(future) for future in futures]
        except BaseException:
            if self.client.status == _RUNNING:
                self.client.cancel(futures, force=True)
            raise

    def keep(self, chunks: Sequence[Any], n_bytes: int) -> list[Any]:
        self._check()
        if n_bytes > _MAX_MEMORY_FRACTION * self._memory():
            return list(chunks)
        return list(self.client.persist(list(chunks)))

    def groups(self, chunks: Sequence[Any]) -> list[list[Any]]:
        """Return a group for each thread of a worker, with the chunks that the worker keeps.

        Each task takes the scheduler and the worker some milliseconds, even if it does little.
        Chunks that are not kept are groups by themselves, because a task holds its whole group in
        memory.
        """
        from distributed import futures_of  # It is optional, but there is a client here.

        self._check()
        kept = {future.key for future in futures_of(list(chunks))}
        keys = [chunk.key for chunk in chunks if chunk.key in kept]
        threads = self._threads_with(keys) if keys else {}
        groups: dict[Any, list[Any]] = {}
        for chunk in chunks:
            # A chunk that several threads can use goes to the one that has the fewest chunks.
            places = threads.get(chunk.key) or [chunk.key]
            chosen = min(places, key=lambda place: len(groups.get(place, [])))
            groups.setdefault(chosen, []).append(chunk)
        return list(groups.values())

    def _threads_with(self, keys: Sequence[Any]) -> dict[Any, list[Any]]:
        """Return for each key the threads of the workers that hold its result."""
        try:
            found: dict[Any, list[Any]] = self.client.run_on_scheduler(
                _threads_with, keys=keys, callback_timeout=_MAX_ANSWER_SECONDS
            )
        except OSError:  # The connection is lost, which `compute` reports.
            return {}
        return found

    def _check(self) -> None:
        if self.client.status != _RUNNING:
            raise LostClientError(
                f"The client of the Dask cluster is {self.client.status}: connect a new one by "
                "distributed.Client, and fit again."
            )

    def _result(self, future: Any) -> Any:
        """Wait for a result, and look now and then whether the cluster is still there."""
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        while not (future.done() or done.wait(_POLL_SECONDS)):
            self._check()
        try:
            return future.result()
        except CancelledError:
            self._check()
            raise

    def _memory(self) -> float:
        """Return the bytes that the workers may use; infinite where they have no limit."""
        limits = self.client.run_on_scheduler(_memory_limits)
        return float("inf") if not all(limits) else float(sum(limits))


def _memory_limits(dask_scheduler: Any) -> list[int]:
    return [worker.memory_limit for worker in dask_scheduler.workers.values()]


def _threads_with(keys: Sequence[Any], dask_scheduler: Any) -> dict[Any, list[tuple[str, int]]]:
    """Return for each key the threads, as pairs of address and number, that can use its result."""
    tasks = {key: dask_scheduler.tasks.get(key) for key in keys}
    return {
        key: [
            (worker.address, number)
            for worker in (task and task.who_has) or ()
            for number in range(worker.nthreads)
        ]
        for key, task in tasks.items()
    }


def scheduler_of(client: Any) -> Scheduler:
    """Return who computes: the cluster of a client, of the client there is, or this process."""
    client = client or _current_client()
    return Threads() if client is None else Cluster(client)


def _current_client() -> Any:
    """Return the client that Dask would use by itself; None if there is none."""
    try:
        from distributed import default_client
    except ImportError:
        return None
    try:
        return default_client()
    except ValueError:
        return None
