r"""Importance sampling of the rows over which a Hessian is summed.

Rows are drawn with probabilities in proportion to their importance

    (1 − ‖p_i‖²) · ‖z_i‖²

times their weight, which bounds a row's share of the trace of the Hessian (compare the leverage
scores of Mahoney, "Randomized algorithms for matrices and data", 2011, and Xu, Yang, Roosta, Ré and
Mahoney, "Sub-sampled Newton methods with non-uniform sampling", NeurIPS 2016).

Each row has a fixed random number, and is drawn if that number is below the row's probability. The
probabilities depend on the sum of all importances. So sampling takes three passes over the rows:
one for the sum, one that draws the row numbers, and one that reads the rows drawn.

Where X does not fit into memory, each pass reads it anew, and a single pass is made instead. In it
each block returns candidates, a few times as many rows as its share of the sample, with
probabilities that depend on the mean importance in the block rather than in all rows. Which of the
candidates are drawn is decided when the sum over all blocks is known.
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

# The number of values of a chunk of sparse rows that are made dense, and the number of values that
# fit the cache.
_MAX_DENSE_VALUES, _CACHED_VALUES = 1 << 19, 1 << 17
_MIN_CHUNK_ROWS = 64  # Chunks of fewer rows would spend their time on function calls.
# This share of the mean importance is added to the importance of each row. So every row may be
# drawn, including those that become important while the sample is in use.
_EQUAL_SHARE = 0.1
# A block returns this many times its share of the sample as candidates.
_CANDIDATES_PER_SHARE = 4.0
_TINY = float(np.finfo(np.float32).tiny)


class RowSampler:
    """Draws rows of an objective by their importance.

    Parameters
    ----------
    objective : LinearCrossEntropy
        The function whose Hessian is sampled, in standardised coordinates.
    """

    def __init__(self, objective: LinearCrossEntropy):
        self.objective = objective
        self._row_values: Any = None  # These are ‖z‖² and the importance of each row.

    def of(self, objective: LinearCrossEntropy) -> RowSampler:
        """Return the sampler of another objective on the same rows, which reuses their norms."""
        other = RowSampler(objective)
        other._row_values = self._row_values
        return other

    def draw(self, params: Array, n_rows: int) -> Sample | None:
        """Draw about `n_rows` rows, the same ones whenever the parameters are the same.

        None is returned if all rows are asked for.
        """
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
        """Draw rows as `draw` does, but in a single pass that also reads them."""
        data, width = self.objective.data, self.objective.width
        share = n_rows / data.n_rows
        found: Candidates = data.map_reduce(
            candidates, _Wanted(at, share), width=width, reduce=Candidates.joined
        )
        mean = found.total / data.n_rows
        chances = _Chances.of(at, mean, share)
        if found.largest_mean > _CANDIDATES_PER_SHARE * mean:  # Some block returned too few.
            rows, factor = data.map_reduce(_draw, chances, width=width, reduce=join)
            order = np.argsort(rows)
            return Sample(rows[order], factor[order])
        of_each = chances(found.importances)
        drawn = np.flatnonzero(found.numbers < of_each)
        drawn = drawn[np.argsort(found.rows[drawn])]
        factor = 1 / of_each[drawn]
        rows = found.data.take(Sample(drawn, factor))
        return Sample(found.rows[drawn], factor, rows)


class _At(NamedTuple):
    """The matrix (W, b) in the coordinates of X, and the map from rows of X to the parameters'."""

    matrix: Array
    row_map: RowMap


class _Chances(NamedTuple):
    """The probabilities with which rows are drawn, as a function of their importances.

    An importance a is drawn with probability ``min(scale · (a + least), 1)``.
    """

    at: _At
    least: float
    scale: float

    @classmethod
    def of(cls, at: _At, mean: float, share: float) -> _Chances:
        """Return the probabilities that draw about a share of rows of some mean importance."""
        least = _EQUAL_SHARE * mean + _TINY
        return cls(at, least, share / (mean + least))

    def __call__(self, importances: Array) -> Array:
        """Return the probabilities of rows with the given importances."""
        return np.minimum(self.scale * (importances.astype(np.float64) + self.least), 1.0)


