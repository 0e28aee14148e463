"""Another process on the same cores: ``python -m benchmarks.contention``.

Seconds per epoch, the mean of all after the first, on a free machine; with a process that is busy for half a second in
every three; with one that keeps a core for itself. Beside the last, what one thread alone takes then, and exactly as
many threads as there are cores: a choice of the number of threads should come near the better of the two. A choice that
is not taken back, a split that waits for its slower half or a barrier that spins shows here.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import fmean, median
from typing import NamedTuple

from benchmarks.peers import PEERS, THALWEG
from benchmarks.runner import Job, Run, Workspace, describe, log, run_once, run_undisturbed
from benchmarks.table import markdown, number
from benchmarks.workloads import WORKLOADS

BUSY_SECONDS, PERIOD_SECONDS = 0.5, 3.0
BURN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
BURSTS = f"""import time
while True:
    time.sleep({PERIOD_SECONDS - BUSY_SECONDS})
    end = time.perf_counter() + {BUSY_SECONDS}
    while time.perf_counter() < end: pass"""
BURSTS_TARGET = 1.2
TAKEN_TARGET = 1.1


class Case(NamedTuple):
    """A column: what else runs, and how many threads are asked for (None: thalweg chooses)."""

    title: str
    disturbance: Callable[[], AbstractContextManager[None]]
    threads: int | None = None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contention")
    parser.add_argument("--workload", choices=WORKLOADS, default="mnist_mlp")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[THALWEG], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=11, help="some periods of the bursts should fit in")
    given = parser.parse_args()
    with Workspace() as workspace:
        rows = [measure(workspace, name, given) for name in given.peers]
    titles = ("bursts / free", "taken / better of the two")
    print(markdown(("peer", *(f"{case.title}, s/epoch" for case in CASES), *titles), rows))
    print(f"\nthalweg's ratios may be at most {BURSTS_TARGET} and {TAKEN_TARGET}.")


def measure(workspace: Workspace, name: str, given: argparse.Namespace) -> tuple[str, ...]:
    """One row of the table: the cases interleaved, round by round."""
    job = Job(WORKLOADS[given.workload], PEERS[name], "warm", given.epochs)
    run_once(workspace, job._replace(epochs=1))  # fills the cache
    seconds: dict[Case, list[float]] = {case: [] for case in CASES}
    for _ in range(given.rounds):
        for case in CASES:
            seconds[case].append(report(case.title, run_case(workspace, job, case)))
    free, bursts, taken, one, everyone = (median(seconds[case]) for case in CASES)
    ratios = (bursts / free, taken / min(one, everyone))
    times = map(number, (free, bursts, taken, one, everyone))
    return (job.peer.title, *times, *(f"{ratio:.2f}" for ratio in ratios))


def run_case(workspace: Workspace, job: Job, case: Case) -> Run:
    """One run, repeated if something else than the case's own process disturbed it, where that can be told."""
    threads = case.threads or job.threads
    with told(case.threads), case.disturbance():
        run = run_undisturbed if case.disturbance is nullcontext else run_once
        return run(workspace, job._replace(threads=threads))


def report(title: str, run: Run) -> float:
    """Say it on stderr; the mean of the epochs after the first, in which bursts count as long as they last."""
    log(title, describe(run))
    epochs = run.result["epoch_seconds"]
    return fmean(epochs[1:] or epochs)


@contextmanager
def told(threads: int | None) -> Iterator[None]:
    """Exactly so many threads, for thalweg; the other peers are kept to cores anyway."""
    if threads is not None:
        os.environ["THALWEG_THREADS"] = str(threads)
    try:
        yield
    finally:
        os.environ.pop("THALWEG_THREADS", None)


@contextmanager
def beside(*command: str) -> Iterator[None]:
    """Another process of Python."""
    other = subprocess.Popen([sys.executable, "-c", *command])
    try:
        yield
    finally:
        other.kill()
        other.wait()


def bursts() -> AbstractContextManager[None]:
    """A process that is busy now and then, wherever the system puts it."""
    return beside(BURSTS)


def busy_core() -> AbstractContextManager[None]:
    """A process that never rests, on the first core."""
    return beside(BURN, str(min(os.sched_getaffinity(0))))


CASES = (
    Case("free", nullcontext),
    Case("bursts", bursts),
    Case("one core taken", busy_core),
    Case("taken, one thread", busy_core, 1),
    Case("taken, all threads", busy_core, os.cpu_count() or 1),
)


if __name__ == "__main__":
    main()
