"""Plots of inference results, in scikit-learn's Display convention.

Matplotlib is imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from softmax_regression._data.make import as_design
from softmax_regression._estimators.panels import COLORS
from softmax_regression._linalg.arrays import Array
from softmax_regression.inference._hypotheses import column_of
from softmax_regression.inference._margins import MarginalEffects, middle
from softmax_regression.inference._panels import bar_axes, draw_bars, make_logarithmic
from softmax_regression.inference._predictions import Predictions, average, predict
from softmax_regression.inference._results import InferenceResults

_CURVE_POINTS = 60  # The number of feature values at which a curve is computed.


class CoefficientDisplay:
    """Coefficients with their intervals, in a panel for each class.

    Create it with `from_results`.

    Parameters
    ----------
    frame : DataFrame
        A table with columns 'class', 'feature', 'estimate', 'lower' and 'upper'.
    odds_ratios : bool
        Whether the estimates are exponentials of coefficients, which need a logarithmic axis.
    reference : object
        The class that the coefficients compare others with, or None for no such class.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of them
        The Axes of a single panel, otherwise an array of them.
    figure_ : matplotlib Figure
        The figure.
    bars_ : list of matplotlib ErrorbarContainer
        The error bars of each class.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from softmax_regression import SoftmaxRegression
    >>> from softmax_regression.inference import CoefficientDisplay, infer
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = SoftmaxRegression(C=1).fit(X, y)
    >>> display = CoefficientDisplay.from_results(infer(model, X, y, reference=None))
    >>> len(display.ax_)
    3
    """

    def __init__(self, *, frame: pd.DataFrame, odds_ratios: bool, reference: Any = None):
        self.frame = frame
        self.odds_ratios = odds_ratios
        self.reference = reference

    @classmethod
    def from_results(
        cls,
        results: InferenceResults,
        *,
        alpha: float = 0.05,
        method: Literal["wald", "profile"] = "wald",
        odds_ratios: bool = False,
        intercept: bool = False,
        ax: Any = None,
        **bar_kw: Any,
    ) -> Self:
        """Draw the coefficients of `InferenceResults`.

        Parameters
        ----------
        results : InferenceResults
            The results.
        alpha : float, default=0.05
            One minus the confidence of the intervals.
        method : {'wald', 'profile'}, default='wald'
            The method of the intervals, as in `InferenceResults.conf_int`.
        odds_ratios : bool, default=False
            Whether to draw exponentials of coefficients, on a logarithmic axis.
        intercept : bool, default=False
            Whether to draw the intercepts too.
        ax : matplotlib Axes or array of them, default=None
            The Axes to draw into, one for each panel; by default those of a new figure.
        **bar_kw : dict
            Keyword arguments for matplotlib's `errorbar`.

        Returns
        -------
        CoefficientDisplay
            The display.
        """
        ends = results.conf_int(alpha, method)
        frame = ends.assign(estimate=results.params.to_numpy().T.ravel()).reset_index()
        if not intercept and results._n_intercepts:
            frame = frame[frame["feature"] != results.params.index[0]]
        if odds_ratios:
            columns = ["estimate", "lower", "upper"]
            frame = frame.assign(**{name: np.exp(frame[name]) for name in columns})
        shown = list(results.params.columns)
        missing = [label for label in results.classes if label not in shown]
        reference = missing[0] if missing else None
        return cls(frame=frame, odds_ratios=odds_ratios, reference=reference).plot(ax=ax, **bar_kw)

    def plot(self, *, ax: Any = None, **bar_kw: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            The Axes to draw into, one for each panel; by default those of a new figure.
        **bar_kw : dict
            Keyword arguments for matplotlib's `errorbar`.

        Returns
        -------
        CoefficientDisplay
            The display.
        """
        against = "" if self.reference is None else f" against {self.reference}"
        panels = {f"{c}{against}": part for c, part in self.frame.groupby("class", sort=False)}
        axes, self.figure_ = bar_axes(ax, len(panels), self.frame["feature"].nunique())
        name = "odds ratio" if self.odds_ratios else "coefficient"
        draw_bars(self, axes, panels, 1.0 if self.odds_ratios else 0.0, name, bar_kw)
        if self.odds_ratios:
            make_logarithmic(axes)
        return self


