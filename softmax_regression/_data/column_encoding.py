"""The encodings of single features of a table: their states, cells and codes; see `encoded.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array

# Levels with fewer rows share a state, because too little can be learned about each of them.
_MIN_LEVEL_ROWS = 4
_MAX_LEVELS = 1000  # The levels beyond this number, which are the least frequent, share a state.
# With more levels, none is frequent enough for the mean of its indicator to matter.
_MAX_CENTRED_LEVELS = 64
# The numbers of a cell in which a feature has one state, of weight 1.
ONE_STATE_CELL = np.array([[1.0], [0.0], [np.inf]])
# Codes of pieces are multiplied by this beside that of the whole line, so that training begins with
# functions that are nearly linear.
_PIECE_SCALE = 0.5
# Indicators are divided by at least this deviation, so that steps in rare levels remain small.
_MIN_DEVIATION = 0.1


class ColumnEncoding:
    """The encoding of one feature.

    Attributes
    ----------
    rank : int
        The position of features of this kind in the order of states.
    block : ndarray of shape (n_states, n_codes) or (n_codes,)
        The block of B, as `Basis` takes it.
    bounds : ndarray of shape (n_cells - 1,)
        The lower bounds of the cells, without that of the first.
    cells : ndarray of shape (3, n_cells)
        The numbers of each cell, as in `TableEncoding`.
    states : ndarray of int of shape (n_cells,)
        The state of each cell, relative to the first state of the feature.
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


class LinearColumn(ColumnEncoding):
    """A feature whose contribution is linear; its scale is 1 if it is constant."""

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
        # The first state has the standardised value as its weight, which a missing value lacks.
        self.block = np.zeros((2, 1 if present.all() else 2))
        self.block[0, 0] = 1
        if not present.all():
            self.block[1, 1] = 1 / max(float(np.std(present)), _MIN_DEVIATION)


class PiecewiseColumn(ColumnEncoding):
    """A feature whose contribution is piecewise linear between points.

    The codes of its pieces can add up to a line. The line has a code of its own nevertheless, of a
    larger scale, so that training begins with functions that are nearly linear.
    """

    rank = 1

    def __init__(self, x: Array, weights: Array, points: Array):
        self.points = self.bounds = points
        self.states = np.concatenate([[0], np.arange(len(points))])
        self.cells = ONE_STATE_CELL.repeat(len(points) + 1, axis=1)
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
        if n_bins > 1:
            largest = np.abs(points).max()  # Squares of numbers relative to it do not overflow.
            clipped = np.clip(x, points[0], points[-1]) / largest
            mean = np.average(clipped, weights=w)
            deviation = np.average((clipped - mean) ** 2, weights=w) ** 0.5
            codes = np.column_stack([codes, points / largest])
            means = np.append(means, mean)
            deviations = np.append(deviations / _PIECE_SCALE, deviation)
        self.block = _with_missing(codes, means, deviations, present, weights)


class CategoricalColumn(ColumnEncoding):
    """A categorical feature, whose rare levels share a state."""

    rank = 2

    def __init__(self, x: Array, weights: Array):
        present = ~np.isnan(x)
        positions, w = x[present].astype(np.intp), weights[present]
        n_rows = np.bincount(positions, minlength=1)
        frequent = np.argsort(-n_rows, kind="stable")[:_MAX_LEVELS]
        kept = np.sort(frequent[n_rows[frequent] >= _MIN_LEVEL_ROWS])
        self.states = np.full(len(n_rows), len(kept), dtype=np.intp)
        self.states[kept] = np.arange(len(kept))
        self.bounds = np.arange(1.0, len(n_rows))
        self.cells = ONE_STATE_CELL.repeat(len(n_rows), axis=1)
        n_levels = max(len(kept) + bool(len(kept) < len(n_rows)), 1)
        shares = np.bincount(self.states[positions], w, minlength=n_levels) / max(w.sum(), 1e-300)
        deviations = np.sqrt(shares * (1 - shares))
        if n_levels > _MAX_CENTRED_LEVELS:
            self.block = 1 / np.maximum(deviations, _MIN_DEVIATION)
            return
        codes = np.eye(n_levels)
        if n_levels == 2:
            codes, shares, deviations = codes[:, 1:], shares[1:], deviations[1:]
        deviations = np.maximum(deviations, _MIN_DEVIATION)
        self.block = _with_missing(codes, shares, deviations, present, weights)


def numeric_column(x: Array, weights: Array, most_bins: int) -> ColumnEncoding:
    """Return a piecewise linear feature, or a linear one if it has too few different values."""
    x = x.astype(np.float64, copy=False)
    ordered = np.sort(x[~np.isnan(x)])
    if most_bins == 0 or len(ordered) == 0:
        return LinearColumn(x, weights)
    values = _distinct(ordered)
    if len(values) > most_bins + 1:
        at = np.linspace(0, len(ordered) - 1, most_bins + 1).round().astype(np.intp)
        values = _distinct(ordered[at])
    if len(values) < 2 or not np.isfinite(np.diff(values)).all():
        return LinearColumn(x, weights)
    return PiecewiseColumn(x, weights, values)


def _distinct(ordered: Array) -> Array:
    return ordered[np.append(True, ordered[1:] > ordered[:-1])]


def _with_missing(
    codes: Array, means: Array, deviations: Array, present: NDArray[np.bool_], weights: Array
) -> Array:
    """Return the block of standardised codes, with a state for missing values.

    A missing value has the means of all codes. If there were missing values in the fit, another
    code indicates them.
    """
    scales = np.where(deviations > 0, deviations, 1.0)
    block = np.zeros((len(codes) + 1, codes.shape[1]))
    block[:-1] = (codes - means) / scales
    share = float(np.average(~present, weights=weights)) if len(weights) else 0.0
    if share == 0:
        return block
    scale = max((share * (1 - share)) ** 0.5, _MIN_DEVIATION)
    flag = np.full((len(block), 1), -share / scale)
    flag[-1] = (1 - share) / scale
    return np.hstack([block, flag])
