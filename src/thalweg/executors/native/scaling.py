"""How long a step takes on several threads, as predicted: what the choice of their number begins with."""

from __future__ import annotations

from typing import NamedTuple

BARRIER_SECONDS = 0.6e-6
"""What a barrier costs two threads, with the wait for the slower one."""

POLL_SECONDS = 0.05e-6
"""What it costs more for every other thread: its number at the barrier has to come from its core's cache."""

LINE_SECONDS = 12e-9
"""What it costs to take a cache line over from another core: measured 9 ns to read, and some to write it again."""


class Scaling(NamedTuple):
    """What makes up the time of a step.

    Attributes:
        work_seconds: of all tasks, on one thread.
        fetch_seconds: to take all that tasks need whole from the cache of another core.
        barriers: how many there are.
    """

    work_seconds: float
    fetch_seconds: float
    barriers: int

    def seconds(self, threads: int) -> float:
        """Of n threads each does an n-th of the work and fetches what the others, n - 1 of n, have computed."""
        if threads == 1:
            return self.work_seconds
        barrier = BARRIER_SECONDS + POLL_SECONDS * (threads - 2)
        fetched = self.fetch_seconds * (threads - 1) / threads
        return self.work_seconds / threads + fetched + self.barriers * barrier
