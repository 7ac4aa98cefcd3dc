"""
A raw table, straight into a network
====================================

Who is late with a bill? The table that an office keeps has numbers on scales of their own, names
of towns, a few kinds of contract, and holes wherever nobody asked. Gradient boosting takes it as it
is. So does :class:`~softmax_regression.SmallMLP`: text and categories get weights for each level,
what is missing has weights of its own, and every number a function of its own in each unit of the
first layer, made of straight lines between quantiles.

As the table is made up here, the truth is known, and what the network has learned of each feature
can be laid beside it.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from softmax_regression import SmallMLP

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#666666"
plt.rcParams.update(
    {
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
    }
)

# %%
# The table
# ---------
#
# The risk rises with the amount, but only up to a limit; it swings with the day of the month, after
# wages have come in; towns and contracts matter, and so does whether the age is known at all.

rng = np.random.default_rng(0)
n_rows = 12_000
amount = np.exp(rng.normal(5, 1.2, n_rows))
day = rng.integers(1, 32, n_rows)
age = rng.integers(18, 90, n_rows).astype(float)
town = rng.integers(40, size=n_rows)
contract = rng.choice(["monthly", "yearly", "none"], n_rows, p=[0.5, 0.3, 0.2])
of_town = rng.normal(0, 0.8, 40)


def effect_of_amount(amount):
    return 1.5 * np.clip(np.log(amount / 150), -1, 1.5)


def effect_of_day(day):
    return 1.2 * np.sin(2 * np.pi * (day - 4) / 31)


unknown = rng.random(n_rows) < 0.25
risk = effect_of_amount(amount) + effect_of_day(day) + of_town[town] - 1
risk += np.where(unknown, 1.0, -0.02 * (age - 50))
risk += 1.5 * (contract == "none") * (amount > 300)
late = np.where(rng.random(n_rows) < 1 / (1 + np.exp(-risk)), "late", "in time")
X = pd.DataFrame(
    {
        "amount": amount,
        "day": day,
        "age": np.where(unknown, np.nan, age),
        "town": pd.Series(town).map("town {}".format),
        "contract": pd.Categorical(contract),
    }
)
print(X.head())

# %%
# Three ways
# ----------
#
# The network takes the table; by hand it takes a few lines more, which also lose what the network
# could learn of numbers. Gradient boosting wants categories as such.

train, test, y_train, y_test = train_test_split(X, late, random_state=0)
by_hand = make_column_transformer(
    (SimpleImputer(add_indicator=True), make_column_selector(dtype_include="number")),
    (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
)
as_categories = {"town": "category"}
models = {
    "SmallMLP": (SmallMLP(random_state=0), X),
    "SmallMLP, linear, by hand": (
        make_pipeline(by_hand, SmallMLP(numeric_encoding="linear", random_state=0)),
        X,
    ),
    "HistGradientBoosting": (
        HistGradientBoostingClassifier(early_stopping=True, random_state=0),
        X.astype(as_categories),
    ),
}
losses = {}
for name, (model, table) in models.items():
    model.fit(table.loc[train.index], y_train)
    p = model.predict_proba(table.loc[test.index])
    losses[name] = log_loss(y_test, p)
    print(f"{name}: log-loss {losses[name]:.3f}")
truth = 1 / (1 + np.exp(-risk[test.index]))
best = log_loss(y_test, np.column_stack([1 - truth, truth]))
print(f"the truth itself: {best:.3f}")

# %%
# What the network has learned of each feature
# --------------------------------------------
#
# The tables of the first layer are what each feature adds to each unit, at every point or level.
# Drawn as pictures they show where a feature bends and which levels go together. What a feature
# means for the result takes all layers: the mean score of all rows, with one feature set to one
# value after the other.

network = models["SmallMLP"][0]
tables = network.feature_tables()


def mean_scores(feature, values, rows=400):
    sample = train.iloc[:rows]
    scores = [network.decision_function(sample.assign(**{feature: v})).mean() for v in values]
    return np.array(scores) - np.mean(scores)


figure, axes = plt.subplots(2, 3, figsize=(13, 6), height_ratios=[3, 2])
for axis, feature in zip(axes[0], ("amount", "age", "contract"), strict=True):
    table = tables[feature]
    units = np.argsort(table.to_numpy()[0])
    largest = np.quantile(np.abs(table.to_numpy()), 0.98)
    picture = table.to_numpy()[:, units].T
    colours = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
    image = axis.imshow(picture, aspect="auto", interpolation="nearest", **colours)
    figure.colorbar(image, ax=axis, label="added to a unit", pad=0.02)
    labels = [
        "missing" if pd.isna(v) else f"{v:.0f}" if isinstance(v, float) else v for v in table.index
    ]
    shown = np.unique(np.linspace(0, len(labels) - 1, 5).round().astype(int))
    axis.set_xticks(shown, [labels[i] for i in shown], fontsize=8)
    axis.set_title(f"{feature}: table of the first layer")
    axis.set_yticks([])
axes[0, 0].set_ylabel("units")

curves = {
    "amount": (np.quantile(amount, np.linspace(0.01, 0.99, 25)), effect_of_amount),
    "day": (np.arange(1, 32), effect_of_day),
}
for axis, (feature, (values, effect)) in zip(axes[1], curves.items(), strict=False):
    true = effect(values)
    axis.plot(values, true - true.mean(), color=GREY, label="truth")
    axis.plot(values, mean_scores(feature, values), color=VERMILION, label="network")
    axis.set_title(f"{feature}: effect on the score")
axes[1, 0].set_xscale("log")
axes[1, 0].legend(frameon=False)

names = [*losses, "the truth"]
values = [*losses.values(), best]
axes[1, 2].scatter(values, names, color=[BLUE, *[GREY] * (len(names) - 1)])
axes[1, 2].invert_yaxis()
axes[1, 2].grid(axis="y", color="0.92")
axes[1, 2].set_axisbelow(True)
axes[1, 2].set_title("log-loss on other rows")

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if saved_to := parser.parse_args().output:
    plt.savefig(saved_to / "raw_table.png", dpi=110)
plt.show()
