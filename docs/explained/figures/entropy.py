"""Cross-entropy as entropy plus divergence, against the prediction."""

import matplotlib.pyplot as plt
import numpy as np
from style import BLUE, GREEN, GREY, VERMILION

from softmax_regression.functional import entropy, kl_divergence

truth = np.array([0.3, 0.7])
first = np.linspace(0.005, 0.995, 199)
q = np.stack([first, 1 - first], axis=1)
divergence, floor = kl_divergence(truth, q), float(entropy(truth))

figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
axes.plot(first, floor + divergence, color=BLUE, label="cross-entropy H(p, q)")
axes.plot(first, divergence, color=VERMILION, label="divergence D(p‖q)")
axes.axhline(floor, color=GREEN, linestyle="--", label=f"entropy H(p) = {floor:.3f}")
axes.axvline(0.3, color=GREY, linewidth=1, linestyle=":", label="q = p")
axes.set(xlabel="predicted probability of the first class", ylabel="nats", ylim=(0, 2.2))
axes.legend(loc="upper center")
plt.show()
