"""Code for a sweep: elementwise work, with reductions over the same axes.

The innermost axis is the one that vectors run along. Where it is swept (a softmax over features), a unit of work is
one row, and the lanes of a vector are added up at the end. Where it is kept (a bias gradient: a sum over the batch; or
no reduction at all), a unit is a few vectors of columns, and the sweep runs over the rows. If such sums read the same
numbers again and again (the kernel gradient of a depthwise convolution: each of its nine numbers takes all of the
image's gradient), a unit adds up all of them side by side: its *taps*.

Reductions that need the result of another (the sum of e^(x - max)) go in a later *pass* over the same data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from thalweg.executors.native.code.builder import Builder, Module, Value
from thalweg.executors.native.code.evaluate import Lanes, Place, Values
from thalweg.executors.native.code.operations import is_costly, lower
from thalweg.executors.native.plan.nest import Nest, root_mapping
from thalweg.executors.native.plan.sweeps import GROUP, stored_in_pass
from thalweg.executors.native.plan.taps import side_by_side, tap_axes, vectors_of
from thalweg.graph.node import Node
from thalweg.ops.broadcast import Reduction

ROWS_AHEAD = 3
"""How many rows of a batch ahead of the one being copied are asked for: they lie anywhere in the data."""


LABELS_AHEAD = 8
"""The same for what short rows need of the data: there is less to do for each."""

TURNS_AHEAD = 32
"""How many turns of a loop over taps ahead what they read is asked for."""

ROWS_AT_ONCE = 2
"""Short rows that are worked on together: four would save little more, and take LLVM twice as long."""

WIDE = ("float64", "int64")
"""Of which a vector has half as many as of the others."""


class Sweep:
    """Writes the function of one sweep."""

    def __init__(self, nest: Nest, module: Module) -> None:
        self.nest = nest
        self.kernel = nest.kernel
        self.module = module
        self.done = nest.done
        self.last_pass = max((self.done[n] for n in nest.kernel.nodes if n in nest.needed), default=0)
        dims = nest.dims
        self.lane = len(dims) - 1 if dims else None
        self.row_mode = self.lane is not None and dims[self.lane].swept
        self.reductions = [n for n in nest.kernel.nodes if isinstance(n.op, Reduction) and n in nest.needed]
        self.width = module.host.lanes("float64" if self._wide() else "float32")
        taps = tap_axes(nest, module.host.registers)
        self.taps: list[dict[int, int]] = [{}]
        """For each sum of a unit where it is along the axes of the taps."""
        for d in taps:
            self.taps = [{**tap, d: i} for tap in self.taps for i in range(dims[d].size)]
        self.beside = side_by_side(nest, self.width) if not taps else None
        """The axis along which a unit has some sums next to each other, as if they were taps, and how many."""
        if self.beside is not None:
            d, count = self.beside
            self.taps = [{d: i} for i in range(count)]
        self.group = vectors_of(nest, len(self.taps), module.host.registers)
        self.outer = [d for d, dim in enumerate(dims) if not dim.swept and d != self.lane and d not in taps]
        self.inner = [d for d, dim in enumerate(dims) if dim.swept and d != self.lane]
        # In a chain all places of an image are one unit's, which loads once what they share.
        whole = nest.images and not any(dim.swept for dim in dims) and len(self._groups()) == 1
        self.places = self.outer[1:] if whole else []
        self.outer = [d for d in self.outer if d not in self.places]
        self.swept = any(dim.swept for dim in dims)
        self.nothing = any(dim.swept and dim.size == 0 for dim in dims)
        pairs = self._short_rows and not nest.images and self.outer and dims[self.outer[-1]].size % ROWS_AT_ONCE == 0
        self.rows = ROWS_AT_ONCE if pairs else 1
        """Of a unit, if that is short rows."""

    @property
    def units(self) -> int:
        """Into how many pieces the work can be divided."""
        outer = math.prod(self.nest.dims[d].size for d in self.outer) // (self.beside[1] if self.beside else 1)
        return outer // self.rows if self.row_mode or self.lane is None else outer * len(self._groups())

    def write(self, build: Builder) -> None:
        begin, end = Value("%begin", "int64"), Value("%end", "int64")
        top = Place(build, self.nest)
        top.prepare(range(len(self.nest.dims)))
        one = self._several_rows if self.rows > 1 else self._unit
        build.loop(begin, end, 1, [], lambda unit, _: one(build, top, unit))

    def _wide(self) -> bool:
        """Whether vectors have the lanes of float64.

        The order in which a row's numbers are added up depends on the lanes: so these are what its sums alone ask for,
        and a sum is the same to the bit whatever else is made of it beside, the statistics of a measured step say.
        """
        if self.row_mode and self.reductions:
            return all(node.dtype in WIDE for node in self.reductions)
        return any(root.dtype in WIDE for root in self.kernel.roots)

    @property
    def _short_rows(self) -> bool:
        """Whether a unit is a row that stays in registers."""
        return self.row_mode and not self.inner and not self.nothing and len(self._groups()) == 1

    def _several_rows(self, build: Builder, top: Place, unit: Value) -> list[Value]:
        """A few short rows, operation by operation: what one row waits for leaves time for the others."""
        kernel, first = self.kernel, build.i_multiply(unit, self.rows)
        moves = [self._decode(build, build.i_add(first, build.index(i))) for i in range(self.rows)]
        rows = [top.moved(move, opaque=True) for move in moves]
        wholes = [self._whole(row) for row in rows]
        for move, whole in zip(moves, wholes, strict=True):
            assert whole.lanes is not None, "a row has lanes"
            self._ask_for_rows(top, {**move, whole.lanes.dim: build.index(0)}, whole.lanes, LABELS_AHEAD)
        everything = tuple(range(len(kernel.space)))
        kept = tuple(a for a in everything if a not in kernel.swept)
        for node in kernel.nodes:
            if node not in self.nest.needed:
                continue
            for row, whole in zip(rows, wholes, strict=True):
                if node in self.reductions:
                    (row.values[(node, kept)],) = self._finish(build, [node], self._terms(whole, [node], [], None))
                elif node.shape == kernel.space:
                    whole.value(node, everything)
                else:
                    row.value(node, root_mapping(kernel, node))
        for row, whole in zip(rows, wholes, strict=True):
            self._store(whole, [root for root in kernel.roots if root.shape == kernel.space])
            self._store(row, [root for root in kernel.roots if root.shape != kernel.space])
        return []

    def _groups(self) -> list[tuple[int, ...]]:
        """The lane axis in groups of vectors; the last group may be shorter and its last vector a part."""
        assert self.lane is not None, "there is an axis for the lanes"
        size = self.nest.dims[self.lane].size
        vectors = [min(self.width, size - start) for start in range(0, size, self.width)]
        return [tuple(vectors[i : i + self.group]) for i in range(0, len(vectors), self.group)]

    def _unit(self, build: Builder, top: Place, unit: Value) -> list[Value]:
        if self.row_mode or self.lane is None:
            self._run(top.moved(self._decode(build, unit), opaque=True))
            return []
        groups = self._groups()
        rest, group = build.i_divide(unit, len(groups))
        moves = {**self._decode(build, rest), self.lane: build.i_multiply(group, self.group * self.width)}

        def columns(counts: tuple[int, ...]) -> Callable[[], None]:
            assert self.lane is not None, "there is an axis for the lanes"
            lanes = Lanes(self.lane, self.width, counts)
            return lambda: self._columns(top, moves, lanes)

        if groups[0] == groups[-1]:
            columns(groups[0])()
        elif len(groups) == 1:
            columns(groups[-1])()
        else:
            build.when(build.i_less(group, build.index(len(groups) - 1)), columns(groups[0]), columns(groups[-1]))
        return []

    def _columns(self, top: Place, moves: dict[int, Value], lanes: Lanes) -> None:
        """A few vectors of columns."""
        self._ask_for_rows(top, moves, lanes, ROWS_AHEAD)
        self._run(top.moved(moves, lanes, opaque=True))

    def _ask_for_rows(self, top: Place, moves: dict[int, Value], lanes: Lanes, ahead: int) -> None:
        """Asks for what is gathered from the data for some rows ahead."""
        build = top.build
        for access in self.nest.loads.values():
            if access.buffer is None or access.gathered not in self.outer or access.strides[lanes.dim] > 1:
                continue
            last = build.index(self.nest.dims[access.gathered].size - 1)
            later = build.i_min(build.i_add(moves[access.gathered], build.index(ahead)), last)
            at = top.moved({**moves, access.gathered: later}, lanes).pointer(access)
            run = access.strides[lanes.dim] * len(lanes.counts) * lanes.width
            build.prefetch_run(at, max(run, 1), access.dtype)

    def _decode(self, build: Builder, unit: Value) -> dict[int, Value]:
        """The indices of the outer axes, the last running fastest."""
        moves: dict[int, Value] = {}
        for d in reversed(self.outer):
            count = self.beside[1] if self.beside and d == self.beside[0] else 1
            if d == self.outer[0]:
                moves[d] = unit
            else:
                unit, moves[d] = build.i_divide(unit, self.nest.dims[d].size // count)
            moves[d] = build.i_multiply(moves[d], count)
        return moves

    def _run(self, place: Place) -> None:
        """One unit: the passes, then what depends on the sums only."""
        if not self.swept:
            self._at_all_places(place, self.places)
            return
        in_registers = None if self.nothing else self._row_in_registers(place)
        stored_in, place.stored = stored_in_pass(self.kernel, self.done), set()
        places = [place] if len(self.taps) == 1 else [self._at(place, tap) for tap in self.taps]
        for turn in range(self.last_pass + 1):
            reductions = [n for n in self.reductions if self.done[n] == turn + 1]
            stores = [root for root, at in stored_in.items() if at == turn]
            if reductions or stores:
                kept = tuple(a for a in range(len(self.kernel.space)) if a not in self.kernel.swept)
                for there, totals in zip(places, self._pass(place, reductions, stores, in_registers), strict=True):
                    there.values |= {(node, kept): total for node, total in zip(reductions, totals, strict=True)}
                    self._settle(there, turn + 1)
                place.stored |= {root for root in stores if is_costly(root.op)}
        for there in places:
            self._store(there, [root for root in self.kernel.roots if root.shape != self.kernel.space])

    def _at_all_places(self, place: Place, axes: Sequence[int]) -> None:
        """What there is to compute at every index of some axes."""
        build = place.build
        if not axes:
            self._store(place, self.kernel.roots)
            return
        place.prepare(axes)

        def body(i: Value, _: list[Value]) -> list[Value]:
            self._at_all_places(place.moved({axes[0]: i}, opaque=False), axes[1:])
            return []

        build.loop(build.index(0), build.index(self.nest.dims[axes[0]].size), 1, [], body, nonempty=True)

    def _at(self, place: Place, tap: dict[int, int]) -> Place:
        """The place where one of a unit's sums is."""
        return place.moved({d: place.build.index(i) for d, i in tap.items()})

    def _store(self, place: Place, roots: Sequence[Node]) -> None:
        """Computes all, then writes all: a root may replace the state that another one is computed from."""
        values = [place.value(root, root_mapping(self.kernel, root)) for root in roots]
        for root, value in zip(roots, values, strict=True):
            place.store(root, value)

    def _settle(self, place: Place, turn: int) -> None:
        """Computes what later passes need of the sums here, outside their loops."""
        for node in self.kernel.nodes:
            kept = node.shape == self.kernel.kept and node.shape != self.kernel.space
            if kept and self.done[node] == turn and node in self.nest.needed:
                place.value(node, root_mapping(self.kernel, node))

    def _row_in_registers(self, place: Place) -> Place | None:
        """The whole row as one place, if it is short: its values then stay from pass to pass."""
        return self._whole(place) if self._short_rows else None

    def _whole(self, place: Place) -> Place:
        """A row that stays in registers."""
        assert self.lane is not None, "row mode has a lane axis"
        lanes = Lanes(self.lane, self.width, self._groups()[0])
        return place.moved({self.lane: place.build.index(0)}, lanes)

    def _pass(
        self, place: Place, reductions: Sequence[Node], stores: Sequence[Node], whole: Place | None
    ) -> list[list[Values]]:
        """One pass over the swept axes; for each tap the results of the reductions."""
        if self.nothing:
            count, lanes = (1, 0) if self.row_mode else self._accumulators(place)
            return [[[_identity(place.build, n, lanes)] * count for n in reductions]]
        if whole is not None:
            sums = self._terms(whole, reductions, stores, None)
            return [self._finish(place.build, reductions, sums)]
        varying = [self.lane] if self.row_mode and self.lane is not None else self.taps[0]
        place.prepare([*self.inner, *varying])
        start = self._identities(place, reductions) * len(self.taps)
        sums = self._loops(place, self.inner, reductions, stores, start)
        return [self._finish(place.build, reductions, own) for own in self._by_tap(sums)]

    def _by_tap(self, sums: Values) -> list[Values]:
        """The sums of each tap."""
        own = len(sums) // len(self.taps)
        return [sums[i * own : (i + 1) * own] for i in range(len(self.taps))]

    def _loops(
        self, place: Place, axes: Sequence[int], reductions: Sequence[Node], stores: Sequence[Node], sums: Values
    ) -> Values:
        """Nested loops over the swept axes ``axes``, and in row mode over the lanes innermost."""
        build = place.build
        if axes:
            end = build.index(self.nest.dims[axes[0]].size)

            def body(i: Value, carried: list[Value]) -> list[Value]:
                return self._loops(place.moved({axes[0]: i}, opaque=False), axes[1:], reductions, stores, carried)

            return build.loop(build.index(0), end, 1, sums, body, nonempty=True)
        if len(self.taps) > 1:
            self._ask_for_turns(place)
            of_taps = zip(self.taps, self._by_tap(sums), strict=True)
            return [x for tap, own in of_taps for x in self._terms(self._at(place, tap), reductions, stores, own)]
        if not self.row_mode:
            return self._terms(place, reductions, stores, sums)
        return self._along_lanes(place, reductions, stores, sums)

    def _ask_for_turns(self, place: Place) -> None:
        """Asks for what the taps read some turns later, of operands of which a unit takes a part of each row."""
        build, turns = place.build, [self.nest.dims[d].size for d in self.inner]
        ahead = math.ceil(TURNS_AHEAD / math.prod(turns[1:]))
        last = self._at(place, self.taps[-1])
        columns = self.group * self.width
        for access in self.nest.loads.values():
            if access.buffer is None or not access.skips(self.inner[-1], columns):
                continue
            at = build.offset(last.pointer(access), ahead * access.strides[self.inner[0]], access.dtype)
            build.prefetch_run(at, columns, access.dtype)

    def _along_lanes(self, place: Place, reductions: Sequence[Node], stores: Sequence[Node], sums: Values) -> Values:
        assert self.lane is not None, "row mode has a lane axis"
        build, groups, lane = place.build, self._groups(), self.lane
        full = [g for g in groups if g == (self.width,) * GROUP]
        if full:
            lanes = Lanes(lane, self.width, full[0])

            def body(i: Value, carried: list[Value]) -> list[Value]:
                return self._terms(place.moved({lane: i}, lanes, opaque=False), reductions, stores, carried)

            step = GROUP * self.width
            sums = build.loop(build.index(0), build.index(len(full) * step), step, sums, body, nonempty=True)
        if len(full) < len(groups):
            start = build.index(len(full) * GROUP * self.width)
            rest = place.moved({lane: start}, Lanes(lane, self.width, groups[-1]))
            sums = self._terms(rest, reductions, stores, sums)
        return sums

    # --- sums -----------------------------------------------------------------------------------------------------

    def _accumulators(self, place: Place) -> tuple[int, int]:
        """How many partial sums a reduction has, and the lanes of each."""
        if self.row_mode:
            return GROUP, self.width
        return (len(place.lanes.counts), self.width) if place.lanes else (1, 0)

    def _identities(self, place: Place, reductions: Sequence[Node]) -> Values:
        count, lanes = self._accumulators(place)
        return [_identity(place.build, n, lanes) for n in reductions for _ in range(count)]

    def _terms(self, place: Place, reductions: Sequence[Node], stores: Sequence[Node], sums: Values | None) -> Values:
        """Adds the terms at one place to the sums (or starts them), and stores what this pass stores."""
        build = place.build
        everything = tuple(range(len(self.kernel.space)))
        result: Values = []
        per_node = len(sums) // len(reductions) if sums and reductions else 0
        for i, node in enumerate(reductions):
            terms = place.value(node.inputs[0], everything)
            if place.lanes is not None:
                terms = self._without_padding(place, node, place.spread(terms))
            if sums is None:
                result += terms
                continue
            own = sums[i * per_node : (i + 1) * per_node]
            combined = [lower(node.op, build, total, term) for total, term in zip(own, terms, strict=False)]
            result += combined + own[len(combined) :]
        self._store(place, stores)
        return result

    def _without_padding(self, place: Place, node: Node, terms: Values) -> Values:
        """Lanes beyond the end of a row do not count."""
        if not self.row_mode:
            return terms
        assert place.lanes is not None, "row mode has lanes"
        return [
            x if count == self.width else place.build.first_lanes(x, count, _identity(place.build, node, self.width))
            for x, count in zip(terms, place.lanes.counts, strict=True)
        ]

    def _finish(self, build: Builder, reductions: Sequence[Node], sums: Values) -> list[Values]:
        """The partial sums of each reduction put together: in row mode one number, else a vector per column group."""
        per_node = len(sums) // len(reductions) if reductions else 0
        parts = [sums[i * per_node : (i + 1) * per_node] for i in range(len(reductions))]
        if not self.row_mode:
            return parts
        return [[across(build, node, tree(build, node, part))] for node, part in zip(reductions, parts, strict=True)]


def tree(build: Builder, node: Node, parts: Values) -> Value:
    """Partial results combined in pairs, so that few of them wait for each other."""
    while len(parts) > 1:
        pairs = [lower(node.op, build, x, y) for x, y in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + (parts[-1:] if len(parts) % 2 else [])
    return parts[0]


def across(build: Builder, node: Node, x: Value) -> Value:
    """All lanes of a vector combined into one number, halving them again and again."""
    half = x.lanes // 2
    while half:
        x = lower(node.op, build, build.shuffle(x, None, range(half)), build.shuffle(x, None, range(half, 2 * half)))
        half //= 2
    return build.lane(x, 0)


def _identity(build: Builder, node: Node, lanes: int) -> Value:
    assert isinstance(node.op, Reduction), "only reductions are swept"
    return build.constant(node.op.start(node.dtype), node.dtype, lanes)
