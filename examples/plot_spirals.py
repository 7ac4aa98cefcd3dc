"""
Three spirals: what hidden layers are for
=========================================

Three classes wind around each other. A linear model can only cut the plane along straight lines: it
finds the three thirds that fit best, and is wrong about half of the time. A network with two hidden
layers first bends the plane, layer by layer, until the arms lie apart, and then makes the same
straight cuts there. Back in the plane they are spirals.

Both end in softmax and minimise the same cross-entropy. The difference is that the loss of the
linear model is convex, with one minimum that any solver finds, while the network's depends on where
it starts and has to be walked down in many small steps.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from softmax_regression import SmallMLP, SoftmaxRegression

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
# The data
# --------
#
# Each arm makes a turn and a half; the three differ by a third of a turn. Some noise blurs them,
# and the same recipe gives fresh points for a test.

rng = np.random.default_rng(0)


def spirals(n_per_class):
    """Points on three arms, and the number of the arm."""
    arm = np.repeat([0, 1, 2], n_per_class)
    radius = np.sqrt(rng.uniform(0.02, 1, size=arm.size))
    angle = 2 * np.pi * (arm / 3 + 1.5 * radius)
    points = radius[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    return points + rng.normal(scale=0.04, size=points.shape), arm


X, y = spirals(200)
X_test, y_test = spirals(2000)

# %%
# Two models
# ----------
#
# The network has two hidden layers of 32 units. Its activation, ``silu``, is smooth, and so will be
# the borders.

linear = SoftmaxRegression().fit(X, y)
network = SmallMLP(
    (32, 32),
    activation="silu",
    alpha=0.01,
    learning_rate="adaptive",
    learning_rate_init=0.01,
    batch_size=100,
    max_iter=250,
    random_state=0,
).fit(X, y)

for name, model in (("linear model", linear), ("network", network)):
    print(
        f"{name:12}  accuracy {model.score(X, y):.3f} in training, "
        f"{model.score(X_test, y_test):.3f} on fresh points"
    )

# %%
# Regions and training
# --------------------
#
# Each place is painted in the colours of the classes, mixed by their probabilities: grey where the
# model hesitates, pure where it is sure. Lines are where two classes draw level. On the right, the
# mean loss of each iteration or epoch. Newton's method finds the linear model's minimum at once,
# not far below log 3, the loss of a model that knows nothing. The network spends its first epochs
# there, too, until the layers find out how to bend.

colors, markers = [GREEN, ORANGE, PURPLE], "os^"
pale = 0.5 + 0.5 * np.array([to_rgb(color) for color in colors])
edge = 1.2
side = np.linspace(-edge, edge, 400)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)

fig, (left, middle, curves) = plt.subplots(1, 3, figsize=(10.5, 3.9))
for panel, name, model in ((left, "Linear model", linear), (middle, "Network", network)):
    p = model.predict_proba(plane).reshape(400, 400, 3)
    panel.imshow(p @ pale, extent=(-edge, edge, -edge, edge), origin="lower")
    for k, (color, marker) in enumerate(zip(colors, markers, strict=True)):
        lead = p[..., k] - np.delete(p, k, axis=-1).max(axis=-1)
        panel.contour(side, side, lead, [0], colors="black", linewidths=0.8)
        panel.scatter(*X[y == k].T, s=14, c=color, marker=marker, edgecolor="white", linewidth=0.4)
    right = f"{100 * model.score(X_test, y_test):.0f} % of fresh points right"
    panel.set(title=f"{name}: {right}", xticks=[], yticks=[])
    panel.spines[:].set_visible(False)

curves.axhline(np.log(3), color=GREY, linewidth=0.8, linestyle=":")
curves.text(250, 1.16, "log 3: knowing nothing", color=GREY, ha="right")
for model, color in ((network, BLUE), (linear, VERMILION)):
    epochs = np.arange(1, len(model.loss_curve_) + 1)
    curves.semilogy(epochs, model.loss_curve_, color=color, linewidth=2)
    curves.plot(epochs[-1], model.loss_curve_[-1], "o", color=color, clip_on=False)
curves.text(36, 0.83, f"linear model, done after {epochs[-1]} iterations", color=VERMILION)
curves.text(85, 0.2, "network", color=BLUE)
curves.set(title="Loss in training", xlabel="iteration or epoch", xlim=(0, 250), ylim=(0.03, 1.5))
curves.set_yticks([0.03, 0.1, 0.3, 1], ["0.03", "0.1", "0.3", "1"])
curves.minorticks_off()

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    plt.savefig(folder / "spirals.png", dpi=110)
plt.show()
