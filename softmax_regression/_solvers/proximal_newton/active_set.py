r"""Quadratic functions with a penalty that makes zeros, by active sets.

    q(u) = g·(u − w) + ½ (u − w)ᵀ M (u − w) + Ω(u)

which proximal Newton asks for in each iteration. On a *face*, the u whose zeros (and, for the
lasso, signs) are given, q is smooth, and Newton's step is all there is to it (`quadratic.py`):
close to the solution a step or two. It finds the right face badly where that is far, and where M is
singular goes there and back. So a step that does not help is followed by accelerated proximal
gradient steps until the face that they are on stays the same: each is a product with M alone,
conditioned by its diagonal (A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding
algorithm for linear inverse problems", SIAM J. Imaging Sciences 2, 2009; restarts by the gradient
of B. O'Donoghue and E. Candès, "Adaptive restart for accelerated gradient schemes", Foundations of
Computational Mathematics 15, 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.working_set import WorkingSetHessian
from softmax_regression._solvers.proximal_newton.quadratic import FlatPenalty, Quadratic

Array = NDArray[Any]

_HELPS = 0.5  # of the subgradient is left after Newton's step
_ROUNDING = 1e-14  # a subgradient: less is rounding errors
_SAME = 5  # proximal steps on the same face are enough
_MOST = 60  # proximal steps in a row
_POWERS = 6  # of the matrix, for its largest eigenvalue
_LARGER = 1.05, 1.2  # than what they find; and than what turns out to be too small


def minimize_model(
    model: Quadratic, penalty: FlatPenalty, *, precision: float, max_rounds: int
) -> None:
    """Minimise q; leaves the solution in the model.

    Parameters
    ----------
    model : Quadratic
        The smooth part, and the start.
    penalty : FlatPenalty
        Ω.
    precision : float
        Which part of the subgradient may be left.
    max_rounds : int
        The most Newton steps, each with proximal steps or without.
    """
    first = size = _size(model, penalty)
    descent: AcceleratedDescent | None = None
    newton = model.matrix.quick  # else proximal steps go first: they take fewer products
    for _ in range(max_rounds):
        if size <= max(precision * first, _ROUNDING):
            return
        before, helped = size, False
        if newton:
            penalty.newton(model)
            size = _size(model, penalty)
            helped = size <= max(_HELPS * before, precision * first)
        if not helped:
            descent = descent or AcceleratedDescent(model, penalty)
            descent.until_the_face_stays()
            size = _size(model, penalty)
        newton = True


def _size(model: Quadratic, penalty: FlatPenalty) -> float:
    return float(np.linalg.norm(penalty.residual(model.at, model.slope)))


@dataclass
class AcceleratedDescent:
    """Accelerated proximal gradient, each entry with the curvature L times its diagonal's.

    Parameters
    ----------
    model : Quadratic
        The smooth part, which goes along.
    penalty : FlatPenalty
        Ω.
    """

    model: Quadratic
    penalty: FlatPenalty

    def __post_init__(self) -> None:
        diagonal = self.model.matrix.diagonal
        self._metric = self.penalty.evened(np.where(diagonal > 0, diagonal, 1.0))
        self._bound = _LARGER[0] * _largest_eigenvalue(
            self.model.matrix, self._metric, self.model.slope
        )

    def until_the_face_stays(self) -> None:
        """Take steps until the zeros are the same for some time."""
        at, slope = self.model.at, self.model.slope
        ahead, slope_ahead = at, slope
        momentum, same = 1.0, 0
        for _ in range(_MOST):
            to, slope_to = self._step(ahead, slope_ahead)
            same = same + 1 if np.array_equal(to != 0, at != 0) else 0
            if (self._metric * (to - ahead)) @ (to - at) < 0:
                momentum = 1.0
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            share = (momentum - 1) / following
            ahead = to + share * (to - at)
            slope_ahead = slope_to + share * (slope_to - slope)
            at, slope, momentum = to, slope_to, following
            if same >= _SAME:
                break
        self.model.move(at, slope)

    def _step(self, at: Array, slope: Array) -> tuple[Array, Array]:
        """Take a step with a bound of the curvature that holds along it."""
        while True:
            metric = self._bound * self._metric
            to = self.penalty.proximal(at - slope / metric, metric)
            step = to - at
            product = self.model.matrix.product(step)
            length = float(step @ (self._metric * step))
            curvature = float(step @ product)
            if curvature <= self._bound * length * (1 + 1e-9):
                return to, slope + product
            self._bound = _LARGER[1] * curvature / length


def _largest_eigenvalue(matrix: WorkingSetHessian, metric: Array, start: Array) -> float:
    """Return about the largest λ with M v = λ D v."""
    vector, largest = start / metric, 1.0
    for _ in range(_POWERS):
        norm = float(vector @ (metric * vector))
        if not norm > 0:
            break
        vector = vector / np.sqrt(norm)
        image = matrix.product(vector)
        largest = float(vector @ image)
        vector = image / metric
    return largest if largest > 0 else 1.0
