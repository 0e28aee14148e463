"""Numbers folded along axes, by NumPy's and Keras's names: sums, means, extremes and what is made of them.

``axis`` is a number, several, or None for all axes; with ``keepdims`` they stay, of size 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from thalweg.errors import ShapeError
from thalweg.graph.node import Node
from thalweg.ops.arithmetic import isnan
from thalweg.ops.broadcast import broadcast_to, filled, reduce_sum
from thalweg.ops.cast import cast
from thalweg.ops.concatenate import concatenate
from thalweg.ops.elementwise import (
    Operand,
    absolute,
    add,
    divide,
    exp,
    floating,
    log,
    logical_and,
    logical_not,
    maximum,
    minimum,
    multiply,
    not_equal,
    power,
    same_kind,
    select,
    sqrt,
    square,
    subtract,
)
from thalweg.ops.leaf import stop_gradient
from thalweg.ops.reduce import argmax as first_largest
from thalweg.ops.reduce import reduce_max, reduce_mean, reduce_min
from thalweg.ops.shape import Axes, normal_axes, normal_axis, reshape, slice_axis

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "average",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "logsumexp",
    "max",
    "mean",
    "min",
    "moments",
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "norm",
    "normalize",
    "prod",
    "ptp",
    "std",
    "sum",
    "trapezoid",
    "var",
]


def _axes(axis: Axes) -> Axes:
    return tuple(axis) if isinstance(axis, list) else axis


# --- sums, means, extremes ----------------------------------------------------------------------------------------


def sum(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The sum; whole numbers and truth values in int64. Shapes: x (...) -> without the axes."""
    return reduce_sum(x, _axes(axis), keepdims)


