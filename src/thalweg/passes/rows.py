"""Which rows of a batch a result needs: what decides whether rows may be computed in pieces of any size.

Every value of a graph is one of four things: the same whatever the rows are; one part for each row; a sum over the
rows; or something that the rows have a say in together. What no rule knows is the last, so a "yes" from here is a
proof, and a "no" costs time, never a right number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import Enum

import numpy as np

from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Kind, Node
from thalweg.graph.types import TensorType
from thalweg.ops.broadcast import Broadcast, ReduceSum, Reduction
from thalweg.ops.cast import Cast
from thalweg.ops.contraction import Contraction
from thalweg.ops.elementwise import Add, Divide, LogicalAnd, Multiply, Negate, Select, Subtract
from thalweg.ops.leaf import Constant, Input, Iota
from thalweg.ops.lookup import AddRows, Take
from thalweg.ops.shape import Reshape, Transpose
from thalweg.ops.views import Move, View


class Part(Enum):
    """What a value is of the rows, where it is not ``Rows``."""

    FREE = "the same whatever the rows are"
    TOTAL = "a sum over the rows; those that do not count add 0"
    MIXED = "the rows have a say in it together"


@dataclass(frozen=True)
class Rows:
    """One part of the value for each row, made of this row alone.

    Attributes:
        axis: along which the parts lie.
        each: how many places along it are of one row.
        empty: whether the parts of rows that do not count are 0.
    """

    axis: int
    each: int = 1
    empty: bool = False


Finding = Part | Rows


def row_by_row(graph: Graph, batch: int) -> bool:
    """Whether row i of every output is made of row i of the inputs alone.

    Arguments:
        batch: how many rows the graph is for.
    """
    findings = Findings(batch)
    return all(findings.is_row_by_row(node) for node in graph.outputs.values())


def adds_up(totals: Iterable[Node], batch: int, counts: str) -> bool:
    """Whether each of these values is a sum over the rows, to which rows that do not count add nothing.

    Arguments:
        counts: the label of the input that is 0 for the rows that do not count.
    """
    findings = Findings(batch, counts)
    return all(findings.of(node) is Part.TOTAL for node in totals)


def same_numbers(graph: Graph, other: Graph) -> bool:
    """Whether two graphs have the same constants: of two sizes of batch, whether the size is among them."""
    return _numbers(graph) == _numbers(other)


def _numbers(graph: Graph) -> list[str]:
    return [repr(node.op.value) for node in graph.nodes() if isinstance(node.op, Constant)]  # a NaN too is itself


class Findings:
    """What is found of the values of one graph, each when it is first asked for."""

    def __init__(self, batch: int, counts: str | None = None) -> None:
        self.batch = batch
        self.counts = counts
        self._found: dict[Node, Finding] = {}

    def is_row_by_row(self, node: Node) -> bool:
        """Whether row i of the value is made of row i of the inputs alone."""
        found = self.of(node)
        if found is Part.FREE:
            return node.rank > 0 and _is_uniform(node, 0)
        return isinstance(found, Rows) and (found.axis, found.each) == (0, 1)

    def of(self, node: Node) -> Finding:
        """What the value is of the rows."""
        stack = [node]
        while stack:  # not recursive: a deep net is deeper than Python's stack
            waiting = [x for x in stack[-1].inputs if x not in self._found]
            if waiting:
                stack += waiting
            else:
                last = stack.pop()
                if last not in self._found:
                    self._found[last] = self._finding(last)
        return self._found[node]

    def _finding(self, node: Node) -> Finding:
        op, parts = node.op, [self._found[x] for x in node.inputs]
        if isinstance(op, Input):
            return Rows(0, empty=op.label == self.counts)
        if op.kind is Kind.RANDOM:  # drawn for each row, or once for all rows of the batch
            return Rows(0) if node.shape[:1] == (self.batch,) else Part.MIXED
        if all(part is Part.FREE for part in parts):
            return Part.FREE
        if any(part is Part.MIXED for part in parts):
            return Part.MIXED
        if op.kind is Kind.COMPOSITE:
            made_of = op.decompose(*node.inputs)
            return Part.MIXED if made_of is None else self.of(made_of)
        return self._made_by(node, parts)

    def _made_by(self, node: Node, parts: Sequence[Finding]) -> Finding:
        """Of an operation on values that are not all free, none of them mixed."""
        op = node.op
        if isinstance(op, View):
            return _viewed(op, parts[0], node.inputs[0].type, self.batch)
        if isinstance(op, Reduction):
            return _reduced(op, parts[0])
        if isinstance(op, Contraction):
            return _contracted(op, node.inputs, parts)
        if isinstance(op, Take):
            (table, index) = parts
            return Rows(0, index.each) if table is Part.FREE and isinstance(index, Rows) else Part.MIXED
        if isinstance(op, AddRows):
            (rows, index) = parts
            empty = isinstance(rows, Rows) and rows.axis == 0 and rows.empty
            return Part.TOTAL if empty and isinstance(index, Rows) else Part.MIXED
        if Part.TOTAL in parts:
            return _with_totals(node, parts)
        places = {(part.axis, part.each) for part in parts if isinstance(part, Rows)}
        if len(places) != 1:
            return Part.MIXED
        ((axis, each),) = places
        free = [x for x, part in zip(node.inputs, parts, strict=True) if part is Part.FREE]
        if not all(_is_uniform(x, axis) for x in free):
            return Part.MIXED
        if isinstance(op, Move):
            whole = slice(0, node.shape[axis], 1)
            boxes = op.boxes(*(x.type for x in node.inputs))
            empty = all(isinstance(part, Rows) and part.empty for part in parts)
            return Rows(axis, each, empty) if all(box[axis] == whole for box in boxes) else Part.MIXED
        if op.kind is not Kind.ELEMENTWISE:
            return Part.MIXED
        return Rows(axis, each, _is_empty(node, parts))


def _viewed(op: View, part: Finding, x: TensorType, batch: int) -> Finding:
    if not isinstance(part, Rows):
        return part
    if not isinstance(op, Reshape):
        axis = op.follow_axis(part.axis, x.shape)
        return Part.MIXED if axis is None else Rows(axis, part.each, part.empty)
    outside = math.prod(x.shape[: part.axis])  # what follows the rows' axis may be split and joined as it likes
    for axis, size in enumerate(op.shape):
        if math.prod(op.shape[:axis]) == outside and size and size % batch == 0:
            return Rows(axis, size // batch, part.empty)
    return Part.MIXED


def _reduced(op: Reduction, part: Finding) -> Finding:
    if not isinstance(part, Rows):
        return part if isinstance(op, ReduceSum) else Part.MIXED
    if part.axis not in op.axes:
        return Rows(part.axis - sum(a < part.axis for a in op.axes), part.each, part.empty)
    return Part.TOTAL if isinstance(op, ReduceSum) and part.empty else Part.MIXED


def _contracted(op: Contraction, inputs: Sequence[Node], parts: Sequence[Finding]) -> Finding:
    if Part.TOTAL in parts:
        return Part.TOTAL if Part.FREE in parts else Part.MIXED
    labels = {
        (given[part.axis], part.each) for given, part in zip((op.x, op.y), parts, strict=True) if isinstance(part, Rows)
    }
    if len(labels) != 1:
        return Part.MIXED
    ((label, each),) = labels
    for given, x, part in zip((op.x, op.y), inputs, parts, strict=True):
        if part is Part.FREE and label in given and not _is_uniform(x, given.index(label)):
            return Part.MIXED
    empty = any(isinstance(part, Rows) and part.empty for part in parts)
    if label in op.out:
        return Rows(op.out.index(label), each, empty)
    return Part.TOTAL if empty else Part.MIXED


def _with_totals(node: Node, parts: Sequence[Finding]) -> Finding:
    """Sums stay sums under what is linear."""
    op = node.op
    linear = (
        (isinstance(op, Cast) and node.type.is_float)
        or isinstance(op, Negate)
        or (isinstance(op, Add | Subtract) and all(part is Part.TOTAL for part in parts))
        or (isinstance(op, Multiply) and Part.FREE in parts)
        or (isinstance(op, Divide) and parts[1] is Part.FREE)
    )
    return Part.TOTAL if linear else Part.MIXED


def _is_empty(node: Node, parts: Sequence[Finding]) -> bool:
    """Whether an elementwise operation gives 0 for the rows that do not count."""
    op = node.op
    empty = [isinstance(part, Rows) and part.empty for part in parts]
    if isinstance(op, Multiply | LogicalAnd) and any(empty):
        return True
    if isinstance(op, Divide):
        return empty[0]
    known = [0 if there else _number(x) for x, there in zip(node.inputs, empty, strict=True)]
    if isinstance(op, Select) and known[0] is not None:
        return known[1 if known[0] else 2] == 0
    if isinstance(op, Select):
        return known[1] == known[2] == 0
    if any(value is None for value in known):
        return False
    with np.errstate(all="ignore"):
        arrays = [np.asarray(value, x.dtype) for value, x in zip(known, node.inputs, strict=True)]
        return bool(op.reference(*arrays) == 0)


def _number(node: Node) -> float | int | bool | None:
    """The number that the value is everywhere, if it is a constant."""
    while isinstance(node.op, Broadcast | Reshape):
        (node,) = node.inputs
    return node.op.value if isinstance(node.op, Constant) else None


def _is_uniform(node: Node, axis: int) -> bool:
    """Whether a value that is free of the rows is the same everywhere along an axis."""
    op = node.op
    if isinstance(op, Iota):
        return op.axis != axis
    if isinstance(op, Broadcast):
        return axis not in op.axes or _is_uniform(node.inputs[0], op.axes.index(axis))
    if isinstance(op, Transpose):
        return _is_uniform(node.inputs[0], op.axes[axis])
    if isinstance(op, Reduction):
        kept = [a for a in range(node.inputs[0].rank) if a not in op.axes]
        return _is_uniform(node.inputs[0], kept[axis])
    if op.kind is Kind.ELEMENTWISE:
        return all(_is_uniform(x, axis) for x in node.inputs)
    return _number(node) is not None
