"""How a contraction is cut into tiles: the tile's shape, the order of the axes, and what borders leave out of it.

A tile of R rows by C vectors is held in registers while the summed axes run. Which axis gives the rows, how high and
how wide a tile is, and whether all is added up in one go follows from the sizes and the host alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from thalweg.executors.native.host import ITEMSIZE, Host
from thalweg.executors.native.plan.nest import Access, Nest
from thalweg.executors.native.plan.turned import vectors_of
from thalweg.executors.native.plan.view import WAY_BYTES
from thalweg.fields import dataclass

FULL_HEIGHT = 12
"""Rows of an axis that are enough for high tiles."""

WAYS = 8
"""Of a first-level cache, at least."""

TALLEST = 16
"""More rows are as many places that x is read from at once, of which the first cache and its prefetcher lose track."""

WIDEST = 8
"""Vectors; more columns of a tile leave no registers for rows."""

ALIKE = 1.05
"""Tiles whose cycles differ by less are equally good, as far as counting tells."""

BLOCK_BYTES = 256 * 1024
"""How much of y, of the operand with the lanes, a pass over the tiles reads: what the second-level cache keeps."""

BLOCK_TURNS = 256
"""The fewest products that a pass adds to a sum: fetching and storing it again takes as long as two."""

TERMS = 32
"""Of a sum among small ones side by side, so many terms are added in a pass over all of them."""

LONGEST = 4096
"""The most products of a sum that is added up in one pass: of more, not even one panel of y stays in the cache."""


@dataclass(frozen=True)
class Split:
    """An axis cut into ``count`` nearly equal parts: the first ``longer`` of them have one more than ``size``."""

    total: int
    count: int

    @property
    def size(self) -> int:
        return self.total // self.count

    @property
    def longer(self) -> int:
        return self.total % self.count

    @property
    def longest(self) -> int:
        """The size of the first part, which no other is longer than."""
        return self.size + (self.longer > 0)

    @classmethod
    def at_most(cls, total: int, limit: int) -> Split:
        """As few parts as there can be of at most ``limit``."""
        return cls(total, max(1, math.ceil(total / limit)))

    def parts(self) -> tuple[tuple[int, int], ...]:
        """The sizes that parts have, and how many have each."""
        both = ((self.size + 1, self.longer), (self.size, self.count - self.longer))
        return tuple(part for part in both if part[1])

    def part(self, i: int) -> range:
        """Part ``i`` of the axis."""
        start = i * self.size + min(i, self.longer)
        return range(start, start + self.size + (i < self.longer))


@dataclass(frozen=True)
class Clip:
    """A summed axis of which only a part counts: t at place i, where ``0 <= start + i * step + t * tap < size``."""

    place: int | None  # the axis of i; none if there is only i = 0
    start: int
    step: int
    tap: int
    size: int

    def turns(self, i: int, count: int) -> range:
        """The t that count at place i, of ``count``."""
        at = self.start + i * self.step
        return range(max(-(at // self.tap), 0), min((self.size - 1 - at) // self.tap + 1, count))


@dataclass(frozen=True)
class Turns:
    """Turns ``begin`` to ``end`` of a loop over a summed axis, which go to the rows ``first`` to ``last`` of a tile."""

    begin: int
    end: int
    first: int
    last: int


@dataclass(frozen=True)
class TileShape:
    """How many rows a tile has; if its rows have a border, the turns of the loop that this clips."""

    height: int
    turns: tuple[Turns, ...] = ()


@dataclass(frozen=True)
class Tiling:
    """A contraction's nest cut into tiles.

    Arguments:
        x: the operand without the lanes' axis, ``y`` the one with it.
        width: lanes of a vector.
        row, lane, outer, summed: axes of the nest.
        order: what runs faster than what, from the fastest: the parts of the "row" and of the "panel", and outer axes.
        rows, panels: how the rows and the vectors are split.
        clips: the summed axes that borders clip.
        turned: whether vectors run along the rows until the sums are done (see turned.py).
        block: how much of the first summed axis a pass over the tiles covers; 0 for all of it.
        fetched: what is read after the sums and comes from beyond the first cache.
    """

    nest: Nest
    x: Access
    y: Access
    width: int
    row: int
    lane: int
    outer: tuple[int, ...]
    order: tuple[int | str, ...]
    summed: tuple[int, ...]
    rows: Split
    panels: Split
    clips: Mapping[int, Clip]
    block: int
    fetched: tuple[Access, ...]
    turned: bool

    @property
    def units(self) -> int:
        """Tiles."""
        return math.prod(self.nest.dims[d].size for d in self.outer) * self.rows.count * self.panels.count

    @property
    def clipped_by_row(self) -> int | None:
        """The summed axis of which a border clips more or less from row to row."""
        return next((d for d, clip in self.clips.items() if clip.place == self.row), None)

    def fetching_parts(self, height: int) -> int:
        """In how many parts of the loop over a tile's sums some rows are fetched of what is read after the next one's.

        Weights and an optimizer's slots come from the last cache or from memory. Rows of one tile lie far apart, which
        no processor foresees, and what follows the sums is too much for it to begin with the next tile's.
        """
        if not self.fetched or not self.summed or self.summed[0] in self.clips:
            return 0
        return min(self.nest.dims[self.summed[0]].size, height)

    def ahead(self, height: int, vectors: int) -> list[tuple[Access, int]]:
        """The operands of which a tile fetches the next block, place by place while it reads this one, and how many
        numbers at each place.

        From place to place a tile takes some columns of an operand and leaves out the others. If it skips lines, the
        first tiles of a block would wait for all of it.
        """
        if not self.block:
            return []
        parts = ((self.x, (height - 1) * abs(self.x.strides[self.row]) + 1), (self.y, vectors * self.width))
        return [(access, count) for access, count in parts if access.skips(self.summed[-1], count)]

    def shape(self, i: int) -> TileShape:
        """The shape of the tiles of part ``i`` of the rows."""
        rows = self.rows.part(i)
        axis = self.clipped_by_row
        if axis is None:
            return TileShape(len(rows))
        of_rows = [self.clips[axis].turns(row, self.nest.dims[axis].size) for row in rows]
        ends = sorted({end for turns in of_rows if turns for end in (turns.start, turns.stop)})
        every = []
        for begin, end in pairwise(ends):
            some = [r for r, turns in enumerate(of_rows) if begin in turns]
            if some:
                every.append(Turns(begin, end, some[0], some[-1] + 1))
        return TileShape(len(rows), tuple(every))


def tiling_of(nest: Nest, host: Host) -> Tiling:
    """How the nest of a contraction is cut."""
    node = nest.kernel.contraction
    assert node is not None, "a contraction kernel has a contraction"
    kept = [d for d, dim in enumerate(nest.dims) if not dim.swept]
    summed = tuple(d for d, dim in enumerate(nest.dims) if dim.swept)
    lane = kept[-1]
    x, y = nest.extra
    if x.strides[lane]:
        x, y = y, x
    turned = y.strides[lane] != 1
    assert x.strides[lane] == 0 and (not turned or x.strides[kept[0]] == 1), "the planner lays out the lanes"
    # Of the axes that give tiles of full height the one along which x lies closest together.
    rows = [d for d in kept[:-1] if y.strides[d] == 0]
    row = max(rows, key=lambda d: (min(nest.dims[d].size, FULL_HEIGHT, _rows_cached(x, d)), -abs(x.strides[d])))
    width = host.lanes(node.dtype)
    vectors = math.ceil(nest.dims[lane].size / width)
    size = nest.dims[row].size
    tall, wide = (vectors_of(size, node.dtype, host) * width, 1) if turned else best_tile(size, vectors, host)
    clips = _clips(x, y, summed)
    alone = nest.kernel.roots == (node,) and not (summed and summed[0] in clips)
    outer = tuple(d for d in kept[:-1] if d != row)
    beside = _beside(nest, x, y, outer, row, host)
    return Tiling(
        *(nest, x, y, width, row, lane, outer, _order(nest, y, outer, beside), summed),
        rows=Split.at_most(size, tall),
        panels=Split.at_most(vectors, wide),
        clips=clips,
        block=_block(nest, x, y, outer, summed, lane) if alone and not turned else 0,
        fetched=() if turned or beside else _fetched(nest, row, lane, host),
        turned=turned,
    )


def _block(nest: Nest, x: Access, y: Access, outer: Sequence[int], summed: Sequence[int], lane: int) -> int:
    """How much of the first summed axis a pass over the tiles covers; 0 for all."""
    sizes = [nest.dims[d].size for d in summed]
    several = [d for d in outer if x.strides[d] and y.strides[d]]
    if len(summed) == 1 and several and not nest.images and has_many_terms(sizes[0]):
        (term,) = summed
        if all(abs(o.strides[d]) < abs(o.strides[term]) for o in (x, y) for d in several):
            return TERMS
    return block_length(sizes, nest.dims[lane].size, ITEMSIZE[y.dtype])


def has_many_terms(summed: int) -> bool:
    """Whether small sums side by side, of which each finds its terms far apart, need several passes over all of them.

    The terms of one lie far apart, each beside those of its neighbours: sum after sum each came from another page.
    """
    return summed >= 2 * TERMS


def _order(nest: Nest, y: Access, outer: Sequence[int], beside: Sequence[int]) -> tuple[int | str, ...]:
    """What runs faster than what: products side by side, then the rows of an image, then the panels of y, of which one
    stays in the cache meanwhile, then the rest; in a chain an image is done with before the next one.
    """
    free = [d for d in outer if d not in beside and not (nest.images and d == 0)]
    within = [d for d in free if y.strides[d] == 0][-1:]
    return (*beside, "row", *within, "panel", *(d for d in reversed(outer) if d not in (*beside, *within)))


def _beside(nest: Nest, x: Access, y: Access, outer: Sequence[int], row: int, host: Host) -> tuple[int, ...]:
    """The axes along which small products lie side by side, their rows far apart; from the fastest.

    Product by product each row would come from another page, which no processor foresees. So these axes run faster
    than the rows, as long as what all products have in common for all rows stays in the first cache.
    """
    several = [d for d in outer if y.strides[d] and not (nest.images and d == 0)]
    near = all(0 < abs(x.strides[d]) < abs(x.strides[row]) for d in several)
    small = y.buffer is not None and y.buffer.nbytes <= host.core.l1_bytes // 2
    return tuple(reversed(several)) if near and small else ()


def _fetched(nest: Nest, row: int, lane: int, host: Host) -> tuple[Access, ...]:
    """What is read after the sums vector by vector, at another place for each row, if it is more than the first cache
    holds.
    """
    loads = [a for a in nest.loads.values() if a.buffer is not None and a.gathered is None]
    loads = [a for a in loads if a.strides[row] and a.strides[lane] == 1]
    some_bytes = sum(a.buffer.nbytes for a in loads if a.buffer is not None)
    return tuple(loads) if some_bytes > host.core.l1_bytes else ()


def _rows_cached(x: Access, axis: int) -> int:
    """How many rows along an axis have room in the first-level cache side by side, as far as their places tell."""
    return WAYS if x.strides[axis] * ITEMSIZE[x.dtype] % WAY_BYTES == 0 else FULL_HEIGHT


@functools.cache
def best_tile(rows: int, vectors: int, host: Host) -> tuple[int, int]:
    """The height and width of the tile that needs the fewest cycles for all of the output, on one thread and on two.

    Per k a tile costs as many cycles as its multiply-adds or its loads take, and no fewer than a multiply-add takes to
    deliver to the next one on the same register. Two threads have an equal number of tiles, or one more. Of those that
    are alike the one with the fewest loads: they compete with all that is fetched into the caches meanwhile. Widths are
    powers of two if they can be: rows of three vectors end within cache lines, and within pairs of them.
    """
    core = host.core
    costs: dict[tuple[int, int], float] = {}
    for wide in range(1, min(vectors, WIDEST) + 1):
        for tall in range(1, min(rows, TALLEST) + 1):
            if tall * wide + wide + host.spare > host.registers:
                break
            down, across = Split.at_most(rows, tall), Split.at_most(vectors, wide)
            cycles = 0.0
            for high, some in down.parts():
                for broad, many in across.parts():
                    loads = high / core.number_loads + broad / core.vector_loads
                    cycles += some * many * max(high * broad / core.multiply_adds, loads, core.latency)
            tiles = down.count * across.count
            costs[tall, wide] = cycles * (1 + 2 * math.ceil(tiles / 2) / tiles)
    least = min(costs.values())

    def preference(tile: tuple[int, int]) -> tuple[bool, float, int]:
        tall, wide = tile
        loads = tall / core.number_loads + wide / core.vector_loads
        return wide & (wide - 1) > 0, loads / (tall * wide), -tall

    return min((tile for tile in costs if costs[tile] <= ALIKE * least), key=preference)


def block_length(summed: Sequence[int], lane: int, itemsize: int) -> int:
    """How much of the first summed axis a pass over the tiles covers, half of it at most; 0 if there is but one pass.

    A weight gradient of a convolution adds up over all places of all images: tile by tile it would read the images
    again and again from memory. What comes after the sum must then be another kernel's work.

    Arguments:
        summed: sizes of the summed axes that are longer than 1.
        lane: size of the lanes' axis.
    """
    if not stands_alone(summed):
        return 0
    inner = math.prod(summed[1:])
    length = max(BLOCK_BYTES // (inner * lane * itemsize), BLOCK_TURNS // inner, 1)
    return min(length, summed[0] // 2)


def stands_alone(summed: Sequence[int]) -> bool:
    """Whether a product is stored as it is, so that it can be added up block by block.

    It then has a ``block_length``, also where neighbouring axes are merged.
    """
    return math.prod(summed) > LONGEST


def _clips(x: Access, y: Access, summed: Sequence[int]) -> dict[int, Clip]:
    """The summed axes that borders clip."""
    assert not y.borders, "only the operand without lanes leaves margins out"
    clips: dict[int, Clip] = {}
    for border in x.borders:
        start, steps = border.line.start, border.line.steps
        (tap,) = [d for d in summed if steps[d]]
        places = [d for d, step in enumerate(steps) if step and d != tap]
        assert len(places) <= 1 and tap not in clips, "windows move along one axis for each of theirs"
        place = places[0] if places else None
        clips[tap] = Clip(place, start, 0 if place is None else steps[place], steps[tap], border.size)
    return clips
