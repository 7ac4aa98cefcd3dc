"""Newton's method for convex objectives: a descent of `descent.py` and the line search.

The directions are Newton's, by the Cholesky factor of the Hessian or by conjugate gradients
(Nocedal and Wright, *Numerical Optimization*, section 7.1).
"""

from __future__ import annotations

from dataclasses import replace

from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.loop import Stopping, followed_by, minimize
from softmax_regression._solvers.newton.descent import NewtonDescent
from softmax_regression._solvers.newton.line_search import LineSearch
from softmax_regression._solvers.protocols import SearchableObjective
from softmax_regression._solvers.result import SolverResult, StopReason

_CAUTIOUS_CHANGE = 4.0  # Nats by which an iteration may change the scores of a row.


def minimize_newton(
    objective: SearchableObjective,
    descent: NewtonDescent,
    start: Evaluation,
    stopping: Stopping,
) -> SolverResult:
    """Minimise a convex objective.

    Parameters
    ----------
    objective : SearchableObjective
        What to minimise.
    descent : NewtonDescent
        Proposes directions.
    start : Evaluation
        Where to begin.
    stopping : Stopping
        When to stop. Where its criterion is costly, the Newton decrement relative to the value
        stands for it.
    """
    result = minimize(objective, descent, LineSearch(objective), start, stopping)
    astray = result.reason is StopReason.ROUNDING and not objective.has_dual
    if not astray or result.n_iter >= stopping.max_iter:
        return result
    # Without a penalty nothing brings back rows whose scores a long step has taken so far that
    # their loss has no curvature left. Shorter steps do not take them there.
    search = LineSearch(objective, _CAUTIOUS_CHANGE)
    left = stopping.after(result.n_iter)
    both = followed_by(result, lambda: minimize(objective, descent, search, start, left))
    if both.value <= result.value:
        return both
    return replace(result, loss_curve=both.loss_curve, n_iter=both.n_iter)
