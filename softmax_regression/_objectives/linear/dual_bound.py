r"""The certificate of a penalised problem: an upper bound of F − min F by the dual problem.

log Σ exp(z) ≥ q·z + H(q) for every distribution q, with H its entropy, and equal at q = softmax(z).
So for any distributions q_i whose weighted total is that of the targets in every class, minimising
over W and b gives

    F(W, b) ≥ D(q) = 1/S · Σ_i s_i H(q_i) − ‖A_q‖² / (2 l2),    A_q = 1/S · Σ_i s_i (q_i − y_i) x_iᵀ

which is the dual of the problem (Yu, Huang and Lin, "Dual coordinate descent methods for logistic
regression and maximum entropy models", Machine Learning 85, 2011). The probabilities p_i of the
model are a candidate: at the optimum their totals are those of the targets, as ∇_b F = 0. Elsewhere
they are mixed with one fixed distribution r, ``q_i = (1 − ρ) p_i + ρ r``, with the smallest ρ for
which some r makes the totals agree. As H is concave, H(q_i) ≥ (1 − ρ) H(p_i) + ρ H(r). So given the
value and the gradient, the bound takes a few operations on arrays of the size of W.

If a Newton step Δ = −H⁻¹ g is known, a better candidate is q_i = p_i + J_i Δ x_i, the probabilities
after the step to first order, with J_i = diag(p_i) − p_i p_iᵀ. Their totals are those of the
targets, and A_q = −l2 (W + Δ), as the gradient after the step is 0 to first order. With
q_ik = p_ik (1 + ε_ik), F − D(q) is the sum of l2/2 ‖Δ‖² and the mean of

    KL(q_i ‖ p_i) = Σ_k p_ik ((1 + ε_ik) log(1 + ε_ik) − ε_ik) ≤ φ(τ) Σ_k p_ik ε_ik²

with φ(τ) = ((1 − τ) log(1 − τ) + τ) / τ² if no ε_ik is below −τ, because the bracket over ε²
decreases in ε. The largest change by the step of a difference of two scores of a row is such a τ.
Both terms together are at most 2 φ(τ) times the Newton decrement ½ gᵀ H⁻¹ g, which is hardly more
than the decrement near the minimum.

The penalty Ω enters only by its conjugate Ω*. With A the gradient of the loss in W, F − D(q) is a
sum of small terms. One of them is the gap of the Fenchel-Young inequality,
Ω(W) + Ω*(−A_q) + A_q·W. If Ω* may be infinite, as for a lasso without a ridge, the distributions
are mixed with the targets, ``(1 − β) q + β y``, which scales A_q by 1 − β and keeps the totals of
classes; again the concavity of H is used. With a ridge that may improve the bound as well, and the
smaller of the bounds is returned (E. Ndiaye, O. Fercoq, A. Gramfort and J. Salmon, "Gap safe
screening rules for sparsity enforcing penalties", JMLR 18, 2017).

In other coordinates z replaces x, and each column has its own l2, the objective's `ridge`.
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
_FAR_STEP = 1.0  # Nats; Newton steps of the intercept are inaccurate beyond this length.
_LEAST_SHARE = float(np.finfo(np.float64).tiny)  # Least share of a class, to avoid logarithms of 0.
_SHORT_STEP = 1e-6  # Nats; a step of the intercept that changes F by no more than rounding errors.
_LEAST_CHANGE = 1e-4  # Nats; for smaller changes φ is computed at this one, where it is nearly 1/2.
_RELATIVE_ROUNDING = 64 * float(np.finfo(np.float64).eps)  # Largest error of a sum.
_UNDERFLOW = float(np.finfo(np.float64).tiny)  # Largest absolute error by underflow.
_NONE = np.zeros(0)
_SLOPE_NOISE = 1e-14  # Error of a slope for each unknown, of sums and of solutions with a factor.


class Conjugate(Protocol):
    """The methods of a penalty Ω, including the ridge, that the bound uses.

    Attributes
    ----------
    always_finite : bool
        Whether `conjugate_gap` is finite for all slopes, so that they need not be shrunk.
    """

    always_finite: bool

    def value(self, coef: Array) -> float:
        """Return Ω(W)."""

    def conjugate_gap(self, coef: Array, slopes: Array) -> float:
        """Return Ω(W) + Ω*(−A) + A·W, for the gradient A + r W of loss and ridge."""

    def shrinkages(self, slopes: Array) -> tuple[float, ...]:
        """Return the shares β to try, by which the gradient A of the loss is shrunk."""


class Smooth(ObjectiveOfRows, Protocol):
    """The members of F that the bound uses; see `cross_entropy.py` for their meaning."""

    ridge: Array

    def for_rows(self, params: Array) -> Array: ...

    def largest_change(self, direction: Array) -> float: ...


class Certified(Protocol):
    """A problem with a dual bound: a smooth objective F, and the whole penalty.

    Gradients are those of F; values include the part of the penalty that is not in F.
    """

    @property
    def smooth(self) -> Smooth: ...

    @property
    def conjugate(self) -> Conjugate: ...

    def evaluate(self, params: Array) -> Evaluation: ...


def dual_gap(problem: Certified, at: Evaluation, enough: float, sharp: bool) -> float:
    """Bound F − min F.

    The first bound is that of the model's probabilities, which takes no pass over X. If it exceeds
    `enough`, perhaps only because of the intercept, the second is that of the probabilities at the
    best intercept for the same W, which takes a few passes.

    Parameters
    ----------
    problem : Certified
        F and its penalty.
    at : Evaluation
        The evaluation at the point.
    enough : float
        A bound that is small enough.
    sharp : bool
        Whether to take the passes even if the second bound is not expected to be below `enough`.
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
    """Bound F − min F after a few steps of the intercept, all with the Hessian at the start."""
    smooth, there, gap = problem.smooth, at, np.inf
    _, hessian = intercept_hessian(smooth.data, smooth.for_rows(at.params), at.probabilities)
    for _ in range(_STEPS_BY_ONE_HESSIAN):
        excess = _excess(smooth, smooth.layout.unpack(there.gradient)[1])
        if not np.isfinite(excess).all():  # Scores have overflowed, and the bound is infinite.
            break
        there = problem.evaluate(_stepped(smooth, there.params, _step(smooth, excess, hessian)))
        gap = min(gap, _gap_from(problem, there, at.value))
        if gap <= enough:
            break
    return gap


