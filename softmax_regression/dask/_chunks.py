"""What is done with one chunk, where it is: on a worker, or in a thread.

A chunk is looked at once by `survey_chunk`, which refuses what cannot be fitted in words that name
the chunk. From then on `encode_chunk` makes a `Chunk` of it, to which `apply_kernel` applies the
kernels of the objective. All of this is called by tasks of Dask: functions and what they are given
can be pickled.
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

_LONGEST_TABLE = 1 << 16  # Entries, for labels that are integers near each other.
_MAX_SENT_SUMS = 1 << 16  # Entries of the sums of classes that each chunk sends.

# -- the first look --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChunkSurvey:
    """What is known of a chunk after the first look.

    Parameters
    ----------
    index : int
        The number of the chunk.
    n_rows, n_columns, n_values, n_bytes : int
        The shape of its X, how many numbers of it are stored, and in how many bytes with y.
    n_rows_of_weight : int
        How many of its rows have a weight above 0.
    dtype : dtype
        The precision of X.
    is_sparse, is_soft, is_weighted : bool
        Whether X is sparse, y holds probabilities, and there are weights.
    classes : ndarray
        The classes in y, sorted.
    largest : float
        The power of two up to the largest weight; the numbers below are in units of it.
    totals : ndarray of shape (n_classes,)
        The weight of each of the classes.
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
class FirstLook:
    """What the first look at all chunks goes by.

    Parameters
    ----------
    n_columns : int
        How many columns X should have.
    classes : ndarray or None
        The classes, if they are given.
    estimator : str
        The name that messages carry.
    """

    n_columns: int
    classes: Array | None
    estimator: str


@blas_held_to_one_thread
def survey_chunk(index: int, X: Any, y: Any, sample_weight: Any, look: FirstLook) -> ChunkSurvey:
    """Check a chunk, and return what is worth knowing of it."""
    with naming_chunk(index), kept_memory():
        design = _design(X, look.n_columns)
        n_rows = design.n_rows
        weight = _weights(sample_weight, n_rows)
        largest = 1.0 if weight is None else _power_of_two(float(weight.max(initial=0.0)))
        relative = np.ones(n_rows) if weight is None else weight / largest
        if n_rows:
            targets = _targets(y, n_rows, look.classes, look.estimator)
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
    if n_classes * design.n_columns > _MAX_SENT_SUMS:
        return None
    loss = replace(targets, weight=weights, score_each=True).loss(np.float64)
    pieces = (precise := design.astype(np.float64)).blocks(n_classes)
    (totals,) = target_sums(Block(precise.in_turn(), loss, pieces), None)
    return totals


@contextmanager
def naming_chunk(index: int) -> Iterator[None]:
    """Have the messages of errors begin with the number of a chunk."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"Chunk {index}: {error}") from error


def _design(X: Any, n_columns: int, *, check_finite: bool = True) -> Design:
    """Return the design of a chunk's X."""
    if hasattr(X, "tocsr"):  # of pydata's sparse, too
        X = X.tocsr()
    validate = partial(
        check_array,
        accept_sparse=("csr", "csc"),
        dtype=[np.float64, np.float32],
        ensure_all_finite=check_finite,
        ensure_min_samples=0,
        input_name="X",
    )
    with np.errstate(invalid="ignore"):  # of a sum of all values, which may overflow
        design = as_design(validated(X, validate))
    if design.n_columns != n_columns:
        raise ValueError(f"X has {design.n_columns} columns here, and {n_columns} by its shape.")
    return design


def _weights(sample_weight: Any, n_rows: int) -> Array | None:
    """Return the weights of a chunk, all of which may be 0; None for none."""
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
    """Return the largest one up to a weight, by which weights are divided exactly; 1 for 0."""
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


def _known_targets(y: Any, n_rows: int, encoding: Encoding) -> Targets:
    """Return targets that have been looked at, so that labels need no more than be found."""
    if is_soft(y):
        return _targets(y, n_rows, encoding.classes, encoding.estimator)
    encoded = _positions(as_labels(y), encoding.classes)
    if len(encoded) != n_rows or encoded.min(initial=0) < 0:  # which the usual words are for
        return _targets(y, n_rows, encoding.classes, encoding.estimator)
    return Targets(encoding.classes, encoded, None, Fraction(n_rows))


