"""The first pass over Dask collections, and the encoded rows that are made with its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from dask import delayed

from softmax_regression._data.dataset import Block
from softmax_regression._data.moments import Moments
from softmax_regression._estimators.targets import as_labels, class_factors
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets
from softmax_regression._objectives.linear.kernels import scores_of
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression._solvers.result import StopReason
from softmax_regression.dask._blocks import DaskBlocks, Facts
from softmax_regression.dask._chunks import (
    ChunkSurvey,
    Encoding,
    SurveyRequest,
    View,
    encode_chunk,
    survey_chunk,
)
from softmax_regression.dask._collections import RawChunks
from softmax_regression.dask._schedulers import Scheduler
from softmax_regression.inference._suspicion import no_finite_minimum


@dataclass(frozen=True)
class SurveyedRows:
    """The results of the first pass over all rows.

    Parameters
    ----------
    raw : RawChunks
        The chunks of the collections that the user has passed.
    surveys : list of ChunkSurvey
        The properties of each chunk that has rows.
    targets : Targets
        The classes with their weights, as a single row for each class.
    encoding : Encoding
        The parameters by which chunks are encoded if all classes are fitted.
    """

    raw: RawChunks
    surveys: list[ChunkSurvey]
    targets: Targets
    encoding: Encoding

    def blocks(self, classes: ClassesWithWeight, scheduler: Scheduler, persist: bool) -> DaskBlocks:
        """Return the rows, encoded with the classes that are fitted.

        Parameters
        ----------
        classes : ClassesWithWeight
            The classes that are fitted.
        scheduler : Scheduler
            The scheduler that computes the tasks.
        persist : bool
            Whether a cluster keeps the chunks in memory, if they fit.
        """
        encoding = replace(self.encoding, fitted=classes.fitted)
        token = uuid4().hex
        sent = delayed(encoding, name=f"softmax-encoding-{token}", traverse=False)
        encode = delayed(encode_chunk)
        chunks, first = [], 0
        for survey in self.surveys:
            i = survey.index
            of_chunk = self.raw.X[i], self.raw.y[i], self.raw.sample_weight[i]
            name = f"softmax-chunk-{token}-{i}"
            known = delayed(survey, name=f"softmax-survey-{token}-{i}", traverse=False)
            chunks.append(encode(known, first, *of_chunk, sent, dask_key_name=name))
            first += survey.n_rows
        if persist:
            chunks = scheduler.keep(chunks, sum(survey.n_bytes for survey in self.surveys))
        facts = self._facts(classes)
        return DaskBlocks(chunks, facts, scheduler, View(facts.stored_dtype))

    @property
    def n_rows_of_weight(self) -> int:
        """The number of rows whose sample weight and class weight are positive."""
        if (self.encoding.factors > 0).all():
            return sum(survey.n_rows_of_weight for survey in self.surveys)
        raise ValueError("class_weight must be positive for each class where rows are counted.")

    def with_a_score_for_each(self) -> SurveyedRows:
        """Return the rows with a score for each of two classes, instead of a single score."""
        targets = replace(self.targets, score_each=True)
        return replace(self, targets=targets, encoding=replace(self.encoding, score_each=True))

    def _facts(self, classes: ClassesWithWeight) -> Facts:
        one, totals = self.surveys[0], classes.targets.class_totals()
        n_classes = len(totals)
        one_score = n_classes == 2 and not classes.targets.score_each
        return Facts(
            n_rows=sum(survey.n_rows for survey in self.surveys),
            n_columns=one.n_columns,
            n_values=sum(survey.n_values for survey in self.surveys),
            stored_dtype=one.dtype,
            is_sparse=one.is_sparse,
            n_outputs=1 if one_score else n_classes,
            n_classes=n_classes,
            class_shares=totals / totals.sum(),
            moments=self._moments(),
            target_means=self._target_means(classes, 1 if one_score else n_classes),
            target_entropy=None if one.is_soft else 0.0,
        )

    def _moments(self) -> Moments | None:
        """Return the moments of the columns, or None if class weights change them."""
        encoding = self.encoding
        if not (encoding.factors == 1).all():
            return None
        mean = encoding.mean_weight or 1.0
        parts = [(survey.moments, survey.largest / encoding.largest) for survey in self.surveys]
        return Moments.pooled(
            replace(moments, weight=moments.weight * unit / mean)
            for moments, unit in parts
            if moments is not None
        )

    def _target_means(self, classes: ClassesWithWeight, n_outputs: int) -> Array | None:
        """Return the weighted mean of y xᵀ, or None if the chunks returned no sums of classes."""
        encoding = self.encoding
        of_rows = self.surveys[0].is_soft and not (encoding.factors == 1).all()
        totals = np.zeros((len(encoding.classes), self.surveys[0].n_columns))
        for survey in self.surveys:
            if of_rows or survey.target_sums is None:
                return None
            unit = survey.largest / encoding.largest
            totals[np.searchsorted(encoding.classes, survey.classes)] += unit * survey.target_sums
        totals *= encoding.factors[:, None] / (encoding.mean_weight or 1.0)
        n_rows = sum(survey.n_rows for survey in self.surveys)
        return totals[classes.fitted][-n_outputs:] / n_rows


def survey(
    raw: RawChunks, scheduler: Scheduler, classes: Array | None, class_weight: Any, estimator: str
) -> SurveyedRows:
    """Validate all rows in a first pass, and find classes, weights and moments.

    Parameters
    ----------
    raw : RawChunks
        The chunks.
    scheduler : Scheduler
        The scheduler that computes the tasks.
    classes : ndarray or None
        The sorted classes; by default those that occur in y.
    class_weight : dict, 'balanced' or None
        The class weights.
    estimator : str
        The name of the estimator in error messages.
    """
    request = SurveyRequest(raw.n_columns, classes, estimator)
    token = uuid4().hex
    sent = delayed(request, name=f"softmax-survey-request-{token}", traverse=False)
    task = delayed(survey_chunk)
    tasks = [
        task(i, X, y, weight, sent, dask_key_name=f"softmax-survey-{token}-{i}")
        for i, (X, y, weight) in enumerate(zip(raw.X, raw.y, raw.sample_weight, strict=True))
    ]
    surveys = [found for found in scheduler.compute(tasks) if found.n_rows]
    if not surveys:
        raise ValueError(f"X has no rows, and {estimator} needs some.")
    for found in surveys[1:]:
        _check_same_kind(found, surveys[0])
    known = _all_classes(surveys) if classes is None else classes
    targets, encoding = _weighted_targets(surveys, known, class_weight, request)
    return SurveyedRows(raw, surveys, targets, encoding)


def _check_same_kind(one: ChunkSurvey, first: ChunkSurvey) -> None:
    """Raise unless a chunk has the same kind of X and y as the first chunk."""

    def kind(found: ChunkSurvey) -> list[str]:
        return [
            f"X of dtype {found.dtype}",
            "a sparse X" if found.is_sparse else "a dense X",
            "class probabilities in y" if found.is_soft else "labels in y",
            f"y of {'text' if found.classes.dtype.kind in 'OUT' else 'numbers'}",
        ]

    for mine, others in zip(kind(one), kind(first), strict=True):
        if mine != others:
            raise TypeError(
                f"Chunk {one.index} has {mine}, but chunk {first.index} {others}: all chunks must "
                "be of one kind. Convert them by map_blocks or astype."
            )
    if one.is_soft and not np.array_equal(one.classes, first.classes):
        raise ValueError(
            f"Chunk {one.index}: the columns of y are the classes {one.classes.tolist()}, and in "
            f"chunk {first.index} {first.classes.tolist()}."
        )


def _all_classes(surveys: Sequence[ChunkSurvey]) -> Array:
    found: Array = np.unique(np.concatenate([one.classes for one in surveys]))
    return found


def _weighted_targets(
    surveys: Sequence[ChunkSurvey], classes: Array, class_weight: Any, request: SurveyRequest
) -> tuple[Targets, Encoding]:
    """Return the classes with their weights, and the parameters by which chunks are encoded."""
    n_rows, weighted = sum(one.n_rows for one in surveys), any(one.is_weighted for one in surveys)
    largest = max(one.largest for one in surveys) if weighted else 1.0
    totals = np.zeros(len(classes))
    for one in surveys:
        totals[np.searchsorted(classes, one.classes)] += one.totals * (one.largest / largest)
    if not totals.any():
        raise ValueError("sample_weight is zero for all rows; at least one must be positive.")
    factors, unit, of_each = np.ones(len(classes)), Fraction(largest), np.arange(len(classes))
    if class_weight is not None:
        factors, of_factors = class_factors(class_weight, classes, of_each, totals)
        unit, totals = unit * of_factors, _totals_with_factors(surveys, totals, factors, largest)
        if not totals.any():
            raise ValueError(
                f"class_weight={class_weight!r} and sample_weight leave no row with a positive "
                "weight."
            )
    mean, total_weight = None, Fraction(n_rows)
    if weighted or class_weight is not None:
        total = float(totals.sum())
        mean, total_weight = total / n_rows, Fraction(total) * unit
        totals = totals / mean
    encoding = Encoding(
        request.n_columns,
        classes,
        np.ones(len(classes), dtype=bool),
        factors,
        mean,
        largest,
        request.estimator,
    )
    return Targets(classes, of_each, totals, total_weight), encoding


def _totals_with_factors(
    surveys: Sequence[ChunkSurvey], totals: Array, factors: Array, largest: float
) -> Array:
    """Return the total weight of each class after rows are multiplied by class weights.

    A row of class probabilities y is multiplied by y · factors, so that the totals are the weighted
    sum of y yᵀ times the factors.
    """
    if not surveys[0].is_soft:
        return totals * factors
    products = sum(
        one.products * (one.largest / largest) for one in surveys if one.products is not None
    )
    weighted: Array = products @ factors
    return weighted


def given_classes(classes: Any) -> Array | None:
    """Return the sorted classes that the user has given, or None."""
    if classes is None:
        return None
    known: Array = np.unique(as_labels(classes, "classes"))
    if len(known) < 2:
        raise ValueError(f"classes must name at least two, got {known.tolist()}.")
    return known


def proved_separation(
    reason: StopReason,
    data: DaskBlocks,
    classes: ClassesWithWeight,
    coef: Array,
    intercept: Array,
    *,
    fit_intercept: bool,
    names: Any,
) -> str | None:
    """Return a text that says why there is no finite minimum, or None if that is not proved.

    Parameters
    ----------
    reason : StopReason
        The reason why the fit ended.
    data : DaskBlocks
        The rows.
    classes : ClassesWithWeight
        The classes that were fitted.
    coef, intercept : ndarray
        W and b at the end of the fit.
    fit_intercept : bool
        Whether the model has an intercept.
    names : array-like or None
        The names of the features.
    """
    if reason is not StopReason.SEPARABLE:
        return None
    design: Any = data  # Only the shape of the design is used.
    return no_finite_minimum(
        design,
        classes.targets,
        coef,
        intercept,
        fit_intercept=fit_intercept,
        names=names,
        proved=True,
    )


# -- classes without weight ------------------------------------------------------------------------


class DaskClassesWithWeight(ClassesWithWeight):
    """Classes of positive weight; a pass over all chunks puts the others back into the model."""

    def _least_lead(self, coef: Array, intercept: Array, design: Any) -> Array:
        model = _ModelOfAllClasses(coef.astype(design.dtype), intercept, self.fitted)
        least: Array = design.map_reduce(
            least_leads, model, width=len(coef), reduce=np.minimum.reduce
        )
        return least


class _ModelOfAllClasses(NamedTuple):
    """W and b of all classes, and the mask of those that are fitted."""

    coef: Array
    intercept: Array
    fitted: Array


def least_leads(block: Block, model: _ModelOfAllClasses) -> Array:
    """Return the smallest lead of the best fitted class over each of the other classes."""
    least = np.full(int((~model.fitted).sum()), np.inf)
    for rows in block.pieces:
        scores = scores_of(block.design[rows], model.coef) + model.intercept[:, None]
        lead = scores[model.fitted].max(axis=0) - scores[~model.fitted]
        np.minimum(least, lead.min(axis=1), out=least)
    return least
