"""The gap after each iteration: gradient descent beside Newton's method."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from style import BLUE, VERMILION

from softmax_regression import SoftmaxRegression
from softmax_regression.functional import cross_entropy, cross_entropy_gradient

X, y = load_wine(return_X_y=True)
n = len(X)
model = SoftmaxRegression(solver="newton-cholesky", tol=1e-14).fit(X, y)
newton = np.array(model.loss_curve_)
newton = newton / newton[-1] - 1

Z = (X - X.mean(axis=0)) / X.std(axis=0)
A = np.column_stack([Z, np.ones(n)])
penalty = np.r_[np.ones(13), 0.0] / n
rate = 2 / (np.linalg.eigvalsh(A.T @ A / n)[-1] + 2 / n)
W, losses = np.zeros((3, 14)), []
for _ in range(200):
    losses.append(cross_entropy(A @ W.T, y) + 0.5 * (penalty * W**2).sum())
    W -= rate * (cross_entropy_gradient(A @ W.T, y).T @ A + penalty * W)
best = SoftmaxRegression(tol=1e-12).fit(Z, y).objective_ / n

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.semilogy(np.array(losses) / best - 1, color=VERMILION, label="gradient descent, standardised")
shown = np.maximum(newton, 1e-16)[:-1]
axes.semilogy(shown, color=BLUE, marker="o", label="Newton's method, raw")
axes.set(xlabel="iteration", ylabel="gap to the minimum", xlim=(-1, 60))
axes.legend()
plt.show()
