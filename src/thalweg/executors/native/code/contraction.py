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

import math
from collections.abc import Callable, Sequence

from thalweg.executors.native.code.bfloat import add_pairs, add_product, with_zeros_for_denormals
from thalweg.executors.native.code.builder import ELEMENTS, Builder, Module, Pointer, Value, vector_type
from thalweg.executors.native.code.evaluate import Lanes, Place, Values
from thalweg.executors.native.code.transpose import transposed
from thalweg.executors.native.plan.nest import Nest
from thalweg.executors.native.plan.tiles import Clip, Split, TileShape, tiling_of
from thalweg.graph.node import Kind
from thalweg.ops.contraction import Contraction, PairContraction

UNROLLED_EPILOGUE = 160
"""The most operations after a whole tile that are written out for each of its vectors; more go in a loop over them."""

DRAWN_AT_ONCE = 2
"""Vectors after a tile that are worked on together where random numbers are drawn: each round of one waits for that
before. One at a time, a layer with dropout takes a seventh longer on AVX2; more would compile for longer.
"""


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
        self.pairs = isinstance(self.node.op, PairContraction)
        self.emulated = isinstance(self.node.op, Contraction) and self.node.op.precision is not None and not self.pairs

    @property
    def units(self) -> int:
        """Tiles."""
        return self.cut.units

    # --- the loop over the tiles ------------------------------------------------------------------------------------

    def write(self, build: Builder) -> None:
        if self.emulated:
            with_zeros_for_denormals(build, lambda: self._write(build))
        else:
            self._write(build)

    def _write(self, build: Builder) -> None:
        begin, end = Value("%begin", "int64"), Value("%end", "int64")
        if not self.cut.block:
            build.loop(begin, end, 1, [], lambda unit, _: self._unit(build, unit, []))
            return
        size = build.index(self.nest.dims[self.cut.summed[0]].size)

        def one_pass(first: Value, _: list[Value]) -> list[Value]:
            last = build.i_min(build.i_add(first, build.index(self.cut.block)), size)
            return build.loop(begin, end, 1, [], lambda unit, _: self._unit(build, unit, [first, last]))

        build.loop(build.index(0), size, self.cut.block, [], one_pass)

    def _unit(self, build: Builder, unit: Value, block: list[Value]) -> list[Value]:
        sizes: dict[int | str, int] = {"row": self.cut.rows.count, "panel": self.cut.panels.count}
        sizes |= {d: self.nest.dims[d].size for d in self.cut.outer}
        *faster, slowest = self.cut.order
        place: dict[int | str, Value] = {}
        for digit in faster:
            unit, place[digit] = build.i_divide(unit, sizes[digit])
        place[slowest] = unit
        i, j = place["row"], place["panel"]
        outer = [place[d] for d in self.cut.outer]
        lane = build.i_multiply(_start(build, self.cut.panels, j), self.width)
        self._by_width(build, j, [i, lane, *outer, *block])
        return []

    def _by_width(self, build: Builder, j: Value, places: list[Value]) -> None:
        """Calls the function of the tiles of the right width."""
        panels = self.cut.panels
        ending = self.nest.dims[self.cut.lane].size % self.width or self.width

        def call(vectors: int, ending: int) -> None:
            tile = Builder(self.module, build.pointers, self._places)
            self._tile(tile, (self.width,) * (vectors - 1) + (ending,))
            name = self.module.add("tile", tile)
            build.call(name, [(f"%{p}", f"%{p}.end") for p in build.pointers], places)

        def full_or_last() -> None:
            if ending == self.width or panels.count - panels.longer == 1:
                call(panels.size, ending)
            else:
                last = build.index(panels.count - 1)
                build.when(
                    build.i_less(j, last), lambda: call(panels.size, self.width), lambda: call(panels.size, ending)
                )

        if panels.longer:
            longer = build.i_less(j, build.index(panels.longer))
            build.when(longer, lambda: call(panels.longest, self.width), full_or_last)
        else:
            full_or_last()

    # --- one tile ---------------------------------------------------------------------------------------------------

    @property
    def _places(self) -> list[str]:
        """What the function of a tile is told: the number of the rows' part, the first lane, and so on."""
        return ["part", "lane", *(f"outer{d}" for d in self.cut.outer), *(["first", "last"] if self.cut.block else [])]

    def _tile(self, build: Builder, counts: tuple[int, ...]) -> None:
        """The tiles of one width, whatever their height.

        What follows the sums is most of their code. So the sums of each height are put where one loop over rows and
        vectors finds them, except where so little follows that it is written out for each.
        """
        work = sum(node.inputs != () for node in self.nest.needed) + 2 * len(self.nest.kernel.roots)
        unrolled = work * self.cut.rows.longest * self.cut.panels.longest <= UNROLLED_EPILOGUE
        stack = None if unrolled else self._memory(build, self.cut.rows.longest * len(counts))
        part = Value("%part", "int64")
        first, height = _start(build, self.cut.rows, part), build.index(self.cut.rows.size)
        if self.cut.rows.longer:
            longer = build.i_less(part, build.index(self.cut.rows.longer))
            height = build.select(longer, build.index(self.cut.rows.longest), height)

        def here() -> Place:
            """Anew in each branch, because what one computes the others do not have."""
            moves = {self.cut.row: first, self.cut.lane: Value("%lane", "int64")}
            moves |= {d: Value(f"%outer{d}", "int64") for d in self.cut.outer}
            return Place(build, self.nest).moved(moves, Lanes(self.cut.lane, self.width, counts))

        def of_shape(shape: TileShape) -> None:
            place = here()
            sums = self._sums(place, shape, counts)
            if stack is not None:
                self._spill(build, stack, sums)
                return
            place.prepare([self.cut.row])
            for r, row in enumerate(sums):
                self._finish(place.moved({self.cut.row: build.index(r)}), row)

        self._by_height(build, of_shape)
        if stack is not None:
            self._finish_rows(here(), height, stack)

    def _finish_rows(self, place: Place, height: Value, stack: Pointer) -> None:
        """What follows the sums that are kept, a few vectors at a time."""
        build, lanes = place.build, place.lanes
        assert lanes is not None, "a tile has lanes"
        counts = lanes.counts
        at_once = DRAWN_AT_ONCE if any(node.op.kind is Kind.RANDOM for node in self.nest.needed) else 1
        groups = [counts[i : i + at_once] for i in range(0, len(counts), at_once)]
        full = groups.count((self.width,) * at_once)
        looped = full if full > 1 else 0  # of the groups; the others are written out
        several = len(groups) > 1
        place.prepare([self.cut.row, self.cut.lane] if several else [self.cut.row])

        def some(r: Value, c: Value, own: tuple[int, ...]) -> list[Value]:
            moves = {self.cut.row: r} | ({self.cut.lane: build.i_multiply(c, self.width)} if several else {})
            at = build.i_add(build.i_multiply(r, len(counts)), c)
            sums = [self._kept(build, stack, build.i_add(at, build.index(i))) for i in range(len(own))]
            self._finish(place.moved(moves, Lanes(self.cut.lane, self.width, own), opaque=True), sums)
            return []

        def row(r: Value, _: list[Value]) -> list[Value]:
            if looped:
                end = build.index(looped * at_once)
                build.loop(build.index(0), end, at_once, [], lambda c, _: some(r, c, groups[0]), nonempty=True)
            for i, own in enumerate(groups[looped:], looped):
                some(r, build.index(i * at_once), own)
            return []

        build.loop(build.index(0), height, 1, [], row, nonempty=True)

    def _by_height(self, build: Builder, of_shape: Callable[[TileShape], None]) -> None:
        """What is to be done with the shape that the rows' part has."""
        runs: list[tuple[TileShape, int]] = []  # with the first part of the rows after those of this shape
        for part in range(self.cut.rows.count):
            shape = self.cut.shape(part)
            if runs and runs[-1][0] == shape:
                runs.pop()
            runs.append((shape, part + 1))

        def choose(runs: list[tuple[TileShape, int]]) -> None:
            (shape, end), *others = runs
            if not others:
                of_shape(shape)
                return
            first = build.i_less(Value("%part", "int64"), build.index(end))
            build.when(first, lambda: of_shape(shape), lambda: choose(others))

        choose(runs)

    def _sums(self, place: Place, shape: TileShape, counts: tuple[int, ...]) -> list[Values]:
        """The sums of each row of a tile."""
        build, height, vectors = place.build, shape.height, len(counts)
        sums = [build.constant(0, self.node.dtype, self.width)] * (height * vectors)
        place.pointer(self.x), place.pointer(self.y)
        if self.cut.turned:
            return self._turned_products(place, height, counts[0])
        if self.cut.block:
            sums = self._so_far(place, height, sums)
        following = self._following(place, height) if self.cut.fetching_parts(height) else None
        sums = self._products(place, self.cut.summed, shape, range(height), sums, following)
        return [sums[r * vectors : (r + 1) * vectors] for r in range(height)]

    def _so_far(self, place: Place, height: int, zeros: Values) -> Values:
        """What the passes before have added up."""
        build = place.build
        access = self.nest.stores[self.node]
        begun = build.emit("icmp sgt i64 %first, 0", "bool")
        before = [x for r in range(height) for x in place.moved({self.cut.row: build.index(r)}).load(access)]
        return [build.select(begun, x, zero) for x, zero in zip(before, zeros, strict=True)]

    def _following(self, here: Place, height: int) -> Place:
        """Where the next tile begins: below this one or, after the last, at the top of the next panel."""
        build, lanes = here.build, here.lanes
        assert lanes is not None, "a tile has lanes"
        row, lane = here.moves[self.cut.row], here.moves[self.cut.lane]
        below = build.i_add(row, build.index(height))
        beside = build.i_add(lane, build.index(self.width * len(lanes.counts)))
        inside = build.i_less(below, build.index(self.nest.dims[self.cut.row].size))
        moves = {
            **here.moves,
            self.cut.row: build.select(inside, below, build.index(0)),
            self.cut.lane: build.select(inside, lane, beside),
        }
        place = Place(build, self.nest).moved(moves, lanes)
        for access in self.cut.fetched:  # outside of the loop over its rows
            place.pointer(access)
        return place

    def _fetch(self, place: Place) -> None:
        """Asks for the lines of a row of a tile that are read after its sums."""
        build, lanes = place.build, place.lanes
        assert lanes is not None, "a tile has lanes"
        for access in self.cut.fetched:
            build.prefetch_run(place.pointer(access), len(lanes.counts) * self.width, access.dtype)

    def _products(
        self,
        place: Place,
        axes: Sequence[int],
        shape: TileShape,
        rows: range,
        sums: Values,
        following: Place | None = None,
    ) -> Values:
        """The sums over the summed axes ``axes``, as nested loops.

        Arguments:
            following: the next tile, of which the outermost loop fetches what is read after its sums.
        """
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
            blocked = bool(self.cut.block) and axis == self.cut.summed[0]
            begin = Value("%first", "int64") if blocked else build.index(0)
            end = Value("%last", "int64") if blocked else build.index(size)
            if following is None:
                return turns(begin, end, rows, sums, nonempty=True)
            parts = Split(size, self.cut.fetching_parts(len(rows)))
            of_each = math.ceil(len(rows) / parts.count)

            def some_turns(part: Value, carried: Values) -> Values:
                fetched = following.moved({self.cut.row: build.i_multiply(part, of_each)}, opaque=True)
                for r in range(of_each):
                    self._fetch(fetched.moved({self.cut.row: build.index(r)}))
                begin, end = (_start(build, parts, i) for i in (part, build.i_add(part, build.index(1))))
                return turns(begin, end, rows, carried, nonempty=True)

            return build.loop(build.index(0), build.index(parts.count), 1, sums, some_turns, nonempty=True)
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
        self._fetch_ahead(place, len(rows))
        result = list(sums)
        add = add_product if self.emulated else add_pairs if self.pairs else Builder.fma
        for r in rows:
            x = build.load(build.offset(at, r * self.x.strides[self.cut.row], dtype), dtype)
            spread = build.splat(x, self.width)
            for c, y in enumerate(ys, r * len(ys)):
                result[c] = add(build, spread, y, sums[c])
        return result

    def _fetch_ahead(self, place: Place, height: int) -> None:
        """Asks for what the tile takes at this place of the next block."""
        build, lanes = place.build, place.lanes
        assert lanes is not None, "a tile has lanes"
        for access, count in self.cut.ahead(height, len(lanes.counts)):
            block = self.cut.block * access.strides[self.cut.summed[0]]
            build.prefetch_run(build.offset(place.pointer(access), block, access.dtype), count, access.dtype)

    def _turned_products(self, place: Place, height: int, count: int) -> list[Values]:
        """The sums of a tile of one vector of ``count`` lanes, for each row: with vectors along the rows at first."""
        build, width, dtype = place.build, self.width, self.y.dtype
        (axis,) = self.cut.summed
        parts = [min(width, height - first) for first in range(0, height, width)]
        zero = build.constant(0, dtype, width)

        def turn(k: Value, sums: Values) -> Values:
            inner = place.moved({axis: k}, opaque=True)
            at, numbers = inner.pointer(self.x), inner.pointer(self.y)
            xs = [build.load(build.offset(at, v * width, dtype), dtype, width, part) for v, part in enumerate(parts)]
            result = []
            for i in range(count):
                y = build.load(build.offset(numbers, i * self.y.strides[self.cut.lane], dtype), dtype)
                spread = build.splat(y, width)
                result += [build.fma(spread, x, sums[i * len(xs) + v]) for v, x in enumerate(xs)]
            return result

        size = build.index(self.nest.dims[axis].size)
        sums = build.loop(build.index(0), size, 1, [zero] * (count * len(parts)), turn, nonempty=True)
        rows: list[Values] = []
        for v, part in enumerate(parts):
            square = transposed(build, [*sums[v :: len(parts)], *[zero] * (width - count)])
            rows += [[row] for row in square[:part]]
        return rows

    def _finish(self, place: Place, row: Values) -> None:
        kernel = self.nest.kernel
        everything = tuple(range(len(kernel.space)))
        place.values[(self.node, everything)] = row
        results = [(root, place.value(root, everything)) for root in kernel.roots]
        for root, value in results:
            place.store(root, value)

    def _memory(self, build: Builder, count: int) -> Pointer:
        """Room for the vectors of a tile in memory of this function's own, where a loop can index them."""
        name = build.fresh("tile")
        kind = vector_type(ELEMENTS[self.node.dtype], self.width)
        build.line(f"{name} = alloca {kind}, i64 {count}, align {self.module.host.vector_bytes}")
        return Pointer(name, "")

    def _spill(self, build: Builder, stack: Pointer, sums: list[Values]) -> None:
        for i, x in enumerate(v for row in sums for v in row):
            at = build.fresh("p")
            build.line(f"{at} = getelementptr {x.type}, ptr {stack.text}, i64 {i}")
            build.line(f"store {x}, ptr {at}")

    def _kept(self, build: Builder, stack: Pointer, index: Value) -> Value:
        """A vector of the sums that are kept."""
        kind = vector_type(ELEMENTS[self.node.dtype], self.width)
        at = build.fresh("p")
        build.line(f"{at} = getelementptr {kind}, ptr {stack.text}, {index}")
        return build.emit(f"load {kind}, ptr {at}", self.node.dtype, self.width)


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
