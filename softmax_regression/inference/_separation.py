r"""Detection of separation by linear programming.

The maximum likelihood estimate does not exist if there is a direction δ in the coefficients along
which no row of positive weight loses against another class,

    m_ik(δ) = (δ_{y_i} − δ_k) x_i ≥ 0    for all rows i and classes k,

and some row gains: the likelihood then increases along δ without end (Albert and Anderson, "On the
existence of maximum likelihood estimates in logistic regression models", *Biometrika* 71, 1984).
The classes are completely separated if some δ makes all m_ik > 0, and quasi-completely otherwise.
These directions form a convex cone, so that one of them gives every pair (i, k) that can gain at
all a gain of at least 1. The linear program (after Konis, *Linear programming algorithms for
detecting separated data in binary logistic regression models*, Oxford, 2007)

    maximise Σ s_ik    subject to    s_ik ≤ m_ik(δ),  0 ≤ s_ik ≤ 1

therefore has the solution s_ik = 1 for every separated pair, and 0 for all others. A coefficient
is infinite if it is not 0 everywhere in the cone; two more programs for each coefficient find its
sign.

The first program contains only some of the pairs, and pairs that its solution does not decide are
added to the next. A pair is undecided if it does not gain along the direction found, but has a
margin along another direction in which the pairs that cannot gain have none.
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

# A column is independent if the part of it that is orthogonal to the columns before it is a larger
# fraction of its norm.
_MIN_RELATIVE_DIAGONAL = 1e-9
_MAX_DIRECTION = 1e4  # The bound of each entry of a direction, in standardised units.
_MIN_SEPARATED_MARGIN = 1e-5  # A separated pair has a margin of 1; smaller margins are rounding.
_RELATIVE_TOLERANCE = 1e-6
_PAIRS_PER_UNKNOWN = 6  # The number of pairs in the first program for each unknown.
_MAX_PROGRAMS = 60


class UnsolvedProgramError(RuntimeError):
    """HiGHS did not solve a linear program of the detection of separation."""


@dataclass(frozen=True)
class Cone:
    """The cone of directions along which no row loses against another class.

    Parameters
    ----------
    kind : {'none', 'quasi-complete', 'complete'}
        The kind of separation.
    basis : ndarray of shape (n_params, n_directions)
        A basis of the linear span of the cone.
    gains : ndarray of shape (n_pairs, n_directions)
        The gain of each separated pair along each vector of the basis. The gain along a direction
        of the cone is nowhere negative.
    n_separated : int
        The number of rows that gain along some direction.
    """

    kind: str
    basis: Array
    gains: Array
    n_separated: int

    def moves(self, function: Array) -> bool:
        """Return whether a linear function is not 0 everywhere in the cone, and so unbounded."""
        along = np.abs(function @ self.basis).max(initial=0.0)
        return bool(along > _RELATIVE_TOLERANCE * np.linalg.norm(function))

    def sign(self, function: Array) -> float:
        """Return inf or −inf if a linear function has that one sign in the cone.

        The result is 0 if the function vanishes in the cone, and NaN if it takes both signs.
        """
        if not self.moves(function):
            return 0.0
        along, enough = function @ self.basis, _RELATIVE_TOLERANCE * np.linalg.norm(function)
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
    """All pairs of a row and a class that it does not belong to.

    Parameters
    ----------
    z : ndarray of shape (n_rows, width)
        The distinct rows, in standardised coordinates.
    labels : ndarray of shape (n_rows,)
        The index of the class of each row.
    n_classes : int
        The number of classes.
    """

    def __init__(self, z: Array, labels: Array, n_classes: int):
        sizes = np.abs(z).max(axis=1, initial=0.0)
        # Dividing a row by a positive number does not change the sign of its margins.
        self.z: Array = z / np.where(sizes > 0, sizes, 1.0)[:, None]
        self.labels, self.n_classes = labels, n_classes
        self.n_params = (n_classes - 1) * z.shape[1]
        others = np.arange(n_classes - 1)
        self.rows = np.repeat(np.arange(len(z)), n_classes - 1)
        k = np.tile(others, len(z))
        self.others = k + (k >= labels[self.rows])

    def margins(self, direction: Array) -> Array:
        """Return the margins m of all pairs along a direction."""
        by_class = np.vstack([np.zeros(self.z.shape[1]), direction.reshape(self.n_classes - 1, -1)])
        scores = self.z @ by_class.T
        own = scores[np.arange(len(self.z)), self.labels]
        return own[self.rows] - scores[self.rows, self.others]

    def matrix(self, pairs: Array) -> csr_array:
        """Return the matrix that maps a direction to the margins of some pairs."""
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
    """Return the cone of directions along which no row loses against another class.

    Parameters
    ----------
    z : ndarray of shape (n_rows, width)
        Rows of positive weight in standardised coordinates, with the intercept's column of ones.
    labels : ndarray of shape (n_rows,)
        The index of the class of each row.
    n_classes : int
        The number of classes.
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
    """Return the columns that are not linear combinations of columns before them."""
    upper = np.atleast_2d(qr(z, mode="r")[0])[: z.shape[1]]
    sizes = np.linalg.norm(upper, axis=0)
    diagonal = np.zeros(z.shape[1])
    diagonal[: len(upper)] = np.abs(np.diagonal(upper))
    return np.flatnonzero(diagonal > _MIN_RELATIVE_DIAGONAL * np.maximum(sizes, 1e-300))


