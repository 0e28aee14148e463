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
from collections.abc import Sequence
from itertools import pairwise

from thalweg.executors.native.code.builder import Builder, Module, Pointer, Value, vector_type
from thalweg.executors.native.code.evaluate import Lanes, Nest, Place, Values
from thalweg.executors.native.host import ITEMSIZE
from thalweg.fields import dataclass

UNROLLED_EPILOGUE = 160
"""The most operations after a tile that are written out for each of its vectors; more go in a loop over its rows."""


FULL_HEIGHT = 12
"""Rows of an axis that are enough for high tiles."""


BLOCK_BYTES = 256 * 1024
"""How much of y, of the operand with the lanes, a pass over the tiles reads: what the second-level cache keeps."""


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

    @classmethod
    def at_most(cls, total: int, limit: int) -> Split:
        return cls(total, max(1, math.ceil(total / limit)))

    def start(self, build: Builder, i: Value) -> Value:
        """Where part ``i`` begins."""
        plain = build.i_multiply(i, self.size)
        return plain if not self.longer else build.i_add(plain, build.i_min(i, build.index(self.longer)))


@dataclass(frozen=True)
class Clip:
    """A summed axis of which only a part counts: t at place i, where ``0 <= start + i * step + t * tap < size``."""

    place: int | None  # the axis of i; none if there is only i = 0
    start: int
    step: int
    tap: int
    size: int

    def bounds(self, build: Builder, i: Value, count: int) -> tuple[Value, Value]:
        """The first t that counts, and the one after the last, of ``count``; i is known when the code runs."""
        zero, back = build.index(0), build.i_multiply(i, -self.step)
        low = build.i_max(build.i_add(back, build.index(self.tap - 1 - self.start)), zero)
        high = build.i_max(build.i_add(back, build.index(self.size - 1 - self.start + self.tap)), zero)
        return build.i_divide(low, self.tap)[0], build.i_min(build.i_divide(high, self.tap)[0], build.index(count))

    def turns(self, i: int, count: int) -> range:
        """The same for an i that is known now."""
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
class Shape:
    """How many rows a tile has; if its rows have a border, the turns of the loop that this clips."""

    height: int
    turns: tuple[Turns, ...] = ()


