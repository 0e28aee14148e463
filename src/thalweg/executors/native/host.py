"""What code is generated for: a processor's vectors, registers and masks, and how quick its cores are."""

from __future__ import annotations

from dataclasses import replace

from thalweg.fields import dataclass

ITEMSIZE = {"float32": 4, "float64": 8, "int32": 4, "uint32": 4, "int64": 8, "uint8": 1, "bool": 1}
"""Bytes of a number in memory; a truth value takes one."""


@dataclass(frozen=True)
class Core:
    """How quick one core is with its host's vectors, and what its caches hold; the defaults fit most.

    Arguments:
        multiply_adds, vector_loads, number_loads: how many it starts in a cycle, the last of numbers that go into all
            lanes.
        latency: cycles from a multiply-add to the next on the same register.
        l1_bytes, l2_bytes, l3_bytes: its caches for data; the last is what it shares with other cores.
        gigahertz: cycles in a nanosecond.
    """

    multiply_adds: float = 2
    vector_loads: float = 2
    number_loads: float = 2
    latency: int = 4
    l1_bytes: int = 32 << 10
    l2_bytes: int = 512 << 10
    l3_bytes: int = 8 << 20
    gigahertz: float = 3.5


@dataclass(frozen=True)
class Host:
    """What the code generator needs to know of a processor.

    ``cpu`` is empty for the machine that this runs on.
    """

    name: str
    vector_bytes: int
    registers: int  # vector registers
    masks: bool  # loads and stores of part of a vector are single instructions
    fma: bool
    features: str  # LLVM's feature string, beside the processor's own
    cpu: str = ""
    masked_loads: bool = False  # of the loads that is true at least, of numbers of four bytes and more
    spare: int = 1  # registers that the sums and a row of y leave for numbers of x
    core: Core = Core()
    bfloat16: bool = False  # it has an instruction for products of bfloat16, two to a lane

    @property
    def flushes(self) -> bool:
        """Whether it can be told to take denormal numbers for zeros, as x86 does: after rounding."""
        return self.name != NEON.name

    def lanes(self, dtype: str) -> int:
        return self.vector_bytes // max(ITEMSIZE[dtype], 4)


AVX512 = Host("avx512", 64, 32, True, True, "+avx512f,+avx512bw,+avx512dq,+avx512vl,-prefer-256-bit")
AVX512_BF16 = replace(AVX512, name="avx512_bf16", features=f"{AVX512.features},+avx512bf16", bfloat16=True)
AVX2 = Host("avx2", 32, 16, False, True, "+avx2,+fma,-avx512f", "haswell", masked_loads=True)
SSE2 = Host("sse2", 16, 16, False, False, "+sse2", "x86-64", spare=2)  # and for the product
NEON = Host("neon", 16, 32, False, True, "+neon", spare=6)  # numbers are loaded ahead, in pairs
