"""A line search that compares slopes, and therefore works to full precision.

Along a line the slope of a convex function increases, and the minimum is where it changes sign.
Near the minimum, values of the function are equal up to rounding errors while its slope is still
informative.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._solvers.convergence import Proposal
from softmax_regression._solvers.protocols import SearchableObjective

# A point is accepted if the slope there is at most this share of the slope at the start.
_SLOPE_LEFT = 0.3
_MOST_TRIALS = 40  # One line search tries at most this many step lengths.
# Values that differ by at most this share are regarded as equal up to rounding errors.
_RELATIVE_ROUNDING_ERROR = 16 * float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)


class LineSearch:
    """Finds a point on a line where the slope is small and the value not above that at the start.

    The search starts with the full step. It doubles the step while the slope is far below 0. Once
    the slope has changed its sign, the next step length is the zero of the straight line through
    the slopes on both sides. The search ends at the first bound of a parameter that it meets.

    Parameters
    ----------
    objective : SearchableObjective
        The convex function to minimise.
    max_change : float, default=inf
        The largest allowed change of the scores of a row, in nats.
    """

    def __init__(self, objective: SearchableObjective, max_change: float = np.inf):
        self.objective = objective
        self.max_change = max_change

    def __call__(self, evaluation: Evaluation, proposal: Proposal) -> Evaluation | None:
        """Return the evaluation at the point found; None if rounding errors leave no such point."""
        objective, params, direction = self.objective, evaluation.params, proposal.direction
        first = float(evaluation.gradient @ direction)
        if not first < 0:
            return None
        acceptable = evaluation.value + _RELATIVE_ROUNDING_ERROR * abs(evaluation.value)
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
                    return trial  # The trial is at the largest allowed step.
                below, was_long = (length, slope), False
            else:
                if was_long:  # Halving one slope (the Illinois rule) keeps one end from staying.
                    below = (below[0], 0.5 * below[1])
                above, was_long = (length, slope), True
            length = min(_between(below, above), max_step)
        return best


def _between(below: tuple[float, float], above: tuple[float, float]) -> float:
    """Return a step length between one that is too short and one that is too long.

    Each is given with its slope; the long one is infinite while none is known.
    """
    (short, negative), (long, positive) = below, above
    if np.isinf(long):
        return 2 * short
    if np.isnan(positive):
        return short + 0.1 * (long - short)
    zero = short + (long - short) * negative / (negative - positive)
    tenth = 0.1 * (long - short)
    return float(np.clip(zero, short + tenth, long - tenth))
