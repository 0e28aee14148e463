"""Training for so long and no longer."""

from __future__ import annotations

import time
from typing import Annotated

from thalweg.checks import In
from thalweg.record.events import EpochEnded, Event, Interval
from thalweg.training.callbacks import Callback, Logs


class TimeLimit(Callback):
    """Ends training after so many seconds, also in the middle of an epoch; compiling and validation count.

    What has been learned by then stays in the model, as after Ctrl-C.

    Arguments:
        seconds: from the beginning of ``fit``.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = self.checked("seconds", Annotated[float, In("(0, inf)")], seconds)
        self.ends = float("inf")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.ends = time.monotonic() + self.seconds

    def hear(self, event: Event) -> None:
        if isinstance(event, Interval | EpochEnded) and time.monotonic() >= self.ends:
            self.model.stop_training = True
