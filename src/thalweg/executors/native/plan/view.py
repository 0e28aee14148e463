"""Where a tensor lies in a buffer: at ``offset + sum of index * stride``, whatever views it is seen through."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from thalweg.executors.native.host import ITEMSIZE
from thalweg.executors.native.plan.buffer import Buffer, Strides, dense_strides
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.ops import views as ops
from thalweg.ops.shape import Reshape
from thalweg.ops.views import Line
from thalweg.passes.fuse import is_view
from thalweg.state.layout import LINE_BYTES
from thalweg.state.layout import strides as state_strides


@dataclass(frozen=True)
class Border:
    """Where ``line`` is not one of 0 ... size - 1, the tensor is 0, and nothing is there in memory."""

    line: Line
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """A tensor as it lies in a buffer: element offset, a stride for each axis. Axis ``gathered`` goes by the index."""

    buffer: Buffer
    offset: int
    strides: Strides
    gathered: int | None = None
    borders: tuple[Border, ...] = ()

    def part(self, box: Sequence[slice]) -> View:
        """A box cut out."""
        offset = sum(side.start * stride for side, stride in zip(box, self.strides, strict=True))
        strides = tuple(side.step * stride for side, stride in zip(box, self.strides, strict=True))
        return View(self.buffer, self.offset + offset, strides)

    def along(self, axes: Sequence[int | None]) -> View:
        """The same over other axes, of which None are new."""
        borders = tuple(Border(Line(b.line.start, _along(b.line.steps, axes)), b.size) for b in self.borders)
        return replace(self, strides=_along(self.strides, axes), borders=borders)


@dataclass(frozen=True)
class Obstacle:
    """What stands in the way of a view: no strides describe it, as long as ``node`` lies where it does."""

    node: Node


def whole(buffer: Buffer) -> View:
    """All of a buffer."""
    return View(buffer, 0, buffer.strides, 0 if buffer.gathered else None)


WAY_BYTES = 4096
"""Rows a multiple of this apart fall into one set of the first-level cache, which keeps as many as it has ways."""

APART_BYTES = 1024
"""Shorter rows than this follow each other, so that sweeps go over all of them as over one."""


def temporary(node: Node, *, even: bool = False) -> View:
    """Memory of a stored value's own. Matrices of long rows have them apart like states where columns would collide, or
    rows begin within lines.

    Arguments:
        even: the rows must follow each other.
    """
    row_bytes = node.shape[-1] * ITEMSIZE[node.dtype] if node.rank == 2 and not even else 0
    apart = row_bytes >= APART_BYTES and (row_bytes % WAY_BYTES == 0 or row_bytes % LINE_BYTES != 0)
    strides = state_strides(node.type) if apart else dense_strides(node.shape)
    label = f"{node.op.name} of {node.layer}" if node.layer else node.op.name
    return whole(Buffer(label, "temporary", node.type, strides))


def view_of(node: Node, place_of: Callable[[Node], View | None]) -> View | Obstacle:
    """Where a stored value, a leaf or a view of one lies.

    Arguments:
        place_of: where a value lies; None for a view that is nowhere by itself.
    """
    chain: list[Node] = []
    place = place_of(node)
    while place is None:
        chain.append(node)
        (node,) = node.inputs
        place = place_of(node)
    for seen in reversed(chain):
        through = seen_through(seen, place)
        if through is None:
            return Obstacle(seen.inputs[0])
        place = through
    return place


def seen_through(node: Node, place: View) -> View | None:
    """Where a view of a tensor that lies at ``place`` lies; None if no strides describe it."""
    (x,) = node.inputs
    op = node.op
    assert isinstance(op, ops.View), f"{node} is neither stored nor a view"
    if node.type.size == 0:  # nothing to find
        return View(place.buffer, place.offset, (0,) * node.rank)
    gathered = None if place.gathered is None else op.follow_axis(place.gathered, x.shape)
    address = op.follow(Line(place.offset, place.strides), x.shape, place.gathered)
    if address is None or (gathered is None and place.gathered is not None):
        return None
    borders = []
    for border in place.borders:
        line = op.follow(border.line, x.shape, place.gathered)
        if line is None:
            return None
        borders.append(Border(line, border.size))
    for axis in op.bordered_axes():
        line = op.follow(Line(0, tuple(int(a == axis) for a in range(x.rank))), x.shape, None)
        assert line is not None, "windows of whatever lies somewhere"
        borders.append(Border(line, x.shape[axis]))
    return View(place.buffer, address.start, address.steps, gathered, tuple(borders))


def place_of_reshaped(x: Node, node: Node, place: View) -> View | None:
    """Where x has to lie, so that ``node``, which is x under another shape, lies at ``place``; None if it cannot."""
    if node.type.size == 0:
        return None
    there = Reshape(x.shape).follow(Line(place.offset, place.strides), node.shape)
    return None if there is None else View(place.buffer, there.start, there.steps)


def unshaped(x: Node, place: View) -> tuple[Node, View | None]:
    """What x is another shape of, and where that lies when x lies at a place."""
    there: View | None = place
    while isinstance(x.op, Reshape) and there is not None:
        (source,) = x.inputs
        x, there = source, place_of_reshaped(source, x, there)
    return x, there


def chain(node: Node) -> Iterator[Node]:
    """A view, and what it looks at."""
    yield node
    while is_view(node):
        (node,) = node.inputs
        yield node


def _along(steps: Strides, axes: Sequence[int | None]) -> Strides:
    return tuple(0 if a is None else steps[a] for a in axes)
