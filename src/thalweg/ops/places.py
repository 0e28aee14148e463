"""Numbers by their places: taking and putting them, one-hot rows, sums over groups."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thalweg import config
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.graph.node import Node, apply
from thalweg.ops.arithmetic import floor_divide
from thalweg.ops.broadcast import broadcast, broadcast_to, filled, reduce_sum
from thalweg.ops.cast import cast
from thalweg.ops.elementwise import add, divide, equal, less, logical_and, multiply, select, subtract
from thalweg.ops.leaf import iota
from thalweg.ops.lookup import AddRows
from thalweg.ops.lookup import take as take_rows
from thalweg.ops.reduce import reduce_max, reduce_min
from thalweg.ops.shape import normal_axis, reshape

__all__ = [
    "bincount",
    "multi_hot",
    "one_hot",
    "scatter",
    "scatter_update",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "take",
    "take_along_axis",
    "unravel_index",
]


def take(x: Node, indices: Node, axis: int | None = None) -> Node:
    """The parts along the axis that the numbers name, from the end for negative ones; of all in a row for None.

    Shapes: x (..., n, ...), indices (any) -> (..., *indices.shape, ...). NaN for a number that is outside, of whole
    numbers 0.
    """
    x = reshape(x, (x.type.size,)) if axis is None else x
    axis = normal_axis(0 if axis is None else axis, x.shape)
    return _taken(x, _from_start(indices, x.shape[axis]), axis)


def _require_inside(x: np.ndarray, indices: np.ndarray, axis: int | None = None) -> None:
    """Raise DataError for arrays of which a place is outside: there are numbers, and so the answer is known."""
    n = x.size if axis is None else x.shape[normal_axis(axis, x.shape)]
    outside = (indices < -n) | (indices >= n)
    if outside.any():
        raise DataError(
            "there is no number at a place",
            expected=f"places from {-n} to {n - 1}" if n else "no places, of nothing",
            got=f"{indices[outside].flat[0]}",
            fix="check the axis, and that places are counted from 0",
        )


take.require_inside = _require_inside  # type: ignore[attr-defined]  # what ``recording`` asks before it computes


def _from_start(indices: Node, n: int) -> Node:
    indices = cast(indices, indices.dtype if indices.dtype in ("int32", "int64") else "int64")
    return select(less(indices, 0), add(indices, n), indices)


def _taken(x: Node, indices: Node, axis: int) -> Node:
    """Whole numbers in two halves that a double holds exactly."""
    if x.type.is_float:
        return take_rows(x, indices, axis)
    known = _known(take_rows(cast(x, "float64"), indices, axis))
    if x.dtype != "int64":
        return cast(known, x.dtype)
    high = floor_divide(x, 2**31)
    low = subtract(x, multiply(high, 2**31))
    parts = [cast(_known(take_rows(cast(part, "float64"), indices, axis)), "int64") for part in (high, low)]
    return add(multiply(parts[0], 2**31), parts[1])


def _known(x: Node) -> Node:
    """0 in place of NaN."""
    return select(equal(x, x), x, 0.0)


def take_along_axis(x: Node, indices: Node, axis: int | None = None) -> Node:
    """At each place the number along the axis that the index there names.

    Shapes: x (..., n, ...), indices (..., k, ...)
    with the other sizes equal or 1 -> (..., k, ...). Outside as for take.
    """
    x, indices = (reshape(z, (z.type.size,)) if axis is None else z for z in (x, indices))
    axis = normal_axis(-1 if axis is None else axis, x.shape)
    if indices.rank != x.rank:
        raise ShapeError(
            "the indices do not have the axes of the tensor",
            expected=f"{x.rank} axes, as {x.shape}",
            got=f"{indices.shape}",
            fix="put in axes of size 1 with expand_dims",
        )
    places = _from_start(indices, x.shape[axis])
    others = np.broadcast_shapes(*(tuple(1 if a == axis else n for a, n in enumerate(z.shape)) for z in (x, places)))
    x = broadcast_to(x, tuple(x.shape[a] if a == axis else n for a, n in enumerate(others)))
    places = broadcast_to(places, tuple(places.shape[a] if a == axis else n for a, n in enumerate(others)))
    inside = logical_and(less(places, x.shape[axis]), less(-1, places))
    flat = cast(filled(places.shape, 0, "int32"), places.dtype)
    for a in range(x.rank):
        step = math.prod(x.shape[a + 1 :])
        flat = add(flat, multiply(places if a == axis else iota(places.shape, a, places.dtype), step))
    # a place outside of its row would be another's: it is sent outside of all
    return _taken(reshape(x, (x.type.size,)), select(inside, flat, x.type.size), 0)


take_along_axis.require_inside = _require_inside  # type: ignore[attr-defined]


# --- one-hot ------------------------------------------------------------------------------------------------------


def one_hot(x: Node, num_classes: int, axis: int = -1, dtype: str | None = None, sparse: bool = False) -> Node:
    """1 at the place that each number names, 0 elsewhere; only 0 for a number that is no class.

    Shapes: x (...) -> (..., num_classes), or with the classes along ``axis``; floatx unless ``dtype`` says otherwise.
    """
    axis = normal_axis(axis, (*x.shape, num_classes))
    shape = (*x.shape[:axis], num_classes, *x.shape[axis:])
    repeated = broadcast(cast(x, "int64"), shape, tuple(a for a in range(len(shape)) if a != axis))
    return cast(equal(iota(shape, axis, "int64"), repeated), dtype or config.floatx())


def multi_hot(inputs: Node, num_classes: int, axis: int = -1, dtype: str | None = None, sparse: bool = False) -> Node:
    """1 at all places that the numbers of a sample name.

    Shapes: inputs (batch, k) -> (batch, num_classes); (k,) -> (num_classes,).
    """
    ones = one_hot(inputs, num_classes, axis, dtype)
    return reduce_max(ones, 1 if inputs.rank > 1 else 0)


# --- putting and adding up ----------------------------------------------------------------------------------------


def _rows(indices: Node, shape: Sequence[int]) -> Node:
    """Places (..., k) in the first k axes of a shape as numbers of rows (count,); -1 for places outside."""
    sizes = shape[: indices.shape[-1]]
    indices = cast(indices, "int64")
    total, inside = None, None
    for a, n in enumerate(sizes):
        at = indices[..., a]
        fits = logical_and(less(at, n), less(-1, at))
        inside = fits if inside is None else logical_and(inside, fits)
        step = multiply(at, math.prod(sizes[a + 1 :]))
        total = step if total is None else add(total, step)
    assert total is not None and inside is not None, "a place has at least one number"
    return reshape(select(inside, total, -1), (total.type.size,))


def _added(values: Node, rows: Node, count: int) -> Node:
    """Rows (k, width) added up at their numbers. Shapes: -> (count, width)."""
    exact = values if values.type.is_float else cast(values, "float64")
    return cast(apply(AddRows(count), exact, rows), values.dtype)


def scatter(indices: Node, values: Node, shape: Sequence[int]) -> Node:
    """Zeros with values put, and equal places added up. Shapes: indices (..., k), values (..., *shape[k:]) -> shape."""
    rows = _rows(indices, shape)
    width = math.prod(shape[indices.shape[-1] :])
    count = math.prod(shape[: indices.shape[-1]])
    return reshape(_added(reshape(values, (rows.type.size, width)), rows, count), tuple(shape))


def scatter_update(inputs: Node, indices: Node, updates: Node, reduction: str | None = None) -> Node:
    """``inputs`` with values put at places, or added to what is there with ``reduction="add"``.

    Shapes: inputs (...), indices (n, k), updates (n, *inputs.shape[k:]) -> (...). Of equal places, without a reduction,
    the values must be equal: their mean is put.
    Raises: ArgumentError: for another reduction.
    """
    added = scatter(indices, cast(updates, inputs.dtype), inputs.shape)
    if reduction == "add":
        return add(inputs, added)
    if reduction is not None:
        raise ArgumentError(
            "scatter_update: this reduction is not there",
            expected="None or 'add'",
            got=repr(reduction),
            fix="use segment_max or segment_min for extremes",
        )
    counts = scatter(indices, filled(updates.shape, 1, inputs.dtype), inputs.shape)
    there = less(0, counts)
    from_updates = added if not inputs.type.is_float else divide(added, select(there, counts, 1.0))
    return select(there, from_updates, inputs)


def _required(num_segments: int | None) -> int:
    if num_segments is None:
        raise ArgumentError(
            "segments: their number must be known, because the graph has shapes before it has numbers",
            expected="num_segments",
            got="None",
            fix="pass how many groups there are, for example int(ids.max()) + 1",
        )
    return num_segments


def segment_sum(data: Node, segment_ids: Node, num_segments: int | None = None, sorted: bool = False) -> Node:
    """The sums of rows with the same number. Shapes: data (n, ...), segment_ids (n,) -> (num_segments, ...)."""
    num_segments, width = _required(num_segments), math.prod(data.shape[1:])
    rows = _added(reshape(data, (data.shape[0], width)), cast(segment_ids, "int64"), num_segments)
    return reshape(rows, (num_segments, *data.shape[1:]))


def _members(data: Node, segment_ids: Node, num_segments: int | None) -> tuple[Node, Node]:
    """The data for each segment anew, and which of them belong to it. Shapes: -> (num_segments, n, ...)."""
    shape = (_required(num_segments), *data.shape)
    mine = equal(iota(shape, 0, "int64"), broadcast(cast(segment_ids, "int64"), shape, (1,)))
    return broadcast(data, shape, tuple(range(1, len(shape)))), mine


def segment_max(data: Node, segment_ids: Node, num_segments: int | None = None, sorted: bool = False) -> Node:
    """The largest of rows with the same number; -inf for none.

    Shapes: data (n, ...), segment_ids (n,) -> (num_segments, ...).
    """
    spread, mine = _members(data, segment_ids, num_segments)
    least = -math.inf if data.type.is_float else int(np.iinfo(data.dtype).min)
    return reduce_max(select(mine, spread, least), 1)


def segment_min(data: Node, segment_ids: Node, num_segments: int | None = None, sorted: bool = False) -> Node:
    """The smallest of rows with the same number; inf for none.

    Shapes: data (n, ...), segment_ids (n,) -> (num_segments, ...).
    """
    spread, mine = _members(data, segment_ids, num_segments)
    most = math.inf if data.type.is_float else int(np.iinfo(data.dtype).max)
    return reduce_min(select(mine, spread, most), 1)


def segment_prod(data: Node, segment_ids: Node, num_segments: int | None = None, sorted: bool = False) -> Node:
    """The product of rows with the same number. Shapes: data (n, ...), segment_ids (n,) -> (num_segments, ...)."""
    from_all, mine = _members(data, segment_ids, num_segments)
    factors = select(mine, from_all, 1)
    product = factors[:, 0]
    for i in range(1, data.shape[0]):
        product = multiply(product, factors[:, i])
    return product


def bincount(x: Node, weights: Node | None = None, minlength: int = 0, sparse: bool = False) -> Node:
    """How often each number below ``minlength`` is there, or the sums of weights.

    Shapes: x (..., n) -> (..., minlength).
    """
    hot = one_hot(x, minlength, -1, "int32" if weights is None else weights.dtype)
    if weights is not None:
        hot = multiply(hot, reshape(weights, (*weights.shape, 1)))
    counts = reduce_sum(hot, -2)
    return cast(counts, "int32") if weights is None else counts


def unravel_index(indices: Node, shape: Sequence[int]) -> tuple[Node, ...]:
    """Places in a row as places along each axis of a shape. Shapes: indices (any) -> for each axis (any)."""
    parts, rest = [], indices
    for n in reversed(tuple(shape)):
        quotient = floor_divide(rest, n)
        parts.append(subtract(rest, multiply(quotient, n)))
        rest = quotient
    return tuple(reversed(parts))
