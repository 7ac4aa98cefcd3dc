"""A digit, the ink in its quarters, and a network of three layers with its numbers."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from style import BLUE, GREY, VERMILION

from softmax_regression.functional import ACTIVATIONS, softmax

relu = ACTIVATIONS["relu"]
x = np.array([0.2, 0.4, 0.4, 0.3])
weights = [
    np.array([[0.5, -1.0, 0.2], [1.0, 0.5, -0.4], [-0.5, 1.0, 0.6], [0.5, 1.0, -1.0]]),
    np.array([[1.0, -0.5, 0.5], [0.5, 1.0, -1.0], [-1.0, 0.5, 1.0]]),
    np.array([[1.0, -0.5, 0.5], [-1.0, 0.5, 1.0], [0.5, 0.5, -0.5]]),
]
biases = [np.array([0.1, 0.0, -0.1]), np.array([0.0, 0.1, -0.1]), np.zeros(3)]
first = relu(x @ weights[0] + biases[0])
second = relu(first @ weights[1] + biases[1])
layers = [x, first, second, softmax(second @ weights[2])]

figure, (picture, quarters, drawn) = plt.subplots(
    1, 3, figsize=(10, 3.8), width_ratios=(1, 1, 3), layout="constrained"
)
picture.imshow(load_digits().images[2], cmap="Greys")
quarters.imshow(x.reshape(2, 2), cmap="Greys", vmin=0, vmax=1)
for k, ink in enumerate(x):
    quarters.annotate(f"{ink:.1f}", (k % 2, k // 2), ha="center", va="center")
for axes, title in ((picture, "a handwritten 2"), (quarters, "x")):
    axes.set(xticks=[], yticks=[], title=title)

places = [
    [(k, (len(layer) - 1) / 2 - j) for j in range(len(layer))] for k, layer in enumerate(layers)
]
for W, before, after in zip(weights, places, places[1:], strict=False):
    for (i, j), weight in np.ndenumerate(W):
        (x0, y0), (x1, y1) = before[i], after[j]
        colour = BLUE if weight > 0 else VERMILION
        drawn.plot([x0, x1], [y0, y1], color=colour, linewidth=2 * abs(weight), alpha=0.5, zorder=1)
for layer, spots in zip(layers, places, strict=True):
    for number, (left, height) in zip(layer, spots, strict=True):
        face = "white" if number else "lightgrey"
        drawn.scatter(left, height, s=1300, color=face, edgecolor=GREY, zorder=2)
        drawn.annotate(f"{number:.3g}", (left, height), ha="center", va="center", zorder=3)
for k, name in enumerate(("x", "layer 1", "layer 2", "probabilities")):
    drawn.annotate(name, (k, 2.1), ha="center", color=GREY)
drawn.plot([], [], color=BLUE, label="positive weight")
drawn.plot([], [], color=VERMILION, label="negative weight")
drawn.legend(loc="lower center", ncols=2, bbox_to_anchor=(0.5, -0.12))
drawn.set(xlim=(-0.4, 3.4), ylim=(-2, 2.4))
drawn.set_axis_off()
plt.show()
