"""This machine: which vectors it has, how quick its cores are, and what its caches hold."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from thalweg.errors import ArgumentError, ExecutorError
from thalweg.executors.native.code.llvm import llvm_version
from thalweg.executors.native.families import Identity, core_with, units
from thalweg.executors.native.host import AVX2, AVX512, AVX512_BF16, NEON, SSE2, Core, Host
from thalweg.executors.native.run import cache
from thalweg.executors.native.scaling import BARRIER_SECONDS, LINE_SECONDS

_AVX512_NEEDS = {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
_NEEDS = {
    "avx512_bf16": {*_AVX512_NEEDS, "avx512bf16"},
    "avx512": _AVX512_NEEDS,
    "avx2": {"avx2", "fma"},
    "sse2": {"sse2"},
}


def executable_hosts() -> list[Host]:
    """The descriptions that this machine can execute, the widest first; their cores are not this machine's."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return [NEON]
    return [host for host in (AVX512_BF16, AVX512, AVX2, SSE2) if _NEEDS[host.name] <= cpu_features()]


@functools.cache
def this_host() -> Host:
    """The widest description that this machine can execute, with its core; ``THALWEG_HOST`` names another of them.

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
    return replace(found, core=core_of(found).core)


@functools.cache
def cpu_features() -> frozenset[str]:
    """Names of the processor's features, as LLVM spells them."""
    flags = _proc_cpuinfo().get("flags") or _proc_cpuinfo().get("Features")
    if flags:
        return frozenset(flag.replace("avx512_", "avx512") for flag in flags.split())
    import llvmlite.binding as llvm  # only where the system does not tell: loading it takes 50 ms

    return frozenset(name for name, there in llvm.get_host_cpu_features().items() if there)


@functools.cache
def cpu_name() -> str:
    """The processor's name and model numbers, for people and for the key of the cache."""
    info = _proc_cpuinfo()
    names = ("model name", "cpu family", "model", "stepping", "CPU implementer", "CPU part", "CPU variant")
    parts = [info.get(name, "") for name in names]
    return " ".join(p for p in parts if p) or platform.processor() or platform.machine()


@functools.cache
def identity() -> Identity:
    """What the processor says it is; empty for one of which the system tells nothing."""
    info = _proc_cpuinfo()
    try:
        if "cpu family" in info:
            return Identity(info.get("vendor_id", ""), int(info["cpu family"]), int(info["model"]))
        if "CPU part" in info:
            return Identity(info["CPU implementer"], 0, int(info["CPU part"], 16))
    except (KeyError, ValueError):
        return Identity("", 0, 0)
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Identity("Apple", 0, 0)
    told = re.search(r"Family (\d+) Model (\d+).*, (\w+)", platform.processor())  # Windows
    return Identity(told[3], int(told[1]), int(told[2])) if told else Identity("", 0, 0)


# --- the core -----------------------------------------------------------------------------------------------------


class Source(NamedTuple):
    """A core, and where its numbers are from."""

    core: Core
    cycles: str
    caches: str
    clock: str


@functools.cache
def core_of(host: Host) -> Source:
    """This machine's core with a host's vectors."""
    of, sizes, clock = units(identity()), cache_sizes(), highest_clock()
    if of is None:
        core, cycles = measured(host)
    else:
        core, cycles = core_with(of, host), "known of this processor"
    told: dict[str, Any] = {f"l{level}_bytes": size for level, size in sizes.items()}
    if clock is not None:
        told["gigahertz"] = clock
    return Source(
        replace(core, **told),
        cycles,
        "told by the system" if sizes else "assumed",
        "told by the system" if clock is not None else "assumed" if of is not None else cycles,
    )


def measured(host: Host) -> tuple[Core, str]:
    """What was measured of this machine, by whichever process was the first; where it is from."""
    from thalweg.executors.native.run import measure  # code that processors which are known do without

    name = cache.key("core", repr(host), cpu_name(), llvm_version())
    content = cache.load(name)
    if content is not None:
        with contextlib.suppress(ValueError):
            return measure.from_bytes(content, host.core), "measured"
    try:
        core = measure.measure(host)
    except ExecutorError:  # no program will run here either, which says why
        return host.core, "assumed"
    cache.save(name, measure.to_bytes(core))
    return core, "measured"


def highest_clock(file: Path = Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")) -> float | None:
    """GHz, in steps of a half; None where the system does not tell."""
    try:
        kilohertz = int(file.read_text())
    except (OSError, ValueError):
        return None
    return max(0.5, round(2 * kilohertz / 1e6) / 2) if kilohertz > 0 else None


def cache_sizes(folder: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> dict[int, int]:
    """Level -> bytes of the first core's caches for data; empty where the system does not tell."""
    if sys.platform == "darwin":
        return {level: size for level in (1, 2, 3) if (size := _sysctl_cache(level))}
    sizes = {}
    for index in sorted(folder.glob("index*")):
        try:
            kind, level, size = [(index / name).read_text().strip() for name in ("type", "level", "size")]
            if kind != "Instruction":
                sizes[int(level)] = int(size[:-1]) << {"K": 10, "M": 20}[size[-1]]
        except (OSError, ValueError, KeyError, IndexError):
            continue
    return {level: size for level, size in sizes.items() if size > 0}


def _sysctl_cache(level: int) -> int:
    """Bytes of the quicker cores' cache on macOS; 0 if it does not tell."""
    size = ctypes.c_uint64(0)
    length = ctypes.c_size_t(ctypes.sizeof(size))
    cache = {1: "l1dcachesize", 2: "l2cachesize", 3: "l3cachesize"}[level]
    for name in (f"hw.perflevel0.{cache}", f"hw.{cache}"):
        if ctypes.CDLL(None).sysctlbyname(name.encode(), ctypes.byref(size), ctypes.byref(length), None, 0) == 0:
            return size.value
    return 0


def facts() -> dict[str, str]:
    """What ``thalweg info`` shows of the machine."""
    host = this_host()
    core, cycles, caches, clock = core_of(host)
    sizes = ", ".join(f"{size >> 10:,} KB" for size in (core.l1_bytes, core.l2_bytes, core.l3_bytes))
    return {
        "CPU": cpu_name(),
        "vectors": f"{host.name}, {8 * host.vector_bytes} bits, {host.registers} registers",
        "a cycle": f"{core.multiply_adds:g} multiply-adds, {core.vector_loads:g} loads of vectors, "
        f"{core.number_loads:g} of numbers; a multiply-add takes {core.latency} cycles ({cycles})",
        "caches": f"{sizes} ({caches})",
        "clock": f"{core.gigahertz:g} GHz ({clock})",
        "sharing": f"{1e6 * BARRIER_SECONDS:g} µs a barrier, {1e9 * LINE_SECONDS:g} ns a cache line (assumed until a "
        "training has tried)",
    }


@functools.cache
def _proc_cpuinfo() -> dict[str, str]:
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
