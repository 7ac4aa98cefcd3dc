"""Newton directions −H⁻¹ g and approximations of them.

`CholeskyDescent` uses a Cholesky factor of the Hessian H. `ConjugateGradientDescent` solves the
Newton equations by preconditioned conjugate gradients, the more precisely the closer the minimum
is. The caller provides the functions that make factors and preconditioners.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.convergence import Proposal
from softmax_regression._solvers.newton.equations import NewtonEquations
from softmax_regression._solvers.protocols import (
    CertifiedObjective,
    PreconditionerSource,
    Solve,
    TruncatedNewtonObjective,
)
from softmax_regression._solvers.warm_start import Preconditioner

# A factor is used again if the Newton decrement has fallen to at most this share of the last one.
_DECREMENT_LEFT = 0.03
# A warm-started step is expected to be the last if its decrement is below this share of the value.
_FINAL_STEP_DECREMENT = 1e-3
# From a cold start, a step is expected to be the last if its decrement is below this share of the
# decrease that the tolerance allows to be left.
_FINAL_STEP_SHARE = 0.1
# A preconditioner of the next stage is expected to serve for this many directions.
_SERVED_DIRECTIONS = 2.0
# Parameters that separate the classes are enlarged once the rows with most of the loss are this far
# from being confused, in nats.
_SAFE_MARGIN = 3.0
_LEAST_PRODUCTS = 20  # Each run of conjugate gradients may make at least this many products.
_TINY = float(np.finfo(np.float64).tiny)


class NewtonDescent(ABC):
    """A `Descent` that proposes a Newton direction at each point.

    If the classes are separated and there is no penalty, F falls to 0 along the ray through the
    parameters. Newton's method would take many short steps there: rows that are far from being
    confused have no curvature left to hold them.

    Parameters
    ----------
    objective : CertifiedObjective
        The function to minimise.

    Attributes
    ----------
    exact : bool
        Whether the last direction was the Newton direction up to rounding errors.
    settled : bool
        Whether the objective itself is minimised, rather than one with a larger penalty; always
        true.
    """

    exact = False
    settled = True

    objective: Any

    def __init__(self, objective: CertifiedObjective):
        self.objective = objective

    @property
    def preconditioner(self) -> Preconditioner | None:
        """The last approximation of the Hessian, for a warm start; None if there is none."""
        return None

    def __call__(self, evaluation: Evaluation, enough: float) -> Proposal:
        """Return a direction from a point; see `Descent`."""
        if self._is_on_a_ray(evaluation):
            return Proposal(evaluation.params, evaluation.value)
        return self._newton(evaluation, enough)

    @abstractmethod
    def _newton(self, evaluation: Evaluation, enough: float) -> Proposal:
        """Return a Newton direction from a point."""

    def _is_on_a_ray(self, at: Evaluation) -> bool:
        """Return whether F falls to 0 if the parameters grow."""
        objective, params = self.objective, at.params
        if objective.has_dual or objective.max_step(params, params) < np.inf:
            return False
        # The slope along the ray is minus the sum of the margins, each times about its loss.
        is_steep = float(at.gradient @ params) < -_SAFE_MARGIN * at.value
        return bool(is_steep and objective.separates(params))

    def gap(self, evaluation: Evaluation, proposal: Proposal, decrement: float) -> float:
        """Bound F − min F by means of a direction that is as precise as rounding allows."""
        gap = self.objective.gap_by_newton(evaluation.params, proposal.direction, decrement)
        return float(gap)


class HessianFactor(Solve, Protocol):
    """A factor of the Hessian or of an approximation of it."""

    @property
    def exact(self) -> bool:
        """Whether the factor is that of the Hessian up to rounding errors."""


class CholeskyDescent(NewtonDescent):
    """Newton directions by the Cholesky factor of the Hessian.

    Where making a factor takes far more time than a step, a factor is used again as long as its
    steps reduce the Newton decrement to a small share. A new factor is made whenever the distance
    from the minimum has to be known as precisely as possible.

    Parameters
    ----------
    objective : CertifiedObjective
        The function to minimise.
    factor : callable
        Returns a factor of the Hessian at an evaluation. Its second argument is the decrease that
        the last direction predicted, as a share of the value; the smaller it is, the more precise
        the factor has to be.
    costly : bool, default=True
        Whether making a factor takes far more time than a step.
    first : Solve, default=None
        A factor for the first step, from a warm start.
    """

    def __init__(
        self,
        objective: CertifiedObjective,
        factor: Callable[[Evaluation, float], HessianFactor],
        costly: bool = True,
        first: Solve | None = None,
    ):
        super().__init__(objective)
        self.factor = factor
        self.costly = costly
        self.exact = not costly
        self._promised = 1.0  # The last direction predicted a decrease by this share of the value.
        self._current = first
        self._last_decrement = np.inf  # The current factor predicted this decrease last.

    @property
    def preconditioner(self) -> Preconditioner | None:
        """The factor in use."""
        return None if self._current is None else Preconditioner(self._current)

    def _newton(self, evaluation: Evaluation, enough: float) -> Proposal:
        if self._current is not None and self.costly and enough > 0:
            proposal = self._by_old_factor(self._current, evaluation)
            if proposal is not None:
                return proposal
        made = self.factor(evaluation, self._promised if enough > 0 else 0.0)
        self._current, self.exact = made, made.exact
        direction, decrement = _newton_direction(made, evaluation)
        self._last_decrement = decrement
        self._promised = min(max(decrement, 0.0) / max(evaluation.value, _TINY), 1.0)
        return Proposal(direction, decrement, made.exact)

    def _by_old_factor(self, factor: Solve, evaluation: Evaluation) -> Proposal | None:
        """Propose a direction by a factor from an earlier point, or None if it is too inexact."""
        direction, decrement = _newton_direction(factor, evaluation)
        if not 0 < decrement <= _DECREMENT_LEFT * self._last_decrement:
            return None
        self._last_decrement, self.exact = decrement, False
        # If a step leaves a share ε of the decrement, its relative error is about √ε, and so may be
        # that of the decrement. Therefore the decrement is enlarged.
        return Proposal(direction, decrement * (1 + 2 * _DECREMENT_LEFT**0.5))


def _newton_direction(matrix: Solve, evaluation: Evaluation) -> tuple[Array, float]:
    direction = -matrix.solve(evaluation.gradient)
    return direction, -0.5 * float(evaluation.gradient @ direction)


class ConjugateGradientDescent(NewtonDescent):
    """Newton directions by preconditioned conjugate gradients.

    A preconditioner gets worse as the iterates move away from the point where it was made. It is
    made anew once the products wasted because of this cost as much as a new one. Products are
    wasted if they exceed those that the first run with the preconditioner would have taken for the
    same progress.

    Preconditioners have stages, from the cheapest to the best. After as many products as the matrix
    of the next stage costs, it is made if it is expected to save more products than that. On easy
    problems the cheapest preconditioner serves until the end.

    Parameters
    ----------
    objective : CertifiedObjective
        The function to minimise.
    products : TruncatedNewtonObjective
        The same function for products with its Hessian, possibly in a lower precision.
    source : PreconditionerSource
        The object that makes preconditioners and knows their costs.
    warm_started : bool, default=False
        Whether one step is expected to lead to the minimum.
    first : Preconditioner, default=None
        The preconditioner of the first step, from a warm start.
    max_products : int, default=200
        The number of products with the Hessian after which a direction is used, whatever its
        precision.
    """

    def __init__(
        self,
        objective: CertifiedObjective,
        products: TruncatedNewtonObjective,
        source: PreconditionerSource,
        *,
        warm_started: bool = False,
        first: Preconditioner | None = None,
        max_products: int = 200,
    ):
        super().__init__(objective)
        self.products = products
        self.source = source
        self.max_products = max_products
        self._warm_started = warm_started
        self._best_stage = source.n_stages - 1
        self._in_use: Preconditioner | None = None
        self._n_allowed = np.inf  # After this many products of a stage, the next is considered.
        self._n_of_direction = self._n_of_last = 0  # Products of this direction and the one before.
        self._products_lately = np.inf  # Products for each factor of e in the last run's residual.
        if first is not None:
            stage = self._best_stage if first.stage is None else first.stage
            self._in_use = replace(first, source=source, stage=stage)
            self._n_allowed = self._n_before_next(stage)

    @property
    def preconditioner(self) -> Preconditioner | None:
        """The preconditioner in use."""
        return self._in_use

    @property
    def _stage(self) -> int:
        """The stage of the preconditioner in use; -1 if there is none."""
        return -1 if self._in_use is None or self._in_use.stage is None else self._in_use.stage

    def _newton(self, evaluation: Evaluation, enough: float) -> Proposal:
        if self.products is not self.objective:
            # Probabilities that the evaluation keeps have another precision than the products.
            evaluation = evaluation.without_rows()
        self._prepare(evaluation, enough)
        final = _FINAL_STEP_SHARE * enough
        if self._warm_started:  # The first step should reach the minimum and prove it.
            final = _FINAL_STEP_DECREMENT * evaluation.value
        self._n_of_last, self._n_of_direction = self._n_of_direction, 0
        equations = NewtonEquations(self.products, evaluation, final)
        while not self._solve(equations, enough) and equations.n_products < self.max_products:
            if self._is_outdone(evaluation.value, equations.residual, enough):
                self._make(self._stage + 1, evaluation)
            else:
                self._renew(evaluation)
        if self._is_spoiled(equations):
            self._make(self._stage - 1, evaluation)
            self._solve(equations, enough)
        return Proposal(equations.step, equations.decrement)

    def _is_spoiled(self, equations: NewtonEquations) -> bool:
        """Return whether rounding errors spoil the matrix here, so that a simpler one is needed.

        The sign of this is that the curvature along the first direction is negligible compared
        with that of the matrix.
        """
        return self._stage > 0 and bool(equations.residual.any()) and not equations.step.any()

    def _n_saved(self, value: float, residual: Array, enough: float) -> float:
        """Estimate how many products a preconditioner of the next stage could save.

        Far from the minimum the Hessian changes with each step, so that a preconditioner can save
        the products of a few directions. Near the minimum it can save those that the current one
        would take to reach the tolerance.
        """
        assert self._in_use is not None
        left = 0.5 * float(residual @ self._in_use.matrix.solve(residual))
        if left > (enough * value) ** 0.5:
            return _SERVED_DIRECTIONS * max(self._n_of_direction, self._n_of_last)
        digits = 0.5 * float(np.log(max(left / enough, 1.0)))
        return _SERVED_DIRECTIONS * self._products_lately * digits

    def _prepare(self, evaluation: Evaluation, enough: float) -> None:
        """Make another preconditioner before a direction is computed, if that pays."""
        stage, best = self._stage, self._best_stage
        if self._in_use is None or enough == 0:
            # With `enough` 0 the distance from the minimum is asked for as precisely as possible,
            # which takes the best preconditioner.
            wanted = best if enough == 0 else 0
            if stage < wanted:
                self._make(wanted, evaluation)
        elif self._is_outdone(evaluation.value, evaluation.gradient, enough):
            self._make(stage + 1, evaluation)
        else:
            self._renew(evaluation)

    def _is_outdone(self, value: float, residual: Array, enough: float) -> bool:
        """Return whether the next stage's matrix would save more products than making it costs.

        After a warm start the matrix may serve other problems too, as along a path. There the
        products spent so far, also on earlier problems, are the estimate of those to come.
        """
        assert self._in_use is not None
        if self._in_use.n_spent < self._n_allowed:
            return False
        costs = self._n_before_next(self._stage)
        self._n_allowed = self._in_use.n_spent + costs
        if self._warm_started:
            return True
        return not self._n_saved(value, residual, enough) <= costs  # NaN counts as more.

    def _n_before_next(self, stage: int) -> float:
        """Return the cost of the matrix of the next stage, in products; inf after the last."""
        return self.source.n_products(stage, stage + 1) if stage < self._best_stage else np.inf

    def _renew(self, evaluation: Evaluation) -> None:
        """Make the matrix anew if as many products are wasted as that costs."""
        assert self._in_use is not None
        costs = self.source.n_products(self._stage, self._stage)
        if self._in_use.n_wasted >= costs:
            n_allowed = self._n_allowed
            self._make(self._stage, evaluation, self._in_use.n_spent + costs)
            self._n_allowed = n_allowed

    def _make(self, stage: int, evaluation: Evaluation, n_spent: float = 0.0) -> None:
        matrix = self.source.make(stage, evaluation)
        self._in_use = Preconditioner(matrix, self.source, stage, n_spent)
        self._n_allowed = self._n_before_next(stage)

    def _solve(self, equations: NewtonEquations, enough: float) -> bool:
        assert self._in_use is not None
        before = equations.n_products
        allowed = min(self._n_allowed - self._in_use.n_spent, self.max_products - before)
        if self._in_use.products_when_new is not None:  # All of them may be wasted.
            costs = self.source.n_products(self._stage, self._stage)
            allowed = min(allowed, costs - self._in_use.n_wasted)
        limit = max(_LEAST_PRODUCTS, round(allowed))
        done = equations.solve(self._in_use.matrix, enough, limit)
        n_products, progress = equations.n_products - before, max(equations.progress, _TINY)
        self._products_lately = n_products / progress
        self._n_of_direction += n_products
        self._in_use = self._in_use.after(n_products, progress)
        return done
