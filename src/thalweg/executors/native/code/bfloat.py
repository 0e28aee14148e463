"""Code for bfloat16: rounding to it, and sums of its products with and without an instruction for them.

The definition is ``thalweg.ops.bfloat16``. The instruction takes pairs, and adds the product of the upper halves first.
Without it: what an x86 processor does with denormal numbers, if it is told to take them for zeros, is what the
definition says; so it is told to, while the products run.
"""

from __future__ import annotations

from collections.abc import Callable

from thalweg.executors.native.code.builder import Builder, Value
from thalweg.executors.native.code.lowerings import Lowerings
from thalweg.graph.node import Op
from thalweg.ops.bfloat16 import FLUSHED, PairBfloat16, RoundToBfloat16

LOWERINGS = Lowerings()

ZERO_DENORMALS = 0x8040
"""Of the register MXCSR: results and operands that are denormal count as zeros."""


@LOWERINGS.lowers(RoundToBfloat16)
def lower_round(op: Op, build: Builder, x: Value) -> Value:
    bits = build.bits(x, "uint32")

    def number(value: int) -> Value:
        return build.like(value, bits)

    odd = build.binary("and", build.binary("lshr", bits, number(16)), number(1))
    nearest = build.binary("and", build.add(build.add(bits, number(0x7FFF)), odd), number(0xFFFF0000))
    small = build.compare("oeq", build.binary("and", bits, number(0x7F800000)), number(0))
    nearest = build.select(small, build.binary("and", bits, number(0x80000000)), nearest)
    quiet = build.binary("and", build.binary("or", bits, number(0x00400000)), number(0xFFFF0000))
    return build.bits(build.select(build.compare("uno", x, x), quiet, nearest), x.dtype)


@LOWERINGS.lowers(PairBfloat16)
def lower_pair(op: Op, build: Builder, first: Value, second: Value) -> Value:
    if build.host.bfloat16 and first.lanes:
        n = first.lanes
        halves = _rounded_pairs(build, second, first)  # all of the second, then all of the first
        mixed = build.shuffle(halves, None, [i // 2 + n * (i % 2) for i in range(2 * n)])
        return build.emit(f"bitcast {mixed} to <{n} x i32>", "uint32", n)
    upper, lower = (build.bits(lower_round(op, build, x), "uint32") for x in (first, second))
    return build.binary("or", upper, build.binary("lshr", lower, build.like(16, lower)))


def pair_neighbours(build: Builder, x: Value) -> Value:
    """Pairs of the numbers of a vector that follow each other."""
    n = x.lanes // 2
    halves = [build.shuffle(x, None, range(start, start + n)) for start in (0, n)]
    if not build.host.bfloat16:
        low, high = halves
        evens, odds = (build.shuffle(low, high, range(start, 2 * n, 2)) for start in (0, 1))
        return lower_pair(PairBfloat16(), build, evens, odds)
    swapped = build.emit(f"bitcast {_rounded_pairs(build, *halves)} to <{n} x i32>", "uint32", n)
    return build.intrinsic("fshl", "uint32", n, swapped, swapped, build.like(16, swapped))


def _rounded_pairs(build: Builder, low: Value, high: Value) -> Value:
    """Two vectors rounded to bfloat16, one after the other."""
    n = low.lanes
    name = f"@llvm.x86.avx512bf16.cvtne2ps2bf16.{32 * n}"
    build.declare(name, f"declare <{2 * n} x bfloat> {name}(<{n} x float>, <{n} x float>)")
    return build.emit(f"call <{2 * n} x bfloat> {name}({high}, {low})", "bfloat16", 2 * n)


def add_pairs(build: Builder, x: Value, y: Value, total: Value) -> Value:
    """``total`` and the two products of each pair, on a host that has the instruction."""
    n = total.lanes
    name = f"@llvm.x86.avx512bf16.dpbf16ps.{32 * n}"
    kind = f"<{2 * n} x bfloat>"
    build.declare(name, f"declare {total.type} {name}({total.type}, {kind}, {kind})")
    factors = [build.emit(f"bitcast {value} to {kind}", "bfloat16", 2 * n) for value in (x, y)]
    return build.emit(f"call {total.type} {name}({total}, {factors[0]}, {factors[1]})", "float32", n)


def with_zeros_for_denormals(build: Builder, body: Callable[[], None]) -> None:
    """Runs ``body``, which calls functions that do nothing but add up products, with the processor set for them."""
    if not build.host.flushes:
        body()
        return
    for name in ("stmxcsr", "ldmxcsr"):
        build.declare(f"@llvm.x86.sse.{name}", f"declare void @llvm.x86.sse.{name}(ptr)")
    before, meanwhile = build.fresh("mxcsr"), build.fresh("mxcsr")
    for name in (before, meanwhile):
        build.line(f"{name} = alloca i32, align 4")
    build.line(f"call void @llvm.x86.sse.stmxcsr(ptr {before})")
    usual = build.emit(f"load i32, ptr {before}", "uint32")
    changed = build.binary("or", usual, build.constant(ZERO_DENORMALS, "uint32"))
    build.line(f"store {changed}, ptr {meanwhile}")
    build.line(f"call void @llvm.x86.sse.ldmxcsr(ptr {meanwhile})")
    body()
    build.line(f"call void @llvm.x86.sse.ldmxcsr(ptr {before})")


def add_product(build: Builder, x: Value, y: Value, total: Value) -> Value:
    """``total + x * y`` of bfloat16 numbers and a float32, within ``with_zeros_for_denormals``."""
    if build.host.flushes and build.host.fma:
        return build.fma(x, y, total)
    x, y, total = (build.widened(value) for value in (x, y, total))
    exact = build.add(build.multiply(x, y), total)
    result = build.narrowed(exact)
    if build.host.flushes:
        return result
    size = build.intrinsic("fabs", exact.dtype, exact.lanes, exact)
    zero = build.intrinsic("copysign", result.dtype, result.lanes, build.like(0, result), result)
    return build.select(build.compare("olt", size, build.like(FLUSHED, exact)), zero, result)
