r"""Quadratic functions with a penalty that makes zeros, by active sets.

    q(u) = g·(u − w) + ½ (u − w)ᵀ H (u − w) + Ω(u)

with a dense H of moderate order, which proximal Newton asks for in each iteration. On a *face*, the
u whose zeros and signs are given, the lasso is linear and q has one minimum, by one Cholesky
factor. So the lasso goes from face to face: to the face's minimum, where what would change its sign
on the way is 0 (many entries at a time); or, if that does not fall as far, to the minimum of q on
the straight way there, across the faces between. Each step makes q fall, so no face comes again,
and a start close to the solution takes one or two (H. Lee, A. Battle, R. Raina and A. Ng,
"Efficient sparse coding algorithms", NeurIPS 2006, one entry at a time; D. Bertsekas, "Projected
Newton methods", SIAM J. Control and Optimization 20, 1982).

The norm of a group bends on its face. The group lasso alternates: a round of block coordinate
descent, which finds the groups that are 0, and Newton's step for those that are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotrs

Array = NDArray[Any]

_JITTER = 1e-13  # of the diagonal
_ROUNDING = 1e-14  # of what is left at the start: less is rounding errors


@dataclass
class Quadratic:
    """g·(u − w) + ½ (u − w)ᵀ H (u − w), and where it is looked at.

    Parameters
    ----------
    hessian : ndarray of shape (order, order)
        H, positive semidefinite.
    slope : ndarray of shape (order,)
        The gradient at `at`: at first g.
    at : ndarray of shape (order,)
        u: at first w.
    """

    hessian: Array
    slope: Array
    at: Array

    def change(self, to: Array) -> tuple[float, Array]:
        """By how much it rises from `at`, and its gradient there."""
        step = to - self.at
        product = self.hessian @ step
        return float(self.slope @ step + 0.5 * (step @ product)), self.slope + product

    def move(self, to: Array, slope: Array) -> None:
        """Go there."""
        self.at, self.slope = to, slope

    def newton_step(self, entries: Array, slope: Array, bend: Array | None = None) -> Array:
        """Return −H⁻¹ times a gradient in some of the entries, the others fixed."""
        matrix = self.hessian[np.ix_(entries, entries)]
        if bend is not None:
            matrix += bend
        diagonal = matrix.diagonal()
        scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        matrix *= scale
        matrix *= scale[:, None]
        added = _JITTER
        while True:
            matrix.flat[:: len(matrix) + 1] = 1.0 + added
            factor, info = dpotrf(matrix, lower=True, clean=False)
            if info == 0:
                return -scale * dpotrs(factor, scale * slope, lower=True)[0]
            added *= 100


def minimize_lasso(model: Quadratic, weights: Array, *, precision: float, max_steps: int) -> None:
    """Minimise q with Ω(u) = Σ ω_i |u_i|; leaves the solution in the model.

    Parameters
    ----------
    model : Quadratic
        The smooth part, and the start.
    weights : ndarray of shape (order,)
        ω, 0 for what is not penalised.
    precision : float
        Which part of the subgradient may be left.
    max_steps : int
        The most steps, each a Cholesky factor or a few.
    """
    first: float | None = None
    for _ in range(max_steps):
        left = _lasso_residual(model, weights)
        size = float(np.linalg.norm(left))
        first = size if first is None else first
        if size <= precision * first:
            return
        entries, step = _face_step(model, weights, left)
        if not _move_across_faces(model, weights, entries, step):
            return


def _lasso_residual(model: Quadratic, weights: Array) -> Array:
    """The smallest subgradient."""
    beyond = np.sign(model.slope) * np.maximum(np.abs(model.slope) - weights, 0)
    return np.where(model.at == 0, beyond, model.slope + weights * np.sign(model.at))


def _face_step(model: Quadratic, weights: Array, left: Array) -> tuple[Array, Array]:
    """Return the free entries, and the step to the minimum of their face.

    An entry that leaves 0 to the wrong side is not free after all.
    """
    entries = np.flatnonzero((model.at != 0) | (left != 0) | (weights == 0))
    while True:
        step = model.newton_step(entries, left[entries])
        leaves = (model.at[entries] == 0) & (weights[entries] > 0)
        wrong = leaves & (step * left[entries] > 0)
        if not wrong.any() or wrong.all():
            return entries, step
        entries = entries[~wrong]


def _move_across_faces(model: Quadratic, weights: Array, entries: Array, step: Array) -> bool:
    """Go to the minimum of the face or, if that is not in it, as far as is good; whether q fell."""
    u, w = model.at[entries], weights[entries]
    bound = w > 0
    to = model.at.copy()
    side = np.where(u != 0, np.sign(u), np.sign(step))
    end = u + step
    crossing = bound & (end * side < 0)
    to[entries] = np.where(crossing, 0.0, end)
    change, slope = _penalized_change(model, weights, to)
    if crossing.any():
        ray = model.at.copy()
        ray[entries] = _lowest_on_ray(model, w, entries, step)
        other_change, other_slope = _penalized_change(model, weights, ray)
        if other_change < change:
            change, slope, to = other_change, other_slope, ray
        if not change < 0:
            return False
    model.move(to, slope)
    return True


def _penalized_change(model: Quadratic, weights: Array, to: Array) -> tuple[float, Array]:
    change, slope = model.change(to)
    return change + float(weights @ (np.abs(to) - np.abs(model.at))), slope


def _lowest_on_ray(model: Quadratic, weights: Array, entries: Array, step: Array) -> Array:
    """Where q is lowest on a straight line: its slope rises, and jumps where an entry is 0."""
    u = model.at[entries]
    whole = np.zeros_like(model.at)
    whole[entries] = step
    curvature = float(whole @ (model.hessian @ whole))
    signs = np.where(u != 0, np.sign(u), np.sign(step))
    slope = float(model.slope @ whole + (weights * signs) @ step)
    with np.errstate(divide="ignore", invalid="ignore"):
        lengths = np.where((weights > 0) & (u * step < 0), -u / step, np.inf)
    reached = 0.0
    for i in np.argsort(lengths):
        if not np.isfinite(lengths[i]) or slope + curvature * (lengths[i] - reached) >= 0:
            break
        slope += curvature * (lengths[i] - reached)
        reached = float(lengths[i])
        slope += 2 * weights[i] * abs(step[i])
        if slope >= 0:  # the jump is where it changes sign
            lowest = u + reached * step
            lowest[i] = 0.0
            return lowest
    if curvature > 0:
        reached -= slope / curvature
    return np.asarray(u + reached * step)


def minimize_group_lasso(
    model: Quadratic,
    weights: Array,
    groups: Sequence[Array],
    *,
    precision: float,
    max_steps: int,
) -> None:
    """Minimise q with Ω(u) = Σ_g ω_g ‖u_g‖; leaves the solution in the model.

    Parameters
    ----------
    model : Quadratic
        The smooth part, and the start.
    weights : ndarray of shape (n_groups,)
        ω, positive.
    groups : sequence of ndarray of int
        The entries of each group; those in none are not penalised.
    precision : float
        Which part of the subgradient may be left.
    max_steps : int
        The most rounds, each of descent in all groups and a Cholesky factor.
    """
    free = np.ones(len(model.at), dtype=bool)
    for entries in groups:
        free[entries] = False
    bounds = [_largest_eigenvalue(model.hessian[np.ix_(g, g)]) for g in groups]
    first: float | None = None
    for _ in range(max_steps):
        size = float(np.linalg.norm(_group_residual(model, weights, groups, free)))
        first = size if first is None else first
        if size <= max(precision * first, _ROUNDING):
            return
        _descend_by_group(model, weights, groups, bounds)
        _newton_for_groups(model, weights, groups, np.flatnonzero(free))


def _largest_eigenvalue(matrix: Array) -> float:
    return float(np.linalg.eigvalsh(matrix)[-1])


def _group_residual(
    model: Quadratic, weights: Array, groups: Sequence[Array], free: Array
) -> Array:
    left = np.where(free, model.slope, 0.0)
    for entries, weight in zip(groups, weights, strict=True):
        u, slope = model.at[entries], model.slope[entries]
        norm, steep = np.linalg.norm(u), np.linalg.norm(slope)
        if norm > 0:
            left[entries] = slope + weight * u / norm
        elif steep > weight:
            left[entries] = (1 - weight / steep) * slope
    return left


def _descend_by_group(
    model: Quadratic, weights: Array, groups: Sequence[Array], bounds: Sequence[float]
) -> None:
    """One group after the other, with its curvature bounded by that of its steepest direction."""
    at, slope = model.at.copy(), model.slope.copy()
    for entries, weight, bound in zip(groups, weights, bounds, strict=True):
        if not bound > 0:
            continue
        u = at[entries]
        goal = u - slope[entries] / bound
        size = float(np.linalg.norm(goal))
        moved = goal * (1 - weight / (bound * size)) if bound * size > weight else 0.0 * goal
        step = moved - u
        if step.any():
            at[entries] = moved
            slope += step @ model.hessian[entries]
    model.move(at, slope)


def _newton_for_groups(
    model: Quadratic, weights: Array, groups: Sequence[Array], free: Array
) -> None:
    """Newton's step in the groups that are not 0 and in what is free, as far as q falls."""
    alive = [i for i, entries in enumerate(groups) if model.at[entries].any()]
    entries = np.concatenate([free, *(groups[i] for i in alive)]).astype(np.intp)
    if not len(entries):
        return
    slope = model.slope[entries]
    bend = np.zeros((len(entries), len(entries)))
    start = len(free)
    for i in alive:
        part = slice(start, start + len(groups[i]))
        start = part.stop
        norm = float(np.linalg.norm(model.at[groups[i]]))
        unit = model.at[groups[i]] / norm
        slope[part] += weights[i] * unit
        bend[part, part] = weights[i] / norm * (np.eye(len(unit)) - np.outer(unit, unit))
    step = model.newton_step(entries, slope, bend)
    before = _group_norms(model.at, groups, weights)
    length = 1.0
    for _ in range(6):
        to = model.at.copy()
        to[entries] += length * step
        change, there = model.change(to)
        if change + _group_norms(to, groups, weights) < before:
            model.move(to, there)
            return
        length /= 4


def _group_norms(at: Array, groups: Sequence[Array], weights: Array) -> float:
    return float(sum(w * np.linalg.norm(at[g]) for g, w in zip(groups, weights, strict=True)))
