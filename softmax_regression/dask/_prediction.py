"""Predictions for Dask collections, which are lazy collections with the same chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
from dask import delayed

from softmax_regression._linalg.arrays import Array
from softmax_regression.dask._chunks import errors_naming_chunk
from softmax_regression.dask._collections import (
    RawChunks,
    check_matrix,
    is_array,
    is_collection,
    whole_rows,
)
from softmax_regression.dask._schedulers import Scheduler


def predicted(model: Any, method: str, X: Any) -> Any:
    """Apply a prediction method of a model in memory to each row of X.

    Parameters
    ----------
    model : SoftmaxRegression
        The fitted model.
    method : str
        The name of the method.
    X : Dask array or DataFrame, or array-like
        The rows. Predictions for rows in memory are computed at once.

    Returns
    -------
    Dask array
        For a Dask array, with the same chunks.
    Dask DataFrame or Series
        For a Dask DataFrame, with the same index and partitions; columns are the classes.
    ndarray
        For rows in memory.
    """
    if not is_collection(X):
        return getattr(model, method)(X)
    check_matrix(X)
    if not is_array(X):
        meta = _predicted_frame(X._meta_nonempty, model, method).iloc[:0]
        return X.map_partitions(_predicted_frame, model, method, meta=meta)
    # The prediction for one row shows the dtype and the number of columns.
    example = getattr(model, method)(np.zeros((1, X.shape[1]), dtype=X.dtype))
    lazy = whole_rows(X).map_blocks(
        _predicted_array,
        model,
        method,
        dtype=example.dtype,
        meta=np.empty((0, 0), dtype=example.dtype),
        chunks=(X.chunks[0], (example.size,)),
        name=f"softmax-{method}-{uuid4().hex}",
    )
    return lazy[:, 0] if example.ndim == 1 else lazy


def _predicted_array(X: Any, model: Any, method: str) -> Array:
    """Return the predictions for a chunk, with one row for each row of X."""
    if hasattr(X, "tocsr"):
        X = X.tocsr()
    if not X.shape[0]:  # scikit-learn's validation refuses an X without rows.
        return _predicted_array(np.zeros((1, X.shape[1])), model, method)[:0]
    result: Array = getattr(model, method)(X)
    return result[:, None] if result.ndim == 1 else result


def _predicted_frame(X: pd.DataFrame, model: Any, method: str) -> pd.DataFrame | pd.Series[Any]:
    if not len(X):
        example = pd.DataFrame(np.zeros((1, X.shape[1])), columns=X.columns)
        return _predicted_frame(example, model, method).iloc[:0].set_axis(X.index)
    values = getattr(model, method)(X)
    if values.ndim == 1:
        return pd.Series(values, index=X.index, name=method)
    return pd.DataFrame(values, index=X.index, columns=list(model.classes_))


def accuracy(model: Any, raw: RawChunks, scheduler: Scheduler) -> float:
    """Return the accuracy of a model in memory, weighted by the rows.

    Parameters
    ----------
    model : SoftmaxRegression
        The model.
    raw : RawChunks
        The rows, their targets and weights.
    scheduler : Scheduler
        The scheduler that computes the tasks.
    """
    task, token = delayed(_correct_weight), uuid4().hex
    sent = delayed(model, traverse=False)
    chunks = zip(raw.X, raw.y, raw.sample_weight, strict=True)
    parts: Sequence[tuple[float, float]] = scheduler.compute(
        [
            task(i, *chunk, sent, dask_key_name=f"softmax-score-{token}-{i}")
            for i, chunk in enumerate(chunks)
        ]
    )
    right, total = np.sum(parts, axis=0)
    if not total > 0:
        raise ValueError("sample_weight is zero for all rows; at least one must be positive.")
    return float(right / total)


def _correct_weight(
    index: int, X: Any, y: Any, sample_weight: Any, model: Any
) -> tuple[float, float]:
    """Return the weight of the correctly predicted rows of a chunk, and of all its rows."""
    with errors_naming_chunk(index):
        n_rows = X.shape[0]
        total = float(n_rows if sample_weight is None else np.sum(np.asarray(sample_weight)))
        if not n_rows or total == 0:
            return 0.0, 0.0
        if hasattr(X, "tocsr"):
            X = X.tocsr()
        return total * model.score(X, y, sample_weight), total
