r"""Cross-entropy of a linear model, with an L2 penalty.

Scores are ``W x + b``, parameters class-major: W of shape (n_outputs, n_columns) and then, with an
intercept, b of shape (n_outputs,), in one flat vector. With R the weighted residuals
s_i (p_i − y_i) and S the sum of weights,

    F(W, b) = 1/S · Σ_i s_i CE_i + l2/2 · ‖W‖²
    ∇_W F   = 1/S · R X + l2 · W,     ∇_b F = 1/S · R 1
    (∇²F) V = 1/S · R' X + l2 · V,    R' = s_i (diag(p_i) − p_i p_iᵀ) V x_i

The unknowns may be in other coordinates (see `_coordinates.py`): the same function of Ṽ and ṽ_0.
Everything here is then in them, and `ridge`, the strength of the penalty, differs by column.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression.design import DenseDesign, Design, Moments
from softmax_regression.objectives._base import CrossEntropyObjective, Rows, sum_parts
from softmax_regression.objectives._coordinates import Coordinates
from softmax_regression.objectives._dual import DualBound
from softmax_regression.objectives._losses import PointwiseLoss

Array = NDArray[Any]

_KEEP = 0.125  # of the size of X: more is not spent on remembering probabilities
_SMALL = 1 << 18  # probabilities: so many are always remembered


class LinearCrossEntropy(CrossEntropyObjective):
    """F(W, b); see the module's text for the mathematics.

    Parameters
    ----------
    design : Design
        X.
    loss : PointwiseLoss
        Targets and weights of the same rows.
    l2 : float
        Strength of the penalty beside a *mean* cross-entropy: 1 / (C S).
    fit_intercept : bool
        Whether there is a b.
    """

    def __init__(self, design: Design, loss: PointwiseLoss, l2: float, fit_intercept: bool):
        n_coef = loss.n_outputs * design.n_columns
        super().__init__(
            design,
            loss,
            l2,
            n_params=n_coef + loss.n_outputs * fit_intercept,
            n_penalized=n_coef,
            width=loss.n_outputs,
        )
        self.fit_intercept = fit_intercept
        self.coordinates: Coordinates | None = None  # those of X itself
        self.ridge: Array = np.full(design.n_columns, l2)
        self._probabilities: tuple[Array, Array] | None = None  # where, and what they are there
        self._dual: DualBound | None = None
        self._moments: Moments | None = None

    # -- the same function, written differently ----------------------------------------------------

    def standardized(self, moments: Moments | None = None) -> Self:
        """Return it in coordinates in which its curvature is about 1, by its own moments or others.

        Only for an objective in the coordinates of X.
        """
        coordinates = Coordinates.standardizing(
            moments or self.moments(),
            l2=self.l2,
            n_classes=self.loss.n_classes,
            fit_intercept=self.fit_intercept,
        )
        other = self._copy()
        other.coordinates = coordinates
        other.ridge = self.l2 / np.square(coordinates.scales)
        return other

    def materialized(self) -> Self:
        """Return it with X in its coordinates, as a dense copy in float64."""
        assert self.coordinates is not None
        other = self._copy()
        other._moments = None
        other.design = DenseDesign(self.coordinates.rows(self.design.toarray()))
        n_columns = self.design.n_columns
        other.coordinates = Coordinates(
            np.zeros(n_columns), np.ones(n_columns), self.coordinates.intercept_scale
        )
        return other

    def astype(self, dtype: Any) -> Self:
        """Return it as computed in another precision."""
        other = self._copy()
        other.design = self.design.astype(dtype)
        return other

    def _copy(self) -> Self:
        other = copy.copy(self)
        other._probabilities = other._dual = None
        return other

    # -- parameters --------------------------------------------------------------------------------

    def unpack(self, params: Array) -> tuple[Array, Array]:
        """W and b (empty without an intercept) as views of the flat vector."""
        coef = params[: self.n_penalized].reshape(self.loss.n_outputs, self.design.n_columns)
        return coef, params[self.n_penalized :]

    def to_model(self, params: Array) -> tuple[Array, Array]:
        """W and b for parameters in the coordinates of this objective."""
        coef, intercept = self.unpack(params)
        if self.coordinates is None:
            return coef, intercept
        return self.coordinates.to_model(coef, intercept)

    def from_model(self, coef: Array, intercept: Array) -> Array:
        """Return the parameters, in the coordinates of this objective, for W and b."""
        if self.coordinates is not None:
            coef, intercept = self.coordinates.from_model(coef, intercept)
        return np.concatenate([coef.ravel(), intercept])

    def centred(self, params: Array) -> Array:
        """Return them without what all classes have in common.

        That changes no probability and lowers the penalty; Newton's steps, taken in the differences
        between classes, leave it as it is.
        """
        params = params.copy()
        if self.width > 1:
            for part in self.unpack(params):
                part -= part.mean(axis=0) if len(part) else 0.0
        return params

    @property
    def intercept_entry(self) -> float:
        """What stands in the column of ones that belongs to the intercept."""
        return 1.0 if self.coordinates is None else 1 / self.coordinates.intercept_scale

    def columns(self, block: Design) -> Array:
        """Some rows in the coordinates of the parameters, transposed, a new array in float64.

        With an intercept, its column is the last.
        """
        columns = np.empty((block.n_columns + self.fit_intercept, block.n_rows))
        rows = (
            block.toarray() if self.coordinates is None else self.coordinates.rows(block.toarray())
        )
        columns[: block.n_columns] = rows.T
        columns[block.n_columns :] = self.intercept_entry
        return columns

    # -- value and gradient ------------------------------------------------------------------------

    def for_rows(self, params: Array) -> Array:
        if self.coordinates is not None:
            coef, intercept = self.to_model(params)
            params = np.concatenate([coef.ravel(), intercept])
        return params.astype(self.dtype, copy=False)

    def _block_gradient(self, params: Array, block: Design, rows: Rows, out: Array) -> float:
        scores = self._scores(block, params)
        total = self.loss.value_and_residual(scores, rows)
        self._products(block, scores, out)
        return total

    def _scores(self, block: Design, params: Array) -> Array:
        coef, intercept = self.unpack(params)
        scores = block.scores(coef)
        if self.fit_intercept:
            scores += intercept[:, None]
        return scores

    def _products(self, block: Design, residuals: Array, out: Array) -> None:
        """Write residuals times (X, 1) to a flat vector of the shape of the parameters."""
        coef, intercept = self.unpack(out)
        block.weighted_sum(residuals, out=coef)
        if self.fit_intercept:
            residuals.sum(axis=1, out=intercept)

    def _finish(self, params: Array, total: float, gradient: Array, share: float) -> float:
        self._average(gradient, share)
        coef, slope = self.unpack(params)[0], self.unpack(gradient)[0]
        penalty = self.ridge * coef
        slope += penalty
        return total * share + float(np.vdot(penalty, coef)) / 2

    def _average(self, gradient: Array, share: float) -> None:
        """Turn sums of residuals times (X, 1) into means, in the coordinates of the parameters."""
        gradient *= share
        if self.coordinates is not None:
            self.coordinates.pull_back(*self.unpack(gradient))

    # -- curvature ---------------------------------------------------------------------------------

    def hessian_product(self, params: Array, direction: Array) -> Array:
        """Multiply the Hessian by a direction; the probabilities at `params` are kept between."""
        known = self._known_probabilities(params)
        at, towards = self.for_rows(params), self.for_rows(direction)

        def work(blocks: Sequence[slice]) -> tuple[Array]:
            product, part = np.zeros(self.n_params), np.empty(self.n_params, dtype=self.dtype)
            for rows in blocks:
                block = self.design[rows]
                p = self.block_probabilities(block, at) if known is None else known[:, rows]
                change = self._scores(block, towards)
                self.loss.curvature_product(p, change, rows)
                self._products(block, change, part)
                product += part
            return (product,)

        (product,) = sum_parts(self.design.map_blocks(work, self.width))
        self._average(product, 1 / self.design.n_rows)
        self.unpack(product)[0][...] += self.ridge * self.unpack(direction)[0]
        return product

    def block_probabilities(self, block: Design, params: Array) -> Array:
        """Probabilities of some rows, class-major, from parameters made by `for_rows`."""
        scores = self._scores(block, params)
        self.loss.probabilities(scores)
        return scores

    def map_probabilities(self, params: Array, use: Any) -> list[Any]:
        """Return what ``use(block, probabilities, rows)`` gives for each block of rows."""
        typed = self.for_rows(params)

        def work(blocks: Sequence[slice]) -> list[Any]:
            results = []
            for rows in blocks:
                block = self.design[rows]
                results.append(use(block, self.block_probabilities(block, typed), rows))
            return results

        return [result for run in self.design.map_blocks(work, self.width) for result in run]

    def _known_probabilities(self, params: Array) -> Array | None:
        """Probabilities of all rows, kept from the last call, if there is room for them."""
        if self.width * self.design.n_rows > max(_KEEP * self.design.n_values, _SMALL):
            return None
        if self._probabilities is None or not np.array_equal(self._probabilities[0], params):
            shape = self.width, self.design.n_rows
            # Rounded to float32 they are those of a matrix as near the Hessian as can matter.
            precise = self.width * self.design.n_rows <= _SMALL
            kept = np.empty(shape, dtype=self.dtype if precise else np.float32)
            if self._probabilities is not None:
                kept = self._probabilities[1]

            def keep(block: Design, probabilities: Array, rows: slice) -> None:
                kept[:, rows] = probabilities

            self.map_probabilities(params, keep)
            self._probabilities = params.copy(), kept
        return self._probabilities[1]

    # -- moments -----------------------------------------------------------------------------------

    def moments(self) -> Moments:
        """Weighted means and variances of the columns of X, from one pass that is remembered."""
        if self._moments is None:
            self._moments = self._measure_moments()
        return self._moments

    def _measure_moments(self) -> Moments:

        def work(blocks: Sequence[slice]) -> Moments:
            return Moments.pooled(
                self.design[rows].moments(self.loss.row_weights(rows)) for rows in blocks
            )

        return Moments.pooled(self.design.map_blocks(work, 1))

    def row_mean(self) -> Array:
        """Weighted mean of the rows, in the coordinates of the parameters."""
        means = self.moments().means
        return means if self.coordinates is None else self.coordinates.rows(means)

    def target_mean(self) -> Array:
        """Weighted mean of y xᵀ, in the coordinates of the parameters."""

        def work(blocks: Sequence[slice]) -> tuple[Array]:
            total = np.zeros((self.width, self.design.n_columns))
            for rows in blocks:
                targets = self.loss.target_rows(rows).astype(self.dtype, copy=False)
                total += self.design[rows].weighted_sum(targets)
            return (total,)

        (total,) = sum_parts(self.design.map_blocks(work, self.width))
        intercept = self.loss.class_shares[-self.width :] * (1.0 if self.fit_intercept else 0.0)
        both = np.concatenate([total.ravel(), intercept[: self.n_params - self.n_penalized]])
        both[: self.n_penalized] /= self.design.n_rows
        if self.coordinates is not None:
            self.coordinates.pull_back(*self.unpack(both))
        return self.unpack(both)[0]

    # -- the certificate ---------------------------------------------------------------------------

    @property
    def convex(self) -> bool:
        """Always."""
        return True

    @property
    def has_dual(self) -> bool:
        """Whether there is a penalty, and no class whose intercept must go to −inf."""
        return self.l2 > 0 and not (self.fit_intercept and 0 in self.loss.class_shares)

    def optimality_gap(
        self, params: Array, value: float, gradient: Array, enough: float = np.inf
    ) -> float:
        """F minus the dual lower bound: see `_dual.py`."""
        if not self.has_dual:
            return np.nan
        if self._dual is None:
            self._dual = DualBound(self)
        return self._dual.gap(params, value, gradient, enough)

    def curvature_bound(self) -> float:
        """Bound the curvature of F in standardised coordinates.

        The Hessian of CE in the scores is at most 1/2 (1/4 for a single score), so that of F is at
        most 1/2 · Σ s_i ‖(z_i, 1/t_0)‖² / S plus that of the penalty, in every direction.
        """
        assert self.coordinates is not None
        curvature = self.coordinates.intercept_scale**2
        # By construction t² − l2 is c times the variance of a column (or its mean square).
        spread = np.maximum(1 - self.ridge, 0) / curvature
        return 0.5 * float(spread.sum() + self.fit_intercept / curvature) + float(
            self.ridge.max(initial=0)
        )
