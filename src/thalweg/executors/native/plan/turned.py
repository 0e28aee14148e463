"""Products whose second operand is read as it lies, although the lanes do not lie side by side in it.

The gradient by a layer's input sums ``g[row, k] * weights[lane, k]`` over k. Tiles need a vector along the lanes for
each k, so the weights would have to be copied transposed: of a small batch that takes longer than the product. Instead
the first operand is, which has a row for each sample only: the vectors of a tile run along the rows while k runs, each
number of the weights is multiplied with all of them, and the square of sums is turned over in registers at the end.

Each element still adds up the same products in the order of k.
"""

from __future__ import annotations

import math

from thalweg.executors.native.host import ITEMSIZE, Host
from thalweg.graph.node import Node
from thalweg.ops.contraction import Contraction

COPY_CYCLES = 1.5
"""What a number takes that is copied transposed and comes from beyond the first cache (Zen 4: 1 to 3)."""


def vectors_along(product: Node) -> int:
    """The label of the axis that vectors run along while a legal product is summed: the last one, or its rows'."""
    op = product.op
    assert isinstance(op, Contraction), "products have labels"
    *others, lane = (label for label, n in zip(op.out, product.shape, strict=True) if n != 1)
    for x, labels in zip(product.inputs, (op.x, op.y), strict=True):
        long = [label for label, n in zip(labels, x.shape, strict=True) if n != 1]
        if lane in long and long[-1] != lane:
            return others[-1]
    return lane


def vectors_of(rows: int, dtype: str, host: Host) -> int:
    """How many vectors along the rows a tile of one vector of lanes has."""
    width = host.lanes(dtype)
    return min(math.ceil(rows / width), max(1, (host.registers - host.spare) // (width + 1)))


def is_worth_turning(rows: int, lanes: int, summed: int, dtype: str, host: Host, *, has_rows_last: bool) -> bool:
    """Whether more is saved by not copying the second operand than is lost to rows that do not fill vectors.

    The first operand is read for each vector of lanes, and must stay in the second cache. What is saved must be at
    least what copying as much as the first cache holds takes: the first operand's copy is a stage more, with a barrier,
    where the second's is made beside something else.

    Arguments:
        has_rows_last: whether the first operand lies with its rows side by side already.
    """
    vectors, full = math.ceil(rows / host.lanes(dtype)), rows / host.lanes(dtype)
    wasted_cycles = lanes * summed * (vectors - full) / host.core.multiply_adds
    if rows * summed * ITEMSIZE[dtype] > host.core.l2_bytes:
        return False
    copied = 0 if has_rows_last else rows * summed
    least = host.core.l1_bytes / ITEMSIZE[dtype]
    return (lanes * summed - copied - least) * COPY_CYCLES >= wasted_cycles
