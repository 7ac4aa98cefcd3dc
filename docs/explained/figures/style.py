"""Colours and sizes that the figures of these pages share."""

import matplotlib.pyplot as plt

BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#007A5E", "#666666"

plt.rcParams.update(
    {
        "figure.dpi": 100,
        "font.size": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 2,
        "legend.frameon": False,
    }
)
