"""Softmax, cross-entropy, entropy, the sigmoid and activations, with their derivatives.

Plain functions on arrays: no state, nothing to fit. The estimators minimise the cross-entropy that
is documented here, and their activations are these.

The whole of softmax regression is in three lines. A model gives every class a score z_k, softmax
turns the scores into probabilities, and cross-entropy is minus the log-probability of what
happened::

    p_k = exp(z_k) / sum_j exp(z_j)
    L   = -sum_k y_k log p_k = log(sum_j exp(z_j)) - sum_k y_k z_k      (y sums to 1)
    dL/dz_k = p_k - y_k

The last line is why the two belong together: on its own softmax has the full Jacobian
``p_i (delta_ij - p_j)``, which vanishes wherever the model is sure, be it right or wrong; taking
the logarithm cancels the ``p_i``, and what remains is the plain difference of prediction and
target.

Conventions. Functions work over the last axis unless ``axis`` says otherwise (as in SciPy an axis,
several, or None for all) and over any number of leading axes. float16, float32 and float64 come
back as they went in (float16 is computed in float32); integers and bools become float64. The
largest score of a row is subtracted before anything is exponentiated, so scores may be of any size;
a score of −inf is a class that cannot happen and gets probability 0, and a score of +inf is a class
that is certain (several of them share). A row of nothing but −inf has no softmax and gives NaN.

Scores are not probabilities, and no function can tell which of the two it was given: [0.9, 0.1] may
be either. Probabilities in the place of scores go through softmax a second time. As they are at
most 1 apart, what comes out is nearly uniform, with no class above e / (e + n_classes − 1); the
cross-entropy cannot fall below minus the logarithm of that, and its gradient is wrong. Of
probabilities p give ``log(p)``, whose softmax is p. The other way round, `entropy` and
`kl_divergence` want probabilities, and refuse what does not sum to 1.
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
