"""Minimise a hostile problem's objective once more, by other means than the package.

A damped Newton method on standardised columns, first in float64 and then, where that is affordable,
in extended precision; values are in units of the one to be undercut. Bounds, and the signs that
coefficients keep while an l1 penalty is linear in them, make a box, and each step minimises the
quadratic model in it. What is found counts by its objective in extended precision, so that an error
in here can only leave a better point unfound.
"""

from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import Bounds, minimize

from benchmarks.hostile.objective import Objective
from benchmarks.hostile.problems import Extended
from benchmarks.hostile.standardized import Point, Standardized, norms

# Orders up to which a Hessian is factored.
_LARGEST_ORDERS = {np.dtype(np.float64): 800, np.dtype(Extended): 250}
_SMALLEST_DECREASE = 1e-9  # as a fraction of the value, that a step must promise
_SMALLEST_SLOPE = 1e-10  # beside a value of 1
_LARGEST_DAMPING = 1e10  # of a Hessian with a diagonal of ones
_LARGE_DAMPING = 1e-6  # with which a small promise says nothing of a minimum
_MAX_STEPS = 200
_MAX_INNER_STEPS = 40  # for a quadratic model,
_LENGTHS = 1.0, 0.3, 0.03, 1e-3, 1e-6  # of each as fractions
_SHORTEST = 1e-10  # fraction of a step
_MAX_GROUP_STEPS = 20
_MAX_LBFGS_STEPS = 300
_MAX_IDLE_STEPS = 10  # that lower the value by less than that fraction together
_SECONDS = 5.0  # for all methods together

# Takes the objective, a start and the time by which to end; returns where it ends, and whether that
# is a minimum for all that it sees.
Method = Callable[[Standardized, np.ndarray, float], tuple[np.ndarray, bool]]


def polish(objective: Objective, start: Point, value: np.longdouble) -> tuple[np.longdouble, Point]:
    """Return the lowest objective found, and where.

    It is looked for from a model with a value, and from zero unless there are many unknowns and a
    minimum is found already.
    """
    until = perf_counter() + _SECONDS
    best = value, start
    with np.errstate(all="ignore"):
        rounded, extended = (Standardized(objective, value, d) for d in (np.float64, Extended))
        zero = np.zeros_like(start[0]), np.zeros_like(start[1])
        few = start[0].size <= _LARGEST_ORDERS[extended.dtype]
        for begin in (start, zero):
            found, ended = _lowest(rounded, (_newton, _lbfgs, _conjugate), begin, until)
            best = min(best, (objective(*found), found), key=lambda pair: pair[0])
            if ended and not few:
                break
        found, _ = _lowest(extended, (_newton,), best[1], until)
        return min(best, (objective(*found), found), key=lambda pair: pair[0])


def _lowest(
    standardized: Standardized, methods: tuple[Method, ...], start: Point, until: float
) -> tuple[Point, bool]:
    """Return where the methods end, one after the other until one is at a minimum."""
    unknowns, ended = standardized.unknowns(*start), False
    for method in methods:
        unknowns, ended = method(standardized, unknowns, until)
        if ended:
            break
    return standardized.model(unknowns), ended


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
        now = standardized.slopes(unknowns)
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
        sizes = norms(unknowns)
        out = (sizes == 0) & (standardized.l1 > 0)
        gradient = gradient + standardized.l1 * unknowns / np.where(sizes > 0, sizes, 1)
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
    """Let groups enter, or leave, by a step of proximal gradient, where that lowers the value."""
    now = standardized.slopes(unknowns)
    squares = np.square(standardized.columns)
    curvature = 0.5 * standardized.weight @ squares + standardized.l2
    curvature = np.maximum(curvature, np.finfo(np.float64).tiny)
    ahead = unknowns - now.gradient / curvature
    sizes, least = norms(ahead), standardized.l1 / curvature
    shrunk = ahead * np.maximum(0, 1 - least / np.where(sizes > 0, sizes, 1))
    out, penalized = norms(unknowns) == 0, standardized.l1 > 0
    changes = penalized & (out | (sizes <= least))
    for _ in range(_MAX_GROUP_STEPS):
        other = np.where(changes, shrunk, unknowns)
        if standardized.value(other) <= now.value:
            return other
        shrunk = unknowns + 0.25 * (shrunk - unknowns) * out  # as steps of many add up
        changes = changes & out
    return unknowns


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


