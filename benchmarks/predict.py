"""One-row ``predict``: ``python -m benchmarks.predict``.

The latency of a warm model, the first call of a new batch size, and how much a million calls make the process grow.
"""

import argparse
import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

import thalweg
import thalweg.layers
import thalweg.optimizers
from benchmarks.peers.keras_like import compiled_model
from benchmarks.resident import resident_bytes
from benchmarks.table import markdown
from benchmarks.workloads import WORKLOADS

WARM_UP_CALLS = 1000
BLOCK_CALLS = 1000  # timed together, so that the clock costs nothing
NEW_BATCH_SIZES = (2, 7, 100, 1000)
LATENCY_TARGET_MICROSECONDS = 30


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--workload", choices=WORKLOADS, default="mnist_mlp")
    given = parser.parse_args()
    workload = WORKLOADS[given.workload]
    model = compiled_model(thalweg, workload)
    x = np.random.default_rng(0).random((max(NEW_BATCH_SIZES), *workload.source.shape), np.float32)
    row = x[:1]
    rows = [("first call", f"{microseconds(lambda: model.predict(row, verbose=0)):.0f}", "-")]
    for _ in range(WARM_UP_CALLS):
        model.predict(row, verbose=0)
    before = resident_bytes()
    latencies = block_latencies(model, row, given.calls)
    grown = resident_bytes() - before
    rows.append(("one row, warm: median", f"{statistics.median(latencies):.1f}", str(LATENCY_TARGET_MICROSECONDS)))
    rows.append(("one row, warm: slowest block", f"{max(latencies):.1f}", "-"))
    rows += [(f"first call with {n} rows", f"{first_call(model, x[:n]):.0f}", "-") for n in NEW_BATCH_SIZES]
    print(markdown(("what", "microseconds", "at most"), rows))
    print(f"\nThe process grew by {grown / 1e6:.2f} MB in {given.calls:,} calls.")


def block_latencies(model: Any, row: np.ndarray[Any, Any], calls: int) -> list[float]:
    """Microseconds per call, for each block of calls."""

    def block() -> None:
        for _ in range(BLOCK_CALLS):
            model.predict(row, verbose=0)

    return [microseconds(block) / BLOCK_CALLS for _ in range(max(1, calls // BLOCK_CALLS))]


def first_call(model: Any, x: np.ndarray[Any, Any]) -> float:
    """Microseconds of one call with all rows in one batch."""
    return microseconds(lambda: model.predict(x, batch_size=len(x), verbose=0))


def microseconds(action: Callable[[], Any]) -> float:
    """How long it takes, once."""
    start = perf_counter()
    action()
    return 1e6 * (perf_counter() - start)


if __name__ == "__main__":
    main()