def _null_space(pairs: Pairs, chosen: Array) -> Array:
    """Return a basis of the directions along which the chosen pairs have a margin of 0."""
    upper = np.zeros((1, pairs.n_params))
    step = max(1, 4 * pairs.n_params)
    for start in range(0, len(chosen), step):
        block = pairs.matrix(chosen[start : start + step]).toarray()
        upper = np.atleast_2d(qr(np.vstack([upper, block]), mode="r")[0])[: pairs.n_params]
    _, values, right = svd(upper)
    rank = int((values > _RELATIVE_TOLERANCE * max(values.max(initial=0.0), 1e-300)).sum())
    return right[rank:].T


def _separated_pairs(pairs: Pairs) -> NDArray[np.bool_] | None:
    """Return a mask of the pairs that gain along some direction, or None if none does."""
    n_pairs = len(pairs.rows)
    rng = np.random.default_rng(0)  # The result does not depend on the choice of first pairs.
    room = max(_PAIRS_PER_UNKNOWN * pairs.n_params, 1000)
    given = rng.permutation(n_pairs)[:room]
    for _ in range(_MAX_PROGRAMS):
        direction, gains = _program(pairs, given)
        gaining = gains > _MIN_SEPARATED_MARGIN
        # Along the directions of the cone, pairs that cannot gain have a margin of 0.
        span = _null_space(pairs, given[~gaining])
        margins, sizes = pairs.margins(direction), np.zeros(n_pairs)
        for along in span.T:
            np.maximum(sizes, np.abs(pairs.margins(along)), out=sizes)
        unsettled = (sizes > _RELATIVE_TOLERANCE) & (margins <= _MIN_SEPARATED_MARGIN)
        unsettled[given] = False
        if not unsettled.any():
            separated = (sizes > _RELATIVE_TOLERANCE) & (margins > _MIN_SEPARATED_MARGIN)
            separated[given] = gaining
            return separated if separated.any() else None
        left = np.flatnonzero(unsettled)
        order = np.argsort(margins[left] - sizes[left], kind="stable")
        given = np.concatenate([given, left[order[:room]]])
    raise UnsolvedProgramError("The programs of separation did not come to an end.")


def _program(pairs: Pairs, given: Array) -> tuple[Array, Array]:
    """Solve the program for some pairs; return the direction, and each pair's gain up to 1."""
    n, q = len(given), pairs.n_params
    constraints = hstack([-pairs.matrix(given), eye_array(n)], format="csr")
    # HiGHS sometimes gives up with one of its methods, which it reports as numerical difficulties.
    for method in ("highs", "highs-ipm", "highs-ds"):
        found = linprog(
            np.append(np.zeros(q), -np.ones(n)),
            A_ub=constraints,
            b_ub=np.zeros(n),
            bounds=np.append(
                np.tile([-_MAX_DIRECTION, _MAX_DIRECTION], (q, 1)),
                np.tile([0.0, 1.0], (n, 1)),
                axis=0,
            ),
            method=method,
        )
        if found.status == 0:
            return found.x[:q], found.x[q:]
    raise UnsolvedProgramError(f"The program of separation was not solved: {found.message}")
