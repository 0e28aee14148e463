"""Groups a graph into kernels: which values are stored, and which are computed on the way to them.

A *kernel* is one loop nest over an index space. It computes a few stored values; everything between stored values and
these stays in registers. There are two kinds: a *contraction* with elementwise work on its result, and a *sweep*,
elementwise work with reductions over the same axes. Executors that compile turn each kernel into code.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import field

from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Kind, Node
from thalweg.ops.broadcast import Broadcast, Reduction


@dataclass(frozen=True, eq=False)
class Kernel:
    """One loop nest.

    ``space`` is the shape that it runs over and ``swept`` the axes that its reductions sum away. ``roots`` are the
    values that it stores, each of the shape ``space`` or of ``space`` without the swept axes. A move among the roots is
    stored by copying its inputs into place, or row by row.
    """

    space: tuple[int, ...]
    swept: tuple[int, ...] = ()
    contraction: Node | None = None
    nodes: tuple[Node, ...] = ()
    roots: tuple[Node, ...] = ()

    @property
    def kept(self) -> tuple[int, ...]:
        """The shape without the swept axes."""
        return tuple(n for a, n in enumerate(self.space) if a not in self.swept)


def fuse(graph: Graph, dense: Iterable[Node], cheap: Callable[[Node], bool]) -> tuple[Kernel, ...]:
    """The kernels of a graph, each after those that it reads from.

    Arguments:
        dense: nodes (views or inputs among them) that must be stored as they are, because of how they are read.
        cheap: whether an elementwise node may be computed again in every kernel that uses it.
    """
    nodes = graph.nodes()
    dense = frozenset(dense)
    groups = _Grouping(nodes, dense)
    needed = required(graph) | dense
    stored = _inlined(nodes, needed | groups.crossing(), needed, cheap)
    kernels = [group.kernel(stored) for group in groups.groups]
    return _ordered([kernel for kernel in kernels if kernel.roots], stored)


def stored_in(kernels: Iterable[Kernel]) -> frozenset[Node]:
    """All values that kernels store."""
    return frozenset(root for kernel in kernels for root in kernel.roots)


def is_leaf(node: Node) -> bool:
    """Whether it is made of nothing."""
    return node.op.kind is Kind.LEAF


def is_view(node: Node) -> bool:
    """Whether it only looks at its input's numbers."""
    return node.op.kind in (Kind.VIEW, Kind.WINDOW)


def is_copied(node: Node) -> bool:
    """Whether it is stored by copying its inputs, or rows of them, into place: a kernel of its own."""
    return node.op.kind in (Kind.MOVE, Kind.LOOKUP)


def behind(node: Node, stored: Container[Node] = ()) -> Node:
    """The stored or computed node, or the leaf, that a view looks at."""
    while is_view(node) and node not in stored:
        (node,) = node.inputs
    return node


def reads(kernel: Kernel, stored: Container[Node]) -> set[Node]:
    """The stored values and the leaves that a kernel loads; also a leaf that it is a copy of."""
    loaded = {root for root in kernel.roots if is_leaf(root)}
    visited: set[Node] = set()
    own = set(kernel.roots)
    stack = [x for root in kernel.roots for x in root.inputs]
    while stack:
        node = stack.pop()
        if node in visited:
            continue
        visited.add(node)
        if (node in stored and node not in own) or is_leaf(node):
            loaded.add(node)
        else:
            stack.extend(node.inputs)
    return loaded


@dataclass(eq=False)
class _Group:
    """A kernel that is being put together. ``sources`` are the numbers of the groups that it waits for, as bits."""

    number: int
    space: tuple[int, ...]
    swept: tuple[int, ...] = ()
    contraction: Node | None = None
    closed: bool = False  # nothing may join it
    nodes: list[Node] = field(default_factory=list)
    sources: int = 0
    readers: list[_Group] = field(default_factory=list)
    of_numbers: bool = True  # all that it waits for are single numbers, made of nothing else

    @property
    def given(self) -> bool:
        """Whether it is made of leaves and single numbers alone, as random numbers are and a slot's decay."""
        return self.of_numbers and not (self.swept or self.closed or self.contraction is not None)

    @property
    def kept(self) -> tuple[int, ...]:
        return tuple(n for a, n in enumerate(self.space) if a not in self.swept)

    def waits_for(self, other: _Group) -> bool:
        return bool(self.sources >> other.number & 1)

    def read_from(self, source: _Group) -> None:
        """This group, and whoever waits for it, waits for the source and for what that waits for."""
        source.readers.append(self)
        before = source.sources | 1 << source.number
        of_numbers = source.given and source.space == ()
        waiting = [self]
        while waiting:
            group = waiting.pop()
            if before & ~group.sources:
                group.sources |= before
                group.of_numbers = group.of_numbers and of_numbers
                waiting += group.readers

    def kernel(self, stored: Container[Node]) -> Kernel:
        roots = tuple(node for node in self.nodes if node in stored)
        return Kernel(self.space, self.swept, self.contraction, tuple(self.nodes), roots)


