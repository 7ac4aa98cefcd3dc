r"""A bound of F − inf F by a Newton step, if features have no penalty.

Without a penalty the dual problem of `dual_bound.py` requires more of the distributions q: all
moments must agree with those of the targets, A_q = 1/S · Σ_i s_i (q_i − y_i) z_iᵀ = 0. Then

    F(W) − inf F ≤ 1/S · Σ_i s_i KL(q_i ‖ p_i)

and for features with a penalty the gap of the Fenchel-Young inequality is added, as there; their
moments need not agree. Offsets, which are added to W z, cancel.

After a Newton step Δ the gradient is 0 to first order. So the probabilities after the step to first
order, q_i = p_i + (diag(p_i) − p_i p_iᵀ) Δ z_i, are such a q. They and their divergence are
computed row by row:

- If the classes overlap, the steps become short, q is a distribution, and the mean divergence tends
  to the Newton decrement ½ gᵀ H⁻¹ g.
- Along a direction in which F only falls, as with partly separated classes, each step changes
  scores by about 1 even if the decrement is small. There entries of q vanish, and the divergence is
  all that F can still fall. Entries below 0 are set to 0.
- If the step does not solve the Newton equations, as with a Hessian that is singular up to rounding
  errors, moments differ. The differences are multiplied by the distance of the minimum, for which

      Σ_kj |A_q|_kj R_kj,     R_kj = |W_kj| + |Δ_kj| + 1

  is used in the objective's coordinates, or the distance from a bound of the parameter if that is
  smaller. So this is a bound if the minimum is no farther away than R, and an estimate otherwise.
  Moments of features with a penalty need no such condition.

The minimum may be much farther away if features are linear combinations of others up to their last
digits, which are lost in the Hessian, as that is made of their squares. `unresolved_gain` examines
the rows for that.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from softmax_regression._data.dense import DenseDesign
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.kernels import (
    Direction,
    newton_dual_sums,
    stacked_factor,
    triangular_factor,
)
from softmax_regression._objectives.linear.means import ObjectiveOfRows
from softmax_regression._penalties.boxed_ridge import BoxedRidge
from softmax_regression._penalties.ridge import Ridge
from softmax_regression._penalties.weighted_ridge import NEGLIGIBLE_STRENGTH

_MAX_COLUMNS = 1000  # Largest number of columns of an X whose singular values are computed.
# Singular values, relative to the largest, of directions that the Hessian has lost, though the rows
# have not.
_UNRESOLVED_SIZES = 1e-13, 1e-7


class SummedObjective(ObjectiveOfRows, Protocol):
    """An objective that sums over rows."""

    penalty: Ridge

    def for_rows(self, params: Array) -> Array:
        """Return (W, b) in the form that kernels take."""

    def pull_sums(self, gradient: Array, share: float) -> None:
        """Convert sums of residuals times (X, 1) to means in the objective's coordinates."""


def newton_dual(objective: SummedObjective, params: Array, step: Array) -> tuple[float, Array]:
    """Return the mean divergence of the distributions after a Newton step, and A_q, flat."""
    at = Direction(objective.for_rows(params), objective.for_rows(step))
    data = objective.data
    total, sums = data.map_reduce(newton_dual_sums, at, width=objective.layout.n_outputs)
    moments: Array = sums.ravel()
    objective.pull_sums(moments, 1 / data.n_rows)
    return total / data.n_rows, moments


def reach(params: Array, step: Array) -> Array:
    """Return R, the distance in which the minimum is assumed to lie."""
    return np.abs(params) + np.abs(step) + 1


def gap_by_newton_dual(
    objective: SummedObjective,
    params: Array,
    step: Array,
    box: tuple[Array, Array] = (np.array(-np.inf), np.array(np.inf)),
    farther: float = 1.0,
) -> float:
    """Bound F − inf F; see the module's text.

    Parameters
    ----------
    objective : SummedObjective
        F, in standardised coordinates.
    params : ndarray of shape (n_params,)
        The parameters.
    step : ndarray of shape (n_params,)
        The Newton step from the parameters.
    box : tuple of ndarray, default=(-inf, inf)
        Lower and upper bounds of the parameters.
    farther : float, default=1.0
        Factor of R, for a minimum that may be farther away.
    """
    divergence, moments = newton_dual(objective, params, step)
    matrix, penalty = objective.layout.matrix, objective.penalty
    coef, distance = matrix(params), farther * matrix(reach(params, step))
    distance = np.where(penalty.strengths > NEGLIGIBLE_STRENGTH, np.inf, distance)
    lower, upper = (np.broadcast_to(side, params.shape) for side in box)
    within = BoxedRidge(
        penalty,
        np.maximum(matrix(lower), coef - distance),
        np.minimum(matrix(upper), coef + distance),
    )
    return divergence + within.conjugate_gap(coef, matrix(moments) + penalty.strengths * coef)


def unresolved_gain(objective: SummedObjective, gradient: Array) -> float:
    """Estimate how much F may still fall along directions that its Hessian does not resolve.

    Along a principal direction with the singular value σ, a step of 1/σ changes scores by about 1,
    and F may fall by the component of the gradient times that. Directions within rounding errors of
    0, as with copies of features in other units, are left out, and so are sparse X and those with
    many columns.
    """
    n_columns = objective.row_map.n_columns
    is_short = n_columns <= min(objective.data.n_rows, _MAX_COLUMNS)
    if not is_short or not isinstance(objective.data.design, DenseDesign):
        return 0.0
    factor = objective.data.map_reduce(
        triangular_factor, objective.row_map, width=n_columns, reduce=stacked_factor
    )
    _, sizes, directions = np.linalg.svd(factor)
    low, high = np.multiply(_UNRESOLVED_SIZES, sizes.max(initial=0.0))
    lost = (sizes > low) & (sizes < high)
    slopes = np.abs(objective.layout.matrix(gradient) @ directions[lost].T)
    return float((slopes / sizes[lost]).sum()) * float(np.sqrt(objective.data.n_rows))
