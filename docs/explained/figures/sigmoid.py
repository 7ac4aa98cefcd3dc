"""Two classes: softmax is the sigmoid; three: it is not three sigmoids."""

import matplotlib.pyplot as plt
import numpy as np
from style import BLUE, GREY, VERMILION

from softmax_regression.functional import sigmoid, softmax

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")

d = np.linspace(-6, 6, 241)
pairs = np.stack([d, np.zeros_like(d)], axis=1)
left.plot(d, sigmoid(d), color=BLUE, linewidth=5, alpha=0.4, label="sigmoid of d")
left.plot(d, softmax(pairs)[:, 0], color=VERMILION, linestyle="--", label="softmax of (d, 0)")
left.set(xlabel="difference of the scores, d", ylabel="probability", title="Two classes")
left.legend(loc="upper left")

z, classes = [2.0, 1.0, 0.0], np.arange(3)
for offset, p, colour, name in (
    (-0.2, softmax(z), BLUE, "softmax"),
    (0.2, sigmoid(z), VERMILION, "sigmoids"),
):
    bars = right.bar(classes + offset, p, 0.4, color=colour, label=f"{name}: sum {p.sum():.2f}")
    right.bar_label(bars, fmt="%.2f", color=GREY)
right.set(xticks=classes, xticklabels=[f"class {k}\nscore {s:.0f}" for k, s in enumerate(z)])
right.set(ylim=(0, 1.15), title="Three classes")
right.legend()
plt.show()
