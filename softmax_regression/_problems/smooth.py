"""How `SoftmaxRegression` is fitted to all rows at once: in which unknowns, and by which solver."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.preconditioner import HessianPreconditioner
from softmax_regression._curvature.schedule import HessianSchedule
from softmax_regression._curvature.whitened import WhitenedObjective
from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._objectives.linear.coordinates import Coordinates
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.one_block import copied, is_small
from softmax_regression._objectives.linear.row_space import RowSpace
from softmax_regression._solvers.criteria import best_start
from softmax_regression._solvers.lbfgs import minimize_lbfgs
from softmax_regression._solvers.newton.newton import (
    FactoredDirections,
    TruncatedDirections,
    minimize_newton,
)
from softmax_regression._solvers.protocols import Solve
from softmax_regression._solvers.result import SolverResult, StopReason, Watch

Array = NDArray[Any]
# Takes the objective, the same for products with its Hessian (in the precision of X), a start in
# its unknowns, and what `minimize_newton` takes by name.
Solver = Callable[..., SolverResult]

_WIDE = 2  # columns for each row, from which the rotation takes less time than it saves
_MANY = 50  # iterations of Newton's method with the Hessian itself: a sound one takes fewer
_ROUND = 30  # iterations of L-BFGS before its preconditioner is made anew, and then twice as many
_DRAWN_TO_LAST = 10  # rows for each unknown of a preconditioner that is to serve several problems
_LARGEST_ORDER = 128  # of a Hessian that is better factored than multiplied with


class Problem:
    """A linear cross-entropy in the unknowns in which it is solved.

    Far fewer rows than columns: in the space of the rows. A small X: as a standardised copy.
    Else in standardised coordinates, by which X stays as it is.

    Parameters
    ----------
    base : LinearCrossEntropy
        The objective in the coordinates of X.
    coordinates : Coordinates, default=None
        Standardised ones; by default its own.
    """

    def __init__(self, base: LinearCrossEntropy, coordinates: Coordinates | None = None):
        self._row_space: RowSpace | None = None
        if coordinates is None and base.l2 > 0 and is_wide(base.design):
            self._row_space = RowSpace(base)
            base = self._row_space.objective
        # Products with the Hessian are in the precision of X; values and gradients, which decide
        # where to stop, are in float64 whatever X is.
        if coordinates is None:
            self._standardized = base.standardized()
        else:
            self._standardized = base.in_coordinates(coordinates)
        self.objective: LinearCrossEntropy
        self.products: LinearCrossEntropy  # the same, for products with its Hessian
        if is_small(base.design):
            copy_of_x = copied(self._standardized)
            self.objective, self.products = copy_of_x, copy_of_x.for_products()
        else:
            self.products = self._standardized
            self.objective = self.products.astype(np.float64)

    @property
    def coordinates(self) -> Coordinates | None:
        """Those of X in which the unknowns are; None in the space of the rows."""
        return None if self._row_space is not None else self._standardized.coordinates

    def from_model(self, coef: Array, intercept: Array) -> Array:
        """Return the unknowns for W and b."""
        if self._row_space is not None:
            coef = self._row_space.rotated(coef)
        return self._standardized.from_model(coef, intercept)

    def to_model(self, unknowns: Array) -> tuple[Array, Array]:
        """Return W and b."""
        coef, intercept = self._standardized.to_model(unknowns)
        return coef if self._row_space is None else self._row_space.coef(coef), intercept

    def with_l2(self, l2: float) -> Self:
        """Return it with another strength of the penalty, in the same unknowns.

        Both are penalised, or neither is.
        """
        other = copy.copy(self)
        other._standardized = self._standardized.with_l2(l2)
        other.objective = self.objective.with_l2(l2)
        other.products = other.objective
        if self.products is not self.objective:
            other.products = self.products.with_l2(l2)
        return other

    def minimize(self, solver: str | Solver, starts: Sequence[Array], **how: Any) -> SolverResult:
        """Run a solver from the best of some starts; `how` is for `minimize_newton`.

        It may be the name of one of `SOLVERS`, or one that has solved a problem near by.
        """
        solve = SOLVERS[solver]() if isinstance(solver, str) else solver
        return solve(self.objective, self.products, best_start(self.objective, starts), **how)


def is_wide(design: Design) -> bool:
    """Whether there are so many more columns than rows that a rotation pays."""
    return isinstance(design, DenseDesign) and _WIDE * design.n_rows <= design.n_columns


def choose_solver(problem: Problem) -> str:
    """Choose a solver for `solver="auto"`.

    A small Hessian is factored in each iteration: nothing takes fewer. Of a larger one, made from a
    sample of the rows or in part, comes the preconditioner of conjugate gradients. On raw data sets
    of 150 to 60000 rows the two broke even at an order of about 100.
    """
    return "newton-cholesky" if _order(problem.objective) <= _LARGEST_ORDER else "newton-cg"


def _order(objective: LinearCrossEntropy) -> int:
    """Of the Hessian, without the class that the others leave no choice."""
    return objective.layout.hessian_order


class Continued:
    """Newton's method for a sequence of problems whose minima lie close together."""

    def __init__(self) -> None:
        self._directions: FactoredDirections | TruncatedDirections | None = None
        self._lent: Solve | None = None

    @property
    def matrix(self) -> Solve | None:
        """What stood for the Hessian last."""
        return self._directions.matrix if self._directions is not None else None

    def lend(self, matrix: Solve) -> None:
        """Have the next problem begin with what was made for one like it, near its minimum."""
        self._lent = matrix

    def _take_what_is_lent(self) -> None:
        if self._lent is not None and self._directions is not None:
            self._directions.take(self._lent)
        self._lent = None


