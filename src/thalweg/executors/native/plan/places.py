"""Where stored values lie, decided before kernels are made: what has to be stored as it is, and what inside another.

A value that is padded or joined is made in its place in the result, a view is read where its source lies. Where a
reader cannot read it there (no strides describe the view, or they are not the ones that it needs) something gives way:
a value gets memory of its own, or its rows follow each other, or the view is stored. Each such step puts only those
readers to the test again that look at what has moved.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Set

from thalweg.executors.native.plan.buffer import CallerBuffers, dense_strides
from thalweg.executors.native.plan.turned import vectors_along
from thalweg.executors.native.plan.view import Obstacle, View, chain, temporary, unshaped, view_of, whole
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Kind, Node
from thalweg.ops.contraction import Contraction
from thalweg.ops.leaf import Input, State
from thalweg.ops.shape import unreshaped
from thalweg.ops.views import Box, Move
from thalweg.passes.fuse import behind, is_copied, is_leaf, is_view, required


@dataclass(frozen=True)
class Places:
    """Where values lie.

    Arguments:
        dense: nodes that are stored because of how they are read, views and leaves among them.
        of: the view of every stored value's buffer.
        inside: stored values that are made within a padded or joined one, and that.
        callers: where leaves lie.
    """

    dense: frozenset[Node]
    of: Mapping[Node, View]
    inside: Mapping[Node, Node]
    callers: CallerBuffers

    def leaf(self, node: Node) -> View | None:
        """Where the caller's array lies; None for what is no such array."""
        return leaf_view(node, self.callers)

    def source(self, node: Node) -> View | None:
        """Where to load a value from; None if it has to be computed."""
        place = self.of.get(node) or self.leaf(node)
        return place if place is not None or not is_view(node) else self._looked_at(node)

    def copied_from(self, node: Node) -> View | None:
        """Where a stored leaf or view is copied from; None if what it looks at has to be computed."""
        if is_leaf(node):
            return self.leaf(node)
        return self._looked_at(node) if is_view(node) else None

    def _looked_at(self, view: Node) -> View | None:
        source = behind(view.inputs[0], self.of)
        if self.of.get(source) is None and self.leaf(source) is None:
            return None
        place = view_of(view, lambda node: None if node is view else self.of.get(node) or self.leaf(node))
        assert not isinstance(place, Obstacle), f"{place} was to be stored otherwise"
        return place


def leaf_view(node: Node, callers: CallerBuffers) -> View | None:
    """Where the caller's array lies that a leaf stands for."""
    if isinstance(node.op, Input):
        return whole(callers.data[node.op.label])
    return whole(callers.states[node.op.label]) if isinstance(node.op, State) else None


def place(graph: Graph, dense: Iterable[Node], callers: CallerBuffers) -> Places:
    """Places for all values that are stored whatever the kernels will be: results, and what is read through views.

    Arguments:
        dense: nodes that must be stored as they are.
    """
    placing = _Placing(graph, set(dense), callers)
    placing.settle()
    return Places(frozenset(placing.dense), placing.all(), placing.inside(), callers)


def boxes(node: Node, op: Move) -> tuple[Box, ...]:
    """Where in a padded or joined value each of its inputs lies."""
    return op.boxes(*(x.type for x in node.inputs))


def leaves_zeros(node: Node) -> bool:
    """Whether a padded or joined value has zeros around its inputs."""
    return sum(x.type.size for x in node.inputs) < node.type.size


def _parts(node: Node, op: Move, place: View) -> list[tuple[Node, View]]:
    """What can be made in its place within a padded or joined value at ``place``, and where it goes."""
    if leaves_zeros(node) and len(node.inputs) > 1:
        return []
    every = zip(node.inputs, boxes(node, op), strict=True)
    return [(x, place.part(box)) for x, box in every if all(side.step == 1 for side in box)]


