"""Newton's method on the likelihood: from near its maximum to it, and along lines and planes.

Estimators stop when the objective is near its minimum; intervals, tests and errors want the
minimum itself. The Hessian is at hand, and each step squares what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.cholesky import CholeskyFactor
from softmax_regression.inference._information import Evaluation, Likelihood

_ENOUGH = 1e-12  # of the squared decrement: the next step leaves its square
_ENOUGH_BIAS_REDUCED = 1e-20  # of it, where the next step leaves a fraction
_SETTLED = 1e-7  # nats: smaller changes of scores leave the information as it is
_NEAR = 1e-2  # of it, from which each step of a regular problem takes away nearly all
_LINEAR = 0.05  # what a step leaves of it at least where the minimum is infinitely far away
CALM = 0.05  # nats: changes of scores by a step that are no sign of a minimum infinitely far away
_LEAST_SHARE = 1e-8  # of what an update is divided by, relative to its largest
_MOST_STEPS = 500
_HALVINGS = 30
_SINGULAR = 1e-13
_NO_JITTER = 1e-20  # so little that rounding takes it away


class SingularInformationError(ValueError):
    """The information is singular: some unknowns cannot be told apart.

    Parameters
    ----------
    directions : ndarray of shape (n_params, n_directions)
        Along which it vanishes.
    """

    def __init__(self, directions: Array):
        super().__init__("The information matrix is singular.")
        self.directions = directions


def factored(matrix: Array) -> CholeskyFactor:
    """Factor a matrix; raise SingularInformationError if it is singular but for rounding."""
    if not np.isfinite(matrix).all():
        raise ValueError("The information is not finite: divide large columns of X by their size.")
    smallest = max(_SINGULAR, 10 * len(matrix) * np.finfo(np.float64).eps)
    factor = CholeskyFactor(matrix.copy(), _NO_JITTER)
    if factor.sound and factor.least_pivot > smallest:
        return factor
    diagonal = matrix.diagonal()
    roots = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = eigh(matrix / roots / roots[:, None])
    vanishing = values <= max(smallest, values[0])
    raise SingularInformationError(vectors[:, vanishing] / roots[:, None])


@dataclass(frozen=True)
class Maximum:
    """Where Newton's method ended.

    Parameters
    ----------
    u : ndarray of shape (n_params,)
        The unknowns.
    evaluation : Evaluation
        The loss and its derivatives there, or where the last step, a tiny one, began.
    value, log_likelihood : float
        At `u`.
    regular : bool
        Whether what is left vanished as it does near a maximum, not only by a constant factor.
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
    """Minimise F from a point on, in all directions or along those of a basis.

    Parameters
    ----------
    likelihood : Likelihood
        F.
    u : ndarray of shape (n_params,)
        Where to begin.
    basis : ndarray of shape (n_params, n_directions), default=None
        Directions, as columns.
    at : Evaluation, default=None
        F there, if it is known.
    """
    at = likelihood.evaluate(u) if at is None else at
    enough = _ENOUGH_BIAS_REDUCED if likelihood.bias_reduced and basis is None else _ENOUGH
    curvature = _Curvature(basis, learns=likelihood.bias_reduced)
    before = np.inf
    # With a penalty or a prior, or along some directions of a likelihood that has a maximum, there
    # is one.
    may_lack = basis is None and not (likelihood.strength or likelihood.bias_reduced)
    regular = not may_lack
    for _ in range(_MOST_STEPS):
        step, square = curvature.step(at)
        is_settled = square <= enough
        if basis is None and square <= _NEAR:
            change = likelihood.largest_change(step)
            is_settled |= change <= _SETTLED and not likelihood.bias_reduced
            if may_lack:
                fell = before < _NEAR and square <= _LINEAR * before
                regular = fell or change < CALM
        if is_settled and (regular or square == 0):
            gain = 0.5 * square
            return Maximum(u + step, at, at.value - gain, at.log_likelihood + gain, True)
        if before < _NEAR and not regular:
            break
        following = _searched(likelihood, u, at, step, square)
        if following is None:
            break
        curvature.learn(following[0] - u, at, following[1])
        (u, at), before = following, square
    return Maximum(u, at, at.value, at.log_likelihood, regular)


class _Curvature:
    """The information along some directions, and what it leaves out of the Hessian of F.

    That is nothing without bias reduction. With it, the steps taken teach it: by the symmetric
    rank-one update of the part that is not known (Nocedal and Wright, *Numerical Optimization*,
    sections 6.2 and 10.3). So steps gain ever more, where those by the information gain a factor.

    Parameters
    ----------
    basis : ndarray of shape (n_params, n_directions) or None
        The directions, orthonormal columns; None for all.
    learns : bool
        Whether there is a part that is not known.
    """

    def __init__(self, basis: Array | None, learns: bool):
        self._basis = basis
        self._learns = learns
        self._rest: Array | float = 0.0

    def step(self, at: Evaluation) -> tuple[Array, float]:
        """Return Newton's step, and the squared decrement."""
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
        """Learn from a step and the gradients at both of its ends."""
        if not self._learns:
            return
        along = self._along(step)
        expected = (self._information(after) + self._rest) @ along
        missed = self._along(after.gradient - before.gradient) - expected
        share = float(missed @ along)
        size = float(np.linalg.norm(missed) * np.linalg.norm(along))
        if abs(share) > _LEAST_SHARE * size:
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
    """Return the first point along a step, halved as often as needed, where F is lower."""
    rounding = 1e-13 * abs(at.value)
    for halvings in range(_HALVINGS):
        length = 0.5**halvings
        trial = u + length * step
        if (
            square <= _NEAR
            or likelihood.value(trial) <= at.value - 0.1 * length * square + rounding
        ):
            return trial, likelihood.evaluate(trial)
    return None
