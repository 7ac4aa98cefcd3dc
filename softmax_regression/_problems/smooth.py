"""Smooth problems of `SoftmaxRegression`: the unknowns in which they are solved, and solvers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np

from softmax_regression._curvature.preconditioner import HessianPreconditioner
from softmax_regression._curvature.schedule import HessianSchedule
from softmax_regression._curvature.whitened import WhitenedObjective
from softmax_regression._curvature.with_hessian import CrossEntropyWithHessian
from softmax_regression._data.dense import DenseDesign
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.coordinates import Coordinates
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.newton_dual import unresolved_gain
from softmax_regression._objectives.linear.one_block import copied, is_small
from softmax_regression._objectives.linear.row_space import RowSpace
from softmax_regression._solvers.criteria import best_start
from softmax_regression._solvers.lbfgs import minimize_lbfgs
from softmax_regression._solvers.loop import Stopping, followed_by
from softmax_regression._solvers.newton.descent import CholeskyDescent, ConjugateGradientDescent
from softmax_regression._solvers.newton.newton import minimize_newton
from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression._solvers.warm_start import WarmStart

# With at least this many columns for each row, rotating X into the space of its rows saves time.
_WIDE_COLUMNS_PER_ROW = 2
_MOST_CHOLESKY_ITERATIONS = 50  # Fits whose Hessian is not nearly singular take fewer iterations.
# The first round of L-BFGS has this many iterations, and each further round twice as many as the
# one before. Each round begins with a new change of unknowns.
_FIRST_ROUND = 30
# A preconditioner that serves several problems along a path is made from this many rows for each
# row of the matrix.
_ROWS_PER_UNKNOWN_ALONG_A_PATH = 10
_TINY = float(np.finfo(np.float64).tiny)
# Hessians up to this order are factored; larger ones serve conjugate gradients.
_MAX_CHOLESKY_ORDER = 128


class Problem:
    """A linear cross-entropy in the unknowns in which it is solved.

    A dense X with far fewer rows than columns is rotated into the space of its rows. A small X is
    copied and standardised. Otherwise the unknowns belong to standardised columns, while X itself
    stays as it is.

    Parameters
    ----------
    base : LinearCrossEntropy
        The objective in the coordinates of X.
    coordinates : Coordinates, default=None
        Standardised coordinates; by default those of X itself.
    """

    def __init__(self, base: LinearCrossEntropy, coordinates: Coordinates | None = None):
        self._row_space: RowSpace | None = None
        if coordinates is None and suits_row_space(base):
            self._row_space = RowSpace(base)
            base = self._row_space.objective
        # Products with the Hessian have the precision of X. Values and gradients are always in
        # float64, because they decide when to stop.
        if coordinates is None:
            self._standardized = base.standardized()
        else:
            self._standardized = base.in_coordinates(coordinates)
        self.objective: LinearCrossEntropy
        self.products: LinearCrossEntropy  # The same function, for products with its Hessian.
        if is_small(base.design):
            copy_of_x = copied(self._standardized)
            self.objective, self.products = copy_of_x, copy_of_x.for_products()
        else:
            self.products = self._standardized
            self.objective = self.products.astype(np.float64)

    @property
    def coordinates(self) -> Coordinates | None:
        """The standardised coordinates of the unknowns; None in the space of the rows of X."""
        return None if self._row_space is not None else self._standardized.coordinates

    def from_model(self, coef: Array, intercept: Array) -> Array:
        """Return the unknowns that belong to coefficients W and intercepts b."""
        if self._row_space is not None:
            coef = self._row_space.rotated(coef)
        return self._standardized.from_model(coef, intercept)

    def to_model(self, unknowns: Array) -> tuple[Array, Array]:
        """Return the coefficients W and intercepts b that belong to unknowns."""
        coef, intercept = self._standardized.to_model(unknowns)
        return coef if self._row_space is None else self._row_space.coef(coef), intercept

    @property
    def solvers(self) -> dict[str, SmoothSolver]:
        """The solvers of smooth problems, by name."""
        return SOLVERS

    def default_solver(self) -> str:
        """Choose a solver for `solver="auto"`.

        A small Hessian is factored in each iteration, which leads to the fewest iterations. With a
        larger Hessian the Newton equations are solved by conjugate gradients, whose preconditioner
        is an approximation of the Hessian. On data sets of 150 to 60000 rows that were not
        standardised, both took equally long at an order of about 100.
        """
        factored = self.objective.layout.hessian_order <= _MAX_CHOLESKY_ORDER
        return "newton-cholesky" if factored else "newton-cg"

    def with_l2(self, l2: float) -> Self:
        """Return the problem with another strength of the penalty, in the same unknowns.

        Either both strengths are 0, or neither is.
        """
        other = copy.copy(self)
        other._standardized = self._standardized.with_l2(l2)
        other.objective = self.objective.with_l2(l2)
        other.products = other.objective
        if self.products is not self.objective:
            other.products = self.products.with_l2(l2)
        return other

    def minimize(
        self,
        solver: str,
        starts: Sequence[Array],
        warm_start: WarmStart | None = None,
        **how: Any,
    ) -> SolverResult:
        """Run one of `SOLVERS` from the best of several starts, or from a warm start.

        Further keyword arguments are those of `Stopping`.
        """
        begin = starts if warm_start is None else [warm_start.params]
        start = best_start(self.objective, [self.objective.centred(params) for params in begin])
        stopping = Stopping(**how)
        result = SOLVERS[solver](self.objective, self.products, start, stopping, warm_start)
        return result if self.objective.has_dual else self._resolved(result, stopping.tol)

    def _resolved(self, result: SolverResult, tol: float) -> SolverResult:
        """Mark a result as unresolved if nearly collinear features leave its gap unknown."""
        if result.reason is not StopReason.CONVERGED or result.evaluation is None:
            return result
        gain = unresolved_gain(self.objective, result.evaluation.gradient)
        gap = result.remaining + gain / max(result.value, _TINY)
        if gap <= max(tol, result.remaining):
            return result
        return replace(result, reason=StopReason.UNRESOLVED, remaining=min(gap, 1.0))


def suits_row_space(base: LinearCrossEntropy) -> bool:
    """Return whether X is dense and has so many penalised columns that the row space pays."""
    design, least = base.design, _WIDE_COLUMNS_PER_ROW * base.design.n_rows
    if not (isinstance(design, DenseDesign) and least <= design.n_columns and base.l2 > 0):
        return False
    return least <= int(np.count_nonzero(base.penalty.roots))


def newton_cholesky(
    objective: LinearCrossEntropy,
    products: LinearCrossEntropy,
    start: Evaluation,
    stopping: Stopping,
    warm_start: WarmStart | None = None,
) -> SolverResult:
    """Run Newton's method with Cholesky factors, and with conjugate gradients if it gets stuck.

    If the Hessian is singular up to rounding errors, products with it are more accurate than its
    factor.
    """
    factors = HessianSchedule(objective, near=warm_start is not None)
    first = None if warm_start is None else warm_start.preconditioner
    descent = CholeskyDescent(
        objective, factors, factors.costly, None if first is None else first.matrix
    )
    limited = replace(stopping, max_iter=min(stopping.max_iter, _MOST_CHOLESKY_ITERATIONS))
    evaluated = objective
    if not (factors.costly or objective.data.remembers_rows):  # Passes over the rows take longest.
        evaluated = CrossEntropyWithHessian(objective)
    result = minimize_newton(evaluated, descent, start, limited)
    stuck = result.reason.is_stuck or result.reason is StopReason.MAX_ITER
    if not stuck or result.n_iter >= stopping.max_iter:
        return result
    left, reached = stopping.after(result.n_iter), result.evaluation
    assert reached is not None
    return followed_by(result, lambda: newton_cg(objective, objective, reached, left))


def newton_cg(
    objective: LinearCrossEntropy,
    products: LinearCrossEntropy,
    start: Evaluation,
    stopping: Stopping,
    warm_start: WarmStart | None = None,
) -> SolverResult:
    """Run Newton's method with conjugate gradients; a warm start brings a preconditioner."""
    first = None if warm_start is None else warm_start.preconditioner
    if first is None or not isinstance(first.source, HessianPreconditioner):
        source = HessianPreconditioner(products)
    else:
        source = first.source.of(products, _ROWS_PER_UNKNOWN_ALONG_A_PATH)
        if first.stage is not None:
            first = replace(first, stage=source.stage_like(first.source, first.stage))
    descent = ConjugateGradientDescent(
        objective, products, source, warm_started=warm_start is not None, first=first
    )
    return minimize_newton(objective, descent, start, stopping)


