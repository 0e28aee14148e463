"""What measuring the layers costs a training: every 50th step, on each workload.

``python -m benchmarks.measured_steps [--workload tiny_mlp resnet20] [--seconds 5]``. In every other epoch of one
training steps are measured, so that what else the machine does falls on both; what one takes longer, its call included,
is divided by 50 others (``LayerStatistics``). Where steps are short ``Doctor(every=50)`` measures fewer, which is
measured beside it. Seconds are the processor's, on one thread: others would wait. Numbers are drawn: what layers
compute does not matter.
"""

from __future__ import annotations

import argparse
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np

import thalweg
from benchmarks.machine import describe_machine
from benchmarks.peers.keras_like import compiled_model
from benchmarks.workloads import WORKLOADS, Workload
from thalweg.callbacks import LayerStatistics
from thalweg.record.events import EpochBegun, EpochEnded, Event, Measured
from thalweg.training.measuring import Sparing

EVERY = 50
STEPS, FEWEST, MOST_NUMBERS = 50_000, 16, 1 << 25
"""In an epoch: where that takes a small part of the seconds; where steps are long. Of inputs."""

JOBS = [name for name, job in WORKLOADS.items() if job.what == "train" and len(job.networks) == 1]


class EveryOther(LayerStatistics):
    """Measures in epochs of odd numbers.

    Arguments:
        sparing: whether as the doctor does, which measures no more than costs little.

    Attributes:
        epochs: the seconds of each, and how many of its steps were measured.
    """

    def __init__(self, every: int, sparing: bool = False) -> None:
        super().__init__(every)
        self.epochs: list[tuple[float, int]] = []
        self._count, self._began = 0, 0.0
        self._sparing = Sparing(every) if sparing else None

    def measures_in(self, step: int) -> int | None:
        if len(self.epochs) % 2 == 0:
            return None
        return super().measures_in(step) if self._sparing is None else self._sparing.measures_in(step)

    def hear(self, event: Event) -> None:
        if isinstance(event, Measured):
            self._count += 1
            if self._sparing is not None:
                self._sparing.took(event.total_steps)
        if isinstance(event, EpochBegun):
            self._began = process_time()
        if isinstance(event, EpochEnded):
            self.epochs.append((process_time() - self._began, self._count))
            self._count = 0

    def found(self) -> np.ndarray:
        """Of each pair of epochs but the first: seconds without and with, and how many steps were measured."""
        pairs = np.array(self.epochs).reshape(-1, 4)
        return pairs[1:, [0, 2, 3]]


class Found(NamedTuple):
    """Seconds, but for the last two."""

    step: float
    longer: float  # a measured step than another
    plain: float  # the first fit, of one step
    measured: float  # the first that measures
    steps: float  # from one measured step to the next, as the doctor does it
    share: float  # of the time, that this costs


def cost(workload: Workload, seconds: float) -> Found:
    """What measuring costs.

    Arguments:
        seconds: to measure for, compiling apart.
    """
    thalweg.utils.set_random_seed(0)
    model = compiled_model(thalweg, workload)
    rows, random, shape = workload.batch_size, np.random.default_rng(0), workload.source.shape
    most = max(FEWEST, min(STEPS, MOST_NUMBERS // (workload.source.features * rows)))
    x = random.random((most * rows, *shape), np.float32)
    y = random.integers(0, workload.source.classes, len(x))

    def fit(steps: int, epochs: int, *callbacks: LayerStatistics) -> float:
        began, end = perf_counter(), steps * rows
        model.fit(x[:end], y[:end], batch_size=rows, epochs=epochs, threads=1, verbose=0, callbacks=list(callbacks))
        return perf_counter() - began

    plain, measured = fit(1, 1), fit(1, 1, LayerStatistics(1))
    step = min(fit(8, 1) for _ in range(3)) / 8
    some = max(8, min(most, int(seconds / 16 / step)))
    step = min(step, *(fit(some, 1) / some for _ in range(2)))
    steps = min(len(x) // rows, max(FEWEST, int(seconds / 16 / step)))
    epochs = 2 * max(3, int(seconds / 4 / (steps * step)))
    watches = EveryOther(min(EVERY, steps // 4)), EveryOther(EVERY, sparing=True)
    for watch in watches if steps > EVERY else watches[:1]:
        fit(steps, epochs, watch)
    found = watches[0].found()
    alone = float(np.median(found[:, 0])) / steps
    longer = float(np.median((found[:, 1] - found[:, 0]) / found[:, 2]))
    if steps <= EVERY:
        return Found(alone, longer, plain, measured, EVERY, longer / (EVERY * alone))
    found = watches[1].found()
    share = float(np.median(found[:, 1] / found[:, 0])) - 1
    return Found(alone, longer, plain, measured, steps / float(found[:, 2].mean()), share)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", nargs="+", choices=JOBS, default=JOBS, metavar="NAME")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each workload, compiling apart")
    given = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in describe_machine().items()), end="\n\n")
    columns = ("step, ms", "longer by, ms", "one in 50", "the doctor's one in", "costs", "first fit, s", "measured, s")
    print("| workload |", " | ".join(columns), "|")
    print("| --- |", " | ".join(["---:"] * len(columns)), "|")
    for name in given.workload:
        of = cost(WORKLOADS[name], given.seconds)
        every = of.longer / (EVERY * of.step)
        figures = (f"{1e3 * of.step:.4g}", f"{1e3 * of.longer:.3g}", f"{every:.1%}", f"{of.steps:.0f}")
        print("|", " | ".join((name, *figures, f"{of.share:.1%}", f"{of.plain:.2f}", f"{of.measured:.2f}")), "|")


if __name__ == "__main__":
    main()
