r"""Proximal Newton for F + Ω, with a smooth convex F and a lasso or group lasso penalty Ω.

Each iteration minimises a quadratic model of F plus Ω itself, and then searches on the line between
the current point and that minimum (J. Lee, Y. Sun and M. Saunders, "Proximal Newton-type methods
for minimizing composite functions", SIAM J. Optimization 24, 2014). Close to the solution the zeros
and signs no longer change, and the method converges as Newton's method does. Four techniques make
iterations cheap and effective:

- *Working sets.* The model contains only the coefficients that are not 0 and those whose slope
  exceeds what Ω allows. Those with the steepest slopes come first, and at most as many are added as
  there are already (a few times as many where the model's Hessian is an operator).
- *Continuation.* A fit starts with Ω multiplied by a factor, which is nearly so large that all
  coefficients are 0, and falls to 1 with the iterations. So the working set grows along the path of
  solutions, steps stay so short that the model is accurate, and early Hessians are small.
- *Rough models.* Hessians are summed over a sample of the rows until that does not serve (R. Byrd,
  G. Chin, W. Neveitt and J. Nocedal, "On the use of stochastic Hessian information in optimization
  methods for machine learning", SIAM J. Optimization 21, 2011), used again after secant updates
  (`model_hessian.py`), and operators where they are large (`working_set.py`).
- *Damping.* A multiple of the identity in proportion to the norm of the subgradient is added to
  the model's Hessian. So steps stay finite where the Hessian is singular, as in the directions that
  change all classes alike, and convergence remains quadratic (M.-C. Yue, Z. Zhou and A. So, "A
  family of inexact SQA methods for non-smooth convex minimization", Mathematical Programming 174,
  2019). More damping is added after F has exceeded the model, which happens where a step moves
  probabilities towards ½ and thereby increases the curvature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.sparse import SparseCrossEntropy
from softmax_regression._penalties.lasso import Penalty
from softmax_regression._solvers.convergence import Proposal
from softmax_regression._solvers.loop import Stopping, minimize
from softmax_regression._solvers.proximal_newton.active_set import minimize_model
from softmax_regression._solvers.proximal_newton.model_hessian import (
    ModelHessians,
    Place,
    flat_penalty,
)
from softmax_regression._solvers.proximal_newton.quadratic import Quadratic
from softmax_regression._solvers.result import SolverResult

# In the continuation, each iteration divides the factor of the penalty by at least this.
_LEAST_FALL = 3.0
_LONGEST_CONTINUATION = 30  # The factor of the penalty is 1 after at most this many iterations.
# A coefficient of the lasso, or a group of the group lasso, is a unit. An iteration may always add
# one coefficient for every 50 rows to the working set, or 20 if that is more, up to 200.
_LEAST_NEW_UNITS, _MOST_NEW_UNITS, _ROWS_PER_NEW_UNIT = 20, 200, 50
# A working set whose Hessian is an operator may grow by this many times its units.
_GROWTH_BY_PRODUCTS = 4
# After the continuation, units whose slope exceeds this share of its bound are in the working set.
_SLOPE_MARGIN = 0.9
_NEARLY_ALL = 0.8  # A working set of a larger share of all units consists of all, and never grows.
_DAMPING = 0.01  # The damping is this times the norm of the subgradient.
_MOST_DAMPING = 0.01  # The damping in proportion to the subgradient is at most this.
_LEAST_EXTRA_DAMPING = 0.01  # Extra damping starts with this after an inaccurate model.
_DAMPING_RELIEF = 4.0  # Extra damping is divided by this after an accurate model.
# A model is accurate if F falls by more than this share of the predicted decrease, and inaccurate
# if F falls by less than one minus this share.
_ACCURATE_SHARE = 0.75
# Each pair is the share of its first norm to which a model's subgradient has to fall, and the
# largest number of rounds. The first is for models with a dense Hessian, the second for operators.
_DENSE_EFFORT = 0.01, 50
_OPERATOR_EFFORT = 0.1, 3
# A step is accepted if F + Ω falls by at least this share of the predicted decrease.
_SUFFICIENT_DECREASE = 1e-4
_MOST_HALVINGS = 30  # A step is halved at most this many times.
# Values that differ by at most this share are regarded as equal up to rounding errors.
_ROUND_OFF = 16 * float(np.finfo(np.float64).eps)


class TrustInModels:
    """The damping and the growth of the next model, as earlier models suggest them.

    Attributes
    ----------
    extra : float
        Extra damping after inaccurate models. A step that is too long is usually so in few entries,
        and extra damping shortens these most.
    growth : int
        The number of units that may be added to the working set, relative to the number of units
        that are not 0. It is larger where a larger model takes no longer.
    """

    def __init__(self) -> None:
        self.extra = 0.0
        self.growth = 1

    def damping(self, subgradient: float) -> float:
        """Return the damping of a model for the norm of the subgradient at its start."""
        return min(_DAMPING * subgradient, _MOST_DAMPING) + self.extra

    def learn(self, n_halvings: int, kept: float) -> None:
        """Adapt the extra damping after a step.

        `n_halvings` counts how often the step was halved, and `kept` is the actual decrease as a
        share of the predicted one.
        """
        if n_halvings:
            self.extra = max(self.extra, _LEAST_EXTRA_DAMPING) * 2.0**n_halvings
        elif kept > _ACCURATE_SHARE:
            self.extra /= _DAMPING_RELIEF
        elif kept < 1 - _ACCURATE_SHARE:
            self.extra = max(self.extra, _LEAST_EXTRA_DAMPING / 2) * 2.0


@dataclass(frozen=True)
class ModelStep(Proposal):
    """A step to the minimum of a quadratic model of F plus a penalty.

    Parameters
    ----------
    penalty : Penalty
        The penalty of the model, which is Ω times the factor of the continuation.
    model_change : float
        The change of the smooth part of the model along the step.
    """

    penalty: Penalty | None = None
    model_change: float = 0.0


class ProximalNewton:
    """A descent that minimises quadratic models, and a search that halves its steps.

    Parameters
    ----------
    objective : SparseCrossEntropy
        The objective F + Ω.
    start : Evaluation
        The evaluation of the objective where the continuation starts.
    """

    exact = False
    preconditioner = None

    def __init__(self, objective: SparseCrossEntropy, start: Evaluation):
        self.objective = objective
        self.trust = TrustInModels()
        self._hessians = ModelHessians(objective.smooth)
        # If Ω were multiplied by the largest of these ratios, no coefficient would leave 0.
        ratios = objective.penalty.ratios(objective.coef(start.gradient))
        ratios = ratios[np.isfinite(ratios)]  # Unpenalised units have no ratio.
        largest = float(ratios.max(initial=0.0)) if start.finite else 1.0
        self._fall = max(_LEAST_FALL, largest ** (1 / _LONGEST_CONTINUATION))
        self._factor = max(1.0, largest / self._fall)

    @property
    def settled(self) -> bool:
        """Whether the continuation has ended, so that the penalty of a model is Ω itself."""
        return self._factor == 1.0

    def gap(self, evaluation: Evaluation, proposal: Proposal, decrement: float) -> float:
        """Return infinity, since a proximal step does not bound the distance from the minimum."""
        return np.inf

    def __call__(self, evaluation: Evaluation, enough: float) -> ModelStep:
        """Minimise the model of F + Ω over the coefficients of a working set."""
        objective, smooth, early = self.objective, self.objective.smooth, not self.settled
        penalty = objective.penalty.scaled(self._factor)
        params, gradient = smooth.matrix(evaluation.params), smooth.matrix(evaluation.gradient)
        place = Place(evaluation, params, gradient, penalty)
        chosen, needed = _working_set(objective, penalty, evaluation, early, self.trust.growth)
        held = self._hessians.earlier(place, needed)
        if held is not None:
            chosen = held.chosen
        added = self.trust.damping(place.subgradient(chosen))
        if held is not None:
            curvature = self._hessians.damped(held, added)
        else:
            curvature = self._hessians.new(place, chosen, added, early)
        entries = np.nonzero(chosen)
        flat = flat_penalty(penalty, entries[1])
        at, slope = params[entries], gradient[entries]
        self.trust.growth = 1 if curvature.quick else _GROWTH_BY_PRODUCTS
        model = Quadratic(curvature, slope, at)
        precision, rounds = _DENSE_EFFORT if curvature.quick else _OPERATOR_EFFORT
        minimize_model(model, flat, precision=precision, max_rounds=rounds)
        step = np.zeros(chosen.shape)
        step[entries] = model.at - at
        model_change = 0.5 * float((model.at - at) @ (slope + model.slope))
        return ModelStep(step.ravel(), np.nan, penalty=penalty, model_change=model_change)

    def search(self, evaluation: Evaluation, proposal: Proposal) -> Evaluation | None:
        """Halve the step until the value falls by a share of the predicted decrease.

        If there is no such point, the search ends where the model was exact. Otherwise the
        parameters stay as they are, and the next iteration has a smaller penalty during the
        continuation, and an exact Hessian later.
        """
        assert isinstance(proposal, ModelStep)
        following = self._halve(evaluation, proposal)
        if following is None and not (self.settled and self._hessians.exact):
            following = evaluation
            self._hessians.distrust()
        self._factor = max(1.0, self._factor / self._fall)
        return following

    def _halve(self, evaluation: Evaluation, proposal: ModelStep) -> Evaluation | None:
        objective, penalty, step = self.objective, proposal.penalty, proposal.direction
        assert penalty is not None
        own = objective.penalty
        coef = objective.coef(evaluation.params)
        before, after = penalty.value(coef), penalty.value(objective.coef(evaluation.params + step))
        value = evaluation.value - own.value(coef) + before
        promised = float(evaluation.gradient @ step) + after - before
        if not np.isfinite(promised) or not step.any():
            return None
        promised = min(promised, 0.0)
        length = 1.0
        for n_halvings in range(_MOST_HALVINGS):
            params = evaluation.params + length * step
            smooth = objective.smooth.evaluate(params)
            there = smooth.value + penalty.value(objective.coef(params))
            if there <= value + _SUFFICIENT_DECREASE * length * promised + _ROUND_OFF * abs(value):
                expected = proposal.model_change + after - before
                kept = (there - value) / expected if expected < 0 else 1.0
                self.trust.learn(n_halvings, kept)
                return _shifted(objective, penalty, smooth)
            length /= 2
        return None


def minimize_proximal_newton(
    objective: SparseCrossEntropy, start: Evaluation, stopping: Stopping
) -> SolverResult:
    """Minimise F + Ω by proximal Newton with continuation.

    Parameters
    ----------
    objective : SparseCrossEntropy
        The objective F + Ω.
    start : Evaluation
        The evaluation of the objective at the starting point. The closer it is to the minimum, the
        shorter is the continuation.
    stopping : Stopping
        The stopping rule.

    Returns
    -------
    SolverResult
        The iterate with the smallest stopping criterion.
    """
    method = ProximalNewton(objective, start)
    return minimize(objective, method, method.search, start, stopping)


def _working_set(
    objective: SparseCrossEntropy,
    penalty: Penalty,
    evaluation: Evaluation,
    early: bool,
    growth: int,
) -> tuple[Array, Array]:
    """Return the working set as a mask of entries of (W, b), and a mask of those that it needs.

    The entries that are needed are those which are not 0 or not penalised, and those whose slope
    exceeds its bound. `early` says whether the continuation is still under way.
    """
    smooth = objective.smooth
    coef = objective.coef(evaluation.params)
    ratios = penalty.ratios(objective.coef(evaluation.gradient))
    support = penalty.norms(coef) > 0
    if penalty.unpenalized is not None:
        support |= penalty.unpenalized
    ratios[support] = np.inf
    n_units = int(support.sum())
    few = max(_LEAST_NEW_UNITS, smooth.design.n_rows // _ROWS_PER_NEW_UNIT)
    few = min(few, _MOST_NEW_UNITS)
    entries = len(coef) // len(ratios)  # A unit has this many entries.
    most = n_units + max(few // entries, growth * n_units, 1)
    least = 1.0 if early else _SLOPE_MARGIN
    if int((ratios >= least).sum()) > most:
        least = max(least, float(np.partition(ratios, -most, axis=None)[-most]))
    needed, units = ratios >= max(least, 1.0), ratios >= least
    if not early and units.mean() > _NEARLY_ALL:
        units[:] = True
    masks = []
    for some in (units, needed):
        mask = np.ones((smooth.width, smooth.n_columns), dtype=bool)
        mask[:, : coef.shape[1]] = penalty.with_units(some, smooth.width)
        if smooth.fit_intercept and smooth.width > 1:
            mask[-1, -1] = False  # One intercept is redundant: adding to all changes nothing.
        masks.append(mask)
    return masks[0], masks[1]


def _shifted(objective: SparseCrossEntropy, penalty: Penalty, at: Evaluation) -> Evaluation:
    """Return F + Ω after shifting all classes alike such that the penalty is least.

    Such a shift changes no probability. Only the ridge in F and in its gradient changes, so that F
    need not be evaluated again.
    """
    params, value, gradient = at.params, at.value, at.gradient
    moved = objective.least_shift(params, penalty)
    if moved is not params:
        smooth = objective.smooth
        before, after = smooth.matrix(params), smooth.matrix(moved)
        gradient = gradient + (smooth.ridge * (after - before)).ravel()
        value += 0.5 * float((smooth.ridge * (np.square(after) - np.square(before))).sum())
    value += objective.penalty.value(objective.coef(moved))
    return Evaluation(moved, value, gradient, at.probabilities)
