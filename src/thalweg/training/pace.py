"""How much of the work one call of a program does."""

from __future__ import annotations

import numpy as np

RETURN_SECONDS = 0.1
"""How long a call of the program should take: Ctrl-C, time and the progress line are looked at between calls."""


class Pace:
    """How many steps to run per call, from how long the last ones of as many rows took.

    Arguments:
        single: one step a call, because somebody watches every batch.
    """

    def __init__(self, single: bool) -> None:
        self.single = single
        self._steps: dict[int, int] = {}  # by rows of a step: the few of a last batch say nothing about the others

    def steps(self, rows: int) -> int:
        """How many steps of so many rows to run in the next call: the first one is a probe."""
        return self._steps.get(rows, 1)

    def measured(self, index: np.ndarray, seconds: float) -> None:
        """Takes note that a step for each row of ``index`` took so many seconds altogether."""
        if not self.single:
            steps, rows = index.shape
            self._steps[rows] = max(1, int(steps * RETURN_SECONDS / max(seconds, 1e-7)))
