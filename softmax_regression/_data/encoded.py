r"""X through tables: what a row contributes is looked up for each feature, and interpolated.

A feature has *states*: the points between which its numbers lie, or its levels, and last of all
"missing". A row is between two states of each feature: x = (1 − f) q_k + f q_{k+1} has the weights
1 − f and f there. With the weights of a row in S, n_rows × n_states, of which few are not 0, the
product of a table T of all states with S is a gather and an interpolation.

To train in T itself would be to learn every state apart from its neighbours. So the columns of the
design are *codes*, of which T = B W is a fixed linear function, feature by feature: those of
numbers are piecewise linear, code k the share of the way from q_k to q_{k+1} that x has gone
(Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep learning",
NeurIPS 2022), those of levels are their indicators; each less its mean, divided by its deviation.

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

_FEW_ROWS = (
    16  # For so few, making a sparse matrix of them takes longer than a copy of their tables.
)


class Basis:
    """The linear function B, block by block.

    Parameters
    ----------
    blocks : sequence of ndarray
        In the order of states and codes: of shape (n_features, n_states, n_codes) for so many
        features in a row, or of shape (n_codes,) for one whose states are its codes times these
        numbers, and "missing", which is 0.
    """

    def __init__(self, blocks: Sequence[Array]):
        self.blocks = blocks
        self._parts: list[tuple[Array, slice, slice]] = []  # Each with its states and codes.
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
        """Return it in some precision."""
        return type(self)([block.astype(dtype, copy=False) for block in self.blocks])

    def tables(self, weights: Array) -> Array:
        """Return T = B W, (n_states, n_units)."""
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
        """Write Bᵀ applied to slopes in T, (n_codes, n_units)."""
        for block, states, codes in self._parts:
            if block.ndim == 3:
                turned = block.transpose(0, 2, 1)
                np.matmul(turned, _stacked(slopes[states], block), out=_stacked(out[codes], block))
            else:
                np.multiply(block[:, None], slopes[states][:-1], out=out[codes])
        return out

    def solved(self, tables: Array, ends: Sequence[int]) -> tuple[Array, Array]:
        """Return W and c such that B W + c is nearest to T, of which c is the same for all rows.

        A row's weights in the states of a feature between points or of levels sum to 1: what all of
        these have in common adds to every row.

        Parameters
        ----------
        tables : ndarray of shape (n_states, n_units)
            T.
        ends : sequence of int
            After how many states those of each feature end, in increasing order.
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
    """Return W and c for one feature; states that W has no part in are left out."""
    seen = matrix.any(axis=1)
    matrix, table = matrix[seen][:, matrix.any(axis=0)], table[seen]
    solution, _, rank, _ = np.linalg.lstsq(matrix, table, rcond=None)
    if rank == len(matrix):
        return solution, 0.0
    solution = np.linalg.lstsq(np.hstack([matrix, np.ones((len(matrix), 1))]), table, rcond=None)[0]
    return solution[:-1], solution[-1]


def _stacked(values: Array, block: Array) -> Array:
    """Return rows by feature: a view."""
    return values.reshape(len(block), -1, values.shape[1])


class EncodedDesign(Design):
    """Rows as states and weights.

    Parameters
    ----------
    states : ndarray of int32 of shape (n_rows, n_entries)
        Which states each row has a weight in.
    weights : ndarray of shape (n_rows, n_entries)
        Those weights.
    basis : Basis
        B, in the precision of the weights.
    features : ndarray of int of shape (n_entries,)
        The feature that each entry of a row belongs to.
    """

    is_scaled = True

    def __init__(self, states: Array, weights: Array, basis: Basis, features: NDArray[np.intp]):
        self.states, self.weights, self.basis = states, weights, basis
        self.features = features
        self.n_rows, self.n_columns = len(states), basis.n_codes
        self.dtype = weights.dtype
        self._entries: Any = None  # S, made when it is first asked for, and its transpose.
        self._turned_entries: Any = None

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
        self.weights *= mask[:, self.features]  # a feature is left out as a whole
        return self

    def times(self, matrix: Array, out: Array | None = None) -> Array:
        product = self._matrix() @ self.basis.tables(matrix)
        if out is None:
            return product
        out[...] = product
        return out

    def transposed_times(self, matrix: Array, out: Array | None = None) -> Array:
        slopes = self._turned() @ np.ascontiguousarray(matrix)
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

    def _matrix(self) -> Any:
        """Return S, which shares its memory with states and weights."""
        if self._entries is None:
            shape = self.n_rows, self.basis.n_states
            self._entries = _with_entries(csr_array(shape, dtype=self.dtype), self)
        return self._entries

    def _turned(self) -> Any:
        """Return Sᵀ, likewise."""
        if self._turned_entries is None:
            shape = self.basis.n_states, self.n_rows
            self._turned_entries = _with_entries(csc_array(shape, dtype=self.dtype), self)
        return self._turned_entries


class LookedUpRows:
    """Rows as states and weights, for products with tables of all states: for prediction.

    Parameters
    ----------
    states, weights : ndarrays of shape (n_rows, n_entries), or (n_entries,) for a single row
        As in `EncodedDesign`.
    """

    def __init__(self, states: Array, weights: Array):
        self.states, self.weights = states, weights
        self.dtype = weights.dtype

    def times(self, tables: Array) -> Array:
        """Return S T, of shape (n_rows, n_units), or (n_units,) for a single row."""
        if self.states.ndim == 1:
            return self.weights.dot(tables.take(self.states, axis=0))
        if len(self.states) <= _FEW_ROWS:
            return np.matmul(self.weights[:, None], tables.take(self.states, axis=0))[:, 0]
        matrix = csr_array((len(self.states), len(tables)), dtype=self.dtype)
        return np.asarray(_with_entries(matrix, self) @ np.ascontiguousarray(tables))


def _with_entries(matrix: Any, rows: EncodedDesign | LookedUpRows) -> Any:
    """Return an empty sparse array with the entries of some rows.

    They are set one by one, because SciPy's constructors look at every entry and may copy them.
    """
    n_rows, n_entries = rows.states.shape
    matrix.data, matrix.indices = rows.weights.reshape(-1), rows.states.reshape(-1)
    matrix.indptr = np.arange(n_rows + 1, dtype=np.int32) * np.int32(n_entries)
    return matrix
