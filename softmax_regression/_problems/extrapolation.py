"""Where the next minimum along a path of C is about to be.

In log C the minimum moves along a smooth curve, and a polynomial through the last ones leads close
to the next (Allgower and Georg, *Numerical Continuation Methods*, 1990: a predictor, which a solver
corrects). Where the loss is nearly quadratic, the curve is a sum of terms C / (C + c), analytic in
log C in a strip of half-width π about the real axis: polynomials serve where the steps are short
beside that, and lead astray where they are not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from softmax_regression._linalg.arrays import Array

_MAX_DEGREE = 3  # A polynomial of a higher one carries the errors of the minima too far.
# The sum of the absolute weights of the minima, by which their errors grow; 15 for equal steps.
_MAX_WEIGHT_SUM = 16.0
_MAX_LOG_C_RANGE = np.pi  # Of the minima that a polynomial goes through.


class Predictor:
    """Where the next minimum is about to be.

    It is where a polynomial in log C through the last ones leads, of the degree that would have
    come closest to the last from those before it: how far the errors of the minima are carried
    matters, too.

    Parameters
    ----------
    minima : mapping from float to ndarray, default=None
        Minima for some C that are known from more rows: then it is the difference from them that
        is predicted.
    """

    def __init__(self, minima: Mapping[float, Array] | None = None) -> None:
        self._minima = minima or {}
        self._last: deque[tuple[float, Array]] = deque(maxlen=_MAX_DEGREE + 2)
        self._degree = 0

    def add(self, C: float, params: Array) -> None:
        """Learn of a minimum."""
        params = params - self._minima.get(C, 0.0)
        if not np.isfinite(C) or (self._last and self._last[-1][0] == np.log(C)):
            return
        ahead = [self._at(C, degree) for degree in range(self._highest() + 1)] or [params]
        self._degree = int(np.argmin([np.linalg.norm(at - params) for at in ahead]))
        self._last.append((float(np.log(C)), params))
        # The next degree could not be tried before; so long as more is better, still more is.
        self._degree = min(self._degree + (self._degree + 1 == len(ahead)), self._highest())

    def __call__(self, C: float, otherwise: Array) -> Array:
        """Extrapolate to another C."""
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
        """Return the highest degree to try, −1 where nothing is known."""
        near = [at for at, _ in self._last if self._last[-1][0] - at <= _MAX_LOG_C_RANGE]
        return min(len(near) - 1, _MAX_DEGREE)


def _lagrange(nodes: list[float], at: float) -> list[float]:
    """Return the weights by which values at the nodes make up the polynomial through them."""
    return [
        float(np.prod([(at - b) / (a - b) for j, b in enumerate(nodes) if j != i]))
        for i, a in enumerate(nodes)
    ]
