"""Which sums of a sweep one unit of work adds up side by side, because they read the same numbers.

The kernel gradient of a depthwise convolution is nine sums for each channel, over all places of the image. Each takes
all of the gradient; the windows of the image that they take overlap. One after the other they would read both images
nine times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from thalweg.executors.native.plan.nest import Access, Nest
from thalweg.executors.native.plan.sweeps import GROUP

FEW_ROWS = 32
"""So many rows of an operand, a kernel's say, stay in the first-level cache anyhow."""

WIDE_GROUP = 8
"""Vectors of a unit in a chain: more of a pixel's channels at a time, which lie next to each other."""

OTHER_REGISTERS = 6
"""What is left for the numbers that are being added up."""


def tap_axes(nest: Nest, registers: int) -> tuple[int, ...]:
    """The axes along which one unit has a sum for each place: the innermost ones that fit the registers.

    Along each of them something large that is read stays the same, and something does not.
    """
    kept = [d for d, dim in enumerate(nest.dims) if not dim.swept]
    swept = [d for d, dim in enumerate(nest.dims) if dim.swept]
    lane = len(nest.dims) - 1
    if not swept or lane not in kept or not all(dim.size for dim in nest.dims) or not _sums_alone(nest):
        return ()
    large = [access for access in nest.loads.values() if _rows(nest, access, swept) > FEW_ROWS]
    axes: list[int] = []
    sums = 1
    for d in reversed(kept[:-1]):
        if nest.images and d == 0:
            break
        sums *= nest.dims[d].size
        if sums > registers - OTHER_REGISTERS or len({access.strides[d] == 0 for access in large}) < 2:
            break
        axes.append(d)
    return tuple(reversed(axes))


def side_by_side(nest: Nest, width: int) -> tuple[int, int] | None:
    """An axis along which a unit has some sums next to each other, and how many; None where its columns are enough.

    Sums over rows find their terms far apart, each beside those of the next sums. Of narrow columns a unit would read a
    vector of each row, and the processor would not foresee the next one.

    Arguments:
        width: lanes of a vector.
    """
    kept = [d for d, dim in enumerate(nest.dims) if not dim.swept]
    lane = len(nest.dims) - 1
    several = 1 < len(kept) < len(nest.dims) and kept[-1] == lane and all(dim.size for dim in nest.dims)
    if not several or nest.images or not _sums_alone(nest):
        return None
    size, most = nest.dims[kept[-2]].size, GROUP // max(1, math.ceil(nest.dims[lane].size / width))
    count = max((n for n in range(1, most + 1) if size % n == 0), default=1)
    return (kept[-2], count) if count > 1 else None


def vectors_of(nest: Nest, taps: int, registers: int) -> int:
    """How many vectors of columns a unit works on, of so many taps."""
    if taps > 1:
        return max(1, min(GROUP, (registers - OTHER_REGISTERS) // taps))
    in_rows = not nest.dims or nest.dims[-1].swept
    return GROUP if in_rows or not nest.images else WIDE_GROUP


def _sums_alone(nest: Nest) -> bool:
    """Whether one pass adds up sums, and stores nothing."""
    kernel = nest.kernel
    return max(nest.done.values(), default=0) == 1 and all(root.shape != kernel.space for root in kernel.roots)


def _rows(nest: Nest, access: Access, swept: Sequence[int]) -> int:
    """How many different rows of an operand a sum reads."""
    return math.prod(nest.dims[d].size for d in swept if access.strides[d])
