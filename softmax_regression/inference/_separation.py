r"""Whether the maximum likelihood estimate exists, by linear programming.

It does not if there is a direction δ in the coefficients along which no row of weight loses,

    m_ik(δ) = (δ_{y_i} − δ_k) x_i ≥ 0    for all rows i and classes k,

and some row gains: the likelihood then rises along δ for ever (Albert and Anderson, "On the
existence of maximum likelihood estimates in logistic regression models", *Biometrika* 71, 1984).
The classes are completely separated if some δ makes all m_ik > 0, else quasi-completely. Directions
form a cone, so that a pair (i, k) that gains along one of them can be made to gain at least 1, and
all that can do so together. The program (after Konis, *Linear programming algorithms for detecting
separated data in binary logistic regression models*, Oxford, 2007)

    maximise Σ s_ik    subject to    s_ik ≤ m_ik(δ),  0 ≤ s_ik ≤ 1

therefore ends with s_ik = 1 for every pair that is separated, and 0 for all others. A coefficient
is infinite if it is not 0 all over the cone, which two more programs for each coefficient tell.

Only some pairs are given to the program at first, and those that its answer does not settle are
added: pairs that do not gain along the direction found, but have a margin along others in which the
pairs that were found not to gain have none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import qr, svd
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack

from softmax_regression._linalg.arrays import Array

_DEPENDENT = 1e-9  # of its length, by which a column differs from a sum of others at least
_BOX = 1e4  # of directions, in standardised units
_SEPARATED = 1e-5  # of a margin that can be 1: less is rounding
_TOLERANCE = 1e-6
_FIRST_PAIRS = 6  # for each unknown
_MOST_ROUNDS = 60


class UnsolvedProgramError(RuntimeError):
    """HiGHS did not solve a program."""


@dataclass(frozen=True)
class Cone:
    """All directions along which no row loses.

    Parameters
    ----------
    kind : {'none', 'quasi-complete', 'complete'}
        What some of them separate.
    basis : ndarray of shape (n_params, n_directions)
        Of the space in which they lie.
    gains : ndarray of shape (n_pairs, n_directions)
        What each separated pair gains along each direction of the basis; none must be below 0.
    n_separated : int
        How many rows gain.
    """

    kind: str
    basis: Array
    gains: Array
    n_separated: int

    def moves(self, function: Array) -> bool:
        """Whether a linear function is not 0 all over the cone, and so unbounded."""
        along = np.abs(function @ self.basis).max(initial=0.0)
        return bool(along > _TOLERANCE * np.linalg.norm(function))

    def sign(self, function: Array) -> float:
        """Return inf or −inf if a linear function only rises or falls in the cone.

        It is 0 if the function vanishes in it, and NaN if it may do both.
        """
        if not self.moves(function):
            return 0.0
        along, enough = function @ self.basis, _TOLERANCE * np.linalg.norm(function)
        rises, falls = (self._largest(sign * along) > enough for sign in (1, -1))
        if rises and falls:
            return np.nan
        return np.inf if rises else -np.inf if falls else 0.0

    def _largest(self, along: Array) -> float:
        found = linprog(
            -along, A_ub=-self.gains, b_ub=np.zeros(len(self.gains)), bounds=(-1, 1), method="highs"
        )
        return float(-found.fun) if found.status == 0 else 0.0


class Pairs:
    """Rows, and the classes that they do not belong to.

    Parameters
    ----------
    z : ndarray of shape (n_rows, width)
        Rows, each different, in standardised coordinates.
    labels : ndarray of shape (n_rows,)
        The numbers of their classes.
    n_classes : int
        How many classes there are.
    """

    def __init__(self, z: Array, labels: Array, n_classes: int):
        sizes = np.abs(z).max(axis=1, initial=0.0)
        self.z: Array = z / np.where(sizes > 0, sizes, 1.0)[:, None]  # no sign changes by that
        self.labels, self.n_classes = labels, n_classes
        self.n_params = (n_classes - 1) * z.shape[1]
        others = np.arange(n_classes - 1)
        self.rows = np.repeat(np.arange(len(z)), n_classes - 1)
        k = np.tile(others, len(z))
        self.others = k + (k >= labels[self.rows])

    def margins(self, direction: Array) -> Array:
        """Return m of all pairs."""
        by_class = np.vstack([np.zeros(self.z.shape[1]), direction.reshape(self.n_classes - 1, -1)])
        scores = self.z @ by_class.T
        own = scores[np.arange(len(self.z)), self.labels]
        return own[self.rows] - scores[self.rows, self.others]

    def matrix(self, pairs: Array) -> csr_array:
        """Return what takes a direction to the margins of some pairs."""
        width = self.z.shape[1]
        rows, other = self.rows[pairs], self.others[pairs]
        own = self.labels[rows]
        z = self.z[rows]
        number = np.arange(len(pairs))
        entries, positions = [], []
        for sign, of_class in ((1.0, own), (-1.0, other)):
            kept = of_class > 0
            columns = ((of_class[kept] - 1) * width)[:, None] + np.arange(width)
            positions.append((np.repeat(number[kept], width), columns.ravel()))
            entries.append((sign * z[kept]).ravel())
        at = tuple(np.concatenate(part) for part in zip(*positions, strict=True))
        shape = len(pairs), self.n_params
        return csr_array((np.concatenate(entries), at), shape=shape)


def cone(z: Array, labels: Array, n_classes: int) -> Cone:
    """Return the directions along which no row loses.

    Parameters
    ----------
    z : ndarray of shape (n_rows, width)
        Rows of weight, in standardised coordinates, the intercept's ones included.
    labels : ndarray of shape (n_rows,)
        The numbers of their classes.
    n_classes : int
        How many classes there are.
    """
    kept = independent_columns(z)
    different = pd.DataFrame(z).assign(label=labels).drop_duplicates().index.to_numpy()
    pairs = Pairs(z[np.ix_(different, kept)], labels[different], n_classes)
    separated = _separated_pairs(pairs)
    width = z.shape[1]
    if separated is None:
        nothing = np.empty((0, 0))
        return Cone("none", np.empty(((n_classes - 1) * width, 0)), nothing, 0)
    basis = np.eye(pairs.n_params)
    if not separated.all():
        basis = _null_space(pairs, np.flatnonzero(~separated))
    gains = pairs.matrix(np.flatnonzero(separated)) @ basis
    gains = np.unique(
        np.round(gains / np.abs(gains).max(axis=1, initial=1e-300)[:, None], 12), axis=0
    )
    whole = np.zeros((n_classes - 1, width, basis.shape[1]))
    whole[:, kept] = basis.reshape(n_classes - 1, len(kept), -1)
    rows = np.zeros(len(different), dtype=bool)
    rows[pairs.rows[separated]] = True
    gaining = (
        pd.DataFrame(z)
        .assign(label=labels)
        .merge(pd.DataFrame(z[different]).assign(label=labels[different], gains=rows), how="left")[
            "gains"
        ]
    )
    kind = "complete" if separated.all() else "quasi-complete"
    return Cone(kind, whole.reshape(-1, basis.shape[1]), gains, int(gaining.sum()))


def independent_columns(z: Array) -> NDArray[np.intp]:
    """Return the columns that are not sums of multiples of columns before them."""
    upper = np.atleast_2d(qr(z, mode="r")[0])[: z.shape[1]]
    sizes = np.linalg.norm(upper, axis=0)
    diagonal = np.zeros(z.shape[1])
    diagonal[: len(upper)] = np.abs(np.diagonal(upper))
    return np.flatnonzero(diagonal > _DEPENDENT * np.maximum(sizes, 1e-300))


def _null_space(pairs: Pairs, chosen: Array) -> Array:
    """Return a basis of the directions along which some pairs do not gain."""
    upper = np.zeros((1, pairs.n_params))
    step = max(1, 4 * pairs.n_params)
    for start in range(0, len(chosen), step):
        block = pairs.matrix(chosen[start : start + step]).toarray()
        upper = np.atleast_2d(qr(np.vstack([upper, block]), mode="r")[0])[: pairs.n_params]
    _, values, right = svd(upper)
    rank = int((values > _TOLERANCE * max(values.max(initial=0.0), 1e-300)).sum())
    return right[rank:].T


def _separated_pairs(pairs: Pairs) -> NDArray[np.bool_] | None:
    """Return which pairs gain along some direction; None if none does."""
    n_pairs = len(pairs.rows)
    rng = np.random.default_rng(0)  # any choice ends with the same
    room = max(_FIRST_PAIRS * pairs.n_params, 1000)
    given = rng.permutation(n_pairs)[:room]
    for _ in range(_MOST_ROUNDS):
        direction, gains = _program(pairs, given)
        gaining = gains > _SEPARATED
        # Directions in which no row loses lie where pairs that cannot gain do not.
        span = _null_space(pairs, given[~gaining])
        margins, sizes = pairs.margins(direction), np.zeros(n_pairs)
        for along in span.T:
            np.maximum(sizes, np.abs(pairs.margins(along)), out=sizes)
        unsettled = (sizes > _TOLERANCE) & (margins <= _SEPARATED)
        unsettled[given] = False
        if not unsettled.any():
            separated = (sizes > _TOLERANCE) & (margins > _SEPARATED)
            separated[given] = gaining
            return separated if separated.any() else None
        left = np.flatnonzero(unsettled)
        order = np.argsort(margins[left] - sizes[left], kind="stable")
        given = np.concatenate([given, left[order[:room]]])
    raise UnsolvedProgramError("The programs of separation did not come to an end.")


def _program(pairs: Pairs, given: Array) -> tuple[Array, Array]:
    """Solve the program for some pairs; return the direction, and what each gains up to 1."""
    n, q = len(given), pairs.n_params
    constraints = hstack([-pairs.matrix(given), eye_array(n)], format="csr")
    # Of its ways HiGHS gives one up now and then, as it says, for want of digits.
    for method in ("highs", "highs-ipm", "highs-ds"):
        found = linprog(
            np.append(np.zeros(q), -np.ones(n)),
            A_ub=constraints,
            b_ub=np.zeros(n),
            bounds=np.append(np.tile([-_BOX, _BOX], (q, 1)), np.tile([0.0, 1.0], (n, 1)), axis=0),
            method=method,
        )
        if found.status == 0:
            return found.x[:q], found.x[q:]
    raise UnsolvedProgramError(f"The program of separation was not solved: {found.message}")
