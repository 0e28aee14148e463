"""How many float32 operations this processor can do in a second: measured, by multiply-adds that never leave registers.

What a step's contractions are compared with. Takes some 100 ms.
"""

from __future__ import annotations

import time

from thalweg.executors.native.host import Host
from thalweg.executors.native.run.kernels import compiled, memory_for, products
from thalweg.executors.native.run.team import run_on

SECONDS = 0.0005
"""Of one measurement: long beside the call, and so short that other programs leave some of them alone."""

REPEATS = 64

_best: dict[tuple[Host, int], float] = {}
"""The most that was ever measured, for a host and a number of threads: other programs only make it less."""


def peak_flops(host: Host, threads: int) -> float:
    """Of so many threads together, with this host's vectors; the best of several measurements."""
    kernel = products(host)
    (run,) = compiled([kernel], host)
    memory = [memory_for(host) for _ in range(threads)]
    rates = [0.0] * threads

    def work(thread: int) -> None:
        began = time.perf_counter()
        run(turns, memory[thread])
        rates[thread] = turns / (time.perf_counter() - began)

    turns = 1000
    run_on(threads, work)
    for _ in range(REPEATS):
        turns = max(1000, int(SECONDS * max(rates)))
        run_on(threads, work)
        flops = 2 * kernel.count * host.lanes("float32") * sum(rates)
        _best[host, threads] = max(flops, _best.get((host, threads), 0.0))
    return _best[host, threads]
