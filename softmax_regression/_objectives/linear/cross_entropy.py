r"""Cross-entropy of a linear model, with an L2 penalty.

Scores are ``W x + b``. The flat vector of parameters is the matrix (W, b), a row for each output:
the intercept, where there is one, belongs to a last column of X that holds ones. With R the
weighted residuals s_i (p_i − y_i) and S the sum of weights,

    F(W, b) = 1/S · Σ_i s_i CE_i + l2/2 · ‖W‖²
    ∇_W F   = 1/S · R X + l2 · W,     ∇_b F = 1/S · R 1
    (∇²F) V = 1/S · R' X + l2 · V,    R' = s_i (diag(p_i) − p_i p_iᵀ) V x_i

The unknowns may be in other coordinates (see `coordinates.py`): the same function of Ṽ and ṽ_0.
Everything here is then in them, and `ridge`, the strength of the penalty, differs by column; that
of the intercept is 0.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression._data.design import Design
from softmax_regression._data.moments import Moments
from softmax_regression._data.sums import Sample, regrouped, sum_parts
from softmax_regression._losses.pointwise import PointwiseLoss
from softmax_regression._objectives.base import CrossEntropyObjective, Rows, Unconstrained
from softmax_regression._objectives.linear.coordinates import Coordinates
from softmax_regression._objectives.linear.dual_bound import DualBound
from softmax_regression._objectives.linear.intercept import (
    CurvatureMatrix,
    CurvatureProducts,
    Intercept,
)
from softmax_regression._objectives.linear.newton_dual import gap_without_penalty

Array = NDArray[Any]

_KEEP = 0.125  # of the size of X: more than that and
_KEEP_VALUES = 1 << 25  # (128 MB) is not spent on remembering probabilities
_EVEN = 0.1  # the weight of equal class shares beside the true ones
_MOST_RAISED = 1e6  # times its share, by which a class that hardly occurs may begin above it
_SMALL = 1 << 20  # probabilities: so many are remembered in the precision of X
_UPDATE_VALUES = 1 << 19  # numbers in the factor of one rank-k update: in the cache, long enough
_LEAST_ROWS = 64
_MANY_CLASSES = 256  # by the matrix of whose pairs a step of the intercept would take longest
_PER_PRODUCT = 4  # operations of an update that weigh as much as one of a product with X
_TINY = float(np.finfo(np.float64).tiny)
# Sizes of columns whose products in float32, and sums of these, neither overflow nor lose digits.
_SINGLE_PRECISION_SIZES = 1e-30, 1e30

Add = Callable[[Array, Array, Any], None]  # of rows, their probabilities, and sums to add to


class LinearCrossEntropy(Unconstrained, CrossEntropyObjective):
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
        n_columns = design.n_columns + fit_intercept
        super().__init__(
            design,
            loss,
            l2,
            n_params=loss.n_outputs * n_columns,
            n_penalized=loss.n_outputs * design.n_columns,
            width=loss.n_outputs,
        )
        self.fit_intercept = fit_intercept
        self.n_columns = n_columns
        self.intercept_entry = 1.0  # what stands in the column that belongs to the intercept
        self.coordinates: Coordinates | None = None  # those of X itself
        self._ridge_roots: Array = np.ones(n_columns)  # the root of the ridge if l2 were 1
        self._ridge_roots[design.n_columns :] = 0.0
        self.ridge: Array = _ridge(l2, self._ridge_roots)
        self._probabilities: tuple[Array, Array] | None = None  # where, and what they are there
        self._dual: DualBound | None = None
        self.intercept = Intercept()
        self._moments: Moments | None = None

    # -- the same function, written differently ----------------------------------------------------

    def standardized(self, moments: Moments | None = None) -> Self:
        """Return it in coordinates in which its curvature is about 1, by its own moments or others.

        Only for an objective in the coordinates of X.
        """
        return self.in_coordinates(
            Coordinates.standardizing(
                moments or self.moments(),
                l2=self.l2,
                n_classes=self.loss.n_classes,
                fit_intercept=self.fit_intercept,
            )
        )

    def in_coordinates(self, coordinates: Coordinates) -> Self:
        """Return it in other coordinates, from those of X."""
        other = self._copy()
        other.coordinates = coordinates
        other.intercept_entry = 1 / coordinates.intercept_scale
        other._ridge_roots = self._ridge_roots.copy()
        other._ridge_roots[: self.design.n_columns] /= coordinates.scales
        other.ridge = _ridge(self.l2, other._ridge_roots)
        return other.astype(self.dtype)

    def with_l2(self, l2: float) -> Self:
        """Return it with another strength of the penalty, in the same coordinates."""
        other = self._copy()
        other.l2, other.ridge = l2, _ridge(l2, self._ridge_roots)
        if self._dual is not None:
            other._dual = self._dual.of(other)
        return other

    def astype(self, dtype: Any) -> Self:
        """Return it as computed in another precision; in float64 where float32 has no room."""
        other = self._copy()
        other.design = self.design.astype(dtype if self._is_in_range(dtype) else np.float64)
        return other

    def _is_in_range(self, dtype: Any) -> bool:
        """Whether sums in some precision neither overflow nor lose digits."""
        if self.coordinates is None or np.dtype(dtype) == np.float64:
            return True
        scales, means = self.coordinates.scales, self.coordinates.means
        low, high = _SINGLE_PRECISION_SIZES
        return bool((scales >= low).all() and np.maximum(scales, np.abs(means)).max() <= high)

    def restricted(self, columns: NDArray[np.intp]) -> Self:
        """Return it as a function of the coefficients of some columns of X, and the intercept."""
        other = self._copy()
        other.design = self.design.select(columns)
        other.n_columns = len(columns) + self.fit_intercept
        other.n_params, other.n_penalized = (
            self.width * n for n in (other.n_columns, len(columns))
        )
        kept = np.append(columns, np.arange(self.design.n_columns, self.n_columns))
        other.ridge, other._ridge_roots = self.ridge[kept], self._ridge_roots[kept]
        other._moments = None if self._moments is None else self._moments.select(columns)
        if self.coordinates is not None:
            other.coordinates = self.coordinates.select(columns)
        return other

    def _copy(self) -> Self:
        other = copy.copy(self)
        other._probabilities = other._dual = None
        return other

    # -- parameters --------------------------------------------------------------------------------

    def matrix(self, params: Array) -> Array:
        """(W, b) as a view of the flat vector."""
        return params.reshape(self.width, self.n_columns)

    def unpack(self, params: Array) -> tuple[Array, Array]:
        """W and b (empty without an intercept) as views of the flat vector."""
        matrix = self.matrix(params)
        if not self.fit_intercept:
            return matrix, np.empty(0)
        return matrix[:, :-1], matrix[:, -1]

    def pack(self, coef: Array, intercept: Array) -> Array:
        """W and b in one flat vector."""
        if not self.fit_intercept:
            return coef.ravel()
        return np.concatenate([coef, intercept[:, None]], axis=1).ravel()

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
        return self.pack(coef, intercept)

    def null_model(self) -> tuple[Array, Array]:
        """W = 0 and nearly the best b for it, to begin with: one Newton step nearer on most data.

        Class shares are drawn towards equal ones. A class that hardly occurs would else begin so
        far out that it has no curvature; but from much too large a share, Newton's method comes
        down by one nat an iteration.
        """
        coef, intercept = self.unpack(np.zeros(self.n_params))
        if self.fit_intercept:
            shares = self.loss.class_shares
            raised = np.minimum(_EVEN / len(shares), _MOST_RAISED * shares)
            logits = np.log(np.maximum(shares + raised, np.finfo(np.float64).tiny))
            intercept[...] = logits[1:] - logits[:1] if self.width == 1 else logits - logits.mean()
        return coef, intercept

    def null_slopes(self) -> Array:
        """Gradient in W of the mean loss where W = 0 and b is the best: what a penalty holds up."""
        shares = self.loss.class_shares
        if not self.fit_intercept:
            shares = np.full_like(shares, 1 / len(shares))
        return shares[-self.width :, None] * self.row_mean() - self.target_mean()

    def centred(self, params: Array) -> Array:
        """Return them without what all classes have in common.

        That changes no probability and lowers the penalty; Newton's steps, taken in the differences
        between classes, leave it as it is.
        """
        return centred(self.matrix(params)).ravel()

    def columns(self, block: Design) -> Array:
        """Some rows in the coordinates of the parameters, transposed, in float64.

        With an intercept, its column is the last. It may be X itself: not to be changed.
        """
        if self.coordinates is None and self._has_all_columns(block):
            return block.toarray().T
        columns = np.empty((self.n_columns, block.n_rows))
        rows = block.toarray().T
        if self.coordinates is None:
            columns[: len(rows)] = rows
        else:
            self.coordinates.columns(rows, out=columns[: len(rows)])
        columns[len(rows) :] = self.intercept_entry
        return columns

    def _has_all_columns(self, block: Design) -> bool:
        """Whether the intercept, if there is one, has its column in the design."""
        return block.n_columns == self.n_columns

    # -- value and gradient ------------------------------------------------------------------------

    def for_rows(self, params: Array) -> Array:
        if self.coordinates is not None:
            params = self.pack(*self.to_model(params))
        return self.design.laid_out(self.matrix(params.astype(self.dtype, copy=False)))

    def scores(self, params: Array, block: Design) -> Array:
        return self._scores(block, self.for_rows(params))

    def _block_gradient(
        self, params: Array, block: Design, rows: Rows, out: Array, scratch: Array | None = None
    ) -> float:
        scores = self._scores(block, params, scratch)
        total = self.loss.value_and_residual(scores, rows)
        self._products(block, scores, out)
        return total

    def _scores(self, block: Design, params: Array, scratch: Array | None = None) -> Array:
        """Return the scores of some rows, in `scratch` if that is given."""
        if scratch is not None:
            scratch = scratch[: self.width * block.n_rows].reshape(self.width, block.n_rows)
        matrix = self.matrix(params)
        if self._has_all_columns(block):
            return block.scores(matrix, out=scratch)
        scores = block.scores(matrix[:, :-1], out=scratch)
        scores += matrix[:, -1:]
        return scores

    def _products(self, block: Design, residuals: Array, out: Array) -> None:
        """Write residuals times (X, 1) to a flat vector of the shape of the parameters."""
        matrix = self.matrix(out)
        if self._has_all_columns(block):
            block.weighted_sum(residuals, out=matrix)
        else:
            block.weighted_sum(residuals, out=matrix[:, :-1])
            residuals.sum(axis=1, out=matrix[:, -1])

    def _finish(self, params: Array, total: float, gradient: Array, share: float) -> float:
        self._average(gradient, share)
        matrix = self.matrix(params)
        penalty = self.ridge * matrix
        slopes = self.matrix(gradient)
        slopes += penalty
        return total * share + float(np.vdot(penalty, matrix)) / 2

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
            scratch = self._scratch(blocks)
            for rows in blocks:
                block = self.design[rows]
                p = self.block_probabilities(block, at) if known is None else known[:, rows]
                change = self._scores(block, towards, scratch)
                self.loss.curvature_product(p, change, rows)
                self._products(block, change, part)
                product += part
            return (product,)

        (product,) = sum_parts(self.design.map_blocks(work, self.width))
        self._average(product, 1 / self.design.n_rows)
        matrix = self.matrix(product)
        matrix += self.ridge * self.matrix(direction)
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

    def sum_over_rows(
        self,
        params: Array,
        sample: Sample | None,
        add: Add,
        shapes: Sequence[tuple[int, ...]],
        dtype: Any = np.float64,
    ) -> tuple[Array, ...]:
        """Let ``add(z, p, out)`` sum over all rows, or those drawn, with their weights in z.

        It gets z transposed, the intercept's 1 in the last row, multiplied by the root of the
        weight.
        """
        design = self.design if sample is None else self.design[sample.rows]
        typed = self.for_rows(params)
        step = max(_LEAST_ROWS, _UPDATE_VALUES // max(prod(s[:-1]) for s in shapes))

        def work(blocks: Sequence[slice]) -> tuple[Array, ...]:
            out = tuple(np.zeros(shape, dtype=dtype) for shape in shapes)
            for rows in regrouped(blocks, step):
                block = design[rows]
                p = self.block_probabilities(block, typed)
                z = self.columns(block)
                weight = self.loss.weight
                if sample is not None:
                    factor = sample.factor[rows]
                    weight = factor if weight is None else factor * weight[sample.rows[rows]]
                elif weight is not None:
                    weight = weight[rows]
                if weight is not None:
                    z = z * np.sqrt(weight)
                add(z.astype(dtype, copy=False), p.astype(dtype, copy=False), out)
            return out

        # A matrix for each thread is worth it where the updates are.
        updates = max(prod(s) for s in shapes) // _PER_PRODUCT
        return sum_parts(design.map_blocks(work, max(1, updates // max(1, design.n_columns))))

    def largest_change(self, direction: Array) -> float:
        """Return by how much a step changes the scores of a row, one class against another."""
        typed = self.for_rows(direction)

        def work(blocks: Sequence[slice]) -> float:
            scratch = self._scratch(blocks)
            scores = (self._scores(self.design[rows], typed, scratch) for rows in blocks)
            return max(largest_difference(of_rows) for of_rows in scores)

        return max(self.design.map_blocks(work, self.width), default=0.0)

    def _known_probabilities(self, params: Array) -> Array | None:
        """Probabilities of all rows, kept from the last call, if there is room for them."""
        if self.width * self.design.n_rows > max(_KEEP * self.design.n_values, _KEEP_VALUES):
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
        """Weighted means and deviations of the columns of X, from one pass that is remembered."""
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
        means = self.moments().means[: self.n_penalized // self.width]
        return means if self.coordinates is None else self.coordinates.rows(means)

    def target_mean(self) -> Array:
        """Weighted mean of y xᵀ, in the coordinates of the parameters."""

        def work(blocks: Sequence[slice]) -> tuple[Array]:
            total, part = np.zeros(self.n_params), np.empty(self.n_params, dtype=self.dtype)
            for rows in blocks:
                targets = self.loss.target_rows(rows).astype(self.dtype, copy=False)
                self._products(self.design[rows], targets, part)
                total += part
            return (total,)

        (total,) = sum_parts(self.design.map_blocks(work, self.width))
        self._average(total, 1 / self.design.n_rows)
        return self.unpack(total)[0]

    # -- the certificate ---------------------------------------------------------------------------

    @property
    def has_dual(self) -> bool:
        """Whether there is a penalty."""
        return self.l2 > 0

    def optimality_gap(
        self, params: Array, value: float, gradient: Array, enough: float = np.inf
    ) -> float:
        """F minus the dual lower bound: see `dual_bound.py`."""
        return self.dual.gap(params, value, gradient, enough) if self.has_dual else np.nan

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Bound F − min F by the exact Newton step there; inf if it proves nothing."""
        if self.has_dual:
            return self.dual.after_newton(params, step, decrement)
        return gap_without_penalty(self, params, step)

    def newton_dual(self, params: Array, step: Array) -> tuple[float, Array]:
        """Return what the distributions that a Newton step leads to cost, and their moments.

        Both as in `newton_dual.py`: the mean divergence, and how far the moments are from those of
        the targets, flat.
        """
        at, towards = self.for_rows(params), self.for_rows(step)

        def work(blocks: Sequence[slice]) -> tuple[float, Array]:
            total, moments = 0.0, np.zeros(self.n_params)
            part = np.empty(self.n_params, dtype=self.dtype)
            scratch = self._scratch(blocks)
            for rows in blocks:
                block = self.design[rows]
                scores, change = self._scores(block, at), self._scores(block, towards, scratch)
                total += self.loss.newton_divergence(scores, change, rows)
                self._products(block, change, part)
                moments += part
            return total, moments

        total, moments = sum_parts(self.design.map_blocks(work, self.width))
        self._average(moments, 1 / self.design.n_rows)
        return total / self.design.n_rows, moments

    def separates(self, params: Array) -> bool:
        """Whether the scores of every row of weight are highest for its own class: a proof."""
        at = self.for_rows(params)

        def work(blocks: Sequence[slice]) -> bool:
            scratch = self._scratch(blocks)
            return all(
                self.loss.are_right(self._scores(self.design[rows], at, scratch), rows)
                for rows in blocks
            )

        return all(self.design.map_blocks(work, self.width))

    def likely_gap(self, gradient: Array) -> float:
        """Estimate the optimality gap from little but a gradient; 0 where that is unknown."""
        return self.dual.without_repair(gradient) if self.has_dual else 0.0

    @property
    def dual(self) -> DualBound:
        """The lower bound, and what it remembers."""
        if self._dual is None:
            self._dual = DualBound(self)
        return self._dual

    def last_step(self, params: Array, residual: Array) -> Array | None:
        """Take from the residual of the Newton equations its part in the intercept."""
        if not self.fit_intercept or not self.has_dual:
            return None
        self.renew_intercept(params)
        step = np.zeros(self.n_params)
        excess = self.unpack(-residual)[1] / self.intercept_entry
        self.unpack(step)[1][...] = self.intercept.step(excess) / self.intercept_entry
        return step

    def renew_intercept(self, params: Array) -> Array:
        """Compute the curvature in b; return by how much the totals of the classes are off."""
        if self.width > _MANY_CLASSES and self.width * self.design.n_rows <= _KEEP_VALUES:
            return self._excess(self._totals_and_products(params))
        if self._probabilities is None or not np.array_equal(self._probabilities[0], params):
            parts = self.map_probabilities(params, self._totals)
        else:
            known = self._probabilities[1]

            def work(blocks: Sequence[slice]) -> list[tuple[Array, Array]]:
                return [self._totals(self.design[rows], known[:, rows], rows) for rows in blocks]

            runs = self.design.map_blocks(work, self.width)
            parts = [part for run in runs for part in run]
        totals, spread = sum_parts(parts)
        self.intercept.curvature = CurvatureMatrix(spread / self.loss.n_rows)
        return self._excess(totals)

    def _excess(self, totals: Array) -> Array:
        return totals / self.loss.n_rows - self.loss.class_shares[-self.width :]

    def _totals_and_products(self, params: Array) -> Array:
        """Return the totals of the classes, and keep what multiplies by the curvature in b."""
        kept = np.empty((self.width, self.design.n_rows), dtype=np.float32)

        def keep(block: Design, p: Array, rows: slice) -> tuple[Array, Array]:
            kept[:, rows] = p
            squares = np.square(p)
            self.loss.weigh(squares, rows)
            self.loss.weigh(p, rows)
            return p.sum(axis=1, dtype=np.float64), squares.sum(axis=1, dtype=np.float64)

        totals, squares = sum_parts(self.map_probabilities(params, keep))

        def product(direction: Array) -> Array:
            typed = direction.astype(np.float32)

            def work(blocks: Sequence[slice]) -> tuple[Array]:
                total = np.zeros(self.width)
                for rows in blocks:
                    p = kept[:, rows]
                    means = typed @ p
                    self.loss.weigh(means, rows)
                    total += p @ means
                return (total,)

            (total,) = sum_parts(self.design.map_blocks(work, self.width))
            return (totals * direction - total) / self.loss.n_rows

        diagonal = (totals - squares) / self.loss.n_rows
        self.intercept.curvature = CurvatureProducts(product, diagonal)
        return totals

    def _totals(self, block: Design, probabilities: Array, rows: slice) -> tuple[Array, Array]:
        weighted = probabilities
        if self.loss.weight is not None:
            weighted = probabilities.copy()
            self.loss.weigh(weighted, rows)
        totals = weighted.sum(axis=1, dtype=np.float64)
        if len(weighted) == 1:
            return totals, weighted @ (1 - probabilities).T  # no difference of nearly equal sums
        products = weighted @ probabilities.T
        # The rows of diag(p) − p pᵀ sum to 0: so the diagonal of a rare class keeps its digits.
        np.fill_diagonal(products, 0.0)
        return totals, np.diag(products.sum(axis=1)) - products

    def curvature_bound(self) -> float:
        """Bound the curvature of F in standardised coordinates.

        The Hessian of CE in the scores is at most 1/2 (1/4 for a single score), so that of F is at
        most 1/2 · Σ s_i ‖(z_i, 1/t_0)‖² / S plus that of the penalty, in every direction.
        """
        assert self.coordinates is not None
        curvature = self.coordinates.intercept_scale**2
        # By construction t² − l2 is c times the variance of a column (or its mean square).
        spread = np.maximum(1 - self.ridge, 0) / curvature  # and 1 for the intercept
        return 0.5 * float(spread.sum()) + float(self.ridge.max(initial=0))


def _ridge(l2: float, roots: Array) -> Array:
    """Return l2 times the squares of some roots: where it is a penalty, it does not vanish."""
    ridge = np.square(np.sqrt(l2) * roots)
    return np.maximum(ridge, np.where(roots > 0, _TINY, 0.0)) if l2 > 0 else ridge


def centred(matrix: Array) -> Array:
    """Return (W, b) less what its rows have in common; a single row has nothing to share."""
    return matrix - np.add.reduce(matrix) / len(matrix) if len(matrix) > 1 else matrix


def largest_difference(scores: Array) -> float:
    """Return the largest of a row, where that of a class left out is 0."""
    if len(scores) == 1:
        return float(np.abs(scores).max(initial=0.0))
    return float((np.maximum.reduce(scores) - np.minimum.reduce(scores)).max(initial=0.0))
