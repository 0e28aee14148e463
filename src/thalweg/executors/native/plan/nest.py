"""What a kernel reads and writes, as affine addresses over its index space.

Every operand of a kernel lies in a buffer at ``offset + sum of index * stride``: transposed, sliced, repeated and
reshaped tensors differ only in these numbers. Neighbouring axes over which all operands run on evenly are merged, so
the code generators see few, long axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from thalweg.executors.native.host import ITEMSIZE
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.ops import view as ops
from thalweg.ops.shape import Reshape
from thalweg.ops.view import Line

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
    view, op = view_of(x, place_of), node.op
    assert isinstance(op, ops.View), f"{node} is neither stored nor a view"
    if node.type.size == 0:  # nothing to find
        return View(view.buffer, view.offset, (0,) * node.rank)
    gathered = None
    if view.gathered is not None:
        gathered = op.follow_axis(view.gathered, x.shape)
        if gathered is None:
            raise NotAffineError(x)

    def followed(line: Line) -> Line:
        found = op.follow(line, x.shape, view.gathered)
        if found is None:
            raise NotAffineError(x)
        return found

    address = followed(Line(view.offset, view.strides))
    borders = [Border(followed(b.line), b.size) for b in view.borders]
    for axis in op.bordered_axes():
        along = Line(0, tuple(int(a == axis) for a in range(x.rank)))
        borders.append(Border(followed(along), x.shape[axis]))
    return View(view.buffer, address.start, address.steps, gathered, tuple(borders))


def place_of_reshaped(x: Node, node: Node, place: View) -> View | None:
    """Where x has to lie, so that ``node``, which is x under another shape, lies at ``place``; None if it cannot."""
    if node.type.size == 0:
        return None
    there = Reshape(x.shape).follow(Line(place.offset, place.strides), node.shape)
    return None if there is None else View(place.buffer, there.start, there.steps)


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
