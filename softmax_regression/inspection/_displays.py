"""Displays of coefficients and of cross-validation scores against C.

Matplotlib is imported only when a display is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from softmax_regression._estimators.panels import COLORS, panel_axes
from softmax_regression._estimators.types import PathKind
from softmax_regression._linalg.arrays import Array
from softmax_regression.linear_model._softmax_path import SoftmaxPath

if TYPE_CHECKING:
    from softmax_regression.linear_model._softmax_regression_cv import SoftmaxRegressionCV


# Colours of the features that are named in the legend, and of all others.
_COLORS = (*COLORS, "#8C6D31", "#7B4EA3")
_OTHER_COLOR = "0.82"
_PANELS_PER_ROW = 4
_CHOSEN = "chosen C"  # The label of the line at the chosen C.
_MARK = {"color": "0.35", "linestyle": "--", "linewidth": 1.0, "zorder": 1, "label": _CHOSEN}


def _checked_estimator(estimator: Any, display: type) -> tuple[Any, Any]:
    """Return a fitted `SoftmaxRegressionCV`, perhaps of a pipeline, and the names of features."""
    model, names = estimator, None
    if isinstance(estimator, Pipeline):
        model = estimator[-1]
    if not hasattr(model, "l1_ratios"):
        raise TypeError(
            f"{display.__name__}.from_estimator needs a SoftmaxRegressionCV, or a pipeline that "
            f"ends in one, got {type(model).__name__}. Of a path, call "
            "RegularizationPathDisplay.from_path."
        )
    check_is_fitted(model, "mean_scores_")
    names = getattr(model, "feature_names_in_", None)
    if names is None and model is not estimator:
        names = _names_of_pipeline(estimator)
    return model, names


def _names_of_pipeline(pipeline: Pipeline) -> Array | None:
    """Return the names of the features of the last step, or None if other steps lack them."""
    try:
        names: Array = pipeline[:-1].get_feature_names_out()
    except (AttributeError, ValueError):
        return None
    return names


class RegularizationPathDisplay:
    """Display of coefficients against C.

    Create it by `from_path` or `from_estimator`.

    Parameters
    ----------
    Cs : ndarray of shape (n_Cs,)
        The values of C, in increasing order.
    coefs : ndarray of shape (n_Cs, n_outputs, n_features)
        The coefficients for each C.
    classes : ndarray of shape (n_classes,)
        The labels.
    feature_names : ndarray of shape (n_features,)
        The names of the features.
    C : float, default=None
        The chosen C, which is marked; by default none is.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of them
        The Axes of a single panel, or the array of those of several.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The lines of the features, panel by panel.

    See Also
    --------
    softmax_path : Computes the coefficients.
    CrossValidationDisplay : Display of scores against C.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softmax_regression import RegularizationPathDisplay, softmax_path
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> path = softmax_path(X, y, Cs=30)
    >>> display = RegularizationPathDisplay.from_path(path, feature_names=X.columns)
    >>> len(display.lines_)     # three classes, four features
    12
    """

    def __init__(
        self,
        *,
        Cs: Array,
        coefs: Array,
        classes: Array,
        feature_names: Array,
        C: float | None = None,
    ):
        self.Cs = Cs
        self.coefs = coefs
        self.classes = classes
        self.feature_names = feature_names
        self.C = C

    @classmethod
    def from_path(
        cls,
        path: SoftmaxPath,
        *,
        feature_names: Any = None,
        scale: Any = None,
        C: float | None = None,
        kind: PathKind = "classes",
        ax: Any = None,
        **line_kw: Any,
    ) -> Self:
        """Draw the coefficients that `softmax_path` returned.

        Parameters
        ----------
        path : SoftmaxPath
            The models of the path.
        feature_names : array-like of shape (n_features,), default=None
            The names of the features; by default their numbers.
        scale : array-like of shape (n_features,), default=None
            A factor for the coefficients of each feature, such as its standard deviation, which
            makes the coefficients of different features comparable; by default 1.
        C : float, default=None
            The C to mark; by default none is.
        kind : {'classes', 'norms'}, default='classes'
            With 'classes' there is a panel for each class. With 'norms' there is a single panel of
            the norm of each feature's coefficients over classes.
        ax : matplotlib Axes or array of them, default=None
            The Axes to draw in, one for each panel; by default those of a new figure.
        **line_kw : dict
            Keyword arguments for matplotlib's `plot`.

        Returns
        -------
        RegularizationPathDisplay
            The display.
        """
        display = cls._of(path.Cs, path.coefs, path.classes, C, feature_names, scale)
        return display.plot(kind=kind, ax=ax, **line_kw)

    @classmethod
    def from_estimator(
        cls,
        estimator: SoftmaxRegressionCV | Pipeline,
        *,
        feature_names: Any = None,
        scale: Any = None,
        kind: PathKind = "classes",
        ax: Any = None,
        **line_kw: Any,
    ) -> Self:
        """Draw the paths of a fitted `SoftmaxRegressionCV`, averaged over its folds.

        The chosen C is marked.

        Parameters
        ----------
        estimator : SoftmaxRegressionCV or Pipeline
            A fitted estimator, or a pipeline that ends in one.
        feature_names : array-like of shape (n_features,), default=None
            The names of the features; by default those of the columns of X, or those that the
            preceding steps of a pipeline return, or else their numbers.
        scale : array-like of shape (n_features,), default=None
            A factor for the coefficients of each feature; by default 1.
        kind : {'classes', 'norms'}, default='classes'
            With 'classes' there is a panel for each class. With 'norms' there is a single panel of
            the norm of each feature's coefficients over classes.
        ax : matplotlib Axes or array of them, default=None
            The Axes to draw in, one for each panel; by default those of a new figure.
        **line_kw : dict
            Keyword arguments for matplotlib's `plot`.

        Returns
        -------
        RegularizationPathDisplay
            The display.
        """
        estimator, names = _checked_estimator(estimator, cls)
        n_features = estimator.n_features_in_
        # Without refit, `l1_ratio_` is a mean over folds, which need not be one of the grid.
        ratio = int(np.abs(estimator.l1_ratios_ - estimator.l1_ratio_).argmin())
        if feature_names is None:
            feature_names = names
        coefs = estimator.coefs_paths_[:, ratio, ..., :n_features].mean(axis=0)
        display = cls._of(
            estimator.Cs_, coefs, estimator.classes_, estimator.C_, feature_names, scale
        )
        return display.plot(kind=kind, ax=ax, **line_kw)

    @classmethod
    def _of(
        cls,
        Cs: Array,
        coefs: Array,
        classes: Array,
        C: float | None,
        feature_names: Any,
        scale: Any,
    ) -> Self:
        return cls(
            Cs=Cs,
            coefs=_scaled(coefs, scale),
            classes=classes,
            feature_names=_names(feature_names, coefs.shape[-1]),
            C=C,
        )

    def plot(self, *, kind: PathKind = "classes", ax: Any = None, **line_kw: Any) -> Self:
        """Draw the coefficients.

        Parameters
        ----------
        kind : {'classes', 'norms'}, default='classes'
            With 'classes' there is a panel for each class. With 'norms' there is a single panel of
            the norm of each feature's coefficients over classes.
        ax : matplotlib Axes or array of them, default=None
            The Axes to draw in, one for each panel; by default those of a new figure.
        **line_kw : dict
            Keyword arguments for matplotlib's `plot`.

        Returns
        -------
        RegularizationPathDisplay
            The display.
        """
        panels = self._panels(kind)
        axes, self.figure_ = _axes(ax, len(panels))
        size = np.max([self._sizes(values) for _, values in panels], axis=0)
        named = np.argsort(-size, kind="stable")[: len(_COLORS)]
        colors = dict(zip(named, _COLORS, strict=False))
        self.lines_ = []
        for axis, (title, values) in zip(axes, panels, strict=True):
            axis.axhline(0, color="0.8", linewidth=0.8, zorder=0)
            for feature, along in enumerate(values.T):
                look = {"color": colors.get(feature, _OTHER_COLOR), "linewidth": 1.4}
                look["zorder"] = 2.5 if feature in colors else 2
                self.lines_ += axis.plot(self.Cs, along, **(look | line_kw))
            _mark(axis, self.C)
            axis.set_title(title)
            axis.label_outer()
        for axis in axes[::_PANELS_PER_ROW]:
            axis.set_ylabel("norm of the coefficients" if kind == "norms" else "coefficient")
        for axis in axes[-_PANELS_PER_ROW:]:  # Panels without another panel below.
            axis.set_xlabel("C")
            axis.tick_params(labelbottom=True)
        self._name(named, axes[-1], own=ax is None)
        self.ax_ = axes[0] if len(panels) == 1 else axes
        return self

    def _name(self, features: Array, axis: Any, own: bool) -> None:
        """Add a legend of features: outside the panels in a new figure, or in the last panel."""
        n_features = len(self.feature_names)
        lines = [self.lines_[feature] for feature in features]
        names = [str(self.feature_names[feature]) for feature in features]
        marks = [line for line in axis.lines if line.get_label() == _CHOSEN]
        (self.figure_ if own else axis).legend(
            lines + marks,
            names + [_CHOSEN] * len(marks),
            title=f"largest of {n_features}" if len(features) < n_features else None,
            loc="outside right upper" if own else "best",
            frameon=False,
            fontsize="small",
        )

    def _sizes(self, values: Array) -> Array:
        """Return absolute coefficients at the marked C, or else their maxima, to rank features."""
        if self.C is None or not np.isfinite(self.C):
            return np.abs(values).max(axis=0)
        return np.abs(values[np.abs(np.log(self.Cs / self.C)).argmin()])

    def _panels(self, kind: str) -> list[tuple[str, Array]]:
        """Return the title of each panel, and its values of shape (n_Cs, n_features)."""
        if kind not in ("classes", "norms"):
            raise ValueError(f"kind must be 'classes' or 'norms', got {kind!r}.")
        if kind == "norms":
            return [("", np.linalg.norm(self.coefs, axis=1))]
        if self.coefs.shape[1] == 1:
            return [(f"{self.classes[1]} against {self.classes[0]}", self.coefs[:, 0])]
        return [(str(c), self.coefs[:, k]) for k, c in enumerate(self.classes)]


class CrossValidationDisplay:
    """Display of mean scores of a cross-validation against C, with their standard errors.

    Create it by `from_estimator`.

    Parameters
    ----------
    Cs : ndarray of shape (n_Cs,)
        The values of C, in increasing order.
    scores : ndarray of shape (n_l1_ratios, n_Cs)
        The mean scores.
    standard_errors : ndarray of shape (n_l1_ratios, n_Cs)
        The standard errors of the mean scores.
    C : float
        The chosen C.
    name : str
        The name of the score.
    l1_ratios : ndarray of shape (n_l1_ratios,)
        The `l1_ratio` of each row of the scores.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The panel.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The line of each `l1_ratio`.

    See Also
    --------
    SoftmaxRegressionCV : Chooses C.
    sklearn.model_selection.ValidationCurveDisplay : The same for any estimator and parameter.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softmax_regression import CrossValidationDisplay, SoftmaxRegressionCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxRegressionCV(cv="loo").fit(X, y)
    >>> display = CrossValidationDisplay.from_estimator(model)
    >>> display.ax_.get_ylabel()
    'log-loss'
    """

    def __init__(
        self,
        *,
        Cs: Array,
        scores: Array,
        standard_errors: Array,
        C: float,
        name: str,
        l1_ratios: Array,
    ):
        self.Cs = Cs
        self.scores = scores
        self.standard_errors = standard_errors
        self.C = C
        self.name = name
        self.l1_ratios = l1_ratios

    @classmethod
    def from_estimator(
        cls,
        estimator: SoftmaxRegressionCV | Pipeline,
        *,
        negate_score: bool | None = None,
        label: str | None = None,
        ax: Any = None,
        **line_kw: Any,
    ) -> Self:
        """Draw the scores of a fitted `SoftmaxRegressionCV`.

        Parameters
        ----------
        estimator : SoftmaxRegressionCV or Pipeline
            A fitted estimator, or a pipeline that ends in one.
        negate_score : bool, default=None
            Whether to draw the negated score. By default scores whose name begins with ``'neg_'``
            are negated, and this prefix is removed from the name.
        label : str, default=None
            The label of the line in a legend; by default there is no legend for a single line.
        ax : matplotlib Axes, default=None
            The Axes to draw in; by default those of a new figure.
        **line_kw : dict
            Keyword arguments for matplotlib's `plot`.

        Returns
        -------
        CrossValidationDisplay
            The display.
        """
        estimator, _ = _checked_estimator(estimator, cls)
        name = _score_name(estimator.scoring)
        negated = name.startswith("neg_") if negate_score is None else negate_score
        if negated:
            name = name.removeprefix("neg_") if name.startswith("neg_") else f"minus {name}"
        display = cls(
            Cs=estimator.Cs_,
            scores=-estimator.mean_scores_ if negated else estimator.mean_scores_,
            standard_errors=estimator.score_standard_errors_,
            C=estimator.C_,
            name={"log_loss": "log-loss"}.get(name, name.replace("_", " ")),
            l1_ratios=estimator.l1_ratios_,
        )
        return display.plot(label=label, ax=ax, **line_kw)

    def plot(self, *, label: str | None = None, ax: Any = None, **line_kw: Any) -> Self:
        """Draw the scores.

        Parameters
        ----------
        label : str, default=None
            The label of the line in a legend; by default there is no legend for a single line.
        ax : matplotlib Axes, default=None
            The Axes to draw in; by default those of a new figure.
        **line_kw : dict
            Keyword arguments for matplotlib's `plot`.

        Returns
        -------
        CrossValidationDisplay
            The display.
        """
        (self.ax_,), self.figure_ = _axes(ax, 1)
        self.lines_: list[Any] = []
        several = len(self.scores) > 1
        for scores, errors, ratio in zip(
            self.scores, self.standard_errors, self.l1_ratios, strict=True
        ):
            name = f"l1_ratio = {ratio:g}" if several else label
            style = {"marker": "o", "markersize": 3.5, "label": name} | line_kw
            (line,) = self.ax_.plot(self.Cs, scores, **style)
            self.ax_.fill_between(
                self.Cs,
                scores - errors,
                scores + errors,
                color=line.get_color(),
                alpha=0.15,
                linewidth=0,
                label=None if self.lines_ else "± standard error",
            )
            self.lines_.append(line)
        mark = {"color": self.lines_[0].get_color()} if label and not several else {}
        _mark(self.ax_, self.C, **mark)
        self.ax_.set_ylabel(self.name)
        if several or label:
            self.ax_.legend(frameon=False)
        return self


def _scaled(coefs: Array, scale: Any) -> Array:
    if scale is None:
        return coefs
    factors = np.asarray(scale, dtype=np.float64)
    if factors.shape != coefs.shape[-1:]:
        raise ValueError(
            f"scale must have a number for each of the {coefs.shape[-1]} features, got shape "
            f"{factors.shape}."
        )
    return coefs * factors


def _names(feature_names: Any, n_features: int) -> Array:
    names = np.arange(n_features) if feature_names is None else np.asarray(feature_names)
    if names.shape != (n_features,):
        raise ValueError(
            f"feature_names must have a name for each of the {n_features} features, got shape "
            f"{names.shape}."
        )
    return names


def _score_name(scoring: Any) -> str:
    if callable(scoring):
        return str(getattr(scoring, "__name__", "score"))
    return scoring or "accuracy"


def _axes(ax: Any, n_panels: int) -> tuple[Array, Any]:
    """Return an array of Axes with a logarithmic axis of C, given or new ones, and the figure."""

    def size(n_rows: int, n_columns: int) -> tuple[float, float]:
        return 1.8 + 2.8 * n_columns if n_panels > 1 else 6.4, 0.6 + 3.0 * n_rows

    axes, figure = panel_axes(ax, n_panels, _PANELS_PER_ROW, size)
    for axis in axes:
        axis.set_xscale("log")
        axis.set_xlabel("C")
    return axes, figure


def _mark(axis: Any, chosen: float | None, **look: Any) -> None:
    """Draw a vertical line at the chosen C."""
    if chosen is not None and np.isfinite(chosen):
        axis.axvline(chosen, **(_MARK | look))
