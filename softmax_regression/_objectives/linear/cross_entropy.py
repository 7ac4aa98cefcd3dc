r"""Cross-entropy of a linear model, with an L2 penalty.

Scores are ``W x + b``. The flat vector of parameters is the matrix (W, b), a row for each output:
the intercept, where there is one, belongs to a last column of X that holds ones. With R the
weighted residuals s_i (p_i − y_i) and S the sum of weights,

    F(W, b) = 1/S · Σ_i s_i CE_i + l2/2 · ‖W‖²
    ∇_W F   = 1/S · R X + l2 · W,     ∇_b F = 1/S · R 1
    (∇²F) V = 1/S · R' X + l2 · V,    R' = s_i (diag(p_i) − p_i p_iᵀ) V x_i

The unknowns may be in other coordinates (see `coordinates.py`), as the same function of Ṽ and ṽ_0.
Everything here is then in these coordinates, and `ridge`, the strength of the penalty, has a number
for each column, which is 0 for the intercept.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression._data.dataset import Dataset, RowBlocks
from softmax_regression._data.design import Design
from softmax_regression._data.moments import Moments
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.pointwise import PointwiseLoss
from softmax_regression._objectives.base import CrossEntropyObjective, Unconstrained
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.coordinates import Coordinates, RowMap
from softmax_regression._objectives.linear.dual_bound import (
    dual_gap,
    gap_after_newton,
    slopes_at_best_intercept,
)
from softmax_regression._objectives.linear.free_step import FARTHER, FreeStepBound
from softmax_regression._objectives.linear.intercept import intercept_hessian
from softmax_regression._objectives.linear.kernels import (
    Direction,
    are_separated,
    gradient_sums,
    hessian_product_sums,
    largest_change,
    scores_of,
    write_gradient,
    write_probabilities,
)
from softmax_regression._objectives.linear.layout import LinearLayout, centred
from softmax_regression._objectives.linear.newton_dual import gap_by_newton_dual
from softmax_regression._objectives.linear.null_model import null_model, null_sums
from softmax_regression._penalties.ridge import Ridge

# Probabilities are kept if they are at most as many as this share of the values of X, or as this
# number, which takes 128 MB in float32.
_KEPT_SHARE = 0.125
_KEPT_PROBABILITIES = 1 << 25
_PRECISE_PROBABILITIES = 1 << 20  # Up to this number they are kept in the precision of X.
# Range of the sizes of columns whose products in float32 neither overflow nor underflow.
_SINGLE_PRECISION_SIZES = 1e-30, 1e30


class LinearCrossEntropy(Unconstrained, CrossEntropyObjective):
    """The objective F(W, b); see the module's text for the mathematics.

    Parameters
    ----------
    design : Design
        X.
    loss : PointwiseLoss
        Targets and weights of the same rows.
    l2 : float
        Strength of the penalty relative to a *mean* cross-entropy: 1 / (C S).
    fit_intercept : bool
        Whether the model has an intercept b.
    """

    def __init__(self, design: Design, loss: PointwiseLoss, l2: float, fit_intercept: bool):
        data = Dataset(design, loss)
        layout = LinearLayout(data.n_outputs, data.n_columns, fit_intercept)
        self._assemble(data, layout, _ridge(layout, l2), RowMap(layout.n_columns))

    @classmethod
    def of_rows(
        cls, data: RowBlocks, l2: float, fit_intercept: bool, penalty: Ridge | None = None
    ) -> Self:
        """Return the objective for rows in any storage, perhaps with another penalty.

        Parameters
        ----------
        data : RowBlocks
            The rows.
        l2 : float
            As for the class.
        fit_intercept : bool
            As for the class.
        penalty : Ridge, default=None
            The penalty of the columns of (W, b), if it differs between features.
        """
        layout = LinearLayout(data.n_outputs, data.n_columns, fit_intercept)
        objective = cls.__new__(cls)
        objective._assemble(data, layout, penalty or _ridge(layout, l2), RowMap(layout.n_columns))
        return objective

    def _assemble(
        self, data: RowBlocks, layout: LinearLayout, penalty: Ridge, row_map: RowMap
    ) -> None:
        self.data = data
        self.layout = layout
        self.penalty = penalty
        self.row_map = row_map
        self.l2, self.ridge = penalty.l2, penalty.strengths
        self.n_params, self.width = layout.n_params, layout.n_outputs
        self.n_columns, self.fit_intercept = layout.n_columns, layout.fit_intercept

    def _derived(
        self,
        data: RowBlocks | None = None,
        layout: LinearLayout | None = None,
        penalty: Ridge | None = None,
        row_map: RowMap | None = None,
    ) -> Self:
        """Return the objective with some of its parts replaced."""
        other = type(self).__new__(type(self))
        other._assemble(
            data or self.data,
            layout or self.layout,
            penalty or self.penalty,
            row_map or self.row_map,
        )
        return other

    # -- the same function in other unknowns, precisions and strengths -----------------------------

    @property
    def coordinates(self) -> Coordinates | None:
        """The coordinates of the parameters; None for those of X."""
        return self.row_map.coordinates

    def standardized(self, moments: Moments | None = None) -> Self:
        """Return the objective in coordinates in which its curvature is about 1.

        The moments of X are by default its own. The objective must be in the coordinates of X.
        """
        return self.in_coordinates(
            Coordinates.standardizing(
                moments or self.data.moments(),
                ridge_roots=self.penalty.strength_roots[: self.layout.n_features],
                n_classes=self.data.n_classes,
                fit_intercept=self.fit_intercept,
            )
        )

    def in_coordinates(self, coordinates: Coordinates) -> Self:
        """Return the objective, which must be in the coordinates of X, in other coordinates."""
        penalty = self.penalty.divided_by(coordinates.scales)
        row_map = RowMap(self.n_columns, coordinates, 1 / coordinates.intercept_scale)
        return self._derived(penalty=penalty, row_map=row_map).astype(self.dtype)

    def with_l2(self, l2: float) -> Self:
        """Return the objective with another strength of the penalty, in the same coordinates."""
        return self._derived(penalty=self.penalty.with_strength(l2))

    def with_penalty(self, penalty: Ridge) -> Self:
        """Return the objective with another penalty, in the same coordinates."""
        return self._derived(penalty=penalty)

    def astype(self, dtype: Any) -> Self:
        """Return the objective as computed in a dtype, or in float64 if its range is too small."""
        return self._derived(self.data.astype(dtype if self._is_in_range(dtype) else np.float64))

    def _is_in_range(self, dtype: Any) -> bool:
        """Return whether sums in a dtype neither overflow nor underflow."""
        if self.coordinates is None or np.dtype(dtype) == np.float64:
            return True
        scales, means = self.coordinates.scales, self.coordinates.means
        low, high = _SINGLE_PRECISION_SIZES
        return bool((scales >= low).all() and np.maximum(scales, np.abs(means)).max() <= high)

    def restricted(self, columns: NDArray[np.intp]) -> Self:
        """Return the objective as a function of the coefficients of some columns, and of b."""
        layout = LinearLayout(self.width, len(columns), self.fit_intercept)
        kept = np.append(columns, np.arange(self.layout.n_features, self.n_columns))
        return self._derived(
            self.data.select(columns),
            layout,
            self.penalty.select(kept),
            self.row_map.select(columns, layout.n_columns),
        )

    # -- parameters --------------------------------------------------------------------------------

    def matrix(self, params: Array) -> Array:
        """Return (W, b) as a view of the flat vector."""
        return self.layout.matrix(params)

    def to_model(self, params: Array) -> tuple[Array, Array]:
        """Return W and b for parameters in the coordinates of this objective."""
        coef, intercept = self.layout.unpack(params)
        if self.coordinates is None:
            return coef, intercept
        return self.coordinates.to_model(coef, intercept)

    def from_model(self, coef: Array, intercept: Array) -> Array:
        """Return the parameters, in the coordinates of this objective, for W and b."""
        if self.coordinates is not None:
            coef, intercept = self.coordinates.from_model(coef, intercept)
        return self.layout.pack(coef, intercept)

    def null_model(self) -> tuple[Array, Array]:
        """Return W = 0 and nearly the best b for it, as a start."""
        return null_model(self.data, self.layout)

    def centred(self, params: Array) -> Array:
        """Return the parameters less their mean over classes."""
        return centred(self.layout.matrix(params)).ravel()

    # -- value and gradient ------------------------------------------------------------------------

    def for_rows(self, params: Array) -> Array:
        """Return (W, b) in the coordinates and precision of X, in the form that kernels take."""
        if self.coordinates is not None:
            params = self.layout.pack(*self.to_model(params))
        return self.data.laid_out(self.layout.matrix(params.astype(self.dtype, copy=False)))

    def value_and_gradient(self, params: Array) -> tuple[float, Array]:
        if self._ignores_rows(params):
            total, gradient = null_sums(self.data, self.layout, self.to_model(params)[1])
        else:
            total, gradient = self._summed(gradient_sums, self.for_rows(params))
        gradient = gradient.ravel()
        return self._finish(params, total, gradient, 1 / self.data.n_rows), gradient

    def _ignores_rows(self, params: Array) -> bool:
        """Return whether W = 0, so that the means of X do for rows that would be read anew."""
        of_ones = self.data.n_columns > self.layout.n_features  # X has a column for the intercept.
        if self.data.remembers_rows or self.data.has_offset or of_ones:
            return False
        return not self.to_model(params)[0].any()

    def batch_value_and_gradient(
        self, params: Array, rows: NDArray[np.intp], gradient: Array
    ) -> float:
        X, loss = self.design[rows], self.loss
        out = self.layout.matrix(gradient)
        total = write_gradient(X, loss, rows, self.for_rows(params), out)
        return self._finish(params, total, gradient, self.share_of_row / len(rows))

    def scores(self, params: Array, block: Design) -> Array:
        return scores_of(block, self.for_rows(params))

    def _summed(self, kernel: Any, params: Any, **how: Any) -> Any:
        return self.data.map_reduce(kernel, params, width=self.width, **how)

    def _finish(self, params: Array, total: float, gradient: Array, share: float) -> float:
        self.pull_sums(gradient, share)
        matrix = self.layout.matrix(params)
        penalty = self.ridge * matrix
        slopes = self.layout.matrix(gradient)
        slopes += penalty
        return total * share + float(np.vdot(penalty, matrix)) / 2

    def pull_sums(self, gradient: Array, share: float) -> None:
        """Convert sums of residuals times (X, 1) to means in the objective's coordinates."""
        gradient *= share
        if self.coordinates is not None:
            self.coordinates.pull_gradient(*self.layout.unpack(gradient))

    # -- curvature ---------------------------------------------------------------------------------

    def hessian_product(self, at: Evaluation, direction: Array) -> Array:
        """Multiply the Hessian by a direction; the probabilities are kept with the evaluation."""
        matrices = Direction(self.for_rows(at.params), self.for_rows(direction))
        kept = self._probabilities(at, matrices.params)
        (product,) = self._summed(hessian_product_sums, matrices, kept=kept)
        product = product.ravel()
        self.pull_sums(product, 1 / self.data.n_rows)
        matrix = self.layout.matrix(product)
        matrix += self.ridge * self.layout.matrix(direction)
        return product

    def rows_at_once(self, at: Evaluation) -> tuple[Array, Array] | None:
        """Return √s z and the probabilities of all rows, transposed, if X is one block; else None.

        Callers must not change them.
        """
        return None

    def known_probabilities(self, at: Evaluation) -> Any:
        """Return the precise probabilities of all rows if they are known; else None."""
        return None

    def largest_change(self, direction: Array) -> float:
        """Return the largest change by a step of a difference of two scores of a row."""
        return self._summed(largest_change, self.for_rows(direction), reduce=max)

    def _probabilities(self, at: Evaluation, matrix: Array) -> Any:
        """Return the probabilities of all rows, which the evaluation keeps; None for too many."""
        n_kept = self.width * self.data.n_rows
        if not self.data.remembers_rows or n_kept > max(
            _KEPT_SHARE * self.data.n_values, _KEPT_PROBABILITIES
        ):
            return None
        if at.probabilities is None:
            # Rounding to float32 changes the Hessian by less than matters for its products.
            dtype = self.dtype if n_kept <= _PRECISE_PROBABILITIES else np.float32
            kept = self.data.values_of_rows(self.width, dtype)
            self._summed(write_probabilities, matrix, kept=kept)
            at.probabilities = kept
        return at.probabilities

    # -- the certificate ---------------------------------------------------------------------------

    @property
    def has_dual(self) -> bool:
        """Whether there is a penalty, and so a dual bound."""
        return self.l2 > 0

    @property
    def smooth(self) -> Self:
        """The objective itself, which has no other part."""
        return self

    @property
    def conjugate(self) -> Ridge:
        """The whole penalty, for the dual bound."""
        return self.penalty

    def certify(self, at: Evaluation, enough: float, sharp: bool) -> float:
        """Bound F − min F from above, NaN without a penalty."""
        if not self.has_dual:
            return np.nan
        if self.penalty.unpenalized is not None or self.data.has_offset:
            return FreeStepBound(self)(at, enough, sharp)
        return dual_gap(self, at, enough, sharp)

    def gap_by_newton(self, params: Array, step: Array, decrement: float) -> float:
        """Bound F − min F by the exact Newton step from the parameters; inf without a bound."""
        if not self.has_dual:
            return gap_by_newton_dual(self, params, step)
        if self.penalty.unpenalized is None:
            return gap_after_newton(self, params, step, decrement)
        return gap_by_newton_dual(self, params, step, farther=FARTHER)

    def separates(self, params: Array) -> bool:
        """Return whether the score of each row of positive weight is highest for its own class."""
        return self._summed(are_separated, self.for_rows(params), reduce=all)

    def likely_gap(self, gradient: Array) -> float:
        """Estimate the optimality gap from a gradient, without a pass over rows; 0 if unknown."""
        if not self.has_dual:
            return 0.0
        slopes, gain = slopes_at_best_intercept(self, gradient)
        if (free := self.penalty.unpenalized) is not None:  # Their curvature is about 1.
            gain += 0.5 * float(np.square(slopes[:, free]).sum())
            slopes = np.where(free, 0.0, slopes)
        return self.penalty.half_square(slopes) + gain

    def last_step(self, at: Evaluation, residual: Array) -> Array | None:
        """Return a step of b that removes the residual of the Newton equations in the intercept."""
        if not self.fit_intercept or not self.has_dual:
            return None
        _, hessian = intercept_hessian(self.data, self.for_rows(at.params), at.probabilities)
        step = np.zeros(self.n_params)
        excess = self.layout.unpack(-residual)[1] / self.row_map.intercept_entry
        self.layout.unpack(step)[1][...] = hessian.step(excess) / self.row_map.intercept_entry
        return step

    def curvature_bound(self) -> float:
        """Return an upper bound of the curvature of F in standardised coordinates."""
        assert self.coordinates is not None
        return self.coordinates.curvature_bound(self.ridge)


def _ridge(layout: LinearLayout, l2: float) -> Ridge:
    """Return the penalty that is equal for all features."""
    roots = np.ones(layout.n_columns)
    roots[layout.n_features :] = 0.0
    return Ridge(l2, roots)
