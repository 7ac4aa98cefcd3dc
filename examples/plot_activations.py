"""
Nine activations and their slopes
=================================

A layer of a network multiplies its inputs by weights, adds a bias, and then bends the result: every
number z goes through an *activation*, a fixed function f(z). Without it, a stack of layers would be
one big linear map, and softmax on top could only draw straight borders between classes.

The weights learn through the slope f'(z). On the way back, every layer multiplies what it is told
by the slopes of its units, so that wherever f' is close to 0 nothing arrives (the unit is
*saturated*), and a chain of slopes well below 1 fades out. This is why the sigmoid, whose slope is
never above 1/4, gave way to the family of ReLU, whose slope is 1 on one whole side. The smooth
members of that family avoid the kink at 0 and keep a little slope to its left.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from softmax_regression.functional import ACTIVATIONS

BLUE, VERMILION = "#0072B2", "#D55E00"
GREY = "#666666"
plt.rcParams.update(
    {
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
    }
)

# %%
# ``ACTIVATIONS`` holds them by name. Each is called like a function, and has its slope as
# ``derivative``.

notes = {
    "identity": "no bend at all: a linear layer",
    "logistic": "the sigmoid: a soft switch from 0 to 1",
    "tanh": "the sigmoid, centred on 0 and steeper",
    "relu": "cheap; no slope at all on the left",
    "leaky_relu": "ReLU with a slope of 0.01 on the left",
    "elu": "a smooth floor at −1",
    "softplus": "ReLU rounded off; its slope is the sigmoid",
    "silu": "z times the sigmoid of z; dips below 0",
    "gelu": "z times the normal distribution function",
}

print(f"{'':12}{'f(−3)':>8}{'f(3)':>8}{'slope at −3':>14}{'at 0':>8}{'at 3':>8}")
for name, activation in ACTIVATIONS.items():
    low, _, high = activation([-3.0, 0.0, 3.0])
    slopes = activation.derivative([-3.0, 0.0, 3.0])
    print(f"{name:12}{low:8.3f}{high:8.3f}{slopes[0]:14.3f}{slopes[1]:8.3f}{slopes[2]:8.3f}")

# %%
# Solid, the value; dashed, the slope. At a kink the slope jumps, and ``derivative`` gives the one
# from the left (the dot).

left, right = np.linspace(-3.6, 0, 201), np.linspace(1e-9, 3.6, 201)
z = np.concatenate([left, [np.nan], right])  # a gap at 0, so that a jump is drawn as a jump

fig, axes = plt.subplots(3, 3, figsize=(10, 7.6), sharex=True, sharey=True)
fig.get_layout_engine().set(h_pad=0.08)
for panel, (name, activation) in zip(axes.flat, ACTIVATIONS.items(), strict=True):
    panel.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    panel.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    panel.plot(z, activation(z), color=BLUE, linewidth=2)
    panel.plot(z, activation.derivative(z), color=VERMILION, linewidth=2, linestyle="--")
    if activation.derivative(1e-9) - activation.derivative(0.0) > 0.1:
        panel.plot(0, activation.derivative(0.0), "o", color=VERMILION, markersize=5)
    panel.set_title(name, fontweight="bold", pad=18)
    panel.text(0, 1.03, notes[name], color=GREY, fontsize=9, transform=panel.transAxes)
axes[0, 0].set(xlim=(-3.6, 3.6), ylim=(-1.3, 3.3), xticks=range(-3, 4), yticks=range(-1, 4))
axes[0, 0].text(-0.6, -0.95, "value $f(z)$", color=BLUE)
axes[0, 0].text(-3.4, 1.15, "slope $f\\,'(z)$", color=VERMILION)
for panel in axes[-1]:
    panel.set_xlabel("$z$")

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    plt.savefig(folder / "activations.png", dpi=110)
plt.show()
