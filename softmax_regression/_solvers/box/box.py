r"""Newton's method within bounds: quadratic models in a box, by active sets.

    q(d) = g·d + ½ dᵀ H d    for  l ≤ d ≤ u

On a *face*, with some entries of d held at bounds, q has one minimum, by one Cholesky factor. A
step leads towards that of the current face: to it, with what would leave the box held at its bounds
(many entries at a time); or, if that does not make q fall as far, straight on until the first
bound. An entry is let go when its slope leads back into the box. Each step makes q fall, and a
start close to the solution takes one or two (J. Moré and G. Toraldo, "On the solution of large
quadratic programming problems with bound constraints", SIAM J. Optimization 1, 1991; D. Bertsekas,
"Projected Newton methods for optimization problems with simple constraints", SIAM J. Control and
Optimization 20, 1982).

Parameters that the gradient presses against their bounds are left out of the model. That of X with
far more columns than rows is minimised by its dual, in `wide_box.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.chosen_entries import hessian_of
from softmax_regression._curvature.wide_hessian import WideHessian
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.bounded import BoundedCrossEntropy
from softmax_regression._solvers.box.wide_box import WideBoxModel
from softmax_regression._solvers.convergence import Proposal
from softmax_regression._solvers.newton.descent import NewtonDescent

Array = NDArray[Any]

_PRECISION = 0.01, 1e-8  # of the slope is left; where it is to be as precise as can be
_STEPS = 50  # from face to face
_TRIALS = 8  # of a gradient step


class BoxDescent(NewtonDescent):
    """Newton directions within bounds; a whole step never leaves them.

    Parameters
    ----------
    objective : BoundedCrossEntropy
        What is minimised.
    """

    objective: BoundedCrossEntropy

    def __call__(self, point: Evaluation, enough: float) -> Proposal:
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
            hessian = hessian_of(objective.smooth, point, entries)
            model = BoxModel(hessian, slope, lower, upper)
        model.minimize(_PRECISION[0] if enough > 0 else _PRECISION[1])
        direction[chosen] = model.at
        return Proposal(direction, -model.change)


class BoxModel:
    """q, and where it is looked at.

    Parameters
    ----------
    hessian : ndarray of shape (order, order)
        H, positive semidefinite.
    slope : ndarray of shape (order,)
        g; then the gradient at `at`.
    lower, upper : ndarray of shape (order,)
        l ≤ 0 and u ≥ 0.
    """

    def __init__(self, hessian: Array, slope: Array, lower: Array, upper: Array):
        self.hessian = hessian
        self.slope = slope
        self.lower, self.upper = lower, upper
        self.at = np.zeros_like(slope)
        self.change = 0.0  # of q, since the start

    def minimize(self, precision: float) -> None:
        """Go on until the slope on the face is a small part of the first."""
        first: float | None = None
        for _ in range(_STEPS):
            held = (self.at <= self.lower) & (self.slope >= 0)
            held |= (self.at >= self.upper) & (self.slope <= 0)
            free = np.flatnonzero(~held)
            size = float(np.linalg.norm(self.slope[free]))
            first = size if first is None else first
            if size <= precision * first or not self._advance(free):
                return

    def _advance(self, free: Array) -> bool:
        """Take a step; whether q fell."""
        step = self._face_step(free)
        end = self.at + step
        places = [self._clipped(end)]
        crossing = (end < self.lower) | (end > self.upper)
        if crossing.any():
            room = np.where(step > 0, self.upper - self.at, self.lower - self.at)
            length = float((room[crossing] / step[crossing]).min())
            places.append(self._clipped(self.at + length * step))
        return self._move(places) or self._descend(free)

    def _face_step(self, free: Array) -> Array:
        """Return the step to the minimum of the face.

        An entry that it leads out of the box at once is not free after all.
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
        """Take a gradient step, scaled and clipped: where no other makes q fall, a short one does.

        At a corner, entries that the step to the minimum of a face leads out of hide the others.
        """
        direction = np.zeros_like(self.at)
        direction[free] = -self.slope[free] / _positive(self.hessian.diagonal()[free])
        curvature = float(direction @ (self.hessian @ direction))
        if not curvature > 0:
            return False
        length = -float(self.slope @ direction) / curvature
        return any(
            self._move([self._clipped(self.at + length / 4**trial * direction)])
            for trial in range(_TRIALS)
        )

    def _move(self, places: list[Array]) -> bool:
        """Go to the one where q is lowest, if it is lower there than here."""
        changes = []
        for to in places:
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
