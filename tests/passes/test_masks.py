"""Where a rectifier passed something: told by its argument, where that is at hand."""

import numpy as np

from thalweg.executors.native.code.operations import is_cheap
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph, Node
from thalweg.ops import broadcast, input_node, reduce_sum, relu, select, state_node
from thalweg.ops.elementwise import Less
from thalweg.passes.masks import masks

SHAPE = (32, 24)


def cheap(node: Node) -> bool:
    return is_cheap(node.op)


def along(label: str) -> Node:
    return broadcast(state_node(label, SHAPE[1:]), SHAPE, (1,))


def backwards(x: Node, *, summed: bool) -> Graph:
    """A normalisation of x, a rectifier, and the gradient through it."""
    y = relu((x - along("shift")) * along("scale") + along("beta"))
    outputs = {"y": y, "g": select(y > 0.0, input_node("g", SHAPE), 0.0)}
    return Graph(outputs | ({"sum": reduce_sum(x, 0)} if summed else {}))


def compared(graph: Graph) -> Node:
    """What is compared with 0."""
    (less,) = [node for node in masks(graph, cheap).nodes() if isinstance(node.op, Less)]
    return less.inputs[1]


def product() -> Node:
    return input_node("x", (SHAPE[0], 16)) @ state_node("kernel", (16, SHAPE[1]))


def test_the_argument_of_a_rectifier_is_compared_where_it_is_made_of_what_is_stored():
    assert compared(backwards(product(), summed=True)).op.name == "add"


def test_the_result_is_compared_where_what_it_is_made_of_would_have_to_be_stored():
    assert compared(backwards(product(), summed=False)).op.name == "relu"


def test_of_two_stored_values_the_result_is_read_instead():
    x, other = product(), product() * 1.0
    y = relu(x + other)
    sums = {"x": reduce_sum(x, 0), "other": reduce_sum(other, 0)}
    assert compared(Graph({"y": y, "g": select(y > 0.0, other, 0.0), **sums})).op.name == "relu"


def test_the_numbers_are_the_same_for_nan_and_zeros_too():
    graph = backwards(product(), summed=True)
    r = np.random.default_rng(0)
    data = {"x": r.standard_normal((SHAPE[0], 16), np.float32), "g": r.standard_normal(SHAPE, np.float32)}
    data["x"][0], data["x"][1] = np.nan, 0.0
    state = {name: r.standard_normal(SHAPE[1:], np.float32) for name in ("shift", "scale", "beta")}
    state |= {"kernel": r.standard_normal((16, SHAPE[1]), np.float32)}
    state["shift"][:5], state["beta"][:5], state["beta"][5] = 0.0, -0.0, np.inf
    results = []
    for one in (graph, masks(graph, cheap)):
        outputs = {name: np.empty(node.shape, node.dtype) for name, node in graph.outputs.items()}
        NumpyExecutor().compile(one, gather=False).run(dict(state), data, None, outputs, 1)
        results.append(outputs)
    for name, want in results[0].items():
        np.testing.assert_array_equal(results[1][name], want)
