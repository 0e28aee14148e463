"""What streams cost: ``python -m benchmarks.streams [--gigabytes 4] [--folder /tmp]``.

784-512-10 with Adam, batch 128, an epoch of training on data in memory, beside a generator of NumPy batches, a memory
map, ``.npy`` shards and a Parquet file, which is decoded once before. Each is a process of its own, which has read the
file once (it is in the page cache); the first epoch is not counted. Memory is the anonymous memory of the process at
its peak, without the pages of files that are mapped.

``--pairs 15``: epochs on data in memory and on a generator in turns, so that what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

FEATURES, BATCH = 784, 128
WRITTEN_ROWS = 1 << 14
"""Rows that are made at a time."""
PAIRED_ROWS = 800 * BATCH

Data = tuple[Any, dict[str, Any]]
"""``x``, and the other arguments of ``fit``."""


def main() -> None:
    """Make the files, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams")
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--job", choices=JOBS)
    parser.add_argument("--only", nargs="*", default=list(JOBS), choices=JOBS)
    parser.add_argument("--pairs", type=int, default=0)
    given = parser.parse_args()
    if given.pairs:
        pairs(given.pairs)
        return
    if given.job:
        print(json.dumps(measured(JOBS[given.job], given.folder, given.epochs)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        folder = Path(place)
        make(folder, int(given.gigabytes * 1e9 / 4 / FEATURES) // BATCH * BATCH, parquet="parquet" in given.only)
        print(f"{'data':<14}{'s an epoch':>11}{'of memory':>11}{'once s':>8}{'anonymous MB':>14}")
        base = None
        for name in given.only:
            command = [sys.executable, "-m", "benchmarks.streams", "--folder", place, "--job", name]
            run = subprocess.run([*command, "--epochs", str(given.epochs)], capture_output=True, text=True, check=True)
            found = json.loads(run.stdout)
            base = base or found["epoch"]
            share = base / found["epoch"]
            print(f"{name:<14}{found['epoch']:>11.2f}{share:>11.0%}{found['once']:>8.1f}{found['peak'] / 1e6:>14.0f}")


def make(folder: Path, rows: int, parquet: bool) -> None:
    """Write ``x.npy`` and ``y.npy``, and the same as ``data.parquet``."""
    random = np.random.default_rng(0)
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, FEATURES))
    for first in range(0, rows, WRITTEN_ROWS):
        part = x[first : first + WRITTEN_ROWS]
        part[:] = random.standard_normal(part.shape, np.float32)
    np.save(folder / "y.npy", random.integers(0, 10, rows, dtype=np.int32))
    if parquet:
        import duckdb

        names = ", ".join(f"random()::float as x{place}" for place in range(FEATURES))
        query = f"select {names}, (random() * 9)::int as y from range({rows})"
        database = duckdb.connect()
        database.execute("set enable_progress_bar = false")
        database.execute(f"copy ({query}) to '{folder}/data.parquet' (row_group_size 20480)")


def pairs(count: int) -> None:
    """Print how much longer an epoch on a generator takes, by the clock and by the processor's time."""
    model = network()
    x = np.random.default_rng(0).standard_normal((PAIRED_ROWS, FEATURES), np.float32)
    y = np.arange(PAIRED_ROWS, dtype=np.int32) % 10
    data: list[Data] = [(x, {"y": y}), (cut(x, y), {})]
    for given, options in data:
        second_epoch(model, given, options)
    took = np.empty((count, 2, 2))
    for number in range(count):
        for place in (0, 1) if number % 2 else (1, 0):
            took[number, place] = second_epoch(model, *data[place])
    for name, memory, stream in zip(("clock", "processor"), took[:, 0].T, took[:, 1].T, strict=True):
        low, middle, high = np.percentile(stream / memory - 1, [25, 50, 75])
        print(
            f"{name}: in memory {np.median(memory):.3f} s, generator {np.median(stream):.3f} s, "
            f"{middle:+.1%} (quartiles {low:+.1%} and {high:+.1%})"
        )


def second_epoch(model: Any, x: Any, options: dict[str, Any]) -> tuple[float, float]:
    """Seconds of the second epoch of a training, by the clock and by the processor."""
    from thalweg.callbacks import LambdaCallback

    times: list[tuple[float, float]] = []

    def note(*_: object) -> None:
        times.append((perf_counter(), process_time()))

    watch = LambdaCallback(on_epoch_begin=note, on_epoch_end=note)
    model.fit(x, batch_size=BATCH, verbose=0, epochs=2, callbacks=[watch], **options)
    (began, computed), (ended, computed_then) = times[2:]
    return ended - began, computed_then - computed


def network() -> Any:
    """784-512-10 with Adam."""
    import thalweg
    from thalweg import Input, Sequential, layers

    thalweg.utils.set_random_seed(0)
    model = Sequential([Input((FEATURES,)), layers.Dense(512, "relu"), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def cut(x: np.ndarray, y: np.ndarray) -> Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]:
    """A function that makes a generator of batches, slices of these arrays."""

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for first in range(0, len(x), BATCH):
            yield x[first : first + BATCH], y[first : first + BATCH]

    return batches


def measured(job: Callable[[Path], Data], folder: Path, epochs: int) -> dict[str, float]:
    """Seconds of an epoch, seconds before the first, and anonymous memory at its peak."""
    model = network()
    some = np.zeros((10 * BATCH, FEATURES), np.float32)
    model.fit(some, np.zeros(len(some), np.int32), batch_size=BATCH, verbose=0)  # compiles
    with Peak() as peak:
        began = perf_counter()
        x, options = job(folder)
        once = perf_counter() - began
        model.fit(x, batch_size=BATCH, verbose=0, **options)
        began = perf_counter()
        model.fit(x, batch_size=BATCH, verbose=0, **options, epochs=epochs)
        seconds = (perf_counter() - began) / epochs
    return {"epoch": seconds, "once": once, "peak": peak.bytes}


class Peak:
    """The anonymous memory of this process at its peak, looked at twenty times a second (Linux only)."""

    def __init__(self) -> None:
        self.bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    self.bytes = max(self.bytes, int(line.split()[1]) * 1024)


def memory(folder: Path) -> Data:
    """All of it in memory."""
    return np.load(folder / "x.npy"), {"y": np.load(folder / "y.npy")}


def generator(folder: Path) -> Data:
    """A function that makes a generator of batches, slices of arrays in memory."""
    return cut(np.load(folder / "x.npy"), np.load(folder / "y.npy")), {}


def mapped(folder: Path) -> Data:
    """A memory map, as it is."""
    return np.load(folder / "x.npy", mmap_mode="r"), {"y": np.load(folder / "y.npy")}


def shards(folder: Path) -> Data:
    """``.npy`` files."""
    from thalweg.streams import NumpyFiles

    return NumpyFiles(folder / "x.npy", folder / "y.npy"), {}


def parquet(folder: Path) -> Data:
    """A Parquet file."""
    from thalweg.streams import TableFile

    return TableFile(folder / "data.parquet", "y", folder=folder), {}


JOBS: dict[str, Callable[[Path], Data]] = {job.__name__: job for job in (memory, generator, mapped, shards, parquet)}

if __name__ == "__main__":
    main()
