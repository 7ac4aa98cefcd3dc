"""The functions that Dask tasks apply to chunks of rows, on a worker or in a thread.

`survey_chunk` validates a chunk in the first pass and raises errors that name the chunk.
`encode_chunk` then converts it to a `Chunk`, to which `apply_kernel` applies the kernels of the
objective. All functions and their arguments can be pickled.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.utils import check_array

from softmax_regression._data.dataset import Block, target_sums
from softmax_regression._data.design import Design
from softmax_regression._data.make import as_design
from softmax_regression._data.moments import Moments
from softmax_regression._estimators.features import validated
from softmax_regression._estimators.targets import as_labels, encode_targets, is_soft
from softmax_regression._linalg.arrays import Array
from softmax_regression._linalg.threads import blas_held_to_one_thread
from softmax_regression._losses.pointwise import PointwiseLoss
from softmax_regression._losses.targets import Targets, class_totals
from softmax_regression.dask._worker_memory import kept_memory

_MAX_TABLE_ENTRIES = 1 << 16  # The largest number of entries of a lookup table of labels.
# The largest number of entries of the sums of each class's rows that a chunk returns.
_MAX_CLASS_SUMS_ENTRIES = 1 << 16

# -- the first pass --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChunkSurvey:
    """The properties of a chunk that the first pass finds.

    Parameters
    ----------
    index : int
        The number of the chunk.
    n_rows, n_columns, n_values, n_bytes : int
        The shape of X in this chunk, the number of its stored values, and the bytes of X and y.
    n_rows_of_weight : int
        The number of rows of positive weight.
    dtype : dtype
        The precision in which X is stored.
    is_sparse, is_soft, is_weighted : bool
        Whether X is sparse, whether y holds class probabilities, and whether rows have weights.
    classes : ndarray
        The sorted classes that occur in y.
    largest : float
        The largest power of two that does not exceed the largest weight. The weighted sums below
        are in units of this number.
    totals : ndarray of shape (n_classes,)
        The total weight of each class.
    products : ndarray of shape (n_classes, n_classes) or None
        The weighted sum of y yᵀ over class probabilities y; None for labels.
    entropy : float
        The weighted sum of the entropies of the targets.
    moments : Moments or None
        The moments of the columns of X; None for a chunk without rows.
    target_sums : ndarray of shape (n_classes, n_columns) or None
        The weighted sum of the rows of X of each class; None if it has too many entries to be sent
        for each chunk.
    """

    index: int
    n_rows: int
    n_columns: int
    n_values: int
    n_bytes: int
    n_rows_of_weight: int
    dtype: np.dtype[Any]
    is_sparse: bool
    is_soft: bool
    is_weighted: bool
    classes: Array
    largest: float
    totals: Array
    products: Array | None
    entropy: float
    moments: Moments | None
    target_sums: Array | None


@dataclass(frozen=True)
class SurveyRequest:
    """The parameters of the first pass, which are the same for all chunks.

    Parameters
    ----------
    n_columns : int
        The number of columns that X must have.
    classes : ndarray or None
        The classes, if the user has given them.
    estimator : str
        The name of the estimator in error messages.
    """

    n_columns: int
    classes: Array | None
    estimator: str


@blas_held_to_one_thread
def survey_chunk(
    index: int, X: Any, y: Any, sample_weight: Any, request: SurveyRequest
) -> ChunkSurvey:
    """Validate a chunk and return its properties."""
    with errors_naming_chunk(index), kept_memory():
        design = _design(X, request.n_columns)
        n_rows = design.n_rows
        weight = _weights(sample_weight, n_rows)
        largest = 1.0 if weight is None else _power_of_two(float(weight.max(initial=0.0)))
        relative = np.ones(n_rows) if weight is None else weight / largest
        if n_rows:
            targets = _targets(y, n_rows, request.classes, request.estimator)
        else:
            targets = Targets(np.empty(0), np.empty(0, dtype=np.intp), None, Fraction(0))
        encoded = targets.encoded
        entropy, products = 0.0, None
        if encoded.ndim == 2:
            products = (encoded.T * relative) @ encoded
            entropy = float(relative @ entr(encoded).sum(axis=1))
        with np.errstate(over="ignore", invalid="ignore"):
            moments = None if not n_rows else column_moments(design, relative)
            weights = None if weight is None else relative
            totals = None if not n_rows else _sums_of_classes(design, targets, weights)
        return ChunkSurvey(
            index,
            n_rows,
            design.n_columns,
            design.n_values,
            design.bytes_per_row() * n_rows + encoded.nbytes,
            int(np.count_nonzero(relative)),
            design.dtype,
            not hasattr(design.X, "strides"),
            encoded.ndim == 2,
            weight is not None,
            targets.classes,
            largest,
            class_totals(encoded, relative, len(targets.classes)),
            products,
            entropy,
            moments,
            totals,
        )


def column_moments(design: Design, weights: Array) -> Moments:
    """Return the moments of the columns of some rows."""
    return Moments.pooled(design[rows].moments(weights[rows]) for rows in design.blocks(1))


def _sums_of_classes(design: Design, targets: Targets, weights: Array | None) -> Array | None:
    """Return the weighted sum of the rows of each class, unless it has too many entries."""
    n_classes = len(targets.classes)
    if n_classes * design.n_columns > _MAX_CLASS_SUMS_ENTRIES:
        return None
    loss = replace(targets, weight=weights, score_each=True).loss(np.float64)
    pieces = (precise := design.astype(np.float64)).blocks(n_classes)
    (totals,) = target_sums(Block(precise.in_turn(), loss, pieces), None)
    return totals


@contextmanager
def errors_naming_chunk(index: int) -> Iterator[None]:
    """Begin the messages of errors with the number of a chunk."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"Chunk {index}: {error}") from error


