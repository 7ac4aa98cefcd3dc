"""`infer` computes `InferenceResults` from a fitted model and the rows it was fitted to."""

from __future__ import annotations

import copy
from enum import Enum
from typing import Any, Literal

import numpy as np

from softmax_regression._estimators.linear_classifier import LinearSoftmaxClassifier
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression.inference._covariance import WEIGHTS, checked_groups, sandwich
from softmax_regression.inference._detection import named, separation
from softmax_regression.inference._information import (
    COVARIANCES,
    Evaluation,
    Likelihood,
    likelihood_of,
)
from softmax_regression.inference._newton import (
    Maximum,
    SingularInformationError,
    factored,
    maximize,
)
from softmax_regression.inference._parameters import Parameters
from softmax_regression.inference._results import InferenceResults

CovType = Literal["nonrobust", "HC0", "HC1", "cluster"]
Weights = Literal["frequency", "sampling"]

# The objective of the same rows may differ from the model's own by this fraction of it.
_RELATIVE_OBJECTIVE_TOLERANCE = 1e-5
# A model's objective may lie above the minimum by at most this fraction of the objective.
_MAX_RELATIVE_GAP = 1e-2
# A column takes part in a collinearity if its entry exceeds this fraction of the largest entry.
_MIN_RELATIVE_ENTRY = 1e-4


class Reference(Enum):
    """The default of `reference`: an enumeration, because any label may be the name of a class."""

    FIRST = "the first class"

    def __repr__(self) -> str:
        return "FIRST"


FIRST = Reference.FIRST


@blas_held_to_one_thread
def infer(
    model: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    offset: Any = None,
    cov_type: CovType = "nonrobust",
    groups: Any = None,
    reference: Any = FIRST,
    weights: Weights = "frequency",
) -> InferenceResults:
    r"""Compute standard errors, tests and intervals for a fitted softmax regression.

    Let −A be the Hessian of the log-likelihood at its maximum, and u_i the score of row i. The
    covariance of the estimate is :math:`A^{-1}`, or :math:`A^{-1} (\sum_i u_i u_i^\top) A^{-1}`
    if the model may be misspecified.

    Parameters
    ----------
    model : SoftmaxRegression, SoftmaxRegressionCV or DaskSoftmaxRegression
        The model, fitted to all rows at once, with an L2 penalty or none. It is not changed.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows that the model was fitted to. For a `DaskSoftmaxRegression`, X, y and the weights
        are Dask collections, and results that are not sums over the rows, such as clusters and
        average effects, are refused.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        The labels of the rows, or their class probabilities.
    sample_weight : array-like of shape (n_samples,), default=None
        The weights that the model was fitted with.
    offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
        The known scores that the model was fitted with. Marginal effects are then evaluated at the
        known scores of each row, or at their mean if features are at their means or medians.
    cov_type : {'nonrobust', 'HC0', 'HC1', 'cluster'}, default='nonrobust'
        The covariance: the inverse observed information; the sandwich; the sandwich times
        n / (n − k), with n observations and k parameters; or the sandwich of scores summed within
        groups, times G / (G − 1) · (n − 1) / (n − k), for rows that are dependent within G groups.
    groups : array-like of shape (n_samples,), default=None
        The group of each row, for ``cov_type='cluster'``.
    reference : label or None, default=FIRST
        The class that the coefficients compare others with, which may be any label; by default the
        first of `classes_`. With None, the coefficients sum to 0 over classes, as those of `coef_`
        do. Two classes have one row of coefficients, and None then means the first class.
    weights : {'frequency', 'sampling'}, default='frequency'
        The meaning of a weight of 2. With 'frequency' it stands for two rows, so that `nobs` is the
        sum of the weights. With 'sampling' it stands for a row drawn with half the probability, so
        that `nobs` is the number of rows, weights are scaled to a mean of 1, and the covariance is
        robust: 'nonrobust' then stands for 'HC0'.

    Returns
    -------
    InferenceResults
        The estimates, their covariance, and the quantities derived from them.

    Raises
    ------
    ValueError
        If the rows are not those the model was fitted to, if the maximum likelihood estimate does
        not exist, if features are collinear, or if the model has an `l1_ratio` above 0 or `bounds`,
        whose selection standard errors do not account for.
    TypeError
        If the model is not a softmax regression.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Notes
    -----
    A fit ends within `tol` of the minimum of its objective. From there a few steps of Newton's
    method lead to the minimum itself, and all results are those of this minimum.

    With a finite `C` the estimate is the mode of a posterior with a normal prior, 'nonrobust' is
    its Laplace approximation, the inverse Hessian of the penalised objective, and the other values
    of `cov_type` give the frequentist covariance around the estimate. The penalty biases the
    estimate towards 0, which no covariance shows, so that a p-value is no test of the coefficient.
    Coefficients against a reference have the prior covariance that the penalty of all classes gives
    to differences between two classes.

    With ``bias_reduction='firth'`` the covariance is the inverse information at the estimate, as in
    R's logistf and brglm2. Profile intervals and likelihood-ratio tests use the penalised
    likelihood, with the determinant of the information of all coefficients. They stay accurate
    where this likelihood is far from quadratic, as under separation; Wald intervals and tests do
    not.

    Classes without weight are left out, as `fit` leaves them out.

    References
    ----------
    A. Agresti, *Categorical Data Analysis*, chapter 8.
    G. Heinze and M. Schemper, "A solution to the problem of separation in logistic regression",
    *Statistics in Medicine* 21, 2002.
    H. White, "Maximum likelihood estimation of misspecified models", *Econometrica* 50, 1982.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from softmax_regression import SoftmaxRegression
    >>> from softmax_regression.inference import infer
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> X, y = X[["sepal width (cm)", "petal width (cm)"]][50:], y[50:]
    >>> model = SoftmaxRegression(C=np.inf).fit(X, y)
    >>> results = infer(model, X, y)
    >>> results.params.round(2)
    class                 2
    feature
    intercept        -14.38
    sepal width (cm)  -3.91
    petal width (cm)  15.70
    """
    _check_options(model, cov_type, weights)
    sampling = weights == "sampling"
    likelihood, u, scale = likelihood_of(
        model, X, y, sample_weight, offset=offset, sampling=sampling
    )
    if cov_type not in likelihood.covariances:
        raise ValueError(
            f"cov_type={cov_type!r} needs all rows in memory: choose one of "
            f"{', '.join(likelihood.covariances)}, or fit SoftmaxRegression."
        )
    at = checked_groups(groups, cov_type, likelihood.design.n_rows)
    names = _feature_names(model, likelihood.design.n_columns)
    parameters = _parameters(likelihood, names, reference)
    start = likelihood.evaluate(u)
    _check_rows(model, start.value / scale, likelihood.total_weight / scale)
    _check_minimum(model, likelihood, names)
    maximum = _maximum(likelihood, u, start, names)
    nobs = float(likelihood.n_rows_of_weight)
    if not sampling and sample_weight is not None:
        nobs = likelihood.sum_of(sample_weight)
    bread = factored(maximum.evaluation.information).inverse()
    if sampling and cov_type == "nonrobust":
        cov_type = "HC0"
    covariance = bread
    if cov_type != "nonrobust":
        covariance = sandwich(
            likelihood, maximum.u, bread, cov_type, nobs=nobs, groups=at, sampling=sampling
        )
    return InferenceResults(
        cov_type=cov_type,
        weights=weights,
        nobs=nobs,
        C=_strength(model),
        llf=maximum.log_likelihood,
        llnull=_null_log_likelihood(likelihood),
        _likelihood=likelihood,
        _parameters=parameters,
        _u=maximum.u,
        _covariance=covariance,
        _bread=bread,
        _value=maximum.value,
        _n_effective=_effective(maximum, bread, likelihood),
        _model=copy.copy(model),
        _n_groups=0 if at is None else len(np.unique(at)),
    )


