r"""Cross-entropy of a linear model whose coefficients keep within bounds.

    min F(W, b)  where  L ≤ W ≤ U,    F = 1/S · Σ_i s_i CE_i + l2/2 · ‖W‖²

entry by entry; b is free. In the coordinates of `coordinates.py` each column of W, L and U is
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

# Coefficients for each row and output from which models are minimised by their duals.
_WIDE_RATIO = 2


class BoundedCrossEntropy:
    """F within a box.

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
        """Whether a penalty, or bounds on all sides, keep W finite, and scores are the model's."""
        if self.smooth.data.has_offset:
            return False
        sides = [self.smooth.layout.unpack(side)[0] for side in self.box]
        penalized = self.smooth.l2 > 0 and self.smooth.penalty.unpenalized is None
        return penalized or bool(np.isfinite(sides).all())

    @cached_property
    def is_wide(self) -> bool:
        """Whether the rows, one for each output, are far fewer than the coefficients."""
        smooth = self.smooth
        few = _WIDE_RATIO * smooth.width * smooth.data.n_rows <= self.n_params
        penalized = smooth.l2 > 0 and smooth.penalty.unpenalized is None
        return few and penalized and isinstance(smooth.design, DenseDesign)

    @property
    def order(self) -> int:
        """The largest of the matrices that Newton's method factors."""
        return self.smooth.width * self.smooth.data.n_rows if self.is_wide else self.n_params

    def within(self, params: Array) -> Array:
        """Return the nearest parameters within the bounds."""
        return np.clip(params, *self.box)

    def free(self, params: Array, gradient: Array) -> NDArray[np.bool_]:
        """Return which parameters the gradient does not press against a bound that they are at."""
        lower, upper = self.box
        held = (params <= lower) & (gradient >= 0)
        held |= (params >= upper) & (gradient <= 0)
        return ~held

    def max_step(self, params: Array, direction: Array) -> float:
        """Return how many times a direction can be gone within the bounds."""
        lower, upper = self.box
        moving = np.flatnonzero(direction)
        there = direction[moving]
        bound = np.where(there > 0, upper[moving], lower[moving])
        return float(((bound - params[moving]) / there).min(initial=np.inf))

    def largest_change(self, direction: Array) -> float:
        """Return by how much a step changes the scores of a row, one class against another."""
        return self.smooth.largest_change(direction)

    def chosen(self, params: Array, gradient: Array) -> NDArray[np.bool_]:
        """Return the entries of (W, b) that a model of F is made of.

        The same added to all intercepts changes nothing: the last one is left out.
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
        """Return whether the parameters tell all classes apart."""
        return self.smooth.separates(params)