class MarginalEffectDisplay:
    """Marginal effects with their intervals, in a panel for each class.

    Create it with `from_results`.

    Parameters
    ----------
    frame : DataFrame
        A table with columns 'class', 'feature', 'estimate', 'lower' and 'upper'.
    name : str
        The name of the effect, which labels the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of them
        The Axes of a single panel, otherwise an array of them.
    figure_ : matplotlib Figure
        The figure.
    bars_ : list of matplotlib ErrorbarContainer
        The error bars of each class.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softmax_regression import SoftmaxRegression
    >>> from softmax_regression.inference import MarginalEffectDisplay, infer
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> results = infer(SoftmaxRegression(C=1).fit(X, y), X, y)
    >>> display = MarginalEffectDisplay.from_results(results)
    >>> display.ax_[0].get_xlabel()
    'change of the probability per unit'
    """

    _NAMES: ClassVar[dict[str, str]] = {
        "dydx": "change of the probability per unit",
        "eyex": "relative change per relative change",
        "dyex": "change of the probability per relative change",
        "eydx": "relative change of the probability per unit",
    }

    def __init__(self, *, frame: pd.DataFrame, name: str):
        self.frame = frame
        self.name = name

    @classmethod
    def from_results(
        cls,
        results: InferenceResults,
        *,
        at: Literal["overall", "mean", "median"] = "overall",
        method: Literal["dydx", "eyex", "dyex", "eydx"] = "dydx",
        discrete: Any = "auto",
        alpha: float = 0.05,
        ax: Any = None,
        **bar_kw: Any,
    ) -> Self:
        """Draw the marginal effects of `InferenceResults.get_margeff`.

        Parameters
        ----------
        results : InferenceResults
            The results.
        at, method, discrete
            As in `InferenceResults.get_margeff`.
        alpha : float, default=0.05
            One minus the confidence of the intervals.
        ax : matplotlib Axes or array of them, default=None
            The Axes to draw into, one for each panel; by default those of a new figure.
        **bar_kw : dict
            Keyword arguments for matplotlib's `errorbar`.

        Returns
        -------
        MarginalEffectDisplay
            The display.
        """
        return cls.from_effects(
            results.get_margeff(at, method, discrete), alpha=alpha, ax=ax, **bar_kw
        )

    @classmethod
    def from_effects(
        cls, effects: MarginalEffects, *, alpha: float = 0.05, ax: Any = None, **bar_kw: Any
    ) -> Self:
        """Draw marginal effects that are computed already.

        Parameters
        ----------
        effects : MarginalEffects
            The effects.
        alpha : float, default=0.05
            One minus the confidence of the intervals.
        ax : matplotlib Axes or array of them, default=None
            The Axes to draw into, one for each panel; by default those of a new figure.
        **bar_kw : dict
            Keyword arguments for matplotlib's `errorbar`.

        Returns
        -------
        MarginalEffectDisplay
            The display.
        """
        frame = effects.summary_frame(alpha).rename(columns={effects.method: "estimate"})
        return cls(frame=frame, name=cls._NAMES[effects.method]).plot(ax=ax, **bar_kw)

    def plot(self, *, ax: Any = None, **bar_kw: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            The Axes to draw into, one for each panel; by default those of a new figure.
        **bar_kw : dict
            Keyword arguments for matplotlib's `errorbar`.

        Returns
        -------
        MarginalEffectDisplay
            The display.
        """
        panels = {str(c): part for c, part in self.frame.groupby("class", sort=False)}
        axes, self.figure_ = bar_axes(ax, len(panels), self.frame["feature"].nunique())
        draw_bars(self, axes, panels, 0.0, self.name, bar_kw)
        return self


class EffectDisplay:
    """Predicted probabilities along a feature, with confidence bands.

    Create it with `from_results`.

    Parameters
    ----------
    values : ndarray of shape (n_points,)
        The values of the feature, or the names of levels.
    predictions : Predictions
        The predicted probabilities at these values.
    feature : object
        The name of the feature.
    alpha : float
        One minus the confidence of the bands.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The panel.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        A line for each class.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softmax_regression import SoftmaxRegression
    >>> from softmax_regression.inference import EffectDisplay, infer
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> results = infer(SoftmaxRegression(C=1).fit(X, y), X, y)
    >>> display = EffectDisplay.from_results(results, "petal width (cm)")
    >>> len(display.lines_)
    3
    """

    def __init__(
        self, *, values: Array, predictions: Predictions, feature: Any, alpha: float = 0.05
    ):
        self.values = values
        self.predictions = predictions
        self.feature = feature
        self.alpha = alpha

    @classmethod
    def from_results(
        cls,
        results: InferenceResults,
        feature: Any,
        *,
        others: Literal["mean", "median", "average"] = "mean",
        values: Any = None,
        alpha: float = 0.05,
        ax: Any = None,
        **line_kw: Any,
    ) -> Self:
        """Draw the effect of a feature, or of a group of one-hot columns.

        Parameters
        ----------
        results : InferenceResults
            The results.
        feature : str, int or dict
            The name of the feature; or the levels of a category, each with the values of columns,
            ``{"low": {"ses_middle": 0, "ses_high": 0}, "middle": {"ses_middle": 1, ...}}``.
        others : {'mean', 'median', 'average'}, default='mean'
            The value at which the other features are held; with 'average', the probabilities of
            all rows are averaged, each with the row's own other features.
        values : array-like, default=None
            Values of the feature; by default points from its smallest to its largest value.
        alpha : float, default=0.05
            One minus the confidence of the bands.
        ax : matplotlib Axes, default=None
            The Axes to draw into; by default those of a new figure.
        **line_kw : dict
            Keyword arguments for matplotlib's `plot`, or for `errorbar` if there are levels.

        Returns
        -------
        EffectDisplay
            The display.
        """
        if others not in ("mean", "median", "average"):
            raise ValueError(f"others must be 'mean', 'median' or 'average', got {others!r}.")
        names = results.feature_names
        if isinstance(feature, Mapping):
            points, name = np.array(list(feature), dtype=object), ""
            settings = [
                {column_of(c, names): float(v) for c, v in level.items()}
                for level in feature.values()
            ]
        else:
            column, name = column_of(feature, names), feature
            points = _range(results, column) if values is None else np.asarray(values, dtype=float)
            settings = [{column: float(value)} for value in points]
        found = _predicted(results, settings, others)
        display = cls(values=points, predictions=found, feature=name, alpha=alpha)
        return display.plot(ax=ax, **line_kw)

    def plot(self, *, ax: Any = None, **line_kw: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The Axes to draw into; by default those of a new figure.
        **line_kw : dict
            Keyword arguments for matplotlib's `plot`, or for `errorbar` if there are levels.

        Returns
        -------
        EffectDisplay
            The display.
        """
        (self.ax_,), self.figure_ = bar_axes(ax, 1, 10)
        p = self.predictions.predicted
        lower, upper = self.predictions.conf_int(self.alpha)
        self.lines_ = []
        levels = self.values.dtype == object
        for number, label in enumerate(p.columns):
            look = {"color": COLORS[number % len(COLORS)], "label": str(label)}
            low, high = lower[label].to_numpy(), upper[label].to_numpy()
            middle_ = p[label].to_numpy()
            if levels:
                places = np.arange(len(p)) + 0.12 * (number - (p.shape[1] - 1) / 2)
                reach = [middle_ - low, high - middle_]
                style = {"fmt": "o", "capsize": 3} | look | line_kw
                self.lines_.append(self.ax_.errorbar(places, middle_, reach, **style)[0])
                continue
            style = {"linewidth": 1.6} | look | line_kw
            self.lines_ += self.ax_.plot(self.values, middle_, **style)
            self.ax_.fill_between(
                self.values, low, high, color=self.lines_[-1].get_color(), alpha=0.15, linewidth=0
            )
        if levels:
            self.ax_.set_xticks(np.arange(len(p)), [str(value) for value in self.values])
            self.ax_.margins(x=0.15)
        self.ax_.set(xlabel=str(self.feature), ylabel="probability", ylim=(0, 1))
        self.ax_.legend(frameon=False)
        return self


def _predicted(results: InferenceResults, settings: list[dict[int, float]], others: str) -> Any:
    likelihood = results._likelihood
    if others == "average":
        return average(likelihood, results._u, results._covariance, settings)
    X = np.tile(middle(likelihood, others), (len(settings), 1))
    for row, setting in zip(X, settings, strict=True):
        row[list(setting)] = list(setting.values())
    design, offset = as_design(X), likelihood.mean_offset()
    return predict(likelihood, results._u, results._covariance, design, offset, range(len(X)))


def _range(results: InferenceResults, column: int) -> Array:
    likelihood = results._likelihood
    weights = likelihood.row_weights(slice(0, likelihood.design.n_rows))
    counted = likelihood.design.select(np.array([column])).toarray()[weights > 0, 0]
    return np.linspace(counted.min(), counted.max(), _CURVE_POINTS)
