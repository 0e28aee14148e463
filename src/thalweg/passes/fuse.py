"""Groups a graph into kernels: which values are stored, and which are computed on the way to them.

A *kernel* is one loop nest over an index space. It computes a few stored values; everything between stored values and
these stays in registers. There are two kinds: a *contraction* with elementwise work on its result, and a *sweep*,
elementwise work with reductions over the same axes. Executors that compile turn each kernel into code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field

from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Kind, Node
from thalweg.ops.broadcast import Broadcast, Reduction


@dataclass(eq=False)
class Kernel:
    """One loop nest.

    ``space`` is the shape that it runs over and ``swept`` the axes that its reductions sum away. ``roots`` are the
    values that it stores, each of the shape ``space`` or of ``space`` without the swept axes. A move among the roots is
    stored by copying its inputs into place, or row by row.
    """

    space: tuple[int, ...]
    swept: tuple[int, ...] = ()
    contraction: Node | None = None
    nodes: list[Node] = field(default_factory=list)
    roots: list[Node] = field(default_factory=list)

    @property
    def kept(self) -> tuple[int, ...]:
        """The shape without the swept axes."""
        return tuple(n for a, n in enumerate(self.space) if a not in self.swept)


def fuse(graph: Graph, dense: Iterable[Node], cheap: Callable[[Node], bool]) -> list[Kernel]:
    """The kernels of a graph, each after those that it reads from.

    Arguments:
        dense: nodes (views or inputs among them) that must be stored as they are, because of how they are read.
        cheap: whether an elementwise node may be computed again in every kernel that uses it.
    """
    stored = set(dense)
    groups = _Grouping(graph, stored)
    needed = required(graph) | stored
    stored |= needed | groups.crossing()
    _inline(graph, stored, needed, cheap)
    for node in graph.nodes():
        if node in stored and node in groups.of:
            groups.of[node].roots.append(node)
    return _ordered([kernel for kernel in groups.kernels if kernel.roots], stored)


def is_leaf(node: Node) -> bool:
    """Whether it is made of nothing."""
    return node.op.kind is Kind.LEAF


def is_view(node: Node) -> bool:
    """Whether it only looks at its input's numbers."""
    return node.op.kind in (Kind.VIEW, Kind.WINDOW)


def is_copied(node: Node) -> bool:
    """Whether it is stored by copying its inputs, or rows of them, into place: a kernel of its own."""
    return node.op.kind in (Kind.MOVE, Kind.LOOKUP)


def behind(node: Node, stored: Iterable[Node] = ()) -> Node:
    """The stored or computed node, or the leaf, that a view looks at."""
    while is_view(node) and node not in stored:
        (node,) = node.inputs
    return node


def reads(kernel: Kernel, stored: set[Node]) -> set[Node]:
    """The stored values and the leaves that a kernel loads."""
    found: set[Node] = set()
    visited: set[Node] = set()
    own = set(kernel.roots)
    stack = [x for root in kernel.roots for x in root.inputs]
    while stack:
        node = stack.pop()
        if node in visited:
            continue
        visited.add(node)
        if (node in stored and node not in own) or is_leaf(node):
            found.add(node)
        else:
            stack.extend(node.inputs)
    return found


