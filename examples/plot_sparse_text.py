"""
Words that give a text away
===========================

What is a function for? Its documentation says so, in a few hundred words of several thousand. The
texts here are those that come with NumPy, SciPy and scikit-learn, without their examples of code;
the question is from which part of the library one is.

The lasso (``l1_ratio=1``) leaves each class the few words that give it away; the coefficients of
all others are exactly 0. The larger C, the more words, and the more texts are told apart. The rows
stay sparse.
"""

import inspect
import re
import warnings
from argparse import ArgumentParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.optimize
import scipy.signal
import scipy.special
import scipy.stats
import sklearn.metrics
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

from softmax_regression import SoftmaxRegression

BLUE, VERMILION = "#0072B2", "#D55E00"
PARTS = {
    "images": [scipy.ndimage],
    "interpolation": [scipy.interpolate],
    "linear algebra": [scipy.linalg, np.linalg],
    "metrics": [sklearn.metrics],
    "optimisation": [scipy.optimize],
    "signals": [scipy.signal],
    "special functions": [scipy.special],
    "statistics": [scipy.stats],
}
plt.rcParams.update(
    {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
    }
)


def prose(text):
    """Return a docstring up to its references, without code and words that are tied together.

    These are types more often than prose, such as array-like.
    """
    text = re.split(r"\n(?:References|Examples|See Also)\n-+", text)[0]
    lines = [line for line in text.splitlines() if not re.match(r"\s*(>>>|\.\.|Read more)", line)]
    return re.sub(r"`[^`]*`|\w+[._-]\w+", " ", " ".join(lines))


def documentation(module):
    """Return the docstrings of a module's functions, each once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is deprecated
        members = [getattr(module, name, None) for name in dir(module) if name[0] != "_"]
    functions = [member for member in members if callable(member) and not inspect.isclass(member)]
    return sorted({inspect.getdoc(function) or "" for function in functions} - {""})


texts, labels = [], []
for part, modules in PARTS.items():
    found = [prose(text) for module in modules for text in documentation(module)]
    found = sorted(text for text in set(found) if len(text.split()) >= 20)
    texts += found
    labels += [part] * len(found)

# %%
# The models
# ----------
#
# Words that half of the texts have tell nothing, nor do those that only a few have.

train, test, y_train, y_test = train_test_split(
    texts, labels, test_size=0.3, stratify=labels, random_state=0
)
words = TfidfVectorizer(
    token_pattern=r"[a-z]{3,}", min_df=4, max_df=0.5, sublinear_tf=True, stop_words="english"
)
X_train, X_test = words.fit_transform(train), words.transform(test)
names = words.get_feature_names_out()

models = {
    "all words, L2 penalty": SoftmaxRegression(C=10),
    "lasso, C=0.5": SoftmaxRegression(C=0.5, l1_ratio=1.0),
    "lasso, C=1": SoftmaxRegression(C=1, l1_ratio=1.0),
    "lasso, C=2": SoftmaxRegression(C=2, l1_ratio=1.0),
}
print(f"{len(texts)} texts, {len(names)} words{'':7}words  accuracy")
for name, model in models.items():
    model.fit(X_train, y_train)
    n_words = np.count_nonzero(model.coef_.any(axis=0))
    print(f"{name:30}{n_words:5}  {model.score(X_test, y_test):.3f}")
lasso = models["lasso, C=2"]

# %%
# The picture
# -----------
#
# The largest coefficients of each part: words that speak for it in blue, against it in red.

figure, panels = plt.subplots(2, 4, figsize=(11, 6.2), sharex=True, layout="constrained")
for panel, part, coef in zip(panels.ravel(), lasso.classes_, lasso.coef_, strict=True):
    largest = np.argsort(-np.abs(coef), kind="stable")[:9]
    largest = largest[coef[largest] != 0][::-1]
    colors = np.where(coef[largest] > 0, BLUE, VERMILION)
    panel.barh(np.arange(len(largest)), coef[largest], color=colors, height=0.65)
    panel.set_yticks(np.arange(len(largest)), names[largest])
    panel.set_ylim(len(largest) - 9.5, len(largest) - 0.5)
    panel.tick_params(axis="y", length=0)
    panel.axvline(0, color="0.6", linewidth=0.8)
    panel.set_title(f"{part}: {np.count_nonzero(coef)} words")
for panel in panels[1]:
    panel.set_xlabel("coefficient")
n_words = np.count_nonzero(lasso.coef_.any(axis=0))
figure.suptitle(
    f"{n_words} of {len(names)} words tell where a text comes from, in blue for a part, in red "
    "against it",
    x=0.01,
    horizontalalignment="left",
)

parser = ArgumentParser(description="Draw the figure.")
parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to save")
if folder := parser.parse_args().output:
    plt.savefig(folder / "sparse_text.png", dpi=110)
plt.show()
