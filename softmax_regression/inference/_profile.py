"""Confidence intervals from the profile likelihood.

The profile log-likelihood of a coefficient θ is the log-likelihood maximised over the other
parameters. The interval consists of the values of θ whose profile lies less than half of a quantile
of χ² below the maximum (Venables and Ripley, *Modern Applied Statistics with S*, section 8.4). The
signed root of twice the decrease of the profile is nearly linear in θ, so that a few steps of the
secant method find the ends.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import null_space

from softmax_regression._linalg.arrays import Array
from softmax_regression.inference._information import Likelihood
from softmax_regression.inference._newton import Maximum, SingularInformationError, maximize

_RELATIVE_ROOT_TOLERANCE = 1e-9  # The root is found to this relative precision.
_MIN_GAIN_NATS = 1e-6  # A larger gain of the log-likelihood is not a rounding error.
_MAX_SECANT_STEPS = 40
_MAX_STANDARD_ERRORS = 1e4  # An end farther from the estimate than this counts as infinite.


def profile_interval(
    likelihood: Likelihood, u: Array, bread: Array, contrast: Array, root: float
) -> tuple[float, float]:
    """Return the two values at which a linear function's profile is root² / 2 below the maximum.

    Parameters
    ----------
    likelihood : Likelihood
        The likelihood of the rows.
    u : ndarray of shape (n_params,)
        The maximum likelihood estimate.
    bread : ndarray of shape (n_params, n_params)
        The inverse information at the estimate.
    contrast : ndarray of shape (n_params,)
        The linear function of the unknowns.
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
        # This step changes the linear function by 1, at the least loss of the quadratic model.
        self._along = across / self._error**2
        self._others = null_space((contrast / np.linalg.norm(contrast))[None])
        self._best = likelihood.value(u)
        self._estimate = float(contrast @ u)

    def end(self, root: float) -> float:
        """Return the possibly infinite value at which the signed root has a given value."""
        before, value = (self._estimate, 0.0), self._estimate + root * self._error
        u = self._maximum
        for _ in range(_MAX_SECANT_STEPS):
            try:
                at = self._profile(u, value)
            except SingularInformationError:  # The value is so large that probabilities vanish.
                value = 0.5 * (value + before[0])
                continue
            u, found = at.u, self._root(at.value, root)
            if abs(found - root) <= _RELATIVE_ROOT_TOLERANCE * abs(root):
                return value
            slope = (value - before[0]) / (found - before[1]) if found != before[1] else np.inf
            before = value, found
            farthest = 2 * abs(value - self._estimate) + abs(root) * self._error
            step = float(np.clip((root - found) * slope, -farthest, farthest))
            value += step
            if not abs(value - self._estimate) < _MAX_STANDARD_ERRORS * self._error:
                return float(np.sign(root) * np.inf)
        return value

    def _profile(self, u: Array, value: float) -> Maximum:
        start = u + (value - self._contrast @ u) * self._along
        return maximize(self._likelihood, start, self._others)

    def _root(self, value: float, sign: float) -> float:
        fall = value - self._best
        if fall < -_MIN_GAIN_NATS:
            raise ValueError(
                f"The likelihood is larger elsewhere, by {-fall:.2g}, than at the estimate: with "
                "bias reduction it may have several maxima, where rows are few and weights very "
                "unequal. Leave features out, or use method='wald' with care."
            )
        return float(np.sign(sign) * np.sqrt(2 * max(fall, 0.0)))
