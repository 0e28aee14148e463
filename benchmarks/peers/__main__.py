"""Runs one peer in this process and prints one JSON line.

python -m benchmarks.datasets /tmp/data
python -m benchmarks.peers torch_memory mnist_mlp --epochs 2 --data /tmp/data
"""

import argparse
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.peers.task import Clock, Task
from benchmarks.resident import peak_bytes
from benchmarks.workloads import WORKLOADS

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main() -> None:
    """Parse, train, report."""
    task = parse_task()
    limit_threads(task.threads)
    print(json.dumps(run(task)))


def parse_task() -> Task:
    """The task that the command line describes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", type=Path, required=True, help="folder that benchmarks.datasets wrote")
    given = parser.parse_args()
    workload = WORKLOADS[given.workload]
    return Task(PEERS[given.peer], workload, given.epochs or workload.epochs, given.seed, given.threads, given.data)


def limit_threads(threads: int) -> None:
    """Keep every library to ``threads`` threads; before they are loaded, because they read this at load time.

    The affinity is for thalweg and XLA, which count the cores that they may run on: thalweg's variable would keep it
    from choosing, and XLA has none.
    """
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-threads:])


def run(task: Task) -> dict[str, Any]:
    """Import the peer, load the arrays, train; all that the clock saw."""
    os.environ.update(dict(task.peer.environment))
    clock = Clock()
    peer = import_module(f"benchmarks.peers.{task.peer.module}")
    clock.imported()
    from benchmarks.arrays import load_arrays  # here, because NumPy's import belongs to the peer's

    arrays = load_arrays(task.data / task.peer.data_name(task.workload))
    clock.start()
    trains = task.workload.what == "train"
    run = (peer.train_population if task.workload.settings else peer.train) if trains else peer.infer
    accuracy = run(task, arrays, clock)
    return {
        "peer": task.peer.name,
        "workload": task.workload.name,
        "epochs": task.epochs,
        "seed": task.seed,
        "threads": task.threads,
        "import_seconds": clock.import_seconds,
        "setup_seconds": clock.setup_seconds,
        "first_epoch_seconds": clock.epoch_seconds[0],
        "epoch_seconds": clock.epoch_seconds,
        "losses": clock.losses,
        "steps_by_threads": clock.steps,
        "accuracy": float(accuracy),
        "peak_bytes": peak_bytes(),
        "versions": {
            name: getattr(sys.modules.get(name), "__version__", "unknown") for name in ("numpy", *task.peer.requires)
        },
    }


if __name__ == "__main__":
    main()
