"""Draw the first table of benchmarks.md as ratios.png: ``python docs/ratios.py``."""

import re
from pathlib import Path

from matplotlib.figure import Figure

HERE = Path(__file__).parent
BLUE, GREY = "#0072B2", "0.35"


def read():
    """Return (data, seconds, fastest peer, its seconds, ratio) of each row, and the mean."""
    text = (HERE / "benchmarks.md").read_text(encoding="utf-8")
    row = r"^\| (\w+) \| ([\d.]+) \| ([^|]+) \| ([\d.]+) \| ([\d.]+) \|"
    rows = re.findall(row, text, flags=re.MULTILINE)
    mean = re.search(r"^\| geometric mean .* ([\d.]+) \|", text, flags=re.MULTILINE)[1]
    return [(*row[:4], float(row[4])) for row in rows], float(mean)


def in_words(seconds):
    value = float(seconds)
    return f"{value:.3g} s" if value >= 0.1 else f"{1000 * value:.3g} ms"


def draw(path):
    rows, mean = read()
    rows.sort(key=lambda row: row[-1], reverse=True)
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    panel = figure.subplots()
    heights = range(len(rows))
    ratios = [row[-1] for row in rows]
    panel.hlines(heights, ratios, 1, color="0.85", linewidth=1.5)
    panel.plot(ratios, heights, "o", color=BLUE, markersize=7)
    panel.axvline(1, color=GREY, linewidth=1)
    panel.axvline(mean, color=BLUE, linewidth=1, linestyle="--", zorder=0)
    panel.text(mean * 1.03, len(rows) - 0.6, f"geometric mean {mean:g}", color=BLUE, va="bottom")
    panel.text(0.98, len(rows) - 0.6, "fastest peer", color=GREY, va="bottom", ha="right")
    for height, (_, seconds, peer, others, _) in zip(heights, rows, strict=True):
        name = peer.removeprefix("scikit-learn ")
        text = f"{in_words(seconds)}, {name} {in_words(others)}"
        panel.text(1.06, height, text, va="center", fontsize=9, color=GREY)
    panel.set_xscale("log")
    panel.set_xlim(0.05, 1.02)
    panel.set_xticks([0.05, 0.1, 0.2, 0.5, 1], ["0.05", "0.1", "0.2", "0.5", "1"])
    panel.minorticks_off()
    panel.set_ylim(-0.6, len(rows))
    panel.set_yticks(heights, [row[0] for row in rows])
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.set_xlabel("time of a fit, as a share of the fastest peer's")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(HERE / "ratios.png")
