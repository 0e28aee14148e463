"""Operations that move numbers without changing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Node, Nodes, apply
from thalweg.graph.types import Shape, TensorType
from thalweg.ops.views import Box, Line, Move, View

__all__ = ["flatten", "reshape", "slice_axis", "take_slice", "transpose"]

Axes = int | tuple[int, ...] | None


def normal_axes(axes: Axes, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes counted from 0, in order; None means all. Raises ShapeError for one that is not there, or is there twice."""
    rank = len(shape)
    if axes is None:
        return tuple(range(rank))
    given = (axes,) if isinstance(axes, int) else axes
    normal = sorted({a % rank for a in given if -rank <= a < rank})
    if len(normal) != len(given):
        raise ShapeError(
            "the tensor does not have these axes",
            expected=f"different axes from {-rank} to {rank - 1}, for the shape {shape}" if rank else "no axes, for ()",
            got=f"axis={axes}",
            fix="count axes from 0, or from -1 backwards",
        )
    return tuple(normal)


def normal_axis(axis: int, shape: tuple[int, ...]) -> int:
    """The axis counted from 0. Raises ShapeError if there is no such axis."""
    return normal_axes(axis, shape)[0]


@dataclass(frozen=True)
class Reshape(View):
    """The same numbers in the same (row-major) order under another shape."""

    shape: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if math.prod(self.shape) != x.size:
            raise ShapeError(
                "a tensor cannot take this shape",
                expected=f"a shape of {x.size} elements, as {x.shape} has",
                got=f"{self.shape}, which has {math.prod(self.shape)}",
                fix="choose sizes whose product is the number of elements; -1 stands for one size to be worked out",
            )
        return x.with_shape(self.shape)

    def reference(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(self.shape)

    def follow(self, line: Line, shape: Shape, kept: int | None = None) -> Line | None:
        """See View.follow. Axes are matched in groups of equal size, of which each must run on evenly."""
        if 0 in shape:  # no groups of axes match, and there is nothing to find
            return Line(line.start, (0,) * len(self.shape))
        steps: list[int] = []
        for left, right in _groups(shape, self.shape):
            axes = [(shape[a], line.steps[a]) for a in left if shape[a] != 1 or a == kept]
            if any(outer != n * inner for (_, outer), (n, inner) in pairwise(axes)):
                return None
            last = axes[-1][1] if axes else line.steps[left[0]] if left else 0
            steps += [last * math.prod(self.shape[b] for b in right[i + 1 :]) for i in range(len(right))]
        return Line(line.start, tuple(steps))

    def follow_axis(self, axis: int, shape: Shape) -> int | None:
        for old, new in _groups(shape, self.shape) if 0 not in shape else ():
            long = [a for a in new if self.shape[a] != 1]
            if axis in old and new and len(long) <= 1 and all(a == axis or shape[a] == 1 for a in old):
                return long[0] if long else new[0]
        return None

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (reshape(g, inputs[0].shape),)


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
class Transpose(View):
    """Axis i of the result is axis ``axes[i]`` of the input."""

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if sorted(self.axes) != list(range(x.rank)):
            raise ShapeError(
                "axes cannot be put in this order",
                expected=f"each of the {x.rank} axes of {x.shape} once",
                got=f"{self.axes}",
                fix="name every axis exactly once",
            )
        return x.with_shape(tuple(x.shape[a] for a in self.axes))

    def reference(self, x: np.ndarray) -> np.ndarray:
        return x.transpose(self.axes)

    def follow(self, line: Line, shape: Shape, kept: int | None = None) -> Line:
        return Line(line.start, tuple(line.steps[a] for a in self.axes))

    def follow_axis(self, axis: int, shape: Shape) -> int:
        return self.axes.index(axis)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (transpose(g, tuple(int(a) for a in np.argsort(self.axes))),)


@dataclass(frozen=True)
class Slice(View):
    """A box cut out: elements ``starts[i]``, ``starts[i] + steps[i]``, ... below ``stops[i]`` of every axis i."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        fits = len(self.starts) == x.rank and all(
            0 <= start <= stop <= n and step >= 1
            for start, stop, step, n in zip(self.starts, self.stops, self.steps, x.shape, strict=True)
        )
        if not fits:
            raise ShapeError(
                "a slice lies outside its tensor",
                expected=f"bounds within {x.shape}",
                got=f"from {self.starts} to {self.stops} in steps of {self.steps}",
                fix="check the order of the axes and the sizes",
            )
        return x.with_shape(tuple(len(range(*box)) for box in zip(self.starts, self.stops, self.steps, strict=True)))

    def reference(self, x: np.ndarray) -> np.ndarray:
        return x[tuple(slice(*box) for box in zip(self.starts, self.stops, self.steps, strict=True))]

    def follow(self, line: Line, shape: Shape, kept: int | None = None) -> Line:
        first = sum(by * step for by, step in zip(self.starts, line.steps, strict=True))
        return Line(line.start + first, tuple(by * step for by, step in zip(self.steps, line.steps, strict=True)))

    def follow_axis(self, axis: int, shape: Shape) -> int | None:
        whole = (self.starts[axis], self.stops[axis], self.steps[axis]) == (0, shape[axis], 1)
        return axis if whole else None

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        (x,) = inputs
        ends = [
            start + max(n - 1, 0) * step + (1 if n else 0)
            for start, n, step in zip(self.starts, output.shape, self.steps, strict=True)
        ]
        high = tuple(size - end for size, end in zip(x.shape, ends, strict=True))
        return (pad(g, self.starts, high, tuple(step - 1 for step in self.steps)),)


@dataclass(frozen=True)
class Pad(Move):
    """Zeros around the tensor: ``low[i]`` before and ``high[i]`` after axis i, and ``inner[i]`` between elements."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    inner: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        assert len(self.low) == len(self.high) == len(self.inner) == x.rank, f"{self} of {x}"
        assert min((*self.low, *self.high, *self.inner), default=0) >= 0, f"{self} would cut; that is a Slice"
        return x.with_shape(
            tuple(
                low + n + max(n - 1, 0) * inner + high
                for low, n, inner, high in zip(self.low, x.shape, self.inner, self.high, strict=True)
            )
        )

    def boxes(self, *inputs: TensorType) -> tuple[Box, ...]:
        (x,) = inputs
        box = (
            slice(low, low + max(n - 1, 0) * (inner + 1) + (1 if n else 0), inner + 1)
            for low, n, inner in zip(self.low, x.shape, self.inner, strict=True)
        )
        return (tuple(box),)

    def reference(self, x: np.ndarray) -> np.ndarray:
        kind = TensorType.of(x)
        result = np.zeros(self.infer(kind).shape, x.dtype)
        (box,) = self.boxes(kind)
        result[box] = x
        return result

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        (box,) = self.boxes(inputs[0].type)
        cut = Slice(
            tuple(side.start for side in box), tuple(side.stop for side in box), tuple(side.step for side in box)
        )
        return (apply(cut, g),)


def reshape(x: Node, shape: tuple[int, ...]) -> Node:
    """The same numbers in the same (row-major) order under another shape; one size may be -1.

    Shapes: x (...) -> shape, of as many elements.
    Raises: ShapeError: if it has more or fewer.
    """
    if -1 in shape:
        known = math.prod(n for n in shape if n != -1)
        shape = tuple((x.type.size // known if known else 0) if n == -1 else n for n in shape)
    x = unreshaped(x)  # of two reshapes only the last counts
    return x if x.shape == shape else apply(Reshape(shape), x)


def unreshaped(x: Node) -> Node:
    """What x is another shape of: the node that made its numbers."""
    while isinstance(x.op, Reshape):
        (x,) = x.inputs
    return x


def flatten(x: Node) -> Node:
    """All axes but the first as one.

    Shapes: x (batch, ...) -> (batch, features).
    """
    return reshape(x, (x.shape[0], math.prod(x.shape[1:])))


def transpose(x: Node, axes: tuple[int, ...] | None = None) -> Node:
    """Axis i of the result is axis ``axes[i]`` of x; without ``axes`` they are reversed.

    Shapes: x (...) -> the same sizes in another order.
    Raises: ShapeError: unless each axis is named once.
    """
    axes = tuple(range(x.rank))[::-1] if axes is None else axes
    return x if axes == tuple(range(x.rank)) else apply(Transpose(axes), x)


def slice_axis(x: Node, axis: int, start: int, stop: int) -> Node:
    """Elements ``start`` to ``stop`` (excluded) of one axis.

    Shapes: x (..., n, ...) -> (..., stop - start, ...).
    Raises: ShapeError: unless ``0 <= start <= stop <= n``.
    """
    box = [(start, stop) if a == axis else (0, n) for a, n in enumerate(x.shape)]
    if all(b == (0, n) for b, n in zip(box, x.shape, strict=True)):
        return x
    return apply(Slice(tuple(b[0] for b in box), tuple(b[1] for b in box), (1,) * x.rank), x)


def pad(x: Node, low: tuple[int, ...], high: tuple[int, ...], inner: tuple[int, ...] | None = None) -> Node:
    """Zeros before, after and (``inner``) between the elements of each axis.

    Shapes: x (n, ...) -> (low + n + (n - 1) * inner + high, ...).
    """
    inner = inner or (0,) * x.rank
    return x if not any((*low, *high, *inner)) else apply(Pad(low, high, inner), x)


def take_slice(x: Node, key: object) -> Node:
    """``x[key]`` for integers, slices with positive steps, ``...`` and None, as in NumPy.

    Shapes: x (...) -> NumPy's.
    Raises: ShapeError: for other keys, and for an integer that is outside.
    """
    keys = key if isinstance(key, tuple) else (key,)
    if Ellipsis in keys:
        gap, given = keys.index(Ellipsis), sum(k is not None and k is not Ellipsis for k in keys)
        keys = (*keys[:gap], *(slice(None),) * (x.rank - given), *keys[gap + 1 :])
    boxes: list[tuple[int, int, int]] = []
    shape: list[int] = []
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        n = x.shape[len(boxes)] if len(boxes) < x.rank else 0
        whole = isinstance(k, int) and not isinstance(k, bool) and -n <= k < n
        if not whole and not (isinstance(k, slice) and (k.step is None or k.step > 0) and len(boxes) < x.rank):
            raise ShapeError(
                "a tensor cannot be indexed like this",
                expected=f"integers within {x.shape} and slices with positive steps",
                got=f"{k!r} for axis {len(boxes)}",
                fix="index axes that exist; use take for an array of indices",
            )
        if isinstance(k, int):
            boxes.append((k % n, k % n + 1, 1))
        else:
            assert isinstance(k, slice), "checked above"
            start, stop, step = k.indices(n)
            boxes.append((start, max(start, stop), step))
            shape.append(len(range(start, stop, step)))
    boxes += [(0, n, 1) for n in x.shape[len(boxes) :]]
    cut = apply(Slice(*(tuple(b[i] for b in boxes) for i in range(3))), x)
    rest = cut.shape[sum(k is not None for k in keys) :]
    return reshape(cut, (*shape, *rest))
