"""Checks that a graph is what the executors take it for."""

from __future__ import annotations

from thalweg.errors import OUR_FAULT, GraphError, ThalwegError
from thalweg.graph.node import Graph, Node
from thalweg.graph.types import TensorType


def verify(graph: Graph) -> None:
    """Every node's type follows from its inputs; every leaf's name stands for one thing; updates fit their states.

    Raises: GraphError naming the node and its layer.
    """
    if "verified" in graph.found:
        return
    leaves: dict[tuple[str, str], TensorType] = {}
    for node in graph.nodes():
        _verify_type(node)
        if node.op.name in ("input", "state"):
            key = (node.op.name, str(vars(node.op)["label"]))
            if leaves.setdefault(key, node.type) != node.type:
                raise GraphError(
                    f"two {key[0]}s are called {key[1]!r}",
                    expected=f"one type for this name, {leaves[key]}",
                    got=f"also {node.type}",
                    fix="give them different names",
                    layer=node.layer or None,
                )
    for name, node in graph.updates.items():
        state = leaves.get(("state", name), node.type)
        if state != node.type:
            raise GraphError(
                f"the new value of the state {name!r} does not fit it",
                expected=str(state),
                got=str(node.type),
                fix="check the update rule's shapes and dtypes",
                layer=node.layer or None,
            )
    graph.found["verified"] = True


def _verify_type(node: Node) -> None:
    try:
        inferred = node.op.infer(*(x.type for x in node.inputs))
    except (ThalwegError, AssertionError, TypeError) as error:  # TypeError: not so many inputs
        raise GraphError(
            f"a {node.op.name} does not fit its inputs ({getattr(error, 'problem', error)})",
            expected=getattr(error, "expected", "inputs that the operation can take"),
            got=f"{node.op} of {' and '.join(str(x.type) for x in node.inputs) or 'nothing'}",
            fix=getattr(error, "fix", "make nodes with the functions of thalweg.ops, which check this"),
            layer=node.layer or None,
        ) from error
    if inferred != node.type:
        raise GraphError(
            f"the type of a {node.op.name} is not what its inputs give",
            expected=str(inferred),
            got=str(node.type),
            fix=OUR_FAULT,
            layer=node.layer or None,
        )
