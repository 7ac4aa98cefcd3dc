"""Newton's directions, −H⁻¹ g or an approximation of it.

`CholeskyDescent` solves with the Cholesky factor of the Hessian itself. `ConjugateGradientDescent`
solves the Newton equations by conjugate gradients, as far as the distance from the minimum makes it
worth while, with a cheaper matrix as preconditioner. How that is made does not matter here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
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

_DECREMENT_LEFT = 0.03  # Of the decrement, at most, if a factor is to be used again.
_GRADIENT_FALL = 10.0  # Factor by which the squared gradient has to fall for that: quicker to see.
_FINAL_STEP_DECREMENT = 1e-3  # Relative decrement below which a warm-started step is the last.
_FINAL_STEP_SHARE = 0.1  # The same from a cold start, relative to the tolerance.
_SERVED_DIRECTIONS = 2.0  # That a matrix is expected to serve, where it has to be made anew.
_LEAST_PRODUCTS = 20  # Of conjugate gradients that begin anew.
_TINY = float(np.finfo(np.float64).tiny)


class NewtonDescent(ABC):
    """Proposes a Newton direction at each point: a `Descent`.

    Parameters
    ----------
    objective : CertifiedObjective
        What is minimised.

    Attributes
    ----------
    exact : bool
        Whether the last direction was Newton's but for rounding errors.
    settled : bool
        Always: it minimises nothing but the objective.
    """

    exact = False
    settled = True

    objective: Any

    def __init__(self, objective: CertifiedObjective):
        self.objective = objective

    @property
    def preconditioner(self) -> Preconditioner | None:
        """What stood for the Hessian last; None if nothing that another run may begin with."""
        return None

    @abstractmethod
    def __call__(self, evaluation: Evaluation, enough: float) -> Proposal:
        """Return where to go from a point; see `Descent`."""

    def gap(self, evaluation: Evaluation, proposal: Proposal, decrement: float) -> float:
        """Bound how far F is above its minimum, by a direction that is as precise as can be."""
        gap = self.objective.gap_by_newton(evaluation.params, proposal.direction, decrement)
        return float(gap)


class HessianFactor(Solve, Protocol):
    """A factor of the Hessian, or of what stands for it."""

    @property
    def exact(self) -> bool:
        """Whether it is that of the Hessian, but for rounding errors."""


class CholeskyDescent(NewtonDescent):
    """Newton directions by the Cholesky factor of the Hessian.

    Where a factor takes far more time than a step, one that has made the decrement fall to a small
    part is used again. Where what is left is to be known as precisely as can be, a new one is made.

    Parameters
    ----------
    objective : CertifiedObjective
        What is minimised.
    factor : callable
        Returns a factor of the Hessian at an evaluation. Its second argument is what share of the
        value the last direction promised: the less, the more precise it must be.
    costly : bool, default=True
        Whether that takes far more time than a step.
    first : Solve, default=None
        A factor that was made elsewhere, for the first step.
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
        self._promised = 1.0  # By the last direction, relative to the value.
        self._current = first
        self._last_decrement = np.inf  # By the current factor.
        self._first_square = np.inf  # Of the gradient where the current factor was made.

    @property
    def preconditioner(self) -> Preconditioner | None:
        """The factor in use."""
        return None if self._current is None else Preconditioner(self._current)

    def __call__(self, evaluation: Evaluation, enough: float) -> Proposal:
        gradient = evaluation.gradient
        square = float(gradient @ gradient)
        if self._current is not None and self.costly and enough > 0:
            proposal = self._by_old_factor(self._current, evaluation, square)
            if proposal is not None:
                return proposal
        made = self.factor(evaluation, self._promised if enough > 0 else 0.0)
        self._current, self._first_square, self.exact = made, square, made.exact
        direction, decrement = _newton_direction(made, evaluation)
        self._last_decrement = decrement
        self._promised = min(max(decrement, 0.0) / max(evaluation.value, _TINY), 1.0)
        return Proposal(direction, decrement, made.exact)

    def _by_old_factor(
        self, factor: Solve, evaluation: Evaluation, square: float
    ) -> Proposal | None:
        """Propose a direction by a factor that was made before, if it still serves."""
        if square * _GRADIENT_FALL > self._first_square:
            return None
        direction, decrement = _newton_direction(factor, evaluation)
        if not 0 < decrement <= _DECREMENT_LEFT * self._last_decrement:
            return None
        self._last_decrement, self.exact = decrement, False
        # A step that leaves so much is off by the root of it: so may the decrement be.
        return Proposal(direction, decrement * (1 + 2 * _DECREMENT_LEFT**0.5))


def _newton_direction(matrix: Solve, evaluation: Evaluation) -> tuple[Array, float]:
    direction = -matrix.solve(evaluation.gradient)
    return direction, -0.5 * float(evaluation.gradient @ direction)


