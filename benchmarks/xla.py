"""thalweg on XLA beside hand-written JAX: ``python -m benchmarks.xla [--workload mnist_mlp] [--rounds 5]``.

Both train the same network on the same device, each in a process of its own that stands still while the other trains a
piece; JAX differentiates its own program, thalweg hands XLA its own gradients. The first epoch, with compiling, is told
beside the others.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.arrays import load_arrays
from benchmarks.datasets import export
from benchmarks.machine import describe_machine
from benchmarks.peers import PEERS
from benchmarks.pieces import Piece, Trainer, figures_of, rounds
from benchmarks.runner import log
from benchmarks.table import markdown
from benchmarks.workloads import WORKLOADS, Workload

THALWEG, JAX = "thalweg_xla", "jax_scan"
JOBS = ("mnist_mlp", "tabular_mlp", "mnist_cnn")
AIM = 0.95
"""Of the speed of hand-written JAX."""

EPOCH_FLOPS = 100e9
"""Of an epoch at most, on a CPU."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.xla", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, default=JOBS, metavar="NAME")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    lines = []
    for workload in (shortened(WORKLOADS[name]) for name in given.workload):
        lines.append(row(workload, measured(workload, (THALWEG, JAX), given.threads)))
    print(described(), end="\n\n")
    head = ("network", "thalweg, ms a step", "JAX", "of its speed", "pieces", "disturbed")
    print(markdown(head, lines))


def described() -> str:
    """The machine, in a line."""
    return ", ".join(f"{name} {value}" for name, value in describe_machine().items())


def shortened(workload: Workload) -> Workload:
    """With no more rows than make an epoch of ``EPOCH_FLOPS``: a piece is a whole one."""
    steps = max(2, round(EPOCH_FLOPS / workload.epoch_flops * workload.steps_per_epoch))
    rows = min(workload.source.train_rows, steps * workload.batch_size)
    return workload._replace(source=workload.source._replace(train_rows=rows))


def measured(workload: Workload, names: Sequence[str], threads: int) -> dict[str, dict[str, Any]]:
    """What each peer takes for a step, in seconds, with all that ``pieces.figures_of`` tells."""
    log(f"{workload.name}, batch {workload.batch_size}")
    folder = Path(tempfile.mkdtemp(prefix="thalweg-xla-"))
    trainers: list[Trainer] = []
    try:
        export(WORKLOADS.get(workload.name, workload).source, folder)
        given, rows = load_arrays(folder / workload.source.name), workload.source.train_rows
        given._replace(x_train=given.x_train[:rows], y_train=given.y_train[:rows]).save(folder / "data")
        trainers += [Trainer(PEERS[name], (workload.name,), threads, folder) for name in names]
        pieces: Mapping[str, list[Piece]] = rounds(trainers)[0]
    finally:
        for trainer in trainers:
            trainer.stop()
        shutil.rmtree(folder, ignore_errors=True)
    figures = {name: figures_of(each, workload.steps_per_epoch) for name, each in pieces.items()}
    for name, each in figures.items():
        log(f"  {name}: {1e3 * each['seconds']:.4g} ms a step, loss {each['loss']:.4f}")
    return figures


def row(workload: Workload, figures: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """A line of the table."""
    mine, theirs = figures[THALWEG], figures[JAX]
    share = theirs["seconds"] / mine["seconds"]
    short = "" if share >= AIM else f", aimed at {AIM:.0%}"
    return (
        f"{workload.name}, batch {workload.batch_size}",
        f"{1e3 * mine['seconds']:.3g}",
        f"{1e3 * theirs['seconds']:.3g}",
        f"{share:.0%}{short}",
        f"{mine['pieces']} and {theirs['pieces']}",
        f"{mine['disturbed']} and {theirs['disturbed']}",
    )


if __name__ == "__main__":
    main()
