"""
What does a student's writing say about the programme?
======================================================

200 students of American high schools chose a general, an academic or a vocational programme. The
table, drawn from the survey High School and Beyond, is the example of multinomial regression in
many courses, among them that of UCLA's Statistical Consulting Group ("Multinomial Logistic
Regression"), whose numbers this reproduces: the choice against the students' writing scores and the
socio-economic status of their families.

``infer`` says what the coefficients are worth; but as these compare odds of two programmes, most
readers want to know of probabilities, with their uncertainty.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from softmax_regression import SoftmaxRegression
from softmax_regression.inference import (
    CoefficientDisplay,
    EffectDisplay,
    MarginalEffectDisplay,
    infer,
)

plt.rcParams.update(
    {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
    }
)

# The gallery runs this file in its folder and does not say what it is called.
folder = Path(__file__).parent if "__file__" in globals() else Path()
students = pd.read_csv(folder / "programme_choice.csv")
X = pd.DataFrame(
    {
        "middle status": (students["ses"] == "middle").astype(float),
        "high status": (students["ses"] == "high").astype(float),
        "writing": students["write"].astype(float),
    }
)
y = students["prog"]

# %%
# The summary
# -----------
#
# Without a penalty, so that errors are those of the maximum likelihood estimate.

model = SoftmaxRegression(C=np.inf).fit(X, y)
results = infer(model, X, y, reference="academic")
print(results.summary())

# %%
# Does status matter?
# -------------------
#
# Each of its two columns has a coefficient for each of two programmes: a question to four numbers
# at once. The likelihood-ratio test fits the model without them.

status = {"status": ["middle status", "high status"], "writing": ["writing"]}
for method in ("wald", "lr", "score"):
    print(f"\n{method}\n{results.test_terms(status, method=method).round(4)}")

# %%
# Students of a class are not independent of each other: errors by cluster say what that costs.

clustered = infer(
    model, X, y, reference="academic", cov_type="cluster", groups=students["cid"].to_numpy()
)
print("\nstandard errors by cluster, as a share of the others:")
print((clustered.bse / results.bse).round(2))

# %%
# Marginal effects
# ----------------
#
# By how much the probabilities of the three programmes change, on the average over the students:
# for the levels of status, against low; for a point in writing. In each row they sum to 0.

effects = results.get_margeff(discrete={"status": ["middle status", "high status"]})
print(f"\n{effects}")

# %%
# The pictures
# ------------
#
# Odds ratios against the academic programme; average marginal effects; and the probabilities along
# the writing score and over status, with 95 % bands, the other features at their means.

figure = plt.figure(figsize=(10, 10), layout="constrained")
top, middle, bottom = figure.subfigures(3, 1, height_ratios=[1, 1, 1.5])
CoefficientDisplay.from_results(
    results, odds_ratios=True, ax=top.subplots(1, 2, sharex=True, sharey=True)
)
MarginalEffectDisplay.from_effects(effects, ax=middle.subplots(1, 3, sharex=True, sharey=True))
along, levels = bottom.subplots(1, 2, sharey=True)
EffectDisplay.from_results(results, "writing", ax=along)
EffectDisplay.from_results(
    results,
    {
        "low": {"middle status": 0, "high status": 0},
        "middle": {"middle status": 1, "high status": 0},
        "high": {"middle status": 0, "high status": 1},
    },
    ax=levels,
)
for panel in top.axes:
    panel.label_outer()
top.suptitle("Bars and bands are intervals of 95 %.", x=0.01, ha="left", fontsize=10, color="0.35")
levels.set(xlabel="status", ylabel="")
levels.get_legend().remove()

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    plt.savefig(folder / "programme_choice.png", dpi=110)
plt.show()