def _positions(labels: Array, classes: Array) -> Array:
    """Return where labels are among the classes, -1 for those that are not.

    Small integers are looked up in a table, all others by hashing.
    """
    if labels.dtype.kind == "i" and classes.dtype.kind == "i":
        lowest, highest = int(classes[0]), int(classes[-1])
        if highest - lowest < _LONGEST_TABLE and len(labels):
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


# -- chunks that kernels are applied to ------------------------------------------------------------


@dataclass(frozen=True)
class Encoding:
    """How targets and weights of all chunks are encoded.

    Parameters
    ----------
    n_columns : int
        The number of columns of X.
    classes : ndarray of shape (n_classes,)
        All classes, sorted.
    fitted : ndarray of bool, shape (n_classes,)
        Those that are fitted.
    factors : ndarray of shape (n_classes,)
        The weights of the classes.
    mean_weight : float or None
        The mean weight of a row, in units of `largest`; None where no row is weighted.
    largest : float
        The power of two up to the largest sample weight.
    estimator : str
        The name that messages carry.
    score_each : bool, default=False
        Whether two classes have a score each.
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
    """Some rows as kernels want them.

    Parameters
    ----------
    design : Design
        X.
    loss : PointwiseLoss
        Targets and weights.
    first : int
        The number of the first row among all.
    """

    design: Design
    loss: PointwiseLoss
    first: int

    def __sizeof__(self) -> int:
        """Return the bytes of its arrays, by which Dask knows what a worker holds."""
        arrays = self.design.bytes_per_row() * self.design.n_rows + self.loss.targets.nbytes
        return arrays + (0 if self.loss.weight is None else self.loss.weight.nbytes)


def encode_chunk(
    survey: ChunkSurvey, first: int, X: Any, y: Any, sample_weight: Any, encoding: Encoding
) -> Chunk:
    """Make a chunk of what has been surveyed: what was checked then is not checked again."""
    with naming_chunk(survey.index):
        design = _design(X, encoding.n_columns, check_finite=False)
        if design.n_rows != survey.n_rows:
            raise ValueError(
                f"it has {design.n_rows} rows, and had {survey.n_rows} when it was first read. "
                "What it is computed from must not change: persist it, or write it to a file."
            )
        targets = _known_targets(y, design.n_rows, encoding)
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
    """How the rows of all chunks are looked at.

    Parameters
    ----------
    dtype : dtype
        The precision in which products with X are computed.
    columns : ndarray of int, default=None
        Which columns; by default all.
    """

    dtype: np.dtype[Any]
    columns: NDArray[np.intp] | None = None

    def __call__(self, design: Design) -> Design:
        """Return the design of a chunk so."""
        chosen = design if self.columns is None else design.select(self.columns)
        return chosen if chosen.dtype == self.dtype else chosen.astype(self.dtype)


@dataclass(frozen=True)
class Request:
    """A kernel, and what it is given beside a block: the same for all chunks.

    Parameters
    ----------
    kernel : callable
        Takes a block and `params`.
    params : object
        What all blocks get.
    width : int
        How many multiplications a number of X takes part in, which the size of pieces depends on.
    view : View
        How the rows are looked at.
    handling : mapping
        What NumPy does about overflow, underflow and so on, as `numpy.geterr` has it where the
        request is made.
    """

    kernel: Callable[[Block, Any], Any]
    params: Any
    width: int
    view: View
    handling: Mapping[str, Any]


def apply_to_chunks(
    chunks: Sequence[Chunk], request: Request, reduce: Callable[[Sequence[Any]], Any]
) -> Any:
    """Apply a kernel to some chunks, one after the other, and put the results together."""
    result = apply_kernel(chunks[0], request)
    for chunk in chunks[1:]:
        result = reduce([result, apply_kernel(chunk, request)])
    return result


@blas_held_to_one_thread
def apply_kernel(chunk: Chunk, request: Request) -> Any:
    """Apply a kernel to the rows of a chunk."""
    with np.errstate(**request.handling), kept_memory():
        design = request.view(chunk.design)
        pieces = design.blocks(request.width)
        block = Block(design.in_turn(), chunk.loss, pieces, chunk.first)
        return request.kernel(block, request.params)


def combine(parts: Sequence[Any], reduce: Callable[[Sequence[Any]], Any]) -> Any:
    """Put the results of some chunks together.

    Sums are made in the arrays of the first part. That is copied, as Dask may use a result again:
    where a worker is lost, or one task's result serves two.
    """
    return reduce([copy.deepcopy(parts[0]), *parts[1:]])
