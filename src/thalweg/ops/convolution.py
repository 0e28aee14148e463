"""Convolutions: products over windows. A window is a view, so no copy of the windows is ever made.

Channels come last throughout: x (batch, *places, channels). *Margins* are places of zeros before and after each axis.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import Shape, TensorType
from thalweg.ops.broadcast import filled
from thalweg.ops.concatenate import concatenate
from thalweg.ops.contraction import Contraction, contract, precision_for, products_in
from thalweg.ops.elementwise import add
from thalweg.ops.reduce import reduce_max, reduce_mean
from thalweg.ops.reference import on_arrays
from thalweg.ops.shape import Slice, pad, reshape, slice_axis, transpose
from thalweg.ops.views import Line, View

__all__ = ["convolve", "convolve_transposed", "surrounded", "windows"]

Sizes = tuple[int, ...]
Margins = tuple[tuple[int, int], ...]
Padding = Sequence[tuple[int, int]]


def reach(size: int, dilation: int) -> int:
    """How many places a window spans along an axis, from its first to its last."""
    return (size - 1) * dilation + 1


@dataclass(frozen=True)
class Windows(View, kind=Kind.WINDOW):
    """For each place where a window of ``size`` fits, what lies in it: (batch, *places, *size, channels).

    Windows start ``strides`` apart; the numbers in them lie ``dilation`` apart.
    """

    size: Sizes
    strides: Sizes
    dilation: Sizes
    margins: Margins

    def infer(self, x: TensorType) -> TensorType:
        sizes = tuple(low + n + high for n, (low, high) in zip(x.shape[1:-1], self.margins, strict=True))
        places = [
            (n - reach(k, d)) // s + 1 for n, k, s, d in zip(sizes, self.size, self.strides, self.dilation, strict=True)
        ]
        if min(places, default=1) < 1:
            spans = tuple(map(reach, self.size, self.dilation))
            raise ShapeError(
                "the window is larger than the image",
                expected=f"at least {spans} places",
                got=f"{sizes}",
                fix='make the kernel or the dilation smaller, or use padding="same"',
            )
        return x.with_shape((x.shape[0], *places, *self.size, x.shape[-1]))

    def without_margins(self, x: Node) -> Node:
        """The same windows, of the tensor with its zeros stored."""
        return windows(surrounded(x, self.margins), self.size, self.strides, self.dilation)

    def reference(self, x: np.ndarray) -> np.ndarray:
        x = np.pad(x, ((0, 0), *self.margins, (0, 0)))
        axes = tuple(range(1, x.ndim - 1))
        spans = tuple(map(reach, self.size, self.dilation))
        patches = np.lib.stride_tricks.sliding_window_view(x, spans, axes)  # (batch, *places, channels, *spans)
        starts = [slice(None, None, s) for s in self.strides]
        patches = patches[(slice(None), *starts, slice(None), *(slice(None, None, d) for d in self.dilation))]
        return np.ascontiguousarray(np.moveaxis(patches, len(axes) + 1, -1))

    def follow(self, line: Line, shape: Shape, kept: int | None = None) -> Line:
        first, *places, last = line.steps
        before = sum(low * step for (low, _), step in zip(self.margins, places, strict=True))
        starts = [step * by for step, by in zip(places, self.strides, strict=True)]
        taps = [step * by for step, by in zip(places, self.dilation, strict=True)]
        return Line(line.start - before, (first, *starts, *taps, last))

    def follow_axis(self, axis: int, shape: Shape) -> int | None:
        return 0 if axis == 0 else None

    def bordered_axes(self) -> tuple[int, ...]:
        return tuple(axis for axis, sides in enumerate(self.margins, 1) if any(sides))

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        """Every place of x gets the sum over the windows that it lies in."""
        (x,) = inputs
        rank = len(self.size)
        total: Node | None = None
        for tap in itertools.product(*map(range, self.size)):
            part = g
            for axis, i in zip(range(rank + 1, 2 * rank + 1), tap, strict=True):
                part = slice_axis(part, axis, i, i + 1)
            part = reshape(part, (*g.shape[: rank + 1], g.shape[-1]))
            inner = [s - 1 for s in self.strides]
            part = pad(part, (0,) * part.rank, (0,) * part.rank, (0, *inner, 0))
            low = [i * d - before for i, d, (before, _) in zip(tap, self.dilation, self.margins, strict=True)]
            high = [n - a - m for n, a, m in zip(x.shape[1:-1], low, part.shape[1:-1], strict=True)]
            part = surrounded(part, tuple(zip(low, high, strict=True)))
            total = part if total is None else add(total, part)
        return (total,)


@dataclass(frozen=True)
class Flip(View):
    """The axes ``axes`` run backwards."""

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        assert all(0 <= a < x.rank for a in self.axes), f"{self} of {x}"
        return x

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.flip(x, self.axes)

    def follow(self, line: Line, shape: Shape, kept: int | None = None) -> Line:
        last = sum((shape[a] - 1) * line.steps[a] for a in self.axes)
        return Line(line.start + last, tuple(-s if a in self.axes else s for a, s in enumerate(line.steps)))

    def follow_axis(self, axis: int, shape: Shape) -> int | None:
        return None if axis in self.axes else axis

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (apply(self, g),)


@dataclass(frozen=True)
class Convolution(Op, kind=Kind.COMPOSITE):
    """Sums of products of every window with every filter; what deep learning calls a convolution: nothing is flipped.

    Numerics: whether what lies in the margins is multiplied is not said: an infinite weight may make a NaN there.

    Shapes: x (batch, *places, channels), kernel (*size, channels / groups, filters) -> (batch, *places, filters). Of
    ``groups`` equal parts of the channels each meets its own part of the filters.
    """

    strides: Sizes
    dilation: Sizes
    margins: Margins
    groups: int = 1
    precision: str | None = None  # of the factors, see Contraction

    def infer(self, x: TensorType, kernel: TensorType) -> TensorType:
        *size, channels, filters = kernel.shape
        if x.rank != kernel.rank or channels * self.groups != x.shape[-1] or filters % self.groups:
            raise ShapeError(
                "the kernel does not fit the channels",
                expected=f"{x.rank} axes, {x.shape[-1]} / {self.groups} channels, a multiple of {self.groups} filters",
                got=f"a kernel of shape {kernel.shape}",
                fix="check the channels, which come last, and groups=",
            )
        places = self.windows(tuple(size)).infer(x).shape[1 : x.rank - 1]
        return x.with_shape((x.shape[0], *places, filters))

    def windows(self, size: Sizes) -> Windows:
        """The windows that a kernel of this size looks through."""
        return Windows(size, self.strides, self.dilation, self.margins)

    def reference(self, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        *size, channels, filters = kernel.shape
        rank, groups = len(size), self.groups
        patches = self.windows(tuple(size)).reference(x)
        patches = patches.reshape(*patches.shape[: 2 * rank + 1], groups, channels)
        parts = kernel.reshape(*size, channels, groups, filters // groups)
        if self.precision is not None:
            b, places, taps, (g, c, o) = _labels(rank)
            labels = (b, *places, *taps, g, c), (*taps, c, g, o), (b, *places, g, o)
            y = Contraction(*labels, self.precision).reference(patches, parts)
            return y.reshape(*y.shape[: rank + 1], filters)
        summed = (*range(rank + 1, 2 * rank + 1), 2 * rank + 1)
        each = [
            np.tensordot(patches[..., g, :], parts[..., g, :], (summed, tuple(range(rank + 1)))) for g in range(groups)
        ]
        return np.concatenate(each, -1)

    def decompose(self, x: Node, kernel: Node) -> Node:  # type: ignore[override]
        with products_in(self.precision):
            return self._as_contraction(x, kernel)

    def _as_contraction(self, x: Node, kernel: Node) -> Node:
        *size, channels, filters = kernel.shape
        rank, groups = len(size), self.groups
        patches = apply(self.windows(tuple(size)), x)
        b, places, taps, (g, c, o) = _labels(rank)
        if groups == 1:  # without an axis for them, so that what follows can be done before the result is stored
            return contract(patches, kernel, (b, *places, *taps, c), (*taps, c, o), (b, *places, o))
        patches = reshape(patches, (*patches.shape[:-1], groups, channels))
        parts = reshape(kernel, (*size, channels, groups, filters // groups))
        y = contract(patches, parts, (b, *places, *taps, g, c), (*taps, c, g, o), (b, *places, g, o))
        return reshape(y, (*y.shape[: rank + 1], filters))

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        x, kernel = inputs
        how = self.strides, self.margins, self.dilation, self.groups
        with products_in(self.precision):
            return _by_input(g, x, kernel, *how), _by_kernel(x, g, kernel, *how)


@dataclass(frozen=True)
class TransposedConvolution(Op, kind=Kind.COMPOSITE):
    """From the results of a convolution to its inputs, see ``convolve_transposed``: its gradient by these.

    An operation because what computes with a library's convolutions has one for it; others take what it decomposes
    into. ``margins`` lie around the spread-out x; of negative ones so many places are cut off.

    Shapes: x (batch, *places, filters), kernel (*size, channels / groups, filters) -> (batch, *places, channels).
    """

    strides: Sizes
    dilation: Sizes
    margins: Margins
    groups: int = 1
    precision: str | None = None  # of the factors, see Contraction

    def infer(self, x: TensorType, kernel: TensorType) -> TensorType:
        *size, channels, filters = kernel.shape
        spread = [(n - 1) * s + 1 for n, s in zip(x.shape[1:-1], self.strides, strict=True)]
        swapped = kernel.with_shape((*size, filters // self.groups, channels * self.groups))
        alike = Convolution((1,) * len(size), self.dilation, self.margins, self.groups)
        return alike.infer(x.with_shape((x.shape[0], *spread, x.shape[-1])), swapped)

    def reference(self, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        return on_arrays(lambda *inputs: {"y": self.decompose(*inputs)}, x, kernel)["y"]

    def decompose(self, x: Node, kernel: Node) -> Node:  # type: ignore[override]
        with products_in(self.precision):
            return _as_convolutions(x, kernel, self.strides, self.margins, self.dilation, self.groups)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        x, kernel = inputs
        around = [
            (reach(k, d) - 1 - low, reach(k, d) - 1 - high)
            for k, d, (low, high) in zip(kernel.shape[:-2], self.dilation, self.margins, strict=True)
        ]
        with products_in(self.precision):
            by_x = convolve(g, kernel, self.strides, around, self.dilation, self.groups)
            return by_x, _by_kernel(g, x, kernel, self.strides, around, self.dilation, self.groups)


@dataclass(frozen=True)
class KernelGradient(Op, kind=Kind.COMPOSITE):
    """The gradient of a convolution by its kernel: for each tap what it meets in x, times what g has there.

    Shapes: x (batch, *places, channels), g as the convolution's result (batch, *places, filters) -> (*size, channels /
    groups, filters).
    """

    size: Sizes
    strides: Sizes
    dilation: Sizes
    margins: Margins
    groups: int = 1
    precision: str | None = None  # of the factors, see Contraction

    def infer(self, x: TensorType, g: TensorType) -> TensorType:
        kernel = x.with_shape((*self.size, x.shape[-1] // self.groups, g.shape[-1]))
        result = Convolution(self.strides, self.dilation, self.margins, self.groups).infer(x, kernel)
        assert result == g, f"{self} of {x} and {g}"
        return kernel

    def reference(self, x: np.ndarray, g: np.ndarray) -> np.ndarray:
        return on_arrays(lambda *inputs: {"y": self.decompose(*inputs)}, x, g)["y"]

    def decompose(self, x: Node, g: Node) -> Node:  # type: ignore[override]
        rank, groups, filters = len(self.size), self.groups, g.shape[-1]
        patches = apply(Windows(self.size, self.strides, self.dilation, self.margins), x)
        b, places, taps, (group, c, o) = _labels(rank)
        with products_in(self.precision):
            if groups == 1:
                return contract(patches, g, (b, *places, *taps, c), (b, *places, o), (*taps, c, o))
            patches = reshape(patches, (*patches.shape[:-1], groups, x.shape[-1] // groups))
            slope = reshape(g, (*g.shape[:-1], groups, filters // groups))
            labels = (b, *places, *taps, group, c), (b, *places, group, o), (*taps, c, group, o)
            return reshape(contract(patches, slope, *labels), (*self.size, x.shape[-1] // groups, filters))

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        x, slope = inputs
        how = self.strides, self.margins, self.dilation, self.groups
        with products_in(self.precision):
            return _by_input(slope, x, g, *how), convolve(x, g, *how)


CONVOLUTIONS = (Convolution, TransposedConvolution, KernelGradient)


def _by_input(g: Node, x: Node, kernel: Node, strides: Sizes, margins: Padding, dilation: Sizes, groups: int) -> Node:
    """The gradient of a convolution by x, where g is that by its result."""
    if x.type.size == 0:  # nothing but margins
        return filled(x.shape, 0, x.dtype)
    around = []
    for n, m, k, s, d, (low, _) in zip(
        x.shape[1:-1], g.shape[1:-1], kernel.shape[:-2], strides, dilation, margins, strict=True
    ):
        before = reach(k, d) - 1 - low
        around.append((before, n - 1 - before - (m - 1) * s + reach(k, d) - 1))
    return convolve_transposed(g, kernel, strides, around, dilation, groups)


def _by_kernel(x: Node, g: Node, kernel: Node, strides: Sizes, margins: Padding, dilation: Sizes, groups: int) -> Node:
    """The gradient of a convolution of x by the kernel, where g is that by its result."""
    x, margins = _cut(x, margins)
    size = kernel.shape[:-2]
    return apply(KernelGradient(size, strides, dilation, margins, groups, precision_for(x.dtype)), x, g)


def _labels(rank: int) -> tuple[int, Sizes, Sizes, Sizes]:
    """Of the batch, the places, the taps, and of group, channel and filter."""
    return 0, tuple(range(1, rank + 1)), tuple(range(rank + 1, 2 * rank + 1)), tuple(range(2 * rank + 1, 2 * rank + 4))


def windows(x: Node, size: Sequence[int], strides: Sequence[int], dilation: Sequence[int] | None = None) -> Node:
    """What lies in each place where a window of ``size`` fits, see Windows.

    Shapes: x (batch, *places, channels) -> (batch, *places that fit, *size, channels).
    Raises: ShapeError: if the window fits nowhere.
    """
    rank = len(size)
    return apply(Windows(tuple(size), tuple(strides), tuple(dilation or (1,) * rank), ((0, 0),) * rank), x)


def flip(x: Node, axes: Sequence[int]) -> Node:
    """The same numbers, the axes ``axes`` backwards.

    Shapes: x (...) -> (...).
    """
    return apply(Flip(tuple(axes)), x)


def convolve(
    x: Node,
    kernel: Node,
    strides: Sequence[int] | None = None,
    padding: Sequence[tuple[int, int]] | None = None,
    dilation: Sequence[int] | None = None,
    groups: int = 1,
) -> Node:
    """The convolution of x with zeros around it, see Convolution.

    Shapes: x (batch, *places, channels), kernel (*size, channels / groups, filters) -> (batch, *places, filters).

    Arguments:
        padding: places of zeros before and after each axis; none by default. Of negative numbers so many are cut off.
    """
    rank = x.rank - 2
    ones = (1,) * rank
    x, margins = _cut(x, padding or ((0, 0),) * rank)
    strides, dilation = tuple(strides or ones), tuple(dilation or ones)
    return apply(Convolution(strides, dilation, margins, groups, precision_for(x.dtype)), x, kernel)


def convolve_transposed(
    x: Node,
    kernel: Node,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int] | None = None,
    groups: int = 1,
) -> Node:
    """The transpose of a convolution, as of a matrix: from its results to its inputs, and its gradient by these.

    Shapes: x (batch, *places, filters), kernel (*size, channels / groups, filters), which is that of the convolution
    from channels to filters -> (batch, *places, channels).

    Arguments:
        padding: places of zeros before and after the spread-out x; one less than the kernel's reach on both sides
            gives back what a convolution without padding was made of.
    """
    dilation = tuple(dilation or (1,) * len(strides))
    margins = tuple((low, high) for low, high in padding)
    op = TransposedConvolution(tuple(strides), dilation, margins, groups, precision_for(x.dtype))
    return apply(op, x, kernel)


def _as_convolutions(x: Node, kernel: Node, strides: Sizes, padding: Padding, dilation: Sizes, groups: int) -> Node:
    """A transposed convolution: of x, spread out by the strides, with the flipped kernel, its channels and filters
    swapped.

    Of the results every s-th along an axis meets the same taps, those that do not fall between the numbers that strides
    of s have spread: so it is done as s convolutions with parts of the kernel, whose results take turns. Of large
    strides these would be many; there one convolution computes all of them, as its channels.
    """
    *size, channels, filters = kernel.shape
    rank = len(size)
    parts = reshape(flip(kernel, range(rank)), (*size, channels, groups, filters // groups))
    swapped = transpose(parts, (*range(rank), rank + 2, rank + 1, rank))
    swapped = reshape(swapped, (*size, filters // groups, groups * channels))
    if max(strides) == 1:
        return convolve(x, swapped, None, padding, dilation, groups)
    if any(s > 1 and d > 1 for s, d in zip(strides, dilation, strict=True)):
        spread = pad(x, (0,) * x.rank, (0,) * x.rank, (0, *(s - 1 for s in strides), 0))
        return convolve(spread, swapped, None, padding, dilation, groups)
    sizes = [
        low + (m - 1) * s + 1 + high - (reach(k, d) - 1)
        for m, s, k, d, (low, high) in zip(x.shape[1:-1], strides, size, dilation, padding, strict=True)
    ]
    taking_turns = _turn_by_turn if math.prod(strides) <= MOST_TURNS else _all_turns_at_once
    y = taking_turns(x, swapped, strides, padding, dilation, groups)
    return surrounded(y, [(0, n - rounded) for n, rounded in zip(sizes, y.shape[1:-1], strict=True)])


MOST_TURNS = 9
"""Convolutions, each with its own code, that the results of one transposed convolution are taken from."""


def _turn_by_turn(
    x: Node,
    kernel: Node,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Node:
    """The convolution of x, spread out by the strides; a few results more, up to a multiple of the strides."""
    *size, _, channels = kernel.shape
    rank = len(size)
    ways = list(map(_turns, x.shape[1:-1], size, strides, dilation, padding))

    def every(axis: int, chosen: tuple[_Turn, ...]) -> Node:
        """The results at the places that have had their turns along the first axes."""
        if axis < rank:
            pieces = [every(axis + 1, (*chosen, turn)) for turn in ways[axis]]
            return _interleaved(pieces, axis + 1)
        if any(turn.first >= k for turn, k in zip(chosen, size, strict=True)):
            return filled((x.shape[0], *(turn.count for turn in chosen), channels), 0, x.dtype)
        starts = (*(turn.first for turn in chosen), 0, 0)
        taps = apply(Slice(starts, kernel.shape, (*strides, 1, 1)), kernel)
        return convolve(x, taps, None, [turn.padding for turn in chosen], dilation, groups)

    return every(0, ())


def _all_turns_at_once(
    x: Node,
    kernel: Node,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Node:
    """The same by one convolution, which gives for each place a block of results as its channels.

    The taps of all turns are as many, where the kernel begins and ends with zeros for those that have fewer.
    Source: Shi et al. (2016), "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", CVPR, section 3.2.
    """
    *size, filters, channels = kernel.shape
    rank = len(size)
    ways = list(map(_turns, x.shape[1:-1], size, strides, dilation, padding))
    low = [s - 1 - before % s for s, (before, _) in zip(strides, padding, strict=True)]
    taps = [-(-(before + k) // s) for before, k, s in zip(low, size, strides, strict=True)]
    high = [t * s - k - before for t, s, k, before in zip(taps, strides, size, low, strict=True)]
    parts = pad(kernel, (*low, 0, 0), (*high, 0, 0))
    apart = [n for pair in zip(taps, strides, strict=True) for n in pair]  # tap, and turn from the last to the first
    parts = flip(reshape(parts, (*apart, filters, groups, channels // groups)), range(1, 2 * rank, 2))
    order = (*range(0, 2 * rank, 2), 2 * rank, 2 * rank + 1, *range(1, 2 * rank, 2), 2 * rank + 2)
    parts = reshape(transpose(parts, order), (*taps, filters, math.prod(strides) * channels))
    counts = [turns[0].count for turns in ways]
    around = []
    for n, count, t, s, d, (before, _) in zip(x.shape[1:-1], counts, taps, strides, dilation, padding, strict=True):
        around.append((before // s, count - n - before // s + reach(t, d) - 1))
    y = convolve(x, parts, None, around, dilation, groups)
    y = reshape(y, (x.shape[0], *counts, groups, *strides, channels // groups))
    axes = [axis for place in range(1, rank + 1) for axis in (place, place + rank + 1)]
    y = transpose(y, (0, *axes, rank + 1, 2 * rank + 2))
    return reshape(y, (x.shape[0], *(n * s for n, s in zip(counts, strides, strict=True)), channels))


@dataclass(frozen=True)
class _Turn:
    """Every s-th result of a transposed convolution along an axis: an ordinary one of every s-th tap from ``first``."""

    first: int
    count: int
    padding: tuple[int, int]


def _turns(places: int, size: int, stride: int, dilation: int, padding: tuple[int, int]) -> list[_Turn]:
    """The turns along one axis, for the results that begin at 0, 1 ... stride - 1."""
    low, high = padding
    results = low + (places - 1) * stride + 1 + high - (reach(size, dilation) - 1)
    count = -(-results // stride)
    turns = []
    for start in range(stride):
        first = (low - start) % stride
        taps = -(-max(size - first, 0) // stride)
        before = (low - start - first) // stride
        turns.append(_Turn(first, count, (before, count - places - before + reach(taps, dilation) - 1)))
    return turns


def _interleaved(pieces: Sequence[Node], axis: int) -> Node:
    """The first of each piece along an axis, then the second of each ..."""
    if len(pieces) == 1:
        return pieces[0]
    shape = pieces[0].shape
    apart = [reshape(piece, (*shape[: axis + 1], 1, *shape[axis + 1 :])) for piece in pieces]
    together = concatenate(tuple(apart), axis + 1)
    return reshape(together, (*shape[:axis], shape[axis] * len(pieces), *shape[axis + 1 :]))


def surrounded(x: Node, padding: Sequence[tuple[int, int]] | None, value: float = 0.0) -> Node:
    """With places that hold ``value`` before and after each axis of places; of negative numbers so many are cut off.

    Shapes: x (batch, *places, channels) -> (batch, *(low + places + high), channels).
    Raises: DTypeError: if the dtype of x does not hold the value.
    """
    if padding is None:
        return x
    x, margins = _cut(x, padding)
    if value == 0:
        low, high = zip(*margins, strict=True)
        return pad(x, (0, *low, 0), (0, *high, 0))
    for axis, counts in enumerate(margins, 1):
        before, after = (filled((*x.shape[:axis], n, *x.shape[axis + 1 :]), value, x.dtype) for n in counts)
        x = concatenate(tuple(part for part in (before, x, after) if part.shape[axis]), axis)
    return x


def _cut(x: Node, padding: Sequence[tuple[int, int]]) -> tuple[Node, Margins]:
    """What is left of x where padding is negative, and the padding that is left to be done."""
    margins = []
    for axis, (low, high) in enumerate(padding, 1):
        n, size = x.shape[axis], low + x.shape[axis] + high
        begin = min(max(-low, 0), n)
        end = max(min(n + high, n), begin)
        x = slice_axis(x, axis, begin, end)
        before = min(max(low, 0), size)
        margins.append((before, size - before - (end - begin)))
    return x, tuple(margins)


def max_pool(x: Node, size: Sequence[int], strides: Sequence[int]) -> Node:
    """The largest number in each window and channel. Equal largest numbers share the gradient.

    Shapes: x (batch, *places, channels) -> (batch, *places that fit, channels).
    Raises: ShapeError: if the window fits nowhere.
    """
    patches, axes = _pools(x, size, strides)
    return reduce_max(patches, axes)


def average_pool(x: Node, size: Sequence[int], strides: Sequence[int]) -> Node:
    """The mean over each window, channel by channel; of whole numbers it is float64, as in NumPy.

    Shapes: x (batch, *places, channels) -> (batch, *places that fit, channels).
    Raises: ShapeError: if the window fits nowhere.
    """
    patches, axes = _pools(x, size, strides)
    return reduce_mean(patches, axes)


def _pools(x: Node, size: Sequence[int], strides: Sequence[int]) -> tuple[Node, tuple[int, ...]]:
    """The windows, and the axes that lie in them.

    Windows that touch but do not overlap are the image itself with its axes cut: so their gradient needs no sums.
    """
    rank = len(size)
    if tuple(size) != tuple(strides):
        return windows(x, size, strides), tuple(range(rank + 1, 2 * rank + 1))
    windows(x, size, strides)  # raises if none fits
    shape: list[int] = [x.shape[0]]
    for axis, k in enumerate(size, 1):
        places = x.shape[axis] // k
        x = slice_axis(x, axis, 0, places * k)
        shape += [places, k]
    assert math.prod(shape) * x.shape[-1] == x.type.size, "whole windows are left"
    return reshape(x, (*shape, x.shape[-1])), tuple(range(2, 2 * rank + 1, 2))
