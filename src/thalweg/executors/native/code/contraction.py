"""Code for a contraction: register-blocked tiles of fused multiply-adds, made for the exact shape.

``out[..., row, lane] = sum over k of x[..., row, k] * y[..., k, lane]``, whatever the axes stand for: everything is a
stride. A tile of R rows by C vectors is held in registers while k runs: per k it loads C vectors of y and R numbers of
x, and does R * C multiply-adds. What follows elementwise (a bias, an activation, the optimizer's update after a weight
gradient) is done on the tile before it leaves the registers.

Each element adds up its products in the order of k, so the result depends on neither tiles nor threads.

Where x has borders (the margins of a convolution) the loops over k run only where something is there. How far depends
on the place in the result: along an outer axis it is computed before the loop; along the rows of the tile, where it
differs from row to row, each tile at the edge has its own code, in which some taps take part of the rows.

Source: Goto & van de Geijn (2008), "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from thalweg.executors.native.code.builder import Builder, Ends, Module, Value
from thalweg.executors.native.code.evaluate import Lanes, Place, Values
from thalweg.executors.native.plan.nest import Nest
from thalweg.executors.native.plan.tiles import Clip, Counts, Split, TileShape, tiling_of

UNROLLED_EPILOGUE = 160
"""The most operations after a tile that are written out for each of its vectors; more go in a loop over its rows."""


SUMS = "sums"
"""Memory for the sums of a tile that waits for what follows them."""

ROWS = "rows"
"""How many rows it has."""

Case = TypeVar("Case")


class Tiles:
    """Writes the functions of one contraction: the tiles, and the loop over them."""

    def __init__(self, nest: Nest, module: Module) -> None:
        assert nest.kernel.contraction is not None, "a contraction kernel has a contraction"
        self.nest = nest
        self.module = module
        self.node = nest.kernel.contraction
        self.cut = tiling_of(nest, module.host)
        self.x, self.y = self.cut.x, self.cut.y
        self.width = self.cut.width

    @property
    def units(self) -> int:
        """Tiles."""
        return self.cut.units

    # --- the loop over the tiles ------------------------------------------------------------------------------------

    def write(self, build: Builder) -> None:
        begin, end = Value("%begin", "int64"), Value("%end", "int64")
        if self.cut.delayed:
            self._write_delayed(build, begin, end)
            return
        if not self.cut.block:
            build.loop(begin, end, 1, [], lambda unit, _: self._unit(build, unit, []))
            return
        size = build.index(self.nest.dims[self.cut.summed[0]].size)

        def one_pass(first: Value, _: list[Value]) -> list[Value]:
            last = build.i_min(build.i_add(first, build.index(self.cut.block)), size)
            return build.loop(begin, end, 1, [], lambda unit, _: self._unit(build, unit, [first, last]))

        build.loop(build.index(0), size, self.cut.block, [], one_pass)

    def _unit(self, build: Builder, unit: Value, block: list[Value]) -> list[Value]:
        i, j, starts = self._at(build, unit)

        def call(shape: TileShape, counts: Counts) -> None:
            tile = Builder(self.module, build.pointers, [*self.starts, *(["first", "last"] if self.cut.block else [])])
            self._tile(tile, shape, counts)
            build.call(self.module.add("tile", tile), _ends(build.pointers), [*starts, *block])

        self._by_shape(build, i, j, call)
        return []

    def _write_delayed(self, build: Builder, begin: Value, end: Value) -> None:
        """What follows the sums of a tile is done while those of the next one are added up.

        From turn to turn goes which tile waits, and the rows of it: those of the same width can be finished by the next
        one, others are finished at once.
        """
        widths = [counts for counts, _ in self.cut.widths]
        most = max(map(len, widths)) * len(self.cut.rows.part(0))
        buffers = [*_ends(build.pointers), build.local(SUMS, self.node.dtype, self.width, most)]
        pointers = [*build.pointers, SUMS]
        waiting = [ROWS, *(_before(name) for name in self.starts)]

        def call(shape: TileShape, counts: Counts, arguments: list[Value]) -> None:
            tile = Builder(self.module, pointers, [*self.starts, *waiting])
            self._delayed_tile(tile, shape, counts)
            build.call(self.module.add("tile", tile), buffers, arguments)

        def finish(counts: Counts, arguments: list[Value]) -> None:
            rest = Builder(self.module, pointers, waiting)
            self._finish_rows(self._waiting(rest, counts), rest.index(0), Value(f"%{ROWS}", "int64"))
            build.call(self.module.add("rest", rest), buffers, arguments)

        def finish_other(width: Value, arguments: list[Value]) -> None:
            numbered = [(counts, number) for number, counts in enumerate(widths, 1)]
            _choose(build, width, numbered, lambda counts: finish(counts, arguments))

        def turn(unit: Value, carried: list[Value]) -> list[Value]:
            i, j, starts = self._at(build, unit)
            width = _number(build, j, self.cut.widths)
            (width_before, rows, *before) = carried
            if len(widths) > 1:
                same = build.emit(f"icmp eq i64 {width.text}, {width_before.text}", "bool")
                build.when(same, lambda: None, lambda: finish_other(width_before, [rows, *before]))
                rows = build.select(same, rows, build.index(0))
            self._by_shape(build, i, j, lambda shape, counts: call(shape, counts, [*starts, rows, *before]))
            return [width, _length(build, self.cut.rows, i), *starts]

        width, *last = build.loop(begin, end, 1, [build.index(0)] * (2 + len(self.starts)), turn)
        finish_other(width, last)

    @property
    def starts(self) -> list[str]:
        """Names of what tells where a tile begins."""
        return ["row", "lane", *(f"outer{d}" for d in self.cut.outer)]

    def _at(self, build: Builder, unit: Value) -> tuple[Value, Value, list[Value]]:
        """The part of the rows and the panel of a unit, and where its tile begins."""
        # The rows of an image run faster than the panels of y, the images slower: a panel stays in the cache meanwhile.
        sizes: dict[int | str, int] = {"row": self.cut.rows.count, "panel": self.cut.panels.count}
        sizes |= {d: self.nest.dims[d].size for d in self.cut.outer}
        slower = [d for d in reversed(self.cut.outer) if d not in self.cut.within]
        order: list[int | str] = ["row", *self.cut.within, "panel", *slower]
        place: dict[int | str, Value] = {}
        for digit in order[:-1]:
            unit, place[digit] = build.i_divide(unit, sizes[digit])
        place[order[-1]] = unit
        i, j = place["row"], place["panel"]
        starts = [_start(build, self.cut.rows, i), build.i_multiply(_start(build, self.cut.panels, j), self.width)]
        return i, j, [*starts, *(place[d] for d in self.cut.outer)]

    def _by_shape(self, build: Builder, i: Value, j: Value, then: Callable[[TileShape, Counts], None]) -> None:
        """Goes on with the shape and the width of the tile in part ``i`` of the rows and panel ``j``."""

        def of_height(shape: TileShape) -> None:
            _choose(build, j, self.cut.widths, lambda counts: then(shape, counts))

        _choose(build, i, self.cut.shapes, of_height)

    # --- one tile ---------------------------------------------------------------------------------------------------

    def _place(self, build: Builder, names: Sequence[str], counts: Counts) -> Place:
        """Where a tile begins, as the parameters ``names`` say."""
        axes = (self.cut.row, self.cut.lane, *self.cut.outer)
        moves = {axis: Value(f"%{name}", "int64") for axis, name in zip(axes, names, strict=True)}
        return Place(build, self.nest).moved(moves, Lanes(self.cut.lane, self.width, counts))

    def _zeros(self, build: Builder, shape: TileShape, counts: Counts) -> Values:
        return [build.constant(0, self.node.dtype, self.width)] * (shape.height * len(counts))

    def _tile(self, build: Builder, shape: TileShape, counts: Counts) -> None:
        place = self._place(build, self.starts, counts)
        sums = self._zeros(build, shape, counts)
        place.pointer(self.x), place.pointer(self.y)
        if self.cut.block:
            sums = self._so_far(place, shape.height, sums)
            bounds = Value("%first", "int64"), Value("%last", "int64")
            sums = self._products(place, self.cut.summed, shape, range(shape.height), sums, bounds)
        else:
            sums = self._products(place, self.cut.summed, shape, range(shape.height), sums)
        self._epilogue(place, sums, len(counts))

    def _delayed_tile(self, build: Builder, shape: TileShape, counts: Counts) -> None:
        """Adds up a tile, meanwhile finishes the one that waits, and lets this one wait.

        The outermost loop of the sums is cut into pieces, a row of the other tile after each: so few operations that
        the processor does them beside the products around them, and what they read has been asked for a tile before.
        """
        place = self._place(build, self.starts, counts)
        place.pointer(self.x), place.pointer(self.y)
        waiting = self._waiting(build, counts)
        turns, rows = self.cut.pieces

        def piece(n: Value, sums: Values) -> Values:
            bounds = _start(build, turns, n), _start(build, turns, build.i_add(n, build.index(1)))
            sums = self._products(place, self.cut.summed, shape, range(shape.height), sums, bounds)
            first, last = _start(build, rows, n), _start(build, rows, build.i_add(n, build.index(1)))
            self._finish_rows(waiting, first, build.i_min(last, Value(f"%{ROWS}", "int64")))
            self._fetch_rows(place, first, last)
            return sums

        zeros = self._zeros(build, shape, counts)
        self._spill(build, build.loop(build.index(0), build.index(turns.count), 1, zeros, piece, nonempty=True))

    def _waiting(self, build: Builder, counts: Counts) -> Place:
        """Where the tile begins that waits."""
        place = self._place(build, [_before(name) for name in self.starts], counts)
        place.prepare([self.cut.row])
        return place

    def _so_far(self, place: Place, height: int, zeros: Values) -> Values:
        """What the passes before have added up."""
        build = place.build
        access = self.nest.stores[self.node]
        begun = build.emit("icmp sgt i64 %first, 0", "bool")
        before = [x for r in range(height) for x in place.moved({self.cut.row: build.index(r)}).load(access)]
        return [build.select(begun, x, zero) for x, zero in zip(before, zeros, strict=True)]

    def _products(
        self,
        place: Place,
        axes: Sequence[int],
        shape: TileShape,
        rows: range,
        sums: Values,
        bounds: tuple[Value, Value] | None = None,
    ) -> Values:
        """The sums over the summed axes ``axes``, as nested loops; of the first only what lies in ``bounds``."""
        build = place.build
        if not axes:
            return self._multiply_add(place, rows, sums)
        axis, later = axes[0], axes[1:]

        def turn(k: Value, rows: range, sums: Values) -> Values:
            inner = place.moved({axis: k}, opaque=True)
            inner.pointer(self.x), inner.pointer(self.y)
            return self._products(inner, later, shape, rows, sums)

        def turns(begin: Value, end: Value, rows: range, sums: Values, nonempty: bool) -> Values:
            return build.loop(begin, end, 1, sums, lambda k, carried: turn(k, rows, carried), nonempty=nonempty)

        size, clip = self.nest.dims[axis].size, self.cut.clips.get(axis)
        if clip is None:
            return turns(*(bounds or (build.index(0), build.index(size))), rows, sums, nonempty=True)
        if clip.place != self.cut.row:
            i = build.index(0) if clip.place is None else Value(f"%outer{clip.place}", "int64")
            return turns(*_bounds(build, clip, i, size), rows, sums, nonempty=False)
        for part in shape.turns:
            some = range(part.first, part.last)
            if part.end - part.begin == 1:
                sums = turn(build.index(part.begin), some, sums)
            else:
                sums = turns(build.index(part.begin), build.index(part.end), some, sums, nonempty=True)
        return sums

    def _multiply_add(self, place: Place, rows: range, sums: Values) -> Values:
        build, lanes = place.build, place.lanes
        assert lanes is not None, "a tile has lanes"
        dtype = self.y.dtype
        ys = place.load(self.y)
        at = place.pointer(self.x)
        result = list(sums)
        for r in rows:
            x = build.load(build.offset(at, r * self.x.strides[self.cut.row], dtype), dtype)
            spread = build.splat(x, self.width)
            for c, y in enumerate(ys, r * len(ys)):
                result[c] = build.fma(spread, y, sums[c])
        return result

    def _epilogue(self, place: Place, sums: Values, vectors: int) -> None:
        """What follows elementwise, row by row; the last thing is to store the roots."""
        build = place.build
        place.prepare([self.cut.row])
        work = sum(node.inputs != () for node in self.nest.needed) + 2 * len(self.nest.kernel.roots)
        height = len(sums) // vectors
        if work * len(sums) <= UNROLLED_EPILOGUE:
            for r in range(height):
                self._finish(place.moved({self.cut.row: build.index(r)}), sums[r * vectors : (r + 1) * vectors])
            return
        build.local(SUMS, self.node.dtype, self.width, len(sums))
        self._spill(build, sums)
        self._finish_rows(place, build.index(0), build.index(height))

    def _finish_rows(self, place: Place, first: Value, last: Value) -> None:
        """What follows the sums of some rows, which are in memory."""
        build = place.build

        def body(r: Value, _: list[Value]) -> list[Value]:
            self._finish(place.moved({self.cut.row: r}, opaque=True), self._unspill(place, r))
            return []

        build.loop(first, last, 1, [], body)

    def _finish(self, place: Place, row: Values) -> None:
        kernel = self.nest.kernel
        everything = tuple(range(len(kernel.space)))
        place.values[(self.node, everything)] = row
        results = [(root, place.value(root, everything)) for root in kernel.roots]
        for root, value in results:
            place.store(root, value)

    def _fetch_rows(self, place: Place, first: Value, last: Value) -> None:
        """Asks for the lines of some rows that are read, or written, when their sums are known."""
        build, lanes = place.build, place.lanes
        assert lanes is not None, "a tile has lanes"
        row, lane = self.cut.row, self.cut.lane
        every = {a.place: a for a in (*self.nest.stores.values(), *self.nest.loads.values())}
        fetched = [
            a for a in every.values() if a.buffer and a.strides[row] and a.strides[lane] == 1 and a.gathered is None
        ]
        for access in fetched:
            place.pointer(access)

        def body(r: Value, _: list[Value]) -> list[Value]:
            here = place.moved({row: r}, opaque=True)
            for access in fetched:
                at = here.pointer(access)
                for c in range(len(lanes.counts)):
                    build.prefetch(build.offset(at, c * lanes.width, access.dtype))
            return []

        build.loop(first, last, 1, [], body)

    def _spill(self, build: Builder, sums: Values) -> None:
        """The sums of a tile in memory, where a loop can index them."""
        for i, x in enumerate(sums):
            build.store(build.offset(build.parameter(SUMS), i * self.width, self.node.dtype), x)

    def _unspill(self, place: Place, row: Value) -> Values:
        build, lanes = place.build, place.lanes
        assert lanes is not None, "a tile has lanes"
        vectors = len(lanes.counts)
        at = build.offset(build.parameter(SUMS), build.i_multiply(row, vectors * self.width), self.node.dtype)
        each = [build.offset(at, c * self.width, self.node.dtype) for c in range(vectors)]
        return [build.load(p, self.node.dtype, self.width) for p in each]


def _choose(build: Builder, i: Value, runs: Sequence[tuple[Case, int]], then: Callable[[Case], None]) -> None:
    """Goes on with the case that ``i`` falls into; each comes with the first number after its own."""
    ((case, end), *others) = runs
    if others:
        mine = build.i_less(i, build.index(end))
        build.when(mine, lambda: then(case), lambda: _choose(build, i, others, then))
    else:
        then(case)


def _number(build: Builder, i: Value, runs: Sequence[tuple[object, int]]) -> Value:
    """The number of the case that ``i`` falls into."""
    number = build.index(len(runs) - 1)
    for n, (_, end) in reversed(list(enumerate(runs[:-1]))):
        number = build.select(build.i_less(i, build.index(end)), build.index(n), number)
    return number


def _before(name: str) -> str:
    return f"{name}.before"


def _ends(pointers: Sequence[str]) -> list[Ends]:
    """What a function hands on of the buffers that it was given."""
    return [(f"%{p}", f"%{p}.end") for p in pointers]


def _length(build: Builder, split: Split, i: Value) -> Value:
    """How long part ``i`` of an axis is."""
    short = build.index(split.size)
    longer = build.i_less(i, build.index(split.longer))
    return build.select(longer, build.index(split.size + 1), short) if split.longer else short


def _start(build: Builder, split: Split, i: Value) -> Value:
    """Where part ``i`` of an axis begins."""
    plain = build.i_multiply(i, split.size)
    return plain if not split.longer else build.i_add(plain, build.i_min(i, build.index(split.longer)))


def _bounds(build: Builder, clip: Clip, i: Value, count: int) -> tuple[Value, Value]:
    """The first t that counts (see Clip), and the one after the last, of ``count``; i is known when the code runs."""
    zero, back = build.index(0), build.i_multiply(i, -clip.step)
    low = build.i_max(build.i_add(back, build.index(clip.tap - 1 - clip.start)), zero)
    high = build.i_max(build.i_add(back, build.index(clip.size - 1 - clip.start + clip.tap)), zero)
    return build.i_divide(low, clip.tap)[0], build.i_min(build.i_divide(high, clip.tap)[0], build.index(count))
