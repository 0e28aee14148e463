"""The physical limit of this machine, measured: ``python -m benchmarks.limit``.

The peak of the multiply-adds is that with which thalweg's own profiles compare. The rest are small LLVM IR kernels in
the widest vectors of the host: streams that read or copy buffers as large as L2, L3 and main memory. N threads run a
kernel at the same time through ctypes.

thalweg and llvmlite are imported where something is measured: reports are also made where neither is installed.
"""

import argparse
import ctypes
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from threading import Barrier, Thread
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from benchmarks.workloads import Workload

FLOAT_BYTES = 4
KERNEL_SECONDS = 0.03  # of one timed call: long beside the start of a thread, short beside a time slice
REPEATS = 15
PEAKS = 10  # measurements of the FMA peak, of which the best counts: other programs only make it less
UNROLL = 8  # vectors per iteration of a stream


class Bandwidth(NamedTuple):
    """Bytes per second at one level; a copy counts what it reads and what it writes."""

    buffer_bytes: int  # per thread
    read: float
    copy: float


class Limit(NamedTuple):
    """What the machine can do with ``threads`` threads."""

    threads: int
    lanes: int
    flops: float  # float32 FMA peak, FLOPs per second
    flops_one_thread: float
    bandwidth: dict[str, Bandwidth]  # "L2", "L3", "DRAM"

    def as_json(self) -> dict[str, Any]:
        """With the names of all fields."""
        return {**self._asdict(), "bandwidth": {name: level._asdict() for name, level in self.bandwidth.items()}}

    def epoch_seconds(self, workload: Workload) -> float:
        """Seconds that the epoch's contractions take at the peak."""
        return workload.epoch_flops / self.flops

    def data_seconds(self, workload: Workload) -> float:
        """Seconds to read the epoch's data once from main memory."""
        return workload.epoch_data_bytes / self.bandwidth["DRAM"].read

    def state_seconds(self, workload: Workload) -> float:
        """Seconds to read and write parameters and slots once per step, where those of a network fit."""
        return sum(map(self._network_state_seconds, workload.networks))

    def _network_state_seconds(self, network: Workload) -> float:
        return self.rewrite_seconds(network.state_bytes) * network.steps_per_epoch

    def rewrite_seconds(self, size: int) -> float:
        """Seconds to read and write so many bytes, where they fit."""
        fits = [level for level in self.bandwidth.values() if size / self.threads <= level.buffer_bytes]
        level = fits[0] if fits else self.bandwidth["DRAM"]
        return 2 * size / level.copy


def measure(threads: int) -> Limit:
    """Everything, in about ten seconds."""
    from thalweg.executors.native.machine import this_host
    from thalweg.executors.native.run.peak import peak_flops

    host = this_host()
    kernels = Kernels(host.lanes("float32"))
    return Limit(
        threads=threads,
        lanes=kernels.lanes,
        flops=max(peak_flops(host, threads) for _ in range(PEAKS)),
        flops_one_thread=max(peak_flops(host, 1) for _ in range(PEAKS)),
        bandwidth={name: stream(kernels, size, threads) for name, size in buffer_sizes(threads).items()},
    )


class Kernels:
    """The compiled kernels; keeps the engine alive as long as they are called."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self._engine = compile_ir("\n".join([read_ir(lanes), copy_ir(lanes)]))
        integer, pointer = ctypes.c_int64, ctypes.c_void_p
        self.read = self._function("read", integer, integer, pointer, pointer)
        self.copy = self._function("copy", integer, integer, pointer, pointer)

    def _function(self, name: str, *arguments: Any) -> Callable[..., None]:
        return ctypes.CFUNCTYPE(None, *arguments)(self._engine.get_function_address(name))


def compile_ir(text: str) -> Any:
    """An engine with the machine code for this host."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    module = llvm.parse_assembly(text)
    module.verify()
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


def read_ir(lanes: int) -> str:
    """``read(times, n, x, y)``: the sum of n vectors of x, again and again, in ``UNROLL`` sums; y takes them."""
    kind = f"<{lanes} x float>"
    body, sums = [], []
    for k in range(UNROLL):
        sums.append(f"  %s{k} = phi {kind} [zeroinitializer, %pass], [%t{k}, %loop]")
        body += [load(f"%v{k}", "%x", f"%i{k}", kind), f"  %t{k} = fadd {kind} %s{k}, %v{k}"]
    stores = "\n".join(store(f"%t{k}", "%y", k, kind) for k in range(UNROLL))
    return stream_ir("read", "\n".join(sums), "\n".join(body), stores)


def copy_ir(lanes: int) -> str:
    """``copy(times, n, x, y)``: n vectors of x to y, again and again."""
    kind = f"<{lanes} x float>"
    body = [
        text
        for k in range(UNROLL)
        for text in (load(f"%v{k}", "%x", f"%i{k}", kind), store(f"%v{k}", "%y", f"%i{k}", kind))
    ]
    return stream_ir("copy", "", "\n".join(body), "")


