r"""The Cholesky factor of the whole Hessian.

Summing up the Hessian takes n_rows · (n_classes · n_columns)² operations, in symmetric rank-k
updates of BLAS; with few rows, `woodbury.py` takes fewer. The sum can also be made over a sample of
the rows.

The block of two classes j and k is −Σ_i s_i p_ij p_ik z_i z_iᵀ, and that of a single class k is
Σ_i s_i p_ik q_ik z_i z_iᵀ, where q_ik is the sum of the probabilities of the other classes.
Computing q as a sum rather than as 1 − p avoids cancellation, which would make the blocks of
classes with probabilities close to 1 inaccurate.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from softmax_regression._curvature.base import Curvature, jitter_of
from softmax_regression._curvature.rank_updates import (
    SHORT_SIDE,
    add_square,
    add_weighted_square,
    mirror,
)
from softmax_regression._curvature.row_sums import HessianRequest, request_of, sum_over_rows
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

# With more classes, one symmetric update is quicker than a product for each pair of classes.
_MAX_CLASSES_BY_PAIRS = 5


class HessianFactor(Curvature):
    """The Cholesky factor of the Hessian without the last class.

    Parameters
    ----------
    objective : LinearCrossEntropy
        The function whose Hessian is factored.
    at : Evaluation or ndarray of shape (n_params,)
        The point at which the Hessian is taken.
    sample : Sample, default=None
        A weighted sample of the rows; by default the Hessian is summed over all rows.
    dtype : dtype, default=float64
        The precision of the sums; float32 takes half of the time.
    """

    def __init__(
        self,
        objective: LinearCrossEntropy,
        at: Array | Evaluation,
        sample: Sample | None = None,
        dtype: Any = np.float64,
    ):
        super().__init__(objective)
        self._whole = sample is None and dtype == np.float64
        hessian = hessian_matrix(objective, at, sample, dtype)
        self._factor = CholeskyFactor(hessian, jitter_of(dtype))
        self.least_pivot = self._factor.least_pivot
        self._shape = objective.layout.n_free_outputs, objective.n_columns

    @property
    def n_unknowns(self) -> int:
        return self._shape[0] * self._shape[1]

    def solve_upper(self, unknowns: Array) -> Array:
        matrix = self._factor.back(unknowns).reshape(self._shape)
        return (matrix if self.objective.width == 1 else _of_all_classes(matrix)).ravel()

    def solve_lower(self, gradient: Array) -> Array:
        return self._factor.forward(self._matrix(gradient)[: self._shape[0]].ravel())

    def solve(self, gradient: Array) -> Array:
        if self.objective.width == 1:
            return self._factor.solve(gradient)
        solved = self._factor.solve(self._matrix(gradient)[:-1].ravel())
        return _of_all_classes(solved.reshape(self._shape)).ravel()

    @property
    def exact(self) -> bool:
        """Whether the factor is that of the Hessian up to rounding errors of float64."""
        return self._whole and self._factor.sound

    @property
    def log_determinant(self) -> float:
        """The logarithm of the determinant of the Hessian without the last class."""
        return self._factor.log_determinant

    def inverse(self) -> Array:
        """Return H⁻¹ without the last class, with axes (class, column, class, column)."""
        return self._factor.inverse().reshape(*self._shape, *self._shape)


def hessian_matrix(
    objective: LinearCrossEntropy,
    at: Array | Evaluation,
    sample: Sample | None = None,
    dtype: Any = np.float64,
) -> Array:
    """Return the Hessian without the last class, summed over all rows or a sample of them."""
    n_columns = objective.n_columns
    n_classes = objective.layout.n_free_outputs
    known = as_evaluation(at).hessian if sample is None else None
    hessian, blocks = known or sum_over_rows(
        objective, at, sample, _add_to_hessian, _shapes(objective), dtype
    )
    # The evaluation keeps its sums for later calls, so that they must not be changed in place.
    hessian = hessian.astype(np.float64, copy=known is not None)
    mirror(hessian)
    by_class = hessian.reshape(n_classes, n_columns, n_classes, n_columns)
    if objective.width > 1:
        same_class = np.einsum("kikj->kij", by_class)  # All results of einsum here are views.
        same_class[...] = blocks
    hessian /= objective.data.n_rows
    diagonal = np.einsum("kjkj->kj", by_class)
    diagonal += objective.ridge
    if objective.width > 1:
        # The parameters of the last class are minus the sum of the others', and the mean over
        # classes is 0 at the minimum. Therefore the penalty couples all pairs of classes.
        same_column = np.einsum("kjlj->klj", by_class)
        same_column -= objective.ridge / objective.width
    return hessian


def hessian_request(objective: LinearCrossEntropy, params: Array, dtype: Any) -> HessianRequest:
    """Return the request for a pass over the rows that sums up the Hessian."""
    return request_of(objective, params, _add_to_hessian, _shapes(objective), dtype)


def _shapes(objective: LinearCrossEntropy) -> list[tuple[int, ...]]:
    """Return the shapes of the sums for pairs of classes and for single classes."""
    n_columns, n_classes = objective.n_columns, objective.layout.n_free_outputs
    order = n_classes * n_columns
    return [(order, order), (n_classes, n_columns, n_columns)]


def _of_all_classes(matrix: Array) -> Array:
    """Return parameters of all classes, which sum to 0, from those relative to the last class."""
    mean = np.add.reduce(matrix)
    mean /= len(matrix) + 1
    whole = np.empty((len(matrix) + 1, matrix.shape[1]))
    np.subtract(matrix, mean, out=whole[:-1])
    np.negative(mean, out=whole[-1])
    return whole


def _add_to_hessian(z: Array, p: Array, sums: tuple[Array, Array]) -> None:
    """Add the contribution of a chunk of rows to the blocks of pairs and of single classes."""
    hessian, blocks = sums
    if len(p) == 1:
        add_weighted_square(hessian, z, p * (1 - p))
        return
    if len(p) <= _MAX_CLASSES_BY_PAIRS and len(z) > SHORT_SIDE:
        _add_pairs(hessian, blocks, p[:, None] * z)
        return
    products = p[:-1, None] * z
    add_square(hessian, -1.0, products.reshape(len(hessian), -1))
    products *= _others(len(p)).dot(p)[:, None]
    blocks += products.reshape(len(hessian), -1).dot(z.T).reshape(blocks.shape)


def _add_pairs(hessian: Array, blocks: Array, products: Array) -> None:
    """Do the same by one product for each pair of classes, which is less work for few classes."""
    n_columns = products.shape[1]
    for j, k in combinations(range(len(products)), 2):
        of_both = products[j].dot(products[k].T)
        blocks[j] += of_both
        if k < len(blocks):
            blocks[k] += of_both.T
            first, second = j * n_columns, k * n_columns
            hessian[first : first + n_columns, second : second + n_columns] -= of_both


@lru_cache(maxsize=4)
def _others(n_classes: int) -> Array:
    """Return the matrix that sums the probabilities of all other classes, for all but the last."""
    return 1.0 - np.eye(n_classes)[:-1]
