"""Displays plot the documented quantities on the given axes, by scikit-learn's conventions."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from softmax_regression import (
    CrossValidationDisplay,
    RegularizationPathDisplay,
    SoftmaxRegression,
    SoftmaxRegressionCV,
    softmax_path,
)

CS = [0.01, 1.0, 100.0]


@pytest.fixture(autouse=True)
def plt():
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def iris(**how):
    return load_iris(return_X_y=True, **how)


def fitted(**params):
    return SoftmaxRegressionCV(Cs=CS, **params).fit(*iris(as_frame=True))


def vertical(axis):
    return [line.get_xdata()[0] for line in axis.lines if len(set(line.get_xdata())) == 1]


def names(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, softmax_regression; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_panel_for_each_class_and_a_line_for_each_feature():
    path = softmax_path(*iris(), Cs=CS)
    display = RegularizationPathDisplay.from_path(path, feature_names=list("abcd"), C=1.0)
    assert [axis.get_title() for axis in display.ax_] == ["0", "1", "2"]
    assert len(display.lines_) == 12
    for k, axis in enumerate(display.ax_):
        assert axis.figure is display.figure_
        assert axis.get_xscale() == "log"
        assert vertical(axis) == [1.0]
        for j, line in enumerate(display.lines_[4 * k : 4 * k + 4]):
            np.testing.assert_array_equal(line.get_xdata(), CS)
            np.testing.assert_array_equal(line.get_ydata(), path.coefs[:, k, j])
    (legend,) = display.figure_.legends
    assert sorted(set(names(legend)) - {"chosen C"}) == list("abcd")


def test_norms_are_those_of_each_feature_over_all_classes():
    path = softmax_path(*iris(), Cs=CS)
    scale = np.array([1.0, 2.0, 3.0, 4.0])
    display = RegularizationPathDisplay.from_path(path, kind="norms", scale=scale)
    for j, line in enumerate(display.lines_):
        expected = scale[j] * np.sqrt(np.square(path.coefs[:, :, j]).sum(axis=1))
        np.testing.assert_allclose(line.get_ydata(), expected)
    assert display.ax_.get_ylabel() == "norm of the coefficients"
    assert vertical(display.ax_) == []


def test_an_estimators_paths_are_averaged_and_its_choice_is_marked():
    model = fitted(cv=3)
    display = RegularizationPathDisplay.from_estimator(model)
    drawn = np.array([line.get_ydata() for line in display.lines_]).reshape(3, 4, 3)
    expected = model.coefs_paths_[:, 0, :, :, :4].mean(axis=0)
    np.testing.assert_allclose(drawn.transpose(2, 0, 1), expected)
    assert vertical(display.ax_[0]) == [model.C_]
    *features, chosen = names(display.figure_.legends[0])
    assert chosen == "chosen C"
    at = np.flatnonzero(model.Cs_ == model.C_)[0]
    order = np.argsort(-np.abs(expected[at]).max(axis=0), kind="stable")
    assert features == model.feature_names_in_[order].tolist()


@pytest.mark.parametrize("cv", [3, "loo"])
@pytest.mark.parametrize("refit", [True, False])
def test_any_fitted_estimator_can_be_drawn(cv, refit):
    model = fitted(cv=cv, refit=refit)
    assert len(RegularizationPathDisplay.from_estimator(model).lines_) == 12
    assert len(CrossValidationDisplay.from_estimator(model).lines_) == 1


def test_two_classes_have_one_panel_and_many_features_a_short_legend():
    X, y = load_breast_cancer(return_X_y=True)
    display = RegularizationPathDisplay.from_path(softmax_path(X, y, Cs=CS))
    assert display.ax_.get_title() == "1 against 0"
    assert len(display.lines_) == 30
    legend = display.figure_.legends[0]
    assert len(names(legend)) < 30
    assert legend.get_title().get_text() == "largest of 30"
    largest = np.abs(display.coefs).max(axis=(0, 1)).argmax()
    assert names(legend)[0] == str(largest)


def test_draws_where_it_is_told_to(plt):
    path = softmax_path(*iris(), Cs=CS)
    figure, axes = plt.subplots(1, 3)
    display = RegularizationPathDisplay.from_path(path, ax=axes, linewidth=3.0)
    assert display.figure_ is figure
    assert display.lines_[0].get_linewidth() == 3.0
    assert axes[-1].get_legend() is not None
    figure, axis = plt.subplots()
    other = CrossValidationDisplay.from_estimator(fitted(), ax=axis, color="C3", label="here")
    assert other.ax_ is axis
    assert other.lines_[0].get_color() == "C3"
    assert names(axis.get_legend()) == ["here", "± standard error", "chosen C"]
    with pytest.raises(ValueError, match="3 Axes"):
        display.plot(ax=axis)
    assert display.plot(kind="norms", ax=axis) is display


def test_scores_and_their_errors():
    model = fitted(cv=3)
    display = CrossValidationDisplay.from_estimator(model)
    np.testing.assert_allclose(display.lines_[0].get_ydata(), -model.mean_scores_[0])
    (band,) = display.ax_.collections
    bounds = band.get_paths()[0].vertices
    low, high = (-model.mean_scores_ + s * model.score_standard_errors_ for s in (-1, 1))
    assert bounds[:, 1].min() == pytest.approx(low.min())
    assert bounds[:, 1].max() == pytest.approx(high.max())
    assert vertical(display.ax_) == [model.C_]
    assert display.ax_.get_ylabel() == "log-loss"
    positive = CrossValidationDisplay.from_estimator(model, negate_score=False)
    np.testing.assert_allclose(positive.lines_[0].get_ydata(), model.mean_scores_[0])
    accuracy = CrossValidationDisplay.from_estimator(fitted(scoring=None))
    assert accuracy.ax_.get_ylabel() == "accuracy"


def test_refuses_what_does_not_fit():
    path = softmax_path(*iris(), Cs=CS)
    with pytest.raises(ValueError, match="kind must be 'classes' or 'norms', got 'all'"):
        RegularizationPathDisplay.from_path(path, kind="all")
    with pytest.raises(ValueError, match=r"feature_names .* 4 features"):
        RegularizationPathDisplay.from_path(path, feature_names=["a"])
    with pytest.raises(ValueError, match=r"scale .* 4 features"):
        RegularizationPathDisplay.from_path(path, scale=[1.0, 2.0])
    for display in (RegularizationPathDisplay, CrossValidationDisplay):
        with pytest.raises(NotFittedError):
            display.from_estimator(SoftmaxRegressionCV())


@pytest.mark.parametrize("display", [RegularizationPathDisplay, CrossValidationDisplay])
def test_only_a_search_is_drawn_from_an_estimator(display):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(TypeError, match=r"needs a SoftmaxRegressionCV, .* got SoftmaxRegression\."):
        display.from_estimator(make_pipeline(StandardScaler(), SoftmaxRegression()).fit(X, y))
    with pytest.raises(NotFittedError):
        display.from_estimator(SoftmaxRegressionCV())


def test_a_pipeline_is_drawn_by_its_last_step():
    X, y = load_iris(return_X_y=True, as_frame=True)
    search = SoftmaxRegressionCV(Cs=CS, cv=2)
    model = make_pipeline(StandardScaler(), search).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model)
    assert display.feature_names.tolist() == X.columns.tolist()
    alone = CrossValidationDisplay.from_estimator(search.fit(StandardScaler().fit_transform(X), y))
    lines = CrossValidationDisplay.from_estimator(model).lines_, alone.lines_
    np.testing.assert_array_equal(*(line.get_ydata() for (line,) in lines))
    nameless = FunctionTransformer(np.sqrt)
    display = RegularizationPathDisplay.from_estimator(make_pipeline(nameless, search).fit(X, y))
    assert len(display.feature_names) == 4
