"""A small feed-forward network with softmax output."""

from softmax_regression.neural_network._small_mlp import SmallMLP

__all__ = ["SmallMLP"]
