r"""The Cholesky factor of the whole Hessian.

Summing up the Hessian takes about n_rows · (n_classes · n_columns)² operations, in symmetric rank-k
updates; with few rows, `woodbury.py` takes fewer. The sum can also be made over a sample of the
rows.

The block of two classes j and k is −Σ_i s_i p_ij p_ik z_i z_iᵀ, and that of a single class k is
Σ_i s_i p_ik q_ik z_i z_iᵀ, where q_ik is the sum of the probabilities of the other classes.
Computing q as a sum rather than as 1 − p avoids cancellation, which would make the blocks of
classes with probabilities close to 1 inaccurate. For few classes, Σ_i s_i p_ij p_ik z_i z_iᵀ is
summed up for each pair: these matrices are symmetric, and the blocks are sums of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.base import Curvature, jitter_of
from softmax_regression._curvature.rank_updates import (
    SHORT_SIDE,
    add_square,
    add_weighted_square,
    add_weighted_squares,
    mirror,
)
from softmax_regression._curvature.row_sums import (
    Add,
    HessianRequest,
    Shapes,
    request_of,
    sum_over_rows,
)
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy

# With more classes, or no more than `SHORT_SIDE` columns, one symmetric update is quicker than one
# for each pair of classes.
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
    kind = _sums_of(objective.n_columns, objective.width)
    known = as_evaluation(at).hessian if sample is None else None
    sums = known or sum_over_rows(objective, at, sample, kind.add, kind.shapes, dtype)
    # The evaluation keeps its sums for later calls, so that they must not be changed in place.
    upper = sums[0].astype(np.float64, copy=known is not None)
    mirror(upper)
    by_class = kind.assemble(upper, *sums[1:])
    by_class /= objective.data.n_rows
    diagonal = np.einsum("kjkj->kj", by_class)  # All results of einsum here are views.
    diagonal += objective.ridge
    if objective.width > 1:
        # The parameters of the last class are minus the sum of the others', and the mean over
        # classes is 0 at the minimum. Therefore the penalty couples all pairs of classes.
        same_column = np.einsum("kjlj->klj", by_class)
        same_column -= objective.ridge / objective.width
    order = by_class.shape[0] * by_class.shape[1]
    return by_class.reshape(order, order)


def hessian_request(objective: LinearCrossEntropy, params: Array, dtype: Any) -> HessianRequest:
    """Return the request for a pass over the rows that sums up the Hessian."""
    kind = _sums_of(objective.n_columns, objective.width)
    return request_of(objective, params, kind.add, kind.shapes, dtype)


class _Sums(NamedTuple):
    """The sums over rows of which the Hessian is made.

    Parameters
    ----------
    shapes : tuple of tuple of int
        The shapes of the sums. Of the first one only upper triangles are computed.
    add : callable
        The function that adds a chunk of rows to the sums.
    assemble : callable
        The function that makes the Hessian of the summed loss from the sums, with axes (class,
        column, class, column). It may overwrite the first one, whose triangles are both filled.
    """

    shapes: Shapes
    add: Add
    assemble: Callable[..., Array]


@lru_cache(maxsize=8)
def _sums_of(n_columns: int, n_classes: int) -> _Sums:
    """Return the sums that are quickest for the numbers of columns and of classes."""
    square = (n_columns, n_columns)
    if n_classes == 1:
        return _Sums((square,), _add_single_score, _of_single_score)
    if n_classes <= _MAX_CLASSES_BY_PAIRS and n_columns > SHORT_SIDE:
        return _Sums(((len(_class_pairs(n_classes)[0]), *square),), _add_pairs, _of_pairs)
    order = (n_classes - 1) * n_columns
    return _Sums(((order, order), (n_classes - 1, *square)), _add_classes, _of_classes)


def _of_all_classes(matrix: Array) -> Array:
    """Return parameters of all classes, which sum to 0, from those relative to the last class."""
    mean = np.add.reduce(matrix)
    mean /= len(matrix) + 1
    whole = np.empty((len(matrix) + 1, matrix.shape[1]))
    np.subtract(matrix, mean, out=whole[:-1])
    np.negative(mean, out=whole[-1])
    return whole


def _add_single_score(z: Array, p: Array, sums: tuple[Array]) -> None:
    """Add Σ p (1 − p) z zᵀ over a chunk of rows."""
    add_weighted_square(sums[0], z, p * (1 - p))


def _of_single_score(hessian: Array) -> Array:
    return hessian[None, :, None]


def _add_pairs(z: Array, p: Array, sums: tuple[Array]) -> None:
    """Add Σ p_j p_k z zᵀ over a chunk of rows for each pair of classes j < k."""
    first, second = _class_pairs(len(p))
    add_weighted_squares(sums[0], z, p[first] * p[second])


def _of_pairs(squares: Array) -> Array:
    """Return the Hessian made of the sums for pairs of classes.

    The block of two classes is minus the sum of their pair, and that of a single class is the sum
    over all pairs that it belongs to.
    """
    n_pairs, n_columns = squares.shape[:2]
    n_free = (isqrt(8 * n_pairs + 1) - 1) // 2  # There are K (K − 1) / 2 pairs of K classes.
    hessian = np.zeros((n_free + 1, n_columns, n_free + 1, n_columns))
    for j, k, square in zip(*_class_pairs(n_free + 1), squares, strict=True):
        hessian[j, :, j] += square
        hessian[k, :, k] += square
        hessian[j, :, k] = hessian[k, :, j] = -square
    return hessian[:-1, :, :-1]


@lru_cache(maxsize=4)
def _class_pairs(n_classes: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the classes j and k of all pairs j < k."""
    return np.triu_indices(n_classes, 1)


def _add_classes(z: Array, p: Array, sums: tuple[Array, Array]) -> None:
    """Add −Σ p_j p_k z zᵀ for all classes, and Σ p_k q_k z zᵀ for each, over a chunk of rows."""
    hessian, blocks = sums
    products = p[:-1, None] * z
    add_square(hessian, -1.0, products.reshape(len(hessian), -1))
    products *= _others(len(p)).dot(p)[:, None]
    blocks += products.reshape(len(hessian), -1).dot(z.T).reshape(blocks.shape)


def _of_classes(hessian: Array, blocks: Array) -> Array:
    """Return the Hessian made of the sums for all classes at once, and for each."""
    n_free, n_columns = blocks.shape[:2]
    by_class = hessian.reshape(n_free, n_columns, n_free, n_columns)
    np.einsum("kikj->kij", by_class)[...] = blocks
    return by_class


@lru_cache(maxsize=4)
def _others(n_classes: int) -> Array:
    """Return the matrix that sums the probabilities of all other classes, for all but the last."""
    return 1.0 - np.eye(n_classes)[:-1]
