"""A line search that compares slopes, and so works to the last digit.

Along a line a convex function has an increasing slope, and its minimum is where that changes sign.
Values of the function agree to rounding long before its slope is 0.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.convergence import Proposal
from softmax_regression._solvers.protocols import SearchableObjective

_SLOPE_LEFT = 0.3  # Of the slope at the start: below, the next direction does better.
_MOST_TRIALS = 40  # Lengths of one line search. It halves or doubles: none should need them all.
_ROUNDING = 16 * float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)


class LineSearch:
    """Finds a point on the line where the slope is small and the value not above the first.

    It begins with the full step. While the slope is still far below 0 it goes twice as far, and
    once the slope has changed its sign, to the zero of the straight line through two slopes. It
    ends at the first bound of a parameter.

    Parameters
    ----------
    objective : SearchableObjective
        What is minimised, convex.
    max_change : float, default=inf
        By how much the scores of a row may change, in nats.
    """

    def __init__(self, objective: SearchableObjective, max_change: float = np.inf):
        self.objective = objective
        self.max_change = max_change

    def __call__(self, evaluation: Evaluation, proposal: Proposal) -> Evaluation | None:
        """Return the objective there; None if rounding errors leave no such point."""
        objective, params, direction = self.objective, evaluation.params, proposal.direction
        first = float(evaluation.gradient @ direction)
        if not first < 0:
            return None
        acceptable = evaluation.value + _ROUNDING * abs(evaluation.value)
        below, above = (0.0, first), (np.inf, np.nan)
        max_step = objective.max_step(params, direction)
        if self.max_change < np.inf:
            change = max(objective.largest_change(direction), _TINY)
            max_step = min(max_step, self.max_change / change)
        length, best, was_long = min(1.0, max_step), None, False
        for _ in range(_MOST_TRIALS):
            trial = objective.evaluate(objective.within(params + length * direction))
            slope = float(trial.gradient @ direction)
            if trial.value <= acceptable and (best is None or trial.value <= best.value):
                best = trial
            if not (np.isfinite(trial.value) and np.isfinite(slope)):
                above = (length, np.nan)
            elif abs(slope) <= -_SLOPE_LEFT * first and trial.value <= acceptable:
                return trial
            elif slope < 0:
                if length >= max_step and best is trial:
                    return trial  # It is at a bound.
                below, was_long = (length, slope), False
            else:
                if was_long:  # Where slopes bend sharply, one end would else stay for ever.
                    below = (below[0], 0.5 * below[1])
                above, was_long = (length, slope), True
            length = min(_between(below, above), max_step)
        return best


def _between(below: tuple[float, float], above: tuple[float, float]) -> float:
    """Choose the next length, given two with their slopes of which one is too short."""
    (short, negative), (long, positive) = below, above
    if np.isinf(long):
        return 2 * short
    if np.isnan(positive):
        return short + 0.1 * (long - short)
    zero = short + (long - short) * negative / (negative - positive)
    tenth = 0.1 * (long - short)
    return float(np.clip(zero, short + tenth, long - tenth))
