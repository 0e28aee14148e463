"""What is repeated is used in the shape in which it is repeated."""

from thalweg.executors.native.code.step import target
from thalweg.executors.native.machine import this_host
from thalweg.graph.node import Graph
from thalweg.graph.verify import verify
from thalweg.ops import broadcast, input_node, reduce_sum, reshape, state_node
from thalweg.ops.shape import Reshape
from thalweg.passes.simplify import simplify
from thalweg.passes.sink import sink

TARGET = target(this_host())


def repeated():
    """(2, 3, 5), each row twice."""
    x = input_node("x", (2, 3, 5))
    return reshape(broadcast(x, (2, 3, 2, 5), (0, 1, 3)), (2, 6, 5))


def test_the_sum_is_over_the_repetition():
    graph = sink(
        simplify(Graph({"y": reduce_sum(repeated() * state_node("s", (2, 6, 5)), (1, 2))}), TARGET.supported),
        TARGET.is_cheap,
    )
    verify(graph)
    shapes = [node.shape for node in graph.nodes() if node.op.name == "multiply"]
    assert shapes == [(2, 3, 2, 5)]


def test_what_is_used_many_times_is_split_once():
    """Each step of the chain uses the one before it twice."""
    s = state_node("s", (2, 6, 5))
    chain = s
    for _ in range(600):
        chain = chain * chain + s
    before = simplify(Graph({"y": repeated() * chain, "z": chain}), TARGET.supported)
    after = sink(before, TARGET.is_cheap)
    verify(after)
    assert len(after.nodes()) < 3 * len(before.nodes())
    assert isinstance(after.outputs["y"].op, Reshape)
