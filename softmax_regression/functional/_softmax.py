"""Softmax, its logarithm, the log-sum-exp, the Jacobian of softmax and products with it.

Internally the axes of the classes are a tuple of negative numbers, so that they remain the same if
a temperature or a vector has more axes than the scores.
"""

from __future__ import annotations

from math import prod
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softmax_regression.functional._floats import Array, as_floating

Axis = int | tuple[int, ...] | None  # The values that NumPy's functions accept as `axis`.


def softmax(scores: ArrayLike, *, axis: Axis = -1, temperature: ArrayLike = 1.0) -> Array:
    r"""Convert scores to probabilities: exponentials divided by their sum.

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

    A high temperature makes probabilities more equal, a low one less:

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

    ``log(softmax(z))`` is −inf or 0 if a probability rounds to 0 or 1. This function sums all terms
    but the largest, and takes ``log1p`` of the sum, so that even the log-probability of a nearly
    certain class, about minus the sum of the other probabilities, is precise.

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
        Whether to keep the axes that are summed over, with size 1.

    Returns
    -------
    ndarray of the floating dtype of `scores`
        A number for each row of scores; −inf if all scores of the row are −inf.

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
    # Differences of infinite scores are NaN; for 0 in their place, adding the maximum gives −inf.
    total = log_total(shift(np.where(top == -np.inf, 0, scores), axes), axes)
    total = (top + total).astype(dtype, copy=False)
    return total if keepdims else total.squeeze(axis=axes)


def softmax_jacobian(scores: ArrayLike, *, axis: Axis = -1, temperature: ArrayLike = 1.0) -> Array:
    r"""The derivative of softmax: all n_classes² partial derivatives of each row.

    .. math:: J_{ij} = \frac{\partial p_i}{\partial z_j} = \frac{p_i (\delta_{ij} - p_j)}{T}

    The matrix (diag(p) − p pᵀ) / T is symmetric and positive semi-definite. Its rows and columns
    sum to 0, because adding a constant to all scores does not change the probabilities.

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
        A matrix for each row of scores. The axis of the classes is moved to the end and repeated.
        Several axes are moved to the end, merged into one, and repeated.

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
    # The diagonal is minus the sum of the other entries, because 1 - p is imprecise near p = 1.
    jacobian = -p[..., :, None] * p[..., None, :]
    diagonal = np.einsum("...ii->...i", jacobian)  # This is a writable view.
    diagonal[...] = 0
    diagonal[...] = -jacobian.sum(axis=-1)
    of_rows = _of_rows(temperature, shape, axes)[..., None]
    return _over(jacobian, of_rows).astype(dtype, copy=False)


def softmax_jvp(
    scores: ArrayLike, tangent: ArrayLike, *, axis: Axis = -1, temperature: ArrayLike = 1.0
) -> Array:
    r"""Jacobian times vector: the derivative of the probabilities along a direction of the scores.

    .. math:: (J v)_i = p_i \, (v_i - \textstyle\sum_j p_j v_j) / T

    This is forward-mode differentiation. It takes a number of operations for each row proportional
    to n_classes instead of n_classes².

    Parameters
    ----------
    scores : array-like of shape (..., n_classes)
        Scores (logits).
    tangent : array-like, broadcastable with `scores`
        The direction v.
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
    r"""Vector times Jacobian: the gradient in the scores for a gradient in the probabilities.

    .. math:: (J^\top u)_j = p_j \, (u_j - \textstyle\sum_i p_i u_i) / T

    This is the step of back-propagation through softmax. The Jacobian is symmetric, so that the
    result equals that of :func:`softmax_jvp`; the two names tell which derivative is meant.

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
    The gradient of cross-entropy is −y/p in the probabilities, and p − y in the scores:

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
    # Subtracting the entry of the most probable class changes nothing but rounding errors, which
    # would be large relative to the product for a nearly certain class.
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
    """Return the temperature in float64, because it may lie outside the range of float32.

    Along the axes of the classes, if it has them, its size must be 1.
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
    """Return scores divided by the temperature, less their maximum, in a new array."""
    top = scores.max(axis=axes, keepdims=True)
    certain = top == np.inf
    if certain.any():  # Shifted scores have the limit 0 for scores of +inf, and −inf for others.
        limit = np.where(scores == np.inf, 0, -np.inf).astype(scores.dtype)
        scores, top = np.where(certain, limit, scores), np.where(certain, 0, top)
    with np.errstate(over="ignore", invalid="ignore"):
        if temperature.ndim == 0 and temperature == 1:
            return np.subtract(scores, top, dtype=scores.dtype)
        scores, top = scores.astype(np.float64), top.astype(np.float64)
        shifted: Array = (scores - top) / temperature
        # A difference may have overflowed although its quotient does not.
        overflowed = np.isinf(shifted) & np.isfinite(scores) & (temperature > 1)
        return np.where(overflowed, scores / temperature - top / temperature, shifted)


def log_total(shifted: Array, axes: tuple[int, ...]) -> Array:
    """Return the logarithm of the sum of exponentials of shifted scores.

    The exponential of the largest is 1, so that this is log1p of the sum of the others. Rows that
    are NaN, because all of their scores were −inf, remain NaN.
    """
    largest = shifted == 0
    n_largest = largest.sum(axis=axes, keepdims=True, dtype=shifted.dtype)
    others = np.where(largest, 0, np.exp(shifted)).sum(axis=axes, keepdims=True)
    return np.asarray(np.log1p(others + (n_largest - 1)), dtype=shifted.dtype)
