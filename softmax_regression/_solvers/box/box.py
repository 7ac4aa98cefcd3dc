r"""Newton's method with bounds, whose quadratic models are minimised by an active-set method.

    q(d) = g·d + ½ dᵀ H d    for  l ≤ d ≤ u

The *active set* holds the entries of d that are at a bound. Over the other, free entries q has one
minimum, which is found by one Cholesky factor. A step goes to that minimum, with all entries that
would leave the box clipped to their bounds; or, if that lowers q less, along the straight line
until the first bound. An entry becomes free when the negative slope points back into the box. Each
step lowers q, and from a start close to the solution one or two are enough (J. Moré and G. Toraldo,
"On the solution of large quadratic programming problems with bound constraints", SIAM J.
Optimization 1, 1991; D. Bertsekas, "Projected Newton methods for optimization problems with simple
constraints", SIAM J. Control and Optimization 20, 1982).

Parameters at a bound across which the negative gradient points are left out of the model. If X has
far more columns than rows, the model is minimised by its dual, in `wide_box.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.chosen_entries import hessian_of
from softmax_regression._curvature.sampling import RowSampler
from softmax_regression._curvature.schedule import HessianSchedule
from softmax_regression._curvature.wide_hessian import WideHessian
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.bounded import BoundedCrossEntropy
from softmax_regression._solvers.box.wide_box import WideBoxModel
from softmax_regression._solvers.convergence import Proposal
from softmax_regression._solvers.newton.descent import NewtonDescent

# A model is minimised until its slope is at most this share of that at the start; the second is for
# the sharpest certificate.
_SLOPE_SHARE, _SHARP_SLOPE_SHARE = 0.01, 1e-8
_ROWS_PER_ENTRY = 10  # Rows of a sample for a Hessian far from the minimum, for each row of it.
_MAX_ACTIVE_SETS = 50  # Largest number of active sets of one model.
_MAX_GRADIENT_TRIALS = 8  # Lengths that a gradient step tries, each a quarter of the one before.


class BoxDescent(NewtonDescent):
    """Newton directions within bounds; a whole step never leaves them.

    Far from the minimum, where the Hessian is another after each step, a sample of the rows stands
    for all, if that saves time: until less is left to gain than a step by all of them would square
    to the tolerance.

    Parameters
    ----------
    objective : BoundedCrossEntropy
        The objective that is minimised.
    """

    objective: BoundedCrossEntropy

    def __init__(self, objective: BoundedCrossEntropy):
        super().__init__(objective)
        self._costly = HessianSchedule(objective.smooth).costly
        self._sampler = RowSampler(objective.smooth)
        self._promised = np.inf  # By the last model: about what is left to gain.

    def _newton(self, point: Evaluation, enough: float) -> Proposal:
        objective = self.objective
        entries = objective.chosen(point.params, point.gradient)
        chosen = entries.ravel()
        direction = np.zeros_like(point.params)
        if not chosen.any():
            return Proposal(direction, 0.0)
        lower, upper = (side[chosen] - point.params[chosen] for side in objective.box)
        slope = point.gradient[chosen]
        model: BoxModel | WideBoxModel
        if objective.is_wide:
            wide = WideHessian(objective.smooth, point, entries)
            model = WideBoxModel(wide, slope, lower, upper)
        else:
            model = BoxModel(self._hessian(point, entries, enough), slope, lower, upper)
        model.minimize(_SLOPE_SHARE if enough > 0 else _SHARP_SLOPE_SHARE)
        direction[chosen], self._promised = model.at, -model.change
        return Proposal(direction, -model.change)

    def _hessian(self, point: Evaluation, entries: NDArray[np.bool_], enough: float) -> Array:
        """Return the Hessian for some entries; float32 is precise enough for that of a sample."""
        smooth = self.objective.smooth
        sample = self._sample(point, int(entries.sum()), enough)
        if sample is not None:
            rough = hessian_of(smooth, point, entries, sample, np.float32)
            if np.isfinite(rough).all():
                return rough
        return hessian_of(smooth, point, entries, sample)

    def _sample(self, point: Evaluation, order: int, enough: float) -> Sample | None:
        """Draw the rows for a Hessian of some order; None for all."""
        n_drawn, n_rows = _ROWS_PER_ENTRY * order, self.objective.smooth.data.n_rows
        near = enough == 0 or self._promised <= (enough * point.value) ** 0.5
        if near or not self._costly or 2 * n_drawn > n_rows:
            return None
        return self._sampler.draw(point.params, n_drawn)


class BoxModel:
    """q, and a point d with its value and slope.

    Parameters
    ----------
    hessian : ndarray of shape (order, order)
        H, positive semidefinite.
    slope : ndarray of shape (order,)
        g; it is replaced by the gradient of q at the current point.
    lower, upper : ndarray of shape (order,)
        l ≤ 0 and u ≥ 0.
    """

    def __init__(self, hessian: Array, slope: Array, lower: Array, upper: Array):
        self.hessian = hessian
        self.slope = slope
        self.lower, self.upper = lower, upper
        self.at = np.zeros_like(slope)
        self.change = 0.0  # The change of q since the start.

    def minimize(self, precision: float) -> None:
        """Take steps until the slope of the free entries is a small part of the first."""
        first: float | None = None
        for _ in range(_MAX_ACTIVE_SETS):
            held = (self.at <= self.lower) & (self.slope >= 0)
            held |= (self.at >= self.upper) & (self.slope <= 0)
            free = np.flatnonzero(~held)
            size = float(np.linalg.norm(self.slope[free]))
            first = size if first is None else first
            if size <= precision * first or not self._advance(free):
                return

    def _advance(self, free: Array) -> bool:
        """Take a step; return whether q fell."""
        step = self._step_of_free(free)
        end = self.at + step
        candidates = [self._clipped(end)]
        crossing = (end < self.lower) | (end > self.upper)
        if crossing.any():
            distance = np.where(step > 0, self.upper - self.at, self.lower - self.at)
            length = float((distance[crossing] / step[crossing]).min())
            candidates.append(self._clipped(self.at + length * step))
        return self._move(candidates) or self._descend(free)

    def _step_of_free(self, free: Array) -> Array:
        """Return the step to the minimum over the free entries.

        Entries at a bound that the step would violate are removed from the free ones.
        """
        while True:
            step = np.zeros_like(self.at)
            step[free] = self._newton_step(free)
            out = (self.at <= self.lower) & (step < 0)
            out |= (self.at >= self.upper) & (step > 0)
            remaining = free[~out[free]]
            if len(remaining) in (0, len(free)):
                return step
            free = remaining

    def _newton_step(self, free: Array) -> Array:
        matrix = self.hessian[np.ix_(free, free)]
        return -CholeskyFactor(matrix).solve(self.slope[free])

    def _descend(self, free: Array) -> bool:
        """Take a scaled and clipped gradient step if no other step lowers q.

        At a corner of the box a clipped Newton step may raise q although free entries can lower it.
        """
        direction = np.zeros_like(self.at)
        direction[free] = -self.slope[free] / _positive(self.hessian.diagonal()[free])
        curvature = float(direction @ (self.hessian @ direction))
        if not curvature > 0:
            return False
        length = -float(self.slope @ direction) / curvature
        return any(
            self._move([self._clipped(self.at + length / 4**trial * direction)])
            for trial in range(_MAX_GRADIENT_TRIALS)
        )

    def _move(self, candidates: list[Array]) -> bool:
        """Move to the candidate where q is lowest, if it is lower there than here."""
        changes = []
        for to in candidates:
            step = to - self.at
            product = self.hessian @ step
            changes.append((float(self.slope @ step + 0.5 * (step @ product)), to, product))
        change, to, product = min(changes, key=lambda found: found[0])
        if not change < 0:
            return False
        self.at, self.slope = to, self.slope + product
        self.change += change
        return True

    def _clipped(self, at: Array) -> Array:
        return np.clip(at, self.lower, self.upper)


def _positive(diagonal: Array) -> Array:
    return np.where(diagonal > 0, diagonal, 1.0)
