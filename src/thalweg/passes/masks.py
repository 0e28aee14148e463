"""Where a gradient passes a rectifier is told by what went into it, if that is at hand.

Backwards through normalisation and a rectifier, images are read to see where the rectifier gave more than 0. It did so
where it got more than 0; and what it got, two or three operations on the images that were normalised, is as good as
there, because the gradient of the normalisation reads those too. So one image less is read.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from thalweg.graph.node import Graph, Kind, Node
from thalweg.ops.broadcast import Broadcast, Reduction
from thalweg.ops.elementwise import Less, Relu
from thalweg.ops.leaf import Constant
from thalweg.passes.fuse import INLINED_OPERATIONS, MUCH_SMALLER, required


def masks(graph: Graph, cheap: Callable[[Node], bool]) -> Graph:
    """The same function; ``0 < relu(x)`` is ``0 < x`` where x is computed again from one stored value.

    Arguments:
        cheap: whether an elementwise node may be computed again.
    """
    stored = required(graph) | _summed(graph)
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        inputs = tuple(new[x] for x in node.inputs)
        if isinstance(node.op, Less) and _is_zero(node.inputs[0]) and isinstance(node.inputs[1].op, Relu):
            (x,) = node.inputs[1].inputs
            if _computed_again(x, stored, cheap):
                inputs = (inputs[0], new[x])
        new[node] = node.on(inputs)
    return graph.rebuilt(new)


def _summed(graph: Graph) -> set[Node]:
    """Results of long sums that go into other sums: no kernel does both."""
    sums = (Kind.CONTRACTION, Kind.REDUCTION)
    return {x for node in graph.nodes() if isinstance(node.op, Reduction) for x in node.inputs if x.op.kind in sums}


def _is_zero(node: Node) -> bool:
    source = node.inputs[0] if isinstance(node.op, Broadcast) else node
    return isinstance(source.op, Constant) and source.op.value == 0


def _computed_again(x: Node, stored: Container[Node], cheap: Callable[[Node], bool]) -> bool:
    """Whether x takes few operations on one stored value of its size, and on much smaller ones."""
    operations, large = 1, set()  # the comparison is one
    stack = [x]
    while stack:
        node = stack.pop()
        if node in stored:
            large.add(node)
        elif isinstance(node.op, Broadcast) and MUCH_SMALLER * node.inputs[0].type.size <= node.type.size:
            continue
        elif node.op.kind is Kind.ELEMENTWISE and cheap(node):
            operations += 1
            stack += node.inputs
        else:
            return False
    return len(large) == 1 and operations <= INLINED_OPERATIONS
