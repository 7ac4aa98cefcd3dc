"""Newton's method for convex objectives, made of a descent and a line search.

The descents in `descent.py` compute Newton directions by a Cholesky factor or conjugate gradients
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

# A cautious iteration changes the scores of a row by at most this many nats.
_CAUTIOUS_CHANGE = 4.0


def minimize_newton(
    objective: SearchableObjective,
    descent: NewtonDescent,
    start: Evaluation,
    stopping: Stopping,
) -> SolverResult:
    """Minimise a convex objective by Newton's method.

    Parameters
    ----------
    objective : SearchableObjective
        The function to minimise.
    descent : NewtonDescent
        The rule that proposes directions.
    start : Evaluation
        The evaluation of the objective at the starting point.
    stopping : Stopping
        The stopping rule. Where its criterion is costly, the Newton decrement relative to the value
        is used instead.
    """
    result = minimize(objective, descent, LineSearch(objective), start, stopping)
    astray = result.reason is StopReason.ROUNDING and not objective.has_dual
    if not astray or result.n_iter >= stopping.max_iter:
        return result
    # A long step can move the scores of some rows so far that their loss has no curvature left.
    # Without a penalty, later steps then cannot move them back. Shorter steps avoid this.
    search = LineSearch(objective, _CAUTIOUS_CHANGE)
    left = stopping.after(result.n_iter)
    both = followed_by(result, lambda: minimize(objective, descent, search, start, left))
    if both.value <= result.value:
        return both
    return replace(result, loss_curve=both.loss_curve, n_iter=both.n_iter)
