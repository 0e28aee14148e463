"""What happens in training, as plain values: whoever wants to know reads these, and nobody reads a running model.

The history and the progress line are made of them. They come in the order in which things happen; each can be printed,
saved, and made by hand in a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from thalweg.fields import dataclass

__all__ = [
    "CheckpointWritten",
    "EpochBegun",
    "EpochEnded",
    "Event",
    "Found",
    "Interval",
    "Listener",
    "Measured",
    "Resumed",
    "TrainingBegun",
    "TrainingEnded",
    "Validated",
]

Values = Mapping[str, Any]
"""Name -> float, or an array for what has one number for each class, threshold or output."""


@dataclass(frozen=True)
class Event:
    """The base of all that can happen."""


@dataclass(frozen=True)
class TrainingBegun(Event):
    """A ``fit`` has begun.

    Attributes:
        first_epoch, epochs: the index of its first epoch, and the one after its last.
        steps: of an epoch; None if nobody knows before its end.
        rows, batch_size: trained on in an epoch, None likewise, and in a step.
    """

    first_epoch: int
    epochs: int
    steps: int | None
    rows: int | None
    batch_size: int


@dataclass(frozen=True)
class Resumed(Event):
    """A ``fit`` that has just begun goes on with an earlier one that was interrupted.

    Attributes:
        epoch: with which it goes on; as many as there are if nothing is left to do.
        step: of that epoch.
    """

    epoch: int
    step: int


@dataclass(frozen=True)
class EpochBegun(Event):
    """An epoch goes on from this step: 0, but where training was stopped in the middle of it."""

    epoch: int
    step: int


@dataclass(frozen=True)
class Interval(Event):
    """Some steps of an epoch are done; told about ten times a second.

    Attributes:
        step: how many, since the epoch began.
        logs: the means over these.
    """

    epoch: int
    step: int
    logs: Values


@dataclass(frozen=True)
class Measured(Event):
    """What the layers gave in one step, and how they moved.

    Attributes:
        total_steps: how many the model had made before this one, in all its life.
        statistics: layer -> name of a statistic -> number.
    """

    epoch: int
    total_steps: int
    statistics: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class EpochEnded(Event):
    """An epoch is over.

    Attributes:
        logs: those of training, of the validation (``val_...``), and what callbacks added.
        seconds: without the validation and the callbacks.
    """

    epoch: int
    logs: Values
    seconds: float


@dataclass(frozen=True)
class Validated(Event):
    """A validation in the middle of an epoch, after so many of its steps; ``logs`` are ``val_...``."""

    epoch: int
    step: int
    logs: Values


@dataclass(frozen=True)
class CheckpointWritten(Event):
    """The model, or its weights, have been written to a file."""

    epoch: int
    path: str


@dataclass(frozen=True)
class Found(Event):
    """Something is wrong, or looks so.

    Attributes:
        code: of the kind of finding, as ``"non-finite"``.
        layer: where it was found, if it is one layer's.
        message: what was found, in words.
    """

    epoch: int
    code: str
    message: str
    layer: str | None = None


@dataclass(frozen=True)
class TrainingEnded(Event):
    """A ``fit`` is over.

    Attributes:
        stopped_by: see ``History``.
        compile_seconds: how long making the programs took.
    """

    stopped_by: str | None
    compile_seconds: float


Listener = Callable[[Event], None]
