"""Entropy and divergence of probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr, rel_entr

from softmax_regression.functional._floats import Array
from softmax_regression.functional._softmax import Axis, as_scores


def entropy(probabilities: ArrayLike, *, axis: Axis = -1) -> Array:
    r"""The entropy of probabilities, in nats.

    .. math:: H(p) = -\sum_k p_k \log p_k, \qquad 0 \log 0 = 0

    The entropy measures uncertainty. It is 0 if one class has probability 1, and has its maximum
    log(n_classes) if all classes are equally probable. Divide by log(2) for bits.

    Parameters
    ----------
    probabilities : array-like of shape (..., n_classes)
        Non-negative numbers that sum to 1 along `axis`: probabilities, not scores.
    axis : int, tuple of int or None, default=-1
        The axis that holds the classes, or several that hold them together; None for all.

    Returns
    -------
    ndarray of the floating dtype of `probabilities`
        One number for each row of probabilities.

    Raises
    ------
    TypeError
        If `probabilities` is complex or not numeric.
    ValueError
        If the probabilities have no axis `axis`, are negative or NaN, or do not sum to 1.

    See Also
    --------
    kl_divergence : The divergence of one distribution from another.
    cross_entropy : The mean negative log-probability of targets, computed from scores.

    References
    ----------
    C. E. Shannon, "A mathematical theory of communication", Bell System Technical Journal, 1948.

    Examples
    --------
    >>> entropy([[1.0, 0.0], [0.9, 0.1], [0.5, 0.5]]).round(3)
    array([0.   , 0.325, 0.693])

    Apply softmax to scores first. If one class is nearly certain, the function is more precise than
    the formula:

    >>> from softmax_regression.functional import log_softmax, softmax
    >>> z = np.array([50.0, 0.0])
    >>> float(-(softmax(z) * log_softmax(z)).sum()), float(entropy(softmax(z)))
    (9.83662422461598e-21, 9.643749239819589e-21)
    """
    p, axes, dtype = as_scores(probabilities, axis, "probabilities")
    _check_sums(p, axes, dtype, "probabilities")
    return np.asarray(entr(p).sum(axis=axes), dtype=dtype)


def kl_divergence(p: ArrayLike, q: ArrayLike, *, axis: Axis = -1) -> Array:
    r"""The Kullback-Leibler divergence of q from p, in nats.

    .. math:: D(p \,\|\, q) = \sum_k p_k \log \frac{p_k}{q_k}

    The cross-entropy of predictions q under the true distribution p is H(p) + D(p‖q), so that the
    divergence is its excess over the minimum H(p). It is 0 only if p and q are equal, and it is not
    symmetric.

    Parameters
    ----------
    p : array-like of shape (..., n_classes)
        The true probabilities.
    q : array-like, broadcastable with `p`
        The predicted probabilities.
    axis : int, tuple of int or None, default=-1
        The axes that hold the classes, as in :func:`entropy`.

    Returns
    -------
    ndarray of the floating dtype that `p` and `q` have in common
        A number for each row, at least 0; +inf if q is 0 for a class for which p is positive.

    Raises
    ------
    TypeError
        If `p` or `q` is complex or not numeric.
    ValueError
        If the probabilities have no axis `axis`, are negative or NaN, do not sum to 1, or cannot be
        broadcast.

    See Also
    --------
    cross_entropy : The divergence of softmax(scores) is ``cross_entropy(scores, p) - entropy(p)``,
        which is finite even if a probability of softmax(scores) rounds to 0.

    References
    ----------
    S. Kullback and R. A. Leibler, "On information and sufficiency", Annals of Mathematical
    Statistics, 1951.

    Examples
    --------
    >>> kl_divergence([[0.5, 0.5], [1.0, 0.0]], [0.9, 0.1]).round(3)
    array([0.511, 0.105])
    >>> float(kl_divergence([0.5, 0.5], [1.0, 0.0]))
    inf
    """
    p, p_axes, p_dtype = as_scores(p, axis, "p")
    q, q_axes, q_dtype = as_scores(q, axis, "q")
    _check_sums(p, p_axes, p_dtype, "p")
    _check_sums(q, q_axes, q_dtype, "q")
    try:
        terms = rel_entr(p, q)
    except ValueError:
        raise ValueError(
            f"p of shape {p.shape} and q of shape {q.shape} cannot be broadcast against each other."
        ) from None
    axes = as_scores(terms, axis)[1]
    # Rounding errors can make the sum negative if p and q are nearly equal.
    return np.maximum(terms.sum(axis=axes), 0).astype(np.result_type(p_dtype, q_dtype))


def _check_sums(p: Array, axes: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
    if not p.min(initial=0) >= 0:
        raise ValueError(f"{name} must not be negative or NaN, got {p.min()}.")
    error = np.abs(p.sum(axis=axes) - 1).max(initial=0)
    if not error <= (1e-6 if dtype == np.float64 else 1e-2 if dtype == np.float16 else 1e-4):
        raise ValueError(
            f"{name} must sum to 1, got a sum that is off by {error:.3g}; of scores take softmax "
            "first."
        )
