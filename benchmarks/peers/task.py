"""What a peer is asked for, and the clock that it reports to."""

from collections.abc import Sequence
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
        self.steps: dict[int, int] = {}
        """Of a peer that chooses how many threads it takes: how many steps were run on each number."""
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
        self.epochs([loss])

    def epochs(self, losses: Sequence[float]) -> None:
        """Several epochs are done that cannot be told apart from outside: each counts the same."""
        self.epoch_seconds += len(losses) * [self._lap() / len(losses)]
        self.losses += map(float, losses)

    def add(self, clocks: "Sequence[Clock]") -> None:
        """Runs one after the other, as one: the seconds are added up, part by part and epoch by epoch."""
        self.setup_seconds = sum(clock.setup_seconds for clock in clocks)
        self.epoch_seconds = [sum(seconds) for seconds in zip(*(clock.epoch_seconds for clock in clocks), strict=True)]
        self.losses = [sum(losses) / len(losses) for losses in zip(*(clock.losses for clock in clocks), strict=True)]
