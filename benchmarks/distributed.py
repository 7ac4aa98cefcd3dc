"""Fits of rows in files: in memory, out of core, on two workers of a cluster, and those of others.

Rows are in `.npy` files of float32, a chunk in each. Everybody fits in a process of its own, with
two cores, and is charged for the fit alone: not for imports, starting workers, or bringing data to
where they are kept, if they are kept. The objective is evaluated here, file by file in float64, and
a fit counts if it comes within a relative gap of 1e-6 of the minimum.
"""

import multiprocessing as mp
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.growth import slope
from benchmarks.memory import extra_memory
from benchmarks.report import Table, number, progress
from softmax_regression import SoftmaxRegression

GOAL = 1e-6
CHUNK_ROWS, COLUMNS = 250_000, 40
CHUNKS = 20
GROWTH = 4, 12, 40, 120  # Chunks: from 10⁶ to 3·10⁷ rows.
_TOLERANCES = 1e-2, 1e-4, 1e-6, 1e-8, 1e-10
_MEMORY = "8g"  # Of Spark's process.


@dataclass(frozen=True)
class Files:
    """A table in files."""

    folder: Path
    n_chunks: int
    n_classes: int
    chunk_rows: int = CHUNK_ROWS
    n_columns: int = COLUMNS

    def write(self) -> None:
        """Draw classes that overlap, and write them."""
        rng = np.random.default_rng(0)
        weights = rng.normal(0, 0.35, (self.n_columns, self.n_classes)).astype(np.float32)
        for i in range(self.n_chunks):
            X = rng.standard_normal((self.chunk_rows, self.n_columns), dtype=np.float32)
            scores = X @ weights + rng.gumbel(size=(len(X), self.n_classes))
            np.save(self.folder / f"X{i}.npy", X)
            np.save(self.folder / f"y{i}.npy", scores.argmax(axis=1))

    def read(self, name: str) -> np.ndarray:
        """Return what is in a file."""
        return np.load(self.folder / f"{name}.npy")

    def mapped(self, name: str) -> np.ndarray:
        """Return the same as `read`, which reads what is looked at: as `dask.array` does."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")

    def whole(self, name: str) -> np.ndarray:
        """Return what is in all files of a name."""
        return np.concatenate([self.read(f"{name}{i}") for i in range(self.n_chunks)])

    def lazy(self) -> tuple[Any, Any]:
        """Return X and y as Dask arrays."""
        import dask
        import dask.array as da

        def collected(name: str, shape: tuple[int, ...], dtype: Any) -> Any:
            parts = [dask.delayed(self.mapped)(f"{name}{i}") for i in range(self.n_chunks)]
            return da.concatenate([da.from_delayed(part, shape, dtype) for part in parts])

        X = collected("X", (self.chunk_rows, self.n_columns), np.float32)
        return X, collected("y", (self.chunk_rows,), np.int64)

    def objective(self, coef: np.ndarray, intercept: np.ndarray) -> float:
        """Evaluate the objective at C=1."""
        coef, intercept = np.asarray(coef, dtype=float), np.asarray(intercept, dtype=float)
        total = 0.5 * float(np.square(coef).sum())
        for i in range(self.n_chunks):
            scores = self.read(f"X{i}").astype(float) @ coef.T + intercept
            if scores.shape[1] == 1:
                scores = np.hstack([np.zeros_like(scores), scores])
            own = np.take_along_axis(scores, self.read(f"y{i}")[:, None], axis=1)
            largest = scores.max(axis=1, keepdims=True)
            logs = np.log(np.exp(scores - largest).sum(axis=1, keepdims=True))
            total += float((largest - own + logs).sum())
        return total


@dataclass
class Fit:
    """How a fit ended; `extra` are bytes of memory at the peak beside those before."""

    coef: np.ndarray
    intercept: np.ndarray
    seconds: float
    passes: int | None = None
    extra: int | None = None
    moved: int | None = None


def in_memory(files: Files, tol: float) -> Fit:
    """Fit by this package with all rows in memory, and two threads."""
    X, y = files.whole("X"), files.whole("y")
    with threadpool_limits(2):
        return _timed(SoftmaxRegression(tol=tol), X, y)


def out_of_core(files: Files, tol: float) -> Fit:
    """Fit by this package, chunk by chunk, in two threads."""
    import dask

    from softmax_regression.dask import DaskSoftmaxRegression

    X, y = files.lazy()
    with dask.config.set(scheduler="threads", num_workers=2):
        first = min(1000, files.chunk_rows)
        DaskSoftmaxRegression(tol=0.1).fit(X[:first].persist(), y[:first].persist())
        return _timed(DaskSoftmaxRegression(tol=tol), X, y)


def on_two_workers(files: Files, tol: float) -> Fit:
    """Fit by this package on a cluster of two processes that hold the rows."""
    from distributed import wait

    from softmax_regression.dask import DaskSoftmaxRegression

    with cluster() as client:
        X, y = client.persist(files.lazy())
        wait([X, y])
        before = client.run(_sent)
        fit = _timed(DaskSoftmaxRegression(tol=tol, client=client), X, y)
        fit.moved = sum(client.run(_sent).values()) - sum(before.values())
        fit.extra = max(client.run(_peak).values())
        return fit


def dask_ml(files: Files, tol: float) -> Fit:
    """Fit two classes by dask-ml's quickest solver, on the same cluster."""
    from dask_ml.linear_model import LogisticRegression
    from distributed import wait

    with cluster() as client:
        X, y = client.persist(files.lazy())
        wait([X, y])
        return _timed(LogisticRegression(solver="lbfgs", tol=tol, max_iter=1000, C=1.0), X, y)


