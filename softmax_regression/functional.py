"""Softmax, cross-entropy, the sigmoid and activations, each with its derivative.

Plain functions on arrays: no state, nothing to fit. The estimators are built on them, so what is
documented here is what is minimised there.

The whole of softmax regression is in three lines. A model gives every class a score z_k, softmax
turns the scores into probabilities, and cross-entropy is minus the log-probability of what
happened:

    p_k = exp(z_k) / sum_j exp(z_j)
    L   = -sum_k y_k log p_k = log(sum_j exp(z_j)) - sum_k y_k z_k      (y sums to 1)
    dL/dz_k = p_k - y_k

The last line is why the two belong together: on its own softmax has the full Jacobian
``p_i (delta_ij - p_j)``, which vanishes wherever the model is sure, be it right or wrong; taking
the logarithm cancels the ``p_i``, and what remains is the plain difference of prediction and
target.

Conventions. Functions work over the last axis unless ``axis`` says otherwise and over any number of
leading axes. float16, float32 and float64 come back as they went in (float16 is computed in
float32); integers and bools become float64. The largest score of a row is subtracted before
anything is exponentiated, so scores may be of any size; a score of −inf is a class that cannot
happen and gets probability 0, and a score of +inf is a class that is certain (several of them
share). A row of nothing but −inf has no softmax and gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "cross_entropy",
    "cross_entropy_gradient",
    "log_softmax",
    "one_hot",
    "sigmoid",
    "sigmoid_derivative",
    "softmax",
    "softmax_jacobian",
    "softmax_jvp",
    "softmax_vjp",
    "squared_error",
    "squared_error_gradient",
]

Array = NDArray[Any]


# -- softmax ---------------------------------------------------------------------------------------


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
    scores, dtype = _as_scores(scores, axis)
    probabilities, total = _exponentials(_shift(scores, axis, temperature), axis)
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
    scores, dtype = _as_scores(scores, axis)
    shifted = _shift(scores, axis, temperature)
    with np.errstate(over="ignore"):
        return (shifted - _log_total(shifted, axis)).astype(dtype, copy=False)


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
    scores, dtype = _as_scores(scores, axis)
    p = np.moveaxis(softmax(scores, axis=axis, temperature=temperature), axis, -1)
    # p (1 - p) by the sum of the others: 1 - p would lose every digit of a nearly certain class.
    jacobian = -p[..., :, None] * p[..., None, :]
    diagonal = np.einsum("...ii->...i", jacobian)  # a writable view
    diagonal[...] = 0
    diagonal[...] = -jacobian.sum(axis=-1)
    jacobian /= temperature
    return jacobian.astype(dtype, copy=False)


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
    scores, dtype = _as_scores(scores, axis)
    tangent, tangent_dtype = _as_floating(tangent, "tangent")
    p = softmax(scores, axis=axis, temperature=temperature)
    # Centring on one entry first keeps large common offsets of the tangent from cancelling digits.
    tangent = tangent - np.take(tangent, [0], axis=axis)
    mean = (p * tangent).sum(axis=axis, keepdims=True)
    product = p * (tangent - mean) / temperature
    return product.astype(np.result_type(dtype, tangent_dtype), copy=False)


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
    return softmax_jvp(scores, cotangent, axis=axis, temperature=temperature)


# -- sigmoid ---------------------------------------------------------------------------------------


def sigmoid(z: ArrayLike) -> Array:
    r"""The logistic function, which is softmax with two classes.

    .. math:: \sigma(z) = \frac{1}{1 + e^{-z}} = \mathrm{softmax}(0, z)_2

    Softmax only sees differences of scores, so with two classes one number is enough: the score of
    the second class when the first one's is held at 0.

    Parameters
    ----------
    z : array-like
        Any real numbers, ±inf included.

    Returns
    -------
    ndarray of the shape and floating dtype of `z`
        Numbers between 0 and 1, exact to rounding in both tails.

    Examples
    --------
    >>> sigmoid([-1.0, 0.0, 1.0]).round(3)
    array([0.269, 0.5  , 0.731])
    >>> float(sigmoid(1.5)) == float(softmax([0.0, 1.5])[1])
    True
    """
    return ACTIVATIONS["logistic"].value(z)


def sigmoid_derivative(z: ArrayLike) -> Array:
    r"""The slope of the sigmoid.

    .. math:: \sigma'(z) = \sigma(z) (1 - \sigma(z)) = \frac{e^{-|z|}}{(1 + e^{-|z|})^2}

    Parameters
    ----------
    z : array-like
        Any real numbers, ±inf included.

    Returns
    -------
    ndarray of the shape and floating dtype of `z`
        At most 1/4, at 0; the same for z and −z.

    Examples
    --------
    >>> sigmoid_derivative([-2.0, 0.0, 2.0]).round(3)
    array([0.105, 0.25 , 0.105])
    """
    z, dtype = _as_floating(z, "z")
    tail = np.exp(-np.abs(z))
    return np.asarray(tail / np.square(1 + tail), dtype=dtype)


# -- losses ----------------------------------------------------------------------------------------


def one_hot(labels: ArrayLike, n_classes: int | None = None, *, dtype: Any = np.float64) -> Array:
    """Rows that hold a 1 in the column of the label and 0 elsewhere.

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
    ndarray of shape (*labels.shape, n_classes)

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
    labels = np.asarray(labels)
    if n_classes is None:
        n_classes = int(labels.max()) + 1 if labels.size else 0
    labels = _check_labels(labels, n_classes)
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
        Scores (logits), not probabilities.
    targets : array-like of int of shape (...,) or of float of shape (..., n_classes)
        Labels from 0 to n_classes − 1, or rows of class probabilities.
    sample_weight : array-like of shape (...,), default=None
        Non-negative weights s, one per row, not all zero; by default all 1.
    label_smoothing : float, default=0.0
        Between 0 and 1: the share of each target that is spread evenly over the classes,
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
    cross_entropy_gradient : Its gradient in the scores, p − y.
    squared_error : What one might minimise instead, and why not.

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

    A confident mistake costs as much as the score was wrong by, and never infinity by rounding:

    >>> cross_entropy([[0.0, 1000.0]], [0])
    1000.0
    """
    scores, _ = _as_scores(scores, -1)
    targets, weight = _check_targets(scores, targets, sample_weight, label_smoothing)
    shifted = _shift(scores, -1, 1.0)
    losses = _cross_entropy_rows(shifted, targets, _log_total(shifted, -1), label_smoothing)
    return _weighted_mean(losses, weight)


def cross_entropy_gradient(
    scores: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> Array:
    r"""Gradient of :func:`cross_entropy` in the scores: prediction minus target.

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

    Examples
    --------
    >>> cross_entropy_gradient([[0.0, 0.0]], [1]).tolist()
    [[0.5, -0.5]]
    """
    scores, dtype = _as_scores(scores, -1)
    targets, weight = _check_targets(scores, targets, sample_weight, label_smoothing)
    residual = softmax(scores)
    residual -= _smoothed(targets, scores.shape[-1], label_smoothing)
    residual *= _shares(weight, scores)
    return residual.astype(dtype, copy=False)


def squared_error(
    scores: ArrayLike, targets: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    r"""Half the squared distance between softmax(scores) and targets (half the Brier score).

    .. math:: L = \frac{\sum_i s_i \, \tfrac12 \| p_i - y_i \|^2}{\sum_i s_i}

    Here for comparison. It is bounded by 1 a row, it is not convex in the scores, and it is flat
    where the model is sure and wrong, which is where learning is needed most.

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
    squared_error_gradient : Its gradient in the scores.

    Examples
    --------
    The worse of two mistakes costs hardly more, and pulls far less:

    >>> [round(squared_error([[0.0, z]], [0]), 4) for z in (3.0, 30.0)]
    [0.9074, 1.0]
    >>> [round(float(squared_error_gradient([[0.0, z]], [0])[0, 1]), 4) for z in (3.0, 30.0)]
    [0.0861, 0.0]
    """
    scores, _ = _as_scores(scores, -1)
    targets, weight = _check_targets(scores, targets, sample_weight, 0.0)
    difference = softmax(scores) - _smoothed(targets, scores.shape[-1], 0.0)
    return _weighted_mean(0.5 * np.square(difference).sum(axis=-1), weight)


def squared_error_gradient(
    scores: ArrayLike, targets: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Array:
    r"""Gradient of :func:`squared_error` in the scores: the Jacobian of softmax times p − y.

    .. math:: \frac{\partial L}{\partial z_i} = \frac{s_i}{\sum_j s_j} J(z_i) \, (p_i - y_i)

    The factor J is what cross-entropy cancels: it goes to 0 as the probabilities go to 0 and 1.

    Parameters
    ----------
    scores, targets, sample_weight
        As in :func:`cross_entropy`.

    Returns
    -------
    ndarray of the shape and floating dtype of `scores`

    Examples
    --------
    >>> squared_error_gradient([[0.0, 0.0]], [1]).tolist()
    [[0.25, -0.25]]
    """
    scores, dtype = _as_scores(scores, -1)
    targets, weight = _check_targets(scores, targets, sample_weight, 0.0)
    difference = softmax(scores) - _smoothed(targets, scores.shape[-1], 0.0)
    gradient = softmax_vjp(scores, difference) * _shares(weight, scores)
    return gradient.astype(dtype, copy=False)


# -- activations -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Activation:
    """An elementwise function and its slope.

    Calling the object is the same as its :meth:`value`. The registry :data:`ACTIVATIONS` holds one
    for each name that `SmallMLP` knows.

    Parameters
    ----------
    name : str
        The name in the registry.
    value_into : callable ``(z, out)``
        Writes f(z) to `out`, which may be `z` itself.
    slope_into : callable ``(z, a, out)``
        Writes f'(z) to `out`, given ``a = f(z)``; it may use whichever of the two is cheaper.

    Examples
    --------
    >>> relu = ACTIVATIONS["relu"]
    >>> relu([-1.0, 2.0]), relu.derivative([-1.0, 2.0])
    (array([0., 2.]), array([0., 1.]))
    """

    name: str
    value_into: Callable[[Array, Array], Any]
    slope_into: Callable[[Array, Array, Array], Any]

    def __call__(self, z: ArrayLike) -> Array:
        """Alias of :meth:`value`."""
        return self.value(z)

    def value(self, z: ArrayLike) -> Array:
        """f(z).

        Parameters
        ----------
        z : array-like
            Any real numbers, ±inf included.

        Returns
        -------
        ndarray of the shape and floating dtype of `z`
        """
        z, dtype = _as_floating(z, "z")
        flat = z.reshape(-1)  # so that a lone number is an array to write to, too
        value = np.empty_like(flat)
        self.value_into(flat, value)
        return value.reshape(z.shape).astype(dtype, copy=False)

    def derivative(self, z: ArrayLike) -> Array:
        """f'(z), to rounding of its largest values; at a kink, the slope from the left.

        Parameters
        ----------
        z : array-like
            Any real numbers, ±inf included.

        Returns
        -------
        ndarray of the shape and floating dtype of `z`
        """
        z, dtype = _as_floating(z, "z")
        flat = z.reshape(-1)
        value, slope = np.empty_like(flat), np.empty_like(flat)
        self.value_into(flat, value)
        self.slope_into(flat, value, slope)
        return slope.reshape(z.shape).astype(dtype, copy=False)


_LEAK = 0.01  # slope of leaky_relu on the left, PyTorch's and Keras's usual value


def _identity(z: Array, out: Array) -> None:
    np.copyto(out, z)


def _identity_slope(z: Array, a: Array, out: Array) -> None:
    out[...] = 1


def _sigmoid_into(z: Array, out: Array) -> None:
    # exp(min(z, 0)) / (1 + exp(-|z|)): neither exponent is positive, so neither tail overflows.
    denominator = np.abs(z)
    np.negative(denominator, out=denominator)
    np.exp(denominator, out=denominator)
    denominator += 1
    np.minimum(z, 0, out=out)
    np.exp(out, out=out)
    out /= denominator


def _sigmoid_slope(z: Array, a: Array, out: Array) -> None:
    np.subtract(1, a, out=out)
    out *= a


def _tanh(z: Array, out: Array) -> None:
    np.tanh(z, out=out)


def _tanh_slope(z: Array, a: Array, out: Array) -> None:
    np.multiply(a, a, out=out)
    np.subtract(1, out, out=out)


def _relu(z: Array, out: Array) -> None:
    np.maximum(z, 0, out=out)


def _relu_slope(z: Array, a: Array, out: Array) -> None:
    np.greater(a, 0, out=out, casting="unsafe")


def _leaky_relu(z: Array, out: Array) -> None:
    np.maximum(z, _LEAK * z, out=out)


def _leaky_relu_slope(z: Array, a: Array, out: Array) -> None:
    np.greater(a, 0, out=out, casting="unsafe")
    out *= 1 - _LEAK
    out += _LEAK


def _elu(z: Array, out: Array) -> None:
    negative = np.expm1(np.minimum(z, 0))
    np.maximum(z, 0, out=out)
    out += negative


def _elu_slope(z: Array, a: Array, out: Array) -> None:
    np.minimum(a, 0, out=out)
    out += 1


def _softplus(z: Array, out: Array) -> None:
    tail = np.log1p(np.exp(-np.abs(z)))
    np.maximum(z, 0, out=out)
    out += tail


def _softplus_slope(z: Array, a: Array, out: Array) -> None:
    _sigmoid_into(z, out)


def _silu(z: Array, out: Array) -> None:
    gate = np.empty_like(z)
    z = np.maximum(z, -800)  # exactly 0 from there on, and -inf times 0 would be NaN
    _sigmoid_into(z, gate)
    np.multiply(z, gate, out=out)


def _silu_slope(z: Array, a: Array, out: Array) -> None:
    # s + z s (1 - s) = s + a (1 - s), and a is finite wherever 1 - s is not 0
    _sigmoid_into(z, out)
    rest = 1 - out
    np.multiply(a, rest, out=rest, where=rest != 0)
    out += rest


def _gelu(z: Array, out: Array) -> None:
    z = np.maximum(z, -40)  # the normal distribution function is exactly 0 there
    np.multiply(z, ndtr(z), out=out)


def _gelu_slope(z: Array, a: Array, out: Array) -> None:
    clipped = np.clip(z, -40, 40)  # the normal density is exactly 0 outside
    density = np.exp(-0.5 * np.square(clipped)) / np.sqrt(2 * np.pi).astype(z.dtype)
    np.add(ndtr(clipped), clipped * density, out=out)


ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        activation.name: activation
        for activation in (
            Activation("identity", _identity, _identity_slope),
            Activation("logistic", _sigmoid_into, _sigmoid_slope),
            Activation("tanh", _tanh, _tanh_slope),
            Activation("relu", _relu, _relu_slope),
            Activation("leaky_relu", _leaky_relu, _leaky_relu_slope),
            Activation("elu", _elu, _elu_slope),
            Activation("softplus", _softplus, _softplus_slope),
            Activation("silu", _silu, _silu_slope),
            Activation("gelu", _gelu, _gelu_slope),
        )
    }
)
"""Activations by name: identity, logistic, tanh, relu, leaky_relu, elu, softplus, silu, gelu."""


# -- what the functions above share ----------------------------------------------------------------


def _as_floating(values: ArrayLike, name: str) -> tuple[Array, np.dtype[Any]]:
    """`values` in the dtype to compute in, and the dtype to return."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}.")
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    dtype = array.dtype
    return array.astype(np.promote_types(dtype, np.float32), copy=False), dtype


