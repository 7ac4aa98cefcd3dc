"""Softmax, cross-entropy, entropy, the sigmoid and activations, with their derivatives.

These are functions on arrays, without state. The estimators of this package minimise the
cross-entropy that is documented here, and use these activations.

Softmax regression consists of three formulas. A model computes a score z_k for every class, softmax
turns the scores into probabilities, and cross-entropy is minus the log-probability of the class
that was observed::

    p_k = exp(z_k) / sum_j exp(z_j)
    L   = -sum_k y_k log p_k = log(sum_j exp(z_j)) - sum_k y_k z_k      (y sums to 1)
    dL/dz_k = p_k - y_k

The last line shows why the two are used together. The Jacobian of softmax alone,
``p_i (delta_ij - p_j)``, vanishes where a probability is close to 1, whether the prediction is
right or wrong. The logarithm cancels the factor ``p_i``, so that the gradient is the difference of
prediction and target.

Conventions. Classes are along the last axis, or along the axes given by ``axis``, as in SciPy an
integer, a tuple, or None for all axes. Results have the dtype of the arguments for float16, float32
and float64, and float64 for integers and bools; float16 is computed in float32. The largest score
of a row is subtracted before exponentials are taken, so that scores of any size are allowed. A
class with the score −inf has probability 0, and one with the score +inf has probability 1, which
several such classes share equally. The softmax of a row whose scores are all −inf is NaN.

Scores are not probabilities, and a function cannot determine which of the two its arguments are:
[0.9, 0.1] may be either. If probabilities are passed as scores, softmax is applied to them a second
time. Because they differ by at most 1, the result is nearly uniform, with no class above
e / (e + n_classes − 1), the cross-entropy is at least minus the logarithm of that, and its gradient
is wrong. For probabilities p pass ``log(p)``, whose softmax is p. Conversely, `entropy` and
`kl_divergence` require probabilities, and raise ValueError if these do not sum to 1.
"""

from softmax_regression.functional._activations import (
    ACTIVATIONS,
    Activation,
    Activations,
    sigmoid,
    sigmoid_derivative,
)
from softmax_regression.functional._entropy import entropy, kl_divergence
from softmax_regression.functional._losses import (
    cross_entropy,
    cross_entropy_gradient,
    one_hot,
    squared_error,
    squared_error_gradient,
)
from softmax_regression.functional._softmax import (
    log_softmax,
    logsumexp,
    softmax,
    softmax_jacobian,
    softmax_jvp,
    softmax_vjp,
)

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Activations",
    "cross_entropy",
    "cross_entropy_gradient",
    "entropy",
    "kl_divergence",
    "log_softmax",
    "logsumexp",
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