def spark(files: Files, tol: float) -> Fit:
    """Fit by Spark ML in two threads, from rows that it has cached."""
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.driver.memory", _MEMORY)
    builder = builder.config("spark.ui.enabled", "false")
    session = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    rows = session.read.parquet(str(_parquet(files)))
    rows = rows.select(array_to_vector(rows["X"]).alias("features"), rows["y"].alias("label"))
    rows = rows.repartition(2 * max(1, files.n_chunks // 2)).cache()
    n_rows = rows.count()
    model = LogisticRegression(
        regParam=1 / n_rows, standardization=False, tol=tol, maxIter=1000, family="multinomial"
    )
    begin = time.perf_counter()
    fitted = model.fit(rows)
    seconds = time.perf_counter() - begin
    coef, intercept = fitted.coefficientMatrix.toArray(), fitted.interceptVector.toArray()
    passes = int(fitted.summary.totalIterations)
    session.stop()
    return Fit(coef, intercept, seconds, passes)


CONTENDERS: dict[str, Callable[[Files, float], Fit]] = {
    "in memory": in_memory,
    "out of core": out_of_core,
    "two workers": on_two_workers,
    "dask-ml": dask_ml,
    "Spark ML": spark,
}
_NEEDS = {
    "out of core": ["dask"],
    "two workers": ["distributed"],
    "dask-ml": ["dask_ml", "distributed"],
    "Spark ML": ["pyspark", "pyarrow"],
}


def run(n_chunks: int = CHUNKS, growth: Sequence[int] = GROWTH) -> Iterator[dict[str, Any]]:
    """Race two and five classes, and let the rows grow."""
    for n_classes in (5, 2):
        with TemporaryDirectory() as folder:
            files = Files(Path(folder), n_chunks, n_classes)
            files.write()
            yield from race(files)
    yield from grow(growth)


def race(files: Files, names: Sequence[str] = tuple(CONTENDERS)) -> Iterator[dict[str, Any]]:
    """Fit a table by all, each at the first tolerance that comes near enough."""
    chunk_bytes = 4 * files.chunk_rows * files.n_columns
    rows = files.n_chunks * files.chunk_rows
    print(f"\n{rows} × {files.n_columns}, {files.n_classes} classes\n", flush=True)
    best = in_own_process(in_memory, files, 1e-10)
    lowest = files.objective(best.coef, best.intercept)
    table = Table("fit", "seconds", "gap", "passes", "peak, chunks", "moved, MB")
    for name in names:
        if (missing := lacks(name, files.n_classes)) is not None:
            progress(f"{name} is skipped: {missing}")
            continue
        fit, gap = reached(CONTENDERS[name], files, lowest)
        if fit is None:
            table.row(name, "missed", f"{gap:.1e}")
            continue
        passes = "–" if fit.passes is None else str(fit.passes)
        extra = None if fit.extra is None else fit.extra / chunk_bytes
        moved = number(None if fit.moved is None else fit.moved / 1e6)
        table.row(name, number(fit.seconds), f"{gap:.1e}", passes, number(extra), moved)
        found = {"seconds": fit.seconds, "gap": gap, "passes": fit.passes, "moved": fit.moved}
        yield {"fit": name, "rows": rows, "classes": files.n_classes, "extra": fit.extra, **found}


def reached(
    contender: Callable[[Files, float], Fit], files: Files, lowest: float
) -> tuple[Fit | None, float]:
    """Return the fit at the first tolerance that comes near enough, and its gap."""
    gap = np.inf
    for tol in _TOLERANCES:
        fit = in_own_process(contender, files, tol)
        gap = (files.objective(fit.coef, fit.intercept) - lowest) / lowest
        if gap <= GOAL:
            return fit, max(gap, 0.0)
    return None, gap


def grow(chunks: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Fit more and more rows out of core."""
    if lacks("out of core", 5) is not None:
        return
    print(flush=True)
    table = Table("rows", "seconds", "peak, chunks")
    sizes, seconds, extras = [], [], []
    for n_chunks in chunks:
        with TemporaryDirectory() as folder:
            files = Files(Path(folder), n_chunks, 5)
            files.write()
            fit = in_own_process(out_of_core, files, GOAL)
        extra = None if fit.extra is None else fit.extra / (4 * CHUNK_ROWS * COLUMNS)
        table.row(str(n_chunks * CHUNK_ROWS), number(fit.seconds), number(extra))
        sizes.append(n_chunks * CHUNK_ROWS)
        seconds.append(fit.seconds)
        extras.append(fit.extra)
    power = slope(sizes, seconds)
    print(f"\nseconds grow as rows to the power of {power:.2f}\n", flush=True)
    yield {"sizes": sizes, "seconds": seconds, "extra": extras, "slope": power}


def lacks(name: str, n_classes: int) -> str | None:
    """Say what keeps a contender from a race; None if nothing does."""
    if name == "dask-ml" and n_classes > 2:
        return "it fits two classes"
    for module in _NEEDS.get(name, []):
        if find_spec(module) is None:
            return f"{module} is not installed"
    if name == "Spark ML" and shutil.which("java") is None:
        return "there is no Java"
    return None


def in_own_process(contender: Callable[[Files, float], Fit], files: Files, tol: float) -> Fit:
    """Fit in a process that has done nothing else."""
    # Workers of a cluster are its children, which a process of a pool may not have.
    context = mp.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(contender, files, tol).result()


def _timed(model: Any, X: Any, y: Any) -> Fit:
    warnings.simplefilter("ignore")
    seconds = 0.0

    def fit() -> None:
        nonlocal seconds
        begin = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - begin

    extra = extra_memory(fit)
    coef, intercept = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    return Fit(coef, intercept, seconds, getattr(model, "n_passes_", None), extra)


@contextmanager
def cluster() -> Iterator[Any]:
    """Give the client of a cluster of two processes with a thread each."""
    from distributed import Client, LocalCluster

    workers = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=":0",
        memory_limit=None,
        silence_logs=50,
    )
    with workers, Client(workers) as client:
        yield client


def _sent(dask_worker: Any) -> int:
    return int(dask_worker.transfer_outgoing_bytes_total)


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def _parquet(files: Files) -> Path:
    """Return the folder of the same rows as Parquet files, which is written once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = files.folder / "parquet"
    if not folder.exists():
        folder.mkdir()
        for i in range(files.n_chunks):
            X = files.read(f"X{i}").astype(np.float64)
            values = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), X.shape[1])
            rows = pa.table({"X": values.cast(pa.list_(pa.float64())), "y": files.read(f"y{i}")})
            pq.write_table(rows, folder / f"{i}.parquet")
    return folder