def _gap_from(problem: Certified, there: Evaluation, value: float) -> float:
    """Bound a value less min F by an evaluation elsewhere; inf if F is larger there."""
    if not there.value <= value * (1 + 64 * np.finfo(problem.smooth.data.dtype).eps):
        return np.inf
    return max(value - there.value, 0.0) + gap_at(problem, there)


def gap_at(problem: Certified, at: Evaluation) -> float:
    """Return F − D(q) for the q of the module's text, as a sum of small terms."""
    smooth, penalty = problem.smooth, problem.conjugate
    coef, intercept = smooth.layout.unpack(at.params)
    slopes, intercept_slope = smooth.layout.unpack(at.gradient)
    rho, share, share_entropy = 0.0, _NONE, 0.0
    if smooth.layout.fit_intercept:  # Without an intercept the totals need not agree.
        rho, share, share_entropy = _repair_totals(smooth, _excess(smooth, intercept_slope))
    if rho == 0 and penalty.always_finite:
        return settled(penalty.conjugate_gap(coef, slopes), at.value)
    ridge_slopes = smooth.ridge[: coef.shape[1]] * coef
    slopes = slopes - ridge_slopes  # The slopes of the loss alone.
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
    """Estimate `gap_at` at the best intercept, nearly from below."""
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
    """Estimate the slopes in W at the best intercept, and the decrease of F."""
    slopes, intercept_slope = smooth.layout.unpack(gradient)
    if not smooth.layout.fit_intercept:
        return slopes, 0.0
    excess = _excess(smooth, intercept_slope)
    # An error of the intercept changes the other slopes in proportion to the columns' means.
    slopes = slopes - np.outer(excess, row_mean(smooth))
    shares = np.maximum(smooth.data.class_shares[-len(excess) :], _LEAST_SHARE)
    with np.errstate(over="ignore"):  # The share of a rare class may be tiny.
        gain = np.square(excess) / (2 * shares)
    return slopes, float(gain.sum())


def gap_after_newton(smooth: Smooth, params: Array, step: Array, decrement: float) -> float:
    """Return F − D(q) for the q of a Newton step, plus a bound of its rounding errors."""
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
    """Return the excess of the predicted share of each class over that of the targets."""
    return intercept_slope / smooth.row_map.intercept_entry


def _with_best_intercept(smooth: Smooth, params: Array) -> Array:
    """Minimise over the intercept alone, by Newton's method from a point that is close."""
    for _ in range(_MAX_INTERCEPT_STEPS):
        excess, hessian = intercept_hessian(smooth.data, smooth.for_rows(params))
        if not np.isfinite(excess).all():  # Scores have overflowed, and the bound is infinite.
            break
        step = _step(smooth, excess, hessian)
        params = _stepped(smooth, params, step)
        if np.abs(step).max() < _SHORT_STEP:
            break
    return params


def _step(smooth: Smooth, excess: Array, hessian: InterceptHessian) -> Array:
    """Return the next step of the intercept.

    If the predicted share of a class is far too large or small, it is that of iterative scaling.
    """
    scaling = _scaling_step(smooth.data.class_shares, excess)
    return scaling if np.abs(scaling).max() > _FAR_STEP else hessian.step(excess)


def _stepped(smooth: Smooth, params: Array, step: Array) -> Array:
    """Return the parameters after a step of the intercept."""
    params = params.copy()
    smooth.layout.unpack(params)[1][...] += step / smooth.row_map.intercept_entry
    return params


def _scaling_step(shares: Array, excess: Array) -> Array:
    """Return the logarithms of the classes' shares over the predicted ones, which never raise F.

    J. Darroch and D. Ratcliff, "Generalized iterative scaling for log-linear models", Annals of
    Mathematical Statistics 43, 1972.
    """
    predicted = _predicted_shares(shares, _of_each_class(excess))
    step = np.log(np.maximum(shares, _LEAST_SHARE)) - np.log(predicted)
    return step[1:] - step[:1] if len(excess) == 1 else step - step.mean()


def _of_each_class(excess: Array) -> Array:
    """Return the excess of each class for that of each output."""
    # Two classes have a single output, for the second.
    return np.concatenate([-excess, excess]) if len(excess) == 1 else excess


def _repair_totals(smooth: Smooth, excess: Array) -> tuple[float, Array, float]:
    """Return the smallest ρ, r for each output, and the entropy of r."""
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
    """Return the predicted share of each class, positive, for the shares of the targets."""
    return np.maximum(shares + excess, _LEAST_SHARE)


def settled(gap: float, size: float) -> float:
    """Return a bound plus its rounding error; inf if it is invalid.

    A bound that is negative by more than rounding errors comes from dual variables that are not
    distributions.

    Parameters
    ----------
    gap : float
        The bound, which is a sum of terms.
    size : float
        The size of these terms.
    """
    if gap < -_RELATIVE_ROUNDING * size:
        return np.inf
    rounding = float(np.finfo(np.float64).eps) * size + _UNDERFLOW
    return max(gap, 0.0) + rounding
