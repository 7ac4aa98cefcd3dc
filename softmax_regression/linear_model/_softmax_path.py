"""`softmax_path`: multinomial logistic regression for a grid of C."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _get_feature_names

from softmax_regression._data.design import Design
from softmax_regression._data.make import as_design
from softmax_regression._estimators.features import validated
from softmax_regression._estimators.hints import LinearSolvers
from softmax_regression._estimators.offsets import checked_offset
from softmax_regression._estimators.parameters import LINEAR, constraints, described
from softmax_regression._estimators.penalties import feature_weights
from softmax_regression._estimators.priors import around, prior_coefficients
from softmax_regression._estimators.targets import encode_targets
from softmax_regression._estimators.types import (
    ClassWeight,
    PathSolver,
    PenaltyGrouping,
    validate_params,
)
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._losses.targets import Targets, check_more_than_one_class
from softmax_regression._problems.grid import grid_of
from softmax_regression._problems.progress import FitRecord, Progress
from softmax_regression._problems.rounding import Rounding
from softmax_regression._problems.smooth import SOLVERS
from softmax_regression._problems.specification import Specification
from softmax_regression._problems.warm_starts import solutions
from softmax_regression.linear_model._separation import separation_on_a_path, warn_of_path


@dataclass(frozen=True)
class SoftmaxPath:
    """The models for a grid of C, as `softmax_path` returns them.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    Cs : ndarray of shape (n_Cs,)
        The values of C in increasing order.
    coefs : ndarray of shape (n_Cs, n_classes, n_features), or (n_Cs, 1, n_features)
        W for each C, in the dtype of X; for two classes a single row, as in `coef_`.
    intercepts : ndarray of shape (n_Cs, n_classes), or (n_Cs, 1)
        b for each C; zeros without intercept.
    objectives : ndarray of shape (n_Cs,)
        The objective at each model.
    optimality_gaps : ndarray of shape (n_Cs,)
        The largest amount by which each objective can lie above its minimum, as a fraction of it.
    n_iter : ndarray of shape (n_Cs,)
        The number of iterations for each C.
    """

    classes: Array
    Cs: Array
    coefs: Array
    intercepts: Array
    objectives: Array
    optimality_gaps: Array
    n_iter: Array


@described
@validate_params(
    {
        **constraints("Cs", *LINEAR, "l1_ratio"),
        "solver": [LinearSolvers({"auto", *SOLVERS})],
    },
    prefer_skip_nested_validation=True,
)
@blas_held_to_one_thread
def softmax_path(
    X: Any,
    y: Any,
    *,
    Cs: Any = 10,
    l1_ratio: float = 0.0,
    penalty_grouping: PenaltyGrouping = "none",
    penalty_weights: Any = None,
    standardize: bool = False,
    prior_mean: Any = None,
    fit_intercept: bool = True,
    class_weight: ClassWeight = None,
    sample_weight: Any = None,
    offset: Any = None,
    solver: PathSolver = "auto",
    tol: float = 1e-6,
    max_iter: int = 1000,
    verbose: int | bool = 0,
) -> SoftmaxPath:
    r"""Fit multinomial logistic regression for a grid of C.

    For each C this finds the minimum over W and b of the objective of `SoftmaxRegression`,

    .. math:: C \sum_i s_i \, \mathrm{CE}(y_i, \mathrm{softmax}(W x_i + b)) + \tfrac12 \|W\|_F^2

    or, with `l1_ratio`, that with an elastic net or a group lasso.

    The fits proceed from the smallest C to the largest. Each starts from an extrapolation of the
    minima before it, and what they have in common is computed once. So a path takes a fraction of
    the time of as many separate fits.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training data.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Labels, or class probabilities.
    Cs : int or array-like of shape (n_Cs,), default=10
        Inverse strengths of the penalty, positive, ``inf`` for no penalty, in any order. An integer
        is a number of values with equal ratios: from 1e-4 to 1e4, or with `l1_ratio` above 0 from
        the largest value at which all coefficients are 0 to 1000 times that.
    {path_l1_ratio}
    {path_penalty_grouping}
    {penalty_weights}
    {path_fit_intercept}
    {path_class_weight}
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights s.
    offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
        Known scores of the rows, as in `SoftmaxRegression.fit`.
    {path_solver}
    {path_tol}
    {path_max_iter}
    {path_verbose}

    Returns
    -------
    SoftmaxPath
        The models, in order of increasing C.

    Raises
    ------
    ValueError, TypeError
        If data or parameters are invalid.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the solver stopped before `tol` was reached for some C, or if there is no finite minimum
        for ``C=inf`` because some or all rows can be separated by class.

    See Also
    --------
    SoftmaxRegressionCV : Chooses C along such paths.
    RegularizationPathDisplay : Plots such a path.

    References
    ----------
    J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models
    via coordinate descent", Journal of Statistical Software 33, 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softmax_regression import softmax_path
    >>> X, y = load_iris(return_X_y=True)
    >>> path = softmax_path(X, y, Cs=[0.01, 1, 100])
    >>> path.coefs.shape
    (3, 3, 4)
    >>> abs(path.coefs).sum(axis=(1, 2)).round(1)
    array([ 1.7, 12.5, 40.1])
    """
    validate = partial(
        check_array, accept_sparse=("csr", "csc"), dtype=[np.float64, np.float32], input_name="X"
    )
    # To find NaN, scikit-learn sums all values, and that sum may overflow.
    with np.errstate(invalid="ignore"):
        design = as_design(validated(X, validate))
    targets = encode_targets(
        y,
        design.n_rows,
        classes=None,
        sample_weight=sample_weight,
        class_weight=class_weight,
        estimator="softmax_path",
    )
    check_more_than_one_class(targets, "softmax_path")
    if offset is not None:
        known = checked_offset(offset, design.n_rows, targets.classes)
        targets = replace(targets, offset=known)
    shift: Any = 0.0
    if prior_mean is not None:
        shift = prior_coefficients(prior_mean, len(targets.classes), design.n_columns)
        targets = around(shift, design, targets)
    specification = Specification(
        fit_intercept,
        solver,
        tol,
        max_iter,
        float(l1_ratio),
        penalty_grouping,
        feature_weights=feature_weights(penalty_weights, standardize, design.n_columns),
    )
    path, records = fitted_path(design, targets, Cs, specification, verbose=verbose, shift=shift)
    names, held = _get_feature_names(X), (path.coefs[-1] - shift, path.intercepts[-1])
    separation = separation_on_a_path(design, targets, *held, records[-1], specification, names)
    warn_of_path(separation, records, "softmax_path", tol, stacklevel=4)  # two are decorators
    return path


def fitted_path(
    design: Design,
    targets: Targets,
    Cs: Any,
    specification: Specification,
    *,
    verbose: int | bool = 0,
    shift: Any = 0.0,
) -> tuple[SoftmaxPath, list[FitRecord]]:
    """Return the models for a grid of C, and how the fits ended.

    Parameters
    ----------
    design, targets : Design, Targets
        The rows, or what stands for them in `specification`.
    Cs : int or array-like
        As of `softmax_path`.
    specification : Specification
        How they are fitted.
    verbose : int or bool, default=0
        As of `softmax_path`.
    shift : ndarray of shape (n_scores, n_features), default=0.0
        What is to be added to the coefficients.
    """
    grid = grid_of(Cs, design, targets, [specification])
    report = (lambda line: print(f"softmax_path {line}", flush=True)) if verbose else None
    progress = Progress(report, int(verbose))
    rounding = Rounding.of(specification.objective(design, targets, np.inf))
    coefs, intercepts, records = [], [], []
    for solution in solutions(design, targets, grid, specification, progress):
        coef, intercept = solution.model()
        intercept = intercept if specification.fit_intercept else np.zeros(len(coef))
        coef, intercept = rounding.model(coef + shift, intercept)
        coefs.append(coef)
        intercepts.append(intercept)
        held = solution.held(coef - shift, intercept, rounding, targets, specification.tol)
        records.append(held.record())
    path = SoftmaxPath(
        targets.classes,
        grid,
        np.stack(coefs),
        np.stack(intercepts),
        np.array([record.objective for record in records]),
        np.array([record.gap for record in records]),
        np.array([record.n_iter for record in records], dtype=np.int32),
    )
    return path, records
