"""Losses of scores and targets, and their gradients with respect to the scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softmax_regression.functional._floats import Array, as_floating
from softmax_regression.functional._softmax import as_scores, log_total, shift, softmax, softmax_vjp


def one_hot(labels: ArrayLike, n_classes: int | None = None, *, dtype: Any = np.float64) -> Array:
    """Return rows that hold 1 in the column of the label and 0 elsewhere.

    Parameters
    ----------
    labels : array-like of int
        Labels from 0 to n_classes − 1, of any shape.
    n_classes : int, default=None
        Number of columns; by default the largest label plus one.
    dtype : dtype, default=float64
        The dtype of the result.

    Returns
    -------
    ndarray of shape ``(*labels.shape, n_classes)``
        The encoded labels.

    Raises
    ------
    TypeError
        If the labels are not integers.
    ValueError
        If a label is negative or not below `n_classes`.

    Examples
    --------
    >>> one_hot([0, 2, 1])
    array([[1., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]])
    """
    labels = _check_labels(np.asarray(labels), n_classes)
    if n_classes is None:
        n_classes = int(labels.max(initial=-1)) + 1
    encoded = np.zeros((*labels.shape, n_classes), dtype=dtype)
    np.put_along_axis(encoded, labels[..., None], 1, axis=-1)
    return encoded


def cross_entropy(
    scores: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> float:
    r"""Cross-entropy of softmax(scores) against targets: the mean negative log-likelihood.

    .. math:: L = \frac{\sum_i s_i \, \ell_i}{\sum_i s_i}, \qquad
              \ell_i = -\sum_k y_{ik} \log \mathrm{softmax}(z_i)_k

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores (logits). For probabilities p pass ``log(p)``, because softmax is applied to the
        scores.
    targets : array-like of int of shape (...,) or of float of shape (..., n_classes)
        Labels from 0 to n_classes − 1, or rows of class probabilities.
    sample_weight : array-like of shape (...,), default=None
        Non-negative weights s, one per row, not all zero; by default all 1.
    label_smoothing : float, default=0.0
        The share a, between 0 and 1, of each target that is distributed equally over the classes:
        ``y ← (1 − a) y + a / n_classes`` (Szegedy et al., 2016).

    Returns
    -------
    float
        The weighted mean in nats, summed in float64.

    Raises
    ------
    TypeError
        If `scores` or `targets` is not numeric.
    ValueError
        If shapes disagree, a label is out of range, a row of probabilities is negative or does not
        sum to 1, or the weights or `label_smoothing` are out of range.

    See Also
    --------
    cross_entropy_gradient : Its gradient with respect to the scores, p − y.
    squared_error : Another loss, and its disadvantages.
    entropy, kl_divergence : The minimum of the cross-entropy, and its excess over the minimum.

    References
    ----------
    C. M. Bishop, *Pattern Recognition and Machine Learning*, section 4.3.4.

    Examples
    --------
    >>> scores = [[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    >>> round(cross_entropy(scores, [0, 2]), 4)
    0.3955
    >>> round(cross_entropy(scores, [[0.9, 0.1, 0.0], [0.0, 0.5, 0.5]]), 4)
    0.7455

    The loss of a confident mistake is the difference of the scores, and not infinite by rounding:

    >>> cross_entropy([[0.0, 1000.0]], [0])
    1000.0
    """
    scores, axes, _ = as_scores(scores, -1)
    targets, weight = _check_targets(scores, targets, sample_weight, label_smoothing)
    shifted = shift(scores.astype(np.float64), axes)
    losses = _cross_entropy_rows(shifted, targets, log_total(shifted, axes), label_smoothing)
    return _weighted_mean(losses, weight)


def cross_entropy_gradient(
    scores: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Array:
    r"""Gradient of :func:`cross_entropy` with respect to the scores: prediction minus target.

    .. math:: \frac{\partial L}{\partial z_{ik}} = \frac{s_i}{\sum_j s_j} (p_{ik} - y_{ik})

    Because :math:`\ell = \log \sum_j e^{z_j} - \sum_k y_k z_k`, the first term differentiates to
    softmax and the second to the target. It does not vanish on a confident mistake.

    Parameters
    ----------
    scores, targets, sample_weight, label_smoothing
        As in :func:`cross_entropy`.

    Returns
    -------
    ndarray of the shape and floating dtype of `scores`
        The gradient.

    Examples
    --------
    >>> cross_entropy_gradient([[0.0, 0.0]], [1]).tolist()
    [[0.5, -0.5]]
    """
    scores, _, dtype = as_scores(scores, -1)
    targets, weight = _check_targets(scores, targets, sample_weight, label_smoothing)
    residual = softmax(scores)
    residual -= _smoothed(targets, scores.shape[-1], label_smoothing)
    return _weigh(residual, weight).astype(dtype, copy=False)


def squared_error(
    scores: ArrayLike, targets: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    r"""Half the squared distance between softmax(scores) and targets (half the Brier score).

    .. math:: L = \frac{\sum_i s_i \, \tfrac12 \| p_i - y_i \|^2}{\sum_i s_i}

    This loss serves for comparison. The loss of a row is at most 1, and it is not convex in the
    scores. Its gradient vanishes for confident mistakes, which a model should learn from most.

    Parameters
    ----------
    scores, targets, sample_weight
        As in :func:`cross_entropy`.

    Returns
    -------
    float
        The weighted mean, summed in float64.

    See Also
    --------
    squared_error_gradient : Its gradient with respect to the scores.

    Examples
    --------
    The worse of two mistakes has hardly more loss, and a much smaller gradient:

    >>> [round(squared_error([[0.0, z]], [0]), 4) for z in (3.0, 30.0)]
    [0.9074, 1.0]
    >>> [round(float(squared_error_gradient([[0.0, z]], [0])[0, 1]), 4) for z in (3.0, 30.0)]
    [0.0861, 0.0]
    """
    scores, _, _ = as_scores(scores, -1)
    targets, weight = _check_targets(scores, targets, sample_weight, 0.0)
    difference = softmax(scores) - _smoothed(targets, scores.shape[-1], 0.0)
    return _weighted_mean(0.5 * np.square(difference).sum(axis=-1), weight)


def squared_error_gradient(
    scores: ArrayLike, targets: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Array:
    r"""Gradient of :func:`squared_error` with respect to the scores.

    .. math:: \frac{\partial L}{\partial z_i} = \frac{s_i}{\sum_j s_j} J(z_i) \, (p_i - y_i)

    J is the Jacobian of softmax, which approaches 0 as the probabilities approach 0 and 1. The
    gradient of the cross-entropy does not have this factor.

    Parameters
    ----------
    scores, targets, sample_weight
        As in :func:`cross_entropy`.

    Returns
    -------
    ndarray of the shape and floating dtype of `scores`
        The gradient.

    Examples
    --------
    >>> squared_error_gradient([[0.0, 0.0]], [1]).tolist()
    [[0.25, -0.25]]
    """
    scores, _, dtype = as_scores(scores, -1)
    targets, weight = _check_targets(scores, targets, sample_weight, 0.0)
    difference = softmax(scores) - _smoothed(targets, scores.shape[-1], 0.0)
    gradient = softmax_vjp(scores, difference)
    return _weigh(gradient, weight).astype(dtype, copy=False)


def _check_labels(labels: Array, n_classes: int | None) -> Array:
    if labels.dtype.kind not in "iub" and labels.size:
        raise TypeError(f"labels must be integers, got dtype {labels.dtype}.")
    labels = labels.astype(np.intp)
    limit = np.inf if n_classes is None else n_classes
    if labels.size and not 0 <= labels.min() <= labels.max() < limit:
        raise ValueError(
            f"labels must lie between 0 and n_classes - 1 = {limit - 1}, "
            f"got {labels.min()} to {labels.max()}."
        )
    return labels


def _check_targets(
    scores: Array, targets: ArrayLike, sample_weight: ArrayLike | None, label_smoothing: float
) -> tuple[Array, Array | None]:
    """Validate targets and weights; return labels or probabilities, and weights or None."""
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must lie between 0 and 1, got {label_smoothing!r}.")
    targets = np.asarray(targets)
    if targets.shape == scores.shape[:-1]:
        targets = _check_labels(targets, scores.shape[-1])
    elif targets.shape == scores.shape:
        targets = _check_probabilities(targets).astype(scores.dtype)
    else:
        raise ValueError(
            f"targets must be labels of shape {scores.shape[:-1]} or probabilities of shape "
            f"{scores.shape}, as the scores are of shape {scores.shape}; got {targets.shape}."
        )
    return targets, _check_weight(sample_weight, scores.shape[:-1])


def _check_probabilities(targets: Array) -> Array:
    targets, dtype = as_floating(targets, "targets")
    if targets.size and not targets.min() >= 0:
        raise ValueError(f"target probabilities must not be negative or NaN, got {targets.min()}.")
    totals = targets.sum(axis=-1)
    worst = np.abs(totals - 1).max(initial=0)
    if not worst <= (1e-6 if dtype == np.float64 else 1e-2 if dtype == np.float16 else 1e-4):
        raise ValueError(
            "target probabilities must sum to 1 in every row, "
            f"got a row that is off by {worst:.3g}; divide each row by its sum."
        )
    return targets


def _check_weight(sample_weight: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    if sample_weight is None:
        return None
    weight, _ = as_floating(sample_weight, "sample_weight")
    weight = weight.astype(np.float64, copy=False)
    if weight.shape != shape:
        raise ValueError(f"sample_weight must be of shape {shape}, got {weight.shape}.")
    if not (np.isfinite(weight).all() and weight.min(initial=0) >= 0 and weight.any()):
        raise ValueError("sample_weight must be finite, non-negative and not all zero.")
    return weight


def _smoothed(targets: Array, n_classes: int, label_smoothing: float) -> Array:
    """Return targets as rows of probabilities after label smoothing."""
    probabilities = one_hot(targets, n_classes) if targets.dtype.kind == "i" else targets
    if label_smoothing:
        probabilities = (1 - label_smoothing) * probabilities + label_smoothing / n_classes
    return probabilities


def _cross_entropy_rows(
    shifted: Array, targets: Array, log_total: Array, label_smoothing: float
) -> Array:
    """Return the cross-entropy of each row from shifted scores and their log-sum-exp."""
    if targets.dtype.kind == "i" and not label_smoothing:
        return (log_total - np.take_along_axis(shifted, targets[..., None], axis=-1))[..., 0]
    probabilities = _smoothed(targets, shifted.shape[-1], label_smoothing)
    losses = np.zeros(shifted.shape, dtype=np.float64)
    # A class with probability 0 adds no loss if its target is 0 too, because 0 log 0 = 0.
    np.multiply(probabilities, log_total - shifted, out=losses, where=probabilities != 0)
    return losses.sum(axis=-1)


def _weighted_mean(losses: Array, weight: Array | None) -> float:
    if weight is None:
        return float((losses / max(1, losses.size)).sum(dtype=np.float64))
    counted = weight > 0  # A row of weight 0 is left out even if its loss is infinite.
    losses, weight = losses[counted], weight[counted]
    if np.isinf(losses).any():  # The product with a tiny weight might be NaN.
        return np.inf
    return float((losses * _relative(weight)).sum(dtype=np.float64))


def _relative(weight: Array) -> Array:
    """Return weights divided by their sum, which is computed without overflow or underflow."""
    shares = weight / weight.max()
    return shares / shares.sum()


def _weigh(gradient: Array, weight: Array | None) -> Array:
    """Multiply the gradient of each row by its share of the sum of weights."""
    if weight is None:
        return gradient / max(1, int(np.prod(gradient.shape[:-1])))
    shares = _relative(weight)[..., None]
    return np.multiply(gradient, shares, out=np.zeros_like(gradient), where=shares > 0)