def _check_options(model: Any, cov_type: str, weights: str) -> None:
    if not isinstance(model, LinearSoftmaxClassifier):
        raise TypeError(
            f"infer needs a SoftmaxRegression or a SoftmaxRegressionCV, got {type(model).__name__}."
            " Of a pipeline, pass the last step and the X that it was fitted to."
        )
    model._check_parts()
    for name, value, known in (("cov_type", cov_type, COVARIANCES), ("weights", weights, WEIGHTS)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}.")
    ratio: Any = getattr(model, "l1_ratio_", getattr(model, "l1_ratio", 0.0))
    if ratio > 0 and np.isfinite(_strength(model)):
        raise ValueError(
            f"With l1_ratio={ratio!r} the model has selected its features by the same rows, which "
            "standard errors do not know of: refit the features it kept with C=inf, on other rows, "
            "and infer from these."
        )
    if getattr(model, "bounds", None) is not None:
        raise ValueError(
            "With bounds, estimates at a bound have no normal distribution: refit with "
            "bounds=None, or the features that are not at a bound with C=inf on other rows."
        )
    if model.prior_mean is not None and np.isfinite(_strength(model)):
        raise ValueError(
            "With prior_mean the posterior is around other coefficients than 0: refit with "
            "prior_mean=None and offset=X @ prior_mean.T, and infer what coefficients differ by."
        )
    if model.class_weight is not None and weights == "frequency":
        raise ValueError(
            f"With class_weight={model.class_weight!r} a weight does not count rows: pass "
            "weights='sampling', or refit with class_weight=None."
        )
    if getattr(model, "bias_reduction", None) is not None and weights == "sampling":
        raise ValueError(
            "bias_reduction='firth' counts a weight as so many rows, which weights='sampling' does "
            "not: pass weights='frequency', or refit with bias_reduction=None."
        )
    if not hasattr(model, "objective_"):
        raise ValueError(
            "The model was trained by partial_fit, or without refit, and is at no minimum: call "
            "fit on all rows."
        )


