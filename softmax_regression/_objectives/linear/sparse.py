r"""Cross-entropy of a linear model with a penalty that makes zeros.

    F(W, b) + Ω(W),    F = 1/S · Σ_i s_i CE_i + l2/2 · ‖W‖²

F is smooth, a `LinearCrossEntropy`, and Ω one of `lasso.py`. The certificate is the dual bound of
`dual_bound.py` with the conjugate of ridge and Ω in the place of that of the ridge. Without a ridge
that is infinite unless all slopes are within bounds. So the distributions q are drawn towards the
targets y, ``(1 − β) q + β y``, which scales the slopes A by 1 − β and leaves the totals of classes
as they are; again H is concave. With a ridge that may help too, and the better of the two bounds
counts (E. Ndiaye, O. Fercoq, A. Gramfort and J. Salmon, "Gap safe screening rules for sparsity
enforcing penalties", JMLR 18, 2017).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.dual_bound import DualBound, settled
from softmax_regression._penalties.lasso import Penalty

Array = NDArray[Any]


class SparseCrossEntropy:
    """F + Ω; gradients are those of F alone.

    Parameters
    ----------
    smooth : LinearCrossEntropy
        F, in standardised coordinates.
    penalty : Penalty
        Ω, in the same coordinates.
    """

    def __init__(self, smooth: LinearCrossEntropy, penalty: Penalty):
        self.smooth = smooth
        self.penalty = penalty
        self.n_params = smooth.n_params
        self._dual = SparseDualBound(self)

    @property
    def has_dual(self) -> bool:
        """Always."""
        return True

    def coef(self, params: Array) -> Array:
        """W as a view of the flat vector."""
        return self.smooth.unpack(params)[0]

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Return the objective, and the gradient of its smooth part."""
        value, gradient = self.smooth.value_and_gradient(params)
        return value + self.penalty.value(self.coef(params)), gradient

    def least_shift(self, params: Array, penalty: Penalty) -> Array:
        """Return the parameters less what all classes have in common, for the least penalty."""
        coef = self.coef(params)
        shift = penalty.shift(coef, self.smooth.ridge[: coef.shape[1]])
        if not shift.any():
            return params
        moved = params.copy()
        changed = self.coef(moved)
        changed -= shift
        return moved

    def optimality_gap(
        self, params: Array, value: float, gradient: Array, enough: float = np.inf
    ) -> float:
        """Bound how far the objective is above its minimum: see `DualBound`."""
        return self._dual.gap(params, value, gradient, enough)


class SparseDualBound(DualBound):
    """The dual bound of F + Ω.

    Parameters
    ----------
    objective : SparseCrossEntropy
        F + Ω.
    """

    def __init__(self, objective: SparseCrossEntropy):
        super().__init__(objective.smooth)
        self.whole = objective

    def gap(self, params: Array, value: float, gradient: Array, enough: float) -> float:
        """Bound F + Ω − min: as `DualBound.gap`."""
        gap = self.free(params, value, gradient)
        if not self.objective.fit_intercept or gap <= enough < np.inf:
            return gap
        if enough < self._bound(params, value, gradient, repair=False) < np.inf:
            return gap
        # It may be only the intercept that keeps the bound up.
        centred = self._with_best_intercept(params)
        best, gradient = self.whole.value_and_gradient(centred)
        if not best <= value * (1 + 64 * np.finfo(np.float64).eps):
            return gap  # Newton's method went astray
        return min(gap, max(value - best, 0.0) + self.free(centred, best, gradient))

    def free(self, params: Array, value: float, gradient: Array) -> float:
        return self._bound(params, value, gradient, repair=True)

    def _bound(self, params: Array, value: float, gradient: Array, repair: bool) -> float:
        """F + Ω − D for the best of some q, as a sum of small terms."""
        objective, penalty = self.objective, self.whole.penalty
        coef, intercept = objective.unpack(params)
        coef_slope, intercept_slope = objective.unpack(gradient)
        ridge = objective.ridge[: coef.shape[1]]
        slopes = coef_slope - ridge * coef  # of the loss alone
        along = float(np.vdot(slopes, coef) + intercept_slope @ intercept)
        loss = value - penalty.value(coef) - 0.5 * float(np.vdot(ridge * coef, coef))
        entropy = loss - along
        rho, repaired, kept = 0.0, slopes, entropy
        if repair and objective.fit_intercept:  # else there are no totals to agree
            rho, share, share_entropy = self._repair_totals(self._excess(intercept_slope))
            if rho > 0:
                mixed = share[:, None] * self._row_mean - self._target_mean
                repaired = slopes + rho * (mixed - slopes)
                kept = entropy + rho * (share_entropy - entropy)
        ratios = penalty.ratios(repaired)
        largest = max(float(ratios.max(initial=0.0)), 1.0)
        # Elsewhere all terms are 0.
        some = np.flatnonzero((ratios > 1).any(axis=0) | coef.any(axis=0))
        penalty, coef, ridge = penalty.select(some), coef[:, some], ridge[some]
        slopes, repaired = slopes[:, some], repaired[:, some]
        rest = float(intercept_slope @ intercept) + entropy - kept
        bounds = []
        for beta in (0.0, 1 - 1 / largest) if objective.l2 > 0 else (1 - 1 / largest,):
            inside = (1 - beta) * repaired
            change = float(np.vdot(slopes - inside, coef))
            terms = (
                penalty.conjugate_gap(coef, inside, ridge),
                change,
                rest,
                beta * (kept - self._target_entropy),
            )
            size = value + max(map(abs, terms))
            # Where totals do not agree it is an estimate, which may be negative.
            bounds.append(settled(sum(terms), size) if repair else sum(terms))
        return min(bounds)

    @cached_property
    def _target_entropy(self) -> float:
        """Return the mean entropy of the targets: 0 of labels."""
        loss = self.objective.loss
        if loss.targets.ndim == 1:
            return 0.0
        entropies = entr(loss.targets.astype(np.float64)).sum(axis=0)
        return float(entropies @ loss.row_weights(slice(None))) / loss.n_rows
