"""The Hessian with respect to chosen entries of (W, b), as a dense matrix."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.rank_updates import add_square, mirror
from softmax_regression._curvature.row_sums import sum_over_rows
from softmax_regression._data.sums import Sample
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy


def hessian_of(
    objective: LinearCrossEntropy,
    at: Array | Evaluation,
    chosen: NDArray[np.bool_],
    sample: Sample | None = None,
    dtype: Any = np.float64,
) -> Array:
    """Return the rows and columns of the Hessian for chosen entries of (W, b), class by class.

    Parameters
    ----------
    objective : LinearCrossEntropy
        The function whose Hessian is returned.
    at : Evaluation or ndarray of shape (n_params,)
        The point at which the Hessian is taken.
    chosen : ndarray of bool, (n_outputs, n_columns)
        A mask of the entries of (W, b).
    sample : Sample, default=None
        A weighted sample of the rows; by default the Hessian is summed over all rows.
    dtype : dtype, default=float64
        The precision of the sums.
    """
    columns = [np.flatnonzero(row) for row in chosen]
    order = sum(map(len, columns))
    shapes = ((order, order), *((len(entries), len(entries)) for entries in columns))
    add = partial(_add_to_chosen, columns)
    sums = sum_over_rows(objective, at, sample, add, shapes, dtype)
    hessian, *blocks = [total.astype(np.float64, copy=False) for total in sums]
    mirror(hessian)
    for part, block in zip(_parts(columns), blocks, strict=True):
        hessian[part, part] += block
    hessian /= objective.data.n_rows
    ridge = np.concatenate([objective.ridge[entries] for entries in columns])
    hessian.flat[:: order + 1] += ridge
    return hessian


def _add_to_chosen(
    columns: Sequence[NDArray[np.intp]], z: Array, p: Array, sums: tuple[Array, ...]
) -> None:
    """Add the contribution of a chunk of rows to the Hessian of the chosen entries."""
    hessian, *blocks = sums
    if len(p) == 1:
        add_square(hessian, 1.0, z[columns[0]] * np.sqrt(p * (1 - p)))
        return
    products = np.empty((len(hessian), z.shape[1]), dtype=z.dtype)
    for part, entries, of_class, block in zip(_parts(columns), columns, p, blocks, strict=True):
        rows = z[entries]
        np.multiply(rows, of_class, out=products[part])
        block += products[part] @ rows.T
    add_square(hessian, -1.0, products)


def _parts(columns: Sequence[NDArray[np.intp]]) -> list[slice]:
    """Return the slice of the chosen entries that belongs to each class."""
    ends = accumulate(map(len, columns))
    return [slice(end - len(entries), end) for end, entries in zip(ends, columns, strict=True)]
