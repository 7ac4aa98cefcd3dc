"""An objective that computes value, gradient and Hessian in one pass over the rows.

Where the Hessian is needed at nearly every point at which the objective is evaluated, summing it up
at once saves a pass over the rows, and their scores. This is so in Newton's method for data that
each pass reads anew, and in inference.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._curvature.full_hessian import hessian_request
from softmax_regression._curvature.row_sums import ChunkSums, HessianRequest
from softmax_regression._data.dataset import Block
from softmax_regression._data.design import cut
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import write_gradient
from softmax_regression._objectives.linear.one_block import OneBlockCrossEntropy


def with_hessian(objective: LinearCrossEntropy) -> LinearCrossEntropy:
    """Return the objective with evaluations from which the Hessian follows without another pass.

    An objective of a single block is returned as it is, because its evaluations keep what the
    Hessian is made of.
    """
    if isinstance(objective, OneBlockCrossEntropy):
        return objective
    return CrossEntropyWithHessian(objective)


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
    matrix = request.matrix
    total, gradient = 0.0, np.zeros(matrix.shape)
    part = np.empty(matrix.shape, dtype=matrix.dtype)
    scratch, other = (block.scratch(len(matrix), matrix.dtype) for _ in range(2))
    sums = ChunkSums(block, request)
    for rows in block.pieces:
        n_rows = rows.stop - rows.start
        X, p = block.design[rows], other[: len(matrix) * n_rows].reshape(len(matrix), n_rows)
        total += write_gradient(X, block.loss, rows, matrix, part, scratch, p)
        gradient += part
        for chunk in cut(slice(0, n_rows), request.n_rows):
            of_all = slice(rows.start + chunk.start, rows.start + chunk.stop)
            sums.add(X[chunk], of_all, p[:, chunk])
    return total, gradient, *sums.totals
