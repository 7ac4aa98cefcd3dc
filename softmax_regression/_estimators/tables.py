"""Conversion of tables with text, categories, numbers and missing values to arrays of numbers.

In the array NaN stands for a missing value, and a categorical column holds the positions of its
levels.
"""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse

from softmax_regression._estimators.features import refuse_times
from softmax_regression._linalg.arrays import Array

Levels = list[Array | None]  # For each column its levels, or None if it is numeric.


def learn_levels(X: Any, categorical_features: Any) -> Levels | None:
    """Return the levels of the categorical columns; None if no column is categorical.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        The table.
    categorical_features : 'from_dtype', None or array-like
        Which columns are categorical. With 'from_dtype' they are the columns of a DataFrame that
        have a categorical or text dtype, or that hold objects of which some are not numbers. With
        None there are none. An array holds their names, their positions, or a mask.
    """
    by_dtype = isinstance(categorical_features, str)
    if categorical_features is None or issparse(X) or (by_dtype and not _is_frame(X)):
        return None
    frame = _as_frame(X)
    if by_dtype:
        chosen = np.array([_holds_categories(column) for _, column in frame.items()], dtype=bool)
    else:
        chosen = _chosen(categorical_features, frame, named=_is_frame(X))
    if not chosen.any():
        return None
    return [_levels(frame.iloc[:, j]) if is_chosen else None for j, is_chosen in enumerate(chosen)]


def as_numbers(X: Any, levels: Levels) -> Array:
    """Return a table as an array in float64, with NaN for what is missing or an unknown level."""
    frame = _as_frame(X)
    refuse_times(frame.loc[:, [known is None for known in levels[: frame.shape[1]]]])
    numbers = np.empty(frame.shape)
    for j, known in enumerate(levels[: frame.shape[1]]):
        column = frame.iloc[:, j]
        if known is not None:
            numbers[:, j] = _positions(column, known)
            continue
        try:
            numbers[:, j] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            reason = str(error).rstrip(".")
            raise type(error)(
                f"Column {frame.columns[j]!r} of X does not hold numbers: {reason}. Name it among "
                "categorical_features, or leave it out."
            ) from error
    return numbers


def _positions(column: pd.Series, known: Array) -> Array:
    """Return the positions of values among known levels; NaN for other and missing values."""
    codes, values = pd.factorize(column)  # The code of a missing value is -1.
    positions = pd.Index(known, dtype=object).get_indexer(pd.Index(values).astype(object))
    of_code = np.append(np.where(positions < 0, np.nan, positions), np.nan)
    return np.asarray(of_code[codes])


def _is_frame(X: Any) -> bool:
    return isinstance(X, pd.DataFrame)


def _as_frame(X: Any) -> pd.DataFrame:
    if _is_frame(X):
        return X
    values = np.asarray(X, dtype=None if hasattr(X, "dtype") else object)
    if values.ndim != 2:
        raise ValueError(f"X must have two dimensions, got an array of shape {values.shape}.")
    return pd.DataFrame(values)


def _holds_categories(column: pd.Series) -> bool:
    """Return whether a column's dtype is categorical or text, or some objects are not numbers."""
    if isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype):
        return True
    if column.dtype != object:
        return False
    return any(not isinstance(value, Number) for value in column[column.notna()])


def _chosen(features: Any, frame: pd.DataFrame, named: bool) -> NDArray[np.bool_]:
    """Return a mask of the columns that are given by names, positions or a mask."""
    asked = np.atleast_1d(np.asarray(features))
    mask = np.zeros(frame.shape[1], dtype=bool)
    if asked.size == 0:
        return mask
    if asked.dtype.kind == "b":
        if asked.shape != mask.shape:
            raise ValueError(
                f"categorical_features is a mask of shape {asked.shape}, but X has "
                f"{len(mask)} features: give one value for each."
            )
        return asked
    if asked.dtype.kind in "iu":
        if asked.min() < -len(mask) or asked.max() >= len(mask):
            raise ValueError(
                f"categorical_features={features!r} holds a position beyond the {len(mask)} "
                "features of X."
            )
        mask[asked] = True
        return mask
    unknown = [name for name in asked.tolist() if not named or name not in frame.columns]
    if unknown or asked.dtype.kind not in "UO":
        raise ValueError(
            f"categorical_features={features!r} holds {unknown[0] if unknown else asked.dtype!r}, "
            "which is no column of X: give names of columns of a DataFrame, positions or a mask."
        )
    return np.asarray(frame.columns.isin(asked.tolist()))


def _levels(column: pd.Series) -> Array:
    """Return the values that occur in a column, sorted if they can be compared."""
    values = np.asarray(pd.unique(column.dropna()), dtype=object)
    try:
        ordered = sorted(values)
    except TypeError:  # The values are of types that cannot be compared.
        ordered = list(values)
    levels = np.empty(len(ordered), dtype=object)
    levels[:] = ordered
    return levels
