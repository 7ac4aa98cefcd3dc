"""The specification of a problem: the parameters of the linear estimators, without C."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

import numpy as np

from softmax_regression._data.dataset import Dataset, RowBlocks
from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._problems.feature_weights import FeatureWeights
from softmax_regression._problems.objective_scale import l2_of


@dataclass(frozen=True)
class Specification:
    """The parameters that all problems along a path of C share.

    Parameters
    ----------
    fit_intercept : bool
        Whether there is an intercept.
    solver : str
        'auto', or the name of a solver.
    tol : float
        The relative optimality gap to reach.
    max_iter : int
        The largest number of iterations for a problem.
    l1_ratio : float
        The share of the penalty that sets coefficients to zero.
    penalty_grouping : {'none', 'features'}
        Which coefficients are set to zero together.
    bounds : tuple of ndarray of shape (n_scores, n_features), or None
        Lower and upper bounds of the coefficients.
    bias_reduction : {'firth'} or None
        Whether Jeffreys' prior replaces the penalty.
    feature_weights : FeatureWeights or None
        The weight of each feature's penalty; None for equal weights.
    """

    fit_intercept: bool = True
    solver: str = "auto"
    tol: float = 1e-6
    max_iter: int = 1000
    l1_ratio: float = 0.0
    penalty_grouping: str = "none"
    bounds: tuple[Array, Array] | None = None
    bias_reduction: str | None = None
    feature_weights: FeatureWeights | None = None

    def of(self, classes: ClassesWithWeight) -> Self:
        """Return the specification for the classes that have weight."""
        if self.bounds is None or classes.are_all:
            return self
        lower, upper = self.bounds
        return replace(self, bounds=(classes.restrict(lower), classes.restrict(upper)))

    def classes_with_weight(self, targets: Targets) -> ClassesWithWeight:
        """Return which classes are fitted."""
        return ClassesWithWeight(targets, self.fit_intercept)

    def strength(self, C: float, total_weight: Fraction) -> float:
        """Return the strength of the penalty or the prior, relative to a mean cross-entropy."""
        return l2_of(C if self.bias_reduction is None else 1.0, total_weight)

    def objective(
        self, design: Design, targets: Targets, C: float, total_weight: Fraction | None = None
    ) -> LinearCrossEntropy:
        """Return the smooth part of the objective, in the coordinates of X.

        Parameters
        ----------
        design : Design
            X.
        targets : Targets
            Labels and weights.
        C : float
            Inverse strength of the penalty.
        total_weight : Fraction, default=None
            The sum of the rows' weights, which multiplies C; by default that of the targets.
        """
        rows = Dataset(design, targets.loss(design.dtype))
        total = targets.total_weight if total_weight is None else total_weight
        return self.objective_of(rows, C, total)

    def objective_of(self, rows: RowBlocks, C: float, total_weight: Fraction) -> LinearCrossEntropy:
        """Return the same for rows wherever they are stored."""
        l2 = (1 - self.l1_ratio) * l2_of(C, total_weight)
        return self.weighted(LinearCrossEntropy.of_rows(rows, l2, self.fit_intercept))

    def weighted(self, objective: LinearCrossEntropy) -> LinearCrossEntropy:
        """Return an objective, in the coordinates of X, with the feature weights in its ridge."""
        weights = self.feature_weights
        return objective if weights is None else weights.weighted(objective)

    def l1_weights(self, objective: LinearCrossEntropy) -> Array | None:
        """Return the weight of each feature in the lasso; None for equal weights."""
        weights = self.feature_weights
        return None if weights is None else weights.lasso(objective.data.moments)

    def with_fixed_weights(self, design: Design, targets: Targets) -> Self:
        """Return the specification of a ridge that standardises by the deviations of given rows."""
        weights = self.feature_weights
        if weights is None or not weights.standardize:
            return self
        moments = self.objective(design, targets, np.inf).data.moments
        return replace(self, feature_weights=weights.of(moments))


def makes_zeros(l1_ratio: float, C: float) -> bool:
    """Return whether a penalty sets coefficients to zero; for an infinite C there is none."""
    return l1_ratio > 0 and bool(np.isfinite(C))
