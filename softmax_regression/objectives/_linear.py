r"""Cross-entropy of a linear model, with an L2 penalty.

Scores are ``W x + b``, parameters class-major: W of shape (n_outputs, n_columns) and then, with an
intercept, b of shape (n_outputs,), in one flat vector. With R the weighted residuals
s_i (p_i − y_i) and S the sum of weights,

    F(W, b) = 1/S · Σ_i s_i CE_i + l2/2 · ‖W‖²
    ∇_W F   = 1/S · R X + l2 · W,     ∇_b F = 1/S · R 1
    (∇²F) V = 1/S · R' X + l2 · V,    R' = s_i (diag(p_i) − p_i p_iᵀ) V x_i

The lower bound
---------------
log Σ exp(z) ≥ q·z + H(q) for every distribution q, with H its entropy, and equal at q = softmax(z).
So for any distributions q_i whose weighted total is that of the targets in every class, minimising
over W and b gives

    F(W, b) ≥ D(q) = 1/S · Σ_i s_i H(q_i) − ‖A_q‖² / (2 l2),    A_q = 1/S · Σ_i s_i (q_i − y_i) x_iᵀ

which is the dual of the problem (Yu, Huang and Lin, "Dual coordinate descent methods for logistic
regression and maximum entropy models", Machine Learning 85, 2011). The model's own p_i nearly do:
at the optimum ∇_b F = 0 says that their totals agree. Elsewhere they are mixed with one fixed
distribution r, ``q_i = (1 − ρ) p_i + ρ r``, with the smallest ρ for which an r exists that repairs
the totals. As H is concave, H(q_i) ≥ (1 − ρ) H(p_i) + ρ H(r): the bound takes a few operations on
arrays of the size of W, given the value and the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from softmax_regression.design import Design
from softmax_regression.objectives._base import CrossEntropyObjective, Rows
from softmax_regression.objectives._losses import PointwiseLoss

Array = NDArray[Any]

_INTERCEPT_STEPS = 10
_LONGEST_STEP = 2.0  # nats: beyond that the curvature is another


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
        self._curvature: tuple[Array, Array] | None = None  # where, and the probabilities there
        self._moments: tuple[Array, Array] | None = None
        self._targets: Array | None = None
        self._worth_refining = np.inf  # how small a hopeful estimate of the gap has to be

    def unpack(self, params: Array) -> tuple[Array, Array]:
        """W and b (empty without an intercept) as views of the flat vector."""
        coef = params[: self.n_penalized].reshape(self.loss.n_outputs, self.design.n_columns)
        return coef, params[self.n_penalized :]

    def _block_gradient(self, params: Array, block: Design, rows: Rows, out: Array) -> float:
        scores = self._scores(block, *self.unpack(params))
        total = self.loss.value_and_residual(scores, rows)
        self._products(block, scores, out)
        return total

    def _scores(self, block: Design, coef: Array, intercept: Array) -> Array:
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

    # -- curvature ---------------------------------------------------------------------------------

    def hessian_product(self, params: Array, direction: Array) -> Array:
        """Multiply the Hessian by a direction; the probabilities at `params` are kept between."""
        probabilities = self._probabilities(params)
        typed = direction.astype(self.dtype, copy=False)
        product, part = np.zeros(self.n_params), np.empty_like(typed)
        for rows in self.design.blocks(self.width):
            block = self.design[rows]
            change = self._scores(block, *self.unpack(typed))
            self.loss.curvature_product(probabilities[:, rows], change, rows)
            self._products(block, change, part)
            product += part
        product /= self.design.n_rows
        product[: self.n_penalized] += self.l2 * direction[: self.n_penalized]
        return product

    def _probabilities(self, params: Array) -> Array:
        if self._curvature is None or not np.array_equal(self._curvature[0], params):
            coef, intercept = self.unpack(params.astype(self.dtype, copy=False))
            probabilities = np.empty((self.width, self.design.n_rows), dtype=self.dtype)
            for rows in self.design.blocks(self.width):
                scores = self._scores(self.design[rows], coef, intercept)
                self.loss.probabilities(scores)
                probabilities[:, rows] = scores
            self._curvature = params.copy(), probabilities
        return self._curvature[1]

    def column_moments(self) -> tuple[Array, Array]:
        """Weighted means over rows of each column and of its square."""
        if self._moments is None:
            total, squares = np.zeros(self.design.n_columns), np.zeros(self.design.n_columns)
            weight = self.loss.weight
            for rows in self.design.blocks(self.width):
                block = self.design[rows]
                counts = np.ones(block.n_rows) if weight is None else weight[rows]
                total += block.weighted_total(counts)
                squares += block.weighted_squares(counts)
            self._moments = total / self.design.n_rows, squares / self.design.n_rows
        return self._moments

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
        """F minus the dual lower bound.

        First with the model's probabilities at `params`, which is free. If it may be only the
        intercept that keeps that above `enough`, then with those at the best intercept for the same
        W, which takes a few passes over X. ``enough=inf`` asks for the sharpest bound.
        """
        if not self.has_dual:
            return np.nan
        gap = self._gap(params, value, gradient)
        if not self.fit_intercept or gap <= enough < np.inf:
            return gap
        hopeful = self._gap_without_repair(gradient)
        if enough < np.inf and hopeful > min(enough, self._worth_refining):
            return gap
        centred = self._with_best_intercept(params)
        best, gradient = self.value_and_gradient(centred)
        if not best <= value * (1 + 64 * np.finfo(self.dtype).eps):  # Newton's method went astray
            return gap
        refined = max(value - best, 0.0) + self._gap(centred, best, gradient)
        if enough < refined:  # the next attempt has to look better by as much as this one failed
            self._worth_refining = hopeful * enough / refined
        return min(gap, refined)

    def _gap(self, params: Array, value: float, gradient: Array) -> float:
        """F − D(q) for the q of the module's text, as a sum of small terms, not as a difference."""
        coef, intercept = self.unpack(params)
        coef_slope, intercept_slope = self.unpack(gradient)
        if not self.fit_intercept:  # there are no totals to agree
            return float(np.square(coef_slope).sum() / (2 * self.l2))
        rho, repair, repair_entropy = self._repair_totals(intercept_slope)
        if rho == 0:
            return float(np.square(coef_slope).sum() / (2 * self.l2))
        target_mean, row_mean = self._target_means(), self.column_moments()[0]
        loss_slope = coef_slope - self.l2 * coef
        correction = rho * (np.outer(repair, row_mean) - loss_slope - target_mean)
        along = float((loss_slope * coef).sum() + intercept_slope @ intercept)
        entropy = value - self.l2 / 2 * np.square(coef).sum() - along
        return float(
            np.square(coef_slope + correction).sum() / (2 * self.l2)
            - (correction * coef).sum()
            + intercept_slope @ intercept
            + rho * (entropy - repair_entropy)
        )

    def _gap_without_repair(self, gradient: Array) -> float:
        """Estimate what the gap would be at the best intercept: hardly less than this."""
        coef_slope, intercept_slope = self.unpack(gradient)
        # What the intercept is off by shows in the other slopes by the columns' means.
        coef_slope = coef_slope - np.outer(intercept_slope, self.column_moments()[0])
        shares = self.loss.class_shares[-self.loss.n_outputs :]
        gain = np.square(intercept_slope) / (2 * shares)
        return float(np.square(coef_slope).sum() / (2 * self.l2) + gain.sum())

    def _with_best_intercept(self, params: Array) -> Array:
        """Minimise over the intercept alone, by Newton's method from a point that is close."""
        params = params.copy()
        for _ in range(_INTERCEPT_STEPS):
            slope, curvature = self._intercept_derivatives(params)
            # Least squares, because along (1, …, 1) the curvature is 0 but for rounding.
            step = np.linalg.lstsq(curvature, slope, rcond=None)[0]
            step -= step.mean() if self.width > 1 else 0.0
            self.unpack(params)[1][...] -= np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
            if np.abs(step).max() < 1e-6:  # the next would be the square of that
                break
        return params

    def _intercept_derivatives(self, params: Array) -> tuple[Array, Array]:
        """Gradient and Hessian of Σ s_i CE_i in b."""
        coef, intercept = self.unpack(params.astype(self.dtype, copy=False))
        slope = np.zeros(self.width)
        curvature = np.zeros((self.width, self.width))
        for rows in self.design.blocks(self.width):
            probabilities = self._scores(self.design[rows], coef, intercept)
            self.loss.probabilities(probabilities)
            weighted = probabilities.copy()
            self.loss.weigh(weighted, rows)
            totals = weighted.sum(axis=1, dtype=np.float64)
            slope += totals
            curvature += np.diag(totals) - weighted @ probabilities.T
        slope -= self.loss.class_shares[-self.width :] * self.design.n_rows
        return slope, curvature

    def _repair_totals(self, intercept_slope: Array) -> tuple[float, Array, float]:
        """The smallest ρ, the outputs' part of r, and the entropy of r."""
        excess = intercept_slope
        if self.loss.n_outputs < self.loss.n_classes:  # the first class's score is held at 0
            excess = np.concatenate([-excess, excess])
        targets = self.loss.class_shares
        predicted = np.maximum(targets + excess, np.finfo(np.float64).tiny)
        rho = float(np.clip((excess / predicted).max(), 0, 1))
        repair = np.maximum(targets - (1 - rho) * predicted, 0)
        if rho == 0 or repair.sum() == 0:
            return 0.0, np.zeros(self.loss.n_outputs), 0.0
        repair /= repair.sum()
        return rho, repair[-self.loss.n_outputs :], float(entr(repair).sum())

    def _target_means(self) -> Array:
        """Mean over rows of s y xᵀ."""
        if self._targets is None:
            total = np.zeros((self.width, self.design.n_columns))
            for rows in self.design.blocks(self.width):
                targets = self.loss.target_rows(rows).astype(self.dtype, copy=False)
                total += self.design[rows].weighted_sum(targets)
            self._targets = total / self.design.n_rows
        return self._targets
