r"""The models of one data set for a whole grid of C, each begun where the last ones lead to.

A polynomial through the last minima leads close to the next (`extrapolation.py`): a step or two of
Newton's method do the rest. What does not depend on C is done once: the moments of X, its
coordinates, the rotation of wide data; a preconditioner lasts for as many C as it is worth while.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import StoppedError, is_stopped
from softmax_regression._losses.targets import Targets
from softmax_regression._objectives.linear.coordinates import Coordinates
from softmax_regression._problems.choice import choose
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._problems.extrapolation import Predictor
from softmax_regression._problems.objective_scale import l2_of, objective_of
from softmax_regression._problems.problem import PosedProblem
from softmax_regression._problems.progress import Ending, Progress
from softmax_regression._problems.rounding import Rounding
from softmax_regression._problems.smooth import Problem
from softmax_regression._problems.sparse import SparseProblem
from softmax_regression._problems.specification import Specification
from softmax_regression._solvers.criteria import Criterion, RelativeGap
from softmax_regression._solvers.protocols import Solve
from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression._solvers.warm_start import Preconditioner, WarmStart

_KEPT_MATRIX_BYTES = 1 << 27  # bytes for matrices that are kept


@dataclass
class Solution:
    """The model for one C.

    Parameters
    ----------
    C : float
        Of which.
    problem : PosedProblem or None
        Its objective, and the unknowns; None where a single class has weight, so that there is
        nothing to solve.
    result : SolverResult
        How the solver ended.
    objective : float
        C Σ s_i CE_i + ½ ‖W‖²; for an infinite C, the sum alone.
    design : Design
        X.
    classes : ClassesWithWeight
        The classes that the problem is of.
    """

    C: float
    problem: PosedProblem | None
    result: SolverResult
    objective: float
    design: Design
    classes: ClassesWithWeight

    def ending(self) -> Ending:
        """Return what is worth knowing of how the solver ended."""
        result = self.result
        return Ending(self.C, self.objective, result.remaining, result.n_iter, result.reason)

    def held(
        self, coef: Array, intercept: Array, rounding: Rounding, targets: Targets, tol: float
    ) -> Solution:
        """Return it with the objective and the gap of a rounded W and b."""
        if self.problem is None:
            return self
        held = self.classes.restrict_model(coef, intercept)
        result = rounding.certified(self.problem, self.result, *held, tol)
        objective = objective_of(result.value, self.C, targets.total_weight)
        return replace(self, result=result, objective=objective)

    def model(self) -> tuple[Array, Array]:
        """Return W and b: of all that give the same probabilities, the smallest."""
        return self.classes.expand(*self._of_fitted_classes(), self.design, value=self.result.value)

    def _of_fitted_classes(self) -> tuple[Array, Array]:
        if self.problem is None:
            return np.zeros((1, self.design.n_columns)), np.zeros(1)
        if isinstance(self.problem, SparseProblem):  # centring would undo the zeros
            coef, intercept = self.problem.to_model(self.result.params)
            return coef, intercept - intercept.mean() if len(intercept) > 1 else intercept
        return self.problem.to_model(self.problem.objective.centred(self.result.params))


def solutions(
    design: Design,
    targets: Targets,
    Cs: Array,
    specification: Specification,
    progress: Progress | None = None,
    start: tuple[Array, Array] | None = None,
    guide: Guide | None = None,
) -> Iterator[Solution]:
    """Solve for one C after the other.

    Parameters
    ----------
    design : Design
        X.
    targets : Targets
        Its labels and weights.
    Cs : ndarray of shape (n_Cs,)
        In increasing order.
    specification : Specification
        How.
    progress : Progress, default=None
        Who is told of it.
    start : tuple of ndarray, default=None
        W and b of all classes to begin with; by default those of the null model.
    guide : Guide, default=None
        What is known from more rows, of which these are a part.
    """
    told = progress or Progress()
    classes = ClassesWithWeight(targets, specification.fit_intercept)
    if classes.is_one:
        found = _certain_solutions(design, classes, Cs)
    elif specification.l1_ratio > 0:
        found = _sparse_solutions(design, classes, Cs, specification, told)
    else:
        known = guide if guide is not None and guide.serves(classes) else Guide()
        found = _smooth_solutions(design, classes, Cs, specification, told, start, known)
    for solution in found:
        if solution.result.reason is StopReason.INTERRUPTED:
            raise KeyboardInterrupt  # half a path is of no use
        if is_stopped():
            raise StoppedError
        told.solved(solution.ending())
        yield solution


def _certain_solutions(design: Design, classes: ClassesWithWeight, Cs: Array) -> Iterator[Solution]:
    """A single class has weight: whatever C is, its probability is 1."""
    for C in Cs:
        result = SolverResult(np.zeros(0), 0.0, 0, StopReason.CONVERGED, remaining=0.0)
        yield Solution(float(C), None, result, 0.0, design, classes)


def _smooth_solutions(
    design: Design,
    classes: ClassesWithWeight,
    Cs: Array,
    specification: Specification,
    progress: Progress,
    start: tuple[Array, Array] | None,
    guide: Guide,
) -> Iterator[Solution]:
    targets = classes.targets
    l2s = [l2_of(C, targets.total_weight) for C in Cs]
    penalized = Cs[np.isfinite(Cs)]
    # The coordinates are chosen by the weakest penalty.
    weakest = penalized[-1] if len(penalized) else np.inf
    base = specification.objective(design, targets, weakest)
    name, problem = choose(specification, base, base.l2, guide.coordinates)
    assert isinstance(problem, Problem)
    ahead = Predictor(guide.minima)
    begin = base.null_model()
    if start is not None:
        begin = classes.restrict(start[0]), classes.restrict(start[1])
    at = problem.from_model(*begin)
    before: SolverResult | None = None
    for C, l2 in zip(Cs, l2s, strict=True):
        if l2 > 0 or base.l2 == 0:
            problem = problem.with_l2(l2)
        else:  # without a penalty nothing keeps W in the space of the rows
            model = problem.to_model(at)
            problem = Problem(base.with_l2(0.0))
            at = problem.from_model(*model)
            ahead, before = Predictor(), None
        expected = ahead(C, at)
        result = problem.minimize(
            name,
            [expected],
            guide.warm_start(C, expected, before),
            criterion=guide.criterion(C),
            tol=specification.tol,
            max_iter=specification.max_iter,
            report=progress.iterations(C),
            watch=is_stopped,
        )
        _refuse_divergence(result, C)
        at, before = result.params, result
        ahead.add(C, at)
        objective = objective_of(result.value, C, targets.total_weight)
        yield Solution(float(C), problem, result, objective, design, classes)


class Guide:
    """What a path of all rows leaves to those of its parts: it has been along there.

    The minimum of most of the rows is near that of all of them, and so is the Hessian there. Each
    part begins from where all rows lead to, and has to take a step of its own: else the score of
    the rows left out would be that of a model which has seen them, wherever a tolerance allows it.

    Parameters
    ----------
    path : sequence of Solution, default=()
        That of all rows.
    """

    def __init__(self, path: Sequence[Solution] = ()):
        self.coordinates: Coordinates | None = None
        self.minima: dict[float, Array] = {}
        self._matrices: dict[float, Solve] = {}
        self._classes = path[0].classes if path else None
        if not path or not isinstance(path[0].problem, Problem):
            return
        self.coordinates = path[0].problem.coordinates
        if self.coordinates is None:  # each part would be in a space of its own
            return
        for solution in path:
            if np.isfinite(solution.C):
                self.minima[solution.C] = solution.result.params
        most = _KEPT_MATRIX_BYTES // (
            8 * len(path[0].result.params) ** 2
        )  # matrices, the largest there are
        for solution in path:
            known = {id(matrix) for matrix in self._matrices.values()}
            last = solution.result.preconditioner
            if last is not None and len(known | {id(last.matrix)}) <= most:
                self._matrices[solution.C] = last.matrix

    def serves(self, classes: ClassesWithWeight) -> bool:
        """Whether the same classes had weight among all rows."""
        return self._classes is None or np.array_equal(self._classes.fitted, classes.fitted)

    def warm_start(self, C: float, start: Array, before: SolverResult | None) -> WarmStart | None:
        """Return how to begin for C; None if its minimum is not known to be near.

        The preconditioner is that of all rows for C, or else what the last problem has left.
        """
        left = None if before is None else before.preconditioner
        if C in self._matrices:
            source = None if left is None else left.source
            return WarmStart(start, Preconditioner(self._matrices[C], source))
        return None if before is None else WarmStart(start, left)

    def criterion(self, C: float) -> Criterion:
        """Return when to stop for C."""
        return AfterAStep() if C in self.minima else RelativeGap()


class AfterAStep(RelativeGap):
    """The same, which takes no start for a solution."""

    takes_a_start = False


def _sparse_solutions(
    design: Design,
    classes: ClassesWithWeight,
    Cs: Array,
    specification: Specification,
    progress: Progress,
) -> Iterator[Solution]:
    """Begin each with the coefficients of the last, whose zeros are nearly all to remain."""
    targets = classes.targets
    base = specification.objective(design, targets, Cs[-1])
    base.moments()  # remembered by all that is made from it
    model = base.null_model()
    for C in Cs:
        strength = l2_of(C, targets.total_weight)
        l2 = (1 - specification.l1_ratio) * strength
        name, problem = choose(specification, base.with_l2(l2), strength)
        result = problem.minimize(
            name,
            [problem.from_model(*model)],
            criterion=RelativeGap(),
            tol=specification.tol,
            max_iter=specification.max_iter,
            report=progress.iterations(C),
            watch=is_stopped,
        )
        _refuse_divergence(result, C)
        model = problem.to_model(result.params)
        objective = objective_of(result.value, C, targets.total_weight)
        yield Solution(float(C), problem, result, objective, design, classes)


def _refuse_divergence(result: SolverResult, C: float) -> None:
    if not result.finite:
        raise ValueError(
            f"The fit for C={C:g} diverged: parameters or loss are no longer finite. Scale the "
            "features, for example with sklearn.preprocessing.StandardScaler."
        )
