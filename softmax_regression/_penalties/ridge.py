r"""The ridge, a weighted square of the coefficients, and its conjugate.

    Ω(W) = ½ Σ_j r_j ‖W_:j‖²,    r_j = l2 · ρ_j²

The roots ρ_j are 1 for unscaled features, 1/t_j for features that are divided by scales t_j, and 0
for a column without a penalty, as that of the intercept. With A the gradient of the loss in W, the
gap of the Fenchel-Young inequality at W and −A is

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
        The strength relative to a *mean* cross-entropy.
    roots : ndarray of shape (n_columns,)
        ρ for the columns of (W, b).
    """

    always_finite = True  # Whether the conjugate is finite for all slopes.

    def __init__(self, l2: float, roots: Array):
        self.l2 = l2
        self.roots = roots
        strengths = np.square(np.sqrt(l2) * roots)
        # Strengths of penalised columns stay positive, as they are divided by.
        least = np.where(roots > 0, _TINY, 0.0)
        self.strengths: Array = np.maximum(strengths, least) if l2 > 0 else strengths

    def with_strength(self, l2: float) -> Ridge:
        """Return the same penalty of another strength."""
        return Ridge(l2, self.roots)

    def divided_by(self, scales: Array) -> Ridge:
        """Return the penalty of W diag(scales), of the features that have scales."""
        roots = self.roots.copy()
        roots[: len(scales)] /= scales
        return Ridge(self.l2, roots)

    def select(self, columns: NDArray[np.intp]) -> Ridge:
        """Return the penalty of some of the columns."""
        return Ridge(self.l2, self.roots[columns])

    @property
    def unpenalized(self) -> NDArray[np.bool_] | None:
        """Which features have no penalty although others have one; None if there are none."""
        return None

    @property
    def strength_roots(self) -> Array:
        """√r_j."""
        return np.sqrt(self.strengths)

    def value(self, matrix: Array) -> float:
        """Return Ω of the first columns, as a rule all of them."""
        return 0.5 * float(np.vdot(self.strengths[: matrix.shape[1]] * matrix, matrix))

    def conjugate_gap(self, coef: Array, slopes: Array) -> float:
        """Return the gap of the Fenchel-Young inequality for the gradient of loss and ridge."""
        return self.half_square(slopes)

    def half_square(self, slopes: Array) -> float:
        """Return Σ slope² / (2 r), without underflow of squares."""
        roots = np.sqrt(self.strengths[: slopes.shape[1]])
        with np.errstate(divide="ignore", over="ignore"):  # A strength may be tiny.
            terms = np.divide(slopes, roots, out=np.zeros_like(slopes), where=slopes != 0)
            return 0.5 * float(np.vdot(terms, terms))

    def shrinkages(self, slopes: Array) -> tuple[float, ...]:
        """Return 0: the gradient of the loss need not be shrunk."""
        return (0.0,)
