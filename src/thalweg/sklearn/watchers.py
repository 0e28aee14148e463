"""thalweg's callbacks in the fit of an estimator."""

from __future__ import annotations

from typing import Any

from thalweg.model.model import Model
from thalweg.sklearn.steps import LOSS, RATE
from thalweg.state import State
from thalweg.training.callbacks import CallbackList


class Watchers:
    """Callbacks, and the model that they see: it shares the weights that are trained. Without callbacks nothing.

    Arguments:
        model: compiled; None if there are no callbacks.
    """

    def __init__(self, callbacks: Any, model: Model | None) -> None:
        self.callbacks = CallbackList(callbacks)
        self.model = model
        self._logs: dict[str, Any] = {}
        self._rate = 0.0
        self._step = 0
        self._rows = 0

    @property
    def watch_batches(self) -> bool:
        """Whether one of them has a hook for each batch."""
        return self.callbacks.watches_batches("train")

    def begin(self, epochs: int, steps: int, state: State) -> None:
        """Training begins."""
        self.state = state
        if self.model is None:
            return
        self.model.stop_training = False
        self.callbacks.attach(self.model, {"epochs": epochs, "steps": steps, "verbose": 0})
        self.rate_is(state.number(RATE))
        self.callbacks.call("on_train_begin", {})

    def rate_is(self, rate: float) -> None:
        """The schedule has set another rate."""
        if self.model is not None and self.model.optimizer is not None:
            self.model.optimizer.learning_rate = rate
            self._rate = float(self.model.optimizer.learning_rate)

    def _take_rate(self) -> None:
        """A callback may have set another rate, which is float32 there."""
        if self.model is not None and self.model.optimizer is not None:
            rate = float(self.model.optimizer.learning_rate)
            if rate != self._rate:
                self._rate = rate
                self.state.write(RATE, rate)

    def epoch_begins(self, epoch: int) -> None:
        """Before an epoch, counted from 0 in every fit."""
        if self.model is None:
            return
        self._step = self._rows = 0
        self.callbacks.call("on_epoch_begin", epoch, {})
        self._take_rate()

    def batch(self, rows: int) -> None:
        """Around every batch, where that is watched: before it with 0, after it with the number of its rows."""
        if not rows:
            self.callbacks.call("on_train_batch_begin", self._step, {})
            self._take_rate()
            return
        self._rows += rows
        self.callbacks.call("on_train_batch_end", self._step, {"loss": self.state.number(LOSS) / self._rows})
        self._step += 1

    def epoch_ends(self, epoch: int, logs: dict[str, Any]) -> bool:
        """After an epoch; whether a callback wants to stop."""
        if self.model is None:
            return False
        self.callbacks.call("on_epoch_end", epoch, logs)
        self._take_rate()
        self._logs = logs
        return self.callbacks.stop_requested()

    def end(self) -> None:
        """Training has ended."""
        if self.model is not None:
            self.callbacks.call("on_train_end", self._logs)
