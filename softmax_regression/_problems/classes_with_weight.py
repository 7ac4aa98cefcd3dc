r"""Fitting only the classes that have weight, and putting the others back into the model.

If all rows of a class have weight 0, the class enters the loss only by the probability that it
takes from the others. With an intercept, the loss approaches its infimum as the intercept of that
class goes to −∞; the limit is the model of the other classes, which has a minimum and a
certificate. So such classes are left out of the fit. In the fitted model their coefficients are 0
(or the nearest values that bounds allow), and their intercepts are so low that their probabilities
are smaller than rounding errors at every row of X.

Without an intercept the parameters of every class are finite at the minimum, and no class is left
out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from softmax_regression._data.design import Design
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.offset import offset_of_each
from softmax_regression._losses.targets import Targets


class ClassesWithWeight:
    """The classes that are fitted, and the way back to a model of all classes.

    Parameters
    ----------
    targets : Targets
        Labels and weights of all classes.
    fit_intercept : bool
        Whether the model has an intercept.

    Attributes
    ----------
    fitted : ndarray of bool, shape (n_classes,)
        Which classes are fitted.
    targets : Targets
        Labels and weights of the fitted classes.
    """

    def __init__(self, targets: Targets, fit_intercept: bool):
        self.fitted = np.ones(len(targets.classes), dtype=bool)
        if fit_intercept:
            self.fitted = targets.class_totals() > 0
        self._score_each = targets.score_each
        self._all = targets
        self.targets = targets if self.are_all else targets.of_classes(self.fitted)

    @property
    def n_scores(self) -> int:
        """The number of scores of a row: one for two classes, else one for each class."""
        n_classes = len(self.fitted)
        return 1 if n_classes == 2 and not self._score_each else n_classes

    @property
    def are_all(self) -> bool:
        """Whether no class is left out."""
        return bool(self.fitted.all())

    @property
    def is_one(self) -> bool:
        """Whether a single class is fitted, whose probability is 1 for every X."""
        return int(self.fitted.sum()) == 1

    def restrict(self, rows: Array) -> Array:
        """Return the rows of the fitted classes, of an array with a row for each score."""
        return rows[self.fitted] if len(rows) == len(self.fitted) else rows

    def restrict_model(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Return W and b of the fitted classes."""
        return self.restrict(coef), self.restrict(intercept)

    def expand(
        self,
        coef: Array,
        intercept: Array,
        design: Design,
        others: Array | None = None,
        value: float = 1.0,
    ) -> tuple[Array, Array]:
        """Return W and b of all classes.

        Parameters
        ----------
        coef : ndarray of shape (n_fitted, n_features)
            W of the fitted classes; it is ignored if a single class is fitted.
        intercept : ndarray of shape (n_fitted,)
            b of the fitted classes.
        design : Design
            X.
        others : ndarray of shape (n_scores, n_features), default=None
            The coefficients of classes that are left out, or of all if a single class is fitted; by
            default zeros.
        value : float, default=1.0
            The mean cross-entropy. The probabilities of the classes left out are made so small that
            they do not change it.
        """
        if self.are_all:
            return coef, intercept
        if others is None:
            others = np.zeros((self.n_scores, design.n_columns))
        one_score = len(others) < len(self.fitted)
        scored = np.concatenate([np.zeros_like(others), others]) if one_score else others.copy()
        offsets = np.zeros(len(self.fitted))
        if not self.is_one:
            scored[self.fitted], offsets[self.fitted] = coef, intercept
        lead = self._least_lead(scored, offsets, design)
        offsets[~self.fitted] = lead + log_vanishing(design.dtype, value)
        if one_score:
            return others, offsets[1:] - offsets[:1]
        return scored, offsets

    def expand_scores(self, scores: Array) -> Array:
        """Return class-major scores of all classes for those of the fitted ones."""
        if self.are_all:
            return scores
        whole = np.empty((len(self.fitted), scores.shape[1]), dtype=scores.dtype)
        whole[self.fitted] = scores
        whole[~self.fitted] = scores.max(axis=0) + log_vanishing(scores.dtype)
        return whole if self.n_scores > 1 else whole[1:] - whole[:1]

    def _least_lead(self, coef: Array, intercept: Array, design: Design) -> Array:
        """Return the least difference, over rows, of the best fitted score from that of others."""
        least = np.full(int((~self.fitted).sum()), np.inf)
        coef = coef.astype(design.dtype)
        for rows in design.blocks(len(coef)):
            scores = design[rows].scores(coef) + intercept[:, None]
            if self._all.offset is not None:
                scores += offset_of_each(self._all.offset)[rows].T
            lead = scores[self.fitted].max(axis=0) - scores[~self.fitted]
            np.minimum(least, lead.min(axis=1), out=least)
        return least


def log_vanishing(dtype: Any, value: float = 1.0) -> float:
    """Return the logarithm of a probability that is lost to rounding when it is added.

    That holds for sums with other probabilities, and with a mean cross-entropy of `value`.
    """
    least = max(min(value, 1.0), float(np.finfo(np.float64).tiny))
    return 2 * float(np.log(np.finfo(dtype).eps)) + float(np.log(least))
