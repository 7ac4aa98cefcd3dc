"""The memory that a fit takes at its peak beside the data, as Linux counts it."""

import multiprocessing as mp
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from sklearn.linear_model import LogisticRegression

from benchmarks.report import Table, number, progress
from benchmarks.synthetic import mixture
from softmax_regression import SoftmaxRegression

SHAPE = 400_000, 100
_CLASSES = 3
_MODELS: dict[str, Callable[[], Any]] = {
    "SoftmaxRegression()": SoftmaxRegression,
    "LogisticRegression(max_iter=5)": lambda: LogisticRegression(max_iter=5),
}
_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def run(shape: tuple[int, int] = SHAPE) -> Iterator[dict[str, Any]]:
    """Measure each model in a process of its own."""
    if not _CLEAR.exists():
        progress("memory is skipped: this system has no /proc/self/clear_refs")
        return
    table = Table("model", "X, MB", "extra at the peak, MB", "% of X")
    for model in _MODELS:
        with ProcessPoolExecutor(1, mp_context=mp.get_context("spawn")) as process:
            size, extra = process.submit(measure, model, shape).result()
        table.row(model, number(size, 1e-6), number(extra, 1e-6), number(100 * extra / size))
        yield {"model": model, "bytes of X": size, "extra bytes": extra}


def measure(model: str, shape: tuple[int, int]) -> tuple[int, int]:
    """Return the bytes of X, and those that a fit takes beside."""
    warnings.simplefilter("ignore")  # five iterations are too few, and show the peak
    X, y = mixture(*shape, _CLASSES)
    _MODELS[model]().fit(X[:1000], y[:1000])  # what is imported and started stays
    extra = extra_memory(lambda: _MODELS[model]().fit(X, y))
    assert extra is not None
    return X.nbytes, extra


def extra_memory(call: Callable[[], Any]) -> int | None:
    """Return the bytes that a call takes at its peak; None where the system does not tell."""
    if not _CLEAR.exists():
        return None
    before = _resident("VmRSS")
    _CLEAR.write_text("5")  # the peak is now what there is
    call()
    return _resident("VmHWM") - before


def _resident(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
