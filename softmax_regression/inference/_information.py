r"""What inference needs of the rows: sums over them, and nothing else of how X is read.

The unknowns are differences between classes, a row u_k of p = d + 1 numbers for each class but the
first, in coordinates in which the columns of X have mean 0 and deviation 1 and the intercept comes
first. With z_i a row of X in these coordinates, p_i its probabilities and s_i its weight,

    loss         F  = −Σ_i s_i log p_i[y_i] + ½ Σ_j λ_j u_jᵀ M u_j
    gradient        = Σ_i s_i (p_i − y_i) z_iᵀ + λ_j M u_j
    information     = Σ_i s_i (diag(p_i) − p_i p_iᵀ) ⊗ z_i z_iᵀ + M ⊗ diag(λ)

The penalty of differences between K classes is what ½ ‖W‖² leaves when the part of W that all
classes share is the smallest: M = I − 1 1ᵀ / K; with a single score for two classes M = 1.

Every block of the information off its diagonal is −Σ_i s_i p_j p_k z zᵀ, and every one on it the
sum of such products with the signs changed: so nothing is subtracted, and the digits of rare
classes are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax, xlogy

from softmax_regression._data.design import Design
from softmax_regression._data.moments import Moments
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._problems.objective_scale import as_float
from softmax_regression.inference._coordinates import Coordinates

_UPDATE_VALUES = 1 << 19  # numbers that a block of rows is made into at once: they stay in cache
_LEAST_ROWS = 64


@dataclass(frozen=True)
class Evaluation:
    """The penalised loss somewhere, and its derivatives.

    Parameters
    ----------
    value : float
        F.
    log_likelihood : float
        Without the penalty.
    gradient : ndarray of shape (q,)
        Of F.
    information : ndarray of shape (q, q)
        The Hessian of F.
    data_information : ndarray of shape (q, q)
        That of minus the log-likelihood; the same array where there is no penalty.
    least : float
        The smallest weighted probability of a class that a row does not belong to.
    """

    value: float
    log_likelihood: float
    gradient: Array
    information: Array
    data_information: Array
    least: float


class Likelihood:
    """F and its sums over rows.

    Parameters
    ----------
    design : Design
        X.
    targets : Targets
        Labels or class probabilities, and weights, of the classes that are fitted.
    total_weight : float
        What the weights sum to.
    fit_intercept : bool
        Whether there is an intercept.
    strength : float
        1 / C; 0 for no penalty.
    one_score : bool
        Whether the penalty is that of two classes with a single score.
    coordinates : Coordinates, default=None
        Of the unknowns; by default those of the rows.
    """

    def __init__(
        self,
        design: Design,
        targets: Targets,
        *,
        total_weight: float,
        fit_intercept: bool,
        strength: float = 0.0,
        one_score: bool = False,
        coordinates: Coordinates | None = None,
    ):
        self.design = design
        self.classes = targets.classes
        self.n_classes = len(targets.classes)
        self.targets = targets
        self.total_weight = total_weight
        unit = total_weight / design.n_rows
        weight = targets.weight
        if weight is None and unit != 1:
            weight = np.ones(design.n_rows)
        scaled = Targets(
            targets.classes,
            targets.encoded,
            None if weight is None else weight * unit,
            Fraction(1),
            score_each=True,
        )
        self._loss = scaled.loss(np.float64)
        self.weight = scaled.weight
        if coordinates is None:
            coordinates = Coordinates.standardizing(self._moments(), fit_intercept)
        self.coordinates = coordinates
        self.strength = strength
        shared = 0.0 if one_score else 1 / self.n_classes
        self.class_penalty: Array = np.eye(self.n_classes - 1) - shared
        ridge = strength / np.square(self.coordinates.scales)
        self.ridge: Array = np.append(np.zeros(int(fit_intercept)), ridge)

    @property
    def width(self) -> int:
        """How many unknowns belong to a class."""
        return self.coordinates.width

    @property
    def n_params(self) -> int:
        """How many unknowns there are."""
        return (self.n_classes - 1) * self.width

    @property
    def n_rows_of_weight(self) -> int:
        """How many rows have a positive weight."""
        return self.design.n_rows if self.weight is None else int(np.count_nonzero(self.weight))

    @cached_property
    def _pairs(self) -> tuple[Array, Array]:
        """Numbers of the classes of all pairs j < k."""
        first, second = np.triu_indices(self.n_classes, 1)
        return first, second

    @cached_property
    def _penalty(self) -> Array:
        """The Hessian of the penalty."""
        return np.kron(self.class_penalty, np.diag(self.ridge))

    def _moments(self) -> Moments:
        def work(blocks: Sequence[slice]) -> Moments:
            return Moments.pooled(
                self.design[rows].moments(self._loss.row_weights(rows)) for rows in blocks
            )

        return Moments.pooled(self.design.map_blocks(work, 1))

    def class_totals(self) -> Array:
        """Return the weight of each class."""
        return self._loss.class_shares * self.total_weight

    def null_log_likelihood(self) -> float:
        """Return the log-likelihood of the model that has nothing but intercepts."""
        shares = self._loss.class_shares
        return float(self.total_weight * xlogy(shares, shares).sum())

    # -- rows --------------------------------------------------------------------------------------

    def probabilities(self, u: Array, z: Array) -> Array:
        """Return those of all classes at some rows, class-major."""
        return softmax(self._scores(u, z), axis=0)

    def _scores(self, u: Array, z: Array) -> Array:
        scores = np.zeros((self.n_classes, z.shape[1]))
        np.matmul(u.reshape(-1, self.width), z, out=scores[1:])
        return scores

    def blocks(self, values_per_row: int, rows: slice | None = None) -> Iterator[slice]:
        """Cut rows into blocks of which so many numbers for each row stay in the cache."""
        first, last = (0, self.design.n_rows) if rows is None else (rows.start, rows.stop)
        step = max(_LEAST_ROWS, _UPDATE_VALUES // max(1, values_per_row))
        for start in range(first, last, step):
            yield slice(start, min(start + step, last))

    def rows(self, rows: slice | NDArray[np.intp]) -> Array:
        """Return some rows as columns of an array of shape (width, n_rows)."""
        return self.coordinates.rows(self.design[rows].toarray())

    def row_weights(self, rows: slice) -> Array:
        """Return their weights."""
        return self._loss.row_weights(rows)

    def _residuals(self, u: Array, z: Array, rows: Any, keep: Array | None = None) -> Any:
        """Return the loss and the weighted residuals s (p − y) of some rows."""
        scores = self._scores(u, z)
        loss = self._loss.value_and_residual(scores, rows, keep)
        return loss, scores

    def _map(self, work: Callable[[slice], Sequence[Any]], values_per_row: int) -> list[Any]:
        """Add up, over all blocks of rows, what a function returns."""

        def run(blocks: Sequence[slice]) -> list[Any]:
            totals: list[Any] = []
            for block in blocks:
                for rows in self.blocks(values_per_row, block):
                    found = work(rows)
                    totals = _added(totals, found)
            return totals

        total: list[Any] = []
        for part in self.design.map_blocks(run, values_per_row):
            total = _added(total, part)
        return total

    # -- sums --------------------------------------------------------------------------------------

    def evaluate(self, u: Array) -> Evaluation:
        """Return F, its derivatives, and the smallest probability of a class that did not occur."""
        first, second = self._pairs
        products = _Products(len(first), self.width)

        def work(rows: slice) -> tuple[Any, ...]:
            z = self.rows(rows)
            p = np.empty((self.n_classes, z.shape[1]))
            loss, residuals = self._residuals(u, z, rows, keep=p)
            weighted = p * self._loss.row_weights(rows)
            sizes = np.abs(residuals)
            least = sizes[:, self._loss.row_weights(rows) > 0].min(initial=np.inf)
            pairs = weighted[first] * p[second]
            return loss, residuals[1:] @ z.T, products.of(pairs, z), _Least(least)

        loss, gradient, sums, least = self._map(work, len(first) + products.size)
        information = self._from_pairs(products.matrices(sums), first, second)
        data_information = information
        slope = np.zeros(self.n_params)
        if self.strength:
            information = information + self._penalty
            slope = self._penalty @ u
        return Evaluation(
            value=loss + 0.5 * float(u @ slope),
            log_likelihood=-loss,
            gradient=gradient.ravel() + slope,
            information=information,
            data_information=data_information,
            least=float(least.value),
        )

    def _from_pairs(self, matrices: Array, first: Array, second: Array) -> Array:
        """Put together the information of Σ s p_j p_k z zᵀ, one matrix for each pair j < k."""
        k, width = self.n_classes, self.width
        blocks = np.zeros((k, k, width, width))
        blocks[first, second] = blocks[second, first] = -matrices
        own = np.arange(k)
        blocks[own, own] = -blocks.sum(axis=1)
        return blocks[1:, 1:].transpose(0, 2, 1, 3).reshape(self.n_params, self.n_params)

    def value(self, u: Array) -> float:
        """Return F alone."""

        def work(rows: slice) -> tuple[Any, ...]:
            return (self._residuals(u, self.rows(rows), rows)[0],)

        (loss,) = self._map(work, self.n_classes + self.width)
        return float(loss + 0.5 * u @ self._penalty @ u) if self.strength else float(loss)

    def gradient(self, u: Array) -> tuple[Array, float]:
        """Return the gradient of F without the penalty, and `least` of `Evaluation`."""

        def work(rows: slice) -> tuple[Any, ...]:
            z = self.rows(rows)
            residuals = self._residuals(u, z, rows)[1]
            sizes = np.abs(residuals)[:, self._loss.row_weights(rows) > 0]
            return residuals[1:] @ z.T, _Least(sizes.min(initial=np.inf))

        gradient, least = self._map(work, 2 * self.n_classes + self.width)
        return gradient.ravel(), float(least.value)

    def largest_change(self, step: Array) -> float:
        """Return by how much a step changes the scores of a row of weight at most."""

        def work(rows: slice) -> tuple[Any, ...]:
            scores = self._scores(step, self.rows(rows))[:, self._loss.row_weights(rows) > 0]
            change = scores.max(axis=0) - scores.min(axis=0)
            return (_Least(-change.max(initial=0.0)),)

        (least,) = self._map(work, self.n_classes + self.width)
        return float(-least.value)

    def sample(self, rows: NDArray[np.intp]) -> Likelihood:
        """Return that of some rows, in the same unknowns, with weights for all."""
        targets = self.targets.of(rows)
        return Likelihood(
            self.design[rows],
            targets,
            total_weight=self.total_weight,
            fit_intercept=self.coordinates.fit_intercept,
            coordinates=self.coordinates,
        )

    def meat(self, u: Array, *, squared_weights: bool) -> Array:
        """Return the sum of the outer products of the rows' scores.

        With squared weights each row is one draw; else a weight counts how often it was drawn.
        """
        first, second = np.triu_indices(self.n_classes - 1)
        products = _Products(len(first), self.width)

        def work(rows: slice) -> tuple[Any, ...]:
            z = self.rows(rows)
            residuals = self._residuals(u, z, rows)[1][1:]
            other = residuals
            if not squared_weights and self.weight is not None:
                weight = self.weight[rows]
                other = residuals / np.where(weight > 0, weight, 1.0)
            return (products.of(residuals[first] * other[second], z),)

        (sums,) = self._map(work, len(first) + products.size)
        matrices = products.matrices(sums)
        k, width = self.n_classes - 1, self.width
        blocks = np.zeros((k, k, width, width))
        blocks[first, second] = matrices
        blocks[second, first] = matrices
        return blocks.transpose(0, 2, 1, 3).reshape(self.n_params, self.n_params)

    def cluster_meat(self, u: Array, groups: Array) -> Array:
        """Return the sum of the outer products of the groups' scores.

        Rows are taken group by group, and a group that a block cuts in two is carried over.
        """
        order = np.argsort(groups, kind="stable")
        total = np.zeros((self.n_params, self.n_params))
        carried, of_group = np.zeros(self.n_params), groups[order[0]]
        for block in self.blocks(self.n_params):
            rows = order[block]
            z = self.rows(rows)
            residuals = self._residuals(u, z, rows)[1][1:]
            scores = (residuals[:, None, :] * z).reshape(self.n_params, -1)
            names = groups[rows]
            starts = np.flatnonzero(np.append(True, names[1:] != names[:-1]))
            sums = np.add.reduceat(scores, starts, axis=1)
            if names[0] == of_group:
                sums[:, 0] += carried
            else:
                total += np.outer(carried, carried)
            carried, of_group = sums[:, -1].copy(), names[-1]
            total += sums[:, :-1] @ sums[:, :-1].T
        return total + np.outer(carried, carried)


class _Products:
    """Σ_i a_i z_i z_iᵀ for many weightings a at once.

    For many of them the products of columns are made once for each row, and summed by one product
    of matrices; for few, each has a product of its own.
    """

    def __init__(self, n_pairs: int, width: int):
        self._n_pairs, self._width = n_pairs, width
        self._upper = np.triu_indices(width)
        self._at_once = n_pairs >= width
        self.size = len(self._upper[0]) if self._at_once else n_pairs * width

    def of(self, pairs: Array, z: Array) -> Array:
        """Return the sums over some rows, as they are added up."""
        if self._at_once:
            first, second = self._upper
            return pairs @ (z[first] * z[second]).T
        weighted = (pairs[:, None] * z).reshape(-1, z.shape[1])
        return (weighted @ z.T).reshape(self._n_pairs, self._width, self._width)

    def matrices(self, sums: Array) -> Array:
        """Return them as symmetric matrices."""
        if not self._at_once:
            return 0.5 * (sums + sums.transpose(0, 2, 1))
        matrices = np.empty((self._n_pairs, self._width, self._width))
        first, second = self._upper
        matrices[:, first, second] = sums
        matrices[:, second, first] = sums
        return matrices


@dataclass
class _Least:
    """A number that is added up by taking the smaller."""

    value: float

    def __iadd__(self, other: _Least) -> _Least:
        self.value = min(self.value, other.value)
        return self


def _added(totals: list[Any], found: Sequence[Any]) -> list[Any]:
    """Add what was found to totals, in place where they are arrays."""
    if not totals:
        return list(found)
    for i, value in enumerate(found):
        totals[i] += value
    return totals


def likelihood_of(
    model: Any, X: Any, y: Any, sample_weight: Any, *, sampling: bool = False
) -> tuple[Likelihood, Array, float]:
    """Return the likelihood of some rows, the unknowns of a model, and the factor of its weights.

    Parameters
    ----------
    model : LinearSoftmaxClassifier
        A fitted model.
    X, y, sample_weight : array-like
        The rows.
    sampling : bool
        Whether weights are scaled to sum to the number of rows of weight.
    """
    design = model._validate_rows(X, reset=False)
    model._check_shapes(design.n_columns)
    targets = model._encode(y, design, sample_weight, np.asarray(model.classes_))
    classes = ClassesWithWeight(targets, model.fit_intercept)
    if classes.is_one:
        raise ValueError(
            "All rows of positive weight belong to one class: there is nothing to infer."
        )
    given = as_float(targets.total_weight)
    total = given
    if sampling:
        total = float(design.n_rows if targets.weight is None else np.count_nonzero(targets.weight))
    coef = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
    coef, intercept = coef.astype(np.float64), np.asarray(model.intercept_, dtype=np.float64)
    one_score = len(coef) == 1
    if not one_score:
        coef, intercept = classes.restrict(coef), classes.restrict(intercept)
        coef, intercept = coef[1:] - coef[0], intercept[1:] - intercept[0]
    C = float(getattr(model, "C_", None) or model.C)
    likelihood = Likelihood(
        design,
        classes.targets,
        total_weight=total,
        fit_intercept=model.fit_intercept,
        strength=0.0 if np.isinf(C) else total / (given * C),
        one_score=one_score,
    )
    u = likelihood.coordinates.unknowns(coef, intercept).ravel()
    return likelihood, u, total / given
