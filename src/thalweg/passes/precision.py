"""Graph to graph: the same function in double precision."""

from __future__ import annotations

import dataclasses

from thalweg.graph.node import Graph, Node


def in_double(graph: Graph) -> Graph:
    """The graph with float64 wherever it has float32: inputs, states, constants and what is computed from them.

    Nor are factors rounded to bfloat16.

    Operations stay the same ones, so a fault in one of their rules stays too. What checks derivatives wants that: in
    float32 a difference keeps two or three digits.
    """
    done: dict[Node, Node] = {}
    for node in graph.nodes():
        op = node.op
        if getattr(op, "dtype", None) == "float32":
            assert dataclasses.is_dataclass(op), "operations are dataclasses"
            op = dataclasses.replace(op, dtype="float64")
        if getattr(op, "precision", None) is not None:
            op = dataclasses.replace(op, precision=None)  # type: ignore[type-var]
        inputs = tuple(done[x] for x in node.inputs)
        done[node] = Node(op, inputs, op.infer(*(x.type for x in inputs)), node.layer)
    return graph.rebuilt(done)
