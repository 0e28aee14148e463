"""Transposes go behind what can be computed before them, where they meet others, and two that undo each other vanish.

So a model of layers with ``data_format="channels_first"`` has its axes exchanged once, where the images come in, and
not around each layer.
"""

from __future__ import annotations

from thalweg.graph.node import Kind, Node, apply
from thalweg.ops.broadcast import Broadcast, Reduction, broadcast
from thalweg.ops.shape import Transpose, transpose

Axes = tuple[int, ...]


def compute_then_transpose(node: Node) -> Node:
    """Elementwise operations on tensors that are all transposed alike, reductions of transposed tensors, repetitions.

    Only of images and the like, three axes and more: a matrix that is transposed is read so by what comes next.
    """
    if isinstance(node.op, Transpose) and isinstance(node.inputs[0].op, Broadcast):
        return _before(node.inputs[0], tuple(node.op.axes.index(a) for a in range(node.rank)))
    axes = _common(node)
    if axes is None:
        return node
    if isinstance(node.op, Reduction):
        (x,) = node.inputs
        summed = tuple(sorted(axes[a] for a in node.op.axes))
        there = [a for a in range(x.rank) if a not in summed]
        reduced = apply(type(node.op)(summed), x.inputs[0])
        return transpose(reduced, tuple(there.index(axes[a]) for a in range(x.rank) if a not in node.op.axes))
    return transpose(apply(node.op, *(_before(x, axes) for x in node.inputs)), axes)


def _common(node: Node) -> Axes | None:
    """How the operation's inputs are transposed; None where they are not, or not alike."""
    if not (node.op.kind is Kind.ELEMENTWISE or isinstance(node.op, Reduction)) or node.inputs[0].rank < 3:
        return None
    orders = {x.op.axes for x in node.inputs if isinstance(x.op, Transpose)}
    movable = (isinstance(x.op, Transpose | Broadcast) or x.dtype == "bool" for x in node.inputs)
    if len(orders) != 1 or not all(movable):  # a mask, of dropout, is rather transposed than the numbers
        return None
    (order,) = orders
    return order


def _before(x: Node, axes: Axes) -> Node:
    """What becomes ``x`` when it is transposed by ``axes``."""
    if isinstance(x.op, Transpose):
        return x.inputs[0]
    if not isinstance(x.op, Broadcast):
        return transpose(x, tuple(axes.index(a) for a in range(x.rank)))
    (part,) = x.inputs
    places = [axes[a] for a in x.op.axes]
    order = tuple(sorted(range(part.rank), key=places.__getitem__))
    shape = tuple(x.shape[axes.index(a)] for a in range(x.rank))
    return broadcast(transpose(part, order), shape, tuple(sorted(places)))
