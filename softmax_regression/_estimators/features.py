"""Validation of X: errors name the column that does not hold numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn import get_config

_CONVERSION = re.compile("could not convert|cannot cast|can't be cast", re.IGNORECASE)


def validated(X: Any, validate: Callable[[Any], Any]) -> Any:
    """Validate X by a function of scikit-learn; if that fails, name the column at fault.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features.
    validate : callable
        The function, which takes X and returns an array or sparse matrix.
    """
    refuse_other_arrays(X, "X")
    refuse_times(X)
    try:
        return validate(X)
    except (TypeError, ValueError) as error:
        reason = _column_at_fault(X, str(error))
        if reason is None:
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"{reason}. Make numbers of it first, of categories with OneHotEncoder in a "
            "ColumnTransformer, or leave it out."
        ) from error


def refuse_other_arrays(values: Any, name: str) -> None:
    """Raise for arrays of other libraries if scikit-learn is set to pass them on unconverted."""
    other = hasattr(values, "__dlpack__") and not isinstance(values, np.ndarray)
    if other and get_config()["array_api_dispatch"]:
        raise TypeError(
            f"{name} is a {type(values).__module__}.{type(values).__qualname__}, but with "
            "array_api_dispatch=True only NumPy arrays are supported: pass "
            f"numpy.asarray({name}), or set array_api_dispatch=False."
        )


def column_names(table: Any) -> list[Any]:
    """Return the names of the columns of a table of pandas, polars or pyarrow."""
    # A pyarrow table has the columns themselves in `columns`.
    return list(table.columns if hasattr(table, "dtypes") else table.column_names)


def _column_dtypes(table: Any) -> list[Any]:
    """Return the dtypes of the columns of a table; those of pyarrow are converted to NumPy's."""
    if hasattr(table, "dtypes"):
        return list(table.dtypes)
    return [np.dtype(kind.to_pandas_dtype()) for kind in table.schema.types]


def refuse_times(X: Any) -> None:
    """Raise if X holds dates or durations, whose values as floats depend on their unit."""
    dtypes: Any = [("X", getattr(X, "dtype", None))]
    if hasattr(X, "columns"):
        names = (f"Column {name!r} of X" for name in column_names(X))
        dtypes = zip(names, _column_dtypes(X), strict=True)
    for place, dtype in [*dtypes, *_times_among_objects(X)]:
        if getattr(dtype, "kind", "") in ("m", "M"):
            raise TypeError(
                f"{place} holds dates or durations, of dtype {dtype}. Make numbers of them first, "
                "for example days by (x - x.min()) / numpy.timedelta64(1, 'D'), or leave them out."
            )


def _times_among_objects(X: Any) -> list[tuple[str, np.dtype[Any]]]:
    """Return where the first of NumPy's own dates or durations is, and its dtype.

    In a list or an array of objects NumPy would convert these to numbers, unlike other dates.
    """
    if isinstance(X, list | tuple):
        try:
            X = np.asarray(X)
        except ValueError:  # The rows are of different lengths.
            return []
        if X.dtype.kind in "mM":
            return [("X", X.dtype)]
    if isinstance(X, pd.DataFrame):
        X = X.iloc[:, [dtype.kind == "O" for dtype in X.dtypes]]
        names, values = list(X.columns), X.to_numpy()
    elif isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 2:
        names, values = list(range(X.shape[1])), X
    else:
        return []
    for name, column in zip(names, values.T, strict=True):
        for value in column:
            if isinstance(value, np.datetime64 | np.timedelta64):
                return [(f"Column {name!r} of X", value.dtype)]
    return []


def _column_at_fault(X: Any, error: str) -> str | None:
    """Return a clause that names the column of X behind an error; None if there is none."""
    if issparse(X):
        return None
    if not isinstance(X, pd.DataFrame):
        try:
            X = np.asarray(X)
        except ValueError:  # The rows are of different lengths.
            return None
        if X.ndim != 2 or X.dtype.kind not in "OUS":
            return None
        X = pd.DataFrame(X, dtype=object)
    for position, name in enumerate(X.columns):
        column = X.iloc[:, position]
        try:
            column.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as why:
            if str(why).split(":")[0] in error or _CONVERSION.search(error):
                return f"Column {name!r} of X does not hold numbers: {str(why).rstrip('.')}"
    return None
