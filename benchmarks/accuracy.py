"""Test accuracy over seeds: ``python -m benchmarks.accuracy``.

784-512-10, batch 128, five epochs, seeds 0 to 4, with Adam and with RMSprop, each in float32 and by the policy
"mixed_bfloat16".
"""

import argparse
import os
import statistics

from benchmarks.peers import PEERS, THALWEG
from benchmarks.runner import Job, Workspace, describe, log, run_once
from benchmarks.table import markdown
from benchmarks.workloads import WORKLOADS

TARGETS = {"mnist_mlp": 0.980, "mnist_mlp_bf16": 0.979, "mnist_mlp_rmsprop": 0.979, "mnist_mlp_rmsprop_bf16": 0.978}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[THALWEG], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    rows = []
    with Workspace() as workspace:
        for name in given.peers:
            for workload in filter(PEERS[name].supports, map(WORKLOADS.__getitem__, TARGETS)):
                job = Job(workload, PEERS[name], "warm", given.epochs, threads=given.threads)
                accuracies = [accuracy(workspace, job._replace(seed=seed)) for seed in range(given.seeds)]
                rows.append(row(job, accuracies))
    print(markdown(("peer", "workload", "median", "lowest", "highest", "at least"), rows))


def accuracy(workspace: Workspace, job: Job) -> float:
    """Final test accuracy of one seed."""
    run = run_once(workspace, job)
    log(f"seed {job.seed}:", describe(run))
    return float(run.result["accuracy"])


def row(job: Job, accuracies: list[float]) -> tuple[str, ...]:
    """One line of the table."""
    figures = statistics.median(accuracies), min(accuracies), max(accuracies), TARGETS[job.workload.name]
    return (job.peer.title, job.workload.name, *(f"{figure:.4f}" for figure in figures))


if __name__ == "__main__":
    main()
