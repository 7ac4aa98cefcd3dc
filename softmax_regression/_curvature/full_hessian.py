r"""The Hessian itself, factored.

Making it takes n_rows · (n_classes · n_columns)² operations, in symmetric rank-k updates of BLAS;
with few rows, `woodbury.py` has it in fewer. It can also be made from a sample of the rows.

Every block of two classes is −Σ_i s_i p_j p_k z zᵀ, and that of class k is Σ_i s_i p_k q_k z zᵀ,
with q_k the sum of the other probabilities: nothing is subtracted, and the digits of rare classes
are kept.
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

_FEW_CLASSES = 5  # Of more, a symmetric update in one call is quicker than a product for each.


class HessianFactor(Curvature):
    """The Cholesky factor of H, which may be rounded to float32 for half of the time."""

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
        """Whether it is that of H but for rounding errors of float64."""
        return self._whole and self._factor.sound

    @property
    def log_determinant(self) -> float:
        """The logarithm of the determinant of H without the last class."""
        return self._factor.log_determinant

    def inverse(self) -> Array:
        """Return H⁻¹ without the last class, of shape (n_scores, n_columns) twice."""
        return self._factor.inverse().reshape(*self._shape, *self._shape)


def hessian_matrix(
    objective: LinearCrossEntropy,
    at: Array | Evaluation,
    sample: Sample | None = None,
    dtype: Any = np.float64,
) -> Array:
    """Return H without the last class, from all rows or a sample of them; see the module's text."""
    n_columns = objective.n_columns
    n_classes = objective.layout.n_free_outputs
    known = as_evaluation(at).hessian if sample is None else None
    hessian, blocks = known or sum_over_rows(
        objective, at, sample, _add_to_hessian, _shapes(objective), dtype
    )
    # What the evaluation keeps is not to be changed.
    hessian = hessian.astype(np.float64, copy=known is not None)
    mirror(hessian)
    by_class = hessian.reshape(n_classes, n_columns, n_classes, n_columns)
    if objective.width > 1:
        same_class = np.einsum("kikj->kij", by_class)  # views, as those below
        same_class[...] = blocks
    hessian /= objective.data.n_rows
    diagonal = np.einsum("kjkj->kj", by_class)
    diagonal += objective.ridge
    if objective.width > 1:
        # The parameters of the class left out are minus the sum of the others', and what all have
        # in common is 0 at the minimum: so the penalty couples all pairs of classes.
        same_column = np.einsum("kjlj->klj", by_class)
        same_column -= objective.ridge / objective.width
    return hessian


def hessian_request(objective: LinearCrossEntropy, params: Array, dtype: Any) -> HessianRequest:
    """Return the request for the sums that H is made of, for a pass over the rows."""
    return request_of(objective, params, _add_to_hessian, _shapes(objective), dtype)


def _shapes(objective: LinearCrossEntropy) -> list[tuple[int, ...]]:
    """Return the shapes of the sums: of pairs of classes, and of each class with itself."""
    n_columns, n_classes = objective.n_columns, objective.layout.n_free_outputs
    order = n_classes * n_columns
    return [(order, order), (n_classes, n_columns, n_columns)]


def _of_all_classes(matrix: Array) -> Array:
    """Return parameters of all classes, which sum to 0, for those without the last class's."""
    mean = np.add.reduce(matrix)
    mean /= len(matrix) + 1
    whole = np.empty((len(matrix) + 1, matrix.shape[1]))
    np.subtract(matrix, mean, out=whole[:-1])
    np.negative(mean, out=whole[-1])
    return whole


def _add_to_hessian(z: Array, p: Array, sums: tuple[Array, Array]) -> None:
    """Add what some rows contribute to the blocks of two classes, and to those of one."""
    hessian, blocks = sums
    if len(p) == 1:
        add_weighted_square(hessian, z, p * (1 - p))
        return
    if len(p) <= _FEW_CLASSES and len(z) > SHORT_SIDE:
        _add_pairs(hessian, blocks, p[:, None] * z)
        return
    products = p[:-1, None] * z
    add_square(hessian, -1.0, products.reshape(len(hessian), -1))
    products *= _others(len(p)).dot(p)[:, None]
    blocks += products.reshape(len(hessian), -1).dot(z.T).reshape(blocks.shape)


def _add_pairs(hessian: Array, blocks: Array, products: Array) -> None:
    """Add the same by a product for each pair of classes: of few, that is less work."""
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
    """Return what adds up the probabilities of all other classes, for each but the last."""
    return 1.0 - np.eye(n_classes)[:-1]
