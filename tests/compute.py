"""The value of a node, by the numpy executor: what most tests of layers, losses and metrics ask for."""

import numpy as np

from thalweg import ops
from thalweg.executors.numpy import evaluate
from thalweg.graph.node import Graph, Node
from thalweg.graph.types import TensorType
from thalweg.graph.verify import verify
from thalweg.ops.leaf import Input, State


def inputs(**arrays):
    """An input node for each array, in their order."""
    return [ops.input_node(name, array.shape, array.dtype.name) for name, array in arrays.items()]


def label(node: Node) -> str:
    """The name of an input or a state."""
    assert isinstance(node.op, Input | State)
    return node.op.label


def compute(nodes, state=None, **arrays):
    """The values of a node, or of a list or dict of them, for these inputs and states."""
    if isinstance(nodes, list | tuple):
        return list(compute(dict(enumerate(nodes)), state, **arrays).values())
    if not isinstance(nodes, dict):
        return compute({"value": nodes}, state, **arrays)["value"]
    graph = Graph({str(name): node for name, node in nodes.items()})
    verify(graph)
    values = evaluate(graph, arrays, state or {})
    return {name: values[node] for name, node in nodes.items()}


def types(**arrays):
    return {name: TensorType.of(array) for name, array in arrays.items()}


def evaluated(function, *arrays):
    """``function(*nodes)`` for these arrays as inputs."""
    named = {f"input_{i}": np.asarray(array) for i, array in enumerate(arrays)}
    return compute(function(*inputs(**named)), **named)
