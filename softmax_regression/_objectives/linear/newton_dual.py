r"""How far F is above its infimum where there is no penalty, by what a Newton step leads to.

Without a penalty the dual of `dual_bound.py` asks more of the distributions q: not only totals, all
moments have to agree with those of the targets, A_q = 1/S · Σ_i s_i (q_i − y_i) z_iᵀ = 0. Then

    F(W) − inf F ≤ 1/S · Σ_i s_i KL(q_i ‖ p_i)

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
  minimum is no farther away than that, and an estimate else.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.kernels import Direction, newton_dual_sums
from softmax_regression._objectives.linear.means import Rows


class SummedObjective(Rows, Protocol):
    """An objective that sums over rows."""

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


def gap_without_penalty(
    objective: SummedObjective,
    params: Array,
    step: Array,
    box: tuple[Array, Array] = (np.array(-np.inf), np.array(np.inf)),
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
    """
    divergence, moments = newton_dual(objective, params, step)
    lower, upper = box
    reach = np.abs(params) + np.abs(step) + 1
    distance = np.where(moments > 0, params - lower, upper - params)
    return divergence + float(np.abs(moments) @ np.minimum(distance, reach))
