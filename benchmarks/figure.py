"""A figure of the race: gap against seconds, with a panel for each data set."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.peers import SOLVERS
from benchmarks.standings import Race

# Okabe and Ito's colours, which colour-blind people can tell apart; the markers help in print.
_COLORS = ("#D55E00", "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7", "#000000")
_MARKERS = "osD^vPX"
_STYLES = dict(zip(SOLVERS, zip(_COLORS, _MARKERS, strict=True), strict=True))
_COLUMNS = 4
_LIMITS = 1e-9, 10.0  # of the gap: what is nearer or farther is drawn at the edge


def draw(races: Sequence[Race], path: Path) -> None:
    """Write the figure to a file."""
    columns = min(_COLUMNS, len(races))
    rows = -(-len(races) // columns)
    figure = Figure(figsize=(3.4 * columns + 0.6, 2.6 * rows + 1.2), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for panel, race in zip(panels, races, strict=False):
        _draw_race(panel, race)
    for panel in panels[len(races) :]:
        panel.set_visible(False)
    figure.supxlabel("seconds of a fit", fontsize=10)
    figure.supylabel("relative gap", fontsize=10)
    figure.legend(**_entries(panels), loc="outside upper center", ncols=columns, frameon=False)
    figure.savefig(path, dpi=150)


def _entries(panels: Iterable[Axes]) -> dict[str, list[Any]]:
    """Return what the legend says, once for each name."""
    entries: dict[str, Any] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        entries.update(zip(labels, handles, strict=True))
    return {"handles": [*entries.values()], "labels": [*entries]}


def _draw_race(panel: Axes, race: Race) -> None:
    panel.axhline(race.goal, color="0.5", linewidth=1, linestyle="--", label="goal")
    for solver, climb in race.climbs.items():
        if not climb.rungs:
            continue
        color, marker = _STYLES[solver]
        panel.plot(
            [rung.seconds for rung in climb.rungs],
            np.clip([race.gap(rung) for rung in climb.rungs], *_LIMITS),
            color=color,
            marker=marker,
            markersize=4,
            linewidth=1.3,
            label=solver,
            zorder=3 if solver == next(iter(SOLVERS)) else 2,
        )
    default = race.as_it_comes()
    if default:
        panel.plot(
            default.seconds,
            np.clip(race.gap(default), *_LIMITS),
            linestyle="none",
            marker="o",
            markersize=10,
            markerfacecolor="none",
            markeredgecolor="0.3",
            label="LogisticRegression()",
        )
    panel.set_xscale("log")
    panel.xaxis.set_minor_formatter(NullFormatter())  # such labels run into each other
    panel.set_yscale("log")
    panel.set_ylim(_LIMITS[0] / 2, _LIMITS[1] * 2)
    panel.set_title(race.data, fontsize=10)
    panel.grid(color="0.92")
    panel.spines[["top", "right"]].set_visible(False)
