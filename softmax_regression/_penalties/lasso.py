r"""Penalties that set coefficients to zero: the lasso and the group lasso.

They are added to a smooth F, which may include a ridge l2/2 ‖W‖² (elastic net):

    Ω(W) = Σ_j ω_j Σ_k |W_kj|     or     Ω(W) = Σ_j ω_j ‖W_:j‖₂

with a weight ω_j for each column. In the coordinates of `coordinates.py`, in which W_:j is divided
by a scale t_j, ω_j is the strength l1 divided by t_j. Let ‖·‖ be the norm of a *unit*, an entry or
a column. At the minimum, with A the gradient of F in W,

    W_u = 0 where ‖A_u‖ ≤ ω_u,     A_u = −ω_u W_u / ‖W_u‖ elsewhere.

With a ridge r_j the conjugate of the sum of both penalties is Σ_u (‖A_u‖ − ω_u)₊² / (2 r_u).
Without a ridge it is 0 if all ‖A_u‖ ≤ ω_u, and infinite otherwise. The gap of the Fenchel-Young
inequality at W and −A is computed here as a sum of terms that are not negative, so that the dual
bound is precise close to the minimum (R. Rifkin and R. Lippert, "Value regularization and Fenchel
duality", JMLR 8, 2007).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression._linalg.arrays import Array

_ROUNDING = 16 * float(np.finfo(np.float64).eps)
# Shift, relative to the largest coefficient of a column, up to which it is a rounding error.
_NEGLIGIBLE_SHIFT = 1e-9


class Penalty(ABC):
    """Ω; see the module's text.

    Parameters
    ----------
    weights : ndarray of shape (n_features,)
        ω, not negative.

    Attributes
    ----------
    unpenalized : ndarray of bool, shape (n_features,), or None
        Columns of weight 0, which have no penalty; None if there are none.
    """

    def __init__(self, weights: Array):
        self.weights = weights
        free = weights == 0
        self.unpenalized: NDArray[np.bool_] | None = free if free.any() else None

    def scaled(self, factor: float) -> Self:
        """Return factor · Ω."""
        other = copy.copy(self)
        other.weights = factor * self.weights
        return other

    def select(self, columns: NDArray[np.intp]) -> Self:
        """Return Ω of some of the columns."""
        other = copy.copy(self)
        other.weights = self.weights[columns]
        if self.unpenalized is not None:
            kept = self.unpenalized[columns]
            other.unpenalized = kept if kept.any() else None
        return other

    @abstractmethod
    def norms(self, matrix: Array) -> Array:
        """Return ‖·‖ of all units: (n_outputs, n_features), or (1, n_features) for columns."""

    def value(self, coef: Array) -> float:
        """Return Ω(W)."""
        return float((self.norms(coef).sum(axis=0) * self.weights).sum())

    def ratios(self, slopes: Array) -> Array:
        """Return ‖A_u‖ / ω_u, which is at most 1 for units that may be 0 at the minimum."""
        norms = self.norms(slopes)
        with np.errstate(divide="ignore", over="ignore"):  # A weight may be tiny.
            return np.divide(norms, self.weights, out=np.zeros_like(norms), where=norms > 0)

    def residual(self, coef: Array, slopes: Array) -> Array:
        """Return the smallest subgradient of F + Ω, which is 0 at the minimum."""
        norms = self.norms(coef)
        zero = norms == 0
        # If W_u is 0, it is the part of A_u that exceeds the weight.
        size = self.norms(slopes)
        kept = np.maximum(size - self.weights, 0) / np.where(size > 0, size, 1.0)
        direction = coef / np.where(zero, 1.0, norms)
        return np.where(zero, kept * slopes, slopes + self.weights * direction)

    def conjugate_gap(self, coef: Array, slopes: Array, ridge: Array) -> float:
        """Return Ω(W) + r/2 W² + A·W + its conjugate at −A, which is 0 at the minimum.

        It is not negative, and infinite if there is no ridge and some ‖A_u‖ > ω_u.
        """
        norms, sizes = self.norms(coef), self.norms(slopes)
        shrunk = np.maximum(sizes - self.weights, 0)
        shrunk[shrunk <= _ROUNDING * sizes] = 0.0
        off = shrunk - ridge * norms
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            off = np.where(off != 0, off / np.sqrt(ridge), 0.0)  # Squares might underflow.
        squares = 0.5 * float(np.vdot(off, off))
        slack = norms * np.maximum(self.weights - sizes, 0)
        return squares + float(slack.sum()) + self._misaligned(coef, slopes)

    @abstractmethod
    def _misaligned(self, coef: Array, slopes: Array) -> float:
        """Return Σ ‖W_u‖ ‖A_u‖ + W_u·A_u, which is 0 if A and W have opposite directions."""

    @abstractmethod
    def shift(self, coef: Array, ridge: Array) -> Array:
        """Return, for each column, what to subtract from all classes for the least penalty.

        Such a shift changes no probability. It is 0 at the minimum.
        """

    @abstractmethod
    def with_units(self, chosen: Array, n_outputs: int) -> Array:
        """Return a mask of the entries of the chosen units, (n_outputs, n_features)."""


class Lasso(Penalty):
    """The lasso Σ_j ω_j Σ_k |W_kj|, whose units are entries."""

    def norms(self, matrix: Array) -> Array:
        return np.abs(matrix)

    def _misaligned(self, coef: Array, slopes: Array) -> float:
        along = coef * slopes
        return float(2 * along[along > 0].sum())

    def shift(self, coef: Array, ridge: Array) -> Array:
        """Return the c that minimises Σ_k r/2 (w_k − c)² + ω |w_k − c| (as glmnet does).

        It is a median of the w_k, or with r > 0 the median of the w_k and of
        mean + ω/r · (K − 2 i)/K for i = 0 … K.
        """
        n_classes = len(coef)
        shift = np.zeros(coef.shape[1])
        some = np.flatnonzero(coef.any(axis=0))
        if n_classes == 1 or not len(some):
            return shift
        w, r = np.sort(coef[:, some], axis=0), ridge[some]
        low, high = w[(n_classes - 1) // 2], w[n_classes // 2]
        found = np.clip(0.0, low, high)
        if self.unpenalized is not None:  # Without a penalty the shift is the mean.
            found = np.where(self.unpenalized[some], w.mean(axis=0), found)
        curved = (r > 0) & (self.weights[some] > 0)
        if curved.any():
            steps = (n_classes - 2 * np.arange(n_classes + 1)) / n_classes
            w, r = w[:, curved], r[curved]
            points = w.mean(axis=0) + np.multiply.outer(steps, self.weights[some][curved] / r)
            found[curved] = np.sort(np.concatenate([w, points]), axis=0)[n_classes]
        found[np.abs(found) <= _NEGLIGIBLE_SHIFT * np.abs(coef[:, some]).max(axis=0)] = 0.0
        shift[some] = found
        return shift

    def with_units(self, chosen: Array, n_outputs: int) -> Array:
        return chosen


class GroupLasso(Penalty):
    """The group lasso Σ_j ω_j ‖W_:j‖₂, whose units are columns: features in all classes."""

    def norms(self, matrix: Array) -> Array:
        return np.sqrt(np.einsum("kj,kj->j", matrix, matrix))[None]

    def _misaligned(self, coef: Array, slopes: Array) -> float:
        some = coef.any(axis=0)
        w, a = coef[:, some], slopes[:, some]
        wide, steep = np.linalg.norm(w, axis=0), np.linalg.norm(a, axis=0)
        # ‖w‖ ‖a‖ + w·a is half the square of this, without a difference of nearly equal numbers.
        apart = np.sqrt(steep) * w / np.sqrt(wide) + np.sqrt(wide) * a / np.sqrt(
            np.where(steep > 0, steep, 1.0)
        )
        return 0.5 * float(np.square(apart).sum())

    def shift(self, coef: Array, ridge: Array) -> Array:
        """Return the mean over classes, which minimises the norm."""
        return coef.mean(axis=0) if len(coef) > 1 else np.zeros(coef.shape[1])

    def with_units(self, chosen: Array, n_outputs: int) -> Array:
        return np.repeat(chosen, n_outputs, axis=0)


# How coefficients are grouped, by the name of the estimator's parameter.
PENALTIES: dict[str, type[Penalty]] = {"none": Lasso, "features": GroupLasso}
