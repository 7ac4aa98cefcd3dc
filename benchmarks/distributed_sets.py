"""Data sets in chunks: whether the model is the one in memory, however they are cut up.

Each is fitted in memory, and then in three chunkings by two schedulers: the threads of this
process, and two workers of a cluster. With `tol` of 1e-10 (1e-6 in float32), objectives may differ
by no more than the gaps that both certify.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.datasets import Source
from benchmarks.report import Table, number, progress
from softmax_regression import SoftmaxRegression

SETS = "shuttle", "diamonds", "letter", "mnist", "brown"
_MOST_ROWS = {"mnist": 20_000}
_TOLERANCES = {"f4": 1e-6, "f8": 1e-10}
_CHUNKS = {"3 alike": 3, "20 alike": 20, "one of half the rows": 0}


def run(source: Source, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Compare the fits of some data sets."""
    from benchmarks.distributed import cluster

    print()
    table = Table(
        "data set", "chunks", "scheduler", "difference", "gaps", "iterations", "passes", "seconds"
    )
    with cluster() as client:
        for name in names:
            progress(f"distributed: {name}")
            X, y = _rows(source, name)
            local, _ = _fitted(SoftmaxRegression(tol=tolerance(X)), X, y)
            for record in compare(local, X, y, client):
                table.row(
                    name,
                    record["chunks"],
                    record["scheduler"],
                    f"{record['difference']:.1e}",
                    f"{record['gaps']:.1e}",
                    f"{record['iterations']} ({record['iterations_in_memory']})",
                    str(record["passes"]),
                    number(record["seconds"]),
                )
                yield {"set": name, **record}


def compare(local: Any, X: Any, y: Any, client: Any) -> Iterator[dict[str, Any]]:
    """Fit rows in all chunkings by all schedulers, and compare with a fit in memory."""
    import dask

    from softmax_regression.dask import DaskSoftmaxRegression

    for chunks, n_chunks in _CHUNKS.items():
        cut = in_chunks(X, y, cuts(len(y), n_chunks))
        for scheduler, who in (("threads", None), ("two workers", client)):
            model = DaskSoftmaxRegression(tol=local.tol, client=who)
            rows = cut if who is None else who.persist(cut)
            with dask.config.set(scheduler="threads", num_workers=2):
                model, seconds = _fitted(model, *rows)
            least = min(model.objective_, local.objective_)
            yield {
                "chunks": chunks,
                "scheduler": scheduler,
                "difference": abs(model.objective_ - local.objective_) / least,
                "gaps": model.optimality_gap_ + local.optimality_gap_,
                "iterations": int(model.n_iter_[0]),
                "iterations_in_memory": int(local.n_iter_[0]),
                "passes": model.n_passes_,
                "seconds": seconds,
            }


def cuts(n_rows: int, n_chunks: int) -> np.ndarray:
    """Return where chunks begin and end: so many alike; for 0, one of half the rows and others."""
    if n_chunks:
        return np.linspace(0, n_rows, n_chunks + 1).astype(int)
    return np.concatenate([[0], np.linspace(n_rows // 2, n_rows, 6).astype(int)])


def in_chunks(X: Any, y: np.ndarray, bounds: np.ndarray) -> tuple[Any, Any]:
    """Return rows in memory, dense or sparse, as Dask arrays."""
    import dask.array as da

    rows = tuple(np.diff(bounds).tolist())
    chunks = da.from_array(X, chunks=(rows, X.shape[1:]), asarray=False)
    return chunks, da.from_array(y, chunks=(rows,))


def tolerance(X: Any) -> float:
    """Return what fits of some rows are certified to."""
    return _TOLERANCES[np.dtype(X.dtype).str[1:]]


def _rows(source: Source, name: str) -> tuple[Any, np.ndarray]:
    X, y = source.load(name)
    return X[: _MOST_ROWS.get(name)], np.asarray(y)[: _MOST_ROWS.get(name)]


def _fitted(model: Any, X: Any, y: Any) -> tuple[Any, float]:
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    return model, time.perf_counter() - begin
