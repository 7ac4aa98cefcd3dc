"""What the linear models share: scores from `coef_` and `intercept_`, and how these are stored."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model._base import SparseCoefMixin

from softmax_regression._classifier import Array, BaseSoftmaxClassifier
from softmax_regression.design import Design


class LinearSoftmaxClassifier(SparseCoefMixin, BaseSoftmaxClassifier):  # type: ignore[misc]
    """A classifier whose scores are ``W x + b``."""

    fit_intercept: bool

    def _scorer(self) -> tuple[Any, int]:
        intercept = self.intercept_[:, None]

        def scores(block: Design) -> Array:
            product = block.scores(self.coef_)
            product += intercept
            return product

        return scores, len(self.intercept_)

    def _store(self, coef: Array, intercept: Array, dtype: Any) -> None:
        if len(coef) > 1:
            coef = self._without_shared_part(coef)
            intercept = intercept - intercept.mean() if self.fit_intercept else intercept
        self.coef_: Any = coef.astype(dtype)  # sparse after sparsify()
        self.intercept_ = np.zeros(len(coef), dtype=dtype)
        if self.fit_intercept:
            self.intercept_[...] = intercept

    def _without_shared_part(self, coef: Array) -> Array:
        """Return W less what all classes share: that changes no probability, take the smallest."""
        return coef - coef.mean(axis=0)


def penalty_name(C: float, l1_ratio: float) -> str | None:
    """Return what scikit-learn calls a penalty, None if there is none."""
    if np.isinf(C):
        return None
    return {0.0: "l2", 1.0: "l1"}.get(l1_ratio, "elasticnet")
