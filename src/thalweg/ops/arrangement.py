"""Moving numbers without changing them, by NumPy's and Keras's names."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Sequence
from typing import Any

from thalweg.errors import ArgumentError, ShapeError
from thalweg.graph.node import Node, Nodes
from thalweg.graph.types import Shape
from thalweg.ops import elementwise
from thalweg.ops.arithmetic import logical_xor
from thalweg.ops.broadcast import broadcast_to, filled, reduce_sum
from thalweg.ops.cast import cast
from thalweg.ops.concatenate import concatenate as join
from thalweg.ops.convolution import flip as flip_axes
from thalweg.ops.elementwise import common_dtype, equal, select
from thalweg.ops.leaf import iota
from thalweg.ops.shape import normal_axes, normal_axis, reshape, slice_axis, take_slice, transpose
from thalweg.ops.shape import pad as surround

__all__ = [
    "append",
    "array_split",
    "concatenate",
    "copy",
    "diag",
    "diagflat",
    "diagonal",
    "diff",
    "dsplit",
    "dstack",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "get_item",
    "hsplit",
    "hstack",
    "meshgrid",
    "moveaxis",
    "pad",
    "ravel",
    "repeat",
    "roll",
    "rot90",
    "slice",
    "slice_update",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "tile",
    "trace",
    "tril",
    "triu",
    "unstack",
    "vsplit",
    "vstack",
]


def _one_dtype(xs: Nodes) -> Nodes:
    dtype = common_dtype(*(x.dtype for x in xs))
    return tuple(x if x.type.is_float else cast(x, dtype) for x in xs)


# --- joining ------------------------------------------------------------------------------------------------------


def concatenate(xs: Nodes, axis: int = 0) -> Node:
    """The tensors one after the other along an axis; all other sizes equal. Shapes: (..., n_i, ...) -> (..., sum, ...).

    Raises: ShapeError: if other sizes differ, or if there is no such axis.
    """
    return join(_one_dtype(tuple(xs)), axis)


def stack(x: Nodes, axis: int = 0) -> Node:
    """Tensors of one shape along a new axis. Shapes: k times (...) -> (..., k, ...)."""
    return concatenate(tuple(expand_dims(part, axis) for part in x), axis)


def append(x1: Node, x2: Node, axis: int | None = None) -> Node:
    """x2 after x1 along the axis, without one of all numbers in a row. Shapes: as for concatenate."""
    return concatenate((ravel(x1), ravel(x2)), 0) if axis is None else concatenate((x1, x2), axis)


def vstack(xs: Nodes) -> Node:
    """Rows below each other. Shapes: (n,) as (1, n), or (m, ...) -> (sum of m, ...)."""
    return concatenate(tuple(reshape(x, (1, x.type.size)) if x.rank < 2 else x for x in xs), 0)


def hstack(xs: Nodes) -> Node:
    """Beside each other, along the second axis. Shapes: (n,) -> (sum of n,); (m, n, ...) -> (m, sum of n, ...)."""
    return concatenate(tuple(reshape(x, (1,)) if x.rank < 1 else x for x in xs), 0 if xs[0].rank < 2 else 1)


def dstack(xs: Nodes) -> Node:
    """Behind each other, along the third axis. Shapes: (n,) as (1, n, 1), (m, n) as (m, n, 1) -> (m, n, k)."""
    deep = tuple(reshape(x, (1, x.type.size, 1) if x.rank < 2 else (*x.shape, 1)) if x.rank < 3 else x for x in xs)
    return concatenate(deep, 2)


# --- taking apart -------------------------------------------------------------------------------------------------


def split(x: Node, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Node]:
    """Parts along an axis: so many equal ones, or cut before these places. Shapes: x (..., n, ...) -> (..., k, ...).

    Raises: ShapeError: if n does not divide evenly.
    """
    axis = normal_axis(axis, x.shape)
    n = x.shape[axis]
    if isinstance(indices_or_sections, int) and (indices_or_sections < 1 or n % indices_or_sections):
        raise ShapeError(
            "the tensor cannot be split into so many equal parts",
            expected=f"a divisor of {n}, the size of axis {axis}",
            got=f"indices_or_sections={indices_or_sections}",
            fix="pass the places to cut at, or use array_split",
        )
    return array_split(x, indices_or_sections, axis)


def array_split(x: Node, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Node]:
    """As split; of parts that cannot be equal the first ones are longer by one.

    Shapes: (..., n, ...) -> (..., k, ...).
    """
    axis = normal_axis(axis, x.shape)
    n = x.shape[axis]
    if isinstance(indices_or_sections, int):
        size, longer = divmod(n, indices_or_sections)
        cuts = [i * size + min(i, longer) for i in range(indices_or_sections + 1)]
    else:
        cuts = [0, *(builtins.slice(0, int(at)).indices(n)[1] for at in indices_or_sections), n]
    return [slice_axis(x, axis, low, max(low, high)) for low, high in itertools.pairwise(cuts)]


def hsplit(x: Node, indices_or_sections: int | Sequence[int]) -> list[Node]:
    """Split along the second axis, of a vector the first. Shapes: see split."""
    return split(x, indices_or_sections, min(x.rank - 1, 1))


def vsplit(x: Node, indices_or_sections: int | Sequence[int]) -> list[Node]:
    """Split along the first axis. Shapes: see split."""
    return split(x, indices_or_sections, 0)


def dsplit(x: Node, indices_or_sections: int | Sequence[int]) -> list[Node]:
    """Split along the third axis. Shapes: see split."""
    return split(x, indices_or_sections, 2)


def unstack(x: Node, num: int | None = None, axis: int = 0) -> list[Node]:
    """The parts along an axis, which goes. Shapes: x (..., n, ...) -> n times (...).

    Raises: ShapeError: if ``num`` is given and is not n.
    """
    axis = normal_axis(axis, x.shape)
    if num not in (None, x.shape[axis]):
        raise ShapeError(
            "the tensor does not have so many parts",
            expected=f"num={x.shape[axis]}, the size of axis {axis}, or None",
            got=f"num={num}",
            fix="leave num out",
        )
    return [squeeze(part, axis) for part in array_split(x, x.shape[axis], axis)]


def get_item(x: Node, key: Any) -> Node:
    """``x[key]``. Shapes: NumPy's, see take_slice."""
    return take_slice(x, key)


