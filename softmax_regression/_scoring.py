"""How good predictions are: row by row from scores where that will do, else by a scorer.

Log-loss and accuracy are means over rows. Computed from scores they need no probabilities that
round to 0 or 1, take no scorer's detours, and take class probabilities for labels.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.metrics import get_scorer

from softmax_regression._targets import Targets

Array = NDArray[Any]


def log_losses(scores: Array, targets: Targets) -> Array:
    """Return the cross-entropy of each row, from class-major scores."""
    if len(scores) == 1:
        scores = np.concatenate([np.zeros_like(scores), scores])
    log_p = log_softmax(scores, axis=0)
    # As `predict_log_proba` has it: no class is impossible.
    log_p = np.maximum(log_p, np.log(np.finfo(log_p.dtype).tiny))
    if targets.encoded.ndim == 1:
        return -log_p[targets.encoded, np.arange(log_p.shape[1])]
    return -np.einsum("kn,nk->n", log_p, targets.encoded)


def hits(scores: Array, targets: Targets) -> Array:
    """Return how right the most probable class of each row is: 1, 0, or its true probability."""
    best = scores.argmax(axis=0) if len(scores) > 1 else (scores[0] > 0).astype(np.intp)
    if targets.encoded.ndim == 1:
        return (best == targets.encoded).astype(np.float64)
    return targets.encoded[np.arange(len(best)), best]


# By the names of scikit-learn's scorers, each a function of class-major scores and targets.
ROW_SCORES: dict[str, Callable[[Array, Targets], Array]] = {
    "neg_log_loss": lambda scores, targets: -log_losses(scores, targets),
    "accuracy": hits,
}


def scorer_of(scoring: Any, classes: Array) -> Any:
    """Return a scorer that knows all classes, as a few rows need not have a row of each."""
    scorer = get_scorer(scoring)
    function = getattr(scorer, "_score_func", None)
    known = inspect.signature(function).parameters if function is not None else {}
    if "labels" not in known:
        return scorer
    named: dict[str, Any] = {"labels": classes}
    if len(classes) == 2 and "pos_label" in known:
        named["pos_label"] = classes[1]
    knowing = copy(scorer)  # with what it has requested of metadata routing
    knowing._kwargs = named | scorer._kwargs
    return knowing
