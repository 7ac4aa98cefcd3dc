"""Validation and encoding of y, `sample_weight` and `class_weight`.

y may hold labels of any kind, or class probabilities in one row for each row of X. Sample weights
times class weights become one weight for each row, scaled to the mean 1, and their exact sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from softmax_regression._estimators.features import column_names, refuse_other_arrays
from softmax_regression._linalg.arrays import Array
from softmax_regression._losses.targets import Targets, class_totals

# Integer labels are encoded by counting if they span at most this many numbers, or the number of
# rows if that is larger.
_COUNTED_RANGE = 1000
_LARGEST_EXACT_INTEGER = 1 << 53  # float64 represents all integers up to this one.


def is_soft(y: Any) -> bool:
    """Return whether y holds rows of class probabilities rather than labels."""
    try:
        shape = np.asarray(y).shape
    except ValueError:
        raise ValueError("y must be an array, but its rows are of different lengths.") from None
    return len(shape) == 2 and shape[1] > 1


def soft_classes(y: Any) -> Array:
    """Return the names of the columns of class probabilities: a DataFrame's, else 0, 1, 2, …."""
    if not hasattr(y, "columns"):
        return np.arange(np.asarray(y).shape[1])
    columns = y.columns if isinstance(y, pd.DataFrame) else pd.Index(column_names(y))
    if columns.nlevels > 1 or columns.hasnans:
        raise ValueError(
            "The columns of y are the classes: each needs one name, on one level; "
            f"got {list(columns)}."
        )
    if not columns.is_unique:
        raise ValueError(
            f"The columns of y are the classes and must have different names; got {list(columns)}."
        )
    return np.asarray(columns)


def sorted_classes(names: Array) -> Array:
    """Return the names of columns in the sorted order of labels."""
    try:
        return np.sort(names)
    except TypeError:
        raise TypeError(
            "The columns of y are the classes and must have names of one kind, all numbers or all "
            f"text; got {names.tolist()}."
        ) from None


def encode_targets(
    y: Any,
    n_rows: int,
    *,
    classes: Array | None,
    sample_weight: Any,
    class_weight: Any,
    estimator: str,
) -> Targets:
    """Validate and encode y and weights.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Labels or class probabilities.
    n_rows : int
        The number of rows of X.
    classes : ndarray or None
        The classes if they are known already; None for those of y. They also name the columns of
        class probabilities without names, in this order.
    sample_weight : array-like of shape (n_samples,), float or None
        Weights of the rows.
    class_weight : dict, "balanced" or None
        Weights of the classes.
    estimator : str
        What messages call the estimator.
    """
    if y is None:
        raise ValueError(f"{estimator} requires y to be passed, but the target y is None.")
    refuse_other_arrays(y, "y")
    refuse_other_arrays(sample_weight, "sample_weight")
    if is_soft(y):
        found, encoded = _encode_probabilities(y, classes, estimator)
    else:
        found, encoded = _encode_labels(y, classes, estimator)
    if len(encoded) != n_rows:
        raise ValueError(
            f"X and y must have the same number of rows, got {n_rows} and {len(encoded)}."
        )
    weight, unit = _row_weights(sample_weight, class_weight, found, encoded)
    if weight is None:
        return Targets(found, encoded, None, Fraction(n_rows))
    mean = float(weight.mean())
    return Targets(found, encoded, weight / mean, Fraction(mean) * n_rows * unit)


def _encode_probabilities(y: Any, classes: Array | None, estimator: str) -> tuple[Array, Array]:
    """Return the classes, sorted, and the probabilities with their columns in that order."""
    names = soft_classes(y)
    if classes is not None and not hasattr(y, "columns") and len(classes) == len(names):
        names = classes
    found = sorted_classes(names)
    if classes is not None and not np.array_equal(found, np.sort(classes)):
        raise ValueError(
            f"The columns of y are the classes {names.tolist()}, but {estimator} "
            f"knows the classes {classes.tolist()}."
        )
    return found, _check_probabilities(y).take(np.argsort(names), axis=1)


def as_labels(y: Any, name: str = "y") -> Array:
    """Return labels as an array of numbers or text.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels; pandas' own dtypes are allowed.
    name : str, default="y"
        What messages call the labels.

    Raises
    ------
    ValueError, TypeError
        If some labels are missing, or are not of the same kind as the others.
    """
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = _as_numpy(y.iloc[:, 0], name)[:, None]
    else:
        y = _as_numpy(y, name)
    if type(y) is not np.ndarray or y.ndim != 1:
        y = column_or_1d(y, warn=True)
    if y.dtype.kind == "T":  # Few functions support NumPy's strings of variable width.
        y = y.astype(object)
    if not _are_plain_labels(y):
        _refuse_missing(y, name)
        assert_all_finite(y, input_name=name)
        _refuse_objects(y, name)
        check_classification_targets(y)
    return y


