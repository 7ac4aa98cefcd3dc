r"""Proximal Newton for a smooth convex F and a penalty Ω that makes zeros.

Each iteration minimises the quadratic model of F, with Ω as it is, and searches between the point
and that minimum (J. Lee, Y. Sun and M. Saunders, "Proximal Newton-type methods for minimizing
composite functions", SIAM J. Optimization 24, 2014). Close to the solution its zeros and signs no
longer change, and convergence is that of Newton's method. Four things make an iteration cheap and
each count:

- *Working sets.* The model is made only of the coefficients that are not 0 and of those whose slope
  exceeds what Ω allows, the steepest first and at most as many again (a few times as many where
  the model's Hessian is known by its products alone).
- *Continuation.* A fit begins with a larger Ω, by a factor that falls with each iteration, from
  where the first coefficient becomes non-zero. What is non-zero then grows along the path of
  solutions, steps stay short enough for the model, and early Hessians are small.
- *Rough models.* A sample of the rows is enough for early Hessians (R. Byrd, G. Chin, W. Neveitt
  and J. Nocedal, "On the use of stochastic Hessian information in optimization methods for machine
  learning", SIAM J. Optimization 21, 2011), and products for large ones (`working_set.py`).
- *Damping.* The model's Hessian gets a multiple of the identity in proportion to the subgradient
  that is left: where the Hessian is singular, as along what all classes have in common, steps stay
  finite, and convergence remains quadratic (M.-C. Yue, Z. Zhou and A. So, "A family of inexact SQA
  methods for non-smooth convex minimization", Mathematical Programming 174, 2019). More is added
  where F has risen above the model: probabilities on their way to ½ have more curvature than where
  they come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.working_set import working_set_hessian
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.sparse import SparseCrossEntropy
from softmax_regression._penalties.lasso import GroupLasso, Penalty
from softmax_regression._solvers.convergence import Proposal
from softmax_regression._solvers.loop import Stopping, minimize
from softmax_regression._solvers.proximal_newton.active_set import minimize_model
from softmax_regression._solvers.proximal_newton.quadratic import (
    FlatGroupLasso,
    FlatLasso,
    FlatPenalty,
    Quadratic,
)
from softmax_regression._solvers.result import SolverResult

_LEAST_FALL = 3.0  # Factor by which the penalty falls in each iteration of the continuation.
_LONGEST_CONTINUATION = 30  # Iterations after which the penalty is the one asked for.
# New units of a working set that are never too many, by the number of rows.
_LEAST_NEW_UNITS, _MOST_NEW_UNITS, _ROWS_PER_NEW_UNIT = 20, 200, 50
_GROWTH_BY_PRODUCTS = 4  # Times as many units as there are may join a model known by products.
_SLOPE_MARGIN = 0.9  # Of the bound of a slope: steeper units are in the working set at the end.
_DAMPING = 0.01  # Relative to the norm of the subgradient that is left.
_MOST_DAMPING = 0.01
_LEAST_EXTRA_DAMPING = 0.01  # The first, after a model that promised too much.
_DAMPING_RELIEF = 4.0  # Extra damping is divided by this where the model promises well.
_WELL_KEPT = 0.75  # Of the promise; a model that keeps less than the rest to 1 promises badly.
# The part of a model's subgradient that is left, and the most rounds of its active set.
_THOROUGH = 0.01, 50
_ROUGH = 0.1, 3  # Where a round takes many products.
_SUFFICIENT_DECREASE = 1e-4  # Relative to what the model promises.
_MOST_HALVINGS = 30
_ROUNDING = 16 * float(np.finfo(np.float64).eps)


class TrustInModels:
    """What earlier models have taught about the next one.

    Attributes
    ----------
    extra : float
        More on the diagonal, after models that promised too much: a step that is too long is so in
        few entries mostly, and this shortens them.
    growth : int
        By how many times as many as there are, units may be added: many where a larger model takes
        no longer.
    """

    def __init__(self) -> None:
        self.extra = 0.0
        self.growth = 1

    def damping(self, subgradient: float) -> float:
        """Return what to add to the diagonal for the norm of a subgradient."""
        return min(_DAMPING * subgradient, _MOST_DAMPING) + self.extra

    def learn(self, n_halvings: int, kept: float) -> None:
        """Take into account how often a step was halved, and what of the promise was kept."""
        if n_halvings:
            self.extra = max(self.extra, _LEAST_EXTRA_DAMPING) * 2.0**n_halvings
        elif kept > _WELL_KEPT:
            self.extra /= _DAMPING_RELIEF
        elif kept < 1 - _WELL_KEPT:
            self.extra = max(self.extra, _LEAST_EXTRA_DAMPING / 2) * 2.0


@dataclass(frozen=True)
class ModelStep(Proposal):
    """A step to the minimum of a quadratic model of F, with a penalty.

    Parameters
    ----------
    penalty : Penalty
        The penalty of the model: Ω times the factor of the continuation.
    model_change : float
        How much the smooth part of the model changes along the step.
    """

    penalty: Penalty | None = None
    model_change: float = 0.0


class ProximalNewton:
    """Proposes steps to the minima of quadratic models, and halves them: a descent and a search.

    Parameters
    ----------
    objective : SparseCrossEntropy
        F + Ω.
    start : Evaluation
        Where the continuation begins.
    """

    exact = False
    preconditioner = None

    def __init__(self, objective: SparseCrossEntropy, start: Evaluation):
        self.objective = objective
        self.trust = TrustInModels()
        # By this Ω would have to be larger for no coefficient to grow.
        ratios = objective.penalty.ratios(objective.coef(start.gradient))
        ratios = ratios[np.isfinite(ratios)]  # what is not penalised has none
        largest = float(ratios.max(initial=0.0)) if start.finite else 1.0
        self._fall = max(_LEAST_FALL, largest ** (1 / _LONGEST_CONTINUATION))
        self._factor = max(1.0, largest / self._fall)

    @property
    def settled(self) -> bool:
        """Whether the continuation has come to Ω itself."""
        return self._factor == 1.0

    def gap(self, evaluation: Evaluation, proposal: Proposal, decrement: float) -> float:
        """Return that a step proves nothing."""
        return np.inf

    def __call__(self, evaluation: Evaluation, enough: float) -> ModelStep:
        """Minimise the model of F + Ω for some of the coefficients."""
        objective, smooth, early = self.objective, self.objective.smooth, not self.settled
        penalty = objective.penalty.scaled(self._factor)
        params, gradient = evaluation.params, evaluation.gradient
        chosen = _working_set(objective, penalty, evaluation, early, self.trust.growth)
        entries = np.nonzero(chosen)
        flat = _flat(penalty, entries[1])
        at, slope = smooth.matrix(params)[entries], smooth.matrix(gradient)[entries]
        added = self.trust.damping(float(np.linalg.norm(flat.residual(at, slope))))
        curvature = working_set_hessian(smooth, evaluation, chosen, added, rough=early)
        self.trust.growth = 1 if curvature.quick else _GROWTH_BY_PRODUCTS
        model = Quadratic(curvature, slope, at)
        precision, rounds = _THOROUGH if curvature.quick else _ROUGH
        minimize_model(model, flat, precision=precision, max_rounds=rounds)
        step = np.zeros(chosen.shape)
        step[entries] = model.at - at
        model_change = 0.5 * float((model.at - at) @ (slope + model.slope))
        return ModelStep(step.ravel(), np.nan, penalty=penalty, model_change=model_change)

    def search(self, evaluation: Evaluation, proposal: Proposal) -> Evaluation | None:
        """Halve the step until the value falls by a part of what the model promises.

        In the continuation, a step that finds no such point leaves the parameters as they are, for
        the next smaller penalty.
        """
        assert isinstance(proposal, ModelStep)
        following = self._halve(evaluation, proposal)
        if following is None and not self.settled:
            following = evaluation
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
            if there <= value + _SUFFICIENT_DECREASE * length * promised + _ROUNDING * abs(value):
                expected = proposal.model_change + after - before
                kept = (there - value) / expected if expected < 0 else 1.0
                self.trust.learn(n_halvings, kept)
                return _shifted(objective, penalty, smooth)
            length /= 2
        return None


def minimize_proximal_newton(
    objective: SparseCrossEntropy, start: Evaluation, stopping: Stopping
) -> SolverResult:
    """Minimise F + Ω.

    Parameters
    ----------
    objective : SparseCrossEntropy
        F + Ω.
    start : Evaluation
        Where to begin: the closer, the shorter the continuation.
    stopping : Stopping
        When to stop.

    Returns
    -------
    SolverResult
        The point of the smallest criterion.
    """
    method = ProximalNewton(objective, start)
    return minimize(objective, method, method.search, start, stopping)


def _working_set(
    objective: SparseCrossEntropy,
    penalty: Penalty,
    evaluation: Evaluation,
    early: bool,
    growth: int,
) -> Array:
    """Return which entries of (W, b) the model is made of."""
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
    entries = len(coef) // len(ratios)  # of a unit
    most = n_units + max(few // entries, growth * n_units, 1)
    least = 1.0 if early else _SLOPE_MARGIN
    if int((ratios >= least).sum()) > most:
        least = max(least, float(np.partition(ratios, -most, axis=None)[-most]))
    units = ratios >= least
    chosen = np.ones((smooth.width, smooth.n_columns), dtype=bool)
    chosen[:, : coef.shape[1]] = penalty.with_units(units, smooth.width)
    if smooth.fit_intercept and smooth.width > 1:
        chosen[-1, -1] = False  # the same added to all intercepts changes nothing
    return chosen


def _flat(penalty: Penalty, columns: NDArray[np.intp]) -> FlatPenalty:
    """Return Ω of the entries of a model, in their order."""
    penalized = columns < len(penalty.weights)
    if penalty.unpenalized is not None:
        penalized[penalized] = ~penalty.unpenalized[columns[penalized]]
    if not isinstance(penalty, GroupLasso):
        weights = np.zeros(len(columns))
        weights[penalized] = penalty.weights[columns[penalized]]
        return FlatLasso(weights)
    names = np.unique(columns[penalized])
    groups = np.where(penalized, np.searchsorted(names, columns), len(names))
    return FlatGroupLasso(penalty.weights[names], groups)


def _shifted(objective: SparseCrossEntropy, penalty: Penalty, at: Evaluation) -> Evaluation:
    """Return F + Ω where what all classes have in common is taken off, for the least penalty.

    Only the ridge's part of F and of its gradient changes, and no probability does: F is not
    evaluated anew.
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
