"""Puts contractions into the form that the tiles are made for, and sums into pieces that threads can share.

A tile runs its vectors along the last axis of the result, which must lie evenly in one operand and not occur in the
other. Where it does not lie so (the weights, in the gradient by a layer's input), a transposed copy is put in: of the
other operand, if that is much smaller (see turned.py), else of this one.
A contraction in which one operand has no axis of its own (matrix times vector) becomes a product and a sum.

A sum of much to little (a bias gradient, over all places of all images) is done in two steps: first each image by
itself. Otherwise it would be one unit of work, whatever its size; and an image that has just been made is at hand.

The margins of windows are stored as zeros around a copy, except where a contraction reads them: tiles leave them out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import replace

from thalweg.executors.native.host import ITEMSIZE, Host
from thalweg.executors.native.plan.factors import Pairs, in_pairs, with_rounded_factors
from thalweg.executors.native.plan.tiles import has_many_terms, stands_alone
from thalweg.executors.native.plan.turned import is_worth_turning
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Kind, Node, apply, exact_scope
from thalweg.ops import broadcast, filled, multiply, reshape, transpose
from thalweg.ops.bfloat16 import PairBfloat16
from thalweg.ops.broadcast import Broadcast, ReduceSum, Reduction
from thalweg.ops.contraction import Contraction, Labels, PairContraction
from thalweg.ops.convolution import Windows
from thalweg.ops.leaf import Constant, Input, Iota
from thalweg.ops.shape import Transpose
from thalweg.passes.fuse import behind, is_view


@dataclass(frozen=True)
class Operand:
    """A tensor whose axes carry labels."""

    node: Node
    labels: Labels

    @property
    def long(self) -> list[int]:
        """Labels of the axes that are longer than 1, in order."""
        return [label for label, n in zip(self.labels, self.node.shape, strict=True) if n != 1]

    def untransposed(self) -> Operand:
        """The same, with transpositions undone in the labels."""
        node, labels = self.node, self.labels
        while isinstance(node.op, Transpose):
            labels = tuple(labels[node.op.axes.index(a)] for a in range(len(labels)))
            (node,) = node.inputs
        return Operand(node, labels)

    def ordered(self, labels: Labels) -> Operand:
        """The same, its axes in another order."""
        return Operand(transpose(self.node, tuple(self.labels.index(label) for label in labels)), labels)

    def squeezed(self) -> Operand:
        """The same without axes of size 1."""
        shape = tuple(n for n in self.node.shape if n != 1)
        return Operand(reshape(self.node, shape), tuple(self.long))


@dataclass(frozen=True)
class Legal:
    """A graph of which every operation can be done, if the nodes ``dense`` are stored as they are."""

    graph: Graph
    dense: frozenset[Node]


def legalise(graph: Graph, gather: bool, host: Host) -> Legal:
    """The graph with contractions that tiles can do, and the nodes that have to be stored as they are for them."""
    graph = with_rounded_factors(graph, host.bfloat16)
    work = _Legalising(host)
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        inputs = tuple(new[x] for x in node.inputs)
        with exact_scope(node.layer):
            new[node] = work.legal(node.on(inputs))
    graph = graph.rebuilt(new)
    return Legal(graph, frozenset(work.dense | _read_as_stored(graph, work.dense, gather)))


def _read_as_stored(graph: Graph, dense: Set[Node], gather: bool) -> set[Node]:
    """What has to be stored because tiles, lookups and counting loops cannot read it where it lies, or from nowhere.

    Arguments:
        dense: what is stored already.
    """
    stored = set(dense)
    for node in graph.nodes():
        for x in node.inputs if isinstance(node.op, Contraction) else ():
            source = behind(x, stored)
            if gather and isinstance(source.op, Input):
                stored.add(source)  # its rows lie all over the data
            elif isinstance(source.op, Constant | Iota):
                stored.add(_inside_margins(x))
        for x in node.inputs if isinstance(node.op, PairBfloat16) and gather else ():
            source = behind(x, stored)
            if isinstance(source.op, Input):
                stored.add(source)
        for x in node.inputs if node.op.kind is Kind.LOOKUP else ():
            lies_elsewhere = isinstance(x.op, Constant | Iota) or (gather and isinstance(x.op, Input))
            if lies_elsewhere or is_view(x):
                stored.add(x)
        if is_view(node) and not isinstance(node.op, Broadcast) and isinstance(behind(node).op, Iota):
            stored.add(behind(node))  # a loop counts along its own axes, and not those that a view makes of them
    return stored


class _Legalising:
    """One node after the other."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.pairs = Pairs() if host.bfloat16 else None  # if there is code for products in bfloat16 of factors in pairs
        self.dense: set[Node] = set()
        self._copies: dict[tuple[Node, Labels], Node] = {}
        self._bordered: dict[Node, Node] = {}  # for windows whose margins are stored, those where they are not

    def legal(self, node: Node) -> Node:
        """What takes the place of a node whose inputs are legal."""
        op = node.op
        if isinstance(op, Contraction):
            return self._contraction(node, op)
        if isinstance(op, Windows) and op.bordered_axes():
            return self._with_stored_margins(node, op)
        return _reduced(op, node.inputs[0]) if isinstance(op, Reduction) else node

    def _with_stored_margins(self, node: Node, op: Windows) -> Node:
        stored = op.without_margins(*node.inputs)
        taps = [k for k, margin in zip(op.size, op.margins, strict=True) if any(margin)]
        if min(taps) > 1 and max(taps) <= MOST_TAPS:
            self._bordered[stored] = node
        return stored

    def _contraction(self, node: Node, op: Contraction) -> Node:
        x, y = (Operand(n, labels).untransposed() for n, labels in zip(node.inputs, (op.x, op.y), strict=True))
        if x.node.type.size == 0 or y.node.type.size == 0:
            return filled(node.shape, 0.0, node.dtype)
        result = Operand(node, op.out)
        if set(x.long) <= set(y.long) or set(y.long) <= set(x.long):
            return _product_and_sum(x, y, result)
        lane, aside = self._lane(x, y, result)
        out = (*(label for label in op.out if label != lane), lane)
        if op.precision is None and (turned := self._turned(x, y, lane, result)):
            return apply(Contraction(turned[0].labels, turned[1].labels, op.out), *(o.node for o in turned))
        paired = self.pairs is not None and in_pairs(node)
        along = [label for label in op.summed if label in x.long][-1:] if paired else []
        x, y = (
            self._lanes_last(operand, lane, along) if lane in operand.long else self._beside_lanes(operand, along)
            for operand in (x, y)
        )
        kind = PairContraction if paired else Contraction
        product = Operand(apply(kind(x.labels, y.labels, out, op.precision), x.node, y.node), out)
        ordered = product.ordered(op.out).node
        emulated = op.precision and not paired  # with a setting of the processor that nothing else may have
        if aside or emulated or _stands_alone(x if lane in x.long else y, out):
            self.dense.add(product.node)
        if aside:
            self.dense.add(ordered)
        return ordered

    def _lane(self, x: Operand, y: Operand, result: Operand) -> tuple[int, bool]:
        """The label of the lanes' axis, the last of the result that only one operand has; and whether the product is to
        be stored aside, before anything follows.

        Where the last axis of a small gradient fills less than half a vector (a layer of few classes), and another one
        lies last in its operand and fills one, that is the lanes', if there is enough to add up to pay for turning the
        result. Small products side by side are added up in several passes, and so stored aside anyway.
        """
        sizes = dict(zip((*x.labels, *y.labels), (*x.node.shape, *y.node.shape), strict=True))
        free = [label for label in result.long if (label in x.long) != (label in y.long)]
        lane = result.long[-1] if result.long[-1] in free else free[-1]
        several = [label for label in result.long if label not in free]
        firsts = {x.long[0], y.long[0]}
        size = math.prod(sizes[label] for label in result.long) * ITEMSIZE[result.node.dtype]
        if (
            size > self.host.core.l1_bytes // 2
            or len(x.long) + len(y.long) != 2 * len(several) + len(free) + 2
            or len(firsts) > 1
            or firsts & {*result.long}
            or not has_many_terms(sizes[x.long[0]])
        ):
            return lane, False
        width = self.host.lanes(result.node.dtype)
        full = [o.long[-1] for o in (x, y) if o.long[-1] in free and sizes[o.long[-1]] >= width]
        other = full[0] if 2 * sizes[lane] < width and full else lane
        if not several and (other == lane or sizes[other] * sizes[x.long[0]] < WORTH_TURNING):
            return lane, False
        return other, True

    def _turned(self, x: Operand, y: Operand, lane: int, result: Operand) -> tuple[Operand, Operand] | None:
        """The operands of a product in whose tiles the lanes run along the rows first, if that is worth it."""
        rows, columns = (x, y) if lane in y.long else (y, x)
        if not len(result.long) == len(rows.long) == len(columns.long) == 2 or columns.long[-1] == lane:
            return None
        sizes = dict(zip((*rows.labels, *columns.labels), (*rows.node.shape, *columns.node.shape), strict=True))
        (row,), (summed,) = ([a for a in rows.long if (a in columns.long) is shared] for shared in (False, True))
        three, has_rows_last = (sizes[row], sizes[lane], sizes[summed]), rows.long[-1] == row
        if not is_worth_turning(*three, result.node.dtype, self.host, has_rows_last=has_rows_last):
            return None
        return self._lanes_last(rows, row), columns

    def _beside_lanes(self, operand: Operand, pairs: Sequence[int]) -> Operand:
        """The operand without the lanes' axis, in pairs along an axis if there is one in ``pairs``."""
        operand = self._without_stored_margins(operand)
        return self._in_pairs(operand, pairs[0], 0.0) if pairs else operand

    def _in_pairs(self, operand: Operand, label: int, rest: float) -> Operand:
        assert self.pairs is not None, "there is code for pairs"
        return Operand(self.pairs.along(operand.node, operand.labels.index(label), rest), operand.labels)

    def _lanes_last(self, operand: Operand, lane: int, pairs: Sequence[int] = ()) -> Operand:
        """The operand with the lanes' axis last in memory, in pairs along an axis if there is one in ``pairs``.

        Pairs of neighbours are made before they are turned, others afterwards.
        """
        if pairs and operand.long[-1] == pairs[0]:
            return self._lanes_last(self._in_pairs(operand, pairs[0], -0.0), lane)
        if pairs:
            return self._in_pairs(self._lanes_last(operand, lane), pairs[0], -0.0)
        if operand.long[-1] == lane:
            return operand
        labels = (*(label for label in operand.labels if label != lane), lane)
        order = tuple(operand.labels.index(label) for label in labels)
        copy = self._copies.setdefault((operand.node, order), operand.ordered(labels).node)
        self.dense.add(copy)
        return Operand(copy, labels)

    def _without_stored_margins(self, operand: Operand) -> Operand:
        """The operand with the margins of its windows left out, where there are such windows."""
        above: list[Node] = []
        node = operand.node
        while node not in self._bordered and is_view(node):
            above.append(node)
            (node,) = node.inputs
        if node not in self._bordered:
            return operand
        node = self._bordered[node]
        for view in reversed(above):
            node = Node(view.op, (node,), view.type, view.layer)
        return Operand(node, operand.labels)


