"""Cross-validation: a path of models for each fold, and their scores on the rows left out.

All folds share the labels, the weights, the grid of C and, for wide data, the rotation into the
space of the rows. The folds are distributed over threads, which read the same X. If there are
several of them, each fold uses a single thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Protocol, TypeVar

import numpy as np
from joblib import effective_n_jobs
from sklearn import config_context, get_config

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import call_all
from softmax_regression._losses.targets import Targets, check_more_than_one_class
from softmax_regression._objectives.linear.row_space import RowSpace
from softmax_regression._problems.feature_weights import FeatureWeights
from softmax_regression._problems.progress import FitRecord, Progress
from softmax_regression._problems.rounding import Rounding
from softmax_regression._problems.smooth import suits_row_space
from softmax_regression._problems.specification import Specification
from softmax_regression._problems.warm_starts import FoldWarmStarts, Solution, solutions

T = TypeVar("T")


@dataclass
class FoldPath:
    """The models of a fold, one for each C, and their scores.

    Parameters
    ----------
    coefs : ndarray of shape (n_Cs, n_outputs, n_features)
        W for each C, in the dtype of X.
    intercepts : ndarray of shape (n_Cs, n_outputs)
        b for each C; zeros without intercept.
    scores : ndarray of shape (n_Cs,)
        The score of each model on the rows left out.
    records : list of FitRecord
        How each fit ended.
    """

    coefs: Array
    intercepts: Array
    scores: Array
    records: list[FitRecord]


@dataclass
class WholePath:
    """The models of all rows, and the warm starts of the folds.

    Parameters
    ----------
    models : list of tuple of ndarray
        W and b for each C.
    records : list of FitRecord
        How each fit ended.
    warm_starts : FoldWarmStarts
        The warm starts of the folds.
    """

    models: list[tuple[Array, Array]]
    records: list[FitRecord]
    warm_starts: FoldWarmStarts


class Score(Protocol):
    """A function that scores a model on some rows."""

    def __call__(self, coef: Array, intercept: Array, C: float, rows: Array) -> float:
        """Return the score of W and b, which are in the coordinates of X."""


class CVData:
    """The data of a cross-validation, from which the folds are taken.

    Parameters
    ----------
    design : Design
        X.
    targets : Targets
        Labels and weights.
    Cs : ndarray of shape (n_Cs,)
        The values of C in increasing order.
    specification : Specification
        The specification of each problem.
    """

    def __init__(self, design: Design, targets: Targets, Cs: Array, specification: Specification):
        self.dtype = design.dtype
        self.original = design
        self.design = design
        self.targets = targets
        self.Cs = Cs
        self.specification = specification
        # The specification in the space of the rows, if all folds share that.
        self.fitted = specification
        self._row_space: RowSpace | None = None
        weakest = specification.objective(design, targets, Cs[-1])
        weights = specification.feature_weights
        # Deviations differ between folds, and so would the spaces of their rows.
        is_shared = weights is None or not weights.standardize
        if specification.l1_ratio == 0 and is_shared and suits_row_space(weakest):
            self._row_space = RowSpace(weakest)
            rotated = self._row_space.objective
            self.design = rotated.design
            if weights is not None:
                roots = rotated.penalty.roots[: rotated.layout.n_features]
                self.fitted = replace(specification, feature_weights=FeatureWeights(roots))

    @cached_property
    def rounding(self) -> Rounding:
        """The rounding of the models to the precision of X."""
        return Rounding.of(self.specification.objective(self.original, self.targets, np.inf))

    def model(self, solution: Solution) -> tuple[Array, Array]:
        """Return W and b in the coordinates of X, rounded; b is 0 without an intercept."""
        coef, intercept = solution.model()
        if self._row_space is not None:
            coef = self._row_space.coef(coef)
        if not self.specification.fit_intercept:
            intercept = np.zeros(len(coef))
        return self.rounding.model(coef, intercept)

    def record(self, solution: Solution, coef: Array, intercept: Array) -> FitRecord:
        """Return how the fit ended, with the objective and the gap of the rounded W and b."""
        if self._row_space is not None:
            coef = self._row_space.rotated(coef)
        tol = self.specification.tol
        return solution.held(coef, intercept, self.rounding, self.targets, tol).record()

    def whole(self, progress: Progress) -> WholePath:
        """Fit a path to all rows, if the penalty is smooth."""
        progress.begin()
        path, models, records = [], [], []
        for solution in solutions(self.design, self.targets, self.Cs, self.fitted, progress):
            path.append(solution)
            models.append(self.model(solution))
            records.append(self.record(solution, *models[-1]))
            progress.model(solution.C, *models[-1])
        progress.end()
        return WholePath(models, records, FoldWarmStarts(path))

    def path(
        self,
        train: Array,
        test: Array,
        score: Score,
        warm_starts: FoldWarmStarts | None,
        progress: Progress,
    ) -> FoldPath:
        """Fit a path to some rows, and score it on others."""
        progress.begin()
        targets = self.targets.of(train)
        coefs, intercepts, scores, records = [], [], [], []
        path = solutions(
            self.design[train], targets, self.Cs, self.fitted, progress, warm_starts=warm_starts
        )
        for solution in path:
            coef, intercept = self.model(solution)
            coefs.append(coef)
            intercepts.append(intercept)
            scores.append(score(coef, intercept, solution.C, test))
            records.append(solution.record())
            progress.model(solution.C, coef, intercept)
        progress.end()
        return FoldPath(np.stack(coefs), np.stack(intercepts), np.array(scores), records)


def check_folds(targets: Targets, folds: Sequence[tuple[Array, Array]]) -> None:
    """Raise unless each fold has rows to fit and rows to score.

    The rows to fit must have at least two classes, unless a single class has weight in all rows.

    Parameters
    ----------
    targets : Targets
        The targets of all rows.
    folds : sequence of tuple of ndarray
        For each fold the positions of the rows to fit and of those to score.
    """
    several = np.count_nonzero(targets.class_totals()) > 1
    for fold, (train, test) in enumerate(folds):
        n_fitted = np.count_nonzero(targets.row_weights()[train])
        if not n_fitted or not len(test):
            raise ValueError(
                f"Fold {fold} of cv has {n_fitted} rows of positive weight to fit and {len(test)} "
                "to score: it needs some of both. Shuffle or stratify: cv=StratifiedKFold(…)."
            )
        if several:
            _check_classes_of_fold(fold, targets.of(train))


def _check_classes_of_fold(fold: int, targets: Targets) -> None:
    try:
        check_more_than_one_class(targets, f"Fold {fold} of cv")
    except ValueError as error:
        raise ValueError(f"{error} Shuffle or stratify: cv=StratifiedKFold(…).") from None


def paths_of_folds(
    rows: CVData,
    folds: Sequence[tuple[Array, Array]],
    score: Score,
    whole: WholePath | None,
    n_jobs: int | None,
    progress: Sequence[Progress],
) -> list[FoldPath]:
    """Fit a path to each fold, in `n_jobs` threads.

    Parameters
    ----------
    rows : CVData
        The data.
    folds : sequence of tuple of ndarray
        For each fold the positions of the rows to fit and of those to score.
    score : Score
        Scores a model.
    whole : WholePath or None
        The path of all rows, if it was fitted.
    n_jobs : int or None
        The number of threads, as in joblib.
    progress : sequence of Progress
        The progress of each fold.
    """
    warm_starts = whole.warm_starts if whole is not None else None
    calls = [
        (train, test, score, warm_starts, of_fold)
        for (train, test), of_fold in zip(folds, progress, strict=True)
    ]
    n_threads = min(effective_n_jobs(n_jobs), len(calls))
    if n_threads == 1:  # Each path may then use several threads for its rows.
        return [rows.path(*call) for call in calls]
    path = partial(_configured, get_config(), rows.path)
    return call_all([partial(path, *call) for call in calls], n_threads)


def _configured(config: dict[str, Any], function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a configuration of scikit-learn, of which each thread has its own."""
    with config_context(**config):
        return function(*arguments)
