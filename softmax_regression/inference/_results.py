"""`InferenceResults`: the estimates, their covariance, and the quantities derived from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from softmax_regression._estimators.offsets import checked_offset
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._losses.offset import offset_of_each
from softmax_regression.inference._hypotheses import (
    WaldTest,
    checked_terms,
    hypothesis_matrix,
    term_test,
    wald,
)
from softmax_regression.inference._information import NO_OFFSET, Likelihood
from softmax_regression.inference._margins import MarginalEffects, marginal_effects
from softmax_regression.inference._parameters import Parameters
from softmax_regression.inference._predictions import Predictions, predict
from softmax_regression.inference._profile import profile_interval
from softmax_regression.inference._quantile import quantile
from softmax_regression.inference._summary import Summary, summarize


@dataclass(frozen=True, eq=False, repr=False)
class InferenceResults:
    """The results of inference for a softmax regression, as `infer` returns them.

    Tables of coefficients have a row for each feature, the intercept first, and a column for each
    class but the reference (or for every class, with ``reference=None``). Lists of coefficients
    are indexed by class and feature, class after class.

    Attributes
    ----------
    cov_type : {'nonrobust', 'HC0', 'HC1', 'cluster'}
        The kind of covariance.
    weights : {'frequency', 'sampling'}
        The meaning of the weights.
    nobs : float
        The sum of the weights, or with 'sampling' the number of rows of positive weight.
    C : float
        The inverse strength of the model's penalty.
    llf : float
        The log-likelihood without the penalty; with 'sampling', weights have a mean of 1.
    llnull : float
        The log-likelihood of the model with intercepts alone.

    See Also
    --------
    infer : Compute the results for a fitted model.
    """

    cov_type: str
    weights: str
    nobs: float
    C: float
    llf: float
    llnull: float
    _likelihood: Likelihood
    _parameters: Parameters
    _u: Array
    _covariance: Array
    _bread: Array
    _value: float
    _n_effective: float
    _model: Any
    _n_groups: int

    def __repr__(self) -> str:
        return (
            f"<InferenceResults of {len(self.classes)} classes and "
            f"{self._likelihood.design.n_columns} features, cov_type={self.cov_type!r}>"
        )

    # -- coefficients ------------------------------------------------------------------------------

    @property
    def classes(self) -> Array:
        """The classes that have rows of positive weight."""
        return self._likelihood.classes

    @property
    def feature_names(self) -> list[Any]:
        """The names of the features, without the intercept."""
        return list(self._parameters.features[int(self._likelihood.fit_intercept) :])

    @property
    def penalized(self) -> bool:
        """Whether `C` is finite, so that estimates are biased towards 0."""
        return bool(np.isfinite(self.C))

    @property
    def bias_reduced(self) -> bool:
        """Whether the model has Firth's bias reduction, by Jeffreys' prior."""
        return self._likelihood.bias_reduced

    @cached_property
    def params(self) -> pd.DataFrame:
        """The estimated coefficients, intercepts included."""
        return self._parameters.frame(self._estimates)

    @cached_property
    def bse(self) -> pd.DataFrame:
        """The standard errors of the coefficients."""
        return self._parameters.frame(self._errors)

    @cached_property
    def tvalues(self) -> pd.DataFrame:
        """The z-values: coefficients divided by their standard errors."""
        return self.params / self.bse

    @cached_property
    def pvalues(self) -> pd.DataFrame:
        """The two-sided p-values of the z-values, by the normal distribution."""
        return self._parameters.frame(2 * norm.sf(np.abs(self._estimates / self._errors)))

    @cached_property
    def _estimates(self) -> Array:
        return self._parameters.values(self._u).ravel()

    @cached_property
    def _covariance_of_params(self) -> Array:
        return self._parameters.covariance(self._covariance)

    @cached_property
    def _errors(self) -> Array:
        return np.sqrt(np.maximum(self._covariance_of_params.diagonal(), 0.0))

    def cov_params(self) -> pd.DataFrame:
        """Return the covariance of the coefficients.

        Returns
        -------
        DataFrame
            The covariance, whose rows and columns are indexed by class and feature.
        """
        index = self._parameters.index
        return pd.DataFrame(self._covariance_of_params, index=index, columns=index)

    @blas_held_to_one_thread
    def conf_int(
        self, alpha: float = 0.05, method: Literal["wald", "profile"] = "wald"
    ) -> pd.DataFrame:
        """Return confidence intervals.

        Parameters
        ----------
        alpha : float, default=0.05
            One minus the confidence.
        method : {'wald', 'profile'}, default='wald'
            With 'wald', an interval reaches a multiple of the standard error to either side of the
            estimate. With 'profile', it contains the values at which the log-likelihood, maximised
            over the other coefficients, lies less than half of a quantile of χ² below its maximum;
            this is slower, and more accurate if rows are few. With a finite `C` or bias reduction
            the penalised log-likelihood is used.

        Returns
        -------
        DataFrame
            The intervals, in columns 'lower' and 'upper', indexed by class and feature.

        Raises
        ------
        ValueError
            If alpha is out of range, or if 'profile' is asked for with a robust covariance, since
            the profile relies on the likelihood.
        """
        root = quantile(alpha)
        if method == "wald":
            ends = [self._estimates - root * self._errors, self._estimates + root * self._errors]
        elif method == "profile":
            self._check_likelihood("method='profile'", "method='wald'")
            rows = self._parameters.matrix()
            ends = list(np.array([self._profile(row, root) for row in rows]).T)
        else:
            raise ValueError(f"method must be 'wald' or 'profile', got {method!r}.")
        return pd.DataFrame(
            dict(zip(("lower", "upper"), ends, strict=True)),
            index=self._parameters.index,
        )

    def _profile(self, contrast: Array, root: float) -> tuple[float, float]:
        return profile_interval(self._likelihood, self._u, self._bread, contrast, root)

    def _check_likelihood(self, what: str, instead: str) -> None:
        if self.cov_type != "nonrobust":
            raise ValueError(
                f"{what} goes by the likelihood, and cov_type={self.cov_type!r} is for where that "
                f"is not trusted: use {instead}, or cov_type='nonrobust'."
            )

    def odds_ratios(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return the exponentials of the coefficients, with intervals.

        Parameters
        ----------
        alpha : float, default=0.05
            One minus the confidence.

        Returns
        -------
        DataFrame
            A table with columns 'odds ratio', 'lower' and 'upper', indexed by class and feature.
        """
        ends = self.conf_int(alpha)
        ends.insert(0, "odds ratio", self._estimates)
        with np.errstate(over="ignore"):
            return np.exp(ends)

    # -- the model as a whole ----------------------------------------------------------------------

    @property
    def _n_intercepts(self) -> int:
        return int(self._likelihood.fit_intercept) * (self._likelihood.n_classes - 1)

    @property
    def df_model(self) -> float:
        """The number of coefficients without intercepts.

        With a penalty it is the effective number of coefficients, the trace of the inverse
        penalised information times the information of the rows, less the number of intercepts.
        """
        return self._n_effective - self._n_intercepts

    @property
    def df_resid(self) -> float:
        """The residual degrees of freedom: `nobs` less the number of all coefficients."""
        return self.nobs - self._n_effective

    @cached_property
    def llr(self) -> float:
        """The likelihood-ratio statistic: twice the difference between `llf` and `llnull`.

        With bias reduction it is twice the difference between the penalised log-likelihoods with
        all coefficients and with intercepts alone.
        """
        if self.bias_reduced:
            features = {"all": self.feature_names}
            return float(self.test_terms(features, method="lr")["statistic"].iloc[0])
        return 2 * (self.llf - self.llnull)

    @property
    def llr_pvalue(self) -> float:
        """The p-value of `llr` by the χ² distribution.

        It is NaN where `llr` does not follow χ²: with a penalty, with sampling weights, or without
        an intercept.
        """
        if self.penalized or self.weights == "sampling" or not self._n_intercepts:
            return np.nan
        return float(chi2.sf(self.llr, self.df_model))

    @property
    def prsquared(self) -> float:
        """McFadden's pseudo R², 1 − `llf` / `llnull`."""
        return 1 - self.llf / self.llnull

    @property
    def aic(self) -> float:
        """Akaike's information criterion, −2 `llf` + 2 k with k coefficients."""
        return -2 * self.llf + 2 * self._n_effective

    @property
    def bic(self) -> float:
        """The Bayesian information criterion, −2 `llf` + k log `nobs`."""
        return -2 * self.llf + np.log(self.nobs) * self._n_effective

    # -- tests -------------------------------------------------------------------------------------

    def wald_test(self, hypotheses: Any, value: Any = 0.0) -> WaldTest:
        """Test linear hypotheses about the coefficients jointly.

        Parameters
        ----------
        hypotheses : array-like of shape (n_hypotheses, n_params), dict or list of dict
            A row of factors for each hypothesis, in the order of `cov_params`; or for each
            hypothesis the factors that are not 0, ``{(class, feature): factor}``.
        value : float or array-like of shape (n_hypotheses,), default=0.0
            The values of the linear combinations under the hypotheses.

        Returns
        -------
        WaldTest
            The `statistic`, its degrees of freedom `df`, and the `pvalue`.

        Raises
        ------
        ValueError
            If parameters do not exist, or hypotheses contradict each other.
        """
        matrix = hypothesis_matrix(hypotheses, self._parameters.index)
        difference = matrix @ self._estimates - np.broadcast_to(value, len(matrix))
        return wald(difference, matrix @ self._covariance_of_params @ matrix.T)

    @blas_held_to_one_thread
    def test_terms(
        self, terms: Any = None, *, method: Literal["wald", "lr", "score"] = "wald"
    ) -> pd.DataFrame:
        """Test whether features matter, over all classes at once.

        Parameters
        ----------
        terms : dict or list, default=None
            Columns that are tested together, ``{"ses": ["ses_low", "ses_middle"]}``; or features
            that are tested one by one; by default all features, one by one.
        method : {'wald', 'lr', 'score'}, default='wald'
            The test. 'wald' uses the coefficients and their covariance; 'lr' compares the
            likelihood with that of the model without the features, which is fitted for it; and
            'score' uses the gradient of the likelihood at that restricted model.

        Returns
        -------
        DataFrame
            A table with a row for each term, and columns 'statistic', 'df' and 'pvalue'.

        Raises
        ------
        ValueError
            If features do not exist; for 'lr' and 'score' with a robust covariance or a penalty,
            since they do not follow χ² then; or for 'score' with bias reduction, where 'lr' is the
            test of the penalised likelihood.
        """
        if method not in ("wald", "lr", "score"):
            raise ValueError(f"method must be 'wald', 'lr' or 'score', got {method!r}.")
        if method != "wald":
            self._check_likelihood(f"method={method!r}", "method='wald'")
            if self.penalized:
                raise ValueError(
                    f"method={method!r} needs the maximum of the likelihood, and C={self.C!r} "
                    "penalises it: refit with C=inf."
                )
        if method == "score" and self.bias_reduced:
            raise ValueError("method='score' is not for bias reduction: use method='lr'.")
        columns = checked_terms(terms, self.feature_names)
        rows = [
            term_test(self._likelihood, self._u, self._covariance, self._value, numbers, method)
            for numbers in columns.values()
        ]
        return pd.DataFrame(rows, index=pd.Index(list(columns), name="term"))

    # -- on the scale of probabilities -------------------------------------------------------------

    @blas_held_to_one_thread
    def get_margeff(
        self,
        at: Literal["overall", "mean", "median"] = "overall",
        method: Literal["dydx", "eyex", "dyex", "eydx"] = "dydx",
        discrete: Any = "auto",
    ) -> MarginalEffects:
        """Return marginal effects, the changes of probabilities with features.

        Parameters
        ----------
        at : {'overall', 'mean', 'median'}, default='overall'
            Whether effects are averaged over all rows, or evaluated at the means or medians of the
            features.
        method : {'dydx', 'eyex', 'dyex', 'eydx'}, default='dydx'
            'dydx' is the derivative of the probability in the feature, and 'eyex' that of the
            logarithm of the one in the logarithm of the other, an elasticity. 'dyex' takes the
            logarithm of the feature alone, and 'eydx' that of the probability alone.
        discrete : 'auto', dict, list or None, default='auto'
            The columns whose effect is that of a change from 0 to 1 rather than a derivative. With
            'auto', they are those that contain only zeros and ones. A dict names groups of one-hot
            columns, ``{"ses": ["ses_low", "ses_middle"]}``, and the effects of a group compare each
            level with the level for which all its columns are 0; other columns of zeros and ones
            are then discrete too. A list names the columns, and None means no columns.

        Returns
        -------
        MarginalEffects
            An object with `margeff`, `margeff_se`, `tvalues`, `pvalues`, `conf_int` and
            `summary_frame`.

        Raises
        ------
        ValueError
            If an option or a feature does not exist.
        """
        return marginal_effects(
            self._likelihood,
            self._u,
            self._covariance,
            self.feature_names,
            at=at,
            method=method,
            discrete=discrete,
        )

    @blas_held_to_one_thread
    def get_prediction(self, X: Any, offset: Any = None) -> Predictions:
        """Return predicted probabilities with standard errors and intervals.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows, with the features of the fit.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            The known scores of the rows, as in `fit`; by default there are none, even if the model
            was fitted with an offset.

        Returns
        -------
        Predictions
            An object with `predicted`, `se`, `conf_int` and `summary_frame`.

        Raises
        ------
        ValueError
            If the features are not those of the fit, or the offset does not match the rows.
        """
        design = self._model._validate_rows(X, reset=False)
        index = getattr(X, "index", None)
        if not isinstance(index, pd.Index):
            index = pd.RangeIndex(design.n_rows)
        known, known_classes = NO_OFFSET, np.asarray(self._model.classes_)
        if offset is not None:
            known = offset_of_each(checked_offset(offset, design.n_rows, known_classes)).T
            known = known[np.isin(known_classes, self.classes)]
        return predict(self._likelihood, self._u, self._covariance, design, known, index)

    # -- summaries ---------------------------------------------------------------------------------

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return a tidy table with a row for each class and feature.

        Parameters
        ----------
        alpha : float, default=0.05
            One minus the confidence of the intervals.

        Returns
        -------
        DataFrame
            Columns 'class', 'feature', 'coef', 'std err', 'z', 'P>|z|', 'lower', 'upper'.
        """
        ends = self.conf_int(alpha)
        z = self._estimates / self._errors
        table = {
            "coef": self._estimates,
            "std err": self._errors,
            "z": z,
            "P>|z|": 2 * norm.sf(np.abs(z)),
            "lower": ends["lower"].to_numpy(),
            "upper": ends["upper"].to_numpy(),
        }
        return pd.DataFrame(table, index=self._parameters.index).reset_index()

    def summary(self, alpha: float = 0.05) -> Summary:
        """Return a summary that prints as text, displays as HTML, and has `as_latex`.

        Parameters
        ----------
        alpha : float, default=0.05
            One minus the confidence of the intervals.

        Returns
        -------
        Summary
            The summary, which prints as text.
        """
        return summarize(self, alpha)
