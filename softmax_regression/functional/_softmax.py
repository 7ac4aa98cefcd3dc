"""Softmax, its logarithm, the log-sum-exp, and the derivative: the Jacobian and products with it.

Inside, the axes of the classes are a tuple of negative numbers, so that they remain the same where
a temperature or a vector has more axes than the scores.
"""

from __future__ import annotations

from math import prod
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softmax_regression.functional._floats import Array, as_floating

Axis = int | tuple[int, ...] | None  # as NumPy has it


def softmax(scores: ArrayLike, *, axis: Axis = -1, temperature: ArrayLike = 1.0) -> Array:
    r"""Probabilities from scores: exponentiate, then divide by the sum.

    .. math:: p_k = \frac{\exp(z_k / T)}{\sum_j \exp(z_j / T)}

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores, also called logits: any real numbers, −inf and +inf included.
    axis : int, tuple of int or None, default=-1
        The axis that holds the classes, or several that hold them together; None for all.
    temperature : float or array-like, default=1.0
        T > 0. Above 1 the probabilities move towards uniform, below 1 towards the largest score.
        An array is broadcast against the scores, and has size 1 along the axis of the classes: of
        shape (n_samples, 1) it holds a temperature for each row.

    Returns
    -------
    ndarray of the shape and floating dtype of `scores`
        Probabilities: non-negative, summing to 1 along `axis`. Where `temperature` has more axes
        than the scores, of the shape to which the two are broadcast.

    Raises
    ------
    TypeError
        If `scores` is complex or not numeric.
    ValueError
        If `scores` has no axis `axis`, that axis is empty, or `temperature` is not positive or
        cannot be broadcast.

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
    >>> softmax([1.0, 2.0, 3.0], temperature=[[10.0], [0.1]]).round(3)
    array([[0.301, 0.332, 0.367],
           [0.   , 0.   , 1.   ]])
    """
    scores, axes, dtype = as_scores(scores, axis)
    temperature = _as_temperature(temperature, scores, axes)
    return _softmax(scores, axes, temperature).astype(dtype, copy=False)


