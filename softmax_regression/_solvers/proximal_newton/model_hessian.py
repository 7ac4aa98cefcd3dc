r"""The Hessians of successive models: new ones, and earlier ones corrected along each step.

A new dense Hessian takes many times as long as an evaluation of F. After a step s that changes the
gradient by y, an earlier Hessian M becomes

    M − M s sᵀ M / (sᵀ M s) + y yᵀ / (yᵀ s)

which agrees with F along s and remains positive semidefinite (the BFGS update: J. Nocedal and S.
Wright, "Numerical Optimization", 2nd ed. 2006, ch. 6). Since M starts as a Hessian, a few updates
suffice for a fast convergence, even if the Hessian was summed over a sample of the rows. So a new
one is made only when the last model hardly reduced the subgradient, or when M lacks coefficients
that are needed. Small Hessians of all rows are cheap, and are always made anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from softmax_regression._curvature.working_set import (
    DenseHessian,
    WorkingSetHessian,
    working_set_hessian,
)
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.evaluation import Evaluation
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._penalties.lasso import GroupLasso, Penalty
from softmax_regression._solvers.proximal_newton.quadratic import (
    FlatGroupLasso,
    FlatLasso,
    FlatPenalty,
)

# A Hessian serves well if the norm of the subgradient falls to at most this share in one iteration.
_FALL_OF_GOOD_MODELS = 0.5
# A Hessian of fewer multiplications is made for each model. They take about as long as an iteration
# of a small problem.
_COST_WORTH_KEEPING = 1e8
# Rows drawn for each entry of the working set: during the continuation, when the final penalty is
# reached, and the factor by which a sample grows that did not serve well.
_EARLY_ROWS_PER_ENTRY, _ROWS_PER_ENTRY, _SAMPLE_GROWTH = 5.0, 10.0, 4.0

_LEAST_CURVATURE_SHARE = 1e-10  # A smaller share of the expected curvature is a rounding error.


@dataclass(frozen=True)
class Place:
    """The model of F + Ω at a point, apart from its Hessian.

    Parameters
    ----------
    evaluation : Evaluation
        The evaluation of the objective.
    params, gradient : ndarray of shape (n_outputs, n_columns)
        The parameters (W, b), and the gradient of F there.
    penalty : Penalty
        The penalty Ω.
    """

    evaluation: Evaluation
    params: Array
    gradient: Array
    penalty: Penalty

    def subgradient(self, chosen: NDArray[np.bool_]) -> float:
        """Return the norm of the smallest subgradient over some entries."""
        entries = np.nonzero(chosen)
        flat = flat_penalty(self.penalty, entries[1])
        return float(np.linalg.norm(flat.residual(self.params[entries], self.gradient[entries])))


@dataclass
class HeldHessian:
    """A dense Hessian of a working set, which follows F from place to place.

    Parameters
    ----------
    matrix : ndarray of shape (order, order)
        The Hessian without damping.
    chosen : ndarray of bool, (n_outputs, n_columns)
        The working set.
    place : Place
        Where it was used last.
    subgradient : float
        The norm of the subgradient there.
    """

    matrix: Array
    chosen: NDArray[np.bool_]
    place: Place
    subgradient: float

    def covers(self, place: Place, needed: NDArray[np.bool_]) -> bool:
        """Return whether all needed entries, and all that changed, are in the working set."""
        others = ~self.chosen
        moved = (place.params != self.place.params)[others]
        return not (needed[others].any() or moved.any())

    def moved_to(self, place: Place, subgradient: float) -> Self | None:
        """Return the Hessian after an update; None if there is no curvature along the step."""
        step = (place.params - self.place.params)[self.chosen]
        change = (place.gradient - self.place.gradient)[self.chosen]
        image = self.matrix @ step
        curvature, expected = float(step @ change), float(step @ image)
        if not curvature > _LEAST_CURVATURE_SHARE * expected > 0:
            return None
        image /= np.sqrt(expected)
        change /= np.sqrt(curvature)
        self.matrix += np.outer(change, change)
        self.matrix -= np.outer(image, image)
        return type(self)(self.matrix, self.chosen, place, subgradient)


class ModelHessians:
    """Returns a Hessian for each model.

    Parameters
    ----------
    smooth : LinearCrossEntropy
        F.

    Attributes
    ----------
    exact : bool
        Whether the last Hessian that was returned is that of F at the last place.
    """

    def __init__(self, smooth: LinearCrossEntropy):
        self._smooth = smooth
        self._held: HeldHessian | None = None
        self._rows_per_entry = _ROWS_PER_ENTRY
        self._is_new = True
        self.exact = True

    def earlier(self, place: Place, needed: NDArray[np.bool_]) -> HeldHessian | None:
        """Return the last Hessian, updated, if it served well and has all needed entries."""
        held, self._held = self._held, None
        if held is None:
            return None
        subgradient = place.subgradient(held.chosen)
        if not subgradient <= _FALL_OF_GOOD_MODELS * held.subgradient:
            if self._is_new:
                self._rows_per_entry *= _SAMPLE_GROWTH
            return None
        if not held.covers(place, needed):
            return None
        self._held = held.moved_to(place, subgradient)
        return self._held

    def damped(self, held: HeldHessian, damping: float) -> WorkingSetHessian:
        """Return an earlier Hessian plus damping."""
        self._is_new = self.exact = False
        matrix = held.matrix.copy()
        matrix.flat[:: len(matrix) + 1] += damping
        return DenseHessian(matrix)

    def new(
        self, place: Place, chosen: NDArray[np.bool_], damping: float, early: bool
    ) -> WorkingSetHessian:
        """Return a new Hessian plus damping.

        It is kept if it took long, or is that of a sample. `early` says that it is for a model of
        the continuation. This need not be accurate, and is not kept, since the next model needs
        other coefficients.
        """
        rows = _EARLY_ROWS_PER_ENTRY if early else self._rows_per_entry
        new = working_set_hessian(self._smooth, place.evaluation, chosen, damping, rows)
        self._is_new, self.exact = True, new.exact
        if (
            not early
            and isinstance(new, DenseHessian)
            and (new.cost >= _COST_WORTH_KEEPING or not new.exact)
        ):
            matrix = new.matrix.copy()
            matrix.flat[:: len(matrix) + 1] -= damping
            self._held = HeldHessian(matrix, chosen, place, place.subgradient(chosen))
        return new

    def distrust(self) -> None:
        """Make the next Hessian anew, over all rows."""
        self._held, self._rows_per_entry = None, np.inf


def flat_penalty(penalty: Penalty, columns: NDArray[np.intp]) -> FlatPenalty:
    """Return a penalty as a function of the vector of entries of a working set.

    `columns` are the columns of (W, b) of the entries.
    """
    penalized = columns < len(penalty.weights)
    if penalty.unpenalized is not None:
        penalized[penalized] = ~penalty.unpenalized[columns[penalized]]
    if not isinstance(penalty, GroupLasso):
        weights = np.zeros(len(columns))
        weights[penalized] = penalty.weights[columns[penalized]]
        return FlatLasso(weights)
    names = np.unique(columns[penalized])
    groups = np.where(penalized, np.searchsorted(names, columns), len(names))
    return FlatGroupLasso(penalty.weights[names], groups)
