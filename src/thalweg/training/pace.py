"""How much of the work one call of a program does."""

from __future__ import annotations

RETURN_SECONDS = 0.1
"""How long a call of the program should take: Ctrl-C, time and the progress line are looked at between calls."""


class Pace:
    """How many steps to run per call, from how long the last ones took.

    Arguments:
        single: one step a call, because somebody watches every batch.
    """

    def __init__(self, single: bool) -> None:
        self.single = single
        self.steps = 1  # the first call is a probe

    def measured(self, steps: int, seconds: float) -> None:
        """Takes note that so many steps took so many seconds."""
        if not self.single:
            self.steps = max(1, int(steps * RETURN_SECONDS / max(seconds, 1e-7)))
