"""Slopes of activations, and what ten layers of them leave of a gradient."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from style import BLUE, GREEN, GREY, VERMILION

from softmax_regression.functional import ACTIVATIONS, cross_entropy_gradient

X, labels = load_digits(return_X_y=True)
X = (X[:200] - X.mean()) / X.std()


def gradient_sizes(name, variance):
    f, rng = ACTIVATIONS[name], np.random.default_rng(0)
    weights = [rng.normal(scale=(variance / 64) ** 0.5, size=(64, 64)) for _ in range(10)]
    a, sums = [X], []
    for W in weights:
        sums.append(a[-1] @ W)
        a.append(f(sums[-1]))
    last = rng.normal(scale=(1 / 64) ** 0.5, size=(64, 10))
    d = cross_entropy_gradient(a[-1] @ last, labels[:200]) @ last.T
    sizes = []
    for k in reversed(range(10)):
        d = d * f.derivative(sums[k])
        sizes.insert(0, np.linalg.norm(a[k].T @ d))
        d = d @ weights[k].T
    return sizes


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
z = np.linspace(-5, 5, 501)
for name, variance, colour, style in (
    ("relu", 2.0, BLUE, "-"),
    ("gelu", 2.0, GREEN, "-."),
    ("tanh", 1.0, GREY, "--"),
    ("sigmoid", 1.0, VERMILION, "-"),
):
    left.plot(z, ACTIVATIONS[name].derivative(z), color=colour, linestyle=style, label=name)
    sizes = gradient_sizes(name, variance)
    right.semilogy(range(1, 11), sizes, color=colour, linestyle=style, marker="o", label=name)
left.set(xlabel="z", ylabel="slope f′(z)", title="Slopes")
right.set(xlabel="layer", ylabel="norm of the gradient", title="Gradients in ten layers")
right.legend(loc="lower right")
left.legend()
plt.show()
