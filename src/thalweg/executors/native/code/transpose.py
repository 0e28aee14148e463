"""Code for a transposed copy: square blocks, loaded along one axis, transposed in registers, stored along the other.

Element by element a transposition would take longer than the product that needs it; in registers it takes a few
shuffles a vector.
"""

from __future__ import annotations

import math

from thalweg.executors.native.code.builder import Builder, Module, Pointer, Value
from thalweg.executors.native.code.evaluate import Place, Values
from thalweg.executors.native.host import ITEMSIZE
from thalweg.executors.native.plan.nest import Nest

AHEAD = 2
"""So many blocks before a line is written it is asked for."""


class TransposedCopy:
    """Writes the function of one transposed copy."""

    def __init__(self, nest: Nest, module: Module) -> None:
        self.nest = nest
        self.module = module
        (self.source,) = nest.loads.values()
        (self.target,) = nest.stores.values()
        self.width = module.host.lanes(self.target.dtype)
        self.to = len(nest.dims) - 1  # the axis that the target runs along
        self.along = _run_of_source(nest)
        self.outer = [d for d in range(len(nest.dims)) if d not in (self.to, self.along)]
        self.blocks = [math.ceil(nest.dims[d].size / self.width) for d in (self.along, self.to)]

    @staticmethod
    def fits(nest: Nest) -> bool:
        """Whether a kernel is nothing but a copy whose source runs along another axis than its target."""
        if (
            len(nest.stores) != 1
            or len(nest.loads) != 1
            or nest.extra
            or any(d.swept or d.size == 0 for d in nest.dims)
        ):
            return False
        (((node, _), source),) = nest.loads.items()
        ((root, target),) = nest.stores.items()
        plain = node is root and source.buffer is not None and source.gathered is None
        if not plain or len(nest.dims) < 2 or ITEMSIZE[target.dtype] not in (4, 8):
            return False
        # Not backwards: to the checked build what lies before the first byte of a block is outside.
        forwards = source.strides[-1] >= 0 and source.strides[-1] != 1
        return target.strides[-1] == 1 and forwards and _run_of_source(nest) >= 0

    @property
    def units(self) -> int:
        """Blocks."""
        return math.prod(self.nest.dims[d].size for d in self.outer) * self.blocks[0] * self.blocks[1]

    def write(self, build: Builder) -> None:
        top = Place(build, self.nest)
        top.pointer(self.source), top.pointer(self.target)
        begin, end = Value("%begin", "int64"), Value("%end", "int64")
        build.loop(begin, end, 1, [], lambda unit, _: self._unit(top, unit))

    def _unit(self, top: Place, unit: Value) -> list[Value]:
        build = top.build
        moves: dict[int, Value] = {}
        for axis, blocks in ((self.along, self.blocks[0]), (self.to, self.blocks[1])):
            unit, block = build.i_divide(unit, blocks)
            moves[axis] = build.i_multiply(block, self.width)
        for d in reversed(self.outer):
            unit, moves[d] = build.i_divide(unit, self.nest.dims[d].size)
        self._by_size(top.moved(moves), [self.along, self.to], moves, [])
        return []

    def _by_size(self, place: Place, axes: list[int], moves: dict[int, Value], sizes: list[int]) -> None:
        """Branches to whole blocks and to the parts at the ends of both axes."""
        if not axes:
            self._block(place, *sizes)
            return
        (axis, *rest) = axes
        size, build = self.nest.dims[axis].size, place.build
        full, part = size // self.width, size % self.width
        if full == 0 or part == 0:
            self._by_size(place, rest, moves, [*sizes, part or self.width])
            return
        place.pointer(self.source), place.pointer(self.target)  # before the branch, for both sides
        build.when(
            build.i_less(moves[axis], build.index(full * self.width)),
            lambda: self._by_size(place, rest, moves, [*sizes, self.width]),
            lambda: self._by_size(place, rest, moves, [*sizes, part]),
        )

    def _block(self, place: Place, rows: int, columns: int) -> None:
        """``rows`` elements along the source's run, ``columns`` of its lines."""
        build = place.build
        name = self.module.add("block", _block(self.module, self.target.dtype, rows, columns))
        ends = [(at.text, f"%{at.buffer}.end") for at in (place.pointer(self.source), place.pointer(self.target))]
        steps = [self.source.strides[self.to], self.target.strides[self.along]]
        build.call(name, ends, [build.index(step) for step in steps])


def _block(module: Module, dtype: str, rows: int, columns: int) -> Builder:
    """A function of a block's first bytes and the elements from line to line, one for all copies with such blocks."""
    build = Builder(module, ["source", "target"], ["from", "to"])
    width = module.host.lanes(dtype)
    lines = [build.constant(0, dtype, width)] * width
    at = build.parameter("source")
    for i in range(columns):
        lines[i] = build.load(at, dtype, width, rows)
        at = build.offset(at, Value("%from", "int64"), dtype) if i + 1 < columns else at
    at = build.parameter("target")
    _fetch(build, at, dtype, rows)
    for i, line in enumerate(transposed(build, lines)[:rows]):
        build.store(at, line, columns)
        at = build.offset(at, Value("%to", "int64"), dtype) if i + 1 < rows else at
    return build


def _fetch(build: Builder, at: Pointer, dtype: str, rows: int) -> None:
    """Asks for the lines of a later block of the same run: no processor foresees lines that far apart.

    The source's follow each other, which it does foresee.
    """
    to = Value("%to", "int64")
    at = build.offset(at, build.i_multiply(to, AHEAD * build.host.lanes(dtype)), dtype)
    for i in range(rows):
        build.prefetch(at)
        at = build.offset(at, to, dtype) if i + 1 < rows else at


def transposed(build: Builder, lines: Values) -> Values:
    """The transpose of a square of vectors: bit by bit, row and column numbers change places."""
    width = len(lines)
    bit = width // 2
    while bit:
        for i in range(width):
            if not i & bit:
                a, b = lines[i], lines[i + bit]
                low = [width + (j ^ bit) if j & bit else j for j in range(width)]
                high = [width + j if j & bit else j | bit for j in range(width)]
                lines[i], lines[i + bit] = build.shuffle(a, b, low), build.shuffle(a, b, high)
        bit //= 2
    return lines


def _run_of_source(nest: Nest) -> int:
    """The axis along which the source's elements follow each other; -1 if there is none."""
    (source,) = nest.loads.values()
    runs = [d for d, stride in enumerate(source.strides[:-1]) if stride == 1 and nest.dims[d].size > 1]
    return runs[-1] if runs else -1
