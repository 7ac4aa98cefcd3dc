r"""Proximal Newton for a smooth convex F and a penalty Ω that makes zeros.

Each iteration minimises the quadratic model of F, with Ω as it is, and searches between the point
and that minimum (J. Lee, Y. Sun and M. Saunders, "Proximal Newton-type methods for minimizing
composite functions", SIAM J. Optimization 24, 2014). Close to the solution its zeros and signs no
longer change, and convergence is that of Newton's method. Four things make an iteration cheap and
each count:

- *Working sets.* The model is made only of the coefficients that are not 0 and of those whose slope
  exceeds what Ω allows, the steepest first and at most as many again (a few times as many where
  the model's Hessian is known by its products alone).
- *Continuation.* A fit begins with a larger Ω, by a factor that falls with each iteration, from
  where the first coefficient becomes non-zero. What is non-zero then grows along the path of
  solutions, steps stay short enough for the model, and early Hessians are small.
- *Rough models.* A sample of the rows is enough for early Hessians (R. Byrd, G. Chin, W. Neveitt
  and J. Nocedal, "On the use of stochastic Hessian information in optimization methods for machine
  learning", SIAM J. Optimization 21, 2011), and products for large ones (`working_set.py`).
- *Damping.* The model's Hessian gets a multiple of the identity in proportion to the subgradient
  that is left: where the Hessian is singular, as along what all classes have in common, steps stay
  finite, and convergence remains quadratic (M.-C. Yue, Z. Zhou and A. So, "A family of inexact SQA
  methods for non-smooth convex minimization", Mathematical Programming 174, 2019). More is added
  where F has risen above the model: probabilities on their way to ½ have more curvature than where
  they come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.working_set import working_set_hessian
from softmax_regression._objectives.linear.sparse import SparseCrossEntropy
from softmax_regression._penalties.lasso import GroupLasso, Penalty
from softmax_regression._solvers.criteria import Criterion, Point, certify
from softmax_regression._solvers.proximal_newton.active_set import minimize_model
from softmax_regression._solvers.proximal_newton.quadratic import (
    FlatGroupLasso,
    FlatLasso,
    FlatPenalty,
    Quadratic,
)
from softmax_regression._solvers.result import Report, SolverResult, StopReason, Watch

Array = NDArray[Any]

_FALL = 3.0  # of the penalty's factor in each iteration, at least
_LONGEST_CONTINUATION = 30  # iterations until the factor is 1
_FEW = 20, 200  # new units of the working set that are never too many, by the number of rows
_ROWS_PER_UNIT = 50
_GROWTH = 4  # times as many units as there are may be added to a model known by products
_MARGIN = 0.9  # of the bound of a slope: units so near are in the working set at the end
_DAMPING = 0.01  # of the norm of the subgradient that is left
_MOST_DAMPING = 0.01
_LEAST_EXTRA = 0.01  # by which the damping of a model that promises too much begins
_RELIEF = 4.0  # what extra damping is divided by where the model promises well
_GOOD = 0.75  # of the promise kept is well; what is left of that to 1 is bad
_THOROUGH = 0.01, 50  # of the model's subgradient is left; rounds of the active set
_ROUGH = 0.1, 3  # where a round takes many products
_SUFFICIENT = 1e-4  # of the decrease that the model promises
_TRIALS = 30
_PATIENCE = 3  # iterations that change nothing but rounding errors
_ROUNDING = 16 * float(np.finfo(np.float64).eps)


@dataclass
class _Experience:
    """What earlier models have taught.

    Parameters
    ----------
    extra : float
        More on the diagonal, after models that promised too much: a step that is too long is so in
        few entries mostly, and this shortens them.
    growth : int
        By how many times as many as there are, units may be added: many where a larger model takes
        no longer.
    """

    extra: float = 0.0
    growth: int = 1

    def damping(self, left: float) -> float:
        """Return what to add to the diagonal for the norm of a subgradient."""
        return min(_DAMPING * left, _MOST_DAMPING) + self.extra

    def learn(self, halvings: int, kept: float) -> None:
        """Take into account how often a step had to be halved, and what of the promise was kept."""
        if halvings:
            self.extra = max(self.extra, _LEAST_EXTRA) * 2.0**halvings
        elif kept > _GOOD:
            self.extra /= _RELIEF
        elif kept < 1 - _GOOD:
            self.extra = max(self.extra, _LEAST_EXTRA / 2) * 2.0


@dataclass
class _Place:
    """Parameters, F there and its gradient, without Ω."""

    params: Array
    smooth: float
    gradient: Array


def minimize_proximal_newton(
    objective: SparseCrossEntropy,
    start: Array,
    *,
    criterion: Criterion,
    tol: float,
    max_iter: int,
    report: Report | None = None,
    watch: Watch | None = None,
    n_before: int = 0,
) -> SolverResult:
    """Minimise F + Ω.

    Parameters
    ----------
    objective : SparseCrossEntropy
        F + Ω.
    start : ndarray of shape (n_params,)
        Where to begin: the closer, the shorter the continuation.
    criterion : Criterion
        What falls to 0 at the minimum.
    tol : float
        When it is small enough.
    max_iter : int
        Most iterations.
    report, watch : callable, default=None
        Take a line of text, and the parameters, after each iteration.
    n_before : int, default=0
        Iterations done before, for the lines.

    Returns
    -------
    SolverResult
        The point of the smallest criterion.
    """
    place = _place(objective, start)
    if not (np.isfinite(place.smooth) and np.isfinite(place.gradient).all()):
        return SolverResult(start, np.inf, 0, StopReason.DIVERGED)
    ratio = _largest_ratio(objective, place)
    fall = max(_FALL, ratio ** (1 / _LONGEST_CONTINUATION))
    factor = max(1.0, ratio / fall)
    loss_curve: list[float] = []
    best, smallest, lowest = _point(objective, place), np.inf, np.inf
    reason, idle, experience = StopReason.MAX_ITER, 0, _Experience()
    try:
        for iteration in range(max_iter + 1):
            point = _point(objective, place)
            remaining = 1.0
            if factor == 1.0 or iteration == max_iter:
                remaining = criterion(objective, point, tol)
            if report is not None and iteration:
                report(
                    f"iteration {n_before + iteration}: loss {point.value:.8f}, "
                    f"{criterion.name} {remaining:.1e}"
                )
            if remaining <= smallest:
                best, smallest = point, remaining
            if remaining <= tol:
                reason = StopReason.CONVERGED
                break
            if watch is not None and iteration > 0 and watch(point.params):
                reason = StopReason.STOPPED
                break
            if iteration == max_iter:
                break
            fallen = point.value < lowest * (1 - _ROUNDING)
            lowest = min(lowest, point.value)
            idle = 0 if fallen or factor > 1.0 or remaining < 0.5 * smallest else idle + 1
            following = None
            if idle < _PATIENCE:
                scaled = objective.penalty.scaled(factor)
                following = _iterate(objective, scaled, place, experience, factor > 1.0)
            if following is None and factor == 1.0:
                reason = StopReason.ROUNDING
                break
            place = place if following is None else following
            factor = max(1.0, factor / fall)
            loss_curve.append(_point(objective, place).value)
        if reason is not StopReason.CONVERGED:
            smallest = certify(criterion, tol, objective, best)
            reason = StopReason.CONVERGED if smallest <= tol else reason
    except KeyboardInterrupt:
        if not loss_curve:
            raise
        reason = StopReason.INTERRUPTED
        last = _point(objective, place)
        if last.value < best.value:  # nothing more is known of it
            best, smallest = last, np.nan
    return SolverResult(best.params, best.value, len(loss_curve), reason, loss_curve, smallest)


def _place(objective: SparseCrossEntropy, params: Array) -> _Place:
    with np.errstate(over="ignore", invalid="ignore"):
        return _Place(params, *objective.smooth.value_and_gradient(params))


def _point(objective: SparseCrossEntropy, place: _Place) -> Point:
    value = place.smooth + objective.penalty.value(objective.coef(place.params))
    return Point(place.params, value, place.gradient)


def _largest_ratio(objective: SparseCrossEntropy, place: _Place) -> float:
    """By which Ω had to be larger for no coefficient to grow."""
    return float(objective.penalty.ratios(objective.coef(place.gradient)).max(initial=0.0))


def _iterate(
    objective: SparseCrossEntropy,
    penalty: Penalty,
    place: _Place,
    experience: _Experience,
    early: bool,
) -> _Place | None:
    """Take a step for some penalty; None if there is none that makes the value fall."""
    smooth = objective.smooth
    chosen = _working_set(objective, penalty, place, early, experience.growth)
    matrix, slopes = smooth.matrix(place.params), smooth.matrix(place.gradient)
    entries = np.nonzero(chosen)
    flat = _flat(penalty, entries[1])
    at, slope = matrix[entries], slopes[entries]
    added = experience.damping(float(np.linalg.norm(flat.residual(at, slope))))
    curvature = working_set_hessian(smooth, place.params, chosen, added, rough=early)
    experience.growth = 1 if curvature.quick else _GROWTH
    model = Quadratic(curvature, slope, at)
    precision, rounds = _THOROUGH if curvature.quick else _ROUGH
    minimize_model(model, flat, precision=precision, max_rounds=rounds)
    step = np.zeros_like(matrix)
    step[entries] = model.at - at
    model_change = 0.5 * float((model.at - at) @ (slope + model.slope))
    return _search(objective, penalty, place, step.ravel(), model_change, experience)


def _working_set(
    objective: SparseCrossEntropy, penalty: Penalty, place: _Place, early: bool, growth: int
) -> Array:
    """Return which entries of (W, b) the model is made of."""
    smooth = objective.smooth
    coef = objective.coef(place.params)
    ratios = penalty.ratios(objective.coef(place.gradient))
    support = penalty.norms(coef) > 0
    ratios[support] = np.inf
    n_units = int(support.sum())
    few = min(max(_FEW[0], smooth.design.n_rows // _ROWS_PER_UNIT), _FEW[1])
    entries = len(coef) // len(ratios)  # of a unit
    most = n_units + max(few // entries, growth * n_units, 1)
    least = 1.0 if early else _MARGIN
    if int((ratios >= least).sum()) > most:
        least = max(least, float(np.partition(ratios, -most, axis=None)[-most]))
    units = ratios >= least
    chosen = np.ones((smooth.width, smooth.n_columns), dtype=bool)
    chosen[:, : coef.shape[1]] = penalty.with_units(units, smooth.width)
    if smooth.fit_intercept and smooth.width > 1:
        chosen[-1, -1] = False  # the same added to all intercepts changes nothing
    return chosen


def _flat(penalty: Penalty, columns: NDArray[np.intp]) -> FlatPenalty:
    """Return Ω of the entries of a model, in their order."""
    penalized = columns < len(penalty.weights)
    if not isinstance(penalty, GroupLasso):
        weights = np.zeros(len(columns))
        weights[penalized] = penalty.weights[columns[penalized]]
        return FlatLasso(weights)
    names = np.unique(columns[penalized])
    groups = np.where(penalized, np.searchsorted(names, columns), len(names))
    return FlatGroupLasso(penalty.weights[names], groups)


def _search(
    objective: SparseCrossEntropy,
    penalty: Penalty,
    place: _Place,
    step: Array,
    model_change: float,
    experience: _Experience,
) -> _Place | None:
    """Halve the step until the value falls by a part of what the model promises."""
    before = penalty.value(objective.coef(place.params))
    value = place.smooth + before
    after = penalty.value(objective.coef(place.params + step))
    promised = float(place.gradient @ step) + after - before
    if not np.isfinite(promised) or not step.any():
        return None
    promised = min(promised, 0.0)
    length = 1.0
    for halvings in range(_TRIALS):
        trial = _place(objective, place.params + length * step)
        there = trial.smooth + penalty.value(objective.coef(trial.params))
        if there <= value + _SUFFICIENT * length * promised + _ROUNDING * abs(value):
            expected = model_change + after - before
            experience.learn(halvings, (there - value) / expected if expected < 0 else 1.0)
            return _shifted(objective, penalty, trial)
        length /= 2
    return None


def _shifted(objective: SparseCrossEntropy, penalty: Penalty, place: _Place) -> _Place:
    """Take off what all classes have in common; only the ridge's part of F and gradient changes."""
    moved = objective.least_shift(place.params, penalty)
    if moved is place.params:
        return place
    smooth = objective.smooth
    before, after = smooth.matrix(place.params), smooth.matrix(moved)
    gradient = place.gradient + (smooth.ridge * (after - before)).ravel()
    ridge = 0.5 * float((smooth.ridge * (np.square(after) - np.square(before))).sum())
    return _Place(moved, place.smooth + ridge, gradient)
