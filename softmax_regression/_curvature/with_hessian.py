"""Value, gradient and Hessian from one pass over the rows.

Where each pass reads all rows anew, and a Hessian is small, it is summed up wherever the objective
is evaluated: nearly everywhere Newton's method goes, it asks for it next.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._curvature.full_hessian import hessian_request
from softmax_regression._curvature.row_sums import HessianRequest, hessian_sums
from softmax_regression._data.dataset import Block
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import gradient_sums


class CrossEntropyWithHessian(LinearCrossEntropy):
    """The same function as another, whose evaluations bring the sums of the Hessian along.

    Parameters
    ----------
    plain : LinearCrossEntropy
        The other, in standardised coordinates. It certifies: there no Hessian is asked for.
    """

    def __init__(self, plain: LinearCrossEntropy):
        self._assemble(plain.data, plain.layout, plain.penalty, plain.row_map)
        self._plain = plain

    def evaluate(self, params: Array) -> Evaluation:
        request = hessian_request(self, params, np.float64)
        total, gradient, *sums = self.data.map_reduce(
            gradient_and_hessian_sums, request, width=self.width
        )
        gradient = gradient.ravel()
        value = self._finish(params, total, gradient, 1 / self.data.n_rows)
        return Evaluation(params, value, gradient, hessian=tuple(sums))

    def certify(self, at: Evaluation, enough: float, sharp: bool) -> float:
        return self._plain.certify(at, enough, sharp)


def gradient_and_hessian_sums(block: Block, request: HessianRequest) -> tuple[float | Array, ...]:
    """Return Σ s_i CE_i, its gradient, and the sums that its Hessian is made of."""
    return *gradient_sums(block, request.matrix), *hessian_sums(block, request)
