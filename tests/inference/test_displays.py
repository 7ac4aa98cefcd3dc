"""The displays of inference show the numbers of the results."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from tables import programme_choice

from softmax_regression import SoftmaxRegression
from softmax_regression.inference import (
    CoefficientDisplay,
    EffectDisplay,
    MarginalEffectDisplay,
    infer,
)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def results():
    X, y, _ = programme_choice()
    return infer(SoftmaxRegression(C=np.inf).fit(X, y), X, y, reference="academic")


@pytest.mark.parametrize("odds_ratios", [False, True])
def test_coefficients_are_drawn_where_they_are(results, odds_ratios):
    display = CoefficientDisplay.from_results(results, odds_ratios=odds_ratios)
    assert len(display.ax_) == len(display.bars_) == 2
    for axis, bars, label in zip(display.ax_, display.bars_, results.params, strict=True):
        expected = results.params[label].to_numpy()[1:]
        expected = np.exp(expected) if odds_ratios else expected
        np.testing.assert_allclose(bars[0].get_xdata(), expected)
        assert axis.get_xscale() == ("log" if odds_ratios else "linear")
        assert axis.get_title() == f"{label} against academic"
    labels = [label.get_text() for label in display.ax_[0].get_yticklabels()]
    assert labels == results.feature_names
    whole = CoefficientDisplay.from_results(results, intercept=True, method="profile")
    assert len(whole.bars_[0][0].get_xdata()) == 4


def test_marginal_effects_are_drawn_where_they_are(results):
    display = MarginalEffectDisplay.from_results(results, at="mean")
    effects = results.get_margeff(at="mean")
    for bars, label in zip(display.bars_, effects.margeff, strict=True):
        np.testing.assert_allclose(bars[0].get_xdata(), effects.margeff[label])


@pytest.mark.parametrize("others", ["mean", "median", "average"])
def test_effects_along_a_feature_are_predictions(results, others):
    display = EffectDisplay.from_results(results, "write", others=others, values=[40.0, 60.0])
    X, *_ = programme_choice()
    for place, value in enumerate((40.0, 60.0)):
        rows = X.assign(write=value)
        if others != "average":
            rows = getattr(X, others)().to_frame().T.assign(write=value)
        expected = results.get_prediction(rows).predicted.mean()
        drawn = [line.get_ydata()[place] for line in display.lines_]
        np.testing.assert_allclose(drawn, expected, rtol=1e-9)
    lower, upper = display.predictions.conf_int()
    assert (lower < display.predictions.predicted).all(axis=None)
    assert (display.predictions.predicted < upper).all(axis=None)
    assert display.ax_.get_xlabel() == "write"


def test_effects_of_levels_and_given_axes(results):
    figure, axis = plt.subplots()
    levels = {"low": {"ses_middle": 0, "ses_high": 0}, "high": {"ses_middle": 0, "ses_high": 1}}
    display = EffectDisplay.from_results(results, levels, ax=axis)
    assert display.figure_ is figure
    assert [t.get_text() for t in axis.get_xticklabels()] == ["low", "high"]
    with pytest.raises(ValueError, match="2 Axes"):
        CoefficientDisplay.from_results(results, ax=axis)
    with pytest.raises(ValueError, match="no feature"):
        EffectDisplay.from_results(results, "read")
    with pytest.raises(ValueError, match="others must be"):
        EffectDisplay.from_results(results, "write", others="mode")
