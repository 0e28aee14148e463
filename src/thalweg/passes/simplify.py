"""Graph to graph: composites replaced by primitives, constants folded, equal expressions computed once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from thalweg.graph.node import Graph, Kind, Node, Nodes, Op, apply, exact_scope
from thalweg.ops.broadcast import Broadcast, broadcast
from thalweg.ops.cast import Cast
from thalweg.ops.elementwise import Divide, Multiply, Subtract
from thalweg.ops.leaf import Constant, StopGradient, constant
from thalweg.ops.shape import Reshape, Transpose, reshape, transpose
from thalweg.passes.transposes import compute_then_transpose

Rule = Callable[[Node], Node]


def simplify(graph: Graph, supported: Callable[[type[Op]], bool]) -> Graph:
    """The same function without repeated or needless work, and without composites that are not supported.

    Arguments:
        supported: whether the executor can do an operation. Others are replaced by what they decompose into; one that
            decomposes into nothing stays.
    """
    done: dict[Node, Node] = {}  # what became of each node; a node that came out of here became itself
    known: dict[tuple[Op | str, Nodes], Node] = {}

    def share(node: Node) -> Node:
        """The first node that computes this. Equal operations on equal inputs are equal: there are no side effects."""
        # the numbers 0.0 and -0.0 are equal to Python, but 1 divided by them is not; NaN is not even equal to itself
        op = repr(node.op) if isinstance(node.op, Constant) else node.op
        return known.setdefault((op, node.inputs), node)

    def settle(root: Node) -> Node:
        """``root`` with everything below it simplified, bottom up."""
        stack = [root]
        while stack:
            node = stack[-1]
            waiting = [x for x in node.inputs if x not in done]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            if node in done:
                continue
            with exact_scope(node.layer):
                inputs = tuple(done[x] for x in node.inputs)
                current = node.on(inputs)
                better = _simpler(current)
                if better is current and not supported(type(node.op)):
                    parts = node.op.decompose(*inputs)
                    better = current if parts is None else parts
                result = share(current) if better is current else settle(better)
                done[node] = done[result] = result
        return done[root]

    for root in graph.roots():
        settle(root)
    return graph.rebuilt(done)


def _simpler(node: Node) -> Node:
    """The node itself, or a simpler one of the same value."""
    for rule in _RULES:
        better = rule(node)
        if better is not node:
            return better
    return node


def _drop_identity(node: Node) -> Node:
    """``x * 1``, ``x / 1``, ``x - 0``, a cast to the same dtype and a stop_gradient, which has done its work."""
    op, inputs = node.op, node.inputs
    if isinstance(op, StopGradient) or (isinstance(op, Cast) and op.dtype == inputs[0].dtype):
        return inputs[0]
    if isinstance(op, Multiply | Divide) and _scalar(inputs[1]) == 1:
        return inputs[0]
    if isinstance(op, Multiply) and _scalar(inputs[0]) == 1:
        return inputs[1]
    if isinstance(op, Subtract) and _scalar(inputs[1]) == 0:
        return inputs[0]
    return node


def _merge_shapes(node: Node) -> Node:
    """Two changes of shape, one after the other, are one."""
    if not node.inputs or not isinstance(node.op, Broadcast | Reshape | Transpose):
        return node
    (x,) = node.inputs
    if x.shape == node.shape and not isinstance(node.op, Transpose):
        return x
    if isinstance(node.op, Broadcast) and isinstance(x.op, Broadcast):
        return broadcast(x.inputs[0], node.shape, tuple(node.op.axes[a] for a in x.op.axes))
    if isinstance(node.op, Reshape) and isinstance(x.op, Reshape):
        return reshape(x, node.shape)
    if isinstance(node.op, Reshape | Transpose) and isinstance(x.op, Broadcast) and x.inputs[0].shape == ():
        return broadcast(x.inputs[0], node.shape, ())
    if isinstance(node.op, Transpose) and isinstance(x.op, Transpose):
        return transpose(x.inputs[0], tuple(x.op.axes[a] for a in node.op.axes))
    return node


def _fold_constants(node: Node) -> Node:
    """Arithmetic on numbers is done now."""
    if node.shape != () or not node.inputs or not all(isinstance(x.op, Constant) for x in node.inputs):
        return node
    with np.errstate(all="ignore"):
        value = node.op.reference(*(x.op.reference() for x in node.inputs))
    return constant(value.item(), node.dtype)


def _compute_then_broadcast(node: Node) -> Node:
    """What is computed from repetitions of the same shape is the repetition of what is computed."""
    if node.op.kind is not Kind.ELEMENTWISE or not all(isinstance(x.op, Broadcast) for x in node.inputs):
        return node
    ops = {(x.op, x.inputs[0].shape) for x in node.inputs}
    if len(ops) != 1:
        return node
    (first, *_) = node.inputs
    assert isinstance(first.op, Broadcast), "checked above"
    return broadcast(apply(node.op, *(x.inputs[0] for x in node.inputs)), node.shape, first.op.axes)


def _scalar(node: Node) -> float | int | bool | None:
    """The number that the node repeats, if it is a constant."""
    if isinstance(node.op, Broadcast):
        (node,) = node.inputs
    return node.op.value if isinstance(node.op, Constant) else None


_RULES: tuple[Rule, ...] = (
    _drop_identity,
    _merge_shapes,
    _fold_constants,
    _compute_then_broadcast,
    compute_then_transpose,
)
