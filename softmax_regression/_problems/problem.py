"""The protocol of problems: an objective in the unknowns in which it is solved, and solvers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._solvers.result import SolverResult


class PosedProblem(Protocol):
    """An objective in the unknowns in which it is solved."""

    @property
    def solvers(self) -> Mapping[str, Callable[..., Any]]:
        """The solvers that can solve the problem, by name."""

    @property
    def objective(self) -> Any:
        """The objective, a function of the unknowns."""

    def default_solver(self) -> str:
        """Return the name of the solver that suits the size of the data."""

    def from_model(self, coef: Array, intercept: Array) -> Array:
        """Return the unknowns for W and b."""

    def to_model(self, unknowns: Array) -> tuple[Array, Array]:
        """Return W and b for unknowns."""

    def minimize(self, solver: Any, starts: Sequence[Array], **how: Any) -> SolverResult:
        """Run a solver from the best of some starts."""


class InStandardizedCoordinates:
    """A problem whose unknowns are the parameters of an objective in standardised coordinates."""

    _standardized: LinearCrossEntropy

    def from_model(self, coef: Array, intercept: Array) -> Array:
        """Return the unknowns for W and b."""
        return self._standardized.from_model(coef, intercept)

    def to_model(self, unknowns: Array) -> tuple[Array, Array]:
        """Return W and b."""
        return self._standardized.to_model(unknowns)
