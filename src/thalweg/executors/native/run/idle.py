"""How many cores nobody uses, as the system counts it."""

from __future__ import annotations

import os
import time
from pathlib import Path

COUNTS = Path("/proc/stat")
"""Linux writes here what its cores have done since it was started, in ticks. Other systems have no such file."""

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01

GAP = 1.3
"""If so many times as long has passed, the time was not spent running alone, and what cores did says nothing."""

TOO_LONG_SECONDS = 2e-4
"""What looking may take: with hundreds of cores the system adds up for a millisecond."""


class IdleCores:
    """Looks now and then."""

    def __init__(self, counts: Path = COUNTS) -> None:
        """Arguments: counts: a file as Linux has it."""
        self._counts: Path | None = counts
        self._idle_seconds, self._at = 0.0, 0.0

    def since(self, seconds: float) -> float | None:
        """How many cores were idle on average since the last call.

        None if that is not known, or if much more than so many seconds have passed since then.
        """
        if self._counts is None:
            return None
        before, at = self._idle_seconds, self._at
        self._at, began = time.perf_counter(), time.thread_time()
        try:
            with self._counts.open("rb", buffering=0) as file:
                _, _, _, _, idle, waiting, *_ = file.read(200).split()  # user, nice, system, idle, for a disk, ...
            self._idle_seconds = (int(idle) + int(waiting)) * TICK_SECONDS
        except (OSError, ValueError):
            self._counts = None
            return None
        if time.thread_time() - began > TOO_LONG_SECONDS:
            self._counts = None
        passed = self._at - at
        return (self._idle_seconds - before) / passed if passed < GAP * seconds else None
