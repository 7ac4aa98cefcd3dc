r"""The Hessian of the linear cross-entropy, whole or in blocks, and what is solved with it.

With z a row in the objective's coordinates, and a last entry for the intercept,

    H = 1/S · Σ_i s_i (diag(p_i) − p_i p_iᵀ) ⊗ z_i z_iᵀ + diag(ridge)

Adding the same vector to every class changes no probability: those directions are fixed by the
penalty alone, or not at all. So the last class is left out, its parameters being minus the sum of
the others', and the rest of H is positive definite wherever the problem has one solution.

Four matrices stand for H; each but the last can also be made from a sample of the rows.
`HessianFactor` is H itself: n_rows · (n_classes · n_columns)² operations, in symmetric rank-k
updates of BLAS; with few rows, `woodbury.py` has it in fewer. `BlockFactor` keeps only the
blocks of single classes, cheaper by a factor of n_classes. `SharedFactor` is H as it were if all
rows had the same probabilities, as they have where a fit begins, and cheaper by n_classes once
more. `Diagonal` is for X with more columns than a factor has room for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk, ssyrk

from softmax_regression._curvature.row_sums import sum_over_rows
from softmax_regression._data.dataset import Block
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.cholesky import (
    RELATIVE_JITTER,
    CholeskyFactor,
    SeparateFactors,
    StackedFactors,
)
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import probabilities_of
from softmax_regression._objectives.linear.layout import centred

Array = NDArray[Any]

_FLOAT32_JITTER = 1e-9  # Relative to the diagonal, of a matrix that was summed in float32.
_FEW = 16  # rows of a product with its own transpose, or of a matrix of which there are many
_LEAST_SPREAD = 1e-6  # of a probability: a class that hardly occurs is not without curvature


class Curvature(ABC):
    """A positive definite matrix M = L Lᵀ that stands for the Hessian.

    Parameters
    ----------
    objective : LinearCrossEntropy
        Says how the flat vector is packed.
    """

    def __init__(self, objective: LinearCrossEntropy):
        self.objective = objective

    @property
    @abstractmethod
    def n_unknowns(self) -> int:
        """The order of L."""

    @abstractmethod
    def spread(self, unknowns: Array) -> Array:
        """Return the parameters L⁻ᵀ u."""

    @abstractmethod
    def gather(self, gradient: Array) -> Array:
        """Return the gradient in u, L⁻¹ g."""

    def solve(self, gradient: Array) -> Array:
        """Return M⁻¹ g."""
        return self.spread(self.gather(gradient))

    def _matrix(self, flat: Array) -> Array:
        """(W, b), a row for each class; classes sum to 0."""
        return centred(self.objective.matrix(flat))

    def _flat(self, matrix: Array) -> Array:
        return centred(matrix).ravel()


class HessianFactor(Curvature):
    """The Cholesky factor of H, which may be rounded to float32 for half of the time."""

    def __init__(
        self,
        objective: LinearCrossEntropy,
        params: Array,
        sample: Sample | None = None,
        dtype: Any = np.float64,
    ):
        super().__init__(objective)
        self._whole = sample is None and dtype == np.float64
        hessian = _hessian(objective, params, sample, dtype)
        self._factor = CholeskyFactor(hessian, _jitter(dtype))
        self.least_pivot = self._factor.least_pivot
        self._shape = (max(1, objective.width - 1), len(hessian) // max(1, objective.width - 1))

    @property
    def n_unknowns(self) -> int:
        return self._shape[0] * self._shape[1]

    def spread(self, unknowns: Array) -> Array:
        matrix = self._factor.back(unknowns).reshape(self._shape)
        if self.objective.width > 1:
            matrix = np.concatenate([matrix, np.zeros((1, self._shape[1]))])
        return self._flat(matrix)

    def gather(self, gradient: Array) -> Array:
        return self._factor.forward(self._matrix(gradient)[: self._shape[0]].ravel())

    def solve(self, gradient: Array) -> Array:
        if self.objective.width == 1:
            return self._factor.solve(gradient)
        solved = self._factor.solve(self._matrix(gradient)[:-1].ravel())
        rows = np.concatenate([solved, np.zeros(self._shape[1])])
        return self._flat(rows.reshape(-1, self._shape[1]))

    @property
    def exact(self) -> bool:
        """Whether it is that of H but for rounding errors of float64."""
        return self._whole and self._factor.sound

    def inverse(self) -> Array:
        """Return H⁻¹ without the last class, of shape (n_scores, n_columns) twice."""
        return self._factor.inverse().reshape(*self._shape, *self._shape)


class BlockFactor(Curvature):
    """A Cholesky factor for each class; blocks as `HessianFactor` has them."""

    def __init__(
        self,
        objective: LinearCrossEntropy,
        params: Array,
        sample: Sample | None = None,
        dtype: Any = np.float64,
    ):
        super().__init__(objective)
        blocks = _class_blocks(objective, params, sample, dtype)
        kind = StackedFactors if objective.n_columns <= _FEW else SeparateFactors
        self._factors = kind(blocks, _jitter(dtype))
        self.least_pivot = self._factors.least_pivot

    @property
    def n_unknowns(self) -> int:
        return self.objective.n_params

    def spread(self, unknowns: Array) -> Array:
        return self._flat(self._factors.back(self.objective.matrix(unknowns)))

    def gather(self, gradient: Array) -> Array:
        return self._factors.forward(self._matrix(gradient)).ravel()


class SharedFactor(Curvature):
    """A Cholesky factor for all classes, of P ⊗ G + diag(ridge).

    G is the weighted mean of z zᵀ over the rows, P that of diag(p) − p pᵀ. With the eigenvectors of
    P in the place of classes, it falls apart into blocks λ G + diag(ridge); where λ differ little,
    as with classes of about the same size, one factor does for all.
    """

    def __init__(self, objective: LinearCrossEntropy, params: Array, sample: Sample | None = None):
        super().__init__(objective)
        gram, spread = _moments_of_rows(objective, params, sample)
        values, vectors = np.linalg.eigh(spread)
        # The first is (1, …, 1), along which no probability changes.
        self._classes = vectors[:, 1:]
        levels = np.exp2(np.rint(np.log2(np.maximum(values[1:], _LEAST_SPREAD))))
        # Each with the eigenvectors that it serves.
        self._factors = [
            (
                CholeskyFactor(level * gram + np.diag(objective.ridge)),
                np.flatnonzero(levels == level),
            )
            for level in np.unique(levels)
        ]

    @property
    def n_unknowns(self) -> int:
        return self._classes.shape[1] * self.objective.n_columns

    def spread(self, unknowns: Array) -> Array:
        columns = unknowns.reshape(-1, self.objective.n_columns).T
        solved = np.empty_like(columns)
        for factor, served in self._factors:
            solved[:, served] = factor.back(columns[:, served])
        return (self._classes @ solved.T).ravel()

    def gather(self, gradient: Array) -> Array:
        columns = (self._classes.T @ self.objective.matrix(gradient)).T
        solved = np.empty_like(columns)
        for factor, served in self._factors:
            solved[:, served] = factor.forward(columns[:, served])
        return solved.T.ravel()


class Diagonal(Curvature):
    """The diagonal of H."""

    def __init__(self, objective: LinearCrossEntropy, params: Array):
        super().__init__(objective)
        diagonal = diagonal_of(objective, params)
        diagonal[~(diagonal > 0)] = 1.0
        self._root = np.sqrt(diagonal)

    @property
    def n_unknowns(self) -> int:
        return self.objective.n_params

    def spread(self, unknowns: Array) -> Array:
        return self.objective.centred(unknowns / self._root)

    def gather(self, gradient: Array) -> Array:
        return self.objective.centred(gradient) / self._root


def _jitter(dtype: Any) -> float:
    return RELATIVE_JITTER if dtype == np.float64 else _FLOAT32_JITTER


def _hessian(
    objective: LinearCrossEntropy, params: Array, sample: Sample | None, dtype: Any
) -> Array:
    """Return H without the last class; see the module's text."""
    n_columns = objective.n_columns
    n_classes = max(1, objective.width - 1)
    order = n_classes * n_columns

    hessian, blocks = sum_over_rows(
        objective,
        params,
        sample,
        _add_to_hessian,
        [(order, order), (n_classes, n_columns, n_columns)],
        dtype,
    )
    hessian = hessian.astype(np.float64, copy=False)
    _mirror(hessian)
    by_class = hessian.reshape(n_classes, n_columns, n_classes, n_columns)
    if objective.width > 1:
        same_class = np.einsum("kikj->kij", by_class)  # views, as those below
        same_class += blocks
    hessian /= objective.data.n_rows
    diagonal = np.einsum("kjkj->kj", by_class)
    diagonal += objective.ridge
    if objective.width > 1:
        # The parameters of the class left out are minus the sum of the others', and what all have
        # in common is 0 at the minimum: so the penalty couples all pairs of classes.
        same_column = np.einsum("kjlj->klj", by_class)
        same_column -= objective.ridge / objective.width
    return hessian


