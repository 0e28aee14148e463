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


@dataclass(frozen=True)
class View:
    """A tensor as it lies in a buffer: element offset, a stride for each axis. Axis ``gathered`` goes by the index."""

    buffer: Buffer
    offset: int
    strides: Strides
    gathered: int | None = None


class NotAffineError(Exception):
    """A view that no strides describe; ``node`` has to be stored as it is."""

    def __init__(self, node: Node) -> None:
        super().__init__(f"no strides describe a view of {node}")
        self.node = node


def dense_strides(shape: Sequence[int]) -> Strides:
    return tuple(math.prod(shape[a + 1 :]) for a in range(len(shape)))


def view_of(node: Node, buffer_of: Callable[[Node], Buffer | None]) -> View:
    """Where a stored value, a leaf or a view of one lies. Raises NotAffineError."""
    buffer = buffer_of(node)
    if buffer is not None:
        return View(buffer, 0, buffer.strides, 0 if buffer.gathered else None)
    (x,) = node.inputs
    view = view_of(x, buffer_of)
    op = node.op
    if isinstance(op, Broadcast):
        strides = [0] * node.rank
        for axis, stride in zip(op.axes, view.strides, strict=True):
            strides[axis] = stride
        gathered = None if view.gathered is None else op.axes[view.gathered]
        return View(view.buffer, view.offset, tuple(strides), gathered)
    if isinstance(op, Transpose):
        gathered = None if view.gathered is None else op.axes.index(view.gathered)
        return View(view.buffer, view.offset, tuple(view.strides[a] for a in op.axes), gathered)
    if isinstance(op, Slice):
        if view.gathered is not None and node.shape[view.gathered] != x.shape[view.gathered]:
            raise NotAffineError(x)
        offset = sum(start * stride for start, stride in zip(op.starts, view.strides, strict=True))
        strides = [step * stride for step, stride in zip(op.steps, view.strides, strict=True)]
        return View(view.buffer, view.offset + offset, tuple(strides), view.gathered)
    if isinstance(op, Flip):
        if view.gathered in op.axes:
            raise NotAffineError(x)
        end = sum((x.shape[a] - 1) * view.strides[a] for a in op.axes)
        turned = tuple(-s if a in op.axes else s for a, s in enumerate(view.strides))
        return View(view.buffer, view.offset + end, turned, view.gathered)
    if isinstance(op, Windows):
        first, *places, last = view.strides
        starts = [s * by for s, by in zip(places, op.strides, strict=True)]
        taps = [s * by for s, by in zip(places, op.dilation, strict=True)]
        if view.gathered not in (None, 0):
            raise NotAffineError(x)
        return View(view.buffer, view.offset, (first, *starts, *taps, last), view.gathered)
    assert isinstance(op, Reshape), f"{node} is neither stored nor a view"
    return _reshaped(view, x, node)


def _reshaped(view: View, x: Node, node: Node) -> View:
    """Axes are matched in groups of equal size; a group keeps its order in memory if it runs on evenly."""
    if node.type.size == 0:
        return View(view.buffer, view.offset, (0,) * node.rank)
    strides: list[int] = []
    gathered = None
    before = [(n, s, a == view.gathered) for a, (n, s) in enumerate(zip(x.shape, view.strides, strict=True))]
    for old, new in _groups([n for n, *_ in before], node.shape):
        axes = [before[a] for a in old if before[a][0] != 1 or before[a][2]]
        if any(is_gathered for *_, is_gathered in axes):
            if len(axes) != 1 or sum(node.shape[a] != 1 for a in new) > 1:
                raise NotAffineError(x)
            place = next((i for i, a in enumerate(new) if node.shape[a] != 1), 0)
            if not new:
                raise NotAffineError(x)
            gathered = new[place]
            strides += [axes[0][1] if i == place else 0 for i in range(len(new))]
            continue
        for (_, outer, _), (n, inner, _) in pairwise(axes):
            if outer != n * inner:
                raise NotAffineError(x)
        last = axes[-1][1] if axes else 0
        strides += [last * math.prod(node.shape[b] for b in new[i + 1 :]) for i in range(len(new))]
    return View(view.buffer, view.offset, tuple(strides), gathered)


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

    @property
    def dtype(self) -> str:
        return "int64" if self.buffer is None else self.buffer.type.dtype


def merge(dims: Sequence[Dim], accesses: Iterable[Access]) -> tuple[list[Dim], list[Access]]:
    """The same nest with axes of size 1 dropped and neighbours merged over which every access runs on evenly."""
    found = list(accesses)
    fixed = {a.gathered for a in found if a.gathered is not None}
    runs: list[list[int]] = []
    for axis, dim in enumerate(dims):
        if dim.size == 1 and axis not in fixed:
            continue
        before = runs[-1][-1] if runs else -1
        joined = (
            bool(runs)
            and not {axis, before} & fixed
            and dims[before].swept == dim.swept
            and all(a.strides[before] == a.strides[axis] * dim.size for a in found)
        )
        if joined:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    merged = [Dim(math.prod(dims[a].size for a in run), dims[run[0]].swept) for run in runs]
    place = {run[-1]: i for i, run in enumerate(runs)}
    return merged, [
        replace(
            a,
            strides=tuple(a.strides[run[-1]] for run in runs),
            gathered=None if a.gathered is None else place[a.gathered],
        )
        for a in found
    ]
