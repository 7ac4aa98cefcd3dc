r"""The Newton equations H s = −g, solved by conjugate gradients to a variable precision.

Far from the minimum a rough solution makes as much progress as an exact one. Therefore the factor
by which the residual has to fall depends on the expected decrease of the objective (Nocedal and
Wright, *Numerical Optimization*, section 7.1). If the step is expected to reach the minimum, the
iterations continue until the certificate at its end is likely to be small enough. The residual
predicts this certificate, because it is close to the gradient at the end of the step.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.conjugate_gradients import EndOfCG, conjugate_gradients
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.protocols import Solve, TruncatedNewtonObjective

# At most this many more products reduce the likely gap, which rounding errors may keep too large.
_MOST_PRODUCTS_FOR_PROOF = 50
# A direction has no curvature if dᵀ H d is at most this times dᵀ M d, M being the preconditioner.
_LEAST_CURVATURE = 16 * float(np.finfo(np.float64).eps)
# The residual has to fall to a share of its first norm that is between these limits.
_LARGEST_FORCING, _LEAST_FORCING = 0.2, 1e-3
_TINY = float(np.finfo(np.float64).tiny)


class NewtonEquations:
    """The Newton equations at a point, and their approximate solution so far.

    Parameters
    ----------
    objective : TruncatedNewtonObjective
        The objective, which multiplies by its Hessian H.
    evaluation : Evaluation
        The evaluation of the objective at the point where H and the gradient g are taken.
    final_decrement : float
        If the decrement is at most this, the step is computed so precisely that convergence can be
        certified at its end.

    Attributes
    ----------
    step, residual : ndarray
        The step s, and its residual −g − H s.
    decrement : float
        The expected decrease of the objective: ``−½ g·s`` plus half of the squared norm of the
        residual, in the norm of the inverse preconditioner.
    n_products : int
        The number of products with H so far.
    progress : float
        The logarithm of the factor by which the last run reduced the residual.
    """

    def __init__(
        self, objective: TruncatedNewtonObjective, evaluation: Evaluation, final_decrement: float
    ):
        self.objective = objective
        self.evaluation = evaluation
        self.final_decrement = final_decrement
        self.step = np.zeros_like(evaluation.gradient)
        self.residual = -evaluation.gradient
        self.decrement = 0.0
        self.n_products = 0
        self.progress = 0.0

    def solve(self, preconditioner: Solve, enough: float, max_products: int) -> bool:
        """Improve the step by conjugate gradients; return whether it is precise enough.

        Parameters
        ----------
        preconditioner : Solve
            A matrix that approximates H.
        enough : float
            The distance of the objective from its minimum at which the solver may stop.
        max_products : int
            The largest number of products with H.
        """
        at, gradient = self.evaluation, self.evaluation.gradient
        credit = at.value - self.decrement
        rule = _StoppingRule(self.objective, enough, self.final_decrement, credit)
        if self.n_products > 0:
            rule.begin(float(gradient @ preconditioner.solve(gradient)))
        run = conjugate_gradients(
            lambda direction: self.objective.hessian_product(at, direction),
            self.residual,
            rule,
            solve=preconditioner.solve,
            max_products=max_products,
            least_curvature=_LEAST_CURVATURE,
        )
        self.step = self.step + run.step
        self.residual = run.residual
        self.n_products += run.n_products
        first, last = max(run.first_square, _TINY), max(run.square, _TINY)
        self.progress = 0.5 * float(np.log(first) - np.log(last))
        self.decrement = 0.5 * (run.square - float(gradient @ self.step))
        solved = run.square <= max(rule.goal, 0.0)  # There is no goal where the gradient is 0.
        done = solved or run.reason is EndOfCG.NO_CURVATURE or rule.credit < 0
        if done and rule.proof < np.inf:
            last_step = self.objective.last_step(at, self.residual)
            self.step = self.step if last_step is None else self.step + last_step
        return done


class _StoppingRule:
    """Ends conjugate gradients once the residual is small and its likely gap is small enough.

    Parameters
    ----------
    objective : TruncatedNewtonObjective
        The objective, which estimates the gap at the end of a step from its residual.
    enough : float
        The gap at which the solver may stop.
    final_decrement : float
        The decrement up to which the gap at the end of the step has to be likely to be `enough`.
    credit : float
        The largest possible decrease of the objective; a step that predicts more is stopped.
    """

    def __init__(
        self,
        objective: TruncatedNewtonObjective,
        enough: float,
        final_decrement: float,
        credit: float,
    ):
        self.objective = objective
        self.enough = enough
        self.final_decrement = final_decrement
        self.goal = -1.0  # The largest squared residual to accept, negative while it is unknown.
        self.proof = np.inf  # The largest likely gap to accept.
        self.patience = _MOST_PRODUCTS_FOR_PROOF
        self.credit = credit  # F cannot fall further; a model that predicts more is wrong.

    def begin(self, square: float) -> None:
        """Set the goals from the squared gradient in the norm of the inverse preconditioner."""
        self.goal = _forcing(square, self.enough) ** 2 * square
        if 0.5 * square <= self.final_decrement:
            self.proof = self.enough

    def __call__(self, residual: Array, square: float, gain: float) -> bool:
        if self.goal < 0:
            self.begin(square)
        self.credit -= gain
        if self.credit < 0:
            return True
        if not square <= self.goal:
            return False
        if self.patience == 0 or self.objective.likely_gap(residual) <= self.proof:
            return True
        self.patience -= 1
        return False


def _forcing(square: float, enough: float) -> float:
    """Return the share of its first norm to which the residual has to fall.

    `square` is the squared gradient in the norm of the inverse preconditioner. Half of it estimates
    the distance of the objective from its minimum.
    """
    ratio = enough / max(0.5 * square, _TINY)
    return float(np.clip(ratio**0.25, _LEAST_FORCING, _LARGEST_FORCING))
