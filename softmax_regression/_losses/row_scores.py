"""Cross-entropy and accuracy of each row."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets


def log_losses(scores: Array, targets: Targets) -> Array:
    """Return the cross-entropy of each row, from class-major scores."""
    if len(scores) == 1:
        scores = np.concatenate([np.zeros_like(scores), scores])
    log_p = log_softmax(scores, axis=0)
    # No probability is 0, as in `predict_log_proba`.
    log_p = np.maximum(log_p, np.log(np.finfo(log_p.dtype).tiny))
    if targets.encoded.ndim == 1:
        return -log_p[targets.encoded, np.arange(log_p.shape[1])]
    return -np.einsum("kn,nk->n", log_p, targets.encoded)


def hits(scores: Array, targets: Targets) -> Array:
    """Return the accuracy of the most probable class of each row, as `true_probabilities`."""
    best = scores.argmax(axis=0) if len(scores) > 1 else (scores[0] > 0).astype(np.intp)
    return true_probabilities(best, targets.encoded)


def true_probabilities(predicted: Array, encoded: Array) -> Array:
    """Return the target's probability of the class that is predicted for each row.

    For a label it is 0 or 1. The weighted mean is the accuracy, also for class probabilities.
    """
    if encoded.ndim == 1:
        return (predicted == encoded).astype(np.float64)
    return encoded[np.arange(len(predicted)), predicted]
