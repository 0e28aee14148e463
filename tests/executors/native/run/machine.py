"""A machine that is only simulated: its clock says what steps take on some threads while other programs come and go."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from thalweg.executors.native.run.chooser import ThreadChooser, candidates

STARVED = 2.2
"""How much longer a step takes with one thread more than there are free cores: the late thread has half a core, and
the others wait for it; a little more is lost in between."""

CROWDED = 1.05
"""How much longer than on one thread a step takes on several that share a core."""


@dataclass(frozen=True)
class Step:
    """What a step takes where nothing disturbs it.

    Attributes:
        work: seconds that threads share.
        alone: seconds of what cannot be divided.
        barriers, barrier: how many there are, and the seconds that each takes for every thread after the first.
        stream: the share of ``work`` that the memory limits: no quicker on more than two threads.
    """

    work: float
    alone: float = 0.0
    barriers: int = 10
    barrier: float = 0.3e-6
    stream: float = 0.0

    def seconds(self, threads: int, memory: float = 1.0) -> float:
        computed = self.work * (1 - self.stream) / threads
        streamed = self.work * self.stream * memory / min(threads, 2)
        return computed + streamed + self.alone + self.barriers * self.barrier * (threads - 1)


@dataclass(frozen=True)
class Period:
    """From ``start`` on, so many cores are taken, and the memory is slower by a factor.

    ``starved``: how much longer a step takes with more threads than free cores, if there are several.
    """

    start: float
    taken: int = 0
    memory: float = 1.0
    starved: float = STARVED


@dataclass
class Machine:
    """Runs steps. ``noise`` is the deviation of a piece's logarithm; one piece in ``outliers`` takes twice as long.

    ``crowded``: seconds that several threads run on end before the system gives each a core; until then they share one.
    """

    step: Step
    cores: int = 2
    periods: Sequence[Period] = (Period(0.0),)
    noise: float = 0.0
    outliers: int = 0
    crowded: float = 0.0
    entry: float = 50e-6  # of a call on several threads
    now: float = 0.0
    threads: int = 1  # of the last steps
    together: float = 0.0  # seconds that several threads have run on end
    lost: float = 0.0  # seconds more than on the best number of threads, noise aside
    random: random.Random = field(default_factory=lambda: random.Random(0))

    def step_seconds(self, threads: int, at: float) -> float:
        period = [period for period in self.periods if period.start <= at][-1]
        if threads > 1 and self.crowded > 0:
            return CROWDED * self.step.seconds(1, period.memory)
        factor = 1.0
        if threads > self.cores - period.taken:
            factor = STARVED if threads == 1 else period.starved
        return self.step.seconds(threads, period.memory) * factor

    def best(self, at: float) -> int:
        """The number that is quickest then."""
        return min(candidates(self.cores), key=lambda threads: self.step_seconds(threads, at))

    def run(self, threads: int, steps: int) -> float:
        """Seconds that so many steps take now."""
        factor = math.exp(self.random.gauss(0, self.noise))
        self.threads = threads
        if self.outliers and self.random.randrange(self.outliers) == 0:
            factor *= 2
        began = self.now
        entry = self.entry if threads > 1 else 0.0
        self.now += entry
        self.lost += entry
        while steps:
            seconds = self.step_seconds(threads, self.now)
            until = min((period.start for period in self.periods if period.start > self.now), default=math.inf)
            some = steps if until == math.inf else min(steps, math.ceil((until - self.now) / (factor * seconds)))
            self.lost += some * (seconds - self.step_seconds(self.best(self.now), self.now))
            self.now += some * factor * seconds
            steps -= some
        self.together = self.together + self.now - began if threads > 1 else 0.0
        if self.together >= self.crowded:
            self.crowded = 0.0
        return self.now - began

    def idle(self, _: float) -> float:
        """How many cores nobody uses: what a system would say if it counted in no time."""
        taken = [period.taken for period in self.periods if period.start <= self.now][-1]
        return max(0.0, self.cores - taken - self.threads)

    def predicted(self, wrong: Mapping[int, float] | None = None) -> dict[int, float]:
        """What the chooser is told at first: the truth, for some numbers of threads wrong by a factor."""
        return {n: self.step.seconds(n) * (wrong or {}).get(n, 1.0) for n in candidates(self.cores)}


@dataclass
class Trace:
    """When which number of threads was the chosen one."""

    chosen: list[tuple[float, int]] = field(default_factory=list)

    def at(self, time: float) -> int:
        return [threads for start, threads in self.chosen if start <= time][-1]


def simulate(machine: Machine, chooser: ThreadChooser, seconds: float, call_seconds: float = 0.1) -> Trace:
    """Runs calls for so long, the first of a single step, as training does."""
    trace = Trace([(machine.now, chooser.threads)])
    end, steps = machine.now + seconds, 1
    while machine.now < end:
        began, left = machine.now, steps
        while left:
            threads, some = chooser.next(left)
            assert 1 <= some <= left
            chooser.took(some, machine.run(threads, some))
            left -= some
            if chooser.threads != trace.chosen[-1][1]:
                trace.chosen.append((machine.now, chooser.threads))
        steps = max(1, int(steps * call_seconds / (machine.now - began)))
    return trace
