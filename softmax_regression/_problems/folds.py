"""A path of models for each fold of a cross-validation, and how good they are on what it left out.

Labels, weights and the grid of C are the same for all folds, and of wide data so is the rotation
into the space of the rows. Folds are shared out to threads: they read the same X, and while there
are several, each of them has one thread to itself.
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
from softmax_regression._problems.progress import Ending, Progress
from softmax_regression._problems.rounding import Rounding
from softmax_regression._problems.smooth import suits_row_space
from softmax_regression._problems.specification import Specification
from softmax_regression._problems.warm_starts import Guide, Solution, solutions

T = TypeVar("T")


@dataclass
class FoldPath:
    """The models of a fold, one for each C.

    Parameters
    ----------
    coefs : ndarray of shape (n_Cs, n_outputs, n_features)
        Each W, of the dtype of X.
    intercepts : ndarray of shape (n_Cs, n_outputs)
        Each b; zeros without intercept.
    scores : ndarray of shape (n_Cs,)
        How good each is on the rows left out.
    endings : list of Ending
        How the solver ended.
    """

    coefs: Array
    intercepts: Array
    scores: Array
    endings: list[Ending]


@dataclass
class WholePath:
    """The models of all rows, and what they leave to the folds.

    Parameters
    ----------
    models : list of tuple of ndarray
        W and b for each C.
    endings : list of Ending
        How the solver ended.
    guide : Guide
        For the folds.
    """

    models: list[tuple[Array, Array]]
    endings: list[Ending]
    guide: Guide


class Score(Protocol):
    """How good a model is on some rows."""

    def __call__(self, coef: Array, intercept: Array, C: float, rows: Array) -> float:
        """Return it; W and b are in the coordinates of X."""


class Rows:
    """X and targets, in which all folds are fitted.

    Parameters
    ----------
    design : Design
        X.
    targets : Targets
        Labels and weights.
    Cs : ndarray of shape (n_Cs,)
        In increasing order.
    specification : Specification
        How each model is fitted.
    """

    def __init__(self, design: Design, targets: Targets, Cs: Array, specification: Specification):
        self.dtype = design.dtype
        self.original = design
        self.design = design
        self.targets = targets
        self.Cs = Cs
        self.specification = specification
        self.fitted = specification  # in the space of the rows, if that is shared
        self._row_space: RowSpace | None = None
        weakest = specification.objective(design, targets, Cs[-1])
        weights = specification.feature_weights
        # Deviations differ between folds, and with them the space.
        is_shared = weights is None or not weights.standardize
        if specification.l1_ratio == 0 and is_shared and suits_row_space(weakest):
            self._row_space = RowSpace(weakest)  # once for all folds
            rotated = self._row_space.objective
            self.design = rotated.design
            if weights is not None:
                roots = rotated.penalty.roots[: rotated.layout.n_features]
                self.fitted = replace(specification, feature_weights=FeatureWeights(roots))

    @cached_property
    def rounding(self) -> Rounding:
        """How the models are rounded."""
        return Rounding.of(self.specification.objective(self.original, self.targets, np.inf))

    def model(self, solution: Solution) -> tuple[Array, Array]:
        """Return W, in the coordinates of X, and b, zeros without intercept, as they are held."""
        coef, intercept = solution.model()
        if self._row_space is not None:
            coef = self._row_space.coef(coef)
        if not self.specification.fit_intercept:
            intercept = np.zeros(len(coef))
        return self.rounding.model(coef, intercept)

    def ending(self, solution: Solution, coef: Array, intercept: Array) -> Ending:
        """Return how the solver ended, for the model as it is held."""
        if self._row_space is not None:
            coef = self._row_space.rotated(coef)
        tol = self.specification.tol
        return solution.held(coef, intercept, self.rounding, self.targets, tol).ending()

    def whole(self, progress: Progress) -> WholePath:
        """Fit a path to all rows, with the smooth penalty."""
        progress.begin()
        path, models, endings = [], [], []
        for solution in solutions(self.design, self.targets, self.Cs, self.fitted, progress):
            path.append(solution)
            models.append(self.model(solution))
            endings.append(self.ending(solution, *models[-1]))
            progress.model(solution.C, *models[-1])
        progress.end()
        return WholePath(models, endings, Guide(path))

    def path(
        self, train: Array, test: Array, score: Score, guide: Guide | None, progress: Progress
    ) -> FoldPath:
        """Fit a path to some rows, and score it on others."""
        progress.begin()
        targets = self.targets.of(train)
        coefs, intercepts, scores, endings = [], [], [], []
        path = solutions(self.design[train], targets, self.Cs, self.fitted, progress, guide=guide)
        for solution in path:
            coef, intercept = self.model(solution)
            coefs.append(coef)
            intercepts.append(intercept)
            scores.append(score(coef, intercept, solution.C, test))
            endings.append(solution.ending())
            progress.model(solution.C, coef, intercept)
        progress.end()
        return FoldPath(np.stack(coefs), np.stack(intercepts), np.array(scores), endings)


def check_folds(targets: Targets, folds: Sequence[tuple[Array, Array]]) -> None:
    """Raise unless each fold has something to fit, and something to score.

    It has to have two classes, unless a single one has weight in all rows.

    Parameters
    ----------
    targets : Targets
        Of all rows.
    folds : sequence of tuple of ndarray
        The numbers of the rows to fit, and of those to score.
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
    rows: Rows,
    folds: Sequence[tuple[Array, Array]],
    score: Score,
    whole: WholePath | None,
    n_jobs: int | None,
    progress: Sequence[Progress],
) -> list[FoldPath]:
    """Fit a path to each fold, several at a time if that is wanted.

    Parameters
    ----------
    rows : Rows
        What the folds are of.
    folds : sequence of tuple of ndarray
        The numbers of the rows to fit, and of those to score.
    score : Score
        How good a model is.
    whole : WholePath or None
        What is known from all rows, if anything is.
    n_jobs : int or None
        As of joblib.
    progress : sequence of Progress
        Who is told of each fold.
    """
    guide = whole.guide if whole is not None else None
    calls = [
        (train, test, score, guide, told)
        for (train, test), told in zip(folds, progress, strict=True)
    ]
    n_threads = min(effective_n_jobs(n_jobs), len(calls))
    if n_threads == 1:  # which a path then has for its rows
        return [rows.path(*call) for call in calls]
    path = partial(_configured, get_config(), rows.path)
    return call_all([partial(path, *call) for call in calls], n_threads)


def _configured(config: dict[str, Any], function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in scikit-learn's configuration of another thread: each has its own."""
    with config_context(**config):
        return function(*arguments)
