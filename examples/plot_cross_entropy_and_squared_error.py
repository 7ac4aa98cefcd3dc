"""
Why cross-entropy and not squared error
=======================================

To train a classifier one needs a single number that says how bad its probabilities p are, given
what happened, y (1 for the true class, 0 for the others). Squared error, ½ sum_k (p_k − y_k)², is
the obvious first idea. Cross-entropy, −sum_k y_k log p_k, looks odd beside it: minus the logarithm
of the probability that was given to the truth. The logarithm is what makes it work, since it undoes
the exponential inside softmax. With log p_k = z_k − log sum_j exp(z_j), the loss and its derivative
are two lines::

    L       = log sum_j exp(z_j) − sum_k y_k z_k          (as the y_k sum to 1)
    dL/dz_k = exp(z_k) / sum_j exp(z_j) − y_k = p_k − y_k

The gradient is the mistake itself: as long as the model is wrong it is large, and it ends when
p = y. Squared error leaves softmax's own derivative in place, so that its gradient is J (p − y),
with J_ij = p_i (δ_ij − p_j). J is nearly zero wherever the model is sure, *also* where it is sure
and wrong. However sure a mistake is, it never costs more than 1, and the surer it is, the less is
learned from it.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from softmax_regression.functional import (
    cross_entropy,
    cross_entropy_gradient,
    squared_error,
    squared_error_gradient,
)

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
LOSSES = {
    "cross-entropy": (cross_entropy, cross_entropy_gradient, BLUE),
    "squared error": (squared_error, squared_error_gradient, VERMILION),
}

# %%
# One example
# -----------
#
# Two classes, and the margin is the score of the true class minus that of the other one. To the
# right of 0 the prediction is correct; to the left it is a mistake, the surer the further out.
# There, cross-entropy rises like a straight line and pulls with all its force. Squared error levels
# off at 1, and its pull, after a peak at hesitant mistakes, fades away.

margins = np.linspace(-8, 8, 401)
scores = np.column_stack([margins, np.zeros_like(margins)])  # the first class is the true one

fig, (height, slope) = plt.subplots(1, 2, figsize=(10, 3.9), sharex=True)
for name, (loss, gradient, color) in LOSSES.items():
    # One row at a time, as the losses are means over rows.
    values = [loss(row, 0) for row in scores]
    pulls = np.array([-gradient(row, 0)[0] for row in scores])
    height.plot(margins, values, color=color, linewidth=2)
    slope.plot(margins, pulls, color=color, linewidth=2)
    print(f"{name}: loss {values[0]:.4f} and pull {pulls[0]:.4f} at a margin of −8")
height.text(-5.3, 6, "cross-entropy, −log p", color=BLUE)
height.text(-7.7, 1.25, "squared error, (1 − p)²", color=VERMILION)
slope.text(-7.7, 0.9, "1 − p", color=BLUE)
slope.text(-2.6, 0.25, "2p (1 − p)²", color=VERMILION, ha="right")
height.set(title="Loss", xlabel="margin", ylim=(0, 8.4), xlim=(-8, 8))
slope.set(title="Size of the gradient", xlabel="margin", ylim=(0, 1.1))
for panel in (height, slope):
    panel.axvspan(-8, 0, color="0.95", zorder=0)
    panel.text(-0.2, panel.get_ylim()[1] * 0.99, "wrong", color=GREY, ha="right", va="top")
    panel.text(0.2, panel.get_ylim()[1] * 0.99, "right", color=GREY, va="top")

# %%
# A whole loss surface
# --------------------
#
# The smallest model has two parameters: one feature x, and two classes with the scores 0 and
# w x + b. Over w and b, cross-entropy is convex: a single bowl, and downhill leads to its bottom
# (the star) from everywhere. Squared error is a plateau, a cliff, and a basin. On each of them,
# gradient descent takes 200 steps at the same learning rate from the same three places. Where
# squared error is flat the steps are tiny, and none of the three arrives.

rng = np.random.default_rng(0)
labels = np.repeat([0, 1], 30)
x = rng.normal(size=60) + np.where(labels == 1, 0.8, -0.8)


def two_parameter_scores(w, b):
    """Scores of all examples for one pair of parameters."""
    return np.stack([np.zeros_like(x), w * x + b], axis=-1)


def descend(gradient, start, learning_rate, n_steps):
    """Positions of gradient descent in (w, b)."""
    path = [np.array(start)]
    for _ in range(n_steps):
        residual = gradient(two_parameter_scores(*path[-1]), labels)[:, 1]
        path.append(path[-1] - learning_rate * np.array([residual @ x, residual.sum()]))
    return np.array(path)


starts = [(-7.0, 2.0), (-5.0, -4.0), (6.0, 5.0)]
w_grid, b_grid = np.linspace(-9, 9, 109), np.linspace(-6.5, 6.5, 79)
fig, panels = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True)
for panel, (name, (loss, gradient, _)) in zip(panels, LOSSES.items(), strict=True):
    surface = np.array([[loss(two_parameter_scores(w, b), labels) for w in w_grid] for b in b_grid])
    levels = np.linspace(0, 12 if surface.max() > 1 else 1, 25)
    filled = panel.contourf(w_grid, b_grid, surface, levels, cmap="cividis")
    panel.contour(w_grid, b_grid, surface, levels, colors="black", linewidths=0.3)
    fig.colorbar(filled, ax=panel, format="%g", label="loss", aspect=30, ticks=levels[::6])
    row, column = np.unravel_index(surface.argmin(), surface.shape)
    panel.plot(
        w_grid[column], b_grid[row], "*", color=ORANGE, markersize=14, zorder=3, label="minimum"
    )
    for start in starts:
        path = descend(gradient, start, learning_rate=2.0, n_steps=200)
        panel.plot(*path.T, ".-", color="white", markersize=4, linewidth=1, label="200 steps")
        panel.plot(*path[0], "o", color="white", markersize=7, label="start")
        print(f"{name}: from {start} to {path[-1].round(2)}")
    panel.set(title=name.capitalize(), xlabel="weight $w$")
panels[0].set_ylabel("bias $b$")
entries = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
panels[0].legend(
    entries.values(), entries, loc="lower right", frameon=False, fontsize=9, labelcolor="white"
)

# %%
# Three classes
# -------------
#
# Softmax regression on two features, started where it is sure and wrong: the weights are large, and
# take the examples of each class for those of the next. Again both losses get the same learning
# rate. The first steps of cross-entropy are its largest. Squared error begins with hardly any
# gradient and needs some fifty times as many steps to turn round. Once there it classifies just as
# well: it is a good measure of probabilities (the Brier score) and a poor guide to them.

n, turn = 180, 2 * np.pi / 3
labels = np.arange(n) % 3
centres = 2 * np.stack([np.sin(turn * np.arange(3)), np.cos(turn * np.arange(3))], axis=1)
X = centres[labels] + rng.normal(size=(n, 2))
design = np.column_stack([X, np.ones(n)])
start = np.vstack([2 * np.roll(centres, 1, axis=0).T, np.zeros(3)])

fig, (data, accuracy, size) = plt.subplots(1, 3, figsize=(10.5, 3.7))
grid = np.linspace(-6, 6, 300)
plane = np.stack([*np.meshgrid(grid, grid), np.ones((300, 300))], axis=-1)
data.contourf(
    grid,
    grid,
    (plane @ start).argmax(axis=-1),
    [-0.5, 0.5, 1.5, 2.5],
    colors=[GREEN, ORANGE, PURPLE],
    alpha=0.25,
)
for k, (color, marker) in enumerate(zip([GREEN, ORANGE, PURPLE], "os^", strict=True)):
    label = f"class {k + 1}, predicted {(k + 1) % 3 + 1}"
    data.text([0, 3, -3][k], [5.2, -5.6, -5.6][k], label, ha="center", fontsize=9)
    data.scatter(*X[labels == k].T, s=16, color=color, marker=marker, linewidths=0)
data.set(title="Predictions at the start", xticks=[], yticks=[], aspect="equal")

for name, (_, gradient, color) in LOSSES.items():
    W = start.copy()
    correct, sizes = [], []
    for _ in range(2000):
        scores = design @ W
        downhill = design.T @ gradient(scores, labels)
        correct.append((scores.argmax(axis=1) == labels).mean())
        sizes.append(np.linalg.norm(downhill))
        W -= 0.5 * downhill
    steps = np.arange(1, 2001)
    accuracy.semilogx(steps, correct, color=color, linewidth=2)
    size.loglog(steps, sizes, color=color, linewidth=2)
    reached = np.argmax(np.array(correct) > 0.9)
    print(f"{name}: accuracy above 0.9 after {reached} steps, {correct[-1]:.3f} after 2000")
accuracy.text(13, 0.78, "cross-entropy", color=BLUE)
accuracy.text(200, 0.3, "squared error", color=VERMILION, ha="right")
accuracy.set(title="Accuracy", xlabel="step", xlim=(1, 2000), ylim=(0, 1))
size.set(title="Size of the gradient", xlabel="step", xlim=(1, 2000))
for panel in (accuracy, size):
    panel.xaxis.set_major_formatter("{x:g}")

parser = ArgumentParser(description="Draw the figures.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    for number in plt.get_fignums():
        plt.figure(number).savefig(folder / f"cross_entropy_{number}.png", dpi=110)
plt.show()
