"""The last digits: Newton steps that are judged by the stopping criterion alone.

A line search compares values of the objective, and near the minimum these agree to rounding long
before the gradient does: a change of 1e-8 in the parameters moves the value by 1e-16. The criteria
are made of gradients, so they still tell better from worse.
"""

from __future__ import annotations

from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.criteria import Criterion, evaluate, newton_step
from softmax_regression._solvers.protocols import CertifiedObjective

_PRECISION = 1e-8  # Of the decrement, at which conjugate gradients end.


def polish(
    objective: CertifiedObjective,
    point: Evaluation,
    remaining: float,
    criterion: Criterion,
    tol: float,
    max_products: int,
) -> tuple[Evaluation, float]:
    """Take Newton steps while the criterion falls, until it is at most `tol`.

    Ends after `max_products` products with the Hessian, each about as dear as an evaluation.
    """
    while max_products > 0:
        step, _, n_products = newton_step(
            objective, point, precision=_PRECISION, max_products=max_products
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