def slice(inputs: Node, start_indices: Sequence[int], shape: Sequence[int]) -> Node:
    """A box of this shape that begins at these places; -1 for all that is left. Shapes: inputs (...) -> shape."""
    ends = [n if size == -1 else at + size for n, at, size in zip(inputs.shape, start_indices, shape, strict=True)]
    for axis, (low, high) in enumerate(zip(start_indices, ends, strict=True)):
        inputs = slice_axis(inputs, axis, low, high)
    return inputs


def slice_update(inputs: Node, start_indices: Sequence[int], updates: Node) -> Node:
    """``inputs`` with a box at these places replaced by ``updates``. Shapes: inputs (...) -> (...)."""
    low = tuple(start_indices)
    high = tuple(n - at - size for n, at, size in zip(inputs.shape, low, updates.shape, strict=True))
    updates = cast(updates, inputs.dtype)
    inside = surround(filled(updates.shape, 1, "int32"), low, high)
    return select(equal(inside, 1), surround(updates, low, high), inputs)


# --- shapes and axes ----------------------------------------------------------------------------------------------


def copy(x: Node) -> Node:
    """x: tensors never change. Shapes: x (...) -> (...)."""
    return x


def ravel(x: Node) -> Node:
    """All numbers in a row. Shapes: x (...) -> (size,)."""
    return reshape(x, (x.type.size,))


def expand_dims(x: Node, axis: int | Sequence[int]) -> Node:
    """With axes of size 1, counted in the result. Shapes: x (...) -> (..., 1, ...)."""
    given = (axis,) if isinstance(axis, int) else tuple(axis)
    new = normal_axes(given, (1,) * (x.rank + len(given)))
    sizes = iter(x.shape)
    return reshape(x, tuple(1 if a in new else next(sizes) for a in range(x.rank + len(new))))


