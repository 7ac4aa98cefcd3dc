"""
Which pixels survive
====================

An image of a digit has 64 pixels, and not all of them are needed. The group lasso
(``penalty_grouping="features"``) keeps or drops a pixel for all ten digits at once: where C is
small, its coefficients are exactly 0. ``softmax_path`` begins at the largest C at which nothing is
left, and as C grows one pixel after the other comes in.

How many are worth having is judged on the half of the digits that was set aside.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from softmax_regression import SoftmaxRegression, softmax_path

BLUE = "#0072B2"
plt.rcParams.update(
    {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
    }
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.5, stratify=y, random_state=0
)

# %%
# The path
# --------

path = softmax_path(X_train, y_train, Cs=20, l1_ratio=1.0, penalty_grouping="features", tol=1e-4)
strengths = np.linalg.norm(path.coefs, axis=1)
n_pixels = (strengths > 0).sum(axis=1)

losses, accuracies = [], []
for coef, intercept in zip(path.coefs, path.intercepts, strict=True):
    scores = X_test @ coef.T + intercept
    log_p = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    losses.append(-log_p[np.arange(len(y_test)), y_test].mean())
    accuracies.append(np.mean(scores.argmax(axis=1) == y_test))
best = int(np.argmin(losses))
ridge = SoftmaxRegression(C=10).fit(X_train, y_train)
ridge_log_p = ridge.predict_log_proba(X_test)
ridge_loss = -ridge_log_p[np.arange(len(y_test)), y_test].mean()

for i in (0, 4, 8, 12, best):
    print(f"C={path.Cs[i]:8.4f}  {n_pixels[i]:2} pixels  accuracy {accuracies[i]:.3f}")
print(f"all 64 pixels, L2 penalty   accuracy {ridge.score(X_test, y_test):.3f}")

# %%
# The picture
# -----------
#
# The darker a pixel, the larger the norm of its ten coefficients; white ones are exactly 0. The
# corners and the edges go first: hardly any digit has ink there.

figure = plt.figure(figsize=(10.5, 5.6), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=[1, 1.25])
shown = [int(np.flatnonzero(n_pixels >= n)[0]) for n in np.linspace(5, n_pixels.max(), 6)]
images = above.subplots(1, len(shown))
for panel, i in zip(images, shown, strict=True):
    share = strengths[i].reshape(8, 8) / strengths[i].max()
    image = panel.imshow(share, cmap="Greys", vmin=0)
    panel.set(xticks=[], yticks=[], title=f"{n_pixels[i]} pixels")
    panel.spines[:].set(visible=True, color="0.8")
above.colorbar(image, ax=images, pad=0.01, shrink=0.8, label="norm, of the largest")
left, right = below.subplots(1, 2)
left.plot(path.Cs, strengths, color=BLUE, linewidth=0.8, alpha=0.6)
left.axvline(path.Cs[best], color="0.35", linestyle="--", linewidth=1)
left.text(path.Cs[best] / 1.15, strengths.max(), "lowest log-loss", color="0.35", ha="right")
left.set(xscale="log", xlabel="C", title="norm of the ten coefficients of each pixel")
right.plot(n_pixels, losses, "o-", color=BLUE, markersize=4)
right.plot(n_pixels[best], losses[best], "o", mfc="none", mec="0.35", markersize=11)
right.annotate(
    "lowest",
    (n_pixels[best], losses[best]),
    (0, 14),
    textcoords="offset points",
    ha="center",
    color="0.35",
)
right.axhline(ridge_loss, color="0.35", linestyle=":", linewidth=1)
right.text(0, ridge_loss + 0.04, "all 64 pixels, L2 penalty", color="0.35")
right.set(
    ylim=(0, None),
    xlabel="pixels that are not 0",
    title="log-loss on digits that the model has not seen",
)

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    plt.savefig(folder / "sparse_digits.png", dpi=110)
plt.show()
