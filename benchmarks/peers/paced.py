"""Trains a network in this process, a piece at a time, as the parent says; see ``benchmarks.pieces``.

python -m benchmarks.peers.paced torch_memory mnist_mlp --data /tmp/arrays
python -m benchmarks.peers.paced torch_memory 0 3 --data /tmp/arrays

The first epoch runs at once, and an empty report follows. Then each line of the input is a number of epochs; they are
run, and a line of the output reports them. The end of the input ends the process.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.disturbance import busy_seconds, foreign_seconds
from benchmarks.peers import PEERS
from benchmarks.peers.__main__ import limit_threads
from benchmarks.peers.task import Clock, Task
from benchmarks.random_networks import network
from benchmarks.workloads import ON_GPU, WORKLOADS, Workload

ENDLESS = 1_000_000  # epochs: more than are ever asked for
SEED = 0  # of the weights


class PacedClock(Clock):
    """A clock that holds its peer after each piece until the next is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 1
        self._begin()

    def epochs(self, losses: Sequence[float]) -> None:
        """Count them; at the end of a piece report and wait."""
        self._left -= len(losses)
        if self._left > 0:
            return
        seconds, own, busy = perf_counter() - self._start, process_time() - self._own, busy_seconds()
        foreign = foreign_seconds(self._busy, busy, own)
        report = {"seconds": seconds, "foreign": foreign, "loss": float(losses[-1]), "threads": self.steps}
        print(json.dumps(report), flush=True)
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        self._left, self.steps = int(line), {}
        self._begin()

    def _begin(self) -> None:
        self._busy, self._own, self._start = busy_seconds(), process_time(), perf_counter()


def main() -> None:
    """Parse, load, train until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.paced")
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("network", nargs="+", help="the name of a workload, or seed and row of a random network")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", type=Path, required=True, help="folder of the arrays")
    given = parser.parse_args()
    limit_threads(given.threads)
    os.environ.update(dict(PEERS[given.peer].environment))
    task = Task(PEERS[given.peer], found(given.network), ENDLESS, SEED, given.threads, given.data)
    peer = import_module(f"benchmarks.peers.{task.peer.module}")
    from benchmarks.arrays import load_arrays  # here, because NumPy reads the number of threads when it is loaded

    peer.train(task, load_arrays(given.data), PacedClock())


def found(given: Sequence[str]) -> Workload:
    """A workload by its name, or a random network by seed and row."""
    if len(given) == 1:
        return (WORKLOADS | ON_GPU)[given[0]]
    seed, row = map(int, given)
    return network(seed, row)


if __name__ == "__main__":
    main()
