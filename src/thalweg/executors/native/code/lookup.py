"""Code for rows by number: copied out of a table, or added up into one.

A task's units are rows of its result. A thread that adds up goes through all numbers and takes those of its own rows:
so every row is added up in the same order, whatever the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from thalweg.executors.native.code.builder import Builder, Module, Pointer, Value
from thalweg.executors.native.plan.nest import Access, Nest
from thalweg.graph.node import Op
from thalweg.ops.lookup import AddRows, Take


class Lookup:
    """Writes the function of a lookup."""

    def __init__(self, nest: Nest, module: Module) -> None:
        self.nest = nest
        self.module = module
        ((self.root, self.target),) = nest.stores.items()
        self.rows, self.index = nest.extra
        self.numbers = nest.dims[-2].size
        self.columns = nest.dims[-1].size
        self.width = module.host.lanes(self.target.dtype)

    @property
    def units(self) -> int:
        return int(self.root.shape[0]) if self.columns else 0

    def write(self, build: Builder) -> None:
        LOWERINGS[type(self.root.op)](self, build, Value("%begin", "int64"), Value("%end", "int64"))

    def take(self, build: Builder, begin: Value, end: Value) -> None:
        """The rows from ``begin`` up to ``end`` of a Take."""
        build.loop(begin, end, 1, [], lambda i, _: self._copy(build, i))

    def add_rows(self, build: Builder, begin: Value, end: Value) -> None:
        """The rows from ``begin`` up to ``end`` of an AddRows."""
        build.loop(begin, end, 1, [], lambda row, _: self._clear(build, row))
        zero, last = build.index(0), build.index(self.numbers)
        build.loop(zero, last, 1, [], lambda i, _: self._add(build, i, begin, end))

    def _copy(self, build: Builder, i: Value) -> list[Value]:
        n = self.root.inputs[0].shape[0]
        nan = build.constant(math.nan, self.target.dtype, self.width)
        target = self._row(build, self.target, i)
        number = self._number(build, i)
        inside = build.emit(f"icmp ult i64 {number.text}, {n}", "bool")

        def copied() -> None:
            source = self._row(build, self.rows, number)
            self._along(build, lambda c, m: self._store(build, target, c, self._load(build, source, c, m), m))

        build.when(inside, copied, lambda: self._along(build, lambda c, m: self._store(build, target, c, nan, m)))
        return []

    def _clear(self, build: Builder, row: Value) -> list[Value]:
        target = self._row(build, self.target, row)
        zero = build.constant(0, self.target.dtype, self.width)
        self._along(build, lambda c, count: self._store(build, target, c, zero, count))
        return []

    def _add(self, build: Builder, i: Value, begin: Value, end: Value) -> list[Value]:
        number = self._number(build, i)
        low = build.emit(f"icmp sge i64 {number.text}, {begin.text}", "bool")
        high = build.emit(f"icmp slt i64 {number.text}, {end.text}", "bool")

        def added() -> None:
            source, target = self._row(build, self.rows, i), self._row(build, self.target, number)

            def one(c: Value, count: int) -> None:
                total = build.add(self._load(build, target, c, count), self._load(build, source, c, count))
                self._store(build, target, c, total, count)

            self._along(build, one)

        build.when(build.emit(f"and i1 {low.text}, {high.text}", "bool"), added)
        return []

    def _along(self, build: Builder, work: Callable[[Value, int], None]) -> None:
        """``work(first column, columns)`` for every vector of a row."""
        whole = self.columns - self.columns % self.width

        def vector(c: Value, _: list[Value]) -> list[Value]:
            work(c, self.width)
            return []

        if whole:
            build.loop(build.index(0), build.index(whole), self.width, [], vector, nonempty=True)
        if whole < self.columns:
            work(build.index(whole), self.columns - whole)

    def _number(self, build: Builder, i: Value) -> Value:
        at = self._row(build, self.index, i)
        number = build.load(at, self.index.dtype)
        return build.convert("sext", number, "int64") if number.dtype == "int32" else number

    def _row(self, build: Builder, access: Access, i: Value) -> Pointer:
        assert access.buffer is not None, "tables and numbers are stored"
        base = build.parameter(f"b{self.nest.buffers.index(access.buffer)}")
        start = build.offset(base, access.offset, access.dtype)
        return build.offset(start, build.i_multiply(i, access.strides[-2]), access.dtype)

    def _load(self, build: Builder, row: Pointer, c: Value, count: int) -> Value:
        return build.load(build.offset(row, c, self.target.dtype), self.target.dtype, self.width, count)

    def _store(self, build: Builder, row: Pointer, c: Value, x: Value, count: int) -> None:
        build.store(build.offset(row, c, self.target.dtype), x, count)


LOWERINGS: dict[type[Op], Callable[[Lookup, Builder, Value, Value], None]] = {
    Take: Lookup.take,
    AddRows: Lookup.add_rows,
}
