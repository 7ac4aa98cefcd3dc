"""What is minimised: a value and its derivatives as functions of one flat parameter vector."""

from softmax_regression.objectives._base import CrossEntropyObjective, Objective, Pass
from softmax_regression.objectives._bounded import BoundedCrossEntropy
from softmax_regression.objectives._coordinates import Coordinates
from softmax_regression.objectives._curvature import (
    BlockFactor,
    Curvature,
    Diagonal,
    HessianFactor,
    SharedFactor,
    hessian_of,
)
from softmax_regression.objectives._dropout import Dropout
from softmax_regression.objectives._factors import HessianFactors
from softmax_regression.objectives._input_scaling import InputScaling
from softmax_regression.objectives._layers import Layout
from softmax_regression.objectives._linear import LinearCrossEntropy, Sample
from softmax_regression.objectives._losses import PointwiseLoss, make_loss
from softmax_regression.objectives._network import Network, NetworkCrossEntropy
from softmax_regression.objectives._penalty import PENALTIES, GroupLasso, Lasso, Penalty
from softmax_regression.objectives._preconditioner import HessianPreconditioner
from softmax_regression.objectives._row_factor import RowFactor
from softmax_regression.objectives._row_space import RowSpace
from softmax_regression.objectives._small import (
    OneBlockCrossEntropy,
    SmallCrossEntropy,
    copied,
    in_float64,
    is_small,
)
from softmax_regression.objectives._sparse import SparseCrossEntropy
from softmax_regression.objectives._submatrix import Matrix, Products, Submatrix, submatrix
from softmax_regression.objectives._whitened import WhitenedObjective
from softmax_regression.objectives._wide_hessian import WideHessian

__all__ = [
    "PENALTIES",
    "BlockFactor",
    "BoundedCrossEntropy",
    "Coordinates",
    "CrossEntropyObjective",
    "Curvature",
    "Diagonal",
    "Dropout",
    "GroupLasso",
    "HessianFactor",
    "HessianFactors",
    "HessianPreconditioner",
    "InputScaling",
    "Lasso",
    "Layout",
    "LinearCrossEntropy",
    "Matrix",
    "Network",
    "NetworkCrossEntropy",
    "Objective",
    "OneBlockCrossEntropy",
    "Pass",
    "Penalty",
    "PointwiseLoss",
    "Products",
    "RowFactor",
    "RowSpace",
    "Sample",
    "SharedFactor",
    "SmallCrossEntropy",
    "SparseCrossEntropy",
    "Submatrix",
    "WhitenedObjective",
    "WideHessian",
    "copied",
    "hessian_of",
    "in_float64",
    "is_small",
    "make_loss",
    "submatrix",
]