def squeeze(x: Node, axis: int | Sequence[int] | None = None) -> Node:
    """Without axes of size 1, all of them or these. Shapes: x (..., 1, ...) -> (...).

    Raises: ShapeError: if an axis that is named has another size.
    """
    gone = [a for a, n in enumerate(x.shape) if n == 1]
    if axis is not None:
        gone = [*normal_axes(axis if isinstance(axis, int) else tuple(axis), x.shape)]
    if any(x.shape[a] != 1 for a in gone):
        raise ShapeError(
            "an axis cannot be left out",
            expected="axes of size 1",
            got=f"axis={axis} of shape {x.shape}",
            fix="index the axis, or reduce over it",
        )
    return reshape(x, tuple(n for a, n in enumerate(x.shape) if a not in gone))


def swapaxes(x: Node, axis1: int, axis2: int) -> Node:
    """Two axes exchanged. Shapes: x (..., m, ..., n, ...) -> (..., n, ..., m, ...)."""
    order = [*range(x.rank)]
    first, second = normal_axis(axis1, x.shape), normal_axis(axis2, x.shape)
    order[first], order[second] = second, first
    return transpose(x, tuple(order))


def moveaxis(x: Node, source: int | Sequence[int], destination: int | Sequence[int]) -> Node:
    """Axes at other places, the others in their order. Shapes: the same sizes in another order."""
    given = [(a,) if isinstance(a, int) else tuple(a) for a in (source, destination)]
    origin, target = ([normal_axis(a, x.shape) for a in axes] for axes in given)
    order = [a for a in range(x.rank) if a not in origin]
    for to, axis in sorted(zip(target, origin, strict=True)):
        order.insert(to, axis)
    return transpose(x, tuple(order))


def flip(x: Node, axis: int | Sequence[int] | None = None) -> Node:
    """Backwards along axes, all of them for None. Shapes: x (...) -> (...)."""
    axes = normal_axes(axis if axis is None or isinstance(axis, int) else tuple(axis), x.shape)
    return flip_axes(x, axes) if axes else x


def fliplr(x: Node) -> Node:
    """Backwards along the second axis. Shapes: x (m, n, ...) -> (m, n, ...)."""
    return flip(x, 1)


def flipud(x: Node) -> Node:
    """Backwards along the first axis. Shapes: x (n, ...) -> (n, ...)."""
    return flip(x, 0)


def rot90(array: Node, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Node:
    """Turned by k quarters from the first towards the second axis. Shapes: the two sizes exchanged for odd k."""
    first, second = axes
    for _ in range(k % 4):
        array = swapaxes(flip(array, second), first, second)
    return array


def roll(x: Node, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Node:
    """Moved along axes, what leaves at the end comes in at the beginning; without an axis all in a row.

    Shapes: x (...) -> (...).
    """
    if axis is None:
        total = shift if isinstance(shift, int) else sum(shift)
        return reshape(roll(ravel(x), total, 0), x.shape)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, int) else tuple(shift)
    for by, a in zip(shifts, axes, strict=True):
        a = normal_axis(a, x.shape)
        if x.shape[a] and (cut := -by % x.shape[a]):
            x = join((slice_axis(x, a, cut, x.shape[a]), slice_axis(x, a, 0, cut)), a)
    return x


# --- repetition and margins ---------------------------------------------------------------------------------------


def tile(x: Node, repeats: int | Sequence[int]) -> Node:
    """x so many times along each axis, as a whole. Shapes: x (n, ...) -> (n * repeats, ...)."""
    times = (repeats,) if isinstance(repeats, int) else tuple(repeats)
    rank = max(len(times), x.rank)
    times, sizes = (1,) * (rank - len(times)) + times, (1,) * (rank - x.rank) + x.shape
    alternating = tuple(n for pair in zip(times, sizes, strict=True) for n in pair)
    from_x = tuple(2 * a + 1 for a in range(rank))
    repeated = _spread(reshape(x, sizes), alternating, from_x)
    return reshape(repeated, tuple(t * n for t, n in zip(times, sizes, strict=True)))


def _spread(x: Node, shape: Shape, axes: tuple[int, ...]) -> Node:
    from_x = reshape(x, tuple(shape[a] if a in axes else 1 for a in range(len(shape))))
    return broadcast_to(from_x, shape)


def repeat(x: Node, repeats: int | Sequence[int], axis: int | None = None) -> Node:
    """Each part along the axis so many times, or each its own number of times.

    Shapes: (..., n, ...) -> (..., sum, ...).
    """
    if axis is None:
        return repeat(ravel(x), repeats, 0)
    axis = normal_axis(axis, x.shape)
    n = x.shape[axis]
    if isinstance(repeats, int):
        shape = (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :])
        spread = _spread(x, shape, tuple(a for a in range(x.rank + 1) if a != axis + 1))
        return reshape(spread, (*x.shape[:axis], n * repeats, *x.shape[axis + 1 :]))
    times = [int(count) for count in repeats]
    times = times * n if len(times) == 1 else times
    parts = [repeat(slice_axis(x, axis, i, i + 1), count, axis) for i, count in zip(range(n), times, strict=True)]
    return join(tuple(parts), axis)


