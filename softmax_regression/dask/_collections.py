"""Chunks of Dask collections: the same rows of X, y and the weights for each chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np


@dataclass(frozen=True)
class RawChunks:
    """The chunks of X, y and the weights as lazy tasks.

    Parameters
    ----------
    X : list of Delayed
        A task for each chunk, whose result is a matrix or DataFrame.
    y : list of Delayed
        The targets of each chunk.
    sample_weight : list of Delayed or None
        The weights of each chunk, or a list of None.
    n_columns : int
        The number of columns of X that Dask knows.
    """

    X: list[Any]
    y: list[Any]
    sample_weight: list[Any]
    n_columns: int

    def __len__(self) -> int:
        return len(self.X)


def is_array(collection: Any) -> bool:
    """Return whether an object is a Dask array."""
    return isinstance(collection, da.Array)


def is_frame(collection: Any) -> bool:
    """Return whether an object is a Dask DataFrame or Series, without importing these."""
    return (
        not is_array(collection)
        and hasattr(collection, "npartitions")
        and _has_partitions(collection)
    )


def is_collection(collection: Any) -> bool:
    """Return whether an object is a Dask array, DataFrame or Series."""
    return is_array(collection) or is_frame(collection)


def whole_rows(X: Any) -> Any:
    """Return X with all columns of a row in one chunk."""
    check_matrix(X)
    return X.rechunk({1: -1}) if is_array(X) and X.numblocks[1] > 1 else X


def check_matrix(X: Any) -> None:
    """Raise unless X is a Dask array or DataFrame with columns."""
    if not is_collection(X):
        raise TypeError(
            f"X must be a Dask array or DataFrame, got {type(X).__name__}: pass "
            "dask.array.from_array(X), or use SoftmaxRegression for data in memory."
        )
    if X.ndim != 2:
        raise ValueError(f"X must have rows and columns, got {X.ndim} dimension(s).")
    if is_array(X) and not np.isfinite(X.shape[1]):
        raise ValueError("X must have a known number of columns: call X.compute_chunk_sizes().")


def raw_chunks(X: Any, y: Any, sample_weight: Any = None) -> RawChunks:
    """Return the chunks of X, and the chunks of y and the weights for the same rows.

    Parameters
    ----------
    X : Dask array or DataFrame of shape (n_samples, n_features)
        Its chunks or partitions determine the chunks.
    y : Dask array, DataFrame or Series, or array-like
        The targets; an array in memory is divided like X.
    sample_weight : Dask array or Series, or array-like, default=None
        The weights.
    """
    X = whole_rows(X)
    rows = _delayed(X)
    weights = (
        [None] * len(rows)
        if sample_weight is None
        else _aligned_chunks(X, sample_weight, "sample_weight")
    )
    return RawChunks(rows, _aligned_chunks(X, y, "y"), weights, X.shape[1])


def _aligned_chunks(X: Any, other: Any, name: str) -> list[Any]:
    """Return the chunks of another collection that hold the same rows as the chunks of X."""
    if other is None:
        raise ValueError(f"{name} must be given, and is None.")
    known = is_array(X) and bool(np.isfinite(X.chunks[0]).all())
    if not is_collection(other):
        if not known:
            raise TypeError(
                f"{name} must be a Dask collection with the chunks of X, got "
                f"{type(other).__name__}: the lengths of the chunks of X are not known."
            )
        other = da.from_array(np.asarray(other), chunks=-1)
    if is_array(other):
        other = _rechunked_like(X, other, name) if known else other
        if other.ndim == 2 and other.numblocks[1] > 1:
            other = other.rechunk({1: -1})
    chunks = _delayed(other)
    n_chunks = X.numblocks[0] if is_array(X) else X.npartitions
    if len(chunks) != n_chunks:
        raise ValueError(
            f"X has {n_chunks} chunks and {name} {len(chunks)}: chunks of the same rows are needed."
        )
    return chunks


def _rechunked_like(X: Any, other: Any, name: str) -> Any:
    """Return an array, rechunked to the rows of the chunks of X if its own lengths are known."""
    if not np.isfinite(other.chunks[0]).all():
        return other
    if other.shape[0] != X.shape[0]:
        raise ValueError(
            f"X and {name} must have the same number of rows, got {X.shape[0]} and "
            f"{other.shape[0]}."
        )
    return other if other.chunks[0] == X.chunks[0] else other.rechunk({0: X.chunks[0]})


def _delayed(collection: Any) -> list[Any]:
    """Return the chunks of a collection as Delayed objects."""
    chunks = list(np.ravel(collection.to_delayed()))
    if chunks and not len(chunks[0].dask):
        # Dask's optimisation may drop the chunks that are already in the memory of workers.
        chunks = list(np.ravel(collection.to_delayed(optimize_graph=False)))
    return chunks


def _has_partitions(collection: Any) -> bool:
    return hasattr(collection, "to_delayed") and hasattr(collection, "partitions")
