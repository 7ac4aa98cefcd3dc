"""An epoch of a network beside the matrix products in it, and beside other people's epochs."""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.datasets import Catalogue
from benchmarks.report import Table, number, progress, ratio
from softmax_regression import SmallMLP
from softmax_regression._solvers.minibatch import minibatch as _minibatch

_EPOCHS = 5
_LEAST = 0.3  # seconds for which the products of a small data set are repeated


@dataclass(frozen=True)
class Case:
    """A network and how it is trained: n_features-`hidden`-n_classes, by Adam.

    Parameters
    ----------
    data : str
        A data set.
    hidden : int
        Units of its only hidden layer.
    batch_size : int
        Rows of a batch.
    """

    data: str
    hidden: int
    batch_size: int


CASES = (
    Case("mnist", 100, 200),
    Case("mnist", 100, 32),
    Case("mnist", 800, 256),
    Case("sklearn-digits", 100, 32),
)


def run(
    catalogue: Catalogue, rounds: int, cases: tuple[Case, ...] = CASES
) -> Iterator[dict[str, Any]]:
    """Measure all cases for which there are data."""
    known = catalogue.names()
    names = ("products", "SmallMLP", "MLPClassifier", "PyTorch")
    columns = [f"{name}, ms" for name in names]
    ratios = [f"{name} / products" for name in names[1:]]
    table = Table("data", "hidden", "batch", *columns, *ratios, "SmallMLP / MLPClassifier")
    for case in cases:
        if case.data not in known:
            progress(f"{case.data} is skipped: see --data")
            continue
        seconds = measure(case, *catalogue.load(case.data), rounds)
        ours = [seconds.get(name) for name in names]
        beside = [None if value is None else value / seconds["products"] for value in ours[1:]]
        table.row(
            case.data,
            str(case.hidden),
            str(case.batch_size),
            *(number(value, 1e3) for value in ours),
            *(ratio(value) for value in beside),
            ratio(seconds["SmallMLP"] / seconds["MLPClassifier"]),
        )
        yield {**vars(case), "seconds": seconds}


def measure(case: Case, X: Any, y: Any, rounds: int) -> dict[str, float]:
    """Return the median seconds of an epoch by each, who take turns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ways: dict[str, Callable[[], list[float]]] = {
            "products": _products(case, X, len(np.unique(y))),
            "SmallMLP": lambda: _ours(case, X, y),
            "MLPClassifier": _scikit_learns(case, X, y),
        }
        torch = _torchs(case, X, y)
        if torch is not None:
            ways["PyTorch"] = torch
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                seconds[name] += way()
    return {name: median(values) for name, values in seconds.items()}


def _products(case: Case, X: Any, n_classes: int) -> Callable[[], list[float]]:
    """Two products forward and three back for each batch, into memory that is there already.

    By rows or by units, whichever is faster.
    """
    X = np.ascontiguousarray(X, dtype=np.float32)
    n, (n_rows, n_features) = case.batch_size, X.shape
    rows = [np.zeros(s, np.float32) for s in ((n_features, case.hidden), (case.hidden, n_classes))]
    batch = [np.zeros(s, np.float32) for s in ((n, case.hidden), (n, n_classes))]
    units = [np.ascontiguousarray(a.T) for a in (*rows, *batch)]
    (first, second), (hidden, scores) = rows, batch
    slopes, back = [np.empty_like(a) for a in (first, second)], np.empty_like(hidden)
    unit_slopes, unit_back = [np.empty_like(a) for a in units[:2]], np.empty_like(units[2])

    def by_rows(part: np.ndarray) -> None:
        np.matmul(part, first, out=hidden)
        np.matmul(hidden, second, out=scores)
        np.matmul(hidden.T, scores, out=slopes[1])
        np.matmul(scores, second.T, out=back)
        np.matmul(part.T, back, out=slopes[0])

    def by_units(part: np.ndarray) -> None:
        np.matmul(units[0], part.T, out=units[2])
        np.matmul(units[1], units[2], out=units[3])
        np.matmul(units[3], units[2].T, out=unit_slopes[1])
        np.matmul(units[1].T, units[3], out=unit_back)
        np.matmul(unit_back, part, out=unit_slopes[0])

    def epoch(products: Callable[[np.ndarray], None]) -> float:
        begin = time.perf_counter()
        for start in range(0, n_rows - n + 1, n):
            products(X[start : start + n])
        return (time.perf_counter() - begin) * n_rows / (n_rows // n * n)

    def burst() -> list[float]:
        found: list[float] = []
        while len(found) < _EPOCHS or sum(found) < _LEAST:
            found.append(min(epoch(by_rows), epoch(by_units)))
        return found

    return burst


def _ours(case: Case, X: Any, y: Any) -> list[float]:
    """Seconds of each epoch of SmallMLP, without what a fit does once."""
    found: list[float] = []
    epoch = _minibatch.run_epoch

    def timed(*arguments: Any) -> float:
        begin = time.perf_counter()
        loss = epoch(*arguments)
        found.append(time.perf_counter() - begin)
        return loss

    _minibatch.run_epoch = timed
    try:
        n_epochs = _EPOCHS if len(X) > 10_000 else 10 * _EPOCHS
        SmallMLP(
            (case.hidden,),
            solver="adam",
            batch_size=case.batch_size,
            max_iter=n_epochs,
            n_iter_no_change=np.inf,
            early_stopping=False,
            dtype="float32",
            random_state=0,
        ).fit(X, y)
    finally:
        _minibatch.run_epoch = epoch
    return found[1:]


def _scikit_learns(case: Case, X: Any, y: Any) -> Callable[[], list[float]]:
    model = MLPClassifier((case.hidden,), batch_size=case.batch_size, random_state=0)
    classes = np.unique(y)
    model.partial_fit(X, y, classes=classes)

    def epoch() -> list[float]:
        begin = time.perf_counter()
        model.partial_fit(X, y)
        return [time.perf_counter() - begin]

    return epoch


def _torchs(case: Case, X: Any, y: Any) -> Callable[[], list[float]] | None:
    """Return the loop that its tutorials teach, on tensors; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    rows = torch.from_numpy(np.ascontiguousarray(X, dtype=np.float32))
    classes, codes = np.unique(y, return_inverse=True)
    labels = torch.from_numpy(codes.astype(np.int64))
    model = torch.nn.Sequential(
        torch.nn.Linear(rows.shape[1], case.hidden),
        torch.nn.ReLU(),
        torch.nn.Linear(case.hidden, len(classes)),
    )
    optimizer = torch.optim.Adam(model.parameters())

    def epoch() -> list[float]:
        begin = time.perf_counter()
        for part in torch.randperm(len(rows)).split(case.batch_size):
            optimizer.zero_grad()
            scores = model(rows.index_select(0, part))
            loss = torch.nn.functional.cross_entropy(scores, labels.index_select(0, part))
            loss.backward()
            optimizer.step()
        return [time.perf_counter() - begin]

    return epoch
