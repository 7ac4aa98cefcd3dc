"""Which states the features of a table have, and where a row is among them.

A table is an array of numbers in which NaN is what is missing, and a feature of categories holds
the positions of its levels. Features are encoded in one of three ways: by their levels; by the
points between which a number lies, quantiles of what was seen; or by the number itself,
standardised, whose state is its slope. See `encoded` for what becomes of states.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isnan
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from softmax_regression._data.encoded import Basis, EncodedDesign, LookedUpRows
from softmax_regression._linalg.arrays import Array

_FEWEST_ROWS_OF_LEVEL = 4  # With fewer, levels share a state: nothing can be learnt of each.
_MOST_LEVELS = 1000  # The others, which occur least, share a state.
_MOST_CENTRED_LEVELS = 64  # With more, none is frequent enough for its mean to matter.
_ROWS_AT_A_TIME = 4096
_FEW_ROWS = 64  # For so few, one search in the cells of all features is quicker than one for each.
_JOINED_STATES = 96  # Of neighbours that one product serves, zeros between them included.
# Of a cell in which a feature has one state, of weight 1.
_CELL = np.array([[1.0], [0.0], [np.inf]])
_LEAST_DEVIATION = 0.1  # What indicators are divided by at least: rare levels are to move little.


class TableEncoding:
    """The states of all features.

    They are in the order of `order`: features of the same numbers of states and codes next to each
    other.

    Parameters
    ----------
    starts : ndarray of int of shape (n_features,)
        The first state of each feature.
    missing : ndarray of int of shape (n_features,)
        The last, which is "missing".
    linear, centres, scales : ndarrays of shape (n_linear,)
        Features that are numbers as they are, their means and deviations.
    levels : ndarray of int of shape (n_categorical,)
        Features of categories.
    level_states : list of ndarray of int
        The state of each of their levels, counted from the feature's first.
    piecewise : ndarray of int of shape (n_piecewise,)
        Features between points.
    points : list of ndarray
        Their points, in increasing order, at least two.
    bounds : ndarray of complex of shape (n_cells,)
        Where the cells of all features begin, each in one of which a number is: the feature beside
        the number, which for the first cell of each is −inf. The last cells, one for each feature,
        are those of what is missing.
    cells : ndarray of shape (3, 1 + n_cells)
        What there is to know of each: with x in it, the weight in its state is the first of these
        numbers less the share (x − second) / third, which is the weight in its other state.
    cell_states, other_states : ndarrays of int32 of shape (1 + n_cells,)
        The state of each cell and, where there are two, the other.
    blocks : list of ndarray
        Those of the basis.
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
        other_states: Array,
        blocks: list[Array],
    ):
        self.starts, self.missing = starts, missing
        self.linear, self.centres, self.scales = linear, centres, scales
        self.levels, self.level_states = levels, level_states
        self.piecewise, self.points = piecewise, points
        self.bounds, self.cells = bounds, cells
        self.cell_states, self.other_states = cell_states, other_states
        self.numbers = np.arange(len(starts))
        self.blocks = blocks
        self.n_states = int(missing.max(initial=-1)) + 1

    @classmethod
    def learn(
        cls, X: Array, weights: Array, categorical: NDArray[np.bool_], most_bins: Sequence[int]
    ) -> Self:
        """Choose states by the rows of positive weight.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            The table.
        weights : ndarray of shape (n_rows,)
            Weights of the rows.
        categorical : ndarray of bool of shape (n_features,)
            Which features hold levels.
        most_bins : sequence of int
            Into how many bins, at most, each feature is cut; 0 for a number as it is.
        """
        counted = weights > 0
        columns = [
            _Levels(X[counted, j], weights[counted])
            if categorical[j]
            else _number(X[counted, j], weights[counted], most_bins[j])
            for j in range(X.shape[1])
        ]
        order = sorted(range(len(columns)), key=lambda j: (columns[j].rank, columns[j].shape))
        sizes = np.array([columns[j].shape[0] for j in order], dtype=np.intp)
        ends = np.cumsum(sizes)
        starts, missing = (np.empty(len(columns), dtype=np.intp) for _ in range(2))
        starts[order], missing[order] = ends - sizes, ends - 1
        of = {
            kind: [j for j, column in enumerate(columns) if isinstance(column, kind)]
            for kind in (_Linear, _Levels, _Piecewise)
        }
        linear = [column for column in columns if isinstance(column, _Linear)]
        return cls(
            starts,
            missing,
            np.array(of[_Linear], dtype=np.intp),
            np.array([column.centre for column in linear]),
            np.array([column.scale for column in linear]),
            np.array(of[_Levels], dtype=np.intp),
            [column.states for column in columns if isinstance(column, _Levels)],
            np.array(of[_Piecewise], dtype=np.intp),
            [column.points for column in columns if isinstance(column, _Piecewise)],
            *_cells(columns, starts, missing),
            _grouped([columns[j].block for j in order]),
        )

    @property
    def basis(self) -> Basis:
        """B, in float64."""
        return Basis(self.blocks)

    def solved(self, tables: Array) -> tuple[Array, Array]:
        """Return weights of codes and a shift of all rows that are nearest to some tables."""
        return self.basis.solved(tables, sorted(self.missing + 1))

    def features(self) -> NDArray[np.intp]:
        """Return the feature of each entry of a row: all have one, those between points two."""
        return np.concatenate([np.arange(len(self.starts)), self.piecewise])

    def design(self, X: Array, dtype: Any) -> EncodedDesign:
        """Return the rows of a table, with weights of some precision."""
        shape = len(X), len(self.starts) + len(self.piecewise)
        states, weights = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=dtype)
        for start in range(0, len(X), _ROWS_AT_A_TIME):
            rows = slice(start, start + _ROWS_AT_A_TIME)
            states[rows], weights[rows] = self.encode(X[rows])
        return EncodedDesign(states, weights, self.basis.astype(dtype), self.features())

    def table(self, feature: int, tables: Array, levels: Array | None) -> tuple[list[Any], Array]:
        """Return where the table of a feature has rows, and these: the last is of what is missing.

        Parameters
        ----------
        feature : int
            Its number.
        tables : ndarray of shape (n_states, n_units)
            Of all features.
        levels : ndarray or None
            The names of its levels, if it has any.
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
        """Return the rows of a table, for products with tables of its states."""
        states, weights = self.encode(X[0] if len(X) == 1 else X)
        return LookedUpRows(states, weights.astype(dtype, copy=False))

    def encode(self, X: Array) -> tuple[Array, Array]:
        """Return the states of rows, or of a single one, and their weights: n_entries to a row."""
        cells = self._cells_of(X)
        if isnan(np.vdot(X, X)):
            X = np.where(np.isnan(X), 0, X)
        whole, start, width = self.cells
        shares = X - start.take(cells)
        shares /= width.take(cells)
        states, weights = self.cell_states.take(cells), whole.take(cells) - shares
        both = self.piecewise
        if len(both) < len(self.starts):
            cells, shares = cells.take(both, axis=-1), shares.take(both, axis=-1)
        others = self.other_states.take(cells)
        return np.concatenate((states, others), -1), np.concatenate((weights, shares), -1)

    def _cells_of(self, X: Array) -> NDArray[np.intp]:
        """Return the cells of all features that rows are in, counted from 1."""
        if X.ndim == 1 or len(X) <= _FEW_ROWS:
            keys = np.empty(X.shape, dtype=np.complex128)
            keys.real, keys.imag = self.numbers, X
            return self.bounds.searchsorted(keys, side="right")
        cells = np.empty(X.shape, dtype=np.intp)
        n_features = X.shape[1]
        ends = self.bounds.real[:-n_features].searchsorted(self.numbers, side="right")
        for j, (first, end) in enumerate(pairwise([0, *ends])):
            bounds = self.bounds.imag[first:end].copy()
            cells[:, j] = first + bounds.searchsorted(X[:, j], side="right")
        absent = np.isnan(X)
        if absent.any():
            cells[absent] = len(self.bounds) - n_features + 1 + np.nonzero(absent)[1]
        return cells


class _Column:
    """One feature: the shape of its block, states × codes, and the block.

    And its cells: where they begin, but for the first; for each, the numbers that `cells` of the
    encoding holds; and their states, counted from the feature's first.
    """

    rank: int
    block: Array
    bounds: Array
    cells: Array
    states: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        if self.block.ndim == 1:
            return len(self.block) + 1, len(self.block)
        return self.block.shape[0], self.block.shape[1]


class _Linear(_Column):
    """A number as it is; a constant one is left alone."""

    rank = 0

    def __init__(self, x: Array, weights: Array):
        present = ~np.isnan(x)
        x, w = x[present].astype(np.float64), weights[present]
        self.centre = float(np.average(x, weights=w)) if len(x) else 0.0
        deviation = float(np.sqrt(np.average((x - self.centre) ** 2, weights=w))) if len(x) else 0.0
        noise = 64 * np.finfo(np.float64).eps * abs(self.centre)
        self.scale = deviation if deviation > noise else 1.0
        self.bounds, self.states = np.zeros(0), np.zeros(1, dtype=np.intp)
        self.cells = np.array([[0.0], [self.centre], [-self.scale]])
        # The first state is a slope, which missing numbers have no part in.
        self.block = np.zeros((2, 1 if present.all() else 2))
        self.block[0, 0] = 1
        if not present.all():
            self.block[1, 1] = 1 / max(float(np.std(present)), _LEAST_DEVIATION)


class _Piecewise(_Column):
    """A number between points."""

    rank = 1

    def __init__(self, x: Array, weights: Array, points: Array):
        self.points = self.bounds = points
        self.states = np.concatenate([[0], np.arange(len(points))])
        self.cells = _CELL.repeat(len(points) + 1, axis=1)
        self.cells[1:, 1:-1] = points[:-1], np.diff(points)
        present = ~np.isnan(x)
        x, w = x[present].astype(np.float64), weights[present]
        below = np.clip(np.searchsorted(points, x, side="right") - 1, 0, len(points) - 2)
        share = np.clip((x - points[below]) / np.diff(points)[below], 0, 1)
        n_bins = len(points) - 1
        rows, part, squares = (
            np.bincount(below, w * value, minlength=n_bins) / w.sum()
            for value in (np.ones(len(x)), share, share**2)
        )
        above = 1 - np.cumsum(rows)
        means = above + part
        deviations = np.sqrt(np.maximum(above + squares - means**2, 0))
        codes = np.tri(n_bins + 1, n_bins, -1)
        self.block = _with_missing(codes, means, deviations, present, weights)


class _Levels(_Column):
    """Categories; those that are rare share a state."""

    rank = 2

    def __init__(self, x: Array, weights: Array):
        present = ~np.isnan(x)
        positions, w = x[present].astype(np.intp), weights[present]
        n_rows = np.bincount(positions, minlength=1)
        frequent = np.argsort(-n_rows, kind="stable")[:_MOST_LEVELS]
        kept = np.sort(frequent[n_rows[frequent] >= _FEWEST_ROWS_OF_LEVEL])
        self.states = np.full(len(n_rows), len(kept), dtype=np.intp)
        self.states[kept] = np.arange(len(kept))
        self.bounds = np.arange(1.0, len(n_rows))
        self.cells = _CELL.repeat(len(n_rows), axis=1)
        n_levels = max(len(kept) + bool(len(kept) < len(n_rows)), 1)
        shares = np.bincount(self.states[positions], w, minlength=n_levels) / max(w.sum(), 1e-300)
        deviations = np.sqrt(shares * (1 - shares))
        if n_levels > _MOST_CENTRED_LEVELS:
            self.block = 1 / np.maximum(deviations, _LEAST_DEVIATION)
            return
        codes = np.eye(n_levels)
        if n_levels == 2:
            codes, shares, deviations = codes[:, 1:], shares[1:], deviations[1:]
        deviations = np.maximum(deviations, _LEAST_DEVIATION)
        self.block = _with_missing(codes, shares, deviations, present, weights)


def _number(x: Array, weights: Array, most_bins: int) -> _Column:
    """Choose the points of a feature of numbers, or take it as it is."""
    x = x.astype(np.float64, copy=False)
    ordered = np.sort(x[~np.isnan(x)])
    if most_bins == 0 or len(ordered) == 0:
        return _Linear(x, weights)
    values = _different(ordered)
    if len(values) > most_bins + 1:
        at = np.linspace(0, len(ordered) - 1, most_bins + 1).round().astype(np.intp)
        values = _different(ordered[at])
    if len(values) < 2 or not np.isfinite(np.diff(values)).all():
        return _Linear(x, weights)
    return _Piecewise(x, weights, values)


def _different(ordered: Array) -> Array:
    return ordered[np.append(True, ordered[1:] > ordered[:-1])]


def _with_missing(
    codes: Array, means: Array, deviations: Array, present: NDArray[np.bool_], weights: Array
) -> Array:
    """Return the block of standardised codes, with a state and, if it was seen, a code for missing.

    What is missing has the means of all codes, and that of its own.
    """
    scales = np.where(deviations > 0, deviations, 1.0)
    block = np.zeros((len(codes) + 1, codes.shape[1]))
    block[:-1] = (codes - means) / scales
    share = float(np.average(~present, weights=weights)) if len(weights) else 0.0
    if share == 0:
        return block
    scale = max((share * (1 - share)) ** 0.5, _LEAST_DEVIATION)
    flag = np.full((len(block), 1), -share / scale)
    flag[-1] = (1 - share) / scale
    return np.hstack([block, flag])


def _cells(
    columns: Sequence[_Column], starts: Array, missing: Array
) -> tuple[Array, Array, NDArray[np.int32], NDArray[np.int32]]:
    """Return where the cells of all features begin, what there is to know of them, their states.

    The first cell of the latter two is none, so that a search from the right finds others.
    """
    n_features = len(columns)
    bounds = [np.append(-np.inf, column.bounds) for column in columns]
    keys = np.empty(sum(map(len, bounds)) + n_features, dtype=np.complex128)
    keys.real = [*np.arange(n_features).repeat([*map(len, bounds)]), *range(n_features)]
    keys.imag = np.concatenate([*bounds, np.full(n_features, np.nan)])
    cells = np.hstack([_CELL, *(column.cells for column in columns), _CELL.repeat(n_features, 1)])
    states = [column.states + start for column, start in zip(columns, starts, strict=True)]
    state = np.concatenate([[0], *states, missing]).astype(np.int32)
    return keys, cells, state, np.minimum(state + 1, missing.max()).astype(np.int32)


def _grouped(blocks: Sequence[Array]) -> list[Array]:
    """Stack neighbours of the same shape, and join small ones: a few products are quickest."""
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
        if last[0].ndim == group[0].ndim == 2 and n_states <= _JOINED_STATES:
            joined[-1] = [block_diag(*last, *group)]
        else:
            joined.append(group)
    return [group[0] if group[0].ndim == 1 else np.stack(group) for group in joined]