class _Placing:
    """Places that are still being settled."""

    def __init__(self, graph: Graph, dense: set[Node], callers: CallerBuffers) -> None:
        self.nodes = graph.nodes()
        self.dense = dense
        self.callers = callers
        self.needed = required(graph)
        self.alone: set[Node] = set()  # those that must not lie in another, because of how they are read
        self.even: set[Node] = set()  # those whose rows must follow each other
        self.moves = _moves(self.nodes)
        self.places: dict[Node, View | None] = {}
        self.within: dict[Node, Node] = {}
        self.readers = [n for n in self.nodes if is_view(n)]
        self.readers += [n for n in self.nodes if n.op.kind in (Kind.CONTRACTION, Kind.LOOKUP)]
        self.watchers: dict[Node, list[int]] = {}  # the readers that look at a node

    def settle(self) -> None:
        """Lets things give way until everything can be read."""
        for number, reader in enumerate(self.readers):
            for x in (reader,) if is_view(reader) else reader.inputs:
                for node in chain(x):
                    self.watchers.setdefault(node, []).append(number)
        for node in reversed(self.nodes):  # results before what is made in them: no long way from one to the next
            self.place(node)
        queue = list(range(len(self.readers)))
        waiting = set(queue)
        while queue:
            number = queue[0]
            obstacle = self._obstacle(self.readers[number])
            if obstacle is None:
                heapq.heappop(queue)
                waiting.discard(number)
                continue
            for node in self._give_way(obstacle):
                for watcher in self.watchers.get(node, ()):
                    if watcher not in waiting:
                        waiting.add(watcher)
                        heapq.heappush(queue, watcher)

    def all(self) -> dict[Node, View]:
        """The places of all stored values."""
        return {node: view for node in self.nodes if self._stored(node) and (view := self.place(node)) is not None}

    def inside(self) -> dict[Node, Node]:
        """What is made within a padded or joined value, and that."""
        return {node: move for node, move in self.within.items() if self._stored(node)}

    def place(self, node: Node) -> View | None:
        """Where a stored value or a leaf lies; None for others."""
        if node not in self.places:
            self.places[node] = self._place(node)
        return self.places[node]

    def _place(self, node: Node) -> View | None:
        if not self._stored(node):
            return leaf_view(node, self.callers)
        if node not in self.alone and node.type.size and self._made_anywhere(node):
            for move in self.moves.get(node, ()):
                op, within = move.op, self.place(move)
                assert isinstance(op, Move) and within is not None, "moves are stored"
                for x, part in _parts(move, op, within):
                    source, there = unshaped(x, part)
                    if source is node and there is not None:
                        self.within[node] = move
                        return there
        return temporary(node, even=node in self.even)

    def _stored(self, node: Node) -> bool:
        return node in self.needed or node in self.dense or is_copied(node)

    def _made_anywhere(self, node: Node) -> bool:
        """Whether whoever makes a value can write it to any place."""
        return node.op.kind is not Kind.LOOKUP and not (node.op.kind is Kind.MOVE and leaves_zeros(node))

    def _obstacle(self, reader: Node) -> Node | None:
        """What has to be stored otherwise, so that a node can read its inputs."""
        if isinstance(reader.op, Contraction):
            return self._operands_obstacle(reader, reader.op)
        if reader.op.kind is Kind.LOOKUP:
            # rows that are found by number are copied as wholes, so the numbers in one must follow each other
            table = self.place(reader.inputs[0])
            assert table is not None, "a table is stored"
            return None if table.strides[-1] == 1 else reader.inputs[0]
        seen = self._view(reader)
        return seen.node if isinstance(seen, Obstacle) else None

    def _operands_obstacle(self, contraction: Node, op: Contraction) -> Node | None:
        """The operand with the axis that vectors run along must run along it evenly."""
        along = vectors_along(contraction)
        for x, labels in zip(contraction.inputs, (op.x, op.y), strict=True):
            view = self.place(x) or self._view(x)
            assert isinstance(view, View), "an operand is stored, and every view has been tried"
            if view.gathered is not None or (along in labels and view.strides[labels.index(along)] != 1):
                return x
        return None

    def _view(self, view: Node) -> View | Obstacle | None:
        """Where a view looks; None if at something that is computed on the fly."""
        if self.place(behind(view.inputs[0], self.dense)) is None:
            return None
        return view_of(view, lambda node: None if node is view else self.place(node))

    def _give_way(self, obstacle: Node) -> Set[Node]:
        """Gives up a place inside another value, rows apart, or no place at all; what lies elsewhere from now on."""
        for node in chain(obstacle):
            place = self.place(node)
            if node in self.within:
                self.alone.add(node)
                return self._moved(node)
            if self._stored(node) and place is not None and place.strides != dense_strides(node.shape):
                self.even.add(node)
                return self._moved(node)
        assert obstacle not in self.dense, f"{obstacle} is stored and still cannot be read"
        self.dense.add(obstacle)
        return self._moved(obstacle)

    def _moved(self, node: Node) -> Set[Node]:
        """Forgets where a node lies, and what may lie in it."""
        moved: set[Node] = set()
        stack = [node]
        while stack:
            node = stack.pop()
            if node in moved:
                continue
            moved.add(node)
            self.places.pop(node, None)
            self.within.pop(node, None)
            stack += [source for x in node.inputs if (source := unreshaped(x)) in self.moves] if is_copied(node) else []
        return moved


def _moves(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    """For what is padded or joined the nodes that do it, the last first."""
    moves: dict[Node, list[Node]] = {}
    for node in nodes:
        for x in node.inputs if node.op.kind is Kind.MOVE else ():
            into = moves.setdefault(unreshaped(x), [])
            if node not in into:
                into.insert(0, node)
    return moves
