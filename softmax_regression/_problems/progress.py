"""How the fits along a path of C end, and who is told of it on the way."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from softmax_regression._linalg.arrays import Array
from softmax_regression._solvers.result import Report, StopReason

# For whoever is told that rounding has moved a model off the minimum.
ROUNDING_REMEDY = "Pass X as float64, or subtract from each feature its mean."
UNRESOLVED_REMEDY = "Leave out such features, or set C to a finite value."


@dataclass
class Ending:
    """How the solver ended for one C.

    Parameters
    ----------
    C, objective : float
        As of `Solution`.
    gap : float
        The relative optimality gap.
    n_iter : int
        Iterations.
    reason : StopReason
        Why it stopped.
    """

    C: float
    objective: float
    gap: float
    n_iter: int
    reason: StopReason


class Progress:
    """Prints what becomes of a path, as much of it as is wanted.

    Parameters
    ----------
    report : callable, default=None
        Prints a line of text.
    verbose : int, default=1
        1 for a line about each C, 2 and more for one about each iteration as well.
    """

    def __init__(self, report: Report | None = None, verbose: int = 1):
        self._report = report
        self._verbose = verbose

    def begin(self) -> None:
        """The path begins."""

    def model(self, C: float, coef: Array, intercept: Array) -> None:
        """There is a model for C."""

    def end(self) -> None:
        """There are models for all C."""

    def iterations(self, C: float) -> Report | None:
        """Return what prints a line about an iteration, if that is wanted."""
        report = self._report
        if report is None or self._verbose < 2:
            return None
        return lambda line: report(f"C={C:.3g}, {line}")

    def solved(self, end: Ending) -> None:
        """Learn how the fit for a C ended."""
        if self._report is not None:
            self._report(
                f"C={end.C:.3g}: objective {end.objective:.8g}, relative optimality gap "
                f"{end.gap:.1e} after {end.n_iter} iterations"
            )


def warn_unless_converged(endings: Sequence[Ending], who: str, tol: float, stacklevel: int) -> None:
    """Warn of models whose solver stopped before `tol` was reached, if there are any."""
    stopped = [ending for ending in endings if ending.reason is not StopReason.CONVERGED]
    if not stopped:
        return
    worst = max(stopped, key=lambda ending: np.nan_to_num(ending.gap, nan=np.inf))
    remedy = "Raise max_iter or tol, or leave out the largest C."
    if worst.reason is StopReason.ROUNDED:
        remedy = ROUNDING_REMEDY
    if worst.reason is StopReason.UNRESOLVED:
        remedy = UNRESOLVED_REMEDY
    warnings.warn(
        f"{who} stopped before tol={tol:g} was reached in {len(stopped)} of {len(endings)} fits: "
        f"at C={worst.C:g} because {worst.reason.value}, with a relative optimality gap of "
        f"{worst.gap:.1e}, the largest. {remedy}",
        ConvergenceWarning,
        stacklevel=stacklevel + 1,
    )