def lbfgs(
    objective: LinearCrossEntropy,
    products: LinearCrossEntropy,
    start: Evaluation,
    stopping: Stopping,
    warm_start: WarmStart | None = None,
) -> SolverResult:
    """Run L-BFGS in rounds, each in unknowns in which the Hessian at its start is near 1."""
    precondition = HessianPreconditioner(products)
    result = SolverResult(start.params, start.value, 0, StopReason.MAX_ITER, evaluation=start)
    length, unfinished = _FIRST_ROUND, (StopReason.MAX_ITER, StopReason.MAX_FUN)
    while True:
        run = partial(_lbfgs_round, objective, precondition, result, stopping, length)
        n_before, result = result.n_iter, followed_by(result, run)
        idle = result.n_iter == n_before
        if result.reason not in unfinished or idle or result.n_iter >= stopping.max_iter:
            return result
        length *= 2


def _lbfgs_round(
    objective: LinearCrossEntropy,
    precondition: HessianPreconditioner,
    before: SolverResult,
    stopping: Stopping,
    length: int,
) -> SolverResult:
    """Run L-BFGS for at most `length` iterations from where the last round ended."""
    start, watch = before.evaluation, stopping.watch
    assert start is not None
    whitened = WhitenedObjective(objective, start.params, precondition(start))
    left = stopping.after(before.n_iter)
    left = replace(
        left,
        max_iter=min(length, left.max_iter),
        watch=None if watch is None else lambda unknowns: watch(whitened.params(unknowns)),
    )
    result = minimize_lbfgs(whitened, whitened.at_origin(start), left)
    reached = None if result.evaluation is None else result.evaluation.inner
    return replace(result, params=whitened.params(result.params), evaluation=reached)


SmoothSolver = Callable[
    [LinearCrossEntropy, LinearCrossEntropy, Evaluation, Stopping, WarmStart | None], SolverResult
]

# Each solver takes the objective, the same objective for products with its Hessian in the precision
# of X, the evaluation at the start, the stopping rule, and a warm start from a similar problem.
SOLVERS: dict[str, SmoothSolver] = {
    "lbfgs": lbfgs,
    "newton-cg": newton_cg,
    "newton-cholesky": newton_cholesky,
}
