r"""A design whose rows are weighted sums of the rows of a table of states.

Each feature has *states*. Those of a numeric feature are the points q_0 < q_1 < … between which its
values lie, and those of a categorical feature are its levels; the last state of each feature stands
for a missing value. A value x = (1 − f) q_k + f q_{k+1} has the weight 1 − f in state k and f in
state k + 1, and a level has the weight 1 in its state. The sparse matrix S, n_rows × n_states,
holds the weights of all rows. So S T, for a table T with a row for each state, takes two look-ups
and one interpolation for each value.

If T held the parameters, each state would be learned separately from its neighbours. Instead the
columns of the design are *codes*, and T = B W for a fixed block-diagonal matrix B with a block for
each feature. The codes of a numeric feature are piecewise linear: code k is the fraction of the
interval from q_k to q_{k+1} that lies below x (Gorishniy, Rubachev and Babenko, "On embeddings for
numerical features in tabular deep learning", NeurIPS 2022). The codes of a categorical feature are
the indicators of its levels. All codes are standardised. A numeric feature also has a code for the
whole line from its first point to its last; beside it, the codes of the pieces are multiplied by a
half, so that training begins with functions that are nearly linear.

    times(W) = S (B W),    transposed_times(Δ) = Bᵀ (Sᵀ Δ)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.sparse import csc_array, csr_array

from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._data.moments import Moments
from softmax_regression._linalg.arrays import Array, Rows

# Up to this many rows, copying their rows of the table is quicker than making a sparse matrix.
_MAX_COPIED_ROWS = 16


class Basis:
    """The block-diagonal matrix B, of shape (n_states, n_codes).

    Parameters
    ----------
    blocks : sequence of ndarray
        The blocks, in the order of the states and codes. An array of shape (n_features, n_states,
        n_codes) holds the blocks of consecutive features. An array of shape (n_codes,) is the
        diagonal of the block of one feature, whose last row, that of the missing state, is 0.
    """

    def __init__(self, blocks: Sequence[Array]):
        self.blocks = blocks
        self._parts: list[tuple[Array, slice, slice]] = []  # Blocks, states and codes.
        self.n_states = self.n_codes = 0
        for block in blocks:
            n_states, n_codes = len(block) + 1, len(block)
            if block.ndim == 3:
                n_states, n_codes = block.shape[0] * block.shape[1], block.shape[0] * block.shape[2]
            states = slice(self.n_states, self.n_states + n_states)
            codes = slice(self.n_codes, self.n_codes + n_codes)
            self._parts.append((block, states, codes))
            self.n_states, self.n_codes = states.stop, codes.stop

    def astype(self, dtype: Any) -> Self:
        """Return the same matrix in another dtype."""
        return type(self)([block.astype(dtype, copy=False) for block in self.blocks])

    def tables(self, weights: Array) -> Array:
        """Return the table T = B W, of shape (n_states, n_units)."""
        tables = np.empty((self.n_states, weights.shape[1]), weights.dtype)
        for block, states, codes in self._parts:
            if block.ndim == 3:
                np.matmul(
                    block, _stacked(weights[codes], block), out=_stacked(tables[states], block)
                )
            else:
                np.multiply(block[:, None], weights[codes], out=tables[states][:-1])
                tables[states.stop - 1] = 0
        return tables

    def pulled(self, slopes: Array, out: Array) -> Array:
        """Write Bᵀ slopes, the gradient in W for the gradient in T, to `out`; return `out`."""
        for block, states, codes in self._parts:
            if block.ndim == 3:
                turned = block.transpose(0, 2, 1)
                np.matmul(turned, _stacked(slopes[states], block), out=_stacked(out[codes], block))
            else:
                np.multiply(block[:, None], slopes[states][:-1], out=out[codes])
        return out

    def solved(self, tables: Array, ends: Sequence[int]) -> tuple[Array, Array]:
        """Return W and c for which B W + c is nearest to T by least squares.

        The weights of a row in the states of a feature sum to 1, unless the feature is linear.
        Therefore a constant that is added to all states of a feature is added to each row of S T,
        and c, of shape (n_units,), is the sum of these constants over features.

        Parameters
        ----------
        tables : ndarray of shape (n_states, n_units)
            The table T.
        ends : sequence of int
            For each feature the number of its last state plus 1, in increasing order.
        """
        weights = np.zeros((self.n_codes, tables.shape[1]))
        shift = np.zeros(tables.shape[1])
        for block, states, codes in self._parts:
            if block.ndim == 1:
                weights[codes] = tables[states][:-1] / block[:, None]
                continue
            matrix = block_diag(*block)
            cuts = [states.start, *(end for end in ends if states.start < end <= states.stop)]
            for start, stop in pairwise(cuts):
                rows = matrix[start - states.start : stop - states.start]
                used = codes.start + np.flatnonzero(rows.any(axis=0))
                weights[used], common = _least_squares(rows, tables[start:stop])
                shift += common
        return weights, shift


def _least_squares(matrix: Array, table: Array) -> tuple[Array, Any]:
    """Return W and c for one feature, by its states of which not all entries of B are 0."""
    seen = matrix.any(axis=1)
    matrix, table = matrix[seen][:, matrix.any(axis=0)], table[seen]
    solution, _, rank, _ = np.linalg.lstsq(matrix, table, rcond=None)
    if rank == len(matrix):
        return solution, 0.0
    solution = np.linalg.lstsq(np.hstack([matrix, np.ones((len(matrix), 1))]), table, rcond=None)[0]
    return solution[:-1], solution[-1]


def _stacked(values: Array, block: Array) -> Array:
    """Return a view with axes (feature, row of the feature, unit)."""
    return values.reshape(len(block), -1, values.shape[1])


class EncodedDesign(Design):
    """The design X = S B, with the nonzero entries of S for each row.

    Parameters
    ----------
    states : ndarray of int32 of shape (n_rows, n_entries)
        The states in which each row has a weight.
    weights : ndarray of shape (n_rows, n_entries)
        The weights of each row in these states.
    basis : Basis
        The matrix B, in the dtype of the weights.
    features : ndarray of int of shape (n_entries,)
        The feature to which each entry of a row belongs.
    """

    is_scaled = True

    def __init__(self, states: Array, weights: Array, basis: Basis, features: NDArray[np.intp]):
        self.states, self.weights, self.basis = states, weights, basis
        self.features = features
        self.n_rows, self.n_columns = len(states), basis.n_codes
        self.dtype = weights.dtype
        self._matrix: Any = None  # S and its transpose are made when they are first used.
        self._transposed_matrix: Any = None

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        return self.dtype

    @property
    def n_values(self) -> int:
        return int(self.states.size)

    def bytes_per_row(self) -> int:
        return self.states.shape[1] * (self.states.itemsize + self.weights.itemsize)

    def __getitem__(self, rows: Rows) -> Self:
        return self._with(self.states[rows], self.weights[rows])

    def astype(self, dtype: Any) -> Self:
        basis = self.basis.astype(dtype)
        return type(self)(self.states, self.weights.astype(dtype), basis, self.features)

    def room(self, n_rows: int) -> Self:
        shape = n_rows, self.states.shape[1]
        return self._with(np.empty(shape, self.states.dtype), np.empty(shape, self.dtype))

    def take(self, rows: NDArray[np.intp], room: Self | None = None) -> Self:
        if room is None:
            return self[rows]
        self.states.take(rows, axis=0, out=room.states, mode="clip")
        self.weights.take(rows, axis=0, out=room.weights, mode="clip")
        return room

    def masked(self, draw: Callable[[Array], None]) -> Self:
        mask = np.empty((self.n_rows, self.features.max(initial=-1) + 1), self.dtype)
        draw(mask)
        self.weights *= mask[:, self.features]  # Dropout leaves out all entries of a feature.
        return self

    def times(self, matrix: Array, out: Array | None = None) -> Array:
        product = self._weight_matrix() @ self.basis.tables(matrix)
        if out is None:
            return product
        out[...] = product
        return out

    def transposed_times(self, matrix: Array, out: Array | None = None) -> Array:
        slopes = self._transposed_weight_matrix() @ np.ascontiguousarray(matrix)
        if out is None:
            out = np.empty((self.n_columns, matrix.shape[1]), slopes.dtype)
        return self.basis.pulled(slopes, out)

    def scores(self, coef: Any, out: Array | None = None) -> Array:
        product = self.times(np.ascontiguousarray(coef.T)).T
        if out is None:
            return np.ascontiguousarray(product)
        out[...] = product
        return out

    def weighted_sum(self, residuals: Array, out: Array | None = None) -> Array:
        product = self.transposed_times(residuals.T).T
        if out is None:
            return np.ascontiguousarray(product)
        out[...] = product
        return out

    def toarray(self) -> Array:
        return self.times(np.eye(self.n_columns))

    def standardized(self, means: Array, scales: Array, dtype: Any) -> Any:
        return DenseDesign(self.toarray()).standardized(means, scales, dtype)

    def weighted_squares(self, weights: Array, scales: Array) -> Array:
        return DenseDesign(self.toarray()).weighted_squares(weights, scales)

    def moments(self, weights: Array) -> Moments:
        return DenseDesign(self.toarray()).moments(weights)

    def _with(self, states: Array, weights: Array) -> Self:
        return type(self)(states, weights, self.basis, self.features)

    def _weight_matrix(self) -> Any:
        """Return S, which shares its memory with `states` and `weights`."""
        if self._matrix is None:
            shape = self.n_rows, self.basis.n_states
            self._matrix = _with_entries(csr_array(shape, dtype=self.dtype), self)
        return self._matrix

    def _transposed_weight_matrix(self) -> Any:
        """Return Sᵀ, which shares its memory with `states` and `weights`."""
        if self._transposed_matrix is None:
            shape = self.basis.n_states, self.n_rows
            self._transposed_matrix = _with_entries(csc_array(shape, dtype=self.dtype), self)
        return self._transposed_matrix


class LookedUpRows:
    """Rows of S, whose products with tables of all states give predictions.

    Parameters
    ----------
    states, weights : ndarrays of shape (n_rows, n_entries), or (n_entries,) for a single row
        The states in which each row has a weight, and the weights, as in `EncodedDesign`.
    """

    def __init__(self, states: Array, weights: Array):
        self.states, self.weights = states, weights
        self.dtype = weights.dtype

    def times(self, tables: Array) -> Array:
        """Return S T, of shape (n_rows, n_units), or (n_units,) for a single row."""
        if self.states.ndim == 1:
            return self.weights.dot(tables.take(self.states, axis=0))
        if len(self.states) <= _MAX_COPIED_ROWS:
            return np.matmul(self.weights[:, None], tables.take(self.states, axis=0))[:, 0]
        matrix = csr_array((len(self.states), len(tables)), dtype=self.dtype)
        return np.asarray(_with_entries(matrix, self) @ np.ascontiguousarray(tables))


def _with_entries(matrix: Any, rows: EncodedDesign | LookedUpRows) -> Any:
    """Return an empty sparse array after filling in the entries of some rows.

    Its three arrays are assigned, because SciPy's constructors check all entries and may copy them.
    """
    n_rows, n_entries = rows.states.shape
    matrix.data, matrix.indices = rows.weights.reshape(-1), rows.states.reshape(-1)
    matrix.indptr = np.arange(n_rows + 1, dtype=np.int32) * np.int32(n_entries)
    return matrix
