"""
Softmax, the sigmoid, and temperature
=====================================

A classifier first gives every class a *score*, which may be any number. Softmax turns the scores
into probabilities: exponentiate, so that everything is positive, then divide by the sum, so that
everything adds up to 1::

    p_k = exp(z_k) / (exp(z_1) + ... + exp(z_K))

Multiply the top and the bottom by the same exp(c) and nothing changes. Scores therefore have no
zero of their own: only their *differences* matter, and each difference is a log-odds,
log(p_i / p_j) = z_i − z_j. With two classes there is just one difference, z = z_2 − z_1, and what
softmax makes of it is the sigmoid, 1 / (1 + exp(−z)). Softmax is the sigmoid for any number of
classes, and the sigmoid is softmax for two.

Dividing all scores by a *temperature* T first keeps their order and changes how far the
probabilities are apart. A small T lets the largest score take everything; a large T evens all of
them out.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from softmax_regression.functional import sigmoid, softmax

BLUE, VERMILION, GREEN, ORANGE, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7"
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
# Two classes: the sigmoid
# ------------------------
#
# The second probability of softmax(0, z) and the sigmoid of z are the same number, to the last few
# bits of a float.

z = np.linspace(-6, 6, 601)
two_classes = softmax(np.column_stack([np.zeros_like(z), z]))

gap = np.abs(two_classes[:, 1] - sigmoid(z)).max()
assert gap < 1e-15
print(f"largest gap between sigmoid(z) and softmax(0, z): {gap:.1e}")

# %%
# Adding the same number to every score changes nothing. (exp(1000) would overflow, and is never
# taken: the largest score is subtracted first.)

scores = np.array([1.0, 2.0, 4.0])
for offset in (0.0, -100.0, 1000.0):
    print(f"softmax({scores + offset}) = {softmax(scores + offset).round(4)}")
    assert np.allclose(softmax(scores + offset), softmax(scores), rtol=1e-12)

# %%
# On the left, the probability of class 2 for every pair of scores: it is constant along the
# diagonals, where z_2 − z_1 is. Walk up the dashed line, on which z_1 is 0, and the probability
# follows the sigmoid, in the middle. On the right there are three classes. Two scores stay at 0 and
# 1 while the third one rises: it takes from both others in proportion, so that the ratio of those
# two stays at exp(1), whatever the third does.

fig, (plane, curve, three) = plt.subplots(1, 3, figsize=(10.5, 3.8))

side = np.linspace(-4, 4, 161)
probability = softmax(np.stack(np.meshgrid(side, side), axis=-1))[..., 1]
plane.pcolormesh(side, side, probability, cmap="Blues", vmax=1.8, rasterized=True)
levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
contours = plane.contour(side, side, probability, levels, colors="black", linewidths=0.8)
z_1 = np.where(levels < 0.5, 2.0, -2.0)  # where the contours are labelled
plane.clabel(contours, fmt="%g", manual=list(np.c_[z_1, z_1 + np.log(levels / (1 - levels))]))
plane.axvline(0, color=VERMILION, linestyle="--")
plane.text(0.15, -3.7, "$z_1 = 0$", color=VERMILION)
plane.set(title="Probability of class 2", xlabel="score $z_1$", ylabel="score $z_2$")

curve.plot(z, sigmoid(z), color=BLUE, linewidth=7, alpha=0.4, solid_capstyle="butt")
curve.plot(z, two_classes[:, 1], color=VERMILION, linestyle="--")
curve.text(-0.9, 0.62, "sigmoid$(z)$", color=BLUE, ha="right")
curve.text(0.9, 0.35, "softmax$(0, z)_2$", color=VERMILION, ha="left")
curve.set(title="Two classes: one curve", xlabel="$z = z_2 - z_1$", ylabel="probability")
curve.set(xlim=(-6, 6), ylim=(-0.02, 1.02))

sweep = np.column_stack([np.zeros_like(z), np.ones_like(z), z])
three.stackplot(z, softmax(sweep).T, colors=[ORANGE, GREEN, BLUE], edgecolor="white")
three.text(-5.6, 0.13, "class 1, score 0", va="center")
three.text(-5.6, 0.63, "class 2, score 1", va="center", color="white")
three.text(5.6, 0.72, "class 3, score $z$", va="center", ha="right", color="white")
three.set(title="Three classes", xlabel="score $z$ of class 3", ylabel="probability, stacked")
three.set(xlim=(-6, 6), ylim=(0, 1))
for panel in (plane, curve, three):
    panel.set_box_aspect(1)

# %%
# Temperature
# -----------
#
# The same five scores at temperatures from 0.1 to 100. On the left everything goes to the class of
# the largest score, which is argmax; on the right each class gets 1/5. In between, T = 1 is softmax
# as it is. The order of the classes never changes.

scores = np.array([2.0, 1.5, 1.0, 0.0, -1.0])
temperatures = np.geomspace(0.05, 100, 300)
by_temperature = np.array([softmax(scores, temperature=t) for t in temperatures])
colors = [BLUE, GREEN, ORANGE, VERMILION, PURPLE]

fig, axes = plt.subplot_mosaic(
    [["sweep", "sweep", "sweep", "sweep"], ["0.1", "1", "4", "40"]],
    figsize=(10, 6.4),
    height_ratios=[1.5, 1],
)
top = axes["sweep"]
labelled = 2.0  # the temperature at which the curves are labelled
for score, probability, at, color in zip(
    scores, by_temperature.T, softmax(scores, temperature=labelled), colors, strict=True
):
    top.plot(temperatures, probability, color=color, linewidth=2)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    label = f"{score:g}".replace("-", "−")
    top.text(labelled, at, label, color=color, ha="center", va="center", bbox=box)
top.text(labelled, 0.39, "score", color=GREY, ha="center")
title = "Five scores at every temperature; dotted, those of the bars below"
top.set(title=title, xscale="log", xlim=(0.05, 100), ylim=(0, 1.02))
top.set(xlabel="temperature $T$", ylabel="probability")
top.xaxis.set_major_formatter("{x:g}")

remarks = {"0.1": "nearly argmax", "1": "softmax itself", "4": "softer", "40": "nearly uniform"}
for name, remark in remarks.items():
    top.axvline(float(name), color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    panel = axes[name]
    bars = panel.bar(range(5), softmax(scores, temperature=float(name)), color=colors)
    panel.bar_label(bars, fmt="%.2f", fontsize=8, padding=2)
    panel.set(title=f"$T = {name}$: {remark}", xlabel="score", ylim=(0, 1.12), yticks=[0, 0.5, 1])
    panel.set_xticks(range(5), [f"{score:g}".replace("-", "−") for score in scores])
axes["0.1"].set_ylabel("probability")

parser = ArgumentParser(description="Draw the figures.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    for number in plt.get_fignums():
        plt.figure(number).savefig(folder / f"softmax_and_sigmoid_{number}.png", dpi=110)
plt.show()
