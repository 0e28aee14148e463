"""Images whose pixels come from other places of the old ones, between which is interpolated.

Where rows and columns move apart from each other this is two products with matrices, one for each, whose entries are
the weights of the interpolation: so it runs at the speed of products. Else the pixels are looked up.
"""

from __future__ import annotations

from thalweg import ops
from thalweg.graph.node import Node
from thalweg.ops.lookup import take


def places_along(x: Node, axis: int) -> Node:
    """0, 1, 2 ... along an axis of each image: (batch, size)."""
    return ops.iota((x.shape[0], x.shape[axis]), 1, x.dtype)


def resampled(x: Node, rows: Node, columns: Node, fill_mode: str, interpolation: str, fill_value: float) -> Node:
    """Images whose pixel (i, j) comes from (rows[i], columns[j]) of the old ones: (batch, height), (batch, width)."""
    by_rows, by_columns = (
        weights_of(places, x.shape[axis], fill_mode, interpolation) for axis, places in ((1, rows), (2, columns))
    )
    y = mixed_along(mixed_along(x, 1, by_rows), 2, by_columns)
    if fill_mode != "constant" or fill_value == 0:
        return y
    known = ops.broadcast(ops.reduce_sum(by_rows, 2), x.shape, (0, 1)) * ops.broadcast(
        ops.reduce_sum(by_columns, 2), x.shape, (0, 2)
    )
    return y + (1.0 - known) * fill_value


def gathered(x: Node, rows: Node, columns: Node, fill_mode: str, interpolation: str, fill_value: float) -> Node:
    """Images whose pixel (i, j) comes from (rows[i, j], columns[i, j]) of the old ones: each (batch, height, width)."""
    if interpolation == "nearest":
        return _pixels(x, ops.floor(rows + 0.5), ops.floor(columns + 0.5), fill_mode, fill_value)
    top, left = ops.floor(rows), ops.floor(columns)
    total: Node | None = None
    for below in (0.0, 1.0):
        for beside in (0.0, 1.0):
            row, column = top + below, left + beside
            weight = (1.0 - ops.absolute(rows - row)) * (1.0 - ops.absolute(columns - column))
            part = _pixels(x, row, column, fill_mode, fill_value) * ops.broadcast(weight, x.shape, (0, 1, 2))
            total = part if total is None else total + part
    assert total is not None, "there are four neighbours"
    return total


def _pixels(x: Node, rows: Node, columns: Node, fill_mode: str, fill_value: float) -> Node:
    """The pixels at whole places, which may lie outside."""
    batch, height, width, channels = x.shape
    inside = (rows >= 0.0) & (rows <= height - 1.0) & (columns >= 0.0) & (columns <= width - 1.0)
    rows, columns = (_folded(places, size, fill_mode) for places, size in ((rows, height), (columns, width)))
    first = ops.iota(rows.shape, 0) * (height * width)
    index = first + ops.cast(rows, "int32") * width + ops.cast(columns, "int32")
    pixels = take(ops.reshape(x, (batch * height * width, channels)), index)
    if fill_mode != "constant":
        return pixels
    return ops.select(ops.broadcast(inside, pixels.shape, (0, 1, 2)), pixels, fill_value)


def _folded(places: Node, size: int, fill_mode: str) -> Node:
    """Whole places brought inside."""
    if fill_mode == "wrap":
        places = _modulo(places, size)
    if fill_mode == "reflect":
        around = _modulo(places, 2 * size)
        places = ops.minimum(around, 2.0 * size - 1.0 - around)
    return ops.clip(places, 0.0, size - 1.0)


def mixed_along(x: Node, axis: int, weights: Node) -> Node:
    """Along one axis of each image, sums with these weights: (batch, new, old)."""
    labels = (0, 1, 2, 3)
    return ops.contract(weights, x, (0, 4, axis), labels, tuple(4 if a == axis else a for a in labels))


def weights_of(places: Node, size: int, fill_mode: str, interpolation: str) -> Node:
    """How much each of ``size`` old pixels counts for what comes from these places: (batch, new, size)."""
    if fill_mode == "wrap":
        places = _modulo(places, size)
    elif fill_mode == "reflect":
        folded = _modulo(places + 0.5, 2 * size)
        places = ops.minimum(folded, 2.0 * size - folded) - 0.5
    if interpolation == "nearest":
        places = ops.floor(places + 0.5)
        places = _modulo(places, size) if fill_mode == "wrap" else places
    if fill_mode in ("reflect", "nearest"):
        places = ops.clip(places, 0.0, size - 1.0)
    shape = (*places.shape, size)
    distance = ops.absolute(ops.broadcast(places, shape, (0, 1)) - ops.iota(shape, 2, places.dtype))
    if fill_mode == "wrap":
        distance = ops.minimum(distance, float(size) - distance)
    return ops.relu(1.0 - distance)


def _modulo(x: Node, n: int) -> Node:
    return x - ops.floor(x * (1.0 / n)) * float(n)
