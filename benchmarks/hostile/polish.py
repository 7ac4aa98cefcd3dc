"""Minimise a hostile problem's objective once more, by other means than the package.

A damped Newton method on standardised columns, first in float64 and then, where that is affordable,
in extended precision; values are in units of the one to be undercut. Bounds, and the signs that
coefficients keep while an l1 penalty is linear in them, make a box, and each step minimises the
quadratic model in it. What is found counts by its objective in extended precision, so that an error
in here can only leave a better point unfound.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import Bounds, minimize

from benchmarks.hostile.objective import Objective, cross_entropy
from benchmarks.hostile.problems import Extended

# Orders up to which a Hessian is factored.
_LARGEST_ORDERS = {np.dtype(np.float64): 800, np.dtype(Extended): 250}
_SMALLEST_DECREASE = 1e-9  # as a fraction of the value, that a step must promise
_LARGEST_DAMPING = 1e10  # of a Hessian with a diagonal of ones
_LARGE_DAMPING = 1e-6  # with which a small step says nothing of a minimum
_MAX_STEPS = 200
_MAX_INNER_STEPS = 40  # for a quadratic model,
_LENGTHS = 1.0, 0.3, 0.03, 1e-3, 1e-6  # of each as fractions
_SHORTEST = 1e-10  # fraction of a step
_LARGEST_FLOAT = 1e300

Point = tuple[np.ndarray, np.ndarray]  # coefficients and intercepts in extended precision


@dataclass
class Slopes:
    """The value at some unknowns, and what derivatives need."""

    value: float
    gradient: np.ndarray
    p: np.ndarray


class Standardized:
    """The objective in units of a value, as a function of coefficients of standardised columns.

    The unknowns are a matrix of a row for each output, with the intercepts, if there are any, in
    its last column.
    """

    def __init__(self, objective: Objective, unit: np.longdouble, dtype: type = np.float64):
        self._objective = objective
        self.dtype = np.dtype(dtype)
        X = objective.X
        self._centre = X.mean(axis=0) if objective.fit_intercept else np.zeros(X.shape[1], Extended)
        centred = X - self._centre
        self._scales = np.sqrt(np.square(np.abs(centred).max(axis=0)) + objective.l2)
        self._scales[self._scales == 0] = 1
        columns = centred / self._scales
        if objective.fit_intercept:
            columns = np.hstack([columns, np.ones((len(X), 1))])
        self.columns = columns.astype(dtype)
        self.targets = objective.targets.astype(dtype)
        self.weight = self._rounded(objective.weight / unit)
        self.l1 = self._per_column(objective.l1 / unit / self._scales, 0.0)
        self.l2 = self._per_column(objective.l2 / unit / self._scales**2, 0.0)
        self.lower = self._per_column(objective.lower * self._scales, -np.inf)
        self.upper = self._per_column(objective.upper * self._scales, np.inf)
        self.grouped = objective.grouped and objective.l1 > 0
        self.shape = objective.n_outputs, self.columns.shape[1]

    def _per_column(self, values: np.ndarray, intercept: float) -> np.ndarray:
        """Round values of coefficients, and add one for the intercept."""
        if self._objective.fit_intercept:
            last = np.full((*values.shape[:-1], 1), intercept)
            values = np.concatenate([values, last], axis=-1)
        return self._rounded(values)

    def _rounded(self, values: np.ndarray) -> np.ndarray:
        """Round to the precision, finite numbers to finite ones."""
        finite = np.isfinite(values) & (self.dtype != Extended)
        clipped = np.clip(values, -_LARGEST_FLOAT, _LARGEST_FLOAT)
        return np.where(finite, clipped, values).astype(self.dtype)

    def unknowns(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Return the unknowns of a model."""
        coef, intercept = np.asarray(coef, Extended), np.asarray(intercept, Extended)
        unknowns = coef * self._scales
        if self._objective.fit_intercept:
            unknowns = np.hstack([unknowns, (intercept + coef @ self._centre)[:, None]])
        return np.clip(self._rounded(unknowns), self.lower, self.upper)

    def model(self, unknowns: np.ndarray) -> Point:
        """Return coefficients, exactly within their bounds, and intercepts."""
        unknowns = unknowns.astype(Extended)
        coef = unknowns[:, : len(self._scales)] / self._scales
        coef = np.clip(coef, self._objective.lower, self._objective.upper)
        intercept = np.zeros(len(coef), Extended)
        if self._objective.fit_intercept:
            intercept = unknowns[:, -1] - coef @ self._centre
        return coef, intercept

    @property
    def bounded_columns(self) -> np.ndarray:
        """Which columns have bounds."""
        return (np.isfinite(self.lower) | np.isfinite(self.upper)).any(axis=0)

    def _norms(self, unknowns: np.ndarray) -> np.ndarray:
        return np.sqrt(np.square(unknowns).sum(axis=0))

    def value(self, unknowns: np.ndarray) -> float:
        """Return the value."""
        losses = cross_entropy(self.columns @ unknowns.T, self.targets)[0]
        sizes = self._norms(unknowns) if self.grouped else np.abs(unknowns)
        penalty = 0.5 * (self.l2 * np.square(unknowns)).sum() + (self.l1 * sizes).sum()
        return self.weight @ losses + penalty

    def smooth(self, unknowns: np.ndarray) -> Slopes:
        """Return the value, and the gradient of all but the l1 penalty."""
        losses, slopes, p = cross_entropy(self.columns @ unknowns.T, self.targets)
        slopes = slopes[:, -self.shape[0] :]
        gradient = (self.weight[:, None] * slopes).T @ self.columns + self.l2 * unknowns
        sizes = self._norms(unknowns) if self.grouped else np.abs(unknowns)
        penalty = 0.5 * (self.l2 * np.square(unknowns)).sum() + (self.l1 * sizes).sum()
        return Slopes(self.weight @ losses + penalty, gradient, p)

    def hessian_product(self, unknowns: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Return the product of the Hessian, without an l1 penalty, and a direction."""
        p = cross_entropy(self.columns @ unknowns.T, self.targets)[2][:, -self.shape[0] :]
        along = p * (self.columns @ direction.T)
        curved = along - p * along.sum(axis=1, keepdims=True)
        return (self.weight[:, None] * curved).T @ self.columns + self.l2 * direction

    def hessian(self, unknowns: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Return the Hessian of what is smooth at some unknowns, the norms of groups included."""
        n_outputs, width = self.shape
        hessian = np.empty((n_outputs, width, n_outputs, width), self.dtype)
        rows, best = np.arange(len(p)), p.argmax(axis=1)
        rest = 1 - p
        p_without = p.copy()
        p_without[rows, best] = 0
        rest[rows, best] = p_without.sum(axis=1)
        first = p.shape[1] - n_outputs
        for k in range(n_outputs):
            for m in range(k + 1):
                factor = rest[:, first + k] if k == m else -p[:, first + m]
                curvature = self.weight * p[:, first + k] * factor
                block = (self.columns * curvature[:, None]).T @ self.columns
                hessian[k, :, m], hessian[m, :, k] = block, block
            hessian[k, :, k] += np.diag(self.l2)
        free = (self.l2 == 0) & (self.l1 == 0) & ~self.bounded_columns
        if n_outputs > 1:  # what all classes share there changes nothing, and shall not change
            for j in np.flatnonzero(free):
                hessian[:, j, :, j] += np.trace(hessian[:, j, :, j]) / n_outputs
        if self.grouped:
            norms = self._norms(unknowns)
            for j in np.flatnonzero((norms > 0) & (self.l1 > 0)):
                unit = unknowns[:, j] / norms[j]
                hessian[:, j, :, j] += (
                    self.l1[j] / norms[j] * (np.eye(n_outputs) - np.outer(unit, unit))
                )
        return hessian.reshape(n_outputs * width, -1)


def polish(
    objective: Objective, start: Point, value: np.longdouble, seconds: float = 5.0
) -> tuple[np.longdouble, Point]:
    """Return the lowest objective found, and where, from a model with a value and from zero."""
    until = perf_counter() + seconds
    best = value, start
    with np.errstate(all="ignore"):
        rounded, extended = (Standardized(objective, value, d) for d in (np.float64, Extended))
        zero = np.zeros_like(start[0]), np.zeros_like(start[1])
        for begin in (start, zero):
            found = _lowest(rounded, (_newton, _lbfgs, _conjugate), begin, until)
            best = min(best, (objective(*found), found), key=lambda pair: pair[0])
        found = _lowest(extended, (_newton,), best[1], until)
        return min(best, (objective(*found), found), key=lambda pair: pair[0])


Method = Callable[["Standardized", np.ndarray, float], tuple[np.ndarray, bool]]


def _lowest(
    standardized: Standardized, methods: tuple[Method, ...], start: Point, until: float
) -> Point:
    """Return where the methods end, one after the other until one is at a minimum."""
    unknowns = standardized.unknowns(*start)
    for method in methods:
        unknowns, ended = method(standardized, unknowns, until)
        if ended:
            break
    return standardized.model(unknowns)


# -- Newton's method -------------------------------------------------------------------------------


def _newton(
    standardized: Standardized, unknowns: np.ndarray, until: float
) -> tuple[np.ndarray, bool]:
    """Return where Newton's method ends, and whether it is at a minimum for all that it sees."""
    if unknowns.size > _LARGEST_ORDERS[standardized.dtype]:
        return unknowns, False
    damping = least = float(4 * np.finfo(standardized.dtype).eps)
    for _ in range(_MAX_STEPS):
        if standardized.grouped:
            unknowns = _with_groups(standardized, unknowns)
        now = standardized.smooth(unknowns)
        lower, upper, gradient = _box(standardized, unknowns, now.gradient)
        flat, promise, damping = _step(
            standardized.hessian(unknowns, now.p),
            gradient.ravel(),
            (lower - unknowns).ravel(),
            (upper - unknowns).ravel(),
            damping,
        )
        if promise < _SMALLEST_DECREASE * now.value:
            return unknowns, damping < _LARGE_DAMPING
        if perf_counter() > until or damping > _LARGEST_DAMPING or not np.isfinite(promise):
            return unknowns, False
        step = flat.reshape(unknowns.shape)
        length = _length(standardized, unknowns, now.value, step, gradient, lower, upper)
        if length > 0:
            unknowns = np.clip(unknowns + length * step, lower, upper)
            damping = max(damping / 10, least)
        else:
            damping = max(damping * 1e4, 1e-10)
    return unknowns, False


def _length(
    standardized: Standardized,
    unknowns: np.ndarray,
    value: float,
    step: np.ndarray,
    gradient: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> float:
    """Return how far along a step the value falls as it should, 0 for nowhere."""
    length = 1.0
    while length > _SHORTEST:
        ahead = np.clip(unknowns + length * step, lower, upper)
        decrease = value - standardized.value(ahead)
        if decrease > max(0.0, -1e-4 * (gradient * (ahead - unknowns)).sum()):
            return length
        length /= 3
    return 0.0


def _box(
    standardized: Standardized, unknowns: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the box in which the objective is smooth, and its gradient there."""
    lower = np.broadcast_to(standardized.lower, unknowns.shape)
    upper = np.broadcast_to(standardized.upper, unknowns.shape)
    l1 = np.broadcast_to(standardized.l1, unknowns.shape)
    if standardized.grouped:
        norms = np.sqrt(np.square(unknowns).sum(axis=0))
        out = (norms == 0) & (standardized.l1 > 0)
        gradient = gradient + standardized.l1 * unknowns / np.where(norms > 0, norms, 1)
        return np.where(out, 0.0, lower), np.where(out, 0.0, upper), gradient
    if not l1.any():
        return lower, upper, gradient
    signs = np.sign(unknowns)
    signs = np.where((signs == 0) & (np.abs(gradient) > l1), -np.sign(gradient), signs)
    kept = l1 > 0
    lower = np.where(kept & (signs >= 0), 0.0, lower)
    upper = np.where(kept & (signs <= 0), 0.0, upper)
    return lower, upper, gradient + l1 * signs


def _with_groups(standardized: Standardized, unknowns: np.ndarray) -> np.ndarray:
    """Let groups that lower the objective by it enter, or leave."""
    gradient = standardized.smooth(unknowns).gradient
    curvature = _diagonal_bound(standardized)
    ahead = unknowns - gradient / curvature
    sizes, least = np.sqrt(np.square(ahead).sum(axis=0)), standardized.l1 / curvature
    shrunk = ahead * np.maximum(0, 1 - least / np.where(sizes > 0, sizes, 1))
    out, penalized = np.sqrt(np.square(unknowns).sum(axis=0)) == 0, standardized.l1 > 0
    changes = penalized & (out | (sizes <= least))
    value = standardized.value(unknowns)
    for _ in range(20):
        other = np.where(changes, shrunk, unknowns)
        if standardized.value(other) <= value:
            return other
        shrunk = unknowns + 0.25 * (shrunk - unknowns) * out
        changes = changes & out
    return unknowns


def _diagonal_bound(standardized: Standardized) -> np.ndarray:
    """Bound the curvature of a step that changes all columns."""
    squares = np.square(standardized.columns)
    return 0.5 * standardized.weight @ squares + standardized.l2 + np.finfo(np.float64).tiny


def _step(
    hessian: np.ndarray, gradient: np.ndarray, lower: np.ndarray, upper: np.ndarray, damping: float
) -> tuple[np.ndarray, float, float]:
    """Return Newton's step, the decrease that it promises, and the damping that it took.

    The step is the minimum of the quadratic model between bounds, as near as a primal-dual active
    set method comes to it: what is at a bound is chosen by where a gradient step would lead, and
    the rest is solved for (Hintermüller, Ito and Kunisch, *SIAM J. Optimization* 13, 2002).
    """
    diagonal = np.diag(hessian).copy()
    diagonal[~(diagonal > 0)] = 1.0
    roots = np.sqrt(diagonal)
    matrix, slopes = hessian / roots / roots[:, None], gradient / roots
    lower, upper = lower * roots, upper * roots
    best, promise = np.zeros_like(slopes), 0.0
    if not (np.isfinite(matrix).all() and np.isfinite(slopes).all()):
        return best, np.nan, damping
    step, before = best, None
    for _ in range(_MAX_INNER_STEPS):
        towards = step - (slopes + matrix @ step)
        step = np.where(towards <= lower, lower, np.where(towards >= upper, upper, 0.0))
        free = np.flatnonzero((towards > lower) & (towards < upper))
        if before is not None and np.array_equal(free, before):
            break
        before, ahead = free, slopes + matrix @ step
        if len(free):
            block = matrix[np.ix_(free, free)]
            step[free], damping = _newton_step(block, ahead[free], damping)
        for length in _LENGTHS:
            other = np.clip(best + length * (step - best), lower, upper)
            better = -other @ (slopes + 0.5 * (matrix @ other))
            if better > promise:
                best, promise = other, better
                break
    return best / roots, promise, damping


def _newton_step(
    matrix: np.ndarray, slopes: np.ndarray, damping: float
) -> tuple[np.ndarray, float]:
    """Return a direction of descent, with as much damping as it takes; zeros if none is enough."""
    while damping <= _LARGEST_DAMPING:
        matrix[np.diag_indices_from(matrix)] = 1 + damping
        with suppress(LinAlgError):
            step = -_solved(matrix, slopes)
            if slopes @ step < 0:
                return step, damping
        damping *= 10
    return np.zeros_like(slopes), damping


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve with a positive definite matrix by its Cholesky factor."""
    if matrix.dtype == np.float64:
        return cho_solve(cho_factor(matrix, check_finite=False), right, check_finite=False)
    rest, solution = matrix.copy(), right.copy()
    for j in range(len(rest)):
        if not rest[j, j] > 0:
            raise LinAlgError
        rest[j:, j] /= np.sqrt(rest[j, j])
        column = rest[j + 1 :, j]
        rest[j + 1 :, j + 1 :] -= column[:, None] * column
        solution[j] /= rest[j, j]
        solution[j + 1 :] -= solution[j] * column
    for j in reversed(range(len(rest))):
        solution[j] = (solution[j] - rest[j + 1 :, j] @ solution[j + 1 :]) / rest[j, j]
    return solution


# -- L-BFGS, where that fails ----------------------------------------------------------------------


def _lbfgs(
    standardized: Standardized, unknowns: np.ndarray, until: float
) -> tuple[np.ndarray, bool]:
    """Return where SciPy's L-BFGS-B ends; with an l1 penalty, of positive and negative parts."""
    if standardized.grouped or perf_counter() > until:
        return unknowns, False
    l1 = np.broadcast_to(standardized.l1, unknowns.shape).ravel()
    split = bool(l1.any())
    size = unknowns.size

    def joined(parts: np.ndarray) -> np.ndarray:
        both = parts[:size] - parts[size:] if split else parts
        return both.reshape(unknowns.shape)

    def function(parts: np.ndarray) -> tuple[float, np.ndarray]:
        if perf_counter() > until:
            raise TimeoutError
        now = standardized.smooth(joined(parts))
        gradient = now.gradient.ravel()
        if not np.isfinite(now.value):
            return 1e300, np.zeros_like(parts)
        if not split:
            return now.value, gradient
        return now.value, np.concatenate([gradient + l1, l1 - gradient])

    flat = unknowns.ravel()
    if split:
        begin = np.concatenate([np.maximum(flat, 0), np.maximum(-flat, 0)])
        intercepts = np.tile(l1 == 0, 2)
        within = Bounds(np.where(intercepts, -np.inf, 0.0), np.full(2 * size, np.inf))
    else:
        begin = flat
        within = Bounds(
            *(
                np.broadcast_to(side, unknowns.shape).ravel()
                for side in (standardized.lower, standardized.upper)
            )
        )
    reached = [begin]
    with suppress(TimeoutError):
        minimize(
            function, begin, method="L-BFGS-B", jac=True, bounds=within,
            callback=lambda parts: reached.append(parts.copy()),
            options={"maxiter": 300, "maxcor": 20, "ftol": 1e-13, "gtol": 0.0},
        )  # fmt: skip
    return joined(reached[-1]), False


def _conjugate(
    standardized: Standardized, unknowns: np.ndarray, until: float
) -> tuple[np.ndarray, bool]:
    """Return where SciPy's Newton method with conjugate gradients ends: for a large Hessian."""
    smooth = not (standardized.l1.any() or standardized.bounded_columns.any())
    if not smooth or unknowns.size <= _LARGEST_ORDERS[standardized.dtype]:
        return unknowns, False
    reached = [unknowns.ravel()]

    def function(flat: np.ndarray) -> tuple[float, np.ndarray]:
        if perf_counter() > until:
            raise TimeoutError
        now = standardized.smooth(flat.reshape(unknowns.shape))
        return now.value, now.gradient.ravel()

    def product(flat: np.ndarray, direction: np.ndarray) -> np.ndarray:
        return standardized.hessian_product(
            flat.reshape(unknowns.shape), direction.reshape(unknowns.shape)
        ).ravel()

    with suppress(TimeoutError):
        minimize(
            function, unknowns.ravel(), method="trust-ncg", jac=True, hessp=product,
            callback=lambda flat: reached.append(flat.copy()),
            options={"gtol": 0.0, "maxiter": _MAX_STEPS},
        )  # fmt: skip
    return reached[-1].reshape(unknowns.shape), True
