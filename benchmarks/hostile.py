"""Random problems with everything that breaks a solver, and how the fits of them end."""

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from benchmarks.child import objective
from benchmarks.report import Table, number, progress
from softmax_regression import SoftmaxRegression

ENDS = "certified", "warned", "silent", "wrong certificate", "not finite", "exception"


@dataclass
class Hostile:
    """A problem, and the words for what was done to it."""

    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None
    parameters: dict[str, Any]
    words: list[str]


def problem(seed: int) -> Hostile:
    """Draw a problem; the same seed gives the same one."""
    rng = np.random.default_rng(seed)
    n_classes = int(rng.choice([2, 3, 5, 10, 30, 200], p=[0.25, 0.25, 0.2, 0.15, 0.1, 0.05]))
    n_rows = int(rng.integers(max(20, 3 * n_classes), 1000))
    n_columns = int(rng.choice([1, 3, 10, 40, 100], p=[0.1, 0.3, 0.3, 0.25, 0.05]))
    X = rng.standard_normal((n_rows, n_columns)) + rng.normal(0, 3, n_columns)
    slopes = rng.standard_normal((n_columns, n_classes)) / np.sqrt(n_columns)
    noise = 0.0 if rng.random() < 0.2 else 1.0  # without, a hyperplane tells classes apart
    y = (X @ slopes + noise * rng.gumbel(size=(n_rows, n_classes))).argmax(axis=1)
    words = [f"{n_rows} × {n_columns}, {n_classes} classes"]
    words += [] if noise else ["separable"]
    X, y = _spoil(rng, X, y, words)
    weight = None
    if rng.random() < 0.3:
        weight = 10.0 ** rng.uniform(-6, 6, n_rows)
        weight[rng.random(n_rows) < 0.1] = 0.0
        words.append("weights")
    y[:2] = 0, 1  # at least two classes,
    if weight is not None:
        weight[:2] = 1.0  # both of weight
    strength = np.inf if rng.random() < 0.1 else 10.0 ** rng.uniform(-6, 6)
    parameters = {"C": float(strength), "fit_intercept": bool(rng.random() < 0.85)}
    words.append(f"C={strength:.1g}")
    return Hostile(_stored(rng, X, words), y, weight, parameters, words)


def _spoil(
    rng: np.random.Generator, X: np.ndarray, y: np.ndarray, words: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Do some of the things to X and y that data have."""
    n_rows, n_columns = X.shape
    if rng.random() < 0.3:
        X = np.hstack([X, X[:, : n_columns // 2 + 1]])
        words.append("duplicates")
    if rng.random() < 0.3:
        X = np.hstack([X, np.full((n_rows, 1), rng.choice([0.0, 1.0, 1e6]))])
        words.append("constant column")
    if rng.random() < 0.3:
        X = np.hstack([X, np.eye(5)[rng.integers(5, size=n_rows)]])
        words.append("one-hot")
    if rng.random() < 0.5:
        X = X * 10.0 ** rng.uniform(-8, 8, X.shape[1])
        words.append("scales")
    if rng.random() < 0.3:
        y = np.where(rng.random(n_rows) < 0.99, 0, y)
        words.append("rare classes")
    return X, y


def _stored(rng: np.random.Generator, X: np.ndarray, words: list[str]) -> Any:
    """Return X in one of the forms in which it may come."""
    form = str(rng.choice(["C", "F", "float32", "sparse"], p=[0.5, 0.2, 0.15, 0.15]))
    words.append(form)
    if form == "sparse":
        return csr_array(np.where(rng.random(X.shape) < 0.2, X, 0.0))
    return X.astype(np.float32) if form == "float32" else np.array(X, order=form)


def value(hostile: Hostile, model: SoftmaxRegression) -> float:
    """Return the objective at a solution."""
    labels = np.searchsorted(model.classes_, hostile.y)
    solution = model.coef_, model.intercept_
    return objective(hostile.X, labels, *solution, hostile.sample_weight, model.C)


def end(hostile: Hostile) -> tuple[str, str]:
    """Fit, and say how that ended: one of `ENDS`, and the details."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = _fit(hostile)
        except Exception as error:
            return "exception", f"{type(error).__name__}: {error}"
    others = [w for w in caught if not issubclass(w.category, ConvergenceWarning)]
    if others:
        return "exception", str(others[0].message)
    if not (np.isfinite(model.coef_).all() and np.isfinite(model.intercept_).all()):
        return "not finite", ""
    if caught:
        return "warned", str(caught[0].message)
    if not model.optimality_gap_ <= model.tol:
        return "silent", f"gap {model.optimality_gap_:.1e}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lower = value(hostile, _fit(hostile, tol=1e-10))
    reached = value(hostile, model)
    # Coefficients in float32 are the solution rounded, which the certificate is not about.
    rounding = 1e-4 if model.coef_.dtype == np.float32 else 1e-9
    # Without a penalty, or with a class of no weight, there is only an estimate.
    weight = hostile.sample_weight
    weightless = weight is not None and 0 in np.bincount(hostile.y, weight)[np.unique(hostile.y)]
    gap = 2 * model.tol if np.isinf(model.C) or weightless else model.optimality_gap_
    if reached - lower > (gap + rounding) * reached:
        return "wrong certificate", f"{reached / lower - 1:.1e} above"
    return "certified", ""


def _fit(hostile: Hostile, **parameters: Any) -> SoftmaxRegression:
    model = SoftmaxRegression(**hostile.parameters, **parameters)
    return model.fit(hostile.X, hostile.y, sample_weight=hostile.sample_weight)


def run(n_problems: int = 500) -> Iterator[dict[str, Any]]:
    """Count how the fits end, and tell of each that is not certified."""
    counts: Counter[str] = Counter()
    longest = 0.0
    for seed in range(n_problems):
        hostile, begin = problem(seed), time.perf_counter()
        how, details = end(hostile)
        counts[how] += 1
        longest = max(longest, time.perf_counter() - begin)
        if how != "certified":
            progress(f"problem {seed} ({', '.join(hostile.words)}): {how}: {details}")
    table = Table("problems", *ENDS, "longest, s")
    table.row(str(n_problems), *(str(counts[how]) for how in ENDS), number(longest))
    yield {"problems": n_problems, "counts": dict(counts), "longest": longest}
