"""How many threads to use: predicted at first, measured from then on.

Results do not depend on the number of threads, so it may change at any step. Now and then some steps run with the
other number, and the quicker one does the rest: two threads that share little gain much, two that exchange much lose,
and where another program keeps one core busy a single thread is quicker than two of which one is always late.
"""

from __future__ import annotations

import math

FEWEST_STEPS = 32
"""Calls of fewer steps are too short to measure anything in."""

TRIAL_SECONDS = 0.015
"""A trial lasts longer than the system's time slices, or it would not see another program at all."""

WAIT_CALLS = (4, 64)
"""Calls from one trial to the next: at first, and at most. Each trial that changes nothing doubles it."""

SLOWER = 1.2
"""When the chosen number becomes slower by this factor the other is tried at once."""


class ThreadChooser:
    """Chooses between one thread and all of them."""

    def __init__(self, one: float, everyone: float) -> None:
        """Predicted seconds of a step on one thread, and on all."""
        self._seconds = {False: one, True: everyone}
        self._usual = math.inf  # what the chosen number took when it was chosen
        self._wait, self._left = WAIT_CALLS[0], 0

    @property
    def best(self) -> bool:
        """Whether all threads are quicker than one."""
        return self._seconds[True] < self._seconds[False]

    def trial(self, steps: int) -> int:
        """How many of the steps of a call to run with the other number first; mostly 0."""
        if steps < FEWEST_STEPS:
            return 0
        self._left -= 1
        if self._left >= 0:
            return 0
        return min(steps // 2, 1 + int(TRIAL_SECONDS / self._seconds[not self.best]))

    def tried(self, everyone: bool, seconds: float) -> None:
        """What a step has taken in a trial."""
        before = self.best
        self._seconds[everyone] = seconds
        changed = self.best is not before
        self._wait = WAIT_CALLS[0] if changed else min(2 * self._wait, WAIT_CALLS[1])
        self._left = self._wait
        self._usual = math.inf

    def took(self, everyone: bool, seconds: float) -> None:
        """What a step has taken in the rest of a call."""
        self._seconds[everyone] = seconds
        if seconds > SLOWER * self._usual:
            self._left = 0
        self._usual = min(self._usual, seconds)
