"""What is minimised: a value and its derivatives as functions of one flat parameter vector."""

from softmax_regression.objectives._base import Objective
from softmax_regression.objectives._coordinates import Coordinates, RescaledObjective
from softmax_regression.objectives._linear import LinearCrossEntropy
from softmax_regression.objectives._losses import PointwiseLoss, make_loss
from softmax_regression.objectives._network import Layout, NetworkCrossEntropy, forward

__all__ = [
    "Coordinates",
    "Layout",
    "LinearCrossEntropy",
    "NetworkCrossEntropy",
    "Objective",
    "PointwiseLoss",
    "RescaledObjective",
    "forward",
    "make_loss",
]