def log_softmax(scores: ArrayLike, *, axis: Axis = -1, temperature: ArrayLike = 1.0) -> Array:
    r"""Log-probabilities from scores, without taking the logarithm of a probability.

    .. math:: \log p_k = \frac{z_k}{T} - \log \sum_j \exp(z_j / T)

    Taking ``log(softmax(z))`` loses everything once a probability rounds to 0 or 1. Here the sum
    leaves the largest term out and adds it back inside ``log1p``, so that even the log-probability
    of a nearly certain class, about minus the sum of the others, keeps its digits.

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores (logits).
    axis : int, tuple of int or None, default=-1
        The axes that hold the classes, as in :func:`softmax`.
    temperature : float or array-like, default=1.0
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
        If `scores` has no axis `axis`, that axis is empty, or `temperature` is not positive or
        cannot be broadcast.

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
    scores, axes, dtype = as_scores(scores, axis)
    shifted = shift(scores, axes, _as_temperature(temperature, scores, axes))
    with np.errstate(over="ignore"):
        return (shifted - log_total(shifted, axes)).astype(dtype, copy=False)


def logsumexp(scores: ArrayLike, *, axis: Axis = -1, keepdims: bool = False) -> Array:
    r"""The logarithm of the sum of exponentials, without overflow.

    .. math:: \log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m}, \qquad m = \max_j z_j

    It is a soft maximum: at least the largest score, and at most log(n_classes) above it. Its
    gradient is :func:`softmax`, and ``log_softmax(z) = z - logsumexp(z)``.

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores (logits): any real numbers, −inf and +inf included.
    axis : int, tuple of int or None, default=-1
        The axes to sum over, as in :func:`softmax`.
    keepdims : bool, default=False
        Whether the axes that are summed over stay, with size 1.

    Returns
    -------
    ndarray of the floating dtype of `scores`
        One number for each row of scores; −inf for a row of nothing but −inf.

    Raises
    ------
    TypeError
        If `scores` is complex or not numeric.
    ValueError
        If `scores` has no axis `axis`, or that axis is empty.

    References
    ----------
    P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the log-sum-exp and softmax
    functions", IMA Journal of Numerical Analysis 41(4), 2021.

    Examples
    --------
    >>> float(logsumexp([1000.0, 1000.0]))          # 1000 + log 2, though exp(1000) overflows
    1000.6931471805599
    >>> logsumexp([[1.0, 2.0, 3.0], [-np.inf, -np.inf, -np.inf]]).round(3)
    array([3.408,  -inf])
    """
    scores, axes, dtype = as_scores(scores, axis)
    top = scores.max(axis=axes, keepdims=True)
    # Where all are −inf, differences are not numbers; their sum of exponentials is 0 all the same.
    total = log_total(shift(np.where(top == -np.inf, 0, scores), axes), axes)
    total = (top + total).astype(dtype, copy=False)
    return total if keepdims else total.squeeze(axis=axes)


def softmax_jacobian(scores: ArrayLike, *, axis: Axis = -1, temperature: ArrayLike = 1.0) -> Array:
    r"""The derivative of softmax: all n_classes² partial derivatives of each row.

    .. math:: J_{ij} = \frac{\partial p_i}{\partial z_j} = \frac{p_i (\delta_{ij} - p_j)}{T}

    That is ``diag(p) − p pᵀ``: symmetric, positive semi-definite, with rows and columns that sum
    to 0 (raising all scores together changes nothing). No loss is involved. The off-diagonal
    is negative: what one class gains the others lose.

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores (logits).
    axis : int, tuple of int or None, default=-1
        The axes that hold the classes, as in :func:`softmax`.
    temperature : float or array-like, default=1.0
        T > 0, as in :func:`softmax`.

    Returns
    -------
    ndarray of shape (..., n_classes, n_classes)
        One matrix per row of scores: the class axis is moved last and doubled. Several are moved
        last, made one, and then doubled.

    See Also
    --------
    softmax_jvp, softmax_vjp : Products with this matrix in n_classes operations, never forming it.

    Examples
    --------
    >>> softmax_jacobian([0.0, 0.0]).tolist()
    [[0.25, -0.25], [-0.25, 0.25]]
    """
    scores, axes, dtype = as_scores(scores, axis)
    temperature = _as_temperature(temperature, scores, axes)
    p = _softmax(scores, axes, temperature)
    shape, p = p.shape, _in_rows(p, axes)
    # p (1 - p) by the sum of the others: 1 - p would lose every digit of a nearly certain class.
    jacobian = -p[..., :, None] * p[..., None, :]
    diagonal = np.einsum("...ii->...i", jacobian)  # a writable view
    diagonal[...] = 0
    diagonal[...] = -jacobian.sum(axis=-1)
    of_rows = _of_rows(temperature, shape, axes)[..., None]
    return _over(jacobian, of_rows).astype(dtype, copy=False)


def softmax_jvp(
    scores: ArrayLike, tangent: ArrayLike, *, axis: Axis = -1, temperature: ArrayLike = 1.0
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
    axis : int, tuple of int or None, default=-1
        The axes that hold the classes, as in :func:`softmax`.
    temperature : float or array-like, default=1.0
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
    scores: ArrayLike, cotangent: ArrayLike, *, axis: Axis = -1, temperature: ArrayLike = 1.0
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
    axis : int, tuple of int or None, default=-1
        The axes that hold the classes, as in :func:`softmax`.
    temperature : float or array-like, default=1.0
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
    scores: ArrayLike, vector: ArrayLike, name: str, axis: Axis, temperature: ArrayLike
) -> Array:
    scores, axes, dtype = as_scores(scores, axis)
    vector, vector_dtype = as_floating(vector, name)
    temperature = _as_temperature(temperature, scores, axes)
    p, vector = np.broadcast_arrays(_softmax(scores, axes, temperature), vector)
    shape, p, vector = p.shape, _in_rows(p, axes), _in_rows(vector, axes)
    # Relative to the entry of the likeliest class, whose product is then minus the sum of the
    # others: as 1 - p would, the plain formula loses the digits of a nearly certain class.
    vector = vector - np.take_along_axis(vector, p.argmax(axis=-1, keepdims=True), axis=-1)
    mean = (p * vector).sum(axis=-1, keepdims=True)
    product = _over(p * (vector - mean), _of_rows(temperature, shape, axes))
    product = _from_rows(product, shape, axes)
    return product.astype(np.result_type(dtype, vector_dtype), copy=False)


def _over(derivative: Array, temperature: Array) -> Array:
    """Divide by a temperature, which may lie outside the range of float32."""
    return derivative if (temperature == 1).all() else derivative.astype(np.float64) / temperature


def _in_rows(array: Array, axes: tuple[int, ...]) -> Array:
    """Return an array whose last axis holds the classes."""
    moved = np.moveaxis(array, axes, range(-len(axes), 0))
    return moved.reshape(*moved.shape[: -len(axes)], prod(moved.shape[-len(axes) :]))


def _from_rows(rows: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """Undo `_in_rows`."""
    n_classes = [shape[axis] for axis in axes]
    moved = rows.reshape(*rows.shape[:-1], *n_classes)
    return np.moveaxis(moved, range(-len(axes), 0), axes)


def _of_rows(temperature: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """Return the temperature of each row, with a last axis of size 1, for scores of a shape."""
    ones = [1 if position - len(shape) in axes else n for position, n in enumerate(shape)]
    return _in_rows(np.broadcast_to(temperature, ones), axes)


def as_scores(
    scores: ArrayLike, axis: Axis, name: str = "scores"
) -> tuple[Array, tuple[int, ...], np.dtype[Any]]:
    """Return scores to compute with, the axes of the classes, and the dtype of the result."""
    array, dtype = as_floating(scores, name)
    try:
        given = range(array.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = tuple(sorted({index(a) if a < 0 else index(a) - array.ndim for a in given}))
    except TypeError:
        raise TypeError(
            f"axis must be an integer, a tuple of integers or None, got {axis!r}."
        ) from None
    if not axes or axes[0] < -array.ndim or axes[-1] >= 0:
        raise ValueError(f"{name} of shape {array.shape} have no axis {axis} to hold the classes.")
    if len(axes) < len(given):
        raise ValueError(f"axis={axis} names an axis of {name} of shape {array.shape} twice.")
    if 0 in [array.shape[a] for a in axes]:
        raise ValueError(f"{name} of shape {array.shape} have no classes along axis {axis}.")
    return array, axes, dtype


def _as_temperature(temperature: ArrayLike, scores: Array, axes: tuple[int, ...]) -> Array:
    """Return the temperature in float64, with size 1 along the axes of the classes, if it has them.

    In float64, because it may lie outside the range of float32.
    """
    array = as_floating(temperature, "temperature")[0].astype(np.float64)
    if not (np.isfinite(array) & (array > 0)).all():
        raise ValueError(f"temperature must be positive and finite, got {temperature!r}.")
    if array.ndim == 0:
        return array
    try:
        np.broadcast_shapes(array.shape, scores.shape)
        fits = all(array.ndim < -axis or array.shape[axis] == 1 for axis in axes)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"temperature of shape {array.shape} cannot be broadcast against scores of shape "
            f"{scores.shape} with size 1 along the classes: one for each row has shape (n_rows, 1)."
        )
    return array


def _softmax(scores: Array, axes: tuple[int, ...], temperature: Array) -> Array:
    probabilities = shift(scores, axes, temperature)
    np.exp(probabilities, out=probabilities)
    probabilities /= probabilities.sum(axis=axes, keepdims=True)
    return probabilities


_ONE: Array = np.ones(())


def shift(scores: Array, axes: tuple[int, ...], temperature: Array = _ONE) -> Array:
    """Scores over the temperature, minus their maximum: a new array, nowhere above 0."""
    top = scores.max(axis=axes, keepdims=True)
    certain = top == np.inf
    if certain.any():  # +inf minus +inf is not a number; its limit is 0, and −inf for the rest
        limit = np.where(scores == np.inf, 0, -np.inf).astype(scores.dtype)
        scores, top = np.where(certain, limit, scores), np.where(certain, 0, top)
    with np.errstate(over="ignore", invalid="ignore"):
        if temperature.ndim == 0 and temperature == 1:
            return np.subtract(scores, top, dtype=scores.dtype)
        scores, top = scores.astype(np.float64), top.astype(np.float64)
        shifted: Array = (scores - top) / temperature
        # The difference may have overflowed where the quotient does not.
        overflowed = np.isinf(shifted) & np.isfinite(scores) & (temperature > 1)
        return np.where(overflowed, scores / temperature - top / temperature, shifted)


def log_total(shifted: Array, axes: tuple[int, ...]) -> Array:
    """log of the sum of exponentials: log1p of all but the largest, whose exponential is 1.

    A row of nothing but −inf, which is all NaN by now, has no largest, and stays so.
    """
    largest = shifted == 0
    n_largest = largest.sum(axis=axes, keepdims=True, dtype=shifted.dtype)
    others = np.where(largest, 0, np.exp(shifted)).sum(axis=axes, keepdims=True)
    return np.asarray(np.log1p(others + (n_largest - 1)), dtype=shifted.dtype)
