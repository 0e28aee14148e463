"""Kernels that do one thing again and again, from registers or the first cache: what a core is measured with."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from thalweg.executors.native.code.llvm import Part, compile_object
from thalweg.executors.native.host import Host
from thalweg.executors.native.run.loader import load
from thalweg.fields import dataclass

UNROLLED = 32
"""About how many instructions a turn of a kernel has, so that the loop around them takes no time of its own."""


_AFTER = "%after = getelementptr i8, ptr %memory, i64 64"
"""Where results go: behind the first vector, which is what kernels begin with."""


@dataclass(frozen=True)
class Kernel:
    """``name(turns, memory)`` in LLVM IR.

    Arguments:
        count: how often a turn does its thing.
        before: what comes before the loop.
        body: one turn.
        carried: type, value at first and name of the value after each turn, for each name that turns hand on.
    """

    name: str
    count: int
    before: Sequence[str]
    body: Sequence[str]
    carried: Mapping[str, tuple[str, str, str]]

    @property
    def text(self) -> str:
        """The function; what is handed on is stored at its end, or LLVM would leave the loop out."""
        phis = [
            f"{name} = phi {kind} [ {first}, %entry ], [ {last}, %loop ]"
            for name, (kind, first, last) in self.carried.items()
        ]
        stores = [f"store {kind} {last}, ptr %after, align 4" for kind, _, last in self.carried.values()]
        lines = [
            *(
                f"define void @{self.name}(i64 %turns, ptr %memory) {{",
                "entry:",
                _AFTER,
                *self.before,
                "br label %loop",
            ),
            *("loop:", "%i = phi i64 [ 0, %entry ], [ %next, %loop ]", *phis, *self.body),
            *("%next = add i64 %i, 1", "%more = icmp slt i64 %next, %turns"),
            *("br i1 %more, label %loop, label %done", "done:", *stores, "ret void", "}"),
        ]
        return "\n".join(lines)


def chains(host: Host) -> int:
    """Independent multiply-adds in flight: enough for four cycles of four a cycle, with registers to spare."""
    return 3 * host.registers // 4


def products(host: Host) -> Kernel:
    """Multiply-adds in as many chains as deliver all that the core can do: x = x / 2 + 1 / 2."""
    kind, many = vector(host), range(chains(host))
    times = max(2, UNROLLED // len(many))
    body = [
        f"%x{c}.{k + 1} = call {kind} {_function(host)}({kind} %x{c}.{k}, {kind} %half, {kind} %half)"
        for k in range(times)
        for c in many
    ]
    carried = {f"%x{c}.0": (kind, "%half", f"%x{c}.{times}") for c in many}
    return Kernel("products", times * len(many), _half(kind), body, carried)


def chain(host: Host) -> Kernel:
    """Multiply-adds of which each adds to what the one before gives."""
    kind = vector(host)
    body = [
        f"%x.{k + 1} = call {kind} {_function(host)}({kind} %half, {kind} %half, {kind} %x.{k})"
        for k in range(UNROLLED)
    ]
    return Kernel("chain", UNROLLED, _half(kind), body, {"%x.0": (kind, "%half", f"%x.{UNROLLED}")})


def additions() -> Kernel:
    """Additions of whole numbers, of which each needs the one before."""
    # With xor between them, or LLVM would multiply instead.
    body = [f"%x.{k + 1} = {'add' if k % 2 else 'xor'} i64 %x.{k}, %by" for k in range(UNROLLED)]
    before = ["%by = ptrtoint ptr %memory to i64"]
    return Kernel("additions", UNROLLED, before, body, {"%x.0": ("i64", "1", f"%x.{UNROLLED}")})


def loads(name: str, kind: str) -> Kernel:
    """Loads from one place after the other."""
    body = []
    for k in range(UNROLLED):
        body += [f"%p{k} = getelementptr {kind}, ptr %memory, i64 {k}"]
        body += [f"%x{k} = load volatile {kind}, ptr %p{k}, align 4"]
    return Kernel(name, UNROLLED, [], body, {})


def memory_for(host: Host) -> np.ndarray:
    """What the kernels read and write: numbers that begin on a cache line."""
    memory = np.full(UNROLLED * host.lanes("float32") + 16, 0.5, np.float32)
    return memory[-memory.ctypes.data % 64 // memory.itemsize :]


def vector(host: Host) -> str:
    """LLVM's type of a host's vector of float32."""
    return f"<{host.lanes('float32')} x float>"


def compiled(kernels: Sequence[Kernel], host: Host) -> list[Callable[[int, np.ndarray], None]]:
    """Calls of the kernels: with a number of turns, in ``memory_for`` the host.

    Raises: ExecutorError if the system lets no compiled code run.
    """
    text = "\n".join([intrinsics(host), *(kernel.text for kernel in kernels)])
    code = load([compile_object(Part(text), host)])
    signature = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)

    def call(name: str, turns: int, memory: np.ndarray) -> None:
        signature(code.address(name))(turns, memory.ctypes.data)  # the code lives as long as this function

    return [partial(call, kernel.name) for kernel in kernels]


def intrinsics(host: Host) -> str:
    """The declarations of what the kernels call."""
    kind = vector(host)
    return f"declare {kind} {_function(host)}({kind}, {kind}, {kind})"


def _half(kind: str) -> list[str]:
    return [f"%half = load {kind}, ptr %memory, align 4"]


def _function(host: Host) -> str:
    return f"@llvm.{'fma' if host.fma else 'fmuladd'}.v{host.lanes('float32')}f32"
