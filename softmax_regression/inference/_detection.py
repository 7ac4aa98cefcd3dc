"""`detect_separation`: which coefficients have no finite maximum likelihood estimate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array

from softmax_regression._data.make import as_design
from softmax_regression._estimators.features import validated
from softmax_regression._estimators.targets import encode_targets
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import check_more_than_one_class
from softmax_regression._problems.classes_with_weight import ClassesWithWeight
from softmax_regression.inference._information import Likelihood
from softmax_regression.inference._separation import Cone, cone

_MAX_NAMES_IN_MESSAGE = 6


@dataclass(frozen=True, eq=False, repr=False)
class Separation:
    """The separation that `detect_separation` finds in some rows.

    Attributes
    ----------
    kind : {'none', 'quasi-complete', 'complete'}
        Whether some direction in the coefficients separates all rows ('complete'), or some rows
        without an error in the others ('quasi-complete'), so that there is no finite maximum
        likelihood estimate.
    n_separated : int
        The number of rows of positive weight that are separated from at least one other class.
    """

    kind: str
    n_separated: int
    _cone: Cone
    _to_model: Array
    _labels: list[Any]
    _first: int
    _classes: Array

    def __bool__(self) -> bool:
        return self.kind != "none"

    def _table(self, read: Any) -> Array:
        """Apply a function to each coefficient; return an array of features by classes.

        The function receives a coefficient as a linear function of the unknowns.
        """
        n_classes, width = len(self._classes), len(self._to_model)
        table = np.zeros((width, n_classes - 1))
        for k in range(n_classes - 1):
            for j, row in enumerate(self._to_model):
                function = np.zeros((n_classes - 1, width))
                function[k] = row
                table[j, k] = read(function.ravel())
        return table

    @cached_property
    def features(self) -> list[Any]:
        """The features with an infinite coefficient in some class, without the intercept."""
        if not self:
            return []
        infinite = self._table(self._cone.moves).any(axis=1)
        places = np.flatnonzero(infinite)
        return [self._labels[j] for j in places if j >= self._first]

    @cached_property
    def directions(self) -> pd.DataFrame:
        """The directions in which coefficients against the first class are infinite.

        Intercepts come first. An entry is ``inf`` or ``-inf`` where the estimate is infinite, 0
        where it is finite, and NaN where it is infinite but the rows do not determine its sign.
        This solves two linear programs for each infinite coefficient.
        """
        return pd.DataFrame(
            self._table(self._cone.sign),
            index=pd.Index(np.array(self._labels, dtype=object), name="feature"),
            columns=pd.Index(self._classes[1:], name="class"),
        )

    def __str__(self) -> str:
        if not self:
            return "No separation: the maximum likelihood estimate exists."
        table = self.directions[(self.directions != 0).any(axis=1)]
        return (
            f"{self.kind.capitalize()} separation: {self.n_separated} rows are told apart without "
            "an error, and the maximum likelihood estimate does not exist.\n"
            "Coefficients against the first class that are infinite (NaN: in either direction):\n"
            f"{table.to_string()}"
        )

    def __repr__(self) -> str:
        return f"<Separation: {self.kind}>"


def detect_separation(
    X: Any, y: Any, sample_weight: Any = None, *, fit_intercept: bool = True
) -> Separation:
    r"""Say whether the maximum likelihood estimate of a softmax regression exists.

    The estimate does not exist if there is a direction δ in the coefficients that favours another
    class over the row's own in no row, :math:`(\delta_{y_i} - \delta_k)^\top x_i \ge 0` for all
    rows i and classes k, with a strict inequality for at least one of them. Then larger
    coefficients always fit better, ``C=inf`` has no optimum, and standard errors are meaningless.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        The labels, or class probabilities.
    sample_weight : array-like of shape (n_samples,), default=None
        The weights of the rows. Rows of weight 0 are left out; other values do not matter.
    fit_intercept : bool, default=True
        Whether the model has an intercept.

    Returns
    -------
    Separation
        An object with `kind`, `features` and `directions`, which is true if there is separation.

    Raises
    ------
    ValueError, TypeError
        If the data are out of range, or there is a single class.

    Notes
    -----
    The linear programs are solved by SciPy's HiGHS. A column that is a linear combination of
    columns before it has a coefficient of 0, as in R. Margins below about 1e-8 standard deviations
    count as 0.

    References
    ----------
    A. Albert and J. A. Anderson, "On the existence of maximum likelihood estimates in logistic
    regression models", *Biometrika* 71, 1984.
    K. Konis, *Linear programming algorithms for detecting separated data in binary logistic
    regression models*, doctoral thesis, Oxford, 2007.

    Examples
    --------
    No row with x = 1 has the class "c":

    >>> import pandas as pd
    >>> from softmax_regression.inference import detect_separation
    >>> x, w = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 3, 1, 2, 1, 2, 3, 1]
    >>> found = detect_separation(pd.DataFrame({"x": x, "w": w}), list("abcabcabab"))
    >>> found.kind, found.features
    ('quasi-complete', ['x'])
    >>> found.directions
    class        b    c
    feature
    intercept  0.0  0.0
    x          0.0 -inf
    w          0.0  0.0
    """
    names = _names(X)
    rows = as_design(
        validated(
            X, lambda given: check_array(given, accept_sparse=("csr", "csc"), dtype="numeric")
        )
    )
    if rows.X.dtype.kind != "f":
        rows = as_design(rows.X.astype(np.float64))
    targets = encode_targets(
        y,
        rows.n_rows,
        classes=None,
        sample_weight=sample_weight,
        class_weight=None,
        estimator="detect_separation",
    )
    check_more_than_one_class(targets, "detect_separation")
    fitted = ClassesWithWeight(targets, fit_intercept)
    if fitted.is_one:
        raise ValueError("All rows of positive weight belong to one class: give rows of two.")
    likelihood = Likelihood(
        rows, fitted.targets, total_weight=float(rows.n_rows), fit_intercept=fit_intercept
    )
    return separation(likelihood, names)


def separation(likelihood: Likelihood, names: list[Any]) -> Separation:
    """Return the separation in the rows of a likelihood."""
    found = cone(*_rows_of_weight(likelihood), likelihood.n_classes)
    first = int(likelihood.fit_intercept)
    return Separation(
        kind=found.kind,
        n_separated=found.n_separated,
        _cone=found,
        _to_model=np.roll(likelihood.to_model(), first, axis=1),
        _labels=[*["intercept"] * first, *names],
        _first=first,
        _classes=likelihood.classes,
    )


def _names(X: Any) -> list[Any]:
    if hasattr(X, "columns"):
        return list(X.columns)
    return [f"x{j}" for j in range(np.shape(X)[1])] if np.ndim(X) == 2 else []


def _rows_of_weight(likelihood: Likelihood) -> tuple[Array, Array]:
    """Return the rows of positive weight, and the index of the class of each.

    A row with class probabilities is repeated for each class of positive probability. The
    intercept's column comes first, because the first of several collinear columns is kept.
    """
    rows = np.flatnonzero(likelihood.targets.row_weights() > 0)
    labels = likelihood.targets.encoded[rows]
    if labels.ndim == 2:
        at, labels = np.nonzero(labels)
        rows = rows[at]
    z = likelihood.row_map(likelihood.design[rows]).T.copy()
    z[:, : len(likelihood.varies)][:, ~likelihood.varies] = 0.0
    return np.roll(z, int(likelihood.fit_intercept), axis=1), labels


def named(features: list[Any]) -> str:
    """Return the names of features for a message, which counts those beyond a maximum."""
    shown = ", ".join(
        repr(f) if isinstance(f, str) else str(f) for f in features[:_MAX_NAMES_IN_MESSAGE]
    )
    more = len(features) - _MAX_NAMES_IN_MESSAGE
    return shown if more <= 0 else f"{shown} and {more} others"
