"""The encoding of a table: the states of its features, and the states and weights of its rows.

A table is an array of numbers in which NaN stands for a missing value, and a categorical feature
holds the positions of its levels. A feature has one of three encodings, which is chosen from the
rows of the fit. A categorical feature has a state for each level. A piecewise linear feature has a
state for each of some quantiles, and its values lie between two of them. A linear feature has a
single state, whose weight is the standardised value. See `encoded.py` for the design that these
states and weights make up.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isnan
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from softmax_regression._data.column_encoding import (
    ONE_STATE_CELL,
    CategoricalColumn,
    ColumnEncoding,
    LinearColumn,
    PiecewiseColumn,
    numeric_column,
)
from softmax_regression._data.encoded import Basis, EncodedDesign, LookedUpRows
from softmax_regression._linalg.arrays import Array

_CHUNK_ROWS = 4096  # Rows that are encoded at a time.
# Up to this many rows, one search among the cells of all features is quicker than one for each.
_MAX_JOINT_SEARCH_ROWS = 64
# Blocks of B for consecutive features are joined into one matrix of at most this many states.
_MAX_JOINED_STATES = 96


class TableEncoding:
    """The states of all features, and the cells of values by which rows are encoded.

    States are ordered so that features with equal numbers of states and codes are adjacent. The
    values of each feature are divided into *cells*, intervals in which its states are the same.

    Parameters
    ----------
    starts : ndarray of int of shape (n_features,)
        The first state of each feature.
    missing : ndarray of int of shape (n_features,)
        The last state of each feature, that of a missing value.
    linear, centres, scales : ndarrays of shape (n_linear,)
        The linear features, their means and their standard deviations.
    levels : ndarray of int of shape (n_categorical,)
        The categorical features.
    level_states : list of ndarray of int
        For each categorical feature, the state of each level, relative to its first state.
    piecewise : ndarray of int of shape (n_piecewise,)
        The piecewise linear features.
    points : list of ndarray
        The points of each piecewise linear feature, at least two, in increasing order.
    bounds : ndarray of complex of shape (n_cells,)
        The lower bounds of the cells of all features. The real part is the number of the feature,
        and the imaginary part the bound, which is −inf for the first cell of a feature. The last
        n_features cells are those of missing values.
    cells : ndarray of shape (1 + n_cells, 3)
        Three numbers a, b and c for each cell. A value x in the cell has the weight
        a − (x − b) / c in the state of the cell, and (x − b) / c in the second state. The first
        row belongs to no cell.
    cell_states : ndarray of int of shape (1 + n_cells, 2)
        The state of each cell, and the second state, which only piecewise linear features use.
    blocks : list of ndarray
        The blocks of B, as `Basis` takes them.
    """

    def __init__(
        self,
        starts: Array,
        missing: Array,
        linear: Array,
        centres: Array,
        scales: Array,
        levels: Array,
        level_states: list[Array],
        piecewise: Array,
        points: list[Array],
        bounds: Array,
        cells: Array,
        cell_states: Array,
        blocks: list[Array],
    ):
        self.starts, self.missing = starts, missing
        self.linear, self.centres, self.scales = linear, centres, scales
        self.levels, self.level_states = levels, level_states
        self.piecewise, self.points = piecewise, points
        self.bounds, self.cells, self.cell_states = bounds, cells, cell_states
        # The keys of a row without its numbers, and which of its two states of each feature count.
        self.keys = np.arange(len(starts), dtype=np.complex128)
        self.entries = np.sort([*range(0, 2 * len(starts), 2), *(2 * piecewise + 1)])
        self.blocks = blocks
        self.n_states = int(missing.max(initial=-1)) + 1

    @classmethod
    def learn(
        cls, X: Array, weights: Array, categorical: NDArray[np.bool_], most_bins: Sequence[int]
    ) -> Self:
        """Choose the states of all features from the rows of positive weight.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            The table.
        weights : ndarray of shape (n_rows,)
            Weights of the rows.
        categorical : ndarray of bool of shape (n_features,)
            Which features are categorical.
        most_bins : sequence of int
            The maximum number of intervals of each numeric feature; 0 for a linear feature.
        """
        counted = weights > 0
        columns = [
            CategoricalColumn(X[counted, j], weights[counted])
            if categorical[j]
            else numeric_column(X[counted, j], weights[counted], most_bins[j])
            for j in range(X.shape[1])
        ]
        order = sorted(range(len(columns)), key=lambda j: (columns[j].rank, columns[j].shape))
        sizes = np.array([columns[j].shape[0] for j in order], dtype=np.intp)
        ends = np.cumsum(sizes)
        starts, missing = (np.empty(len(columns), dtype=np.intp) for _ in range(2))
        starts[order], missing[order] = ends - sizes, ends - 1
        of = {
            kind: [j for j, column in enumerate(columns) if isinstance(column, kind)]
            for kind in (LinearColumn, CategoricalColumn, PiecewiseColumn)
        }
        linear = [column for column in columns if isinstance(column, LinearColumn)]
        return cls(
            starts,
            missing,
            np.array(of[LinearColumn], dtype=np.intp),
            np.array([column.centre for column in linear]),
            np.array([column.scale for column in linear]),
            np.array(of[CategoricalColumn], dtype=np.intp),
            [column.states for column in columns if isinstance(column, CategoricalColumn)],
            np.array(of[PiecewiseColumn], dtype=np.intp),
            [column.points for column in columns if isinstance(column, PiecewiseColumn)],
            *_cells(columns, starts, missing),
            _grouped([columns[j].block for j in order]),
        )

    @property
    def basis(self) -> Basis:
        """The matrix B, in float64."""
        return Basis(self.blocks)

    def solved(self, tables: Array) -> tuple[Array, Array]:
        """Return the parameters of codes and the constant that are nearest to tables of states.

        See `Basis.solved`.
        """
        return self.basis.solved(tables, sorted(self.missing + 1))

    def features(self) -> NDArray[np.intp]:
        """Return the feature of each entry of a row; piecewise linear features have two entries."""
        return np.concatenate([np.arange(len(self.starts)), self.piecewise])

    def design(self, X: Array, dtype: Any) -> EncodedDesign:
        """Return the design for the rows of a table, with weights in some dtype."""
        shape = len(X), len(self.starts) + len(self.piecewise)
        states, weights = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=dtype)
        for start in range(0, len(X), _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            states[rows], weights[rows] = self.encode(X[rows])
        return EncodedDesign(states, weights, self.basis.astype(dtype), self.features())

    def table(self, feature: int, tables: Array, levels: Array | None) -> tuple[list[Any], Array]:
        """Return the values at which the contribution of a feature is tabulated, and the table.

        Between two numbers the contribution is linear. The last row is that of a missing value.

        Parameters
        ----------
        feature : int
            The number of the feature.
        tables : ndarray of shape (n_states, n_units)
            The tables of all features.
        levels : ndarray or None
            The names of the levels of a categorical feature.
        """
        own = tables[self.starts[feature] : self.missing[feature] + 1]
        if feature in self.linear:
            at = int(np.flatnonzero(self.linear == feature)[0])
            centre, scale = self.centres[at], self.scales[at]
            return [centre, centre + scale, np.nan], np.vstack([0 * own[0], own])
        if levels is not None:
            states = self.level_states[int(np.flatnonzero(self.levels == feature)[0])]
            return [*levels, None], np.vstack([own[states[: len(levels)]], own[-1:]])
        at = int(np.flatnonzero(self.piecewise == feature)[0])
        return [*self.points[at], np.nan], own

    def looked_up(self, X: Array, dtype: Any) -> LookedUpRows:
        """Return the rows of a table for products with tables of states, as in prediction."""
        states, weights = self._encode_row(X[0]) if len(X) == 1 else self.encode(X)
        return LookedUpRows(states, weights.astype(dtype, copy=False))

    def encode(self, X: Array) -> tuple[Array, Array]:
        """Return the states and weights of rows, both of shape (n_rows, n_entries)."""
        cells = self._cells_of(X)
        if isnan(np.vdot(X, X)):
            X = np.where(np.isnan(X), 0, X)
        whole, start, width = self.cells.T
        state, other = self.cell_states.T
        shares = X - start.take(cells)
        shares /= width.take(cells)
        states, weights = state.take(cells), whole.take(cells) - shares
        both = self.piecewise
        if len(both) < len(self.starts):
            cells, shares = cells.take(both, axis=1), shares.take(both, axis=1)
        states = np.concatenate((states, other.take(cells)), 1, dtype=np.int32, casting="same_kind")
        return states, np.concatenate((weights, shares), 1)

    def _encode_row(self, x: Array) -> tuple[Array, Array]:
        """Return what `encode` does of a single row, in another order, by as few calls as can be.

        Each call of NumPy takes longer than its arithmetic on so few numbers.
        """
        keys = self.keys.copy()
        keys.imag = x
        cells = self.bounds.searchsorted(keys, "right")
        if isnan(np.vdot(x, x)):  # Unlike `dot`, it does not warn if squares overflow.
            x = np.where(np.isnan(x), 0, x)
        whole, start, width = self.cells.take(cells, 0).T
        weights = np.empty((len(x), 2))
        shares = weights[:, 1]
        np.subtract(x, start, shares)
        shares /= width
        np.subtract(whole, shares, weights[:, 0])
        states = self.cell_states.take(cells, 0)
        if len(self.entries) < states.size:
            return states.take(self.entries), weights.take(self.entries)
        return states.ravel(), weights.ravel()

    def _cells_of(self, X: Array) -> NDArray[np.intp]:
        """Return the numbers, from 1, of the cells in which the values of rows lie."""
        if len(X) <= _MAX_JOINT_SEARCH_ROWS:
            keys = np.empty(X.shape, dtype=np.complex128)
            keys.real, keys.imag = self.keys.real, X
            return self.bounds.searchsorted(keys, side="right")
        cells = np.empty(X.shape, dtype=np.intp)
        n_features = X.shape[1]
        ends = self.bounds.real[:-n_features].searchsorted(self.keys.real, side="right")
        for j, (first, end) in enumerate(pairwise([0, *ends])):
            bounds = self.bounds.imag[first:end].copy()
            cells[:, j] = first + bounds.searchsorted(X[:, j], side="right")
        absent = np.isnan(X)
        if absent.any():
            cells[absent] = len(self.bounds) - n_features + 1 + np.nonzero(absent)[1]
        return cells


def _cells(
    columns: Sequence[ColumnEncoding], starts: Array, missing: Array
) -> tuple[Array, Array, NDArray[np.intp]]:
    """Return `bounds`, `cells` and `cell_states` of `TableEncoding`.

    All but `bounds` begin with an entry that belongs to no cell, because a search for a value among
    the bounds returns the number of its cell plus 1.
    """
    n_features = len(columns)
    bounds = [np.append(-np.inf, column.bounds) for column in columns]
    keys = np.empty(sum(map(len, bounds)) + n_features, dtype=np.complex128)
    keys.real = [*np.arange(n_features).repeat([*map(len, bounds)]), *range(n_features)]
    keys.imag = np.concatenate([*bounds, np.full(n_features, np.nan)])
    cells = np.hstack(
        [
            ONE_STATE_CELL,
            *(column.cells for column in columns),
            ONE_STATE_CELL.repeat(n_features, 1),
        ]
    )
    states = [column.states + start for column, start in zip(columns, starts, strict=True)]
    state = np.concatenate([[0], *states, missing])
    pairs = np.column_stack([state, np.minimum(state + 1, missing.max(initial=0))])
    return keys, np.ascontiguousarray(cells.T), pairs


def _grouped(blocks: Sequence[Array]) -> list[Array]:
    """Return blocks in which equal shapes are stacked and small blocks joined.

    A few products with larger blocks take less time than one for each feature.
    """
    groups: list[list[Array]] = []
    for block in blocks:
        if block.ndim == 2 and groups and groups[-1][0].shape == block.shape:
            groups[-1].append(block)
        else:
            groups.append([block])
    joined: list[list[Array]] = []
    for group in groups:
        last = joined[-1] if joined else [np.zeros(0)]
        n_states = sum(len(block) for block in (*last, *group))
        if last[0].ndim == group[0].ndim == 2 and n_states <= _MAX_JOINED_STATES:
            joined[-1] = [block_diag(*last, *group)]
        else:
            joined.append(group)
    return [group[0] if group[0].ndim == 1 else np.stack(group) for group in joined]
