"""The machine that code is generated for: vector width, registers, masks; and what this machine is."""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path

from thalweg.errors import ArgumentError
from thalweg.fields import dataclass

ITEMSIZE = {"float32": 4, "float64": 8, "int32": 4, "uint32": 4, "int64": 8, "uint8": 1, "bool": 1}
"""Bytes of a number in memory; a truth value takes one."""


@dataclass(frozen=True)
class Host:
    """What the code generator needs to know of a processor.

    ``triple`` and ``cpu`` are empty for the machine that this runs on.
    """

    name: str
    vector_bytes: int
    registers: int  # vector registers
    masks: bool  # loads and stores of part of a vector are single instructions
    fma: bool
    features: str  # LLVM's feature string, beside the processor's own
    cpu: str = ""

    @property
    def flushes(self) -> bool:
        """Whether it can be told to take denormal numbers for zeros, as x86 does: after rounding."""
        return self.name != NEON.name

    def lanes(self, dtype: str) -> int:
        return self.vector_bytes // max(ITEMSIZE[dtype], 4)


AVX512 = Host("avx512", 64, 32, True, True, "+avx512f,+avx512bw,+avx512dq,+avx512vl,-prefer-256-bit")
AVX2 = Host("avx2", 32, 16, False, True, "+avx2,+fma,-avx512f", "haswell")
SSE2 = Host("sse2", 16, 16, False, False, "+sse2", "x86-64")
NEON = Host("neon", 16, 32, False, True, "+neon")

_NEEDS = {"avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}, "avx2": {"avx2", "fma"}, "sse2": {"sse2"}}


def executable_hosts() -> list[Host]:
    """The descriptions that this machine can execute, the widest first."""
    machine = platform.machine().lower()
    if machine in ("arm64", "aarch64"):
        return [NEON]
    features = cpu_features()
    return [host for host in (AVX512, AVX2, SSE2) if _NEEDS[host.name] <= features]


@functools.cache
def this_host() -> Host:
    """The widest description that this machine can execute; ``THALWEG_HOST`` names another of them.

    Raises: ArgumentError if that is none of them.
    """
    hosts = executable_hosts()
    wanted = os.environ.get("THALWEG_HOST") or hosts[0].name
    found = next((host for host in hosts if host.name == wanted), None)
    if found is None:
        raise ArgumentError(
            "the environment variable THALWEG_HOST does not fit its rule",
            expected=f"what this machine can execute: {' or '.join(repr(host.name) for host in hosts)}",
            got=repr(wanted),
            fix="unset THALWEG_HOST",
        )
    return found


@functools.cache
def cpu_features() -> frozenset[str]:
    """Names of the processor's features, as LLVM spells them."""
    flags = _proc_cpuinfo().get("flags")
    if flags:
        return frozenset(flag.replace("avx512_", "avx512") for flag in flags.split())
    import llvmlite.binding as llvm  # only where the system does not tell: loading it takes 50 ms

    return frozenset(name for name, there in llvm.get_host_cpu_features().items() if there)


@functools.cache
def cpu_name() -> str:
    """The processor's name and model numbers, for people and for the key of the cache."""
    info = _proc_cpuinfo()
    parts = [info.get(k, "") for k in ("model name", "cpu family", "model", "stepping")]
    return " ".join(p for p in parts if p) or platform.processor() or platform.machine()


def facts() -> dict[str, str]:
    """What ``thalweg info`` shows of the machine."""
    host = this_host()
    return {
        "CPU": cpu_name(),
        "vectors": f"{host.name}, {8 * host.vector_bytes} bits, {host.registers} registers",
    }


@functools.cache
def _proc_cpuinfo() -> dict[str, str]:
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
