"""What is kept while a training runs, so that it can be looked at when it is over: little, and nothing is computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from thalweg.fields import dataclass
from thalweg.record.events import EpochBegun, EpochEnded, Event, Found, Interval, Measured, Resumed, TrainingEnded
from thalweg.state import Snapshot, State
from thalweg.state.names import PARAMETERS, STEP_STATE
from thalweg.training.callbacks import Callback
from thalweg.training.goals import LOSS, VALIDATION
from thalweg.training.measuring import Sparing

EARLY = (1, 4, 10, 100)
"""Steps after which there is a snapshot, beside those before the first one and after epochs: what goes wrong at the
beginning goes wrong in these."""

EPOCHS = 6
"""Snapshots of ends of epochs that are kept at most. They are taken after 1, 2, 3, 4, 6, 8, 12, 16, 24 ... epochs and
at the end: the later, the more one is like the next."""

MOST_BYTES = 64 << 20
"""Of parameters in all snapshots together; larger networks have fewer."""

FEWEST = 3
"""Snapshots, however large."""

MOST_LOSSES = 400


@dataclass(frozen=True, eq=False)
class Moment:
    """The parameters after so many steps and epochs of this training."""

    step: int
    epoch: float
    parameters: Snapshot


class Watch(Callback):
    """Keeps snapshots of the parameters, the losses and what happened. Results of training do not depend on it.

    Arguments:
        state: of the model.

    Attributes:
        moments: in their order, the first before the first step.
        best: that with the least loss of the validation so far, at the end of an epoch.
        losses: (step, mean loss of the epoch up to it).
        measured: (step, layer -> statistic -> number).
        found: what was not finite.
        continues: whether the model had been trained before.
        resumed: whether training went on from a backup, so that its beginning is not known.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.moments: list[Moment] = []
        self.best: Moment | None = None
        self.losses: list[tuple[int, float]] = []
        self.measured: list[tuple[int, Mapping[str, Mapping[str, float]]]] = []
        self.found: Found | None = None
        self.stopped_by: str | None = None
        self.continues = self.resumed = False
        self.epochs = 0
        self._first = self._in_epoch = 0
        self._least = math.inf
        self._ended = self._improved = False

    @property
    def steps(self) -> int:
        """That were made so far."""
        return int(self.state.number(STEP_STATE)) - self._first

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._first = self.state.number(STEP_STATE)
        self.continues = self._first > 0
        self._take()

    def due_in(self, step: int) -> int | None:
        done = step - self._first
        return next((early - done for early in EARLY if early > done), None)

    def hear(self, event: Event) -> None:
        if isinstance(event, EpochBegun):
            self._in_epoch = self.steps - event.step
        elif isinstance(event, Interval):
            self._note(event.logs, self._in_epoch + event.step)
        elif isinstance(event, EpochEnded):
            self._note(event.logs, self.steps)
            self.epochs += 1
            self._ended = True
            loss = _number(event.logs.get(VALIDATION + LOSS), math.inf)
            self._improved = loss < self._least
            self._least = min(self._least, loss)
        elif isinstance(event, Measured):
            self.measured.append((event.total_steps - self._first, event.statistics))
        elif isinstance(event, Found):
            self.found = event
        elif isinstance(event, Resumed):
            self.resumed = True
            self._first = self.state.number(STEP_STATE)
            self.moments.clear()
            self._take()
        elif isinstance(event, TrainingEnded):
            self.stopped_by = event.stopped_by
            if self.found is None and self.moments:
                self._take()
                self._thin()

    def keep(self, training: Any) -> None:
        if self._ended:
            self._ended = False
            if self._improved:
                into = {} if self.best is None else self.best.parameters
                self.best = self._moment(into)
            if self._is_early_for_its_age():
                self._take()
                self._thin()
        elif self.steps in EARLY:
            self._take()

    def _is_early_for_its_age(self) -> bool:
        """Whether the number of epochs is a power of two, or halfway between two of them."""
        octave = 1 << max(self.epochs.bit_length() - 2, 0)
        return self.epochs % octave == 0

    def _take(self) -> None:
        if not self.moments or self.moments[-1].step != self.steps:
            self.moments.append(self._moment())

    def _moment(self, into: Snapshot | None = None) -> Moment:
        return Moment(self.steps, float(self.epochs), self.state.snapshot(self.state.names(PARAMETERS), into))

    def _thin(self) -> None:
        """Drop those that have the nearest neighbours until there are few; the first and the last stay."""
        size = max(1, sum(array.nbytes for array in self.moments[0].parameters.values()))
        most = max(FEWEST, min(1 + len(EARLY) + EPOCHS, MOST_BYTES // size))
        while len(self.moments) > most:
            gaps = [
                (math.log1p(after.step) - math.log1p(before.step), number)
                for number, (before, after) in enumerate(zip(self.moments, self.moments[2:], strict=False), start=1)
            ]
            del self.moments[min(gaps)[1]]

    def _note(self, logs: Mapping[str, Any], step: int) -> None:
        self.losses.append((step, _number(logs.get(LOSS), math.nan)))
        if len(self.losses) > MOST_LOSSES:
            del self.losses[1:-1:2]


class MeasuringWatch(Watch):
    """One that also has the layers measured while they train.

    Arguments:
        every: steps from one measurement to the next, at least; see ``Sparing``.
    """

    def __init__(self, state: State, every: int) -> None:
        super().__init__(state)
        self._sparing = Sparing(every)

    def measures_in(self, step: int) -> int | None:
        return self._sparing.measures_in(step)

    def hear(self, event: Event) -> None:
        super().hear(event)
        if isinstance(event, Measured):
            self._sparing.took(event.total_steps)


def _number(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise
