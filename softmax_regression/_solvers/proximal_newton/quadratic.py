r"""Newton steps for a quadratic function plus a lasso or group lasso penalty of a vector.

The entries that are not 0 are the *active set*. While their signs stay the same, the lasso penalty
is linear, and the sum q has one minimum over the active set. A Newton step leads to that minimum,
but every entry that would change its sign on the way is set to 0; this may be many entries at a
time. If the minimum of q on the straight line to the minimum is lower, the step ends there instead.
Since each step lowers q, no active set occurs twice (H. Lee, A. Battle, R. Raina
and A. Ng, "Efficient sparse coding algorithms", NeurIPS 2006, one entry at a time; D. Bertsekas,
"Projected Newton methods", SIAM J. Control and Optimization 20, 1982).

The norm of a group that is not 0 is a curved function of its entries. For the group lasso, its
second derivative is added to M.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from softmax_regression._curvature.working_set import WorkingSetHessian
from softmax_regression._linalg.arrays import Array

# A step for the group lasso is shortened to a quarter until q falls, in at most this many trials.
_MOST_GROUP_TRIALS = 6


@dataclass
class Quadratic:
    """The quadratic function g·(u − w) + ½ (u − w)ᵀ M (u − w), with a current point u.

    Parameters
    ----------
    matrix : WorkingSetHessian
        The Hessian M.
    slope : ndarray of shape (order,)
        The gradient at the current point, which is g at first.
    at : ndarray of shape (order,)
        The current point u, which is w at first.
    """

    matrix: WorkingSetHessian
    slope: Array
    at: Array

    def change(self, to: Array) -> tuple[float, Array]:
        """Return the change of the function from `at` to another point, and its gradient there."""
        step = to - self.at
        product = self.matrix.product(step)
        return float(self.slope @ step + 0.5 * (step @ product)), self.slope + product

    def move(self, to: Array, slope: Array) -> None:
        """Move to another point at which the gradient is known."""
        self.at, self.slope = to, slope


class FlatPenalty(ABC):
    """A penalty Ω of a vector u."""

    @abstractmethod
    def value(self, at: Array) -> float:
        """Return Ω(u)."""

    @abstractmethod
    def residual(self, at: Array, slope: Array) -> Array:
        """Return the subgradient of smallest norm of the smooth function plus Ω at a point.

        `slope` is the gradient of the smooth function there.
        """

    def keeps_zeros(self, at: Array, slope: Array) -> bool:
        """Return whether all entries that are 0 may stay so, as far as the slopes there say.

        It counts for penalties whose Newton steps add entries to the active set.
        """
        return True

    @abstractmethod
    def majorized(self, metric: Array) -> Array:
        """Return a diagonal metric at least as large as another, as `proximal` needs it."""

    @abstractmethod
    def proximal(self, goal: Array, metric: Array) -> Array:
        """Return the u that minimises ½ Σ metric · (u − goal)² + Ω(u)."""

    @abstractmethod
    def newton(self, model: Quadratic) -> None:
        """Take a Newton step over the active set of the model, shortened until it lowers q."""


class FlatLasso(FlatPenalty):
    """The lasso penalty Σ ω_i |u_i|.

    Parameters
    ----------
    weights : ndarray of shape (order,)
        The weights ω, which are 0 for unpenalised entries.
    """

    def __init__(self, weights: Array):
        self.weights = weights

    def value(self, at: Array) -> float:
        return float(self.weights @ np.abs(at))

    def residual(self, at: Array, slope: Array) -> Array:
        beyond = np.sign(slope) * np.maximum(np.abs(slope) - self.weights, 0)
        return np.where(at == 0, beyond, slope + self.weights * np.sign(at))

    def keeps_zeros(self, at: Array, slope: Array) -> bool:
        return not ((at == 0) & (np.abs(slope) > self.weights)).any()

    def majorized(self, metric: Array) -> Array:
        return metric

    def proximal(self, goal: Array, metric: Array) -> Array:
        return np.sign(goal) * np.maximum(np.abs(goal) - self.weights / metric, 0)

    def newton(self, model: Quadratic) -> None:
        entries, step = self._active_set_step(model)
        u = model.at[entries]
        side = np.where(u != 0, np.sign(u), np.sign(step))
        crossing = (self.weights[entries] > 0) & ((u + step) * side < 0)
        to = model.at.copy()
        to[entries] = np.where(crossing, 0.0, u + step)
        change, slope = self.change(model, to)
        if crossing.any():
            ray = model.at.copy()
            ray[entries] = self._lowest_on_ray(model, entries, step)
            other_change, other_slope = self.change(model, ray)
            if other_change < change:
                change, slope, to = other_change, other_slope, ray
        if change < 0 or not crossing.any():
            model.move(to, slope)

    def _active_set_step(self, model: Quadratic) -> tuple[Array, Array]:
        """Return the active set, and the step to the minimum of q over it.

        Entries that are 0 join the active set if their slope exceeds the penalty. They are taken
        out again if the step would move them in the direction in which q rises.
        """
        left = self.residual(model.at, model.slope)
        entries = np.flatnonzero((model.at != 0) | (left != 0) | (self.weights == 0))
        while True:
            step = -model.matrix.solve(entries, left[entries])
            leaves = (model.at[entries] == 0) & (self.weights[entries] > 0)
            wrong = leaves & (step * left[entries] > 0)
            if not wrong.any() or wrong.all():
                return entries, step
            if not model.matrix.quick:
                return entries[~wrong], step[~wrong]
            entries = entries[~wrong]

    def change(self, model: Quadratic, to: Array) -> tuple[float, Array]:
        """Return the change of q from the current point to another, and the slope there."""
        change, slope = model.change(to)
        return change + float(self.weights @ (np.abs(to) - np.abs(model.at))), slope

    def _lowest_on_ray(self, model: Quadratic, entries: Array, step: Array) -> Array:
        """Return the minimum of q along a step.

        The slope of q along the step increases, and jumps where an entry passes through 0.
        """
        u, weights = model.at[entries], self.weights[entries]
        whole = np.zeros_like(model.at)
        whole[entries] = step
        curvature = float(whole @ model.matrix.product(whole))
        signs = np.where(u != 0, np.sign(u), np.sign(step))
        slope = float(model.slope @ whole + (weights * signs) @ step)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            lengths = np.where((weights > 0) & (u * step < 0), -u / step, np.inf)
        reached = 0.0
        for i in np.argsort(lengths):
            if not np.isfinite(lengths[i]) or slope + curvature * (lengths[i] - reached) >= 0:
                break
            slope += curvature * (lengths[i] - reached)
            reached = float(lengths[i])
            slope += 2 * weights[i] * abs(step[i])
            if slope >= 0:  # The slope changes sign in this jump.
                lowest = u + reached * step
                lowest[i] = 0.0
                return np.asarray(lowest)
        if curvature > 0:
            reached -= slope / curvature
        return np.asarray(u + reached * step)


class FlatGroupLasso(FlatPenalty):
    """The group lasso penalty Σ_g ω_g ‖u_g‖.

    Parameters
    ----------
    weights : ndarray of shape (n_groups,)
        The positive weights ω.
    groups : ndarray of int, shape (order,)
        The group of each entry, which is n_groups for unpenalised entries.
    """

    def __init__(self, weights: Array, groups: NDArray[np.intp]):
        self.weights = np.append(weights, 0.0)
        self.groups = groups
        self._free = groups == len(weights)

    def value(self, at: Array) -> float:
        return float(self.weights @ self._norms(at))

    def residual(self, at: Array, slope: Array) -> Array:
        norms, steep = self._norms(at), self._norms(slope)
        zero = (norms == 0)[self.groups] & ~self._free
        kept = np.maximum(steep - self.weights, 0) / np.where(steep > 0, steep, 1.0)
        pull = self.weights / np.where(norms > 0, norms, 1.0)
        return np.where(zero, kept[self.groups] * slope, slope + pull[self.groups] * at)

    def majorized(self, metric: Array) -> Array:
        largest = np.zeros(len(self.weights))
        np.maximum.at(largest, self.groups, metric)
        return np.where(self._free, metric, largest[self.groups])

    def proximal(self, goal: Array, metric: Array) -> Array:
        sizes = self._norms(goal)[self.groups]
        threshold = self.weights[self.groups] / metric
        shrunk = np.maximum(sizes - threshold, 0) / np.where(sizes > 0, sizes, 1.0)
        return np.where(self._free, goal, shrunk * goal)

    def newton(self, model: Quadratic) -> None:
        norms = self._norms(model.at)
        entries = np.flatnonzero((norms > 0)[self.groups] | self._free)
        if not len(entries):
            return
        left = self.residual(model.at, model.slope)[entries]
        step = -model.matrix.solve(entries, left, self._bend(model.at, norms, entries))
        before, length = self.value(model.at), 1.0
        for _ in range(_MOST_GROUP_TRIALS):
            to = model.at.copy()
            to[entries] += length * step
            change, there = model.change(to)
            if change + self.value(to) < before:
                model.move(to, there)
                return
            length /= 4

    def _norms(self, at: Array) -> Array:
        return np.sqrt(np.bincount(self.groups, np.square(at), minlength=len(self.weights)))

    def _bend(self, at: Array, norms: Array, entries: Array) -> Any:
        """Return the Hessian of Ω for some entries: ω/‖u‖ (I − u uᵀ/‖u‖²) in each group."""
        groups = self.groups[entries]
        pull = np.where(norms > 0, self.weights / np.where(norms > 0, norms, 1.0), 0.0)[groups]
        unit = at[entries] / np.where(norms > 0, norms, 1.0)[groups]
        unit[self._free[entries]] = 0.0
        everyone = np.arange(len(entries))
        of_group = csr_array((unit, (groups, everyone)), shape=(len(self.weights), len(entries)))
        diagonal = csr_array((pull, (everyone, everyone)))
        return (
            diagonal
            - of_group.T @ (csr_array((pull * unit, (groups, everyone)), shape=of_group.shape))
        ).tocsr()
