"""How many threads to use: predicted at first, measured from then on.

Results do not depend on the number of threads, so it may change after any step. A run is made of *pieces*, some
milliseconds of steps on one number of threads, and each piece is a measurement. Now and then there is a *trial*: pieces
on another number take turns with pieces on the chosen one, so that both meet the same disturbances, until one of the
two is clearly quicker.

- Nothing is decided by a single piece: two or three on each side must agree, else the medians of five.
- More threads may have become the better choice without any sign of it (another program ended): they are tried again
  and again. Fewer become the better choice when more become slower, which the chosen number's own pieces show: they
  are looked at again at once when those change, and seldom otherwise.
- If the system says that cores have been idle that more threads would have, these are tried at once, and once: what was
  measured when others used those cores is of the past.
- A trial costs what its pieces take longer than they would have on the chosen number. Trials are made as often as a
  small share of the time pays for.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from statistics import median

from thalweg.executors.native.run.trial import FEWER_SHARE, MORE_SHARE, SHIFTED, Trial
from thalweg.fields import dataclass

PIECE_SECONDS = 0.004
"""A piece of a trial: longer than a turn of another program on the same core, or it would not see that program."""

SETTLED_SECONDS = 0.02
"""A piece when nothing is tried. To begin a piece on several threads takes some 50 us."""

PURSE_SECONDS = 0.03
"""What trials may cost at the beginning, when they are worth most."""

MOST_SLOWER = 3.0
"""By what factor more threads are thought to be slower at most before they have been tried."""

MOST_WRONG = 4.0
"""By what factor a prediction is too short at most: steps that take longer than that on more threads are disturbed."""

REFILL_SECONDS = 1.0
"""When steps have become quicker the purse is as full as at the beginning, if it was not for so long.

