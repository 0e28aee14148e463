"""Writes LLVM IR as text: typed values, arithmetic, loops, loads and stores.

Text rather than llvmlite's ``ir`` layer: it is quicker to write, and has vector FMA, opaque pointers and every type.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from thalweg.executors.native.code.llvm import Part
from thalweg.executors.native.host import ITEMSIZE, Host
from thalweg.state.layout import LINE_BYTES

ELEMENTS = {
    "float32": "float",
    "float64": "double",
    "int32": "i32",
    "uint32": "i32",
    "int64": "i64",
    "uint8": "i8",
    "bool": "i1",
    "bfloat16": "bfloat",
}


class Value(NamedTuple):
    """An SSA value or a literal. ``lanes`` 0 is a scalar; n is a vector of n."""

    text: str
    dtype: str
    lanes: int = 0

    @property
    def type(self) -> str:
        return vector_type(ELEMENTS[self.dtype], self.lanes)

    @property
    def is_float(self) -> bool:
        return self.dtype in ("float32", "float64")

    @property
    def is_signed(self) -> bool:
        return self.dtype in ("int32", "int64")

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


class Pointer(NamedTuple):
    """An address inside the buffer ``buffer``, a parameter of the function; the checked build keeps it inside."""

    text: str
    buffer: str


def vector_type(element: str, lanes: int) -> str:
    return f"<{lanes} x {element}>" if lanes else element


def literal(value: float | int | bool, dtype: str) -> str:
    """A number as LLVM writes it. Floats are the hexadecimal digits of a double, the only form that is always exact."""
    if dtype in ("float32", "float64"):
        number = struct.unpack("f", struct.pack("f", value))[0] if dtype == "float32" else float(value)
        return f"0x{struct.unpack('Q', struct.pack('d', number))[0]:016X}"
    if dtype == "bool":
        return "true" if value else "false"
    bits = 8 * ITEMSIZE[dtype]
    return str((int(value) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1))  # LLVM's integers have no sign


Ends = tuple[str, str]
"""The first byte of a buffer, and the one after its last: values of pointers, or of parameters."""


class Module:
    """Functions of one program, in parts that are compiled by themselves.

    A part is written to until it is taken; functions of earlier parts can be called from later ones.
    """

    def __init__(self, host: Host, checked: bool = False) -> None:
        """``checked``: every load and store is bounded."""
        self.host = host
        self.checked = checked
        self.optimized = True
        """Of the current part; to be set before something is written to it."""
        self._names: dict[tuple[str, bool], str] = {}  # of functions, by their text and whether they are optimized
        self._parameters: dict[str, str] = {}  # their types
        self._clear()

    def _clear(self) -> None:
        self._texts: list[str] = []
        self._declarations: dict[str, str] = {}
        self._here: set[str] = set()

    def add(self, stem: str, function: Builder) -> str:
        """The name of the function; a function with the same text is shared."""
        body = function.text()
        key = body, self.optimized
        if key not in self._names:
            name = f"@{stem}.{len(self._names)}"
            self._names[key] = name
            self._parameters[name] = function.parameter_types()
            self.write(name, f"define hidden void {name}{body}")
        return self._names[key]

    def write(self, name: str, text: str) -> None:
        """Puts the text of a function into the current part."""
        self._texts.append(text)
        self._here.add(name)

    def declare(self, name: str, text: str) -> None:
        """A function from outside of the program."""
        self._declarations[name] = text

    def use(self, name: str) -> None:
        """Declares a function of the program that may be in another part."""
        if name not in self._here:
            self._declarations[name] = f"declare hidden void {name}({self._parameters[name]})"

    def __len__(self) -> int:
        """Characters of the current part."""
        return sum(map(len, self._texts))

    def part(self) -> Part:
        """The current part; begins the next one."""
        declarations = [text for name, text in self._declarations.items() if name not in self._here]
        text = "\n".join([*self._texts, *declarations]) + "\n"
        self._clear()
        return Part(text, self.optimized)


class Builder:
    """One function being written."""

    def __init__(
        self, module: Module, pointers: Sequence[str], integers: Sequence[str] = (), *, buffers: bool = True
    ) -> None:
        """A function of ``pointers`` and the int64s ``integers``.

        Arguments:
            buffers: the pointers are those of buffers that do not overlap. In the checked build each of them has a
                second parameter, its end.
        """
        self.module = module
        self.host = module.host
        self.pointers = tuple(pointers)
        self.integers = tuple(integers)
        self.buffers = buffers
        self.block = "entry"
        self._lines: list[str] = ["entry:"]
        self._count = 0

    # --- text ---------------------------------------------------------------------------------------------------

    def text(self) -> str:
        """Parameters and body."""
        aliasing = " noalias" if self.buffers and not self.module.checked else ""
        parameters = [f"ptr{aliasing} %{p}" for p in self.pointers]
        parameters += [f"ptr %{p}.end" for p in self._bounded] + [f"i64 %{i}" for i in self.integers]
        return f"({', '.join(parameters)}) noinline nounwind {{\n" + "\n".join([*self._lines, "  ret void", "}"])

    def parameter_types(self) -> str:
        """The types of the parameters."""
        return ", ".join(["ptr"] * (len(self.pointers) + len(self._bounded)) + ["i64"] * len(self.integers))

    @property
    def _bounded(self) -> Sequence[str]:
        return self.pointers if self.buffers and self.module.checked else ()

    def call(self, name: str, pointers: Sequence[Ends], integers: Sequence[Value]) -> None:
        """Calls a function of the program that takes buffers and integers."""
        self.module.use(name)
        arguments = [f"ptr {begin}" for begin, _ in pointers]
        if self.module.checked:
            arguments += [f"ptr {end}" for _, end in pointers]
        self.line(f"call void {name}({', '.join([*arguments, *map(str, integers)])})")

    def line(self, text: str) -> None:
        self._lines.append("  " + text)

    def fresh(self, stem: str = "") -> str:
        self._count += 1
        return f"%{stem}{self._count}" if stem else f"%v{self._count}"

    def emit(self, text: str, dtype: str, lanes: int = 0) -> Value:
        name = self.fresh()
        self._lines.append(f"  {name} = {text}")
        return Value(name, dtype, lanes)

    def intrinsic(self, name: str, dtype: str, lanes: int, *arguments: Value) -> Value:
        """A call of ``llvm.<name>``, overloaded on the type of its result."""
        short = {"float": "f32", "double": "f64"}.get(ELEMENTS[dtype], ELEMENTS[dtype])
        full = f"@llvm.{name}.{f'v{lanes}' if lanes else ''}{short}"
        result = vector_type(ELEMENTS[dtype], lanes)
        self.declare(full, f"declare {result} {full}({', '.join(a.type for a in arguments)})")
        return self.emit(f"call {result} {full}({', '.join(map(str, arguments))})", dtype, lanes)

    def declare(self, name: str, text: str) -> None:
        self.module.declare(name, text)

    # --- control ------------------------------------------------------------------------------------------------

    def start_block(self, label: str) -> None:
        self._lines.append(f"{label}:")
        self.block = label

    def loop(
        self,
        begin: Value,
        end: Value,
        step: int,
        initial: Sequence[Value],
        body: Callable[[Value, list[Value]], list[Value]],
        *,
        nonempty: bool = False,
    ) -> list[Value]:
        """``for i in range(begin, end, step)`` with values carried from turn to turn; returns the last ones."""
        label = self.fresh("loop")[1:]
        head, inside, after = f"{label}.head", f"{label}.body", f"{label}.end"
        before = self.block
        self.line(f"br label %{head}")
        self.start_block(head)
        i = Value(self.fresh("i"), "int64")
        carried = [Value(self.fresh("c"), x.dtype, x.lanes) for x in initial]
        at = len(self._lines)  # the phis go here, when the values at the end of the body are known
        if not nonempty:
            more = self.emit(f"icmp slt i64 {i.text}, {end.text}", "bool")
            self.line(f"br i1 {more.text}, label %{inside}, label %{after}")
            self.start_block(inside)
        results = body(i, carried)
        following = self.emit(f"add nsw i64 {i.text}, {step}", "int64")
        if nonempty:
            more = self.emit(f"icmp slt i64 {following.text}, {end.text}", "bool")
            self.line(f"br i1 {more.text}, label %{head}, label %{after}")
        else:
            self.line(f"br label %{head}")
        phis = [f"  {i.text} = phi i64 [ {begin.text}, %{before} ], [ {following.text}, %{self.block} ]"] + [
            f"  {c.text} = phi {c.type} [ {x.text}, %{before} ], [ {r.text}, %{self.block} ]"
            for c, x, r in zip(carried, initial, results, strict=True)
        ]
        self._lines[at:at] = phis
        self.start_block(after)
        return results if nonempty else carried

    def when(self, condition: Value, then: Callable[[], None], otherwise: Callable[[], None] | None = None) -> None:
        """``if condition: then() else: otherwise()``, without results."""
        label = self.fresh("if")[1:]
        other = f"{label}.else" if otherwise else f"{label}.end"
        self.line(f"br i1 {condition.text}, label %{label}.then, label %{other}")
        self.start_block(f"{label}.then")
        then()
        self.line(f"br label %{label}.end")
        if otherwise:
            self.start_block(f"{label}.else")
            otherwise()
            self.line(f"br label %{label}.end")
        self.start_block(f"{label}.end")

    # --- numbers ------------------------------------------------------------------------------------------------

    def constant(self, value: float | int | bool, dtype: str, lanes: int = 0) -> Value:
        text = literal(value, dtype)
        return Value(f"splat ({ELEMENTS[dtype]} {text})" if lanes else text, dtype, lanes)

    def index(self, value: int) -> Value:
        return Value(str(value), "int64")

    def like(self, value: float | int | bool, x: Value) -> Value:
        """A number of the type of ``x``."""
        return self.constant(value, x.dtype, x.lanes)

    def splat(self, x: Value, lanes: int) -> Value:
        if x.lanes == lanes:
            return x
        assert x.lanes == 0, f"cannot make {lanes} lanes of {x.lanes}"
        if not x.text.startswith("%"):
            return Value(f"splat ({x})", x.dtype, lanes)
        kind = vector_type(ELEMENTS[x.dtype], lanes)
        one = self.emit(f"insertelement {kind} poison, {x}, i64 0", x.dtype, lanes)
        return self.emit(f"shufflevector {one}, {kind} poison, <{lanes} x i32> zeroinitializer", x.dtype, lanes)

    def shuffle(self, x: Value, y: Value | None, order: Sequence[int]) -> Value:
        """Lanes of ``x`` (0 ...) and ``y`` (after them) in the given order; -1 is any value."""
        other = str(y) if y is not None else f"{x.type} poison"
        mask = ", ".join(f"i32 {i}" if i >= 0 else "i32 poison" for i in order)
        return self.emit(f"shufflevector {x}, {other}, <{len(order)} x i32> <{mask}>", x.dtype, len(order))

    def joined(self, xs: Sequence[Value]) -> Value:
        """Equally long vectors as one, which LLVM computes with part by part, in turn."""
        while len(xs) > 1:
            pairs = [self._after(x, y) for x, y in zip(xs[::2], xs[1::2], strict=False)]
            xs = [*pairs, *xs[2 * len(pairs) :]]
        return xs[0]

    def _after(self, x: Value, y: Value) -> Value:
        """``x`` and then ``y``."""
        wide = self.shuffle(y, None, [*range(y.lanes), *[-1] * (x.lanes - y.lanes)]) if y.lanes < x.lanes else y
        return self.shuffle(x, wide, range(x.lanes + y.lanes))

    def parted(self, x: Value, count: int) -> list[Value]:
        """A vector in ``count`` equally long ones."""
        lanes = x.lanes // count
        return [self.shuffle(x, None, range(i * lanes, (i + 1) * lanes)) for i in range(count)]

    def binary(self, name: str, x: Value, y: Value) -> Value:
        assert (x.dtype, x.lanes) == (y.dtype, y.lanes), f"{name} of {x} and {y}"
        return self.emit(f"{name} {x}, {y.text}", x.dtype, x.lanes)

    def add(self, x: Value, y: Value) -> Value:
        return self.binary("fadd" if x.is_float else "add", x, y)

    def subtract(self, x: Value, y: Value) -> Value:
        return self.binary("fsub" if x.is_float else "sub", x, y)

    def multiply(self, x: Value, y: Value) -> Value:
        return self.binary("fmul" if x.is_float else "mul", x, y)

    def divide(self, x: Value, y: Value) -> Value:
        return self.binary("fdiv", x, y)

    def negate(self, x: Value) -> Value:
        return self.emit(f"fneg {x}", x.dtype, x.lanes) if x.is_float else self.subtract(self.like(0, x), x)

    def fma(self, x: Value, y: Value, z: Value) -> Value:
        """``x * y + z``: rounded once where the machine has such an instruction, else twice."""
        return self.intrinsic("fma" if self.host.fma else "fmuladd", x.dtype, x.lanes, x, y, z)

    def compare(self, relation: str, x: Value, y: Value) -> Value:
        """A relation as ``fcmp`` names it (olt, ole, oeq, une ...); integers take its last two letters."""
        if x.is_float:
            return self.emit(f"fcmp {relation} {x}, {y.text}", "bool", x.lanes)
        order = relation[1:]
        sign = "" if order in ("eq", "ne") else "s" if x.is_signed else "u"
        return self.emit(f"icmp {sign}{order} {x}, {y.text}", "bool", x.lanes)

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        return self.emit(f"select {condition}, {x}, {y}", x.dtype, x.lanes)

    def convert(self, name: str, x: Value, dtype: str) -> Value:
        """An LLVM conversion (bitcast, zext, sitofp ...)."""
        return self.emit(f"{name} {x} to {vector_type(ELEMENTS[dtype], x.lanes)}", dtype, x.lanes)

    def bits(self, x: Value, dtype: str) -> Value:
        """The same bits as another dtype of the same size."""
        if ELEMENTS[x.dtype] == ELEMENTS[dtype]:
            return Value(x.text, dtype, x.lanes)
        return self.convert("bitcast", x, dtype)

    def widened(self, x: Value) -> Value:
        """A float32 as a float64."""
        return self.convert("fpext", x, "float64")

    def narrowed(self, x: Value) -> Value:
        """A float64 as a float32."""
        return self.convert("fptrunc", x, "float32")

    # --- integers of addresses ------------------------------------------------------------------------------------

    def i_add(self, x: Value, y: Value) -> Value:
        if _known(x) and _known(y):
            return self.index(int(x.text) + int(y.text))
        if x.text == "0":
            return y
        return x if y.text == "0" else self.emit(f"add nsw i64 {x.text}, {y.text}", "int64")

    def i_multiply(self, x: Value, factor: int) -> Value:
        if _known(x):
            return self.index(int(x.text) * factor)
        if factor == 0:
            return self.index(0)
        return x if factor == 1 else self.emit(f"mul nsw i64 {x.text}, {factor}", "int64")

    def i_divide(self, x: Value, divisor: int) -> tuple[Value, Value]:
        """Quotient and remainder of two non-negative integers."""
        if divisor == 1:
            return x, self.index(0)
        if _known(x):
            return self.index(int(x.text) // divisor), self.index(int(x.text) % divisor)
        quotient = self.emit(f"udiv i64 {x.text}, {divisor}", "int64")
        product = self.i_multiply(quotient, divisor)
        return quotient, self.emit(f"sub nsw i64 {x.text}, {product.text}", "int64")

    def i_less(self, x: Value, y: Value) -> Value:
        return self.emit(f"icmp slt i64 {x.text}, {y.text}", "bool")

    def i_min(self, x: Value, y: Value) -> Value:
        less = self.i_less(x, y)
        return self.emit(f"select i1 {less.text}, i64 {x.text}, i64 {y.text}", "int64")

    def i_max(self, x: Value, y: Value) -> Value:
        less = self.i_less(x, y)
        return self.emit(f"select i1 {less.text}, i64 {y.text}, i64 {x.text}", "int64")

    # --- memory -------------------------------------------------------------------------------------------------

    def parameter(self, name: str) -> Pointer:
        return Pointer(f"%{name}", name)

    def offset(self, base: Pointer, elements: Value | int, dtype: str) -> Pointer:
        """The address ``elements`` elements further on."""
        count = self.index(elements) if isinstance(elements, int) else elements
        if count.text == "0":
            return base
        name = self.fresh("p")
        self._lines.append(f"  {name} = getelementptr {_stored(dtype)}, ptr {base.text}, i64 {count.text}")
        return Pointer(name, base.buffer)

    def opaque(self, at: Pointer) -> Pointer:
        """The same address, of which LLVM does not ask how it depends on the loops' counters.

        Its search for the cheapest way to count through all addresses of a loop nest (loop strength reduction) takes a
        third of the time for code that counts as cheaply without.
        """
        name = self.fresh("f")
        self.line(f"{name} = freeze ptr {at.text}")
        return Pointer(name, at.buffer)

    def load(self, at: Pointer, dtype: str, lanes: int = 0, count: int | None = None) -> Value:
        """A scalar, or a vector of ``lanes`` of which only the first ``count`` are read and the others are 0."""
        count = lanes if count is None else count
        at = self._inside(at, dtype, max(count, 1))
        stored, align = _stored(dtype), ITEMSIZE[dtype]
        kept = "uint8" if dtype == "bool" else dtype
        if count == lanes:
            x = self.emit(f"load {vector_type(stored, lanes)}, ptr {at.text}, align {align}", kept, lanes)
        elif self.host.masks or (self.host.masked_loads and ITEMSIZE[dtype] >= 4):
            x = self._masked_load(at, kept, lanes, count)
        else:
            part = self.emit(f"load {vector_type(stored, count)}, ptr {at.text}, align {align}", kept, count)
            zeros = Value("zeroinitializer", kept, count)
            x = self.shuffle(part, zeros, [*range(count), *[count] * (lanes - count)])
        return self.convert("trunc", x, "bool") if dtype == "bool" else x

    def store(self, at: Pointer, x: Value, count: int | None = None) -> None:
        """Writes a scalar, or the first ``count`` lanes of a vector."""
        count = x.lanes if count is None else count
        at = self._inside(at, x.dtype, max(count, 1))
        align = ITEMSIZE[x.dtype]
        if x.dtype == "bool":
            x = self.convert("zext", x, "uint8")
        if count == x.lanes:
            self.line(f"store {x}, ptr {at.text}, align {align}")
        elif self.host.masks:
            name = f"@llvm.masked.store.v{x.lanes}{_short(x)}.p0"
            mask = f"<{x.lanes} x i1>"
            self.declare(name, f"declare void {name}({x.type}, ptr, i32, {mask})")
            self.line(f"call void {name}({x}, ptr {at.text}, i32 {align}, {mask} {_mask(x.lanes, count)})")
        else:
            part = self.shuffle(x, None, range(count))
            self.line(f"store {part}, ptr {at.text}, align {align}")

    def prefetch(self, at: Pointer) -> None:
        """Asks for the cache line at an address, which may lie anywhere.

        It is brought into the second-level cache. More lines can be on their way there than into the first, so that
        what comes from memory comes one and a half times as fast.
        """
        self.declare("@llvm.prefetch.p0", "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.line(f"call void @llvm.prefetch.p0(ptr {at.text}, i32 0, i32 2, i32 1)")

    def prefetch_run(self, at: Pointer, count: int, dtype: str) -> None:
        """Asks for the lines of ``count`` elements side by side."""
        for start in range(0, count, LINE_BYTES // ITEMSIZE[dtype]):
            self.prefetch(self.offset(at, start, dtype))

    def lane(self, x: Value, i: int) -> Value:
        return self.emit(f"extractelement {x}, i64 {i}", x.dtype)

    def with_lane(self, x: Value, i: int, scalar: Value) -> Value:
        return self.emit(f"insertelement {x}, {scalar}, i64 {i}", x.dtype, x.lanes)

    def first_lanes(self, x: Value, count: int, rest: Value) -> Value:
        """``x`` in its first ``count`` lanes, ``rest`` in the others."""
        return self.select(Value(_mask(x.lanes, count), "bool", x.lanes), x, rest)

    def _masked_load(self, at: Pointer, dtype: str, lanes: int, count: int) -> Value:
        like = Value("", dtype, lanes)
        name = f"@llvm.masked.load.v{lanes}{_short(like)}.p0"
        mask = f"<{lanes} x i1>"
        self.declare(name, f"declare {like.type} {name}(ptr, i32, {mask}, {like.type})")
        arguments = f"ptr {at.text}, i32 {ITEMSIZE[dtype]}, {mask} {_mask(lanes, count)}, {like.type} zeroinitializer"
        return self.emit(f"call {like.type} {name}({arguments})", dtype, lanes)

    def _inside(self, at: Pointer, dtype: str, count: int) -> Pointer:
        """In the checked build: the address if all ``count`` elements lie in its buffer, else the trap's."""
        if not self.module.checked:
            return at
        self.declare("@inside", "declare hidden ptr @inside(ptr, i64, ptr, ptr)")
        name = self.fresh("q")
        size = count * ITEMSIZE[dtype]
        self.line(f"{name} = call ptr @inside(ptr {at.text}, i64 {size}, ptr %{at.buffer}, ptr %{at.buffer}.end)")
        return Pointer(name, at.buffer)