def _stands_alone(y: Operand, out: Labels) -> bool:
    """Whether nothing can follow a product in its tiles.

    Arguments:
        y: the operand with the lanes.
    """
    return stands_alone([n for label, n in zip(y.labels, y.node.shape, strict=True) if label not in out])


def _reduced(op: Reduction, x: Node) -> Node:
    """The reduction; if it is long, first of each part along the first long axis, then of the parts."""
    first = next((a for a in op.axes if x.shape[a] >= ENOUGH_UNITS), None)
    if first is None or len(op.axes) == 1 or x.type.size < WORTH_SHARING:
        return apply(op, x)
    kept = [n for a, n in enumerate(x.shape) if a not in op.axes]
    columns = kept.pop() if kept and x.rank - 1 not in op.axes else 1
    units = math.prod(kept) * math.ceil(columns / SHARED_COLUMNS)
    of_each = math.prod(x.shape[a] for a in op.axes if a != first)
    if units >= ENOUGH_UNITS and of_each < MUCH_LESS:
        return apply(op, x)
    parts = apply(replace(op, axes=tuple(a for a in op.axes if a != first)), x)
    place = sum(a not in op.axes for a in range(first))
    return apply(replace(op, axes=(place,)), parts)


MOST_TAPS = 128
"""Of a window along an axis with margins that tiles leave out. Of more, the tiles at the edges, each of which has code
of its own, would take long to compile.
"""

