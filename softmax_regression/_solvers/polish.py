"""Polishing: Newton steps that are accepted by the stopping criterion alone.

A line search compares values of the objective. Near the minimum these differ by less than rounding
errors long before the gradients do: changing the parameters by 1e-8 changes the value by 1e-16. The
criteria are computed from gradients, so that they still show which of two points is better.
"""

from __future__ import annotations

from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.criteria import Criterion, evaluate, newton_step
from softmax_regression._solvers.protocols import CertifiedObjective

_DECREMENT_PRECISION = 1e-8  # Relative precision of the decrement at which CG ends.


def polish(
    objective: CertifiedObjective,
    point: Evaluation,
    remaining: float,
    criterion: Criterion,
    tol: float,
    max_products: int,
) -> tuple[Evaluation, float]:
    """Take Newton steps while the criterion falls, until it is at most `tol`.

    They end after `max_products` products with the Hessian, each of which costs about as much as an
    evaluation.
    """
    while max_products > 0:
        step, _, n_products = newton_step(
            objective, point, precision=_DECREMENT_PRECISION, max_products=max_products
        )
        max_products -= n_products
        after = evaluate(objective, objective.within(point.params + step))
        size = criterion(objective, after)
        if not size < remaining:
            break
        point, remaining = after, size
        if remaining <= tol:
            break
    return point, remaining
