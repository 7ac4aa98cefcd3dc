"""
Strings, numbers and gaps: a DataFrame
======================================

How do people go to work? A made-up survey asks for the distance, the age, the weather of the day,
the season, where they live and whether there is a car. Some answers are missing. This is what data
often looks like: a pandas DataFrame with strings and numbers and holes in both.

scikit-learn brings it into shape. ``OneHotEncoder`` gives every category a column of 0 and 1 (and a
missing answer is one more category), ``SimpleImputer`` and ``StandardScaler`` fill in the numbers
and put them on one scale, and ``ColumnTransformer`` sends each column to the right place. The
estimators of this package go behind, and ``GridSearchCV`` tunes the whole.

As the survey is made up, the truth is known: the scores from which each choice was drawn. What the
model learns can be laid beside it.
"""

from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from softmax_regression import SmallMLP, SoftmaxRegression
from softmax_regression.functional import softmax

BLUE, VERMILION, GREEN, ORANGE, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7"
GREY = "#666666"
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
# The survey
# ----------
#
# The truth is a table: what each answer adds to the score of each way to travel. Numbers count in
# standard deviations. The choice is drawn from softmax of the scores. Only differences between
# classes and between the categories of a feature matter, so that both can be given the mean 0.

truth = pd.DataFrame(
    {
        "distance": [-3.0, -1.0, 0.5, 1.0],
        "age": [0.0, -0.7, 0.2, 0.5],
        "weather_dry": [0.5, 0.9, 0.0, 0.0],
        "weather_rain": [-0.3, -0.5, 0.5, 0.5],
        "weather_snow": [0.0, -1.5, 0.5, -0.3],
        "season_spring": [0.0, 0.3, 0.0, 0.0],
        "season_summer": [0.0, 0.8, 0.0, 0.0],
        "season_autumn": [0.0, 0.0, 0.0, 0.0],
        "season_winter": [0.0, -0.8, 0.0, 0.0],
        "home_city": [0.5, 0.4, 0.8, -0.8],
        "home_suburb": [0.0, 0.2, 0.3, 0.2],
        "home_village": [-0.5, -0.5, -1.0, 0.8],
        "car_none": [0.5, 0.5, 0.8, -3.0],
        "car_shared": [0.2, 0.2, 0.0, 0.2],
        "car_own": [-0.3, -0.3, -0.8, 1.5],
    },
    index=["walk", "bike", "bus", "car"],
).T
categories = ["weather", "season", "home", "car"]
numbers = ["distance", "age"]

feature = truth.index.str.replace("_.*", "", regex=True)
one_hot = feature.isin(categories)
truth = truth.sub(truth.mean(axis=1), axis=0)
truth[one_hot] -= truth[one_hot].groupby(feature[one_hot]).transform("mean")

rng = np.random.default_rng(0)


def survey(n):
    """Answers with gaps, the choices, and the probabilities that they were drawn from."""
    answers = pd.DataFrame(
        {
            "distance": rng.gamma(2.0, 4.0, size=n).round(1),  # km
            "age": rng.integers(18, 66, size=n).astype(float),
            "weather": rng.choice(["dry", "rain", "snow"], size=n, p=[0.55, 0.3, 0.15]),
            "season": rng.choice(["spring", "summer", "autumn", "winter"], size=n),
            "home": rng.choice(["city", "suburb", "village"], size=n, p=[0.4, 0.4, 0.2]),
            "car": rng.choice(["none", "shared", "own"], size=n, p=[0.3, 0.2, 0.5]),
        }
    )
    columns = pd.get_dummies(answers[categories], dtype=float)
    columns["distance"] = (answers["distance"] - 8) / np.sqrt(32)
    columns["age"] = (answers["age"] - 41.5) / np.sqrt((48**2 - 1) / 12)
    p = softmax(columns[truth.index].to_numpy() @ truth.to_numpy())
    choices = truth.columns.to_numpy()[(p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)]
    for name, share in (("distance", 0.1), ("age", 0.05), ("weather", 0.1)):
        answers.loc[rng.random(n) < share, name] = np.nan
    return answers, choices, p


X, y, _ = survey(500)
X_test, y_test, p_test = survey(10_000)
print(X.assign(choice=y).head(6).to_string(index=False), end="\n\n")

# %%
# Tuning
# ------
#
# The grid has two parts, with different estimators in the last place: the linear model with the
# strength of its penalty, and a small network with its own. The score is log-loss in five-fold
# cross-validation, where each fold learns its categories, medians and scales anew.

prepare = ColumnTransformer(
    [
        ("categories", OneHotEncoder(handle_unknown="ignore"), categories),
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
    ],
    verbose_feature_names_out=False,
)
network = SmallMLP((16,), learning_rate_init=0.005, max_iter=100, random_state=0)
search = GridSearchCV(
    Pipeline([("prepare", prepare), ("model", SoftmaxRegression())]),
    [
        {"model": [SoftmaxRegression()], "model__C": np.logspace(-2.5, 2.5, 11)},
        {"model": [network], "model__alpha": [0.1, 0.3, 1, 3, 10]},
    ],
    scoring="neg_log_loss",
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
    n_jobs=-1,
)
search.fit(X, y)

