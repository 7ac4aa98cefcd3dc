"""Which Hessian Newton's method factors, by what it costs and how far the minimum is.

Far from the minimum the Hessian is another after every step: one made from a sample of the rows,
and rounded to float32, brings as much. The nearer, the more precise it has to be, for each step
squares what is left only as far as its matrix is exact.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._curvature.preconditioner import HessianPreconditioner
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

_SAMPLE_ABOVE = 0.1  # A sample of rows does where a larger share of the value is left to gain.
_FLOAT32_ABOVE = 0.01  # Float32 does where a larger share of the value is left to gain.
_ROWS_PER_UNKNOWN = 10  # Rows drawn for each row of the Hessian.
_SAMPLED_ROWS_PER_UNKNOWN = 3 * _ROWS_PER_UNKNOWN  # Of fewer, all are taken.
_COSTLY_EVALUATIONS = 4  # A Hessian that takes longer than so many is used more than once.
_CALLS_MULTIPLICATIONS = 1_500_000  # In the time that the calls of an evaluation take.
_SCORE_MULTIPLICATIONS = 40  # In the time of an exponential and what goes with it.


class HessianSchedule:
    """Makes factors of the Hessian, as exact as they are worth it.

    Parameters
    ----------
    objective : LinearCrossEntropy
        In standardised coordinates.
    near : bool, default=False
        Whether the minimum is known to be near: no sample is drawn.
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
        """Make one at some parameters, where about a share `left` of the value is to be gained."""
        known = as_evaluation(at).hessian is not None
        if known or left <= _FLOAT32_ABOVE or not self._takes_longer:
            return HessianFactor(self.objective, at)
        sample: Sample | None = None
        if left > _SAMPLE_ABOVE and self._rows is not None:
            sample = self._rows.sample(as_evaluation(at).params)
        return HessianFactor(self.objective, at, sample, np.float32)
