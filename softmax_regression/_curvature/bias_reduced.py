r"""The linear cross-entropy with Jeffreys' prior: Firth's mean bias reduction.

Let ℓ be the log-likelihood, S the sum of weights and I the Fisher information of the identified
parameters, which are the differences between classes, intercepts included. The objective is

    F = −(ℓ + ½ log det I − ½ log det B) / S

where B is an upper bound of I that does not depend on the parameters (Böhning, "Multinomial
logistic regression algorithm", 1992). Because of this bound F is not negative, and does not depend
on the reference class or on the units of the columns. With D_jk = zᵀ Var(w_j − w_k) z, the variance
of the difference between the scores of classes j and k in a row, where Var is taken from the
inverse of I, the derivative of ½ log det I with respect to the score of class k is

    ½ s p_k (m_k − Σ_j p_j m_j),    m_k = Σ_j D_jk p_j

(Kosmidis and Firth, "Multinomial logit bias reduction via the Poisson log-linear model",
*Biometrika* 98, 2011). F is not convex. The information is used in place of the Hessian of F; the
part that this neglects is smaller by a factor proportional to 1 / S. Newton's steps with it are
those of Fisher scoring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from softmax_regression._curvature.full_hessian import HessianFactor
from softmax_regression._curvature.rank_updates import add_square, mirror
from softmax_regression._curvature.row_sums import sum_over_rows
from softmax_regression._data.dataset import Block
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import RELATIVE_JITTER, CholeskyFactor
from softmax_regression._objectives.base import Unconstrained
from softmax_regression._objectives.evaluation import Evaluation, as_evaluation
from softmax_regression._objectives.linear.coordinates import RowMap
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import probabilities_of

# Rows are processed in chunks whose products hold this many numbers, so that they fit the cache.
_UPDATE_VALUES = 1 << 19
_MIN_UPDATE_ROWS = 64  # Chunks of fewer rows would spend their time on function calls.
# A pivot up to this times the order of the matrix is regarded as 0 with rounding errors.
_SINGULAR_PIVOT = 10 * RELATIVE_JITTER


@dataclass(slots=True)
class InformedEvaluation(Evaluation):
    """F at a point, with a factor of the Fisher information at the same point.

    Parameters
    ----------
    factor : HessianFactor, default=None
        The factor of I / S. It is None where I is singular and F therefore infinite.
    """

    factor: HessianFactor | None = None


class BiasReducedCrossEntropy(Unconstrained):
    """The bias-reduced cross-entropy F that the module's docstring defines.

    Parameters
    ----------
    smooth : LinearCrossEntropy
        The mean negative log-likelihood −ℓ / S without a penalty, in standardised coordinates and
        in float64. The columns of X must not be collinear.
    strength : float
        The weight 1 / S of the prior beside the mean negative log-likelihood.
    """

    has_dual = False

    def __init__(self, smooth: LinearCrossEntropy, strength: float):
        self.smooth = smooth
        self.strength = strength
        self.n_params = smooth.n_params
        n_classes = smooth.data.n_classes
        gram = CholeskyFactor(gram_matrix(smooth))
        # The bound is B = ½ (1 − 1 1ᵀ / K) ⊗ Σ s z zᵀ without one of the K classes.
        of_classes = -(n_classes - 1) * np.log(2) - np.log(n_classes)
        self._bound = (
            smooth.n_columns * of_classes + smooth.layout.n_free_outputs * gram.log_determinant
        )

    def evaluate(self, params: Array) -> InformedEvaluation:
        """Evaluate F and its gradient; infinite where the information is singular."""
        inner = self.smooth.evaluate(params)
        factor = HessianFactor(self.smooth, inner) if inner.finite else None
        if factor is None or not (factor.exact and np.isfinite(factor.log_determinant)):
            return InformedEvaluation(params, np.inf, np.full_like(params, np.nan))
        fall = 0.5 * (self._bound - factor.log_determinant)
        gradient = inner.gradient - self.strength * self._slopes(inner, factor)
        return InformedEvaluation(
            params, inner.value + self.strength * fall, gradient, inner=inner, factor=factor
        )

    def _slopes(self, at: Evaluation, factor: HessianFactor) -> Array:
        """Return the gradient of ½ log det I."""
        smooth = self.smooth
        variances = variances_of_differences(factor.inverse())
        n_rows = max(_MIN_UPDATE_ROWS, _UPDATE_VALUES // (variances.size // smooth.n_columns))
        request = _Leverages(smooth.for_rows(at.params), smooth.row_map, variances, n_rows)
        (slopes,) = smooth.data.map_reduce(
            _leverage_slopes,
            request,
            width=max(smooth.width, len(variances)),
            kept=smooth.known_probabilities(at),
        )
        slopes /= smooth.data.n_rows
        return np.asarray(slopes).ravel()

    # -- methods that solvers call -----------------------------------------------------------------

    def largest_change(self, direction: Array) -> float:
        """Return the largest change that a step makes to the score differences of any row."""
        return self.smooth.largest_change(direction)

    def hessian_product(self, at: Evaluation, direction: Array) -> Array:
        """Multiply the information, which is used as the Hessian, by a direction."""
        return self.smooth.hessian_product(as_evaluation(at.inner or at.params), direction)

    def certify(self, at: Evaluation, enough: float, sharp: bool) -> float:
        """Return NaN, since F is not convex and has no dual that bounds its minimum."""
        return np.nan

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Return the Newton decrement, which estimates F − min F without bounding it."""
        return decrement

    def separates(self, params: Array) -> bool:
        """Return False, since the prior keeps the minimum finite even for separable classes."""
        return False


