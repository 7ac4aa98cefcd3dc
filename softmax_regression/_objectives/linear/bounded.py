r"""Cross-entropy of a linear model whose coefficients keep within bounds.

    min F(W, b)  where  L ≤ W ≤ U,    F = 1/S · Σ_i s_i CE_i + l2/2 · ‖W‖²

entry by entry; b has no bounds. In the coordinates of `coordinates.py` each column of W, L and U is
multiplied by its scale, and the box stays a box. At the minimum, with A = ∇_W F,

    A = 0 between the bounds,     A ≥ 0 where W = L,     A ≤ 0 where W = U.

The certificate is the dual bound of `dual_bound.py` with the conjugate of the ridge within the box
(`boxed_ridge.py`) in the place of that of the ridge. A solver is told which entries are held by
their bounds.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from softmax_regression._data.dense import DenseDesign
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.dual_bound import dual_gap
from softmax_regression._objectives.linear.newton_dual import gap_by_newton_dual
from softmax_regression._penalties.boxed_ridge import BoxedRidge

# Quadratic models are minimised by their duals if there are at least so many coefficients for each
# row and output.
_WIDE_RATIO = 2


class BoundedCrossEntropy:
    """F with bounds of W.

    Parameters
    ----------
    smooth : LinearCrossEntropy
        F.
    lower, upper : ndarray of shape (n_outputs, n_features)
        L and U in its coordinates; entries may be infinite.
    """

    def __init__(self, smooth: LinearCrossEntropy, lower: Array, upper: Array):
        self.smooth = smooth
        self.n_params = smooth.n_params
        free = np.full(smooth.width if smooth.fit_intercept else 0, np.inf)
        self.box = smooth.layout.pack(lower, -free), smooth.layout.pack(upper, free)
        self.conjugate = BoxedRidge(smooth.penalty, lower, upper)

    @cached_property
    def has_dual(self) -> bool:
        """Whether there is a dual bound: a penalty or bounds on all sides, and no offsets."""
        if self.smooth.data.has_offset:
            return False
        sides = [self.smooth.layout.unpack(side)[0] for side in self.box]
        penalized = self.smooth.l2 > 0 and self.smooth.penalty.unpenalized is None
        return penalized or bool(np.isfinite(sides).all())

    @cached_property
    def is_wide(self) -> bool:
        """Whether the rows, counted once for each output, are far fewer than the coefficients."""
        smooth = self.smooth
        few = _WIDE_RATIO * smooth.width * smooth.data.n_rows <= self.n_params
        penalized = smooth.l2 > 0 and smooth.penalty.unpenalized is None
        return few and penalized and isinstance(smooth.design, DenseDesign)

    @property
    def order(self) -> int:
        """The largest order of a matrix that Newton's method factors."""
        return self.smooth.width * self.smooth.data.n_rows if self.is_wide else self.n_params

    def within(self, params: Array) -> Array:
        """Return the nearest parameters within the bounds."""
        return np.clip(params, *self.box)

    def free(self, params: Array, gradient: Array) -> NDArray[np.bool_]:
        """Return which parameters are free: descent does not press them against their bounds."""
        lower, upper = self.box
        held = (params <= lower) & (gradient >= 0)
        held |= (params >= upper) & (gradient <= 0)
        return ~held

    def max_step(self, params: Array, direction: Array) -> float:
        """Return the largest multiple of a direction that stays within the bounds."""
        lower, upper = self.box
        moving = np.flatnonzero(direction)
        there = direction[moving]
        bound = np.where(there > 0, upper[moving], lower[moving])
        return float(((bound - params[moving]) / there).min(initial=np.inf))

    def largest_change(self, direction: Array) -> float:
        """Return the largest change by a step of a difference of two scores of a row."""
        return self.smooth.largest_change(direction)

    def chosen(self, params: Array, gradient: Array) -> NDArray[np.bool_]:
        """Return the entries of (W, b) that a quadratic model of F includes: the free ones.

        Adding the same number to all intercepts does not change F, so the last one is left out.
        """
        entries = self.smooth.matrix(self.free(params, gradient)).copy()
        if self.smooth.fit_intercept and self.smooth.width > 1:
            entries[-1, -1] = False
        return entries

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate the objective, and the gradient of its smooth part."""
        return self.smooth.evaluate(params)

    def hessian_product(self, at: Evaluation, direction: Array) -> Array:
        """Multiply the Hessian there by a direction."""
        return self.smooth.hessian_product(at, direction)

    def certify(self, at: Evaluation, enough: float, sharp: bool) -> float:
        """Bound how far the objective is above its minimum."""
        return dual_gap(self, at, enough, sharp) if self.has_dual else np.nan

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Bound F − min F by the Newton step there."""
        return gap_by_newton_dual(self.smooth, params, step, self.box)

    def separates(self, params: Array) -> bool:
        """Return whether the parameters separate all classes."""
        return self.smooth.separates(params)
