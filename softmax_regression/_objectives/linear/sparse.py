r"""Cross-entropy of a linear model with a penalty that sets coefficients to zero.

    F(W, b) + Ω(W),    F = 1/S · Σ_i s_i CE_i + l2/2 · ‖W‖²

F is smooth, a `LinearCrossEntropy`, and Ω one of `lasso.py`. The certificate is the dual bound of
`dual_bound.py` with the conjugate of ridge and Ω together: that of the elastic net.
"""

from __future__ import annotations

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.dual_bound import dual_gap
from softmax_regression._objectives.linear.free_step import FreeStepBound
from softmax_regression._penalties.elastic_net import ElasticNet
from softmax_regression._penalties.lasso import Penalty


class SparseCrossEntropy:
    """F + Ω; gradients are those of F alone.

    Parameters
    ----------
    smooth : LinearCrossEntropy
        F, in standardised coordinates.
    penalty : Penalty
        Ω, in the same coordinates.
    """

    def __init__(self, smooth: LinearCrossEntropy, penalty: Penalty):
        self.smooth = smooth
        self.penalty = penalty
        self.conjugate = ElasticNet(penalty, smooth.penalty)
        self.n_params = smooth.n_params

    @property
    def has_dual(self) -> bool:
        """True: the penalty has a conjugate."""
        return True

    def coef(self, params: Array) -> Array:
        """W as a view of the flat vector."""
        return self.smooth.layout.unpack(params)[0]

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate the objective, and the gradient of its smooth part."""
        at = self.smooth.evaluate(params)
        value = at.value + self.penalty.value(self.coef(params))
        return Evaluation(params, value, at.gradient, at.probabilities)

    def least_shift(self, params: Array, penalty: Penalty) -> Array:
        """Return the parameters shifted equally in all classes so that the penalty is least."""
        coef = self.coef(params)
        shift = penalty.shift(coef, self.smooth.ridge[: coef.shape[1]])
        if not shift.any():
            return params
        moved = params.copy()
        changed = self.coef(moved)
        changed -= shift
        return moved

    def certify(self, at: Evaluation, enough: float, sharp: bool) -> float:
        """Bound how far the objective is above its minimum."""
        if self.conjugate.unpenalized is not None or self.smooth.data.has_offset:
            return FreeStepBound(self)(at, enough, sharp)
        return dual_gap(self, at, enough, sharp)
