"""A network of affine layers as nodes of an ONNX graph.

skl2onnx hands over a scope, which knows unused names, an operator with the estimator, its inputs
and outputs, and a container for the nodes. All numbers are float64 between the input and the
probabilities. The runtime lacks some activations in float64, so they are composed of what it has:

    leaky_relu(z) = max(z, 0.01 z)
    elu(z)        = max(z, 0) + exp(min(z, 0)) − 1
    softplus(z)   = max(z, 0) + log(1 + exp(−|z|))
    silu(z)       = z / (1 + exp(−z))
    gelu(z)       = z/2 (1 + erf(z/√2))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from softmax_regression._estimators.export import layers_of
from softmax_regression._linalg.arrays import Array

# Numbers of element types in the standard of ONNX.
_FLOAT, _INT64, _STRING, _DOUBLE = 1, 7, 8, 11


class Graph:
    """Nodes that are added one after the other, each under a name of its own.

    Parameters
    ----------
    scope, container : object
        What skl2onnx hands to a converter.
    """

    def __init__(self, scope: Any, container: Any):
        self._scope = scope
        self._container = container

    def __call__(
        self,
        kind: str,
        *inputs: str,
        output: str | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Add a node, and return the name of its output."""
        output = output or self._scope.get_unique_variable_name(kind.lower())
        name = self._scope.get_unique_operator_name(kind)
        self._container.add_node(kind, list(inputs), [output], name=name, **attributes)
        return output

    def constant(self, values: Any, kind: int = _DOUBLE) -> str:
        """Add an array, and return its name."""
        name = self._scope.get_unique_variable_name("constant")
        flat = np.ravel(values).tolist()
        if kind == _STRING:
            flat = [text.encode("utf-8") for text in flat]
        self._container.add_initializer(name, kind, list(np.shape(values)), flat)
        return name


def _elu(graph: Graph, z: str) -> str:
    zero, one = graph.constant(0.0), graph.constant(1.0)
    negative = graph("Sub", graph("Exp", graph("Min", z, zero)), one)
    return graph("Add", graph("Max", z, zero), negative)


def _softplus(graph: Graph, z: str) -> str:
    tail = graph("Exp", graph("Neg", graph("Abs", z)))
    log = graph("Log", graph("Add", tail, graph.constant(1.0)))
    return graph("Add", graph("Relu", z), log)


def _silu(graph: Graph, z: str) -> str:
    """Not as z σ(z), which some versions of the runtime take for a GELU, and that for float32."""
    return graph("Div", z, graph("Add", graph("Exp", graph("Neg", z)), graph.constant(1.0)))


def _gelu(graph: Graph, z: str) -> str:
    argument = graph("Cast", graph("Mul", z, graph.constant(0.5**0.5)), to=_FLOAT)
    erf = graph("Cast", graph("Erf", argument), to=_DOUBLE)
    half = graph("Mul", z, graph.constant(0.5))
    return graph("Mul", half, graph("Add", erf, graph.constant(1.0)))


# By the names of activations, each adds nodes for f(z) and returns the name of the last.
_ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "identity": lambda graph, z: z,
    "logistic": lambda graph, z: graph("Sigmoid", z),
    "tanh": lambda graph, z: graph("Tanh", z),
    "relu": lambda graph, z: graph("Relu", z),
    "leaky_relu": lambda graph, z: graph("Max", z, graph("Mul", z, graph.constant(0.01))),
    "elu": _elu,
    "softplus": _softplus,
    "silu": _silu,
    "gelu": _gelu,
}


def declare_outputs(operator: Any) -> None:
    """Declare labels and probabilities: the latter of the type of the inputs, but not in ZipMap.

    That is the operator of ONNX that makes dictionaries, of float32 alone.
    """
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from skl2onnx.common.utils_classifier import get_label_classes

    _labels(get_label_classes(operator.scope_inst, operator.raw_operator))  # raises if it has none
    calculate_linear_classifier_output_shapes(operator)
    options = operator.scope_inst.get_options(operator.raw_operator, {"zipmap": True})
    if options["zipmap"] is True:
        probabilities = operator.outputs[1]
        probabilities.set_type(FloatTensorType(probabilities.type.shape))


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a fitted estimator: its two outputs are labels and probabilities."""
    from skl2onnx.common.data_types import DoubleTensorType
    from skl2onnx.common.utils_classifier import get_label_classes

    graph = Graph(scope, container)
    layers = layers_of(operator.raw_operator)
    values = graph("Cast", operator.inputs[0].full_name, to=_DOUBLE)
    for k, (weights, intercepts) in enumerate(zip(layers.weights, layers.intercepts, strict=True)):
        if k > 0:
            values = _ACTIVATIONS[layers.activation](graph, values)
        product = graph("MatMul", values, graph.constant(weights))
        values = graph("Add", product, graph.constant(intercepts))
    if len(layers.intercepts[-1]) == 1:  # of two classes; the first has the score 0
        values = graph("Concat", graph("Sub", values, values), values, axis=1)
    best = graph("ArgMax", values, axis=1, keepdims=0)
    labels, kind = _labels(get_label_classes(scope, operator.raw_operator))
    label, probabilities = (variable.full_name for variable in operator.outputs)
    graph("Gather", graph.constant(labels, kind), best, output=label)
    kind = _DOUBLE if isinstance(operator.outputs[1].type, DoubleTensorType) else _FLOAT
    graph("Cast", graph("Softmax", values, axis=1), output=probabilities, to=kind)


def _labels(classes: Array) -> tuple[Array, int]:
    """Return labels as ONNX has them, and the number of their type."""
    if all(isinstance(label, str) for label in classes):
        return classes, _STRING
    if classes.dtype.kind in "biuf" and (classes.astype(np.int64) == classes).all():
        return classes.astype(np.int64), _INT64
    raise ValueError(
        f"ONNX knows labels that are strings or integers, got {classes.tolist()}: fit with such, "
        "or convert with the option nocl=True, which gives their positions in classes_."
    )
