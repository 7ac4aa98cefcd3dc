"""Gradient descent on the wines, raw and standardised."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from style import BLUE, VERMILION

from softmax_regression.functional import cross_entropy, cross_entropy_gradient

X, y = load_wine(return_X_y=True)
Z = (X - X.mean(axis=0)) / X.std(axis=0)

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for columns, colour, name in ((X, VERMILION, "raw"), (Z, BLUE, "standardised")):
    A = np.column_stack([columns, np.ones(len(columns))])
    rate = 2 / np.linalg.eigvalsh(A.T @ A / len(A))[-1]
    W, losses = np.zeros((3, A.shape[1])), []
    for _ in range(1000):
        losses.append(cross_entropy(A @ W.T, y))
        W -= rate * cross_entropy_gradient(A @ W.T, y).T @ A
    axes.loglog(range(1, 1001), losses, color=colour, label=name)
axes.set(xlabel="step of gradient descent", ylabel="cross-entropy")
axes.legend()
plt.show()
