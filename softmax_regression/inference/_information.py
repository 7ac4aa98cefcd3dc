r"""The likelihood for inference, as a function of coefficient differences between classes.

The unknowns are the differences from the coefficients of the last class, a row u_k for each other
class, in the standardised coordinates of the fitted objective. Let z_i be a row of X in these
coordinates, with the intercept's entry last, p_i its probabilities, s_i its weight and λ the
penalty. Then

    loss         F  = −Σ_i s_i log p_i[y_i] + ½ Σ_j λ_j u_jᵀ M u_j
    information     = Σ_i s_i (diag(p_i) − p_i p_iᵀ) ⊗ z_i z_iᵀ + M ⊗ diag(λ)

The penalty of the differences between K classes is ½ ‖W‖² minimised over the part of W that all
classes share, so that M = I − 1 1ᵀ / K; with a single score for two classes, M = 1. With bias
reduction F has Jeffreys' prior in the place of a penalty (`_curvature/bias_reduced.py`), and the
information is that of the likelihood alone.

The objective computes most sums over the rows; this file adds those that only inference needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, singledispatch
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax, xlogy

from softmax_regression._curvature.bias_reduced import BiasReducedCrossEntropy
from softmax_regression._curvature.full_hessian import hessian_matrix
from softmax_regression._curvature.rank_updates import add_square, mirror
from softmax_regression._curvature.with_hessian import with_hessian
from softmax_regression._data.dataset import Block
from softmax_regression._data.dense import DenseDesign
from softmax_regression._data.design import Design
from softmax_regression._data.sums import Sample
from softmax_regression._estimators.penalties import feature_weights
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.offset import offset_of_each
from softmax_regression._losses.targets import Targets
from softmax_regression._objectives.linear.coordinates import RowMap, spreads
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._objectives.linear.kernels import scores_of
from softmax_regression._objectives.linear.one_block import in_float64
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._problems.feature_weights import FeatureWeights
from softmax_regression._problems.objective_scale import as_float

COVARIANCES = ("nonrobust", "HC0", "HC1", "cluster")

_MAX_BLOCK_VALUES = 1 << 19  # A block of rows has at most so many values, which fit the cache.
_MIN_BLOCK_ROWS = 64
NO_OFFSET = np.zeros((1, 1))  # The offset 0, which broadcasts to any number of rows and classes.


@dataclass(frozen=True)
class Evaluation:
    """The value and derivatives of F at a point.

    Parameters
    ----------
    value : float
        The value of F.
    log_likelihood : float
        The log-likelihood, without the penalty or the prior.
    gradient : ndarray of shape (n_params,)
        The gradient of F.
    information : ndarray of shape (n_params, n_params)
        The information of the likelihood, plus the Hessian of the penalty.
    """

    value: float
    log_likelihood: float
    gradient: Array
    information: Array


class Likelihood:
    """The penalised negative log-likelihood F of some rows, and its derivatives.

    Attributes
    ----------
    covariances : tuple of str
        The values of `cov_type` that are available.
    holds_rows : bool
        Whether single rows are accessible, and not only sums over them.

    Parameters
    ----------
    design : Design
        The rows of X.
    targets : Targets
        Labels or class probabilities of the fitted classes, and weights.
    total_weight : float
        The sum of the weights.
    fit_intercept : bool
        Whether there is an intercept.
    strength : float, default=0.0
        The strength 1 / C of the penalty, which is 0 without one.
    one_score : bool, default=False
        Whether the model has two classes with a single score, which alone is penalised.
    bias_reduced : bool, default=False
        Whether F includes Jeffreys' prior.
    feature_weights : FeatureWeights, default=None
        The weights of the features in the penalty; by default all are equal.
    """

    covariances: tuple[str, ...] = COVARIANCES
    holds_rows: bool = True

    def __init__(
        self,
        design: Design,
        targets: Targets,
        *,
        total_weight: float,
        fit_intercept: bool,
        strength: float = 0.0,
        one_score: bool = False,
        bias_reduced: bool = False,
        feature_weights: FeatureWeights | None = None,
    ):
        l2 = l2_of_differences(strength, total_weight, one_score)
        offset = None if targets.offset is None else offset_of_each(targets.offset)
        loss = replace(targets, score_each=True, offset=offset).loss(np.float64)
        base = LinearCrossEntropy(design, loss, l2, fit_intercept)
        self._assemble(base, targets, total_weight, strength, bias_reduced, feature_weights)

    def _assemble(
        self,
        base: LinearCrossEntropy,
        targets: Targets,
        total_weight: float,
        strength: float,
        bias_reduced: bool = False,
        feature_weights: FeatureWeights | None = None,
    ) -> None:
        """Set the attributes from an objective in the coordinates of X with a score per class."""
        self.design, self.targets = base.design, targets
        self._offset = None if targets.offset is None else offset_of_each(targets.offset)
        self.classes, self.n_classes = targets.classes, len(targets.classes)
        self.total_weight, self.strength = total_weight, strength
        self.fit_intercept, self.bias_reduced = base.fit_intercept, bias_reduced
        if feature_weights is not None:
            base = feature_weights.weighted(base)
        moments = base.data.moments()
        self.varies = spreads(moments, base.fit_intercept) > 0
        standardized = base.standardized()
        coordinates = standardized.coordinates
        assert coordinates is not None
        self.coordinates, self.row_map = coordinates, standardized.row_map
        self._moments = coordinates.moments(moments)
        self.loss = in_float64(standardized)

    @cached_property
    def objective(self) -> LinearCrossEntropy | BiasReducedCrossEntropy:
        """The objective whose value times the total weight is F."""
        return self._with_hessian if self.bias_reduced else self.loss

    @cached_property
    def _with_hessian(self) -> LinearCrossEntropy | BiasReducedCrossEntropy:
        """The same objective, whose evaluations include the sums of the Hessian."""
        loss = with_hessian(self.loss)
        return BiasReducedCrossEntropy(loss, 1 / self.total_weight) if self.bias_reduced else loss

    @property
    def width(self) -> int:
        """The number of unknowns of each class."""
        return self.loss.n_columns

    @property
    def n_params(self) -> int:
        """The number of unknowns of all classes."""
        return (self.n_classes - 1) * self.width

    @property
    def n_rows_of_weight(self) -> int:
        """The number of rows of positive weight."""
        weight = self.targets.weight
        return self.design.n_rows if weight is None else int(np.count_nonzero(weight))

    def sum_of(self, sample_weight: Any) -> float:
        """Return the exact sum of the given weights, which `total_weight` may round."""
        weights = np.asarray(sample_weight, dtype=np.float64)
        return float(np.broadcast_to(weights, self.design.n_rows).sum())

    @cached_property
    def penalty(self) -> Array:
        """The Hessian of the penalty."""
        of_classes = np.eye(self.n_classes - 1) - 1 / self.n_classes
        return np.kron(of_classes, np.diag(self.total_weight * self.loss.ridge))

    def null_log_likelihood(self) -> float:
        """Return the log-likelihood of the model with intercepts alone."""
        shares = self.loss.data.class_shares
        return float(self.total_weight * xlogy(shares, shares).sum())

    # -- unknowns ----------------------------------------------------------------------------------

    def unknowns(self, coef: Array, intercept: Array) -> Array:
        """Return the unknowns for W and b of all classes, or of a single score."""
        if len(coef) == 1:
            coef, intercept = -coef, -intercept
        else:
            coef, intercept = coef[:-1] - coef[-1], intercept[:-1] - intercept[-1]
        used = intercept if self.fit_intercept else np.empty(0)
        return self.loss.layout.pack(*self.coordinates.from_model(coef, used))

    def to_model(self) -> Array:
        """Return the matrix that maps the unknowns of a class to its intercept and coefficients."""
        scales, first = self.coordinates.scales, int(self.fit_intercept)
        to_model = np.zeros((self.width, self.width))
        to_model[first:, : len(scales)] = np.diag(1 / scales)
        if first:
            entry = self.row_map.intercept_entry
            to_model[0] = np.append(-self.coordinates.means / scales, entry)
        return to_model

    def _params(self, u: Array) -> Array:
        """Return the parameters of the objective, including those of the last class."""
        return self.loss.centred(np.append(u, np.zeros(self.width)))

    # -- rows --------------------------------------------------------------------------------------

    def rows(self, X: Array) -> Array:
        """Return rows of X in the coordinates of the unknowns, of shape (width, n_rows)."""
        return self.row_map(DenseDesign(X))

    def row_weights(self, rows: slice) -> Array:
        """Return the weights of some rows, scaled so that the mean over all rows is 1."""
        return self.loss.loss.row_weights(rows)

    def blocks(self, values_per_row: int) -> list[slice]:
        """Cut the rows into blocks that fit the cache with so many values for each row."""
        step = max(_MIN_BLOCK_ROWS, _MAX_BLOCK_VALUES // max(1, values_per_row))
        n_rows = self.design.n_rows
        return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]

    def offset(self, rows: slice) -> Array:
        """Return the known scores of some rows, class-major, or 0 without an offset."""
        return NO_OFFSET if self._offset is None else self._offset[rows].T

    def counted(self, rows: slice) -> tuple[Array, Array, Array]:
        """Return X, weights and known scores of those of some rows that have positive weight."""
        weights, offset = self.row_weights(rows), self.offset(rows)
        counts = weights > 0
        offset = offset if offset.shape[1] == 1 else offset[:, counts]
        return self.design[rows].toarray()[counts], weights[counts], offset

    def mean_offset(self) -> Array:
        """Return the weighted mean of the known scores, class-major, or 0 without an offset."""
        if self._offset is None:
            return NO_OFFSET
        return np.average(self._offset, axis=0, weights=self.row_weights(slice(None)))[:, None]

    def probabilities(self, u: Array, z: Array, offset: Array) -> Array:
        """Return the class-major probabilities of rows with known scores."""
        scores = np.zeros((self.n_classes, z.shape[1]))
        np.matmul(u.reshape(-1, self.width), z, out=scores[:-1])
        return softmax(scores + offset, axis=0)

    # -- sums --------------------------------------------------------------------------------------

    def evaluate(self, u: Array) -> Evaluation:
        """Return F and its derivatives at some unknowns."""
        at = self._with_hessian.evaluate(self._params(u))
        of_loss = at.inner if self.bias_reduced and at.inner is not None else at
        matrix = self.loss.matrix(of_loss.params)
        penalty = 0.5 * float(np.vdot(self.loss.ridge * matrix, matrix))
        total = self.total_weight
        information = hessian_matrix(self.loss, of_loss)
        return Evaluation(
            value=total * at.value,
            log_likelihood=-total * (of_loss.value - penalty),
            gradient=total * self.loss.matrix(at.gradient)[:-1].ravel(),
            information=0.5 * total * (information + information.T),
        )

    def value(self, u: Array) -> float:
        """Return the value of F, without derivatives."""
        return float(self.total_weight * self.objective.evaluate(self._params(u)).value)

    def gradient(self, u: Array) -> Array:
        """Return the gradient of F, without the information."""
        gradient = self.objective.evaluate(self._params(u)).gradient
        return np.asarray(self.total_weight * self.loss.matrix(gradient)[:-1].ravel())

    def information(self, u: Array, rows: NDArray[np.intp] | None = None) -> Array:
        """Return the information of all rows, or its estimate from a sample of them."""
        sample = None
        if rows is not None:
            sample = Sample(rows, np.full(len(rows), self.design.n_rows / len(rows)))
        return self.total_weight * hessian_matrix(self.loss, self._params(u), sample)

    def separates(self, u: Array) -> bool:
        """Return whether u tells all rows of positive weight apart."""
        return self.loss.separates(self._params(u))

    def changes_less(self, step: Array, limit: float) -> bool:
        """Return whether a step changes each difference of two scores of each row by less.

        A pass over the rows is needed only if a bound by the moments of X does not decide it.
        """
        return self._change_bound(step) < limit or self.largest_change(step) < limit

    def largest_change(self, step: Array) -> float:
        """Return the largest change that a step makes to a difference of two scores of any row."""
        return self.loss.largest_change(self._params(step))

    def _change_bound(self, step: Array) -> float:
        """Return an upper bound of `largest_change`, or infinity if rows have weights.

        No value of a column differs from the mean by more than √n_rows times the deviation.
        """
        if self.targets.weight is not None:
            return np.inf
        deviations = self._moments.deviations
        largest = np.abs(self._moments.means) + np.sqrt(self.loss.data.n_rows) * deviations
        if self.fit_intercept:
            largest = np.append(largest, self.row_map.intercept_entry)
        changes = np.append(step, np.zeros(self.width)).reshape(-1, self.width)
        return float(np.ptp(changes, axis=0) @ largest)

    def meat(self, u: Array, *, squared_weights: bool) -> Array:
        """Return the sum of the outer products of the rows' scores.

        With squared weights each row is one draw; otherwise a weight counts repeated draws.
        """
        request = _Scores(self.loss.for_rows(self._params(u)), self.loss.row_map, squared_weights)
        (total,) = self.loss.data.map_reduce(_score_squares, request, width=self.n_params)
        mirror(total)
        unit = self.total_weight / self.design.n_rows
        return np.asarray(total) * (unit**2 if squared_weights else unit)

    def cluster_meat(self, u: Array, groups: Array) -> Array:
        """Return the sum of the outer products of the groups' scores.

        Rows are sorted by group, and the partial sum of a group that a block cuts in two is
        carried over to the next block.
        """
        data, matrix = self.loss.data, self.loss.for_rows(self._params(u))
        order = np.argsort(groups, kind="stable")
        total = np.zeros((self.n_params, self.n_params))
        carried, of_group = np.zeros(self.n_params), groups[order[0]]
        for block in self.blocks(self.n_params):
            rows = order[block]
            scores = _row_scores(data.design[rows], self.loss.loss, rows, matrix, self.loss.row_map)
            names = groups[rows]
            starts = np.flatnonzero(np.append(True, names[1:] != names[:-1]))
            sums = np.add.reduceat(scores, starts, axis=1)
            if names[0] == of_group:
                sums[:, 0] += carried
            else:
                total += np.outer(carried, carried)
            carried, of_group = sums[:, -1].copy(), names[-1]
            total += sums[:, :-1] @ sums[:, :-1].T
        total += np.outer(carried, carried)
        return total * (self.total_weight / self.design.n_rows) ** 2


class _Scores(NamedTuple):
    """The request for the sum of the outer products of the scores.

    Parameters
    ----------
    matrix : ndarray
        The matrix (W, b) in the coordinates of X.
    row_map : RowMap
        The map from rows of X to the coordinates of the unknowns.
    squared_weights : bool
        Whether each row is one draw, so that its weight is squared.
    """

    matrix: Array
    row_map: RowMap
    squared_weights: bool


def _score_squares(block: Block, at: _Scores) -> tuple[Array]:
    """Return the upper triangle of the sum of the outer products of the scores."""
    order = (len(at.matrix) - 1) * at.row_map.n_columns
    total, weight = np.zeros((order, order)), block.loss.weight
    for rows in block.regrouped(max(_MIN_BLOCK_ROWS, _MAX_BLOCK_VALUES // order)):
        scores = _row_scores(block.design[rows], block.loss, rows, at.matrix, at.row_map)
        if weight is not None and not at.squared_weights:
            scores /= np.sqrt(np.where(weight[rows] > 0, weight[rows], 1.0))
        add_square(total, 1.0, scores)
    return (total,)


def _row_scores(X: Design, loss: Any, rows: Any, matrix: Array, row_map: RowMap) -> Array:
    """Return the gradient of each row's loss in the unknowns, a column for each row."""
    residuals = scores_of(X, matrix)
    loss.value_and_residual(residuals, rows)
    z = row_map(X)
    return (residuals[:-1, None] * z).reshape(-1, z.shape[1])


