r"""The certificate if some features have no penalty, or if there are offsets.

`dual_bound.py` mixes the model's probabilities with one distribution so that the totals are those
of the targets. That is not enough if features have no penalty, because their moments must agree as
well. Nor does it work with offsets, because the entropy of the probabilities then does not follow
from value and gradient. Here a Newton step Δ in everything without a penalty, including the
intercept, is computed by conjugate gradients, and q are the probabilities after it to first order,
as in `newton_dual.py`. Their moments agree up to a difference that is part of the bound.

For any q, with A_q the moments and CE the mean cross-entropy, F − D(q) is the sum of the mean
KL(q_i ‖ p_i) and the gap of the Fenchel-Young inequality for features with a penalty; offsets
cancel. If q is mixed with a share β of the targets, which scales A_q by 1 − β and is necessary if
Ω* may be infinite, it is at most

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

_MAX_STEPS = 3  # Largest number of Newton steps in the unknowns without a penalty.
_MAX_PRODUCTS = 200  # Largest number of products of conjugate gradients for a step.
_LEAST_CURVATURE = 16 * float(np.finfo(np.float64).eps)  # A rounding error of a curvature of 1.
# Factor of the distance in which the minimum is assumed to lie. Differences of moments are rounding
# errors unless conjugate gradients end because there is no curvature; then the minimum may be far.
FARTHER = 100.0
_SHARE_OF_GAP = 0.01  # Share of a sufficient bound that differences of moments may add.
# Share of the distance of the minimum that differences of moments may add to the sharpest bound.
_RELATIVE_ROUNDING = 1e-15


class PartialConjugate(Conjugate, Protocol):
    """The whole penalty, which some features may lack."""

    @property
    def unpenalized(self) -> NDArray[np.bool_] | None: ...

    def select(self, columns: NDArray[np.intp]) -> Conjugate: ...


class SmoothWithProducts(Smooth, SummedObjective, Protocol):
    """F with products with its Hessian."""

    def hessian_product(self, at: Evaluation, direction: Array) -> Array: ...


class PartlyPenalized(Protocol):
    """A problem with a bound: F, the whole penalty, and their sum."""

    @property
    def smooth(self) -> SmoothWithProducts: ...

    @property
    def conjugate(self) -> PartialConjugate: ...

    def evaluate(self, params: Array) -> Evaluation: ...


class FreeStepBound:
    """Bounds F − min F at points of a problem.

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

        With ``sharp=False`` the bound of the model's probabilities is returned if it is at most
        `enough`, or if a step is not expected to bring it there.
        """
        gap, there = self._first(at), at
        if not sharp and (gap <= enough or self._expected(at) > enough):
            return gap
        for _ in range(_MAX_STEPS):
            if not there.value <= at.value:  # The step has raised F.
                break
            step = self._step(there, 0.0 if sharp else enough)
            gap = min(gap, at.value - there.value + self._gap(there, step))
            if gap <= enough or not step.any():
                break
            there = self.problem.evaluate(there.params + step)
        return gap

    def _first(self, at: Evaluation) -> float:
        """Bound F − min F by the model's probabilities, without a pass over the rows."""
        layout, ridge = self.smooth.layout, self.smooth.ridge
        moments = layout.matrix(at.gradient) - ridge * layout.matrix(at.params)
        return self._of_moments(at, moments, 0.0, np.zeros_like(at.params))

    def _expected(self, at: Evaluation) -> float:
        """Estimate the bound after a step, for a curvature of 1 in unknowns without a penalty."""
        slopes, gain = slopes_at_best_intercept(self.smooth, at.gradient)
        free = self._free[: slopes.shape[1]]
        slopes = slopes - self.smooth.ridge[: slopes.shape[1]] * self._coef(at.params)
        gain += 0.5 * float(np.square(slopes[:, free]).sum())
        return self._bound(at, slopes, gain, 0.0)

    def _step(self, at: Evaluation, enough: float) -> Array:
        """Return a Newton step in the unknowns without a penalty."""
        free = np.broadcast_to(self._free, self.smooth.layout.matrix(at.params).shape).ravel()
        distance = FARTHER * reach(at.params, np.zeros(1))
        left = max(_SHARE_OF_GAP * enough, _RELATIVE_ROUNDING * float(distance[free].sum()))
        return conjugate_gradients(
            lambda direction: free * self.smooth.hessian_product(at, direction),
            np.where(free, -at.gradient, 0.0),
            lambda residual, square, gain: float(np.abs(residual) @ distance) <= left,
            max_products=min(_MAX_PRODUCTS, int(free.sum())),
            least_curvature=_LEAST_CURVATURE,
        ).step

    def _gap(self, at: Evaluation, step: Array) -> float:
        """Bound F − min F by the distributions after a step."""
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
        """Return the bound of the module's text for slopes of the loss; `left` is added to KL."""
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
