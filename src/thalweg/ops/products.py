"""Sums of products, by NumPy's and Keras's names, made of contractions. Whole numbers go through double precision."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.errors import ArgumentError, ShapeError
from thalweg.graph.node import Node
from thalweg.ops.arithmetic import rsqrt
from thalweg.ops.arrangement import diagonal, moveaxis
from thalweg.ops.broadcast import broadcast_to, reduce_sum
from thalweg.ops.cast import cast
from thalweg.ops.concatenate import concatenate
from thalweg.ops.contraction import contract
from thalweg.ops.elementwise import add, common_dtype, floating, multiply, negate, sqrt, square, subtract
from thalweg.ops.reduce import reduce_mean
from thalweg.ops.shape import normal_axis, reshape, slice_axis, transpose

__all__ = [
    "cdist",
    "correlate",
    "corrcoef",
    "cross",
    "dot",
    "einsum",
    "inner",
    "kron",
    "outer",
    "tensordot",
    "vander",
    "vdot",
]


def dot(x1: Node, x2: Node) -> Node:
    """Over the last axis of x1 and the last but one of x2.

    Shapes: (..., k), (..., k, n) -> (..., ..., n); () multiply.
    """
    if not x1.rank or not x2.rank:
        return multiply(x1, x2)
    return tensordot(x1, x2, ((x1.rank - 1,), (max(x2.rank - 2, 0),)))


def inner(x1: Node, x2: Node) -> Node:
    """Over both last axes. Shapes: (..., k), (..., k) -> (..., ...)."""
    return tensordot(x1, x2, ((x1.rank - 1,), (x2.rank - 1,))) if x1.rank and x2.rank else multiply(x1, x2)


def vdot(x1: Node, x2: Node) -> Node:
    """The sum of products of all numbers in a row. Shapes: (...), (...) of equal size -> ()."""
    return dot(*(reshape(x, (x.type.size,)) for x in (x1, x2)))


def outer(x1: Node, x2: Node) -> Node:
    """Each number times each. Shapes: (...) as (m,), (...) as (n,) -> (m, n)."""
    return multiply(reshape(x1, (x1.type.size, 1)), reshape(x2, (1, x2.type.size)))


def tensordot(x1: Node, x2: Node, axes: int | Sequence[int] | Sequence[Sequence[int]] = 2) -> Node:
    """Over so many last axes of x1 and first of x2, or over these. Shapes: the other axes of x1, then those of x2."""
    if isinstance(axes, int):
        first, second = [*range(x1.rank - axes, x1.rank)], [*range(axes)]
    else:
        first, second = ([a] if isinstance(a, int) else [*a] for a in axes)
    first, second = [normal_axis(a, x1.shape) for a in first], [normal_axis(a, x2.shape) for a in second]
    left = [*range(x1.rank)]
    right = [x1.rank + a for a in range(x2.rank)]
    for a, b in zip(first, second, strict=True):
        right[b] = left[a]
    out = [a for i, a in enumerate(left) if i not in first] + [b for i, b in enumerate(right) if i not in second]
    return _product(x1, x2, left, right, out)


def kron(x1: Node, x2: Node) -> Node:
    """Kronecker's product: x2 times each number of x1, as blocks. Shapes: (m, ...), (n, ...) -> (m n, ...)."""
    rank = max(x1.rank, x2.rank)
    a, b = ((1,) * (rank - x.rank) + x.shape for x in (x1, x2))
    x1 = reshape(x1, tuple(n for size in a for n in (size, 1)))
    x2 = reshape(x2, tuple(n for size in b for n in (1, size)))
    return reshape(multiply(x1, x2), tuple(m * n for m, n in zip(a, b, strict=True)))


