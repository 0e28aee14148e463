"""The values of a kernel at one place of its index space: loads, elementwise operations on vectors, stores."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import field

from thalweg.executors.native.code.bfloat import pair_neighbours
from thalweg.executors.native.code.builder import Builder, Pointer, Value
from thalweg.executors.native.code.operations import lower
from thalweg.executors.native.plan.buffer import Buffer
from thalweg.executors.native.plan.nest import Access, AxisMap, Key, Nest, made_of
from thalweg.fields import dataclass
from thalweg.graph.node import Kind, Node, Op
from thalweg.ops.bfloat16 import PairBfloat16
from thalweg.ops.broadcast import Reduction
from thalweg.ops.cast import Cast
from thalweg.ops.leaf import Constant
from thalweg.passes.fuse import is_view

Values = list[Value]  # one scalar that holds for all lanes, or one vector for each vector of the place


@dataclass
class Lanes:
    """The vectors of a place: how many elements each has along the axis ``dim``; the last may be a part of a vector."""

    dim: int
    width: int
    counts: tuple[int, ...]


@dataclasses.dataclass(slots=True)
class Place:
    """A point of the index space, reached from ``parent`` by moving along some axes.

    Addresses and values that do not depend on the move are the parent's, so that they are computed outside the loop.
    At an ``opaque`` place, and from there on, addresses are what LLVM gets them as (``Builder.opaque``).
    """

    build: Builder
    nest: Nest
    parent: Place | None = None
    moves: Mapping[int, Value] = field(default_factory=dict)
    lanes: Lanes | None = None
    opaque: bool = False
    values: dict[Key, Values] = field(default_factory=dict)
    stored: set[Node] = field(default_factory=set)  # before, at every place: to be loaded
    _pointers: dict[Access, Pointer] = field(default_factory=dict)
    _loaded: dict[Access, Values] = field(default_factory=dict)
    _indices: dict[tuple[int, ...], Value] = field(default_factory=dict)

    def moved(self, moves: Mapping[int, Value], lanes: Lanes | None = None, *, opaque: bool | None = None) -> Place:
        """The place that some steps along axes lead to."""
        opaque = self.opaque if opaque is None else opaque
        return Place(self.build, self.nest, self, moves, lanes or self.lanes, opaque, stored=self.stored)

    def prepare(self, varying: Iterable[int]) -> None:
        """Computes here what is the same for all places that differ along the axes ``varying`` only.

        What is first asked for inside a loop or a branch would be computed there, and be missing after it.
        """
        inner = set(varying)
        for access in self.nest.stores.values():
            self.pointer(access)
        for access in self.nest.loads.values():
            if access.gathered in inner or self._gathers_lanes(access):
                continue
            if not any(access.strides[d] for d in inner):
                self.load(access)
            elif access.buffer is not None:
                self.pointer(access)

    def index(self, strides: tuple[int, ...]) -> Value:
        """``sum of index * stride`` at the first lane."""
        if strides not in self._indices:
            total = self.build.index(0) if self.parent is None else self.parent.index(strides)
            for dim, by in self.moves.items():
                total = self.build.i_add(total, self.build.i_multiply(by, strides[dim]))
            self._indices[strides] = total
        return self._indices[strides]

    def pointer(self, access: Access) -> Pointer:
        """The address of the first lane."""
        if access not in self._pointers:
            self._pointers[access] = self._pointer(access)
        return self._pointers[access]

    def _pointer(self, access: Access) -> Pointer:
        assert access.buffer is not None, "counters have no address"
        if self.parent is None:
            return self.build.offset(self.build.parameter(self._name(access.buffer)), access.offset, access.dtype)
        steps = {d: by for d, by in self.moves.items() if access.strides[d] or d == access.gathered}
        if not steps:
            return self.parent.pointer(access)
        if access.gathered in steps:  # rows of the data do not follow each other: this is not a step on from the parent
            return self._row_pointer(access)
        total = self.build.index(0)
        for dim, by in steps.items():
            total = self.build.i_add(total, self.build.i_multiply(by, access.strides[dim]))
        at = self.build.offset(self.parent.pointer(access), total, access.dtype)
        return self.build.opaque(at) if self.opaque and total.text.startswith("%") else at

    def _row_pointer(self, access: Access) -> Pointer:
        """The address within the row of the data that the index names."""
        assert access.buffer is not None and access.gathered is not None, "only data is gathered"
        rank = range(len(access.strides))
        row = self._row(self.index(tuple(int(d == access.gathered) for d in rank)))
        others = self.index(tuple(0 if d == access.gathered else access.strides[d] for d in rank))
        total = self.build.i_add(others, self.build.i_multiply(row, access.strides[access.gathered]))
        base = self.build.offset(self.build.parameter(self._name(access.buffer)), access.offset, access.dtype)
        return self.build.offset(base, total, access.dtype)

    def _row(self, i: Value) -> Value:
        """The row of the data that is row i of the batch."""
        at = self.build.offset(self.build.parameter("index"), i, "int64")
        return self.build.load(at, "int64")

    def _name(self, buffer: Buffer) -> str:
        return f"b{self.nest.buffers.index(buffer)}"

    # --- loads ----------------------------------------------------------------------------------------------------

    def load(self, access: Access) -> Values:
        moves = any(access.strides[d] or d == access.gathered for d in self.moves)
        if self.parent is not None and not moves:
            return self.parent.load(access)
        if access not in self._loaded:
            self._loaded[access] = self._load(access)
        return self._loaded[access]

    def _load(self, access: Access) -> Values:
        build, lanes = self.build, self.lanes
        if access.buffer is None:
            return self._count(access)
        if self._gathers_lanes(access):
            return self._gather(access)
        at = self.pointer(access)
        stride = access.strides[lanes.dim] if lanes else 0
        if lanes is None or stride == 0:
            return [build.load(at, access.dtype)]
        result = []
        for j, count in enumerate(lanes.counts):
            here = build.offset(at, j * lanes.width * stride, access.dtype)
            if stride == 1:
                result.append(build.load(here, access.dtype, lanes.width, count))
            else:
                x = build.constant(0, access.dtype, lanes.width)
                for i in range(count):
                    x = build.with_lane(x, i, build.load(build.offset(here, i * stride, access.dtype), access.dtype))
                result.append(x)
        return result

    def _gathers_lanes(self, access: Access) -> bool:
        return self.lanes is not None and access.gathered == self.lanes.dim

    def _gather(self, access: Access) -> Values:
        """Lanes that lie in rows of the data, each its own."""
        build, lanes = self.build, self.lanes
        assert lanes is not None and access.buffer is not None, "only lanes are gathered"
        others = tuple(0 if d == lanes.dim else s for d, s in enumerate(access.strides))
        first = self.index(tuple(int(d == lanes.dim) for d in range(len(access.strides))))
        base = build.offset(build.parameter(self._name(access.buffer)), access.offset, access.dtype)
        base = build.offset(base, self.index(others), access.dtype)
        result = []
        for j, count in enumerate(lanes.counts):
            x = build.constant(0, access.dtype, lanes.width)
            for i in range(count):
                row = self._row(build.i_add(first, build.index(j * lanes.width + i)))
                at = build.offset(base, build.i_multiply(row, access.strides[lanes.dim]), access.dtype)
                x = build.with_lane(x, i, build.load(at, access.dtype))
            result.append(x)
        return result

    def _count(self, access: Access) -> Values:
        """A counter's numbers, as int32."""
        build, lanes = self.build, self.lanes
        start = build.convert("trunc", self._register(self.index(access.strides)), "int32")
        stride = access.strides[lanes.dim] if lanes else 0
        if lanes is None or stride == 0:
            return [start]
        result = []
        for j in range(len(lanes.counts)):
            steps = ", ".join(f"i32 {(j * lanes.width + i) * stride}" for i in range(lanes.width))
            ladder = Value(f"<{steps}>", "int32", lanes.width)
            result.append(build.add(build.splat(start, lanes.width), ladder))
        return result

    def _register(self, x: Value) -> Value:
        return x if x.text.startswith("%") else self.build.emit(f"add i64 {x.text}, 0", "int64")

    # --- values ---------------------------------------------------------------------------------------------------

    def value(self, node: Node, mapping: AxisMap) -> Values:
        """The value of a node here: loaded, or computed from its inputs, of which there may be long chains."""
        stack = [(node, mapping)]
        while True:
            key = stack[-1]
            values = self._known(key)
            if values is None:
                waiting = [x for x in self._needs(key) if self._known(x) is None]
                if waiting:
                    stack += reversed(waiting)
                    continue
                values = self.values[key] = self._value(*key)
            stack.pop()
            if not stack:
                return values

    def _known(self, key: Key) -> Values | None:
        place: Place | None = self
        while place is not None:
            if key in place.values:
                return place.values[key]
            place = place.parent
        return None

    def _needs(self, key: Key) -> list[Key]:
        """What a value is computed from; nothing if it is loaded."""
        node, mapping = key
        if node in self.stored:
            return []
        access = self.nest.loads.get(key)
        if self._neighbours(node, mapping) is not None:
            return []
        counted = access is not None and access.buffer is None and node.op.kind is Kind.RANDOM
        loaded = access is not None and not counted
        return [] if loaded or isinstance(node.op, Constant) else made_of(self.nest.kernel, *key)

    def _value(self, node: Node, mapping: AxisMap) -> Values:
        build, kernel = self.build, self.nest.kernel
        if isinstance(node.op, Constant):
            return [build.constant(node.op.value, node.dtype)]
        if node in self.stored:
            return self.load(self.nest.stores[node])
        access = self.nest.loads.get((node, mapping))
        if node.op.kind is Kind.RANDOM and access is not None and access.buffer is None:
            (seed,), (step,) = (self.value(x, ()) for x in node.inputs)
            return self._drawn(node.op, seed, step, self.load(access))
        if access is not None:
            loaded = self.load(access)
            return [self._cast(x, node.dtype) for x in loaded] if access.buffer is None else loaded
        if isinstance(node.op, Reduction):  # over axes of size 1
            return self.value(node.inputs[0], tuple(range(len(kernel.space))))
        pairs = self._neighbours(node, mapping)
        if pairs is not None:
            return self._load_pairs(pairs)
        ((first, first_mapping), *rest) = made_of(kernel, node, mapping)
        if is_view(node):
            return self.value(first, first_mapping)
        arguments = [self.value(first, first_mapping), *(self.value(x, m) for x, m in rest)]
        if all(len(a) == 1 and a[0].lanes == 0 for a in arguments):
            return [lower(node.op, build, *(a[0] for a in arguments))]
        assert self.lanes is not None, "vectors have lanes"
        spread = [self.spread(a) for a in arguments]
        return [lower(node.op, build, *vectors) for vectors in zip(*spread, strict=True)]

    def _neighbours(self, node: Node, mapping: AxisMap) -> Access | None:
        """Where the first of a pair of numbers lies, if the second follows it, and the next pair these two."""
        if not isinstance(node.op, PairBfloat16) or self.lanes is None:
            return None
        first, second = (self.nest.loads.get((x, mapping)) for x in node.inputs)
        if first is None or second is None or first.buffer is not second.buffer or first.buffer is None:
            return None
        alike = (first.offset + 1, first.strides, first.gathered) == second.place
        return first if alike and first.strides[self.lanes.dim] == 2 and not self._gathers_lanes(first) else None

    def _load_pairs(self, access: Access) -> Values:
        build, lanes = self.build, self.lanes
        assert lanes is not None, "pairs of neighbours lie along the lanes"
        at, width = self.pointer(access), 2 * lanes.width
        starts = [build.offset(at, j * width, access.dtype) for j in range(len(lanes.counts))]
        numbers = [build.load(s, access.dtype, width, 2 * n) for s, n in zip(starts, lanes.counts, strict=True)]
        return [pair_neighbours(build, x) for x in numbers]

    def _drawn(self, op: Op, seed: Value, step: Value, places: Values) -> Values:
        """Random numbers, of all vectors at once: the rounds of one wait for each other, those of several do not."""
        build = self.build
        if not places[0].lanes:
            return [lower(op, build, seed, step, place) for place in places]
        return build.parted(lower(op, build, seed, step, build.joined(places)), len(places))

    def _cast(self, x: Value, dtype: str) -> Value:
        return lower(Cast(dtype), self.build, x)

    def spread(self, values: Values) -> Values:
        """One vector for each vector of the place."""
        assert self.lanes is not None, "a place without lanes has no vectors"
        if values[0].lanes:
            return values
        return [self.build.splat(values[0], self.lanes.width)] * len(self.lanes.counts)

    def store(self, root: Node, values: Values) -> None:
        """Writes a root's values to its buffer."""
        access = self.nest.stores[root]
        at = self.pointer(access)
        lanes = self.lanes
        if lanes is None or access.strides[lanes.dim] == 0:
            self.build.store(at, values[0])
            return
        stride = access.strides[lanes.dim]
        for j, (x, count) in enumerate(zip(self.spread(values), lanes.counts, strict=True)):
            here = self.build.offset(at, j * lanes.width * stride, access.dtype)
            if stride == 1:
                self.build.store(here, x, count)
            else:
                for i in range(count):
                    self.build.store(self.build.offset(here, i * stride, access.dtype), self.build.lane(x, i))
