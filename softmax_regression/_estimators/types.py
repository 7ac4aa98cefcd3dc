"""Types that public signatures share, and scikit-learn's decorators with type annotations.

scikit-learn has no annotations, so that for a type checker its decorators return `Any`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    F = TypeVar("F", bound=Callable[..., Any])

    def available_if(check: Callable[[Any], bool]) -> Callable[[F], F]:
        """The decorator of `sklearn.utils.metaestimators`."""

    def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[F], F]:
        """The decorator of `sklearn.base`."""

    def validate_params(
        constraints: Mapping[str, list[Any]], *, prefer_skip_nested_validation: bool
    ) -> Callable[[F], F]:
        """The decorator of `sklearn.utils._param_validation`."""
else:
    from sklearn.base import _fit_context as fit_context
    from sklearn.utils._param_validation import validate_params
    from sklearn.utils.metaestimators import available_if

__all__ = [
    "Activation",
    "Auto",
    "BiasReduction",
    "CategoricalFeatures",
    "ClassWeight",
    "HiddenLayerSizes",
    "LearningRateSchedule",
    "LinearSolver",
    "NetworkSolver",
    "NumericEncoding",
    "PathKind",
    "PathSolver",
    "PenaltyGrouping",
    "Precision",
    "RandomState",
    "available_if",
    "fit_context",
    "validate_params",
]

Auto = Literal["auto"]
PathSolver = Literal["auto", "lbfgs", "newton-cg", "newton-cholesky"]
LinearSolver = PathSolver | Literal["proximal-newton", "sgd", "adam"]
NetworkSolver = Literal["auto", "adam", "sgd", "lbfgs"]
BiasReduction = Literal["firth"] | None
NumericEncoding = Literal["auto", "linear", "piecewise"] | int
PenaltyGrouping = Literal["none", "features"]
HiddenLayerSizes = int | Sequence[int] | np.ndarray[Any, Any] | Literal["auto"]
LearningRateSchedule = Literal[
    "constant", "invscaling", "adaptive", "cosine", "one-cycle", "warm-restarts"
]
Activation = Literal[
    "identity",
    "logistic",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "softplus",
    "silu",
    "gelu",
]
PathKind = Literal["classes", "norms"]
Precision = Literal["auto", "float32", "float64"] | type[np.floating[Any]] | np.dtype[Any]
CategoricalFeatures = Literal["from_dtype"] | Sequence[Any] | np.ndarray[Any, Any] | None
ClassWeight = Mapping[Any, float] | Literal["balanced"] | None
RandomState = int | np.random.RandomState | None
