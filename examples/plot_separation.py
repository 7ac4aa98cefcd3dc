"""
Where there is no estimate
==========================

A made-up table of 120 patients: none of the 20 with a certain marker had a relapse. The likelihood
then rises for ever as the coefficient of the marker falls; there is no maximum likelihood estimate,
and software that reports one reports where it gave up. ``detect_separation`` says so, and which
coefficients it concerns.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from softmax_regression import SoftmaxRegression
from softmax_regression.inference import CoefficientDisplay, detect_separation, infer

plt.rcParams.update(
    {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
    }
)

rng = np.random.default_rng(0)
X = pd.DataFrame(
    {"age": rng.normal(60, 10, 120).round(), "dose": rng.normal(0, 1, 120), "marker": 0.0}
)
X.loc[:19, "marker"] = 1.0
scores = np.column_stack([np.zeros(120), 0.04 * (X["age"] - 60), -0.8 * X["dose"]]) - [0, 0.5, 0.5]
chance = np.exp(scores)
draw = rng.random(120)[:, None] * chance.sum(axis=1, keepdims=True)
outcome = np.array(["cured", "stable", "relapse"])[(draw > chance.cumsum(axis=1)).sum(axis=1)]
outcome[(X["marker"] == 1) & (outcome == "relapse")] = "stable"

# %%
# What goes wrong
# ---------------
#
# The coefficient of the marker depends on nothing but the tolerance.

tolerances = 10.0 ** -np.arange(2, 13)
found = []
for tol in tolerances:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model = SoftmaxRegression(C=np.inf, tol=tol).fit(X, outcome)
    place = dict(zip(model.classes_, model.coef_, strict=True))
    found.append(place["relapse"][2] - place["cured"][2])
print(f"the warning: {caught[0].message}\n")

# %%
# What there is
# -------------

separation = detect_separation(X, outcome)
print(separation)
try:
    infer(model, X, outcome)
except ValueError as error:
    print(f"\ninfer: {error}")

# %%
# What can be done
# ----------------
#
# A finite C gives finite coefficients: the mode of a posterior. Its errors are those of the
# posterior, as the summary says, and no test of the coefficient.

penalized = SoftmaxRegression(C=1.0).fit(X, outcome)
results = infer(penalized, X, outcome, reference="cured")
print(f"\n{results.summary()}")

figure = plt.figure(figsize=(10, 3.4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1, 1.5])
panel = left.subplots()
panel.plot(tolerances, found, "o-", color="#0072B2")
panel.set_xscale("log")
panel.invert_xaxis()
panel.set(xlabel="tol", ylabel="coefficient", title="the marker against relapse, C = inf")
panels = right.subplots(1, 2, sharex=True, sharey=True)
CoefficientDisplay.from_results(results, ax=panels)
for panel, label in zip(panels, results.params.columns, strict=True):
    panel.set_title(f"{label} against cured, C = 1")
    panel.label_outer()

plt.savefig("separation.png", dpi=110)
print("wrote separation.png")
plt.show()
