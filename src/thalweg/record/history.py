"""The history of one call of ``fit``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from thalweg.fields import dataclass
from thalweg.record.events import EpochEnded, Event, TrainingEnded


@dataclass
class History:
    """What ``fit`` returns: the logs of every finished epoch.

    Attributes:
        history: name -> one value per epoch, as in Keras: ``loss``, metrics, ``val_loss`` ... Values are floats, and
            arrays for metrics with one number for each class, threshold or output.
        epoch: the epochs' indices.
        params: ``verbose``, ``epochs`` and ``steps``.
        seed: what shuffling and dropout were drawn from; the same seed gives the same bits.
        compile_seconds: how long making the programs took, which is no part of the epochs.
        stopped_by: None if all epochs ran, else ``"user"`` (Ctrl-C), ``"callback"``, ``"converged"`` (LBFGS),
            ``"out of data"`` (a stream) or ``"non-finite loss"``.
        diagnosis: what the doctor says of it, a ``thalweg.diagnosis.Diagnosis``: empty where nothing is wrong,
            None where it was not asked (``fit(diagnose=False)``).
    """

    history: dict[str, list[Any]] = field(default_factory=dict)
    epoch: list[int] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    compile_seconds: float = 0.0
    stopped_by: str | None = None
    diagnosis: Any = field(default=None, compare=False)

    def __repr__(self) -> str:
        """How many epochs, and what each number came from and to: the lists themselves are in ``history``."""
        epochs = f"{len(self.epoch)} epoch{'s' * (len(self.epoch) != 1)}"
        stopped = f", stopped by {self.stopped_by}" if self.stopped_by else ""
        courses = (_course(name, values) for name, values in self.history.items() if values)
        return f"<History: {epochs}{stopped}{''.join(f'; {course}' for course in courses)}>"

    def hear(self, event: Event) -> None:
        """Take in what happened: epochs, and how it ended."""
        if isinstance(event, EpochEnded):
            self.append(event.epoch, event.logs)
        elif isinstance(event, TrainingEnded):
            self.stopped_by, self.compile_seconds = event.stopped_by, event.compile_seconds

    def append(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Add the logs of a finished epoch."""
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)


def _course(name: str, values: list[Any]) -> str:
    """The first value and the last: ``"loss 1.21 -> 0.32"``; of arrays their shape."""
    if not all(isinstance(value, int | float) for value in values):
        return f"{name} {getattr(values[-1], 'shape', type(values[-1]).__name__)}"
    first, last = f"{values[0]:.4g}", f"{values[-1]:.4g}"
    return f"{name} {last}" if len(values) == 1 else f"{name} {first} -> {last}"
