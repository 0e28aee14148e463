"""Another busy process on one core: ``python -m benchmarks.contention``.

Seconds per epoch with all threads while something else keeps one core busy, beside one thread alone on a free core.
A split that waits for its slower half, or a barrier that spins, shows here.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.peers import PEERS, THALWEG
from benchmarks.runner import Job, Run, Workspace, describe, log, run_once, run_undisturbed
from benchmarks.table import markdown, medians, number
from benchmarks.workloads import WORKLOADS

BURN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
TARGET = 1.15


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contention")
    parser.add_argument("--workload", choices=WORKLOADS, default="mnist_mlp")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[THALWEG], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    given = parser.parse_args()
    with Workspace() as workspace:
        rows = [measure(workspace, name, given) for name in given.peers]
    print(markdown(("peer", "all threads, free s/epoch", "one thread alone", "one core taken", "ratio"), rows))
    print(f"\nratio: one core taken / one thread alone; thalweg's may be at most {TARGET}.")


def measure(workspace: Workspace, name: str, given: argparse.Namespace) -> tuple[str, ...]:
    """One row of the table: the three cases interleaved, round by round."""
    every = Job(WORKLOADS[given.workload], PEERS[name], epochs=given.epochs)
    alone = every._replace(threads=1)
    free, single, taken = [], [], []
    for _ in range(given.rounds):
        free.append(report("free", run_undisturbed(workspace, every)))
        single.append(report("one thread", run_undisturbed(workspace, alone)))
        with busy_core():
            taken.append(report("one core taken", run_once(workspace, every)))
    seconds = [medians(runs).epoch_seconds for runs in (free, single, taken)]
    return (every.peer.title, *map(number, seconds), f"{seconds[2] / seconds[1]:.2f}")


def report(case: str, run: Run) -> Run:
    """Say it on stderr."""
    log(case, describe(run))
    return run


@contextmanager
def busy_core() -> Iterator[None]:
    """A process that never rests, pinned to the first core."""
    core = min(os.sched_getaffinity(0))
    burner = subprocess.Popen([sys.executable, "-c", BURN, str(core)])
    try:
        yield
    finally:
        burner.kill()
        burner.wait()


if __name__ == "__main__":
    main()
