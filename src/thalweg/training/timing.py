"""Where the time of a training goes, and training for so long and no longer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from thalweg.checks import In
from thalweg.record.events import EpochEnded, Event, Interval, TrainingBegun, TrainingEnded
from thalweg.table import Table, Tabular
from thalweg.training.callbacks import Callback, Logs


class TerminateAfter(Callback):
    """Ends training after so many seconds, also in the middle of an epoch; compiling and validation count.

    What has been learned by then stays in the model, as after Ctrl-C. The seconds of a training that was interrupted
    and goes on (``BackupAndRestore``) count together.

    Arguments:
        seconds: from the beginning of ``fit``.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = self.checked("seconds", Annotated[float, In("(0, inf)")], seconds)
        self.ends = float("inf")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.ends = time.monotonic() + self.seconds

    def get_state(self) -> Mapping[str, Any]:
        return {"left": self.ends - time.monotonic()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.ends = time.monotonic() + state["left"]

    def hear(self, event: Event) -> None:
        if isinstance(event, Interval | EpochEnded) and time.monotonic() >= self.ends:
            self.model.stop_training = True


TimeLimit = TerminateAfter
"""Its earlier name."""


class Timing(Callback, Tabular):
    """Measures where the time of a training goes; ``print`` shows it as a table.

    Attributes:
        epochs: seconds of each epoch, without validation and the hooks at its ends.
        seconds: of ``"steps"``, ``"validation"``, ``"compiling"``, and ``"other"``: hooks of callbacks, above all.
        samples: trained on.

    A training that was interrupted and goes on (``BackupAndRestore``) is one training.

    Example:
        ``timing = Timing(); model.fit(x, y, callbacks=[timing]); print(timing)``
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.epochs: list[float] = []
        self.seconds = dict.fromkeys(("steps", "validation", "compiling", "other"), 0.0)
        self.samples = 0
        self._began = self._test_began = time.perf_counter()
        self._all = 0.0  # seconds before the training went on
        self._rows = 0

    def get_state(self) -> Mapping[str, Any]:
        return {"epochs": self.epochs, "seconds": self.seconds, "samples": self.samples, "all": self._so_far()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.epochs, self.seconds = list(state["epochs"]), dict(state["seconds"])
        self.samples, self._all = state["samples"], state["all"]

    def hear(self, event: Event) -> None:
        if isinstance(event, TrainingBegun):
            self._clear()
            self._rows = event.rows or 0
        elif isinstance(event, EpochEnded):
            self.epochs.append(event.seconds)
            self.seconds["steps"] += event.seconds
            self.samples += self._rows
        elif isinstance(event, TrainingEnded):
            self.seconds["compiling"] += event.compile_seconds
            known = sum(seconds for part, seconds in self.seconds.items() if part != "other")
            self.seconds["other"] = max(0.0, self._so_far() - known)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._test_began = time.perf_counter()

    def on_test_end(self, logs: Logs | None = None) -> None:
        self.seconds["validation"] += time.perf_counter() - self._test_began

    def _so_far(self) -> float:
        return self._all + time.perf_counter() - self._began

    def table(self) -> Table:
        """The parts, and their shares."""
        total = sum(self.seconds.values()) or 1.0
        speed = self.samples / self.seconds["steps"] if self.seconds["steps"] else 0.0
        rows = [[part, f"{seconds:.3g}", f"{seconds / total:.0%}"] for part, seconds in self.seconds.items()]
        return Table(f"{len(self.epochs)} epochs, {speed:,.0f} samples/s", ("part", "seconds", "share"), rows)