# -- SciPy's methods, where that fails -------------------------------------------------------------


def _lbfgs(
    standardized: Standardized, unknowns: np.ndarray, until: float
) -> tuple[np.ndarray, bool]:
    """Run L-BFGS-B; with an l1 penalty on positive and negative parts, which makes it smooth."""
    if standardized.grouped or perf_counter() > until:
        return unknowns, False
    l1, lower, upper = (
        np.broadcast_to(values, unknowns.shape).ravel()
        for values in (standardized.l1, standardized.lower, standardized.upper)
    )
    flat, signs = unknowns.ravel(), np.ones((1, 1))
    if l1.any():
        signs = np.array([[1.0], [-1.0]])
        lower, upper = np.tile(np.where(l1 > 0, 0.0, -np.inf), 2), np.full(2 * flat.size, np.inf)
        flat = np.concatenate([np.maximum(flat, 0), np.maximum(-flat, 0)])

    def joined(parts: np.ndarray) -> np.ndarray:
        return (signs * parts.reshape(len(signs), -1)).sum(axis=0).reshape(unknowns.shape)

    def function(parts: np.ndarray) -> tuple[float, np.ndarray]:
        now = standardized.slopes(joined(parts))
        if not np.isfinite(now.value):
            return np.finfo(np.float64).max, np.zeros_like(parts)
        return now.value, (signs * now.gradient.ravel() + l1).ravel()

    options = {"maxiter": _MAX_LBFGS_STEPS, "maxcor": 20, "ftol": 1e-13, "gtol": 0.0}
    reached = _minimized(
        function, flat, until, method="L-BFGS-B", bounds=Bounds(lower, upper), options=options
    )
    return joined(reached), False


def _conjugate(
    standardized: Standardized, unknowns: np.ndarray, until: float
) -> tuple[np.ndarray, bool]:
    """Run Newton's method with conjugate gradients, for a Hessian that is not factored."""
    smooth = not (standardized.l1.any() or standardized.bounded_columns.any())
    if not smooth or unknowns.size <= _LARGEST_ORDERS[standardized.dtype]:
        return unknowns, False
    shape = unknowns.shape

    def function(flat: np.ndarray) -> tuple[float, np.ndarray]:
        now = standardized.slopes(flat.reshape(shape))
        return now.value, now.gradient.ravel()

    def product(flat: np.ndarray, along: np.ndarray) -> np.ndarray:
        if perf_counter() > until:
            raise TimeoutError
        if known[0] is not flat:
            known[:] = flat, standardized.slopes(flat.reshape(shape)).p
        return standardized.hessian_product(known[1], along.reshape(shape)).ravel()

    known: list[Any] = [None, None]
    options = {"gtol": _SMALLEST_SLOPE, "maxiter": _MAX_STEPS}
    reached = _minimized(
        function, unknowns.ravel(), until, method="trust-ncg", hessp=product, options=options
    )
    return reached.reshape(shape), True


def _minimized(
    function: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    until: float,
    **how: Any,
) -> np.ndarray:
    """Return where SciPy has got to when the time is over, or its steps hardly matter any more."""
    reached, values, latest = [start], [np.inf], [np.inf]

    def timed(parts: np.ndarray) -> tuple[float, np.ndarray]:
        if perf_counter() > until:
            raise TimeoutError
        value, gradient = function(parts)
        latest[0] = min(latest[0], value)
        return value, gradient

    def callback(parts: np.ndarray) -> None:
        reached[0] = parts.copy()
        values.append(latest[0])
        before = values[-_MAX_IDLE_STEPS:][0]
        if before - latest[0] < _SMALLEST_DECREASE * latest[0]:
            raise StopIteration

    with suppress(TimeoutError):
        minimize(timed, start, jac=True, callback=callback, **how)
    return reached[0]
