"""
The derivative of softmax
=========================

Softmax takes K scores and returns K probabilities, so its derivative is not one number but a K × K
matrix, the Jacobian: how much does probability i move when score j does? Differentiating
p_i = exp(z_i) / sum_j exp(z_j) with the quotient rule gives a form that needs nothing but the
probabilities::

    dp_i/dz_i = p_i (1 − p_i)
    dp_i/dz_j = −p_i p_j            (j ≠ i)

Raising a score helps its own class (the diagonal is positive) at the expense of all others (the
rest is negative). What one class gains the others lose, so each column sums to 0; raising all
scores together changes nothing, so each row does, too. And p (1 − p) is small when p is near 0 *or*
near 1: a softmax that is sure hardly moves any more, whether it is right or wrong.

The matrix is rarely needed. To move forwards through a softmax one needs its product with a
direction, to move backwards its product with a gradient, and ``softmax_jvp`` and ``softmax_vjp``
compute these in K operations rather than K², without forming it.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from softmax_regression.functional import softmax, softmax_jacobian, softmax_jvp, softmax_vjp

BLUE, VERMILION = "#0072B2", "#D55E00"
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
# Against finite differences
# --------------------------
#
# A derivative that was worked out by hand deserves a check. Central differences need only softmax
# itself: move one score a little up and a little down, and divide by the distance.


def finite_differences(scores, step):
    """Jacobian of softmax, one column for each score that is moved."""
    moves = step * np.eye(len(scores))
    return ((softmax(scores + moves) - softmax(scores - moves)) / (2 * step)).T


scores = np.array([1.3, 1.1, 0.8, 0.5, 0.2, -0.1, -0.5, -0.9])
jacobian = softmax_jacobian(scores)
differences = finite_differences(scores, step=1e-5)
discrepancy = np.abs(jacobian - differences)
sums = np.abs([jacobian.sum(axis=0), jacobian.sum(axis=1)])

print(f"largest entry of the Jacobian:               {jacobian.max():.3f}")
print(f"largest discrepancy from finite differences: {discrepancy.max():.1e}")
print(f"largest sum of a row or a column:            {sums.max():.1e}")

# %%
# Entries in percentage points of probability for one unit of score. The first class has the largest
# score, and so the largest effects: its row and its column are the strongest. The matrix is
# symmetric, and what the formula and the differences disagree by is rounding.

fig, (left, middle, right) = plt.subplots(1, 3, figsize=(10.5, 4.8))
for panel, matrix in ((left, jacobian), (middle, differences)):
    image = panel.imshow(100 * matrix, cmap="RdBu_r", vmin=-25, vmax=25)
    for (i, j), entry in np.ndenumerate(100 * matrix):
        label = f"{entry:.1f}".replace("-", "−")
        color = "white" if entry > 15 else "black"
        panel.text(j, i, label, color=color, ha="center", va="center", fontsize=7)
    label = r"$100\; \partial p_i / \partial z_j$"
    fig.colorbar(image, ax=panel, location="bottom", aspect=30, label=label)
image = right.imshow(discrepancy, cmap="cividis", norm=LogNorm(1e-14, 1e-11))
label = "absolute discrepancy"
fig.colorbar(image, ax=right, location="bottom", aspect=30, extend="min", label=label)
left.set_title("Formula: rows and columns sum to 0")
middle.set_title("Central differences")
right.set_title("Formula minus differences")
left.set_ylabel("probability $i$")
for panel in (left, middle, right):
    panel.set_xlabel("score $j$")
    panel.set_xticks(range(8), range(1, 9))
    panel.set_yticks(range(8), range(1, 9))
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)

# %%
# Products without the matrix
# ---------------------------
#
# For the ten thousand classes of a vocabulary the Jacobian has a hundred million entries. The
# products with it take one pass over the scores::
#
#     J v = p * (v − sum_j p_j v_j)
#
# and since J is symmetric, this is the product from either side.

direction = np.array([0.0, 1.0, 0.0, -2.0, 0.5, 0.0, 0.0, 1.0])
assert np.allclose(softmax_jvp(scores, direction), jacobian @ direction, atol=1e-16)
assert np.allclose(softmax_vjp(scores, direction), direction @ jacobian, atol=1e-16)

rng = np.random.default_rng(0)
many_scores, many_directions = rng.normal(size=(2, 10_000))
product = softmax_jvp(many_scores, many_directions)
print(f"product for {product.size} classes: sums to {product.sum():.1e}, as each column does")

# %%
# The surer, the smaller
# ----------------------
#
# The same scores times a growing factor: the order stays and the model gets surer. Its Jacobian
# first concentrates on the few classes that still compete, then fades away. On the right is its
# size, the square root of the sum of its squared entries. Once p_1 is close to 1, the size is about
# 2 (1 − p_1): at a probability of 99.99 % it is a five-thousandth.
#
# Suppose that the truth was the second class. Then the surer the model is, the worse its mistake,
# and the less it can learn through this derivative. Cross-entropy divides the p_i out again: its
# gradient is p − y, which stays as large as the mistake.

factors = np.geomspace(0.5, 60, 400)
probabilities = softmax(factors[:, None] * scores)
others = probabilities[:, 1:].sum(axis=1)  # 1 − p_1, without its rounding errors
size = np.linalg.norm(softmax_jacobian(factors[:, None] * scores), axis=(1, 2))
residual = np.linalg.norm(probabilities - np.eye(8)[1], axis=1)

fig = plt.figure(figsize=(10.5, 3.4))
axes = fig.subplot_mosaic([["1", "10", "25", "size"]], width_ratios=[1, 1, 1, 2.1])
curves = axes["size"]
curves.loglog(others, size, color=BLUE, linewidth=2)
curves.loglog(others, residual, color=VERMILION, linewidth=2)
for factor in (1, 10, 25):
    panel = axes[f"{factor}"]
    p = softmax(factor * scores)
    jacobian = 100 * softmax_jacobian(factor * scores)
    image = panel.imshow(jacobian, cmap="RdBu_r", vmin=-25, vmax=25)
    panel.set(title=f"Scores × {factor}", xlabel=f"$p_1 = {p[0]:.2f}$", xticks=[], yticks=[])
    panel.spines[:].set_color("#cccccc")
    panel.spines[:].set_visible(True)
    at = p[1:].sum(), np.linalg.norm(softmax_jacobian(factor * scores))
    curves.plot(*at, "o", color=BLUE)
    curves.annotate(f"× {factor}", at, (-1, -14), textcoords="offset points", ha="right")
matrices = [axes[name] for name in ("1", "10", "25")]
label = r"$100 \,\, \partial p_i / \partial z_j$"
fig.colorbar(image, ax=matrices, orientation="horizontal", shrink=0.5, aspect=40, label=label)
curves.text(2e-4, 1e-3, "Jacobian", color=BLUE)
curves.text(1e-3, 0.7, "$p - y$, if the truth is class 2", color=VERMILION, va="top", ha="center")
curves.set(title="Size of the derivative", xlabel="$p_1$", xlim=(2, 1e-5), ylim=(1e-5, 3))
curves.set_xticks(
    [0.5, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5], ["0.5", "0.9", "0.99", "0.999", "0.9999", "0.99999"]
)
curves.minorticks_off()

parser = ArgumentParser(description="Draw the figures.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    for number in plt.get_fignums():
        plt.figure(number).savefig(folder / f"softmax_derivative_{number}.png", dpi=110)
plt.show()
