"""Choosing C: a path beside a single fit, a cross-validation beside a grid search, leave-one-out.

Paths, searches and refits are each timed as a whole, in turns, as often as there are rounds.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.utils import check_random_state

from benchmarks.datasets import Catalogue
from benchmarks.report import Table, number, progress, ratio
from softmax_regression import SoftmaxRegression, SoftmaxRegressionCV, softmax_path

PATHS = "letter", "mnist"
SEARCHES = ("letter",)
LEFT_OUT = "wine", "vowel", "sklearn-digits"
_ROWS = 10_000  # of larger data sets
_REFITTED_ROWS = 300  # Each of them is left out, and the model fitted without it.
_PATH = np.logspace(-4, 4, 30)
_SEARCH = np.logspace(-4, 4, 10)
_LOO = (0.01, 0.1, 1.0, 10.0, 100.0)


def run(catalogue: Catalogue, names: Sequence[str], rounds: int) -> Iterator[dict[str, Any]]:
    """Measure all three on those of their data sets that can be had."""
    yield from paths(catalogue, [name for name in PATHS if name in names], rounds)
    print(flush=True)
    yield from searches(catalogue, [name for name in SEARCHES if name in names])
    print(flush=True)
    yield from left_out(catalogue, [name for name in LEFT_OUT if name in names])


def paths(
    catalogue: Catalogue, names: Sequence[str], rounds: int, Cs: np.ndarray = _PATH
) -> Iterator[dict[str, Any]]:
    """Compare a path with a fit of its own at the largest C, and with one at every C."""
    table = Table("data", "C in the path", "path, s", "fit at the largest C, s", "ratio")
    for name in names:
        X, y = _some_rows(catalogue, name)
        path = seconds(lambda X=X, y=y: softmax_path(X, y, Cs=Cs), rounds)
        fit = seconds(lambda X=X, y=y: SoftmaxRegression(C=Cs[-1]).fit(X, y), rounds)
        table.row(name, str(len(Cs)), number(path), number(fit), ratio(path / fit))
        yield {"data": name, "path": path, "fit": fit}


def searches(
    catalogue: Catalogue, names: Sequence[str], Cs: np.ndarray = _SEARCH, n_jobs: int = 2
) -> Iterator[dict[str, Any]]:
    """Compare with a grid search over `LogisticRegression()`, on the same folds and jobs."""
    table = Table(
        "data", "SoftmaxRegressionCV, s", "log-loss", "GridSearchCV, s", "its log-loss", "ratio"
    )
    for name in names:
        X, y = _some_rows(catalogue, name, most=None)
        model = SoftmaxRegressionCV(Cs=Cs, cv=5, n_jobs=n_jobs)
        ours = seconds(lambda model=model, X=X, y=y: model.fit(X, y), 2)
        search = GridSearchCV(
            LogisticRegression(), {"C": Cs}, cv=5, scoring="neg_log_loss", n_jobs=n_jobs
        )
        progress(f"a grid search on {name}")
        theirs = seconds(lambda search=search, X=X, y=y: search.fit(X, y), 1)
        losses = -model.mean_scores_.max(), -search.best_score_
        table.row(
            name, number(ours), number(losses[0]), number(theirs), number(losses[1]),
            ratio(ours / theirs),
        )  # fmt: skip
        yield {"data": name, "seconds": [ours, theirs], "log_losses": losses}


def left_out(
    catalogue: Catalogue, names: Sequence[str], Cs: Sequence[float] = _LOO
) -> Iterator[dict[str, Any]]:
    """Compare ``cv='loo'`` with leaving out each row in earnest."""
    table = Table("data", "C", "log-loss", "in earnest", "off by", "seconds", "in earnest, s")
    for name in names:
        X, y = catalogue.load(name)
        if name.startswith("sklearn"):
            X, y = X[:_REFITTED_ROWS], y[:_REFITTED_ROWS]
        rows = np.arange(len(y))
        if len(rows) > _REFITTED_ROWS:
            rows = check_random_state(0).choice(len(y), _REFITTED_ROWS, replace=False)
        for C in Cs:
            begin = time.perf_counter()
            model = SoftmaxRegressionCV(Cs=[C], cv="loo").fit(X, y)
            quick = time.perf_counter() - begin
            found = -float(model.scores_[rows].mean())
            begin = time.perf_counter()
            expected = float(np.mean([_without(X, y, row, C) for row in rows]))
            slow = (time.perf_counter() - begin) * len(y) / len(rows)
            table.row(
                name, f"{C:g}", f"{found:.4f}", f"{expected:.4f}",
                f"{100 * (found / expected - 1):+.2f} %", number(quick), number(slow),
            )  # fmt: skip
            yield {"data": name, "C": C, "log_losses": [found, expected], "seconds": [quick, slow]}


def _without(X: Any, y: Any, row: int, C: float) -> float:
    kept = np.arange(len(y)) != row
    model = SoftmaxRegression(C=C).fit(X[kept], y[kept])
    return -float(model.predict_log_proba(X[[row]])[0, np.flatnonzero(model.classes_ == y[row])[0]])


def _some_rows(catalogue: Catalogue, name: str, most: int | None = _ROWS) -> tuple[Any, Any]:
    X, y = catalogue.load(name)
    return (X[:most], y[:most]) if name == "mnist" else (X, y)


def seconds(call: Callable[[], object], rounds: int) -> float:
    """Return what the fastest of some calls takes."""
    times = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(rounds):
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
    return min(times)