class _Grouping:
    """Nodes in groups, greedily in topological order; never so that two groups would wait for each other."""

    def __init__(self, nodes: Iterable[Node], dense: Container[Node]) -> None:
        self.groups: list[_Group] = []
        self.of: dict[Node, _Group] = {}
        self.dense = dense
        for node in nodes:
            if node in dense and (is_view(node) or is_leaf(node)):
                self._join(node, self._new(node.shape))
            elif not is_leaf(node) and not is_view(node):
                self._join(node, self._group_for(node))

    def crossing(self) -> set[Node]:
        """Values that a kernel other than their own uses."""
        used = set()
        for node, group in self.of.items():
            for x in node.inputs:
                source = behind(x, self.dense)
                if source in self.of and (self.of[source] is not group or not self._inside(x, group)):
                    used.add(source)
        return used

    def _group_for(self, node: Node) -> _Group:
        if node.op.kind is Kind.CONTRACTION:
            return self._new(node.shape, contraction=node)
        if is_copied(node):
            return self._new(node.shape, closed=True)
        for group in self._candidates(node):
            if self._fits(node, group) and not self._would_wait(node, group):
                return group
        if isinstance(node.op, Reduction):
            return self._new(node.inputs[0].shape, node.op.axes)
        return self._new(node.shape)

    def _candidates(self, node: Node) -> list[_Group]:
        """Groups of the inputs: the last first, but those that another can take in at the end.

        Numbers that depend on nothing computed go together.
        """
        sources = self._sources(node)
        if node.shape == () and not sources:
            return [group for group in self.groups if group.space == () and not group.sources]
        return sorted(set(sources), key=lambda group: (not group.given, group.number), reverse=True)

    def _fits(self, node: Node, group: _Group) -> bool:
        if group.closed:
            return False
        if isinstance(node.op, Reduction):
            (x,) = node.inputs
            same = not group.swept or group.swept == node.op.axes
            return group.contraction is None and x.shape == group.space and same and self._inside(x, group)
        return node.shape == group.space or (bool(group.swept) and node.shape == group.kept)

    def _inside(self, x: Node, group: _Group) -> bool:
        """Whether ``x`` is a value of the group, in a form that its kernel has in its registers."""
        if x in self.dense:
            return False
        if self.of.get(x) is group:
            return True
        if not isinstance(x.op, Broadcast) or self.of.get(x.inputs[0]) is not group or not group.swept:
            return False
        kept_axes = tuple(a for a in range(len(group.space)) if a not in group.swept)
        return x.shape == group.space and x.op.axes == kept_axes

    def _would_wait(self, node: Node, group: _Group) -> bool:
        """Whether the group, with this node in it, would read from something that reads from it."""
        for x in node.inputs:
            source = self.of.get(behind(x, self.dense))
            if source is not None and not self._inside(x, group) and (source is group or source.waits_for(group)):
                return True
        return False

    def _new(
        self,
        space: tuple[int, ...],
        swept: tuple[int, ...] = (),
        contraction: Node | None = None,
        closed: bool = False,
    ) -> _Group:
        group = _Group(len(self.groups), space, swept, contraction, closed)
        self.groups.append(group)
        return group

    def _join(self, node: Node, group: _Group) -> None:
        if isinstance(node.op, Reduction) and not group.swept:
            group.swept = node.op.axes
        group.closed = group.closed or node in self.dense
        if node.op.kind is Kind.ELEMENTWISE:
            self._take_in(node, group)
        group.nodes.append(node)
        self.of[node] = group
        for source in self._sources(node):
            if source is not group:
                group.read_from(source)

    def _take_in(self, node: Node, group: _Group) -> None:
        """What is given is computed where it is first used, if that needs it in no other form."""
        sources = self._sources(node)
        otherwise = [self.of.get(behind(x, self.dense)) for x in node.inputs if x not in self.of]
        for given in dict.fromkeys(self.of[x] for x in node.inputs if x in self.of):
            if given in (group, *otherwise) or given.space != group.space or not given.given:
                continue
            if any(one.waits_for(given) for one in (group, *sources)):
                continue
            self.of |= dict.fromkeys(given.nodes, group)
            group.nodes += given.nodes
            for number in _ones(given.sources):
                group.read_from(self.groups[number])
            for reader in given.readers:
                if reader is not group:
                    reader.read_from(group)
            given.nodes, given.readers = [], []

    def _sources(self, node: Node) -> list[_Group]:
        sources = (behind(x, self.dense) for x in node.inputs)
        return [self.of[source] for source in sources if source in self.of]