def cross(x1: Node, x2: Node, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Node:
    """The product of vectors of three numbers, upright on both; of two the third of it.

    Shapes: (..., 3), (..., 3) -> (..., 3).
    """
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    vectors = [moveaxis(x, a, -1) for x, a in ((x1, axisa), (x2, axisb))]
    a, b = ([slice_axis(x, x.rank - 1, i, i + 1) for i in range(x.shape[-1])] for x in vectors)

    def across(i: int, j: int) -> Node:
        return subtract(multiply(a[i], b[j]), multiply(a[j], b[i]))

    if len(a) == len(b) == 2:
        third = across(0, 1)
        return reshape(third, third.shape[:-1])
    if len(a) == 2:
        return moveaxis(concatenate((multiply(a[1], b[2]), negate(multiply(a[0], b[2])), across(0, 1)), -1), -1, axisc)
    if len(b) == 2:
        return moveaxis(concatenate((negate(multiply(a[2], b[1])), multiply(a[2], b[0]), across(0, 1)), -1), -1, axisc)
    return moveaxis(concatenate((across(1, 2), across(2, 0), across(0, 1)), -1), -1, axisc)


def cdist(x: Node, y: Node) -> Node:
    """The distance of each row of x from each of y. Shapes: (..., m, k), (..., n, k) -> (..., m, n)."""
    x, y = floating(x), floating(y)
    apart = subtract(reshape(x, (*x.shape[:-1], 1, x.shape[-1])), reshape(y, (*y.shape[:-2], 1, *y.shape[-2:])))
    return sqrt(reduce_sum(square(apart), -1))


def correlate(x1: Node, x2: Node, mode: str = "valid") -> Node:
    """Sums of products of x1 with x2 moved along it. Shapes: (m,), (n,) -> (m - n + 1,), (m,) or (m + n - 1,)."""
    from_x = [floating(x) for x in (x1, x2)]
    (m,), (n,) = (x.shape for x in from_x)
    places = {"valid": range(max(m, n) - min(m, n) + 1), "full": range(m + n - 1), "same": range(max(m, n))}
    if mode not in places:
        raise ArgumentError(
            "correlate: argument 'mode' does not fit its rule",
            expected="'valid', 'same' or 'full'",
            got=repr(mode),
            fix="choose one of these",
        )
    first = {"valid": min(m, n) - 1, "full": 0, "same": (min(m, n) - 1) // 2 if m >= n else min(m, n) // 2}[mode]
    sums = []
    for place in places[mode]:
        start = place + first - (n - 1)  # where the first number of x2 lies along x1
        low, high = max(start, 0), min(start + n, m)
        product = multiply(slice_axis(from_x[0], 0, low, high), slice_axis(from_x[1], 0, low - start, high - start))
        sums.append(reduce_sum(product, 0, True))
    return concatenate(tuple(sums), 0)


def corrcoef(x: Node) -> Node:
    """How the rows go together: Pearson's coefficients. Shapes: x (rows, n) -> (rows, rows)."""
    x = floating(x)
    x = reshape(x, (1, *x.shape)) if x.rank == 1 else x
    x = subtract(x, reduce_mean(x, -1, True))
    unit = multiply(x, rsqrt(reduce_sum(square(x), -1, True)))
    product = contract(unit, unit, (0, 2), (1, 2), (0, 1))
    return reshape(product, ()) if product.shape == (1, 1) else product


def vander(x: Node, N: int | None = None, increasing: bool = False) -> Node:
    """The powers of x in columns, the highest first. Shapes: x (n,) -> (n, N), N being n unless given."""
    count = x.shape[0] if N is None else N
    column = reshape(x, (*x.shape, 1))
    powers = [add(multiply(column, 0), 1)]
    for _ in range(count - 1):
        powers.append(multiply(powers[-1], column))
    return concatenate(tuple(powers[:count] if increasing else powers[count - 1 :: -1]), -1)


# --- Einstein's convention ----------------------------------------------------------------------------------------


def einsum(subscripts: str, *operands: Node) -> Node:
    """Einstein's convention: a letter for each axis, those that the result lacks are summed over, ``...`` for the rest.

    Several operands are put together from left to right. Shapes: as the letters say.

    Raises: ArgumentError: for subscripts that do not fit the operands; ShapeError: if a letter has two sizes.

    Example:
        >>> import numpy as np, thalweg
        >>> thalweg.ops.einsum("bij,bjk->bik", np.ones((2, 3, 4)), np.ones((2, 4, 5))).shape
        (2, 3, 5)
    """
    inputs, out = _letters(subscripts, operands)
    dtype = common_dtype(*(x.dtype for x in operands))
    pairs = [_without_twins(_exact(x), [*labels]) for x, labels in zip(operands, inputs, strict=True)]
    x, labels = pairs[0]
    for i, (y, others) in enumerate(pairs[1:], 1):
        later = {*out, *(label for _, more in pairs[i + 1 :] for label in more)}
        kept = [label for label in dict.fromkeys([*labels, *others]) if label in later]
        x, labels = _product(x, y, labels, others, kept), kept
    gone = tuple(a for a, label in enumerate(labels) if label not in out)
    x, labels = (reduce_sum(x, gone) if gone else x), [label for label in labels if label in out]
    return cast(transpose(x, tuple(labels.index(label) for label in out)), dtype if x.dtype == "float64" else x.dtype)


def _exact(x: Node) -> Node:
    return x if x.type.is_float else cast(x, "float64")


def _letters(subscripts: str, operands: tuple[Node, ...]) -> tuple[list[list[str]], list[str]]:
    """The labels of the operands' axes and of the result's; ``...`` as labels of their own, counted from the right."""
    given, arrow, result = subscripts.replace(" ", "").partition("->")
    parts = given.split(",")
    rest = [x.rank - len(part.replace("...", "")) for part, x in zip(parts, operands, strict=False)]
    fits = len(parts) == len(operands) and all(
        n >= 0 and (n == 0 or "..." in part) and part.replace("...", "").isalpha() | (part in ("", "..."))
        for part, n in zip(parts, rest, strict=True)
    )
    if not fits:
        raise ArgumentError(
            "einsum: the subscripts do not fit the operands",
            expected="a letter for each axis of each operand, or ... for several",
            got=f"{subscripts!r} for {', '.join(str(x.type) for x in operands)}",
            fix='write for example "bij,bjk->bik"',
        )
    most = max(rest, default=0)

    def labels(part: str, count: int) -> list[str]:
        before, dots, after = part.partition("...")
        return [*before, *(f"{i}" for i in range(most - count, most) if dots), *after]

    inputs = [labels(part, n) for part, n in zip(parts, rest, strict=True)]
    if arrow:
        return inputs, labels(result, most)
    letters = [label for part in inputs for label in part if label.isalpha()]
    once = sorted(label for label in set(letters) if letters.count(label) == 1)
    return inputs, [*(f"{i}" for i in range(most)), *once]


def _without_twins(x: Node, labels: list[str]) -> tuple[Node, list[str]]:
    """A label that is there twice means the diagonal."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = diagonal(x, 0, first, second)
            labels = [other for i, other in enumerate(labels) if i not in (first, second)] + [label]
    return x, labels


def _product(
    x: Node, y: Node, x_labels: Sequence[str | int], y_labels: Sequence[str | int], out: Sequence[str | int]
) -> Node:
    """The contraction; labels that only one of the three has are summed over first, sizes of 1 repeat."""
    dtype = common_dtype(x.dtype, y.dtype)
    x, y = _exact(x), _exact(y)
    if x.dtype != y.dtype:
        x, y = (cast(z, dtype if dtype.startswith("float") else "float64") for z in (x, y))
    (x, xs), (y, ys) = _alone(x, x_labels, {*y_labels, *out}), _alone(y, y_labels, {*x_labels, *out})
    sizes = _sizes((x, y), (xs, ys))
    x, y = (broadcast_to(z, tuple(sizes[label] for label in labels)) for z, labels in ((x, xs), (y, ys)))
    number = {label: i for i, label in enumerate(sizes)}
    product = contract(x, y, *(tuple(number[label] for label in labels) for labels in (xs, ys, out)))
    return product if dtype.startswith("float") else cast(product, dtype)


def _sizes(tensors: Sequence[Node], labels: Sequence[Sequence[str | int]]) -> dict[str | int, int]:
    """Of each label. Raises ShapeError if one has two, neither of which is 1."""
    sizes: dict[str | int, int] = {}
    for x, own in zip(tensors, labels, strict=True):
        for label, n in zip(own, x.shape, strict=True):
            before = sizes.get(label, 1)
            if n != before and 1 not in (n, before):
                raise ShapeError(
                    "the sizes of a product do not fit",
                    expected=f"equal sizes, or 1, on the axes {label!r}",
                    got=" and ".join(str(one.type) for one in tensors),
                    fix="check which axes belong together",
                )
            sizes[label] = n if before == 1 else before
    return sizes


def _alone(x: Node, labels: Sequence[str | int], others: set[str | int]) -> tuple[Node, list[str | int]]:
    """Without the axes whose label nothing else has, which are summed over."""
    gone = tuple(a for a, label in enumerate(labels) if label not in others)
    return (reduce_sum(x, gone) if gone else x), [label for label in labels if label in others]