@singledispatch
def likelihood_of(
    model: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    offset: Any = None,
    sampling: bool = False,
) -> tuple[Likelihood, Array, float]:
    """Return a model's likelihood and unknowns, and the factor by which its weights are scaled.

    An estimator whose rows are not in memory registers a function of its own.

    Parameters
    ----------
    model : LinearSoftmaxClassifier
        A fitted model.
    X, y, sample_weight : array-like
        The rows.
    offset : array-like or None
        The known scores of the rows.
    sampling : bool
        Whether weights are scaled to sum to the number of rows of positive weight.
    """
    design = model._validate_rows(X, reset=False)
    model._check_shapes(design.n_columns)
    targets = model._encode(y, design, sample_weight, np.asarray(model.classes_), offset)
    classes = ClassesWithWeight(targets, model.fit_intercept)
    check_several(classes)
    given = as_float(targets.total_weight)
    total = given
    if sampling:
        total = float(design.n_rows if targets.weight is None else np.count_nonzero(targets.weight))
    coef, intercept = model_of(model)
    C = float(getattr(model, "C_", None) or model.C)
    likelihood = Likelihood(
        design,
        classes.targets,
        total_weight=total,
        fit_intercept=model.fit_intercept,
        strength=0.0 if np.isinf(C) else total / (given * C),
        one_score=len(coef) == 1,
        bias_reduced=getattr(model, "bias_reduction", None) is not None,
        feature_weights=feature_weights(model.penalty_weights, model.standardize, design.n_columns),
    )
    u = likelihood.unknowns(*classes.restrict_model(coef, intercept))
    return likelihood, u, total / given


def l2_of_differences(strength: float, total_weight: float, one_score: bool) -> float:
    """Return the strength of the ridge beside a mean, where differences of scores are fitted."""
    # Two scores, of which differences are taken, share out the penalty of one.
    return (2 if one_score else 1) * strength / total_weight


def check_several(classes: ClassesWithWeight) -> None:
    """Raise if a single class has weight."""
    if classes.is_one:
        raise ValueError(
            "All rows of positive weight belong to one class: there is nothing to infer."
        )


def model_of(model: Any) -> tuple[Array, Array]:
    """Return W and b of an estimator, dense and in float64."""
    coef = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
    return coef.astype(np.float64), np.asarray(model.intercept_, dtype=np.float64)
