"""The schedule that decides how exact a Hessian each step of Newton's method factors.

Far from the minimum the Hessian changes much with every step. There a Hessian summed over a sample
of the rows and in float32 makes as much progress as the exact one. Close to the minimum the
Hessian has to be more exact, because Newton's method converges quadratically only with the exact
Hessian.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._curvature.preconditioner import HessianPreconditioner
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

# A sample of rows is used while the expected decrease is more than this share of the value.
_SAMPLE_ABOVE = 0.1
# Sums in float32 are used while the expected decrease is more than this share of the value.
_FLOAT32_ABOVE = 0.01
_ROWS_PER_UNKNOWN = 10  # This many rows are drawn for each row of the Hessian.
# With fewer rows than this for each row of the Hessian, no sample is drawn.
_SAMPLED_ROWS_PER_UNKNOWN = 3 * _ROWS_PER_UNKNOWN
# A Hessian that takes longer than this many evaluations is costly, and used for several steps.
_COSTLY_EVALUATIONS = 4
# The function calls of an evaluation take as long as this many multiplications.
_CALLS_MULTIPLICATIONS = 1_500_000
# The exponential and the rest of the loss of one score take as long as this many multiplications.
_SCORE_MULTIPLICATIONS = 40


class HessianSchedule:
    """Makes factors of the Hessian that are as exact as the distance from the minimum asks for.

    Parameters
    ----------
    objective : LinearCrossEntropy
        The function whose Hessian is factored, in standardised coordinates.
    near : bool, default=False
        Whether the minimum is known to be near, so that no sample is drawn.

    Attributes
    ----------
    costly : bool
        Whether a Hessian takes so long that a factor should be used for several steps.
    """

    def __init__(self, objective: LinearCrossEntropy, near: bool = False):
        self.objective = objective
        order = objective.layout.hessian_order
        n_rows, width = objective.data.n_rows, objective.width
        hessian = n_rows * order**2
        per_output = 4 * objective.data.n_values + _SCORE_MULTIPLICATIONS * n_rows
        evaluation = _CALLS_MULTIPLICATIONS + width * per_output
        self.costly = hessian > _COSTLY_EVALUATIONS * evaluation
        self._takes_longer = hessian > _CALLS_MULTIPLICATIONS
        to_spare = self.costly and n_rows >= _SAMPLED_ROWS_PER_UNKNOWN * order
        self._rows: HessianPreconditioner | None = None
        if to_spare and not near:
            self._rows = HessianPreconditioner(objective, _ROWS_PER_UNKNOWN)

    def __call__(self, at: Array | Evaluation, left: float) -> HessianFactor:
        """Make a factor at a point where F is expected to fall by a share `left` of its value."""
        known = as_evaluation(at).hessian is not None
        if known or left <= _FLOAT32_ABOVE or not self._takes_longer:
            return HessianFactor(self.objective, at)
        sample: Sample | None = None
        if left > _SAMPLE_ABOVE and self._rows is not None:
            sample = self._rows.sample(as_evaluation(at).params)
        return HessianFactor(self.objective, at, sample, np.float32)