INSIDE = """@trap = internal global [256 x i8] zeroinitializer, align 64
@faults = internal global i64 0, align 8
define hidden ptr @inside(ptr %at, i64 %size, ptr %first, ptr %end) noinline nounwind {
entry:
  %a = ptrtoint ptr %at to i64
  %f = ptrtoint ptr %first to i64
  %e = ptrtoint ptr %end to i64
  %b = add i64 %a, %size
  %low = icmp uge i64 %a, %f
  %high = icmp ule i64 %b, %e
  %ok = and i1 %low, %high
  br i1 %ok, label %good, label %bad
good:
  ret ptr %at
bad:
  %n = atomicrmw add ptr @faults, i64 1 seq_cst
  ret ptr @trap
}"""
"""An address outside its buffer is counted and replaced, so that the checked build reports instead of crashing."""


def _known(x: Value) -> bool:
    return not x.text.startswith("%")


def _stored(dtype: str) -> str:
    return "i8" if dtype == "bool" else ELEMENTS[dtype]


def _short(x: Value) -> str:
    return {"float": "f32", "double": "f64"}.get(ELEMENTS[x.dtype], ELEMENTS[x.dtype])


def _mask(lanes: int, count: int) -> str:
    return "<" + ", ".join(f"i1 {int(i < count)}" for i in range(lanes)) + ">"
