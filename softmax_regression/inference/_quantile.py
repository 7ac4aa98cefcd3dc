"""The half-width of normal confidence intervals, in standard errors."""

from __future__ import annotations

from scipy.stats import norm


def quantile(alpha: float) -> float:
    """Return the half-width, in standard errors, of a normal interval of confidence 1 − alpha."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}.")
    return float(norm.isf(alpha / 2))
