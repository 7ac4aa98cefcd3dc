"""A network of affine layers as nodes of an ONNX graph.

skl2onnx calls a converter with a scope, which makes unique names, an operator with the estimator,
its inputs and outputs, and a container for the nodes. All numbers between the input and the
probabilities are float64. ONNX Runtime does not implement some activations in float64, so these
are composed of operators that it does implement:

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

# Numbers of element types in the ONNX standard.
_FLOAT, _INT64, _STRING, _DOUBLE = 1, 7, 8, 11


class Graph:
    """An ONNX graph to which nodes are added, each under a unique name.

    Parameters
    ----------
    scope, container : object
        The scope and the container that skl2onnx passes to a converter.
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
        """Add a constant array, and return its name."""
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
    # Some versions of ONNX Runtime replace z σ(z) by an operator that has no float64 version.
    return graph("Div", z, graph("Add", graph("Exp", graph("Neg", z)), graph.constant(1.0)))


def _gelu(graph: Graph, z: str) -> str:
    argument = graph("Cast", graph("Mul", z, graph.constant(0.5**0.5)), to=_FLOAT)
    erf = graph("Cast", graph("Erf", argument), to=_DOUBLE)
    half = graph("Mul", z, graph.constant(0.5))
    return graph("Mul", half, graph("Add", erf, graph.constant(1.0)))


# For each activation a function that adds the nodes of f(z) and returns the name of the output.
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
    """Declare the outputs, which are labels, and probabilities of the type of the inputs.

    With the option ``zipmap=True`` probabilities are float32, because ONNX's operator ZipMap, which
    makes dictionaries of them, supports no other type.
    """
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from skl2onnx.common.utils_classifier import get_label_classes

    _labels(
        get_label_classes(operator.scope_inst, operator.raw_operator)
    )  # Raises for other labels.
    calculate_linear_classifier_output_shapes(operator)
    options = operator.scope_inst.get_options(operator.raw_operator, {"zipmap": True})
    if options["zipmap"] is True:
        probabilities = operator.outputs[1]
        probabilities.set_type(FloatTensorType(probabilities.type.shape))


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a fitted estimator, whose outputs are labels and probabilities."""
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
    if len(layers.intercepts[-1]) == 1:  # Of two classes the first has the score 0.
        values = graph("Concat", graph("Sub", values, values), values, axis=1)
    best = graph("ArgMax", values, axis=1, keepdims=0)
    labels, kind = _labels(get_label_classes(scope, operator.raw_operator))
    label, probabilities = (variable.full_name for variable in operator.outputs)
    graph("Gather", graph.constant(labels, kind), best, output=label)
    kind = _DOUBLE if isinstance(operator.outputs[1].type, DoubleTensorType) else _FLOAT
    graph("Cast", graph("Softmax", values, axis=1), output=probabilities, to=kind)


def _labels(classes: Array) -> tuple[Array, int]:
    """Return labels in a type that ONNX supports, and the number of the type."""
    if all(isinstance(label, str) for label in classes):
        return classes, _STRING
    if classes.dtype.kind in "biuf" and (classes.astype(np.int64) == classes).all():
        return classes.astype(np.int64), _INT64
    raise ValueError(
        f"ONNX supports labels that are strings or integers, got {classes.tolist()}: fit with such "
        "labels, or convert with the option nocl=True, which gives their positions in classes_."
    )
