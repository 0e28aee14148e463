"""Sorting, and what is found by it: the k largest, medians and quantiles, places in a sorted row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thalweg.errors import ArgumentError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import TensorType
from thalweg.ops.arithmetic import ceil, isnan
from thalweg.ops.broadcast import broadcast, reduce_sum
from thalweg.ops.cast import cast
from thalweg.ops.concatenate import concatenate
from thalweg.ops.elementwise import (
    add,
    equal,
    floating,
    floor,
    less,
    logical_and,
    logical_not,
    logical_or,
    multiply,
    negate,
    select,
    subtract,
)
from thalweg.ops.leaf import iota
from thalweg.ops.places import take_along_axis
from thalweg.ops.shape import Axes, normal_axes, normal_axis, reshape, slice_axis, transpose

__all__ = [
    "argpartition",
    "argsort",
    "digitize",
    "in_top_k",
    "isin",
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
    "searchsorted",
    "sort",
    "top_k",
]


@dataclass(frozen=True)
class ArgSort(Op, kind=Kind.COMPOSITE):
    """Where along ``axis`` the numbers stand that come first, second ... by size; equal ones in their order, NaN last.

    Shapes: x (...) -> (...), int32.
    """

    # An operation so that on arrays it takes the time of sorting; in compiled code that of the square of the size.

    axis: int

    def infer(self, x: TensorType) -> TensorType:
        if not 0 <= self.axis < x.rank:
            raise ShapeError(
                "a tensor cannot be sorted along an axis that it does not have",
                expected=f"an axis below {x.rank}",
                got=f"axis {self.axis} of {x}",
                fix="check the number of axes",
            )
        return x.with_dtype("int32")

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.argsort(x, self.axis, kind="stable").astype(np.int32)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None,)

    def decompose(self, *inputs: Node) -> Node:
        (x,) = inputs
        n, last = x.shape[self.axis], x.rank
        square = (*x.shape, n)
        rank = broadcast(_rank(x, self.axis), square, tuple(range(last)))
        here = equal(rank, iota(square, last))
        places = reduce_sum(select(here, iota(square, self.axis, "int64"), 0), self.axis)
        order = (*range(self.axis), last - 1, *range(self.axis, last - 1))
        return cast(transpose(places, order), "int32")


def _rank(x: Node, axis: int) -> Node:
    """How many numbers come before each, int32."""
    x = cast(x, "int32") if x.dtype == "bool" else x
    square, last = (*x.shape, x.shape[axis]), x.rank
    kept = tuple(range(last))
    other = (*range(axis), last, *range(axis + 1, last))
    mine = broadcast(x, square, kept)
    theirs = broadcast(transpose(x, (*range(axis), *range(axis + 1, last), axis)), square, tuple(sorted(other)))
    earlier = less(iota(square, last), iota(square, axis))
    same = equal(theirs, mine)
    before = less(theirs, mine)
    if x.type.is_float:
        missing, others = isnan(mine), isnan(theirs)
        before = logical_or(before, logical_and(missing, logical_not(others)))
        same = logical_or(same, logical_and(missing, others))
    return cast(reduce_sum(cast(logical_or(before, logical_and(same, earlier)), "int32"), last), "int32")


def argsort(x: Node, axis: int | None = -1) -> Node:
    """The places in which the numbers come by size, int32; equal ones in their order, NaN last. It has no gradient.

    Shapes: x (...) -> (...); for None all in a row.
    """
    x = reshape(x, (x.type.size,)) if axis is None else x
    return apply(ArgSort(normal_axis(-1 if axis is None else axis, x.shape)), x)


def sort(x: Node, axis: int | None = -1) -> Node:
    """The numbers by size, NaN last. Shapes: x (...) -> (...); for None all in a row."""
    x = reshape(x, (x.type.size,)) if axis is None else x
    axis = -1 if axis is None else axis
    return take_along_axis(x, argsort(x, axis), axis)


def argpartition(x: Node, kth: int, axis: int = -1) -> Node:
    """As argsort, which has the kth number at its place. Shapes: x (...) -> (...), int32."""
    return argsort(x, axis)


def top_k(x: Node, k: int, sorted: bool = True) -> tuple[Node, Node]:
    """The k largest along the last axis and where they stand, the largest first. Shapes: x (..., n) -> twice (..., k).

    Raises: ShapeError: if there are fewer.
    """
    if not x.rank or x.shape[-1] < k:
        raise ShapeError(
            "there are fewer than k numbers",
            expected=f"at least {k} along the last axis",
            got=str(x.type),
            fix="pass a smaller k",
        )
    turned = negate(x) if x.type.is_float else subtract(-1, cast(x, "int64"))
    places = slice_axis(argsort(turned), x.rank - 1, 0, k)
    return take_along_axis(x, places, -1), places


def in_top_k(targets: Node, predictions: Node, k: int) -> Node:
    """Whether fewer than k predictions are larger than that of the target. Shapes: (n,), (n, classes) -> (n,), bool."""
    index = reshape(targets, (*targets.shape, 1))
    mine = take_along_axis(predictions, index, -1)
    return less(reduce_sum(cast(less(mine, predictions), "int32"), -1), k)


def isin(x1: Node, x2: Node, assume_unique: bool = False, invert: bool = False) -> Node:
    """Which numbers of x1 are among those of x2. Shapes: x1 (...), x2 (any) -> (...), bool."""
    square = (*x1.shape, x2.type.size)
    mine = broadcast(x1, square, tuple(range(x1.rank)))
    theirs = broadcast(reshape(x2, (x2.type.size,)), square, (x1.rank,))
    found = less(0, reduce_sum(cast(equal(mine, theirs), "int32"), -1))
    return logical_not(found) if invert else found


def searchsorted(sorted_sequence: Node, values: Node, side: str = "left") -> Node:
    """Before which place each value belongs: how many are smaller, or ("right") not larger.

    Shapes: (n,), (any) -> (any).
    """
    square = (*values.shape, sorted_sequence.type.size)
    theirs = broadcast(sorted_sequence, square, (values.rank,))
    mine = broadcast(values, square, tuple(range(values.rank)))
    before = less(theirs, mine) if side == "left" else logical_not(less(mine, theirs))
    return cast(reduce_sum(cast(before, "int32"), -1), "int32")


def digitize(x: Node, bins: Node) -> Node:
    """In which of the intervals between rising bins each number lies. Shapes: x (...), bins (n,) -> (...), int32."""
    return searchsorted(bins, x, "right")


# --- quantiles ----------------------------------------------------------------------------------------------------


def median(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The number in the middle, or the mean of the two there. Shapes: x (...) -> without the axes."""
    return quantile(x, 0.5, axis, keepdims=keepdims)


