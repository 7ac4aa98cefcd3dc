r"""The certificate: how far F is above its minimum, at most.

log Σ exp(z) ≥ q·z + H(q) for every distribution q, with H its entropy, and equal at q = softmax(z).
So for any distributions q_i whose weighted total is that of the targets in every class, minimising
over W and b gives

    F(W, b) ≥ D(q) = 1/S · Σ_i s_i H(q_i) − ‖A_q‖² / (2 l2),    A_q = 1/S · Σ_i s_i (q_i − y_i) x_iᵀ

which is the dual of the problem (Yu, Huang and Lin, "Dual coordinate descent methods for logistic
regression and maximum entropy models", Machine Learning 85, 2011). The model's own p_i nearly do:
at the optimum ∇_b F = 0 says that their totals agree. Elsewhere they are mixed with one fixed
distribution r, ``q_i = (1 − ρ) p_i + ρ r``, with the smallest ρ for which an r exists that repairs
the totals. As H is concave, H(q_i) ≥ (1 − ρ) H(p_i) + ρ H(r): the bound takes a few operations on
arrays of the size of W, given the value and the gradient.

Where a Newton step Δ = −H⁻¹ g is known, there is a better one: q_i = p_i + J_i Δ x_i, what the step
makes of p_i to first order, J_i = diag(p_i) − p_i p_iᵀ. Their totals agree with the targets', and
A_q = −l2 (W + Δ), as the gradient after the step would be 0. With q_ik = p_ik (1 + ε_ik), F − D(q)
is l2/2 ‖Δ‖² and the mean of

    KL(q_i ‖ p_i) = Σ_k p_ik ((1 + ε_ik) log(1 + ε_ik) − ε_ik) ≤ φ(τ) Σ_k p_ik ε_ik²

with φ(τ) = ((1 − τ) log(1 − τ) + τ) / τ² if no ε_ik is below −τ, as the bracket over ε² falls with
ε. For τ may stand the longest step in the scores of a row, of one class against another. Both terms
together are at most 2 φ(τ) times the Newton decrement ½ gᵀ H⁻¹ g: near the minimum, hardly more.

In other coordinates x is z and each column has its own l2, the objective's `ridge`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from softmax_regression._losses.pointwise import PointwiseLoss
from softmax_regression._objectives.linear.intercept import Intercept

Array = NDArray[Any]

_INTERCEPT_STEPS = 10
_WITH_OLD = 2
_FAR_STEP = 1.0  # nats: beyond that Newton's steps in the intercept are too long or too short
_LEAST_SHARE = float(np.finfo(np.float64).tiny)  # of a class
_SHORT_STEP = 1e-6  # nats: the square of that is a rounding error
_SHORTEST_STEP = 1e-4  # nats: below, φ is 1/2 but for rounding
_ROUNDING_ERRORS = 64 * float(np.finfo(np.float64).eps)  # of a sum, relative to its terms, at most
_UNDERFLOW = float(np.finfo(np.float64).tiny)  # what smaller numbers lose of their digits
_NOISE = 1e-14  # of a slope, for each unknown: of sums, and of solving with a factor


class PenalizedCrossEntropy(Protocol):
    """What the bound asks of an objective; see `cross_entropy.py` for what each member is."""

    loss: PointwiseLoss
    intercept: Intercept
    l2: float
    ridge: Array
    fit_intercept: bool
    intercept_entry: float
    width: int
    n_columns: int

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def unpack(self, params: Array) -> tuple[Array, Array]: ...

    def value_and_gradient(self, params: Array) -> tuple[float, Array]: ...

    def largest_change(self, direction: Array) -> float: ...

    def renew_intercept(self, params: Array) -> Array: ...

    def row_mean(self) -> Array: ...

    def target_mean(self) -> Array: ...


class DualBound:
    """F − D(q) at the points a solver asks about.

    Parameters
    ----------
    objective : PenalizedCrossEntropy
        F, with a penalty.
    """

    def __init__(self, objective: PenalizedCrossEntropy):
        self.objective = objective
        self._worth_refining = np.inf  # how small a hopeful estimate of the gap has to be

    def of(self, objective: PenalizedCrossEntropy) -> DualBound:
        """Return that of an objective which differs in l2 alone, with the means that are known."""
        other = DualBound(objective)
        means = "_row_mean", "_target_mean"
        vars(other).update({name: vars(self)[name] for name in means if name in vars(self)})
        return other

    def gap(self, params: Array, value: float, gradient: Array, enough: float) -> float:
        """Bound F − min F.

        First with the model's probabilities at `params`, which is free. If it may be only the
        intercept that keeps that above `enough`, then with those at the best intercept for the same
        W, which takes a few passes over X. ``enough=inf`` asks for the sharpest bound.
        """
        gap = self.free(params, value, gradient)
        if not self.objective.fit_intercept or gap <= enough < np.inf:
            return gap
        hopeful = self._hopeful(params, gradient)
        if enough < np.inf and hopeful > min(enough, self._worth_refining):
            return gap
        if enough < np.inf and self.objective.intercept.curvature is not None:
            at, slopes = params, gradient
            for _ in range(_WITH_OLD):  # steps by an older Hessian: it may do
                excess = self._excess(self.objective.unpack(slopes)[1])
                at = self._stepped(at, self.objective.intercept.step(excess))
                refined, slopes = self._elsewhere(at, value)
                if refined <= enough:
                    return refined
        refined, _ = self._elsewhere(self._with_best_intercept(params, enough), value)
        if np.isinf(refined):
            return gap
        if enough < refined:  # the next attempt has to look better by as much as this one failed
            self._worth_refining = hopeful * enough / refined
        return min(gap, refined)

    def _elsewhere(self, params: Array, value: float) -> tuple[float, Array]:
        """Return F − D, for a value given, with D taken elsewhere, and the slopes there."""
        best, gradient = self.objective.value_and_gradient(params)
        if not best <= value * (1 + 64 * np.finfo(self.objective.dtype).eps):
            return np.inf, gradient  # Newton's method went astray
        return max(value - best, 0.0) + self.free(params, best, gradient), gradient

    def free(self, params: Array, value: float, gradient: Array) -> float:
        """F − D(q) for the q of the module's text, as a sum of small terms, not as a difference."""
        objective = self.objective
        coef, intercept = objective.unpack(params)
        coef_slope, intercept_slope = objective.unpack(gradient)
        rho, repair, repair_entropy = 0.0, np.zeros(0), 0.0
        if objective.fit_intercept:  # else there are no totals to agree
            rho, repair, repair_entropy = self._repair_totals(self._excess(intercept_slope))
        if rho == 0:
            return settled(self._penalty_gap(coef, coef_slope), value)
        penalty = objective.ridge[: coef.shape[1]] * coef
        loss_slope = coef_slope - penalty
        correction = rho * (repair[:, None] * self._row_mean - loss_slope - self._target_mean)
        along = float(np.vdot(loss_slope, coef) + intercept_slope @ intercept)
        entropy = value - float(np.vdot(penalty, coef)) / 2 - along
        terms = (
            self._penalty_gap(coef, coef_slope + correction),
            -float(np.vdot(correction, coef)),
            float(intercept_slope @ intercept),
            rho * (entropy - repair_entropy),
        )
        return settled(sum(terms), value + max(map(abs, terms)))

    def after_newton(self, params: Array, step: Array, decrement: float) -> float:
        """F − D(q) for the q that a Newton step leads to, with what rounding may have spoiled."""
        objective = self.objective
        change = max(objective.largest_change(step), _SHORTEST_STEP)
        if not change < 1:
            return np.inf
        phi = ((1 - change) * float(np.log1p(-change)) + change) / change**2
        noise = _NOISE * len(step) * (1 + float(np.linalg.norm(step)))
        softest = float(objective.ridge[: objective.n_columns - objective.fit_intercept].min())
        rarest = float(objective.loss.class_shares.min()) if objective.fit_intercept else np.inf
        if not (softest > 0 and rarest > 0):
            return np.inf
        slopes = len(step) * noise**2 / (2 * softest)
        totals = noise / rarest
        left = 2 * phi * decrement + slopes + totals * (1 + float(np.linalg.norm(params)))
        return left + _UNDERFLOW

    def _penalty_gap(self, coef: Array, slopes: Array) -> float:
        """What Fenchel and Young's inequality leaves of the penalty, for slopes that include it."""
        return self._half_square(slopes)

    def _half_square(self, slopes: Array) -> float:
        """Σ slope² / (2 l2), where no square of a slope underflows."""
        lengths = np.sqrt(self.objective.ridge[: slopes.shape[1]])
        with np.errstate(divide="ignore", over="ignore"):  # of a column that is hardly penalised
            terms = np.divide(slopes, lengths, out=np.zeros_like(slopes), where=slopes != 0)
            return 0.5 * float(np.vdot(terms, terms))

    def without_repair(self, gradient: Array) -> float:
        """Estimate what the gap would be at the best intercept: hardly less than this."""
        slopes, gain = self._at_best_intercept(gradient)
        return self._half_square(slopes) + gain

    def _hopeful(self, params: Array, gradient: Array) -> float:
        return self.without_repair(gradient)

    def _at_best_intercept(self, gradient: Array) -> tuple[Array, float]:
        """Estimate the slopes in W at the best intercept, and what that gains."""
        coef_slope, intercept_slope = self.objective.unpack(gradient)
        if not self.objective.fit_intercept:
            return coef_slope, 0.0
        excess = self._excess(intercept_slope)
        # What the intercept is off by shows in the other slopes by the columns' means.
        coef_slope = coef_slope - np.outer(excess, self._row_mean)
        shares = np.maximum(self.objective.loss.class_shares[-len(excess) :], _LEAST_SHARE)
        with np.errstate(over="ignore"):  # of a class that hardly occurs
            gain = np.square(excess) / (2 * shares)
        return coef_slope, float(gain.sum())

    def _excess(self, intercept_slope: Array) -> Array:
        """By how much the model's share of each class is above that of the targets."""
        return intercept_slope / self.objective.intercept_entry

    @cached_property
    def _row_mean(self) -> Array:
        return self.objective.row_mean()

    @cached_property
    def _target_mean(self) -> Array:
        return self.objective.target_mean()

    def _with_best_intercept(self, params: Array, enough: float = np.inf) -> Array:
        """Minimise over the intercept alone, by Newton's method from a point that is close.

        The next step would be the square of the last, and by as much the totals are off: where
        that has not been too much so far, it may be as large as `enough` allows. Where a class gets
        many times its share, or a small part of it, a step of iterative scaling comes first.
        """
        untried = np.isinf(self._worth_refining)
        short = max(_SHORT_STEP, 0.1 * enough**0.5) if untried and enough < np.inf else _SHORT_STEP
        for _ in range(_INTERCEPT_STEPS):
            excess = self.objective.renew_intercept(params)
            if not np.isfinite(excess).all():  # scores have overflowed: the bound proves nothing
                break
            scaling = self._scaling_step(excess)
            far = np.abs(scaling).max() > _FAR_STEP
            step = scaling if far else self.objective.intercept.step(excess)
            params = self._stepped(params, step)
            if np.abs(step).max() < short:
                break
        return params

    def _scaling_step(self, excess: Array) -> Array:
        """Return the logarithm of each class's share over the model's: it never raises F.

        J. Darroch and D. Ratcliff, "Generalized iterative scaling for log-linear models", Annals of
        Mathematical Statistics 43, 1972.
        """
        shares, excess = self.objective.loss.class_shares, self._of_each_class(excess)
        step = np.log(np.maximum(shares, _LEAST_SHARE)) - np.log(predicted_shares(shares, excess))
        return step[1:] - step[:1] if self.objective.width == 1 else step - step.mean()

    def _of_each_class(self, excess: Array) -> Array:
        """Return by how much the model's share of each class is too large, for each output's."""
        # Of two classes, the first one's score is held at 0.
        return np.concatenate([-excess, excess]) if self.objective.width == 1 else excess

    def _stepped(self, params: Array, step: Array) -> Array:
        """Return the parameters after a step of the intercept."""
        moved = params.copy()
        self.objective.unpack(moved)[1][...] += step / self.objective.intercept_entry
        return moved

    def _repair_totals(self, excess: Array) -> tuple[float, Array, float]:
        """The smallest ρ, the outputs' part of r, and the entropy of r."""
        targets, n_outputs = self.objective.loss.class_shares, len(excess)
        excess = self._of_each_class(excess)
        predicted = predicted_shares(targets, excess)
        rho = min(max(float(np.maximum.reduce(excess / predicted)), 0.0), 1.0)
        repair = np.maximum(targets - (1 - rho) * predicted, 0)
        total = float(np.add.reduce(repair))
        if rho == 0 or total == 0:
            return 0.0, np.zeros(n_outputs), 0.0
        repair /= total
        return rho, repair[-n_outputs:], float(np.add.reduce(entr(repair)))


def predicted_shares(shares: Array, excess: Array) -> Array:
    """Return the model's share of each class, positive, for those of the targets."""
    return np.maximum(shares + excess, _LEAST_SHARE)


def settled(gap: float, size: float) -> float:
    """Return a bound with what rounding may hide of it; inf if it proves nothing.

    No bound is negative but by rounding errors: if it is, the distributions of the dual are none.

    Parameters
    ----------
    gap : float
        The bound, as it comes out of a sum.
    size : float
        Of the terms that were added up.
    """
    if gap < -_ROUNDING_ERRORS * size:
        return np.inf
    rounding = float(np.finfo(np.float64).eps) * size + _UNDERFLOW
    return max(gap, 0.0) + rounding