def _as_numpy(y: Any, name: str) -> Any:
    """Convert labels of pandas' own dtypes, and those in a list, to an array of NumPy."""
    dtype = getattr(y, "dtype", None)
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        _refuse_missing(y, name)
        if isinstance(dtype, pd.CategoricalDtype):
            y = y.astype(dtype.categories.dtype)
        return np.asarray(y, dtype=getattr(y.dtype, "numpy_dtype", None))
    if isinstance(y, list | tuple):
        array = np.asarray(y)
        # If one element is text, NumPy converts all others to text.
        text = array.dtype.kind == "U" and array.ndim == 1
        if text and not all(isinstance(label, str) for label in y):
            return np.array(y, dtype=object)
        return array
    return y


def _refuse_missing(y: Any, name: str) -> None:
    missing = np.flatnonzero(pd.isna(y))
    if len(missing):
        raise ValueError(
            f"Input {name} contains NaN: {len(missing)} of {len(y)} labels are missing, the first "
            f"at position {missing[0]}. Leave these out, or make them a class of their own."
        )


def _refuse_objects(y: Array, name: str) -> None:
    """Raise if an array of objects holds labels that are not all text."""
    kinds = sorted({type(label).__name__ for label in y}) if y.dtype.kind == "O" else []
    if kinds in ([], ["bytes"]):  # scikit-learn raises for bytes.
        return
    dtype = kinds[0] if kinds in (["bool"], ["float"], ["int"]) else "str"
    raise TypeError(
        f"Unknown label type: {', '.join(kinds)} in an array of objects. {name} must hold labels "
        "of one kind, all numbers or all text, in an array of such a dtype: pass "
        f"numpy.asarray({name}, dtype={dtype})."
    )


def _encode_labels(y: Any, classes: Array | None, estimator: str) -> tuple[Array, Array]:
    y = as_labels(y)
    if y.dtype.kind in "iuf" and (few := _close_integers(y)) is not None:
        found, encoded = few
    elif y.dtype.kind != "U":
        # Hashing is quicker than sorting all of y. pandas requires the native byte order.
        encoded, found = pd.factorize(y.astype(y.dtype.newbyteorder("="), copy=False), sort=True)
    else:
        found, encoded = np.unique(y, return_inverse=True)
    if 2 * len(found) > len(y):  # With fewer classes, integers and text cannot be a regression's y.
        check_classification_targets(y)
    if classes is None:
        return found, encoded.astype(np.intp, copy=False)
    unknown = np.setdiff1d(found, classes)
    if len(unknown):
        raise ValueError(
            f"y has classes that {estimator} does not know: {unknown.tolist()}. "
            f"Known are {classes.tolist()}: fit rows of all classes, or name them all in the first "
            "call of partial_fit."
        )
    known = np.sort(classes)
    if len(found) < len(known):
        encoded = np.searchsorted(known, found)[encoded]
    return known, encoded.astype(np.intp, copy=False)


def _close_integers(y: Array) -> tuple[Array, Array] | None:
    """Encode integers that span a small range by counting; return None for all others."""
    if len(y) == 0:
        return None
    lowest, highest = int(np.minimum.reduce(y)), int(np.maximum.reduce(y))
    if highest - lowest > max(len(y), _COUNTED_RANGE):
        return None
    if max(abs(lowest), abs(highest)) >= _LARGEST_EXACT_INTEGER:
        return None
    positions = y.astype(np.intp, copy=False) - lowest
    present = np.bincount(positions) > 0
    found = np.flatnonzero(present)
    if len(found) < len(present):
        positions = (np.cumsum(present) - 1)[positions]
    return (found + lowest).astype(y.dtype), positions


def _are_plain_labels(y: Array) -> bool:
    """Return whether the labels are integers or strings, and none is missing."""
    if y.dtype.kind == "O":
        return pd.api.types.infer_dtype(y, skipna=False) == "string"
    if y.dtype.kind == "f":
        return bool((y == np.rint(y)).all() and np.isfinite(y).all())
    return y.dtype.kind in "biuU"


