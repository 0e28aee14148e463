"""What a core does in a cycle, measured: for processors that families.py does not know. Takes some 15 ms.

A cycle is what an addition takes that needs the one before, on every processor. Everything else is compared with it,
so that the clock does not matter. Each number then counts as the nearest of a few, so that a machine that is measured
again is the same machine, and gets the same code.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Sequence
from dataclasses import replace

from thalweg.executors.native.host import Core, Host
from thalweg.executors.native.run.kernels import additions, chain, compiled, loads, memory_for, products, vector

RATES = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0)
"""Of instructions, in a cycle."""

LATENCIES = tuple(range(2, 17))
CLOCKS = tuple(n / 2 for n in range(1, 17))

ROUNDS = 24
ROUND_SECONDS = 15e-6
"""Of each kernel: long beside the call, and so short that other programs leave some of them alone."""

_KEPT = struct.Struct("<dddqd")


def measure(host: Host) -> Core:
    """This machine's core with a host's vectors, as far as time tells.

    Raises: ExecutorError if the system lets no compiled code run.
    """
    kernels = [additions(), products(host), chain(host), loads("vectors", vector(host)), loads("numbers", "float")]
    calls, memory = compiled(kernels, host), memory_for(host)
    turns, least = [8] * len(kernels), [math.inf] * len(kernels)
    for _ in range(ROUNDS):
        for i, (kernel, call) in enumerate(zip(kernels, calls, strict=True)):
            began = time.perf_counter()
            call(turns[i], memory)
            least[i] = min(least[i], (time.perf_counter() - began) / (turns[i] * kernel.count))
            turns[i] = max(8, int(ROUND_SECONDS / (least[i] * kernel.count)))
    return core_of(least, host.core)


def core_of(seconds: Sequence[float], core: Core) -> Core:
    """``core`` with what follows from what an addition takes, a multiply-add alone and in a chain, and the loads."""
    cycle, multiply_add, in_a_chain, vector_load, number_load = seconds
    return replace(
        core,
        multiply_adds=nearest(cycle / multiply_add, RATES),
        vector_loads=nearest(cycle / vector_load, RATES),
        number_loads=nearest(cycle / number_load, RATES),
        latency=int(nearest(in_a_chain / cycle, LATENCIES)),
        gigahertz=nearest(1e-9 / cycle, CLOCKS),
    )


def nearest(x: float, choices: Sequence[float]) -> float:
    """That of the choices by which x has the smallest factor."""
    return min(choices, key=lambda choice: abs(math.log(choice / x)))


def to_bytes(core: Core) -> bytes:
    """What is kept of a measured core."""
    return _KEPT.pack(core.multiply_adds, core.vector_loads, core.number_loads, core.latency, core.gigahertz)


def from_bytes(content: bytes, core: Core) -> Core:
    """``core`` with what was kept. Raises ValueError for bytes that are not ``to_bytes`` of a measured one."""
    try:
        *rates, latency, gigahertz = _KEPT.unpack(content)
    except struct.error as error:
        raise ValueError(str(error)) from error
    if not {*rates} <= {*RATES} or latency not in LATENCIES or gigahertz not in CLOCKS:
        raise ValueError("no core is measured like this")
    return replace(
        core,
        multiply_adds=rates[0],
        vector_loads=rates[1],
        number_loads=rates[2],
        latency=latency,
        gigahertz=gigahertz,
    )
