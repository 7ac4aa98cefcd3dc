"""An objective that computes value, gradient and Hessian in one pass over the rows.

It serves data that each pass reads anew, and Hessians that are cheap. Newton's method needs the
Hessian at nearly every point at which it evaluates the objective, so that summing it up at once
saves a pass over the rows.
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
    """A linear cross-entropy whose evaluations include the sums of the Hessian.

    Parameters
    ----------
    plain : LinearCrossEntropy
        The same function in standardised coordinates without these sums. It computes certificates,
        because these need no Hessian.
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
    """Return Σ s_i CE_i, its gradient, and the sums over rows of its Hessian."""
    return *gradient_sums(block, request.matrix), *hessian_sums(block, request)