def mean(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The arithmetic mean; of whole numbers in floatx. Shapes: x (...) -> without the axes."""
    return reduce_mean(floating(x), _axes(axis), keepdims)


def prod(x: Node, axis: Axes = None, keepdims: bool = False, dtype: str | None = None) -> Node:
    """The product; of whole numbers in int64. Shapes: x (...) -> without the axes. Numerics: halves, pair by pair."""
    x = cast(x, dtype or (x.dtype if x.type.is_float else "int64"))
    axes = normal_axes(_axes(axis), x.shape)
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    for a in axes:
        x = _folded(multiply, x, a, 1)
    return reshape(x, shape if keepdims else tuple(n for a, n in enumerate(shape) if a not in axes))


def _folded(combine: Callable[[Node, Node], Node], x: Node, axis: int, neutral: int) -> Node:
    """All parts along an axis put together, the first half with the second, again and again."""
    n = x.shape[axis]
    if n == 0:
        return filled((*x.shape[:axis], 1, *x.shape[axis + 1 :]), neutral, x.dtype)
    while n > 1:
        half = n // 2
        rest = slice_axis(x, axis, 2 * half, n)
        x = combine(slice_axis(x, axis, 0, half), slice_axis(x, axis, half, 2 * half))
        x = concatenate((x, rest), axis) if n % 2 else x
        n = half + n % 2
    return x


def max(x: Node, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> Node:
    """The largest, and not below ``initial``; NaN if there is one. Shapes: x (...) -> without the axes."""
    largest = reduce_max(x, _axes(axis), keepdims)
    return largest if initial is None else maximum(largest, initial)


def min(x: Node, axis: Axes = None, keepdims: bool = False, initial: float | None = None) -> Node:
    """The smallest, and not above ``initial``; NaN if there is one. Shapes: x (...) -> without the axes."""
    smallest = reduce_min(x, _axes(axis), keepdims)
    return smallest if initial is None else minimum(smallest, initial)


def amax(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The largest, see max. Shapes: x (...) -> without the axes."""
    return max(x, axis, keepdims)


def amin(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The smallest, see min. Shapes: x (...) -> without the axes."""
    return min(x, axis, keepdims)


def ptp(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The largest less the smallest. Shapes: x (...) -> without the axes."""
    return subtract(max(x, axis, keepdims), min(x, axis, keepdims))


def any(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """Whether one is true, or not 0. Shapes: x (...) -> without the axes, bool."""
    return cast(reduce_sum(cast(cast(x, "bool"), "int32"), _axes(axis), keepdims), "bool")


def all(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """Whether all are true, or not 0. Shapes: x (...) -> without the axes, bool."""
    return logical_not(any(logical_not(cast(x, "bool")), axis, keepdims))


def count_nonzero(x: Node, axis: Axes = None) -> Node:
    """How many are not 0. Shapes: x (...) -> without the axes, int64."""
    return reduce_sum(cast(not_equal(x, 0), "int64"), _axes(axis))


# --- spread -------------------------------------------------------------------------------------------------------


def var(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The mean squared deviation from the mean. Shapes: x (...) -> without the axes."""
    x = floating(x)
    return reduce_mean(square(subtract(x, reduce_mean(x, _axes(axis), True))), _axes(axis), keepdims)


def std(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The root of the variance. Shapes: x (...) -> without the axes."""
    return sqrt(var(x, axis, keepdims))


def moments(x: Node, axes: Axes, keepdims: bool = False, synchronized: bool = False) -> tuple[Node, Node]:
    """Mean and variance. Shapes: x (...) -> twice without the axes."""
    return mean(x, axes, keepdims), var(x, axes, keepdims)


def average(x: Node, axis: Axes = None, weights: Operand | None = None) -> Node:
    """The mean, weighted: ``sum(w x) / sum(w)``.

    Shapes: x (...), weights (...) or (n,) along the axis -> as for mean.
    """
    x = floating(x)
    if weights is None:
        return mean(x, axis)
    if isinstance(weights, Node) and weights.shape != x.shape and isinstance(axis, int):
        axis = normal_axis(axis, x.shape)
        weights = reshape(weights, tuple(n if a == axis else 1 for a, n in enumerate(x.shape)))
    x, weights = same_kind(x, weights)
    return divide(reduce_sum(multiply(x, weights), _axes(axis)), reduce_sum(weights, _axes(axis)))


# --- places -------------------------------------------------------------------------------------------------------


def argmax(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """Where the first largest number stands, int32: along the axis, or of all in a row. It has no gradient.

    Shapes: x (...) -> without the axis; () for None.
    """
    where = first_largest(x if axis is not None else reshape(x, (x.type.size,)), -1 if axis is None else axis)
    if not keepdims:
        return where
    kept = normal_axes(axis, x.shape)
    return reshape(where, tuple(1 if a in kept else n for a, n in enumerate(x.shape)))


def argmin(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """Where the first smallest number stands, as for argmax. Shapes: x (...) -> without the axis; () for None."""
    if x.type.is_float or x.dtype in ("int32", "int64"):
        turned = (
            subtract(-1, x) if not x.type.is_float else subtract(0.0, x)
        )  # the smallest whole number has no negative
    else:
        turned = subtract(-1, cast(x, "int64"))
    return argmax(turned, axis, keepdims)


# --- exponentials and lengths -------------------------------------------------------------------------------------


def logsumexp(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """``log(sum(e^x))``, a smooth maximum. Shapes: x (...) -> without the axes."""
    x, axes = floating(x), _axes(axis)
    largest = stop_gradient(reduce_max(x, axes, True))
    finite = select(logical_and(not_equal(largest, math.inf), not_equal(largest, -math.inf)), largest, 0.0)
    total = log(reduce_sum(exp(subtract(x, finite)), axes, True))
    kept = add(total, finite)
    return kept if keepdims else reshape(kept, _left(x, axes))


def _left(x: Node, axes: Axes) -> tuple[int, ...]:
    gone = normal_axes(axes, x.shape)
    return tuple(n for a, n in enumerate(x.shape) if a not in gone)


def norm(x: Node, ord: int | float | str | None = None, axis: Axes = None, keepdims: bool = False) -> Node:
    """The length of vectors along an axis, or the size of matrices along two. Shapes: x (...) -> without the axes.

    Arguments:
        ord: of vectors p for ``sum(|x|^p)^(1/p)``, inf, -inf or 0; of matrices "fro", 1, -1, inf or -inf; None:
            the root of the sum of squares.

    Raises: ShapeError: for an order that is not there.
    """
    x, axes = floating(x), normal_axes(_axes(axis), x.shape)
    size = absolute(x)
    if ord is None or (ord in ("fro", 2) and (ord == "fro") == (len(axes) == 2)):
        return _length(x, axes, keepdims)
    if len(axes) == 2 and ord in (1, -1, math.inf, -math.inf):
        row, column = tuple(_axes(axis)) if isinstance(axis, list | tuple) else axes  # type: ignore[arg-type]
        summed, over = (row, column) if ord in (1, -1) else (column, row)
        sums = reduce_sum(size, summed, True)
        extreme = (reduce_max if ord > 0 else reduce_min)(sums, over, True)
        return extreme if keepdims else reshape(extreme, _left(x, axes))
    if len(axes) == 1 and isinstance(ord, int | float):
        if ord in (math.inf, -math.inf):
            return (reduce_max if ord > 0 else reduce_min)(size, axes, keepdims)
        if ord == 0:
            return cast(reduce_sum(cast(not_equal(x, 0.0), "int64"), axes, keepdims), x.dtype)
        if ord == 1:
            return reduce_sum(size, axes, keepdims)
        return power(reduce_sum(power(size, float(ord)), axes, keepdims), 1.0 / ord)
    raise ShapeError(
        "there is no norm of this order along these axes",
        expected="of one axis a number, inf or -inf; of two 'fro', 1, -1, inf or -inf; None for either",
        got=f"ord={ord!r}, axis={axis}",
        fix="choose another order, or name the axis",
    )


def _length(x: Node, axes: Axes, keepdims: bool) -> Node:
    return sqrt(reduce_sum(square(x), axes, keepdims))


def normalize(x: Node, axis: Axes = -1, order: int | float = 2, epsilon: float | None = None) -> Node:
    """``x / max(norm, epsilon)`` with the norm of that order along the axis. Shapes: x (...) -> (...)."""
    least = 1e-12 if epsilon is None else epsilon
    x = floating(x)
    if order == 2:
        squares = reduce_sum(square(x), _axes(axis), True)
        return multiply(x, divide(1.0, sqrt(maximum(squares, least**2))))  # whose root has a derivative at 0
    return divide(x, broadcast_to(maximum(norm(x, order, axis, True), least), x.shape))


# --- running sums -------------------------------------------------------------------------------------------------


def cumsum(x: Node, axis: int | None = None, dtype: str | None = None) -> Node:
    """The sums up to each place. Shapes: x (...) -> (...); for None all in a row (size,)."""
    return _running(add, x, axis, dtype, 0)


def cumprod(x: Node, axis: int | None = None, dtype: str | None = None) -> Node:
    """The products up to each place. Shapes: x (...) -> (...); for None all in a row (size,)."""
    return _running(multiply, x, axis, dtype, 1)


def _running(combine: Callable[[Node, Node], Node], x: Node, axis: int | None, dtype: str | None, neutral: int) -> Node:
    """Each place with those before it, in as many rounds as the size has binary digits: with one, two, four more.

    Source: Hillis & Steele (1986), Communications of the ACM 29.
    """
    x = reshape(x, (x.type.size,)) if axis is None else x
    x = cast(x, dtype or (x.dtype if x.type.is_float else "int64"))
    axis = normal_axis(-1 if axis is None else axis, x.shape)
    n, reach = x.shape[axis], 1
    while reach < n:
        start = filled((*x.shape[:axis], reach, *x.shape[axis + 1 :]), neutral, x.dtype)
        x = combine(x, concatenate((start, slice_axis(x, axis, 0, n - reach)), axis))
        reach *= 2
    return x


def trapezoid(y: Node, x: Node | None = None, dx: float = 1.0, axis: int = -1) -> Node:
    """The area under points joined by lines. Shapes: y (..., n, ...), x like y or (n,) -> without the axis."""
    y = floating(y)
    axis = normal_axis(axis, y.shape)
    n = y.shape[axis]
    heights = add(slice_axis(y, axis, 1, n), slice_axis(y, axis, 0, n - 1))
    if x is None:
        return multiply(reduce_sum(heights, axis), 0.5 * dx)
    x = reshape(x, tuple(n if a == axis else 1 for a in range(y.rank))) if x.rank == 1 else x
    along = axis if x.rank == y.rank else x.rank - 1
    widths = subtract(slice_axis(x, along, 1, n), slice_axis(x, along, 0, n - 1))
    return multiply(reduce_sum(multiply(heights, widths), axis), 0.5)


# --- without NaN --------------------------------------------------------------------------------------------------


def _instead(x: Node, value: float) -> Node:
    return select(isnan(x), value, x) if x.type.is_float else x


def nansum(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The sum of what is no NaN. Shapes: x (...) -> without the axes."""
    return sum(_instead(x, 0.0), axis, keepdims)


def nanprod(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The product of what is no NaN. Shapes: x (...) -> without the axes."""
    return prod(_instead(x, 1.0), axis, keepdims)


def nancumsum(x: Node, axis: int | None = None, dtype: str | None = None) -> Node:
    """cumsum with 0 in place of NaN. Shapes: x (...) -> (...)."""
    return cumsum(_instead(x, 0.0), axis, dtype)


def nancumprod(x: Node, axis: int | None = None, dtype: str | None = None) -> Node:
    """cumprod with 1 in place of NaN. Shapes: x (...) -> (...)."""
    return cumprod(_instead(x, 1.0), axis, dtype)


def _count(x: Node, axis: Axes, keepdims: bool) -> Node:
    return reduce_sum(cast(logical_not(isnan(x)), x.dtype), _axes(axis), keepdims)


def nanmean(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The mean of what is no NaN; NaN if nothing is. Shapes: x (...) -> without the axes."""
    x = floating(x)
    return divide(nansum(x, axis, keepdims), _count(x, axis, keepdims))


def nanvar(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The variance of what is no NaN. Shapes: x (...) -> without the axes."""
    x = floating(x)
    return nanmean(square(subtract(x, nanmean(x, axis, True))), axis, keepdims)


def nanstd(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The standard deviation of what is no NaN. Shapes: x (...) -> without the axes."""
    return sqrt(nanvar(x, axis, keepdims))


def nanmax(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The largest that is no NaN; NaN if nothing is. Shapes: x (...) -> without the axes."""
    return _unless_nothing(max(_instead(x, -math.inf), axis, keepdims), x, axis, keepdims)


def nanmin(x: Node, axis: Axes = None, keepdims: bool = False) -> Node:
    """The smallest that is no NaN; NaN if nothing is. Shapes: x (...) -> without the axes."""
    return _unless_nothing(min(_instead(x, math.inf), axis, keepdims), x, axis, keepdims)


def _unless_nothing(result: Node, x: Node, axis: Axes, keepdims: bool) -> Node:
    if not x.type.is_float:
        return result
    return select(logical_not(any(logical_not(isnan(x)), axis, keepdims)), math.nan, result)


def nanargmax(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """Where the largest stands that is no NaN; -1 if nothing is. Shapes: as for argmax."""
    where = argmax(_instead(x, -math.inf), axis, keepdims)
    return select(all(isnan(x), axis, keepdims), -1, where) if x.type.is_float else where


def nanargmin(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """Where the smallest stands that is no NaN; -1 if nothing is. Shapes: as for argmax."""
    where = argmin(_instead(x, math.inf), axis, keepdims)
    return select(all(isnan(x), axis, keepdims), -1, where) if x.type.is_float else where
