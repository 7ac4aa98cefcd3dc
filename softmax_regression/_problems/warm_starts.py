r"""Models for a grid of C, each of which starts from the minima of those before it.

A polynomial through the last minima predicts the next (`extrapolation.py`), and one or two steps of
Newton's method correct it. What does not depend on C is computed once: the moments of X, the
standardised coordinates and the rotation of wide data. A preconditioner is kept as long as it works
well.
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
from softmax_regression._problems.progress import FitRecord, Progress
from softmax_regression._problems.rounding import Rounding
from softmax_regression._problems.smooth import Problem
from softmax_regression._problems.sparse import SparseProblem
from softmax_regression._problems.specification import Specification
from softmax_regression._solvers.criteria import Criterion, RelativeGap
from softmax_regression._solvers.protocols import Solve
from softmax_regression._solvers.result import SolverResult, StopReason
from softmax_regression._solvers.warm_start import Preconditioner, WarmStart

_KEPT_MATRICES_BYTES = 1 << 27  # Memory, in bytes, for the matrices that are kept for folds.


@dataclass
class Solution:
    """The model for one C.

    Parameters
    ----------
    C : float
        C.
    problem : PosedProblem or None
        The problem that was solved; None if a single class has weight, so that there is no problem
        to solve.
    result : SolverResult
        The result of the solver.
    objective : float
        C Σ s_i CE_i + ½ ‖W‖²; for an infinite C, the sum of s_i CE_i alone.
    design : Design
        X.
    classes : ClassesWithWeight
        The classes that were fitted.
    """

    C: float
    problem: PosedProblem | None
    result: SolverResult
    objective: float
    design: Design
    classes: ClassesWithWeight

    def record(self) -> FitRecord:
        """Return a record of how the fit ended."""
        result = self.result
        return FitRecord(self.C, self.objective, result.remaining, result.n_iter, result.reason)

    def held(
        self, coef: Array, intercept: Array, rounding: Rounding, targets: Targets, tol: float
    ) -> Solution:
        """Return the solution with the objective and the gap of the rounded W and b."""
        if self.problem is None:
            return self
        held = self.classes.restrict_model(coef, intercept)
        result = rounding.certified(self.problem, self.result, *held, tol)
        objective = objective_of(result.value, self.C, targets.total_weight)
        return replace(self, result=result, objective=objective)

    def model(self) -> tuple[Array, Array]:
        """Return W and b, the smallest that give these probabilities."""
        return self.classes.expand(*self._of_fitted_classes(), self.design, value=self.result.value)

    def _of_fitted_classes(self) -> tuple[Array, Array]:
        if self.problem is None:
            return np.zeros((1, self.design.n_columns)), np.zeros(1)
        if isinstance(self.problem, SparseProblem):  # Centring would change zeros.
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
    warm_starts: FoldWarmStarts | None = None,
) -> Iterator[Solution]:
    """Solve the problem for one C after the other.

    Parameters
    ----------
    design : Design
        X.
    targets : Targets
        Labels and weights.
    Cs : ndarray of shape (n_Cs,)
        The values of C in increasing order.
    specification : Specification
        The specification of all problems.
    progress : Progress, default=None
        It is told of each fit.
    start : tuple of ndarray, default=None
        W and b of all classes for the first C; by default those of the null model.
    warm_starts : FoldWarmStarts, default=None
        Warm starts from a path of more rows, of which these are a part.
    """
    progress = progress or Progress()
    classes = specification.classes_with_weight(targets)
    if classes.is_one:
        path = _single_class_solutions(design, classes, Cs)
    elif specification.l1_ratio > 0:
        path = _sparse_solutions(design, classes, Cs, specification, progress)
    else:
        if warm_starts is None or not warm_starts.serves(classes):
            warm_starts = FoldWarmStarts()
        path = _smooth_solutions(design, classes, Cs, specification, progress, start, warm_starts)
    for solution in path:
        if solution.result.reason is StopReason.INTERRUPTED:
            raise KeyboardInterrupt  # A part of a path is not kept.
        if is_stopped():
            raise StoppedError
        progress.solved(solution.record())
        yield solution


def _single_class_solutions(
    design: Design, classes: ClassesWithWeight, Cs: Array
) -> Iterator[Solution]:
    """Yield the solutions if a single class has weight, whose probability is 1 for every C."""
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
    warm_starts: FoldWarmStarts,
) -> Iterator[Solution]:
    """Yield the solutions with a smooth penalty, each predicted from those before it."""
    targets = classes.targets
    l2s = [l2_of(C, targets.total_weight) for C in Cs]
    penalized = Cs[np.isfinite(Cs)]
    # The standardised coordinates of all problems are those of the weakest penalty.
    weakest = penalized[-1] if len(penalized) else np.inf
    base = specification.objective(design, targets, weakest)
    name, problem = choose(specification, base, base.l2, warm_starts.coordinates)
    assert isinstance(problem, Problem)
    predictor = Predictor(warm_starts.minima)
    begin = base.null_model()
    if start is not None:
        begin = classes.restrict(start[0]), classes.restrict(start[1])
    at = problem.from_model(*begin)
    before: SolverResult | None = None
    for C, l2 in zip(Cs, l2s, strict=True):
        if l2 > 0 or base.l2 == 0:
            problem = problem.with_l2(l2)
        else:  # Without a penalty the minimum need not be in the space of the rows.
            model = problem.to_model(at)
            problem = Problem(base.with_l2(0.0))
            at = problem.from_model(*model)
            predictor, before = Predictor(), None
        predicted = predictor(C, at)
        result = problem.minimize(
            name,
            [predicted],
            warm_starts.warm_start(C, predicted, before),
            criterion=warm_starts.criterion(C),
            tol=specification.tol,
            max_iter=specification.max_iter,
            report=progress.iterations(C),
            watch=is_stopped,
        )
        _refuse_divergence(result, C)
        at, before = result.params, result
        predictor.add(C, at)
        objective = objective_of(result.value, C, targets.total_weight)
        yield Solution(float(C), problem, result, objective, design, classes)


class FoldWarmStarts:
    """Warm starts of the folds of a cross-validation, from a path of all rows.

    The minimum for the rows of a fold, which are most of the rows, is near that for all rows, and
    so is the Hessian there. Each fold starts at the minimum for all rows, but must take at least
    one step of its own: if the tolerance accepted the start, the rows left out would be scored by a
    model that was fitted to them.

    Parameters
    ----------
    path : sequence of Solution, default=()
        The path of all rows; if it is empty, there are no warm starts.
    """

    def __init__(self, path: Sequence[Solution] = ()):
        self.coordinates: Coordinates | None = None
        self.minima: dict[float, Array] = {}
        self._matrices: dict[float, Solve] = {}
        self._classes = path[0].classes if path else None
        if not path or not isinstance(path[0].problem, Problem):
            return
        self.coordinates = path[0].problem.coordinates
        if self.coordinates is None:  # In the space of its rows each fold has other unknowns.
            return
        for solution in path:
            if np.isfinite(solution.C):
                self.minima[solution.C] = solution.result.params
        largest_bytes = 8 * len(path[0].result.params) ** 2  # No matrix takes more.
        most = _KEPT_MATRICES_BYTES // largest_bytes
        for solution in path:
            known = {id(matrix) for matrix in self._matrices.values()}
            last = solution.result.preconditioner
            if last is not None and len(known | {id(last.matrix)}) <= most:
                self._matrices[solution.C] = last.matrix

    def serves(self, classes: ClassesWithWeight) -> bool:
        """Return whether all rows and those of a fold have the same classes of positive weight."""
        return self._classes is None or np.array_equal(self._classes.fitted, classes.fitted)

    def warm_start(self, C: float, start: Array, before: SolverResult | None) -> WarmStart | None:
        """Return the warm start for C; None if no minimum nearby is known.

        The preconditioner is that of all rows for C if it was kept, or else the one with which the
        previous problem, whose result is `before`, ended.
        """
        left = None if before is None else before.preconditioner
        if C in self._matrices:
            source = None if left is None else left.source
            return WarmStart(start, Preconditioner(self._matrices[C], source))
        return None if before is None else WarmStart(start, left)

    def criterion(self, C: float) -> Criterion:
        """Return the criterion by which the solver stops for C."""
        return AfterAStep() if C in self.minima else RelativeGap()


class AfterAStep(RelativeGap):
    """The relative gap, which is not evaluated before the first step."""

    takes_a_start = False


def _sparse_solutions(
    design: Design,
    classes: ClassesWithWeight,
    Cs: Array,
    specification: Specification,
    progress: Progress,
) -> Iterator[Solution]:
    """Yield the solutions with a penalty that makes zeros; each starts from the one before it."""
    targets = classes.targets
    base = specification.objective(design, targets, Cs[-1])
    base.data.moments()  # They are computed once, and shared by the objectives derived from `base`.
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
