"""
Evidence for, and none against
==============================

The usual coefficients of a digit's pixels are of both signs: ink here speaks for a three, ink there
against it. With ``bounds=(0, None)`` there is only evidence for. As only differences between
classes count, that takes nothing away from what the model can say; but it has to say it otherwise:
what speaks against a three is what speaks for other digits. Where a pixel speaks for no more than
others do, its coefficient is exactly 0, and what is left looks like the digit.

In the pictures of the model with both signs, one sees the edges between digits.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from softmax_regression import SoftmaxRegression

plt.rcParams.update({"axes.titlelocation": "left", "axes.titlesize": 11})

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.5, stratify=y, random_state=0
)

# %%
# Two models
# ----------
#
# With the same C, the second is penalised more for saying the same.

both_signs = SoftmaxRegression(C=0.3).fit(X_train, y_train)
not_negative = SoftmaxRegression(C=0.3, bounds=(0, None)).fit(X_train, y_train)
models = {"both signs": both_signs, "not negative": not_negative}
for name, model in models.items():
    log_p = model.predict_log_proba(X_test)
    loss = -log_p[np.arange(len(y_test)), y_test].mean()
    zeros = np.mean(model.coef_ == 0)
    print(f"{name:12}  accuracy {model.score(X_test, y_test):.3f}  log-loss {loss:.3f}", end="")
    print(f"  {zeros:.0%} zeros  gap {model.optimality_gap_:.0e}")

# %%
# The pictures
# ------------
#
# Above, the mean image of each digit. Below, the coefficients: red for, blue against, white 0.

figure, grid = plt.subplots(3, 10, figsize=(11, 4.1), layout="constrained")
means = np.stack([X_train[y_train == digit].mean(axis=0) for digit in range(10)])
rows = {
    "mean image": (means, "Greys", 0, 1),
    "both signs": (both_signs.coef_, "RdBu_r", -1, 1),
    "not negative": (not_negative.coef_, "RdBu_r", -1, 1),
}
for panels, (name, (images, colors, low, high)) in zip(grid, rows.items(), strict=True):
    limit = np.abs(images).max()
    for panel, image in zip(panels, images, strict=True):
        shown = np.ma.masked_equal(image.reshape(8, 8), 0)
        image = panel.imshow(shown, cmap=colors, vmin=low * limit, vmax=high * limit)
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set(color="0.8")
    panels[0].set_title(name)
    label = "ink" if name == "mean image" else "coefficient"
    figure.colorbar(image, ax=panels, pad=0.01, label=label)

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    plt.savefig(folder / "parts.png", dpi=110)
plt.show()
