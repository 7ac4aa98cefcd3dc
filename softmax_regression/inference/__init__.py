"""What the coefficients of a softmax regression are worth, and where there are none.

`infer` takes a fitted `SoftmaxRegression` and its rows, and returns standard errors, p-values,
intervals, tests, marginal effects and predictions with errors. `detect_separation` says whether
there is a finite maximum likelihood estimate to begin with.
"""

from softmax_regression.inference._detection import Separation, detect_separation
from softmax_regression.inference._displays import (
    CoefficientDisplay,
    EffectDisplay,
    MarginalEffectDisplay,
)
from softmax_regression.inference._infer import FIRST, infer
from softmax_regression.inference._results import InferenceResults

__all__ = [
    "FIRST",
    "CoefficientDisplay",
    "EffectDisplay",
    "InferenceResults",
    "MarginalEffectDisplay",
    "Separation",
    "detect_separation",
    "infer",
]