def _design(X: Any, n_columns: int, *, check_finite: bool = True) -> Design:
    """Return the design of a chunk's X."""
    if hasattr(X, "tocsr"):  # Matrices of PyData's package sparse have this method, too.
        X = X.tocsr()
    validate = partial(
        check_array,
        accept_sparse=("csr", "csc"),
        dtype=[np.float64, np.float32],
        ensure_all_finite=check_finite,
        ensure_min_samples=0,
        input_name="X",
    )
    with np.errstate(invalid="ignore"):  # The validation sums all values, which may overflow.
        design = as_design(validated(X, validate))
    if design.n_columns != n_columns:
        raise ValueError(f"X has {design.n_columns} columns here, and {n_columns} by its shape.")
    return design


def _weights(sample_weight: Any, n_rows: int) -> Array | None:
    """Return the weights of the rows of a chunk, which may all be 0; None if there are none."""
    if sample_weight is None:
        return None
    weight: Array = check_array(
        sample_weight,
        ensure_2d=False,
        ensure_min_samples=0,
        dtype=np.float64,
        input_name="sample_weight",
    )
    if weight.shape != (n_rows,):
        raise ValueError(f"X has {n_rows} rows, and sample_weight is of shape {weight.shape}.")
    if weight.min(initial=0.0) < 0:
        raise ValueError(
            f"Negative values in sample_weight: the smallest is {weight.min():g}. "
            "Weights must be at least 0."
        )
    return weight


def _power_of_two(weight: float) -> float:
    """Return the largest power of two up to a weight, by which division is exact; 1 for 0."""
    return float(np.ldexp(1.0, np.frexp(weight)[1] - 1)) if weight else 1.0


def _targets(y: Any, n_rows: int, classes: Array | None, estimator: str) -> Targets:
    return encode_targets(
        y,
        n_rows,
        classes=classes,
        sample_weight=None,
        class_weight=None,
        estimator=estimator,
    )


def _targets_after_survey(y: Any, n_rows: int, encoding: Encoding) -> Targets:
    """Return the targets of a chunk that has been validated, whose labels are only looked up."""
    if is_soft(y):
        return _targets(y, n_rows, encoding.classes, encoding.estimator)
    encoded = _positions(as_labels(y), encoding.classes)
    if len(encoded) != n_rows or encoded.min(initial=0) < 0:  # Full validation raises the error.
        return _targets(y, n_rows, encoding.classes, encoding.estimator)
    return Targets(encoding.classes, encoded, None, Fraction(n_rows))


def _positions(labels: Array, classes: Array) -> Array:
    """Return the positions of labels among the classes, and -1 for labels of other classes.

    Integers from a small range are looked up in a table, other labels in a hash table.
    """
    if labels.dtype.kind == "i" and classes.dtype.kind == "i":
        lowest, highest = int(classes[0]), int(classes[-1])
        if highest - lowest < _MAX_TABLE_ENTRIES and len(labels):
            inside = lowest <= labels.min() and labels.max() <= highest
            table = np.full(highest - lowest + 1, -1, dtype=np.intp)
            # Differences of small integers may overflow in their own dtype.
            table[np.subtract(classes, lowest, dtype=np.intp)] = np.arange(len(classes))
            if not inside:
                return np.array([-1])
            return np.asarray(table[np.subtract(labels, lowest, dtype=np.intp)])
    dtype = object if classes.dtype.kind in "OU" else classes.dtype
    found: Array = pd.Index(classes, dtype=dtype).get_indexer(pd.Index(labels, dtype=dtype))
    return found


# -- encoded chunks and kernels --------------------------------------------------------------------


