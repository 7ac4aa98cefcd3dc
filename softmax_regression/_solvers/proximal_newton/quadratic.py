r"""Penalties of a vector, and Newton steps for a quadratic function with one of them.

While signs stay the same, the lasso is linear, and q has one minimum over the entries that are not
0: their *active set*. A step leads to that minimum, with every entry that would change its sign on
the way set to 0 (many entries at a time); or, if that lowers q less, to the minimum of q on the
straight line there. Each step lowers q, so no active set comes again (H. Lee, A. Battle, R. Raina
and A. Ng, "Efficient sparse coding algorithms", NeurIPS 2006, one entry at a time; D. Bertsekas,
"Projected Newton methods", SIAM J. Control and Optimization 20, 1982).

The norm of a group that is not 0 is curved: its second derivative, which is 0 along the group
itself, is added to M.
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

_MOST_GROUP_TRIALS = 6  # Lengths of a step in groups, each a quarter of the one before.


@dataclass
class Quadratic:
    """g·(u − w) + ½ (u − w)ᵀ M (u − w), and the point at which its slope is known.

    Parameters
    ----------
    matrix : WorkingSetHessian
        M.
    slope : ndarray of shape (order,)
        The gradient at `at`: at first g.
    at : ndarray of shape (order,)
        u: at first w.
    """

    matrix: WorkingSetHessian
    slope: Array
    at: Array

    def change(self, to: Array) -> tuple[float, Array]:
        """Return how much it rises from `at` to another point, and its gradient there."""
        step = to - self.at
        product = self.matrix.product(step)
        return float(self.slope @ step + 0.5 * (step @ product)), self.slope + product

    def move(self, to: Array, slope: Array) -> None:
        """Move to another point, where its gradient is known."""
        self.at, self.slope = to, slope


class FlatPenalty(ABC):
    """Ω of a vector."""

    @abstractmethod
    def value(self, at: Array) -> float:
        """Ω(u)."""

    @abstractmethod
    def residual(self, at: Array, slope: Array) -> Array:
        """Return the smallest subgradient."""

    @abstractmethod
    def majorized(self, metric: Array) -> Array:
        """Return a metric that majorises another, for which `proximal` has a formula."""

    @abstractmethod
    def proximal(self, goal: Array, metric: Array) -> Array:
        """Return the u of the smallest ½ Σ metric (u − goal)² + Ω(u)."""

    @abstractmethod
    def newton(self, model: Quadratic) -> None:
        """Take a Newton step for the active set of the model, or as much of it as lowers q."""


class FlatLasso(FlatPenalty):
    """Σ ω_i |u_i|.

    Parameters
    ----------
    weights : ndarray of shape (order,)
        ω, 0 for what is not penalised.
    """

    def __init__(self, weights: Array):
        self.weights = weights

    def value(self, at: Array) -> float:
        return float(self.weights @ np.abs(at))

    def residual(self, at: Array, slope: Array) -> Array:
        beyond = np.sign(slope) * np.maximum(np.abs(slope) - self.weights, 0)
        return np.where(at == 0, beyond, slope + self.weights * np.sign(at))

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
        change, slope = self._change(model, to)
        if crossing.any():
            ray = model.at.copy()
            ray[entries] = self._lowest_on_ray(model, entries, step)
            other_change, other_slope = self._change(model, ray)
            if other_change < change:
                change, slope, to = other_change, other_slope, ray
        if change < 0 or not crossing.any():
            model.move(to, slope)

    def _active_set_step(self, model: Quadratic) -> tuple[Array, Array]:
        """Return the active set, and the step to the minimum over it.

        An entry that would leave 0 to the wrong side does not belong to it after all.
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

    def _change(self, model: Quadratic, to: Array) -> tuple[float, Array]:
        change, slope = model.change(to)
        return change + float(self.weights @ (np.abs(to) - np.abs(model.at))), slope

    def _lowest_on_ray(self, model: Quadratic, entries: Array, step: Array) -> Array:
        """Return where q is lowest on a line: its slope rises, and jumps where an entry is 0."""
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
    """Σ_g ω_g ‖u_g‖.

    Parameters
    ----------
    weights : ndarray of shape (n_groups,)
        ω, positive.
    groups : ndarray of int, shape (order,)
        To which each entry belongs; n_groups for what is not penalised.
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
        """The second derivative of Ω in some entries: ω/‖u‖ (1 − u uᵀ/‖u‖²) in each group."""
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