results = pd.DataFrame(search.cv_results_)
linear = results[results["param_model__C"].notna()]
networks = results[results["param_model__alpha"].notna()]
for name, rows, parameter in (("linear model", linear, "C"), ("network", networks, "alpha")):
    best = rows.loc[rows["mean_test_score"].idxmax()]
    value, loss = best[f"param_model__{parameter}"], -best["mean_test_score"]
    print(f"{name:13} log-loss {loss:.3f} in cross-validation, with {parameter} = {value:.2g}")

model = search.best_estimator_
chosen = search.best_params_["model__C"]
loss = log_loss(y_test, model.predict_proba(X_test))
loss_of_truth = log_loss(y_test, p_test[:, truth.columns.get_indexer(model.classes_)])
print(f"On {len(X_test)} fresh answers: {loss:.3f}; the truth without gaps has {loss_of_truth:.3f}")

# %%
# How much penalty?
# -----------------
#
# Too much (small C) keeps the model from learning; too little lets it learn the noise, too. The
# folds differ by more than that, but in the same way for every C. The network could also learn how
# answers act together; in this truth they do not, and it does no better.

C = linear["param_model__C"].astype(float)
folds = -linear.filter(regex=r"split\d_test_score").to_numpy()
mean, spread = folds.mean(axis=1), folds.std(axis=1)

fig, panel = plt.subplots(figsize=(8, 4.2))
panel.fill_between(C, mean - spread, mean + spread, color=BLUE, alpha=0.12, linewidth=0)
panel.plot(C, folds, color=BLUE, linewidth=0.7, alpha=0.5)
panel.semilogx(C, mean, color=BLUE, linewidth=2.5)
panel.plot(chosen, mean.min(), "o", color=BLUE, markersize=9)
panel.annotate(
    f"chosen, C = {chosen:g}",
    (chosen, mean.min()),
    (0, -17),
    textcoords="offset points",
    color=BLUE,
)
panel.text(C.iloc[-1], mean[-1] - 0.027, "mean", color=BLUE, ha="right", fontweight="bold")
panel.text(C.iloc[-1], folds[-1].max() + 0.01, "one of five folds", color=BLUE, ha="right")
loss_of_network = -networks["mean_test_score"].max()
panel.axhline(loss_of_network, color=VERMILION, linestyle="--")
panel.text(1.1 * C.iloc[0], loss_of_network + 0.01, "best network (mean)", color=VERMILION)
panel.axhline(loss_of_truth, color=GREY, linestyle=":")
panel.text(1.1 * C.iloc[0], loss_of_truth + 0.01, "the truth, with no gaps", color=GREY)
title = "Log-loss in cross-validation; band: one standard deviation of the folds"
panel.set(title=title, xlim=(C.iloc[0], C.iloc[-1]), ylim=(0.72, 1.25))
panel.set_xlabel("C  (more penalty to the left, less to the right)")
panel.xaxis.set_major_formatter("{x:g}")

# %%
# What was learned
# ----------------
#
# ``get_feature_names_out`` knows what the columns are called. The penalty settles on coefficients
# with the mean 0 in both directions, like those of the truth, and on smaller ones than that: a
# model with 500 answers has to be careful. A missing weather says a little of everything.

names = model["prepare"].get_feature_names_out()
learned = pd.DataFrame(model["model"].coef_.T, index=names, columns=model.classes_)

clear = truth.abs() > 0.3
right = clear & (learned.reindex_like(truth) * truth > 0)
print(f"{clear.sum().sum()} effects are larger than 0.3; the sign of {right.sum().sum()} is right")

order = [*truth.index[:5], "weather_nan", *truth.index[5:]]
labels = [name.replace("_nan", "_missing").replace("_", ": ") for name in order]
features = pd.Series(order).str.replace("_.*", "", regex=True)
heights = -(np.arange(len(order)) + 0.6 * pd.factorize(features)[0])

fig, panels = plt.subplots(1, 4, figsize=(10.5, 5.4), sharex=True, sharey=True)
for panel, choice, color in zip(panels, truth.columns, [GREEN, PURPLE, ORANGE, BLUE], strict=True):
    panel.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    panel.hlines(heights, 0, learned.loc[order, choice], color=color, linewidth=2)
    panel.plot(learned.loc[order, choice], heights, "o", color=color)
    panel.plot(truth[choice].reindex(order), heights, "|", color="black", markersize=10)
    panel.set_title(choice, color=color, fontweight="bold")
    panel.set_xlabel("coefficient")
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
panels[0].set_yticks(heights, labels)
height = heights[order.index("car_none")] + 0.45
panels[3].text(truth.loc["car_none", "car"], height, "truth", ha="center")
panels[3].text(learned.loc["car_none", "car"], height, "learned", color=BLUE)

parser = ArgumentParser(description="Draw the figures.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    for number in plt.get_fignums():
        plt.figure(number).savefig(folder / f"categorical_dataframe_{number}.png", dpi=110)
plt.show()
