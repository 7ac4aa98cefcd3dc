"""
Choosing C: ten folds beside leave-one-out
==========================================

How much to shrink the coefficients is a question to rows that the model has not seen. Ten-fold
cross-validation asks it of a tenth of them at a time. Leave-one-out asks every row on its own, and
the answer no longer depends on how the folds were drawn. As it says, that takes as many fits as
there are rows; but a model without one row is so near the model of all rows that a step of Newton's
method leads from one to the other, and its outcome has a closed form. So one fit for each C is all
that ``SoftmaxRegressionCV(cv="loo")`` takes, but for the few rows by which much changes.

178 wines from three growers, and 13 measurements of each, as they come: some are around 0.1 and
others around 1000.
"""

from argparse import ArgumentParser
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold

from softmax_regression import (
    CrossValidationDisplay,
    RegularizationPathDisplay,
    SoftmaxRegression,
    SoftmaxRegressionCV,
)

BLUE, VERMILION = "#0072B2", "#D55E00"
plt.rcParams.update(
    {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
    }
)

X, y = load_wine(return_X_y=True, as_frame=True)
Cs = np.logspace(-4, 3, 29)

# %%
# Ten folds, drawn ten times
# --------------------------
#
# Each draw of the folds gives another curve.


def cross_validated(cv):
    """Return a fitted model and the seconds it took."""
    begin = perf_counter()
    model = SoftmaxRegressionCV(Cs=Cs, cv=cv).fit(X, y)
    return model, perf_counter() - begin


draws = [StratifiedKFold(10, shuffle=True, random_state=seed) for seed in range(10)]
folds, seconds_of_folds = zip(*map(cross_validated, draws), strict=True)
loo, seconds_of_loo = cross_validated("loo")
simpler = SoftmaxRegressionCV(Cs=Cs, cv="loo", selection="1se").fit(X, y)

# %%
# Is the closed form right?
# -------------------------
#
# Leaving out every wine in earnest, for some C, takes 178 fits each.

some = Cs[::8]
begin = perf_counter()
losses = []
for C in some:
    log_p = []
    for row in range(len(y)):
        model = SoftmaxRegression(C=C).fit(X.drop(index=row), y.drop(index=row))
        log_p.append(model.predict_log_proba(X.iloc[[row]])[0, y[row]])
    losses.append(-np.mean(log_p))
seconds_in_earnest = (perf_counter() - begin) / len(some) * len(Cs)

off = np.abs(-loo.mean_scores_[0, ::8] / losses - 1).max()
print(f"{len(Cs)} values of C{'':21}{'seconds':>8}  C chosen")
chosen = [model.C_ for model in folds]
print(f"ten folds, of ten draws {'':11}{np.mean(seconds_of_folds):8.2f}  {min(chosen):.2g}", end="")
print(f" to {max(chosen):.2g}")
print(f"leave-one-out, from one fit {'':7}{seconds_of_loo:8.2f}  {loo.C_:.2g}")
print(f"leave-one-out, in earnest (for all C){seconds_in_earnest:6.1f}")
print(f"the one-standard-error rule {'':15}  {simpler.C_:.2g}")
print(f"the closed form is off by {100 * off:.1f} % at most")

# %%
# The picture
# -----------
#
# Above, the thin lines are the ten draws of ten folds. The rings are true leave-one-out. The band
# is a standard error to either side; the dotted line is at the smallest C within it, which the
# one-standard-error rule takes. Below, what the model of each grower looks for: coefficients per
# standard deviation of a measurement.

figure = plt.figure(figsize=(10.5, 8.2), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=[1, 1])
panel = above.subplots()
for model in folds:
    panel.plot(Cs, -model.mean_scores_[0], color="0.6", linewidth=0.8, zorder=1)
panel.plot([], [], color="0.6", linewidth=0.8, label="ten folds, drawn ten times")
CrossValidationDisplay.from_estimator(
    loo, ax=panel, label="leave-one-out, from one fit", color=BLUE
)
panel.plot(some, losses, "o", mfc="none", mec=VERMILION, ms=9, label="leave-one-out, in earnest")
panel.axvline(
    simpler.C_, color=BLUE, linestyle=":", linewidth=1, label="C by the one-standard-error rule"
)
panel.set_title("log-loss on wines that the model has not seen")
panel.set(ylim=(0, None), ylabel="")
panel.legend(frameon=False)

panels = below.subplots(1, 3, sharey=True)
RegularizationPathDisplay.from_estimator(loo, scale=X.std(), ax=panels)
for grower, panel in enumerate(panels):
    panel.set_title(f"grower {grower + 1}")
panels[0].set_ylabel("coefficient")
handles, labels = panels[-1].get_legend().legend_handles, panels[-1].get_legend().get_texts()
panels[-1].get_legend().remove()
below.legend(
    handles,
    [text.get_text().replace("_", " ") for text in labels],
    loc="outside right upper",
    frameon=False,
    fontsize="small",
)

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    plt.savefig(folder / "choosing_c.png", dpi=110)
plt.show()
