"""Records and progress of the fits along a path of C, and warnings of those that stopped early."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from softmax_regression._linalg.arrays import Array
from softmax_regression._solvers.result import Report, StopReason

# The remedies in warnings about models that rounding has moved away from the minimum, and about
# features that differ too little for the gap to be known.
ROUNDING_REMEDY = "Pass X as float64, or subtract from each feature its mean."
UNRESOLVED_REMEDY = "Leave out such features, or set C to a finite value."


@dataclass
class FitRecord:
    """How the fit for one C ended.

    Parameters
    ----------
    C, objective : float
        As in `Solution`.
    gap : float
        The relative optimality gap.
    n_iter : int
        The number of iterations.
    reason : StopReason
        Why the solver stopped.
    """

    C: float
    objective: float
    gap: float
    n_iter: int
    reason: StopReason


class Progress:
    """Prints the progress of a path.

    Parameters
    ----------
    report : callable, default=None
        Prints a line of text; None to print nothing.
    verbose : int, default=1
        1 for a line about each C, 2 or more for a line about each iteration as well.
    """

    def __init__(self, report: Report | None = None, verbose: int = 1):
        self._report = report
        self._verbose = verbose

    def begin(self) -> None:
        """Note that the path begins."""

    def model(self, C: float, coef: Array, intercept: Array) -> None:
        """Note the model for C."""

    def end(self) -> None:
        """Note that the path ends."""

    def iterations(self, C: float) -> Report | None:
        """Return a function that prints a line about an iteration; None to print nothing."""
        report = self._report
        if report is None or self._verbose < 2:
            return None
        return lambda line: report(f"C={C:.3g}, {line}")

    def solved(self, record: FitRecord) -> None:
        """Print a line about the fit for a C, which has ended."""
        if self._report is not None:
            self._report(
                f"C={record.C:.3g}: objective {record.objective:.8g}, relative optimality gap "
                f"{record.gap:.1e} after {record.n_iter} iterations"
            )


def warn_unless_converged(
    records: Sequence[FitRecord], who: str, tol: float, stacklevel: int
) -> None:
    """Warn if the solvers of some models stopped before `tol` was reached."""
    stopped = [record for record in records if record.reason is not StopReason.CONVERGED]
    if not stopped:
        return
    worst = max(stopped, key=lambda record: np.nan_to_num(record.gap, nan=np.inf))
    remedy = "Raise max_iter or tol, or leave out the largest C."
    if worst.reason is StopReason.ROUNDED:
        remedy = ROUNDING_REMEDY
    if worst.reason is StopReason.UNRESOLVED:
        remedy = UNRESOLVED_REMEDY
    warnings.warn(
        f"{who} stopped before tol={tol:g} was reached in {len(stopped)} of {len(records)} fits: "
        f"at C={worst.C:g} because {worst.reason.value}, with a relative optimality gap of "
        f"{worst.gap:.1e}, the largest. {remedy}",
        ConvergenceWarning,
        stacklevel=stacklevel + 1,
    )
