"""Memory: ``python -m benchmarks.memory``.

Peak size of mnist_mlp with float32 and uint8 data beside plain NumPy, and the growth of a process that builds, fits
and deletes a model a thousand times.
"""

import argparse
import gc
import os

import numpy as np

from benchmarks.layers import mlp
from benchmarks.peers import PEERS
from benchmarks.resident import resident_bytes
from benchmarks.runner import Job, Workspace, run_once
from benchmarks.table import markdown
from benchmarks.workloads import ADAM, WORKLOADS, Source, Workload

PEAK_PEERS = ("thalweg", "thalweg_uint8", "numpy_plain")
WARM_UP_CYCLES = 20
WIDTHS = range(16, 80, 8)  # of the hidden layer, in turn: code for a new shape must not pile up either
GROWTH_TARGET_BYTES = 20_000_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    with Workspace() as workspace:
        jobs = [
            Job(WORKLOADS["mnist_mlp"], PEERS[name], epochs=given.epochs, threads=given.threads) for name in PEAK_PEERS
        ]
        runs = [run_once(workspace, job) for job in jobs]
    rows = [(run.job.peer.title, f"{run.result['peak_bytes'] / 1e6:.0f}") for run in runs]
    print(markdown(("mnist_mlp", "peak MB"), rows))
    grown = growth(given.cycles)
    print(
        f"\n{given.cycles:,} cycles of build, fit, delete: the process grew by {grown / 1e6:.2f} MB "
        f"(at most {GROWTH_TARGET_BYTES / 1e6:.0f})."
    )


def growth(cycles: int) -> int:
    """Bytes that the process gained in the cycles after the first few."""
    for number in range(WARM_UP_CYCLES):
        cycle(number)
    gc.collect()
    before = resident_bytes()
    for number in range(cycles):
        cycle(number)
    gc.collect()
    return resident_bytes() - before


def cycle(number: int) -> None:
    """Build a small model, fit it, drop it."""
    import thalweg  # here, because the peaks above are those of other processes
    import thalweg.layers
    import thalweg.optimizers
    from benchmarks.peers.keras_like import compiled_model

    source = Source("noise", 256, 256, (64,), 10)
    workload = Workload("cycle", source, mlp(WIDTHS[number % len(WIDTHS)], 10), 32, ADAM, epochs=1)
    random = np.random.default_rng(number)
    x = random.random((source.train_rows, *source.shape), np.float32)
    y = random.integers(0, source.classes, source.train_rows).astype(np.int32)
    compiled_model(thalweg, workload).fit(x, y, batch_size=workload.batch_size, verbose=0)


if __name__ == "__main__":
    main()
