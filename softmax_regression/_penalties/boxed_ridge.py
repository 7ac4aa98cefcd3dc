r"""The ridge of coefficients within bounds, and its conjugate.

    Ω(W) = ½ Σ_j r_j ‖W_:j‖²  where L ≤ W ≤ U,  and infinite elsewhere

The gap of the Fenchel-Young inequality is the sum over entries of the largest decrease of the
quadratic ``A (v − w) + r/2 (v − w)²``, with A the gradient of loss and ridge, as v varies within
its bounds (R. Rifkin and R. Lippert, "Value regularization and Fenchel duality", JMLR 8, 2007):

    d (A − r d / 2),    d = A / r, clipped to between w − u and w − l

which is A² / (2 r) if no bound is reached. Without a ridge it is finite if W is bounded in the
direction of −A.
"""

from __future__ import annotations

import numpy as np

from softmax_regression._linalg.arrays import Array
from softmax_regression._penalties.ridge import Ridge


class BoxedRidge:
    """Ω; see the module's text.

    Parameters
    ----------
    ridge : Ridge
        The ridge, of the columns of (W, b).
    lower, upper : ndarray of shape (n_outputs, n_features)
        L and U; entries may be infinite.
    """

    always_finite = True  # It is finite in all problems with a dual bound.

    def __init__(self, ridge: Ridge, lower: Array, upper: Array):
        self.ridge = ridge
        self.lower, self.upper = lower, upper

    def value(self, coef: Array) -> float:
        """Return Ω of coefficients within the bounds."""
        return self.ridge.value(coef)

    def conjugate_gap(self, coef: Array, slopes: Array) -> float:
        """Return Σ d (A − r d / 2); see the module's text."""
        strengths = self.ridge.strengths[: coef.shape[1]]
        with np.errstate(divide="ignore", invalid="ignore"):
            fall = np.where(slopes == 0, 0.0, slopes / strengths)
        fall = np.clip(fall, coef - self.upper, coef - self.lower)
        return float(np.vdot(fall, slopes - 0.5 * strengths * fall))

    def shrinkages(self, slopes: Array) -> tuple[float, ...]:
        """Return 0: the gradient of the loss need not be shrunk."""
        return (0.0,)
