"""Extrapolation of the minimum along a path of C.

As a function of log C the minimum moves along a smooth curve, and a polynomial through the last
minima predicts the next one, from which a solver starts (a predictor-corrector method: Allgower and
Georg, *Numerical Continuation Methods*, 1990). Where the loss is nearly quadratic, the curve is a
sum of terms C / (C + c), which are analytic in log C in a strip of half-width π about the real
axis. So polynomials predict well if the steps in log C are short compared with π, and badly
otherwise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from softmax_regression._linalg.arrays import Array

_MAX_DEGREE = 3  # Polynomials of higher degrees amplify the errors of the minima too much.
# Largest sum of the absolute weights of the minima, the factor by which their errors are amplified.
# It is 15 for equal steps and degree 3.
_MAX_WEIGHT_SUM = 16.0
_MAX_LOG_C_RANGE = np.pi  # Largest range of log C of the minima that a polynomial goes through.


class Predictor:
    """Predicts the next minimum by a polynomial in log C through the last ones.

    Its degree is the one whose polynomial through the minima before the last came closest to the
    last.

    Parameters
    ----------
    minima : mapping from float to ndarray, default=None
        Minima of a fit to more rows, by C. If they are given, the difference from them is
        extrapolated.
    """

    def __init__(self, minima: Mapping[float, Array] | None = None) -> None:
        self._minima = minima or {}
        self._last: deque[tuple[float, Array]] = deque(maxlen=_MAX_DEGREE + 2)
        self._degree = 0

    def add(self, C: float, params: Array) -> None:
        """Add a minimum, and choose the degree anew."""
        params = params - self._minima.get(C, 0.0)
        if not np.isfinite(C) or (self._last and self._last[-1][0] == np.log(C)):
            return
        ahead = [self._at(C, degree) for degree in range(self._highest() + 1)] or [params]
        self._degree = int(np.argmin([np.linalg.norm(at - params) for at in ahead]))
        self._last.append((float(np.log(C)), params))
        # The next higher degree could not be tried yet. It is used if the highest was the best.
        self._degree = min(self._degree + (self._degree + 1 == len(ahead)), self._highest())

    def __call__(self, C: float, otherwise: Array) -> Array:
        """Return the predicted minimum for C, or `otherwise` if no minimum is known."""
        if C in self._minima:
            otherwise = self._minima[C]
        if not self._last or not np.isfinite(C):
            return otherwise
        return self._minima.get(C, 0.0) + self._at(C, self._degree)

    def _at(self, C: float, degree: int) -> Array:
        known = list(self._last)[-degree - 1 :]
        weights = _lagrange([at for at, _ in known], float(np.log(C)))
        if sum(map(abs, weights)) > _MAX_WEIGHT_SUM:
            return self._at(C, degree - 1)
        return np.tensordot(weights, np.stack([params for _, params in known]), axes=1)

    def _highest(self) -> int:
        """Return the highest degree to try; −1 if no minimum is known."""
        near = [at for at, _ in self._last if self._last[-1][0] - at <= _MAX_LOG_C_RANGE]
        return min(len(near) - 1, _MAX_DEGREE)


def _lagrange(nodes: list[float], at: float) -> list[float]:
    """Return the weights of the values at the nodes in Lagrange's interpolation formula."""
    return [
        float(np.prod([(at - b) / (a - b) for j, b in enumerate(nodes) if j != i]))
        for i, a in enumerate(nodes)
    ]