def _as_scores(scores: ArrayLike, axis: int) -> tuple[Array, np.dtype[Any]]:
    array, dtype = _as_floating(scores, "scores")
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"scores of shape {array.shape} have no axis {axis} to hold the classes.")
    if array.shape[axis] == 0:
        raise ValueError(f"scores of shape {array.shape} have no classes along axis {axis}.")
    return array, dtype


def _shift(scores: Array, axis: int, temperature: float) -> Array:
    """Scores minus their maximum, over the temperature: a new array, nowhere above 0."""
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be a positive finite number, got {temperature!r}.")
    top = scores.max(axis=axis, keepdims=True)
    certain = top == np.inf
    if certain.any():  # +inf minus +inf is not a number; its limit is 0, and −inf for the rest
        scores = np.where(certain, np.where(scores == np.inf, 0.0, -np.inf), scores)
        scores, top = scores.astype(top.dtype), np.where(certain, 0, top).astype(top.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        shifted: Array = scores - top
        if temperature != 1:
            shifted /= temperature
    return shifted


def _exponentials(shifted: Array, axis: int) -> tuple[Array, Array]:
    """exp of shifted scores, in place, and its sum, which is between 1 and n_classes."""
    np.exp(shifted, out=shifted)
    return shifted, shifted.sum(axis=axis, keepdims=True)


def _log_total(shifted: Array, axis: int) -> Array:
    """log of the sum of exponentials: log1p of all but the largest, whose exponential is 1."""
    exponentials = np.exp(shifted)
    largest = np.expand_dims(shifted.argmax(axis=axis), axis)
    np.put_along_axis(exponentials, largest, 0, axis=axis)
    rest = np.log1p(exponentials.sum(axis=axis, keepdims=True))
    # A row of nothing but −inf is all NaN by now; keep it so rather than calling it certain.
    return np.where(np.isnan(np.take_along_axis(shifted, largest, axis=axis)), np.nan, rest).astype(
        shifted.dtype, copy=False
    )


def _check_labels(labels: Array, n_classes: int) -> Array:
    if labels.dtype.kind not in "iub" and labels.size:
        raise TypeError(f"labels must be integers, got dtype {labels.dtype}.")
    labels = labels.astype(np.intp)
    if labels.size and (labels.min() < 0 or labels.max() >= n_classes):
        raise ValueError(
            f"labels must lie between 0 and n_classes - 1 = {n_classes - 1}, "
            f"got {labels.min()} to {labels.max()}."
        )
    return labels


def _check_targets(
    scores: Array, targets: ArrayLike, sample_weight: ArrayLike | None, label_smoothing: float
) -> tuple[Array, Array | None]:
    """Labels (integer) or probabilities (of the scores' dtype) and weights, checked."""
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
    targets, dtype = _as_floating(targets, "targets")
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
    weight, _ = _as_floating(sample_weight, "sample_weight")
    weight = weight.astype(np.float64, copy=False)
    if weight.shape != shape:
        raise ValueError(f"sample_weight must be of shape {shape}, got {weight.shape}.")
    if not (np.isfinite(weight).all() and weight.min(initial=0) >= 0 and weight.any()):
        raise ValueError("sample_weight must be finite, non-negative and not all zero.")
    return weight


def _smoothed(targets: Array, n_classes: int, label_smoothing: float) -> Array:
    """Targets as rows of probabilities, smoothed."""
    probabilities = one_hot(targets, n_classes) if targets.dtype.kind == "i" else targets
    if label_smoothing:
        probabilities = (1 - label_smoothing) * probabilities + label_smoothing / n_classes
    return probabilities


def _cross_entropy_rows(
    shifted: Array, targets: Array, log_total: Array, label_smoothing: float
) -> Array:
    """Cross-entropy of each row, from shifted scores and the log of their summed exponentials."""
    if targets.dtype.kind == "i" and not label_smoothing:
        return (log_total - np.take_along_axis(shifted, targets[..., None], axis=-1))[..., 0]
    probabilities = _smoothed(targets, shifted.shape[-1], label_smoothing)
    losses = np.zeros(shifted.shape, dtype=np.float64)
    # An impossible class (−inf) costs nothing where the target gives it nothing: 0 log 0 = 0.
    np.multiply(probabilities, log_total - shifted, out=losses, where=probabilities != 0)
    return losses.sum(axis=-1)


def _weighted_mean(losses: Array, weight: Array | None) -> float:
    if weight is None:
        return float(losses.mean(dtype=np.float64))
    counted = weight > 0  # a row of weight 0 is no row, even one with an infinite loss
    shares = weight[counted] / weight.max()  # so that neither huge nor tiny weights overflow
    return float((losses[counted] * shares).sum(dtype=np.float64) / shares.sum())


def _shares(weight: Array | None, scores: Array) -> Array | float:
    """What each row counts in the weighted mean, shaped to multiply the scores' gradient."""
    if weight is None:
        return 1 / max(1, int(np.prod(scores.shape[:-1])))
    shares = weight / weight.max()
    shares /= shares.sum()
    return shares[..., None].astype(scores.dtype)
