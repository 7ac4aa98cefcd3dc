"""Statistical inference for softmax regression, and detection of separation.

`infer` takes a fitted `SoftmaxRegression` and the rows it was fitted to, and returns standard
errors, p-values, intervals, tests, marginal effects and predictions with standard errors.
`detect_separation` says whether a finite maximum likelihood estimate exists.
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
