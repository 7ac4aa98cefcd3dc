"""The linear map from the estimated differences between classes to reported coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from softmax_regression._linalg.arrays import Array
from softmax_regression.inference._information import Likelihood


@dataclass(frozen=True)
class Parameters:
    """The reported coefficients, as linear functions of the unknowns.

    Parameters
    ----------
    classes : ndarray of shape (n_reported,)
        The classes that have coefficients, which are all but the reference.
    features : ndarray of shape (width,)
        The names of the coefficients of a class, with the intercept first.
    contrasts : ndarray of shape (n_reported, n_classes - 1)
        The matrix that maps differences from the last class to the reported contrasts.
    to_model : ndarray of shape (width, width)
        The matrix that maps the unknowns of a class to its intercept and coefficients.
    """

    classes: Array
    features: Array
    contrasts: Array
    to_model: Array

    @classmethod
    def of(
        cls, likelihood: Likelihood, names: Array, reference: Any, *, symmetric: bool
    ) -> Parameters:
        """Return coefficients against a reference class, or those that sum to 0 over classes.

        Two classes have one row of coefficients, which is a difference, symmetric or not.
        """
        k = likelihood.n_classes
        from_last = np.vstack([np.eye(k - 1), np.zeros(k - 1)])
        classes = likelihood.classes
        if symmetric and k > 2:
            contrasts = from_last - from_last.mean(axis=0)
        else:
            at = 0 if symmetric else int(np.flatnonzero(classes == reference)[0])
            contrasts = np.delete(from_last - from_last[at], at, axis=0)
            classes = np.delete(classes, at)
        features = [*(["intercept"] if likelihood.fit_intercept else []), *names]
        labels = np.empty(len(features), dtype=object)
        labels[:] = features
        return cls(classes, labels, contrasts, likelihood.to_model())

    @property
    def index(self) -> pd.MultiIndex:
        """The class and feature of each coefficient, class after class."""
        return pd.MultiIndex.from_product([self.classes, self.features], names=["class", "feature"])

    def matrix(self) -> Array:
        """Return the matrix that maps the unknowns to all coefficients."""
        return np.kron(self.contrasts, self.to_model)

    def values(self, u: Array) -> Array:
        """Return the coefficients for given unknowns, in a row for each class."""
        return self.contrasts @ u.reshape(-1, len(self.to_model)) @ self.to_model.T

    def covariance(self, of_unknowns: Array) -> Array:
        """Return the covariance of the coefficients from that of the unknowns."""
        return self._times(self._times(of_unknowns).T).T

    def _times(self, matrix: Array) -> Array:
        """Return the product of `matrix()` and a matrix, without forming the former."""
        width = len(self.to_model)
        blocks = matrix.reshape(-1, width, matrix.shape[1])
        contrasted = np.tensordot(self.contrasts, blocks, 1)
        return np.matmul(self.to_model, contrasted).reshape(-1, matrix.shape[1])

    def frame(self, values: Array) -> pd.DataFrame:
        """Return a table of features by classes from values in the order of `index`."""
        table = values.reshape(len(self.classes), len(self.features)).T
        return pd.DataFrame(
            table,
            index=pd.Index(self.features, name="feature"),
            columns=pd.Index(self.classes, name="class"),
        )
