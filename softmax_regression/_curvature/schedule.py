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

_FAR_OUT = 0.1  # of the value is left: a sample of the rows does
_ON_THE_WAY = 0.01  # of the value is left: float32 does
_DRAWN = 10  # rows for each row of the Hessian
_MANY_ROWS = 3 * _DRAWN  # for each: of fewer none are left out
_COSTLY = 4  # times the time of value and gradient, from which a Hessian is used more than once
_CALLS = 1_500_000  # multiplications in the time that the calls of an evaluation take
_PER_SCORE = 40  # multiplications in the time of an exponential and what goes with it


class HessianSchedule:
    """Makes factors of the Hessian.

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
        evaluation = _CALLS + 4 * objective.data.n_values * width + _PER_SCORE * n_rows * width
        self.costly = hessian > _COSTLY * evaluation
        self._takes_longer = hessian > _CALLS
        to_spare = self.costly and n_rows >= _MANY_ROWS * order
        self._rows = HessianPreconditioner(objective, _DRAWN) if to_spare and not near else None

    def __call__(self, at: Array | Evaluation, left: float) -> HessianFactor:
        """Make one at some parameters, where about a share `left` of the value is to be gained."""
        if left <= _ON_THE_WAY or not self._takes_longer:
            return HessianFactor(self.objective, at)
        sample: Sample | None = None
        if left > _FAR_OUT and self._rows is not None:
            sample = self._rows.sample(as_evaluation(at).params)
        return HessianFactor(self.objective, at, sample, np.float32)
