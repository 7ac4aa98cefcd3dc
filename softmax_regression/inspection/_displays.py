"""Pictures of how a model is chosen: coefficients and scores against C.

Matplotlib is imported when something is drawn, not before.
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


# Of the features that are named in the legend.
_COLORS = (*COLORS, "#8C6D31", "#7B4EA3")
_PALE = "0.82"  # that of all others
_PANELS_PER_ROW = 4
_CHOSEN = "chosen C"
_MARK = {"color": "0.35", "linestyle": "--", "linewidth": 1.0, "zorder": 1, "label": _CHOSEN}


def _searched(estimator: Any, display: type) -> tuple[Any, Any]:
    """Return a fitted `SoftmaxRegressionCV`, that of a pipeline too, and the names of features."""
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
    """Return what the last step's features are called, if all others know that."""
    try:
        names: Array = pipeline[:-1].get_feature_names_out()
    except (AttributeError, ValueError):
        return None
    return names


class RegularizationPathDisplay:
    """Coefficients against C.

    It is made by `from_path` or `from_estimator`.

    Parameters
    ----------
    Cs : ndarray of shape (n_Cs,)
        C, increasing.
    coefs : ndarray of shape (n_Cs, n_outputs, n_features)
        W for each.
    classes : ndarray of shape (n_classes,)
        The labels.
    feature_names : ndarray of shape (n_features,)
        What the features are called.
    C : float, default=None
        The C that was chosen, to be marked.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of them
        With one panel the Axes, otherwise an array.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The lines of the features, of one panel after the other.

    See Also
    --------
    softmax_path : The coefficients.
    CrossValidationDisplay : Scores against C.

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
        """Draw what `softmax_path` returned.

        Parameters
        ----------
        path : SoftmaxPath
            The models.
        feature_names : array-like of shape (n_features,), default=None
            What the features are called; by default their numbers.
        scale : array-like of shape (n_features,), default=None
            By what the coefficients of each feature are multiplied: its standard deviation makes
            them comparable.
        C : float, default=None
            A C to mark.
        kind : {'classes', 'norms'}, default='classes'
            A panel for each class; or one, with the norm of each feature's coefficients.
        ax : matplotlib Axes or array of them, default=None
            Where to draw, one for each panel; by default in a new figure.
        **line_kw : dict
            For matplotlib's `plot`.

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

        The C that it chose is marked.

        Parameters
        ----------
        estimator : SoftmaxRegressionCV or Pipeline
            A fitted estimator, or a pipeline that ends in one.
        feature_names : array-like of shape (n_features,), default=None
            What the features are called; by default as X had them, or the steps before in a
            pipeline call them, or their numbers.
        scale : array-like of shape (n_features,), default=None
            By what the coefficients of each feature are multiplied.
        kind : {'classes', 'norms'}, default='classes'
            A panel for each class; or one, with the norm of each feature's coefficients.
        ax : matplotlib Axes or array of them, default=None
            Where to draw, one for each panel; by default in a new figure.
        **line_kw : dict
            For matplotlib's `plot`.

        Returns
        -------
        RegularizationPathDisplay
            The display.
        """
        estimator, names = _searched(estimator, cls)
        n_features = estimator.n_features_in_
        # Without refit, the folds may not agree on one.
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
        """Draw it.

        Parameters
        ----------
        kind : {'classes', 'norms'}, default='classes'
            A panel for each class; or one, with the norm of each feature's coefficients.
        ax : matplotlib Axes or array of them, default=None
            Where to draw, one for each panel; by default in a new figure.
        **line_kw : dict
            For matplotlib's `plot`.

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
                look = {"color": colors.get(feature, _PALE), "linewidth": 1.4}
                look["zorder"] = 2.5 if feature in colors else 2
                self.lines_ += axis.plot(self.Cs, along, **(look | line_kw))
            _mark(axis, self.C)
            axis.set_title(title)
            axis.label_outer()
        for axis in axes[::_PANELS_PER_ROW]:
            axis.set_ylabel("norm of the coefficients" if kind == "norms" else "coefficient")
        for axis in axes[-_PANELS_PER_ROW:]:  # there may be no panel below
            axis.set_xlabel("C")
            axis.tick_params(labelbottom=True)
        self._name(named, axes[-1], own=ax is None)
        self.ax_ = axes[0] if len(panels) == 1 else axes
        return self

    def _name(self, features: Array, axis: Any, own: bool) -> None:
        """Name features in a legend: outside the panels of a figure of our own, else in one."""
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
        """Return what features are ranked by: coefficients at the C marked, or the largest ones."""
        if self.C is None or not np.isfinite(self.C):
            return np.abs(values).max(axis=0)
        return np.abs(values[np.abs(np.log(self.Cs / self.C)).argmin()])

    def _panels(self, kind: str) -> list[tuple[str, Array]]:
        """Return title and values, of shape (n_Cs, n_features), of each panel."""
        if kind not in ("classes", "norms"):
            raise ValueError(f"kind must be 'classes' or 'norms', got {kind!r}.")
        if kind == "norms":
            return [("", np.linalg.norm(self.coefs, axis=1))]
        if self.coefs.shape[1] == 1:
            return [(f"{self.classes[1]} against {self.classes[0]}", self.coefs[:, 0])]
        return [(str(c), self.coefs[:, k]) for k, c in enumerate(self.classes)]


class CrossValidationDisplay:
    """Mean scores of a cross-validation against C, with their standard errors.

    It is made by `from_estimator`.

    Parameters
    ----------
    Cs : ndarray of shape (n_Cs,)
        C, increasing.
    scores : ndarray of shape (n_l1_ratios, n_Cs)
        Mean scores.
    standard_errors : ndarray of shape (n_l1_ratios, n_Cs)
        Their standard errors.
    C : float
        The C that was chosen.
    name : str
        What the score is called.
    l1_ratios : ndarray of shape (n_l1_ratios,)
        What each row of the scores belongs to.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The panel.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The lines.

    See Also
    --------
    SoftmaxRegressionCV : Chooses C.
    sklearn.model_selection.ValidationCurveDisplay : The same of any estimator and parameter.

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
            Whether to draw minus the score; by default for scorers whose name begins with
            ``'neg_'``, which are then called by what they negate.
        label : str, default=None
            What the line is called in a legend.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure.
        **line_kw : dict
            For matplotlib's `plot`.

        Returns
        -------
        CrossValidationDisplay
            The display.
        """
        estimator, _ = _searched(estimator, cls)
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
        """Draw it.

        Parameters
        ----------
        label : str, default=None
            What the line is called in a legend.
        ax : matplotlib Axes, default=None
            Where to draw; by default in a new figure.
        **line_kw : dict
            For matplotlib's `plot`.

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
    """Return an array of panels along C, those given or new ones, and their figure."""

    def size(n_rows: int, n_columns: int) -> tuple[float, float]:
        return 1.8 + 2.8 * n_columns if n_panels > 1 else 6.4, 0.6 + 3.0 * n_rows

    axes, figure = panel_axes(ax, n_panels, _PANELS_PER_ROW, size)
    for axis in axes:
        axis.set_xscale("log")
        axis.set_xlabel("C")
    return axes, figure


def _mark(axis: Any, chosen: float | None, **look: Any) -> None:
    """Mark the C that was chosen."""
    if chosen is not None and np.isfinite(chosen):
        axis.axvline(chosen, **(_MARK | look))
