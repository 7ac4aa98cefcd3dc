"""Panels of displays: the axes that a user passes, or those of a new figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from softmax_regression._linalg.arrays import Array

# The colours of Okabe and Ito, which the colour-blind can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def panel_axes(
    ax: Any, n_panels: int, per_row: int, size: Callable[[int, int], tuple[float, float]]
) -> tuple[Array, Any]:
    """Return an array of panels and their figure; new panels share their axes.

    Parameters
    ----------
    ax : matplotlib Axes, array of them, or None
        Where to draw; None for a new figure.
    n_panels : int
        The number of panels.
    per_row : int
        The largest number of panels side by side.
    size : callable
        Takes the numbers of rows and columns; returns width and height of a new figure, in inches.
    """
    if ax is not None:
        axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(axes) != n_panels:
            raise ValueError(f"ax must hold {n_panels} Axes, one for each panel; got {len(axes)}.")
        return axes, axes[0].figure
    import matplotlib.pyplot as plt

    n_columns = min(n_panels, per_row)
    n_rows = -(-n_panels // n_columns)
    figure, grid = plt.subplots(
        n_rows,
        n_columns,
        figsize=size(n_rows, n_columns),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for spare in grid.ravel()[n_panels:]:
        spare.set_visible(False)
    return grid.ravel()[:n_panels], figure
