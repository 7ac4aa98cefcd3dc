"""Fits of X in several memory layouts, compared with fits of the same numbers in C order."""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csc_array, csr_array
from sklearn.exceptions import ConvergenceWarning

from benchmarks.report import Table, number, ratio
from benchmarks.synthetic import mixture
from benchmarks.timing import compare
from softmax_regression import SmallMLP, SoftmaxRegression

SHAPE = 100_000, 40, 5  # rows, columns, classes
DTYPES = "float64", "float32"
_KEPT = 0.1  # of the entries, where X is sparse
_EPOCHS = 2
Array = np.ndarray
Layouts = Mapping[str, Callable[[Array], Any]]


def spaced(X: Array) -> Array:
    """Every second column of a wider array."""
    return np.repeat(X, 2, axis=1)[:, ::2]


def on_disk(X: Array) -> Array:
    """Map a file into memory; it goes when the array does, where the system allows that."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "X.npy"
        np.save(path, X)
        return np.load(path, mmap_mode="r")


# The first of each is what the others are compared with.
DENSE: Layouts = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "DataFrame": lambda X: pd.DataFrame(dict(enumerate(X.T))).rename(columns=str),
    "every second column": spaced,
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "rows reversed": lambda X: X[::-1].copy()[::-1],
    "file": on_disk,
}
SPARSE: Layouts = {"csr": csr_array, "csc": csc_array, "coo": coo_array}

FITS: dict[str, Callable[[], Any]] = {
    **{
        solver: partial(SoftmaxRegression, solver=solver)
        for solver in ("newton-cholesky", "newton-cg", "lbfgs")
    },
    "lasso": partial(SoftmaxRegression, l1_ratio=1.0, C=0.01),
    "bounds, newton-cholesky": partial(
        SoftmaxRegression, bounds=(0, None), solver="newton-cholesky"
    ),
    "bounds, lbfgs": partial(SoftmaxRegression, bounds=(0, None), solver="lbfgs"),
    **{
        f"{solver}, {_EPOCHS} epochs": partial(
            SoftmaxRegression, solver=solver, max_iter=_EPOCHS, random_state=0
        )
        for solver in ("sgd", "adam")
    },
    f"SmallMLP, {_EPOCHS} epochs": partial(SmallMLP, max_iter=_EPOCHS, random_state=0),
    "SmallMLP, lbfgs, 5 iterations": partial(SmallMLP, solver="lbfgs", max_iter=5, random_state=0),
}
STREAMS: dict[str, Callable[[], Any]] = {
    "partial_fit": partial(SoftmaxRegression, random_state=0),
    "SmallMLP.partial_fit": partial(SmallMLP, random_state=0),
}


def run(
    rounds: int, shape: tuple[int, int, int] = SHAPE, dtypes: tuple[str, ...] = DTYPES
) -> Iterator[dict[str, Any]]:
    """Measure dense and then sparse layouts."""
    X, y = mixture(*shape)
    yield from _compare(DENSE, X, y, dtypes, rounds)
    print(flush=True)
    kept = np.random.default_rng(1).random(X.shape) < _KEPT
    yield from _compare(SPARSE, np.where(kept, X, 0), y, dtypes, rounds)


def _compare(
    layouts: Layouts, X: Array, y: Array, dtypes: tuple[str, ...], rounds: int
) -> Iterator[dict[str, Any]]:
    first, *others = layouts
    table = Table("call", "dtype", f"{first}, ms", *others)
    for dtype in dtypes:
        laid_out = {name: lay_out(X.astype(dtype)) for name, lay_out in layouts.items()}
        for call, function in calls(y).items():
            seconds = compare(
                {name: partial(function, values) for name, values in laid_out.items()}, rounds
            )
            ratios = {name: seconds[name] / seconds[first] for name in others}
            table.row(call, dtype, number(seconds[first], 1e3), *map(ratio, ratios.values()))
            yield {"call": call, "dtype": dtype, "seconds": seconds, "ratios": ratios}


def calls(y: Array) -> dict[str, Callable[[Any], None]]:
    """Return what is timed, as functions of X."""
    return {
        **{name: partial(_fit, create, y) for name, create in FITS.items()},
        **{name: partial(_stream, create, y) for name, create in STREAMS.items()},
    }


def _fit(create: Callable[[], Any], y: Array, X: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        create().fit(X, y)


def _stream(create: Callable[[], Any], y: Array, X: Any) -> None:
    create().partial_fit(X, y, classes=np.unique(y))
