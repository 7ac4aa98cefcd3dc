"""What is minimised: a value and its derivatives as functions of one flat parameter vector."""

from softmax_regression.objectives._base import Objective, Pass
from softmax_regression.objectives._coordinates import Coordinates
from softmax_regression.objectives._curvature import (
    BlockFactor,
    Curvature,
    Diagonal,
    HessianFactor,
    SharedFactor,
)
from softmax_regression.objectives._dropout import Dropout
from softmax_regression.objectives._input_scaling import InputScaling
from softmax_regression.objectives._layers import Layout
from softmax_regression.objectives._linear import LinearCrossEntropy, Sample
from softmax_regression.objectives._losses import PointwiseLoss, make_loss
from softmax_regression.objectives._network import Network, NetworkCrossEntropy
from softmax_regression.objectives._preconditioner import HessianPreconditioner
from softmax_regression.objectives._row_space import RowSpace
from softmax_regression.objectives._small import (
    OneBlockCrossEntropy,
    SmallCrossEntropy,
    copied,
)
from softmax_regression.objectives._whitened import WhitenedObjective

__all__ = [
    "BlockFactor",
    "Coordinates",
    "Curvature",
    "Diagonal",
    "Dropout",
    "HessianFactor",
    "HessianPreconditioner",
    "InputScaling",
    "Layout",
    "LinearCrossEntropy",
    "Network",
    "NetworkCrossEntropy",
    "Objective",
    "OneBlockCrossEntropy",
    "Pass",
    "PointwiseLoss",
    "RowSpace",
    "Sample",
    "SharedFactor",
    "SmallCrossEntropy",
    "WhitenedObjective",
    "copied",
    "make_loss",
]
