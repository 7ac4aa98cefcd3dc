r"""The ridge, a weighted square of the coefficients, and its conjugate.

    Ω(W) = ½ Σ_j r_j ‖W_:j‖²,    r_j = l2 · ρ_j²

The roots ρ_j are 1 for the features as they are, 1/t_j where they are divided by scales t_j, and 0
for a column that is not penalised, as that of the intercept. With A the gradient of the loss in W,
what Fenchel and Young's inequality leaves at W and −A is

    Ω(W) + Ω*(−A) + A·W = Σ_kj (A_kj + r_j W_kj)² / (2 r_j)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array

_TINY = float(np.finfo(np.float64).tiny)


class Ridge:
    """Ω; see the module's text.

    Parameters
    ----------
    l2 : float
        The strength beside a *mean* cross-entropy.
    roots : ndarray of shape (n_columns,)
        ρ, of the columns of (W, b).
    """

    always_finite = True  # whether the conjugate is so wherever it is asked for

    def __init__(self, l2: float, roots: Array):
        self.l2 = l2
        self.roots = roots
        strengths = np.square(np.sqrt(l2) * roots)
        # Where there is a penalty it does not vanish, as it is to be divided by.
        least = np.where(roots > 0, _TINY, 0.0)
        self.strengths: Array = np.maximum(strengths, least) if l2 > 0 else strengths

    def with_strength(self, l2: float) -> Ridge:
        """Return the same penalty of another strength."""
        return Ridge(l2, self.roots)

    def divided_by(self, scales: Array) -> Ridge:
        """Return the penalty of W diag(scales), for the features that there are scales for."""
        roots = self.roots.copy()
        roots[: len(scales)] /= scales
        return Ridge(self.l2, roots)

    def select(self, columns: NDArray[np.intp]) -> Ridge:
        """Return the penalty of some of the columns."""
        return Ridge(self.l2, self.roots[columns])

    @property
    def unpenalized(self) -> NDArray[np.bool_] | None:
        """Which features are not penalised beside others that are; None if there are none."""
        return None

    @property
    def strength_roots(self) -> Array:
        """√r_j."""
        return np.sqrt(self.strengths)

    def value(self, matrix: Array) -> float:
        """Ω of some of the first columns, all of them as a rule."""
        return 0.5 * float(np.vdot(self.strengths[: matrix.shape[1]] * matrix, matrix))

    def conjugate_gap(self, coef: Array, slopes: Array) -> float:
        """What Fenchel and Young's inequality leaves, for the gradient of loss and ridge."""
        return self.half_square(slopes)

    def half_square(self, slopes: Array) -> float:
        """Σ slope² / (2 r), where no square of a slope underflows."""
        roots = np.sqrt(self.strengths[: slopes.shape[1]])
        with np.errstate(divide="ignore", over="ignore"):  # of a column that is hardly penalised
            terms = np.divide(slopes, roots, out=np.zeros_like(slopes), where=slopes != 0)
            return 0.5 * float(np.vdot(terms, terms))

    def shrinkages(self, slopes: Array) -> tuple[float, ...]:
        """By which parts the gradient of the loss may be made smaller: none is needed."""
        return (0.0,)
