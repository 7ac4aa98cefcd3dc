"""Intervals by the profile of the likelihood.

For a coefficient θ the profile is the largest log-likelihood that other parameters leave at a value
of θ. Values whose profile lies less than half of a quantile of χ² below the maximum make up the
interval (Venables and Ripley, *Modern Applied Statistics with S*, section 8.4). The root of twice
the fall is nearly linear in θ, so the ends are found by a few steps of the secant method.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import null_space

from softmax_regression._linalg.arrays import Array
from softmax_regression.inference._information import Likelihood
from softmax_regression.inference._newton import Maximum, SingularInformationError, maximize

_PRECISION = 1e-9  # of the root
_LEAST_GAIN = 1e-6  # nats that are more than rounding errors
_MOST_STEPS = 40
_FARTHEST = 1e4  # standard errors, beyond which there is no end


def profile_interval(
    likelihood: Likelihood, u: Array, bread: Array, contrast: Array, root: float
) -> tuple[float, float]:
    """Return where the profile of a linear function of the unknowns has fallen by root² / 2.

    Parameters
    ----------
    likelihood : Likelihood
        The rows.
    u : ndarray of shape (n_params,)
        The maximum.
    bread : ndarray of shape (n_params, n_params)
        The inverse information there.
    contrast : ndarray of shape (n_params,)
        The linear function.
    root : float
        The quantile of the normal distribution.
    """
    line = _Line(likelihood, u, bread, contrast)
    return line.end(-root), line.end(root)


class _Line:
    """The profile along a linear function of the unknowns."""

    def __init__(self, likelihood: Likelihood, u: Array, bread: Array, contrast: Array):
        self._likelihood, self._maximum, self._contrast = likelihood, u, contrast
        across = bread @ contrast
        self._error = float(np.sqrt(contrast @ across))
        self._along = across / self._error**2  # moves the function by 1, and loses the least
        self._others = null_space((contrast / np.linalg.norm(contrast))[None])
        self._best = likelihood.value(u)
        self._estimate = float(contrast @ u)

    def end(self, root: float) -> float:
        """Return the value at which the signed root of the fall is a given one; maybe infinite."""
        before, value = (self._estimate, 0.0), self._estimate + root * self._error
        u = self._maximum
        for _ in range(_MOST_STEPS):
            try:
                at = self._profile(u, value)
            except SingularInformationError:  # So far out that probabilities vanish.
                value = 0.5 * (value + before[0])
                continue
            u, found = at.u, self._root(at.value, root)
            if abs(found - root) <= _PRECISION * abs(root):
                return value
            slope = (value - before[0]) / (found - before[1]) if found != before[1] else np.inf
            before = value, found
            farthest = 2 * abs(value - self._estimate) + abs(root) * self._error
            step = float(np.clip((root - found) * slope, -farthest, farthest))
            value += step
            if not abs(value - self._estimate) < _FARTHEST * self._error:
                return float(np.sign(root) * np.inf)
        return value

    def _profile(self, u: Array, value: float) -> Maximum:
        start = u + (value - self._contrast @ u) * self._along
        return maximize(self._likelihood, start, self._others)

    def _root(self, value: float, sign: float) -> float:
        fall = value - self._best
        if fall < -_LEAST_GAIN:
            raise ValueError(
                f"The likelihood is larger elsewhere, by {-fall:.2g}, than at the estimate: with "
                "bias reduction it may have several maxima, where rows are few and weights very "
                "unequal. Leave features out, or use method='wald' with care."
            )
        return float(np.sign(sign) * np.sqrt(2 * max(fall, 0.0)))
