r"""The Newton equations H s = −g, solved by conjugate gradients as far as it is worth while.

Far from the minimum a rough solution does as well as an exact one: by which factor the residual has
to fall depends on how much there is left to gain (Nocedal and Wright, *Numerical Optimization*,
section 7.1). Where the step is expected to reach the minimum, it goes on until the certificate at
its end is likely to be small enough: the residual is about the gradient there.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.conjugate_gradients import EndOfCG, conjugate_gradients
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.protocols import Solve, TruncatedNewtonObjective

_MOST_PRODUCTS_FOR_PROOF = 50  # Rounding errors may keep the certificate above the tolerance.
_LEAST_CURVATURE = 16 * float(np.finfo(np.float64).eps)  # Relative to the preconditioner's.
_LARGEST_FORCING, _LEAST_FORCING = 0.2, 1e-3  # Factors by which the residual has to fall.
_TINY = float(np.finfo(np.float64).tiny)


class NewtonEquations:
    """The Newton equations at a point, and the best solution so far.

    Parameters
    ----------
    objective : TruncatedNewtonObjective
        Multiplies by H.
    evaluation : Evaluation
        Where H and g are taken.
    final_decrement : float
        If the decrement is no more than this, the step is to lead to where that can be proved.

    Attributes
    ----------
    step, residual : ndarray
        s, and −g − H s.
    decrement : float
        ``−½ g·s``, and half of the square of the residual, in the norm of the preconditioner.
    n_products : int
        Products with H so far.
    progress : float
        Logarithm of the factor by which the last run shrank the residual.
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
        """Go on from the last step, preconditioned; return whether it is now precise enough.

        Parameters
        ----------
        preconditioner : Solve
            A matrix near H.
        enough : float
            How much of the objective may be left in the end.
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
    """Ends conjugate gradients where the residual has fallen far enough, and the end is proved."""

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
        self.goal = -1.0  # Of the square of the residual; negative before the beginning.
        self.proof = np.inf  # The largest likely gap that will do.
        self.patience = _MOST_PRODUCTS_FOR_PROOF
        self.credit = credit  # By how much F may still fall: what promises more is no model of it.

    def begin(self, square: float) -> None:
        """Learn the square of the gradient in the norm of the preconditioner."""
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
    """Return the factor by which to reduce the residual, in the norm of the preconditioner.

    Half of the square of the gradient, in the same norm, estimates what is left to gain.
    """
    ratio = enough / max(0.5 * square, _TINY)
    return float(np.clip(ratio**0.25, _LEAST_FORCING, _LARGEST_FORCING))
