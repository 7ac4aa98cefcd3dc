"""
Where there is no estimate
==========================

A made-up table of 120 patients: none of the 20 with a certain marker had a relapse. The likelihood
then rises for ever as the coefficient of the marker falls; there is no maximum likelihood estimate,
and software that reports one reports where it gave up. ``detect_separation`` says so, and which
coefficients it concerns; ``bias_reduction="firth"`` gives an estimate that is finite.
"""

import warnings
from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from softmax_regression import SoftmaxRegression
from softmax_regression.inference import detect_separation, infer

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
# What Firth gives
# ----------------
#
# ``bias_reduction="firth"`` adds Jeffreys' prior to the likelihood: in a table of counts, half an
# observation in each cell. It takes away most of the bias that maximum likelihood has in small
# samples, and estimates are finite. The likelihood is far from quadratic here, so that intervals
# should follow it: Wald's, symmetric, reaches beyond 0, and that of the profile just does not.

reduced = SoftmaxRegression(C=np.inf, bias_reduction="firth").fit(X, outcome)
results = infer(reduced, X, outcome, reference="cured")
print(f"\n{results.summary()}")
profile, wald = results.conf_int(method="profile"), results.conf_int()
print(f"\nby profile:\n{profile.loc['relapse']}")
print(f"\npenalised likelihood-ratio tests:\n{results.test_terms(method='lr')}")

# %%
# What a penalty gives
# --------------------
#
# A finite C gives finite coefficients, too: the mode of a posterior. Its errors are those of the
# posterior, as the summary says, and no test of the coefficient; and C is a choice.

penalized = SoftmaxRegression(C=1.0).fit(X, outcome)
posterior = infer(penalized, X, outcome, reference="cured")

place = ("relapse", "marker")
rows = {
    "Firth, profile": (results, profile),
    "Firth, Wald": (results, wald),
    "C = 1, posterior": (posterior, posterior.conf_int()),
}
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 3.4), width_ratios=[1, 1.3], layout="constrained"
)
left.plot(tolerances, found, "o-", color="#0072B2", label="C = inf")
estimate = results.params.loc["marker", "relapse"]
left.axhline(estimate, color="#D55E00", linewidth=1.6, label="Firth")
left.set_xscale("log")
left.invert_xaxis()
left.set(xlabel="tol", ylabel="coefficient", title="the marker against relapse")
left.legend(frameon=False)
for height, (name, (model, ends)) in enumerate(rows.items()):
    color = "#D55E00" if name.startswith("Firth") else "#009E73"
    right.plot(ends.loc[place], [height, height], color=color, linewidth=1.8)
    right.plot(model.params.loc["marker", "relapse"], height, "o", color=color)
right.axvline(0, color="0.6", linewidth=0.9, zorder=0)
right.set_yticks(range(len(rows)), list(rows))
right.set_ylim(len(rows) - 0.5, -0.5)
right.set(xlabel="coefficient", title="estimates and intervals of 95 %")

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    plt.savefig(folder / "separation.png", dpi=110)
plt.show()