def pad(
    x: Node,
    pad_width: int | Sequence[Any],
    mode: str = "constant",
    constant_values: float | int | None = None,
) -> Node:
    """Margins: of one number, or the tensor mirrored at its ends with (``"symmetric"``) or without them, or its ends.

    Shapes: x (n, ...) -> (low + n + high, ...).

    Arguments:
        pad_width: a number, (low, high) for all axes, or such a pair for each.
        mode: ``"constant"``, ``"reflect"``, ``"symmetric"``, ``"edge"`` or ``"wrap"``.

    Raises: ArgumentError: for another mode.
    """
    margins = _margins(pad_width, x.rank)
    if mode == "constant":
        low, high = zip(*margins, strict=True) if margins else ((), ())
        padded = surround(x, low, high)
        if not constant_values or not any(map(any, margins)):
            return padded
        inside = surround(filled(x.shape, 1, "int32"), low, high)
        return select(equal(inside, 1), padded, constant_values)
    if mode not in ("reflect", "symmetric", "edge", "wrap"):
        raise ArgumentError(
            "pad: argument 'mode' does not fit its rule",
            expected="one of 'constant', 'reflect', 'symmetric', 'edge' and 'wrap'",
            got=repr(mode),
            fix="choose one of these",
        )
    for axis, (before, after) in enumerate(margins):
        x = _mirrored(x, axis, before, after, mode)
    return x


def _margins(pad_width: int | Sequence[Any], rank: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, int):
        return [(pad_width, pad_width)] * rank
    pairs = [(p, p) if isinstance(p, int) else tuple(map(int, p)) for p in pad_width]
    if all(isinstance(p, int) for p in pad_width) and len(pad_width) == 2:
        pairs = [(int(pad_width[0]), int(pad_width[1]))]
    pairs = pairs * rank if len(pairs) == 1 else pairs
    if len(pairs) != rank or any(len(p) != 2 or min(p) < 0 for p in pairs):
        raise ShapeError(
            "pad: the margins do not fit the tensor",
            expected=f"a pair of numbers from 0 on for each of {rank} axes",
            got=repr(pad_width),
            fix="pass for example ((0, 0), (1, 1))",
        )
    return [(p[0], p[1]) for p in pairs]


def _mirrored(x: Node, axis: int, low: int, high: int, mode: str) -> Node:
    """The places of the margins, taken from where the mode says, one slice after the other."""
    n = x.shape[axis]
    places = [_source(i, n, mode) for i in range(-low, n + high)]
    if not low and not high:
        return x
    parts = [slice_axis(x, axis, at, at + 1) for at in places[:low]]
    parts += [x, *(slice_axis(x, axis, at, at + 1) for at in places[low + n :])]
    return join(tuple(parts), axis)


