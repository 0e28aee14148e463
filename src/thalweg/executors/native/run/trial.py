"""A trial of another number of threads: pieces that take turns with pieces of the chosen one, and what they say.

Threads that slept may have to share a core at first, until the system has moved them apart (the system of a virtual
machine's host moves its cores in the same way, which nobody sees from inside). It moves what runs long, not what runs
for a piece now and then: so more threads that are not better run on as long as that costs little.
"""

from __future__ import annotations

from statistics import median

BETTER = 0.97
"""The share of the chosen number's time that another may take at most to be chosen instead."""

SHIFTED = 1.2
"""When the chosen number's pieces become slower or quicker by this factor, the machine has changed."""

MOST_PIECES = 5
"""Of a trial on each side, if they do not agree earlier."""

MORE_SHARE, FEWER_SHARE = 0.02, 0.0025
"""The share of the time that trials of more threads, or of fewer, may cost from then on."""

PATIENCE_SECONDS = 0.25
"""How long more threads that are no better run on at most, if that costs nothing."""

PATIENCE_COST = MORE_SHARE * 0.15
"""What that may cost: 0.15 s pay for it."""


class Trial:
    """Pieces of the chosen number and of a rival that take turns."""

    def __init__(self, rival: int, ours: list[float]) -> None:
        self.rival = rival
        self.ours, self.theirs = ours, list[float]()
        self.cost = 0.0
        self.waited = False  # whether the rival has been given time to find cores
        self._patience = 0.0  # seconds of it that are left

    @property
    def is_rivals_turn(self) -> bool:
        return len(self.theirs) < len(self.ours) or self.is_waiting

    def took(self, step: float, seconds: float) -> None:
        """A piece of whoever's turn it was: seconds of each of its steps, and of all."""
        if not self.is_rivals_turn:
            self.ours.append(step)
            return
        self.cost += seconds * max(0.0, 1 - self.ours[-1] / step)
        if not self.is_waiting:
            self.theirs.append(step)
        elif step < BETTER * self.ours[-1]:  # now they have cores of their own: compared anew
            self.ours, self.theirs, self._patience = self.ours[-1:], [step], 0.0
        else:
            self._patience = self._patience - seconds if self.cost < PATIENCE_COST else 0.0

    @property
    def is_waiting(self) -> bool:
        return self._patience > 0

    def wait(self) -> bool:
        """Have the rival run on, in case that its threads find cores of their own; whether it may.

        It may once, if it looks as if they shared a core: as quick as fewer threads. Where another program keeps a core
        for itself they are much slower.
        """
        if self.waited or self.cost >= PATIENCE_COST or min(self.theirs) > SHIFTED * self.ours[-1]:
            return False
        self.waited, self._patience = True, PATIENCE_SECONDS
        return True

    def verdict(self, known: bool) -> bool | None:
        """Whether the rival is better; None if that is not clear yet.

        Arguments:
            known: whether the rival is known to be the slower one: then a piece that says the same is enough.
        """
        ours, theirs = self.ours, self.theirs
        if known and len(theirs) == 1 and theirs[0] >= ours[-1]:
            return False
        if len(theirs) < 2 or len(theirs) < len(ours):
            return None
        if max(theirs) < min(ours) * (BETTER if len(theirs) > 2 else 1 / SHIFTED):
            return True
        if min(theirs) >= max(ours):
            return False
        return median(theirs) < BETTER * median(ours) if len(theirs) == MOST_PIECES else None
