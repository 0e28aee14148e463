"""Back-propagation: the chain rule on the graph, and nothing more. The rules are in the operations."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.errors import GraphError
from thalweg.graph.node import Node, exact_scope, topological
from thalweg.ops import add, filled


def gradients(loss: Node, wrt: Sequence[Node]) -> list[Node]:
    """The derivative of a scalar by each node of ``wrt``, as new nodes of the graph.

    Nodes are visited from the loss backwards. Each hands what arrived at it (its adjoint) to its inputs through its
    operation's vector-Jacobian product; what meets at a node is added up. A node that the loss does not depend on
    has the gradient 0. The results are nodes like any other, so they can be differentiated again.

    Raises: GraphError if ``loss`` is not a floating point scalar, or an operation on the way has no gradient.
    Source: Linnainmaa (1976), BIT 16; Rumelhart, Hinton & Williams (1986), Nature 323.
    """
    if loss.shape != () or not loss.type.is_float:
        raise GraphError(
            "a gradient of something that is not one number",
            expected="a floating point scalar",
            got=str(loss.type),
            fix="sum or average the loss over all its axes",
        )
    nodes = topological([loss])
    needed = set(wrt)
    for node in nodes:
        if any(x in needed for x in node.inputs):
            needed.add(node)
    adjoints: dict[Node, Node] = {loss: filled((), 1.0, loss.dtype)}
    for node in reversed(nodes):
        if node not in adjoints or node not in needed or not any(x in needed for x in node.inputs):
            continue
        with exact_scope(node.layer):
            for x, part in zip(node.inputs, node.op.vjp(adjoints[node], node.inputs, node), strict=True):
                if part is not None and x in needed:
                    assert part.type == x.type, f"vjp of {node} gives {part.type} for {x.type}"
                    adjoints[x] = add(adjoints[x], part) if x in adjoints else part
    return [adjoints[x] if x in adjoints else filled(x.shape, 0.0, x.dtype) for x in wrt]