class NewtonCholesky(Continued):
    """Newton's method, which leaves what it can't do to conjugate gradients.

    Of a matrix that is singular but for rounding, products see more than its factor does. All
    problems after the first begin near their minima.
    """

    def __call__(
        self,
        objective: LinearCrossEntropy,
        products: LinearCrossEntropy,
        start: Array,
        *,
        max_iter: int,
        **how: Any,
    ) -> SolverResult:
        """Minimise the objective."""
        near = self._directions is not None or self._lent is not None
        factors = HessianSchedule(objective, near=near)
        self._directions = FactoredDirections(factors, factors.costly)
        self._take_what_is_lent()
        result = minimize_newton(
            objective,
            objective.centred(start),
            self._directions,
            max_iter=min(max_iter, _MANY),
            **how,
        )
        stuck = result.reason in (StopReason.ROUNDING, StopReason.MAX_ITER)
        if not stuck or result.n_iter >= max_iter:
            return result
        try:
            rest = NewtonCG()(
                objective,
                objective,
                result.params,
                max_iter=max_iter - result.n_iter,
                n_before=result.n_iter,
                **how,
            )
        except KeyboardInterrupt:
            if not result.loss_curve:
                raise
            return replace(result, reason=StopReason.INTERRUPTED)
        losses = result.loss_curve + rest.loss_curve
        return replace(rest, loss_curve=losses, n_iter=len(losses))


class NewtonCG(Continued):
    """Newton's method with conjugate gradients, whose preconditioner may serve further problems."""

    def __init__(self) -> None:
        super().__init__()
        self._continued = False

    def __call__(
        self, objective: LinearCrossEntropy, products: LinearCrossEntropy, start: Array, **how: Any
    ) -> SolverResult:
        """Minimise the objective."""
        if not isinstance(self._directions, TruncatedDirections):
            self._directions = TruncatedDirections(products, HessianPreconditioner(products))
        else:
            if not self._continued:
                self._directions.preconditioner = HessianPreconditioner(products, _DRAWN_TO_LAST)
            self._continued = True
            self._directions.go_on(products)
        self._take_what_is_lent()
        return minimize_newton(objective, objective.centred(start), self._directions, **how)


def _lbfgs(
    objective: LinearCrossEntropy,
    products: LinearCrossEntropy,
    start: Array,
    *,
    max_iter: int,
    watch: Watch | None = None,
    **how: Any,
) -> SolverResult:
    """Run L-BFGS in rounds, each in unknowns whitened by the curvature where it begins."""
    precondition = HessianPreconditioner(products)
    params, length = objective.centred(start), _ROUND
    losses: list[float] = []
    while True:
        try:
            whitened = WhitenedObjective(objective, params, precondition(params))
            result = minimize_lbfgs(
                whitened,
                np.zeros(whitened.n_params),
                max_iter=min(length, max_iter - len(losses)),
                n_before=len(losses),
                watch=None if watch is None else partial(_unwhitened, watch, whitened),
                **how,
            )
        except KeyboardInterrupt:
            if not losses:
                raise
            result.reason = StopReason.INTERRUPTED  # the last round's
            break
        params = whitened.params(result.params)
        losses = losses + result.loss_curve
        went_on = result.reason in (StopReason.MAX_ITER, StopReason.MAX_FUN) and result.n_iter > 0
        if not went_on or len(losses) >= max_iter:
            break
        length *= 2
    return replace(result, params=params, loss_curve=losses, n_iter=len(losses))


def _unwhitened(watch: Watch, whitened: WhitenedObjective, unknowns: Array) -> bool:
    return watch(whitened.params(unknowns))


# Each makes a solver: for one problem, or for a sequence of them whose minima lie close together.
SOLVERS: dict[str, Callable[[], Solver]] = {
    "lbfgs": lambda: _lbfgs,
    "newton-cg": NewtonCG,
    "newton-cholesky": NewtonCholesky,
}
