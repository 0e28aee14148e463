"""What products in bfloat16 read: their factors, rounded once, by a kernel of their own or at the end of their maker's.

Rounding commutes with looking at numbers another way, so what is rounded is what views look at.
"""

from __future__ import annotations

from thalweg.graph.node import Graph, Node, exact_scope
from thalweg.ops.bfloat16 import round_to_bfloat16
from thalweg.ops.contraction import Contraction
from thalweg.passes.fuse import is_view


def with_rounded_factors(graph: Graph) -> Graph:
    """The graph in which the factors of such products are the results of roundings."""
    if not any(isinstance(node.op, Contraction) and node.op.precision for node in graph.nodes()):
        return graph
    new: dict[Node, Node] = {}
    rounded: dict[Node, Node] = {}

    def factor(node: Node) -> Node:
        if node not in rounded:
            with exact_scope(node.layer):
                seen = is_view(node)
                rounded[node] = _like(node, (factor(node.inputs[0]),)) if seen else round_to_bfloat16(node)
        return rounded[node]

    for node in graph.nodes():
        inputs = tuple(new[x] for x in node.inputs)
        if isinstance(node.op, Contraction) and node.op.precision:
            inputs = tuple(factor(x) for x in inputs)
        new[node] = node if inputs == node.inputs else _like(node, inputs)
    return graph.rebuilt(new)


def _like(node: Node, inputs: tuple[Node, ...]) -> Node:
    return Node(node.op, inputs, node.type, node.layer)
