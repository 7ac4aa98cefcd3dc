"""The last digits: Newton steps that are judged by the stopping criterion alone.

A line search compares values of the objective, and near the minimum these agree to rounding long
before the gradient does: a change of 1e-8 in the parameters moves the value by 1e-16. The criteria
are made of gradients, so they still tell better from worse.
"""

from __future__ import annotations

from softmax_regression._objectives.base import Objective
from softmax_regression._solvers.criteria import Criterion, Point, evaluate, newton_step

_PRECISION = 1e-8  # of the decrement, at which conjugate gradients stop


def polish(
    objective: Objective,
    point: Point,
    remaining: float,
    criterion: Criterion,
    tol: float,
    max_products: int,
) -> tuple[Point, float]:
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
