"""What two sigmoids and what softmax can say about two labels."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.multioutput import MultiOutputClassifier
from style import GREY

from softmax_regression import SoftmaxRegression

rng = np.random.default_rng(0)
X = rng.normal(size=(500, 2))
labels = (X + 0.3 * rng.normal(size=(500, 2)) > 0).astype(int)
one = labels.sum(axis=1) == 1
several = MultiOutputClassifier(SoftmaxRegression()).fit(X, labels)
exclusive = SoftmaxRegression().fit(X[one], labels[one].argmax(axis=1))

ticks = np.linspace(-3, 3, 301)
plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
answers = several.predict(plane) @ [1, 2]
choices = 1 + exclusive.predict(plane)
colours = ListedColormap(["#eeeeee", "#9ecae1", "#fdbe85", "#bfa5d6"])

figure, panels = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for axes, answer, title, names in (
    (panels[0], answers, "two sigmoids", {(-1.7, -1.7): "none", (1.7, 1.7): "both"}),
    (panels[1], choices, "softmax of two classes", {}),
):
    axes.imshow(
        answer.reshape(301, 301),
        cmap=colours,
        vmin=0,
        vmax=3,
        origin="lower",
        extent=(-3, 3, -3, 3),
    )
    axes.scatter(*X.T, s=4, color=GREY, alpha=0.5)
    for place, name in {**names, (1.7, -1.7): "sport", (-1.7, 1.7): "money"}.items():
        axes.annotate(name, place, ha="center", fontsize=14)
    axes.set(xlabel="feature 0", ylabel="feature 1", title=title, xlim=(-3, 3), ylim=(-3, 3))
plt.show()