def _add_to_hessian(z: Array, p: Array, sums: tuple[Array, Array]) -> None:
    """Add what some rows contribute to H, less the blocks of classes, and to these."""
    hessian, blocks = sums
    if len(p) == 1:
        _add_gram(hessian, z, p * (1 - p))
        return
    products = (p[:-1, None] * z).reshape(len(hessian), -1)
    _add_square(hessian, -1.0, products)
    blocks += (products @ z.T).reshape(blocks.shape)


def hessian_of(
    objective: LinearCrossEntropy,
    params: Array,
    chosen: NDArray[np.bool_],
    sample: Sample | None = None,
) -> Array:
    """Return the rows and columns of H for some entries of (W, b), class after class.

    Parameters
    ----------
    objective : LinearCrossEntropy
        F.
    params : ndarray of shape (n_params,)
        Where.
    chosen : ndarray of bool, (n_outputs, n_columns)
        Which entries.
    sample : Sample, default=None
        Rows that stand for all.
    """
    columns = [np.flatnonzero(row) for row in chosen]
    order = sum(map(len, columns))
    shapes = [(order, order), *((len(entries), len(entries)) for entries in columns)]
    add = partial(_add_to_chosen, columns)
    hessian, *blocks = sum_over_rows(objective, params, sample, add, shapes)
    _mirror(hessian)
    for part, block in zip(_parts(columns), blocks, strict=True):
        hessian[part, part] += block
    hessian /= objective.data.n_rows
    ridge = np.concatenate([objective.ridge[entries] for entries in columns])
    hessian.flat[:: order + 1] += ridge
    return hessian