def percentile(
    x: Node, q: float | Sequence[float], axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> Node:
    """As quantile, of hundredths. Shapes: x (...) -> without the axes, an axis for several q in front."""
    shares = q / 100.0 if isinstance(q, int | float) else [share / 100.0 for share in q]
    return quantile(x, shares, axis, method, keepdims)


METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile(
    x: Node, q: float | Sequence[float], axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> Node:
    """The number that the share q of all lies below; between two numbers as the method says.

    Shapes: x (...) -> without the axes, an axis for several q in front.
    Raises: ArgumentError: for another method, or q outside of [0, 1].
    """
    shares = [float(q)] if isinstance(q, int | float) else [float(share) for share in q]
    if method not in METHODS or not all(0 <= share <= 1 for share in shares):
        raise ArgumentError(
            "quantile: arguments do not fit their rules",
            expected=f"q in [0, 1], a method out of {', '.join(METHODS)}",
            got=f"q={q}, method={method!r}",
            fix="choose one of these",
        )
    x = floating(x)
    axes = normal_axes(tuple(axis) if isinstance(axis, list) else axis, x.shape)
    others = tuple(a for a in range(x.rank) if a not in axes)
    left = tuple(x.shape[a] for a in others)
    rows = sort(reshape(transpose(x, (*others, *axes)), (*left, math.prod(x.shape[a] for a in axes))))
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape)) if keepdims else left
    results = [reshape(_between(rows, share * (rows.shape[-1] - 1), method), kept) for share in shares]
    if isinstance(q, int | float):
        return results[0]
    return concatenate(tuple(reshape(result, (1, *kept)) for result in results), 0)


def _between(rows: Node, place: float, method: str) -> Node:
    """The sorted numbers at a place, NaN where one of the row is, which stands last."""
    low, high = math.floor(place), math.ceil(place)
    share = {
        "lower": 0.0,
        "higher": 1.0,
        "midpoint": 0.5,
        "nearest": float(_to_even(place) - low),
        "linear": place - low,
    }
    below, above, last = (
        reshape(slice_axis(rows, rows.rank - 1, at, at + 1), rows.shape[:-1]) for at in (low, high, rows.shape[-1] - 1)
    )
    value = below if low == high else add(below, multiply(subtract(above, below), share[method]))
    return select(isnan(last), last, value)


def _to_even(place: float) -> int:
    return round(place)


def nanmedian(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """The median of what is no NaN, along one axis or of all. Shapes: x (...) -> without the axis."""
    return nanquantile(x, 0.5, axis, keepdims=keepdims)


def nanpercentile(
    x: Node, q: float | Sequence[float], axis: int | None = None, method: str = "linear", keepdims: bool = False
) -> Node:
    """As nanquantile, of hundredths. Shapes: x (...) -> without the axis, an axis for several q in front."""
    shares = q / 100.0 if isinstance(q, int | float) else [share / 100.0 for share in q]
    return nanquantile(x, shares, axis, method, keepdims)


def nanquantile(
    x: Node, q: float | Sequence[float], axis: int | None = None, method: str = "linear", keepdims: bool = False
) -> Node:
    """The number that the share q of what is no NaN lies below, between two numbers in proportion; NaN for nothing.

    Shapes: x (...) -> without the axis, an axis for several q in front.
    Raises: ArgumentError: for q outside of [0, 1], or another method than "linear".
    """
    if not isinstance(q, int | float):
        each = [nanquantile(x, share, axis, method, keepdims) for share in q]
        return concatenate(tuple(reshape(part, (1, *part.shape)) for part in each), 0)
    if method != "linear" or not 0 <= q <= 1:
        raise ArgumentError(
            "nanquantile: arguments do not fit their rules",
            expected="q in [0, 1], the method 'linear'",
            got=f"q={q}, method={method!r}",
            fix="leave method out",
        )
    x = floating(x)
    flat = reshape(x, (x.type.size,)) if axis is None else x
    a = normal_axis(-1 if axis is None else axis, flat.shape)
    rows = sort(flat, a)
    count = reduce_sum(cast(logical_not(isnan(flat)), "int64"), a, True)
    place = multiply(cast(subtract(count, 1), "float64"), float(q))
    low = floor(place)
    share = cast(subtract(place, low), x.dtype)
    first, second = (
        take_along_axis(rows, cast(select(less(at, 0.0), 0.0, at), "int64"), a) for at in (low, ceil(place))
    )
    value = select(equal(share, 0.0), first, add(first, multiply(subtract(second, first), share)))
    if not keepdims:
        return reshape(value, tuple(n for i, n in enumerate(value.shape) if i != a))
    return reshape(value, (1,) * x.rank) if axis is None else value