class _Grouping:
    """Nodes in kernels, greedily in topological order; never so that two kernels would wait for each other."""

    def __init__(self, graph: Graph, dense: set[Node]) -> None:
        self.kernels: list[Kernel] = []
        self.of: dict[Node, Kernel] = {}
        self.dense = dense
        self._after: dict[Kernel, set[Kernel]] = {}  # the kernels that each reads from
        for node in graph.nodes():
            if node in dense and (is_view(node) or is_leaf(node)):
                self._start(node, Kernel(node.shape))
            elif not is_leaf(node) and not is_view(node):
                self._place(node)

    def crossing(self) -> set[Node]:
        """Values that a kernel other than their own uses."""
        found = set()
        for node, kernel in self.of.items():
            for x in node.inputs:
                source = behind(x, self.dense)
                if source in self.of and (self.of[source] is not kernel or not self._inside(x, kernel)):
                    found.add(source)
        return found

    def _place(self, node: Node) -> None:
        if node.op.kind is Kind.CONTRACTION:
            self._start(node, Kernel(node.shape, contraction=node))
            return
        if is_copied(node):
            self._start(node, Kernel(node.shape))
            return
        for kernel in self._candidates(node):
            if self._fits(node, kernel) and not self._would_wait(node, kernel):
                self._join(node, kernel)
                return
        if isinstance(node.op, Reduction):
            self._start(node, Kernel(node.inputs[0].shape, node.op.axes))
        else:
            self._start(node, Kernel(node.shape))

    def _candidates(self, node: Node) -> list[Kernel]:
        """Kernels of the inputs, the last first. Numbers that depend on nothing computed go together."""
        sources = [self.of[s] for x in node.inputs if (s := behind(x, self.dense)) in self.of]
        if node.shape == () and not sources:
            return [k for k in self.kernels if k.space == () and not self._after[k]]
        return sorted(set(sources), key=self.kernels.index, reverse=True)

    def _fits(self, node: Node, kernel: Kernel) -> bool:
        if any(is_copied(n) or n in self.dense for n in kernel.nodes):
            return False
        if isinstance(node.op, Reduction):
            (x,) = node.inputs
            same = not kernel.swept or kernel.swept == node.op.axes
            return kernel.contraction is None and x.shape == kernel.space and same and self._inside(x, kernel)
        return node.shape == kernel.space or (bool(kernel.swept) and node.shape == kernel.kept)

    def _inside(self, x: Node, kernel: Kernel) -> bool:
        """Whether ``x`` is a value of the kernel, in a form that the kernel has in its registers."""
        if x in self.dense:
            return False
        if self.of.get(x) is kernel:
            return True
        if not isinstance(x.op, Broadcast) or self.of.get(x.inputs[0]) is not kernel or not kernel.swept:
            return False
        kept_axes = tuple(a for a in range(len(kernel.space)) if a not in kernel.swept)
        return x.shape == kernel.space and x.op.axes == kept_axes

    def _would_wait(self, node: Node, kernel: Kernel) -> bool:
        """Whether the kernel, with this node in it, would read from something that reads from it."""
        outside = set()
        for x in node.inputs:
            source = behind(x, self.dense)
            if source in self.of and not self._inside(x, kernel):
                outside.add(self.of[source])
        visited: set[Kernel] = set()
        stack = list(outside)
        while stack:
            k = stack.pop()
            if k is kernel:
                return True
            if k not in visited:
                visited.add(k)
                stack.extend(self._after[k])
        return False

    def _start(self, node: Node, kernel: Kernel) -> None:
        self.kernels.append(kernel)
        self._after[kernel] = set()
        self._join(node, kernel)

    def _join(self, node: Node, kernel: Kernel) -> None:
        if isinstance(node.op, Reduction) and not kernel.swept:
            kernel.swept = node.op.axes
        kernel.nodes.append(node)
        self.of[node] = kernel
        sources = (behind(x, self.dense) for x in node.inputs)
        self._after[kernel] |= {self.of[s] for s in sources if s in self.of and self.of[s] is not kernel}


def required(graph: Graph) -> set[Node]:
    """Values that must be in memory: results, and what products, moves and views other than repetition read."""
    found = {behind(root) for root in graph.roots()}
    for node in graph.nodes():
        whole = node.op.kind is Kind.CONTRACTION or is_copied(node)
        if whole or (is_view(node) and not isinstance(node.op, Broadcast)):
            found |= {behind(x) for x in node.inputs}
    return {node for node in found if not is_leaf(node) and not is_view(node)}


def _inline(graph: Graph, stored: set[Node], required: set[Node], cheap: Callable[[Node], bool]) -> None:
    """Takes out of ``stored`` what each kernel that uses it computes again, from stored values, more quickly."""
    nodes = graph.nodes()
    through_views = {behind(x) for node in nodes for x in node.inputs if is_view(x)}

    def work(node: Node, budget: int, small: int, instead: set[Node]) -> int:
        """How many operations it takes to have the value of ``node`` in a register; counted up to ``budget``.

        Reductions to at most ``small`` numbers are entered in ``instead``: they would be stored.
        """
        if node in stored or is_leaf(node):
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
        if node not in stored or node in required or node in through_views or node.shape == ():
            continue
        instead: set[Node] = set()
        if operations(node, INLINED_OPERATIONS, node.type.size // MUCH_SMALLER, instead) <= INLINED_OPERATIONS:
            stored.discard(node)
            stored |= instead


INLINED_OPERATIONS = 4
"""Up to so many cheap operations are done again rather than their result stored and loaded."""

MUCH_SMALLER = 4
"""Reductions to a part of the size are worth storing where they let a value be computed again."""


def _ordered(kernels: list[Kernel], stored: set[Node]) -> list[Kernel]:
    """Each kernel after those that it reads from."""
    makers = {root: kernel for kernel in kernels for root in kernel.roots}
    order: list[Kernel] = []
    state: dict[Kernel, bool] = {}  # False while its sources are being placed
    for first in kernels:
        stack = [first]
        while stack:
            kernel = stack[-1]
            if kernel not in state:
                state[kernel] = False
                sources = {makers[x] for x in reads(kernel, stored) if x in makers} - {kernel}
                waiting = sorted((k for k in sources if not state.get(k)), key=kernels.index)
                assert all(k not in state for k in waiting), "two kernels wait for each other"
                stack += reversed(waiting)
                continue
            stack.pop()
            if not state[kernel]:
                state[kernel] = True
                order.append(kernel)
    return order
