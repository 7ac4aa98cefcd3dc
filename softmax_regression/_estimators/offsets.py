"""The argument `offset`: known scores of rows, which are added to those of the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_regression._estimators.features import refuse_other_arrays
from softmax_regression._linalg.arrays import Array


def checked_offset(offset: Any, n_rows: int, classes: Array) -> Array:
    """Return offsets in the shape of the model's scores, (n_rows, n_classes) or (n_rows, 1).

    Two classes have one column. With more classes the mean of each row is subtracted, which changes
    no probability and saves digits where all offsets of a row are large.

    Parameters
    ----------
    offset : array-like of shape (n_rows,) or (n_rows, n_classes)
        Offsets; of two classes, those of the second less those of the first.
    n_rows : int
        The number of rows of X.
    classes : ndarray of shape (n_classes,)
        The labels, sorted. Columns of a DataFrame are found by these names.

    Raises
    ------
    ValueError, TypeError
        Unless there are finite offsets for each row.
    """
    refuse_other_arrays(offset, "offset")
    if hasattr(offset, "columns") and len(offset.columns) > 1:
        offset = _by_name(offset, classes)
    try:
        scores = np.asarray(offset, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"offset must hold numbers, the known scores of rows: {error}") from error
    n_classes = len(classes)
    column = scores[:, None] if scores.ndim == 1 else scores
    shapes = [(n_rows, n_classes)] if n_classes > 2 else [(n_rows, 1), (n_rows, 2)]
    if column.shape not in shapes:
        wanted = f"({n_rows}, {n_classes}), a column for each class"
        if n_classes == 2:
            wanted = f"({n_rows},), scores of {classes[1]!s} less those of {classes[0]!s}"
        raise ValueError(f"offset must have the shape {wanted}; got {scores.shape}.")
    if column.shape[1] > 1:
        with np.errstate(over="ignore", invalid="ignore"):
            column = column - (column[:, :1] if n_classes == 2 else column.mean(axis=1)[:, None])
        column = column[:, 1:] if n_classes == 2 else column
    bad = np.flatnonzero(~np.isfinite(column).all(axis=1))
    if len(bad):
        value = scores[bad[0]]
        what = "NaN" if np.isnan(value).any() else "values that are infinite or overflow"
        raise ValueError(
            f"offset contains {what}, the first in row {bad[0]}: {value}. Give each row finite "
            "scores, 0 where nothing is known."
        )
    return column


def _by_name(offset: Any, classes: Array) -> Array:
    """Return the columns of a DataFrame, which are named by classes, in the order of these."""
    names = list(offset.columns)
    if set(names) != set(classes.tolist()) or len(names) != len(classes):
        raise ValueError(
            f"The columns of offset are {names}, but the classes are {classes.tolist()}: name a "
            "column for each, or pass an array with columns in this order."
        )
    return np.asarray(offset)[:, [names.index(label) for label in classes.tolist()]]
