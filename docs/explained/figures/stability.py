"""Where the naive softmax, and the logarithm of softmax, stop working."""

import matplotlib.pyplot as plt
import numpy as np
from style import BLUE, GREY, VERMILION

from softmax_regression.functional import log_softmax, softmax

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")

s = np.linspace(-1200, 1200, 961)
scores = np.stack([s, s - 1], axis=1)
with np.errstate(over="ignore", invalid="ignore"):
    naive = np.exp(scores[:, 0]) / np.exp(scores).sum(axis=1)
left.plot(s, softmax(scores)[:, 0], color=BLUE, linewidth=5, alpha=0.4, label="shifted")
left.plot(s, naive, color=VERMILION, label="naive")
for edge, text in ((-745, "0/0 = NaN"), (709.8, "∞/∞ = NaN")):
    left.axvline(edge, color=GREY, linewidth=1, linestyle=":")
    left.annotate(text, (edge + np.sign(edge) * 230, 0.4), color=GREY, ha="center")
left.set(ylim=(0, 1), xlabel="s", ylabel="probability", title="Class 0 of the scores (s, s − 1)")
left.legend(loc="lower center")

z = np.linspace(-1000, 0, 401)
scores = np.stack([z, np.zeros_like(z)], axis=1)
with np.errstate(divide="ignore"):
    logarithm = np.log(softmax(scores)[:, 0])
right.plot(z, log_softmax(scores)[:, 0], color=BLUE, linewidth=5, alpha=0.4, label="log_softmax")
right.plot(z, logarithm, color=VERMILION, label="log of softmax")
right.axvline(-745, color=GREY, linewidth=1, linestyle=":")
right.annotate("−∞ from here", (-760, -300), color=GREY, ha="right")
right.set(xlabel="z", ylabel="log-probability", title="Class 0 of the scores (z, 0)")
right.legend()
plt.show()
