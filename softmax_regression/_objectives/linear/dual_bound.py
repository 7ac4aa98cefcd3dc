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

The penalty comes in by its conjugate alone. With A the gradient of the loss in W, F − D(q) is a sum
of small terms, of which one is what Fenchel and Young's inequality leaves of the penalty,
Ω(W) + Ω*(−A_q) + A_q·W. Where Ω* may be infinite, as without a ridge beside the lasso, the
distributions are drawn towards the targets, ``(1 − β) q + β y``, which scales A_q by 1 − β and
leaves the totals of classes as they are; again H is concave. With a ridge that may help too, and
the better of the bounds counts (E. Ndiaye, O. Fercoq, A. Gramfort and J. Salmon, "Gap safe
screening rules for sparsity enforcing penalties", JMLR 18, 2017).

In other coordinates x is z and each column has its own l2, the objective's `ridge`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.special import entr

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.intercept import InterceptHessian, intercept_hessian
from softmax_regression._objectives.linear.means import ObjectiveOfRows, row_mean, target_mean

_MAX_INTERCEPT_STEPS = 10
_STEPS_BY_ONE_HESSIAN = 2
_FAR_STEP = 1.0  # Nats: beyond that Newton's steps in the intercept are too long or too short.
_LEAST_SHARE = float(np.finfo(np.float64).tiny)  # Of a class.
_SHORT_STEP = 1e-6  # Nats: the square of that is a rounding error.
_LEAST_CHANGE = 1e-4  # Nats: below, φ is 1/2 but for rounding.
_ROUNDING_ERRORS = 64 * float(np.finfo(np.float64).eps)  # Of a sum, relative to its terms, at most.
_UNDERFLOW = float(np.finfo(np.float64).tiny)  # What smaller numbers lose of their digits.
_NONE = np.zeros(0)
_SLOPE_NOISE = 1e-14  # Of a slope, for each unknown: of sums, and of solving with a factor.


class Conjugate(Protocol):
    """What the bound asks of a penalty Ω, the ridge included.

    Attributes
    ----------
    always_finite : bool
        Whether `conjugate_gap` is finite for all slopes, so that they need not be made smaller.
    """

    always_finite: bool

    def value(self, coef: Array) -> float:
        """Ω(W)."""

    def conjugate_gap(self, coef: Array, slopes: Array) -> float:
        """Ω(W) + Ω*(−A) + A·W, for the gradient of loss and ridge, A + r W."""

    def shrinkages(self, slopes: Array) -> tuple[float, ...]:
        """By which parts β to try to make the gradient A of the loss smaller."""


class Smooth(ObjectiveOfRows, Protocol):
    """What the bound asks of F; see `cross_entropy.py` for what each member is."""

    ridge: Array

    def for_rows(self, params: Array) -> Array: ...

    def largest_change(self, direction: Array) -> float: ...


class Certified(Protocol):
    """A problem whose minimum is bounded: a smooth objective, F, and the whole penalty.

    Gradients are those of F; values are those of F and what else of the penalty there is.
    """

    @property
    def smooth(self) -> Smooth: ...

    @property
    def conjugate(self) -> Conjugate: ...

    def evaluate(self, params: Array) -> Evaluation: ...


def dual_gap(problem: Certified, at: Evaluation, enough: float, sharp: bool) -> float:
    """Bound F − min F.

    First with the model's probabilities, which is free. If it may be only the intercept that keeps
    that above `enough`, then with those at the best intercept for the same W, which takes a few
    passes over X.

    Parameters
    ----------
    problem : Certified
        F and its penalty.
    at : Evaluation
        Where.
    enough : float
        A bound that would do.
    sharp : bool
        Whether to take the passes even if they are not expected to lead to `enough`.
    """
    smooth = problem.smooth
    gap = gap_at(problem, at)
    if not smooth.layout.fit_intercept or (gap <= enough and not sharp):
        return gap
    if not sharp and expected_gap(problem, at) > enough:
        return gap
    enough = -np.inf if sharp else enough
    gap = min(gap, _gap_after_steps(problem, at, enough))
    if gap > enough:
        centred = problem.evaluate(_with_best_intercept(smooth, at.params))
        gap = min(gap, _gap_from(problem, centred, at.value))
    return gap


def _gap_after_steps(problem: Certified, at: Evaluation, enough: float) -> float:
    """Bound F − min F after a few steps of the intercept, all by the Hessian where they begin."""
    smooth, there, gap = problem.smooth, at, np.inf
    _, hessian = intercept_hessian(smooth.data, smooth.for_rows(at.params), at.probabilities)
    for _ in range(_STEPS_BY_ONE_HESSIAN):
        excess = _excess(smooth, smooth.layout.unpack(there.gradient)[1])
        if not np.isfinite(excess).all():  # scores have overflowed: the bound proves nothing
            break
        there = problem.evaluate(_stepped(smooth, there.params, _step(smooth, excess, hessian)))
        gap = min(gap, _gap_from(problem, there, at.value))
        if gap <= enough:
            break
    return gap


def _gap_from(problem: Certified, there: Evaluation, value: float) -> float:
    """Bound a value less min F by what is known elsewhere; inf where a step went astray."""
    if not there.value <= value * (1 + 64 * np.finfo(problem.smooth.data.dtype).eps):
        return np.inf
    return max(value - there.value, 0.0) + gap_at(problem, there)


def gap_at(problem: Certified, at: Evaluation) -> float:
    """F − D(q) for the q of the module's text, as a sum of small terms, not as a difference."""
    smooth, penalty = problem.smooth, problem.conjugate
    coef, intercept = smooth.layout.unpack(at.params)
    slopes, intercept_slope = smooth.layout.unpack(at.gradient)
    rho, share, share_entropy = 0.0, _NONE, 0.0
    if smooth.layout.fit_intercept:  # Else no totals have to agree.
        rho, share, share_entropy = _repair_totals(smooth, _excess(smooth, intercept_slope))
    if rho == 0 and penalty.always_finite:
        return settled(penalty.conjugate_gap(coef, slopes), at.value)
    ridge_slopes = smooth.ridge[: coef.shape[1]] * coef
    slopes = slopes - ridge_slopes  # Of the loss alone.
    along_intercept = float(intercept_slope @ intercept)
    entropy = at.value - penalty.value(coef) - float(np.vdot(slopes, coef)) - along_intercept
    repaired, kept = slopes, entropy
    if rho > 0:
        mixed = share[:, None] * row_mean(smooth) - target_mean(smooth)
        repaired = slopes + rho * (mixed - slopes)
        kept = entropy + rho * (share_entropy - entropy)
    bounds = []
    for beta in penalty.shrinkages(repaired):
        inside = (1 - beta) * repaired
        terms = (
            penalty.conjugate_gap(coef, inside + ridge_slopes),
            float(np.vdot(slopes - inside, coef)),
            along_intercept + entropy - kept,
            beta * (kept - smooth.data.target_entropy()) if beta else 0.0,
        )
        bounds.append(settled(sum(terms), at.value + max(map(abs, terms))))
    return min(bounds)


def expected_gap(problem: Certified, at: Evaluation) -> float:
    """Estimate what `gap_at` would be at the best intercept: hardly less than this."""
    smooth, penalty = problem.smooth, problem.conjugate
    coef, _ = smooth.layout.unpack(at.params)
    slopes, gain = slopes_at_best_intercept(smooth, at.gradient)
    if penalty.always_finite:
        return penalty.conjugate_gap(coef, slopes) + gain
    ridge_slopes = smooth.ridge[: coef.shape[1]] * coef
    slopes = slopes - ridge_slopes
    loss = at.value - penalty.value(coef)
    return gain + min(
        penalty.conjugate_gap(coef, (1 - beta) * slopes + ridge_slopes)
        + (beta * (loss - smooth.data.target_entropy()) if beta else 0.0)
        for beta in penalty.shrinkages(slopes)
    )


def slopes_at_best_intercept(smooth: Smooth, gradient: Array) -> tuple[Array, float]:
    """Estimate the slopes in W at the best intercept, and what that gains."""
    slopes, intercept_slope = smooth.layout.unpack(gradient)
    if not smooth.layout.fit_intercept:
        return slopes, 0.0
    excess = _excess(smooth, intercept_slope)
    # What the intercept is off by shows in the other slopes by the columns' means.
    slopes = slopes - np.outer(excess, row_mean(smooth))
    shares = np.maximum(smooth.data.class_shares[-len(excess) :], _LEAST_SHARE)
    with np.errstate(over="ignore"):  # of a class that hardly occurs
        gain = np.square(excess) / (2 * shares)
    return slopes, float(gain.sum())


def gap_after_newton(smooth: Smooth, params: Array, step: Array, decrement: float) -> float:
    """F − D(q) for the q that a Newton step leads to, with what rounding may have spoiled."""
    change = max(smooth.largest_change(step), _LEAST_CHANGE)
    if not change < 1:
        return np.inf
    phi = ((1 - change) * float(np.log1p(-change)) + change) / change**2
    noise = _SLOPE_NOISE * len(step) * (1 + float(np.linalg.norm(step)))
    softest, rarest = float(smooth.ridge[: smooth.layout.n_features].min()), np.inf
    if smooth.layout.fit_intercept:
        rarest = float(smooth.data.class_shares.min())
    if not (softest > 0 and rarest > 0):
        return np.inf
    slopes = len(step) * noise**2 / (2 * softest)
    totals = noise / rarest
    left = 2 * phi * decrement + slopes + totals * (1 + float(np.linalg.norm(params)))
    return left + _UNDERFLOW


# -- the intercept ---------------------------------------------------------------------------------


def _excess(smooth: Smooth, intercept_slope: Array) -> Array:
    """By how much the model's share of each class is above that of the targets."""
    return intercept_slope / smooth.row_map.intercept_entry


def _with_best_intercept(smooth: Smooth, params: Array) -> Array:
    """Minimise over the intercept alone, by Newton's method from a point that is close."""
    for _ in range(_MAX_INTERCEPT_STEPS):
        excess, hessian = intercept_hessian(smooth.data, smooth.for_rows(params))
        if not np.isfinite(excess).all():  # scores have overflowed: the bound proves nothing
            break
        step = _step(smooth, excess, hessian)
        params = _stepped(smooth, params, step)
        if np.abs(step).max() < _SHORT_STEP:
            break
    return params


def _step(smooth: Smooth, excess: Array, hessian: InterceptHessian) -> Array:
    """Return the next step of the intercept.

    Where a class gets many times its share, or a small part of it, it is one of iterative scaling.
    """
    scaling = _scaling_step(smooth.data.class_shares, excess)
    return scaling if np.abs(scaling).max() > _FAR_STEP else hessian.step(excess)


def _stepped(smooth: Smooth, params: Array, step: Array) -> Array:
    """Return the parameters after a step of the intercept."""
    params = params.copy()
    smooth.layout.unpack(params)[1][...] += step / smooth.row_map.intercept_entry
    return params


def _scaling_step(shares: Array, excess: Array) -> Array:
    """Return the logarithm of each class's share over the model's: it never raises F.

    J. Darroch and D. Ratcliff, "Generalized iterative scaling for log-linear models", Annals of
    Mathematical Statistics 43, 1972.
    """
    predicted = _predicted_shares(shares, _of_each_class(excess))
    step = np.log(np.maximum(shares, _LEAST_SHARE)) - np.log(predicted)
    return step[1:] - step[:1] if len(excess) == 1 else step - step.mean()


def _of_each_class(excess: Array) -> Array:
    """Return by how much the model's share of each class is too large, for each output's."""
    # Of two classes, the first one's score is held at 0.
    return np.concatenate([-excess, excess]) if len(excess) == 1 else excess


def _repair_totals(smooth: Smooth, excess: Array) -> tuple[float, Array, float]:
    """The smallest ρ, the outputs' part of r, and the entropy of r."""
    targets, n_outputs = smooth.data.class_shares, len(excess)
    excess = _of_each_class(excess)
    predicted = _predicted_shares(targets, excess)
    rho = min(max(float(np.maximum.reduce(excess / predicted)), 0.0), 1.0)
    repair = np.maximum(targets - (1 - rho) * predicted, 0)
    total = float(np.add.reduce(repair))
    if rho == 0 or total == 0:
        return 0.0, _NONE, 0.0
    repair /= total
    return rho, repair[-n_outputs:], float(np.add.reduce(entr(repair)))


def _predicted_shares(shares: Array, excess: Array) -> Array:
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
