"""How good scores are, row by row: cross-entropy and accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from softmax_regression._losses.targets import Targets

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
