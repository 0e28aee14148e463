"""How the time of a step grows and shrinks with the number of threads: ``python -m benchmarks.scaling``.

First the constants of the model in ``executors/native/scaling.py``, measured: what a barrier costs, and what it costs
to take a cache line over from another core. Then what the model predicts for some networks, and what they take.
"""

import argparse
import ctypes
import os
from collections.abc import Sequence
from time import perf_counter

import numpy as np

import thalweg
from benchmarks.table import markdown
from thalweg.executors.native.code.addresses import BARRIER_SHIFT
from thalweg.executors.native.code.llvm import Part, compile_object
from thalweg.executors.native.code.step import barrier_function, target
from thalweg.executors.native.machine import this_host
from thalweg.executors.native.plan.cost import scaling
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.native.run.chooser import candidates
from thalweg.executors.native.run.loader import load, system_yield
from thalweg.executors.native.run.team import run_on
from thalweg.executors.native.scaling import BARRIER_SECONDS, LINE_SECONDS, POLL_SECONDS, Scaling
from thalweg.model.engine import step_graph

ROUNDS = 2000
LINES = 1024  # of a thread: 64 KB, more than L1 and less than L2 hold
REPEATS = 15

NETWORKS = {
    "784-512-10, batch 128": (784, (512, 10), 128),
    "784-32-10, batch 32": (784, (32, 10), 32),
    "64, 20 x 64, 10, batch 64": (64, (*20 * [64], 10), 64),
    "100-1000-1000-100-10, batch 64": (100, (1000, 1000, 100, 10), 64),
}

EXCHANGE = """
define void @exchange(ptr %table, i64 %thread, i64 %threads, i64 %rounds, ptr %memory, i64 %lines, i64 %other) {
entry:
  %arrivals = alloca i64
  store i64 0, ptr %arrivals
  %size = shl i64 %lines, 6
  %own = mul i64 %thread, %size
  %theirs = mul i64 %other, %size
  %mine = getelementptr i8, ptr %memory, i64 %own
  %its = getelementptr i8, ptr %memory, i64 %theirs
  br label %round
round:
  %r = phi i64 [ 0, %entry ], [ %r.next, %rounded ]
  %some = icmp ugt i64 %lines, 0
  br i1 %some, label %write, label %written
write:
  %w = phi i64 [ 0, %round ], [ %w.next, %write ]
  %w.at = getelementptr i8, ptr %mine, i64 %w
  store volatile i64 %r, ptr %w.at
  %w.next = add i64 %w, 64
  %w.more = icmp ult i64 %w.next, %size
  br i1 %w.more, label %write, label %written
written:
  call void @barrier(ptr %table, i64 %thread, i64 %threads, ptr %arrivals)
  br i1 %some, label %read, label %rounded
read:
  %l = phi i64 [ 0, %written ], [ %l.next, %read ]
  %l.at = getelementptr i8, ptr %its, i64 %l
  %ignored = load volatile i64, ptr %l.at
  %l.next = add i64 %l, 64
  %l.more = icmp ult i64 %l.next, %size
  br i1 %l.more, label %read, label %rounded
rounded:
  call void @barrier(ptr %table, i64 %thread, i64 %threads, ptr %arrivals)
  %r.next = add i64 %r, 1
  %more = icmp ult i64 %r.next, %rounds
  br i1 %more, label %round, label %done
done:
  ret void
}
"""
"""Each thread writes its own lines; barrier; each reads the lines of ``other``; barrier."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="at most so many")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each network and number of threads")
    given = parser.parse_args()
    several = [count for count in candidates(given.threads) if count > 1]
    print(f"taken for granted: {1e9 * BARRIER_SECONDS:.0f} ns a barrier of two with the wait for the slower one,")
    print(f"{1e9 * POLL_SECONDS:.0f} ns for every other thread, {1e9 * LINE_SECONDS:.0f} ns a line\n")
    constants = [(str(n), f"{1e9 * barrier_seconds(n):.0f}", f"{1e9 * line_seconds(n):.1f}") for n in several]
    print(markdown(("threads", "a barrier alone, ns", "a line from another core, ns"), constants), end="\n\n")
    counts = [1, *several]
    rows = [row for name in NETWORKS for row in compared(name, counts, given.seconds)]
    print(markdown(("us a step", *(f"{count} threads" for count in counts)), rows))


def exchange(threads: int, rounds: int, lines: int, shift: int) -> float:
    """Seconds of a round, the best of several; every thread reads what the one ``shift`` places on has written."""
    host = this_host()
    code = load([compile_object(Part(barrier_function(host) + EXCHANGE), host)])
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *3 * [ctypes.c_int64], ctypes.c_void_p, *2 * [ctypes.c_int64])(
        code.address("exchange")
    )
    memory, numbers = _aligned(64 * max(lines, 1) * threads), _aligned(threads << BARRIER_SHIFT)
    table = np.array([system_yield(), 0, numbers.ctypes.data, 0], np.int64)

    def work(thread: int) -> None:
        arguments = (memory.ctypes.data, lines, (thread + shift) % threads)
        run(table.ctypes.data, thread, threads, rounds, *arguments)

    best = float("inf")
    for _ in range(REPEATS):
        numbers[:] = 0
        began = perf_counter()
        run_on(threads, work)
        best = min(best, (perf_counter() - began) / rounds)
    return best


def barrier_seconds(threads: int) -> float:
    """Of a barrier with nothing to wait for."""
    return exchange(threads, 50 * ROUNDS, 0, 0) / 2


def line_seconds(threads: int) -> float:
    """That a line costs more if another core wrote it last, to read it and to write it again."""
    return (exchange(threads, ROUNDS, LINES, 1) - exchange(threads, ROUNDS, LINES, 0)) / LINES


def compared(name: str, counts: Sequence[int], seconds: float) -> list[tuple[str, ...]]:
    """Two rows: what a step of training takes, and what the model says that it takes if one thread takes so long."""
    features, units, batch = NETWORKS[name]
    layers = [thalweg.layers.Dense(count, activation="relu") for count in units[:-1]]
    model = thalweg.Sequential([thalweg.layers.Input((features,)), *layers, thalweg.layers.Dense(units[-1], "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8 * batch, features), np.float32), rng.integers(0, units[-1], 8 * batch)
    measured = [model.profile(x, y, batch, threads=count, seconds=seconds, peak=1.0).seconds for count in counts]
    graph = step_graph(model.runner, "profile", "train", batch, ())
    host = this_host()
    predicted = scaling(make_plan(graph, target(host), gather=True).stages, host)
    scaled = Scaling(measured[0], predicted.fetch_seconds, predicted.barriers)
    return [
        (name, *(f"{1e6 * value:.1f}" for value in measured)),
        ("predicted from one thread", *(f"{1e6 * scaled.seconds(count):.1f}" for count in counts)),
    ]


def _aligned(size: int) -> np.ndarray:
    memory = np.zeros(size + 128, np.uint8)
    return memory[-memory.ctypes.data % 128 :][:size]


if __name__ == "__main__":
    main()
