"""Cross-entropy and squared error of a mistake that grows, and their gradients."""

import matplotlib.pyplot as plt
import numpy as np
from style import BLUE, GREY, VERMILION

from softmax_regression.functional import (
    cross_entropy,
    cross_entropy_gradient,
    squared_error,
    squared_error_gradient,
)

s = np.linspace(-6, 10, 161)
rows = [[[0.0, score]] for score in s]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for loss, gradient, colour, name in (
    (cross_entropy, cross_entropy_gradient, BLUE, "cross-entropy"),
    (squared_error, squared_error_gradient, VERMILION, "squared error"),
):
    left.plot(s, [loss(z, [0]) for z in rows], color=colour, label=name)
    right.plot(s, [gradient(z, [0])[0, 1] for z in rows], color=colour, label=name)
for axes, title in ((left, "Loss"), (right, "Gradient in that score")):
    axes.axvline(0, color=GREY, linewidth=1, linestyle=":", label="undecided")
    axes.set(xlabel="score of the wrong class, the right one's being 0", title=title)
left.legend()
right.legend()
plt.show()
