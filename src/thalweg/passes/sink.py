"""Moves changes of shape behind what is computed from them.

The gradient of a pooling repeats each number over its window: over axes (batch, rows, 2, columns, 2, channels). What
comes next (a mask, a sum) is computed over (batch, 2 * rows, 2 * columns, channels), where no strides describe the
repetition: so the gradient would be stored, and loaded again. Computed over the six axes it stays in registers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from thalweg.graph.node import Graph, Kind, Node, apply, exact_scope
from thalweg.ops.broadcast import Broadcast, Reduction, broadcast
from thalweg.ops.shape import Reshape, reshape
from thalweg.passes.fuse import is_leaf, required

Groups = list[list[int]]


def sink(graph: Graph, cheap: Callable[[Node], bool]) -> Graph:
    """The same function; what is repeated within an axis is used in the shape in which it is repeated.

    Arguments:
        cheap: whether an elementwise node may be computed again.
    """
    return _Sinking(graph, cheap).graph()


class _Sinking:
    def __init__(self, graph: Graph, cheap: Callable[[Node], bool]) -> None:
        self.before = graph
        self.cheap = cheap
        self.stored = required(graph)
        self.users: dict[Node, list[Node]] = {}
        for node in graph.nodes():
            for x in node.inputs:
                self.users.setdefault(x, []).append(node)
        self.new: dict[Node, Node] = {}
        self.split: dict[tuple[Node, tuple[int, ...]], Node | None] = {}

    def graph(self) -> Graph:
        for node in self.before.nodes():
            with exact_scope(node.layer):
                self.new[node] = self._sunk(node)
        return self.before.rebuilt(self.new)

    def _sunk(self, node: Node) -> Node:
        inputs = tuple(self.new[x] for x in node.inputs)
        if _is_elementwise(node):
            for old, x in zip(node.inputs, inputs, strict=True):
                groups = self._repeated(x)
                if groups and all(_is_elementwise(user) or isinstance(user.op, Reduction) for user in self.users[old]):
                    shape = x.inputs[0].shape
                    parts = [self._split(y, shape, groups) for y in node.inputs]
                    if all(part is not None for part in parts):
                        return reshape(apply(node.op, *parts), node.shape)  # type: ignore[arg-type]
        if isinstance(node.op, Reduction):
            groups = self._repeated(inputs[0])
            if groups:
                axes = tuple(a for axis in node.op.axes for a in groups[axis])
                return reshape(apply(type(node.op)(axes), inputs[0].inputs[0]), node.shape)
        return node.on(inputs)

    def _repeated(self, x: Node) -> Groups | None:
        """For each axis those that it is merged of, if x is another shape of what is repeated within an axis."""
        if not isinstance(x.op, Reshape):
            return None
        (y,) = x.inputs
        groups = _merged(y.shape, x.shape)
        return groups if groups is not None and _repeats_within(y, groups) else None

    def _split(self, old: Node, shape: tuple[int, ...], groups: Groups) -> Node | None:
        """A node in another shape, without a need to store it for that; None if there is none."""
        stack = [old]
        while stack:
            node = stack[-1]
            waiting = [x for x in node.inputs if (x, shape) not in self.split] if self._computed_again(node) else []
            if waiting:
                stack += waiting
                continue
            stack.pop()
            if (node, shape) not in self.split:
                self.split[node, shape] = self._splitting(node, shape, groups)
        return self.split[old, shape]

    def _computed_again(self, old: Node) -> bool:
        return _is_elementwise(old) and old not in self.stored and self.cheap(old)

    def _splitting(self, old: Node, shape: tuple[int, ...], groups: Groups) -> Node | None:
        """The same, where the inputs of what is computed again have been split."""
        node = self.new[old]
        if isinstance(node.op, Reshape) and node.inputs[0].shape == shape:
            return node.inputs[0]
        if isinstance(node.op, Broadcast):
            along = [groups[axis] for axis in node.op.axes]
            if any(len(axes) != 1 for axes in along):
                return None
            return broadcast(node.inputs[0], shape, tuple(axis for (axis,) in along))
        if old in self.stored or is_leaf(old) or old.op.kind is Kind.CONTRACTION:
            return reshape(node, shape)
        if not self._computed_again(old):
            return None
        parts = [self.split[x, shape] for x in old.inputs]
        return None if any(part is None for part in parts) else apply(old.op, *parts)  # type: ignore[arg-type]


def _is_elementwise(node: Node) -> bool:
    return node.op.kind is Kind.ELEMENTWISE


def _merged(old: tuple[int, ...], new: tuple[int, ...]) -> Groups | None:
    """For each new axis the old ones that it is merged of; None if it is not so."""
    groups: Groups = []
    left = list(range(len(old)))
    for n in new:
        group = [left.pop(0)] if left else []
        while left and math.prod(old[a] for a in group) < n:
            group.append(left.pop(0))
        if not group or math.prod(old[a] for a in group) != n:
            return None
        groups.append(group)
    return groups if not left else None


def _repeats_within(node: Node, groups: Groups) -> bool:
    """Whether something is computed from repetitions along some of the axes of a group, and not along the others."""
    seen: set[Node] = set()
    stack = [node]
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        if isinstance(x.op, Broadcast):
            along = [[a in x.op.axes for a in group if x.shape[a] != 1] for group in groups]
            if any(any(kept) and not all(kept) for kept in along):
                return True
        elif _is_elementwise(x):
            stack += x.inputs
    return False
