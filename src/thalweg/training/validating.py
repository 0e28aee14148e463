"""The validation in the middle of epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.record.events import Validated
from thalweg.state.names import STEP_STATE
from thalweg.training.callbacks import Callback, Logs, Training
from thalweg.training.frequency import EPOCH, Frequency


class ValidateEvery(Callback):
    """Runs the validation of ``fit`` every so many steps, for epochs that take hours.

    Arguments:
        freq: steps from one validation to the next, over all epochs; or ``"5m"``: so often.

    Attributes:
        steps: when, in steps that the model has ever made.
        history: name -> one value for each of these: ``val_loss`` ...

    Raises: ArgumentError from ``fit`` without a validation.
    """

    def __init__(self, freq: int | str) -> None:
        self._often = Frequency.of("ValidateEvery", "freq", freq)
        if self._often.by_epochs:
            raise ArgumentError(
                "ValidateEvery: argument 'freq' does not fit its rule",
                expected="an integer in [1, inf), or a length of time as '5m'",
                got=repr(EPOCH),
                fix="leave the callback out: fit validates at the end of every epoch",
            )
        self.freq = freq
        self.steps: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def due_in(self, step: int) -> int | None:
        return self._often.due_in(step)

    def get_state(self) -> Mapping[str, Any]:
        return {"steps": self.steps, "history": self.history, "last_step": self._often.last_step}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.steps = list(state["steps"])
        self.history = {name: list(values) for name, values in state["history"].items()}
        self._often.begin(state["last_step"])

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.steps, self.history = [], {}
        self._often.begin(self.model.state.number(STEP_STATE))

    def at_rest(self, training: Training) -> None:
        step = self.model.state.number(STEP_STATE)
        if not training.step or not self._often.due(step, epoch_ended=False):
            return
        found = training.validate()
        if not found:
            raise ArgumentError(
                "ValidateEvery: fit has no validation",
                expected="validation_data= or validation_split= in fit",
                got="neither",
                fix="pass one of them, or leave the callback out",
            )
        self._often.begin(step)
        self.steps.append(step)
        for name, value in found.items():
            self.history.setdefault(name, []).append(value)
        self.tell(Validated(training.epoch, training.step, found))
