"""Cross-entropy of training rows and of others against C."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from style import BLUE, GREY, VERMILION

from softmax_regression import softmax_path
from softmax_regression.functional import cross_entropy

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
Cs = np.logspace(-5, 2, 22)
path = softmax_path(X_train, y_train, Cs=Cs)


def losses(rows, labels):
    models = zip(path.coefs, path.intercepts, strict=True)
    return [cross_entropy(rows @ W.T + b, labels) for W, b in models]


figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
held_out = losses(X_test, y_test)
axes.loglog(Cs, losses(X_train, y_train), color=BLUE, label="training rows")
axes.loglog(Cs, held_out, color=VERMILION, label="other rows")
best = Cs[np.argmin(held_out)]
axes.axvline(best, color=GREY, linewidth=1, linestyle=":", label=f"best C, {best:.2g}")
axes.annotate("underfitting", (2e-5, 3e-3), color=GREY)
axes.annotate("overfitting", (3, 1), color=GREY)
axes.set(xlabel="C", ylabel="cross-entropy")
axes.legend(loc="lower left")
plt.show()
