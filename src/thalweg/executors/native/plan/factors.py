"""What products in bfloat16 read: their factors, rounded once, by a kernel of their own or at the end of their maker's.

A processor with an instruction for such products reads them in pairs: two factors that follow each other in the sum, in
32 bits. So the last of the summed axes is half as long, with one more pair where its size is odd, the second product of
which is -0 and changes nothing. Elsewhere they are float32 as all else.

Rounding commutes with looking at numbers another way, so what is rounded is what views look at. Pairs do, too, along
all other axes, and of the windows of an image along their own: there a pair lies at each place, of the number there and
the one that follows it in a sum.
"""

from __future__ import annotations

from dataclasses import replace

from thalweg.graph.node import Graph, Node, apply, exact_scope
from thalweg.ops import filled
from thalweg.ops.bfloat16 import pair, round_to_bfloat16
from thalweg.ops.concatenate import concatenate
from thalweg.ops.contraction import Contraction
from thalweg.ops.convolution import Windows, reach, surrounded
from thalweg.ops.shape import Slice, slice_axis
from thalweg.passes.fuse import is_view


def in_pairs(node: Node) -> bool:
    """Whether a contraction can read its factors in pairs: if they are rounded, and there is something to sum."""
    op = node.op
    if not isinstance(op, Contraction) or op.precision is None or not node.type.size:
        return False
    x, y = ({label for label, n in zip(labels, t.shape, strict=True) if n > 1} for t, labels in operands(node))
    return bool(x & {*op.summed}) and not x <= y and not y <= x


def operands(node: Node) -> list[tuple[Node, tuple[int, ...]]]:
    """A contraction's inputs with their labels."""
    assert isinstance(node.op, Contraction), "contractions have labels"
    return list(zip(node.inputs, (node.op.x, node.op.y), strict=True))


def with_rounded_factors(graph: Graph, pairs: bool) -> Graph:
    """The graph in which the factors of such products are the results of roundings, except those read in pairs."""
    wanted = {n for n in graph.nodes() if isinstance(n.op, Contraction) and n.op.precision}
    wanted = {node for node in wanted if not (pairs and in_pairs(node))}
    new: dict[Node, Node] = {}
    rounded: dict[Node, Node] = {}

    def factor(node: Node) -> Node:
        if node not in rounded:
            with exact_scope(node.layer):
                seen = is_view(node)
                rounded[node] = node.on((factor(node.inputs[0]),)) if seen else round_to_bfloat16(node)
        return rounded[node]

    for node in graph.nodes() if wanted else ():
        inputs = tuple(new[x] for x in node.inputs)
        if node in wanted:
            inputs = tuple(factor(x) for x in inputs)
        new[node] = node.on(inputs)
    return graph.rebuilt(new) if wanted else graph


class Pairs:
    """Makes pairs, of each tensor once."""

    def __init__(self) -> None:
        self._made: dict[tuple[Node, int, float], Node] = {}

    def along(self, x: Node, axis: int, rest: float) -> Node:
        """Pairs of the numbers along an axis; ``rest`` makes one with the last where that has none to follow it."""
        key = x, axis, rest
        if key not in self._made:
            with exact_scope(x.layer):
                self._made[key] = self._along(x, axis, rest)
        return self._made[key]

    def _along(self, x: Node, axis: int, rest: float) -> Node:
        if isinstance(x.op, Windows):
            return self._of_windows(x, x.op, axis, rest)
        n = x.shape[axis]
        parts = []
        if n > 1:
            first, second = (_every_other(x, axis, start) for start in (0, 1))
            parts.append(pair(first, second))
        if n % 2:
            last = slice_axis(x, axis, n - 1, n)
            parts.append(pair(last, filled(last.shape, rest, last.dtype)))
        return parts[0] if len(parts) == 1 else concatenate(tuple(parts), axis)

    def _of_windows(self, x: Node, op: Windows, axis: int, rest: float) -> Node:
        """Windows of pairs. Beyond the end of a sum these have whatever follows, which meets a zero."""
        (image,) = x.inputs
        rank = len(op.size)
        if axis == 0 or axis == x.rank - 1:
            return apply(op, self.along(image, 0 if axis == 0 else image.rank - 1, rest))
        a = (axis - 1) % rank  # of the places
        count = (x.shape[axis] + 1) // 2
        size, strides, dilation = list(op.size), list(op.strides), list(op.dilation)
        if axis <= rank:
            apart, windows = strides[a], count
            strides[a] *= 2
        else:
            apart, windows = dilation[a], x.shape[1 + a]
            size[a], dilation[a] = count, 2 * apart
        length = (windows - 1) * strides[a] + reach(size[a], dilation[a])
        margins = list(op.margins)
        there = sum(margins[a]) + image.shape[1 + a]
        margins[a] = (margins[a][0], margins[a][1] + max(length + apart - there, 0))
        whole = surrounded(image, margins)
        first, second = (slice_axis(whole, 1 + a, start, start + length) for start in (0, apart))
        none = ((0, 0),) * rank
        seen = replace(op, size=tuple(size), strides=tuple(strides), dilation=tuple(dilation), margins=none)
        return apply(seen, pair(first, second))


def _every_other(x: Node, axis: int, start: int) -> Node:
    """Of the numbers along an axis those from ``start`` on, without the last if it has none to follow it."""
    even = x.shape[axis] // 2 * 2
    sides = [(start, even, 2) if a == axis else (0, n, 1) for a, n in enumerate(x.shape)]
    starts, stops, steps = zip(*sides, strict=True)
    return apply(Slice(starts, stops, steps), x)