What it cost to try more threads on a machine that others used says little about one that they have left.
"""

REST_SECONDS = 0.1
"""Between two trials of the same number, however little they cost."""

LOOK_SECONDS = 0.1
"""How often is looked whether cores are idle that more threads would have: the system counts hundredths of a second."""

NEARLY = 0.3
"""So much of a core may be busy that counts as idle: this process has other threads, and counting is coarse."""

USUAL_PIECES = 5
"""How many of the last pieces say what is usual."""


LEARNED_PROGRAMS = 256
"""Of so many programs what was measured is kept: a process that compiles ever new ones does not grow by it."""

_learned: dict[str, dict[int, float]] = {}


def learned_of(key: str) -> dict[int, float]:
    """What the steps of a program took on each number of threads, empty at first: for the next model that is alike.

    It is forgotten when many others have been asked for since. One thread at a time may ask.
    """
    learned = _learned[key] = _learned.pop(key, {})
    if len(_learned) > LEARNED_PROGRAMS:
        del _learned[next(iter(_learned))]
    return learned


def candidates(most: int) -> list[int]:
    """The numbers of threads to choose from: doubled again and again up to all, and all but one.

    All but one is what is quickest when another program keeps one core for itself.
    """
    doubled = [1 << i for i in range(most.bit_length()) if 1 << i <= most]
    return sorted({*doubled, max(most - 1, 1), most})


@dataclass
class _Arm:
    """A number of threads: what a step takes on it, and when it may be tried (in seconds of running from now)."""

    seconds: float
    predicted: float
    beside: float | None = None  # what a step took on the other number of its last trial
    measured: bool = False
    known: bool = False  # whether a whole trial has compared it with the chosen number since the machine changed
    wait: float = 0.0
    idle: bool = False  # whether the cores were idle, when last looked, that it has more than the chosen number
    tried: bool = False  # whether a trial has been made of it since they are


class ThreadChooser:
    """Says how many threads run how many of the next steps, and is told what they took. Has no clock of its own."""

    def __init__(
        self,
        predicted: Mapping[int, float],
        learned: dict[int, float] | None = None,
        idle: Callable[[float], float | None] = lambda _: None,
    ) -> None:
        """Made of what is known beforehand.

        Arguments:
            predicted: seconds of a step, for each number of threads.
            learned: what was measured of some of them earlier, in the same way; kept up to date.
            idle: tells how many cores were idle in the last seconds, of which there are as many as it is given; None if
                that is not known.
        """
        self._idle = idle
        self._unseen = 0.0  # seconds of running since it was asked
        self._learned = {} if learned is None else learned
        self._arms = {count: _Arm(seconds, seconds) for count, seconds in sorted(predicted.items())}
        for count, seconds in dict(self._learned).items():
            if count in self._arms:
                self._measure(self._arms[count], seconds)
        self.threads = min(self._arms, key=lambda count: self._arms[count].seconds)
        """The chosen number."""
        self._trial: Trial | None = None
        self._purse = PURSE_SECONDS
        self._since_refill = 0.0  # seconds of running
        self._quicker = False  # whether steps have become quicker since
        self._usual: deque[float] = deque(maxlen=USUAL_PIECES)
        self._unusual: float | None = None  # the last piece, if it was not as usual
        self._steps, self._seconds = 0, 0.0  # of the piece that has begun

    def next(self, steps: int) -> tuple[int, int]:
        """A number of threads, and how many of the next steps, of which there are ``steps``, it should run."""
        arm = self._arms[self._turn]
        if not arm.measured:
            return self._turn, 1
        left = self._piece_seconds - self._seconds
        return self._turn, max(1, min(steps, math.ceil(left / max(arm.seconds, 1e-9))))

    def took(self, steps: int, seconds: float) -> None:
        """What the steps that ``next`` asked for have taken, or the first of them."""
        self._purse += MORE_SHARE * seconds
        self._since_refill += seconds
        self._unseen += seconds
        for arm in self._arms.values():
            arm.wait -= seconds
        self._steps += steps
        self._seconds += seconds
        arm = self._arms[self._turn]
        if not arm.measured:
            self._measure(arm, seconds / steps)
        if self._seconds < self._piece_seconds:
            return
        piece, lasted = self._seconds / self._steps, self._seconds
        self._steps, self._seconds = 0, 0.0
        if self._trial is None:
            self._settled(piece)
        else:
            self._trial.took(piece, lasted)
            self._judge(self._trial)

    @property
    def _turn(self) -> int:
        """The number of threads that runs the next steps."""
        return self._trial.rival if self._trial is not None and self._trial.is_rivals_turn else self.threads

    @property
    def _piece_seconds(self) -> float:
        short = self._trial is not None or self._unusual is not None or not self._usual
        return PIECE_SECONDS if short else SETTLED_SECONDS

    def _measure(self, arm: _Arm, seconds: float) -> None:
        """The first measurement of all says by how much the predictions are wrong."""
        if not any(other.measured for other in self._arms.values()):
            factor = seconds / max(arm.seconds, 1e-12)
            for other in self._arms.values():
                other.seconds *= factor
        arm.seconds, arm.measured = seconds, True

    def _learn(self) -> None:
        for count, arm in self._arms.items():
            if arm.measured:
                self._learned[count] = arm.seconds

    def _settled(self, piece: float) -> None:
        """A piece of the chosen number when nothing is tried."""
        arm = self._arms[self.threads]
        arm.seconds = piece
        usual = median(self._usual) if self._usual else piece
        unusual = not usual / SHIFTED < piece < usual * SHIFTED
        if not unusual:
            self._unusual = None
        elif self._unusual is None:
            self._unusual = piece
            return
        pieces = [piece]
        if self._unusual is not None:  # twice
            pieces = [self._unusual, piece]
            self._unusual = None
            self._usual.clear()
            self._forget()
            self._quicker |= piece < usual
        self._usual += pieces
        if self._quicker and self._since_refill >= REFILL_SECONDS:
            self._purse = max(self._purse, PURSE_SECONDS)
            self._quicker, self._since_refill = False, 0.0
        if self._unseen >= LOOK_SECONDS:
            self._look()
        self._begin_trial(pieces)

    def _look(self) -> None:
        """Which rivals would have cores that nobody uses."""
        idle, self._unseen = self._idle(self._unseen), 0.0
        for count in self._rivals():
            arm = self._arms[count]
            arm.idle = idle is not None and count > self.threads and idle >= count - self.threads - NEARLY
            arm.tried &= arm.idle

    def _forget(self) -> None:
        """What was known of the other numbers is of the past."""
        for count, arm in self._arms.items():
            if count != self.threads:
                arm.known, arm.wait = False, 0.0

    def _begin_trial(self, pieces: list[float]) -> None:
        due = [count for count in self._rivals() if self._arms[count].wait <= 0]
        paid = [count for count in due if self._arms[count].known or 2 * self._cost(count) <= self._purse]
        invited = [count for count in self._rivals() if self._arms[count].idle and not self._arms[count].tried]
        if invited or paid:
            rival = min(invited or paid, key=lambda count: (self._arms[count].wait, -count))
            self._arms[rival].tried = self._arms[rival].idle
            if invited:
                self._arms[rival].known = False
            self._trial = Trial(rival, pieces)

    def _rivals(self) -> list[int]:
        """The next larger and smaller number, and all: time has one minimum, but for work that divides unevenly."""
        counts = list(self._arms)
        at = counts.index(self.threads)
        return sorted({*counts[max(at - 1, 0) : at + 2], counts[-1]} - {self.threads})

    def _cost(self, rival: int) -> float:
        """Seconds that a piece of a trial is expected to lose."""
        ours, arm = self._arms[self.threads].seconds, self._arms[rival]
        theirs = arm.seconds
        if not arm.measured:  # a prediction, which may be wrong by any factor
            fewer = rival < self.threads
            most = min(ours * self.threads / rival, MOST_WRONG * arm.predicted) if fewer else MOST_SLOWER * ours
            theirs = min(theirs, most)
        elif not arm.known and arm.beside is not None:  # what has changed the chosen number's steps has changed these
            theirs *= ours / arm.beside
        return max(PIECE_SECONDS, theirs) * max(0.0, 1 - ours / theirs)

    def _judge(self, trial: Trial) -> None:
        """After each piece of a trial."""
        if trial.is_waiting:
            return
        rival = self._arms[trial.rival]
        better = trial.verdict(rival.known)
        if better is None or (not better and trial.rival > self.threads and trial.wait()):
            return
        chosen = self._arms[self.threads]
        rival.seconds, chosen.seconds = median(trial.theirs), median(trial.ours)
        rival.beside, chosen.beside = chosen.seconds, rival.seconds
        self._trial = None
        self._purse -= trial.cost
        if better:
            loser, self.threads = self.threads, trial.rival
            self._forget()
            self._usual.clear()
            self._usual.append(rival.seconds)
        else:
            loser = trial.rival
        self._rest(loser)
        self._learn()

    def _rest(self, loser: int) -> None:
        """How long the loser of a trial is not tried again: until its share of the time has paid for it."""
        arm = self._arms[loser]
        arm.known = True
        more = sum(rival > self.threads for rival in self._rivals())
        share = MORE_SHARE / more if loser > self.threads else FEWER_SHARE
        arm.wait = max(REST_SECONDS, self._cost(loser) / share)