SHARED_COLUMNS = 64
"""Columns that one unit of a sweep works on."""

WORTH_TURNING = 8 * 1024
"""Products of a narrow column; fewer take no longer than the two tasks more and the barrier between them."""

ENOUGH_UNITS = 8
"""Units that a few threads can share evenly."""

WORTH_SHARING = 32 * 1024
"""Numbers; fewer are added up in the time that a barrier takes."""

MUCH_LESS = 16
"""Of so many numbers the sum takes next to nothing to store."""


def _inside_margins(x: Node) -> Node:
    """What an operand's windows with margins look at, which can be stored; else the operand itself."""
    node = x
    while is_view(node):
        if isinstance(node.op, Windows) and node.op.bordered_axes():
            return node.inputs[0]
        (node,) = node.inputs
    return x


def _product_and_sum(x: Operand, y: Operand, result: Operand) -> Node:
    """The contraction as an elementwise product, summed."""
    big, small = (x, y) if set(y.long) <= set(x.long) else (y, x)
    big, small = big.squeezed(), small.squeezed()
    small = small.ordered(tuple(label for label in big.labels if label in small.labels))
    axes = tuple(big.labels.index(label) for label in small.labels)
    product = multiply(big.node, broadcast(small.node, big.node.shape, axes))
    kept = tuple(label for label in big.labels if label in result.labels)
    summed = product
    if kept != big.labels:
        op = ReduceSum(tuple(a for a, label in enumerate(big.labels) if label not in result.labels))
        summed = _reduced(op, product)
    order = tuple(label for label in result.labels if label in kept)
    return reshape(Operand(summed, kept).ordered(order).node, result.node.shape)
