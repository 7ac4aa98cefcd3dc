r"""Cross-entropy of a linear model whose coefficients keep within bounds.

    min F(W, b)  where  L ≤ W ≤ U,    F = 1/S · Σ_i s_i CE_i + l2/2 · ‖W‖²

entry by entry; b is free. In the coordinates of `coordinates.py` each column of W, L and U is
multiplied by its scale, and the box stays a box. At the minimum, with A = ∇_W F,

    A = 0 between the bounds,     A ≥ 0 where W = L,     A ≤ 0 where W = U.

The certificate is the dual bound of `dual_bound.py` with the conjugate of the ridge within the box
in the place of that of the ridge. What Fenchel and Young's inequality leaves is then, entry by
entry, by how much the quadratic ``A (v − w) + r/2 (v − w)²`` can fall as v goes from w to anywhere
within its bounds (R. Rifkin and R. Lippert, "Value regularization and Fenchel duality", JMLR 8,
2007):

    d (A − r d / 2),    d = A / r, clipped to between w − u and w − l

which is A² / (2 r) where no bound is near. Without a ridge it is finite where W is bounded on the
side that A points away from. A solver is told which entries are held by their bounds, its *face*.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._data.dense import DenseDesign
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.dual_bound import DualBound
from softmax_regression._objectives.linear.newton_dual import gap_without_penalty

Array = NDArray[Any]

_WIDE = 2  # coefficients for each row and output


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
        self.box = smooth.pack(lower, -free), smooth.pack(upper, free)
        self._dual = BoundedDualBound(self)

    @cached_property
    def has_dual(self) -> bool:
        """Whether a penalty, or bounds on all sides, keep W finite."""
        sides = [self.smooth.unpack(side)[0] for side in self.box]
        return self.smooth.l2 > 0 or bool(np.isfinite(sides).all())

    @cached_property
    def is_wide(self) -> bool:
        """Whether the rows, one for each output, are far fewer than the coefficients."""
        smooth = self.smooth
        few = _WIDE * smooth.width * smooth.design.n_rows <= self.n_params
        return few and smooth.l2 > 0 and isinstance(smooth.design, DenseDesign)

    @property
    def order(self) -> int:
        """The largest of the matrices that Newton's method factors."""
        return self.smooth.width * self.smooth.design.n_rows if self.is_wide else self.n_params

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

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        """Return the objective, and the gradient of its smooth part."""
        return self.smooth.value_and_gradient(params)

    def hessian_product(self, params: Array, direction: Array) -> Array:
        """Multiply the Hessian at `params` by a direction."""
        return self.smooth.hessian_product(params, direction)

    def optimality_gap(
        self, params: Array, value: float, gradient: Array, enough: float = np.inf
    ) -> float:
        """Bound how far the objective is above its minimum: see `DualBound`."""
        return self._dual.gap(params, value, gradient, enough) if self.has_dual else np.nan

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Bound F − min F by the Newton step there."""
        return gap_without_penalty(self.smooth, params, step, self.box)

    def separates(self, params: Array) -> bool:
        """Return whether the parameters tell all classes apart."""
        return self.smooth.separates(params)


class BoundedDualBound(DualBound):
    """The dual bound of F within a box.

    Parameters
    ----------
    objective : BoundedCrossEntropy
        F and the box.
    """

    def __init__(self, objective: BoundedCrossEntropy):
        super().__init__(objective.smooth)
        self.box = objective.box

    def _hopeful(self, params: Array, gradient: Array) -> float:
        slopes, gain = self._at_best_intercept(gradient)
        return self._penalty_gap(self.objective.unpack(params)[0], slopes) + gain

    def _penalty_gap(self, coef: Array, slopes: Array) -> float:
        """Σ d (A − r d / 2); see the module's text."""
        lower, upper = (self.objective.unpack(side)[0] for side in self.box)
        ridge = self.objective.ridge[: coef.shape[1]]
        with np.errstate(divide="ignore", invalid="ignore"):
            fall = np.where(slopes == 0, 0.0, slopes / ridge)
        fall = np.clip(fall, coef - upper, coef - lower)
        return float(np.vdot(fall, slopes - 0.5 * ridge * fall))
