"""Our estimators under the names of scikit-learn's, made from the parameters of those."""

from abc import ABCMeta
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import sklearn.linear_model
import sklearn.neural_network

from softmax_regression import SmallMLP, SoftmaxRegression, SoftmaxRegressionCV

# scikit-learn's tolerances are for a gradient, ours for the objective, whose gap is of the order of
# a gradient squared: what its tests set stands for the smallest gap that is sure to be reached.
_DEFAULT_GAP = SoftmaxRegression().tol
_SMALL_GAP = 1e-12
_L1_RATIOS = {"l1": 1.0, "l2": 0.0}


class _FromScikitLearnsParameters(ABCMeta):
    """The class of a stand-in: calling that translates what it is called with."""

    def __call__(cls, *args: Any, **params: Any) -> Any:
        return super().__call__(*args, **cls.translated(params))


class _StandIn:
    """What all stand-ins do. A translation may be translated once more: `clone` does so."""

    n_fits: ClassVar[int] = 0  # of all stand-ins

    @classmethod
    def translated(cls, params: dict[str, Any]) -> dict[str, Any]:
        """Return what our class calls these parameters, without those it leaves out."""
        return params

    def set_params(self, **params: Any) -> Any:
        """Set scikit-learn's parameters."""
        return super().set_params(**self.translated(params))  # type: ignore[misc]

    def _validate_params(self) -> None:  # every fit begins here
        _StandIn.n_fits += 1
        super()._validate_params()  # type: ignore[misc]


def fits_so_far() -> int:
    """Return how many fits of stand-ins this process has seen."""
    return _StandIn.n_fits


class LogisticRegression(_StandIn, SoftmaxRegression, metaclass=_FromScikitLearnsParameters):
    """`SoftmaxRegression`, in the place of `LogisticRegression`."""

    @classmethod
    def translated(cls, params: dict[str, Any]) -> dict[str, Any]:
        """Name solvers and the penalty as we do."""
        params = _of_linear_model(params)
        params.pop("n_jobs", None)
        penalty = params.pop("penalty", "deprecated")
        if penalty is None:
            params["C"] = np.inf
        elif penalty in _L1_RATIOS:
            params["l1_ratio"] = _L1_RATIOS[penalty]
        return params


class LogisticRegressionCV(_StandIn, SoftmaxRegressionCV, metaclass=_FromScikitLearnsParameters):
    """`SoftmaxRegressionCV`, in the place of `LogisticRegressionCV`."""

    @classmethod
    def translated(cls, params: dict[str, Any]) -> dict[str, Any]:
        """Name solvers as we do; folds are not drawn, so that there is nothing random."""
        params = _of_linear_model(params)
        for name in ("penalty", "random_state", "use_legacy_attributes"):
            params.pop(name, None)
        return params


class MLPClassifier(_StandIn, SmallMLP, metaclass=_FromScikitLearnsParameters):
    """`SmallMLP`, in the place of `MLPClassifier`; the parameters have the same names."""


def _of_linear_model(params: dict[str, Any]) -> dict[str, Any]:
    params = dict(params)
    for name in ("dual", "intercept_scaling"):
        params.pop(name, None)
    if params.get("solver") in ("saga", "sag", "liblinear"):
        params["solver"] = "auto"
    if params.get("tol", _DEFAULT_GAP) != _DEFAULT_GAP:
        params["tol"] = _SMALL_GAP
    return params


@contextmanager
def in_place() -> Iterator[None]:
    """Have what is imported meanwhile find the stand-ins under scikit-learn's names."""
    theirs = {
        (sklearn.linear_model, LogisticRegression): sklearn.linear_model.LogisticRegression,
        (sklearn.linear_model, LogisticRegressionCV): sklearn.linear_model.LogisticRegressionCV,
        (sklearn.neural_network, MLPClassifier): sklearn.neural_network.MLPClassifier,
    }
    for module, ours in theirs:
        setattr(module, ours.__name__, ours)
    try:
        yield
    finally:
        for (module, ours), original in theirs.items():
            setattr(module, ours.__name__, original)
