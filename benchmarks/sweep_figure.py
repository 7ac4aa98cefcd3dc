"""The sweep as a map: our seconds over the fastest peer's, by the order of the Hessian and C."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from benchmarks.sweep import STRENGTHS, ratios

_LIMITS = 0.05, 20.0  # of the ratios that have colours of their own
_SPREAD = 0.03  # by which points of one C are moved apart, of the distance between two


def draw(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the picture to a file."""
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    drawn = None
    for panel, kind in zip(panels, ("raw", "standardised"), strict=True):
        chosen = [r for r in records if r["data"].endswith("standardised") == (kind != "raw")]
        points = _points(chosen)
        panel.set_title(kind)
        panel.set_xscale("log")
        panel.set_xlabel("order of the Hessian")
        panel.set_yticks(range(len(STRENGTHS)), [f"{C:g}" for C in STRENGTHS])
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(color="0.93")
        if points:
            orders, heights, values, edges = zip(*points, strict=True)
            drawn = panel.scatter(
                orders,
                heights,
                c=values,
                cmap="RdBu_r",
                norm=LogNorm(*_LIMITS),
                s=42,
                edgecolors=edges,
                linewidths=0.8,
                zorder=2,
            )
    if drawn is not None:
        figure.colorbar(drawn, ax=panels, label="our seconds / fastest peer's")
    panels[0].set_ylabel("C")
    figure.savefig(path, dpi=150)


def _points(records: Sequence[dict[str, Any]]) -> list[tuple[float, float, float, str]]:
    """Return order, height, ratio and colour of the edge: black where a peer is faster."""
    points = []
    for number, record in enumerate(records):
        over_peers = ratios(record)[0]
        if over_peers is not None:
            height = STRENGTHS.index(record["C"]) + _SPREAD * (number // len(STRENGTHS) % 13 - 6)
            points.append((record["order"], height, over_peers, "k" if over_peers > 1 else "0.7"))
    return points
