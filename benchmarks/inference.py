"""Inference: coverage of intervals in simulated tables, seconds beside fits, and memory."""

import multiprocessing as mp
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from benchmarks.datasets import Catalogue
from benchmarks.memory import extra_memory
from benchmarks.report import Table, number, progress, ratio
from benchmarks.selection import seconds
from benchmarks.synthetic import mixture
from softmax_regression import SoftmaxRegression
from softmax_regression.inference import infer

TABLES = 2000
LARGE = 400_000, 20, 3
_ALPHA = 0.05
_COEF = np.array([[0.0, 0.0, 0.0], [0.3, 0.8, -0.5], [-0.2, -0.4, 0.6]])  # a row for each class
_INTERCEPTS = np.array([0.0, 0.2, -0.3])

Covered = Callable[[np.random.Generator], np.ndarray]


def run(
    catalogue: Catalogue, names: Sequence[str], rounds: int, tables: int = TABLES
) -> Iterator[dict[str, Any]]:
    """Measure all of it."""
    yield from coverage(tables)
    print(flush=True)
    yield from speed(catalogue, names, rounds)
    print(flush=True)
    yield from memory()


# -- coverage --------------------------------------------------------------------------------------


def _draw(rng: np.random.Generator, X: np.ndarray, scores: Any = 0.0) -> np.ndarray:
    """Draw a class for each row."""
    scores = X @ _COEF.T + _INTERCEPTS + scores
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    return np.asarray(y)


def _truth() -> np.ndarray:
    """Return the coefficients against the first class, in the order of `conf_int`."""
    return np.column_stack([_INTERCEPTS, _COEF])[1:].ravel()


def _within(ends: Any, truth: np.ndarray) -> np.ndarray:
    return (ends["lower"].to_numpy() <= truth) & (truth <= ends["upper"].to_numpy())


def _inferred(X: np.ndarray, y: np.ndarray, **options: Any) -> Any:
    model = SoftmaxRegression(C=np.inf).fit(X, y)
    return infer(model, X, y, **options)


def _wald(rng: np.random.Generator) -> np.ndarray:
    X = rng.normal(size=(300, 3))
    return _within(_inferred(X, _draw(rng, X)).conf_int(_ALPHA), _truth())


def _profile(rng: np.random.Generator) -> np.ndarray:
    """One feature alone has a coefficient, and is alone in the model."""
    X = rng.normal(size=(100, 3)) * [0, 1, 0]
    results = _inferred(X[:, [1]], _draw(rng, X))
    return _within(results.conf_int(_ALPHA, "profile"), _truth()[[0, 2, 4, 6]])


def _firth(rng: np.random.Generator) -> np.ndarray:
    """So few rows that classes are separated now and then."""
    X = rng.normal(size=(40, 3)) * [0, 1, 0]
    model = SoftmaxRegression(C=np.inf, bias_reduction="firth")
    y = _draw(rng, X)
    results = infer(model.fit(X[:, [1]], y), X[:, [1]], y)
    return _within(results.conf_int(_ALPHA, "profile"), _truth()[[0, 2, 4, 6]])


def _cluster(rng: np.random.Generator) -> np.ndarray:
    """Clusters of up to 6 copies of a row with its class: the model holds, rows are dependent."""
    sizes = rng.integers(1, 7, 200)
    groups = np.repeat(np.arange(200), sizes)
    X = rng.normal(size=(200, 3))
    y = _draw(rng, X)
    ends = _inferred(X[groups], y[groups], cov_type="cluster", groups=groups).conf_int(_ALPHA)
    return _within(ends, _truth())


def _prediction(rng: np.random.Generator) -> np.ndarray:
    X = rng.normal(size=(300, 3))
    rows = np.array([[0.0, 0.0, 0.0], [1.0, -1.0, 0.5], [-2.0, 0.0, 1.0]])
    p = np.exp(rows @ _COEF.T + _INTERCEPTS)
    p /= p.sum(axis=1, keepdims=True)
    frame = _inferred(X, _draw(rng, X)).get_prediction(rows).summary_frame(_ALPHA)
    ends = frame.rename(columns={"ci_lower": "lower", "ci_upper": "upper"})
    return _within(ends, p.ravel())


