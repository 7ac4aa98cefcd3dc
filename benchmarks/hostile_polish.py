"""Minimise a hostile problem's objective once more, by other means than the package.

A damped Newton method in float64 on standardised columns, whose values are in units of the value
to be undercut. Bounds, and the signs that coefficients keep while an l1 penalty is linear in them,
make a box, onto which steps are projected (Bertsekas, *SIAM J. Control and Optimization* 20, 1982).
What it finds counts by its objective in extended precision, so an error in here can only leave a
better point unfound.
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import Bounds, minimize

from benchmarks.hostile_objective import Objective, cross_entropy
from benchmarks.hostile_problems import Extended

_LARGEST_ORDER = 800  # of a Hessian that is factored
_SMALLEST_DECREASE = 1e-9  # as a fraction of the value, that a step must promise
_SMALLEST_DAMPING = 1e-15  # of a Hessian with a diagonal of ones
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

    def __init__(self, objective: Objective, unit: np.longdouble):
        self._objective = objective
        X = objective.X
        self._centre = X.mean(axis=0) if objective.fit_intercept else np.zeros(X.shape[1], Extended)
        centred = X - self._centre
        self._scales = np.sqrt(np.square(np.abs(centred).max(axis=0)) + objective.l2)
        self._scales[self._scales == 0] = 1
        columns = centred / self._scales
        if objective.fit_intercept:
            columns = np.hstack([columns, np.ones((len(X), 1))])
        self.columns = columns.astype(np.float64)
        self.targets = objective.targets.astype(np.float64)
        self.weight = _rounded(objective.weight / unit)
        self.l1 = self._per_column(objective.l1 / unit / self._scales, 0.0)
        self.l2 = self._per_column(objective.l2 / unit / self._scales**2, 0.0)
        self.lower = self._per_column(objective.lower * self._scales, -np.inf)
        self.upper = self._per_column(objective.upper * self._scales, np.inf)
        self.grouped = objective.grouped and objective.l1 > 0
        self.shape = objective.n_outputs, self.columns.shape[1]

    def _per_column(self, values: np.ndarray, intercept: float) -> np.ndarray:
        """Round values of coefficients to float64, with one for the intercept."""
        values = _rounded(values)
        if not self._objective.fit_intercept:
            return values
        return np.concatenate([values, np.full((*values.shape[:-1], 1), intercept)], axis=-1)

    def unknowns(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Return the unknowns of a model."""
        coef, intercept = np.asarray(coef, Extended), np.asarray(intercept, Extended)
        unknowns = coef * self._scales
        if self._objective.fit_intercept:
            unknowns = np.hstack([unknowns, (intercept + coef @ self._centre)[:, None]])
        return np.clip(_rounded(unknowns), self.lower, self.upper)

    def model(self, unknowns: np.ndarray) -> Point:
        """Return coefficients, exactly within their bounds, and intercepts."""
        unknowns = unknowns.astype(Extended)
        coef = unknowns[:, : len(self._scales)] / self._scales
        coef = np.clip(coef, self._objective.lower, self._objective.upper)
        intercept = np.zeros(len(coef), Extended)
        if self._objective.fit_intercept:
            intercept = unknowns[:, -1] - coef @ self._centre
        return coef, intercept

    def _norms(self, unknowns: np.ndarray) -> np.ndarray:
        return np.linalg.norm(unknowns, axis=0)

    def value(self, unknowns: np.ndarray) -> float:
        """Return the value."""
        losses = cross_entropy(self.columns @ unknowns.T if unknowns.size else 0, self.targets)[0]
        sizes = self._norms(unknowns) if self.grouped else np.abs(unknowns)
        penalty = 0.5 * (self.l2 * np.square(unknowns)).sum() + (self.l1 * sizes).sum()
        return float(self.weight @ losses + penalty)

    def smooth(self, unknowns: np.ndarray) -> Slopes:
        """Return the value, and the gradient of all but the l1 penalty."""
        losses, slopes, p = cross_entropy(self.columns @ unknowns.T, self.targets)
        slopes = slopes[:, -self.shape[0] :]
        gradient = (self.weight[:, None] * slopes).T @ self.columns + self.l2 * unknowns
        sizes = self._norms(unknowns) if self.grouped else np.abs(unknowns)
        penalty = 0.5 * (self.l2 * np.square(unknowns)).sum() + (self.l1 * sizes).sum()
        return Slopes(float(self.weight @ losses + penalty), gradient, p)

    def hessian(self, unknowns: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Return the Hessian of what is smooth at some unknowns, the norms of groups included."""
        n_outputs, width = self.shape
        hessian = np.empty((n_outputs, width, n_outputs, width))
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
        if self.grouped:
            norms = self._norms(unknowns)
            for j in np.flatnonzero((norms > 0) & (self.l1 > 0)):
                unit = unknowns[:, j] / norms[j]
                hessian[:, j, :, j] += (
                    self.l1[j] / norms[j] * (np.eye(n_outputs) - np.outer(unit, unit))
                )
        return hessian.reshape(n_outputs * width, -1)


def _rounded(values: np.ndarray) -> np.ndarray:
    """Round to float64, finite numbers to finite ones."""
    clipped = np.where(np.isfinite(values), np.clip(values, -_LARGEST_FLOAT, _LARGEST_FLOAT), values)
    return clipped.astype(np.float64)


def polish(
    objective: Objective, start: Point, value: np.longdouble, seconds: float = 5.0
) -> tuple[np.longdouble, Point]:
    """Return the lowest objective found, and where, from a model with a value and from zero."""
    until = perf_counter() + seconds
    with np.errstate(all="ignore"):
        standardized = Standardized(objective, value)
        begin = standardized.unknowns(*start)
        zero = np.clip(np.zeros(standardized.shape), standardized.lower, standardized.upper)
        best = value, start
        for unknowns in (begin, zero):
            for method in (_newton, _lbfgs):
                unknowns, ended = method(standardized, unknowns, until)
                model = standardized.model(unknowns)
                found = objective(*model)
                if found < best[0]:
                    best = found, model
                if ended:
                    break
    return best


# -- Newton's method -------------------------------------------------------------------------------


def _newton(
    standardized: Standardized, unknowns: np.ndarray, until: float
) -> tuple[np.ndarray, bool]:
    """Return where Newton's method ends, and whether it is at a minimum for all that it sees."""
    if unknowns.size > _LARGEST_ORDER:
        return unknowns, False
    damping = _SMALLEST_DAMPING
    for _ in range(200):
        if standardized.grouped:
            unknowns = _with_groups(standardized, unknowns)
        now = standardized.smooth(unknowns)
        lower, upper, gradient = _box(standardized, unknowns, now.gradient)
        step, promise, damping = _step(standardized, unknowns, now.p, gradient, lower, upper, damping)
        if not np.isfinite(promise) or not np.isfinite(now.value) or perf_counter() > until:
            return unknowns, False
        if promise < _SMALLEST_DECREASE * now.value:
            return unknowns, damping < 1e-6
        length, ahead = 1.0, unknowns
        while length > 1e-10:
            ahead = np.clip(unknowns + length * step, lower, upper)
            decrease = now.value - standardized.value(ahead)
            if decrease >= -1e-4 * (gradient * (ahead - unknowns)).sum() and decrease > 0:
                break
            length /= 3
        else:
            if damping > 1e3:
                return unknowns, False
            damping = max(damping * 1e4, 1e-10)
            continue
        unknowns = ahead
        damping = max(damping / 10, _SMALLEST_DAMPING) if length == 1 else damping * 10
    return unknowns, False


def _box(
    standardized: Standardized, unknowns: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the box in which the objective is smooth, and its gradient there."""
    lower = np.broadcast_to(standardized.lower, unknowns.shape)
    upper = np.broadcast_to(standardized.upper, unknowns.shape)
    l1 = np.broadcast_to(standardized.l1, unknowns.shape)
    if standardized.grouped:
        norms = np.linalg.norm(unknowns, axis=0)
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
    sizes, least = np.linalg.norm(ahead, axis=0), standardized.l1 / curvature
    shrunk = ahead * np.maximum(0, 1 - least / np.where(sizes > 0, sizes, 1))
    out, penalized = np.linalg.norm(unknowns, axis=0) == 0, standardized.l1 > 0
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
    standardized: Standardized,
    unknowns: np.ndarray,
    p: np.ndarray,
    gradient: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    damping: float,
) -> tuple[np.ndarray, float, float]:
    """Return Newton's step, the decrease that it promises, and the damping that it took.

    What is close to a bound that the gradient points across goes there by itself.
    """
    hessian = standardized.hessian(unknowns, p)
    diagonal = np.diag(hessian).copy()
    diagonal[~(diagonal > 0)] = 1.0
    scaled = gradient / np.sqrt(diagonal).reshape(unknowns.shape)
    close = 1e-6 * min(1.0, float(np.abs(scaled).max()))
    at_lower = (unknowns - lower <= close * np.maximum(1, np.abs(lower))) & (gradient > 0)
    at_upper = (upper - unknowns <= close * np.maximum(1, np.abs(upper))) & (gradient < 0)
    held = at_lower | at_upper | (lower == upper)
    step = np.clip(unknowns - gradient / diagonal.reshape(unknowns.shape), lower, upper) - unknowns
    step[~held] = 0
    promise = -float((gradient * step).sum())
    free = np.flatnonzero(~held.ravel())
    if len(free) == 0:
        return step, promise, damping
    roots = np.sqrt(diagonal[free])
    matrix = hessian[np.ix_(free, free)] / roots / roots[:, None]
    slopes = gradient.ravel()[free] / roots
    if not (np.isfinite(matrix).all() and np.isfinite(slopes).all()):
        return step, np.nan, damping
    while True:
        matrix[np.diag_indices_from(matrix)] = 1 + damping
        try:
            newton = -cho_solve(cho_factor(matrix, check_finite=False), slopes, check_finite=False)
            if slopes @ newton <= 0:
                break
        except LinAlgError:
            pass
        damping *= 10
        if damping > 1e10:
            return step, np.nan, damping
    step.ravel()[free] = newton / roots
    return step, promise - 0.5 * float(slopes @ newton), damping


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
    try:
        minimize(
            function,
            begin,
            method="L-BFGS-B",
            jac=True,
            bounds=within,
            callback=lambda parts: reached.append(parts.copy()),
            options={"maxiter": 300, "maxcor": 20, "ftol": 1e-13, "gtol": 0.0},
        )
    except (TimeoutError, ValueError):
        pass
    return joined(reached[-1]), True
