"""The panels of displays: Axes, and the estimates with intervals that are drawn on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_regression._estimators.panels import COLORS, panel_axes
from softmax_regression._linalg.arrays import Array

_PANELS_PER_ROW = 3
_LINE_HEIGHT_INCHES = 0.34  # The height of a panel grows by this for each estimate.


def draw_bars(
    display: Any, axes: Array, panels: dict[str, Any], neutral: float, name: str, bar_kw: Any
) -> None:
    """Draw estimates with intervals from top to bottom, and a line at the value of no effect."""
    display.bars_ = []
    for axis, (title, part) in zip(axes, panels.items(), strict=True):
        places = np.arange(len(part))[::-1]
        estimate = part["estimate"].to_numpy()
        reach = [estimate - part["lower"].to_numpy(), part["upper"].to_numpy() - estimate]
        style = {"fmt": "o", "color": COLORS[0], "markersize": 4.5, "capsize": 2.5} | bar_kw
        axis.axvline(neutral, color="0.6", linewidth=0.9, zorder=0)
        display.bars_.append(axis.errorbar(estimate, places, xerr=reach, **style))
        axis.set_yticks(places, [str(feature) for feature in part["feature"]])
        axis.set_ylim(-0.6, len(part) - 0.4)
        axis.set_title(title)
        axis.set_xlabel(name)
    display.ax_ = axes[0] if len(axes) == 1 else axes


def make_logarithmic(axes: Array) -> None:
    """Give panels a logarithmic x-axis whose tick labels are plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    for axis in axes:
        axis.set_xscale("log")
        low, high = axis.get_xlim()
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())


def bar_axes(ax: Any, n_panels: int, n_lines: int) -> tuple[Array, Any]:
    """Return panels high enough for so many estimates in each, and their figure."""
    height = max(2.4, 1.1 + _LINE_HEIGHT_INCHES * n_lines)
    return panel_axes(
        ax, n_panels, _PANELS_PER_ROW, lambda rows, columns: (2.2 + 2.9 * columns, rows * height)
    )
