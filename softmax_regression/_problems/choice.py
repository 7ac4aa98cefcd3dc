"""The choice of a problem class and a solver for a specification, which is made only here.

A specification with bounds leads to a `BoundedProblem`, one with bias reduction to a
`BiasReducedProblem`, one with a lasso penalty to a `SparseProblem`, and any other to a smooth
`Problem`. Each problem lists its solvers and chooses one for `solver="auto"`.
"""

from __future__ import annotations

from softmax_regression._objectives.linear.coordinates import Coordinates
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.bias_reduced import BiasReducedProblem
from softmax_regression._problems.bounded import BOUNDED_SOLVERS, BoundedProblem
from softmax_regression._problems.problem import PosedProblem
from softmax_regression._problems.smooth import SOLVERS, Problem
from softmax_regression._problems.sparse import SPARSE_SOLVER, SparseProblem
from softmax_regression._problems.specification import Specification, makes_zeros

MINIBATCH_SOLVERS = frozenset({"adam", "sgd"})


def choose(
    specification: Specification,
    base: LinearCrossEntropy,
    strength: float,
    coordinates: Coordinates | None = None,
) -> tuple[str, PosedProblem]:
    """Return the name of the solver, and the problem in the unknowns in which it is solved.

    Parameters
    ----------
    specification : Specification
        The function to minimise, restricted to the classes that have weight.
    base : LinearCrossEntropy
        The smooth part of that function, in the coordinates of X.
    strength : float
        The strength of the penalty or prior relative to the mean cross-entropy; 0 for none.
    coordinates : Coordinates, default=None
        The standardised coordinates in which a smooth problem is solved; by default those of X.
    """
    problem = pose(specification, base, strength, coordinates)
    known = specification.solver in problem.solvers
    return specification.solver if known else problem.default_solver(), problem


def pose(
    specification: Specification,
    base: LinearCrossEntropy,
    strength: float,
    coordinates: Coordinates | None = None,
) -> PosedProblem:
    """Return the problem for a specification; the parameters are those of `choose`."""
    if specification.bounds is not None:
        return BoundedProblem(base, *specification.bounds)
    if specification.bias_reduction is not None:
        return BiasReducedProblem(base, strength)
    if specification.l1_ratio > 0 and strength > 0:
        l1 = specification.l1_ratio * strength
        weights = specification.l1_weights(base)
        return SparseProblem(base, l1, specification.penalty_grouping, weights)
    return Problem(base, coordinates)


def solver_without_unknowns(specification: Specification, C: float) -> str:
    """Return the name of the solver to report if only one class has weight.

    Such a problem has no unknowns, and no solver runs.
    """
    if specification.solver not in ("auto", SPARSE_SOLVER):
        return specification.solver
    return SPARSE_SOLVER if makes_zeros(specification.l1_ratio, C) else "newton-cholesky"


def check_solver(solver: str, l1_ratio: float, bounded: bool) -> None:
    """Raise ValueError if a solver does not support the penalty or the bounds."""
    if l1_ratio == 0 and solver == SPARSE_SOLVER:
        raise ValueError(
            f"solver={solver!r} needs l1_ratio above 0, got {l1_ratio!r}: leave solver='auto'."
        )
    if l1_ratio > 0 and solver not in ("auto", SPARSE_SOLVER):
        raise ValueError(
            f"solver={solver!r} makes no exact zeros, as l1_ratio={l1_ratio!r} asks for: set "
            f"solver='auto' or {SPARSE_SOLVER!r}, or l1_ratio=0."
        )
    if not bounded:
        return
    if l1_ratio > 0:
        raise ValueError(
            f"bounds do not go together with l1_ratio={l1_ratio!r}: set l1_ratio=0, or bounds=None."
        )
    if solver not in ("auto", *BOUNDED_SOLVERS):
        raise ValueError(
            f"solver={solver!r} does not keep coefficients within bounds: set solver='auto', "
            "'lbfgs' or 'newton-cholesky', or bounds=None."
        )


__all__ = [
    "BOUNDED_SOLVERS",
    "MINIBATCH_SOLVERS",
    "SOLVERS",
    "SPARSE_SOLVER",
    "check_solver",
    "choose",
    "pose",
    "solver_without_unknowns",
]