def _source(place: int, n: int, mode: str) -> int:
    if mode == "edge":
        return min(max(place, 0), n - 1)
    if mode == "wrap":
        return place % n
    if mode == "symmetric":
        place %= 2 * n
        return place if place < n else 2 * n - 1 - place
    turn = max(2 * n - 2, 1)
    place %= turn
    return place if place < n else turn - place


# --- diagonals and triangles --------------------------------------------------------------------------------------


def _offsets(x: Node, k: int, first: int = -2, second: int = -1) -> Node:
    """How far right of the k-th diagonal each place lies, int32, in the shape of x."""
    row, column = (iota(x.shape, normal_axis(axis, x.shape)) for axis in (first, second))
    return elementwise.subtract(elementwise.subtract(column, row), k)


def tril(x: Node, k: int = 0) -> Node:
    """0 right of the k-th diagonal of the last two axes. Shapes: x (..., m, n) -> (..., m, n)."""
    return select(elementwise.less_equal(_offsets(x, k), 0), x, 0)


def triu(x: Node, k: int = 0) -> Node:
    """0 left of the k-th diagonal of the last two axes. Shapes: x (..., m, n) -> (..., m, n)."""
    return select(elementwise.less_equal(0, _offsets(x, k)), x, 0)


def diagonal(x: Node, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The diagonals of two axes, at the end. Shapes: x (..., m, ..., n, ...) -> (..., length)."""
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    m, n = x.shape[-2:]
    length = max(min(m + min(offset, 0), n - max(offset, 0)), 0)
    x = slice_axis(slice_axis(x, x.rank - 2, max(-offset, 0), m), x.rank - 1, max(offset, 0), n)
    x = slice_axis(slice_axis(x, x.rank - 2, 0, length), x.rank - 1, 0, length)
    whole, dtype = not x.type.is_float, x.dtype
    kept = select(equal(_offsets(x, 0), 0), cast(x, "int64") if whole else x, 0)  # elsewhere 0, whatever is there
    return cast(reduce_sum(kept, -1), dtype)


def trace(x: Node, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The sum of the diagonal of two axes. Shapes: x (..., m, ..., n, ...) -> without the two."""
    return reduce_sum(diagonal(x, offset, axis1, axis2), -1)


def diag(x: Node, k: int = 0) -> Node:
    """A matrix with x on the k-th diagonal; of a matrix the k-th diagonal. Shapes: (n,) -> (n + |k|, n + |k|)."""
    if x.rank == 2:
        return diagonal(x, k)
    n = x.shape[0]
    size, rows = (n + abs(k),) * 2, max(-k, 0)
    column = surround(x, (rows,), (size[0] - n - rows,))
    return select(equal(_offsets(filled(size, 0, x.dtype), k), 0), _spread(column, size, (0,)), 0)


def diagflat(x: Node, k: int = 0) -> Node:
    """A matrix with all numbers of x on the k-th diagonal. Shapes: x (...) -> (size + |k|, size + |k|)."""
    return diag(ravel(x), k)


# --- differences and grids ----------------------------------------------------------------------------------------


def diff(a: Node, n: int = 1, axis: int = -1) -> Node:
    """Each number less the one before it, n times. Shapes: a (..., m, ...) -> (..., m - n, ...)."""
    axis = normal_axis(axis, a.shape)
    for _ in range(n):
        size = a.shape[axis]
        later, earlier = slice_axis(a, axis, 1, size), slice_axis(a, axis, 0, size - 1)
        a = logical_xor(later, earlier) if a.dtype == "bool" else elementwise.subtract(later, earlier)
    return a


def meshgrid(*x: Node, indexing: str = "xy") -> list[Node]:
    """Each vector along its own axis of a grid. Shapes: (n_i,) -> (n_1, ..., n_k), the first two exchanged for "xy"."""
    axes = [*range(len(x))]
    if indexing == "xy" and len(x) > 1:
        axes[:2] = [1, 0]
    shape = tuple(x[axes.index(a)].type.size for a in range(len(x)))
    return [_spread(ravel(vector), shape, (axis,)) for vector, axis in zip(x, axes, strict=True)]