def stream_ir(name: str, phis: str, body: str, after: str) -> str:
    """Two nested loops: ``times`` passes over n vectors, ``UNROLL`` of them per iteration."""
    indices = "\n".join(f"  %i{k} = add i64 %i, {k}" for k in range(UNROLL))
    return f"""
define void @{name}(i64 %times, i64 %n, ptr %x, ptr %y) {{
entry:
  br label %pass
pass:
  %p = phi i64 [0, %entry], [%p.next, %pass.end]
  br label %loop
loop:
  %i = phi i64 [0, %pass], [%next, %loop]
{phis}
{indices}
{body}
  %next = add i64 %i, {UNROLL}
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %pass.end
pass.end:
{after}
  %p.next = add i64 %p, 1
  %again = icmp ult i64 %p.next, %times
  br i1 %again, label %pass, label %done
done:
  ret void
}}"""


def load(name: str, base: str, index: int | str, kind: str) -> str:
    """IR that loads vector ``index`` of ``base``."""
    address = f"%at.{name[1:]}"
    return (
        f"  {address} = getelementptr {kind}, ptr {base}, i64 {index}\n  {name} = load {kind}, ptr {address}, align 64"
    )


def store(name: str, base: str, index: int | str, kind: str) -> str:
    """IR that stores vector ``index`` of ``base``."""
    address = f"%to.{name[1:]}"
    return (
        f"  {address} = getelementptr {kind}, ptr {base}, i64 {index}\n  store {kind} {name}, ptr {address}, align 64"
    )


def stream(kernels: Kernels, size: int, threads: int) -> Bandwidth:
    """Read and copy; a copy's two buffers together have ``size`` bytes."""
    lanes = kernels.lanes
    step = UNROLL * lanes
    sources = [aligned(size // FLOAT_BYTES // step * step) for _ in range(threads)]
    sums = [aligned(step) for _ in range(threads)]
    half = sources[0].size // 2 // step * step

    def reads(n: int) -> list[Callable[[], None]]:
        return [
            partial(kernels.read, n, x.size // lanes, x.ctypes.data, y.ctypes.data)
            for x, y in zip(sources, sums, strict=True)
        ]

    def copies(n: int) -> list[Callable[[], None]]:
        return [partial(kernels.copy, n, half // lanes, x.ctypes.data, x[half:].ctypes.data) for x in sources]

    read_bytes, copy_bytes = threads * sources[0].nbytes, threads * 2 * half * FLOAT_BYTES
    return Bandwidth(size, read_bytes / seconds_per_count(reads), copy_bytes / seconds_per_count(copies))


def seconds_per_count(calls: Callable[[int], list[Callable[[], None]]]) -> float:
    """Least seconds per iteration: ``calls(n)`` gives each thread's call of n iterations."""
    count = 1
    while (seconds := elapsed(calls(count))) < KERNEL_SECONDS:
        count = max(count + 1, int(count * min(10, 1.2 * KERNEL_SECONDS / seconds)))
    return min(elapsed(calls(count)) for _ in range(REPEATS)) / count


def elapsed(calls: list[Callable[[], None]]) -> float:
    """Seconds from the common start of all calls, a thread each, to the end of the last."""
    barrier = Barrier(len(calls))
    spans: list[tuple[float, float]] = []

    def timed(call: Callable[[], None]) -> None:
        barrier.wait()
        start = perf_counter()
        call()
        spans.append((start, perf_counter()))

    threads = [Thread(target=timed, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(end for _, end in spans) - min(start for start, _ in spans)


def aligned(size: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Ones that start on a cache line."""
    raw = np.ones(size + 16, np.float32)
    return raw[-raw.ctypes.data % 64 // FLOAT_BYTES :][:size]


def buffer_sizes(threads: int) -> dict[str, int]:
    """Bytes per thread that stay in L2, stay in L3 and not in L2, and stay in neither."""
    from thalweg.executors.native.machine import cache_sizes

    caches = cache_sizes()
    l2, l3 = caches.get(2, 512 << 10), caches.get(3, 8 << 20)
    return {"L2": l2 // 2, "L3": max(l3 // 2 // threads, 2 * l2), "DRAM": 4 * l3 // threads}


def describe(limit: Limit) -> str:
    """Two lines for a person."""
    levels = ", ".join(
        f"{name} {level.read / 1e9:.0f} read, {level.copy / 1e9:.0f} copy" for name, level in limit.bandwidth.items()
    )
    return (
        f"FMA peak, float32, {limit.lanes} lanes: {limit.flops_one_thread / 1e9:.1f} GFLOP/s with 1 thread, "
        f"{limit.flops / 1e9:.1f} with {limit.threads}.\nMemory, GB/s with {limit.threads} threads: {levels}."
    )


def main() -> None:
    """Print the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limit")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    limit = measure(parser.parse_args().threads)
    print(describe(limit), file=sys.stderr)
    print(json.dumps(limit.as_json()))


if __name__ == "__main__":
    main()
