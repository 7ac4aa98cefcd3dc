"""Weighted means of rows, and of their products with targets, in the objective's coordinates."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from softmax_regression._data.dataset import RowBlocks
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.coordinates import RowMap
from softmax_regression._objectives.linear.layout import LinearLayout


class ObjectiveOfRows(Protocol):
    """An objective that is a mean over rows, with the layout and coordinates of its parameters."""

    data: RowBlocks
    layout: LinearLayout
    row_map: RowMap


def row_mean(objective: ObjectiveOfRows) -> Array:
    """Return the weighted mean of the rows, (n_features,)."""
    means = objective.data.moments().means[: objective.layout.n_features]
    coordinates = objective.row_map.coordinates
    return means if coordinates is None else coordinates.rows(means)


def target_mean(objective: ObjectiveOfRows) -> Array:
    """Return the weighted mean of y zᵀ, (n_outputs, n_features)."""
    layout, coordinates = objective.layout, objective.row_map.coordinates
    means = objective.data.target_means()[:, : layout.n_features]
    if coordinates is None:
        return means
    shares = np.empty(0)
    if layout.fit_intercept:
        shares = objective.data.class_shares[-layout.n_outputs :].copy()
    means = means.copy()
    coordinates.pull_gradient(means, shares)
    return means
