"""What the linear models share: scores from `coef_` and `intercept_`, and how these are stored."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.linear_model._base import SparseCoefMixin

from softmax_regression._classifier import Array, BaseSoftmaxClassifier
from softmax_regression.design import Design


class LinearSoftmaxClassifier(SparseCoefMixin, BaseSoftmaxClassifier):  # type: ignore[misc]
    """A classifier whose scores are ``W x + b``."""

    fit_intercept: bool
    _parts: ClassVar[frozenset[str]] = frozenset({"classes_", "coef_", "intercept_"})

    def _scorer(self) -> tuple[Any, int]:
        intercept = self.intercept_[:, None]

        def scores(block: Design) -> Array:
            product = block.scores(self.coef_)
            product += intercept
            return product

        return scores, len(self.intercept_)

    def _model_parameters(self) -> dict[str, Any]:
        return {"fit_intercept": self.fit_intercept}

    def _shapes(self, n_features: int) -> list[tuple[str, Any, Any]]:
        n_outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        return [
            ("coef_.shape", getattr(self.coef_, "shape", None), (n_outputs, n_features)),
            ("intercept_.shape", getattr(self.intercept_, "shape", None), (n_outputs,)),
        ]

    def _store(self, coef: Array, intercept: Array, dtype: Any) -> None:
        if len(coef) > 1:
            coef = self._without_shared_part(coef)
            intercept = intercept - intercept.mean() if self.fit_intercept else intercept
        self.coef_: Any = coef.astype(dtype)  # sparse after sparsify()
        self.intercept_: Array = np.zeros(len(coef), dtype=dtype)
        if self.fit_intercept:
            self.intercept_[...] = intercept

    def _without_shared_part(self, coef: Array) -> Array:
        """Return W less what all classes share: that changes no probability, take the smallest."""
        return coef - coef.mean(axis=0)
