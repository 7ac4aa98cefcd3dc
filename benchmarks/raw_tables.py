"""`SmallMLP()` on tables of some thousand rows as they are, beside gradient boosting.

Categories, text and holes go straight into `fit`. Others get what is usually made by hand: text
one-hot encoded, medians and a flag for what is missing.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.datasets import Catalogue
from benchmarks.report import Table, progress
from softmax_regression import SmallMLP

_FOLDS = 3
_BINS = 15  # of confidence, in the calibration error
_MOST_LEVELS = 60  # columns of an encoded feature
OURS, BY_HAND, BOOSTING = "SmallMLP()", "SmallMLP(), encoded by hand", "HistGradientBoosting"

Create = Callable[[int], Any]  # makes a model for a seed


class Score(NamedTuple):
    """Means over folds; seconds of processor time of one fit, in one thread."""

    loss: float
    accuracy: float
    auc: float
    calibration: float
    seconds: float

    def __str__(self) -> str:
        parts = (self.loss, self.accuracy, self.auc, self.calibration)
        return ", ".join(f"{part:.3f}" for part in parts) + f", {self.seconds:.2f}"


def by_hand(model: Any, *scaler: Any) -> Any:
    """Put what makes numbers of a table before a model."""
    encoder = OneHotEncoder(
        max_categories=_MOST_LEVELS, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    numbers = make_column_selector(dtype_include="number")
    text = make_column_selector(dtype_exclude="number")
    imputer = SimpleImputer(strategy="median", add_indicator=True)
    columns = ColumnTransformer([("numbers", imputer, numbers), ("text", encoder, text)])
    return make_pipeline(columns, *scaler, model)


MODELS: dict[str, Create] = {
    OURS: lambda seed: SmallMLP(random_state=seed),
    BY_HAND: lambda seed: by_hand(SmallMLP(random_state=seed)),
    BOOSTING: lambda seed: by_hand(
        HistGradientBoostingClassifier(early_stopping=True, random_state=seed)
    ),
    "MLPClassifier, scaled": lambda seed: by_hand(
        MLPClassifier(early_stopping=True, random_state=seed), StandardScaler()
    ),
}


CANDIDATES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "numeric_encoding='linear'": {"numeric_encoding": "linear"},
    **{f"numeric_encoding={v}": {"numeric_encoding": v} for v in (8, 32)},
    **{
        f"hidden_layer_sizes={v}": {"hidden_layer_sizes": v} for v in ((128,), (64, 64), (256, 256))
    },
    **{f"alpha={v}": {"alpha": v} for v in (0.03, 0.3)},
    **{f"learning_rate_init={v}": {"learning_rate_init": v} for v in (0.005, 0.02)},
    **{f"batch_size={v}": {"batch_size": v} for v in (64, 256)},
    "learning_rate='constant'": {"learning_rate": "constant"},
    "beta_2=0.99": {"beta_2": 0.99},
    "dropout=0.1": {"dropout": 0.1},
    "average=0": {"average": 0.0},
    "activation='silu'": {"activation": "silu"},
    "n_members=2": {"n_members": 2},
    "(64, 64) units, n_members=4": {"hidden_layer_sizes": (64, 64), "n_members": 4},
}


def all_models() -> dict[str, Create]:
    """Return the models, pytabkit's networks among them if it is installed."""
    try:
        from pytabkit import RealMLP_TD_S_Classifier, TabM_D_Classifier
    except ImportError:
        progress("RealMLP-TD-S and TabM are skipped: pytabkit is not installed")
        return MODELS
    peers = {"RealMLP-TD-S": RealMLP_TD_S_Classifier, "TabM": TabM_D_Classifier}
    return MODELS | {
        name: lambda seed, peer=peer: peer(random_state=seed) for name, peer in peers.items()
    }


def run(
    catalogue: Catalogue, names: Sequence[str], models: Mapping[str, Create] | None = None
) -> Iterator[dict[str, Any]]:
    """Compare models table by table, and tell of the ratios to gradient boosting."""
    models = all_models() if models is None else models
    table = Table("data", *(f"{name}: log-loss, accuracy, AUC, ECE, s" for name in models))
    found: dict[str, list[Score]] = {name: [] for name in models}
    for data in names:
        X, y = catalogue.frame(data)
        for name, create in models.items():
            found[name].append(score(create, X, y))
        table.row(data, *(str(scores[-1]) for scores in found.values()))
        yield {"data": data, "scores": {name: scores[-1] for name, scores in found.items()}}
    if not names or BOOSTING not in models:
        return
    theirs = found[BOOSTING]
    for title, part in (("log-loss / boosting's, mean and largest", 0), ("seconds, likewise", 4)):
        table.row(title, *(_ratios(scores, theirs, part) for scores in found.values()))
    means = (np.mean([s.calibration for s in scores]) for scores in found.values())
    table.row("ECE, mean", *(f"{mean:.3f}" for mean in means))


def choose(
    catalogue: Catalogue,
    names: Sequence[str],
    candidates: Mapping[str, Mapping[str, Any]] = CANDIDATES,
) -> Iterator[dict[str, Any]]:
    """Compare parameters of `SmallMLP` table by table."""
    table = Table("parameters: log-loss", *names, "mean of ratios to the first", "seconds")
    data = [catalogue.frame(name) for name in names]
    first: list[Score] = []
    for name, params in candidates.items():
        found = [
            score(lambda seed, p=params: SmallMLP(random_state=seed, **p), X, y) for X, y in data
        ]
        first = first or found
        ratio = np.mean([a.loss / b.loss for a, b in zip(found, first, strict=True)])
        losses = (f"{s.loss:.4f}" for s in found)
        table.row(name, *losses, f"{ratio:.3f}", f"{sum(s.seconds for s in found):.1f}")
        yield {"parameters": name, "scores": dict(zip(names, found, strict=True))}


def score(create: Create, X: pd.DataFrame, y: Any) -> Score:
    """Return the mean scores of a cross-validation."""
    scores = []
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    for seed, (train, test) in enumerate(folds.split(X, y)):
        model = create(seed)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            begin = time.process_time()
            model.fit(X.iloc[train], y[train])
            seconds = time.process_time() - begin
        p = np.clip(model.predict_proba(X.iloc[test]), 1e-15, 1)
        p /= p.sum(axis=1, keepdims=True)
        classes, labels = model.classes_, y[test]
        ranked = p[:, 1] if len(classes) == 2 else p
        scores.append(
            Score(
                log_loss(labels, p, labels=classes),
                accuracy_score(labels, classes[p.argmax(axis=1)]),
                roc_auc_score(labels, ranked, multi_class="ovr", labels=classes),
                calibration_error(p, classes, labels),
                seconds,
            )
        )
    return Score(*(float(mean) for mean in np.mean(scores, axis=0)))


def calibration_error(p: Any, classes: Any, labels: Any) -> float:
    """Return the mean distance of confidence and accuracy, over bins of confidence."""
    confidence, right = p.max(axis=1), classes[p.argmax(axis=1)] == labels
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    apart = np.bincount(bins, confidence - right, minlength=_BINS)
    return float(np.abs(apart).sum() / len(p))


def _ratios(ours: Sequence[Score], theirs: Sequence[Score], part: int) -> str:
    ratios = [a[part] / b[part] for a, b in zip(ours, theirs, strict=True)]
    return f"{np.mean(ratios):.2f}, {max(ratios):.2f}"