def _add_to_chosen(
    columns: Sequence[NDArray[np.intp]], z: Array, p: Array, sums: tuple[Array, ...]
) -> None:
    """Add what some rows contribute to chosen columns of each class."""
    hessian, *blocks = sums
    if len(p) == 1:
        _add_square(hessian, 1.0, z[columns[0]] * np.sqrt(p * (1 - p)))
        return
    products = np.empty((len(hessian), z.shape[1]))
    for part, entries, of_class, block in zip(_parts(columns), columns, p, blocks, strict=True):
        rows = z[entries]
        np.multiply(rows, of_class, out=products[part])
        block += products[part] @ rows.T
    _add_square(hessian, -1.0, products)


def _parts(columns: Sequence[NDArray[np.intp]]) -> list[slice]:
    """Return where the entries of each class are."""
    ends = accumulate(map(len, columns))
    return [slice(end - len(entries), end) for end, entries in zip(ends, columns, strict=True)]


def _class_blocks(
    objective: LinearCrossEntropy, params: Array, sample: Sample | None, dtype: Any
) -> Array:
    n_columns = objective.n_columns
    shapes = [(objective.width, n_columns, n_columns)]
    (blocks,) = sum_over_rows(objective, params, sample, _add_to_blocks, shapes, dtype)
    blocks = blocks.astype(np.float64, copy=False)
    if n_columns > _FEW:
        for block in blocks:
            _mirror(block)
    blocks /= objective.data.n_rows
    diagonals = np.einsum("kjj->kj", blocks)  # a view
    diagonals += objective.ridge
    return blocks


