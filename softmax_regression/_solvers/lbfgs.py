"""Limited-memory BFGS, SciPy's.

Its curvature comes from the last few gradients (Liu and Nocedal, "On the limited memory BFGS method
for large scale optimization", Mathematical Programming 45, 1989), at the price of one evaluation of
value and gradient a step.
"""

from __future__ import annotations

from scipy.optimize import Bounds

from softmax_regression._objectives.base import Objective
from softmax_regression._solvers.criteria import Criterion
from softmax_regression._solvers.result import Report, SolverResult, Watch
from softmax_regression._solvers.scipy_monitor import Array, Monitor

_MEMORY = 20  # pairs of differences; with SciPy's default of 10, raw data takes more iterations


def minimize_lbfgs(
    objective: Objective,
    start: Array,
    *,
    criterion: Criterion,
    tol: float,
    max_iter: int,
    max_fun: int | None = None,
    bounds: Bounds | None = None,
    n_before: int = 0,
    report: Report | None = None,
    watch: Watch | None = None,
) -> SolverResult:
    """Minimise by ``scipy.optimize.minimize(method="L-BFGS-B")``.

    Parameters
    ----------
    objective : Objective
        What to minimise.
    start : ndarray of float64
        Where to begin.
    criterion : Criterion
        What must fall to `tol`.
    tol : float
        When to stop.
    max_iter, max_fun : int
        When to give up: iterations, and evaluations (by default twice the iterations and some).
    bounds : scipy.optimize.Bounds, default=None
        Where the parameters are to stay, as `objective` has it too.
    n_before : int
        Iterations that earlier runs took, for the report.
    report : callable, default=None
        Called with a line of text after each iteration.
    watch : callable, default=None
        Called with the parameters after each iteration; ends the run by returning True.
    """
    options = {
        "maxiter": max_iter,
        "maxfun": 2 * max_iter + 100 if max_fun is None else max_fun,
        "maxcor": _MEMORY,
        "maxls": 50,
        "ftol": 0.0,
        "gtol": 0.0,
    }
    monitor = Monitor(objective, criterion, tol, report, n_before, watch)
    return monitor.minimize(start, method="L-BFGS-B", bounds=bounds, options=options)
