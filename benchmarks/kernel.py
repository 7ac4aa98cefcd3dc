"""Loss and gradient beside the two matrix products in them, which nothing can do without."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import issparse

from benchmarks.datasets import BUNDLED, FILES, Catalogue
from benchmarks.report import Table, number, progress, ratio
from benchmarks.timing import compare
from softmax_regression import SoftmaxRegression
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.smooth import Problem

_ENOUGH_ROWS = 1000
_MEASURED_SETS = {"mnist", "shuttle", "letter"}


def run(catalogue: Catalogue, names: Sequence[str], rounds: int) -> Iterator[dict[str, Any]]:
    """Measure on one data set after the other."""
    columns = "two products, ms", "loss + gradient, ms", "ratio", "in a fit, ms", "ratio"
    table = Table("data", "dtype", *columns)
    for name in names:
        X, y = catalogue.load(name)
        if issparse(X):
            progress(f"{name} is skipped: it is sparse")
            continue
        seconds = compare(contestants(X, y), rounds)
        products = min(seconds["by rows"], seconds["by classes"])
        ours, in_fit = seconds["loss + gradient"], seconds["in a fit"]
        table.row(
            name,
            str(X.dtype),
            number(products, 1e3),
            number(ours, 1e3),
            ratio(ours / products),
            number(in_fit, 1e3),
            ratio(in_fit / products),
        )
        yield {"data": name, "dtype": str(X.dtype), "seconds": seconds, "ratio": ours / products}


def usual(catalogue: Catalogue, names: Sequence[str]) -> list[str]:
    """Choose the data sets, of some, that have many rows and are dense."""
    return [
        name
        for name in names
        if name in _MEASURED_SETS & FILES.keys()
        or (name in BUNDLED and len(catalogue.load(name)[1]) >= _ENOUGH_ROWS)
    ]


def contestants(X: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], object]]:
    """The products, either way round, and our objective as it is and as `fit` evaluates it.

    The same for data in float64, but for the change of variables; `fit` evaluates the objective of
    float32 data in float64.
    """
    base = linear_objective(X, y)
    problem = Problem(base)
    coef, intercept = away_from_minimum(base, X)
    return {
        **products(X, coef.astype(X.dtype)),
        "loss + gradient": _in_threads(base, base.from_model(coef, intercept)),
        "in a fit": _in_threads(problem.objective, problem.from_model(coef, intercept)),
    }


def _in_threads(objective: LinearCrossEntropy, params: np.ndarray) -> Callable[[], object]:
    """Return an evaluation that is shared out among threads, as `fit` does it."""
    return partial(blas_held_to_one_thread(objective.value_and_gradient), params)


def linear_objective(X: np.ndarray, y: np.ndarray) -> LinearCrossEntropy:
    """Return what `SoftmaxRegression.fit` makes of the data; there is no public way to it."""
    model = SoftmaxRegression()
    design = model._validate_rows(X, reset=True)
    targets = model._encode(y, design, None)
    return model._specification().objective(design, targets, model.C)


def away_from_minimum(base: LinearCrossEntropy, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw W and b that give scores of a spread of about 2, whatever the scale of X."""
    coef, intercept = base.layout.unpack(np.zeros(base.n_params))
    spread = X.std(axis=0, dtype=np.float64)
    spread[spread == 0] = np.inf
    coef[...] = np.random.default_rng(0).normal(0, 2 / np.sqrt(X.shape[1]), coef.shape) / spread
    intercept[...] = -coef @ X.mean(axis=0, dtype=np.float64)
    return coef, intercept


def products(X: np.ndarray, W: np.ndarray) -> dict[str, Callable[[], tuple[Any, Any]]]:
    """Scores, a row for each class, and what comes back from them, in memory that is there."""
    by_rows = np.empty((len(X), len(W)), X.dtype)
    by_classes = np.empty((len(W), len(X)), X.dtype)
    gradient = np.empty_like(W)

    def rows() -> tuple[Any, Any]:
        np.matmul(X, W.T, out=by_rows)
        return by_rows.T, np.matmul(by_rows.T, X, out=gradient)

    def classes() -> tuple[Any, Any]:
        np.matmul(W, X.T, out=by_classes)
        return by_classes, np.matmul(by_classes, X, out=gradient)

    return {"by rows": rows, "by classes": classes}
