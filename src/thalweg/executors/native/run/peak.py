"""How many float32 operations this processor can do in a second: measured, by multiply-adds that never leave registers.

What a step's contractions are compared with. Takes some 100 ms.
"""

from __future__ import annotations

import ctypes
import time

import numpy as np

from thalweg.executors.native.code.llvm import Part, compile_object
from thalweg.executors.native.host import Host
from thalweg.executors.native.run.loader import load
from thalweg.executors.native.run.team import run_on

SECONDS = 0.0005
"""Of one measurement: long beside the call, and so short that other programs leave some of them alone."""

REPEATS = 64

_UNROLLED = 4

_best: dict[tuple[Host, int], float] = {}
"""The most that was ever measured, for a host and a number of threads: other programs only make it less."""


def peak_flops(host: Host, threads: int) -> float:
    """Of so many threads together, with this host's vectors; the best of several measurements."""
    code = load([compile_object(Part(kernel(host)), host)])
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(code.address("multiply_adds"))
    memory = [np.full((2 + chains(host)) * host.lanes("float32"), 0.5, np.float32) for _ in range(threads)]
    rates = [0.0] * threads  # x = x * 0.5 + 0.5 goes to 1: neither overflow nor denormals

    def work(thread: int) -> None:
        began = time.perf_counter()
        run(turns, memory[thread].ctypes.data)
        rates[thread] = turns / (time.perf_counter() - began)

    turns = 1000
    run_on(threads, work)
    for _ in range(REPEATS):
        turns = max(1000, int(SECONDS * max(rates)))
        run_on(threads, work)
        flops = 2 * _UNROLLED * chains(host) * host.lanes("float32") * sum(rates)
        _best[host, threads] = max(flops, _best.get((host, threads), 0.0))
    return _best[host, threads]


def chains(host: Host) -> int:
    """Independent multiply-adds in flight: enough for four cycles of two a cycle, with registers to spare."""
    return 3 * host.registers // 4


def kernel(host: Host) -> str:
    """``multiply_adds(turns, memory)``: x = x * a + b in every chain, a few times a turn; a, b and all x in memory."""
    kind, many = f"<{host.lanes('float32')} x float>", range(chains(host))
    name = f"@llvm.{'fma' if host.fma else 'fmuladd'}.v{host.lanes('float32')}f32"
    lines = [f"declare {kind} {name}({kind}, {kind}, {kind})", "define void @multiply_adds(i64 %turns, ptr %memory) {"]
    lines.append("entry:")
    for i, x in enumerate(["a", "b", *(f"x{c}" for c in many)]):
        lines.append(f"  %at.{x} = getelementptr {kind}, ptr %memory, i64 {i}")
        lines.append(f"  %{x} = load {kind}, ptr %at.{x}, align 4")
    lines += ["  br label %loop", "loop:", "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]"]
    lines += [f"  %y{c}.0 = phi {kind} [ %x{c}, %entry ], [ %y{c}.{_UNROLLED}, %loop ]" for c in many]
    for k in range(_UNROLLED):
        lines += [f"  %y{c}.{k + 1} = call {kind} {name}({kind} %y{c}.{k}, {kind} %a, {kind} %b)" for c in many]
    lines += ["  %next = add i64 %i, 1", "  %more = icmp slt i64 %next, %turns"]
    lines += ["  br i1 %more, label %loop, label %done", "done:"]
    lines += [f"  store {kind} %y{c}.{_UNROLLED}, ptr %at.x{c}, align 4" for c in many]
    return "\n".join([*lines, "  ret void", "}"]) + "\n"