class Tiles:
    """Writes the functions of one contraction: the tiles, and the loop over them."""

    def __init__(self, nest: Nest, module: Module) -> None:
        self.nest = nest
        self.module = module
        self.node = nest.kernel.contraction
        assert self.node is not None, "a contraction kernel has a contraction"
        self.x, self.y = nest.extra
        self.width = module.host.lanes(self.node.dtype)
        kept = [d for d, dim in enumerate(nest.dims) if not dim.swept]
        self.summed = [d for d, dim in enumerate(nest.dims) if dim.swept]
        self.lane = kept[-1]
        if self.x.strides[self.lane]:
            self.x, self.y = self.y, self.x
        assert self.x.strides[self.lane] == 0 and self.y.strides[self.lane] == 1, "the planner lays out the lanes"
        rows = [d for d in kept[:-1] if self.y.strides[d] == 0]
        # Of the axes that give tiles of full height the one along which x lies closest together.
        self.row = max(rows, key=lambda d: (min(nest.dims[d].size, FULL_HEIGHT), -abs(self.x.strides[d])))
        self.outer = [d for d in kept[:-1] if d != self.row]
        self.vectors = math.ceil(nest.dims[self.lane].size / self.width)
        tall, wide = self._best_tile(nest.dims[self.row].size, self.vectors)
        self.rows = Split.at_most(nest.dims[self.row].size, tall)
        self.panels = Split.at_most(self.vectors, wide)
        self.clips = self._clips()
        self.block = self._block_length()

    @property
    def units(self) -> int:
        """Tiles; the rows of a panel run fastest, so that the panel of y stays in the cache."""
        return math.prod(self.nest.dims[d].size for d in self.outer) * self.rows.count * self.panels.count

    def _best_tile(self, rows: int, vectors: int) -> tuple[int, int]:
        """The tile that needs the fewest cycles for all of the output, on one thread and on two together.

        Per k a tile costs as many cycles as its multiply-adds or its loads take at two a cycle, and no fewer than
        the four that a multiply-add takes to deliver to the next one on the same register. Threads divide the panels,
        so that each keeps to its own columns of the weights; a tile that leaves one panel for two threads costs twice.
        """
        registers = self.module.host.registers
        best = (math.inf, 0, 0)
        for wide in range(1, min(vectors, 8) + 1):
            for tall in range(1, rows + 1):
                if tall * wide + wide + 1 > registers:
                    break
                down, across = Split.at_most(rows, tall), Split.at_most(vectors, wide)
                high, broad = math.ceil(rows / down.count), math.ceil(vectors / across.count)
                per_tile = max(high * broad / 2, (high + broad) / 2, 4) + 0.25
                panels = across.count if vectors > 1 else down.count
                of_two = 2 * math.ceil(panels / 2) / panels
                best = min(best, (down.count * across.count * per_tile * (1 + of_two), -tall, wide))
        return -best[1], best[2]

    def _clips(self) -> dict[int, Clip]:
        """The summed axes that borders clip."""
        assert not self.y.borders, "only the operand without lanes leaves margins out"
        found = {}
        for border in self.x.borders:
            start, steps = border.line.start, border.line.steps
            (tap,) = [d for d in self.summed if steps[d]]
            places = [d for d, step in enumerate(steps) if step and d != tap]
            assert len(places) <= 1 and tap not in found, "windows move along one axis for each of theirs"
            place = places[0] if places else None
            found[tap] = Clip(place, start, 0 if place is None else steps[place], steps[tap], border.size)
        return found

    def _block_length(self) -> int:
        """How much of the first summed axis a pass over the tiles covers, where all of it does not fit the cache.

        A weight gradient of a convolution adds up over all places of all images: tile by tile it would read the images
        again and again from memory. What comes after the sum must then be another kernel's work.
        """
        if self.nest.kernel.roots != [self.node] or not self.summed or self.summed[0] in self.clips:
            return 0
        size = self.nest.dims[self.summed[0]].size
        later = math.prod(self.nest.dims[d].size for d in self.summed[1:])
        per_step = later * self.nest.dims[self.lane].size * ITEMSIZE[self.y.dtype]
        length = max(1, BLOCK_BYTES // per_step)
        return length if 2 * length <= size else 0

    # --- the loop over the tiles ------------------------------------------------------------------------------------

    def write(self, build: Builder) -> None:
        begin, end = Value("%begin", "int64"), Value("%end", "int64")
        if not self.block:
            build.loop(begin, end, 1, [], lambda unit, _: self._unit(build, unit, []))
            return
        size = build.index(self.nest.dims[self.summed[0]].size)

        def one_pass(first: Value, _: list[Value]) -> list[Value]:
            last = build.i_min(build.i_add(first, build.index(self.block)), size)
            return build.loop(begin, end, 1, [], lambda unit, _: self._unit(build, unit, [first, last]))

        build.loop(build.index(0), size, self.block, [], one_pass)

    def _unit(self, build: Builder, unit: Value, block: list[Value]) -> list[Value]:
        # The rows of an image run faster than the panels of y, the images slower: a panel stays in the cache meanwhile.
        sizes: dict[int | str, int] = {"row": self.rows.count, "panel": self.panels.count}
        sizes |= {d: self.nest.dims[d].size for d in self.outer}
        within = [d for d in self.outer if self.y.strides[d] == 0][-1:]
        order: list[int | str] = ["row", *within, "panel", *(d for d in reversed(self.outer) if d not in within)]
        place: dict[int | str, Value] = {}
        for digit in order[:-1]:
            unit, place[digit] = build.i_divide(unit, sizes[digit])
        place[order[-1]] = unit
        i, j = place["row"], place["panel"]
        starts = [self.rows.start(build, i), build.i_multiply(self.panels.start(build, j), self.width)]
        outer = [place[d] for d in self.outer]
        self._by_height(build, i, j, [*starts, *outer, *block])
        return []

    def _by_height(self, build: Builder, i: Value, j: Value, starts: list[Value]) -> None:
        """Calls the tile of the right shape and width."""
        runs: list[tuple[Shape, int]] = []  # with the first row of tiles after those of this shape
        for row in range(self.rows.count):
            shape = self._shape(row)
            if runs and runs[-1][0] == shape:
                runs.pop()
            runs.append((shape, row + 1))

        def choose(runs: list[tuple[Shape, int]]) -> None:
            (shape, end), *others = runs
            if not others:
                self._by_width(build, shape, j, starts)
                return
            first = build.i_less(i, build.index(end))
            build.when(first, lambda: self._by_width(build, shape, j, starts), lambda: choose(others))

        choose(runs)

    def _shape(self, row: int) -> Shape:
        height = self.rows.size + (row < self.rows.longer)
        first = row * self.rows.size + min(row, self.rows.longer)
        axis = self._clipped_by_row()
        if axis is None:
            return Shape(height)
        of_rows = [self.clips[axis].turns(first + r, self.nest.dims[axis].size) for r in range(height)]
        ends = sorted({end for turns in of_rows if turns for end in (turns.start, turns.stop)})
        found = []
        for begin, end in pairwise(ends):
            rows = [r for r, turns in enumerate(of_rows) if begin in turns]
            if rows:
                found.append(Turns(begin, end, rows[0], rows[-1] + 1))
        return Shape(height, tuple(found))

    def _clipped_by_row(self) -> int | None:
        return next((d for d, clip in self.clips.items() if clip.place == self.row), None)

    def _by_width(self, build: Builder, shape: Shape, j: Value, starts: list[Value]) -> None:
        part = self.nest.dims[self.lane].size % self.width or self.width
        narrow, last = self.panels.size, self.panels.count - 1

        def call(vectors: int, ending: int) -> None:
            counts = (self.width,) * (vectors - 1) + (ending,)
            self._call(build, shape, counts, starts)

        def full_or_last() -> None:
            if part == self.width or last < self.panels.longer:
                call(narrow, self.width)
            elif self.panels.count - self.panels.longer == 1:
                call(narrow, part)
            else:
                build.when(
                    build.i_less(j, build.index(last)),
                    lambda: call(narrow, self.width),
                    lambda: call(narrow, part),
                )

        if self.panels.longer:
            build.when(
                build.i_less(j, build.index(self.panels.longer)),
                lambda: call(narrow + 1, self.width),
                full_or_last,
            )
        else:
            full_or_last()

    def _call(self, build: Builder, shape: Shape, counts: tuple[int, ...], starts: list[Value]) -> None:
        bounds = ["first", "last"] if self.block else []
        tile = Builder(self.module, build.pointers, ["row", "lane", *(f"outer{d}" for d in self.outer), *bounds])
        self._tile(tile, shape, counts)
        name = self.module.add("tile", tile)
        ends = [f"ptr %{p}.end" for p in build.pointers] if self.module.checked else []
        arguments = [f"ptr %{p}" for p in build.pointers] + ends + [str(s) for s in starts]
        build.line(f"call void {name}({', '.join(arguments)})")

    # --- one tile ---------------------------------------------------------------------------------------------------

    def _tile(self, build: Builder, shape: Shape, counts: tuple[int, ...]) -> None:
        height = shape.height
        moves = {self.row: Value("%row", "int64"), self.lane: Value("%lane", "int64")}
        moves |= {d: Value(f"%outer{d}", "int64") for d in self.outer}
        place = Place(build, self.nest).moved(moves, Lanes(self.lane, self.width, counts))
        dtype = self.node.dtype  # type: ignore[union-attr]
        sums = [build.constant(0, dtype, self.width)] * (height * len(counts))
        place.pointer(self.x), place.pointer(self.y)
        if self.block:
            sums = self._so_far(place, height, sums)
        sums = self._products(place, self.summed, shape, range(height), sums)
        vectors = len(counts)
        self._epilogue(place, [sums[r * vectors : (r + 1) * vectors] for r in range(height)])

    def _so_far(self, place: Place, height: int, zeros: Values) -> Values:
        """What the passes before have added up."""
        build = place.build
        assert self.node is not None, "a tile of a contraction"
        access = self.nest.stores[self.node]
        begun = build.emit("icmp sgt i64 %first, 0", "bool")
        found = [x for r in range(height) for x in place.moved({self.row: build.index(r)}).load(access)]
        return [build.select(begun, x, zero) for x, zero in zip(found, zeros, strict=True)]

    def _products(self, place: Place, axes: Sequence[int], shape: Shape, rows: range, sums: Values) -> Values:
        """The sums over the summed axes ``axes``, as nested loops."""
        build = place.build
        if not axes:
            return self._multiply_add(place, rows, sums)
        axis, later = axes[0], axes[1:]

        def turn(k: Value, rows: range, sums: Values) -> Values:
            inner = place.moved({axis: k})
            inner.pointer(self.x), inner.pointer(self.y)
            return self._products(inner, later, shape, rows, sums)

        def turns(begin: Value, end: Value, rows: range, sums: Values, nonempty: bool) -> Values:
            return build.loop(begin, end, 1, sums, lambda k, carried: turn(k, rows, carried), nonempty=nonempty)

        size, clip = self.nest.dims[axis].size, self.clips.get(axis)
        if clip is None:
            blocked = bool(self.block) and axis == self.summed[0]
            begin = Value("%first", "int64") if blocked else build.index(0)
            end = Value("%last", "int64") if blocked else build.index(size)
            return turns(begin, end, rows, sums, nonempty=True)
        if clip.place != self.row:
            i = build.index(0) if clip.place is None else Value(f"%outer{clip.place}", "int64")
            return turns(*clip.bounds(build, i, size), rows, sums, nonempty=False)
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
            x = build.load(build.offset(at, r * self.x.strides[self.row], dtype), dtype)
            spread = build.splat(x, self.width)
            for c, y in enumerate(ys, r * len(ys)):
                result[c] = build.fma(spread, y, sums[c])
        return result

    def _epilogue(self, place: Place, sums: list[Values]) -> None:
        """What follows elementwise, row by row; the last thing is to store the roots."""
        build = place.build
        place.prepare([self.row])
        work = sum(node.inputs != () for node in self.nest.needed) + 2 * len(self.nest.kernel.roots)
        if work * len(sums) * len(sums[0]) <= UNROLLED_EPILOGUE:
            for r, row in enumerate(sums):
                self._finish(place.moved({self.row: build.index(r)}), row)
            return
        stack = self._spill(build, sums)
        vectors = len(sums[0])

        def body(r: Value, _: list[Value]) -> list[Value]:
            self._finish(place.moved({self.row: r}), self._unspill(build, stack, r, vectors))
            return []

        build.loop(build.index(0), build.index(len(sums)), 1, [], body, nonempty=True)

    def _finish(self, place: Place, row: Values) -> None:
        kernel = self.nest.kernel
        everything = tuple(range(len(kernel.space)))
        assert self.node is not None, "a contraction kernel has a contraction"
        place.values[(self.node, everything)] = row
        results = [(root, place.value(root, everything)) for root in kernel.roots]
        for root, value in results:
            place.store(root, value)

    def _spill(self, build: Builder, sums: list[Values]) -> Pointer:
        """The tile in memory of this function's own, where a loop can index it."""
        kind = sums[0][0].type
        name = build.fresh("tile")
        count = len(sums) * len(sums[0])
        build.line(f"{name} = alloca {kind}, i64 {count}, align {self.module.host.vector_bytes}")
        for i, x in enumerate(v for row in sums for v in row):
            at = build.fresh("p")
            build.line(f"{at} = getelementptr {kind}, ptr {name}, i64 {i}")
            build.line(f"store {x}, ptr {at}")
        return Pointer(name, "")

    def _unspill(self, build: Builder, stack: Pointer, row: Value, vectors: int) -> Values:
        assert self.node is not None, "a contraction kernel has a contraction"
        dtype = self.node.dtype
        kind = vector_type({"float32": "float", "float64": "double"}[dtype], self.width)
        result = []
        first = build.i_multiply(row, vectors)
        for c in range(vectors):
            at = build.fresh("p")
            index = build.i_add(first, build.index(c))
            build.line(f"{at} = getelementptr {kind}, ptr {stack.text}, {index}")
            result.append(build.emit(f"load {kind}, ptr {at}", dtype, self.width))
        return result
