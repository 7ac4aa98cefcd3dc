"""Newton's method on the likelihood: from near its maximum to it, and along lines and planes.

Estimators stop when the objective is near its minimum; intervals, tests and errors want the
minimum itself. The Hessian is at hand, and each step squares what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, eigh

from softmax_regression._linalg.arrays import Array
from softmax_regression.inference._information import Evaluation, Likelihood

_ENOUGH = 1e-12  # of the squared decrement: the next step leaves its square
_NEAR = 1e-2  # of it, from which each step of a regular problem takes away nearly all
_LINEAR = 0.05  # what a step leaves of it at least where the minimum is infinitely far away
CALM = 0.05  # nats: changes of scores by a step that are no sign of a minimum infinitely far away
_MOST_STEPS = 50
_HALVINGS = 30
_SINGULAR = 1e-13


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


@dataclass(frozen=True)
class Factor:
    """The inverse of a positive definite matrix, as a Cholesky factor in units of its diagonal.

    Parameters
    ----------
    roots : ndarray of shape (n,)
        Square roots of the diagonal.
    lower : ndarray of shape (n, n)
        The factor of the matrix with ones on its diagonal.
    """

    roots: Array
    lower: Array

    @classmethod
    def of(cls, matrix: Array) -> Factor:
        """Factor a matrix; raise SingularInformationError if it is singular but for rounding."""
        diagonal = matrix.diagonal()
        roots = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        scaled = matrix / roots / roots[:, None]
        smallest = max(_SINGULAR, 10 * len(matrix) * np.finfo(np.float64).eps)
        try:
            lower = cholesky(scaled, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            lower = None
        if lower is None or not (np.square(lower.diagonal()) > smallest).all():
            values, vectors = eigh(scaled)
            vanishing = values <= max(smallest, values[0])
            raise SingularInformationError(vectors[:, vanishing] / roots[:, None])
        return cls(roots, lower)

    def solve(self, right: Array) -> Array:
        """Multiply by the inverse."""
        roots = self.roots if right.ndim == 1 else self.roots[:, None]
        return cho_solve((self.lower, True), right / roots, check_finite=False) / roots

    def inverse(self) -> Array:
        """Return the inverse."""
        inverse = self.solve(np.eye(len(self.roots)))
        return 0.5 * (inverse + inverse.T)


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
    first_decrement : float
        Half of the squared Newton decrement at the start: what was left there to gain.
    regular : bool
        Whether what is left vanished as it does near a maximum, not only by a constant factor.
    """

    u: Array
    evaluation: Evaluation
    value: float
    log_likelihood: float
    first_decrement: float
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
    before, first = np.inf, np.nan
    # With a penalty, or along some directions of a likelihood that has a maximum, there is one.
    watched = basis is None and not likelihood.strength
    regular = not watched
    for step_number in range(_MOST_STEPS):
        step, square = _newton_step(at, basis)
        if step_number == 0:
            first = 0.5 * square
        if watched:
            fell = before < _NEAR and square <= _LINEAR * before
            regular = fell or at.least > 4 * square
            if square <= _ENOUGH and not (regular or before < np.inf):
                regular = likelihood.largest_change(step) < CALM
        if square <= _ENOUGH and (regular or square == 0):
            gain = 0.5 * square
            return Maximum(u + step, at, at.value - gain, at.log_likelihood + gain, first, True)
        if before < _NEAR and not regular:
            break
        following = _searched(likelihood, u, at, step, square)
        if following is None:
            break
        (u, at), before = following, square
    return Maximum(u, at, at.value, at.log_likelihood, first, regular)


def _newton_step(at: Evaluation, basis: Array | None) -> tuple[Array, float]:
    """Return Newton's step, and the squared decrement."""
    gradient, information = at.gradient, at.information
    if basis is not None:
        gradient, information = basis.T @ gradient, basis.T @ information @ basis
    if not len(gradient):
        return np.zeros_like(at.gradient), 0.0
    step = -Factor.of(information).solve(gradient)
    square = max(float(-gradient @ step), 0.0)
    return (step if basis is None else basis @ step), square


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
