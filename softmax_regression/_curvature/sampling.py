r"""Which rows stand for all in a Hessian: those that make most of it.

Rows are drawn with probabilities in proportion to

    (1 − ‖p_i‖²) · ‖z_i‖²

which bounds a row's part in the trace of the Hessian (compare the leverage scores of Mahoney,
"Randomized algorithms for matrices and data", 2011, and Xu, Yang, Roosta, Ré and Mahoney,
"Sub-sampled Newton methods with non-uniform sampling", NeurIPS 2016).

Each row has a random number of its own, and is drawn if that is below its probability, which takes
the sum of all rows: one pass for the sum and one to draw, and another for the rows. Where passes
are dear, as each reads all of X, one has to do. Each block then gives away a few times as many rows
as its share, with its own mean in the place of that of all rows; which of them are drawn is known
when the sum is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from softmax_regression._data.dataset import Block, Dataset
from softmax_regression._data.sums import Sample, join
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.coordinates import RowMap
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import scores_of

# Values of X that are made dense at a time, where it is sparse; and so many that the cache holds.
_DENSE_VALUES, _CACHED_VALUES = 1 << 19, 1 << 17
_FEW_ROWS = 64  # At a time; fewer waste calls.
# Of the mean importance, what each row gets besides: so that no row is impossible, and none that
# becomes important is missed altogether.
_EQUAL_SHARE = 0.1
_SPARE_CANDIDATES = 4.0  # Times its share that a block gives away.
_TINY = float(np.finfo(np.float32).tiny)


class RowSampler:
    """Draws rows of an objective.

    Parameters
    ----------
    objective : LinearCrossEntropy
        In standardised coordinates.
    """

    def __init__(self, objective: LinearCrossEntropy):
        self.objective = objective
        self._row_values: Any = None  # Of each row ‖z‖² and its importance.

    def of(self, objective: LinearCrossEntropy) -> RowSampler:
        """Return one of another objective on the same rows, with what is known of these."""
        other = RowSampler(objective)
        other._row_values = self._row_values
        return other

    def draw(self, params: Array, n_rows: int) -> Sample | None:
        """Draw about so many rows, always the same at the same parameters; None for all."""
        objective, data = self.objective, self.objective.data
        if n_rows == data.n_rows:
            return None
        at = _At(objective.for_rows(params), objective.row_map)
        if not data.remembers_rows:
            return self._draw_at_once(at, n_rows)
        if self._row_values is None:
            self._row_values = data.values_of_rows(2, np.float32)
            data.map_reduce(_write_sizes, objective.row_map, kept=self._row_values)
        kept = self._row_values
        (total,) = data.map_reduce(_importance_sums, at, width=objective.width, kept=kept)
        chances = _Chances.of(at, total / data.n_rows, n_rows / data.n_rows)
        return Sample(*data.map_reduce(_draw, chances, kept=kept, reduce=join))

    def _draw_at_once(self, at: _At, n_rows: int) -> Sample:
        """Draw the same rows in one pass, and bring them along."""
        data, width = self.objective.data, self.objective.width
        share = n_rows / data.n_rows
        found: Candidates = data.map_reduce(
            candidates, _Wanted(at, share), width=width, reduce=Candidates.joined
        )
        mean = found.total / data.n_rows
        chances = _Chances.of(at, mean, share)
        if found.largest_mean > _SPARE_CANDIDATES * mean:  # Some block gave too few.
            return Sample(*data.map_reduce(_draw, chances, width=width, reduce=join))
        of_each = chances(found.importances)
        drawn = np.flatnonzero(found.numbers < of_each)
        factor = 1 / of_each[drawn]
        rows = found.data.take(Sample(drawn, factor))
        return Sample(found.rows[drawn], factor, rows)


class _At(NamedTuple):
    """Where, as (W, b) in the coordinates of X, and what takes rows to those of the parameters."""

    matrix: Array
    row_map: RowMap


class _Chances(NamedTuple):
    """With which probabilities rows are drawn."""

    at: _At
    least: float
    scale: float

    @classmethod
    def of(cls, at: _At, mean: float, share: float) -> _Chances:
        """Return those by which a share of rows is drawn whose importances have some mean."""
        least = _EQUAL_SHARE * mean + _TINY
        return cls(at, least, share / (mean + least))

    def __call__(self, importances: Array) -> Array:
        """Return the probabilities for some importances."""
        return np.minimum(self.scale * (importances.astype(np.float64) + self.least), 1.0)


def _write_sizes(block: Block, row_map: RowMap) -> tuple[()]:
    """Keep ‖z_i‖² of each row: the same at all parameters."""
    assert block.kept is not None
    block.kept[0, block.rows] = _sizes(block, block.rows, row_map)
    return ()


def _sizes(block: Block, rows: slice, row_map: RowMap) -> Array:
    """Return ‖z_i‖² of some rows of a block."""
    sizes = np.empty(rows.stop - rows.start, dtype=np.float32)
    # Sparse rows are made dense, a few at a time.
    few = min(_FEW_ROWS, _DENSE_VALUES // row_map.n_columns)
    step = max(1, few, _CACHED_VALUES // row_map.n_columns)
    memory = np.empty(min(step, len(sizes)) * row_map.n_columns)
    for start in range(rows.start, rows.stop, step):
        stop = min(start + step, rows.stop)
        columns = row_map(block.design[slice(start, stop)], memory)
        sizes[start - rows.start : stop - rows.start] = np.einsum("jn,jn->n", columns, columns)
    return sizes


def _importance_sums(block: Block, at: _At) -> tuple[float]:
    """Keep s_i (1 − ‖p_i‖²) ‖z_i‖² of each row, and return their sum."""
    assert block.kept is not None
    total, scratch = 0.0, block.scratch(len(at.matrix), at.matrix.dtype)
    for rows in block.pieces:
        block.kept[1, rows] = _importances(block, rows, at, scratch)
        total += float(block.kept[1, rows].sum(dtype=np.float64))
    return (total,)


def _importances(block: Block, rows: slice, at: _At, scratch: Array) -> Array:
    """Return s_i (1 − ‖p_i‖²) ‖z_i‖² of some rows of a block."""
    p = scores_of(block.design[rows], at.matrix, scratch)
    block.loss.probabilities(p, rows)
    importance = p[0] * (1 - p[0])
    if len(p) > 1:
        importance = np.maximum(1 - np.einsum("kn,kn->n", p, p), 0)
    block.loss.weigh(importance, rows)
    sizes = _sizes(block, rows, at.row_map) if block.kept is None else block.kept[0, rows]
    return (importance * sizes).astype(np.float32, copy=False)


def _importances_of_block(block: Block, at: _At) -> Array:
    if block.kept is not None:
        return block.kept[1, block.rows]
    scratch = block.scratch(len(at.matrix), at.matrix.dtype)
    parts = [_importances(block, rows, at, scratch) for rows in block.pieces]
    return np.concatenate([np.empty(0, dtype=np.float32), *parts])


def _draw(block: Block, chances: _Chances) -> tuple[Array, Array]:
    """Draw rows with probabilities that grow with their importance, always the same ones.

    Returns their numbers, and one over the probabilities.
    """
    first, of_each = (
        block.first + block.rows.start,
        chances(_importances_of_block(block, chances.at)),
    )
    drawn = np.flatnonzero(_uniform(first, len(of_each)) < of_each)
    return first + drawn, 1 / of_each[drawn]


def _uniform(first: int, n_rows: int) -> Array:
    """Return a random number for each of some rows: the same, whatever block they are in."""
    # The generator makes two of these numbers at a time.
    numbers = np.random.Generator(np.random.PCG64(0).advance(first // 2))
    return numbers.random(n_rows + first % 2, dtype=np.float32)[first % 2 :]


# -- in one pass -----------------------------------------------------------------------------------


class _Wanted(NamedTuple):
    """Where, and which share of the rows is to be drawn."""

    at: _At
    share: float


class Candidates(NamedTuple):
    """Rows of which some are drawn.

    Parameters
    ----------
    total : float
        The sum of the importances of all rows, these and others.
    largest_mean : float
        The largest mean importance of a block.
    rows, numbers, importances : ndarray of shape (n_candidates,)
        Their row numbers, random numbers and importances.
    data : Dataset
        The rows themselves.
    """

    total: float
    largest_mean: float
    rows: Array
    numbers: Array
    importances: Array
    data: Dataset

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """Return those of several blocks."""
        totals, means, rows, numbers, importances, data = zip(*parts, strict=True)
        return cls(
            sum(totals),
            max(means),
            np.concatenate(rows),
            np.concatenate(numbers),
            np.concatenate(importances),
            Dataset.joined(data),
        )


def candidates(block: Block, wanted: _Wanted) -> Candidates:
    """Return the rows of a block that may be drawn."""
    importances = _importances_of_block(block, wanted.at)
    first, n_rows = block.first + block.rows.start, len(importances)
    total = float(importances.sum(dtype=np.float64))
    mean = total / max(1, n_rows)
    chances = _Chances.of(wanted.at, mean, _SPARE_CANDIDATES * wanted.share)(importances)
    numbers = _uniform(first, n_rows)
    rows = np.flatnonzero(numbers < chances)
    there = block.rows.start + rows
    data = Dataset(block.design[there], block.loss.take(there))
    return Candidates(total, mean, first + rows, numbers[rows], importances[rows], data)
