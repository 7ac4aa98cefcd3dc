"""Hints for parameters and solvers that scikit-learn's estimators have and these do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sklearn.utils._param_validation import StrOptions

# For each parameter that linear models lack, a clause that ends the error message.
LINEAR_HINTS: dict[str, str] = {
    "dual": "the problem is solved in as few unknowns as rows or features allow",
    "intercept_scaling": "the intercept is not penalised, so that its scale does not matter",
    "multi_class": "there is one model of all classes; for one of each class against the rest use "
    "sklearn.multiclass.OneVsRestClassifier",
    "n_jobs": "rows are shared out to as many threads as threadpoolctl allows",
}


def hint(estimator: Any, parameters: Iterable[str]) -> str | None:
    """Return a sentence about the first parameter that an estimator lacks but has a hint for.

    A parameter that a subclass has is skipped. None if there is no such parameter.
    """
    for name in parameters:
        if name in estimator._hints and name not in estimator._get_param_names():
            return f"{estimator.__name__} has no parameter {name!r}: {estimator._hints[name]}."
    return None


class LinearSolvers(StrOptions):  # type: ignore[misc]
    """Names of solvers; the message for another name says what replaces scikit-learn's solvers."""

    def __str__(self) -> str:
        return (
            f"{super().__str__()}, where 'auto' takes the place of 'liblinear', 'sag' and 'saga', "
            "also with a penalty that makes coefficients 0"
        )