INTERVALS: dict[str, Covered] = {
    "Wald, 300 rows": _wald,
    "profile, 100 rows": _profile,
    "Firth's profile, 40 rows": _firth,
    "cluster, 200 clusters": _cluster,
    "prediction, 300 rows": _prediction,
}


def coverage(tables: int = TABLES) -> Iterator[dict[str, Any]]:
    """Count how often 95 % intervals hold the truth; for each parameter by itself."""
    table = Table("intervals", "tables", "coverage", "lowest of a parameter", "highest")
    for name, covered in INTERVALS.items():
        hits = []
        for seed in range(tables):
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a separated table would have no intervals
                hits.append(covered(np.random.default_rng(seed)))
        shares = np.mean(hits, axis=0)
        table.row(
            name, str(tables), f"{shares.mean():.4f}", f"{shares.min():.4f}", f"{shares.max():.4f}"
        )  # fmt: skip
        yield {"intervals": name, "tables": tables, "coverage": shares.tolist()}


# -- speed and memory ------------------------------------------------------------------------------


def speed(catalogue: Catalogue, names: Sequence[str], rounds: int) -> Iterator[dict[str, Any]]:
    """Compare with a cold fit on letter, and with a fit of statsmodels' on a large table."""
    table = Table("data", "infer, s", "beside", "its seconds", "ratio")
    if "letter" in names:
        X, y = catalogue.load("letter")
        for C in (1.0, np.inf):
            model = SoftmaxRegression(C=C).fit(X, y)
            ours = seconds(lambda model=model, X=X, y=y: infer(model, X, y).bse, rounds)
            fit = seconds(lambda C=C, X=X, y=y: SoftmaxRegression(C=C).fit(X, y), rounds)
            table.row("letter", number(ours), f"a fit, C={C:g}", number(fit), ratio(ours / fit))
            yield {"data": "letter", "C": float(C) if C == 1 else "inf", "seconds": [ours, fit]}
    X, y = mixture(*LARGE)
    model = SoftmaxRegression(C=np.inf).fit(X, y)
    ours = seconds(lambda: infer(model, X, y).bse, rounds)
    name = " × ".join(map(str, LARGE))
    theirs = _seconds_of_mnlogit(X, y)
    told = None if theirs is None else ours / theirs
    table.row(name, number(ours), "MNLogit().fit()", number(theirs), ratio(told))
    yield {"data": name, "seconds": [ours, theirs]}


def _seconds_of_mnlogit(X: np.ndarray, y: np.ndarray) -> float | None:
    try:
        from statsmodels.discrete.discrete_model import MNLogit
    except ImportError:
        progress("MNLogit is skipped: statsmodels is not installed")
        return None
    model = MNLogit(y, np.column_stack([np.ones(len(X)), X]))
    progress("MNLogit")
    return seconds(lambda: model.fit(disp=0), 1)


def memory() -> Iterator[dict[str, Any]]:
    """Measure the memory that inference takes beside X, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=mp.get_context("spawn")) as process:
        found = process.submit(_measure).result()
    if found is None:
        progress("memory is skipped: this system has no /proc/self/clear_refs")
        return
    size, extra = found
    table = Table("data", "X, MB", "extra at the peak, MB", "% of X")
    table.row(
        " × ".join(map(str, LARGE)), number(size, 1e-6), number(extra, 1e-6),
        number(100 * extra / size),
    )  # fmt: skip
    yield {"bytes of X": size, "extra bytes": extra}


def _measure() -> tuple[int, int] | None:
    X, y = mixture(*LARGE)
    model = SoftmaxRegression(C=np.inf).fit(X, y)
    infer(SoftmaxRegression(C=np.inf).fit(X[:2000], y[:2000]), X[:2000], y[:2000])
    extra = extra_memory(lambda: infer(model, X, y).bse)
    return None if extra is None else (X.nbytes, extra)
