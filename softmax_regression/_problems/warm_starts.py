r"""The models of one data set for a whole grid of C, each begun where the last ones lead to.

In log C the minimum moves along a smooth curve, and a polynomial through the last ones leads close
to the next: a step or two of Newton's method do the rest (Allgower and Georg, *Numerical
Continuation Methods*, 1990: a predictor and a corrector). Where the loss is nearly quadratic, the
curve is a sum of terms C / (C + c), analytic in log C in a strip of half-width π about the real
axis: polynomials serve where the steps are short beside that, and lead astray where they are not.
What does not depend on C is done once: the moments of X, its coordinates, the rotation of wide
data; a preconditioner lasts for as many C as it is worth while.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from softmax_regression._data.design import Design
from softmax_regression._linalg.threads import StoppedError, is_stopped
from softmax_regression._losses.targets import Targets
from softmax_regression._objectives.linear.coordinates import Coordinates
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._problems.objective_scale import l2_of, objective_of
from softmax_regression._problems.rounding import REMEDY, Rounding
from softmax_regression._problems.smooth import SOLVERS, Problem, choose_solver
from softmax_regression._problems.sparse import SPARSE_SOLVER, SparseProblem
from softmax_regression._solvers.criteria import Criterion, RelativeGap
from softmax_regression._solvers.protocols import Solve
from softmax_regression._solvers.result import Report, SolverResult, StopReason

Array = NDArray[Any]

_HIGHEST = 3  # degree of the polynomial: another carries the errors of the minima too far
_MOST = 16.0  # sum of absolute weights, by which those errors grow; of equal steps it is 15
_ROOM = 1 << 27  # bytes for matrices that are kept
_WIDTH = np.pi  # of what it goes through, at most, in log C


@dataclass
class Options:
    """How each model is fitted.

    Parameters
    ----------
    fit_intercept : bool
        Whether there is a b.
    solver : str
        'auto', or a key of `SOLVERS`.
    tol : float
        The relative optimality gap to reach.
    max_iter : int
        Most iterations for a C.
    l1_ratio : float
        The share of the penalty that makes zeros.
    penalty_grouping : {'none', 'features'}
        What becomes 0 together.
    """

    fit_intercept: bool = True
    solver: str = "auto"
    tol: float = 1e-6
    max_iter: int = 1000
    l1_ratio: float = 0.0
    penalty_grouping: str = "none"


@dataclass
class Solution:
    """The model for one C.

    Parameters
    ----------
    C : float
        Of which.
    problem : Problem, SparseProblem or None
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
    matrix : Solve or None
        What stood for the Hessian last, if anything did.
    """

    C: float
    problem: Problem | SparseProblem | None
    result: SolverResult
    objective: float
    design: Design
    classes: ClassesWithWeight
    matrix: Solve | None = None

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
        held = self.classes.restrict(coef), self.classes.restrict(intercept)
        result = rounding.certified(self.problem, self.result, *held, tol)
        objective = objective_of(result.value, self.C, targets.total_weight)
        return replace(self, result=result, objective=objective)

    def model(self) -> tuple[Array, Array]:
        """Return W and b: of all that give the same probabilities, the smallest."""
        return self.classes.expand(*self._of_fitted_classes(), self.design)

    def _of_fitted_classes(self) -> tuple[Array, Array]:
        if self.problem is None:
            return np.zeros((1, self.design.n_columns)), np.zeros(1)
        if isinstance(self.problem, SparseProblem):  # centring would undo the zeros
            coef, intercept = self.problem.to_model(self.result.params)
            return coef, intercept - intercept.mean() if len(intercept) > 1 else intercept
        return self.problem.to_model(self.problem.objective.centred(self.result.params))


@dataclass
class Ending:
    """How the solver ended for one C.

    Parameters
    ----------
    C, objective : float
        As of `Solution`.
    gap : float
        The relative optimality gap.
    n_iter : int
        Iterations.
    reason : StopReason
        Why it stopped.
    """

    C: float
    objective: float
    gap: float
    n_iter: int
    reason: StopReason


class Progress:
    """Prints what becomes of a path, as much of it as is wanted.

    Parameters
    ----------
    report : callable, default=None
        Prints a line of text.
    verbose : int, default=1
        1 for a line about each C, 2 and more for one about each iteration as well.
    """

    def __init__(self, report: Report | None = None, verbose: int = 1):
        self._report = report
        self._verbose = verbose

    def begin(self) -> None:
        """The path begins."""

    def model(self, C: float, coef: Array, intercept: Array) -> None:
        """There is a model for C."""

    def end(self) -> None:
        """There are models for all C."""

    def iterations(self, C: float) -> Report | None:
        """Return what prints a line about an iteration, if that is wanted."""
        report = self._report
        if report is None or self._verbose < 2:
            return None
        return lambda line: report(f"C={C:.3g}, {line}")

    def solved(self, solution: Solution) -> None:
        """Learn of a model."""
        if self._report is not None:
            end = solution.ending()
            self._report(
                f"C={end.C:.3g}: objective {end.objective:.8g}, relative optimality gap "
                f"{end.gap:.1e} after {end.n_iter} iterations"
            )


def solutions(
    design: Design,
    targets: Targets,
    Cs: Array,
    options: Options,
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
    options : Options
        How.
    progress : Progress, default=None
        Who is told of it.
    start : tuple of ndarray, default=None
        W and b of all classes to begin with; by default those of the null model.
    guide : Guide, default=None
        What is known from more rows, of which these are a part.
    """
    told = progress or Progress()
    classes = ClassesWithWeight(targets, options.fit_intercept)
    if classes.is_one:
        found = _certain_solutions(design, classes, Cs)
    elif options.l1_ratio > 0:
        found = _sparse_solutions(design, classes, Cs, options, told)
    else:
        known = guide if guide is not None and guide.serves(classes) else Guide()
        found = _smooth_solutions(design, classes, Cs, options, told, start, known)
    for solution in found:
        if solution.result.reason is StopReason.INTERRUPTED:
            raise KeyboardInterrupt  # half a path is of no use
        if is_stopped():
            raise StoppedError
        told.solved(solution)
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
    options: Options,
    progress: Progress,
    start: tuple[Array, Array] | None,
    guide: Guide,
) -> Iterator[Solution]:
    targets = classes.targets
    l2s = [l2_of(C, targets.total_weight) for C in Cs]
    base = LinearCrossEntropy(
        design, targets.loss(design.dtype), _weakest(l2s), options.fit_intercept
    )
    problem = Problem(base, guide.coordinates)
    name = choose_solver(problem) if options.solver == "auto" else options.solver
    solver = SOLVERS[name]()
    ahead = Predictor(guide.minima)
    begin = base.null_model()
    if start is not None:
        begin = classes.restrict(start[0]), classes.restrict(start[1])
    at = problem.from_model(*begin)
    for C, l2 in zip(Cs, l2s, strict=True):
        if l2 > 0 or base.l2 == 0:
            problem = problem.with_l2(l2)
        else:  # without a penalty nothing keeps W in the space of the rows
            model = problem.to_model(at)
            problem = Problem(base.with_l2(0.0))
            at = problem.from_model(*model)
            solver, ahead = SOLVERS[name](), Predictor()
        guide.lend(C, solver)
        result = problem.minimize(
            solver,
            [ahead(C, at)],
            criterion=guide.criterion(C),
            tol=options.tol,
            max_iter=options.max_iter,
            report=progress.iterations(C),
            watch=is_stopped,
        )
        _refuse_divergence(result, C)
        at = result.params
        ahead.add(C, at)
        objective = objective_of(result.value, C, targets.total_weight)
        matrix = getattr(solver, "matrix", None)
        yield Solution(float(C), problem, result, objective, design, classes, matrix)


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
        most = _ROOM // (8 * len(path[0].result.params) ** 2)  # matrices, the largest there are
        for solution in path:
            known = {id(matrix) for matrix in self._matrices.values()}
            if solution.matrix is not None and len(known | {id(solution.matrix)}) <= most:
                self._matrices[solution.C] = solution.matrix

    def serves(self, classes: ClassesWithWeight) -> bool:
        """Whether the same classes had weight among all rows."""
        return self._classes is None or np.array_equal(self._classes.fitted, classes.fitted)

    def lend(self, C: float, solver: Any) -> None:
        """Have a solver begin with the matrix that was the last for C."""
        if C in self._matrices:
            solver.lend(self._matrices[C])

    def criterion(self, C: float) -> Criterion:
        """Return when to stop for C."""
        return AfterAStep() if C in self.minima else RelativeGap()


