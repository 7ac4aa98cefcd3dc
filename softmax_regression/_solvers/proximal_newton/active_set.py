r"""Minimisation of a quadratic function plus a lasso or group lasso penalty by active sets.

Each iteration of proximal Newton minimises a function

    q(u) = g·(u − w) + ½ (u − w)ᵀ M (u − w) + Ω(u)

The *active set* is the set of entries that are not 0, together with their signs in the case of the
lasso. For a given active set q is smooth, and a Newton step leads to its minimum (`quadratic.py`).
Close to the solution one or two such steps suffice. Newton steps are bad at finding an active set
that differs much from the current one, and may cycle where M is singular. Steps of the first
order do better there. For the lasso with a dense M, these are sweeps of coordinate descent
(`coordinate_descent.py`), which come first where entries that are 0 have to change. Otherwise they
are accelerated proximal gradient steps, until the active set stays the same. Each of these takes
one product with M, and is scaled by the diagonal of M (A. Beck and M. Teboulle, "A fast iterative
shrinkage-thresholding algorithm for linear inverse problems", SIAM J. Imaging Sciences 2, 2009;
restarts by the gradient of B. O'Donoghue and E. Candès, "Adaptive restart for accelerated gradient
schemes", Foundations of Computational Mathematics 15, 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from softmax_regression._curvature.working_set import DenseHessian, WorkingSetHessian
from softmax_regression._linalg.arrays import Array
from softmax_regression._solvers.proximal_newton.coordinate_descent import CoordinateDescent
from softmax_regression._solvers.proximal_newton.quadratic import (
    FlatLasso,
    FlatPenalty,
    Quadratic,
)

# A Newton step helps if it reduces the norm of the subgradient to at most this share.
_HELPFUL_FALL = 0.5
_LEAST_SUBGRADIENT = 1e-14  # A subgradient of a smaller norm consists of rounding errors.
# The active set counts as found if this many proximal steps in a row leave it unchanged.
_STEPS_WITH_SAME_ZEROS = 5
_MOST_PROXIMAL_STEPS = 60  # At most this many proximal steps are taken in a row.
_POWER_ITERATIONS = 6  # This many power iterations estimate the largest eigenvalue.
# The estimated largest eigenvalue is multiplied by this, since power iterations underestimate it.
_EIGENVALUE_MARGIN = 1.05
# A bound of the curvature that is exceeded becomes the curvature found, times this.
_BOUND_GROWTH = 1.2


def minimize_model(
    model: Quadratic, penalty: FlatPenalty, *, precision: float, max_rounds: int
) -> None:
    """Minimise q, and move the model to the minimum.

    Parameters
    ----------
    model : Quadratic
        The smooth part of q, at the starting point.
    penalty : FlatPenalty
        The penalty Ω.
    precision : float
        The share of its first norm to which the subgradient has to fall.
    max_rounds : int
        The largest number of rounds. Each takes a Newton step, and proximal steps if that does not
        help.
    """
    first = size = _size(model, penalty)
    descent: CoordinateDescent | AcceleratedDescent | None = None
    # Steps of the first order come first where a Newton step takes longer, or zeros have to change.
    newton = model.matrix.quick and penalty.keeps_zeros(model.at, model.slope)
    for _ in range(max_rounds):
        if size <= max(precision * first, _LEAST_SUBGRADIENT):
            return
        before, helped = size, False
        if newton:
            penalty.newton(model)
            size = _size(model, penalty)
            helped = size <= max(_HELPFUL_FALL * before, precision * first)
        if not helped:
            descent = descent or _first_order_descent(model, penalty)
            descent.advance()
            size = _size(model, penalty)
        newton = True


def _first_order_descent(
    model: Quadratic, penalty: FlatPenalty
) -> CoordinateDescent | AcceleratedDescent:
    if isinstance(model.matrix, DenseHessian) and isinstance(penalty, FlatLasso):
        return CoordinateDescent(model, model.matrix, penalty)
    return AcceleratedDescent(model, penalty)


def _size(model: Quadratic, penalty: FlatPenalty) -> float:
    return float(np.linalg.norm(penalty.residual(model.at, model.slope)))


@dataclass
class AcceleratedDescent:
    """Accelerated proximal gradient steps, in a metric proportional to the diagonal of M.

    Parameters
    ----------
    model : Quadratic
        The smooth part of q, which moves with the steps.
    penalty : FlatPenalty
        The penalty Ω.
    """

    model: Quadratic
    penalty: FlatPenalty

    def __post_init__(self) -> None:
        diagonal = self.model.matrix.diagonal
        self._metric = self.penalty.majorized(np.where(diagonal > 0, diagonal, 1.0))
        self._bound = _EIGENVALUE_MARGIN * _largest_eigenvalue(
            self.model.matrix, self._metric, self.model.slope
        )

    def advance(self) -> None:
        """Take steps until the set of zeros has stayed the same for several steps."""
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
        """Take a proximal step, and raise the bound of the curvature until it holds there."""
        while True:
            metric = self._bound * self._metric
            to = self.penalty.proximal(at - slope / metric, metric)
            step = to - at
            product = self.model.matrix.product(step)
            length = float(step @ (self._metric * step))
            curvature = float(step @ product)
            if not curvature > self._bound * length * (1 + 1e-9):  # NaN ends it, too.
                return to, slope + product
            self._bound = _BOUND_GROWTH * curvature / length


def _largest_eigenvalue(matrix: WorkingSetHessian, metric: Array, start: Array) -> float:
    """Estimate the largest λ with M v = λ D v by power iterations, D being the metric."""
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