def _add_to_blocks(z: Array, p: Array, sums: tuple[Array]) -> None:
    """Add what some rows contribute to the block of each class."""
    (blocks,) = sums
    curvatures = p * (1 - p)
    if len(z) <= _FEW:  # one product for all classes
        products = (z[:, None] * z).reshape(len(z) ** 2, -1)
        blocks += (curvatures @ products.T).reshape(blocks.shape)
        return
    for block, curvature in zip(blocks, curvatures, strict=True):
        _add_square(block, 1.0, z * np.sqrt(curvature))


def _moments_of_rows(
    objective: LinearCrossEntropy, params: Array, sample: Sample | None
) -> tuple[Array, Array]:
    """Return the weighted means of z zᵀ and, rows counting alike, of diag(p) − p pᵀ."""
    shapes = [(objective.n_columns, objective.n_columns), (objective.width, objective.width)]
    gram, spread = sum_over_rows(objective, params, sample, _add_to_moments, shapes)
    _mirror(gram)
    n_rows = objective.data.n_rows
    return gram / n_rows, spread / (n_rows if sample is None else len(sample.rows))


def _add_to_moments(z: Array, p: Array, sums: tuple[Array, Array]) -> None:
    gram, spread = sums
    _add_square(gram, 1.0, z)
    spread += np.diag(p.sum(axis=1)) - p @ p.T


def _add_gram(out: Array, z: Array, weight: Array) -> None:
    """Add z diag(weight) zᵀ to the upper triangle."""
    if len(z) <= _FEW:
        out += (z * weight).dot(z.T)
    else:
        _add_square(out, 1.0, z * np.sqrt(weight))


def _add_square(out: Array, factor: float, a: Array) -> None:
    """Add factor · a aᵀ to the upper triangle.

    In place: no new matrix, half of the work. For a few long rows, BLAS's kernels of general
    products are quicker still.
    """
    if len(a) <= _FEW:
        out += (factor * a).dot(a.T)
        return
    syrk = dsyrk if out.dtype == np.float64 else ssyrk
    syrk(factor, a.T, beta=1.0, c=out.T, trans=True, lower=True, overwrite_c=True)


def _mirror(matrix: Array) -> None:
    """Copy the upper triangle to the lower."""
    np.copyto(matrix, matrix.T, where=_below_diagonal(len(matrix)))


@lru_cache(maxsize=4)
def _below_diagonal(order: int) -> NDArray[np.bool_]:
    return np.tri(order, k=-1, dtype=bool)


def diagonal_of(objective: LinearCrossEntropy, params: Array) -> Array:
    """The diagonal of H, in the order of the flat vector."""
    coordinates, n_features = objective.coordinates, objective.data.n_columns
    scales = np.ones(n_features) if coordinates is None else coordinates.scales
    at = _Diagonal(objective.for_rows(params), scales)
    squares, totals, weight = objective.data.map_reduce(
        _diagonal_sums, at, width=objective.width, kept=objective.known_probabilities(params)
    )
    if coordinates is not None:
        means = coordinates.means / scales
        squares += means * (means * weight[:, None] - 2 * totals / scales)
    intercept = weight[:, None] * objective.intercept_entry**2
    missing = objective.n_columns - squares.shape[1]  # of the columns: that of the intercept
    diagonal = np.concatenate([squares, intercept[:, :missing]], axis=1)
    diagonal /= objective.data.n_rows
    diagonal += objective.ridge
    return diagonal.ravel()


class _Diagonal(NamedTuple):
    """Where, as (W, b) in the coordinates of X, and by what its columns are divided."""

    matrix: Array
    scales: Array


def _diagonal_sums(block: Block, at: _Diagonal) -> tuple[Array, Array, Array]:
    """Return the sums of w (x/t)², of w x and of w, where w = s p (1 − p), for each output."""
    n_outputs, n_features = len(at.matrix), block.design.n_columns
    squares, totals = np.zeros((2, n_outputs, n_features))
    weight = np.zeros(n_outputs)
    for rows in block.pieces:
        X = block.design[rows]
        p = probabilities_of(block, rows, X, at.matrix)
        weights = p * (1 - p)
        block.loss.weigh(weights, rows)
        weights = weights.astype(np.float64, copy=False)
        squares += X.weighted_squares(weights, at.scales)
        totals += X.weighted_sum(weights)
        weight += weights.sum(axis=1)
    return squares, totals, weight
