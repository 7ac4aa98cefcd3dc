"""Validation scores: log-loss and accuracy from the model's scores, all others by a scorer.

Log-loss and accuracy are means over rows. Computed from the model's scores, they do not suffer from
probabilities that round to 0 or 1, they are quicker, and y may hold class probabilities.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from typing import Any

from sklearn.metrics import get_scorer

from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.row_scores import hits, log_losses
from softmax_regression._losses.targets import Targets

# By the names of scikit-learn's scorers, functions of class-major scores and targets that return a
# score for each row.
ROW_SCORES: dict[str, Callable[[Array, Targets], Array]] = {
    "neg_log_loss": lambda scores, targets: -log_losses(scores, targets),
    "accuracy": hits,
}


def scorer_of(scoring: Any, classes: Array) -> Any:
    """Return a scorer that knows all classes, since the rows that it scores may lack some."""
    scorer = get_scorer(scoring)
    function = getattr(scorer, "_score_func", None)
    known = inspect.signature(function).parameters if function is not None else {}
    if "labels" not in known:
        return scorer
    named: dict[str, Any] = {"labels": classes}
    if len(classes) == 2 and "pos_label" in known:
        named["pos_label"] = classes[1]
    knowing = copy(scorer)  # The copy keeps the scorer's requests for metadata routing.
    knowing._kwargs = named | scorer._kwargs
    return knowing
