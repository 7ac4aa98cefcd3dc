"""`SoftmaxRegressionCV`: softmax regression that chooses C by cross-validation.

This file holds parameters, validation, scoring and fitted attributes. In `_problems/`, `folds.py`
fits a path to each fold, `warm_starts.py` the models of a path, and `leave_one_out.py` leaves out
single rows.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch
from sklearn.utils._metadata_requests import _raise_for_params, _routing_enabled, process_routing
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping

from softmax_regression._estimators.callbacks import Watched
from softmax_regression._estimators.hints import LINEAR_HINTS, LinearSolvers
from softmax_regression._estimators.linear_classifier import (
    LinearSoftmaxClassifier,
    PenaltyName,
    penalty_name,
)
from softmax_regression._estimators.parameters import LINEAR, constraints, described
from softmax_regression._estimators.path_progress import PathProgress
from softmax_regression._estimators.penalties import feature_weights
from softmax_regression._estimators.priors import around
from softmax_regression._estimators.scoring import ROW_SCORES, scorer_of
from softmax_regression._estimators.targets import encode_targets, is_soft, relative_weights
from softmax_regression._estimators.types import (
    ClassWeight,
    PathSolver,
    PenaltyGrouping,
    fit_context,
)
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._losses.targets import Targets, check_more_than_one_class
from softmax_regression._problems.folds import (
    CVData,
    WholePath,
    check_folds,
    paths_of_folds,
)
from softmax_regression._problems.grid import grid_of
from softmax_regression._problems.leave_one_out import leave_one_out_scores
from softmax_regression._problems.progress import FitRecord
from softmax_regression._problems.rounding import Rounding
from softmax_regression._problems.smooth import SOLVERS
from softmax_regression._problems.specification import Specification
from softmax_regression._problems.warm_starts import FoldWarmStarts, solutions
from softmax_regression.linear_model._separation import separation_on_a_path, warn_of_path
from softmax_regression.linear_model._validation_scores import (
    CVResult,
    KnowingOffset,
    RowScore,
    ScorerScore,
    row_numbers,
)


@described
class SoftmaxRegressionCV(LinearSoftmaxClassifier):
    r"""Multinomial logistic regression that chooses C by cross-validation.

    The models for all C are fitted along a path (see `softmax_path`), to all rows and to each fold.
    The chosen model is that of all rows for the C with the best mean score.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,), default=10
        The values of C to choose from, positive, ``inf`` for no penalty. An integer is a number of
        values with equal ratios: from 1e-4 to 1e4, as in `LogisticRegressionCV`. If no l1_ratio is
        0, each l1_ratio has a largest C at which all coefficients are 0, and the values are from
        the smallest of these to 1000 times the largest.
    l1_ratios : array-like of shape (n_l1_ratios,), default=(0.0,)
        The shares of the L1 penalty to choose from, between 0 and 1. Above 0, some coefficients are
        exactly 0; see `SoftmaxRegression`.
    {path_penalty_grouping}
    {penalty_weights}
    fit_intercept : bool, default=True
        Whether to add an intercept b to the scores.
    cv : int, cross-validation generator, iterable or 'loo', default=None
        The folds: their number (None is 5), a splitter, or an iterable of pairs of arrays of row
        numbers. A number of folds are stratified, not shuffled, and made of the rows of positive
        weight. 'loo' leaves out one row at a time, by a single fit for each C; see the notes.
    scoring : str, callable or None, default='neg_log_loss'
        The score of a model on the rows left out: the name of a scorer of scikit-learn, or a
        function ``scorer(estimator, X, y)``; larger is better. None is accuracy. Class
        probabilities for y, and ``cv='loo'``, allow only 'neg_log_loss' and 'accuracy'.
    selection : {'best', '1se'}, default='best'
        'best' chooses the C with the best mean score; '1se' chooses the smallest C whose mean score
        is within one standard error of the best, as a simpler model that is not significantly worse
        (the one-standard-error rule).
    refit : bool, default=True
        Whether to fit all rows with the chosen C. Otherwise each fold contributes its best model,
        and the coefficients and the C of these models are averaged.
    {path_solver}
    tol : float, default=1e-6
        The relative optimality gap to reach.
    max_iter : int, default=1000
        The largest number of iterations of a fit.
    class_weight : dict or 'balanced', default=None
        Weights ``{label: weight}`` that multiply the sample weights in fits, not in scores.
        'balanced' gives all classes the same total over all rows.
    n_jobs : int, default=None
        The number of folds that are fitted at the same time, each in a thread that uses one core.
        With one fold at a time, a fit may use several cores.
    verbose : int or bool, default=0
        Whether to print a line for each fit; 2 also prints a line for each iteration.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    C_ : float
        The chosen C.
    coef_ : ndarray of shape (n_classes, n_features), or (1, n_features) for two classes
        W of the model of all rows.
    intercept_ : ndarray of shape (n_classes,), or (1,) for two classes
        b of the model of all rows.
    Cs_ : ndarray of shape (n_Cs,)
        The values of C in increasing order.
    l1_ratio_, l1_ratios_ : float, ndarray of shape (n_l1_ratios,)
        The chosen l1_ratio, and all l1_ratios.
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        The scores on the rows left out; for ``cv='loo'`` each row is a fold.
    mean_scores_, score_standard_errors_ : ndarray of shape (n_l1_ratios, n_Cs)
        The means of the scores over folds, and the standard errors of these means.
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs, n_classes, n_features + 1)
        W for each fold, l1_ratio and C, with b in the last column if there is an intercept; for
        ``cv='loo'`` the single path of all rows. For two classes, n_classes is replaced by 1.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        The number of iterations of each fit; for ``cv='loo'`` those of the single path.
    objective_, optimality_gap_ : float
        The objective and the gap of the model of all rows, as in `SoftmaxRegression`. They exist
        only with `refit`.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        The names of the features, if X had names that are all strings.

    See Also
    --------
    softmax_path : The models for a grid of C.
    CrossValidationDisplay : Plots the scores against C.
    RegularizationPathDisplay : Plots the coefficients against C.
    sklearn.linear_model.LogisticRegressionCV : Has the same attributes, with
        ``use_legacy_attributes=False``.

    Notes
    -----
    With l1_ratio 0 the fits of the folds start from the models of all rows. Each takes at least one
    step of Newton's method, so that for every `tol` the scores are those of models that were not
    fitted to the rows left out. Callbacks see a task for each path, with a subtask for each C; all
    of them are completed, even if a callback asks to stop.

    With ``cv='loo'`` there is a single fit for each C, to all rows. The scores of row i by a model
    without this row follow in closed form from the Hessian at the minimum, as one step of Newton's
    method without the row. For the few rows for which one step is not accurate enough, at most 50
    for each C, a model is fitted without the row. The order of the Hessian, (n_classes − 1) times
    n_features, or times n_samples if there are more features than rows, can be 5000 at most.

    With metadata routing (``sklearn.set_config(enable_metadata_routing=True)``), `fit` passes
    ``groups`` to the splitter, and `sample_weight` to a scorer that requests it. Without metadata
    routing the scores of the folds are weighted by `sample_weight` if that is given.

    References
    ----------
    L. Breiman, J. Friedman, R. Olshen and C. Stone, *Classification and Regression Trees*, 1984,
    section 3.4.3, for the one-standard-error rule.

    K. Rahnama Rad and A. Maleki, "A scalable estimate of the out-of-sample prediction error via
    approximate leave-one-out cross-validation", JRSS B 82, 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from softmax_regression import SoftmaxRegressionCV
    >>> X, y = load_wine(return_X_y=True)
    >>> model = SoftmaxRegressionCV(Cs=[0.01, 0.1, 1, 10, 100], cv="loo").fit(X, y)
    >>> model.C_
    1.0
    >>> model.mean_scores_.round(3)
    array([[-0.269, -0.138, -0.099, -0.115, -0.155]])
    """

    # `score` uses weights only in the scorer, which has to request them.
    __metadata_request__score: ClassVar[dict[str, Any]] = {"sample_weight": UNUSED}

    _hints: ClassVar[dict[str, str]] = LINEAR_HINTS | {
        "C": "Cs holds the values to choose from",
        "l1_ratio": "l1_ratios holds the values to choose from",
        "penalty": "l1_ratios are 0 for 'l2', 1 for 'l1' and between them for 'elasticnet'",
        "random_state": "only folds can be drawn at random, as by "
        "cv=StratifiedKFold(5, shuffle=True, random_state=0)",
        "use_legacy_attributes": "its attributes are as LogisticRegressionCV's with False",
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **constraints("Cs", *LINEAR),
        "l1_ratios": ["array-like"],
        "cv": ["cv_object", StrOptions({"loo"})],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "selection": [StrOptions({"best", "1se"})],
        "refit": ["boolean"],
        "solver": [LinearSolvers({"auto", *SOLVERS})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        Cs: Any = 10,
        l1_ratios: Any = (0.0,),
        penalty_grouping: PenaltyGrouping = "none",
        penalty_weights: Any = None,
        standardize: bool = False,
        prior_mean: Any = None,
        fit_intercept: bool = True,
        cv: Any = None,
        scoring: str | Callable[..., Any] | None = "neg_log_loss",
        selection: Literal["best", "1se"] = "best",
        refit: bool = True,
        solver: PathSolver = "auto",
        tol: float = 1e-6,
        max_iter: int = 1000,
        class_weight: ClassWeight = None,
        n_jobs: int | None = None,
        verbose: int | bool = 0,
    ):
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.penalty_grouping = penalty_grouping
        self.penalty_weights = penalty_weights
        self.standardize = standardize
        self.prior_mean = prior_mean
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.scoring = scoring
        self.selection = selection
        self.refit = refit
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose

    @PenaltyName
    def penalty(self) -> str | None:
        """scikit-learn's name of the chosen penalty; see `SoftmaxRegression.penalty`."""
        return penalty_name(*self._strengths())

    def _strengths(self) -> tuple[float, float]:
        return self.C_, self.l1_ratio_

    @fit_context(prefer_skip_nested_validation=True)
    @blas_held_to_one_thread
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None, **params: Any
    ) -> Self:
        """Choose C, and fit the model with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or class probabilities.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A weight of 0 is equivalent to leaving the row out.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known scores of the rows, as in `SoftmaxRegression.fit`. They are added in fits and in
            the scores of rows left out.
        **params : dict
            Metadata for the splitter and the scorer, such as ``groups``.

        Returns
        -------
        SoftmaxRegressionCV
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If data or parameters are invalid; the estimator is then left unchanged.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If the solver stopped before `tol` was reached in some fits, or if there is no finite
            minimum for ``C=inf`` because some or all rows can be separated by class.
        UserWarning
            If a score is not finite.
        """
        _raise_for_params(params, self, "fit")
        watched = Watched(self, X, y, sample_weight, None, offset)
        with self._unchanged_on_failure():
            if self.selection == "1se" and not self.refit and self.cv != "loo":
                raise ValueError("selection='1se' needs refit=True: a single fold has no error.")
            design = self._validate_rows(X, reset=True)
            if np.isscalar(sample_weight):
                sample_weight = np.full(design.n_rows, sample_weight)
            routed = self._routed("fit", params | {"sample_weight": sample_weight})
            targets = self._encode(y, design, sample_weight, offset=offset)
            check_more_than_one_class(targets, type(self).__name__)
            self.classes_ = targets.classes
            if self.prior_mean is not None:
                targets = around(self._prior(design.n_columns), design, targets)
            self.l1_ratios_ = self._ratios()
            specifications = [self._specification(l1) for l1 in self.l1_ratios_.tolist()]
            Cs = grid_of(self.Cs, design, targets, specifications)
            rows = [CVData(design, targets, Cs, of_ratio) for of_ratio in specifications]
            watched.begin()
            if isinstance(self.cv, str):
                result = self._leave_one_out(rows[0], routed.scorer.score, watched)
            else:
                result = self._cross_validate(rows, design.X, y, routed, watched)
            records = [record for fold in result.records for path in fold for record in path]
            self._keep(result, Cs)
            records += self._choose(result, rows, watched)
            separation = self._separation(result.wholes[0], rows[0])
        watched.end()
        warn_of_path(separation, records, type(self).__name__, self.tol, stacklevel=4)
        return self

    def score(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        offset: Any = None,
        **score_params: Any,
    ) -> float:
        """The score of the model on some rows, by `scoring`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Their true labels, or class probabilities.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known scores to add, as in `fit`.
        **score_params : dict
            Metadata for the scorer.

        Returns
        -------
        float
            The score: larger is better.
        """
        _raise_for_params(score_params, self, "score")
        routed = self._routed("score", score_params | {"sample_weight": sample_weight})
        if self.scoring in (None, "accuracy"):
            return super().score(X, y, **routed.scorer.score, offset=offset)
        if self._row_score() is None:
            scorer = scorer_of(self.scoring, self.classes_)
            model = self if offset is None else KnowingOffset(self, offset)
            return float(scorer(model, X, y, **routed.scorer.score))
        scores = np.atleast_2d(self.decision_function(X, offset).T)
        targets = encode_targets(
            y,
            scores.shape[1],
            classes=self.classes_,
            sample_weight=routed.scorer.score.get("sample_weight"),
            class_weight=None,
            estimator=type(self).__name__,
        )
        return float(np.average(self._row_score()(scores, targets), weights=targets.weight))

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of metadata to the splitter and the scorer.

        Returns
        -------
        MetadataRouter
            The routing.
        """
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        if not isinstance(self.cv, str):
            router.add(
                splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split")
            )
        return router.add(
            scorer=get_scorer(self.scoring or "accuracy"),
            method_mapping=MethodMapping()
            .add(caller="fit", callee="score")
            .add(caller="score", callee="score"),
        )

    # -- pieces ------------------------------------------------------------------------------------

    def _ratios(self) -> Array:
        ratios = np.asarray(self.l1_ratios)
        numbers = ratios.ndim == 1 and ratios.size > 0 and ratios.dtype.kind in "iuf"
        if not numbers or not ((ratios >= 0) & (ratios <= 1)).all():
            raise ValueError(
                f"l1_ratios must be a list of numbers between 0 and 1, got {self.l1_ratios!r}."
            )
        if ratios.any() and isinstance(self.cv, str):
            raise ValueError(
                f"cv='loo' is for l1_ratio=0 alone, got l1_ratios={self.l1_ratios!r}: pass a "
                "number of folds."
            )
        return ratios.astype(np.float64)

    def _specification(self, l1_ratio: float) -> Specification:
        return Specification(
            self.fit_intercept,
            self.solver,
            self.tol,
            self.max_iter,
            l1_ratio,
            self.penalty_grouping,
            feature_weights=feature_weights(
                self.penalty_weights, self.standardize, self.n_features_in_
            ),
        )

    def _without_shared_part(self, coef: Array) -> Array:
        # The solver of a penalty that makes zeros has subtracted what classes share already.
        return coef if self.l1_ratio_ > 0 else super()._without_shared_part(coef)

    def _row_score(self) -> Any:
        """Return a function that scores each row; None if `scoring` needs a scorer."""
        return ROW_SCORES.get(self.scoring or "accuracy") if not callable(self.scoring) else None

    def _routed(self, caller: str, params: dict[str, Any]) -> Bunch:
        given = {name: value for name, value in params.items() if value is not None}
        if _routing_enabled():
            routed = process_routing(self, caller, **given)
            return Bunch(splitter=routed.get("splitter", Bunch(split={})), scorer=routed.scorer)
        return Bunch(splitter=Bunch(split={}), scorer=Bunch(score=given))

    def _progress(self, watched: Watched, rows: CVData, fold: int | None = None) -> PathProgress:
        """Return the progress of a path, of a fold or of all rows."""
        report, ratio = self._report(), rows.specification.l1_ratio
        names = ["all rows" if fold is None else f"fold {fold}"]
        if len(self.l1_ratios_) > 1:
            names.insert(0, f"l1_ratio={ratio:g}")

        def attributes(C: float, coef: Array, intercept: Array) -> dict[str, Any]:
            model = copy.copy(self)
            model.C_, model.l1_ratio_ = C, ratio
            model.coef_, model.intercept_ = model._with_prior(coef), intercept
            known = "classes_", "C_", "l1_ratio_", "coef_", "intercept_"
            return {name: getattr(model, name) for name in known}

        return PathProgress(
            watched.part("path" if fold is None else "fold", len(rows.Cs)),
            attributes,
            None if report is None else lambda line: report(", ".join([*names, line])),
            int(self.verbose),
        )

    def _cross_validate(
        self, rows: list[CVData], X: Any, y: Any, routed: Bunch, watched: Watched
    ) -> CVResult:
        targets = rows[0].targets
        labels = np.asarray(y) if is_soft(y) else targets.classes[targets.encoded]
        score_params = routed.scorer.score
        folds = self._folds(X, labels, targets, score_params, routed.splitter.split)
        check_folds(targets, folds)
        if self._row_score() is not None:
            score: Any = RowScore(self._row_score(), rows[0], score_params)
        elif is_soft(y):
            raise ValueError(
                f"scoring={self.scoring!r} needs labels, but y holds class probabilities. Use "
                "'neg_log_loss' or 'accuracy'."
            )
        else:
            score = ScorerScore(self, X, labels, score_params, targets.offset)
        wholes: list[WholePath | None] = []
        by_ratio = []
        for part in rows:
            whole = None
            if part.specification.l1_ratio == 0:
                whole = part.whole(self._progress(watched, part))
            told = [self._progress(watched, part, fold) for fold in range(len(folds))]
            by_ratio.append(paths_of_folds(part, folds, score, whole, self.n_jobs, told))
            wholes.append(whole)
        of_folds = list(zip(*by_ratio, strict=True))
        return CVResult(
            np.stack([[path.coefs for path in paths] for paths in of_folds]),
            np.stack([[path.intercepts for path in paths] for paths in of_folds]),
            np.stack([[path.scores for path in paths] for paths in of_folds]),
            None,
            [[path.records for path in paths] for paths in of_folds],
            wholes,
        )

    def _folds(
        self,
        X: Any,
        labels: Array,
        targets: Targets,
        score_params: dict[str, Any],
        split_params: dict[str, Any],
    ) -> list[tuple[Array, Array]]:
        """Return the rows that each fold fits, and those that it scores.

        Rows of weight 0 are not scored. If `cv` is a number, they are left out before the split;
        other splitters get all rows, as they may rely on their number.
        """
        weight = score_params.get("sample_weight")
        scored = np.ones(len(labels), dtype=bool) if weight is None else np.asarray(weight) != 0
        counted = np.flatnonzero(scored | (targets.row_weights() != 0))
        if self.cv is None or isinstance(self.cv, Integral):
            labels = labels[counted]
            splits = check_cv(self.cv, labels, classifier=True).split(counted, labels)
            folds = [(counted[train], counted[test]) for train, test in splits]
        else:
            splits = check_cv(self.cv).split(X, labels, **split_params)
            folds = [(row_numbers(train), row_numbers(test)) for train, test in splits]
        return [(train, test[scored[test]]) for train, test in folds]

    def _leave_one_out(
        self, rows: CVData, score_params: dict[str, Any], watched: Watched
    ) -> CVResult:
        row_score = self._row_score()
        if row_score is None:
            raise ValueError(
                f"cv='loo' scores one row at a time, which scoring={self.scoring!r} does not. Use "
                "'neg_log_loss' or 'accuracy', or a number of folds."
            )
        whole, scores = WholePath([], [], FoldWarmStarts()), []
        progress = self._progress(watched, rows)
        progress.begin()
        fitted = rows.fitted.with_fixed_weights(rows.design, rows.targets)
        for solution in solutions(rows.design, rows.targets, rows.Cs, fitted, progress):
            left_out = leave_one_out_scores(rows.design, solution, fitted)
            scores.append(row_score(left_out, rows.targets))
            whole.models.append(rows.model(solution))
            whole.records.append(rows.record(solution, *whole.models[-1]))
            progress.model(solution.C, *whole.models[-1])
        progress.end()
        return CVResult(
            np.stack([coef for coef, _ in whole.models])[None, None],
            np.stack([intercept for _, intercept in whole.models])[None, None],
            np.stack(scores, axis=1)[:, None],
            relative_weights(score_params.get("sample_weight")),
            [[whole.records]],
            [whole],
        )

    def _keep(self, result: CVResult, Cs: Array) -> None:
        """Store the result of the cross-validation."""
        self.Cs_ = Cs
        self.scores_ = result.scores
        self.mean_scores_ = result.means()
        self.score_standard_errors_ = result.standard_errors()
        paths = self._with_prior(result.coefs)
        if self.fit_intercept:
            paths = np.concatenate([paths, result.intercepts[..., None]], axis=-1)
        self.coefs_paths_ = paths
        n_iter = [[[fit.n_iter for fit in path] for path in fold] for fold in result.records]
        self.n_iter_ = np.array(n_iter, dtype=np.int32)

    def _choose(self, result: CVResult, rows: list[CVData], watched: Watched) -> list[FitRecord]:
        """Choose C and l1_ratio, store the model, and return the records of its fit, if any."""
        n_bad = int((~np.isfinite(result.scores)).sum())
        if n_bad:
            warnings.warn(
                f"{n_bad} of {result.scores.size} scores are not finite; no C with such a score in "
                f"a fold is chosen while another is to be had. Look at scoring={self.scoring!r} "
                "and scores_.",
                UserWarning,
                stacklevel=5,
            )
        if not self.refit and not isinstance(self.cv, str):
            self._average(result, rows[0].rounding)
            for name in ("objective_", "optimality_gap_"):  # They may be left from an earlier fit.
                self.__dict__.pop(name, None)
            return []
        means = np.where(np.isfinite(self.mean_scores_), self.mean_scores_, -np.inf)
        ratio, best = (int(at) for at in np.unravel_index(means.argmax(), means.shape))
        if self.selection == "1se":
            enough = means[ratio, best] - self.score_standard_errors_[ratio, best]
            best = int(np.flatnonzero(means[ratio] >= enough)[0])
        self.C_, self.l1_ratio_ = float(self.Cs_[best]), float(self.l1_ratios_[ratio])
        model, record = self._refitted(result.wholes[ratio], rows[ratio], best, watched)
        self.coef_, self.intercept_ = self._with_prior(model[0]), model[1]
        self.objective_, self.optimality_gap_ = record.objective, record.gap
        return [] if isinstance(self.cv, str) else [record]  # The records of leave-one-out hold it.

    def _separation(self, whole: WholePath | None, rows: CVData) -> str | None:
        """Return why there is no finite minimum without a penalty; None if there is one."""
        if whole is None:
            return None
        names = getattr(self, "feature_names_in_", None)
        return separation_on_a_path(
            rows.original,
            rows.targets,
            *whole.models[-1],
            whole.records[-1],
            rows.specification,
            names,
        )

    def _refitted(
        self, whole: WholePath | None, rows: CVData, best: int, watched: Watched
    ) -> tuple[tuple[Array, Array], FitRecord]:
        """Return the model of all rows for one C, and the record of its fit."""
        if whole is not None:
            return whole.models[best], whole.records[best]
        rows = CVData(rows.original, rows.targets, rows.Cs[[best]], rows.specification)
        progress = self._progress(watched, rows)
        progress.begin()
        (solution,) = solutions(rows.design, rows.targets, rows.Cs, rows.specification, progress)
        model = rows.model(solution)
        progress.model(solution.C, *model)
        progress.end()
        return model, rows.record(solution, *model)

    def _average(self, result: CVResult, rounding: Rounding) -> None:
        """Store the average of the best models of the folds."""
        folds = np.arange(len(result.scores))
        scores = np.nan_to_num(result.scores.reshape(len(folds), -1), nan=-np.inf)
        ratios, bests = np.unravel_index(scores.argmax(axis=1), result.scores.shape[1:])
        self.C_ = float(self.Cs_[bests].mean())
        self.l1_ratio_ = float(self.l1_ratios_[ratios].mean())
        coef = result.coefs[folds, ratios, bests].mean(axis=0, dtype=np.float64)
        intercept = result.intercepts[folds, ratios, bests].mean(axis=0, dtype=np.float64)
        self._store(coef, intercept, rounding)
