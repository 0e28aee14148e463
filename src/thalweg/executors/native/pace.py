"""How many threads to use: predicted at first, measured from then on.

Results do not depend on the number of threads, so it may change at any step. Now and then a few steps run with the
other number, and the quicker one does the rest: two threads that share little gain much, two that exchange much lose,
and where another program keeps one core busy a single thread is quicker than two of which one is always late.
"""

from __future__ import annotations

FEWEST_STEPS = 32
"""Calls of fewer steps are too short to measure anything in."""

TRIAL_SHARE = 64
"""One in so many steps of a call goes to a trial."""

TRIAL_EVERY = 8
"""Calls from one trial to the next, after the first two."""


class Pace:
    """Chooses between one thread and all of them."""

    def __init__(self, one: float, all_of: float) -> None:
        """Predicted seconds of a step on one thread, and on all."""
        self._seconds = {False: one, True: all_of}
        self._calls = 0

    def parts(self, steps: int) -> list[tuple[bool, int]]:
        """How to run so many steps: (whether on all threads, up to which step), in order."""
        best = self._seconds[True] < self._seconds[False]
        if steps < FEWEST_STEPS:
            return [(best, steps)]
        self._calls += 1
        if self._calls > 2 and self._calls % TRIAL_EVERY:
            return [(best, steps)]
        return [(not best, max(2, steps // TRIAL_SHARE)), (best, steps)]

    def note(self, everyone: bool, steps: int, seconds: float) -> None:
        """What a part of a call has taken."""
        if steps >= 2:
            self._seconds[everyone] = seconds / steps
