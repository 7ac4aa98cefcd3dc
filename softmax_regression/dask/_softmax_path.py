"""`softmax_path` on Dask collections: the models for a whole grid of C."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import _get_feature_names

from softmax_regression._estimators.hints import LinearSolvers
from softmax_regression._estimators.parameters import LINEAR, constraints, described
from softmax_regression._estimators.penalties import feature_weights
from softmax_regression._estimators.types import (
    ClassWeight,
    PathSolver,
    PenaltyGrouping,
    validate_params,
)
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._losses.targets import Targets, check_more_than_one_class
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._problems.smooth import SOLVERS
from softmax_regression._problems.specification import Specification
from softmax_regression.dask._collections import is_array, raw_chunks
from softmax_regression.dask._rows import (
    DaskClassesWithWeight,
    given_classes,
    proved_separation,
    survey,
)
from softmax_regression.dask._schedulers import scheduler_of
from softmax_regression.linear_model._separation import warn_of_path
from softmax_regression.linear_model._softmax_path import SoftmaxPath, fitted_path


@described
@validate_params(
    {
        **constraints("Cs", *(name for name in LINEAR if name != "prior_mean"), "l1_ratio"),
        "solver": [LinearSolvers({"auto", *SOLVERS})],
        "classes": ["array-like", None],
        "client": [HasMethods(["compute", "persist"]), None],
        "persist": ["boolean"],
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
    fit_intercept: bool = True,
    class_weight: ClassWeight = None,
    sample_weight: Any = None,
    solver: PathSolver = "auto",
    tol: float = 1e-6,
    max_iter: int = 1000,
    verbose: int | bool = 0,
    classes: Any = None,
    client: Any = None,
    persist: bool = True,
) -> SoftmaxPath:
    r"""Fit multinomial logistic regression on Dask collections for a whole grid of C.

    As `softmax_regression.softmax_path`, on rows as `DaskSoftmaxRegression` takes them. From the
    smallest C upward, each fit begins where the last ones lead to, with what stood for the Hessian
    there: so that it takes a few passes over the rows, where a fit by itself takes twenty.

    Parameters
    ----------
    X : Dask array or DataFrame of shape (n_samples, n_features)
        Training data.
    y : Dask array, Series or DataFrame of shape (n_samples,) or (n_samples, n_classes)
        Labels, or class probabilities.
    Cs : int or array-like of shape (n_Cs,), default=10
        Inverse strengths of the penalty, positive, ``inf`` for none, in any order. An integer
        stands for so many of them with equal ratios: from 1e-4 to 1e4; with `l1_ratio` above 0,
        from the largest at which all coefficients are 0 to 1000 times that. They count beside the
        sum over all rows: on ten times as many rows, a tenth of C is the same balance.
    {path_l1_ratio}
    {path_penalty_grouping}
    penalty_weights : array-like of shape (n_features,), default=None
        The weight of each feature's penalty, as in `SoftmaxRegression`.
    standardize : bool, default=False
        Whether the coefficients of standardised features are penalised.
    {path_fit_intercept}
    {path_class_weight}
    sample_weight : Dask array or Series of shape (n_samples,), default=None
        Non-negative weights s.
    {path_solver}
    {path_tol}
    {path_max_iter}
    {path_verbose}
    classes : array-like of shape (n_classes,), default=None
        The classes, if they are known; by default those that the first pass finds.
    client : distributed.Client, default=None
        The client of a cluster; see `DaskSoftmaxRegression`.
    persist : bool, default=True
        Whether a cluster keeps the chunks in memory until the path is done; see
        `DaskSoftmaxRegression`.

    Returns
    -------
    SoftmaxPath
        The models, in order of increasing C, as arrays in memory.

    Raises
    ------
    ValueError, TypeError
        If data or parameters are invalid; for invalid data the message names the chunk.
    LostClientError
        A RuntimeError, if the client of the cluster is closed or has lost its scheduler.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the solver stopped before `tol` was reached for some C; or if with ``C=inf`` the classes
        can be told apart perfectly.

    See Also
    --------
    softmax_regression.softmax_path : The same in memory.
    softmax_regression.inspection.RegularizationPathDisplay : Plots such a path.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_iris
    >>> from softmax_regression.dask import softmax_path
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(50, 4)), da.from_array(y, chunks=50)
    >>> path = softmax_path(X, y, Cs=[0.01, 1, 100])
    >>> abs(path.coefs).sum(axis=(1, 2)).round(1)
    array([ 1.7, 12.5, 40.1])
    """
    raw, scheduler = raw_chunks(X, y, sample_weight), scheduler_of(client)
    rows = survey(raw, scheduler, given_classes(classes), class_weight, "softmax_path")
    check_more_than_one_class(rows.targets, "softmax_path")
    specification = DaskSpecification(
        fit_intercept,
        solver,
        tol,
        max_iter,
        float(l1_ratio),
        penalty_grouping,
        feature_weights=feature_weights(penalty_weights, standardize, X.shape[1]),
    )
    fitted = specification.classes_with_weight(rows.targets)
    data: Any = rows.blocks(fitted, scheduler, persist)
    path, records = fitted_path(data, rows.targets, Cs, specification, verbose=verbose)
    separation = proved_separation(
        records[-1].reason,
        data,
        fitted,
        path.coefs[-1],
        path.intercepts[-1],
        fit_intercept=fit_intercept,
        names=None if is_array(X) else _get_feature_names(X._meta_nonempty),
    )
    warn_of_path(separation, records, "softmax_path", tol, stacklevel=4)  # two are decorators
    return path


class DaskSpecification(Specification):
    """Parameters of problems whose rows are in chunks: `DaskBlocks` in the place of a design."""

    def classes_with_weight(self, targets: Targets) -> ClassesWithWeight:
        return DaskClassesWithWeight(targets, self.fit_intercept)

    def objective(
        self, design: Any, targets: Targets, C: float, total_weight: Fraction | None = None
    ) -> LinearCrossEntropy:
        total = targets.total_weight if total_weight is None else total_weight
        return self.objective_of(design, C, total)
