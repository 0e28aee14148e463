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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.xla", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, default=JOBS, metavar="NAME")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    lines = [row(WORKLOADS[name], measured(WORKLOADS[name], (THALWEG, JAX), given.threads)) for name in given.workload]
    print(described(), end="\n\n")
    head = ("network", "thalweg, ms a step", "JAX", "of its speed", "pieces", "disturbed")
    print(markdown(head, lines))


def described() -> str:
    """The machine, in a line."""
    return ", ".join(f"{name} {value}" for name, value in describe_machine().items())


def measured(workload: Workload, names: Sequence[str], threads: int) -> dict[str, dict[str, Any]]:
    """What each peer takes for a step, in seconds, with all that ``pieces.figures_of`` tells."""
    log(f"{workload.name}, batch {workload.batch_size}")
    folder = Path(tempfile.mkdtemp(prefix="thalweg-xla-"))
    trainers: list[Trainer] = []
    try:
        export(workload.source, folder)
        (folder / workload.source.name).rename(folder / "data")
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