def _write_sizes(block: Block, row_map: RowMap) -> tuple[()]:
    """Store ‖z_i‖² of each row, which does not depend on the parameters."""
    assert block.kept is not None
    block.kept[0, block.rows] = _sizes(block, block.rows, row_map)
    return ()


def _sizes(block: Block, rows: slice, row_map: RowMap) -> Array:
    """Return ‖z_i‖² of some rows of a block."""
    sizes = np.empty(rows.stop - rows.start, dtype=np.float32)
    # Sparse rows are made dense in chunks.
    few = min(_MIN_CHUNK_ROWS, _MAX_DENSE_VALUES // row_map.n_columns)
    step = max(1, few, _CACHED_VALUES // row_map.n_columns)
    memory = np.empty(min(step, len(sizes)) * row_map.n_columns)
    for start in range(rows.start, rows.stop, step):
        stop = min(start + step, rows.stop)
        columns = row_map(block.design[slice(start, stop)], memory)
        sizes[start - rows.start : stop - rows.start] = np.einsum("jn,jn->n", columns, columns)
    return sizes


def _importance_sums(block: Block, at: _At) -> tuple[float]:
    """Store the importance s_i (1 − ‖p_i‖²) ‖z_i‖² of each row, and return the sum."""
    assert block.kept is not None
    total, scratch = 0.0, block.scratch(len(at.matrix), at.matrix.dtype)
    for rows in block.pieces:
        block.kept[1, rows] = _importances(block, rows, at, scratch)
        total += float(block.kept[1, rows].sum(dtype=np.float64))
    return (total,)


def _importances(block: Block, rows: slice, at: _At, scratch: Array) -> Array:
    """Return the importances s_i (1 − ‖p_i‖²) ‖z_i‖² of some rows of a block."""
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
    """Draw rows of a block with the given probabilities, the same ones in each call.

    Returns the numbers of the rows drawn, and the inverses of their probabilities as weights.
    """
    first, of_each = (
        block.first + block.rows.start,
        chances(_importances_of_block(block, chances.at)),
    )
    drawn = np.flatnonzero(_uniform(first, len(of_each)) < of_each)
    return first + drawn, 1 / of_each[drawn]


def _uniform(first: int, n_rows: int) -> Array:
    """Return a random number for each of some rows, which does not depend on the block."""
    # Each step of the generator yields two float32 numbers.
    numbers = np.random.Generator(np.random.PCG64(0).advance(first // 2))
    return numbers.random(n_rows + first % 2, dtype=np.float32)[first % 2 :]


# -- sampling in a single pass ---------------------------------------------------------------------


class _Wanted(NamedTuple):
    """The point of the sample, and the share of all rows that is to be drawn."""

    at: _At
    share: float


class Candidates(NamedTuple):
    """Rows from which the sample is drawn once the sum of all importances is known.

    Parameters
    ----------
    total : float
        The sum of the importances of all rows of the blocks, candidates or not.
    largest_mean : float
        The largest mean importance within one block.
    rows, numbers, importances : ndarray of shape (n_candidates,)
        The row numbers, random numbers and importances of the candidates.
    data : Dataset
        The features and targets of the candidates.
    """

    total: float
    largest_mean: float
    rows: Array
    numbers: Array
    importances: Array
    data: Dataset

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """Return the candidates of several blocks together."""
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
    """Return the rows of a block from which the sample is drawn."""
    importances = _importances_of_block(block, wanted.at)
    first, n_rows = block.first + block.rows.start, len(importances)
    total = float(importances.sum(dtype=np.float64))
    mean = total / max(1, n_rows)
    chances = _Chances.of(wanted.at, mean, _CANDIDATES_PER_SHARE * wanted.share)(importances)
    numbers = _uniform(first, n_rows)
    rows = np.flatnonzero(numbers < chances)
    there = block.rows.start + rows
    data = Dataset(block.design[there], block.loss.take(there))
    return Candidates(total, mean, first + rows, numbers[rows], importances[rows], data)
