"""Softmax of the scores 2, 1, 0 against the temperature."""

import matplotlib.pyplot as plt
import numpy as np
from style import BLUE, GREEN, GREY, VERMILION

from softmax_regression.functional import softmax

temperatures = np.logspace(-1.3, 2, 300)
p = softmax([2.0, 1.0, 0.0], temperature=temperatures[:, None])

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for k, (score, colour) in enumerate(zip((2, 1, 0), (BLUE, VERMILION, GREEN), strict=True)):
    axes.semilogx(temperatures, p[:, k], color=colour, label=f"class {k}, score {score}")
axes.axhline(1 / 3, color=GREY, linewidth=1, linestyle=":", label="1/3")
axes.axvline(1, color=GREY, linewidth=1, linestyle="--", label="T = 1")
axes.set(xlabel="temperature T", ylabel="probability", ylim=(-0.02, 1.02))
axes.annotate("argmax", (0.055, 0.93), color=GREY)
axes.annotate("uniform", (50, 0.4), color=GREY)
axes.legend(loc="upper right")
plt.show()
