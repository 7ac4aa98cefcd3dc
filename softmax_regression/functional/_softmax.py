"""Softmax, its logarithm, and its derivative: the Jacobian and products with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softmax_regression.functional._floats import Array, as_floating


def softmax(scores: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> Array:
    r"""Probabilities from scores: exponentiate, then divide by the sum.

    .. math:: p_k = \frac{\exp(z_k / T)}{\sum_j \exp(z_j / T)}

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores, also called logits: any real numbers, −inf and +inf included.
    axis : int, default=-1
        The axis that holds the classes.
    temperature : float, default=1.0
        T > 0. Above 1 the probabilities move towards uniform, below 1 towards the largest score.

    Returns
    -------
    ndarray of the shape and floating dtype of `scores`
        Probabilities: non-negative, summing to 1 along `axis`.

    Raises
    ------
    TypeError
        If `scores` is complex or not numeric.
    ValueError
        If `scores` has no axis `axis`, that axis is empty, or `temperature` is not positive.

    See Also
    --------
    log_softmax : The logarithm of it, exact where softmax rounds to 0 or 1.
    softmax_jacobian : Its derivative.

    References
    ----------
    J. S. Bridle, "Probabilistic interpretation of feedforward classification network outputs",
    Neurocomputing, 1990. Goodfellow, Bengio and Courville, *Deep Learning*, section 6.2.2.3.

    Examples
    --------
    >>> softmax([1.0, 2.0, 3.0]).round(3)
    array([0.09 , 0.245, 0.665])

    Only differences of scores matter, so adding a constant changes nothing:

    >>> bool((softmax([1001.0, 1002.0, 1003.0]) == softmax([1.0, 2.0, 3.0])).all())
    True

    A high temperature evens out, a low one decides:

    >>> softmax([1.0, 2.0, 3.0], temperature=10.0).round(3)
    array([0.301, 0.332, 0.367])
    >>> softmax([1.0, 2.0, 3.0], temperature=0.1).round(3)
    array([0., 0., 1.])
    """
    scores, dtype = as_scores(scores, axis)
    probabilities, total = _exponentials(shift(scores, axis, temperature), axis)
    probabilities /= total
    return probabilities.astype(dtype, copy=False)


def log_softmax(scores: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> Array:
    r"""Log-probabilities from scores, without taking the logarithm of a probability.

    .. math:: \log p_k = \frac{z_k}{T} - \log \sum_j \exp(z_j / T)

    Taking ``log(softmax(z))`` loses everything once a probability rounds to 0 or 1. Here the sum
    leaves the largest term out and adds it back inside ``log1p``, so that even the log-probability
    of a nearly certain class, about minus the sum of the others, keeps its digits.

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores (logits).
    axis : int, default=-1
        The axis that holds the classes.
    temperature : float, default=1.0
        T > 0, as in :func:`softmax`.

    Returns
    -------
    ndarray of the shape and floating dtype of `scores`
        Log-probabilities, at most 0.

    Raises
    ------
    TypeError
        If `scores` is complex or not numeric.
    ValueError
        If `scores` has no axis `axis`, that axis is empty, or `temperature` is not positive.

    References
    ----------
    P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the log-sum-exp and softmax
    functions", IMA Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> log_softmax([0.0, -1000.0])
    array([    0., -1000.])
    >>> float(log_softmax([40.0, 0.0])[0])          # log(softmax(...)) would be 0
    -4.248354255291589e-18
    """
    scores, dtype = as_scores(scores, axis)
    shifted = shift(scores, axis, temperature)
    with np.errstate(over="ignore"):
        return (shifted - log_total(shifted, axis)).astype(dtype, copy=False)


def softmax_jacobian(scores: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> Array:
    r"""The derivative of softmax: all n_classes² partial derivatives of each row.

    .. math:: J_{ij} = \frac{\partial p_i}{\partial z_j} = \frac{p_i (\delta_{ij} - p_j)}{T}

    That is ``diag(p) − p pᵀ``: symmetric, positive semi-definite, with rows and columns that sum
    to 0 (raising all scores together changes nothing). No loss is involved. The off-diagonal
    is negative: what one class gains the others lose.

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores (logits).
    axis : int, default=-1
        The axis that holds the classes.
    temperature : float, default=1.0
        T > 0, as in :func:`softmax`.

    Returns
    -------
    ndarray of shape (..., n_classes, n_classes)
        One matrix per row of scores: the class axis is moved last and doubled.

    See Also
    --------
    softmax_jvp, softmax_vjp : Products with this matrix in n_classes operations, never forming it.

    Examples
    --------
    >>> softmax_jacobian([0.0, 0.0]).tolist()
    [[0.25, -0.25], [-0.25, 0.25]]
    """
    scores, dtype = as_scores(scores, axis)
    p = np.moveaxis(softmax(scores, axis=axis, temperature=temperature), axis, -1)
    # p (1 - p) by the sum of the others: 1 - p would lose every digit of a nearly certain class.
    jacobian = -p[..., :, None] * p[..., None, :]
    diagonal = np.einsum("...ii->...i", jacobian)  # a writable view
    diagonal[...] = 0
    diagonal[...] = -jacobian.sum(axis=-1)
    return _over(jacobian, temperature).astype(dtype, copy=False)


def softmax_jvp(
    scores: ArrayLike, tangent: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> Array:
    r"""Jacobian times vector: how the probabilities move when the scores move along `tangent`.

    .. math:: (J v)_i = p_i \, (v_i - \textstyle\sum_j p_j v_j) / T

    Forward-mode differentiation in n_classes operations a row instead of n_classes².

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores (logits).
    tangent : array-like, broadcastable with `scores`
        The direction in which the scores move.
    axis : int, default=-1
        The axis that holds the classes.
    temperature : float, default=1.0
        T > 0, as in :func:`softmax`.

    Returns
    -------
    ndarray of shape (..., n_classes)
        The derivative of the probabilities in that direction; it sums to 0 along `axis`.

    Examples
    --------
    >>> softmax_jvp([0.0, 0.0], [1.0, 0.0]).tolist()
    [0.25, -0.25]
    """
    return _jacobian_product(scores, tangent, "tangent", axis, temperature)


def softmax_vjp(
    scores: ArrayLike, cotangent: ArrayLike, *, axis: int = -1, temperature: float = 1.0
) -> Array:
    r"""Vector times Jacobian: the gradient in the scores, given one in the probabilities.

    .. math:: (J^\top u)_j = p_j \, (u_j - \textstyle\sum_i p_i u_i) / T

    The step of back-propagation through a softmax. The Jacobian is symmetric, so this equals
    :func:`softmax_jvp`; both names exist because each stands for a different question.

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores (logits).
    cotangent : array-like, broadcastable with `scores`
        Gradient of some function with respect to the probabilities.
    axis : int, default=-1
        The axis that holds the classes.
    temperature : float, default=1.0
        T > 0, as in :func:`softmax`.

    Returns
    -------
    ndarray of shape (..., n_classes)
        Gradient of that function with respect to the scores.

    Examples
    --------
    Cross-entropy's gradient in the probabilities is −y/p; through softmax it becomes p − y:

    >>> z, y = np.array([1.0, 2.0, 0.5]), np.array([0.0, 1.0, 0.0])
    >>> np.allclose(softmax_vjp(z, -y / softmax(z)), softmax(z) - y)
    True
    """
    return _jacobian_product(scores, cotangent, "cotangent", axis, temperature)


def _jacobian_product(
    scores: ArrayLike, vector: ArrayLike, name: str, axis: int, temperature: float
) -> Array:
    scores, dtype = as_scores(scores, axis)
    vector, vector_dtype = as_floating(vector, name)
    p = softmax(scores, axis=axis, temperature=temperature)
    axis = axis - scores.ndim if axis >= 0 else axis  # still the same if the vector has more axes
    p, vector = np.broadcast_arrays(p, vector)
    # Relative to the entry of the likeliest class, whose product is then minus the sum of the
    # others: as 1 - p would, the plain formula loses the digits of a nearly certain class.
    top = np.expand_dims(p.argmax(axis=axis), axis)
    vector = vector - np.take_along_axis(vector, top, axis=axis)
    mean = (p * vector).sum(axis=axis, keepdims=True)
    product = _over(p * (vector - mean), temperature)
    return product.astype(np.result_type(dtype, vector_dtype), copy=False)


def _over(derivative: Array, temperature: float) -> Array:
    """Divide by a temperature, which may lie outside the range of float32."""
    return derivative if temperature == 1 else derivative.astype(np.float64) / temperature


def as_scores(scores: ArrayLike, axis: int) -> tuple[Array, np.dtype[Any]]:
    array, dtype = as_floating(scores, "scores")
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"scores of shape {array.shape} have no axis {axis} to hold the classes.")
    if array.shape[axis] == 0:
        raise ValueError(f"scores of shape {array.shape} have no classes along axis {axis}.")
    return array, dtype


def shift(scores: Array, axis: int, temperature: float) -> Array:
    """Scores over the temperature, minus their maximum: a new array, nowhere above 0."""
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be a positive finite number, got {temperature!r}.")
    top = scores.max(axis=axis, keepdims=True)
    certain = top == np.inf
    if certain.any():  # +inf minus +inf is not a number; its limit is 0, and −inf for the rest
        limit = np.where(scores == np.inf, 0, -np.inf).astype(scores.dtype)
        scores, top = np.where(certain, limit, scores), np.where(certain, 0, top)
    with np.errstate(over="ignore", invalid="ignore"):
        if temperature == 1:
            return np.subtract(scores, top, dtype=scores.dtype)
        # in float64, because the temperature may lie outside the range of float32
        scores, top = scores.astype(np.float64), top.astype(np.float64)
        shifted: Array = (scores - top) / temperature
        if temperature > 1:  # the difference may have overflowed where the quotient does not
            overflowed = np.isinf(shifted) & np.isfinite(scores)
            shifted = np.where(overflowed, scores / temperature - top / temperature, shifted)
        return shifted


def _exponentials(shifted: Array, axis: int) -> tuple[Array, Array]:
    """exp of shifted scores, in place, and its sum, which is between 1 and n_classes."""
    np.exp(shifted, out=shifted)
    return shifted, shifted.sum(axis=axis, keepdims=True)


def log_total(shifted: Array, axis: int) -> Array:
    """log of the sum of exponentials: log1p of all but the largest, whose exponential is 1."""
    exponentials = np.exp(shifted)
    largest = np.expand_dims(shifted.argmax(axis=axis), axis)
    np.put_along_axis(exponentials, largest, 0, axis=axis)
    rest = np.log1p(exponentials.sum(axis=axis, keepdims=True))
    # A row of nothing but −inf is all NaN by now; keep it so rather than calling it certain.
    return np.where(np.isnan(np.take_along_axis(shifted, largest, axis=axis)), np.nan, rest).astype(
        shifted.dtype, copy=False
    )