class ConjugateGradientDescent(NewtonDescent):
    """Newton directions by preconditioned conjugate gradients.

    A preconditioner is kept until as much has been spent on its age as a new one costs: the
    products beyond those that the first direction would have taken to get as far. Before the best
    come cheaper ones, each until as much has been spent with it as the next one costs, unless less
    than that is left to do: where the data are easy, these serve to the end.

    Parameters
    ----------
    objective : CertifiedObjective
        What is minimised.
    products : TruncatedNewtonObjective
        The same, which multiplies by the Hessian; it may compute in a lower precision.
    source : PreconditionerSource
        Makes the preconditioners.
    warm_started : bool, default=False
        Whether one step is expected to lead to the minimum.
    first : Preconditioner, default=None
        The one to begin with.
    max_products : int, default=500
        Products with the Hessian after which a direction has to do, whatever its precision.
    """

    def __init__(
        self,
        objective: CertifiedObjective,
        products: TruncatedNewtonObjective,
        source: PreconditionerSource,
        *,
        warm_started: bool = False,
        first: Preconditioner | None = None,
        max_products: int = 500,
    ):
        super().__init__(objective)
        self.products = products
        self.source = source
        self.max_products = max_products
        self._warm_started = warm_started
        self._best_stage = source.n_stages - 1
        self._current: Solve | None = None
        self._stage = -1
        self._n_spent = self._n_wasted = 0.0
        self._n_allowed = np.inf  # Products with matrices of this stage before the next is made.
        self._products_when_new: float | None = None
        self._n_of_direction = self._n_of_last = 0  # Products, and those of the direction before.
        self._products_lately = np.inf  # For each factor of e in the residual.
        if first is not None:
            self._current = first.matrix
            self._stage = self._best_stage if first.stage is None else first.stage
            self._n_spent, self._n_wasted = first.n_spent, first.n_wasted
            if self._stage < self._best_stage:
                self._n_allowed = source.n_products(self._stage, self._stage + 1)
            self._products_when_new = first.products_when_new

    @property
    def preconditioner(self) -> Preconditioner | None:
        """The preconditioner in use."""
        if self._current is None:
            return None
        return Preconditioner(
            self._current,
            self.source,
            self._stage,
            self._n_spent,
            self._n_wasted,
            self._products_when_new,
        )

    def __call__(self, evaluation: Evaluation, enough: float) -> Proposal:
        if self.products is not self.objective:
            # What products remember of the rows there is in their own precision.
            evaluation = evaluation.without_rows()
        self._prepare(evaluation, enough)
        final = _FINAL_STEP_SHARE * enough
        if self._warm_started:  # The first step is to be the last: it should prove that.
            final = _FINAL_STEP_DECREMENT * evaluation.value
        self._n_of_last, self._n_of_direction = self._n_of_direction, 0
        equations = NewtonEquations(self.products, evaluation, final)
        while not self._solve(equations, enough) and self._stage < self._best_stage:
            if self._is_outdone(evaluation.value, equations.residual, enough):
                self._make(self._stage + 1, evaluation)
            elif equations.n_products >= self.max_products:
                break
        return Proposal(equations.step, equations.decrement)

    def _n_saved(self, value: float, residual: Array, enough: float) -> float:
        """Estimate how many products the next stage would save, from how many this one took.

        Near the minimum, those that are left. Far from it the Hessian is another after each step,
        and a matrix serves for few of them.
        """
        assert self._current is not None
        left = 0.5 * float(residual @ self._current.solve(residual))
        if left > (enough * value) ** 0.5:
            return _SERVED_DIRECTIONS * max(self._n_of_direction, self._n_of_last)
        digits = 0.5 * float(np.log(max(left / enough, 1.0)))
        return _SERVED_DIRECTIONS * self._products_lately * digits

    def _prepare(self, evaluation: Evaluation, enough: float) -> None:
        """Make another matrix before a direction, if that pays."""
        stage, best = self._stage, self._best_stage
        if self._current is None or enough == 0:
            # A cheap one cannot say as precisely as can be what is left.
            stage = best if enough == 0 else 0
            if self._current is None or self._stage < stage:
                self._make(stage, evaluation)
        elif self._is_outdone(evaluation.value, evaluation.gradient, enough):
            self._make(stage + 1, evaluation)
        elif self._n_wasted >= self.source.n_products(stage, stage):
            n_spent, n_allowed = self._n_spent, self._n_allowed
            self._make(stage, evaluation)
            self._n_spent += n_spent + self.source.n_products(stage, stage)
            self._n_allowed = n_allowed

    def _is_outdone(self, value: float, residual: Array, enough: float) -> bool:
        """Whether the next stage's matrix would save more than making it costs."""
        if self._n_spent < self._n_allowed:
            return False
        costs = self.source.n_products(self._stage, self._stage + 1)
        self._n_allowed = self._n_spent + costs
        return not self._n_saved(value, residual, enough) <= costs  # nor where that is NaN

    def _make(self, stage: int, evaluation: Evaluation) -> None:
        self._current = self.source.make(stage, evaluation)
        self._stage, self._n_allowed = stage, np.inf
        if stage < self._best_stage:
            self._n_allowed = self.source.n_products(stage, stage + 1)
        self._n_spent, self._n_wasted, self._products_when_new = 0.0, 0.0, None

    def _solve(self, equations: NewtonEquations, enough: float) -> bool:
        assert self._current is not None
        allowed = min(self._n_allowed - self._n_spent, self.max_products)
        limit = max(_LEAST_PRODUCTS, round(allowed))
        before = equations.n_products
        done = equations.solve(self._current, enough, limit)
        n_products, progress = equations.n_products - before, max(equations.progress, _TINY)
        self._products_lately = n_products / progress
        if self._products_when_new is None and n_products > 0:
            self._products_when_new = self._products_lately
        self._n_of_direction += n_products
        self._n_spent += n_products
        if self._products_when_new is not None:
            self._n_wasted += max(n_products - self._products_when_new * progress, 0.0)
        return done
