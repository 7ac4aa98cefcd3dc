r"""The certificate where the model's own probabilities do not make a dual point.

That of `dual_bound.py` mixes them with one distribution, so that totals agree with the targets'.
It does not do where features have no penalty, as moments have to agree in these too; nor where
scores that are known beforehand (offsets) are added, as the entropy of the probabilities then no
longer follows from value and gradient. Here a Newton step Δ is taken in all that has no penalty,
the intercept included, by conjugate gradients, and q is what it makes of the probabilities, as in
`newton_dual.py`: its moments agree but for what is counted there.

For any q, with A_q the moments and CE the mean cross-entropy, F − D(q) is, of features with a
penalty, the mean KL(q_i ‖ p_i) and what Fenchel and Young's inequality leaves; known scores cancel
out. Drawn towards the targets by a part β, which scales A_q by 1 − β and where Ω* may be infinite
is needed, it is at most

    (1 − β) KL + β (CE − H(y)) + [Ω(W) + Ω*(−(1 − β) A_q) + (1 − β) A_q·W]

No term is negative, and all fall to 0 at the minimum.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.conjugate_gradients import conjugate_gradients
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.dual_bound import (
    Conjugate,
    Smooth,
    settled,
    slopes_at_best_intercept,
)
from softmax_regression._objectives.linear.newton_dual import SummedObjective, newton_dual, reach

_MOST_STEPS = 3  # Newton steps in what has no penalty, each from where the last one leads to.
_MOST_PRODUCTS = 200  # Of conjugate gradients, for a step.
_LEAST_CURVATURE = 16 * float(np.finfo(np.float64).eps)  # Less is a rounding error beside 1.
# Moments that are left over are rounding errors, unless conjugate gradients ended where there is no
# curvature: there the minimum may be far.
FARTHER = 100.0
_SHARE_OF_GAP = 0.01  # What moments that are left over may add to a bound that would do.
_ROUNDING = 1e-15  # Of the size of the unknowns, what they may add to the sharpest bound.


class PartialConjugate(Conjugate, Protocol):
    """The whole penalty, of features of which some may have none."""

    @property
    def unpenalized(self) -> NDArray[np.bool_] | None: ...

    def select(self, columns: NDArray[np.intp]) -> Conjugate: ...


class SmoothWithProducts(Smooth, SummedObjective, Protocol):
    """F, which multiplies by its Hessian."""

    def hessian_product(self, at: Evaluation, direction: Array) -> Array: ...


class PartlyPenalized(Protocol):
    """A problem whose minimum is bounded: F, the whole penalty, and their sum."""

    @property
    def smooth(self) -> SmoothWithProducts: ...

    @property
    def conjugate(self) -> PartialConjugate: ...

    def evaluate(self, params: Array) -> Evaluation: ...


class FreeStepBound:
    """Bounds of F − min F at some points.

    Parameters
    ----------
    problem : PartlyPenalized
        F and its penalty.
    """

    def __init__(self, problem: PartlyPenalized):
        self.problem = problem
        self.smooth = problem.smooth
        layout, penalty = self.smooth.layout, problem.conjugate
        free = np.zeros(layout.n_columns, dtype=bool)
        free[layout.n_features :] = True
        if penalty.unpenalized is not None:
            free[: layout.n_features] = penalty.unpenalized
        self._free = free
        self._penalized = np.flatnonzero(~free)
        self._penalty = penalty.select(self._penalized)

    def __call__(self, at: Evaluation, enough: float, sharp: bool) -> float:
        """Bound F − min F.

        Unless that is to be sharp, the model's own probabilities do where they prove enough, or
        where a step is not expected to.
        """
        gap, there = self._first(at), at
        if not sharp and (gap <= enough or self._expected(at) > enough):
            return gap
        for _ in range(_MOST_STEPS):
            if not there.value <= at.value:  # a step went astray
                break
            step = self._step(there, 0.0 if sharp else enough)
            gap = min(gap, at.value - there.value + self._gap(there, step))
            if gap <= enough or not step.any():
                break
            there = self.problem.evaluate(there.params + step)
        return gap

    def _first(self, at: Evaluation) -> float:
        """Bound F − min F by the probabilities there, which takes no pass over the rows."""
        layout, ridge = self.smooth.layout, self.smooth.ridge
        moments = layout.matrix(at.gradient) - ridge * layout.matrix(at.params)
        return self._of_moments(at, moments, 0.0, np.zeros_like(at.params))

    def _expected(self, at: Evaluation) -> float:
        """Estimate the bound where the curvature in what has no penalty is about 1."""
        slopes, gain = slopes_at_best_intercept(self.smooth, at.gradient)
        free = self._free[: slopes.shape[1]]
        slopes = slopes - self.smooth.ridge[: slopes.shape[1]] * self._coef(at.params)
        gain += 0.5 * float(np.square(slopes[:, free]).sum())
        return self._bound(at, slopes, gain, 0.0)

    def _step(self, at: Evaluation, enough: float) -> Array:
        """Return a Newton step in what has no penalty."""
        free = np.broadcast_to(self._free, self.smooth.layout.matrix(at.params).shape).ravel()
        distance = FARTHER * reach(at.params, np.zeros(1))
        left = max(_SHARE_OF_GAP * enough, _ROUNDING * float(distance[free].sum()))
        return conjugate_gradients(
            lambda direction: free * self.smooth.hessian_product(at, direction),
            np.where(free, -at.gradient, 0.0),
            lambda residual, square, gain: float(np.abs(residual) @ distance) <= left,
            max_products=min(_MOST_PRODUCTS, int(free.sum())),
            least_curvature=_LEAST_CURVATURE,
        ).step

    def _gap(self, at: Evaluation, step: Array) -> float:
        """Bound F − min F by the distributions that a step leads to."""
        divergence, moments = newton_dual(self.smooth, at.params, step)
        return self._of_moments(at, self.smooth.layout.matrix(moments), divergence, step)

    def _of_moments(self, at: Evaluation, moments: Array, divergence: float, step: Array) -> float:
        """Bound F − min F by distributions with these moments."""
        layout = self.smooth.layout
        distance = FARTHER * layout.matrix(reach(at.params, step))
        left = float((np.abs(moments) * distance)[:, self._free].sum())
        lost = np.flatnonzero(self._free[: layout.n_features])  # a penalty lost in rounding errors
        left += self.problem.conjugate.select(lost).value(self._coef(at.params)[:, lost])
        return self._bound(at, moments[:, : layout.n_features], divergence, left)

    def _bound(self, at: Evaluation, slopes: Array, divergence: float, left: float) -> float:
        """Return the module's formula for the slopes of the loss, with what is left over."""
        coef = self._coef(at.params)
        loss = at.value - self.problem.conjugate.value(coef)
        coef, slopes = coef[:, self._penalized], slopes[:, self._penalized]
        ridge_slopes = self.smooth.ridge[self._penalized] * coef
        bounds = []
        for beta in self._penalty.shrinkages(slopes):
            terms = (
                (1 - beta) * (divergence + left),
                beta * (loss - self.smooth.data.target_entropy()) if beta else 0.0,
                self._penalty.conjugate_gap(coef, (1 - beta) * slopes + ridge_slopes),
            )
            bounds.append(settled(sum(terms), at.value + max(map(abs, terms))))
        return min(bounds)

    def _coef(self, params: Array) -> Array:
        return self.smooth.layout.unpack(params)[0]
