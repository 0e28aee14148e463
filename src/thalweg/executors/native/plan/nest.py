"""What a kernel reads and writes, as affine addresses over its index space.

Every operand of a kernel lies in a buffer at ``offset + sum of index * stride``: transposed, sliced, repeated and
reshaped tensors differ only in these numbers. Neighbouring axes over which all operands run on evenly are merged, so
the code generators see few, long axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from thalweg.executors.native.host import ITEMSIZE
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.ops.broadcast import Broadcast
from thalweg.ops.convolution import Flip, Windows
from thalweg.ops.shape import Reshape, Slice, Transpose

Strides = tuple[int, ...]


@dataclass(eq=False)
class Buffer:
    """Memory that kernels read and write.

    ``kind`` is "temporary" (in the arena), "state", "data" or "output" (the caller's arrays).
    ``strides`` are in elements. A ``gathered`` buffer is an array of samples of which row i of the batch is row
    ``index[i]``.
    """

    label: str
    kind: str
    type: TensorType
    strides: Strides
    gathered: bool = False
    offset: int = 0  # bytes, in the arena

    @property
    def span(self) -> int:
        """Elements from the first to just after the last; of a gathered buffer, of one row."""
        axes = list(zip(self.type.shape, self.strides, strict=True))[1 if self.gathered else 0 :]
        if any(n == 0 for n, _ in axes):
            return 0
        return 1 + sum((n - 1) * stride for n, stride in axes)

    @property
    def nbytes(self) -> int:
        """What the span takes."""
        return self.span * ITEMSIZE[self.type.dtype]


@dataclass(frozen=True)
class Line:
    """A number for each place of a tensor: ``start + sum of index * step``."""

    start: int
    steps: Strides


@dataclass(frozen=True)
class Border:
    """Where ``line`` is not one of 0 ... size - 1, the tensor is 0, and nothing is there in memory."""

    line: Line
    size: int


@dataclass(frozen=True)
class View:
    """A tensor as it lies in a buffer: element offset, a stride for each axis. Axis ``gathered`` goes by the index."""

    buffer: Buffer
    offset: int
    strides: Strides
    gathered: int | None = None
    borders: tuple[Border, ...] = ()


class NotAffineError(Exception):
    """A view that no strides describe; ``node`` has to be stored as it is."""

    def __init__(self, node: Node) -> None:
        super().__init__(f"no strides describe a view of {node}")
        self.node = node


def dense_strides(shape: Sequence[int]) -> Strides:
    return tuple(math.prod(shape[a + 1 :]) for a in range(len(shape)))


def whole(buffer: Buffer) -> View:
    """All of a buffer."""
    return View(buffer, 0, buffer.strides, 0 if buffer.gathered else None)


def view_of(node: Node, place_of: Callable[[Node], View | None]) -> View:
    """Where a stored value, a leaf or a view of one lies. Raises NotAffineError."""
    place = place_of(node)
    if place is not None:
        return place
    (x,) = node.inputs
    view = view_of(x, place_of)
    if isinstance(node.op, Reshape) and node.type.size == 0:  # of shapes with a 0 no groups of axes match
        return View(view.buffer, view.offset, (0,) * node.rank)
    gathered = None if view.gathered is None else _gathered(node, view)
    address = _followed(node, Line(view.offset, view.strides), view.gathered)
    borders = [Border(_followed(node, b.line, view.gathered), b.size) for b in view.borders]
    if isinstance(node.op, Windows):
        for axis, ((low, high), n) in enumerate(zip(node.op.margins, x.shape[1:-1], strict=True), 1):
            if low or high:
                along = Line(0, tuple(int(a == axis) for a in range(x.rank)))
                borders.append(Border(_followed(node, along, None), n))
    return View(view.buffer, address.start, address.steps, gathered, tuple(borders))


def _followed(node: Node, line: Line, gathered: int | None) -> Line:
    """The same numbers, for each place of a view of the tensor. Raises NotAffineError."""
    (x,) = node.inputs
    op, start, steps = node.op, line.start, line.steps
    if isinstance(op, Broadcast):
        spread = [0] * node.rank
        for axis, step in zip(op.axes, steps, strict=True):
            spread[axis] = step
        return Line(start, tuple(spread))
    if isinstance(op, Transpose):
        return Line(start, tuple(steps[a] for a in op.axes))
    if isinstance(op, Slice):
        first = sum(by * step for by, step in zip(op.starts, steps, strict=True))
        return Line(start + first, tuple(by * step for by, step in zip(op.steps, steps, strict=True)))
    if isinstance(op, Flip):
        last = sum((x.shape[a] - 1) * steps[a] for a in op.axes)
        return Line(start + last, tuple(-s if a in op.axes else s for a, s in enumerate(steps)))
    if isinstance(op, Windows):
        first, *places, last = steps
        begin = -sum(low * s for (low, _), s in zip(op.margins, places, strict=True))
        starts = [s * by for s, by in zip(places, op.strides, strict=True)]
        taps = [s * by for s, by in zip(places, op.dilation, strict=True)]
        return Line(start + begin, (first, *starts, *taps, last))
    assert isinstance(op, Reshape), f"{node} is neither stored nor a view"
    found = _reshaped(steps, x.shape, node.shape, gathered)
    if found is None:
        raise NotAffineError(x)
    return Line(start, found)


def _gathered(node: Node, view: View) -> int:
    """The axis of a view that goes by the index. Raises NotAffineError."""
    (x,) = node.inputs
    op, axis = node.op, view.gathered
    assert axis is not None, "of a gathered tensor"
    if isinstance(op, Broadcast):
        return op.axes[axis]
    if isinstance(op, Transpose):
        return op.axes.index(axis)
    if isinstance(op, Reshape):
        for old, new in _groups(x.shape, node.shape):
            long = [a for a in new if node.shape[a] != 1]
            if axis in old and new and len(long) <= 1 and all(a == axis or x.shape[a] == 1 for a in old):
                return long[0] if long else new[0]
        raise NotAffineError(x)
    cut = isinstance(op, Slice) and (node.shape[axis], op.steps[axis]) != (x.shape[axis], 1)
    if cut or (isinstance(op, Flip) and axis in op.axes) or (isinstance(op, Windows) and axis != 0):
        raise NotAffineError(x)
    return axis


def _reshaped(steps: Strides, old: Sequence[int], new: Sequence[int], gathered: int | None = None) -> Strides | None:
    """The steps along the axes of another shape. Axes are matched in groups of equal size.

    A group keeps its order in memory if it runs on evenly; None if one does not.
    """
    found: list[int] = []
    for left, right in _groups(old, new):
        axes = [(old[a], steps[a]) for a in left if old[a] != 1 or a == gathered]
        if any(outer != n * inner for (_, outer), (n, inner) in pairwise(axes)):
            return None
        last = axes[-1][1] if axes else steps[left[0]] if left else 0
        found += [last * math.prod(new[b] for b in right[i + 1 :]) for i in range(len(right))]
    return tuple(found)


def place_of_reshaped(x: Node, node: Node, place: View) -> View | None:
    """Where x has to lie, so that ``node``, which is x under another shape, lies at ``place``; None if it cannot."""
    if node.type.size == 0:
        return None
    strides = _reshaped(place.strides, node.shape, x.shape)
    return None if strides is None else View(place.buffer, place.offset, strides)


def _groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of axes of both shapes that have equal products."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        left, right = [], []
        p = q = 1
        if i < len(old):
            left.append(i)
            p *= old[i]
            i += 1
        if j < len(new):
            right.append(j)
            q *= new[j]
            j += 1
        while p != q:
            if p < q:
                left.append(i)
                p *= old[i]
                i += 1
            else:
                right.append(j)
                q *= new[j]
                j += 1
        groups.append((left, right))
    return groups


@dataclass(frozen=True)
class Dim:
    """One axis of a kernel's index space."""

    size: int
    swept: bool


@dataclass(frozen=True)
class Access:
    """An operand over the axes of a nest; ``buffer`` None is a counter (the value is the address itself)."""

    buffer: Buffer | None
    offset: int
    strides: Strides
    gathered: int | None = None
    borders: tuple[Border, ...] = ()

    @property
    def place(self) -> tuple[int, Strides, int | None]:
        """Which element of the buffer it is at each index; equal for two accesses that go through it alike."""
        return self.offset, self.strides, self.gathered

    @property
    def lines(self) -> list[Strides]:
        """The steps along the axes of everything that is counted: the address, and how far it is to the borders."""
        return [self.strides, *(b.line.steps for b in self.borders)]

    @property
    def dtype(self) -> str:
        return "int64" if self.buffer is None else self.buffer.type.dtype


def merge(dims: Sequence[Dim], accesses: Iterable[Access]) -> tuple[list[Dim], list[Access]]:
    """The same nest with axes of size 1 dropped and neighbours merged over which every access runs on evenly."""
    found = list(accesses)
    fixed = {a.gathered for a in found if a.gathered is not None}
    # What a sum leaves out at a border is left out by its loop, also where that has but one turn.
    clipped = [b.line.steps for a in found for b in a.borders]
    fixed |= {axis for axis, dim in enumerate(dims) if dim.swept and any(steps[axis] for steps in clipped)}
    runs: list[list[int]] = []
    for axis, dim in enumerate(dims):
        if dim.size == 1 and axis not in fixed:
            continue
        before = runs[-1][-1] if runs else -1
        joined = (
            bool(runs)
            and not {axis, before} & fixed
            and dims[before].swept == dim.swept
            and all(steps[before] == steps[axis] * dim.size for a in found for steps in a.lines)
        )
        if joined:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    merged = [Dim(math.prod(dims[a].size for a in run), dims[run[0]].swept) for run in runs]
    place = {run[-1]: i for i, run in enumerate(runs)}

    def left(steps: Strides) -> Strides:
        return tuple(steps[run[-1]] for run in runs)

    return merged, [
        replace(
            a,
            strides=left(a.strides),
            gathered=None if a.gathered is None else place[a.gathered],
            borders=tuple(Border(Line(b.line.start, left(b.line.steps)), b.size) for b in a.borders),
        )
        for a in found
    ]