def _strength(model: Any) -> float:
    return float(getattr(model, "C_", None) or model.C)


def _feature_names(model: Any, n_features: int) -> Array:
    names = np.empty(n_features, dtype=object)
    names[:] = list(getattr(model, "feature_names_in_", [f"x{j}" for j in range(n_features)]))
    return names


def _parameters(likelihood: Likelihood, names: Array, reference: Any) -> Parameters:
    if reference is None:
        return Parameters.of(likelihood, names, None, symmetric=True)
    classes = likelihood.classes.tolist()
    if reference is FIRST:
        reference = likelihood.classes[0]
    elif reference not in classes:
        raise ValueError(
            f"reference must be one of the classes with rows of weight, {classes}, or None, got "
            f"{reference!r}."
        )
    return Parameters.of(likelihood, names, reference, symmetric=False)


def _check_rows(model: Any, found: float, weight: float) -> None:
    """Raise unless the model was fitted to these rows."""
    known = model.objective_ if np.isinf(_strength(model)) else model.objective_ / _strength(model)
    if not abs(found - known) <= _RELATIVE_OBJECTIVE_TOLERANCE * abs(known) + 1e-9 * weight:
        raise ValueError(
            f"The objective of the model is {found:.9g} for these rows, and was {known:.9g} for "
            "those it was fitted to (divided by C): pass the X, y, sample_weight and offset of its "
            "fit."
        )


def _check_minimum(model: Any, likelihood: Likelihood, names: Array) -> None:
    """Raise unless the model is near the minimum of its objective; say so if there is none."""
    if not model.optimality_gap_ <= _MAX_RELATIVE_GAP:
        _refuse_separation(likelihood, names)
        raise ValueError(
            f"The model may lie {model.optimality_gap_:.1e} of its objective above the minimum: "
            "fit it with a smaller tol, more iterations, or solver='auto'."
        )


def _maximum(likelihood: Likelihood, u: Array, start: Evaluation, names: Array) -> Maximum:
    """Return the maximum of the likelihood near the fit, or raise if there is none."""
    constant = names[~likelihood.varies]
    if len(constant) and not likelihood.strength:
        what = "constant, as the intercept is" if likelihood.fit_intercept else "zero"
        raise ValueError(
            f"The information is singular: {named(list(constant))} is {what}. Leave it out."
        )
    try:
        maximum = maximize(likelihood, u, at=start)
    except SingularInformationError as error:
        _refuse_separation(likelihood, names)
        raise ValueError(_collinear(likelihood, names, error.directions)) from None
    if not maximum.regular:
        _refuse_separation(likelihood, names)
        if not likelihood.holds_rows:
            raise ValueError(
                "The coefficients do not settle, as where rows can be told apart by their classes: "
                "see detect_separation for a sample of the rows in memory, or set C to a finite "
                "value."
            )
    return maximum


def _null_log_likelihood(likelihood: Likelihood) -> float:
    """Return the log-likelihood of the model with intercepts and offsets alone."""
    if likelihood.targets.offset is None:
        return likelihood.null_log_likelihood()
    null = Likelihood(
        likelihood.design.select(np.arange(0)),
        likelihood.targets,
        total_weight=likelihood.total_weight,
        fit_intercept=likelihood.fit_intercept,
    )
    if not null.n_params:
        return -null.value(np.zeros(0))
    return maximize(null, np.zeros(null.n_params)).log_likelihood


def _refuse_separation(likelihood: Likelihood, names: Array) -> None:
    if likelihood.strength or likelihood.bias_reduced or not likelihood.holds_rows:
        return
    found = separation(likelihood, list(names))
    if found:
        raise ValueError(
            f"The maximum likelihood estimate does not exist: {found.kind} separation, with "
            f"infinite coefficients of {named(found.features) or 'the intercept'}. See "
            "detect_separation; merge classes or leave the features out, or set "
            "bias_reduction='firth', or C to a finite value."
        )


def _collinear(likelihood: Likelihood, names: Array, directions: Array) -> str:
    """Return a message that names the collinear columns."""
    sizes = np.abs(directions).reshape(-1, likelihood.width, directions.shape[1]).max(axis=0)
    sizes = sizes[: len(names)] / np.maximum(sizes.max(axis=0), np.finfo(float).tiny)
    involved = [names[j] for j in np.flatnonzero((sizes > _MIN_RELATIVE_ENTRY).any(axis=1))]
    beside = " (beside the intercept)" if likelihood.fit_intercept else ""
    return (
        f"The information is singular: {named(involved)} are collinear{beside}. Leave one of them "
        "out, as the reference level of a categorical feature, or set C to a finite value."
    )


def _effective(maximum: Maximum, bread: Array, likelihood: Likelihood) -> float:
    """Return the effective number of parameters n − tr(H⁻¹ P); P is the penalty's Hessian."""
    if not likelihood.strength:
        return float(likelihood.n_params)
    return likelihood.n_params - float(np.vdot(bread, likelihood.penalty))
