r"""Quadratic functions with a penalty that makes zeros, by active sets.

    q(u) = g·(u − w) + ½ (u − w)ᵀ M (u − w) + Ω(u)

which proximal Newton minimises in each iteration. Where the *active set* is given, the entries that
are not 0 (and, for the lasso, their signs), q is smooth, and a Newton step leads to its minimum
(`quadratic.py`): close to the solution one or two suffice. Newton steps find the right active set
badly where it is far, and go there and back where M is singular. So a step that does not help is
followed by accelerated proximal gradient steps until the active set stays the same. Each takes one
product with M, and is scaled by its diagonal (A. Beck and M. Teboulle, "A fast
iterative shrinkage-thresholding algorithm for linear inverse problems", SIAM J. Imaging Sciences 2,
2009; restarts by the gradient of B. O'Donoghue and E. Candès, "Adaptive restart for accelerated
gradient schemes", Foundations of Computational Mathematics 15, 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from softmax_regression._curvature.working_set import WorkingSetHessian
from softmax_regression._linalg.arrays import Array
from softmax_regression._solvers.proximal_newton.quadratic import FlatPenalty, Quadratic

_HELPFUL_FALL = 0.5  # A Newton step helps if it leaves no more of the subgradient than this.
_LEAST_SUBGRADIENT = 1e-14  # Its norm: less is rounding errors.
_STEPS_WITH_SAME_ZEROS = 5  # Proximal steps in a row after which the active set is taken as found.
_MOST_PROXIMAL_STEPS = 60  # Proximal steps in a row.
_POWER_ITERATIONS = 6  # For the largest eigenvalue of the matrix.
_EIGENVALUE_MARGIN = 1.05  # Power iterations find a little too little.
_BOUND_GROWTH = 1.2  # Of a bound of the curvature that turns out to be too small.


def minimize_model(
    model: Quadratic, penalty: FlatPenalty, *, precision: float, max_rounds: int
) -> None:
    """Minimise q, and leave the solution in the model.

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
    newton = model.matrix.quick  # If not, proximal steps go first: they take fewer products.
    for _ in range(max_rounds):
        if size <= max(precision * first, _LEAST_SUBGRADIENT):
            return
        before, helped = size, False
        if newton:
            penalty.newton(model)
            size = _size(model, penalty)
            helped = size <= max(_HELPFUL_FALL * before, precision * first)
        if not helped:
            descent = descent or AcceleratedDescent(model, penalty)
            descent.until_zeros_stay()
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
        The smooth part, which moves with the steps.
    penalty : FlatPenalty
        Ω.
    """

    model: Quadratic
    penalty: FlatPenalty

    def __post_init__(self) -> None:
        diagonal = self.model.matrix.diagonal
        self._metric = self.penalty.majorized(np.where(diagonal > 0, diagonal, 1.0))
        self._bound = _EIGENVALUE_MARGIN * _largest_eigenvalue(
            self.model.matrix, self._metric, self.model.slope
        )

    def until_zeros_stay(self) -> None:
        """Take steps until the zeros are the same for some time."""
        at, slope = self.model.at, self.model.slope
        ahead, slope_ahead = at, slope
        momentum, same = 1.0, 0
        for _ in range(_MOST_PROXIMAL_STEPS):
            to, slope_to = self._step(ahead, slope_ahead)
            same = same + 1 if np.array_equal(to != 0, at != 0) else 0
            if (self._metric * (to - ahead)) @ (to - at) < 0:
                momentum = 1.0
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            share = (momentum - 1) / following
            ahead = to + share * (to - at)
            slope_ahead = slope_to + share * (slope_to - slope)
            at, slope, momentum = to, slope_to, following
            if same >= _STEPS_WITH_SAME_ZEROS:
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
            self._bound = _BOUND_GROWTH * curvature / length


def _largest_eigenvalue(matrix: WorkingSetHessian, metric: Array, start: Array) -> float:
    """Return about the largest λ with M v = λ D v."""
    vector, largest = start / metric, 1.0
    for _ in range(_POWER_ITERATIONS):
        norm = float(vector @ (metric * vector))
        if not norm > 0:
            break
        vector = vector / np.sqrt(norm)
        image = matrix.product(vector)
        largest = float(vector @ image)
        vector = image / metric
    return largest if largest > 0 else 1.0
