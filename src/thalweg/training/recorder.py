"""Tells the record of a run what happens in a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from thalweg.record.events import EpochBegun, Event
from thalweg.record.run import Part
from thalweg.training.callbacks import Callback


class Recorder(Callback):
    """Writes a ``fit`` into a run; ``fit(run=...)`` makes it.

    A fit that was killed and goes on from a backup goes on in its run.

    Arguments:
        part: the place of the fit in the run.
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        self._goes_on = self._went_on = False

    def get_state(self) -> Mapping[str, Any]:
        return {"run": self.part.run.key, "part": self.part.number}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """May be called again when the epoch has begun: the record has gone on by then."""
        if self.part.run.become(state["run"]) and not self._went_on:
            self.part.number, self._goes_on = state["part"], True

    def hear(self, event: Event) -> None:
        if isinstance(event, EpochBegun) and self._goes_on:
            self._goes_on, self._went_on = False, True
            self.part.go_on(event.epoch, event.step, self._history())
        self.part.hear(event)

    def _history(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The epochs before, as far as their logs are known; what began later is known of the last ones."""
        history = self.model.history
        for place, epoch in enumerate(history.epoch):
            left = len(history.epoch) - place
            yield epoch, {name: values[-left] for name, values in history.history.items() if len(values) >= left}