class AfterAStep(RelativeGap):
    """The same, which takes no start for a solution."""

    takes_a_start = False


def _sparse_solutions(
    design: Design, classes: ClassesWithWeight, Cs: Array, options: Options, progress: Progress
) -> Iterator[Solution]:
    """Begin each with the coefficients of the last, whose zeros are nearly all to remain."""
    targets = classes.targets
    weakest = (1 - options.l1_ratio) * l2_of(Cs[-1], targets.total_weight)
    base = LinearCrossEntropy(design, targets.loss(design.dtype), weakest, options.fit_intercept)
    base.moments()  # remembered by all that is made from it
    model = base.null_model()
    for C in Cs:
        strength = l2_of(C, targets.total_weight)
        problem = SparseProblem(
            base.with_l2((1 - options.l1_ratio) * strength),
            options.l1_ratio * strength,
            options.penalty_grouping,
        )
        result = problem.minimize(
            SPARSE_SOLVER,
            [problem.from_model(*model)],
            criterion=RelativeGap(),
            tol=options.tol,
            max_iter=options.max_iter,
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


class Predictor:
    """Where the next minimum is about to be.

    It is where a polynomial in log C through the last ones leads, of the degree that would have
    come closest to the last from those before it: how far the errors of the minima are carried
    matters, too.

    Parameters
    ----------
    minima : mapping from float to ndarray, default=None
        Minima for some C that are known from more rows: then it is the difference from them that
        is predicted.
    """

    def __init__(self, minima: Mapping[float, Array] | None = None) -> None:
        self._minima = minima or {}
        self._last: deque[tuple[float, Array]] = deque(maxlen=_HIGHEST + 2)
        self._degree = 0

    def add(self, C: float, params: Array) -> None:
        """Learn of a minimum."""
        params = params - self._minima.get(C, 0.0)
        if not np.isfinite(C) or (self._last and self._last[-1][0] == np.log(C)):
            return
        ahead = [self._at(C, degree) for degree in range(self._highest() + 1)] or [params]
        self._degree = int(np.argmin([np.linalg.norm(at - params) for at in ahead]))
        self._last.append((float(np.log(C)), params))
        # The next degree could not be tried before; so long as more is better, still more is.
        self._degree = min(self._degree + (self._degree + 1 == len(ahead)), self._highest())

    def __call__(self, C: float, otherwise: Array) -> Array:
        """Extrapolate to another C."""
        if C in self._minima:
            otherwise = self._minima[C]
        if not self._last or not np.isfinite(C):
            return otherwise
        return self._minima.get(C, 0.0) + self._at(C, self._degree)

    def _at(self, C: float, degree: int) -> Array:
        known = list(self._last)[-degree - 1 :]
        weights = _lagrange([at for at, _ in known], float(np.log(C)))
        if sum(map(abs, weights)) > _MOST:
            return self._at(C, degree - 1)
        return np.tensordot(weights, np.stack([params for _, params in known]), axes=1)

    def _highest(self) -> int:
        """Return the highest degree to try, −1 where nothing is known."""
        near = [at for at, _ in self._last if self._last[-1][0] - at <= _WIDTH]
        return min(len(near) - 1, _HIGHEST)


def _lagrange(nodes: list[float], at: float) -> list[float]:
    """Return the weights by which values at the nodes make up the polynomial through them."""
    return [
        float(np.prod([(at - b) / (a - b) for j, b in enumerate(nodes) if j != i]))
        for i, a in enumerate(nodes)
    ]


def _weakest(l2s: list[float]) -> float:
    """Return the smallest penalty that is one: by it the coordinates are chosen."""
    return min((l2 for l2 in l2s if l2 > 0), default=0.0)


def warn_unless_converged(endings: Sequence[Ending], who: str, tol: float, stacklevel: int) -> None:
    """Warn of models whose solver stopped before `tol` was reached, if there are any."""
    stopped = [ending for ending in endings if ending.reason is not StopReason.CONVERGED]
    if not stopped:
        return
    worst = max(stopped, key=lambda ending: np.nan_to_num(ending.gap, nan=np.inf))
    remedy = "Raise max_iter or tol, or leave out the largest C."
    if worst.reason is StopReason.ROUNDED:
        remedy = REMEDY
    warnings.warn(
        f"{who} stopped before tol={tol:g} was reached in {len(stopped)} of {len(endings)} fits: "
        f"at C={worst.C:g} because {worst.reason.value}, with a relative optimality gap of "
        f"{worst.gap:.1e}, the largest. {remedy}",
        ConvergenceWarning,
        stacklevel=stacklevel + 1,
    )
