"""Statistical inference for models of Dask collections: `infer`, by sums over the chunks."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from sklearn.utils.validation import validate_data

from softmax_regression._estimators.penalties import feature_weights
from softmax_regression._linalg.arrays import Array
from softmax_regression._objectives.linear.cross_entropy import LinearCrossEntropy
from softmax_regression._problems.objective_scale import as_float
from softmax_regression.dask._collections import is_array, raw_chunks
from softmax_regression.dask._rows import DaskClassesWithWeight, SurveyedRows, survey
from softmax_regression.dask._schedulers import scheduler_of
from softmax_regression.dask._softmax_regression import DaskSoftmaxRegression
from softmax_regression.inference._information import (
    Likelihood,
    check_several,
    l2_of_differences,
    likelihood_of,
    model_of,
)


class DaskLikelihood(Likelihood):
    """The likelihood of rows in chunks, which are computed in each pass.

    Parameters
    ----------
    rows : SurveyedRows
        The rows, with a score for each class.
    model : DaskSoftmaxRegression
        The model that was fitted to them.
    classes : DaskClassesWithWeight
        The classes that were fitted.
    total_weight : float
        The sum of the weights.
    """

    covariances = ("nonrobust", "HC0", "HC1")
    holds_rows = False

    def __init__(
        self,
        rows: SurveyedRows,
        model: DaskSoftmaxRegression,
        classes: DaskClassesWithWeight,
        total_weight: float,
    ):
        self._rows = rows
        given = as_float(rows.targets.total_weight)
        strength = 0.0 if np.isinf(model.C) else total_weight / (given * model.C)
        l2 = l2_of_differences(strength, total_weight, len(model.coef_) == 1)
        # The chunks are not persisted, because results hold them for as long as they live.
        data = rows.blocks(classes, scheduler_of(model.client), persist=False)
        base = LinearCrossEntropy.of_rows(data, l2, model.fit_intercept)
        weights = feature_weights(model.penalty_weights, model.standardize, data.n_columns)
        self._assemble(base, classes.targets, total_weight, strength, feature_weights=weights)

    @property
    def n_rows_of_weight(self) -> int:
        return self._rows.n_rows_of_weight

    def sum_of(self, sample_weight: Any) -> float:
        return self.total_weight  # It has no other rounding errors than those of the sum.

    def row_weights(self, rows: slice) -> NoReturn:
        self._refuse()

    def blocks(self, values_per_row: int) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ValueError(
            "Averages over the rows that a model was fitted to are not for Dask collections: use "
            "effects and predictions at given rows, or infer from a sample of the rows in memory."
        )


@likelihood_of.register
def _(
    model: DaskSoftmaxRegression,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    offset: Any = None,
    sampling: bool = False,
) -> tuple[Likelihood, Array, float]:
    """Return the likelihood of rows in Dask collections, as `likelihood_of` does in memory."""
    if offset is not None:
        raise ValueError("offset is not for Dask collections: fit SoftmaxRegression in memory.")
    raw, name = raw_chunks(X, y, sample_weight), "infer"
    if not is_array(X):
        validate_data(model, X._meta_nonempty, skip_check_array=True, reset=False)
    model._check_shapes(raw.n_columns)
    scheduler = scheduler_of(model.client)
    rows = survey(raw, scheduler, np.asarray(model.classes_), model.class_weight, name)
    rows = rows.with_a_score_for_each()
    classes = DaskClassesWithWeight(rows.targets, model.fit_intercept)
    check_several(classes)
    given = as_float(rows.targets.total_weight)
    total = float(rows.n_rows_of_weight) if sampling else given
    likelihood = DaskLikelihood(rows, model, classes, total)
    u = likelihood.unknowns(*classes.restrict_model(*model_of(model)))
    return likelihood, u, total / given
