"""Truncated Newton, SciPy's: each step solves the Newton equations by conjugate gradients.

Products with the Hessian take the place of the Hessian (Nocedal and Wright, *Numerical
Optimization*, section 7.1), so memory stays that of a few parameter vectors.
"""

from __future__ import annotations

from softmax_regression.objectives import Objective
from softmax_regression.solvers._criteria import Criterion
from softmax_regression.solvers._monitor import Array, Monitor, Report
from softmax_regression.solvers._result import SolverResult

_SCALE = 1e6  # SciPy takes a curvature below an absolute 1e-15 for 0, and a mean loss may have that


def minimize_newton_cg(
    objective: Objective,
    start: Array,
    *,
    criterion: Criterion,
    tol: float,
    max_iter: int,
    report: Report | None = None,
) -> SolverResult:
    """Minimise by ``minimize(method="Newton-CG")`` of SciPy; parameters as `minimize_lbfgs`."""
    monitor = Monitor(objective, criterion, tol, report)
    return monitor.minimize(
        start,
        scale=_SCALE,
        method="Newton-CG",
        hessp=lambda params, direction: _SCALE * objective.hessian_product(params, direction),
        options={"maxiter": max_iter, "xtol": 0.0},
    )
