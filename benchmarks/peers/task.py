"""What a peer is asked for, and the clock that it reports to."""

from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from benchmarks.peers import Peer
from benchmarks.workloads import Workload


class Task(NamedTuple):
    """One training run."""

    peer: Peer
    workload: Workload
    epochs: int
    seed: int
    threads: int
    data: Path


class Clock:
    """Seconds of each part of a run, told from inside: ``ready()`` once, then ``epoch(loss)`` after each epoch."""

    def __init__(self) -> None:
        self.import_seconds = 0.0
        self.setup_seconds = 0.0
        self.epoch_seconds: list[float] = []
        self.losses: list[float] = []
        self._since = perf_counter()

    def _lap(self) -> float:
        since, self._since = self._since, perf_counter()
        return self._since - since

    def start(self) -> None:
        """Whatever came before belongs to no part."""
        self._lap()

    def imported(self) -> None:
        """The peer's modules are loaded."""
        self.import_seconds = self._lap()

    def ready(self) -> None:
        """Model, optimizer and whatever the peer compiles ahead are there; the epochs begin."""
        self.setup_seconds = self._lap()

    def epoch(self, loss: float) -> None:
        """An epoch with this mean training loss is done."""
        self.epoch_seconds.append(self._lap())
        self.losses.append(float(loss))