def _ones(bits: int) -> Iterator[int]:
    """The places of the bits that are set."""
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1


def required(graph: Graph) -> set[Node]:
    """Values that must be in memory: results, and what products, moves and views other than repetition read."""
    used = {behind(root) for root in graph.roots()}
    for node in graph.nodes():
        whole = node.op.kind is Kind.CONTRACTION or is_copied(node)
        if whole or (is_view(node) and not isinstance(node.op, Broadcast)):
            used |= {behind(x) for x in node.inputs}
    return {node for node in used if not is_leaf(node) and not is_view(node)}


def _inlined(
    nodes: Iterable[Node], stored: Iterable[Node], needed: Container[Node], cheap: Callable[[Node], bool]
) -> set[Node]:
    """``stored`` without what each kernel that uses it computes again, from stored values, more quickly."""
    left = set(stored)
    through_views = {behind(x) for node in nodes for x in node.inputs if is_view(x)}

    def work(node: Node, budget: int, small: int, instead: set[Node]) -> int:
        """How many operations it takes to have the value of ``node`` in a register; counted up to ``budget``.

        Reductions to at most ``small`` numbers are entered in ``instead``: they would be stored.
        """
        if node in left or is_leaf(node):
            return 0
        if is_view(node):
            return work(node.inputs[0], budget, small, instead)
        if isinstance(node.op, Reduction) and node.type.size <= small:
            instead.add(node)
            return 0
        return operations(node, budget, small, instead)

    def operations(node: Node, budget: int, small: int, instead: set[Node]) -> int:
        total = 1 if cheap(node) else budget + 1
        for x in node.inputs:
            if total > budget:
                break
            total += work(x, budget - total, small, instead)
        return total

    for node in nodes:
        if node not in left or node in needed or node in through_views or node.shape == ():
            continue
        instead: set[Node] = set()
        if operations(node, INLINED_OPERATIONS, node.type.size // MUCH_SMALLER, instead) <= INLINED_OPERATIONS:
            left.discard(node)
            left |= instead
    return left


INLINED_OPERATIONS = 4
"""Up to so many cheap operations are done again rather than their result stored and loaded."""

MUCH_SMALLER = 4
"""Reductions to a part of the size are worth storing where they let a value be computed again."""


def _ordered(kernels: list[Kernel], stored: Container[Node]) -> tuple[Kernel, ...]:
    """Each kernel after those that it reads from."""
    makers = {root: number for number, kernel in enumerate(kernels) for root in kernel.roots}
    order: list[Kernel] = []
    done: dict[int, bool] = {}  # False while its sources are being placed
    for first in range(len(kernels)):
        stack = [first]
        while stack:
            number = stack[-1]
            if number not in done:
                done[number] = False
                sources = {makers[x] for x in reads(kernels[number], stored) if x in makers} - {number}
                waiting = sorted(source for source in sources if not done.get(source))
                assert all(source not in done for source in waiting), "two kernels wait for each other"
                stack += reversed(waiting)
                continue
            stack.pop()
            if not done[number]:
                done[number] = True
                order.append(kernels[number])
    return tuple(order)
