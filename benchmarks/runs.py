"""What the record of runs costs: ``python -m benchmarks.runs``.

``fit`` with and without ``run=`` in turn on MNIST (784-512-10, batch 128); the command line on 10,000 runs; and many
processes that write at once.
"""

import argparse
import os
import shlex
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import thalweg
from benchmarks.table import markdown
from thalweg import layers, runs
from thalweg.record.beginning import begin
from thalweg.record.store import Store
from thalweg.record.tables import insert
from thalweg.record.writer import flush_all

COST_TARGET, LIST_TARGET = 0.01, 1.0
COMMANDS = (
    "runs --all --csv",
    "runs --all",
    "runs --all --json",
    "runs --where 'val_loss < 0.5' --where 'optimizer = adam' --sort val_loss",
    "runs",
    "runs show 5000",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs")
    parser.add_argument("--pairs", type=int, default=9, help="trainings with and without a record")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=100)
    parser.add_argument("--only", choices=("cost", "list", "write"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["THALWEG_RUNS"] = folder
        if given.only in (None, "cost"):
            cost(given.pairs, given.epochs)
        if given.only in (None, "list"):
            listing(given.runs)
        if given.only in (None, "write"):
            writing(given.processes)


def cost(pairs: int, epochs: int) -> None:
    """Of ``run=``: medians of the two, and of the differences of neighbours."""
    random = np.random.default_rng(0)
    x, y = random.random((60_000, 784), np.float32), random.integers(0, 10, 60_000)
    model = thalweg.Sequential([thalweg.Input((784,)), layers.Dense(512, "relu"), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=1, batch_size=128, verbose=0)

    def seconds(run: str | None) -> float:
        began = time.perf_counter()
        model.fit(x, y, epochs=epochs, batch_size=128, verbose=0, run=run)
        return time.perf_counter() - began

    seconds("first")  # makes the store, and imports what that takes
    found = [(seconds(None), seconds("cost")) for _ in range(pairs)]
    without, recorded = (statistics.median(each) for each in zip(*found, strict=True))
    share = statistics.median(b / a - 1 for a, b in found)
    rows = [(f"{without:.3f}", f"{recorded:.3f}", f"{share:+.2%}", f"{COST_TARGET:.0%}")]
    flush_all()
    print(markdown((f"{epochs} epochs, seconds", "with run=", "median of pairs", "at most"), rows), flush=True)


def listing(count: int) -> None:
    """Whole processes of the command line."""
    fill(count)
    rows = []
    for words in COMMANDS:
        command = [sys.executable, "-m", "thalweg.cli", *shlex.split(words)]
        times = []
        for _ in range(3):
            began = time.perf_counter()
            output = subprocess.run(command, check=True, capture_output=True).stdout
            times.append(time.perf_counter() - began)
        rows.append((f"thalweg {words}", str(output.count(b"\n")), f"{statistics.median(times):.2f}", str(LIST_TARGET)))
    print("\n" + markdown((f"of {count:,} runs", "lines", "seconds", "at most"), rows), flush=True)


def fill(count: int) -> None:
    """A store of so many runs of five epochs and four metrics, as ``fit`` writes them."""
    random, store = np.random.default_rng(0), Store()
    with begin(store, "as they are", "fit", {}, {}) as run:
        run.flush()
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    tables: dict[str, list[dict[str, object]]] = {"runs": [], "summary": [], "epochs": [], "settings": []}
    for number in range(2, count + 1):
        values = random.random(4).tolist()
        tables["runs"].append(
            {
                "number": number,
                "key": f"key {number}",
                "name": f"run {number}",
                "kind": "fit",
                "folder": f"{number}-run",
                "status": "finished",
                "began": 1.7e9 + number,
                "ended": 1.7e9 + number + 9,
                "seen": 1.7e9,
                "host": "h",
                "process": 1,
                "epoch": 4,
                "epochs": 5,
                "described": '{"a": "' + 3000 * "x" + '"}',
            }
        )
        for name, value in zip(names, values, strict=True):
            row = {"run": number, "part": 0, "name": name}
            tables["summary"].append({**row, "last": value, "lowest": value, "highest": value})
            tables["epochs"] += [{**row, "epoch": epoch, "value": value} for epoch in range(5)]
        told = {
            "optimizer": "adam" if number % 2 else "sgd",
            "learning_rate": 0.1,
            **{f"more {n}": n for n in range(20)},
        }
        tables["settings"] += [{"run": number, "name": name, "value": value} for name, value in told.items()]

    def put(connection: sqlite3.Connection) -> None:
        for name, rows in tables.items():
            insert(connection, name, rows)

    store.change(put)


def writing(processes: int) -> None:
    """Processes that each record a run of 200 epochs as fast as they can; what arrived."""
    os.environ["THALWEG_RUNS"] = str(Path(os.environ["THALWEG_RUNS"]) / "at once")
    children, began = [], time.perf_counter()
    for number in range(processes):
        children.append(os.fork())
        if not children[-1]:
            with runs.start(f"child {number}") as run:
                for epoch in range(200):
                    run.log(loss=float(epoch), accuracy=1.0)
                    if epoch % 20 == 0:
                        run.flush()
            os._exit(not run.flush())
    failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    seconds = time.perf_counter() - began
    found = runs.find(limit=processes)
    there = sum(len(values) for run in found for values in run.history().history.values())
    rows = [(str(processes), f"{400 * processes:,}", f"{there:,}", str(failed), f"{seconds:.1f}")]
    print("\n" + markdown(("processes at once", "numbers told", "in the store", "failed", "seconds"), rows))


if __name__ == "__main__":
    main()