def gram_matrix(objective: LinearCrossEntropy) -> Array:
    """Return the weighted mean of z zᵀ over the rows z of X."""
    shape = (objective.n_columns, objective.n_columns)
    (gram,) = sum_over_rows(
        objective, np.zeros(objective.n_params), None, _add_row_squares, (shape,)
    )
    mirror(gram)
    gram /= objective.data.n_rows
    return gram


def is_singular(gram: Array) -> bool:
    """Return whether the columns of a Gram matrix are collinear within rounding errors."""
    factor = CholeskyFactor(gram.copy())
    return not factor.sound or factor.least_pivot <= _SINGULAR_PIVOT * len(gram)


def variances_of_differences(inverse: Array) -> Array:
    """Return Var(w_j − w_k) for all pairs of classes j < k.

    Parameters
    ----------
    inverse : ndarray of shape (n_free, n_columns, n_free, n_columns)
        The inverse information without the reference class, which is the last one, or the first
        one in binary models with a single score.
    """
    n_free = len(inverse)
    blocks = np.zeros((n_free + 1, n_free + 1, *inverse.shape[1::2]))
    blocks[:-1, :-1] = inverse.transpose(0, 2, 1, 3)
    first, second = np.triu_indices(n_free + 1, 1)
    shared = blocks[first, second]
    return np.asarray(
        blocks[first, first] + blocks[second, second] - shared - shared.transpose(0, 2, 1)
    )


def _add_row_squares(z: Array, p: Array, sums: tuple[Array]) -> None:
    add_square(sums[0], 1.0, z)


class _Leverages(NamedTuple):
    """The arguments of `_leverage_slopes`, which is called for each block of rows.

    Parameters
    ----------
    matrix : ndarray
        (W, b) in the coordinates of X.
    row_map : RowMap
        The map from rows of X to the coordinates of the parameters.
    variances : ndarray of shape (n_pairs, n_columns, n_columns)
        The covariance matrices Var(w_j − w_k) of all pairs of classes.
    n_rows : int
        The number of rows that are processed at a time.
    """

    matrix: Array
    row_map: RowMap
    variances: Array
    n_rows: int


def _leverage_slopes(block: Block, at: _Leverages) -> tuple[Array]:
    """Return Σ s ½ p_k (m_k − Σ_j p_j m_j) zᵀ over a block."""
    n_outputs, n_columns = len(at.matrix), at.row_map.n_columns
    total = np.zeros((n_outputs, n_columns))
    stacked = at.variances.reshape(-1, n_columns)
    for rows in block.regrouped(at.n_rows):
        X = block.design[rows]
        p = probabilities_of(block, rows, X, at.matrix)
        z = at.row_map(X)
        products = (stacked @ z).reshape(len(at.variances), n_columns, -1)
        slopes = score_slopes(np.einsum("jdn,dn->jn", products, z), p)
        if block.loss.weight is not None:
            slopes *= block.loss.weight[rows]
        total += slopes @ z.T
    return (total,)


def score_slopes(variances: Array, p: Array) -> Array:
    """Return the derivatives of ½ log det I with respect to the scores of rows of weight 1.

    Parameters
    ----------
    variances : ndarray of shape (n_pairs, n_rows)
        The variances D_jk of score differences for all pairs of classes j < k.
    p : ndarray of shape (n_outputs, n_rows)
        The predicted probabilities.
    """
    if len(p) == 1:
        return np.asarray(0.5 * variances * p * (1 - p) * (1 - 2 * p))
    first, second = np.triu_indices(len(p), 1)
    of_pairs = np.zeros((len(p), *p.shape))
    of_pairs[first, second] = of_pairs[second, first] = variances
    means = np.einsum("jkn,kn->jn", of_pairs, p)
    return 0.5 * p * (means - np.einsum("kn,kn->n", p, means))
