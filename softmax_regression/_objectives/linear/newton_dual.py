r"""How far F is above its infimum where features have no penalty, by what a Newton step leads to.

Without a penalty the dual of `dual_bound.py` asks more of the distributions q: not only totals, all
moments have to agree with those of the targets, A_q = 1/S · Σ_i s_i (q_i − y_i) z_iᵀ = 0. Then

    F(W) − inf F ≤ 1/S · Σ_i s_i KL(q_i ‖ p_i)

and where some features have a penalty, what Fenchel and Young's inequality leaves of that for them
comes on top, as there; their moments may be what they are. Known scores that are added to W z
(offsets) cancel out of it.

To first order a Newton step Δ leads to such a q, q_i = p_i + (diag(p_i) − p_i p_iᵀ) Δ z_i, as the
gradient there would be 0. Here q is made row by row, and what it costs is added up row by row:

- Where data overlap, the steps get short, q is a distribution, and the sum tends to the Newton
  decrement ½ gᵀ H⁻¹ g.
- Along a direction in which F only falls, as where classes are separated in part, each step changes
  scores by about 1, however little the decrement is: there q vanishes and the sum is all that F can
  still fall. Entries below 0 are set to 0.
- Where the step does not solve the Newton equations, as with a Hessian that is singular but for
  rounding, moments are left over. They count with how far the minimum may be away,

      Σ_kj |A_q|_kj R_kj,     R_kj = |W_kj| + |Δ_kj| + 1

  in the objective's coordinates, or where a bound is nearer, with that. So it is a bound if the
  minimum is no farther away than that, and an estimate else. Moments of features that have a
  penalty need no such condition.

It may be much farther away where features are combinations of others but for their last digits:
the Hessian, which is made of their squares, has lost these. `unresolved_gain` looks at the rows.
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

_MOST_COLUMNS = 1000  # Of X, whose principal directions are found.
# Sizes of rows along a direction, relative to the largest, between which the Hessian has lost it:
# what is less is rounding.
_UNRESOLVED_SIZES = 1e-13, 1e-7


class SummedObjective(ObjectiveOfRows, Protocol):
    """An objective that sums over rows."""

    penalty: Ridge

    def for_rows(self, params: Array) -> Array:
        """Return (W, b) as kernels want it."""

    def pull_sums(self, gradient: Array, share: float) -> None:
        """Turn sums of residuals times (X, 1) into means in the coordinates of the parameters."""


def newton_dual(objective: SummedObjective, params: Array, step: Array) -> tuple[float, Array]:
    """Return what the distributions that a Newton step leads to cost, and their moments.

    That is their mean divergence, and how far their moments are from those of the targets, flat.
    """
    at = Direction(objective.for_rows(params), objective.for_rows(step))
    data = objective.data
    total, sums = data.map_reduce(newton_dual_sums, at, width=objective.layout.n_outputs)
    moments: Array = sums.ravel()
    objective.pull_sums(moments, 1 / data.n_rows)
    return total / data.n_rows, moments


def reach(params: Array, step: Array) -> Array:
    """Return how far the minimum may be away for what moments leave over to count enough."""
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
        Where.
    step : ndarray of shape (n_params,)
        The Newton step there.
    box : tuple of ndarray, default=(-inf, inf)
        Lower and upper bounds of the parameters.
    farther : float, default=1.0
        How many times farther away than R the minimum may be.
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

    Along a principal direction in which the rows have the size σ, scores change by about 1 after
    1/σ: F may fall by the gradient's part there times that. What is within rounding of 0, as with
    features that are copies in other units, is not counted. Nor is anything of an X that is sparse
    or has many columns.
    """
    n_columns = objective.row_map.n_columns
    is_short = n_columns <= min(objective.data.n_rows, _MOST_COLUMNS)
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
