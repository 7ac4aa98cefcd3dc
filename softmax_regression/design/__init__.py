"""How an objective reads X: the same few products for dense and for sparse data."""

from softmax_regression.design._base import Design
from softmax_regression.design._dense import DenseDesign
from softmax_regression.design._make import as_design
from softmax_regression.design._moments import Moments
from softmax_regression.design._precision import in_needed_precision
from softmax_regression.design._sparse import SparseDesign

__all__ = [
    "DenseDesign",
    "Design",
    "Moments",
    "SparseDesign",
    "as_design",
    "in_needed_precision",
]
