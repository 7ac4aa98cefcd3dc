"""
A stream that changes
=====================

Data may come in pieces, too much of it to be kept, and from a world that does not stand still.
``partial_fit`` takes the next piece, makes one pass over it in minibatches, and lets it go. Each
piece first serves as a test and only then for training, so that the log-loss on it says how good
the model is on rows that it has never seen.

Here 150 000 rows arrive 500 at a time. In the first third nothing changes. Then the world jumps to
another place, and in the last third it drifts there slowly. Two models learn from the stream,
``SoftmaxRegression`` and ``SmallMLP``; two others do not. One was fitted to the first chunk and
left alone. The other was fitted to everything, in hindsight. It has seen every row that it is
tested on, and this does not help it, as it has to be right about all worlds at once.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from softmax_regression import SmallMLP, SoftmaxRegression
from softmax_regression.functional import cross_entropy

BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
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
# The stream
# ----------
#
# Four classes, twenty features. The scores are partly linear in the features and partly not, and
# the weights turn by an angle, which is the state of the world. A chunk is made when it is asked
# for and need not be kept.

n_chunks, chunk_size = 300, 500
n_features, n_bends, n_classes = 20, 8, 4
rng = np.random.default_rng(0)
bends = rng.normal(scale=0.45, size=(n_features, n_bends))
here, there = rng.normal(scale=0.7, size=(2, n_features + n_bends, n_classes))
angles = np.concatenate([np.zeros(100), np.full(100, 1.0), np.linspace(1.0, 2.2, 100)])


def chunk(number):
    """The features and labels of one chunk, and the true scores."""
    chunk_rng = np.random.default_rng([1, number])
    X = chunk_rng.normal(size=(chunk_size, n_features))
    columns = np.hstack([X, np.maximum(X @ bends, 0)])
    angle = angles[number]
    scores = columns @ (np.cos(angle) * here + np.sin(angle) * there)
    y = (scores + chunk_rng.gumbel(size=scores.shape)).argmax(axis=1)  # a draw from softmax
    return X, y, scores


# %%
# Test, then train
# ----------------
#
# The first call names all classes, as the first rows may lack some. Log-loss is cross-entropy of
# the scores, and no model can expect less than the truth has: the labels are drawn at random.

streaming = {
    "SoftmaxRegression": SoftmaxRegression(learning_rate_init=0.01, batch_size=50, random_state=0),
    "SmallMLP": SmallMLP((64,), learning_rate_init=0.005, batch_size=50, random_state=0),
}
X, y, _ = chunk(0)
everything = [np.concatenate(parts) for parts in zip(*map(chunk, range(n_chunks)), strict=True)]
fixed = {
    "fitted to the first chunk": SoftmaxRegression().fit(X, y),
    "fitted to everything": SoftmaxRegression().fit(*everything[:2]),
}
for model in streaming.values():
    model.partial_fit(X, y, classes=np.arange(n_classes))

losses = {name: [] for name in (*streaming, *fixed, "truth")}
for number in range(1, n_chunks):
    X, y, scores = chunk(number)
    losses["truth"].append(cross_entropy(scores, y))
    for name, model in (streaming | fixed).items():
        losses[name].append(cross_entropy(model.decision_function(X), y))
    for model in streaming.values():
        model.partial_fit(X, y)
losses = {name: np.array([np.nan, *values]) for name, values in losses.items()}

stages = {"still": slice(20, 100), "jump": slice(100, 105), "after": slice(120, 200)}
stages["drift"] = slice(200, 300)
print(f"{'mean log-loss':26}" + "".join(f"{stage:>8}" for stage in stages))
for name, values in losses.items():
    print(f"{name:26}" + "".join(f"{values[rows].mean():8.3f}" for rows in stages.values()))

# %%
# Three thirds
# ------------
#
# Above, means of 5 chunks. While the world stands still, the network sinks slowly towards the
# truth, and the linear model soon reaches what a linear model can. The jump throws both back; then
# they learn anew. They keep up with the drift, at some distance. The model of the first chunk gets
# worse and worse. The one that was fitted to everything has settled in the middle, and is bad at
# both ends.
#
# Below, chunk by chunk. A chunk that may be gone over until the fit is done yields more than one
# pass over it does, and it takes several chunks until the stream pays off. After the jump the old
# weights are a burden at first: even guessing (log 4 = 1.39) would be better. Both models are
# averages of the parameters that the steps lead to; once new rows are far more likely by the latest
# parameters, as after the jump, the average begins anew.

colors = dict(zip(losses, [BLUE, VERMILION, ORANGE, GREEN, "black"], strict=True))
seen = chunk_size * np.arange(n_chunks) / 1000

fig, axes = plt.subplot_mosaic(
    [["all", "all"], ["start", "jump"]], figsize=(10, 8), height_ratios=[1.6, 1]
)
for name, values in losses.items():
    style = {"color": colors[name], "linewidth": 1 if name == "truth" else 2}
    style["linestyle"] = ":" if name == "truth" else "-"
    means = np.nanmean(values.reshape(-1, 5), axis=1)
    axes["all"].semilogy(seen[2::5], means, **style)
    axes["start"].plot(seen, values, **style)
    axes["jump"].plot(seen, values, **style)
axes["all"].set(title="Log-loss on the whole stream", xlim=(0, 150), ylim=(0.33, 7.5))
axes["all"].set_yticks([0.4, 0.6, 1, 2, 4], ["0.4", "0.6", "1", "2", "4"])
axes["all"].minorticks_off()
for third, stage in enumerate(["nothing changes", "after a jump", "a slow drift"]):
    axes["all"].axvline(50 * third, color="0.8", linewidth=0.8, zorder=0)
    axes["all"].text(50 * third + 25, 6.3, stage, color=GREY, ha="center")
for name, x, y in (
    ("SoftmaxRegression", 149, 0.63),
    ("SmallMLP", 125, 0.525),
    ("fitted to the first chunk", 76, 1.98),
    ("fitted to everything", 25, 1.16),
    ("truth", 76, 0.37),
):
    side = "right" if x == 149 else "center"
    axes["all"].text(x, y, name, color=colors[name], ha=side)
axes["start"].set(title="The beginning", xlim=(0, 12), ylim=(0.3, 1.2))
axes["jump"].set(title="The jump", xlim=(47, 59), ylim=(0.3, 2.3))
axes["jump"].axhline(np.log(n_classes), color=GREY, linewidth=0.8, linestyle="--", zorder=0)
axes["jump"].text(47.3, np.log(n_classes) + 0.04, "guessing", color=GREY)
for panel in axes.values():
    panel.set_xlabel("rows seen, in thousands")

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    plt.savefig(folder / "streaming.png", dpi=110)
plt.show()