def _check_probabilities(y: Any) -> Array:
    probabilities = np.asarray(y)
    if pd.isna(probabilities).any():
        raise ValueError("The class probabilities in y contain NaN.")
    precise = probabilities.dtype not in (np.float32, np.float16)
    kind = probabilities.dtype.kind
    if not (
        kind in "fiub" or (kind == "O" and all(isinstance(p, Real) for p in probabilities.flat))
    ):
        raise ValueError(
            f"y of shape {probabilities.shape} must hold class probabilities, real numbers in one "
            f"column for each class, got dtype {probabilities.dtype}. For labels pass a "
            "one-dimensional y."
        )
    probabilities = probabilities.astype(np.float64)
    if not np.isfinite(probabilities).all():
        raise ValueError("The class probabilities in y contain infinity.")
    if probabilities.size and probabilities.min() < 0:
        raise ValueError(
            f"The class probabilities in y must not be negative, got {probabilities.min():g}."
        )
    totals = probabilities.sum(axis=1, keepdims=True)
    off = np.abs(totals - 1).max(initial=0)
    if off > (1e-6 if precise else 1e-3):
        worst = int(np.abs(totals - 1).argmax())
        raise ValueError(
            f"The class probabilities in y must sum to 1 in every row; row {worst} sums to "
            f"{totals[worst, 0]:g}. Divide each row by its sum, or pass a one-dimensional y for "
            "labels; several labels in a row (multilabel) are not supported."
        )
    return probabilities / totals


def _row_weights(
    sample_weight: Any, class_weight: Any, classes: Array, encoded: Array
) -> tuple[Array | None, Fraction]:
    """Return sample weights times class weights in some unit, and the unit; None for no weights."""
    weight, unit = None, Fraction(1)
    if sample_weight is not None:
        weight, unit = _in_units_of_the_largest(_checked_weights(sample_weight, encoded))
    if class_weight is not None:
        factors, of_factors = class_factors(class_weight, classes, encoded, weight)
        per_row = factors[encoded] if encoded.ndim == 1 else encoded @ factors
        weight = per_row if weight is None else weight * per_row
        if not weight.any():
            raise ValueError(
                f"class_weight={class_weight!r} and sample_weight leave no row with a positive "
                "weight."
            )
        weight, of_products = _in_units_of_the_largest(weight)
        unit *= of_factors * of_products
    return weight, unit


def _checked_weights(sample_weight: Any, encoded: Array) -> Array:
    try:
        weight = _check_sample_weight(sample_weight, encoded, dtype=np.float64)
    except (TypeError, ValueError) as error:
        if "weight" in str(error):
            raise
        raise type(error)(f"sample_weight must hold real numbers: {error}") from None
    if weight.min(initial=0) < 0:
        raise ValueError(
            f"Negative values in sample_weight: the smallest is {weight.min():g}. "
            "Weights must be at least 0."
        )
    if not weight.any():
        raise ValueError("sample_weight is zero for all rows; at least one must be positive.")
    return weight


def relative_weights(weights: Any) -> Array | None:
    """Return weights divided by the largest, so that no sum of them overflows."""
    if weights is None:
        return None
    weights = np.asarray(weights, dtype=np.float64)
    return weights / (np.abs(weights).max(initial=0.0) or 1.0)


def _in_units_of_the_largest(values: Array) -> tuple[Array, Fraction]:
    """Return values divided by the largest, so that no sum of them overflows, and the largest."""
    largest = float(values.max(initial=0.0)) or 1.0
    return values / largest, Fraction(largest)


def class_factors(
    class_weight: Any, classes: Array, encoded: Array, weight: Array | None
) -> tuple[Array, Fraction]:
    """Return class weights divided by the largest of them, and the largest."""
    if isinstance(class_weight, Mapping):
        factors = np.array([class_weight.get(label, 1) for label in classes.tolist()])
        if factors.dtype.kind not in "fiub" or not (np.isfinite(factors) & (factors >= 0)).all():
            raise ValueError(
                f"class_weight must hold finite, non-negative numbers, got {class_weight!r}."
            )
        # A dict may name classes that a fold of the data lacks if it names all that the fold has.
        unknown = [label for label in class_weight if label not in classes.tolist()]
        if unknown and not set(classes.tolist()) <= set(class_weight):
            raise ValueError(
                f"class_weight names classes that y does not have: {unknown}; y has "
                f"{classes.tolist()}."
            )
        return _in_units_of_the_largest(factors.astype(np.float64))
    totals = class_totals(encoded, weight, len(classes))
    present = totals > 0
    least = float(totals[present].min())
    factors = np.zeros(len(classes))
    factors[present] = least / totals[present]
    return factors, Fraction(float(totals.sum())) / (int(present.sum()) * Fraction(least))
