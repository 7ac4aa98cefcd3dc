"""Newton's method for the maximum of the likelihood, possibly within a subspace.

Estimators stop when the objective is near its minimum; intervals, tests and standard errors need
the minimum itself. Newton's method converges quadratically from there, and inference needs the
Hessian anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression.inference._information import Evaluation, Likelihood

# Newton's method stops when the squared decrement is below this: the next step would square it.
_SQUARED_DECREMENT_TOLERANCE = 1e-12
# With bias reduction a step reduces the squared decrement only by a factor, so that more is needed.
_SQUARED_DECREMENT_TOLERANCE_BIAS_REDUCED = 1e-20
_SCORE_CHANGE_TOLERANCE = 1e-7  # Smaller changes of scores, in nats, do not change the information.
# Below this squared decrement, full steps converge quadratically if the problem has a minimum.
_FULL_STEP_SQUARED_DECREMENT = 1e-2
# A step leaves a larger fraction of the squared decrement if the minimum is infinitely far away.
_MAX_REGULAR_DECREMENT_RATIO = 0.05
CALM = 0.05  # A step that changes scores by fewer nats is no sign of a minimum at infinity.
_MIN_UPDATE_COSINE = 1e-8  # Rank-one updates with a smaller relative denominator are skipped.
_MAX_STEPS = 500
_MAX_HALVINGS = 30
_MIN_RELATIVE_PIVOT = 1e-13  # A matrix whose smallest relative pivot is below this is singular.
_NEGLIGIBLE_JITTER = 1e-20  # This much added to a unit diagonal is lost in rounding.


class SingularInformationError(ValueError):
    """The information is singular, so that some unknowns are not identified.

    Parameters
    ----------
    directions : ndarray of shape (n_params, n_directions)
        The directions along which the information vanishes.
    """

    def __init__(self, directions: Array):
        super().__init__("The information matrix is singular.")
        self.directions = directions


def factored(matrix: Array) -> CholeskyFactor:
    """Factor a matrix; raise SingularInformationError if it is numerically singular."""
    if not np.isfinite(matrix).all():
        raise ValueError("The information is not finite: divide large columns of X by their size.")
    smallest = max(_MIN_RELATIVE_PIVOT, 10 * len(matrix) * np.finfo(np.float64).eps)
    factor = CholeskyFactor(matrix.copy(), _NEGLIGIBLE_JITTER)
    if factor.sound and factor.least_pivot > smallest:
        return factor
    diagonal = matrix.diagonal()
    roots = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = eigh(matrix / roots / roots[:, None])
    vanishing = values <= max(smallest, values[0])
    raise SingularInformationError(vectors[:, vanishing] / roots[:, None])


@dataclass(frozen=True)
class Maximum:
    """The point at which Newton's method ended.

    Parameters
    ----------
    u : ndarray of shape (n_params,)
        The unknowns.
    evaluation : Evaluation
        F and its derivatives at `u`, or at the point from which the last tiny step was taken.
    value, log_likelihood : float
        F and the log-likelihood at `u`.
    regular : bool
        Whether the decrement vanished as it does near a maximum, and not by a constant factor.
    """

    u: Array
    evaluation: Evaluation
    value: float
    log_likelihood: float
    regular: bool


def maximize(
    likelihood: Likelihood,
    u: Array,
    basis: Array | None = None,
    at: Evaluation | None = None,
) -> Maximum:
    """Minimise F from a starting point, in all directions or along those of a basis.

    Parameters
    ----------
    likelihood : Likelihood
        The likelihood that defines F.
    u : ndarray of shape (n_params,)
        The starting point.
    basis : ndarray of shape (n_params, n_directions), default=None
        The directions, as orthonormal columns; by default all directions.
    at : Evaluation, default=None
        F and its derivatives at the starting point, if they are known.
    """
    at = likelihood.evaluate(u) if at is None else at
    enough = (
        _SQUARED_DECREMENT_TOLERANCE_BIAS_REDUCED
        if likelihood.bias_reduced and basis is None
        else _SQUARED_DECREMENT_TOLERANCE
    )
    curvature = _Curvature(basis, learns=likelihood.bias_reduced)
    before = np.inf
    # With a penalty or a prior a minimum exists for certain, and within a subspace because the
    # likelihood has a maximum then.
    may_lack = basis is None and not (likelihood.strength or likelihood.bias_reduced)
    regular = not may_lack
    for _ in range(_MAX_STEPS):
        step, square = curvature.step(at)
        is_settled = square <= enough
        if basis is None and square <= _FULL_STEP_SQUARED_DECREMENT:
            if not (is_settled or likelihood.bias_reduced):
                is_settled = likelihood.changes_less(step, _SCORE_CHANGE_TOLERANCE)
            if may_lack:
                fell = (
                    before < _FULL_STEP_SQUARED_DECREMENT
                    and square <= _MAX_REGULAR_DECREMENT_RATIO * before
                )
                regular = fell or likelihood.changes_less(step, CALM)
        if is_settled and (regular or square == 0):
            gain = 0.5 * square
            return Maximum(u + step, at, at.value - gain, at.log_likelihood + gain, True)
        if before < _FULL_STEP_SQUARED_DECREMENT and not regular:
            break
        following = _searched(likelihood, u, at, step, square)
        if following is None:
            break
        curvature.learn(following[0] - u, at, following[1])
        (u, at), before = following, square
    return Maximum(u, at, at.value, at.log_likelihood, regular)


class _Curvature:
    """A model of the Hessian of F along some directions.

    Without bias reduction the Hessian is the information. With bias reduction it has another part,
    which symmetric rank-one updates learn from the steps taken (Nocedal and Wright, *Numerical
    Optimization*, sections 6.2 and 10.3). Steps then converge superlinearly, where steps with the
    information alone converge linearly.

    Parameters
    ----------
    basis : ndarray of shape (n_params, n_directions) or None
        The directions, as orthonormal columns; None for all directions.
    learns : bool
        Whether the Hessian has a part beside the information that is to be learned.
    """

    def __init__(self, basis: Array | None, learns: bool):
        self._basis = basis
        self._learns = learns
        self._rest: Array | float = 0.0

    def step(self, at: Evaluation) -> tuple[Array, float]:
        """Return the Newton step and its squared decrement."""
        gradient, information = self._along(at.gradient), self._information(at)
        if not len(gradient):
            return np.zeros_like(at.gradient), 0.0
        if np.isinf(at.value) and self._learns:
            raise SingularInformationError(np.empty((len(at.gradient), 0)))
        try:
            factor = factored(information + self._rest)
        except SingularInformationError:
            if not self._learns:
                raise
            self._rest = 0.0
            factor = factored(information)
        step = -factor.solve(gradient)
        square = max(float(-gradient @ step), 0.0)
        return (step if self._basis is None else self._basis @ step), square

    def learn(self, step: Array, before: Evaluation, after: Evaluation) -> None:
        """Update the learned part from a step and the gradients at both of its ends."""
        if not self._learns:
            return
        along = self._along(step)
        expected = (self._information(after) + self._rest) @ along
        missed = self._along(after.gradient - before.gradient) - expected
        share = float(missed @ along)
        size = float(np.linalg.norm(missed) * np.linalg.norm(along))
        if abs(share) > _MIN_UPDATE_COSINE * size:
            self._rest = self._rest + np.outer(missed, missed) / share

    def _along(self, vector: Array) -> Array:
        return vector if self._basis is None else self._basis.T @ vector

    def _information(self, at: Evaluation) -> Array:
        if self._basis is None:
            return at.information
        return np.asarray(self._basis.T @ at.information @ self._basis)


def _searched(
    likelihood: Likelihood, u: Array, at: Evaluation, step: Array, square: float
) -> tuple[Array, Evaluation] | None:
    """Return the first point of a backtracking line search that lowers F enough, or None."""
    rounding = 1e-13 * abs(at.value)
    for halvings in range(_MAX_HALVINGS):
        length = 0.5**halvings
        trial = u + length * step
        if (
            square <= _FULL_STEP_SQUARED_DECREMENT
            or likelihood.value(trial) <= at.value - 0.1 * length * square + rounding
        ):
            return trial, likelihood.evaluate(trial)
    return None
