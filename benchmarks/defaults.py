"""The defaults of `SmallMLP` on tables as they come, beside those of `MLPClassifier`.

And beside other defaults that it might have had, so that the choice can be repeated.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.datasets import Catalogue
from benchmarks.report import Table
from softmax_regression import SmallMLP

_FOLDS = 5
_OURS = "SmallMLP()"
_SCALED = "StandardScaler, MLPClassifier()"

Create = Callable[[int], Any]  # makes a model for a seed


def _scaled(seed: int, **params: Any) -> Any:
    return make_pipeline(StandardScaler(), MLPClassifier(random_state=seed, **params))


def _small(seed: int, **params: Any) -> SmallMLP:
    return SmallMLP(random_state=seed, **params)


MODELS: dict[str, Create] = {
    _OURS: _small,
    _SCALED: _scaled,
    "the same, early_stopping": partial(_scaled, early_stopping=True),
    "MLPClassifier()": lambda seed: MLPClassifier(random_state=seed),
}
_ONE_CYCLE = {"learning_rate": "one-cycle", "learning_rate_init": 0.01, "max_iter": 40}
CANDIDATES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "early_stopping=True": {"early_stopping": True},
    "early_stopping=False": {"early_stopping": False},
    "one-cycle, all rows": {"early_stopping": False} | _ONE_CYCLE,
    "cosine, all rows": {"early_stopping": False} | _ONE_CYCLE | {"learning_rate": "cosine"},
    "average=0": {"average": 0.0},
    "average=3": {"average": 3.0},
    **{f"learning_rate_init={v}": {"learning_rate_init": v} for v in (0.001, 0.002, 0.005, 0.01)},
    **{f"alpha={v}": {"alpha": v} for v in (0.0, 0.01, 0.1, 0.3)},
    **{f"weight_decay={v}": {"weight_decay": v} for v in (0.1, 0.3)},
    **{f"batch_size={v}": {"batch_size": v} for v in (32, 64, 128)},
    **{f"n_iter_no_change={v}": {"n_iter_no_change": v} for v in (5, 20)},
    **{f"validation_fraction={v}": {"validation_fraction": v} for v in (0.05, 0.2)},
    **{f"dropout={v}": {"dropout": v} for v in (0.1, 0.25)},
    "label_smoothing=0.02": {"label_smoothing": 0.02},
    "tanh": {"activation": "tanh"},
    "silu": {"activation": "silu"},
    **{f"hidden_layer_sizes={v}": {"hidden_layer_sizes": v} for v in ((100,), (200,), (400,))},
    **{f"n_members={v}": {"n_members": v} for v in (2, 4)},
    **{f"lbfgs, alpha={v}": {"solver": "lbfgs", "alpha": v} for v in (1.0, 3.0, 10.0)},
}


def run(
    catalogue: Catalogue, names: Sequence[str], models: Mapping[str, Create] = MODELS
) -> Iterator[dict[str, Any]]:
    """Compare models, the first with the others, and tell of each data set and the means."""
    table = Table("data", *(f"{name}: log-loss, accuracy, seconds" for name in models))
    scores: dict[str, list[tuple[float, float, float]]] = {name: [] for name in models}
    for data in names:
        X, y = catalogue.load(data)
        for name, create in models.items():
            scores[name].append(score(create, X, y))
        table.row(data, *(_three(found[-1]) for found in scores.values()))
        yield {"data": data, "scores": {name: found[-1] for name, found in scores.items()}}
    if not names:
        return
    table.row("mean, or sum of seconds", *(_three(_mean(found)) for found in scores.values()))
    ours = next(iter(models))
    table.row(
        f"lower log-loss of {ours}",
        "",
        *(
            f"{sum(a[0] < b[0] for a, b in zip(scores[ours], scores[other], strict=True))}"
            f" of {len(names)}"
            for other in list(models)[1:]
        ),
    )


def choose(
    catalogue: Catalogue,
    names: Sequence[str],
    candidates: Mapping[str, Mapping[str, Any]] = CANDIDATES,
) -> Iterator[dict[str, Any]]:
    """Compare parameters of `SmallMLP` by their means over the data sets."""
    if not names:
        return
    table = Table("parameters", "log-loss", "accuracy", "seconds")
    data = [catalogue.load(name) for name in names]
    for name, params in candidates.items():
        found = [score(partial(_small, **params), X, y) for X, y in data]
        loss, accuracy, seconds = _mean(found)
        table.row(name, f"{loss:.4f}", f"{accuracy:.4f}", f"{seconds:.1f}")
        yield {"parameters": name, "scores": dict(zip(names, found, strict=True))}


def score(create: Create, X: Any, y: Any) -> tuple[float, float, float]:
    """Return the mean log-loss and accuracy of a cross-validation, and the seconds of its fits."""
    losses, accuracies, seconds = [], [], 0.0
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    for seed, (train, test) in enumerate(folds.split(X, y)):
        model = create(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            begin = time.perf_counter()
            model.fit(X[train], y[train])
            seconds += time.perf_counter() - begin
        p = np.clip(model.predict_proba(X[test]), 1e-15, 1)
        losses.append(log_loss(y[test], p, labels=model.classes_))
        accuracies.append(accuracy_score(y[test], model.predict(X[test])))
    return float(np.mean(losses)), float(np.mean(accuracies)), seconds


def _mean(found: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    losses, accuracies, seconds = zip(*found, strict=True)
    return float(np.mean(losses)), float(np.mean(accuracies)), sum(seconds)


def _three(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.3f}, {found[1]:.3f}, {found[2]:.2f}"