@dataclass(frozen=True)
class Encoding:
    """The parameters by which the targets and weights of all chunks are encoded.

    Parameters
    ----------
    n_columns : int
        The number of columns of X.
    classes : ndarray of shape (n_classes,)
        The sorted classes of all chunks.
    fitted : ndarray of bool, shape (n_classes,)
        Which classes are fitted, those of positive weight.
    factors : ndarray of shape (n_classes,)
        The class weights.
    mean_weight : float or None
        The mean weight of a row in units of `largest`, or None if no row is weighted.
    largest : float
        The largest power of two up to the largest sample weight.
    estimator : str
        The name of the estimator in error messages.
    score_each : bool, default=False
        Whether each of two classes has a score of its own.
    """

    n_columns: int
    classes: Array
    fitted: NDArray[np.bool_]
    factors: Array
    mean_weight: float | None
    largest: float
    estimator: str
    score_each: bool = False


@dataclass(frozen=True)
class Chunk:
    """The rows of a chunk, encoded for kernels.

    Parameters
    ----------
    design : Design
        The rows of X.
    loss : PointwiseLoss
        Their targets and weights.
    first : int
        The position of the first row in the whole data set.
    """

    design: Design
    loss: PointwiseLoss
    first: int

    def __sizeof__(self) -> int:
        """Return the bytes of the arrays, by which Dask measures the memory of a worker."""
        arrays = self.design.bytes_per_row() * self.design.n_rows + self.loss.targets.nbytes
        return arrays + (0 if self.loss.weight is None else self.loss.weight.nbytes)


def encode_chunk(
    survey: ChunkSurvey, first: int, X: Any, y: Any, sample_weight: Any, encoding: Encoding
) -> Chunk:
    """Encode a chunk after the first pass, which has validated it."""
    with errors_naming_chunk(survey.index):
        design = _design(X, encoding.n_columns, check_finite=False)
        if design.n_rows != survey.n_rows:
            raise ValueError(
                f"it has {design.n_rows} rows, and had {survey.n_rows} when it was first read. "
                "What it is computed from must not change: persist it, or write it to a file."
            )
        targets = _targets_after_survey(y, design.n_rows, encoding)
        weight = None
        if encoding.mean_weight is not None:
            known = _weights(sample_weight, design.n_rows)
            relative = np.ones(design.n_rows) if known is None else known / encoding.largest
            of_class = targets.encoded
            factors = (
                encoding.factors[of_class] if of_class.ndim == 1 else of_class @ encoding.factors
            )
            weight = relative * factors / encoding.mean_weight
        n_rows, score_each = Fraction(design.n_rows), encoding.score_each
        targets = Targets(targets.classes, targets.encoded, weight, n_rows, score_each)
        if not encoding.fitted.all():
            targets = targets.of_classes(encoding.fitted)
        return Chunk(design, targets.loss(design.dtype), first)


@dataclass(frozen=True)
class View:
    """The precision and the columns in which kernels use the rows of all chunks.

    Parameters
    ----------
    dtype : dtype
        The precision of products with X.
    columns : ndarray of int, default=None
        The columns that are used; by default all.
    """

    dtype: np.dtype[Any]
    columns: NDArray[np.intp] | None = None

    def __call__(self, design: Design) -> Design:
        """Return the design of a chunk in this precision, with these columns."""
        chosen = design if self.columns is None else design.select(self.columns)
        return chosen if chosen.dtype == self.dtype else chosen.astype(self.dtype)


@dataclass(frozen=True)
class Request:
    """A kernel with its parameters, which are the same for all chunks.

    Parameters
    ----------
    kernel : callable
        The function of a block and `params`.
    params : object
        The parameters of the kernel.
    width : int
        The number of multiplications for each value of X, on which the size of pieces depends.
    view : View
        The precision and the columns of X.
    error_handling : mapping
        How NumPy treats floating-point errors, as `numpy.geterr` returns it in the process that
        makes the request.
    """

    kernel: Callable[[Block, Any], Any]
    params: Any
    width: int
    view: View
    error_handling: Mapping[str, Any]


def apply_to_chunks(
    chunks: Sequence[Chunk], request: Request, reduce: Callable[[Sequence[Any]], Any]
) -> Any:
    """Apply a kernel to some chunks, one after the other, and combine the results."""
    result = apply_kernel(chunks[0], request)
    for chunk in chunks[1:]:
        result = reduce([result, apply_kernel(chunk, request)])
    return result


@blas_held_to_one_thread
def apply_kernel(chunk: Chunk, request: Request) -> Any:
    """Apply a kernel to the rows of a chunk."""
    with np.errstate(**request.error_handling), kept_memory():
        design = request.view(chunk.design)
        pieces = design.blocks(request.width)
        block = Block(design.in_turn(), chunk.loss, pieces, chunk.first)
        return request.kernel(block, request.params)


def combine(parts: Sequence[Any], reduce: Callable[[Sequence[Any]], Any]) -> Any:
    """Combine the results of several tasks.

    Sums are accumulated in the arrays of the first result. It is copied before, because Dask may
    use the result of a task again, for instance after a worker is lost.
    """
    return reduce([copy.deepcopy(parts[0]), *parts[1:]])
