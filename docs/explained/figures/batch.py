"""The gradient in the weights as a product of two tables."""

import matplotlib.pyplot as plt
import numpy as np

from softmax_regression.functional import cross_entropy_gradient

X = np.array([[1.0, 2.0], [3.0, -1.0]])
G = cross_entropy_gradient(np.zeros((2, 3)), [0, 2])

figure, panels = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axes, table, title, rows, columns in (
    (panels[0], G.T, "Gᵀ, of shape K × n", "class", "row"),
    (panels[1], X, "X, of shape n × d", "row", "feature"),
    (panels[2], G.T @ X, "GᵀX = ∂L/∂W, of shape K × d", "class", "feature"),
):
    largest = np.abs(table).max()
    axes.imshow(table, cmap="RdBu", vmin=-1.6 * largest, vmax=1.6 * largest)
    for (i, j), number in np.ndenumerate(table):
        axes.annotate(f"{number:.3f}".rstrip("0").rstrip("."), (j, i), ha="center", va="center")
    axes.set(xticks=range(table.shape[1]), yticks=range(table.shape[0]))
    axes.set(xlabel=columns, ylabel=rows, title=title)
    axes.spines[:].set_visible(False)
panels[0].annotate("·", (1.08, 0.5), xycoords="axes fraction", fontsize=24)
panels[1].annotate("=", (1.08, 0.5), xycoords="axes fraction", fontsize=20)
plt.show()
