r"""Quadratic models in a box with far more entries than the rank of the Hessian, by their dual.

    q(d) = g·d + ½ dᵀ R d + ½ ‖A d‖²    for  l ≤ d ≤ u

with R diagonal and A of few rows. For any α, ½ ‖A d‖² ≥ α·A d − ½ ‖α‖². With the right-hand side in
the place of ½ ‖A d‖², the minimum over the box is a lower bound of q, and separates into entries:

    d(α) = −(g + Aᵀ α) / R,  clipped to between l and u

The largest of these lower bounds is the minimum of q. As a function of α it is smooth and concave,
a quadratic function in pieces, with the gradient A d(α) − α and the Hessian −(I + A D Aᵀ), where D
is R⁻¹ for the entries that are not clipped and 0 for the others. Newton's method takes a few steps
(X. Li, D. Sun and K.-C. Toh, "A highly efficient semismooth Newton augmented Lagrangian method for
solving lasso problems", SIAM J. Optimization 28, 2018). At each, q(d(α)) exceeds the bound by
½ ‖A d(α) − α‖².
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.wide_hessian import WideHessian
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor

_MAX_STEPS = 50  # Largest number of Newton steps of the dual.
_MAX_HALVINGS = 30  # Largest number of halvings of one step.
_SUFFICIENT_INCREASE = 1e-4  # Least increase, relative to the one that the slope predicts.


class WideBoxModel:
    """q, and the point with its lowest value so far.

    Parameters
    ----------
    hessian : WideHessian
        R and A.
    slope : ndarray of shape (order,)
        g.
    lower, upper : ndarray of shape (order,)
        l ≤ 0 and u ≥ 0.
    """

    def __init__(self, hessian: WideHessian, slope: Array, lower: Array, upper: Array):
        self.hessian = hessian
        self.slope = slope
        self.lower, self.upper = lower, upper
        self.at = np.zeros_like(slope)
        self.change = 0.0

    def minimize(self, precision: float) -> None:
        """Take steps until q is above its minimum by at most a share of its decrease so far."""
        alpha = np.zeros(self.hessian.n_scores)
        value, left, free = self._dual(alpha)
        for _ in range(_MAX_STEPS):
            if self.change < 0 and 0.5 * float(left @ left) <= -precision * self.change:
                return
            inner = self.hessian.inner(free / self.hessian.ridge)
            inner.flat[:: len(inner) + 1] += 1.0
            step = CholeskyFactor(inner).solve(left)
            promised, length = float(left @ step), 1.0
            for _ in range(_MAX_HALVINGS):
                trial = self._dual(alpha + length * step)
                if trial[0] >= value + _SUFFICIENT_INCREASE * length * promised:
                    break
                length /= 2
            else:
                return  # Up to rounding errors the dual does not rise any more.
            alpha = alpha + length * step
            value, left, free = trial

    def _dual(self, alpha: Array) -> tuple[float, Array, NDArray[np.bool_]]:
        """Return the lower bound, its gradient, and which entries are not clipped.

        The point d(α) is kept if q is lower there than at all points before.
        """
        ridge = self.hessian.ridge
        slope = self.slope + self.hessian.backward(alpha)
        goal = -slope / ridge
        at = np.clip(goal, self.lower, self.upper)
        product = self.hessian.forward(at)
        separate = 0.5 * float(at @ (ridge * at))
        bound = float(slope @ at) + separate - 0.5 * float(alpha @ alpha)
        change = float(self.slope @ at) + separate + 0.5 * float(product @ product)
        if change < self.change:
            self.at, self.change = at, change
        return bound, product - alpha, (self.lower < goal) & (goal < self.upper)
