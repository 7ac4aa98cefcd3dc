"""How far a network gets on handwritten digits without knowing that they are images."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.report import Table, number, progress
from softmax_regression import SmallMLP

# Dropout as in Srivastava et al. (JMLR 15, 2014), with the rate that falls to 0 of "one-cycle".
CONFIGURATION: dict[str, Any] = {
    "hidden_layer_sizes": (800, 800),
    "solver": "adam",
    "alpha": 0.0,
    "dropout": (0.2, 0.5, 0.5),
    "batch_size": 256,
    "learning_rate": "one-cycle",
    "learning_rate_init": 0.002,
    "max_iter": 150,
    "standardize": False,  # a pixel at the border would count as much as one in the middle
    "early_stopping": False,
    "random_state": 0,
}
_MARKS = (0.97, 0.98, 0.985)


def run(folder: Path | None, **changes: Any) -> Iterator[dict[str, Any]]:
    """Train on mnist's 60000 digits, and look after each epoch at its 10000 others."""
    if folder is None or not (folder / "mnist.npz").exists():
        progress("accuracy is skipped: there is no mnist.npz in the folder")
        return
    with np.load(folder / "mnist.npz") as parts:
        X, X_test = (_pixels(parts[name]) for name in ("X_train", "X_test"))
        y, y_test = parts["y_train"], parts["y_test"]
    model = SmallMLP(**CONFIGURATION | {"scoring": None} | changes)
    begin = perf_counter()
    model.fit(X, y, X_val=X_test, y_val=y_test)
    seconds = perf_counter() - begin
    accuracies = model.validation_scores_
    error = 1 - model.score(X_test, y_test)
    table = Table("test error, %", "seconds", *(f"seconds to {mark:.1%}" for mark in _MARKS))
    reached = [_first(accuracies, mark, seconds) for mark in _MARKS]
    table.row(f"{100 * error:.2f}", number(seconds), *map(number, reached))
    yield {"error": error, "seconds": seconds, "accuracies": accuracies}


def _pixels(images: Any) -> Any:
    return images.reshape(len(images), -1).astype(np.float32) / 255


def _first(accuracies: list[float], mark: float, seconds: float) -> float | None:
    """Return after how many seconds an accuracy was reached, epochs being of one length."""
    above = [epoch for epoch, value in enumerate(accuracies, start=1) if value >= mark]
    return above[0] / len(accuracies) * seconds if above else None
