"""Random problems with everything that breaks a solver; a generator and a seed name each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csc_array, csr_array, issparse

Extended = np.longdouble
_LARGEST_FLOAT32_SCALE = 30.0  # decades: squares of values in float32 overflow beyond 19


@dataclass
class Earlier:
    """What is fitted before a warm start: other data, or another C."""

    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None
    C: float


@dataclass
class Hostile:
    """A problem, and the words for what was done to it."""

    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None
    parameters: dict[str, Any]
    words: list[str]
    earlier: Earlier | None = None

    def labels(self) -> list[int]:
        """Return the classes, in their order."""
        return list(range(self.y.shape[1])) if self.y.ndim == 2 else np.unique(self.y).tolist()

    @property
    def n_classes(self) -> int:
        """Columns of probabilities, or different labels."""
        return len(self.labels())

    def targets(self) -> np.ndarray:
        """Return the probabilities of the classes, a row for each row of X."""
        if self.y.ndim == 2:
            return self.y / self.y.sum(axis=1, keepdims=True)
        return (self.y[:, None] == np.unique(self.y)).astype(np.float64)

    def weights(self) -> np.ndarray:
        """Return sample weights times class weights, in extended precision."""
        weight = np.ones(len(self.y)) if self.sample_weight is None else self.sample_weight
        weight, targets = weight.astype(Extended), self.targets()
        chosen = self.parameters.get("class_weight")
        if chosen is None:
            return weight
        if chosen == "balanced":
            totals = weight @ targets
            factors = np.zeros(len(totals), Extended)
            present = totals > 0
            factors[present] = totals.sum() / (present.sum() * totals[present])
        else:
            factors = np.array([chosen.get(label, 1.0) for label in self.labels()], Extended)
        return weight * (targets @ factors)


def problem(generator: int, seed: int) -> Hostile:
    """Draw a problem; the same generator and seed give the same one."""
    return GENERATORS[generator](seed)


def dense(X: Any) -> np.ndarray:
    """Return X as an array."""
    return X.toarray() if issparse(X) else np.asarray(X)


# -- the first generator: sizes, scales, separable and rare classes --------------------------------


def _ridge(seed: int) -> Hostile:
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


# -- the second generator: penalties, bounds, weights, targets, warm starts ------------------------


def _mixed(seed: int) -> Hostile:
    rng = np.random.default_rng([2, seed])
    words: list[str] = []
    X, labels, n_classes = _rows(rng, words)
    single = bool(rng.random() < 0.35)
    X = _columns(rng, X, single, words)
    y = _targets(rng, labels, n_classes, words)
    hostile = Hostile(_forms(rng, X, single, words), y, None, {}, words)
    _weigh(rng, hostile)
    hostile.parameters["fit_intercept"] = bool(rng.random() < 0.75)
    words += [] if hostile.parameters["fit_intercept"] else ["no intercept"]
    kinds = ["ridge", "none", "sparse", "bounds"]
    _PENALTIES[str(rng.choice(kinds, p=[0.3, 0.15, 0.35, 0.2]))](rng, hostile)
    words.append(f"C={hostile.parameters['C']:.3g}")
    if rng.random() < 0.2:
        _warm(rng, hostile)
    return hostile


def _rows(rng: np.random.Generator, words: list[str]) -> tuple[np.ndarray, np.ndarray, int]:
    """Draw rows of order 1, and labels that they tell something of."""
    n_classes = int(rng.choice([2, 3, 4, 6, 10], p=[0.35, 0.25, 0.2, 0.1, 0.1]))
    n_rows = max(2, int(10 ** rng.uniform(np.log10(2), np.log10(300))))
    n_columns = int(10 ** rng.uniform(0, np.log10(60)))
    kind = str(rng.choice(["normal", "counts", "binary"], p=[0.6, 0.2, 0.2]))
    shape = n_rows, n_columns
    draw = {
        "normal": lambda: rng.standard_normal(shape),
        "counts": lambda: rng.poisson(1.0, shape).astype(np.float64),
        "binary": lambda: (rng.random(shape) < 0.2).astype(np.float64),
    }
    X = draw[kind]()
    words.append(f"{n_rows} × {n_columns} {kind}, {n_classes} classes")
    slopes = rng.standard_normal((n_columns, n_classes)) / np.sqrt(n_columns)
    noise = float(rng.choice([0.0, 0.3, 1.0, 5.0]))
    y = (3 * X @ slopes + noise * rng.gumbel(size=(n_rows, n_classes))).argmax(axis=1)
    words += [] if noise else ["separable"]
    if rng.random() < 0.2:  # all but the first two classes have a row or none
        y = np.where(y < 2, y, 0)
        alone = rng.permutation(n_rows)[: n_classes - 1]
        y[alone] = np.arange(1, len(alone) + 1)
        words.append("classes of a row")
    return X, y, n_classes


def _columns(rng: np.random.Generator, X: np.ndarray, single: bool, words: list[str]) -> np.ndarray:
    """Repeat some columns, and move and scale them."""
    if rng.random() < 0.2:
        X = np.hstack([X, X[:, : X.shape[1] // 2 + 1]])
        words.append("duplicates")
    if rng.random() < 0.15:
        X = np.hstack([X, np.full((len(X), 1), rng.choice([0.0, 1.0, -1e6]))])
        words.append("constant column")
    if rng.random() < 0.25:
        offset = 10.0 ** rng.uniform(0, 9)
        X = X + offset * rng.standard_normal(X.shape[1])
        words.append(f"offsets {offset:.0e}")
    if rng.random() < 0.3:
        decades = float(rng.choice([3.0, 8.0, 30.0, 100.0]))
        decades = min(decades, _LARGEST_FLOAT32_SCALE) if single else decades
        X = X * 10.0 ** rng.uniform(-decades, decades, X.shape[1])
        words.append(f"scales 1e±{decades:.0f}")
    return X


def _targets(
    rng: np.random.Generator, labels: np.ndarray, n_classes: int, words: list[str]
) -> np.ndarray:
    """Return labels, of two classes at least, or probabilities, of which some columns are empty."""
    labels = labels.copy()
    labels[:2] = 0, 1
    if rng.random() > 0.3:
        return labels
    words.append("soft")
    shares = rng.dirichlet(np.full(n_classes, 0.3), size=len(labels))
    hard = np.eye(n_classes)[labels]
    y = np.where(rng.random((len(labels), 1)) < 0.5, hard, 0.5 * hard + 0.5 * shares)
    if n_classes > 2 and rng.random() < 0.4:
        empty = rng.permutation(np.arange(2, n_classes))[: int(rng.integers(1, n_classes - 1))]
        y[:, empty] = 0
        y[y.sum(axis=1) == 0, 0] = 1
        words.append(f"{len(empty)} empty")
    y[:2, :2] = np.maximum(y[:2, :2], 0.25)
    return y / y.sum(axis=1, keepdims=True)


def _forms(rng: np.random.Generator, X: np.ndarray, single: bool, words: list[str]) -> Any:
    """Return X as an array of one of two orders and dtypes, or sparse with all that is allowed."""
    dtype = np.float32 if single else np.float64
    words += ["float32"] if single else []
    if rng.random() < 0.75:
        return np.array(X, order=str(rng.choice(["C", "F"])), dtype=dtype)
    make = csr_array if rng.random() < 0.7 else csc_array
    words.append(make.__name__.split("_")[0])
    kept = make(np.where(rng.random(X.shape) < 0.4, X, 0.0).astype(dtype))
    kept.data[rng.random(len(kept.data)) < 0.2] = 0.0  # stored all the same
    if rng.random() < 0.5:
        words.append("unsorted")
        for begin, end in zip(kept.indptr[:-1], kept.indptr[1:], strict=True):
            order = begin + rng.permutation(end - begin)
            kept.indices[begin:end], kept.data[begin:end] = kept.indices[order], kept.data[order]
        kept.has_sorted_indices = False
    return kept


def _weigh(rng: np.random.Generator, hostile: Hostile) -> None:
    """Give weights to rows and classes; the first two rows, and classes, keep some."""
    n_rows, n_classes = len(hostile.y), hostile.n_classes
    if rng.random() < 0.45:
        decades = float(rng.choice([2.0, 12.0, 40.0, 300.0], p=[0.4, 0.25, 0.15, 0.2]))
        middle = float(rng.choice([0.0, rng.uniform(-150, 150)]))
        middle = 0.0 if decades == 300.0 else middle
        weight = 10.0 ** (middle + rng.uniform(-decades / 2, decades / 2, n_rows))
        weight[2:][rng.random(n_rows - 2) < 0.1] = 0.0
        if rng.random() < 0.1:
            weight *= 1 / weight.max()
            weight *= 1e300 / n_rows
        hostile.sample_weight = weight
        hostile.words.append(f"weights {weight[weight > 0].min():.0e} to {weight.max():.0e}")
    if n_classes > 2 and rng.random() < 0.2:
        _empty_classes(rng, hostile)
    elif rng.random() < 0.1:
        hostile.parameters["class_weight"] = "balanced"
        hostile.words.append("balanced")


def _empty_classes(rng: np.random.Generator, hostile: Hostile) -> None:
    """Take all weight from some classes, through their rows or by `class_weight`."""
    n_classes = hostile.n_classes
    count = int(rng.integers(1, n_classes - 1))
    empty = rng.permutation(np.arange(2, n_classes))[:count]
    if hostile.y.ndim == 1 and rng.random() < 0.6:
        weight = hostile.sample_weight
        hostile.sample_weight = np.ones(len(hostile.y)) if weight is None else weight
        hostile.sample_weight[np.isin(hostile.y, np.unique(hostile.y)[empty])] = 0.0
    else:
        hostile.parameters["class_weight"] = {
            label: 0.0 if k in empty else float(10.0 ** rng.uniform(-3, 3))
            for k, label in enumerate(hostile.labels())
        }
    hostile.words.append(f"{count} classes of weight 0")


def _any_strength(rng: np.random.Generator, hostile: Hostile) -> float:
    """Draw a C, beside weights of order 1 or beside those that there are."""
    strength = 10.0 ** rng.uniform(-6, 6)
    if rng.random() < 0.6:
        strength = float(
            np.clip(strength * len(hostile.y) / hostile.weights().sum(), 1e-300, 1e300)
        )
    return float(strength)


def _with_ridge(rng: np.random.Generator, hostile: Hostile) -> None:
    hostile.parameters["C"] = _any_strength(rng, hostile)


def _without_penalty(rng: np.random.Generator, hostile: Hostile) -> None:
    """Drop the penalty; where some rows differ from all others in a column, they are of one class.

    Then a hyperplane has these on one side and all others in it (quasi-complete separation).
    """
    hostile.parameters["C"] = np.inf
    column = dense(hostile.X)[:, 0]
    apart = column > column.min()
    if hostile.y.ndim == 1 and apart.mean() < 0.5 and not (apart[0] and apart[1]):
        hostile.y[apart] = 0 if apart[0] else 1
        hostile.words.append("quasi-separable")


def _with_zeros(rng: np.random.Generator, hostile: Hostile) -> None:
    """Penalise so that coefficients are zeros, mostly near where the first one is not."""
    parameters = hostile.parameters
    parameters["l1_ratio"] = float(rng.choice([1.0, 0.5, 0.9, 0.01, rng.uniform(0.001, 1)]))
    if rng.random() < 0.35:
        parameters["penalty_grouping"] = "features"
    hostile.words.append(f"l1_ratio={parameters['l1_ratio']:.3g}")
    hostile.words += ["grouped"] if "penalty_grouping" in parameters else []
    factor = float(rng.choice([0.5, 1 - 1e-9, 1.0, 1 + 1e-9, 1.5, 10.0, 1e3, 1e6]))
    first = first_strength(hostile) if rng.random() < 0.85 else np.inf
    parameters["C"] = float(Extended(factor) * first) if np.isfinite(first) else np.inf
    if 1e-300 < parameters["C"] < 1e300:
        hostile.words.append(f"{factor:.10g} of the first C")
    else:
        parameters["C"] = _any_strength(rng, hostile)


def first_strength(hostile: Hostile) -> np.longdouble:
    """Return the largest C at which all coefficients are 0, for an `l1_ratio` above 0.

    There the slopes Σ s (y − p) x in the coefficients, with p that of the intercepts alone, are as
    large as the penalty's share l1_ratio / C allows.
    """
    weight, targets = hostile.weights(), hostile.targets().astype(Extended)
    X = dense(hostile.X).astype(Extended)
    if hostile.parameters["fit_intercept"]:
        null = weight @ targets / weight.sum()
        X = X - X[weight > 0].mean(axis=0)  # which the slopes do not change by
    else:
        null = np.full(hostile.n_classes, Extended(1) / hostile.n_classes)
    slopes = (weight[:, None] * (targets - null)).T @ X
    slopes = slopes[1:] if len(slopes) == 2 else slopes
    grouped = hostile.parameters.get("penalty_grouping") == "features"
    sizes = np.sqrt(np.square(slopes).sum(axis=0)) if grouped else np.abs(slopes)
    largest = sizes.max()
    return hostile.parameters["l1_ratio"] / largest if largest > 0 else Extended(np.inf)


def _within_bounds(rng: np.random.Generator, hostile: Hostile) -> None:
    """Bound the coefficients, in units of the columns or not, so that 0 may be out of bounds."""
    columns = dense(hostile.X)
    size = np.abs(columns - columns.mean(axis=0)).max(axis=0).astype(np.float64)
    unit = np.where(size > 0, size, 1.0) if rng.random() < 0.7 else np.ones(len(size))
    pairs = [(0, None), (None, 0), (0.5, 2), (-3, -1), (0.1, None), (-1, 1), (0.3, 0.3), (-0.1, 5)]
    pair = pairs[int(rng.integers(len(pairs)))]
    named = tuple(None if side is None else side / unit for side in pair)
    if rng.random() < 0.3:  # of some features alone
        free = rng.random(len(size)) < 0.5
        wide = -np.inf, np.inf
        named = tuple(
            None if side is None else np.where(free, most, side)
            for side, most in zip(named, wide, strict=True)
        )
        hostile.words.append("some free")
    hostile.parameters["bounds"] = named
    hostile.words.append(f"bounds {pair}")
    hostile.parameters["C"] = np.inf if rng.random() < 0.15 else _any_strength(rng, hostile)


_PENALTIES: dict[str, Callable[[np.random.Generator, Hostile], None]] = {
    "ridge": _with_ridge,
    "none": _without_penalty,
    "sparse": _with_zeros,
    "bounds": _within_bounds,
}


def _warm(rng: np.random.Generator, hostile: Hostile) -> None:
    """Fit to something else first."""
    C = hostile.parameters["C"]
    other = float(
        np.clip((C if np.isfinite(C) else 1.0) * 10.0 ** rng.uniform(-5, 5), 1e-300, 1e300)
    )
    X, y, weight = hostile.X, hostile.y, hostile.sample_weight
    what = str(rng.choice(["C", "labels", "units", "weights"]))
    if what == "labels":
        y = y[rng.permutation(len(y))]
        weight = None
    elif what == "units":
        factor = 10.0 ** rng.choice([-6, -1, 3, 9])
        largest = float(np.abs(dense(X)).max())
        X = X * X.dtype.type(factor if factor * largest < np.finfo(X.dtype).max else 1 / factor)
    elif what == "weights":
        weight = 10.0 ** rng.uniform(-3, 3, len(y))
    hostile.earlier = Earlier(X, y, weight, other)
    hostile.words.append(f"warm, other {what}")


GENERATORS: dict[int, Callable[[int], Hostile]] = {1: _ridge, 2: _mixed}
